# SPDX-License-Identifier: Apache-2.0
"""The backend of the integration tests: says who it is and whom it sees.

usage: backend.py NAME [--port 8080] [--vip ADDRESS ...]

TCP and UDP on the same port, both families. A request is one line:
  "who"        -> "NAME PEER_ADDRESS PEER_PORT"
  "send N"     -> N bytes of a fixed pattern, then close
  "sink N"     -> reads N bytes, answers their SHA-256
  anything     -> "NAME " + the line (echo); the connection stays open
  "GET ..."    -> a small HTTP answer with the same text as "who"
UDP answers "who" and echoes likewise.
"""

import argparse
import asyncio
import hashlib
import socket

from backend_pattern import pattern


async def serve_tcp(name, reader, writer):
    peer = writer.get_extra_info("peername")
    who = f"{name} {peer[0].removeprefix('::ffff:')} {peer[1]}\n".encode()
    try:
        while line := await reader.readline():
            words = line.split()
            if words[:1] == [b"GET"]:
                while (await reader.readline()).strip():
                    pass
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(who), who))
                await writer.drain()
                break
            if words == [b"who"]:
                writer.write(who)
            elif words[:1] == [b"send"]:
                left, sent = int(words[1]), 0
                while left:
                    part = pattern(min(left, 65536), sent)
                    writer.write(part)
                    await writer.drain()
                    sent, left = sent + len(part), left - len(part)
                break
            elif words[:1] == [b"sink"]:
                left, digest = int(words[1]), hashlib.sha256()
                while left:
                    part = await reader.read(min(left, 262144))
                    if not part:
                        return
                    digest.update(part)
                    left -= len(part)
                writer.write(digest.hexdigest().encode() + b"\n")
            else:
                writer.write(name.encode() + b" " + line)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, ValueError):
        pass
    finally:
        writer.close()


class Udp(asyncio.DatagramProtocol):
    def __init__(self, name):
        self.name = name

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        if data.strip() == b"who":
            data = f"{addr[0].removeprefix('::ffff:')} {addr[1]}\n".encode()
        self.transport.sendto(self.name.encode() + b" " + data, addr)


async def main():
    a = argparse.ArgumentParser()
    a.add_argument("name")
    a.add_argument("--port", type=int, default=8080)
    a.add_argument("--bind", action="append", default=[], help="also answer UDP from this address (a VIP, with DSR)")
    o = a.parse_args()
    tcp = socket.create_server(("::", o.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024, reuse_port=True)
    server = await asyncio.start_server(lambda r, w: serve_tcp(o.name, r, w), sock=tcp, limit=1 << 20)
    loop = asyncio.get_running_loop()
    for bind in ["::"] + o.bind:
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bind == "::":
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind((bind, o.port))
        await loop.create_datagram_endpoint(lambda: Udp(o.name), sock=s)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())

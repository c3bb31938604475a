# SPDX-License-Identifier: Apache-2.0
"""Clients of the integration tests. Prints one JSON object on the last line.

usage: client.py MODE HOST PORT [options]
  who    --count N [--parallel P] [--udp] [--source-port P]
         N new connections (or datagrams): which backend answered, what it saw
  hold   --count N --seconds S [--interval I] [--udp] [--report-start]
         N connections kept open, a line echoed on each every I seconds: errors by name
  bulk   --bytes N [--count C]    C uploads of N bytes at once, answered by hash, compared
  beat   --seconds S              one datagram every few ms: the silences of more than 50 ms
  fetch  --bytes N [--count C]    C downloads of N bytes at once, compared with the pattern
"""

import argparse
import asyncio
import collections
import hashlib
import json
import socket
import time

from backend_pattern import pattern


async def connect(o):
    return await asyncio.wait_for(asyncio.open_connection(o.host, o.port, limit=1 << 20), o.timeout)


def udp_ask(o, data, sock=None):
    family = socket.AF_INET6 if ":" in o.host else socket.AF_INET
    s = sock or socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(o.timeout)
    if sock is None:
        if o.source_port:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", o.source_port))
        s.connect((o.host, o.port))
    s.send(data)
    return s.recv(65535), s


async def who(o):
    backends, peers, errors = collections.Counter(), [], collections.Counter()
    gate = asyncio.Semaphore(o.parallel)

    async def one():
        async with gate:
            try:
                if o.udp:
                    line, s = await asyncio.to_thread(udp_ask, o, b"who")
                    s.close()
                else:
                    reader, writer = await connect(o)
                    writer.write(b"who\n")
                    line = await asyncio.wait_for(reader.readline(), o.timeout)
                    writer.close()
                    if not line:
                        raise ConnectionResetError
                name, peer, port = line.decode().split()
                backends[name] += 1
                peers.append([peer, int(port)])
            except (OSError, asyncio.TimeoutError, ValueError) as e:
                errors[type(e).__name__] += 1

    await asyncio.gather(*(one() for _ in range(o.count)))
    return {"backends": backends, "errors": errors, "peers": peers[:64]}


async def hold(o):
    errors, backends, lines = collections.Counter(), collections.Counter(), 0
    longest = 0.0
    ends = time.monotonic() + o.seconds
    started = asyncio.Event()
    open_now = 0

    async def one(i):
        nonlocal lines, longest, open_now
        try:
            if o.udp:
                answer, s = await asyncio.to_thread(udp_ask, o, b"hello")
            else:
                reader, writer = await connect(o)
                writer.write(b"hello\n")
                answer = await asyncio.wait_for(reader.readline(), o.timeout)
            name = answer.split()[0].decode()
            backends[name] += 1
            open_now += 1
            n = 0
            while time.monotonic() < ends:
                await asyncio.sleep(o.interval)
                n += 1
                text = f"line {i} {n}".encode()
                t = time.monotonic()
                if o.udp:
                    answer, s = await asyncio.to_thread(udp_ask, o, text, s)
                else:
                    writer.write(text + b"\n")
                    answer = await asyncio.wait_for(reader.readline(), o.timeout)
                longest = max(longest, time.monotonic() - t)
                if answer.strip() != name.encode() + b" " + text:
                    errors["moved" if answer else "closed"] += 1
                    return
                lines += 1
            if not o.udp:
                writer.close()
        except (OSError, asyncio.TimeoutError, IndexError) as e:
            errors[type(e).__name__] += 1

    tasks = [asyncio.create_task(one(i)) for i in range(o.count)]
    while open_now < o.count and not all(t.done() for t in tasks) and time.monotonic() < ends:
        await asyncio.sleep(0.02)
    print(f"open {open_now}", flush=True)
    await asyncio.gather(*tasks)
    return {"backends": backends, "errors": errors, "lines": lines, "longest_s": round(longest, 3)}


async def beat(o):
    s = socket.socket(socket.AF_INET6 if ":" in o.host else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((o.host, o.port))
    s.settimeout(0.01)
    ends, last, gaps = time.monotonic() + o.seconds, None, []
    while time.monotonic() < ends:
        try:
            s.send(b"beat")
            s.recv(100)
        except OSError:
            continue
        now = time.monotonic()
        if last is None:
            print("open 1", flush=True)
        elif now - last > 0.05:
            gaps.append(round(now - last, 3))
        last = now
        time.sleep(0.003)
    return {"gaps": gaps, "silent_s": round(ends - (last or 0), 3)}


async def bulk(o):
    errors = collections.Counter()

    async def one():
        try:
            reader, writer = await connect(o)
            writer.write(b"sink %d\n" % o.bytes)
            digest, sent = hashlib.sha256(), 0
            while sent < o.bytes:
                part = pattern(min(262144, o.bytes - sent), sent)
                digest.update(part)
                writer.write(part)
                await asyncio.wait_for(writer.drain(), o.timeout)
                sent += len(part)
            answer = await asyncio.wait_for(reader.readline(), o.timeout)
            if answer.strip() != digest.hexdigest().encode():
                errors["hash"] += 1
            writer.close()
        except (OSError, asyncio.TimeoutError) as e:
            errors[type(e).__name__] += 1

    t = time.monotonic()
    await asyncio.gather(*(one() for _ in range(o.count)))
    return {"errors": errors, "seconds": round(time.monotonic() - t, 3)}


async def fetch(o):
    errors = collections.Counter()

    async def one():
        try:
            reader, writer = await connect(o)
            writer.write(b"send %d\n" % o.bytes)
            got, digest = 0, hashlib.sha256()
            while part := await asyncio.wait_for(reader.read(262144), o.timeout):
                digest.update(part)
                got += len(part)
            if got != o.bytes or digest.digest() != hashlib.sha256(pattern(o.bytes)).digest():
                errors["short" if got != o.bytes else "hash"] += 1
            writer.close()
        except (OSError, asyncio.TimeoutError) as e:
            errors[type(e).__name__] += 1

    t = time.monotonic()
    await asyncio.gather(*(one() for _ in range(o.count)))
    return {"errors": errors, "seconds": round(time.monotonic() - t, 3)}


def main():
    a = argparse.ArgumentParser()
    a.add_argument("mode", choices=["who", "hold", "beat", "bulk", "fetch"])
    a.add_argument("host")
    a.add_argument("port", type=int)
    a.add_argument("--count", type=int, default=1)
    a.add_argument("--parallel", type=int, default=16)
    a.add_argument("--seconds", type=float, default=5)
    a.add_argument("--interval", type=float, default=0.2)
    a.add_argument("--timeout", type=float, default=5)
    a.add_argument("--bytes", type=int, default=1 << 20)
    a.add_argument("--udp", action="store_true")
    a.add_argument("--source-port", type=int, default=0)
    o = a.parse_args()
    print(json.dumps(asyncio.run(globals()[o.mode](o))))


main()

# SPDX-License-Identifier: Apache-2.0
"""A DSR backend's decapsulation in user space, for kernels built without tunnels: raw sockets
(IPIP, IP6IP6) and a UDP socket (GUE variant 1) in, a TUN device out. Prints "ready".

usage: decap.py [--gue-port 6080]
"""

import argparse
import fcntl
import os
import selectors
import socket
import struct
import subprocess

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    for key in ("all", name):
        subprocess.run(["sysctl", "-qw", f"net.ipv4.conf.{key}.rp_filter=0"], check=True)
    return fd


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--gue-port", type=int, default=6080)
    o = a.parse_args()
    tun = open_tun("decap0")
    sel = selectors.DefaultSelector()

    v4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, 4)
    sel.register(v4, selectors.EVENT_READ, lambda d: d[(d[0] & 15) * 4:])
    v6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 41)
    sel.register(v6, selectors.EVENT_READ, lambda d: d)
    gue = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    gue.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    gue.bind(("::", o.gue_port))
    # Variant 1: the payload is an IP packet as it stands, told by its version nibble.
    sel.register(gue, selectors.EVENT_READ, lambda d: d if d[:1] and d[0] >> 4 in (4, 6) else b"")

    print("ready", flush=True)
    while True:
        for key, _ in sel.select():
            inner = key.data(key.fileobj.recv(65535))
            if inner:
                os.write(tun, inner)


main()

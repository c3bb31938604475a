#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes fixtures.h: packets as they arrive and as they must leave, byte by byte.

Both are made by scapy from what the packet means, never by changing bytes of another one, so every
checksum is computed independently of the code under test.

    python3 fixtures.py > fixtures.h
"""
import struct

from scapy.all import (Ether, ICMP, ICMPv6DestUnreach, ICMPv6PacketTooBig, IP, IPv6, Raw, TCP, UDP, raw)

C4, V4, E4, S4, G4 = "10.1.0.1", "192.0.2.10", "10.2.0.5", "10.2.0.100", "10.2.0.1"
C6, V6, E6, S6, G6 = "2001:db8:1::1", "2001:db8:ff::10", "fd00:0:2::5", "fd00:0:2::100", "fd00:0:2::1"
E6, S6, G6 = "fd00:2::5", "fd00:2::100", "fd00:2::1"
CLIENT_PORT, SNAT_PORT = 40000, 20000
MODES = ["FULLNAT", "DNAT", "IPIP", "GUE", "L2"]
# next hops: 1 towards clients, 2 towards endpoints
HEAD_IN = dict(dst="02:00:00:00:00:01", src="02:00:00:00:00:99")
HEAD_OUT = {1: dict(dst="02:00:00:00:00:11", src="02:00:00:00:00:01"),
            2: dict(dst="02:00:00:00:00:12", src="02:00:00:00:00:02")}
TO_CLIENT, TO_ENDPOINT = 1, 2
M64 = (1 << 64) - 1


def mix(a, b):
    p = a * b
    return (p ^ (p >> 64)) & M64


K0, K1, K2, K3 = 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93


def flow_hash(l3, v6, proto):
    """policies/flowhash.h with seed 0."""
    b = raw(l3)
    if not v6:
        addrs, = struct.unpack("<Q", b[12:20])
        ports, = struct.unpack("<I", b[20:24])
        rest = ports | proto << 32
        return mix(mix(addrs ^ K0, rest ^ K1) ^ addrs, K3)
    s0, s1, d0, d1 = struct.unpack("<4Q", b[8:40])
    ports, = struct.unpack("<I", b[40:44])
    rest = ports | proto << 32
    s, d = mix(s0 ^ K0, s1 ^ K1), mix(d0 ^ K2, d1 ^ K3)
    h = mix(s ^ rest ^ K2, d ^ (rest << 7 & M64) ^ K0)
    return mix(h ^ s, K3)


def ip(v6, src, dst, ttl=64, **more):
    if v6:
        return IPv6(src=src, dst=dst, hlim=ttl, tc=more.get("tos", 0), fl=more.get("fl", 0))
    return IP(src=src, dst=dst, ttl=ttl, tos=more.get("tos", 0), id=more.get("id", 7), flags=more.get("flags", "DF"),
              options=more.get("options", []))


def addresses(v6):
    return (C6, V6, E6, S6, G6) if v6 else (C4, V4, E4, S4, G4)


class Scenario:
    all = []

    def __init__(self, name, mode, v6, proto, flags="0"):
        self.name, self.mode, self.v6, self.proto, self.flags, self.steps = name, mode, v6, proto, flags, []
        Scenario.all.append(self)

    def step(self, what, arrive, leave, hop, flags="0"):
        out = raw(Ether(**HEAD_OUT[hop], type=0x86dd if self.v6 else 0x800) / leave) if leave is not None else b""
        self.steps.append((what, raw(Ether(**HEAD_IN, type=0x86dd if self.v6 else 0x800) / arrive), out, hop, flags))


def tunnel(mode, v6, inner, h):
    """The outer header of a packet that has been routed already (TTL decremented)."""
    _, _, e, _, g = addresses(v6)
    if mode == "L2":
        return inner
    if v6:
        outer = IPv6(src=g, dst=e, hlim=64, tc=inner.tc, fl=inner.fl)
    else:
        outer = IP(src=g, dst=e, ttl=64, tos=inner.tos, id=0, flags=inner.flags)
    if mode == "IPIP":
        return outer / inner
    sport = 0xc000 | (h & 0x3fff)
    udp = UDP(sport=sport, dport=6080)
    if not v6:
        udp.chksum = 0
        outer.proto = 17
    return outer / udp / Raw(raw(inner))


def main_scenarios():
    for m, mode in enumerate(MODES):
        for v6 in (False, True):
            c, v, e, s, g = addresses(v6)
            vport = 80 + m
            eport = 8080 if m < 2 else vport
            local, lport = (s, SNAT_PORT) if mode == "FULLNAT" else (c, CLIENT_PORT)
            tos = 0xb9  # EF, ECT(1)
            for proto, l4 in (("TCP", TCP), ("UDP", UDP)):
                sc = Scenario(f"{mode}{'6' if v6 else '4'}_{proto}", mode, v6, proto)
                nat = mode in ("FULLNAT", "DNAT")
                mss = 1460 if not v6 else 1440
                clamped = {"IPIP": 1440 if not v6 else 1400, "GUE": 1432 if not v6 else 1392}.get(mode, mss)
                number = 6 if proto == "TCP" else 17

                def forward(payload, what, fl=0x3fbcd if v6 else 0, **tcp):
                    key = ip(v6, c, v, tos=tos, fl=fl) / l4(sport=CLIENT_PORT, dport=vport)
                    h = flow_hash(key, v6, number)
                    out_tcp = dict(tcp)
                    if "options" in tcp:
                        out_tcp["options"] = [("MSS", clamped)] + tcp["options"][1:]
                    arrive = ip(v6, c, v, tos=tos, fl=fl) / l4(sport=CLIENT_PORT, dport=vport, **tcp) / payload
                    if nat:
                        leave = ip(v6, local, e, 63, tos=tos, fl=fl) / l4(sport=lport, dport=eport, **out_tcp) / payload
                    else:
                        leave = ip(v6, c, v, 63, tos=tos, fl=fl) / l4(sport=CLIENT_PORT, dport=vport, **out_tcp) / payload
                        leave = tunnel(mode, v6, leave, h)
                    sc.step(what, arrive, leave, TO_ENDPOINT)

                def back(payload, what, **tcp):
                    arrive = ip(v6, e, local, tos=2) / l4(sport=eport, dport=lport, **tcp) / payload
                    leave = ip(v6, v, c, 63, tos=2) / l4(sport=vport, dport=CLIENT_PORT, **tcp) / payload
                    sc.step(what, arrive, leave, TO_CLIENT)

                if proto == "TCP":
                    options = [("MSS", mss), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]
                    forward(b"", "SYN", flags="S", seq=1000, options=options)
                    if nat:
                        back(b"", "SYN-ACK", flags="SA", seq=5000, ack=1001, options=[("MSS", mss)])
                    forward(b"", "ACK", flags="A", seq=1001, ack=5001)
                    forward(b"GET / HTTP/1.1\r\n\r\n", "data", flags="PA", seq=1001, ack=5001)
                    if nat:
                        back(b"HTTP/1.1 200 OK\r\n\r\nodd", "answer", flags="PA", seq=5001, ack=1019)
                else:
                    forward(b"question", "question")
                    if nat:
                        back(b"an odd answer", "answer")
                    forward(b"q", "one byte")
                    forward(b"q" * 1000, "long")


def zero_checksum():
    sc = Scenario("FULLNAT4_UDP_without_checksum", "FULLNAT", False, "UDP")
    sc.step("question", ip(False, C4, V4) / UDP(sport=CLIENT_PORT, dport=80, chksum=0) / b"hello",
            ip(False, S4, E4, 63) / UDP(sport=SNAT_PORT, dport=8080, chksum=0) / b"hello", TO_ENDPOINT)
    # A partial checksum, as a software port delivers it, is computed in full.
    sc = Scenario("FULLNAT4_TCP_partial", "FULLNAT", False, "TCP")
    sc.step("SYN", ip(False, C4, V4) / TCP(sport=CLIENT_PORT, dport=80, flags="S", chksum=0x1234),
            ip(False, S4, E4, 63) / TCP(sport=SNAT_PORT, dport=8080, flags="S"), TO_ENDPOINT, "PS_META_F_RECHECKSUM")
    sc.step("odd", ip(False, C4, V4) / TCP(sport=CLIENT_PORT, dport=80, flags="A", chksum=0x1234) / b"abc",
            ip(False, S4, E4, 63) / TCP(sport=SNAT_PORT, dport=8080, flags="A") / b"abc", TO_ENDPOINT,
            "PS_META_F_RECHECKSUM")
    sc = Scenario("IPIP6_UDP_partial", "IPIP", True, "UDP")
    inner = IPv6(src=C6, dst=V6, hlim=63) / UDP(sport=CLIENT_PORT, dport=82) / b"abc"
    sc.step("odd", IPv6(src=C6, dst=V6) / UDP(sport=CLIENT_PORT, dport=82, chksum=0x4321) / b"abc",
            tunnel("IPIP", True, inner, 0), TO_ENDPOINT, "PS_META_F_RECHECKSUM")
    # IPv4 options between header and ports
    opts = [b"\x94\x04\x00\x00"]
    from scapy.all import IPOption_Router_Alert
    sc = Scenario("FULLNAT4_UDP_options", "FULLNAT", False, "UDP")
    sc.step("router alert", ip(False, C4, V4, options=[IPOption_Router_Alert()]) / UDP(sport=CLIENT_PORT, dport=80) / b"x",
            ip(False, S4, E4, 63, options=[IPOption_Router_Alert()]) / UDP(sport=SNAT_PORT, dport=8080) / b"x",
            TO_ENDPOINT)


def toa():
    for v6 in (False, True):
        c, v, e, s, g = addresses(v6)
        sc = Scenario(f"FULLNAT{'6' if v6 else '4'}_TOA", "FULLNAT", v6, "TCP", "PS_SERVICE_F_TOA")
        import socket
        packed = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, c)
        option = (254, struct.pack("!H", CLIENT_PORT) + packed)

        def forward(what, payload, with_toa, options=None, **tcp):
            options = options or []
            sc.step(what, ip(v6, c, v) / TCP(sport=CLIENT_PORT, dport=80, options=options, **tcp) / payload,
                    ip(v6, s, e, 63) / TCP(sport=SNAT_PORT, dport=8080,
                                           options=([option] if with_toa else []) + options, **tcp) / payload,
                    TO_ENDPOINT)

        def back(what, **tcp):
            sc.step(what, ip(v6, e, s) / TCP(sport=8080, dport=SNAT_PORT, **tcp),
                    ip(v6, v, c, 63) / TCP(sport=80, dport=CLIENT_PORT, **tcp), TO_CLIENT)

        stamp = [("NOP", None), ("NOP", None), ("Timestamp", (7, 9))]
        forward("SYN", b"", True, [("MSS", 1400)], flags="S", seq=1)
        back("SYN-ACK", flags="SA", seq=9, ack=2)
        forward("ACK", b"", False, stamp, flags="A", seq=2, ack=10)
        forward("first data", b"hello", True, stamp, flags="PA", seq=2, ack=10)
        forward("second data", b"hello", False, stamp, flags="PA", seq=7, ack=10)


def icmp():
    for v6 in (False, True):
        c, v, e, s, g = addresses(v6)
        for proto, l4 in (("TCP", TCP), ("UDP", UDP)):
            for mode in ("FULLNAT", "DNAT"):
                for cut in ((8, 20, 40) if not v6 else (8, 40)):
                    vport = 80 if mode == "FULLNAT" else 81
                    local, lport = (s, SNAT_PORT) if mode == "FULLNAT" else (c, CLIENT_PORT)
                    sc = Scenario(f"{mode}{'6' if v6 else '4'}_{proto}_error_quoting_{cut}", mode, v6, proto)
                    more = dict(flags="S", seq=5) if proto == "TCP" else {}
                    hello = b"0123456789012345678901234567890123456789"
                    inn = ip(v6, c, v) / l4(sport=CLIENT_PORT, dport=vport, **more) / hello
                    out = ip(v6, local, e, 63) / l4(sport=lport, dport=8080, **more) / hello
                    sc.step("packet", inn, out, TO_ENDPOINT)
                    header = 40 if v6 else 20
                    # a router on the way to the endpoint; the client knows only the VIP
                    router = "fd00:2::77" if v6 else "10.2.0.77"
                    seen = ip(v6, c, v, 63) / l4(sport=CLIENT_PORT, dport=vport, **more) / hello
                    if v6:
                        mk = lambda q: ICMPv6PacketTooBig(mtu=1300) / Raw(raw(q)[:header + cut])
                    else:
                        mk = lambda q: ICMP(type=3, code=4, nexthopmtu=1300) / Raw(raw(q)[:header + cut])
                    sc.step("too big from a router", ip(v6, router, local) / mk(out), ip(v6, v, c, 63) / mk(seen), TO_CLIENT)
                    # the client's host refuses a reply
                    reply = dict(flags="SA", seq=9, ack=6) if proto == "TCP" else {}
                    rin = ip(v6, e, local) / l4(sport=8080, dport=lport, **reply) / hello
                    rout = ip(v6, v, c, 63) / l4(sport=vport, dport=CLIENT_PORT, **reply) / hello
                    sc.step("reply", rin, rout, TO_CLIENT)
                    rseen = ip(v6, e, local, 63) / l4(sport=8080, dport=lport, **reply) / hello
                    if v6:
                        mk = lambda q: ICMPv6DestUnreach(code=4) / Raw(raw(q)[:header + cut])
                    else:
                        mk = lambda q: ICMP(type=3, code=3) / Raw(raw(q)[:header + cut])
                    sc.step("refused by the client", ip(v6, c, v) / mk(rout), ip(v6, local, e, 63) / mk(rseen), TO_ENDPOINT)
        for mode in ("IPIP", "GUE"):
            vport = 80 + MODES.index(mode)
            sc = Scenario(f"{mode}{'6' if v6 else '4'}_error", mode, v6, "UDP")
            inn = ip(v6, c, v) / UDP(sport=CLIENT_PORT, dport=vport) / (b"x" * 600)
            mid = ip(v6, c, v, 63) / UDP(sport=CLIENT_PORT, dport=vport) / (b"x" * 600)
            out = tunnel(mode, v6, mid, flow_hash(inn, v6, 17))
            sc.step("packet", inn, out, TO_ENDPOINT)
            over = {"IPIP": 40 if v6 else 20, "GUE": 48 if v6 else 28}[mode]
            router = "fd00:2::77" if v6 else "10.2.0.77"
            quote = raw(out)[:400]
            if v6:
                sc.step("too big for the tunnel", ip(v6, router, g) / ICMPv6PacketTooBig(mtu=1400) / Raw(quote),
                        ip(v6, v, c, 63) / ICMPv6PacketTooBig(mtu=1400 - over) / Raw(quote[over:]), TO_CLIENT)
            else:
                sc.step("too big for the tunnel", ip(v6, router, g) / ICMP(type=3, code=4, nexthopmtu=600) / Raw(quote),
                        ip(v6, v, c, 63) / ICMP(type=3, code=4, nexthopmtu=600 - over) / Raw(quote[over:]), TO_CLIENT)
            # an error about what the endpoint has sent straight to the client
            sent = ip(v6, v, c, 60) / UDP(sport=vport, dport=CLIENT_PORT) / b"answer"
            if v6:
                err, err63 = ip(v6, c, v) / ICMPv6DestUnreach(code=4) / Raw(raw(sent)), \
                    ip(v6, c, v, 63) / ICMPv6DestUnreach(code=4) / Raw(raw(sent))
                if mode == "GUE":
                    continue  # its outer checksum is left zero
            else:
                err, err63 = ip(v6, c, v) / ICMP(type=3, code=3) / Raw(raw(sent)), \
                    ip(v6, c, v, 63) / ICMP(type=3, code=3) / Raw(raw(sent))
            sc.step("refused by the client", err, tunnel(mode, v6, err63, flow_hash(inn, v6, 17)), TO_ENDPOINT)


def emit():
    print("/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by fixtures.py. */\n")
    for n, sc in enumerate(Scenario.all):
        for k, (what, arrive, leave, hop, flags) in enumerate(sc.steps):
            print(f"static const char a{n}_{k}[] = \"{arrive.hex()}\";")
            print(f"static const char l{n}_{k}[] = \"{leave.hex()}\";")
    print("\nstatic const struct scenario scenarios[] = {")
    for n, sc in enumerate(Scenario.all):
        print(f"\t{{\"{sc.name}\", {sc.flags}, {len(sc.steps)}, {{")
        for k, (what, arrive, leave, hop, flags) in enumerate(sc.steps):
            print(f"\t\t{{\"{what}\", a{n}_{k}, l{n}_{k}, {hop - 1}, {flags}}},")
        print("\t}},")
    print("};")


main_scenarios()
zero_checksum()
toa()
icmp()
emit()

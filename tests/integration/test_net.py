# SPDX-License-Identifier: Apache-2.0
"""MTU, ICMP errors, fragments, traceroute, gratuitous announcements."""

import json
import time

import pytest

from lab import PYTHON, VIP4, VIP6, HERE, Penstock, client, finish, service, sh, wait_for

from test_forwarding import prepare_backends


def udp_echo(lab, size, vip, port=53, host="c1"):
    """One UDP echo of `size` bytes, allowed to be fragmented."""
    code = f"""
import socket
family = socket.AF_INET6 if ":" in "{vip}" else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
if family == socket.AF_INET: s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER off: DF clear
s.settimeout(3)
data = bytes(i & 0xff for i in range({size}))
s.sendto(data, ("{vip}", {port}))
got, _ = s.recvfrom(65535)
print(got[3:] == data, got[:2].decode())
"""
    return lab[host].sh(PYTHON, "-c", code, check=False)


def services(lab, mode=None):
    both = [lab[b].address4 for b in lab.backends] + [lab[b].address6 for b in lab.backends]
    return service("web", both, vips=(VIP4, VIP6), mode=mode) + "---" + service(
        "dns", both, vips=(VIP4, VIP6), port=53, protocol="UDP", mode=mode)


@pytest.mark.parametrize("mode", ["FullNAT", "DNAT"])
def test_fragments(lab, mode):
    prepare_backends(lab, mode)
    with Penstock(lab, services(lab, mode)) as p:
        for vip in (VIP4, VIP6):
            for size in (1473, 4000, 9000, 30000):
                r = udp_echo(lab, size, vip)
                assert r.stdout.startswith("True"), (vip, size, r.stderr[-300:], p.cli("get", "drops").stdout)


def test_fragments_in_dsr(lab):
    prepare_backends(lab, "DSR-L2")
    both = [lab[b].address4 for b in lab.backends]
    with Penstock(lab, service("dns", both, port=8080, protocol="UDP", mode="DSR-L2")):
        for size in (1473, 9000):
            assert udp_echo(lab, size, VIP4, 8080).stdout.startswith("True")


def test_path_mtu_behind_the_gateway(lab):
    """The clients' side has a smaller MTU: the router's packet-too-big reaches the backend through the NAT."""
    lab.serve_all()
    for i in ("1", "2"):
        lab["rt"].ip("link", "set", f"c{i}", "mtu", "1280")
    with Penstock(lab, services(lab)) as p:
        for vip in (VIP4, VIP6):
            # MSS would hide it: make the clients announce a large one.
            lab["c1"].ip("route", "replace", "default", "via", "10.78.1.1", "advmss", "1460")
            lab["c1"].ip("-6", "route", "replace", "default", "via", "fd78:1::1", "advmss", "1440")
            r = client(lab["c1"], "fetch", vip, 80, "--bytes", 3_000_000)
            assert not r["errors"], (vip, r, p.cli("get", "drops").stdout)


@pytest.mark.parametrize("mode", ["DSR-IPIP", "DSR-GUE"])
def test_encapsulation_clamps_mss_and_sends_too_big(lab, mode):
    prepare_backends(lab, mode)
    with Penstock(lab, service("web", [lab[b].address4 for b in lab.backends], port=8080, mode=mode)
                  + "---" + service("dns", [lab[b].address4 for b in lab.backends], port=8080, protocol="UDP", mode=mode)):
        assert not client(lab["c1"], "bulk", VIP4, 8080, "--bytes", 5_000_000)["errors"]
        # A datagram that fills the MTU with DF set does not fit the tunnel: the client learns the path MTU.
        code = f"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 2)
s.connect(("{VIP4}", 8080)); s.settimeout(0.5)
for _ in range(5):
    try:
        s.send(b"x" * 1472); s.recv(2000)
    except OSError: pass
print(s.getsockopt(socket.IPPROTO_IP, 14))
"""
        mtu = int(lab["c1"].sh(PYTHON, "-c", code).stdout)
        assert 1400 < mtu < 1500, mtu


def test_tunnel_over_ipv6_sends_too_big(lab):
    prepare_backends(lab, "DSR-IPIP")
    with Penstock(lab, service("dns", [lab[b].address6 for b in lab.backends], vips=(VIP6,), port=8080, protocol="UDP",
                               mode="DSR-IPIP")):
        code = f"""
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(41, 23, 2)
s.connect(("{VIP6}", 8080)); s.settimeout(0.5)
for _ in range(5):
    try:
        s.send(b"x" * 1452); s.recv(2000)
    except OSError: pass
print(s.getsockopt(41, 24))
s.send(b"x" * 1400); print(len(s.recv(2000)))
"""
        assert lab["c1"].sh(PYTHON, "-c", code).stdout.split() == ["1460", "1403"]  # 40 bytes of outer header


def test_path_mtu_between_gateway_and_backend(lab):
    """Packet-too-big about a NATed packet, sent to the gateway's source port: the client learns its path MTU."""
    lab.serve("b1")
    with Penstock(lab, service("dns", [lab["b1"].address4, lab["b1"].address6], vips=(VIP4, VIP6), port=53, protocol="UDP")) as p:
        for vip, family in ((VIP4, 4), (VIP6, 6)):
            answer = lab["b1"].popen(PYTHON, "-c", f"""
from scapy.all import *
conf.verb = 0
l3, port = (IP, "ip and udp dst port 8080 and greater 1000") if {family} == 4 else (IPv6, "ip6 and udp dst port 8080 and greater 1000")
s = AsyncSniffer(iface="eth0", filter=port, count=1); s.start(); time.sleep(0.3)
print("ready", flush=True)
s.join(8)
x = s.results[0]
inner = bytes(x[l3])
# From a router in between, which b1 plays.
back = Ether(src=x.dst, dst=x.src)
if {family} == 4:
    sendp(back / IP(src="10.77.0.11", dst=x[IP].src) / ICMP(type=3, code=4, nexthopmtu=1300) / Raw(inner[:64]), iface="eth0")
else:
    sendp(back / IPv6(src="fd77::11", dst=x[IPv6].src) / ICMPv6PacketTooBig(mtu=1300) / Raw(inner[:1200]), iface="eth0")
""")
            assert answer.stdout.readline() == "ready\n", answer.stdout.read()
            code = f"""
import socket, time
v6 = {family} == 6
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(41 if v6 else 0, 23 if v6 else 10, 2)
s.connect(("{vip}", 53)); s.send(b"x" * 1400)
for _ in range(60):
    time.sleep(0.05)
    mtu = s.getsockopt(41 if v6 else 0, 24 if v6 else 14)
    if mtu < 1500: break
print(mtu)
"""
            r = lab["c1"].sh(PYTHON, "-c", code).stdout
            assert r.strip() == "1300", (vip, r, p.cli("get", "drops").stdout)
            answer.wait(10)


@pytest.mark.parametrize("mode", ["FullNAT", "DNAT", "DSR-IPIP"])
def test_peers_that_leave_checksums_to_hardware(lab, mode):
    """Kernel peers with checksum offload hand over partial checksums: what leaves the gateway is whole."""
    prepare_backends(lab, mode)
    for name in ("c1", "c2", *lab.backends):
        lab[name].sh("ethtool", "-K", "eth0", "tx", "on", "tso", "on", "gso", "on")
    for port in ("c1", "eth0"):
        lab["rt"].sh("ethtool", "-K", port, "tx", "on")
    lab["sw"].sh("ethtool", "-K", "p-gw0", "tx", "on", "tso", "off", "gso", "off")
    tcp = 8080 if mode.startswith("DSR") else 80
    both = [lab[b].address4 for b in lab.backends] + [lab[b].address6 for b in lab.backends]
    with Penstock(lab, service("web", both, vips=(VIP4, VIP6), port=tcp, mode=mode) + "---" + service(
            "dns", both, vips=(VIP4, VIP6), port=8080 if mode.startswith("DSR") else 53, protocol="UDP", mode=mode)) as p:
        for vip in (VIP4, VIP6):
            assert not client(lab["c1"], "who", vip, 8080 if mode.startswith("DSR") else 53, "--udp", "--count", 20)["errors"]
            assert not client(lab["c1"], "bulk", vip, tcp, "--bytes", 3_000_000)["errors"], p.cli("get", "drops").stdout
            assert not client(lab["c2"], "fetch", vip, tcp, "--bytes", 3_000_000)["errors"], p.cli("get", "drops").stdout


def test_icmp_error_from_backend_reaches_client(lab):
    """A backend without the service answers port unreachable; the client sees it for its own flow."""
    both = [lab[b].address4 for b in lab.backends] + [lab[b].address6 for b in lab.backends]
    with Penstock(lab, service("dns", both, vips=(VIP4, VIP6), port=53, target=9999, protocol="UDP")):
        for vip in (VIP4, VIP6):
            r = client(lab["c1"], "who", vip, 53, "--udp", "--timeout", 2)
            assert r["errors"] == {"ConnectionRefusedError": 1}, r


def test_traceroute_shows_the_gateway(lab):
    """TTL runs out at the gateway: time exceeded comes from its address."""
    lab.serve_all()
    code = f"""
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 2)
s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
s.settimeout(2)
s.connect(("{VIP4}", 53)); s.send(b"x")
try: s.recv(100)
except OSError as e: print(e.errno)
_, anc, _, _ = s.recvmsg(100, 512, 0x2000)
for level, kind, data in anc:
    if kind == 11: print(socket.inet_ntoa(data[20:24]), data[5], data[6])
"""
    with Penstock(lab, services(lab)):
        out = lab["c1"].sh(PYTHON, "-c", code).stdout
        assert "10.77.0.2 11 0" in out, out


def test_gratuitous_announcements(lab):
    """Starting, and a VIP that is added later, are announced by ARP and unsolicited NA on the segment."""
    lab.serve_all()
    sniff = lab["b1"].popen("timeout", "8", "tcpdump", "-lnni", "eth0", "arp or icmp6")
    time.sleep(0.7)
    both = [lab["b1"].address4, lab["b1"].address6]
    with Penstock(lab, service("web", both, vips=("10.77.0.100", "fd77::100"))) as p:
        p.write("20.yaml", service("more", both, vips=("10.77.0.101", "fd77::101"), port=81))
        time.sleep(2)
    sniff.terminate()
    out, _ = sniff.communicate(timeout=10)
    for address in ("10.77.0.100", "10.77.0.101"):
        assert f"Request who-has {address} tell {address}," in out or f"Reply {address} is-at" in out, out
    for address in ("fd77::100", "fd77::101"):
        assert f"tgt is {address}" in out, out


def test_malformed_packets_are_counted_and_nothing_breaks(lab):
    lab.serve_all()
    with Penstock(lab, services(lab)) as p:
        mac = json.loads(lab["gw"].sh("ip", "-j", "link", "show", "gw0").stdout)[0]["address"]
        code = f"""
from scapy.all import *
e = Ether(dst="{mac}", src=get_if_hwaddr("eth0"))
ip = dict(src="10.77.0.11", dst="{VIP4}")
bad = [e/IP(**ip, chksum=1)/TCP(dport=80), e/IP(**ip, ihl=4)/TCP(dport=80), e/IP(**ip, len=4000)/TCP(dport=80),
       e/IP(**ip)/Raw(b""), Ether(bytes(e/IP(**ip)/TCP(dport=80, dataofs=3))), e/IP(**ip, proto=6)/Raw(b"abc"),
       e/IP(src="127.0.0.1", dst="{VIP4}")/TCP(dport=80), e/IP(src="224.0.0.1", dst="{VIP4}")/TCP(dport=80),
       e/IPv6(src="fd77::11", dst="{VIP6}", plen=4000)/TCP(dport=80), Ether(dst="{mac}", type=0x1234)/Raw(b"x" * 60),
       e/IPv6(src="fd77::11", dst="{VIP6}")/IPv6ExtHdrRouting()/TCP(dport=80),
       e/IP(**ip, frag=1)/Raw(b"x" * 8), e/Dot1Q(vlan=7)/IP(**ip)/TCP(dport=80)]
sendp(bad * 20, iface="eth0", verbose=0)
print(len(bad) * 20)
"""
        lab["b1"].sh(PYTHON, "-c", code, timeout=60)
        drops = wait_for("drop counters", lambda: {d["name"]: d["packets"] for d in p.items("drops") if d["packets"]})
        time.sleep(0.5)
        drops = {d["name"]: d["packets"] for d in p.items("drops") if d["packets"]}
        for name in ("IP_CHECKSUM", "IP_MALFORMED", "L4_MALFORMED", "IP_MARTIAN", "ETHERTYPE_UNKNOWN", "VLAN_UNKNOWN"):
            assert drops.get(name, 0) >= 20, (name, drops)
        assert not client(lab["c1"], "who", VIP4, 80, "--count", 20)["errors"]

# SPDX-License-Identifier: Apache-2.0
"""Balancing in its corners: addresses told to backends, MSS, policies of traffic, VLANs, jumbo frames,
extension headers, floods and full tables, source ports, affinity, and the ends of flows."""

import json
import re
import time

import pytest

from lab import PYTHON, VIP4, VIP6, Penstock, client, dataplane_document, finish, service, start_client, wait_for

NO_PROBES = "  health: {check: none}\n"


def addresses(lab, names=None):
    names = names or lab.backends
    return [lab[b].address4 for b in names] + [lab[b].address6 for b in names]


def drops(p):
    return {d["name"]: d["packets"] for d in p.items("drops") if d["packets"]}


def gw_mac(lab):
    return json.loads(lab["gw"].sh("ip", "-j", "link", "show", "gw0").stdout)[0]["address"]


def scapy(host, code, timeout=30):
    """Runs code after `from scapy.all import *`; the last line it prints is JSON."""
    prelude = "import json, time\nfrom scapy.all import *\nconf.verb = 0\nme = get_if_hwaddr('eth0')\n"
    r = host.sh(PYTHON, "-c", prelude + code, timeout=timeout)
    return json.loads(r.stdout.splitlines()[-1])


def sniff_syns(lab, host, port):
    """Starts tcpdump for TCP SYNs to a port; returns the process, listening."""
    p = lab[host].popen("tcpdump", "-lnni", "eth0", "-x", f"(ip and tcp[13] & 18 == 2 and port {port}) or "
                        f"(ip6 and ip6[40 + 13] & 18 == 2 and port {port})")
    while "listening on" not in p.stdout.readline():
        pass
    return p


def test_client_address_option(lab):
    """TOA: the SYN that a backend sees carries the client's address and port; without the annotation nothing."""
    lab.serve("b1")
    note = {"penstock.dev/toa": "true"}
    one = addresses(lab, ["b1"])
    with Penstock(lab, service("web", one, vips=(VIP4, VIP6), annotations=note)
                  + "---" + service("plain", one, vips=(VIP4, VIP6), port=81)):
        sniff = sniff_syns(lab, "b1", 8080)
        for vip in (VIP4, VIP6):
            assert not client(lab["c1"], "bulk", vip, 80, "--bytes", 2_000_000)["errors"]
            assert not client(lab["c1"], "who", vip, 81)["errors"]
        time.sleep(0.3)
        sniff.terminate()
        out = sniff.communicate(timeout=5)[0]
    syns = ["".join(re.findall(r"0x[0-9a-f]{4}: +([0-9a-f ]+)", s)).replace(" ", "") for s in out.split(" Flags [S]")[1:]]
    assert len(syns) == 4, out
    # kind 254, length, port, address
    assert [len(re.findall("fe08....0a4e0102|fe14....fd780001000000000000000000000002", s)) for s in syns] == [1, 0, 1, 0], out


def test_mss_clamp(lab):
    lab.serve_all()
    note = {"penstock.dev/mss": "1100"}
    code = """
import socket, sys
s = socket.create_connection((sys.argv[1], 80), 3)
print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))
"""
    with Penstock(lab, service("web", addresses(lab), vips=(VIP4, VIP6), annotations=note)):
        for vip in (VIP4, VIP6):
            # timestamps take 12 bytes of each segment
            assert int(lab["c1"].sh(PYTHON, "-c", code, vip).stdout) in (1088, 1100)
            assert not client(lab["c1"], "bulk", vip, 80, "--bytes", 3_000_000)["errors"]


def test_traffic_policy_local(lab):
    """Where the node is named, Local means its endpoints, and nobody elsewhere takes their place."""
    lab.serve_all()
    nodes = dict(zip(lab.backends, ("near", "far", "far")))
    ends = [{"address": a, "nodeName": nodes[b]} for b in lab.backends for a in (lab[b].address4, lab[b].address6)]
    far = [e for e in ends if e["nodeName"] == "far"]
    cluster = "  clusterIP: 10.99.0.200\n"
    docs = [service("ext", ends, vips=(VIP4, VIP6), spec="  externalTrafficPolicy: Local\n" + cluster),
            service("int", ends, vips=("10.99.0.11",), port=81,
                    spec="  internalTrafficPolicy: Local\n  clusterIP: 10.99.0.201\n"),
            service("none", far, vips=("10.99.0.12",), spec="  externalTrafficPolicy: Local")]
    with Penstock(lab, "---".join(docs), dataplane=dataplane_document(lab, extra="  nodeName: near\n")) as p:
        def who(address, port=80):
            r = client(lab["c1"], "who", address, port, "--count", 40, "--timeout", 2)
            assert not r["errors"], r
            return set(r["backends"])

        assert who(VIP4) == who(VIP6) == {"b1"}
        assert who("10.99.0.200") == set(lab.backends)  # the policy of the cluster address is another
        assert who("10.99.0.11", 81) == set(lab.backends)
        assert who("10.99.0.201", 81) == {"b1"}
        # As with kube-proxy: endpoints elsewhere only, so silence and not a reset, because another node does serve it.
        assert client(lab["c1"], "who", "10.99.0.12", 80, "--timeout", 1)["errors"] == {"TimeoutError": 1}
        assert drops(p).get("NO_ENDPOINT", 0) >= 1


def test_not_ready_addresses(lab):
    lab.serve_all()
    ends = [{"address": lab[b].address4, "ready": b == "b1"} for b in lab.backends]
    with Penstock(lab, service("web", ends) + "---" + service(
            "all", ends, port=81, spec="  publishNotReadyAddresses: true")):
        assert set(client(lab["c1"], "who", VIP4, 80, "--count", 40)["backends"]) == {"b1"}
        assert set(client(lab["c1"], "who", VIP4, 81, "--count", 40)["backends"]) == set(lab.backends)


def test_node_port_external_ip_and_cluster_ip(lab):
    lab.serve_all()
    spec = "  clusterIP: 10.99.0.50\n  externalIPs: [10.99.0.51]\n"
    doc = service("web", addresses(lab), vips=(), service_type="NodePort", spec=spec).replace(
        "targetPort: 8080,", "targetPort: 8080, nodePort: 30080,")
    with Penstock(lab, doc):
        for address, port in (("10.99.0.50", 80), ("10.99.0.51", 80), ("10.77.0.2", 30080)):
            r = client(lab["c1"], "who", address, port, "--count", 30)
            assert not r["errors"] and set(r["backends"]) == set(lab.backends), (address, r)


def test_vlan_interface(lab):
    """A tagged interface: ARP, ND, ping, and a balanced connection whose replies carry the tag."""
    lab.serve_all()
    vlans = '    vlans: [{id: 7, addresses: [10.66.0.2/24, "fd66::2/64"]}]\n'
    with Penstock(lab, service("web", addresses(lab), vips=(VIP4, VIP6)),
                  dataplane=dataplane_document(lab, gw_extra=vlans)) as p:
        r = scapy(lab["b1"], f"""
gw = "{gw_mac(lab)}"
def ask(packet, want, tries=5):
    s = AsyncSniffer(iface="eth0", lfilter=lambda x: x.haslayer(Dot1Q) and x[Dot1Q].vlan == 7 and want(x), count=1)
    s.start(); time.sleep(0.3)
    for _ in range(tries):
        sendp(packet, iface="eth0")
        s.join(0.4)
        if not s.running: break
    if s.running: s.stop()
    return s.results[0] if s.results else None
def tag(dst): return Ether(dst=dst, src=me) / Dot1Q(vlan=7)
out = {{}}
a = ask(tag("ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=me, psrc="10.66.0.50", pdst="10.66.0.2"),
        lambda x: x.haslayer(ARP) and x[ARP].op == 2 and x[ARP].psrc == "10.66.0.2")
out["arp"] = a is not None and a[ARP].hwsrc == gw
out["ping"] = ask(tag(gw) / IP(src="10.66.0.50", dst="10.66.0.2") / ICMP(id=9), lambda x: x.haslayer(ICMP) and x[ICMP].type == 0) is not None
na = ask(tag("33:33:ff:00:00:02") / IPv6(src="fd66::50", dst="ff02::1:ff00:2", hlim=255) / ICMPv6ND_NS(tgt="fd66::2") / ICMPv6NDOptSrcLLAddr(lladdr=me),
         lambda x: x.haslayer(ICMPv6ND_NA) and x[ICMPv6ND_NA].tgt == "fd66::2")
out["na"] = na is not None
sa = ask(tag(gw) / IP(src="10.66.0.50", dst="{VIP4}") / TCP(sport=4001, dport=80, flags="S", seq=7), lambda x: x.haslayer(TCP) and x[TCP].dport == 4001)
out["syn4"] = str(sa[TCP].flags) if sa else None
sa = ask(tag(gw) / IPv6(src="fd66::50", dst="{VIP6}") / TCP(sport=4002, dport=80, flags="S", seq=7), lambda x: x.haslayer(TCP) and x[TCP].dport == 4002)
out["syn6"] = str(sa[TCP].flags) if sa else None
print(json.dumps(out))
""")
        assert r == {"arp": True, "ping": True, "na": True, "syn4": "SA", "syn6": "SA"}, (r, drops(p))


@pytest.mark.lab(mtu=9000)
def test_jumbo_frames(lab):
    """MTU 9000 end to end: full segments and datagrams pass unfragmented."""
    from test_net import udp_echo

    lab.serve_all()
    with Penstock(lab, service("web", addresses(lab), vips=(VIP4, VIP6)) + "---" + service(
            "dns", addresses(lab), vips=(VIP4, VIP6), port=53, protocol="UDP")) as p:
        sniff = lab["c1"].popen("tcpdump", "-lnni", "eth0", "-c", "1", "greater 8900 and tcp")
        for vip in (VIP4, VIP6):
            assert not client(lab["c1"], "fetch", vip, 80, "--bytes", 20_000_000)["errors"], drops(p)
            assert not client(lab["c1"], "bulk", vip, 80, "--bytes", 20_000_000)["errors"], drops(p)
            for size in (8900, 20000):
                assert udp_echo(lab, size, vip).stdout.startswith("True"), (vip, size, drops(p))
        assert sniff.wait(5) == 0


def test_extension_headers(lab):
    """IPv6 options between header and TCP or UDP: such packets are balanced; those that cannot be are counted."""
    lab.serve_all()
    with Penstock(lab, service("web", addresses(lab), vips=(VIP4, VIP6)) + "---" + service(
            "dns", addresses(lab), vips=(VIP6,), port=53, protocol="UDP")) as p:
        r = scapy(lab["c1"], f"""
base = Ether(dst=getmacbyip("10.78.1.1"), src=me) / IPv6(src="fd78:1::2", dst="{VIP6}")
kinds = {{
  "hop-by-hop": IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]),
  "destination": IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))]),
  "both": IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]) / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))]),
  "atomic": IPv6ExtHdrFragment(id=77),
}}
s = AsyncSniffer(iface="eth0", lfilter=lambda x: x.haslayer(IPv6) and x[IPv6].src == "{VIP6}"); s.start(); time.sleep(0.4)
port = {{}}
for i, (name, h) in enumerate(kinds.items()):
    port[5000 + i] = name
    for _ in range(2):
        sendp(base / h / TCP(sport=5000 + i, dport=80, flags="S", seq=1), iface="eth0")
        sendp(base / h / UDP(sport=5000 + i, dport=53) / Raw(b"hello"), iface="eth0")
        time.sleep(0.2)
s.stop()
got = {{}}
for x in s.results:
    l4 = x.getlayer(TCP) or x.getlayer(UDP)
    if l4 is not None and l4.dport in port: got.setdefault(port[l4.dport], set()).add(type(l4).__name__)
print(json.dumps({{k: sorted(v) for k, v in got.items()}}))
""")
        assert r == {k: ["TCP", "UDP"] for k in ("hop-by-hop", "destination", "both", "atomic")}, (r, drops(p))


def test_syn_flood_leaves_established_flows_alone(lab):
    """Four times the table in half-open flows: those established go on, and new ones get through."""
    lab.serve_all()
    tables = dataplane_document(lab, extra=NO_PROBES).replace("flowsIPv4: 65536", "flowsIPv4: 1024")
    with Penstock(lab, service("web", addresses(lab), vips=(VIP4,)), dataplane=tables) as p:
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 200, "--seconds", 5, "--timeout", 4)
        flood = lab["c2"].popen(PYTHON, "-c", f"""
from scapy.all import *
conf.verb = 0
e = Ether(dst=getmacbyip("10.78.2.1"), src=get_if_hwaddr("eth0"))
raw = [bytes(e / IP(src=f"10.78.2.{{3 + i % 200}}", dst="{VIP4}") / TCP(sport=1024 + i, dport=80, flags="S", seq=i)) for i in range(4096)]
s = conf.L2socket(iface="eth0")
print("ready", flush=True)
for r in raw: s.outs.send(r)
print("sent")
""")
        while "ready" not in flood.stdout.readline():
            pass
        r = client(lab["c1"], "who", VIP4, 80, "--count", 50, "--timeout", 4)
        assert not r["errors"], (r, drops(p))
        flood.wait(20)
        r = finish(run)
        assert not r["errors"], (r, drops(p))
        w = p.items("workers")[0]["flow_v4"]
        assert w["evicted"] > 500, w


@pytest.mark.parametrize("mode", ["FullNAT", "DNAT"])
def test_table_full_refuses_new_flows_only(lab, mode):
    from test_forwarding import prepare_backends

    prepare_backends(lab, mode)
    tables = dataplane_document(lab, extra=NO_PROBES).replace("flowsIPv4: 65536", "flowsIPv4: 1024")
    with Penstock(lab, service("web", addresses(lab), vips=(VIP4,), mode=mode), dataplane=tables) as p:
        lab["c1"].sh("sysctl", "-qw", "net.ipv4.ip_local_port_range=20000 60000")
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 900, "--seconds", 6, "--interval", 1, "--timeout", 5)
        more = start_client(lab["c2"], "hold", VIP4, 80, "--count", 200, "--seconds", 4, "--interval", 1, "--timeout", 2)
        more = finish(more)
        r = finish(run)
        assert not r["errors"], (r, drops(p))
        assert 60 <= sum(more["errors"].values()) <= 110, more  # 1024 - 900 found room
        # Each of them was refused, or gave up its half-open record for another new flow.
        w = p.items("workers")[0]["flow_v4"]
        assert drops(p).get("FLOW_TABLE_FULL", 0) > 0 and w["refused"] > 0, (drops(p), w)
        assert w["refused"] + w["evicted"] >= 60, w
        # When the others have gone there is room again.
        wait_for("room", lambda: not client(lab["c2"], "who", VIP4, 80, "--count", 20, "--timeout", 1)["errors"], 10)


def test_source_ports_run_out_and_come_back(lab):
    """A pool of ten ports: ten flows per backend tuple, the next is refused and counted, the others go on."""
    lab.serve_all()
    pool = "  snatPools: [{name: small, addresses: [10.77.0.70], ports: 2000-2009}]\n  timeouts: {tcpTimeWait: 500ms}\n"
    one = [lab["b1"].address4]
    note = {"penstock.dev/snat-pool": "small"}
    with Penstock(lab, service("web", one, annotations=note) + "---" + service("two", [lab["b2"].address4], port=81, annotations=note),
                  dataplane=dataplane_document(lab, extra=NO_PROBES + pool)) as p:
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 10, "--seconds", 4)
        r = client(lab["c2"], "who", VIP4, 80, "--count", 5, "--timeout", 1)
        assert r["errors"] == {"TimeoutError": 5}, r
        assert drops(p).get("SNAT_EXHAUSTED", 0) >= 5
        # Ports are per backend tuple: another backend has the same ten.
        r = client(lab["c2"], "who", VIP4, 81, "--count", 10, "--parallel", 10)
        assert not r["errors"] and {a for a, _ in r["peers"]} == {"10.77.0.70"}, r
        assert {port for _, port in r["peers"]} == set(range(2000, 2010)), r
        assert not finish(run)["errors"]
        wait_for("ports to come back", lambda: not client(lab["c2"], "who", VIP4, 80, "--count", 5, "--timeout", 0.5)["errors"])
        assert "SNAT_EXHAUSTED" in p.cli("get", "drops").stdout


def test_several_source_addresses(lab):
    """All addresses of a pool are used, in both families, and answered for on the segment."""
    lab.serve_all()
    pool = '  snatPools: [{name: wide, addresses: [10.77.0.70-10.77.0.73, "fd77::70-fd77::73"]}]\n'
    with Penstock(lab, service("web", addresses(lab), vips=(VIP4, VIP6), annotations={"penstock.dev/snat-pool": "wide"}),
                  dataplane=dataplane_document(lab, extra=pool)):
        for vip, prefix in ((VIP4, "10.77.0."), (VIP6, "fd77::")):
            r = client(lab["c1"], "who", vip, 80, "--count", 64)
            assert not r["errors"], r
            assert {a for a, _ in r["peers"]} == {f"{prefix}{n}" for n in (70, 71, 72, 73)}, r["peers"]


def test_udp_affinity(lab):
    lab.serve_all()
    spec = "  sessionAffinity: ClientIP\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: 2}}"
    with Penstock(lab, service("dns", addresses(lab), vips=(VIP4, VIP6), port=53, protocol="UDP", spec=spec)) as p:
        for vip in (VIP4, VIP6):
            r = client(lab["c1"], "who", vip, 53, "--udp", "--count", 30)
            assert not r["errors"] and len(r["backends"]) == 1, r
        chosen = next(iter(client(lab["c1"], "who", VIP4, 53, "--udp")["backends"]))
        # Another set of backends may have another favourite; the client stays until it has been away for two seconds.
        p.write("20.yaml", service("more", addresses(lab), port=54, protocol="UDP"))
        assert set(client(lab["c1"], "who", VIP4, 53, "--udp", "--count", 10)["backends"]) == {chosen}


def test_endpoint_that_is_gone_resets_its_flows(lab):
    """Without time to drain, both ends of a flow learn at once that it is over; the others' flows go on."""
    lab.serve_all()
    note = {"penstock.dev/drain-timeout": "0s"}
    with Penstock(lab, service("web", addresses(lab), vips=(VIP4, VIP6), annotations=note)) as p:
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 60, "--seconds", 4, "--timeout", 3)
        p.write("10.yaml", service("web", addresses(lab, ["b2", "b3"]), vips=(VIP4, VIP6), annotations=note))
        r = finish(run)
        assert set(r["errors"]) <= {"ConnectionResetError"}, r
        assert r["errors"]["ConnectionResetError"] == r["backends"]["b1"] > 5, r
        wait_for("b1 to have no connection left", lambda: not lab["b1"].sh(
            "ss", "-Htn", "state", "established", "sport", "=", ":8080").stdout.strip(), 3)


def test_service_that_is_removed(lab):
    """New connections are refused by nobody answering; those open go on until the drain deadline."""
    lab.serve_all()
    note = {"penstock.dev/drain-timeout": "30s"}
    with Penstock(lab, service("web", addresses(lab), annotations=note), service("other", addresses(lab), port=81)) as p:
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 40, "--seconds", 3)
        p.remove("10.yaml")
        wait_for("the service to be gone", lambda: client(
            lab["c2"], "who", VIP4, 80, "--timeout", 0.5)["errors"])
        assert not client(lab["c2"], "who", VIP4, 81, "--count", 10)["errors"]
        r = finish(run)
        assert not r["errors"], r


def test_timeouts_are_those_configured(lab):
    """Closed and half-closed flows leave the table when the Dataplane document says, give or take a turn of the wheel (8 s)."""
    lab.serve_all()
    ages = NO_PROBES + "  timeouts: {tcpSyn: 500ms, tcpFin: 1s, tcpTimeWait: 500ms, udp: 1s}\n"
    both = service("web", addresses(lab)) + "---" + service("dns", addresses(lab), port=53, protocol="UDP")
    with Penstock(lab, both, dataplane=dataplane_document(lab, extra=ages)) as p:
        def active():
            return sum(w["flow_v4"]["active"] for w in p.items("workers"))

        assert not client(lab["c1"], "who", VIP4, 80, "--count", 30)["errors"]
        assert not client(lab["c1"], "who", VIP4, 53, "--count", 30, "--udp")["errors"]
        half = lab["c1"].popen(PYTHON, "-c", f"""
import socket, time
s = socket.create_connection(("{VIP4}", 80)); s.sendall(b"hello\\n"); s.recv(100)
t = socket.create_connection(("{VIP4}", 80)); t.sendall(b"hello\\n"); t.recv(100)
print("open", flush=True); time.sleep(20)
""")
        assert half.stdout.readline() == "open\n"
        wait_for("only the two open flows to be left", lambda: active() == 2, 10.5)
        half.kill()


def test_punt_to_the_kernel(lab):
    """Packets to the port's own address that no listener wants reach the host's services through a TAP."""
    lab.serve_all()
    # AF_PACKET leaves the kernel its copy; a filter on the interface, behind AF_PACKET's tap, takes it away.
    lab["gw"].sh("nft", "add table netdev penstock; add chain netdev penstock in "
                 "{ type filter hook ingress device gw0 priority 0; policy drop; }")
    doc = dataplane_document(lab, gw_extra="    punt: true\n")
    with Penstock(lab, service("web", addresses(lab), vips=(VIP4, VIP6)), dataplane=doc) as p:
        gw = lab["gw"]
        gw.sh("sysctl", "-qw", "net.ipv6.conf.outer.disable_ipv6=0")
        gw.addresses("outer", "10.77.0.2/24", "fd77::2/64")
        gw.ip("link", "set", "outer", "up")
        gw.ip("route", "add", "default", "via", "10.77.0.1", "dev", "outer")
        gw.ip("-6", "route", "add", "default", "via", "fd77::1", "dev", "outer")
        lab.serve("gw", "--port", "179")
        for own in ("10.77.0.2", "fd77::2"):
            r = client(lab["c1"], "who", own, 179, "--count", 5)
            assert not r["errors"] and r["backends"] == {"gw": 5}, (own, r, drops(p))
            assert not client(lab["c1"], "fetch", own, 179, "--bytes", 300_000)["errors"]
            assert not client(lab["b1"], "who", own, 179, "--udp")["errors"]
        # The host reaches out as well, as a BGP speaker does.
        assert client(gw, "who", lab["b1"].address4, 8080)["backends"] == {"b1": 1}
        assert client(gw, "who", lab["b1"].address6, 8080)["backends"] == {"b1": 1}
        exits = {d["name"]: d["packets"] for d in p.items("drops")}
        assert exits["PUNT"] > 20, exits
        # And listeners on the same port are served as ever.
        assert not client(lab["c1"], "who", VIP4, 80, "--count", 20)["errors"]
        # A restart of the dataplane leaves the interface and its addresses to the host.
        p.kill("penstock-dataplane")
        wait_for("the host to be reachable again", lambda: not client(
            lab["c1"], "who", "10.77.0.2", 179, "--timeout", 0.5)["errors"], 5)

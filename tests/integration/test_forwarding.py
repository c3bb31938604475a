# SPDX-License-Identifier: Apache-2.0
"""Every forwarding mode, both families, TCP and UDP, with real clients and servers."""

import pytest

from lab import PYTHON, VIP4, VIP6, HERE, Penstock, client, dataplane_document, finish, sh, service, start_client

MODES = ["FullNAT", "DNAT", "DSR-IPIP", "DSR-GUE", "DSR-L2"]


def prepare_backends(lab, mode):
    """What the backends of a mode need; the how-to on DSR and DNAT says the same."""
    for name in lab.backends:
        b = lab[name]
        if mode == "DNAT" and not lab.two_arm:
            b.ip("route", "replace", "10.78.0.0/16", "via", "10.77.0.2")
            b.ip("-6", "route", "replace", "fd78::/16", "via", "fd77::2")
        if mode.startswith("DSR"):
            b.addresses("lo", f"{VIP4}/32", f"{VIP6}/128")
        if mode in ("DSR-IPIP", "DSR-GUE"):
            b.sh("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
            p = b.python("decap.py")
            assert p.stdout.readline() == "ready\n"
        lab.serve(name, *(["--bind", VIP4, "--bind", VIP6] if mode.startswith("DSR") else []))


def both_families(lab):
    return [lab[b].address4 for b in lab.backends] + [lab[b].address6 for b in lab.backends]


def two_services(lab, mode, **kw):
    return (service("web", both_families(lab), vips=(VIP4, VIP6), port=8080 if mode.startswith("DSR") else 80, mode=mode, **kw)
            + "---" + service("dns", both_families(lab), vips=(VIP4, VIP6), port=8080 if mode.startswith("DSR") else 53,
                              protocol="UDP", mode=mode, **kw))


@pytest.mark.parametrize("mode", MODES)
def test_mode(lab, mode):
    prepare_backends(lab, mode)
    tcp, udp = (8080, 8080) if mode.startswith("DSR") else (80, 53)
    with Penstock(lab, two_services(lab, mode)) as p:
        for vip in (VIP4, VIP6):
            for c, own in (("c1", "1"), ("c2", "2")):
                r = client(lab[c], "who", vip, tcp, "--count", 40)
                assert not r["errors"], (vip, r, p.cli("get", "drops").stdout)
                assert set(r["backends"]) == set(lab.backends), r
                seen = {peer for peer, _ in r["peers"]}
                client_address = f"10.78.{own}.2" if vip == VIP4 else f"fd78:{own}::2"
                if mode == "FullNAT":
                    assert client_address not in seen
                else:
                    assert seen == {client_address}
                r = client(lab[c], "who", vip, udp, "--count", 20, "--udp")
                assert not r["errors"] and sum(r["backends"].values()) == 20, (vip, r)
            r = client(lab["c1"], "bulk", vip, tcp, "--bytes", 20_000_000, "--count", 2)
            assert not r["errors"], (vip, r)
            r = client(lab["c2"], "fetch", vip, tcp, "--bytes", 20_000_000, "--count", 2)
            assert not r["errors"], (vip, r)


@pytest.mark.lab(two_arm=True)
@pytest.mark.parametrize("mode", ["FullNAT", "DNAT"])
def test_two_arm(lab, mode):
    prepare_backends(lab, mode)
    with Penstock(lab, two_services(lab, mode)):
        for vip in (VIP4, VIP6):
            r = client(lab["c1"], "who", vip, 80, "--count", 40)
            assert not r["errors"] and set(r["backends"]) == set(lab.backends), r
            if mode == "DNAT":
                assert {peer for peer, _ in r["peers"]} == {"10.78.1.2" if vip == VIP4 else "fd78:1::2"}
            assert not client(lab["c1"], "fetch", vip, 80, "--bytes", 5_000_000)["errors"]


def test_curl_iperf3_and_ping(lab):
    lab.serve_all()
    iperf = lab["b1"].popen("iperf3", "-s", "-1", "-p", "5201")
    with Penstock(lab, service("web", both_families(lab), vips=(VIP4, VIP6)), service(
            "iperf", [lab["b1"].address4], port=5201, target=5201)):
        for url in (f"http://{VIP4}/", f"http://[{VIP6}]/"):
            assert lab["c1"].sh("curl", "-sS", "--max-time", "5", url).stdout.split()[0] in lab.backends
        r = lab["c2"].sh("iperf3", "-c", VIP4, "-p", "5201", "-t", "2", "-R", "-P", "2", timeout=30)
        assert "receiver" in r.stdout
        iperf.wait(5)
        for where in (VIP4, VIP6, "10.77.0.2", "fd77::2"):
            r = lab["c1"].sh("ping", "-c", "3", "-i", "0.1", "-W", "2", where)
            assert " 0% packet loss" in r.stdout


def test_one_armed_from_backend_segment(lab):
    """A client that sits among the backends: only FullNAT gets its replies back through the gateway."""
    lab.serve_all()
    with Penstock(lab, service("web", both_families(lab), vips=("10.77.0.100", "fd77::100"))):
        for vip in ("10.77.0.100", "fd77::100"):  # on link: found by ARP and neighbour discovery
            r = client(lab["b1"], "who", vip, 80, "--count", 30)
            assert not r["errors"] and set(r["backends"]) == set(lab.backends), r
        neighbours = lab["b1"].ip("neigh").stdout
        assert "10.77.0.100" in neighbours and "fd77::100" in neighbours


def test_weights_zero_and_shares(lab):
    lab.serve_all()
    a = [lab[b].address4 for b in lab.backends]
    with Penstock(lab, service("web", a, annotations={"penstock.dev/weights": f"{a[0]}=0,{a[1]}=1,{a[2]}=3"})):
        r = client(lab["c1"], "who", VIP4, 80, "--count", 600, "--parallel", 32)
        assert not r["errors"] and "b1" not in r["backends"]
        assert 0.18 < r["backends"]["b2"] / 600 < 0.32, r["backends"]


def test_gateway_tcproute_and_udproute_with_weights(lab):
    lab.serve_all()
    a = [lab[b].address4 for b in lab.backends]
    headless = "  clusterIP: None"
    docs = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: penstock}}
spec: {{controllerName: penstock.dev/gateway-controller}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  gatewayClassName: penstock
  addresses: [{{type: IPAddress, value: {VIP4}}}]
  listeners:
  - {{name: tcp, port: 7000, protocol: TCP}}
  - {{name: udp, port: 7001, protocol: UDP}}
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {{name: split}}
spec:
  parentRefs: [{{name: edge, sectionName: tcp}}]
  rules:
  - backendRefs:
    - {{name: old, port: 80, weight: 90}}
    - {{name: new, port: 80, weight: 10}}
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: UDPRoute
metadata: {{name: names}}
spec:
  parentRefs: [{{name: edge, port: 7001}}]
  rules: [{{backendRefs: [{{name: names, port: 53}}]}}]
---""" + "---".join([
        service("old", a[:2], service_type="ClusterIP", spec=headless, vips=()),
        service("new", a[2:], service_type="ClusterIP", spec=headless, vips=()),
        service("names", a, port=53, protocol="UDP", service_type="ClusterIP", spec=headless, vips=())])
    with Penstock(lab, docs) as p:
        r = client(lab["c1"], "who", VIP4, 7000, "--count", 800, "--parallel", 32)
        assert not r["errors"], r
        assert 0.06 < r["backends"]["b3"] / 800 < 0.15, r["backends"]
        assert not client(lab["c1"], "who", VIP4, 7001, "--count", 20, "--udp")["errors"]
        route = p.get("tcproutes/default/split")
        conditions = {c["type"]: c["status"] for c in route["status"]["parents"][0]["conditions"]}
        assert conditions["Accepted"] == "True" and conditions["ResolvedRefs"] == "True"
        # A live weight change moves the shares and resets nobody.
        holder = start_client(lab["c2"], "hold", VIP4, 7000, "--count", 30, "--seconds", 3)
        p.write("10.yaml", docs.replace("weight: 90", "weight: 0"))
        for _ in range(50):
            r = client(lab["c1"], "who", VIP4, 7000, "--count", 20)
            if set(r["backends"]) == {"b3"}:
                break
        assert set(r["backends"]) == {"b3"} and not r["errors"]
        assert not finish(holder)["errors"]


def test_no_endpoint_is_refused(lab):
    with Penstock(lab, service("web", [], vips=(VIP4, VIP6)) + "---" + service(
            "dns", [], vips=(VIP4, VIP6), port=53, protocol="UDP")):
        for vip in (VIP4, VIP6):
            assert client(lab["c1"], "who", vip, 80, "--timeout", 2)["errors"] == {"ConnectionRefusedError": 1}
            assert client(lab["c1"], "who", vip, 53, "--udp", "--timeout", 2)["errors"] == {"ConnectionRefusedError": 1}


def test_session_affinity(lab):
    lab.serve_all()
    spec = "  sessionAffinity: ClientIP\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}"
    a = [lab[b].address4 for b in lab.backends]
    with Penstock(lab, service("web", a, spec=spec)) as p:
        first = client(lab["c1"], "who", VIP4, 80, "--count", 50)
        assert len(first["backends"]) == 1 and not first["errors"]
        chosen = next(iter(first["backends"]))
        # A backend that comes or goes elsewhere does not move the client.
        others = [x for b, x in zip(lab.backends, a) if b != chosen]
        p.write("10.yaml", service("web", [lab[chosen].address4, others[0]], spec=spec))
        again = client(lab["c1"], "who", VIP4, 80, "--count", 50)
        assert set(again["backends"]) == {chosen} and not again["errors"]


def test_source_ranges(lab):
    lab.serve_all()
    a = [lab[b].address4 for b in lab.backends]
    with Penstock(lab, service("web", a, spec="  loadBalancerSourceRanges: [10.78.1.0/24]")) as p:
        assert not client(lab["c1"], "who", VIP4, 80, "--count", 5)["errors"]
        assert client(lab["c2"], "who", VIP4, 80, "--timeout", 1)["errors"] == {"TimeoutError": 1}
        drops = {d["name"]: d["packets"] for d in p.items("drops")}
        assert drops["SOURCE_DENIED"] >= 1

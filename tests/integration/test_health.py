# SPDX-License-Identifier: Apache-2.0
"""Probes are sent and judged in the dataplane, also while penstockd is down."""

import time

from lab import VIP4, VIP6, Penstock, client, finish, service, start_client, wait_for

NOTES = {"penstock.dev/health-check": "tcp", "penstock.dev/health-interval": "200ms", "penstock.dev/health-timeout": "150ms",
         "penstock.dev/health-rise": "2", "penstock.dev/health-fall": "2"}


def endpoints(p):
    return {e["address"]: e for e in p.items("endpoints")}


def test_tcp_probe_takes_out_and_brings_back(lab):
    servers = lab.serve_all()
    both = [lab[b].address4 for b in lab.backends] + [lab[b].address6 for b in lab.backends]
    with Penstock(lab, service("web", both, vips=(VIP4, VIP6), annotations=NOTES)) as p:
        wait_for("all to be up", lambda: all(e["state"] == "up" for e in p.items("endpoints")))
        servers[0].terminate()
        servers[0].wait()
        wait_for("b1 to be judged down", lambda: endpoints(p)[lab["b1"].address4]["state"] == "down", 5)
        e = endpoints(p)[lab["b1"].address4]
        assert e["reason"] == "refused" and e["since"]
        for vip in (VIP4, VIP6):
            wait_for("b1 out", lambda v=vip: "b1" not in client(lab["c1"], "who", v, 80, "--count", 30)["backends"])
            r = client(lab["c1"], "who", vip, 80, "--count", 40)
            assert not r["errors"], r
        lab.serve("b1")
        wait_for("b1 back", lambda: "b1" in client(lab["c1"], "who", VIP4, 80, "--count", 30)["backends"], 5)


def test_probes_go_on_without_penstockd(lab):
    servers = lab.serve_all()
    with Penstock(lab, service("web", [lab[b].address4 for b in lab.backends], annotations=NOTES)) as p:
        wait_for("all to be up", lambda: all(e["state"] == "up" for e in p.items("endpoints")))
        from lab import program
        import os, signal
        os.kill(p.pid("penstockd"), signal.SIGSTOP)  # alive enough not to be restarted, dead enough to do nothing
        stopped = p.pid("penstockd")
        servers[1].terminate()
        servers[1].wait()
        # A dead backend refuses at once: it is out when nobody is refused any more.
        wait_for("b2 out", lambda: not client(lab["c1"], "who", VIP4, 80, "--count", 30)["errors"], 5)
        r = client(lab["c1"], "who", VIP4, 80, "--count", 60)
        assert not r["errors"] and set(r["backends"]) == {"b1", "b3"}, r
        os.kill(stopped, signal.SIGCONT)
        wait_for("the verdict to be shown", lambda: endpoints(p)[lab["b2"].address4]["state"] == "down")
        # The verdict is in the shared table: it outlives both processes.
        p.kill("penstockd")
        p.kill("penstock-dataplane")
        wait_for("both to be back", p.is_ready, 10)
        assert endpoints(p)[lab["b2"].address4]["state"] == "down"


def test_silent_backend_times_out_and_icmp_probe(lab):
    lab.serve_all()
    notes = {**NOTES, "penstock.dev/health-check": "icmp"}
    with Penstock(lab, service("web", [lab[b].address4 for b in lab.backends], annotations=notes)) as p:
        wait_for("all to be up", lambda: all(e["state"] == "up" for e in p.items("endpoints")))
        lab["b3"].ip("link", "set", "eth0", "down")
        wait_for("b3 down", lambda: endpoints(p)[lab["b3"].address4]["state"] == "down", 8)
        assert endpoints(p)[lab["b3"].address4]["reason"] in ("timeout", "no-neighbour", "unreachable")
        r = client(lab["c1"], "who", VIP4, 80, "--count", 40)
        assert not r["errors"] and "b3" not in r["backends"], r


def test_udp_flow_moves_when_its_backend_dies(lab):
    servers = lab.serve_all()
    notes = {**NOTES, "penstock.dev/health-check": "udp"}
    with Penstock(lab, service("dns", [lab[b].address4 for b in lab.backends], port=53, protocol="UDP", annotations=notes)):
        first = client(lab["c1"], "who", VIP4, 53, "--udp", "--source-port", 5353)
        dead = next(iter(first["backends"]))
        server = servers[lab.backends.index(dead)]
        server.terminate()
        server.wait()
        r = wait_for("the same client port to reach another backend", lambda: next(iter(client(
            lab["c1"], "who", VIP4, 53, "--udp", "--source-port", 5353, "--timeout", 0.5)["backends"]), None), 8)
        assert r != dead

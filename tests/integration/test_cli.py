# SPDX-License-Identifier: Apache-2.0
"""The command line against an admin server made of fixtures: output, exit codes, requests. Needs no root and no dataplane."""

import contextlib
import fcntl
import http.server
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socketserver
import struct
import subprocess
import tempfile
import termios
import threading
import time
import urllib.parse

import pytest

from lab import program

MANIFESTS = pathlib.Path(__file__).resolve().parent.parent / "manifests"

SERVICES = [
    {"name": "default/web:80", "namespace": "default", "object": "Service default/web", "slot": 3, "proto": "tcp", "family": "ipv4",
     "mode": "fullnat", "listeners": [{"name": "service/default/web:80/ClusterIP", "address": "10.96.0.10", "port": 80}],
     "endpoints": 2, "up": 1, "draining": 0, "drained": False, "flows_active": 10, "flows_created": 1000, "packets_in": 12345678,
     "bytes_in": 1, "packets_out": 1, "bytes_out": 1, "refused": 0, "rejected": 0},
    {"name": "shop/names:53/udp", "namespace": "shop", "object": "Service shop/names", "slot": 4, "proto": "udp", "family": "ipv6",
     "mode": "dnat", "listeners": [{"name": "x", "address": "fd00::53", "port": 53}], "endpoints": 1, "up": 1, "draining": 0,
     "drained": False, "flows_active": 1, "flows_created": 1, "packets_in": 5, "bytes_in": 1, "packets_out": 5, "bytes_out": 1,
     "refused": 0, "rejected": 0},
]
ENDPOINTS = [
    {"service": "default/web:80", "name": "default/web-7f9c", "address": "10.0.0.7", "port": 8080, "proto": "tcp", "slot": 12,
     "generation": 1, "state": "up", "reason": "ok", "since": "2026-01-01T10:00:00.000Z", "last_probe": None, "rtt_us": 210,
     "successes": 12, "failures": 0, "probes": 12, "probe_failures": 0, "weight": 1, "scale": 100, "node": "", "zone": "",
     "draining_by": None, "drain_until": None, "flows_active": 4, "flows_created": 100, "packets_in": 1, "packets_out": 1},
    {"service": "default/web:80", "name": "default/web-8a1b", "address": "10.0.0.8", "port": 8080, "proto": "tcp", "slot": 13,
     "generation": 1, "state": "down", "reason": "timeout", "since": "2026-01-01T10:00:00.000Z", "last_probe": None, "rtt_us": 0,
     "successes": 0, "failures": 3, "probes": 12, "probe_failures": 3, "weight": 1, "scale": 100, "node": "", "zone": "",
     "draining_by": None, "drain_until": None, "flows_active": 0, "flows_created": 0, "packets_in": 0, "packets_out": 0},
]
FLOW = {"worker": 0, "proto": "tcp", "state": "established", "mode": "fullnat", "client": "10.1.2.3:4567", "vip": "198.51.100.10:443",
        "endpoint": "10.0.0.7:8443", "local": "10.77.0.2:1300", "service": "default/web:443", "idle_ms": 61000,
        "packets_to_endpoint": 12, "packets_to_client": 10}
GATEWAY = {"namespace": "infra", "name": "edge", "class": "penstock", "addresses": ["198.51.100.10"], "accepted": True,
           "programmed": False, "listeners": [{"name": "tcp", "port": 9000, "protocol": "TCP", "attached_routes": 1, "accepted": True,
                                               "programmed": True, "reason": "Programmed"}]}
GATEWAY_OBJECT = {
    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "edge", "namespace": "infra"}, "spec": {},
    "status": {"conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted", "message": "fine",
                               "lastTransitionTime": "2026-01-01T10:00:00Z"}],
               "listeners": [{"name": "tcp", "attachedRoutes": 1, "conditions": [
                   {"type": "ResolvedRefs", "status": "False", "reason": "InvalidRouteKinds", "message": "no such kind"}]}]}}
EXPLAIN = {"verdict": "forward", "text": "It goes there.", "steps": ["Listener found.", "Maglev says so."],
           "listener": {"name": "gateway/infra/edge/tcp", "address": "198.51.100.10", "port": 443}, "route": "tcproute/default/web/0",
           "service": "default/web:443", "mode": "fullnat",
           "endpoint": {"name": "default/web-7f9c", "address": "10.0.0.7", "port": 8443, "state": "up", "slot": 12}, "flow": None}
SYN = ("020000000002" "020000000001" "0800" "4500003c00004000" "40060000" "0a010203" "c633640a" "11d701bb" "00000001" "00000000"
       "5002ffff00000000")


class Admin(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """penstockd's admin socket, answering from tables."""

    daemon_threads = True

    def __init__(self, directory):
        self.asked = []
        self.looks = 0
        self.flows_left = 3
        super().__init__(str(directory / "admin.sock"), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(self, method, path, query):
        self.asked.append((method, path, query))
        if method == "POST":
            return self.answer_post(path, query)
        kind, *rest = path.removeprefix("/v1/").split("/")
        if rest:
            return GATEWAY_OBJECT if [kind, *rest] == ["gateways", "infra", "edge"] else None
        worker = {"worker": 0, "cpu": 1, "tid": 9, "state": "polling", "generation": 7, "cycles": 0, "busy_cycles": 0, "loops": 1,
                  "empty_loops": 0, "rx_packets": 0, "rx_bytes": 0, "tx_packets": 0, "tx_bytes": 0, "handoff_in": 0,
                  "handoff_out": 0, "snat_ports_in_use": 3, "snat_miss": 0,
                  "flow_v4": {"active": 10, "capacity": 65536, "created": 0, "expired": 0, "evicted": 0, "refused": 0, "stateless": 0,
                              "restored": 0}, "flow_v6": {"active": 1, "capacity": 16384}}
        if kind == "workers":
            self.looks += 1
            n = self.looks
            worker |= {"cycles": 2_000_000_000 * n, "busy_cycles": 500_000_000 * n, "rx_packets": 1_000_000 * n,
                       "tx_packets": 1_000_000 * n, "rx_bytes": 60_000_000 * n, "tx_bytes": 60_000_000 * n}
            return {"items": [worker], "tsc_hz": 2_000_000_000, "time_ns": n * 1_000_000_000, "epoch": 1}
        if kind == "endpoints":
            if "service" in query and query["service"] == "default/web":
                return {"items": [dict(e, flows_active=self.flows_left) for e in ENDPOINTS[:1]]}
            if "/" in query.get("endpoint", ""):
                return {"items": []}
            return {"items": [dict(ENDPOINTS[0], flows_active=self.flows_left), ENDPOINTS[1]]}
        if kind == "stats":
            self.looks += 1
            return {"time_ns": self.looks * 1_000_000_000, "since": "2026-01-01T10:00:00.000Z", "epoch": 1, "tsc_hz": 1,
                    "rx_packets": 5000 * self.looks, "rx_bytes": 300000 * self.looks, "tx_packets": 4000 * self.looks, "tx_bytes": 1,
                    "drops": 7, "answers": 1, "handoffs": 0, "cycles": 100 * self.looks, "busy_cycles": 25 * self.looks,
                    "flows_active": 3, "flows_created": 9, "flows_expired": 6, "flows_refused": 0, "exits": {"TX": 10}}
        return {
            "status": {"version": "9.9.9", "abi": 1, "pid": 812, "ready": True, "generation": 17, "generation_applied": 17,
                       "services": 2, "manifests": {"errors": 0, "warnings": 1}, "dataplane": {"attached": True, "pid": 820,
                       "generation": 17, "workers": 1}},
            "services": {"items": SERVICES}, "flows": {"items": [FLOW], "truncated": True},
            "gateways": {"items": [GATEWAY]}, "routes": {"items": []}, "tcproutes": {"items": []}, "udproutes": {"items": []},
            "gatewayclasses": {"items": [{"name": "penstock", "controller": "penstock.dev/gateway-controller", "accepted": True}]},
            "ports": {"items": [{"name": "wan", "driver": "net_tap", "device": "penstock0", "kind": "tap", "mac": "02:00:00:00:00:01",
                                 "link_up": True, "mtu": 1500, "speed_mbps": 10000, "rx_queues": 1, "can": ["chains"],
                                 "rx_packets": 5}]},
            "drops": {"items": [{"name": "NO_LISTENER", "kind": "drop", "description": "nobody listens", "packets": 7, "workers": [7]}]},
            "graph": {"items": [{"name": "classify", "edges": ["flow_ip4", "drop"], "calls": 10, "packets": 100, "cycles": 2000,
                                 "cycles_per_packet": 20.0}]},
            "neighbours": {"items": [{"address": "10.0.0.1", "mac": "02:00:00:00:00:09", "interface": "wan", "state": "reachable",
                                      "age_s": 192}]},
            "objects": {"items": [{"kind": "HTTPRoute", "api_version": "v1", "namespace": "shop", "name": "api", "file": "a.yaml",
                                   "line": 3, "generation": 1, "served": False}]},
            "explain": EXPLAIN if query.get("to", "").endswith(":443") else
            {"verdict": "drop", "exit": "NO_LISTENER", "text": "No listener there.", "steps": ["No listener there."]},
            "config": {"generation": 17, "listeners": [], "services": []},
        }.get(kind)

    def answer_post(self, path, query):
        if path in ("/v1/drain", "/v1/undrain"):
            if query.get("endpoint") == "10.9.9.9:1":
                return None
            return {"endpoints": [{"service": "default/web:80", "address": "10.0.0.7", "port": 8080, "state": "draining",
                                   "flows_active": self.flows_left}]}
        if path == "/v1/reload":
            return {"errors": 1 if "broken" in self.asked_before() else 0, "warnings": 2, "generation": 18}
        if path == "/v1/reset-stats":
            return {}
        if path == "/v1/trace":
            steps = [{"packet": 0, "step": s, "worker": 0, "stage": stage, "cycles": s * 100, "length": 60, "final": stage == "TX",
                      "head": SYN} for s, stage in enumerate(("classify", "flow_ip4", "TX"))]
            return [json.dumps(s) for s in steps]
        return None

    def asked_before(self):
        return [q for _, _, q in self.asked for q in q]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *args):
        pass

    def respond(self, method):
        url = urllib.parse.urlsplit(self.path)
        answer = self.server.answer(method, url.path, dict(urllib.parse.parse_qsl(url.query)))
        status = 200
        if answer is None:
            status, answer = 404, {"error": "there is no such thing here"}
        if isinstance(answer, list):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in answer:
                data = (line + "\n").encode()
                half = len(data) // 2
                for part in (data[:half], data[half:]):  # a line may come in pieces
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                    self.wfile.flush()
                    time.sleep(0.01)
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(b"0\r\n\r\n")
            return
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.respond("GET")

    def do_POST(self):
        self.respond("POST")


class Cli:
    def __init__(self, directory):
        self.directory = directory
        self.admin = Admin(directory)

    def __call__(self, *args, code=0, env=None):
        r = subprocess.run([program("penstock"), *args], text=True, capture_output=True, timeout=20,
                           env={**os.environ, "PENSTOCK_RUNTIME_DIR": str(self.directory), "TZ": "UTC", **(env or {})})
        assert r.returncode == code, (args, r.returncode, r.stdout, r.stderr)
        return r.stdout if code == 0 else r.stdout + r.stderr

    def json(self, *args, code=0):
        return json.loads(self(*args, "--json", code=code))


@pytest.fixture
def cli():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="penstock-cli-"))
    made = Cli(directory)
    yield made
    made.admin.shutdown()
    shutil.rmtree(directory)


KINDS = ["gateways", "routes", "tcproutes", "udproutes", "services", "endpoints", "flows", "ports", "workers", "drops", "graph",
         "neighbours", "gatewayclasses", "objects", "status"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_every_format(cli, kind):
    assert cli("get", kind).splitlines()[0].isupper() or kind == "graph"
    assert len(cli("get", kind, "-o", "wide").splitlines()[0]) >= len(cli("get", kind).splitlines()[0])
    assert isinstance(cli.json("get", kind), dict)
    assert json.loads(cli("get", kind, "-o", "json"))
    cli("get", kind, "-o", "yaml")
    cli("get", kind, "-o", "name")


def test_table_cells(cli):
    line = cli("get", "services").splitlines()[1].split()
    assert line[:5] == ["default/web:80", "tcp", "fullnat", "10.96.0.10:80", "1"] and "12.3M" in line
    assert "[fd00::53]:53" in cli("get", "svc", "-n", "shop") and "default/web" not in cli("get", "svc", "-n", "shop")
    down = cli("get", "endpoints").splitlines()[2].split()
    assert down[1:4] == ["10.0.0.8:8080", "down", "timeout"]
    assert "1m01s" in cli("get", "flows") and "there are more" in subprocess.run(
        [program("penstock"), "get", "flows", "--runtime-dir", str(cli.directory)], capture_output=True, text=True).stderr
    assert "3m12s" in cli("get", "neighbors")
    assert "25.0%" in cli("get", "workers") and "500.0" in cli("get", "workers")
    assert "10.0 Gb/s" in cli("get", "ports")
    assert "\033[31m" in cli("get", "endpoints", "--color", "always") and "\033" not in cli("get", "endpoints")


def test_filters_reach_the_server(cli):
    cli("get", "flows", "--client", "10.1.2.3", "--service", "default/web", "--state", "established", "--limit", "5")
    assert cli.admin.asked[-1] == ("GET", "/v1/flows", {"client": "10.1.2.3", "service": "default/web", "state": "established",
                                                        "limit": "5"})
    cli("get", "endpoints", "--service", "shop/names:53/udp")
    assert cli.admin.asked[-1][2] == {"service": "shop/names:53/udp"}


def test_kubernetes_objects_with_status(cli):
    one = json.loads(cli("get", "gateway", "edge", "-n", "infra", "-o", "json"))
    assert one["status"]["conditions"][0]["type"] == "Accepted"
    assert "reason: InvalidRouteKinds" in cli("get", "gateway", "infra/edge", "-o", "yaml")
    every = json.loads(cli("get", "gateways", "-o", "json"))
    assert every["kind"] == "List" and every["items"][0]["kind"] == "Gateway"


def test_names_and_exit_codes(cli):
    assert "default/web:80" in cli("get", "service", "web") and "names" not in cli("get", "service", "web")
    assert "there is no" in cli("get", "service", "nothing", code=4)
    assert "no such thing" in cli("get", "gateway", "other", "-o", "yaml", code=4)
    assert "is no kind" in cli("get", "nonsense", code=2)
    assert "did you mean get" in cli("gte", code=2)
    assert "dot is for graph" in cli("get", "flows", "-o", "dot", code=2)
    cli("get", code=2)
    cli("get", "services", "--bogus", code=2)
    assert "not running" in cli("get", "services", "--runtime-dir", "/nonexistent", code=3)
    assert cli("--runtime-dir", str(cli.directory), "get", "services").startswith("NAME")


def test_graph_as_dot(cli):
    dot = cli("get", "graph", "-o", "dot")
    assert dot.startswith("digraph") and '"classify" -> "flow_ip4";' in dot


def test_describe(cli):
    text = cli("describe", "service", "web")
    for part in ("10.96.0.10:80", "Endpoints", "10.0.0.7:8080", "Flows"):
        assert part in text
    text = cli("describe", "gateway", "infra/edge")
    assert "Listener tcp, 1 routes" in text and "InvalidRouteKinds" in text
    assert "established" in cli("describe", "endpoint", "10.0.0.7:8080")
    cli("describe", "service", "nothing", code=4)


def test_explain(cli):
    text = cli("explain", "--from", "10.1.2.3:4567", "--to", "198.51.100.10:443/tcp")
    for part in ("forward", "gateway/infra/edge/tcp on 198.51.100.10:443", "tcproute/default/web/0", "10.0.0.7:8443, up", "Maglev says so."):
        assert part in text
    assert cli.admin.asked[-1][2] == {"from": "10.1.2.3:4567", "to": "198.51.100.10:443", "proto": "tcp"}
    assert "No listener" in cli("explain", "--from", "10.1.2.3:1", "--to", "[2001:db8::1]:9/udp", code=1)
    assert cli.admin.asked[-1][2] == {"from": "10.1.2.3:1", "to": "[2001:db8::1]:9", "proto": "udp"}
    cli("explain", "--from", "10.1.2.3:1", "--to", "1.2.3.4:5/sctp", code=2)
    cli("explain", "--from", "10.1.2.3:1", code=2)


def test_trace(cli):
    text = cli("trace", "-c", "1", "--dst", "198.51.100.10:443", "--proto", "tcp")
    assert "IPv4 10.1.2.3:4567 > 198.51.100.10:443 TCP [S]" in text
    assert [line.split()[1] for line in text.splitlines()[1:]] == ["classify", "flow_ip4", "TX"]
    assert cli.admin.asked[-1][2]["dst"] == "198.51.100.10:443" and cli.admin.asked[-1][2]["count"] == "1"
    assert "0a01 0203" in cli("trace", "-c", "1", "--hex")
    assert [json.loads(line)["stage"] for line in cli("trace", "-c", "1", "--json").splitlines()] == ["classify", "flow_ip4", "TX"]
    assert cli("trace", "-c", "2", "--timeout", "1")  # the stream ends early: what came is shown


def test_top_once(cli):
    text = cli("top", "--once")
    assert "WORKER" in text and "1.00M" in text and "480 Mb/s" in text and "500.0" in text and "25.0%" in text
    sample = cli.json("top")
    assert sample["workers"][0]["rx_pps"] == 1e6 and sample["services"][0]["name"] == "default/web:80"


def test_top_live(cli):
    pid, fd = pty.fork()
    if pid == 0:  # 80 columns are too few for all of them
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        os.environ.update(TERM="xterm", PENSTOCK_RUNTIME_DIR=str(cli.directory))
        os.execv(program("penstock"), ["penstock", "top"])
    seen = b""
    keys = [b"p", b"\033[D", b"\033[C", b"q"]
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.3)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            seen += data
        elif b"BUSY" in seen and keys:
            os.write(fd, keys.pop(0))
    end = time.monotonic() + 3
    while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < end:
        time.sleep(0.02)
    if ended[0] == 0:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert ended == (pid, 0), seen
    assert b"\033[?1049h" in seen and b"\033[?1049l" in seen and b"paused" in seen and b"BUSY" in seen
    os.close(fd)


def test_stats(cli):
    text = cli("stats")
    assert "NO_LISTENER" in text and "nobody listens" in text
    assert cli.json("stats")["drops"] == 7
    lines = cli("stats", "--watch", "--count", "2").splitlines()
    assert len(lines) == 3 and "5.00k" in lines[1]
    cli("stats", "--reset")
    assert cli.admin.asked[-1][:2] == ("POST", "/v1/reset-stats")


def test_drain(cli):
    assert "draining" in cli("drain", "endpoint", "10.0.0.7:8080", "--timeout", "60")
    assert cli.admin.asked[-1] == ("POST", "/v1/drain", {"endpoint": "10.0.0.7:8080", "timeout": "60"})
    threading.Timer(0.7, lambda: setattr(cli.admin, "flows_left", 0)).start()
    began = time.monotonic()
    cli("drain", "service", "web", "--wait")
    assert time.monotonic() - began > 0.5
    assert [a for a in cli.admin.asked if a[0] == "POST"][-1][2] == {"service": "default/web"}
    cli.admin.flows_left = 2
    threading.Timer(0.7, lambda: setattr(cli.admin, "flows_left", 0)).start()
    began = time.monotonic()
    cli("drain", "endpoint", "default/web-7f9c", "--wait")
    assert time.monotonic() - began > 0.5
    cli("drain", "endpoint", "10.0.0.7:8080", "--undo")
    assert cli.admin.asked[-1][1] == "/v1/undrain"
    cli("drain", "endpoint", "10.9.9.9:1", code=4)
    cli("drain", "pod", "x", code=2)
    cli("drain", "endpoint", "x", "--undo", "--wait", code=2)


def test_reload_and_version(cli):
    assert "generation 18: 0 errors, 2 warnings" in cli("reload")
    assert "9.9.9" in cli("version") and cli.json("version")["penstockd"] == "9.9.9"
    assert "not running" in cli("version", "--runtime-dir", "/nonexistent")
    assert cli("--version").startswith("penstock")


def test_check_good(cli):
    text = cli("check", "-f", str(MANIFESTS / "shop"))
    assert "17 objects: 13 served, 4 of kinds not served yet" in text and "0 errors, 0 warnings" in text
    assert cli.json("check", "-f", str(MANIFESTS / "shop"))["not_served"]["HTTPRoute"] == 1


def test_check_broken(cli):
    path = cli.directory / "broken.yaml"
    path.write_text("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  clusterIP: 10.0.0.1\n  ports:\n  - port: 70000\n"
                    "---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec:\n  ports: [{port: 80}]\n  clusterIP: nonsense\n")
    text = cli("check", "-f", str(path), code=1)
    assert f"{path}:7:11: error: " in text and "70000" in text and "          ^" in text
    assert f"{path}:14:14: error: " in text and "2 errors" in text
    found = cli.json("check", "-f", str(path), code=1)
    assert found["errors"] == 2 and found["diagnostics"][0]["line"] == 7
    cli("check", "-f", "/nonexistent", code=1)
    cli("check", code=2)


def test_check_names_conditions_and_foreign_classes(cli):
    (cli.directory / "a.yaml").write_text(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: c}\nspec: {controllerName: example.com/other}\n"
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  gatewayClassName: c\n"
        "  addresses: [{value: 192.0.2.1}]\n"
        "  listeners: [{name: a, port: 80, protocol: TCP}]\n---\napiVersion: gateway.networking.k8s.io/v1alpha2\nkind: TCPRoute\n"
        "metadata: {name: r}\nspec:\n  parentRefs: [{name: g}]\n  rules: [{backendRefs: [{name: missing, port: 80}]}]\n")
    text = cli("check", "-f", str(cli.directory))
    assert "--adopt example.com/other" in text
    text = cli("check", "-f", str(cli.directory), "--adopt", "example.com/other")
    assert "TCPRoute default/r, parent g: ResolvedRefs is False, BackendNotFound" in text


def test_diff(cli):
    text = cli("diff", "-f", str(MANIFESTS / "shop"), code=1)
    assert "+ listener 198.51.100.10:80/tcp" in text and "+ endpoint shop/web:80 10.0.0.7:8080" in text and "0 removed" in text
    assert any(c["kind"] == "service" for c in cli.json("diff", "-f", str(MANIFESTS / "shop"), code=1))
    empty = cli.directory / "empty.yaml"
    empty.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n")
    assert "no difference" in cli("diff", "-f", str(empty))


def test_fields(cli):
    assert "spec.ports[]" in cli("fields") and "penstock.dev/forwarding-mode" in cli("fields")
    assert "mtu" in cli("fields", "mtu") and "hugepages" not in cli("fields", "mtu")
    cli("fields", "nonsense", code=4)


def test_help_of_every_command(cli):
    commands = [line.split()[0] for line in cli("help").splitlines() if line.startswith("  ")]
    assert len(commands) >= 15
    for command in commands:
        text = cli("help", command)
        assert text == cli(command, "--help") and "Examples:" in text and "Options:" in text


def test_reference_page_is_what_the_table_says(cli):
    page = MANIFESTS.parent.parent / "docs" / "reference" / "commands.md"
    assert page.read_text() == cli("gen-reference"), "write it anew: penstock gen-reference > docs/reference/commands.md"


def complete(cli, *words):
    script = f"""
source <({program('penstock')} completion bash)
COMP_WORDS=({program('penstock')} {' '.join(repr(w) for w in words)})
COMP_CWORD={len(words)}
_penstock
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    r = subprocess.run(["bash", "--norc", "-c", script], text=True, capture_output=True, timeout=20,
                       env={**os.environ, "PENSTOCK_RUNTIME_DIR": str(cli.directory)})
    return r.stdout.split()


def test_completion(cli):
    assert "explain" in complete(cli, "exp") and complete(cli, "exp") == ["explain"]
    assert "gateways" in complete(cli, "get", "")
    assert complete(cli, "get", "serv") == ["services"]
    assert complete(cli, "get", "services", "default") == ["default/web:80"]
    assert complete(cli, "get", "-n", "infra", "gateways", "") == ["infra/edge"]
    assert complete(cli, "drain", "endpoint", "10.0.0.7") == ["10.0.0.7:8080"]
    assert "--limit" in complete(cli, "get", "flows", "--l")
    assert complete(cli, "get", "flows", "-o", "y") == ["yaml"]
    assert complete(cli, "completion", "") == ["bash"]


# ---- run ----

DAEMON = """#!/usr/bin/python3
import os, pathlib, signal, socket, sys, time
name, run = os.path.basename(sys.argv[0]), sys.argv[sys.argv.index("--runtime-dir") + 1]
signal.signal(signal.SIGTERM, lambda *a: (print(name, "ends in order", flush=True), sys.exit(0)))
print(" ".join(sys.argv[1:]), flush=True)
with open(os.path.join(run, name + ".lives"), "a") as f:
    f.write(f"{os.getpid()} {time.monotonic()}\\n")
if os.path.exists(os.path.join(run, name + ".crash")):
    sys.exit(3)
if name == "penstockd":
    pathlib.Path(run, "dataplane.sock").touch()
if os.path.exists(os.path.join(run, name + ".stubborn")):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    time.sleep(1)
"""


class Run:
    """`penstock run` with two programs that only live and die, beside a copy of the real one."""

    def __init__(self, directory, *options):
        self.directory = directory
        for name in ("penstockd", "penstock-dataplane"):
            (directory / name).write_text(DAEMON)
            (directory / name).chmod(0o755)
        shutil.copy(program("penstock"), directory / "penstock")
        self.log = open(directory / "log", "w")
        self.command = [str(directory / "penstock"), "run", "-f", str(MANIFESTS / "shop"), "--runtime-dir", str(directory), "--state-dir",
                        str(directory / "state"), *options]
        notify = {k: v for k, v in os.environ.items() if k != "NOTIFY_SOCKET"}
        self.process = subprocess.Popen(self.command, stdout=self.log, stderr=subprocess.STDOUT, env=notify)

    def logged(self):
        return (self.directory / "log").read_text()

    def lives(self, name):
        try:
            return [line.split() for line in (self.directory / f"{name}.lives").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def pid(self, name, lives=1):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if len(self.lives(name)) >= lives:
                return int(self.lives(name)[-1][0])
            time.sleep(0.02)
        raise AssertionError(self.logged())

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            time.sleep(0.1)
            self.process.send_signal(signal.SIGINT)
            self.process.wait(10)
        self.log.close()


@pytest.fixture
def run():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="penstock-run-"))
    started = []

    def start(*options):
        started.append(Run(directory, *options))
        return started[-1]

    start.directory = directory
    yield start
    for r in started:
        r.close()
    shutil.rmtree(directory)


def gone(pid, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_run_starts_and_stops_in_order(run):
    r = run()
    daemon, dataplane = r.pid("penstockd"), r.pid("penstock-dataplane")
    time.sleep(0.3)
    r.process.send_signal(signal.SIGINT)
    assert r.process.wait(10) == 0
    assert gone(daemon) and gone(dataplane)
    log = r.logged()
    assert log.index("penstock-dataplane ends in order") < log.index("penstockd ends in order")
    assert "no Dataplane document" not in log  # the manifests hold one


def test_run_restarts_at_once(run):
    r = run()
    for life in range(1, 4):
        for name in ("penstock-dataplane", "penstockd"):
            pid = r.pid(name, life)
            killed = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            r.pid(name, life + 1)
            assert float(r.lives(name)[-1][1]) - killed < 1.0
    assert "was killed by SIGKILL" in r.logged()


def test_run_backs_off_in_a_crash_loop(run):
    r = run()
    first = r.pid("penstock-dataplane")
    time.sleep(0.5)  # it has been ready once: one that never was ends the run instead
    (run.directory / "penstock-dataplane.crash").touch()
    os.kill(first, signal.SIGKILL)
    r.pid("penstock-dataplane", 7)
    times = [float(t) for _, t in r.lives("penstock-dataplane")]
    assert times[6] - times[5] > 0.15
    assert "times in a row" in r.logged().replace("time in a row", "times in a row")
    (run.directory / "penstock-dataplane.crash").unlink()
    lives = len(r.lives("penstock-dataplane"))
    pid = r.pid("penstock-dataplane", lives + 1)
    time.sleep(0.5)
    assert not gone(pid, 0.1)


def test_run_second_signal_forces(run):
    (run.directory / "penstock-dataplane.stubborn").touch()
    r = run()
    daemon, dataplane = r.pid("penstockd"), r.pid("penstock-dataplane")
    time.sleep(0.3)
    r.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert r.process.poll() is None and not gone(daemon, 0.1)
    r.process.send_signal(signal.SIGTERM)
    assert r.process.wait(5) == 1
    assert gone(daemon) and gone(dataplane)


def test_run_killed_takes_its_children_along(run):
    r = run()
    daemon, dataplane = r.pid("penstockd"), r.pid("penstock-dataplane")
    r.process.kill()
    r.process.wait(5)
    assert gone(dataplane) and gone(daemon, 8)


def test_run_detached_children_stay(run):
    r = run("--detach-children")
    daemon, dataplane = r.pid("penstockd"), r.pid("penstock-dataplane")
    time.sleep(0.2)
    r.process.kill()
    r.process.wait(5)
    assert not gone(dataplane, 0.5) and not gone(daemon, 0.1)
    os.kill(daemon, signal.SIGKILL)
    os.kill(dataplane, signal.SIGKILL)


def test_run_refuses_a_second_instance(run):
    r = run()
    r.pid("penstock-dataplane")
    second = subprocess.run(r.command, text=True, capture_output=True, timeout=10)
    assert second.returncode == 1 and f"process {r.process.pid}" in second.stderr and "--name" in second.stderr


def test_run_says_what_is_wrong_before_it_starts(run):
    broken = run.directory / "broken.yaml"
    broken.write_text("apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: x}\nspec:\n  ports: [{name: a, tap: 5000000000000000000}]\n")
    r = subprocess.run([program("penstock"), "run"], text=True, capture_output=True, timeout=10)
    assert r.returncode == 2 and "expected -f" in r.stderr
    for name in ("penstockd", "penstock-dataplane"):
        (run.directory / name).write_text(DAEMON)
        (run.directory / name).chmod(0o755)
    shutil.copy(program("penstock"), run.directory / "penstock")
    base = [str(run.directory / "penstock"), "run", "--runtime-dir", str(run.directory), "--state-dir", str(run.directory / "state")]
    r = subprocess.run([*base, "-f", str(broken)], text=True, capture_output=True, timeout=10)
    assert r.returncode == 1 and "broken.yaml:5:" in r.stderr and "nothing is started" in r.stderr
    r = subprocess.run([*base, "-f", "/nonexistent"], text=True, capture_output=True, timeout=10)
    assert r.returncode == 1 and "/nonexistent" in r.stderr
    r = subprocess.run([*base, "-f", str(MANIFESTS / "shop"), "--port", "eth0"], text=True, capture_output=True, timeout=10)
    assert r.returncode == 2 and "there is one" in r.stderr

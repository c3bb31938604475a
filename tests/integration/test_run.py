# SPDX-License-Identifier: Apache-2.0
"""`penstock run` without a Dataplane document, in a namespace that is a machine of its own."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from lab import PYTHON, program, wait_for

VIP4, VIP6 = "10.99.0.10", "fd99::10"
MANIFEST = f"""
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  ports: [{{name: http, port: 80, targetPort: 8080}}]
status:
  loadBalancer: {{ingress: [{{ip: {VIP4}}}, {{ip: "{VIP6}"}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-4, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
endpoints: [{{addresses: [198.18.0.1], conditions: {{ready: true}}}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-6, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv6
ports: [{{name: http, port: 8080}}]
endpoints: [{{addresses: ["2001:2::1"], conditions: {{ready: true}}}}]
"""


class Machine:
    """A network namespace with `penstock run` in it."""

    def __init__(self):
        self.name = f"run-{os.getpid()}"
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="penstock-run-"))
        self.manifests = self.directory / "manifests"
        self.manifests.mkdir()
        (self.manifests / "web.yaml").write_text(MANIFEST)
        self.directory.chmod(0o755)
        self.processes = []
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        self.sh("ip", "link", "set", "lo", "up")

    def sh(self, *args, check=True, timeout=20):
        r = subprocess.run(["ip", "netns", "exec", self.name, *args], text=True, capture_output=True, timeout=timeout)
        assert not check or r.returncode == 0, (args, r.stdout, r.stderr)
        return r.stdout

    def popen(self, *args, **kw):
        self.processes.append(subprocess.Popen(["ip", "netns", "exec", self.name, *args], **kw))
        return self.processes[-1]

    def run(self, *options):
        self.log = self.directory / "log"
        return self.popen(program("penstock"), "run", "-f", str(self.manifests), "--runtime-dir", str(self.directory / "run"),
                          "--state-dir", str(self.directory / "state"), *options, stdout=subprocess.DEVNULL,
                          stderr=open(self.log, "w"))

    def cli(self, *args):
        return self.sh(program("penstock"), *args, "--runtime-dir", str(self.directory / "run"))

    def ready(self):
        wait_for(f"readiness\n{self.log.read_text()}", lambda: "ready, serving" in self.log.read_text(), 20)

    def close(self):
        for p in self.processes:
            if p.poll() is None:
                p.terminate()
                try:
                    p.wait(12)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
        subprocess.run(["ip", "netns", "del", self.name])
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture
def machine():
    if os.geteuid() != 0:
        pytest.skip("needs root: network namespaces and ports")
    m = Machine()
    yield m
    m.close()


def serve(m):
    m.popen(PYTHON, "-m", "http.server", "8080", "--bind", "198.18.0.1", "--directory", str(m.manifests), stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL)
    m.popen(PYTHON, "-m", "http.server", "8080", "--bind", "2001:2::1", "--directory", str(m.manifests), stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL)


def answers(m, url):
    return m.sh("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "2", "-g", url, check=False) == "200"


def links(m):
    return {link["ifname"] for link in json.loads(m.sh("ip", "-j", "link"))}


def test_tap_is_made_and_this_machine_reaches_the_vips(machine):
    m = machine
    run = m.run()
    m.ready()
    log = m.log.read_text()
    assert "made TAP penstock0 because no free interface was found" in log and "memory: " in log and "try: penstock get services" in log
    serve(m)
    wait_for("an answer over IPv4", lambda: answers(m, f"http://{VIP4}/web.yaml"), 15)
    wait_for("an answer over IPv6", lambda: answers(m, f"http://[{VIP6}]/web.yaml"), 15)

    # a restarted dataplane finds interface, addresses and routes as they were
    pid = json.loads(m.cli("get", "status", "--json"))["dataplane"]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for("an answer after the restart", lambda: answers(m, f"http://{VIP4}/web.yaml"), 10)
    assert "was killed by SIGKILL" in m.log.read_text()

    # a VIP that goes takes its route along, and one that comes gets one
    (m.manifests / "web.yaml").write_text(MANIFEST.replace(VIP4, "10.99.0.11"))
    wait_for("the new route", lambda: "10.99.0.11 via 198.18.0.2" in m.sh("ip", "route"), 5)
    assert VIP4 not in m.sh("ip", "route")
    assert VIP6 in m.sh("ip", "-6", "route")

    # the document that was written is one to start from
    r = subprocess.run([program("penstock"), "check", "--strict", "-f", str(m.directory / "run" / "dataplane.yaml")], text=True,
                       capture_output=True)
    assert r.returncode == 0, r.stdout

    run.send_signal(signal.SIGINT)
    assert run.wait(12) == 0
    assert "penstock0" not in m.sh("ip", "link") and "10.99.0" not in m.sh("ip", "route")


TAPS = """
apiVersion: penstock.dev/v1alpha1
kind: Dataplane
metadata: {name: lab}
spec:
  ports:
  - {name: t0, tap: lab0, addresses: [192.0.2.1/24], punt: true}
"""


def test_interfaces_of_the_document_go_with_the_supervisor(machine):
    m = machine
    (m.directory / "taps.yaml").write_text(TAPS)
    run = m.run("--dataplane", str(m.directory / "taps.yaml"))
    m.ready()
    assert {"lab0", "t0"} <= links(m)
    run.send_signal(signal.SIGINT)
    assert run.wait(12) == 0
    assert links(m) == {"lo"}

    # one that was there before is the user's
    m.sh("ip", "tuntap", "add", "lab0", "mode", "tap", "multi_queue")
    run = m.run("--dataplane", str(m.directory / "taps.yaml"))
    m.ready()
    run.send_signal(signal.SIGINT)
    assert run.wait(12) == 0
    assert links(m) == {"lo", "lab0"}


def test_a_port_that_cannot_be_opened_ends_the_run(machine):
    m = machine
    m.sh("ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab1")
    (m.directory / "taps.yaml").write_text(TAPS)
    run = m.run("--dataplane", str(m.directory / "taps.yaml"))
    assert run.wait(15) == 1
    log = m.log.read_text()
    assert "error: port t0: " in log and "port t0: port t0" not in log
    assert "dataplane does not start: it exited with code 1 3 times" in log
    assert links(m) == {"lo", "lab0", "lab1"}


def test_killed_supervisor_leaves_nothing(machine):
    m = machine
    run = m.run()
    m.ready()
    pids = [json.loads(m.cli("get", "status", "--json"))[k] for k in ("pid",)]
    run.kill()
    run.wait(5)
    wait_for("the programs to end", lambda: not any(pathlib.Path(f"/proc/{p}").exists() for p in pids), 10)
    wait_for("the TAP to go", lambda: "penstock0" not in m.sh("ip", "link"), 10)


def test_free_veth_is_taken_and_others_are_not(machine):
    m = machine
    for name in ("d-free", "d-used", "d-down"):
        m.sh("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-p")
        m.sh("ip", "link", "set", f"{name}-p", "up")
        m.sh("ip", "addr", "add", {"d-free": "10.1.0.1/24", "d-used": "10.2.0.1/24", "d-down": "10.3.0.1/24"}[name], "dev", f"{name}-p")
    m.sh("ip", "link", "set", "d-free", "up")
    m.sh("ip", "link", "set", "d-used", "up")
    m.sh("ip", "route", "add", "default", "dev", "d-used")
    m.run()
    m.ready()
    log = m.log.read_text()
    assert "port d-free: AF_PACKET on d-free because it is up, has carrier, and nobody uses it" in log
    assert "not used: d-used, it carries the default route" in log and "not used: d-down, it is down" in log
    assert "not used: d-free-p, it has the address 10.1.0.1" in log
    ports = json.loads(m.cli("get", "ports", "--json"))["items"]
    assert sorted(p["name"] for p in ports) == ["d-free", "tap0"]


def test_route_is_not_taken_from_this_machine(machine):
    m = machine
    m.sh("ip", "addr", "add", f"{VIP4}/32", "dev", "lo")
    m.run()
    m.ready()
    wait_for("the sentence", lambda: f"no route to the VIP {VIP4}: it is an address of this machine" in m.log.read_text(), 5)
    time.sleep(0.5)
    assert m.log.read_text().count("no route to the VIP") == 1
    assert VIP4 not in m.sh("ip", "route")

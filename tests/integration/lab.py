# SPDX-License-Identifier: Apache-2.0
"""A network of namespaces around one Penstock, made and removed by a test.

      c1 10.78.1.2 ---+                        +--- b1 10.77.0.11
                      +-- rt 10.77.0.1 --[sw]--+--- b2 10.77.0.12
      c2 10.78.2.2 ---+                        +--- b3 10.77.0.13
                                               +--- gw 10.77.0.2   (Penstock, AF_PACKET)

One segment (sw is a bridge), so the gateway works one-armed. With two_arm the backends sit on
a second segment 10.88.0.0/24 behind a second port of the gateway (10.88.0.2), their default
route. IPv6 mirrors it: fd77::/64, fd78:1::/64, fd78:2::/64, fd88::/64. The router sends
10.99.0.0/24 and fd99::/64 (the VIPs) to the gateway.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("PENSTOCK_BUILD", ROOT / "build"))
PYTHON = "/usr/bin/python3"

VIP4, VIP6 = "10.99.0.10", "fd99::10"


def program(name):
    """Path of one of our programs in the build directory."""
    for found in BUILD.rglob(name):
        if found.is_file() and os.access(found, os.X_OK):
            return str(found)
    raise FileNotFoundError(f"{name} is not built in {BUILD}")


def sh(*args, check=True, timeout=20, **kw):
    r = subprocess.run(args, text=True, capture_output=True, timeout=timeout, **kw)
    if check and r.returncode != 0:
        raise RuntimeError(f"{' '.join(args)}: exit {r.returncode}\n{r.stdout}{r.stderr}")
    return r


def wait_for(what, condition, timeout=10.0, step=0.05):
    """Polls until condition() is truthy and returns its value; fails loudly after timeout."""
    end = time.monotonic() + timeout
    last = None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as e:
            last = e
        time.sleep(step)
    raise AssertionError(f"timed out after {timeout} s waiting for {what}; last: {last!r}")


class Host:
    """A network namespace."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.ns = f"{lab.prefix}{name}"
        sh("ip", "netns", "add", self.ns)
        self.ip("link", "set", "lo", "up")
        self.sh("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")

    def ip(self, *args, check=True):
        return sh("ip", "-n", self.ns, *args, check=check)

    def sh(self, *args, check=True, timeout=20, **kw):
        return sh("ip", "netns", "exec", self.ns, *args, check=check, timeout=timeout, **kw)

    def popen(self, *args, **kw):
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.STDOUT)
        p = subprocess.Popen(["ip", "netns", "exec", self.ns, *args], text=True, **kw)
        self.lab.processes.append(p)
        return p

    def python(self, script, *args, **kw):
        return self.popen(PYTHON, "-u", str(HERE / script), *map(str, args), **kw)

    def addresses(self, dev, *addrs):
        for a in addrs:
            self.ip("addr", "add", a, "dev", dev, *(["nodad"] if ":" in a else []))

    def up(self, dev, mtu=None):
        # A kernel peer on veth leaves checksums and segmentation to "hardware" that is not there.
        self.sh("ethtool", "-K", dev, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off", check=False)
        self.ip("link", "set", dev, "up", *(["mtu", str(mtu)] if mtu else []))


class Lab:
    def __init__(self, prefix=os.environ.get("PENSTOCK_LAB_PREFIX", "pst-"), two_arm=False, backends=3, mtu=1500):
        self.prefix, self.two_arm, self.mtu = prefix, two_arm, mtu
        self.processes = []
        self.hosts = {}
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="penstock-test-"))
        self.backends = [f"b{i + 1}" for i in range(backends)]
        self._remove_namespaces()
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    # building

    def _remove_namespaces(self):
        for line in sh("ip", "netns", "list").stdout.splitlines():
            name = line.split()[0] if line.split() else ""
            if re.fullmatch(re.escape(self.prefix) + r"(sw|gw|rt|[cb]\d+)", name):
                sh("ip", "netns", "del", name, check=False)

    def host(self, name):
        self.hosts[name] = Host(self, name)
        return self.hosts[name]

    def __getitem__(self, name):
        return self.hosts[name]

    def wire(self, a, dev_a, b, dev_b, mac_a=None):
        """A veth pair: dev_a in host a, dev_b in host b."""
        sh("ip", "link", "add", dev_a, "netns", a.ns, "type", "veth", "peer", "name", dev_b, "netns", b.ns)
        if mac_a:
            a.ip("link", "set", dev_a, "address", mac_a)
        a.up(dev_a, self.mtu)
        b.up(dev_b, self.mtu)

    def _build(self):
        sw = self.host("sw")
        # A switch forwards what it gets: no look at IP headers on the way (where br_netfilter is loaded).
        for family in ("ip", "ip6"):
            sw.sh("sysctl", "-qw", f"net.bridge.bridge-nf-call-{family}tables=0", check=False)
        for br in ["br0"] + (["br1"] if self.two_arm else []):
            sw.ip("link", "add", br, "type", "bridge")
            sw.sh("sysctl", "-qw", f"net.ipv6.conf.{br}.disable_ipv6=1")
            sw.ip("link", "set", br, "up")

        def plug(host, dev, port, br="br0", mac=None):
            self.wire(host, dev, sw, port, mac)
            sw.ip("link", "set", port, "master", br)

        gw = self.host("gw")
        plug(gw, "gw0", "p-gw0")
        if self.two_arm:
            plug(gw, "gw1", "p-gw1", "br1")
        # The kernel of the gateway's namespace must not answer for Penstock's addresses.
        gw.sh("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")

        rt = self.host("rt")
        plug(rt, "eth0", "p-rt")
        rt.addresses("eth0", "10.77.0.1/24", "fd77::1/64")
        rt.sh("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for i in (1, 2):
            c = self.host(f"c{i}")
            self.wire(c, "eth0", rt, f"c{i}")
            c.addresses("eth0", f"10.78.{i}.2/24", f"fd78:{i}::2/64")
            rt.addresses(f"c{i}", f"10.78.{i}.1/24", f"fd78:{i}::1/64")
            c.ip("route", "add", "default", "via", f"10.78.{i}.1")
            c.ip("-6", "route", "add", "default", "via", f"fd78:{i}::1")
        rt.ip("route", "add", "10.99.0.0/24", "via", "10.77.0.2")
        rt.ip("-6", "route", "add", "fd99::/64", "via", "fd77::2")

        net4, net6, via4, via6, br = (
            ("10.88.0", "fd88:", "10.88.0.2", "fd88::2", "br1") if self.two_arm
            else ("10.77.0", "fd77:", "10.77.0.1", "fd77::1", "br0"))
        for i, name in enumerate(self.backends):
            b = self.host(name)
            plug(b, "eth0", f"p-{name}", br)
            b.addresses("eth0", f"{net4}.{11 + i}/24", f"{net6}:{11 + i}/64")
            b.ip("route", "add", "default", "via", via4)
            b.ip("-6", "route", "add", "default", "via", via6)
            b.address4, b.address6 = f"{net4}.{11 + i}", f"{net6}:{11 + i}"

    # servers

    def serve(self, name, *args):
        """Starts the echo backend (backend.py) on a host; returns its process."""
        p = self[name].python("backend.py", name, *args)
        line = p.stdout.readline()
        assert line.startswith("ready"), f"backend {name}: {line}{p.stdout.read()}"
        return p

    def serve_all(self, *args):
        return [self.serve(b, *args) for b in self.backends]

    # closing

    def close(self):
        for p in self.processes:
            if p.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    p.terminate()
        for p in self.processes:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait(5)
            if p.stdout:
                p.stdout.close()
        self._remove_namespaces()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Penstock:
    """`penstock run` inside the lab's gw host."""

    def __init__(self, lab, *manifests, dataplane=None, options=(), wait=True):
        self.lab = lab
        self.manifests = lab.dir / "manifests"
        self.manifests.mkdir(exist_ok=True)
        self.runtime = lab.dir / "run"
        self.state = lab.dir / "state"
        self.log_path = lab.dir / "penstock.log"
        self.options = list(options)
        if dataplane is not False:
            self.write("00-dataplane.yaml", dataplane or dataplane_document(lab))
        for i, text in enumerate(manifests):
            self.write(f"{10 + i}.yaml", text)
        self.process = None
        self.start(wait)

    def write(self, name, text):
        """Replaces one manifest file as an editor would: beside it and renamed into place."""
        path = self.manifests / name
        temporary = self.manifests / f".{name}.tmp"
        temporary.write_text(text)
        temporary.rename(path)
        return path

    def remove(self, name):
        (self.manifests / name).unlink()

    def start(self, wait=True):
        self.log = open(self.log_path, "a")
        self.process = self.lab["gw"].popen(
            program("penstock"), "run", "-f", str(self.manifests), "--runtime-dir", str(self.runtime),
            "--state-dir", str(self.state), *self.options, stdout=self.log, stderr=subprocess.STDOUT)
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout=20):
        try:
            wait_for("Penstock to carry its first snapshot", self.is_ready, timeout)
        except AssertionError as e:
            raise AssertionError(f"{e}\n--- log ---\n{self.logged()}") from None

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"penstock run ended with {self.process.returncode}\n{self.logged()}")
        s = self.get("status")
        return s.get("ready")

    def logged(self):
        return self.log_path.read_text(errors="replace")

    def cli(self, *args, check=True, timeout=20):
        return sh(program("penstock"), *args, "--runtime-dir", str(self.runtime), check=check, timeout=timeout)

    def get(self, path):
        """GET /v1/<path> of the admin socket as parsed JSON."""
        r = sh("curl", "-sS", "--max-time", "5", "--unix-socket", str(self.runtime / "admin.sock"),
               f"http://penstock/v1/{path}")
        return json.loads(r.stdout)

    def items(self, path):
        return self.get(path)["items"]

    def pid(self, name):
        """Process id of penstockd or penstock-dataplane under this supervisor."""
        want = os.path.realpath(program(name))
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if os.path.realpath(entry / "exe") != want:
                    continue
                if str(self.runtime) in (entry / "cmdline").read_bytes().decode(errors="replace"):
                    return int(entry.name)
        return None

    def kill(self, name, sig=signal.SIGKILL):
        pid = wait_for(f"{name} to run", lambda: self.pid(name))
        os.kill(pid, sig)
        return pid

    def stop(self, timeout=10):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout)
        self.log.close()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print("--- penstock log ---")
            print(self.logged()[-6000:])
        with contextlib.suppress(Exception):
            self.stop()


# manifests


def dataplane_document(lab, extra="", workers=1, queues=1, gw_extra="", tables=""):
    second = """
  - name: inner
    afPacket: gw1
    addresses: [10.88.0.2/24, "fd88::2/64"]
""" if lab.two_arm else ""
    return f"""
apiVersion: penstock.dev/v1alpha1
kind: Dataplane
metadata: {{name: gateway}}
spec:
  ports:
  - name: outer
    afPacket: gw0
    queues: {queues}
    mtu: {lab.mtu}
    addresses: [10.77.0.2/24, "fd77::2/64"]
{gw_extra}{second}
  routes:
  - {{to: 0.0.0.0/0, via: 10.77.0.1}}
  - {{to: "::/0", via: "fd77::1"}}
  cores: {{count: {workers}}}
  tables: {{flowsIPv4: 65536, flowsIPv6: 16384{tables}}}
  gatewayAddresses: [{VIP4}, "{VIP6}"]
{extra}"""


def service(name, endpoints, *, vips=(VIP4,), port=80, target=8080, protocol="TCP", mode=None,
            annotations=None, spec="", slice_extra="", namespace="default", service_type="LoadBalancer"):
    """A LoadBalancer Service with one EndpointSlice per family. endpoints: addresses, or dicts with
    address/ready/serving/terminating/nodeName."""
    notes = dict(annotations or {})
    if mode:
        notes["penstock.dev/forwarding-mode"] = mode
    lines = "".join(f'\n    {k}: "{v}"' for k, v in notes.items())
    families = sorted({"IPv6" if ":" in v else "IPv4" for v in vips})
    out = f"""
apiVersion: v1
kind: Service
metadata:
  name: {name}
  namespace: {namespace}
  annotations: {{}}
spec:
  type: {service_type}
  ipFamilyPolicy: PreferDualStack
  ipFamilies: [{", ".join(families)}]
  ports: [{{name: main, port: {port}, targetPort: {target}, protocol: {protocol}}}]
{spec}
status:
  loadBalancer: {{ingress: [{", ".join('{ip: "%s"}' % v for v in vips)}]}}
""".replace("  annotations: {}", f"  annotations:{lines}" if lines else "  annotations: {}")
    return out + endpoint_slices(name, endpoints, target, protocol, namespace)


def endpoint_slices(name, endpoints, target=8080, protocol="TCP", namespace="default"):
    out = ""
    for family in ("IPv4", "IPv6"):
        rows = ""
        for e in endpoints:
            e = {"address": e} if isinstance(e, str) else e
            if (":" in e["address"]) != (family == "IPv6"):
                continue
            conditions = {k: e[k] for k in ("ready", "serving", "terminating") if k in e} or {"ready": True}
            rows += f'\n- addresses: ["{e["address"]}"]\n  conditions: {json.dumps(conditions)}'
            if "nodeName" in e:
                rows += f'\n  nodeName: {e["nodeName"]}'
        if rows:
            out += f"""---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-{family.lower()}
  namespace: {namespace}
  labels: {{kubernetes.io/service-name: {name}}}
addressType: {family}
ports: [{{name: main, port: {target}, protocol: {protocol}}}]
endpoints:{rows}
"""
    return out


def client(host, mode, address, port, *options, timeout=60):
    """Runs client.py on a host to its end; returns its JSON."""
    r = host.sh(PYTHON, str(HERE / "client.py"), mode, address, str(port), *map(str, options), timeout=timeout)
    return json.loads(r.stdout.splitlines()[-1])


def start_client(host, mode, address, port, *options):
    """Starts client.py; for modes hold and beat returns when all connections are open. Finish with finish()."""
    p = host.python("client.py", mode, address, port, *options)
    if mode in ("hold", "beat"):
        line = p.stdout.readline()
        assert line.startswith("open "), line + p.stdout.read()
    return p


def finish(process, timeout=60):
    out, _ = process.communicate(timeout=timeout)
    assert process.returncode == 0, out
    return json.loads(out.splitlines()[-1])

# SPDX-License-Identifier: Apache-2.0
"""Penstock under measurement: penstockd and penstock-dataplane with one worker and one memif port."""
import glob
import json
import os
import signal
import subprocess
import time

from . import manifests
from .machine import Presence


class PenstockError(Exception):
    """It did not start or stopped serving; the text holds its last words."""


class Penstock:
    def __init__(self, machine, build, name, flows_v4, flows_v6, services=1024, descriptors=1024, many=0):
        self.machine, self.build, self.name = machine, build, name
        self.runtime = machine.new_directory(name + "-run")
        self.state = machine.new_directory(name + "-state")
        self.directory = machine.new_directory(name + "-manifests")
        self.socket = os.path.join(self.runtime, "port.sock")
        self.counters_tool = os.path.join(build, "perf", "penstock-counters")
        manifests.write_gateway(self.directory, manifests.dataplane(
            self.socket, machine.worker_cpu, machine.load_cpu, flows_v4, flows_v6, services, descriptors))
        self.vip_many = manifests.write_many(self.directory, many) if many else None
        self.log = open(os.path.join(machine.directory, name + ".log"), "w+", encoding="utf-8", errors="replace")
        self.daemon = self.dataplane = None
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def program(self, *names):
        for name in names:
            path = os.path.join(self.build, name)
            if os.access(path, os.X_OK):
                return path
        raise PenstockError(f"{names[0]} is not built in {self.build}")

    def start(self):
        m = self.machine
        self.daemon = m.start([self.program("control/daemon/penstockd"), "--runtime-dir", self.runtime, "--state-dir",
                               self.state, "--user", "root", "--log-level", "warning", "-f", self.directory],
                              cpu=m.load_cpu, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.dataplane = m.start([self.program("dataplane/penstock-dataplane", "dataplane/boot/penstock-dataplane"),
                                  "--runtime-dir", self.runtime, "--state-dir", self.state],
                                 cpu={m.load_cpu, m.worker_cpu}, stdin=subprocess.DEVNULL, stdout=self.log,
                                 stderr=self.log)
        self.wait_for(lambda: os.path.exists(self.socket) and self.counters()["generation"] > 0, 40)

    def wait_for(self, condition, seconds):
        deadline = time.monotonic() + seconds
        while True:
            for child, what in ((self.daemon, "penstockd"), (self.dataplane, "penstock-dataplane")):
                if child.poll() is not None:
                    raise PenstockError(f"{what} ended with status {child.returncode}: {self.last_words()}")
            try:
                if condition():
                    return
            except PenstockError:
                pass
            if time.monotonic() > deadline:
                raise PenstockError(f"not serving after {seconds} s: {self.last_words()}")
            time.sleep(0.05)

    def last_words(self):
        self.log.flush()
        self.log.seek(0)
        return " | ".join(self.log.read().splitlines()[-6:])

    def counters(self):
        done = subprocess.run([self.counters_tool, os.path.join(self.runtime, "counters")], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            raise PenstockError(done.stderr.strip())
        return json.loads(done.stdout)

    def presence(self):
        return Presence(self.dataplane.pid, self.counters()["workers"][0]["tid"], self.machine.worker_cpu)

    def pause(self):
        self.dataplane.send_signal(signal.SIGSTOP)

    def resume(self):
        self.dataplane.send_signal(signal.SIGCONT)

    def reload(self):
        self.daemon.send_signal(signal.SIGHUP)

    def stop(self):
        for child in (self.dataplane, self.daemon):
            if child is not None:
                self.machine.stop(child)
        # flow tables outlive the process on purpose; in a hugetlbfs they outlive our directory too
        for path in glob.glob(os.path.join(self.runtime, "flows-*")):
            if os.path.islink(path) and os.path.exists(path):
                os.unlink(os.path.realpath(path))
        self.log.close()


def worker_difference(before, after):
    """What worker 0 did between two readings."""
    a, b = before["workers"][0], after["workers"][0]
    packets = b["rx_packets"] - a["rx_packets"]
    busy = b["busy_cycles"] - a["busy_cycles"]
    stages = {}
    for name, now in b["stages"].items():
        was = a["stages"].get(name, {"packets": 0, "cycles": 0, "calls": 0})
        count = now["packets"] - was["packets"]
        cycles = now["cycles"] - was["cycles"]
        calls = now["calls"] - was["calls"]
        if count > 0 or cycles > 0:
            stages[name] = {"packets": count, "cycles": cycles, "calls": calls}
    exits = {name: count - a["exits"].get(name, 0) for name, count in b["exits"].items()
             if count != a["exits"].get(name, 0)}
    flows = {family: {key: b[family][key] - a[family][key] for key in ("created", "expired", "evicted", "refused")} |
             {"active": b[family]["active"], "capacity": b[family]["capacity"]} for family in ("flows_ipv4", "flows_ipv6")}
    return {"packets": packets, "busy_cycles": busy, "cycles": b["cycles"] - a["cycles"],
            "cycles_per_packet": busy / packets if packets else None, "stages": stages, "exits": exits, "flows": flows}


def stage_cycles(difference):
    """
    Cycles per received packet, by stage. Workers publish the stages' counters at times of their own, so they are related to the
    packets that the same counters saw. RX stages count empty polls too: they are what the busy cycles leave.
    """
    seen = difference["stages"].get("classify", {"packets": 0})["packets"]
    if not seen or difference["cycles_per_packet"] is None:
        return {}
    shares = {}
    for name, stage in difference["stages"].items():
        if name.startswith("port_rx") or name == "inbox":
            continue
        key = "port_tx" if name.startswith("port_tx") else name
        shares[key] = shares.get(key, 0) + stage["cycles"] / seen
    shares["port_rx and loop"] = max(0.0, difference["cycles_per_packet"] - sum(shares.values()))
    return {name: value for name, value in shares.items() if value >= 0.05}

# SPDX-License-Identifier: Apache-2.0
"""Runs penstock-loadgen, and calls back when its measurement begins and ends."""
import json
import os
import subprocess
import threading

V4 = {
    "gateway": "10.1.0.1", "router": "10.1.0.2", "clients": "198.18.0.0/16", "backends": "10.1.0.11-10.1.0.26",
}
V6 = {
    "gateway": "fd00:1::1", "router": "fd00:1::2", "clients": "fd00:2::/112", "backends": "fd00:1::11-fd00:1::20",
}


class LoadError(Exception):
    """The generator could not do its work; the text is what it said."""


class Loadgen:
    def __init__(self, machine, program, zero_copy, memory_mb=256):
        self.machine, self.program = machine, program
        self.zero_copy, self.memory_mb = zero_copy, memory_mb
        self.count = 0

    def command(self, socket, arguments, result):
        device = f"memif:{socket}" + (",zero-copy=yes" if self.zero_copy else "")
        return [self.program, "--port", device, "--core", str(self.machine.load_cpu), "--huge-dir", self.machine.huge_dir,
                "--memory", str(self.memory_mb), "--events", f"--json={result}"] + [str(a) for a in arguments]

    def start(self, socket, arguments, on_event=None):
        """Returns a function that waits for the end and gives the result."""
        self.count += 1
        result = os.path.join(self.machine.directory, f"loadgen-{self.count}.json")
        child = self.machine.start(self.command(socket, arguments, result), cpu=self.machine.load_cpu,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = []

        def listen():
            for line in child.stderr:
                words = line.split()
                if len(words) >= 3 and words[0] == "event":
                    if on_event is not None:
                        on_event(" ".join(words[1:-1]), int(words[-1]))
                else:
                    said.append(line.rstrip())

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()

        def finish(timeout, interrupt=False):
            if interrupt:
                child.send_signal(2)
            try:
                code = child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.machine.stop(child)
                raise LoadError("the generator did not end: " + " | ".join(said[-3:])) from None
            listener.join(5)
            self.machine.stop(child)
            if code in (2, 3) or not os.path.exists(result):
                raise LoadError(" | ".join(said[-3:]) or f"the generator ended with status {code}")
            with open(result, encoding="utf-8") as f:
                data = json.load(f)
            os.unlink(result)
            return data

        return finish

    def run(self, socket, arguments, timeout, on_event=None):
        return self.start(socket, arguments, on_event)(timeout)


def traffic(vip, port=80, ipv6=False, returns=True):
    """Arguments that say who talks to whom."""
    net = V6 if ipv6 else V4
    arguments = ["--to", vip, "--to-port", port, "--clients", net["clients"], "--gateway", net["gateway"],
                 "--answer", net["router"], "--backends", net["backends"]]
    return arguments if returns else arguments + ["--no-return"]

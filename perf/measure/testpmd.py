# SPDX-License-Identifier: Apache-2.0
"""dpdk-testpmd as the I/O limit: macswap between the same kind and number of ports."""
import os
import pty
import re
import signal
import subprocess
import threading
import time

from .machine import Presence, thread_named

CYCLES = re.compile(r"CPU cycles/packet=([0-9.]+)")


class Testpmd:
    def __init__(self, machine, descriptors, burst, mode="macswap", program="dpdk-testpmd"):
        self.machine, self.descriptors, self.burst, self.mode, self.program = machine, descriptors, burst, mode, program
        self.start()

    def start(self):
        machine = self.machine
        self.socket = os.path.join(machine.directory, "testpmd.sock")
        command = [self.program, "--lcores", f"0@{machine.load_cpu},1@{machine.worker_cpu}", "--main-lcore", "0", "--no-pci",
                   "--no-telemetry", "--single-file-segments", "--file-prefix", f"bench-pmd-{os.getpid()}",
                   "--huge-dir", machine.huge_dir, "-m", "256",
                   "--vdev", f"net_memif0,role=server,socket={self.socket},socket-abstract=no",
                   "--", "-i", f"--forward-mode={self.mode}", "--nb-cores=1", f"--rxd={self.descriptors}",
                   f"--txd={self.descriptors}",
                   f"--burst={self.burst}", "--record-core-cycles", "--total-num-mbufs=16384"]
        self.output = []
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        # a terminal for its output: into a pipe, figures would stay in its buffer
        self.terminal, theirs = pty.openpty()
        self.child = machine.start(command, cpu={machine.load_cpu, machine.worker_cpu}, stdin=subprocess.PIPE,
                                   stdout=theirs, stderr=theirs, text=True, bufsize=1)
        os.close(theirs)
        threading.Thread(target=self._listen, daemon=True).start()
        deadline = time.monotonic() + 20
        while not os.path.exists(self.socket):
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("testpmd did not start: " + " | ".join(self.output[-4:]))
            time.sleep(0.05)
        self.say("start")

    def _listen(self):
        with open(self.terminal, encoding="utf-8", errors="replace", closefd=True) as terminal:
            try:
                for line in terminal:
                    self.output.append(line.rstrip())
            except OSError:
                pass  # the other end is gone

    def presence(self):
        return Presence(self.child.pid, thread_named(self.child.pid, "rte-worker"), self.machine.worker_cpu)

    def say(self, command):
        self.child.stdin.write(command + "\n")
        self.child.stdin.flush()

    def pause(self):
        self.child.send_signal(signal.SIGSTOP)

    def resume(self):
        self.child.send_signal(signal.SIGCONT)

    def clear(self):
        self.say("clear fwd stats all")

    def cycles_per_packet(self):
        """From testpmd's own counters: cycles of loops that received packets, over packets received."""
        before = len(self.output)
        self.say("show fwd stats all")
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for line in self.output[before:]:
                found = CYCLES.search(line)
                if found:
                    return float(found.group(1))
            time.sleep(0.01)
        return None

    def ensure(self):
        """It does not always survive a memif peer that leaves: then another one takes its place. True when it did."""
        if self.child.poll() is None:
            return False
        self.machine.stop(self.child)
        self.start()
        return True

    def stop(self):
        if self.child.poll() is None:
            self.resume()
            try:
                self.say("quit")
                self.child.wait(5)
            except (OSError, subprocess.TimeoutExpired):
                pass
        self.machine.stop(self.child)

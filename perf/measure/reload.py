# SPDX-License-Identifier: Apache-2.0
"""
How long a change takes: from the close of a written file to the first packet under the new configuration, seen by the
backend that receives it. The generator opens new flows all the time, so the first one after the change tells.
"""
import ipaddress
import os
import queue
import signal
import time

from . import manifests, stats
from .loadgen import V4, LoadError

SERVICES = 5000
FIRST = ipaddress.IPv4Address("10.64.0.1")
TARGET = ipaddress.IPv4Address("10.126.0.1")   # backends that the changed service gets, one after the other
NEW_FLOWS = 20000


def wait_for(events, address, seconds):
    """The time of the event that packets reach this address."""
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        if left <= 0:
            return None
        try:
            name, at = events.get(timeout=left)
        except queue.Empty:
            return None
        if name == f"backend {address}":
            return at


def write_closed(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
        f.flush()
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def small_changes(penstock, events, count):
    path = os.path.join(penstock.directory, "svc-00000-slice.yaml")
    times = []
    for i in range(count):
        address = str(TARGET + i)
        text = manifests.endpoint_slice("svc-00000", [address], protocol=["UDP"])
        closed = write_closed(path, text)
        seen = wait_for(events, address, 10)
        times.append((seen - closed) / 1e6 if seen is not None else None)
        time.sleep(0.15)
    return times


def full_reloads(penstock, events, count, services):
    """Every slice changes while penstockd is stopped; it continues and is told to read everything again."""
    times = []
    for i in range(count):
        address = str(TARGET + 1000 + i)
        penstock.daemon.send_signal(signal.SIGSTOP)
        for k in range(services):
            backends = [str(FIRST + k * 4 + ((n + i + 1) % 4)) for n in range(4 if i % 2 else 3)]
            name = f"svc-{k:05d}"
            if k == 0:
                backends = [address]
            manifests.write(os.path.join(penstock.directory, f"{name}-slice.yaml"),
                            manifests.endpoint_slice(name, backends, protocol=["UDP"]))
        start = time.clock_gettime_ns(time.CLOCK_REALTIME)
        penstock.daemon.send_signal(signal.SIGHUP)
        penstock.daemon.send_signal(signal.SIGCONT)
        seen = wait_for(events, address, 30)
        times.append((seen - start) / 1e6 if seen is not None else None)
        time.sleep(0.5)
    return times


def measure(context, penstock, say, small=20, full=3):
    events = queue.Queue()
    arguments = ["--to", penstock.vip_many, "--to-port", 80, "--clients", V4["clients"], "--gateway", V4["gateway"],
                 "--answer", V4["router"], "--backends", "10.64.0.1-10.127.255.254", "--udp", "--flows", 0, "--new-flows",
                 NEW_FLOWS, "--relaxed", "--watch-backend", "--no-return", "--warmup", 0, "--duration", 300, "--loss-limit",
                 "0.9"]
    finish = context.loadgen.start(penstock.socket, arguments, lambda name, at: events.put((name, at)))
    try:
        deadline = time.monotonic() + 20
        while events.empty():
            if time.monotonic() > deadline:
                raise LoadError("no packet reached a backend of the first service")
            time.sleep(0.05)
        time.sleep(0.5)
        say(f"reload: {small} changes of one file among {SERVICES} services")
        small_ms = small_changes(penstock, events, small)
        say(f"reload: {full} changes of all slices")
        full_ms = full_reloads(penstock, events, full, SERVICES)
    finally:
        try:
            result = finish(20, interrupt=True)
        except LoadError:
            result = None
    return {"services": SERVICES, "small_ms": stats.summary(small_ms), "full_ms": stats.summary(full_ms),
            "lost": result["to_backend"]["lost"] if result else None,
            "sent": result["to_backend"]["sent"] if result else None}

# SPDX-License-Identifier: Apache-2.0
"""New flows per second, sustained, in a flow table that is nearly full: inserts must equal expiries."""
import threading
import time

from . import manifests
from .loadgen import traffic

RATE = 1_050_000      # asked of the generator: the goal and a little more
CAPACITY = 2_000_000
FILL = 0.905


def flows(counters):
    return counters["workers"][0]["flows_ipv4"]


def sample(penstock, seconds, series):
    """Readings twice a second, until the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reading = penstock.counters()
        series.append((time.monotonic(), flows(reading), reading["workers"][0]))
        time.sleep(0.5)


def churn(context, penstock, seconds, series=None):
    arguments = traffic(manifests.VIP["new"]) + ["--udp", "--flows", 0, "--new-flows", RATE, "--warmup", 0, "--duration",
                                                 seconds, "--loss-limit", "0.9"]
    sampler = None
    if series is not None:
        def begin(event, _):
            nonlocal sampler
            if event == "start":
                sampler = threading.Thread(target=sample, args=(penstock, seconds - 0.2, series), daemon=True)
                sampler.start()
    else:
        begin = None
    result = context.loadgen.run(penstock.socket, arguments, seconds + 30, begin)
    if sampler is not None:
        sampler.join(10)
    return result


def measure(context, penstock, say, seconds=10):
    say("new flows: how many are alive at once")
    series = []
    churn(context, penstock, 3, series)
    alive = max(f["active"] for _, f, _ in series)
    time.sleep(2.5)
    capacity = flows(penstock.counters())["capacity"]
    base = int(FILL * capacity) - alive
    if base > 0:
        say(f"new flows: {base} established flows first, so that the table is {100 * FILL:.0f} % full")
        context.loadgen.run(penstock.socket, traffic(manifests.VIP["fullnat"]) + [
            "--tcp", "--flows", base, "--warmup", 0, "--duration", "50ms", "--loss-limit", "0.9"], 60)
    settle = 2
    series = []
    say(f"new flows: {RATE / 1e6:.2f} M/s for {seconds + settle} s")
    result = churn(context, penstock, seconds + settle, series)
    steady = [s for s in series if s[0] >= series[0][0] + settle]
    (t0, f0, w0), (t1, f1, w1) = steady[0], steady[-1]
    elapsed = t1 - t0
    created = f1["created"] - f0["created"]
    busy = w1["busy_cycles"] - w0["busy_cycles"]
    stages = {name: (now["cycles"] - w0["stages"].get(name, {"cycles": 0})["cycles"]) / created
              for name, now in w1["stages"].items() if not name.startswith("port_rx") and name != "inbox"} if created else {}
    lost = result["to_backend"]["lost"] + result["to_client"]["lost"]
    return {
        "seconds": elapsed, "asked_per_s": RATE, "created_per_s": created / elapsed,
        "expired_per_s": (f1["expired"] - f0["expired"]) / elapsed,
        "evicted": f1["evicted"] - f0["evicted"], "refused": f1["refused"] - f0["refused"],
        "fill": min(f["active"] for _, f, _ in steady) / capacity, "capacity": capacity, "established": max(base, 0),
        "busy_share": busy / (w1["cycles"] - w0["cycles"]), "cycles_per_flow": busy / created if created else None,
        "stages_per_flow": {name: cycles for name, cycles in stages.items() if cycles >= 1},
        "lost": lost, "sent": result["to_backend"]["sent"] + result["to_client"]["sent"],
        "series": [{"t": t - series[0][0], "active": f["active"], "created": f["created"], "expired": f["expired"]}
                   for t, f, _ in series],
    }

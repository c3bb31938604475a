#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Measures Penstock beside dpdk-testpmd on two cores over memif: no special hardware. Writes JSON and one HTML page, prints
goals and what was reached, and gives back all it has borrowed from the machine.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from measure import churn, goals, machine, reload, report, throughput  # noqa: E402
from measure.loadgen import Loadgen, LoadError  # noqa: E402
from measure.penstock import Penstock, PenstockError  # noqa: E402
from measure.testpmd import Testpmd  # noqa: E402

PARTS = ["throughput", "latency", "million", "churn", "reload"]
FLOWS_V4 = 1048576
HUGEPAGES_MB = 2600
BURST = 32


class Context:
    """What every part needs to know."""

    def __init__(self, options, borrowed):
        self.repeats = options.repeats or (2 if options.quick else 5)
        self.duration = "0.5" if options.quick else "1.2"
        self.warmup = "0.2" if options.quick else "0.3"
        self.loadgen = Loadgen(borrowed, os.path.join(options.build, "perf", "penstock-loadgen"), not options.copy)
        self.tsc_hz = None


def say(line):
    print(f"[{time.strftime('%H:%M:%S')}] {line}", file=sys.stderr, flush=True)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="build directory (default: build)")
    parser.add_argument("--output", help="directory for the results (default: results beside this program)")
    parser.add_argument("--quick", action="store_true", help="about a minute: two repeats, short runs, fewer scenarios")
    parser.add_argument("--repeats", type=int, help="runs of each kind (default 5)")
    parser.add_argument("--parts", default=",".join(PARTS), help="of " + ",".join(PARTS))
    parser.add_argument("--scenarios", help="throughput scenarios, comma separated (default: all)")
    parser.add_argument("--worker-cpu", type=int, help="CPU of the worker (default: the first)")
    parser.add_argument("--load-cpu", type=int, help="CPU of the generator and everything else (default: the second)")
    parser.add_argument("--burst", type=int, default=BURST, help=f"testpmd's burst (default {BURST})")
    parser.add_argument("--copy", action="store_true", help="memif without zero-copy at the generator's end")
    options = parser.parse_args()
    options.parts = options.parts.split(",")
    unknown = [p for p in options.parts if p not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    if options.repeats is not None and options.repeats < 1:
        parser.error("--repeats must be at least 1")
    options.build = os.path.abspath(options.build)
    if options.output is None:
        options.output = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")
    return options


def choose_scenarios(options, million):
    names = options.scenarios.split(",") if options.scenarios else None
    if names is None and options.quick and not million:
        names = ["fullnat-1k", "fullnat-100k", "ipip-1k"]
    return [s for s in throughput.SCENARIOS if (s.flows >= 1000000) == million and (names is None or s.name in names)]


def add_throughput(context, borrowed, options, result, million):
    scenarios = choose_scenarios(options, million)
    if not scenarios:
        return
    testpmd = Testpmd(borrowed, 1024, options.burst)
    testpmd.pause()
    penstock = Penstock(borrowed, options.build, "million" if million else "main", FLOWS_V4, 65536)
    context.tsc_hz = result["tsc_hz"] = penstock.counters()["tsc_hz"]
    for scenario in scenarios:
        result["scenarios"].append(throughput.measure(context, penstock, testpmd, scenario, say))
    if not million and "latency" in options.parts:
        first = result["scenarios"][0]
        result["latency"] = throughput.latency(context, penstock, testpmd, scenarios[0], first["pps"]["median"] / 2,
                                               first["macswap_pps"]["median"] / 2, say)
    penstock.stop()
    testpmd.stop()


def add_churn(context, borrowed, options, result):
    penstock = Penstock(borrowed, options.build, "churn", churn.CAPACITY, 1024)
    result["tsc_hz"] = penstock.counters()["tsc_hz"]
    result["new_flows"] = churn.measure(context, penstock, say, 3 if options.quick else 10)
    penstock.stop()


def add_reload(context, borrowed, options, result):
    say(f"reload: writing and loading {reload.SERVICES} services")
    penstock = Penstock(borrowed, options.build, "reload", FLOWS_V4, 1024, services=2 * reload.SERVICES,
                        many=reload.SERVICES)
    result["tsc_hz"] = penstock.counters()["tsc_hz"]
    result["reload"] = reload.measure(context, penstock, say, 5 if options.quick else 20, 1 if options.quick else 3)
    penstock.stop()


def measure(options, borrowed, result):
    context = Context(options, borrowed)
    parts = []
    if "throughput" in options.parts:
        parts.append(("throughput", lambda: add_throughput(context, borrowed, options, result, False)))
    if "million" in options.parts and not options.quick:
        parts.append(("a million flows", lambda: add_throughput(context, borrowed, options, result, True)))
    if "churn" in options.parts:
        parts.append(("new flows", lambda: add_churn(context, borrowed, options, result)))
    if "reload" in options.parts:
        parts.append(("reload", lambda: add_reload(context, borrowed, options, result)))
    for name, part in parts:
        try:
            part()
        except (LoadError, PenstockError, RuntimeError, KeyError, IndexError, TypeError, subprocess.SubprocessError) as e:
            # one part that fails must not cost the figures of the others; the report says so
            say(f"{name}: {e}")
            result["notes"].append(f"{name} was not measured to the end: {e}")
            for child in reversed(list(borrowed.children)):
                borrowed.stop(child)


def version(build):
    try:
        done = subprocess.run([os.path.join(build, "perf", "penstock-loadgen"), "--version"], capture_output=True, text=True,
                              check=True)
    except (OSError, subprocess.SubprocessError) as e:
        raise machine.MachineError(f"penstock-loadgen does not run from {build}: build first ({e})") from e
    return done.stdout.split()[-1]


def write(options, result):
    os.makedirs(options.output, exist_ok=True)
    base = os.path.join(options.output, time.strftime("%Y-%m-%d-%H%M", time.localtime(result["time"])))
    with open(base + ".json", "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
    with open(base + ".html", "w", encoding="utf-8") as f:
        f.write(report.render(result))
    written = [base + ".json", base + ".html"]
    if report.write_png(result, base + ".png"):
        written.append(base + ".png")
    return written


def note_disturbance(result):
    slow = [s for s in result["scenarios"] if s["ran"] < throughput.UNDISTURBED]
    if slow:
        result["notes"].append("The machine was busy with other work: in " + ", ".join(s["title"] for s in slow) +
                               " a worker lost its core for a part of the time, so that these figures are too high.")


def print_goals(result):
    width = max([len(g["goal"]) for g in result["goals"]] + [4])
    for g in result["goals"]:
        print(f"{g['goal']:<{width}}  wanted {g['wanted']:>12}  reached {g['reached'] or 'nothing':>14}  "
              f"{'met' if g['met'] else 'NOT MET'}")


def main():
    options = parse_options()
    result = {"time": time.time(), "notes": [], "scenarios": [], "tsc_hz": 0.0, "quick": options.quick}
    started = time.monotonic()
    try:
        if shutil.which("dpdk-testpmd") is None:
            raise machine.MachineError("dpdk-testpmd is missing: it is in Debian's package dpdk-dev")
        result["version"] = version(options.build)
        result["machine"] = machine.describe()
        if result["machine"]["load_average"] > 0.5:
            result["notes"].append("The machine was not idle when the measurement began.")
        with machine.Machine(options.worker_cpu, options.load_cpu, HUGEPAGES_MB) as borrowed:
            measure(options, borrowed, result)
    except machine.MachineError as e:
        print(f"bench: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: interrupted; everything is as it was before", file=sys.stderr)
        return 130
    note_disturbance(result)
    result["goals"] = goals.evaluate(result)
    result["took_s"] = time.monotonic() - started
    print_goals(result)
    print("\n".join(write(options, result)))
    return 1 if result["notes"] and not result["scenarios"] else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Penstock and testpmd under the same load, in turns. One runs while the other is stopped by signal."""
import time

from . import manifests, stats
from .loadgen import LoadError, traffic
from .penstock import stage_cycles, worker_difference

MACSWAP_MAC = "02:00:00:00:00:01"


class Scenario:
    def __init__(self, name, title, service, flows, proto="tcp", size="64", ipv6=False, returns=True):
        self.name, self.title, self.service, self.flows = name, title, service, flows
        self.proto, self.size, self.ipv6, self.returns = proto, size, ipv6, returns

    def load(self):
        return ["--" + self.proto, "--flows", self.flows, "--size", self.size]


SCENARIOS = [
    Scenario("fullnat-1k", "FullNAT, 1,000 flows", "fullnat", 1000),
    Scenario("fullnat-100k", "FullNAT, 100,000 flows", "fullnat", 100000),
    Scenario("ipip-1k", "DSR by IPIP, 1,000 flows", "ipip", 1000, returns=False),
    Scenario("dnat-1k", "DNAT, 1,000 flows", "dnat", 1000),
    Scenario("fullnat6-1k", "FullNAT over IPv6, 1,000 flows, 82 bytes", "fullnat6", 1000, size="82", ipv6=True),
    Scenario("imix-1k", "FullNAT, 1,000 flows, IMIX", "fullnat", 1000, size="imix"),
    Scenario("fullnat-1m", "FullNAT, 1,000,000 flows", "fullnat", 1000000),
]


BACKOFF = ["--backoff", "4"]  # us: long enough that the generator's polling costs the worker nothing that can be measured
UNDISTURBED = 0.98  # share of the time that a worker's thread must have run for its figures to count


class Window:
    """Readings at the begin and end of the generator's measurement."""

    def __init__(self, begin, end, presence):
        self.begin, self.end, self.presence = begin, end, presence
        self.first = self.last = self.present = self.share = None

    def __call__(self, event, _):
        # printed for the warm-up too: the last pair is that of the measurement
        if event == "start":
            self.present = self.presence()
            self.first = self.begin()
        elif event == "stop":
            self.share = self.present.share()
            self.last = self.end()


def scaled(cycles, share):
    """The TSC goes on while another program has the core: what the worker did not run is none of its cycles."""
    return cycles * share if cycles is not None else None


def open_flows(context, penstock, scenario):
    arguments = traffic(manifests.VIP[scenario.service], ipv6=scenario.ipv6, returns=scenario.returns)
    context.loadgen.run(penstock.socket, arguments + scenario.load() +
                        ["--warmup", "0", "--duration", "50ms", "--loss-limit", "0.9"], 90)


def run_penstock(context, penstock, scenario, extra=()):
    window = Window(penstock.counters, penstock.counters, penstock.presence)
    arguments = traffic(manifests.VIP[scenario.service], ipv6=scenario.ipv6, returns=scenario.returns)
    result = context.loadgen.run(penstock.socket, arguments + scenario.load() + ["--no-setup", "--warmup",
                                 context.warmup, "--duration", context.duration] + BACKOFF + list(extra), 60, window)
    difference = worker_difference(window.first, window.last)
    return {"pps": result["device_pps"], "bit_per_s": result["device_bit_per_s"], "ran": window.share,
            "cycles_per_packet": scaled(difference["cycles_per_packet"], window.share),
            "stages": {name: value * window.share for name, value in stage_cycles(difference).items()},
            "busy_share": difference["busy_cycles"] / difference["cycles"] if difference["cycles"] else None,
            "exits": difference["exits"], "loadgen": result}


def run_testpmd(context, testpmd, scenario, extra=()):
    try:
        return attempt_testpmd(context, testpmd, scenario, extra)
    except LoadError:
        if not testpmd.ensure():
            raise
        return attempt_testpmd(context, testpmd, scenario, extra)


def attempt_testpmd(context, testpmd, scenario, extra):
    readings = {}

    def begin():
        testpmd.clear()
        return True

    def end():
        readings["cycles"] = testpmd.cycles_per_packet()
        return True

    vip = manifests.VIP[scenario.service]
    arguments = ["--to", vip, "--gateway-mac", MACSWAP_MAC, "--no-setup", "--clients",
                 "fd00:2::/112" if scenario.ipv6 else "198.18.0.0/16"]
    window = Window(begin, end, testpmd.presence)
    result = context.loadgen.run(testpmd.socket, arguments + scenario.load() + ["--warmup", context.warmup, "--duration",
                                 context.duration] + BACKOFF + list(extra), 60, window)
    saturated = context.tsc_hz / result["device_pps"] if result["device_pps"] else None
    cycles = readings.get("cycles") or saturated
    # macswap can be faster than the generator; what it could do is what its cycles leave room for
    return {"limit_pps": max(result["device_pps"], context.tsc_hz / cycles) if cycles else None,
            "pps": result["device_pps"], "bit_per_s": result["device_bit_per_s"], "ran": window.share,
            "cycles_per_packet": scaled(cycles, window.share),
            "method": "testpmd --record-core-cycles" if readings.get("cycles") else "TSC cycles over packets, saturated",
            "loadgen": result}


def measure(context, penstock, testpmd, scenario, say):
    say(f"{scenario.title}: opening flows")
    testpmd.pause()
    penstock.resume()
    open_flows(context, penstock, scenario)
    runs = {"penstock": [], "macswap": []}
    disturbed = repeat = 0
    while repeat < context.repeats:
        testpmd.pause()
        penstock.resume()
        ours = run_penstock(context, penstock, scenario)
        penstock.pause()
        testpmd.resume()
        limit = run_testpmd(context, testpmd, scenario)
        kept = min(ours["ran"], limit["ran"]) >= UNDISTURBED
        disturbed += not kept
        if not kept and disturbed <= context.repeats:
            say(f"{scenario.title}: a pair of runs is repeated, a worker ran only "
                f"{100 * min(ours['ran'], limit['ran']):.0f} % of the time")
            continue
        repeat += 1
        runs["penstock"].append(ours)
        runs["macswap"].append(limit)
        say(f"{scenario.title}: {repeat}/{context.repeats}  cycles/packet {ours['cycles_per_packet'] or 0:.0f} over "
            f"{limit['cycles_per_packet'] or 0:.0f}  Mpps {ours['pps'] / 1e6:.2f} of {limit['limit_pps'] / 1e6:.2f}")
    testpmd.pause()
    penstock.resume()
    time.sleep(0.1)
    result = summarise(scenario, runs)
    result["disturbed"] = disturbed
    return result


def summarise(scenario, runs):
    ours, limit = runs["penstock"], runs["macswap"]

    def column(rows, key):
        return [row[key] for row in rows]

    names = sorted({name for row in ours for name in row["stages"]})
    exits = {}
    for row in ours:
        for name, count in row["exits"].items():
            exits[name] = exits.get(name, 0) + count
    lost = sum(r["loadgen"][d]["lost"] for r in ours for d in ("to_backend", "to_client"))
    sent = sum(r["loadgen"][d]["sent"] for r in ours for d in ("to_backend", "to_client"))
    wrong = sum(r["loadgen"]["counts"][k] for r in ours for k in ("wrong_address", "wrong_checksum", "resets", "icmp_errors"))
    ours_cycles, limit_cycles = column(ours, "cycles_per_packet"), column(limit, "cycles_per_packet")
    return {
        "name": scenario.name, "title": scenario.title, "flows": scenario.flows, "size": scenario.size,
        "cycles_per_packet": stats.summary(ours_cycles),
        "macswap_cycles_per_packet": stats.summary(limit_cycles),
        "macswap_method": limit[0]["method"],
        "extra_cycles": stats.summary(stats.pairwise(ours_cycles, limit_cycles, lambda a, b: a - b)),
        "stages": {name: stats.median([row["stages"].get(name, 0.0) for row in ours]) for name in names},
        "pps": stats.summary(column(ours, "pps")), "macswap_pps": stats.summary(column(limit, "pps")),
        "bit_per_s": stats.median(column(ours, "bit_per_s")),
        "macswap_limit_pps": stats.summary(column(limit, "limit_pps")),
        "throughput_ratio": stats.summary(stats.pairwise(column(ours, "pps"), column(limit, "limit_pps"), lambda a, b: a / b)),
        "busy_share": stats.median(column(ours, "busy_share")),
        "ran": min(column(ours, "ran") + column(limit, "ran")),
        "exits": exits, "lost": lost, "sent": sent, "wrong": wrong,
        "loadgen_parameters": ours[0]["loadgen"]["parameters"],
    }


def latency(context, penstock, testpmd, scenario, half_pps, macswap_half_pps, say):
    """At half of each one's own throughput. One figure is one pass through the device."""
    rows = {"penstock": [], "macswap": []}
    both = 2 if scenario.returns else 1
    for repeat in range(max(2, context.repeats // 2)):
        testpmd.pause()
        penstock.resume()
        ours = run_penstock(context, penstock, scenario, ["--rate", int(half_pps / both), "--backoff", "0.2"])
        penstock.pause()
        testpmd.resume()
        limit = run_testpmd(context, testpmd, scenario, ["--rate", int(macswap_half_pps), "--backoff", "0.2"])
        rows["penstock"].append(ours["loadgen"]["to_backend"]["latency"])
        rows["macswap"].append(limit["loadgen"]["to_backend"]["latency"])
        say(f"latency at half load: {repeat + 1}  p50 {rows['penstock'][-1]['p50_us']:.1f} us, "
            f"p99 {rows['penstock'][-1]['p99_us']:.1f} us")
    testpmd.pause()
    penstock.resume()
    keys = ("p50_us", "p90_us", "p99_us", "p999_us", "max_us")
    return {"scenario": scenario.name, "pps": half_pps, "macswap_pps": macswap_half_pps,
            "penstock": {k: stats.median([r[k] for r in rows["penstock"]]) for k in keys},
            "macswap": {k: stats.median([r[k] for r in rows["macswap"]]) for k in keys}}

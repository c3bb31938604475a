# SPDX-License-Identifier: Apache-2.0
"""What was set out to be reached, and whether it was. A goal without a figure counts as not met."""

# cycles per packet beyond testpmd macswap's total, and the share of its throughput that this amounts to
EXTRA_CYCLES = {"fullnat-1k": 55, "fullnat-100k": 65, "fullnat-1m": 80}
THROUGHPUT = {"fullnat-1k": 0.52, "fullnat-100k": 0.47, "fullnat-1m": 0.42}
NEW_FLOWS = 1e6
TABLE_FILL = 0.9
BALANCE = 0.02       # inserts and expiries may differ by this share
SMALL_CHANGE_MS = 10
FULL_RELOAD_MS = 500


def goal(text, wanted, reached, met):
    return {"goal": text, "wanted": wanted, "reached": reached, "met": bool(met)}


def _extra_cycles(scenarios):
    for name, limit in EXTRA_CYCLES.items():
        scenario = scenarios.get(name)
        if scenario is None:
            continue
        extra = scenario["extra_cycles"]["median"]
        yield goal(f"{scenario['title']}: cycles per packet over macswap", f"<= {limit}",
                   None if extra is None else f"{extra:.0f}", extra is not None and extra <= limit)
        ratio = scenario["throughput_ratio"]["median"]
        yield goal(f"{scenario['title']}: throughput, share of macswap", f"about {THROUGHPUT[name]:.2f}",
                   None if ratio is None else f"{ratio:.2f}", ratio is not None and ratio >= THROUGHPUT[name])


def _dsr(scenarios):
    ipip, fullnat = scenarios.get("ipip-1k"), scenarios.get("fullnat-1k")
    if ipip is None or fullnat is None:
        return
    a, b = ipip["extra_cycles"]["median"], fullnat["extra_cycles"]["median"]
    known = a is not None and b is not None
    yield goal("DSR by IPIP: cycles per packet over macswap, no more than FullNAT",
               f"<= {b:.0f}" if known else "<= FullNAT", f"{a:.0f}" if known else None, known and a <= b)


def _new_flows(result):
    if result is None:
        return
    rate, expired = result["created_per_s"], result["expired_per_s"]
    yield goal(f"new flows per second, sustained for {result['seconds']:.0f} s", f">= {NEW_FLOWS / 1e6:.0f} M",
               f"{rate / 1e6:.3f} M", rate >= NEW_FLOWS * 0.999)
    yield goal("flow table in use meanwhile", f">= {100 * TABLE_FILL:.0f} %", f"{100 * result['fill']:.1f} %",
               result["fill"] >= TABLE_FILL - 0.005)
    yield goal("inserts equal expiries, none refused or evicted", "equal",
               f"{rate / 1e6:.3f} M/s and {expired / 1e6:.3f} M/s, {result['refused']} refused, {result['evicted']} evicted",
               abs(rate - expired) <= BALANCE * rate and result["refused"] == 0 and result["evicted"] == 0)


def _reload(result):
    if result is None:
        return
    small, full = result["small_ms"]["median"], result["full_ms"]["median"]
    yield goal(f"one changed file among {result['services']} services, close-write to first packet",
               f"<= {SMALL_CHANGE_MS} ms", None if small is None else f"{small:.1f} ms",
               small is not None and small <= SMALL_CHANGE_MS)
    yield goal(f"all {result['services']} services changed, to first packet", f"<= {FULL_RELOAD_MS} ms",
               None if full is None else f"{full:.0f} ms", full is not None and full <= FULL_RELOAD_MS)


def evaluate(result):
    scenarios = {s["name"]: s for s in result["scenarios"]}
    goals = list(_extra_cycles(scenarios)) + list(_dsr(scenarios))
    goals += list(_new_flows(result.get("new_flows"))) + list(_reload(result.get("reload")))
    return goals

# SPDX-License-Identifier: Apache-2.0
"""The result on one HTML page, charts as inline SVG, nothing loaded from anywhere."""
import html
import shutil
import subprocess
import time

COLOURS = ["#20639b", "#3caea3", "#f6a01a", "#c8553d", "#6a4c93", "#8ab17d", "#b5838d", "#457b9d", "#e9c46a", "#7f8c8d"]
IO_COLOUR = "#b8c0c8"
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#1d2733;background:#fff}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dfe4ea}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.met{color:#1b7f4d;font-weight:600}.missed{color:#b3261e;font-weight:600}.note{color:#5b6875;font-size:.9rem}
svg{max-width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#1d2733}
"""


def text(value):
    return html.escape(str(value))


def number(value, digits=1):
    return "–" if value is None else f"{value:,.{digits}f}"


class Svg:
    def __init__(self, width, height):
        self.width, self.height, self.parts = width, height, []

    def rect(self, x, y, w, h, fill, title=""):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(w, 0):.1f}" height="{h:.1f}" fill="{fill}">'
                          f"<title>{text(title)}</title></rect>")

    def label(self, x, y, content, anchor="start", bold=False):
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight}>{text(content)}</text>')

    def line(self, points, colour, width=2.0, dash=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        style = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{style}/>')

    def __str__(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
                f'height="{self.height}" role="img" font-family="system-ui, sans-serif" font-size="12">'
                f'<rect width="{self.width}" height="{self.height}" fill="#ffffff"/>' + "".join(self.parts) + "</svg>")


def cycles_chart(scenarios, left=0, width=900):
    """Bars of cycles per packet: I/O limit below each Penstock bar of stages."""
    row, label = 56, 250
    largest = max([s["cycles_per_packet"]["median"] or 0 for s in scenarios] + [1])
    scale = (width - label - 90) / largest
    names = sorted({n for s in scenarios for n in s["stages"]}, key=lambda n: (n != "port_rx and loop", n != "port_tx", n))
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    svg = Svg(width, 34 + row * len(scenarios) + 24 * ((len(names) + 3) // 4) + 10)
    svg.label(left, 16, "TSC cycles per packet, by stage; grey: testpmd macswap", bold=True)
    for i, s in enumerate(scenarios):
        y, x = 30 + i * row, label
        svg.label(label - 8, y + 16, s["title"], "end")
        for name in names:
            cycles = s["stages"].get(name, 0) or 0
            svg.rect(x, y, cycles * scale, 22, colour[name], f"{name}: {cycles:.1f}")
            x += cycles * scale
        total, limit = s["cycles_per_packet"]["median"], s["macswap_cycles_per_packet"]["median"]
        svg.label(max(x, label + (total or 0) * scale) + 6, y + 16, number(total, 0), bold=True)
        svg.rect(label, y + 24, (limit or 0) * scale, 14, IO_COLOUR, f"macswap: {number(limit)}")
        svg.label(label + (limit or 0) * scale + 6, y + 36, number(limit, 0))
    y = 30 + row * len(scenarios) + 8
    for i, name in enumerate(names):
        x = 10 + (i % 4) * ((width - 20) / 4)
        svg.rect(x, y + (i // 4) * 24, 12, 12, colour[name])
        svg.label(x + 18, y + 11 + (i // 4) * 24, name)
    return svg


def throughput_chart(scenarios, width=900):
    row, label = 50, 250
    largest = max([s[k]["median"] or 0 for s in scenarios for k in ("pps", "macswap_limit_pps")] + [1])
    scale = (width - label - 170) / largest
    svg = Svg(width, 34 + row * len(scenarios))
    svg.label(0, 16, "Million packets per second through the gateway; grey: testpmd macswap", bold=True)
    for i, s in enumerate(scenarios):
        y = 30 + i * row
        ours, limit, ratio = s["pps"]["median"] or 0, s["macswap_limit_pps"]["median"] or 0, s["throughput_ratio"]["median"]
        svg.label(label - 8, y + 16, s["title"], "end")
        svg.rect(label, y, ours * scale, 20, COLOURS[0], f"{ours / 1e6:.2f} Mpps")
        svg.label(label + ours * scale + 6, y + 15, f"{ours / 1e6:.2f}  ({number(ratio, 2)} of macswap)", bold=True)
        svg.rect(label, y + 22, limit * scale, 14, IO_COLOUR, f"{limit / 1e6:.2f} Mpps")
        svg.label(label + limit * scale + 6, y + 34, f"{limit / 1e6:.2f}")
    return svg


def latency_chart(latency, width=900):
    keys = [("p50_us", "p50"), ("p90_us", "p90"), ("p99_us", "p99"), ("p999_us", "p99.9")]
    largest = max([latency[who][k] or 0 for who in ("penstock", "macswap") for k, _ in keys] + [0.001])
    svg = Svg(width, 34 + 44 * len(keys))
    scale = (width - 170) / largest
    svg.label(0, 16, "Microseconds for one pass at half of the own throughput; grey: testpmd macswap", bold=True)
    for i, (key, name) in enumerate(keys):
        y = 30 + i * 44
        svg.label(52, y + 16, name, "end")
        for who, top, height, fill in (("penstock", y, 18, COLOURS[0]), ("macswap", y + 20, 12, IO_COLOUR)):
            value = latency[who][key] or 0
            svg.rect(60, top, value * scale, height, fill)
            svg.label(66 + value * scale, top + height - 2, f"{value:.1f}")
    return svg


def churn_chart(churn, width=900, height=240):
    series = churn["series"]
    svg = Svg(width, height)
    svg.label(0, 16, "New flows: inserts per second (blue), expiries per second (orange), table in use (grey, right axis)",
              bold=True)
    rates = [(b["t"], (b["created"] - a["created"]) / (b["t"] - a["t"]), (b["expired"] - a["expired"]) / (b["t"] - a["t"]))
             for a, b in zip(series, series[1:]) if b["t"] > a["t"]]
    if not rates:
        return svg
    end, top = max(r[0] for r in rates), max(max(r[1], r[2]) for r in rates) * 1.1 or 1

    def x(t):
        return 60 + t / end * (width - 130)

    def y(share):
        return height - 30 - share * (height - 70)

    for tick in range(0, 5):
        svg.line([(60, y(tick / 4)), (width - 70, y(tick / 4))], "#e6eaee", 1)
        svg.label(54, y(tick / 4) + 4, f"{top * tick / 4 / 1e6:.2f} M", "end")
        svg.label(width - 64, y(tick / 4) + 4, f"{25 * tick} %")
    svg.line([(x(p["t"]), y(p["active"] / churn["capacity"])) for p in series], "#9aa5b1", 2, "5 3")
    svg.line([(x(t), y(c / top)) for t, c, _ in rates], COLOURS[0])
    svg.line([(x(t), y(e / top)) for t, _, e in rates], COLOURS[2])
    svg.label(width - 70, height - 8, f"{end:.0f} s", "end")
    return svg


def goals_table(goals):
    rows = "".join(f"<tr><td>{text(g['goal'])}</td><td class=n>{text(g['wanted'])}</td>"
                   f"<td class=n>{text(g['reached'] if g['reached'] is not None else 'not measured')}</td>"
                   f"<td class={'met' if g['met'] else 'missed'}>{'met' if g['met'] else 'not met'}</td></tr>" for g in goals)
    return f"<table><tr><th>Goal</th><th class=n>wanted</th><th class=n>reached</th><th></th></tr>{rows}</table>"


def scenario_table(scenarios):
    rows = ""
    for s in scenarios:
        extra = s["extra_cycles"]
        between = f"{extra['spread'][0]:.0f} … {extra['spread'][1]:.0f}" if extra["spread"] else "–"
        loss = 100 * s["lost"] / s["sent"] if s["sent"] else 0
        rows += (f"<tr><td>{text(s['title'])}</td><td class=n>{number(s['cycles_per_packet']['median'], 0)}</td>"
                 f"<td class=n>{number(s['macswap_cycles_per_packet']['median'], 0)}</td>"
                 f"<td class=n>{number(extra['median'], 0)}</td><td class=n>{between}</td>"
                 f"<td class=n>{number((s['pps']['median'] or 0) / 1e6, 2)}</td>"
                 f"<td class=n>{number((s['bit_per_s'] or 0) / 1e9, 2)}</td>"
                 f"<td class=n>{number(s['throughput_ratio']['median'], 2)}</td><td class=n>{loss:.3f} %</td></tr>")
    return ("<table><tr><th>Scenario</th><th class=n>cycles</th><th class=n>macswap</th><th class=n>more</th>"
            "<th class=n>quartiles</th><th class=n>Mpps</th><th class=n>Gbit/s</th><th class=n>of macswap</th>"
            f"<th class=n>lost</th></tr>{rows}</table>")


def stage_table(scenarios):
    names = sorted({n for s in scenarios for n in s["stages"]})
    head = "".join(f"<th class=n>{text(s['title'])}</th>" for s in scenarios)
    rows = "".join(f"<tr><td>{text(n)}</td>" + "".join(f"<td class=n>{number(s['stages'].get(n))}</td>" for s in scenarios) +
                   "</tr>" for n in names)
    return f"<table><tr><th>Stage</th>{head}</tr>{rows}</table>"


def render(result):
    machine, body = result["machine"], []
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(result["time"]))
    body.append(f"<h1>Penstock {text(result['version'])}</h1><p class=note>{when} · {text(machine['cpu'])}, "
                f"{machine['cpus']} CPUs{', virtual machine' if machine['virtual'] else ''} · Linux {text(machine['kernel'])}"
                f" · TSC {result['tsc_hz'] / 1e9:.2f} GHz · one worker, one memif port, generator on the other core · "
                f"load average before: {machine['load_average']:.2f}</p>")
    if result["notes"]:
        body.append("<p class=note>" + "<br>".join(text(n) for n in result["notes"]) + "</p>")
    body.append("<h2>Goals</h2>" + goals_table(result["goals"]))
    if result["scenarios"]:
        body.append("<h2>Cycles per packet</h2>" + str(cycles_chart(result["scenarios"])))
        body.append(scenario_table(result["scenarios"]))
        body.append("<p class=note>Cycles: busy TSC cycles of the worker over packets received, both directions counted, "
                    "less what the scheduler gave to other programs; "
                    f"macswap: {text(result['scenarios'][0]['macswap_method'])}. Runs alternate; figures are medians, "
                    "differences and ratios are formed between neighbouring runs first. Throughput of macswap: TSC frequency "
                    "over its cycles, or what was measured when that was more; it can be faster than the generator.</p>")
        body.append("<h2>Where the cycles go</h2>" + stage_table(result["scenarios"]))
        body.append("<h2>Throughput</h2>" + str(throughput_chart(result["scenarios"])))
    if result.get("latency"):
        body.append("<h2>Latency</h2>" + str(latency_chart(result["latency"])))
    if result.get("new_flows"):
        churn = result["new_flows"]
        body.append("<h2>New flows</h2>" + str(churn_chart(churn)))
        body.append(f"<p>{churn['created_per_s'] / 1e6:.3f} M flows/s created and {churn['expired_per_s'] / 1e6:.3f} M/s "
                    f"expired for {churn['seconds']:.0f} s with {100 * churn['fill']:.1f} % of {churn['capacity']:,} records "
                    f"in use; the worker was busy {100 * churn['busy_share']:.0f} % of the time, "
                    f"{number(churn['cycles_per_flow'], 0)} cycles per flow with its first packet and reply.</p>")
    if result.get("reload"):
        reload = result["reload"]
        small, full = reload["small_ms"], reload["full_ms"]
        body.append(f"<h2>Live change with {reload['services']:,} services</h2><table><tr><th></th><th class=n>median</th>"
                    "<th class=n>quartiles</th><th class=n>runs</th></tr>")
        for title, row in (("one file changed, close to first packet, ms", small), ("all slices changed, ms", full)):
            between = f"{row['spread'][0]:.1f} … {row['spread'][1]:.1f}" if row["spread"] else "–"
            body.append(f"<tr><td>{title}</td><td class=n>{number(row['median'])}</td><td class=n>{between}</td>"
                        f"<td class=n>{len(row['runs'])}</td></tr>")
        body.append("</table>")
    return (f"<!doctype html><html lang=en><meta charset=utf-8><title>Penstock measurement {when}</title>"
            f"<style>{STYLE}</style><body>" + "".join(body) + "</body></html>\n")


def write_png(result, path):
    """The cycles chart as a picture, when rsvg-convert is there. True when it was written."""
    program = shutil.which("rsvg-convert")
    if program is None or not result["scenarios"]:
        return False
    done = subprocess.run([program, "--zoom", "2", "--background-color", "white", "-o", path], check=False,
                          input=str(cycles_chart(result["scenarios"])).encode())
    return done.returncode == 0

# SPDX-License-Identifier: Apache-2.0
"""The demo: Penstock between real clients and real servers, on this machine, in about half a minute.

Everything lives in network namespaces named penstock-demo-*, which are removed at the end. The manifests
are in tests/demo/manifests; a copy is changed while the traffic runs.
"""

import pathlib
import shutil
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from lab import Lab, Penstock, client, finish, program, sh, start_client, wait_for  # noqa: E402

BOLD, DIM, GREEN, RED, END = (("\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("",) * 5)
VIP = "10.99.0.10"
failures = 0


def step(text):
    print(f"\n{BOLD}== {text}{END}")


def command(p, *args):
    print(f"{DIM}$ penstock {' '.join(args)}{END}")
    r = p.cli(*args, check=False)
    print(r.stdout.rstrip() or r.stderr.rstrip())


def bar(counts):
    total = sum(counts.values()) or 1
    for name in sorted(counts):
        print(f"   {name}  {'#' * round(40 * counts[name] / total):40}  {counts[name]:4}  {100 * counts[name] / total:5.1f} %")


def verdict(good, text):
    global failures
    failures += not good
    print(f"   {GREEN + 'ok' if good else RED + 'FAILED'}{END}  {text}")


def main():
    step("A network: two clients, a router, three servers, and the gateway's namespace")
    print(__import__("lab").__doc__.split("\n\n")[1])
    with Lab("penstock-demo-") as lab:
        servers = lab.serve_all()
        manifests = lab.dir / "manifests"
        shutil.copytree(HERE / "manifests", manifests)

        step("The manifests, as a platform team has them")
        print(f"{DIM}$ penstock check -f tests/demo/manifests{END}")
        print(sh(program("penstock"), "check", "-f", str(manifests), check=False).stdout.rstrip())

        step("penstock run -f tests/demo/manifests")
        with Penstock(lab, dataplane=False) as p:
            print("\n".join("   " + line for line in p.logged().splitlines()[-12:]))
            command(p, "get", "gateways")
            command(p, "get", "routes")
            command(p, "get", "endpoints")

            step(f"TCP: 400 connections from two clients to {VIP}:80 (weights 90 : 10 by TCPRoute)")
            total = {}
            for c in ("c1", "c2"):
                r = client(lab[c], "who", VIP, 80, "--count", 200)
                for b, n in r["backends"].items():
                    total[b] = total.get(b, 0) + n
                verdict(not r["errors"], f"{c}: 200 connections, errors: {r['errors'] or 'none'}")
            bar(total)
            print(f"{DIM}$ curl http://{VIP}/{END}\n{lab['c1'].sh('curl', '-s', f'http://{VIP}/').stdout.rstrip()}")

            step(f"UDP: 60 datagrams to {VIP}:53")
            r = client(lab["c1"], "who", VIP, 53, "--count", 60, "--udp")
            bar(r["backends"])
            verdict(not r["errors"], f"errors: {r['errors'] or 'none'}")

            step("A live change: the weights become 10 : 90 while 100 connections stay open")
            holder = start_client(lab["c2"], "hold", VIP, 80, "--count", 100, "--seconds", 4)
            routes = (manifests / "20-routes.yaml").read_text()
            p.write("20-routes.yaml", routes.replace("weight: 90", "weight: X").replace("weight: 10", "weight: 90").replace("weight: X", "weight: 10"))
            time.sleep(0.3)
            r = client(lab["c1"], "who", VIP, 80, "--count", 400)
            bar(r["backends"])
            verdict(not r["errors"] and r["backends"].get("b3", 0) > 300, "new connections follow the new weights")
            r = finish(holder)
            verdict(not r["errors"], f"the 100 open connections: {r['lines']} lines echoed, errors: {r['errors'] or 'none'}")

            step("A server dies: its probe takes it out")
            servers[0].terminate()
            servers[0].wait()
            wait_for("the verdict", lambda: any(e["state"] == "down" for e in p.items("endpoints")), 5)
            command(p, "get", "endpoints")
            r = client(lab["c1"], "who", VIP, 80, "--count", 200)
            verdict(not r["errors"] and "b1" not in r["backends"], f"200 new connections, errors: {r['errors'] or 'none'}")

            step("kill -9 of both processes while 100 FullNAT connections are open")
            holder = start_client(lab["c2"], "hold", VIP, 80, "--count", 100, "--seconds", 5, "--timeout", 8, "--interval", 0.1)
            p.kill("penstockd")
            p.kill("penstock-dataplane")
            r = finish(holder)
            verdict(not r["errors"], f"{r['lines']} lines echoed, longest pause {r['longest_s']} s, resets: {r['errors'] or 'none'}")

            step("What an operator sees")
            command(p, "get", "services")
            command(p, "get", "workers")
            command(p, "explain", "--from", "10.78.1.2:40000", "--to", f"{VIP}:80/tcp")
            command(p, "top", "--once")
        print(f"\n{BOLD}{'All of it worked.' if not failures else f'{failures} steps failed.'}{END}"
              "  Next: docs/tutorial/first-steps.md, with your own manifests.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

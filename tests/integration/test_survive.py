# SPDX-License-Identifier: Apache-2.0
"""What established flows must survive: changes of backends, and the death of either process."""

import os
import pathlib
import signal
import stat
import subprocess
import time

from lab import VIP4, VIP6, Penstock, client, endpoint_slices, finish, service, start_client, wait_for


def both(lab, names=None):
    names = names or lab.backends
    return [lab[b].address4 for b in names] + [lab[b].address6 for b in names]


def test_long_transfers_across_backend_churn(lab):
    """Backends come and go every 100 ms for seconds; no transfer through those that stay is touched."""
    lab.serve_all()
    with Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6))) as p:
        runs = [start_client(lab["c1"], "hold", vip, 80, "--count", 60, "--seconds", 6) for vip in (VIP4, VIP6)]
        loads = [start_client(lab["c2"], "bulk", VIP4, 80, "--bytes", 80_000_000, "--count", 2)]
        for i in range(40):
            p.write("10.yaml", service("web", both(lab, lab.backends[: 1 + i % 3]), vips=(VIP4, VIP6)))
            time.sleep(0.1)
        for r in runs + loads:
            assert not finish(r)["errors"]


def test_control_plane_killed_in_a_loop(lab):
    lab.serve_all()
    with Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6))) as p:
        runs = [start_client(lab["c1"], "hold", vip, 80, "--count", 50, "--seconds", 7, "--interval", 0.05, "--timeout", 2)
                for vip in (VIP4, VIP6)]
        for _ in range(4):
            before = p.kill("penstockd")
            time.sleep(0.3)
            r = client(lab["c2"], "who", VIP4, 80, "--count", 20)
            assert not r["errors"], r
            wait_for("penstockd to be restarted", lambda: p.pid("penstockd") not in (None, before))
            time.sleep(0.7)
        for r in runs:
            r = finish(r)
            assert not r["errors"], r
            assert r["longest_s"] < 0.5, r
        wait_for("the channel to be attached again", p.is_ready)
        # And it still takes changes.
        p.write("10.yaml", service("web", [lab["b2"].address4]))
        wait_for("the change", lambda: set(client(lab["c1"], "who", VIP4, 80, "--count", 10)["backends"]) == {"b2"})


def test_dataplane_killed_in_a_loop(lab):
    """kill -9: back within a second, also where others want the CPUs, and no FullNAT flow is reset."""
    lab.serve_all()
    with Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6)) + "---" + service(
            "dns", both(lab), vips=(VIP4, VIP6), port=53, protocol="UDP")) as p:
        runs = [start_client(lab["c1"], "hold", vip, 80, "--count", 100, "--seconds", 6, "--interval", 0.1, "--timeout", 8)
                for vip in (VIP4, VIP6)]
        beat = start_client(lab["c2"], "beat", VIP4, 53, "--seconds", 6)
        for busy in (0, 0, 4):
            load = [subprocess.Popen(["timeout", "1.6", "sh", "-c", "while :; do :; done"]) for _ in range(busy)]
            before = p.kill("penstock-dataplane")
            time.sleep(1.6)
            assert p.pid("penstock-dataplane") not in (None, before)
            for burner in load:
                burner.wait()
        for r in [finish(r) for r in runs]:
            assert not r["errors"], r
        r = finish(beat)
        gaps = sorted(r["gaps"], reverse=True)[:3]
        print("seconds without traffic after kill -9 of the dataplane:", gaps)
        assert r["silent_s"] < 1 and len(gaps) == 3 and gaps[1] < 1.0 and gaps[0] < 1.6, r
        flows = sum(w["flow_v4"]["restored"] for w in p.items("workers"))
        assert flows >= 100, flows
        # Having hurried to start, it does not go before others when it runs.
        nice = {(task / "stat").read_text().rsplit(")", 1)[1].split()[16]
                for task in pathlib.Path(f"/proc/{p.pid('penstock-dataplane')}/task").iterdir()}
        assert nice == {str(os.getpriority(os.PRIO_PROCESS, 0))}, nice


def test_both_killed(lab):
    """With penstockd unable to start, the dataplane serves the snapshot it finds on disk."""
    lab.serve_all()
    p = Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6)))
    with p:
        wait_for("the snapshot on disk", lambda: (p.state / "snapshot").exists())
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 50, "--seconds", 8, "--timeout", 8)
        p.kill("penstockd")
        p.kill("penstock-dataplane")
        r = wait_for("traffic", lambda: (lambda x: x if not x["errors"] else None)(
            client(lab["c2"], "who", VIP4, 80, "--count", 10, "--timeout", 0.5)), 8)
        assert sum(r["backends"].values()) == 10
        r = finish(run)
        assert not r["errors"], r


def test_dataplane_alone_serves_from_disk(lab):
    from lab import program

    lab.serve_all()
    p = Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6)))
    wait_for("the snapshot on disk", lambda: (p.state / "snapshot").exists())
    time.sleep(0.3)
    assert p.stop() == 0
    alone = lab["gw"].popen(program("penstock-dataplane"), "--runtime-dir", str(p.runtime), "--state-dir", str(p.state))
    r = wait_for("traffic from the snapshot on disk", lambda: (lambda x: x if not x["errors"] else None)(
        client(lab["c2"], "who", VIP4, 80, "--count", 10, "--timeout", 0.5)), 8)
    assert sum(r["backends"].values()) == 10
    alone.terminate()
    alone.wait(5)


def test_corrupt_snapshot_on_disk_is_refused(lab):
    from lab import program

    lab.serve_all()
    p = Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6)))
    snapshot = p.state / "snapshot"
    wait_for("the snapshot on disk", snapshot.exists)
    time.sleep(0.3)
    p.stop()
    good = snapshot.read_bytes()
    for what, bad in (("truncated", good[: len(good) // 2]), ("corrupted", good[:5000] + b"\xff" * 64 + good[5064:]),
                      ("empty", b"")):
        snapshot.write_bytes(bad)
        run = lab["gw"].popen(program("penstock-dataplane"), "--runtime-dir", str(p.runtime), "--state-dir", str(p.state))
        time.sleep(2.0)
        run.terminate()
        out, _ = run.communicate(timeout=5)
        assert "snapshot" in out and "refused" in out, (what, out)


def test_bad_manifest_changes_nothing(lab):
    lab.serve_all()
    with Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6))) as p:
        generation = p.get("status")["generation"]
        good = (p.manifests / "10.yaml").read_text()
        p.write("10.yaml", good.replace("port: 80,", "port: 99999,"))
        wait_for("the error to be shown", lambda: "10.yaml:" in str(p.get("status")) and "99999" in str(p.get("status")))
        assert not client(lab["c1"], "who", VIP4, 80, "--count", 20)["errors"]
        p.write("10.yaml", good + "---\n{ not: [closed")
        time.sleep(0.3)
        assert not client(lab["c1"], "who", VIP4, 80, "--count", 20)["errors"]
        p.write("10.yaml", good)
        wait_for("the error to go", lambda: "99999" not in str(p.get("status")["diagnostics"]))
        assert p.get("status")["generation"] >= generation


def test_drain_lets_flows_finish(lab):
    lab.serve_all()
    with Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6))) as p:
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 60, "--seconds", 4)
        assert p.cli("drain", "endpoint", f"{lab['b1'].address4}:8080").returncode == 0
        time.sleep(0.2)
        r = client(lab["c2"], "who", VIP4, 80, "--count", 60)
        assert "b1" not in r["backends"] and not r["errors"], r
        r = finish(run)
        assert not r["errors"] and r["backends"].get("b1", 0) > 5, r
        p.cli("drain", "endpoint", f"{lab['b1'].address4}:8080", "--undo")
        wait_for("b1 to be back", lambda: "b1" in client(lab["c2"], "who", VIP4, 80, "--count", 30)["backends"])


def test_drain_deadline_ends_flows(lab):
    lab.serve_all()
    note = {"penstock.dev/drain-timeout": "2s"}
    with Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6), annotations=note)) as p:
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 60, "--seconds", 8, "--timeout", 3)
        p.write("10.yaml", service("web", both(lab, ["b2", "b3"]), vips=(VIP4, VIP6), annotations=note))
        r = finish(run)
        ended = sum(r["errors"].values())
        assert 5 < ended <= r["backends"]["b1"], r


def test_terminating_endpoint_keeps_its_flows(lab):
    lab.serve_all()
    a = [lab[b].address4 for b in lab.backends]
    with Penstock(lab, service("web", a)) as p:
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 60, "--seconds", 3)
        p.write("10.yaml", service("web", [{"address": a[0], "ready": False, "serving": True, "terminating": True}, *a[1:]]))
        wait_for("b1 to get no new flow", lambda: "b1" not in client(lab["c2"], "who", VIP4, 80, "--count", 40)["backends"])
        r = finish(run)
        assert not r["errors"] and r["backends"].get("b1", 0) > 5, r


def test_privileges_and_files(lab):
    """penstockd keeps one capability; its directory is its own, and leads the dataplane, which is root, nowhere else."""
    lab.serve_all()
    with Penstock(lab, service("web", both(lab), vips=(VIP4, VIP6))) as p:
        def status(name):
            text = pathlib.Path(f"/proc/{p.pid(name)}/status").read_text()
            return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)

        control = status("penstockd")
        assert "0" not in control["Uid"].split() and "0" not in control["Gid"].split(), control
        assert int(control["CapEff"], 16) in (0, 1 << 2), control["CapEff"]  # CAP_DAC_READ_SEARCH
        assert control["NoNewPrivs"].strip() == "1"
        assert os.stat(p.runtime).st_uid == int(control["Uid"].split()[0])
        wait_for("the snapshot on disk", lambda: (p.state / "snapshot").exists())
        modes = {f.name: stat.filemode(f.lstat().st_mode) for f in p.runtime.iterdir()}
        for name, mode in (("admin.sock", "srw-------"), ("dataplane.sock", "srw-------"), ("notify.sock", "srw-rw-rw-"),
                           ("state", "-rw-------"), ("counters", "-rw-r--r--"), ("dataplane.lock", "-rw-------"),
                           ("affinity", "-rw-r-----")):
            assert modes[name] == mode, modes
        assert not [n for n, m in modes.items() if m[8] == "w" and n != "notify.sock"], modes

        # What the directory's owner might plant while the dataplane is away.
        victim = lab.dir / "victim"
        victim.write_text("precious")
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 40, "--seconds", 4, "--timeout", 4)
        pid = p.pid("penstock-dataplane")
        os.kill(pid, signal.SIGSTOP)
        for name in ("affinity", "flows-6-0", "flows-6-0.new", "counters.new", "dataplane.lock"):
            (p.runtime / name).unlink(missing_ok=True)
            if name != "dataplane.lock":
                (p.runtime / name).symlink_to(victim)
        os.kill(pid, signal.SIGKILL)
        r = finish(run)
        assert not r["errors"], r
        assert victim.read_text() == "precious"
        assert not (p.runtime / "affinity").is_symlink() and not (p.runtime / "flows-6-0").is_symlink()
        assert not client(lab["c2"], "who", VIP6, 80, "--count", 20)["errors"]

# SPDX-License-Identifier: Apache-2.0
"""Several workers: AF_PACKET queues, and one queue spread in software."""

import pytest

from lab import VIP4, VIP6, Penstock, client, dataplane_document, finish, service, start_client, wait_for

from test_net import services, udp_echo


@pytest.mark.parametrize("queues", [2, 1], ids=["a queue per worker", "one queue, hand-off"])
def test_two_workers(lab, queues):
    lab.serve_all()
    with Penstock(lab, services(lab), dataplane=dataplane_document(lab, workers=2, queues=queues)) as p:
        runs = [start_client(lab["c1"], "hold", vip, 80, "--count", 60, "--seconds", 5) for vip in (VIP4, VIP6)]
        for vip in (VIP4, VIP6):
            r = client(lab["c2"], "who", vip, 80, "--count", 100)
            assert not r["errors"] and set(r["backends"]) == set(lab.backends), (r, p.cli("get", "drops").stdout)
            assert not client(lab["c2"], "who", vip, 53, "--count", 30, "--udp")["errors"]
            assert not client(lab["c2"], "fetch", vip, 80, "--bytes", 10_000_000, "--count", 4)["errors"]
            assert udp_echo(lab, 4000, vip, host="c2").stdout.startswith("True")
        for r in runs:
            assert not finish(r)["errors"]
        workers = p.items("workers")
        assert len(workers) == 2
        assert all(w["flow_v4"]["created"] > 20 for w in workers), workers
        assert sum(w["handoff_out"] for w in workers) > 0
        assert sum(w["handoff_out"] for w in workers) == sum(w["handoff_in"] for w in workers)


def test_two_workers_survive_kill(lab):
    lab.serve_all()
    with Penstock(lab, services(lab), dataplane=dataplane_document(lab, workers=2)) as p:
        runs = [start_client(lab["c1"], "hold", vip, 80, "--count", 80, "--seconds", 5, "--timeout", 5) for vip in (VIP4, VIP6)]
        p.kill("penstock-dataplane")
        for r in runs:
            r = finish(r)
            assert not r["errors"], r


def test_flows_follow_a_change_of_worker_count(lab):
    """Restarted with another number of workers, flows move to their new owners instead of being lost."""
    lab.serve_all()
    with Penstock(lab, services(lab), dataplane=dataplane_document(lab, workers=1)) as p:
        run = start_client(lab["c1"], "hold", VIP4, 80, "--count", 80, "--seconds", 6, "--timeout", 5)
        p.write("00-dataplane.yaml", dataplane_document(lab, workers=2))
        wait_for("the need for a restart to be shown", lambda: p.get("status").get("restart_needed"))
        p.kill("penstock-dataplane")
        r = finish(run)
        assert not r["errors"], r
        assert len(p.items("workers")) == 2

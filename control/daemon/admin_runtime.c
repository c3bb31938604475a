/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/{ports,workers,drops,graph,neighbours,stats}: what the dataplane counts. */
#include <stdlib.h>
#include <string.h>

#include "control/daemon/baseline.h"
#include "control/daemon/request.h"

/* Text in shared memory need not end. */
static json_t *
text_json(const char *text, size_t size)
{
	char copy[128];

	if (size > sizeof(copy))
		size = sizeof(copy);
	memcpy(copy, text, size);
	copy[size - 1] = '\0';
	return json_string(copy);
}

/* 503 when no dataplane has run. */
static bool
counters_ready(struct ps_request *r)
{
	if (ps_counters_refresh(&r->daemon->counters))
		return true;
	ps_reply_error(r, HTTP_SERVUNAVAIL, "no dataplane has run yet in %s", r->daemon->options.runtime_dir);
	return false;
}

static json_t *
with_clock(struct ps_request *r, json_t *items)
{
	const struct ps_counters_map *m = &r->daemon->counters;

	return json_pack("{s:o, s:I, s:I, s:I}", "items", items, "tsc_hz", (json_int_t)m->tsc_hz, "time_ns",
		(json_int_t)ps_realtime_ns(), "epoch", (json_int_t)m->epoch);
}

static json_t *
port_json(const struct ps_port_status *p)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} can[] = {{PS_PORT_CAN_RSS, "rss"}, {PS_PORT_CAN_RX_CHECKSUM, "rx-checksum"},
		{PS_PORT_CAN_TX_CHECKSUM, "tx-checksum"}, {PS_PORT_CAN_CHAINS, "chains"}, {PS_PORT_CAN_RSS_KEY, "rss-key"}};
	json_t *o, *list = json_array();
	char mac[24];
	size_t i;

	for (i = 0; i < sizeof(can) / sizeof(*can); i++)
		if (p->flags & can[i].flag)
			json_array_append_new(list, json_string(can[i].name));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4],
		p->mac[5]);
	o = json_pack("{s:o, s:o, s:o, s:s, s:s, s:b, s:i, s:I, s:i, s:i, s:i, s:o, s:b}", "name",
		text_json(p->name, sizeof(p->name)), "driver", text_json(p->driver, sizeof(p->driver)), "device",
		text_json(p->device, sizeof(p->device)), "kind", ps_port_kind_name(p->kind), "mac", mac, "link_up",
		p->link_up != 0, "mtu", (int)p->mtu, "speed_mbps",
		p->speed_mbps == UINT32_MAX ? (json_int_t)0 : (json_int_t)p->speed_mbps, "numa_node", (int)p->numa_node,
		"rx_queues", (int)p->rx_queues, "tx_queues", (int)p->tx_queues, "can", list, "distrusts_checksum",
		(p->flags & PS_PORT_DISTRUSTS_CHECKSUM) != 0);
	if (o != NULL)
		json_object_update_new(o, json_pack("{s:b, s:b}", "spreads_in_software", (p->flags & PS_PORT_SPREADS) != 0,
			"shares_tx_queues", (p->flags & PS_PORT_SHARES_TX) != 0));
	if (o != NULL)
		json_object_update_new(o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "rx_packets",
			(json_int_t)p->rx_packets, "rx_bytes", (json_int_t)p->rx_bytes, "rx_missed", (json_int_t)p->rx_missed,
			"rx_errors", (json_int_t)p->rx_errors, "rx_nombuf", (json_int_t)p->rx_nombuf, "tx_packets",
			(json_int_t)p->tx_packets, "tx_bytes", (json_int_t)p->tx_bytes, "tx_errors", (json_int_t)p->tx_errors));
	return o;
}

void
ps_get_ports(struct ps_request *r)
{
	json_t *items;
	uint32_t i;

	if (!counters_ready(r))
		return;
	items = json_array();
	for (i = 0; i < r->daemon->counters.ports; i++)
		json_array_append_new(items, port_json(&r->daemon->counters.shared->port[i]));
	ps_reply_json(r, HTTP_OK, with_clock(r, items));
}

static json_t *
flows_json(const struct ps_flow_counters *f)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "active", (json_int_t)f->active, "capacity",
		(json_int_t)f->capacity, "created", (json_int_t)f->created, "expired", (json_int_t)f->expired, "evicted",
		(json_int_t)f->evicted, "refused", (json_int_t)f->refused, "stateless", (json_int_t)f->stateless, "restored",
		(json_int_t)f->restored);
}

static json_t *
worker_json(uint32_t index, const struct ps_worker_counters *w)
{
	static const char *const states[] = {"starting", "polling", "sleeping", "stopped"};
	json_t *o = json_pack("{s:i, s:i, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "worker", (int)index, "cpu", (int)w->cpu,
		"tid", (int)w->tid, "state", w->state < 4 ? states[w->state] : "unknown", "generation", (json_int_t)w->generation,
		"cycles", (json_int_t)w->cycles, "busy_cycles", (json_int_t)w->busy_cycles, "loops", (json_int_t)w->loops,
		"empty_loops", (json_int_t)w->empty_loops, "flow_v4", flows_json(&w->flow_v4), "flow_v6", flows_json(&w->flow_v6));

	if (o != NULL)
		json_object_update_new(o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "rx_packets",
			(json_int_t)w->rx_packets, "rx_bytes", (json_int_t)w->rx_bytes, "tx_packets", (json_int_t)w->tx_packets,
			"tx_bytes", (json_int_t)w->tx_bytes, "handoff_in", (json_int_t)w->handoff_in, "handoff_out",
			(json_int_t)w->handoff_out, "snat_ports_in_use", (json_int_t)w->snat_ports_in_use, "snat_miss",
			(json_int_t)w->snat_miss));
	return o;
}

void
ps_get_workers(struct ps_request *r)
{
	json_t *items;
	uint32_t i;

	if (!counters_ready(r))
		return;
	items = json_array();
	for (i = 0; i < r->daemon->counters.workers; i++)
		json_array_append_new(items, worker_json(i, &r->daemon->counters.worker[i]));
	ps_reply_json(r, HTTP_OK, with_clock(r, items));
}

void
ps_get_drops(struct ps_request *r)
{
	static const char *const kinds[] = {[PS_EXIT_KIND_forward] = "forward", [PS_EXIT_KIND_consume] = "consume",
		[PS_EXIT_KIND_drop] = "drop", [PS_EXIT_KIND_answer] = "answer"};
	const struct ps_counters_map *m = &r->daemon->counters;
	const struct ps_baseline *base;
	json_t *items, *o;
	uint32_t i, w;
	int64_t all;

	if (ps_request_number(r, "all", 0, 1, 0, &all) != 0 || !counters_ready(r))
		return;
	base = ps_baseline_get(r->daemon);
	items = json_array();
	for (i = 0; i < PS_EXIT_COUNT; i++) {
		uint64_t packets = ps_exit_total(m, i) - (base == NULL ? 0 : base->totals.exit[i]);
		json_t *workers;

		if (packets == 0 && !all)
			continue;
		workers = json_array();
		for (w = 0; w < m->workers; w++)
			json_array_append_new(workers,
				json_integer((json_int_t)(m->worker[w].exit[i] - (base == NULL ? 0 : base->exit[w][i]))));
		json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:I, s:o}", "name", ps_exit_info[i].name, "kind",
			kinds[ps_exit_info[i].kind], "description", ps_exit_info[i].text, "packets", (json_int_t)packets, "workers",
			workers));
	}
	o = with_clock(r, items);
	if (o != NULL)
		json_object_set_new(o, "since", ps_time_json(base == NULL ? m->shared->started_ns : base->time_ns));
	ps_reply_json(r, HTTP_OK, o);
}

void
ps_get_graph(struct ps_request *r)
{
	const struct ps_counters_map *m = &r->daemon->counters;
	json_t *items;
	uint32_t i, w, e;

	if (!counters_ready(r))
		return;
	items = json_array();
	for (i = 0; i < m->nodes; i++) {
		const struct ps_node_status *n = &m->shared->node[i];
		uint32_t edges = n->edges < PS_MAX_EDGES ? n->edges : PS_MAX_EDGES;
		struct ps_node_counters sum = {0};
		json_t *names = json_array();

		for (e = 0; e < edges; e++)
			if (n->edge[e] < m->nodes)
				json_array_append_new(names, text_json(m->shared->node[n->edge[e]].name, PS_NODE_NAME));
		for (w = 0; w < m->workers; w++) {
			sum.calls += m->worker[w].node[i].calls;
			sum.packets += m->worker[w].node[i].packets;
			sum.cycles += m->worker[w].node[i].cycles;
		}
		json_array_append_new(items, json_pack("{s:o, s:o, s:I, s:I, s:I, s:f}", "name", text_json(n->name, PS_NODE_NAME),
			"edges", names, "calls", (json_int_t)sum.calls, "packets", (json_int_t)sum.packets, "cycles",
			(json_int_t)sum.cycles, "cycles_per_packet",
			sum.packets == 0 ? 0.0 : (double)sum.cycles / (double)sum.packets));
	}
	ps_reply_json(r, HTTP_OK, with_clock(r, items));
}

/* Names of interfaces are those of the running snapshot. */
static const char *
interface_name(const struct ps_daemon *d, uint32_t iface)
{
	const struct ps_compiled *c = ps_publish_running(d);
	const struct ps_iface *i;

	if (c == NULL || iface >= ps_snapshot_length(c->snapshot, PS_SEC_IFACE))
		return "";
	i = ps_snapshot_item(c->snapshot, PS_SEC_IFACE, iface);
	return ps_snapshot_string(c->snapshot, i->name);
}

void
ps_get_neighbours(struct ps_request *r)
{
	static const char *const states[] = {"free", "incomplete", "reachable", "stale", "failed"};
	const struct ps_counters_map *m = &r->daemon->counters;
	json_t *items;
	uint32_t i, n;

	if (!counters_ready(r))
		return;
	items = json_array();
	n = m->shared->neighbours;
	for (i = 0; i < n && i < PS_MAX_NEIGHBOURS_SHOWN; i++) {
		struct ps_neighbour_status s = m->shared->neighbour[i];
		char address[PS_ADDRESS_TEXT], mac[24];

		if (s.state == 0 || s.state > 4)
			continue;
		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", s.mac[0], s.mac[1], s.mac[2], s.mac[3], s.mac[4], s.mac[5]);
		json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:s, s:I}", "address",
			ps_ip_text(address, sizeof(address), &s.addr), "mac", mac, "interface", interface_name(r->daemon, s.iface),
			"state", states[s.state], "age_s", (json_int_t)s.age_s));
	}
	ps_reply_json(r, HTTP_OK, ps_items(items));
}

void
ps_get_stats(struct ps_request *r)
{
	const struct ps_counters_map *m = &r->daemon->counters;
	const struct ps_baseline *base;
	struct ps_totals t;
	json_t *o, *exits;
	uint64_t drops = 0, answers = 0;
	uint32_t i;

	if (!counters_ready(r))
		return;
	base = ps_baseline_get(r->daemon);
	ps_totals_sum(m, &t);
	if (base != NULL)
		ps_totals_subtract(&t, &base->totals);
	exits = json_object();
	for (i = 0; i < PS_EXIT_COUNT; i++) {
		drops += ps_exit_info[i].kind == PS_EXIT_KIND_drop ? t.exit[i] : 0;
		answers += ps_exit_info[i].kind == PS_EXIT_KIND_answer ? t.exit[i] : 0;
		if (t.exit[i] != 0)
			json_object_set_new(exits, ps_exit_info[i].name, json_integer((json_int_t)t.exit[i]));
	}
	o = json_pack("{s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "time_ns", (json_int_t)ps_realtime_ns(), "since",
		ps_time_json(base == NULL ? m->shared->started_ns : base->time_ns), "epoch", (json_int_t)m->epoch, "tsc_hz",
		(json_int_t)m->tsc_hz, "rx_packets", (json_int_t)t.rx_packets, "rx_bytes", (json_int_t)t.rx_bytes, "tx_packets",
		(json_int_t)t.tx_packets, "tx_bytes", (json_int_t)t.tx_bytes, "drops", (json_int_t)drops, "answers",
		(json_int_t)answers, "exits", exits);
	if (o != NULL)
		json_object_update_new(o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "handoffs",
			(json_int_t)t.handoffs, "cycles", (json_int_t)t.cycles, "busy_cycles", (json_int_t)t.busy_cycles, "flows_active",
			(json_int_t)t.flows_active, "flows_capacity", (json_int_t)t.flows_capacity, "flows_created",
			(json_int_t)t.flows_created, "flows_expired", (json_int_t)t.flows_expired, "flows_evicted",
			(json_int_t)t.flows_evicted, "flows_refused", (json_int_t)t.flows_refused, "snat_miss",
			(json_int_t)t.snat_miss));
	ps_reply_json(r, HTTP_OK, o);
}

void
ps_post_reset_stats(struct ps_request *r)
{
	if (!counters_ready(r))
		return;
	if (ps_baseline_take(r->daemon) != 0) {
		ps_reply_json(r, HTTP_OK, NULL);
		return;
	}
	ps_reply_json(r, HTTP_OK, json_pack("{s:o}", "since", ps_time_json(r->daemon->baseline->time_ns)));
}

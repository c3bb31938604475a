/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics: what there is one of, or as many as workers, ports, stages and exits. Services and endpoints, of which
 * there may be thousands, follow in metrics_many.c.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/daemon/baseline.h"
#include "control/daemon/exposition.h"
#include "control/daemon/metrics.h"
#include "control/daemon/request.h"

#define NUMBER_TEXT 16

static const char *
number(char *text, uint32_t v)
{
	snprintf(text, NUMBER_TEXT, "%u", v);
	return text;
}

static void
process_metrics(struct ps_exposition *x, struct ps_daemon *d)
{
	struct ps_attach_stats attach;
	struct ps_slots_usage usage = {0};
	struct ps_saver_status disk;
	uint32_t errors, warnings;
	char abi[NUMBER_TEXT];

	ps_attach_stats(d->attach, &attach);
	ps_metric_family(x, PS_METRIC_GAUGE, "build_info", "Always 1; the version is in the labels.");
	ps_metric_u64(x, 1, "version", PS_VERSION, "abi", number(abi, PS_ABI), NULL);
	ps_metric_family(x, PS_METRIC_GAUGE, "start_time_seconds", "When penstockd was started, Unix time.");
	ps_metric(x, (double)d->started_ns / 1e9, NULL);
	ps_metric_family(x, PS_METRIC_GAUGE, "dataplane_attached", "1 when a dataplane is attached to penstockd.");
	ps_metric_u64(x, attach.attached, NULL);
	ps_metric_family(x, PS_METRIC_COUNTER, "attaches_total", "Times that a dataplane attached.");
	ps_metric_u64(x, attach.attaches, NULL);
	ps_metric_family(x, PS_METRIC_COUNTER, "malformed_messages_total", "Messages from the dataplane that made no sense.");
	ps_metric_u64(x, attach.messages_rejected, NULL);
	ps_metric_family(x, PS_METRIC_GAUGE, "generation", "Generation of the configuration: compiled, and live.");
	ps_metric_u64(x, d->latest == NULL ? 0 : d->latest->compiled->generation, "which", "compiled", NULL);
	ps_metric_u64(x, d->applied == NULL ? 0 : d->applied->compiled->generation, "which", "live", NULL);
	ps_metric_family(x, PS_METRIC_COUNTER, "publications_total", "Configurations handed to the dataplane, by answer.");
	ps_metric_u64(x, d->publications_applied, "result", "applied", NULL);
	ps_metric_u64(x, d->publications_rejected, "result", "rejected", NULL);
	ps_metric_u64(x, d->publications_unanswered, "result", "unanswered", NULL);
	ps_metric_family(x, PS_METRIC_GAUGE, "publication_seconds", "How long the last change took, from noticed to live, by part.");
	ps_metric(x, (double)d->publication.parse_ns / 1e9, "part", "parse", NULL);
	ps_metric(x, (double)d->publication.resolve_ns / 1e9, "part", "resolve", NULL);
	ps_metric(x, (double)d->publication.compile_ns / 1e9, "part", "compile", NULL);
	ps_metric(x, (double)d->publication.apply_ns / 1e9, "part", "apply", NULL);
	ps_metric(x, (double)d->publication.total_ns / 1e9, "part", "total", NULL);
	ps_manifests_counts(d->manifests, &errors, &warnings);
	if (d->model != NULL) {
		errors += d->model->diagnostics.errors;
		warnings += d->model->diagnostics.warnings;
	}
	ps_metric_family(x, PS_METRIC_GAUGE, "manifest_diagnostics", "What is wrong with manifests now.");
	ps_metric_u64(x, errors, "severity", "error", NULL);
	ps_metric_u64(x, warnings, "severity", "warning", NULL);
	ps_metric_family(x, PS_METRIC_GAUGE, "manifest_files", "Files that are read and watched.");
	ps_metric_u64(x, ps_watch_files(d->watch), NULL);
	if (d->slots != NULL)
		ps_slots_usage(d->slots, &usage);
	ps_metric_family(x, PS_METRIC_GAUGE, "slots", "Slots of services and endpoints in use.");
	ps_metric_u64(x, usage.services, "kind", "service", NULL);
	ps_metric_u64(x, usage.endpoints, "kind", "endpoint", NULL);
	ps_metric_family(x, PS_METRIC_GAUGE, "slots_capacity", "Slots of services and endpoints there are.");
	ps_metric_u64(x, usage.service_slots, "kind", "service", NULL);
	ps_metric_u64(x, usage.endpoint_slots, "kind", "endpoint", NULL);
	ps_metric_family(x, PS_METRIC_GAUGE, "endpoints_draining", "Endpoints that take no new flows and keep established ones.");
	ps_metric_u64(x, usage.draining, NULL);
	ps_saver_status(d->saver, &disk);
	ps_metric_family(x, PS_METRIC_GAUGE, "disk_snapshot_generation", "Generation of the last valid configuration on disk; 0: none written yet.");
	ps_metric_u64(x, disk.generation, NULL);
}

#define EACH_WORKER(x, type, name, help, value)                                 \
	do {                                                                    \
		ps_metric_family(x, type, name, help);                          \
		for (w = 0; w < m->workers; w++)                                \
			ps_metric_u64(x, (value), "worker", number(worker, w), NULL); \
	} while (0)

static void
worker_metrics(struct ps_exposition *x, const struct ps_counters_map *m)
{
	double hz = m->tsc_hz == 0 ? 1.0 : (double)m->tsc_hz;
	char worker[NUMBER_TEXT];
	uint32_t w;

	ps_metric_family(x, PS_METRIC_COUNTER, "worker_seconds_total", "Time since the worker started, by what it did.");
	for (w = 0; w < m->workers; w++) {
		uint64_t all = m->worker[w].cycles, busy = m->worker[w].busy_cycles;

		ps_metric(x, (double)busy / hz, "worker", number(worker, w), "state", "busy", NULL);
		ps_metric(x, (double)(all > busy ? all - busy : 0) / hz, "worker", worker, "state", "idle", NULL);
	}
	EACH_WORKER(x, PS_METRIC_COUNTER, "worker_receive_packets_total", "Packets received from ports.", m->worker[w].rx_packets);
	EACH_WORKER(x, PS_METRIC_COUNTER, "worker_receive_bytes_total", "Bytes received from ports.", m->worker[w].rx_bytes);
	EACH_WORKER(x, PS_METRIC_COUNTER, "worker_transmit_packets_total", "Packets sent to ports.", m->worker[w].tx_packets);
	EACH_WORKER(x, PS_METRIC_COUNTER, "worker_transmit_bytes_total", "Bytes sent to ports.", m->worker[w].tx_bytes);
	EACH_WORKER(x, PS_METRIC_COUNTER, "worker_handoff_packets_total", "Packets given to the worker that owns their flow.", m->worker[w].handoff_out);
	EACH_WORKER(x, PS_METRIC_COUNTER, "snat_misses_total", "Replies that arrived at another worker than planned.", m->worker[w].snat_miss);
	EACH_WORKER(x, PS_METRIC_GAUGE, "snat_ports_in_use", "Source ports that flows have.", m->worker[w].snat_ports_in_use);
	EACH_WORKER(x, PS_METRIC_GAUGE, "worker_generation", "Generation of the configuration that the worker uses.", m->worker[w].generation);
}

#define EACH_TABLE(x, type, name, help, field)                                                                       \
	do {                                                                                                         \
		ps_metric_family(x, type, name, help);                                                               \
		for (w = 0; w < m->workers; w++) {                                                                   \
			ps_metric_u64(x, m->worker[w].flow_v4.field, "worker", number(worker, w), "family", "ipv4", NULL); \
			ps_metric_u64(x, m->worker[w].flow_v6.field, "worker", worker, "family", "ipv6", NULL);      \
		}                                                                                                    \
	} while (0)

static void
flow_metrics(struct ps_exposition *x, const struct ps_counters_map *m)
{
	char worker[NUMBER_TEXT];
	uint32_t w;

	EACH_TABLE(x, PS_METRIC_GAUGE, "flows", "Flow records in use.", active);
	EACH_TABLE(x, PS_METRIC_GAUGE, "flows_capacity", "Flow records there are.", capacity);
	EACH_TABLE(x, PS_METRIC_COUNTER, "flows_created_total", "Flows begun.", created);
	EACH_TABLE(x, PS_METRIC_COUNTER, "flows_expired_total", "Flows removed by age, or closed.", expired);
	EACH_TABLE(x, PS_METRIC_COUNTER, "flows_evicted_total", "Half-open flows given up for new ones, table full.", evicted);
	EACH_TABLE(x, PS_METRIC_COUNTER, "flows_refused_total", "New flows refused, table full.", refused);
	EACH_TABLE(x, PS_METRIC_COUNTER, "flows_stateless_packets_total", "Packets balanced without record, table full.", stateless);
	EACH_TABLE(x, PS_METRIC_COUNTER, "flows_restored_total", "Flows taken over from the process before.", restored);
}

static void
pipeline_metrics(struct ps_exposition *x, const struct ps_counters_map *m)
{
	static const char *const kinds[] = {[PS_EXIT_KIND_forward] = "forward", [PS_EXIT_KIND_consume] = "consume",
		[PS_EXIT_KIND_drop] = "drop", [PS_EXIT_KIND_answer] = "answer"};
	char reason[64], name[PS_NODE_NAME + 1];
	uint32_t i, w;
	size_t n;
	int field;

	ps_metric_family(x, PS_METRIC_COUNTER, "exit_packets_total", "Packets by the way they left the pipeline.");
	for (i = 0; i < PS_EXIT_COUNT; i++) {
		for (n = 0; ps_exit_info[i].name[n] != '\0' && n < sizeof(reason) - 1; n++)
			reason[n] = (char)(ps_exit_info[i].name[n] >= 'A' && ps_exit_info[i].name[n] <= 'Z'
						   ? ps_exit_info[i].name[n] - 'A' + 'a'
						   : ps_exit_info[i].name[n]);
		reason[n] = '\0';
		ps_metric_u64(x, ps_exit_total(m, i), "reason", reason, "kind", kinds[ps_exit_info[i].kind], NULL);
	}
	for (field = 0; field < 3; field++) {
		static const char *const names[] = {"node_calls_total", "node_packets_total", "node_cycles_total"};
		static const char *const helps[] = {"Times that a stage ran.", "Packets that a stage handled.", "TSC cycles that a stage took."};

		ps_metric_family(x, PS_METRIC_COUNTER, names[field], helps[field]);
		for (i = 0; i < m->nodes; i++) {
			uint64_t sum = 0;

			for (w = 0; w < m->workers; w++) {
				const struct ps_node_counters *c = &m->worker[w].node[i];

				sum += field == 0 ? c->calls : field == 1 ? c->packets : c->cycles;
			}
			memcpy(name, m->shared->node[i].name, PS_NODE_NAME);
			name[PS_NODE_NAME] = '\0';
			ps_metric_u64(x, sum, "node", name, NULL);
		}
	}
	ps_metric_family(x, PS_METRIC_GAUGE, "packet_buffers_free", "Packet buffers that nobody holds.");
	ps_metric_u64(x, m->shared->mbufs_free, NULL);
	ps_metric_family(x, PS_METRIC_GAUGE, "packet_buffers", "Packet buffers there are.");
	ps_metric_u64(x, m->shared->mbufs_total, NULL);
	ps_metric_family(x, PS_METRIC_GAUGE, "dataplane_start_time_seconds", "When the dataplane was started, Unix time.");
	ps_metric(x, (double)m->shared->started_ns / 1e9, NULL);
}

static void
port_metrics(struct ps_exposition *x, const struct ps_counters_map *m)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} fields[] = {
		{"port_receive_packets_total", "Packets that the port received.", offsetof(struct ps_port_status, rx_packets)},
		{"port_receive_bytes_total", "Bytes that the port received.", offsetof(struct ps_port_status, rx_bytes)},
		{"port_receive_missed_packets_total", "Packets lost because the port's queue was full.", offsetof(struct ps_port_status, rx_missed)},
		{"port_receive_errors_total", "Packets that the port received with errors.", offsetof(struct ps_port_status, rx_errors)},
		{"port_receive_no_buffer_total", "Times that the port found no packet buffer.", offsetof(struct ps_port_status, rx_nombuf)},
		{"port_transmit_packets_total", "Packets that the port sent.", offsetof(struct ps_port_status, tx_packets)},
		{"port_transmit_bytes_total", "Bytes that the port sent.", offsetof(struct ps_port_status, tx_bytes)},
		{"port_transmit_errors_total", "Packets that the port could not send.", offsetof(struct ps_port_status, tx_errors)},
	};
	char name[sizeof(m->shared->port[0].name) + 1];
	uint32_t p;
	size_t i;

	for (i = 0; i <= sizeof(fields) / sizeof(*fields); i++) {
		if (i == 0)
			ps_metric_family(x, PS_METRIC_GAUGE, "port_up", "1 when the port's link is up.");
		else
			ps_metric_family(x, PS_METRIC_COUNTER, fields[i - 1].name, fields[i - 1].help);
		for (p = 0; p < m->ports; p++) {
			const struct ps_port_status *s = &m->shared->port[p];

			memcpy(name, s->name, sizeof(s->name));
			name[sizeof(s->name)] = '\0';
			ps_metric_u64(x, i == 0 ? s->link_up != 0 : *(const uint64_t *)((const uint8_t *)s + fields[i - 1].offset),
				"port", name, NULL);
		}
	}
}

void
ps_get_metrics(struct ps_request *r)
{
	struct ps_daemon *d = r->daemon;
	struct ps_exposition x = {.out = evbuffer_new()};

	if (x.out == NULL) {
		evhttp_send_error(r->http, HTTP_INTERNAL, NULL);
		return;
	}
	process_metrics(&x, d);
	if (ps_counters_refresh(&d->counters)) {
		worker_metrics(&x, &d->counters);
		flow_metrics(&x, &d->counters);
		pipeline_metrics(&x, &d->counters);
		port_metrics(&x, &d->counters);
	}
	ps_metrics_many(r, &x);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What came out, for people and for programs. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <jansson.h>

#include "perf/loadgen/run.h"

static const char *const direction_name[PS_DIRECTIONS] = {"to backends", "to clients"};
static const char *const direction_key[PS_DIRECTIONS] = {"to_backend", "to_client"};
static const double percentile[] = {50, 90, 99, 99.9};
static const char *const percentile_key[] = {"p50_us", "p90_us", "p99_us", "p999_us"};

static double
us(const struct ps_engine *e, double cycles)
{
	return cycles / e->hz * 1e6;
}

static void
direction_text(const struct ps_engine *e, const struct ps_measure *m, uint32_t i)
{
	const struct ps_direction *d = &e->dir[i];

	if (m->sent[i] == 0 && d->track.received == 0)
		return;
	fprintf(stderr, "%-11s  %9.4f Mpps  sent %lu  received %lu  lost %lu (%.4f %%)  duplicate %lu  reordered %lu\n",
		direction_name[i], (double)m->received_window[i] / m->seconds / 1e6, m->sent[i], d->track.received, m->lost[i],
		m->sent[i] != 0 ? 100.0 * (double)m->lost[i] / (double)m->sent[i] : 0.0, d->track.duplicates,
		d->track.reordered);
	if (d->latency.count == 0)
		return;
	fprintf(stderr, "%-11s  latency us: min %.2f  p50 %.2f  p90 %.2f  p99 %.2f  p99.9 %.2f  max %.2f\n", "",
		us(e, d->latency.min), us(e, ps_histogram_percentile(&d->latency, 50)),
		us(e, ps_histogram_percentile(&d->latency, 90)), us(e, ps_histogram_percentile(&d->latency, 99)),
		us(e, ps_histogram_percentile(&d->latency, 99.9)), us(e, d->latency.max));
}

void
ps_report_text(const struct ps_engine *e, const struct ps_result *r)
{
	const struct ps_measure *m = &r->measure;
	uint32_t i;

	if (r->setup_flows != 0)
		fprintf(stderr, "%u flows opened in %.2f s\n", r->setup_flows, r->setup_seconds);
	for (i = 0; i < PS_DIRECTIONS; i++)
		direction_text(e, m, i);
	fprintf(stderr, "through the device: %.4f Mpps, %.3f Gbit/s of frames received\n",
		(double)m->port_rx_packets / m->seconds / 1e6,
		((double)m->port_rx_bytes + (double)m->port_rx_packets * PS_FRAME_FCS) * 8 / m->seconds / 1e9);
	if (e->tally.new_flows != 0)
		fprintf(stderr, "new flows: %lu, %.4f M/s\n", e->tally.new_flows, (double)e->tally.new_flows / m->seconds / 1e6);
	if (e->tally.wrong_address + e->tally.wrong_checksum + e->tally.resets + e->tally.icmp_errors + e->tally.unknown != 0)
		fprintf(stderr, "wrong address %lu, wrong checksum %lu of %lu checked, resets %lu, ICMP errors %lu, unknown %lu\n",
			e->tally.wrong_address, e->tally.wrong_checksum, e->tally.checksums_checked, e->tally.resets,
			e->tally.icmp_errors, e->tally.unknown);
	if (m->offered_pps > 0 && m->forgiven != 0)
		fprintf(stderr, "%lu packets were due and could not be sent: the port did not take them\n", m->forgiven);
	if (r->searched && r->search.best > 0)
		fprintf(stderr, "throughput (RFC 2544, loss <= %g %%): %.4f Mpps after %u trials\n", 100 * e->c->tolerance,
			r->search.best / 1e6, r->search.trials);
	else if (r->searched)
		fprintf(stderr, "throughput: no rate passed, down to %.4f Mpps\n", r->search.low / 1e6);
}

static json_t *
parameters_json(const struct ps_engine *e)
{
	const struct ps_config *c = e->c;
	json_t *p = json_object(), *sizes = json_array(), *ports = json_array();
	char text[2 * INET6_ADDRSTRLEN + 2];
	uint32_t i;

	for (i = 0; i < c->sizes.sizes; i++)
		json_array_append_new(sizes, json_pack("{s:i, s:i}", "bytes", c->sizes.size[i], "weight", (int)c->sizes.weight[i]));
	for (i = 0; i < c->ports; i++)
		json_array_append_new(ports, json_string(c->port[i]));
	json_object_set_new(p, "ports", ports);
	json_object_set_new(p, "frame_sizes", sizes);
	json_object_set_new(p, "protocol", json_string(c->proto == IPPROTO_TCP ? "tcp" : "udp"));
	json_object_set_new(p, "tcp_mode", json_string(c->tcp == PS_TCP_ESTABLISHED ? "established" :
							c->tcp == PS_TCP_MODE_SYN   ? "syn" :
										      "open"));
	json_object_set_new(p, "ip_version", json_integer(ps_addr_range_is_v4(&c->space.client) ? 4 : 6));
	json_object_set_new(p, "clients", json_string(ps_addr_range_format(&c->space.client, text, sizeof(text))));
	json_object_set_new(p, "destinations", json_string(ps_addr_range_format(&c->space.vip, text, sizeof(text))));
	json_object_set_new(p, "backends", json_string(ps_addr_range_format(&c->backend, text, sizeof(text))));
	json_object_set_new(p, "destination_port", json_integer(c->space.vip_port.first));
	json_object_set_new(p, "destination_ports", json_integer(c->space.vip_port.count));
	json_object_set_new(p, "backends_answer", json_boolean(!c->no_return));
	json_object_set_new(p, "flows", json_integer(c->flows));
	json_object_set_new(p, "flow_order", json_string(c->order == PS_ORDER_SCATTER    ? "scatter" :
							  c->order == PS_ORDER_SEQUENTIAL ? "sequential" :
											    "random"));
	json_object_set_new(p, "new_flows_per_s", json_real(c->new_flows));
	json_object_set_new(p, "setup_rate_per_s", json_real(c->setup_rate));
	json_object_set_new(p, "duration_s", json_real(c->duration));
	json_object_set_new(p, "warmup_s", json_real(c->warmup));
	json_object_set_new(p, "burst", json_integer(c->burst));
	json_object_set_new(p, "descriptors", json_integer(c->descriptors));
	json_object_set_new(p, "window", json_integer(c->window));
	json_object_set_new(p, "backoff_us", json_real(c->backoff * 1e6));
	json_object_set_new(p, "verify_one_in", json_integer(c->verify));
	json_object_set_new(p, "vlan", json_integer(c->vlan[0]));
	json_object_set_new(p, "line_rate_bit_per_s", json_real(ps_port_line_rate(c, e->client_port)));
	return p;
}

static json_t *
direction_json(const struct ps_engine *e, const struct ps_measure *m, uint32_t i)
{
	const struct ps_direction *d = &e->dir[i];
	json_t *o = json_object(), *latency = json_object();
	uint32_t k;

	json_object_set_new(o, "pps", json_real((double)m->received_window[i] / m->seconds));
	json_object_set_new(o, "sent", json_integer((json_int_t)m->sent[i]));
	json_object_set_new(o, "received", json_integer((json_int_t)d->track.received));
	json_object_set_new(o, "lost", json_integer((json_int_t)m->lost[i]));
	json_object_set_new(o, "duplicates", json_integer((json_int_t)d->track.duplicates));
	json_object_set_new(o, "reordered", json_integer((json_int_t)d->track.reordered));
	json_object_set_new(o, "late", json_integer((json_int_t)d->track.late));
	json_object_set_new(latency, "samples", json_integer((json_int_t)d->latency.count));
	json_object_set_new(latency, "mean_us", json_real(us(e, ps_histogram_mean(&d->latency))));
	json_object_set_new(latency, "min_us", json_real(us(e, d->latency.count != 0 ? d->latency.min : 0)));
	for (k = 0; k < RTE_DIM(percentile); k++)
		json_object_set_new(latency, percentile_key[k],
			json_real(us(e, ps_histogram_percentile(&d->latency, percentile[k]))));
	json_object_set_new(latency, "max_us", json_real(us(e, d->latency.max)));
	json_object_set_new(o, "latency", latency);
	return o;
}

static json_t *
backends_json(const struct ps_engine *e)
{
	json_t *list = json_array();
	struct ps_addr addr;
	char text[INET6_ADDRSTRLEN];
	uint32_t i;

	for (i = 0; i < RTE_MIN(e->c->backend.count, PS_BACKENDS_SHOWN); i++) {
		if (e->backend[i].first_ns == 0)
			continue;
		addr = ps_addr_range_at(&e->c->backend, i);
		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "address", ps_addr_format(&addr, text, sizeof(text)),
						"packets", (json_int_t)e->backend[i].packets, "first_seen_ns",
						(json_int_t)e->backend[i].first_ns));
	}
	return list;
}

static json_t *
search_json(const struct ps_search *s, double tolerance)
{
	json_t *o = json_object(), *trials = json_array();
	uint32_t i;

	for (i = 0; i < s->trials; i++)
		json_array_append_new(trials, json_pack("{s:f, s:I, s:I, s:f, s:b}", "pps", s->trial[i].pps, "sent",
						(json_int_t)s->trial[i].sent, "lost", (json_int_t)s->trial[i].lost, "achieved",
						s->trial[i].achieved, "passed", (int)s->trial[i].passed));
	json_object_set_new(o, "throughput_pps", json_real(s->best));
	json_object_set_new(o, "loss_tolerance", json_real(tolerance));
	json_object_set_new(o, "trials", trials);
	return o;
}

static json_t *
tally_json(const struct ps_tally *t)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "wrong_address",
		(json_int_t)t->wrong_address, "wrong_checksum", (json_int_t)t->wrong_checksum, "checksums_checked",
		(json_int_t)t->checksums_checked, "resets", (json_int_t)t->resets, "icmp_errors", (json_int_t)t->icmp_errors,
		"unknown", (json_int_t)t->unknown, "answered", (json_int_t)t->answered, "handshakes",
		(json_int_t)t->handshakes, "accepted", (json_int_t)t->accepted, "new_flows", (json_int_t)t->new_flows, "no_buffer", (json_int_t)t->no_buffer);
}

int
ps_report_json(const struct ps_engine *e, const struct ps_result *r, enum ps_exit_code code)
{
	const struct ps_measure *m = &r->measure;
	json_t *root = json_object();
	uint32_t i;
	int rc;

	json_object_set_new(root, "program", json_string("penstock-loadgen " PS_VERSION));
	json_object_set_new(root, "exit_code", json_integer(code));
	json_object_set_new(root, "time", json_integer((json_int_t)time(NULL)));
	json_object_set_new(root, "tsc_hz", json_real(e->hz));
	json_object_set_new(root, "parameters", parameters_json(e));
	json_object_set_new(root, "seconds", json_real(m->seconds));
	json_object_set_new(root, "offered_pps", m->offered_pps > 0 ? json_real(m->offered_pps) : json_null());
	json_object_set_new(root, "sent_pps", json_real((double)m->sent_window[PS_TO_BACKEND] / m->seconds));
	json_object_set_new(root, "device_pps", json_real((double)m->port_rx_packets / m->seconds));
	json_object_set_new(root, "device_bit_per_s",
		json_real(((double)m->port_rx_bytes + (double)m->port_rx_packets * PS_FRAME_FCS) * 8 / m->seconds));
	json_object_set_new(root, "not_sent", json_integer((json_int_t)m->forgiven));
	json_object_set_new(root, "ring_full", json_integer((json_int_t)m->ring_full));
	json_object_set_new(root, "setup",
		json_pack("{s:I, s:f}", "flows", (json_int_t)r->setup_flows, "seconds", r->setup_seconds));
	for (i = 0; i < PS_DIRECTIONS; i++)
		json_object_set_new(root, direction_key[i], direction_json(e, m, i));
	json_object_set_new(root, "counts", tally_json(&e->tally));
	json_object_set_new(root, "backends", backends_json(e));
	if (r->searched)
		json_object_set_new(root, "search", search_json(&r->search, e->c->tolerance));
	if (e->c->json[0] == '-' && e->c->json[1] == '\0')
		rc = json_dumpf(root, stdout, JSON_INDENT(2)) == 0 && puts("") >= 0 ? 0 : -EIO;
	else
		rc = json_dump_file(root, e->c->json, JSON_INDENT(2)) == 0 ? 0 : -EIO;
	json_decref(root);
	if (rc < 0)
		fprintf(stderr, "penstock-loadgen: result could not be written to %s\n", e->c->json);
	return rc;
}

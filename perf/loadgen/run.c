/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "perf/loadgen/run.h"

#define ASK_TRIES 20
#define ASK_EVERY 0.25    /* seconds */
#define SETUP_PASSES 5
#define SETUP_QUIET 0.2   /* seconds without a new flow: the rest of the pass is lost */
#define DRAIN_AT_MOST 5.0 /* seconds */
#define NEW_FLOW_DEBT 0.02 /* seconds */
#define SEARCH_PROBE 0.5  /* share of the trial time spent on finding where to begin */

static uint64_t
after(const struct ps_engine *e, double seconds)
{
	return rte_rdtsc() + (uint64_t)(seconds * e->hz);
}

static uint64_t
arrivals(const struct ps_engine *e)
{
	return e->dir[PS_TO_BACKEND].track.received + e->dir[PS_TO_CLIENT].track.received;
}

static void
event(const struct ps_engine *e, const char *name)
{
	if (e->c->events)
		ps_event(name);
}

static int
find_gateway(struct ps_engine *e)
{
	char text[INET6_ADDRSTRLEN];
	struct ps_addr gateway = ps_engine_next_hop(e);
	uint64_t until;
	int tries;

	if (e->c->has_gateway_mac)
		ps_engine_learn_gateway(e, e->c->gateway_mac);
	ps_announce(e);
	for (tries = 0; tries < ASK_TRIES && !e->stop && !e->gateway_known; tries++) {
		ps_ask_gateway(e);
		for (until = after(e, ASK_EVERY); rte_rdtsc() < until && !e->gateway_known && !e->stop;)
			ps_engine_turn(e);
	}
	for (until = after(e, 0.01); rte_rdtsc() < until;)
		ps_engine_turn(e);
	if (e->gateway_known)
		return 0;
	fprintf(stderr, "penstock-loadgen: %s does not answer %s on the client port (--gateway-mac sets its MAC)\n",
		ps_addr_format(&gateway, text, sizeof(text)), ps_addr_is_v4(&gateway) ? "ARP" : "neighbour discovery");
	return -EHOSTUNREACH;
}

/* Sends an opening packet for each flow of list (NULL: flows 0 .. n-1) and waits for those that open. */
static void
setup_pass(struct ps_engine *e, const uint32_t *list, uint32_t n, double rate)
{
	uint64_t quiet_until = 0;
	uint32_t done = e->setup_done;

	ps_engine_phase(e);
	e->setup_flow = list;
	e->setup_flows = n;
	e->setup_sent = 0;
	ps_pacer_start(&e->pacer, rate, e->hz, rte_rdtsc());
	while (!e->stop && e->setup_done < e->c->flows) {
		ps_engine_turn(e);
		if (e->setup_sent < n || done != e->setup_done)
			quiet_until = after(e, SETUP_QUIET);
		else if (rte_rdtsc() > quiet_until)
			break;
		done = e->setup_done;
	}
}

static uint32_t
list_pending(const struct ps_engine *e, uint32_t *list)
{
	uint32_t flow, n = 0;

	for (flow = 0; flow < e->c->flows; flow++)
		if ((e->setup_bitmap[flow / 64] & 1ull << (flow & 63)) == 0)
			list[n++] = flow;
	return n;
}

/* Without replies no SYN-ACK tells the client to go on: one ACK per flow, unasked. */
static void
acknowledge_blindly(struct ps_engine *e)
{
	struct rte_mbuf *m;
	uint32_t flow = 0, n;
	uint64_t now;

	ps_pacer_start(&e->pacer, e->c->setup_rate, e->hz, rte_rdtsc());
	while (flow < e->c->flows && !e->stop) {
		now = rte_rdtsc();
		n = ps_txq_waiting(e->client_port) != 0 ? 0 : ps_pacer_due(&e->pacer, now, RTE_MIN(32u, e->c->flows - flow));
		ps_pacer_take(&e->pacer, n);
		for (; n != 0; n--) {
			m = ps_send_build(e, PS_FRAME_DATA, flow++, (uint32_t)now);
			if (m != NULL)
				ps_txq_add(e->client_port, m);
		}
		ps_engine_turn(e);
	}
}

static void
drain(struct ps_engine *e)
{
	uint64_t quiet_until = after(e, e->c->drain), end = after(e, DRAIN_AT_MOST + e->c->drain), seen = arrivals(e);

	e->sending = false;
	e->new_rate = 0;
	while (rte_rdtsc() < quiet_until && rte_rdtsc() < end) {
		ps_engine_turn(e);
		if (arrivals(e) != seen || ps_txq_waiting(e->client_port) != 0) {
			seen = arrivals(e);
			quiet_until = after(e, e->c->drain);
		}
	}
}

static int
open_flows(struct ps_engine *e, struct ps_result *r)
{
	uint32_t *list = malloc((size_t)e->c->flows * sizeof(*list)), pending = e->c->flows, pass;
	double rate = e->c->setup_rate;
	uint64_t start = rte_rdtsc();
	int rc = 0;

	e->setup_bitmap = calloc(e->c->flows / 64 + 1, sizeof(*e->setup_bitmap));
	if (e->setup_bitmap == NULL || list == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	e->setup_done = 0;
	for (pass = 0; pass < SETUP_PASSES && pending != 0 && !e->stop; pass++) {
		setup_pass(e, pass == 0 ? NULL : list, pending, rate);
		pending = list_pending(e, list);
		if (pending != 0 && !e->c->quiet)
			fprintf(stderr, "opening flows: %u of %u not open yet\n", pending, e->c->flows);
		rate = RTE_MAX(rate / 2, 1000.0);
	}
	if (e->c->proto == IPPROTO_TCP && e->c->no_return)
		acknowledge_blindly(e);
	r->setup_flows = e->setup_done;
	r->setup_seconds = (double)(rte_rdtsc() - start) / e->hz;
	if (pending != 0) {
		fprintf(stderr, "penstock-loadgen: %u of %u flows did not open (resets %lu, ICMP errors %lu)\n", pending,
			e->c->flows, e->tally.resets, e->tally.icmp_errors);
		rc = -ETIMEDOUT;
	}
out:
	free(list);
	free(e->setup_bitmap);
	e->setup_bitmap = NULL;
	drain(e);
	return rc;
}

static void
start_sending(struct ps_engine *e, double pps)
{
	uint64_t now = rte_rdtsc();

	e->sending = e->c->flows != 0;
	e->new_rate = e->c->new_flows;
	ps_pacer_start(&e->pacer, pps, e->hz, now);
	ps_pacer_start(&e->new_pacer, e->new_rate, e->hz, now);
	/* The rate of new flows is what counts, not their spacing: a pause of this core is made up for. */
	if (e->new_rate * NEW_FLOW_DEBT > e->new_pacer.debt)
		e->new_pacer.debt = (uint32_t)(e->new_rate * NEW_FLOW_DEBT);
}

struct progress {
	uint64_t start, last, next;
	uint64_t sent, received[PS_DIRECTIONS];
};

static void
show_progress(struct ps_engine *e, struct progress *p, uint64_t now)
{
	struct ps_direction *out = &e->dir[PS_TO_BACKEND], *back = &e->dir[PS_TO_CLIENT];
	double seconds = (double)(now - p->last) / e->hz;

	if (!e->c->quiet)
		fprintf(stderr, "%6.1f s  sent %7.3f Mpps  to backends %7.3f Mpps  to clients %7.3f Mpps\n",
			(double)(now - p->start) / e->hz, (double)(out->sent - p->sent) / seconds / 1e6,
			(double)(out->track.received - p->received[PS_TO_BACKEND]) / seconds / 1e6,
			(double)(back->track.received - p->received[PS_TO_CLIENT]) / seconds / 1e6);
	p->sent = out->sent;
	p->received[PS_TO_BACKEND] = out->track.received;
	p->received[PS_TO_CLIENT] = back->track.received;
	p->last = now;
	p->next = now + (uint64_t)e->hz;
}

/* Sends for a while and counts. Ends with nothing under way. */
static void
measure(struct ps_engine *e, double pps, double seconds, bool progress, struct ps_measure *m)
{
	struct progress p = {0};
	uint64_t now, end;
	uint32_t i;

	memset(m, 0, sizeof(*m));
	ps_engine_phase(e);
	event(e, "start");
	start_sending(e, pps);
	now = p.start = p.last = rte_rdtsc();
	p.next = now + (uint64_t)e->hz;
	end = now + (uint64_t)(seconds * e->hz);
	for (; now < end && !e->stop; now = rte_rdtsc()) {
		ps_engine_turn(e);
		if (progress && now >= p.next)
			show_progress(e, &p, now);
	}
	event(e, "stop");
	m->offered_pps = pps;
	m->seconds = (double)(now - p.start) / e->hz;
	m->forgiven = e->pacer.forgiven + e->new_pacer.forgiven;
	for (i = 0; i < e->c->ports; i++) {
		m->port_rx_packets += e->port[i].received;
		m->port_rx_bytes += e->port[i].received_bytes;
		m->port_tx_packets += e->port[i].sent;
		m->port_tx_bytes += e->port[i].sent_bytes;
		m->ring_full += e->port[i].full;
	}
	for (i = 0; i < PS_DIRECTIONS; i++) {
		m->sent_window[i] = e->dir[i].sent;
		m->received_window[i] = e->dir[i].track.received;
	}
	drain(e);
	for (i = 0; i < PS_DIRECTIONS; i++) {
		m->sent[i] = e->dir[i].sent;
		m->received[i] = e->dir[i].track.received;
		m->lost[i] = m->sent[i] > m->received[i] ? m->sent[i] - m->received[i] : 0;
	}
}

static void
search(struct ps_engine *e, struct ps_result *r)
{
	double mean = ps_sizes_mean(&e->c->sizes), line = ps_line_pps(ps_port_line_rate(e->c, e->client_port), mean);
	double highest = ps_rate_pps(&e->c->rate, mean, ps_port_line_rate(e->c, e->client_port)), pps;
	struct ps_measure *m = &r->measure;

	if (highest == 0) {
		/* Where to begin: what goes through when the ring itself sets the pace, and a little more. */
		measure(e, 0, e->c->duration * SEARCH_PROBE, false, m);
		highest = RTE_MIN(line, 1.1 * (double)m->sent_window[PS_TO_BACKEND] / m->seconds);
	}
	r->searched = true;
	ps_search_start(&r->search, highest * e->c->lowest, highest, e->c->resolution, e->c->tolerance);
	while (!e->stop && ps_search_next(&r->search, &pps)) {
		measure(e, pps, e->c->duration, false, m);
		ps_search_feed(&r->search, m->sent[PS_TO_BACKEND], m->lost[PS_TO_BACKEND] + m->lost[PS_TO_CLIENT], m->seconds);
		if (!e->c->quiet)
			fprintf(stderr, "trial %2u: %9.4f Mpps  offered %5.1f %%  lost %lu  %s\n", r->search.trials, pps / 1e6,
				100 * r->search.trial[r->search.trials - 1].achieved,
				m->lost[PS_TO_BACKEND] + m->lost[PS_TO_CLIENT],
				r->search.trial[r->search.trials - 1].passed ? "passed" : "failed");
	}
	/* figures of the report are those of the rate found */
	if (r->search.best > 0 && !e->stop)
		measure(e, r->search.best, e->c->duration, false, m);
}

static bool
lossy(const struct ps_engine *e, const struct ps_measure *m)
{
	uint32_t i;

	for (i = 0; i < PS_DIRECTIONS; i++)
		if ((double)m->lost[i] > e->c->loss_limit * (double)m->sent[i])
			return true;
	return m->received[PS_TO_BACKEND] + m->received[PS_TO_CLIENT] == 0;
}

enum ps_exit_code
ps_run(struct ps_engine *e, struct ps_result *r)
{
	double pps = ps_rate_pps(&e->c->rate, ps_sizes_mean(&e->c->sizes), ps_port_line_rate(e->c, e->client_port));

	memset(r, 0, sizeof(*r));
	if (ps_engine_make_frames(e) < 0) {
		fprintf(stderr, "penstock-loadgen: no memory for frame templates\n");
		return PS_CODE_SETUP;
	}
	ps_engine_phase(e);
	if (find_gateway(e) < 0 || (e->c->setup && e->c->flows != 0 && !e->stop && open_flows(e, r) < 0))
		return e->stop ? PS_CODE_INTERRUPTED : PS_CODE_SETUP;
	event(e, "warmup");
	if (e->c->warmup > 0 && !e->stop)
		measure(e, pps, e->c->warmup, false, &r->measure);
	if (e->stop)
		return PS_CODE_INTERRUPTED;
	if (e->c->search)
		search(e, r);
	else
		measure(e, pps, e->c->duration, true, &r->measure);
	r->interrupted = e->stop;
	if (e->stop)
		return PS_CODE_INTERRUPTED;
	if (e->c->search)
		return r->search.best > 0 ? PS_CODE_OK : PS_CODE_LOSS;
	return lossy(e, &r->measure) || e->tally.wrong_address != 0 || e->tally.wrong_checksum != 0 ? PS_CODE_LOSS :
												       PS_CODE_OK;
}

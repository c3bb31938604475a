/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does for its flows besides packets: ageing, and flushing on request.
 */
#include "dataplane/flow/forward.h"
#include "dataplane/flow/snat.h"
#include "dataplane/flow/tcp_state.h"

#define AGE_BUDGET 32u      /* records per loop, plus three for each packet of the loop: as many may have come */
#define FLUSH_BUDGET 256u   /* records looked at per loop */
#define DEFAULT_IDLE_S 60u  /* flows of a service that is gone while its endpoint is not */

static uint32_t
deadline(void *arg, const struct ps_flow *f)
{
	const struct ps_worker *w = arg;
	uint32_t tcp_s = DEFAULT_IDLE_S, udp_s = DEFAULT_IDLE_S, service;
	uint64_t verdict = atomic_load_explicit(&w->verdict[f->endpoint_slot].word, memory_order_relaxed);

	if (!ps_verdict_alive(verdict, f->endpoint_generation))
		return w->now_ms;
	service = w->view->service_of_slot[f->service_slot];
	if (service != PS_NONE) {
		tcp_s = w->view->service[service].tcp_idle_s;
		udp_s = w->view->service[service].udp_idle_s;
	}
	return f->last_seen_ms + ps_state_timeout_ms(ps_flow_state(f), f->packets[0], tcp_s, udp_s);
}

static void
ended4(void *arg, struct ps_flow *f)
{
	ps_flow_let_go(arg, f, false);
}

static void
ended6(void *arg, struct ps_flow *f)
{
	ps_flow_let_go(arg, f, true);
}

/* A part of the table per call; a request that comes meanwhile starts over with both taken together at most once more. */
static void
flush(struct ps_worker *w, struct ps_flow_table *t)
{
	/* acquire: endpoint and service are those of this request; partner: release in ps_flows_flush */
	uint32_t request = atomic_load_explicit(&t->flush_request, memory_order_acquire), i;
	uint32_t endpoint, service;

	if (t->flush_done != request) {
		t->flush_done = request;
		t->flush_cursor = 0;
	}
	endpoint = atomic_load_explicit(&t->flush_endpoint, memory_order_relaxed);
	service = atomic_load_explicit(&t->flush_service, memory_order_relaxed);
	for (i = 0; i < FLUSH_BUDGET && t->flush_cursor < t->capacity; i++, t->flush_cursor++) {
		struct ps_flow *f = ps_flow_at(t, t->flush_cursor);

		if (t->flush_cursor + 8u < t->capacity)
			__builtin_prefetch(ps_flow_at(t, t->flush_cursor + 8u));
		if (ps_flow_state(f) != PS_FLOW_FREE && (endpoint == PS_NONE || f->endpoint_slot == endpoint) &&
		    (service == PS_NONE || f->service_slot == service)) {
			t->counters->expired++;
			ps_flow_end(w, t, f);
		}
	}
}

void
ps_flow_tick(struct ps_worker *w)
{
	uint32_t budget = AGE_BUDGET + 3u * w->moved;

	if (w->view == NULL)
		return;
	if (w->flow4 != NULL) {
		ps_flow_table_age(w->flow4, w->now_ms, budget, deadline, ended4, w);
		if (unlikely(w->flow4->flush_cursor < w->flow4->capacity ||
			     w->flow4->flush_done != atomic_load_explicit(&w->flow4->flush_request, memory_order_relaxed)))
			flush(w, w->flow4);
	}
	if (w->flow6 != NULL) {
		ps_flow_table_age(w->flow6, w->now_ms, budget, deadline, ended6, w);
		if (unlikely(w->flow6->flush_cursor < w->flow6->capacity ||
			     w->flow6->flush_done != atomic_load_explicit(&w->flow6->flush_request, memory_order_relaxed)))
			flush(w, w->flow6);
	}
	w->counters->snat_ports_in_use = ps_snat_in_use(w->snat);
}

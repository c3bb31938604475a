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
	uint8_t state = ps_flow_state(f);

	if (!ps_verdict_alive(verdict, f->endpoint_generation))
		return w->now_ms;
	service = w->view->service_of_slot[f->service_slot];
	if (service != PS_NONE) {
		tcp_s = w->view->service[service].tcp_idle_s;
		udp_s = w->view->service[service].udp_idle_s;
	}
	/* With DSR the endpoint's FIN is not heard; a client that still receives keeps acknowledging. */
	if (state == PS_FLOW_FIN_CLIENT && !ps_flow_two_way(f->mode))
		state = PS_FLOW_CLOSING;
	return f->last_seen_ms + ps_state_timeout_ms(state, f->packets[0], tcp_s, udp_s);
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

static void
flush(struct ps_worker *w, struct ps_flow_table *t)
{
	uint32_t budget = FLUSH_BUDGET, index;

	while ((index = ps_flow_table_flush_next(t, &budget)) != PS_NONE) {
		t->counters->expired++;
		ps_flow_end(w, t, ps_flow_at(t, index));
	}
}

static void
tick(struct ps_worker *w, struct ps_flow_table *t, uint32_t budget, ps_flow_ended_fn ended)
{
	if (t == NULL)
		return;
	ps_flow_table_age(t, w->now_ms, budget, deadline, ended, w);
	if (unlikely(atomic_load_explicit(&t->flush_asked, memory_order_relaxed) !=
		     atomic_load_explicit(&t->flush_done, memory_order_relaxed)))
		flush(w, t);
}

void
ps_flow_tick(struct ps_worker *w)
{
	uint32_t budget = AGE_BUDGET + 3u * w->moved;

	if (w->view == NULL)
		return;
	tick(w, w->flow4, budget, ended4);
	tick(w, w->flow6, budget, ended6);
	w->counters->snat_ports_in_use = ps_snat_in_use(w->snat);
}

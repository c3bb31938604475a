/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker loop: report a quiescent state, take over what main has changed, walk the graph once, account,
 * and rest a little when there is nothing to do.
 *
 * Resting: an empty poll is followed by pauses that grow, so that polling does not take the ring's cache lines
 * from the other side all the time; after IDLE_SLEEP empty polls in a row an adaptive worker sleeps, longer
 * and longer up to SLEEP_MAX_US, and one packet makes it poll again at once.
 */
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "dataplane/flow/flow.h"
#include "dataplane/net/stages.h"
#include "dataplane/pipeline/dataplane.h"

#define IDLE_PAUSES_MAX 32u /* pauses after one empty poll */
#define IDLE_SLEEP 2000u    /* empty polls in a row until sleep: about a millisecond */
#define SLEEP_MIN_US 10u
#define SLEEP_MAX_US 100u
#define TICK_MS 100u        /* fragment timeouts */

/* The clock that outlives the process: a vDSO read once per millisecond, no TSC arithmetic that could drift. */
static uint32_t
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

static void
rest(struct ps_worker *w, uint32_t empty)
{
	uint32_t pauses = empty < IDLE_PAUSES_MAX ? empty : IDLE_PAUSES_MAX;

	if (w->polls_hard || empty < IDLE_SLEEP) {
		for (uint32_t i = 0; i < pauses; i++)
			rte_pause();
		return;
	}
	if (w->counters->state != 2)
		w->counters->state = 2;
	empty = (empty - IDLE_SLEEP) / 16 + SLEEP_MIN_US;
	nanosleep(&(struct timespec){.tv_nsec = 1000L * (empty < SLEEP_MAX_US ? empty : SLEEP_MAX_US)}, NULL);
}

/*
 * rte_graph_walk() with one time stamp between two nodes instead of two around each: a node's cycles are those since
 * the one before it ended, and the last stamp is the loop's. from: when the walk begins.
 */
static __rte_always_inline uint64_t
walk(struct rte_graph *graph, uint64_t from)
{
	const rte_graph_off_t *cir_start = graph->cir_start;
	const rte_node_t mask = graph->cir_mask;
	uint32_t head = graph->head;

	/* head counts up from minus the number of sources; from 0 on it runs round the ring of pending nodes. */
	while (likely(head != graph->tail)) {
		struct rte_node *node = RTE_PTR_ADD(graph, cir_start[(int32_t)head++]);
		void **objs = node->objs;
		uint64_t now;
		uint16_t n;

		rte_prefetch0(objs);
		n = node->process(graph, node, objs, node->idx);
		now = rte_rdtsc();
		node->total_cycles += now - from;
		node->total_calls++;
		node->total_objs += n;
		node->idx = 0;
		from = now;
		head = likely((int32_t)head > 0) ? head & mask : head;
	}
	graph->tail = 0;
	return from;
}

int
ps_worker_run(void *arg)
{
	struct ps_worker *w = arg;
	struct ps_worker_counters *c = w->counters;
	const uint64_t per_ms = rte_get_tsc_hz() / 1000;
	uint64_t start = rte_rdtsc(), next_ms = 0, last;
	uint32_t empty = 0, ticked;

	/* The default slack of 50 us would turn a sleep of 10 us into 60. */
	prctl(PR_SET_TIMERSLACK, 1000ul);
	c->tid = (uint32_t)syscall(SYS_gettid);
	rte_rcu_qsbr_thread_register(ps_dataplane.qsbr, w->index);
	rte_rcu_qsbr_thread_online(ps_dataplane.qsbr, w->index);
	w->now_ms = ticked = clock_ms();
	last = w->now_tsc = start;
	while (likely(!atomic_load_explicit(&ps_dataplane.stop, memory_order_relaxed))) {
		rte_rcu_qsbr_quiescent(ps_dataplane.qsbr, w->index);
		/* acquire: pairs with the release in ps_apply */
		w->view = atomic_load_explicit(&ps_dataplane.view, memory_order_acquire);
		if (likely(w->view != NULL)) {
			w->verdict = w->view->verdict;
			c->generation = w->view->generation;
		}
		/* acquire: pairs with the release in ps_trace_start */
		w->tracing = atomic_load_explicit(&ps_dataplane.tracing, memory_order_acquire);
		w->moved = 0;
		if (likely(w->view != NULL))
			ps_flow_tick(w);
		w->now_tsc = walk(w->graph, last);
		if (w->now_tsc >= next_ms) {
			next_ms = w->now_tsc + per_ms;
			w->now_ms = clock_ms();
			c->cpu = (uint32_t)sched_getcpu();
			if (w->now_ms - ticked >= TICK_MS) {
				ticked = w->now_ms;
				ps_fragment_tick(w);
			}
		}
		c->loops++;
		c->cycles = w->now_tsc - start;
		if (likely(w->moved != 0)) {
			c->busy_cycles += w->now_tsc - last;
			empty = 0;
			if (unlikely(c->state != 1))
				c->state = 1;
		} else {
			c->empty_loops++;
			rest(w, ++empty);
			w->now_tsc = rte_rdtsc();
		}
		last = w->now_tsc;
	}
	c->state = 3;
	rte_rcu_qsbr_thread_offline(ps_dataplane.qsbr, w->index);
	rte_rcu_qsbr_thread_unregister(ps_dataplane.qsbr, w->index);
	return 0;
}

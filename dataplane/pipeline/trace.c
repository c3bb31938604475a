/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pipeline/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_malloc.h>

#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/stage.h"

#define TRACE_SLOTS 1024u
#define LINGER_MS 2000u /* packets already marked may still be on their way */

/*
 * One producer (the worker), one consumer (main).
 *   head  worker: writes (release H, pairs with main's acquire); main: reads
 *   tail  main: writes (release T, pairs with the worker's acquire); worker: reads
 */
struct ps_trace {
	_Alignas(64) _Atomic uint32_t head;
	_Alignas(64) _Atomic uint32_t tail;
	_Alignas(64) struct ps_trace_step step[TRACE_SLOTS];
};

/* main: writes while no worker traces; workers: read after they have seen `tracing` */
static struct ps_trace_filter filter;
static _Atomic int64_t left;     /* packets still to be marked, all workers */
static _Atomic uint32_t numbers; /* packets marked so far in this life */
static uint64_t ends_ms;         /* main: when to stop, 0: packets are still awaited */

int
ps_trace_init(struct ps_worker *w)
{
	w->trace = rte_zmalloc("trace", sizeof(*w->trace), 64);
	return w->trace != NULL ? 0 : -ENOMEM;
}

void
ps_trace_free(struct ps_worker *w)
{
	rte_free(w->trace);
	w->trace = NULL;
}

static bool
addr_matches(const struct ps_addr *want, const struct ps_addr *addr)
{
	static const struct ps_addr any;

	return ps_addr_equal(want, &any) || ps_addr_equal(want, addr);
}

static bool
matches(struct rte_mbuf *m)
{
	const struct ps_meta *meta = ps_meta(m);
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3);
	static const struct ps_trace_filter any;
	struct ps_addr src, dst;
	uint16_t port[2] = {0, 0};

	if (memcmp(&filter, &any, offsetof(struct ps_trace_filter, count)) == 0)
		return true;
	if (meta->l3 == 0 || rte_pktmbuf_data_len(m) < meta->l3 + 20u)
		return false;
	if (meta->flags & PS_META_F_V6) {
		if (rte_pktmbuf_data_len(m) < meta->l3 + sizeof(struct rte_ipv6_hdr))
			return false;
		memcpy(src.b, ip + 8, 16);
		memcpy(dst.b, ip + 24, 16);
	} else {
		src = ps_addr_from_v4(((const struct rte_ipv4_hdr *)ip)->src_addr);
		dst = ps_addr_from_v4(((const struct rte_ipv4_hdr *)ip)->dst_addr);
	}
	if (meta->l4 != 0 && rte_pktmbuf_data_len(m) >= meta->l3 + meta->l4 + 4u)
		memcpy(port, ip + meta->l4, 4);
	return addr_matches(&filter.src, &src) && addr_matches(&filter.dst, &dst) &&
	       (filter.src_port == 0 || filter.src_port == port[0]) &&
	       (filter.dst_port == 0 || filter.dst_port == port[1]) &&
	       (filter.proto == 0 || filter.proto == meta->proto);
}

/* A full ring loses the step; steps carry numbers, so the gap shows. */
static void
record(struct ps_worker *w, struct rte_mbuf *m, const char *stage, bool final)
{
	struct ps_trace *t = w->trace;
	struct ps_meta *meta = ps_meta(m);
	uint32_t head = atomic_load_explicit(&t->head, memory_order_relaxed);
	struct ps_trace_step *s = &t->step[head % TRACE_SLOTS];
	uint32_t number = meta->trace >> PS_TRACE_STEP_BITS, step = meta->trace & 0xffu;

	if (step < 0xff)
		meta->trace++;
	/* acquire: pairs with T, so that main has read the slot that is overwritten */
	if (head - atomic_load_explicit(&t->tail, memory_order_acquire) >= TRACE_SLOTS)
		return;
	memset(s, 0, sizeof(*s));
	s->packet = number;
	s->step = step;
	s->cycles = (uint32_t)((uint32_t)rte_rdtsc() - meta->rx_tsc);
	s->worker = w->index;
	s->length = rte_pktmbuf_pkt_len(m);
	s->head_size = RTE_MIN(rte_pktmbuf_data_len(m), (uint16_t)sizeof(s->head));
	memcpy(s->head, rte_pktmbuf_mtod(m, const void *), s->head_size);
	snprintf(s->stage, sizeof(s->stage), "%s", stage);
	s->final = final;
	atomic_store_explicit(&t->head, head + 1, memory_order_release); /* H */
}

static void
mark(struct ps_worker *w, struct rte_mbuf *m)
{
	struct ps_meta *meta = ps_meta(m);
	char stage[sizeof(((struct ps_trace_step *)0)->stage)];

	if (atomic_load_explicit(&left, memory_order_relaxed) <= 0 || !matches(m))
		return;
	if (atomic_fetch_sub_explicit(&left, 1, memory_order_relaxed) <= 0)
		return;
	meta->trace = (atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1) << PS_TRACE_STEP_BITS;
	if (meta->trace == 0)
		meta->trace = 1u << PS_TRACE_STEP_BITS;
	snprintf(stage, sizeof(stage), "port_rx-%u", meta->port);
	record(w, m, stage, false);
}

void
ps_trace_frame(struct ps_worker *w, struct rte_node *node, void **objs, uint16_t n)
{
	bool first = strcmp(node->name, "classify") == 0, answers = strcmp(node->name, "answer") == 0;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];
		struct ps_meta *meta = ps_meta(m);

		if (first && meta->trace == 0)
			mark(w, m);
		if (meta->trace == 0)
			continue;
		record(w, m, node->name, false);
		if (answers && meta->exit < PS_EXIT_COUNT && ps_exit_info[meta->exit].kind == PS_EXIT_KIND_answer)
			record(w, m, ps_exit_info[meta->exit].name, false);
	}
}

void
ps_trace_exits(struct ps_worker *w, void **objs, uint16_t n, const char *exit)
{
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = objs[i];
		const struct ps_meta *meta = ps_meta(m);

		if (meta->trace != 0)
			record(w, m, exit != NULL ? exit : ps_exit_info[meta->exit % PS_EXIT_COUNT].name, true);
	}
}

static void
set_tracing(uint8_t on)
{
	/* release: the filter is visible to a worker that sees tracing; pairs with the acquire in ps_worker_run */
	atomic_store_explicit(&ps_dataplane.tracing, on, memory_order_release);
}

static uint64_t
now_ms(void)
{
	return rte_rdtsc() / (rte_get_tsc_hz() / 1000);
}

void
ps_trace_start(const struct ps_trace_filter *f)
{
	set_tracing(0);
	/* A worker may still compare with the filter in this burst: a mixed one at worst marks a packet too many. */
	filter = *f;
	atomic_store_explicit(&left, f->count, memory_order_relaxed);
	ends_ms = 0;
	set_tracing(f->count != 0);
}

uint32_t
ps_trace_drain(void (*step)(void *arg, const struct ps_trace_step *step), void *arg, uint32_t most)
{
	uint32_t drained = 0;

	for (uint32_t i = 0; i < ps_dataplane.workers; i++) {
		struct ps_trace *t = ps_dataplane.worker[i]->trace;
		/* acquire: pairs with H */
		uint32_t head = atomic_load_explicit(&t->head, memory_order_acquire);
		uint32_t tail = atomic_load_explicit(&t->tail, memory_order_relaxed);

		for (; tail != head && drained < most; tail++, drained++)
			step(arg, &t->step[tail % TRACE_SLOTS]);
		atomic_store_explicit(&t->tail, tail, memory_order_release); /* T */
	}
	if (atomic_load_explicit(&ps_dataplane.tracing, memory_order_relaxed) &&
	    atomic_load_explicit(&left, memory_order_relaxed) <= 0) {
		if (ends_ms == 0)
			ends_ms = now_ms() + LINGER_MS;
		else if (now_ms() >= ends_ms)
			set_tracing(0);
	}
	return drained;
}

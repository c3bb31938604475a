/* SPDX-License-Identifier: Apache-2.0 */
/*
 * answer: packets that are discarded with an answer to their sender.
 *
 * meta: reads exit (which answer), hash (MTU, for TOO_BIG), l3, l4, proto, flags, iface; sets them anew
 * for the answer (l3 = 0: its IP header is the start of data; flags LOCAL, V6; adjacency 0).
 */
#include <netinet/in.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "dataplane/net/icmp.h"
#include "dataplane/net/local.h"
#include "dataplane/pipeline/stage.h"

enum { TO_DROP, TO_IP_OUTPUT, TO_ICMP_FLOW, EDGES };

bool
ps_icmp_allow(struct ps_worker *w)
{
	uint32_t passed = w->now_ms - w->icmp_tokens_ms;

	if (passed != 0) {
		uint64_t tokens = w->icmp_tokens + (uint64_t)passed * PS_ICMP_PER_MS;

		w->icmp_tokens = RTE_MIN(tokens, (uint64_t)PS_ICMP_BURST);
		w->icmp_tokens_ms = w->now_ms;
	}
	if (w->icmp_tokens == 0)
		return false;
	w->icmp_tokens--;
	return true;
}

/* What remains of an answer that must not be sent. */
static enum ps_exit
unanswered(enum ps_exit why)
{
	switch (why) {
	case PS_EXIT_RST_NO_ENDPOINT:
	case PS_EXIT_UNREACH_NO_ENDPOINT:
		return PS_EXIT_NO_ENDPOINT;
	case PS_EXIT_RST_NO_FLOW:
		return PS_EXIT_NO_FLOW;
	default:
		return why;
	}
}

static void
addresses(const uint8_t *ip, bool v6, struct ps_addr *src, struct ps_addr *dst)
{
	uint32_t v4;

	if (v6) {
		memcpy(src->b, ip + 8, 16);
		memcpy(dst->b, ip + 24, 16);
		return;
	}
	memcpy(&v4, ip + 12, 4);
	*src = ps_addr_from_v4(v4);
	memcpy(&v4, ip + 16, 4);
	*dst = ps_addr_from_v4(v4);
}

/* Puts the answer in the place of the packet. */
static bool
replace(struct rte_mbuf *m, const uint8_t *answer, uint32_t size)
{
	if (m->nb_segs > 1) {
		rte_pktmbuf_free(m->next);
		m->next = NULL;
		m->nb_segs = 1;
	}
	if (!RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1 || m->buf_len < RTE_PKTMBUF_HEADROOM + size)
		return false;
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->data_len = (uint16_t)size;
	m->pkt_len = size;
	m->ol_flags = 0;
	memcpy(rte_pktmbuf_mtod(m, void *), answer, size);
	return true;
}

static rte_edge_t
decide(struct ps_worker *w, struct rte_mbuf *m)
{
	struct ps_meta *meta = ps_meta(m);
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3);
	bool v6 = (meta->flags & PS_META_F_V6) != 0, reset;
	struct ps_answer a = {.why = meta->exit, .mtu = meta->hash};
	uint32_t size, seen = m->data_len - meta->l3;
	const struct ps_addr *own;
	struct ps_addr src, dst;
	uint8_t answer[PS_ANSWER_MAX];

	if (unlikely(w->view == NULL))
		return ps_exit_to(m, PS_EXIT_NO_SNAPSHOT, TO_DROP);
	addresses(ip, v6, &src, &dst);
	/* The addressee itself says that nobody listens; everything else comes from the router on the way (RFC 1812
	 * 4.3.2.4). A TCP RST speaks for the destination in any case. */
	own = ps_local_iface(w->view->local, meta->iface, v6);
	if (a.why == PS_EXIT_UNREACH_NO_ENDPOINT || own == NULL)
		own = ps_local_find(w->view->local, &dst) != 0 ? &dst : own;
	if (own != NULL)
		a.source = *own;
	w->random = w->random * 1664525u + 1013904223u;
	a.id = (uint16_t)(w->random >> 16);
	if (!ps_icmp_allow(w))
		return ps_exit_to(m, PS_EXIT_ICMP_RATE_LIMIT, TO_DROP);
	size = v6 ? ps_answer_build6(&a, ip, seen, meta->l4, meta->proto, answer)
		  : ps_answer_build4(&a, ip, seen, meta->l4, answer);
	if (size == 0)
		return ps_exit_to(m, unanswered(meta->exit), TO_DROP);
	reset = (v6 ? answer[6] : answer[9]) == IPPROTO_TCP;
	if (!replace(m, answer, size))
		return ps_exit_to(m, PS_EXIT_NO_MBUF, TO_DROP);
	ps_count_exit(w, a.why, 1);
	meta->l3 = 0;
	meta->l4 = v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	meta->proto = reset ? IPPROTO_TCP : v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	meta->flags = PS_META_F_LOCAL | PS_META_F_HANDED | (v6 ? PS_META_F_V6 : 0);
	meta->adjacency = 0;
	meta->hash = 0;
	/* About a packet that we had rewritten already: the flow knows whom to tell. */
	if (unlikely(ps_local_find(w->view->local, &src) != 0)) {
		if (reset)
			return ps_exit_to(m, PS_EXIT_NO_FLOW, TO_DROP);
		return TO_ICMP_FLOW;
	}
	return TO_IP_OUTPUT;
}

static uint16_t
answer(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return ps_stage_run(graph, node, objs, n, decide);
}

static struct rte_node_register answer_node = {
	.name = "answer",
	.process = answer,
	.init = ps_stage_init,
	.nb_edges = EDGES,
	.next_nodes = {[TO_DROP] = "drop", [TO_IP_OUTPUT] = "ip_output", [TO_ICMP_FLOW] = "icmp_flow"},
};
PS_STAGE_REGISTER(answer_node, 0)

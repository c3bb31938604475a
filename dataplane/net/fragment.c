/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fragment: fragments of IPv4 and IPv6 datagrams go the way of their first fragment (frag.h). All of one datagram
 * meet on one worker; where the flow lives on another, they follow each other there.
 *
 * meta: reads l3, l4, proto, flags; sets proto of later fragments, owner, exit. Held packets keep theirs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "dataplane/flow/stage_edges.h"
#include "dataplane/net/frag.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/stages.h"
#include "dataplane/pipeline/stage.h"

#define V6_HEADER 40u
#define V6_FRAGMENT 8u

static void
drop_held(void *arg, void *packet, enum ps_exit why)
{
	ps_count_exit(arg, why, 1);
	rte_pktmbuf_free(packet);
}

int
ps_fragment_init(struct ps_worker *w, uint32_t capacity)
{
	return ps_frag_new(&w->frag, capacity, w->index, w->workers, w->random, drop_held, w);
}

void
ps_fragment_free(struct ps_worker *w)
{
	ps_frag_free(w->frag);
	w->frag = NULL;
}

void
ps_fragment_tick(struct ps_worker *w)
{
	if (w->frag != NULL)
		ps_frag_expire(w->frag, w->now_ms);
}

static uint16_t
load16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t
load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Offset of the fragment header from the IP header, walking what comes before it; 0: not found within size. */
static uint32_t
find_v6_header(const uint8_t *ip, uint32_t size)
{
	uint32_t at = V6_HEADER;
	uint8_t next = ip[6];

	while (at + V6_FRAGMENT <= size) {
		if (next == IPPROTO_FRAGMENT)
			return at;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			return 0;
		next = ip[at];
		at += (ip[at + 1] + 1u) * 8;
	}
	return 0;
}

/* Fills f from a classified fragment. False: malformed. */
static bool
parse(struct rte_mbuf *m, struct ps_frag *f)
{
	const struct ps_meta *meta = ps_meta(m);
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3), *l4;
	uint32_t seen = m->data_len - meta->l3, at, total, start;

	memset(f, 0, sizeof(*f));
	if (meta->flags & PS_META_F_V6) {
		at = find_v6_header(ip, seen);
		if (at == 0)
			return false;
		memcpy(f->key.src.b, ip + 8, 16);
		memcpy(f->key.dst.b, ip + 24, 16);
		f->key.id = load32(ip + at + 4);
		f->offset = ntohs(load16(ip + at + 2)) & 0xfff8u;
		f->more = (ip[at + 3] & 1) != 0;
		total = V6_HEADER + ntohs(load16(ip + 4));
		start = at + V6_FRAGMENT;
	} else {
		f->key.src = ps_addr_from_v4(load32(ip + 12));
		f->key.dst = ps_addr_from_v4(load32(ip + 16));
		f->key.id = load16(ip + 4);
		f->key.proto = ip[9];
		f->offset = (ntohs(load16(ip + 6)) & 0x1fffu) * 8;
		f->more = (ntohs(load16(ip + 6)) & 0x2000u) != 0;
		total = ntohs(load16(ip + 2));
		start = (ip[0] & 15u) * 4;
	}
	if (total < start)
		return false;
	f->size = total - start;
	f->l4_proto = meta->proto;
	if (f->offset != 0)
		return true;
	/* Headers between the fragment header and the L4 header count as data of the first fragment. */
	if (meta->l4 < start || meta->l4 > total || seen < RTE_MIN(total, meta->l4 + 8u))
		return false;
	f->l4_size = (uint16_t)(total - meta->l4);
	if (f->l4_size >= 4) {
		l4 = ip + meta->l4;
		f->src_port = load16(l4);
		f->dst_port = load16(l4 + 2);
	}
	return true;
}

/*
 * Where the source address was rewritten, the identification must be one that no other datagram of the new
 * source has (RFC 6864 5.2). old: source before. What has become an outer header is no fragment and left alone.
 */
static void
renumber(struct rte_mbuf *m, const struct ps_frag *f, uint32_t new_id)
{
	const struct ps_meta *meta = ps_meta(m);
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, meta->l3);
	uint16_t id, check;
	uint32_t at, sum;

	if (meta->flags & PS_META_F_V6) {
		if (memcmp(ip + 8, f->key.src.b, 16) == 0)
			return;
		at = find_v6_header(ip, m->data_len - meta->l3);
		if (at != 0 && load32(ip + at + 4) == f->key.id) {
			new_id = htonl(new_id);
			memcpy(ip + at + 4, &new_id, 4);
		}
		return;
	}
	if (load32(ip + 12) == ps_addr_v4(&f->key.src) || load16(ip + 4) != (uint16_t)f->key.id ||
	    !(load16(ip + 6) & htons(0x3fff)))
		return;
	id = htons((uint16_t)new_id);
	/* RFC 1624 */
	sum = (uint16_t)~load16(ip + 10);
	sum += (uint16_t)~load16(ip + 4);
	sum += id;
	check = ps_checksum_finish(sum);
	memcpy(ip + 4, &id, 2);
	memcpy(ip + 10, &check, 2);
}

static rte_edge_t
forward(struct ps_worker *w, struct rte_mbuf *m, const struct ps_frag *f, const struct ps_frag_answer *answer)
{
	struct ps_meta *meta = ps_meta(m);
	uint16_t ports[2] = {answer->src_port, answer->dst_port};
	uint32_t edge, ports_be;

	if (meta->iface >= w->view->ifaces)
		return ps_exit_to(m, PS_EXIT_NOT_FORWARDED, PS_FLOW_EDGE_DROP);
	meta->proto = answer->l4_proto;
	if (answer->l4_proto != IPPROTO_TCP && answer->l4_proto != IPPROTO_UDP)
		return ps_exit_to(m, PS_EXIT_NO_LISTENER, PS_FLOW_EDGE_PUNT);
	memcpy(&ports_be, ports, sizeof(ports_be));
	/* One hop gathered the datagram, another may take it to its flow; all its fragments go the same way. */
	if (!(meta->flags & PS_META_F_GATHERED))
		meta->flags &= (uint8_t)~PS_META_F_HANDED;
	edge = ps_flow_forward(w, m, ports_be, f->offset == 0);
	if (edge == PS_FLOW_EDGE_HANDOFF)
		meta->flags |= PS_META_F_GATHERED;
	if (edge >= PS_FLOW_EDGE_PORT || edge == PS_FLOW_EDGE_IP_OUTPUT)
		renumber(m, f, answer->new_id);
	return (rte_edge_t)edge;
}

static void
release_held(struct rte_graph *graph, struct rte_node *node, struct ps_worker *w, const struct ps_frag_answer *answer)
{
	struct rte_mbuf *m;
	struct ps_frag f;

	while ((m = ps_frag_take_held(w->frag, answer->datagram)) != NULL) {
		rte_edge_t edge = PS_FLOW_EDGE_DROP;

		if (parse(m, &f))
			edge = forward(w, m, &f, answer);
		else
			ps_meta(m)->exit = PS_EXIT_FRAGMENT_MALFORMED;
		rte_node_enqueue_x1(graph, node, edge, m);
	}
}

static void
one(struct rte_graph *graph, struct rte_node *node, struct ps_worker *w, struct rte_mbuf *m)
{
	struct ps_meta *meta = ps_meta(m);
	struct ps_frag_answer answer;
	rte_edge_t edge = PS_FLOW_EDGE_DROP;
	struct ps_frag f;

	if (unlikely(w->view == NULL)) {
		meta->exit = PS_EXIT_NO_SNAPSHOT;
		goto out;
	}
	if (!parse(m, &f)) {
		meta->exit = PS_EXIT_FRAGMENT_MALFORMED;
		goto out;
	}
	if (w->workers > 1 && !(meta->flags & (PS_META_F_HANDED | PS_META_F_GATHERED))) {
		meta->owner = ps_frag_owner(&f.key, w->workers);
		if (meta->owner != w->index) {
			edge = PS_FLOW_EDGE_HANDOFF;
			goto out;
		}
	}
	switch (ps_frag_input(w->frag, &f, m, w->now_ms, &answer)) {
	case PS_FRAG_HELD:
		return;
	case PS_FRAG_DROP:
		meta->exit = (uint16_t)answer.why;
		break;
	case PS_FRAG_FORWARD:
		edge = forward(w, m, &f, &answer);
		rte_node_enqueue_x1(graph, node, edge, m);
		release_held(graph, node, w, &answer);
		return;
	}
out:
	rte_node_enqueue_x1(graph, node, edge, m);
}

static uint16_t
fragment(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	struct ps_worker *w = ps_node_worker(node);
	uint16_t i;

	if (unlikely(w->tracing))
		ps_trace_frame(w, node, objs, n);
	for (i = 0; i < n; i++)
		one(graph, node, w, objs[i]);
	ps_flow_send_extras(graph, node);
	return n;
}

static struct rte_node_register fragment_node = {
	.name = "fragment",
	.process = fragment,
	.init = ps_stage_init,
	.nb_edges = PS_FLOW_EDGE_PORT,
	.next_nodes = PS_FLOW_EDGE_NAMES,
};
PS_STAGE_REGISTER(fragment_node, PS_STAGE_SENDS)

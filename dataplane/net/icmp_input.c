/* SPDX-License-Identifier: Apache-2.0 */
/*
 * icmp_input: ICMP and ICMPv6 except neighbour discovery. Echo requests to our addresses are answered in place,
 * answers to probes go to main, errors go to the flow that they are about.
 *
 * meta: reads l3, l4, flags; sets flags LOCAL and adjacency 0 on echo replies, exit.
 */
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <rte_ip.h>
#include <rte_mbuf.h>

#include "dataplane/net/icmp.h"
#include "dataplane/net/local.h"
#include "dataplane/net/probe.h"
#include "dataplane/pipeline/stage.h"

enum { TO_DROP, TO_IP_OUTPUT, TO_ICMP_FLOW, TO_MAIN, TO_PUNT, EDGES };

#define ECHO_TTL 64
#define ICMP_HEADER 8u

static bool
checksum_ok(struct rte_mbuf *m, const uint8_t *ip, uint32_t l4, bool v6)
{
	uint32_t at = ps_meta(m)->l3 + l4, size = m->pkt_len - at, sum;
	uint16_t raw;

	if (m->nb_segs == 1) {
		sum = ps_checksum_add(0, ip + l4, size);
	} else {
		if (rte_raw_cksum_mbuf(m, at, size, &raw) != 0)
			return false;
		sum = raw;
	}
	if (v6)
		sum += ps_checksum_pseudo6(ip + 8, ip + 24, IPPROTO_ICMPV6, size);
	return ps_checksum_finish(sum) == 0;
}

static rte_edge_t
echo(struct ps_worker *w, struct rte_mbuf *m, uint8_t *ip, uint8_t *icmp, bool v6)
{
	struct ps_meta *meta = ps_meta(m);
	uint8_t swap[16], *src = ip + (v6 ? 8 : 12), *dst = ip + (v6 ? 24 : 16);
	uint32_t size = v6 ? 16 : 4, sum;
	uint16_t check;

	if (!ps_icmp_allow(w))
		return ps_exit_to(m, PS_EXIT_ICMP_RATE_LIMIT, TO_DROP);
	memcpy(swap, src, size);
	memcpy(src, dst, size);
	memcpy(dst, swap, size);
	/* RFC 1624: the type is the high byte of the first word; the pseudo header's sum stays as it is. */
	memcpy(&check, icmp + 2, 2);
	sum = (uint16_t)~check;
	sum += (uint16_t)~htons((uint16_t)(icmp[0] << 8));
	icmp[0] = v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
	sum += htons((uint16_t)(icmp[0] << 8));
	check = ps_checksum_finish(sum);
	memcpy(icmp + 2, &check, 2);
	if (v6) {
		ip[7] = ECHO_TTL;
	} else {
		ip[8] = ECHO_TTL;
		memset(ip + 10, 0, 2);
		check = ps_checksum_finish(ps_checksum_add(0, ip, (ip[0] & 15u) * 4));
		memcpy(ip + 10, &check, 2);
	}
	ps_count_exit(w, PS_EXIT_ECHO, 1);
	m->ol_flags = 0;
	meta->flags |= PS_META_F_LOCAL;
	meta->adjacency = 0;
	return TO_IP_OUTPUT;
}

/* Is the packet inside the error one of our probes? inner begins with its IP header. */
static bool
about_probe(const struct ps_worker *w, const uint8_t *inner, uint32_t size, bool v6)
{
	uint32_t header = v6 ? sizeof(struct rte_ipv6_hdr) : (inner[0] & 15u) * 4, v4;
	struct ps_addr src;
	uint16_t port;
	uint8_t proto;

	if (size < (v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr)) || size < header + ICMP_HEADER)
		return false;
	if (v6) {
		memcpy(src.b, inner + 8, 16);
	} else {
		memcpy(&v4, inner + 12, 4);
		src = ps_addr_from_v4(v4);
	}
	if (!(ps_local_find(w->view->local, &src) & PS_LOCAL_IFACE))
		return false;
	proto = v6 ? inner[6] : inner[9];
	memcpy(&port, inner + header, 2);
	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP)
		return ntohs(port) >= PS_PROBE_PORT_FIRST && ntohs(port) <= PS_PROBE_PORT_LAST;
	memcpy(&port, inner + header + 4, 2);
	return (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6) && port == htons(PS_PROBE_ICMP_ID);
}

static bool
is_error(uint8_t type, bool v6)
{
	if (v6)
		return type < 128;
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

static rte_edge_t
decide(struct ps_worker *w, struct rte_mbuf *m)
{
	struct ps_meta *meta = ps_meta(m);
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, meta->l3), *icmp = ip + meta->l4;
	bool v6 = (meta->flags & PS_META_F_V6) != 0;
	uint32_t flags, seen = m->data_len - meta->l3, v4;
	struct ps_addr src, dst;
	uint16_t id;

	if (unlikely(w->view == NULL))
		return ps_exit_to(m, PS_EXIT_NO_SNAPSHOT, TO_DROP);
	if (seen < meta->l4 + ICMP_HEADER || !checksum_ok(m, ip, meta->l4, v6))
		return ps_exit_to(m, PS_EXIT_ICMP_MALFORMED, TO_DROP);
	if (v6) {
		memcpy(src.b, ip + 8, 16);
		memcpy(dst.b, ip + 24, 16);
	} else {
		memcpy(&v4, ip + 12, 4);
		src = ps_addr_from_v4(v4);
		memcpy(&v4, ip + 16, 4);
		dst = ps_addr_from_v4(v4);
	}
	if (is_error(icmp[0], v6)) {
		if (about_probe(w, icmp + ICMP_HEADER, seen - meta->l4 - ICMP_HEADER, v6)) {
			meta->adjacency = 0;
			return ps_exit_to(m, PS_EXIT_TO_MAIN, TO_MAIN);
		}
		return ps_exit_to(m, PS_EXIT_ICMP_NO_FLOW, TO_ICMP_FLOW);
	}
	flags = ps_local_find(w->view->local, &dst);
	if (flags == 0)
		return ps_exit_to(m, PS_EXIT_NOT_FORWARDED, TO_DROP);
	if (ps_local_find(w->view->local, &src) != 0)
		return ps_exit_to(m, PS_EXIT_IP_MARTIAN, TO_DROP);
	if (icmp[0] == (v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO) && icmp[1] == 0) {
		if (!(flags & PS_LOCAL_PING))
			return ps_exit_to(m, PS_EXIT_NO_LISTENER, TO_DROP);
		return echo(w, m, ip, icmp, v6);
	}
	memcpy(&id, icmp + 4, 2);
	if (icmp[0] == (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) && id == htons(PS_PROBE_ICMP_ID)) {
		meta->adjacency = 0;
		return ps_exit_to(m, PS_EXIT_TO_MAIN, TO_MAIN);
	}
	return ps_exit_to(m, PS_EXIT_NO_LISTENER, TO_PUNT);
}

static uint16_t
icmp_input(struct rte_graph *graph, struct rte_node *node, void **objs, uint16_t n)
{
	return ps_stage_run(graph, node, objs, n, decide);
}

static struct rte_node_register icmp_input_node = {
	.name = "icmp_input",
	.process = icmp_input,
	.init = ps_stage_init,
	.nb_edges = EDGES,
	.next_nodes = {[TO_DROP] = "drop",
		       [TO_IP_OUTPUT] = "ip_output",
		       [TO_ICMP_FLOW] = "icmp_flow",
		       [TO_MAIN] = "to_main",
		       [TO_PUNT] = "punt"},
};
PS_STAGE_REGISTER(icmp_input_node, 0)

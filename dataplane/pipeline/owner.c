/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pipeline/owner.h"

#include <netinet/in.h>
#include <rte_icmp.h>
#include <rte_ip.h>

#include "dataplane/net/local.h"
#include "policies/listener/lookup.h"

/* RFC 4443: types below this are errors and carry the packet they are about. */
#define ICMP6_FIRST_INFORMATIONAL 128

uint16_t
ps_owner_of(const struct ps_worker *w, const struct ps_addr *src, uint16_t src_port,
	    const struct ps_addr *dst, uint16_t dst_port, uint8_t proto)
{
	const struct ps_view *v = w->view;
	uint32_t local = ps_local_find(v->local, dst);

	if (local == 0)
		return ps_owner_of_client(dst, dst_port, proto, w->workers);
	if ((local & PS_LOCAL_SNAT) &&
	    ps_listener_find(v->listener, v->listener_index, v->listener_index_mask, dst, dst_port, proto) ==
		    PS_NONE)
		return ps_owner_of_snat_port(dst_port, w->workers);
	return ps_owner_of_client(src, src_port, proto, w->workers);
}

static uint16_t
load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* ip: an IP header with `size` contiguous bytes from it on. false: no ports to be seen. */
static bool
tuple_of(const uint8_t *ip, uint32_t size, struct ps_addr *src, struct ps_addr *dst, uint16_t port[2],
	 uint8_t *proto)
{
	uint32_t l4;

	if (size < 1)
		return false;
	if (ip[0] >> 4 == 4) {
		uint32_t s, d;

		l4 = (ip[0] & 15u) * 4;
		if (l4 < sizeof(struct rte_ipv4_hdr) || size < l4 + 4)
			return false;
		memcpy(&s, ip + 12, 4);
		memcpy(&d, ip + 16, 4);
		*src = ps_addr_from_v4(s);
		*dst = ps_addr_from_v4(d);
		*proto = ip[9];
	} else {
		l4 = sizeof(struct rte_ipv6_hdr);
		if (size < l4 + 4)
			return false;
		memcpy(src->b, ip + 8, 16);
		memcpy(dst->b, ip + 24, 16);
		*proto = ip[6];
	}
	port[0] = load16(ip + l4);
	port[1] = load16(ip + l4 + 2);
	return *proto == IPPROTO_TCP || *proto == IPPROTO_UDP;
}

static bool
is_icmp_error(uint8_t proto, uint8_t type)
{
	if (proto == IPPROTO_ICMPV6)
		return type < ICMP6_FIRST_INFORMATIONAL;
	/* RFC 792: unreachable, quench, redirect, time exceeded, parameter problem */
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

uint16_t
ps_owner(const struct ps_worker *w, struct rte_mbuf *m)
{
	const struct ps_meta *meta = ps_meta(m);
	const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, meta->l3);
	uint32_t size = rte_pktmbuf_data_len(m) - meta->l3;
	struct ps_addr src, dst;
	uint16_t port[2];
	uint8_t proto;

	if (w->workers == 1 || (meta->flags & PS_META_F_FRAGMENT) || meta->l4 == 0)
		return w->index;
	if (meta->proto == IPPROTO_TCP || meta->proto == IPPROTO_UDP) {
		if (meta->flags & PS_META_F_V6) {
			memcpy(src.b, ip + 8, 16);
			memcpy(dst.b, ip + 24, 16);
		} else {
			src = ps_addr_from_v4(((const struct rte_ipv4_hdr *)ip)->src_addr);
			dst = ps_addr_from_v4(((const struct rte_ipv4_hdr *)ip)->dst_addr);
		}
		return ps_owner_of(w, &src, load16(ip + meta->l4), &dst, load16(ip + meta->l4 + 2), meta->proto);
	}
	if ((meta->proto != IPPROTO_ICMP && meta->proto != IPPROTO_ICMPV6) || size < meta->l4 + 8u ||
	    !is_icmp_error(meta->proto, ip[meta->l4]) ||
	    !tuple_of(ip + meta->l4 + 8, size - meta->l4 - 8, &src, &dst, port, &proto))
		return w->index;
	/* What is inside is what we sent; its answer would have come the other way round. */
	return ps_owner_of(w, &dst, port[1], &src, port[0], proto);
}

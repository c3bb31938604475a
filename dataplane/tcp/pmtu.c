/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP errors (RFC 5927): believed only when they quote a sequence number in flight, and never enough to end an
 * established connection. Path MTU (RFC 1191, 8201): lowered by packet-too-big.
 */
#include "dataplane/tcp/internal.h"

/* RFC 1191 7.1: what the path may be when the router does not say. */
static const uint16_t plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 576, 508, 296};

static void
too_big(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t mtu)
{
	uint32_t i, least = c->flags & F_V4 ? 552 : 1280;

	for (i = 0; mtu == 0 && i < sizeof(plateau) / sizeof(plateau[0]); i++)
		if (plateau[i] < c->mtu)
			mtu = plateau[i];
	/* A forged, tiny MTU must not make us send crumbs: Linux's floor for IPv4, the architecture's for IPv6. */
	mtu = ps_most(mtu, least);
	if (mtu >= c->mtu) {
		ps_note(s, PS_TCP_ICMP_IGNORED);
		return;
	}
	ps_note(s, PS_TCP_PMTU_LOWERED);
	c->mtu = (uint16_t)mtu;
	c->lowered_ms = s->now_ms;
	ps_conn_set_mss(s, c);
	if (!ps_synchronised(c))
		return;
	/* What no longer fits goes again at once, in smaller segments; this is no congestion (RFC 1191 6.5). */
	for (i = c->sent_head; i != 0; i = s->record[i].next)
		if (s->record[i].size > c->mss && !(s->record[i].flags & R_SACKED))
			ps_record_lost(c, &s->record[i]);
	ps_conn_want_output(s, c);
}

void
ps_tcp_input_icmp(struct ps_tcp *s, const struct ps_tcp_icmp *icmp)
{
	struct ps_tcp_conn *c = ps_conn_find(s, &icmp->local, icmp->local_port, &icmp->remote, icmp->remote_port);

	if (c == NULL) {
		ps_note(s, PS_TCP_ICMP_NO_CONNECTION);
		return;
	}
	if (ps_before(icmp->seq, c->snd_una) || !ps_before(icmp->seq, c->snd_nxt)) {
		ps_note(s, PS_TCP_ICMP_SEQUENCE);
		return;
	}
	if (icmp->kind == PS_TCP_ICMP_TOO_BIG)
		too_big(s, c, icmp->mtu);
	else if (c->state == PS_TCP_SYN_SENT)
		ps_conn_end(s, c, PS_TCP_UNREACHABLE);
	else
		ps_note(s, PS_TCP_ICMP_IGNORED);
}

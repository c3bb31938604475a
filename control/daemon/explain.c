/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/explain.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/daemon/text.h"
#include "policies/flowhash.h"
#include "policies/listener/lookup.h"
#include "policies/maglev/lookup.h"

__attribute__((format(printf, 2, 3))) static void
step(struct ps_explanation *x, const char *fmt, ...)
{
	va_list args;

	if (x->steps == PS_STEPS_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(x->step[x->steps++], sizeof(x->step[0]), fmt, args);
	va_end(args);
}

static bool
addr_in(const struct ps_snapshot *s, enum ps_section_id section, const struct ps_addr *addr)
{
	uint32_t i;

	/* The address comes first in each of these items. */
	for (i = 0; i < ps_snapshot_length(s, section); i++)
		if (ps_addr_equal(ps_snapshot_item(s, section, i), addr))
			return true;
	return false;
}
_Static_assert(offsetof(struct ps_vip, addr) == 0 && offsetof(struct ps_address, addr) == 0 &&
		       offsetof(struct ps_snat_address, addr) == 0,
	       "addr_in() reads the first member");

static void
no_listener(const struct ps_snapshot *s, const struct ps_question *q, struct ps_explanation *x)
{
	char to[PS_ADDRESS_TEXT], ip[PS_ADDRESS_TEXT];
	bool other = false;
	uint32_t i;

	ps_address_text(to, sizeof(to), &q->dst, q->dst_port);
	ps_ip_text(ip, sizeof(ip), &q->dst);
	step(x, "No listener has %s/%s.", to, ps_proto_name(q->proto));
	for (i = 0; i < ps_snapshot_length(s, PS_SEC_LISTENER) && !other; i++) {
		const struct ps_listener *l = ps_snapshot_item(s, PS_SEC_LISTENER, i);

		if (ps_addr_equal(&l->addr, &q->dst)) {
			step(x, "The address has other listeners, such as %s on port %u/%s.", ps_snapshot_string(s, l->name),
				ntohs(l->port), ps_proto_name(l->proto));
			other = true;
		}
	}
	if (other || addr_in(s, PS_SEC_VIP, &q->dst) || addr_in(s, PS_SEC_ADDRESS, &q->dst) ||
	    addr_in(s, PS_SEC_SNAT_ADDRESS, &q->dst)) {
		x->exit = PS_EXIT_NO_LISTENER;
		step(x, "%s is an address of the gateway: without a listener the packet goes to the punt port where one is configured, else it is dropped.", ip);
	} else {
		x->exit = PS_EXIT_NOT_FORWARDED;
		step(x, "%s is no address of the gateway, which is not a general router.", ip);
	}
}

static void
no_endpoint(const struct ps_question *q, struct ps_explanation *x)
{
	if (x->service != NULL && (x->service->flags & PS_SERVICE_F_EMPTY_DROP)) {
		x->exit = PS_EXIT_NO_ENDPOINT;
		step(x, "The service is configured to drop silently then.");
		return;
	}
	x->exit = q->proto == IPPROTO_TCP ? PS_EXIT_RST_NO_ENDPOINT : PS_EXIT_UNREACH_NO_ENDPOINT;
	step(x, "The client gets %s.", q->proto == IPPROTO_TCP ? "a TCP RST" : "an ICMP port unreachable");
}

static uint64_t
question_hash(const struct ps_snapshot *s, const struct ps_question *q)
{
	uint16_t ports[2] = {q->src_port, q->dst_port};
	uint32_t ports_be;

	memcpy(&ports_be, ports, sizeof(ports_be));
	if (ps_addr_is_v4(&q->src))
		return ps_flow_hash4(ps_addr_v4(&q->src), ps_addr_v4(&q->dst), ports_be, q->proto, s->hash_seed);
	return ps_flow_hash6(q->src.b, q->dst.b, ports_be, q->proto, s->hash_seed);
}

/* Why an endpoint does not take a new flow; NULL: it does. */
static const char *
refusal(const struct ps_endpoint *e, const struct ps_state_verdict *verdict)
{
	uint64_t word;
	uint32_t control;

	if (e->slot == PS_NONE)
		return NULL;
	word = atomic_load_explicit(&verdict[e->slot].word, memory_order_relaxed);
	control = (uint32_t)word;
	if (PS_CTL_GENERATION(control) != e->slot_generation || !(control & PS_CTL_IN_USE))
		return "gone";
	if (control & PS_CTL_KILL)
		return "past its drain deadline";
	if (control & PS_CTL_DRAIN)
		return control & PS_CTL_OPERATOR ? "drained by the operator" : "draining";
	if (!ps_verdict_accepts(word, e->slot_generation))
		return "judged down by its probe";
	return PS_CTL_SCALE(control) != 255 ? "scaled back for this flow" : NULL;
}

/* The endpoint that the client is remembered to have, when it takes new flows; else NULL, with the reason as a step. */
static const struct ps_endpoint *
remembered(const struct ps_compiled *c, const struct ps_knowledge *k, const struct ps_question *q,
	struct ps_explanation *x, uint64_t key)
{
	const struct ps_service *v = x->service;
	const struct ps_endpoint *all = ps_snapshot_item(c->snapshot, PS_SEC_ENDPOINT, v->first_endpoint);
	struct ps_remembered had;
	char text[PS_ADDRESS_TEXT], ip[PS_ADDRESS_TEXT];
	const char *why;
	uint32_t i;

	ps_ip_text(ip, sizeof(ip), &q->src);
	if (k->affinity == NULL) {
		step(x, "Whether %s is remembered cannot be told (%s); if it is, it stays with its endpoint.", ip, k->no_affinity);
		return NULL;
	}
	if (!ps_affinity_remembers(k->affinity, key, k->now_ms, &had)) {
		step(x, "%s is not remembered: it is balanced anew, and remembered from then on.", ip);
		return NULL;
	}
	for (i = 0; i < v->balanced; i++)
		if (all[i].slot == had.slot && all[i].slot_generation == had.generation)
			break;
	if (i == v->balanced) {
		step(x, "%s is remembered, but with an endpoint that is no longer balanced.", ip);
		return NULL;
	}
	ps_address_text(text, sizeof(text), &all[i].addr, all[i].port);
	if (!ps_verdict_accepts(atomic_load_explicit(&k->verdict[had.slot].word, memory_order_relaxed), had.generation)) {
		why = refusal(&all[i], k->verdict);
		step(x, "%s is remembered with %s, which takes no new flow (%s).", ip, text, why == NULL ? "unknown" : why);
		return NULL;
	}
	step(x, "%s is remembered with %s for another %u s, and stays with it.", ip, text, had.left_s);
	return &all[i];
}

/* What the table of the service says. */
static const struct ps_endpoint *
balance(const struct ps_compiled *c, const struct ps_state_verdict *verdict, struct ps_explanation *x, uint64_t hash)
{
	const struct ps_snapshot *s = c->snapshot;
	const struct ps_service *v = x->service;
	const struct ps_table *t = ps_snapshot_item(s, PS_SEC_TABLE, v->table);
	const struct ps_endpoint *all = ps_snapshot_item(s, PS_SEC_ENDPOINT, v->first_endpoint);
	const uint16_t *entries = (const void *)((const uint8_t *)c->blob[t->blob].bytes + t->offset);
	uint32_t first = ps_maglev_pick(entries, t->size, hash);
	uint32_t position = ps_maglev_choose(entries, t->size, all, v->balanced, verdict, v->flags, hash);
	char text[PS_ADDRESS_TEXT];
	const char *why;

	step(x, "Maglev: entry %u of %u is %s.", ps_hash_scale(hash, t->size), t->size,
		all[first].slot == PS_NONE ? "an invalid backendRef"
					   : ps_address_text(text, sizeof(text), &all[first].addr, all[first].port));
	if (position != first) {
		why = refusal(&all[first], verdict);
		step(x, "That one takes no new flow (%s).", why == NULL ? "unknown" : why);
	}
	if (position == PS_NONE) {
		step(x, "None of the %u endpoints takes new flows.", v->balanced);
		return NULL;
	}
	if (all[position].slot == PS_NONE) {
		step(x, "This share of the weight belongs to a backendRef that is not valid.");
		return NULL;
	}
	if (position != first)
		step(x, "The next one in its order that does is %s.",
			ps_address_text(text, sizeof(text), &all[position].addr, all[position].port));
	return &all[position];
}

static void
choose(const struct ps_compiled *c, const struct ps_knowledge *k, const struct ps_question *q, struct ps_explanation *x)
{
	const struct ps_service *v = x->service;
	uint64_t hash = question_hash(c->snapshot, q);
	char text[PS_ADDRESS_TEXT], ip[PS_ADDRESS_TEXT];

	if (v->flags & PS_SERVICE_F_AFFINITY) {
		hash = ps_affinity_hash(&q->src, v->id, c->snapshot->hash_seed);
		step(x, "Session affinity is ClientIP for %u s: the client's address alone decides.", v->affinity_s);
		x->endpoint = remembered(c, k, q, x, hash);
	} else if (q->src_port == 0) {
		step(x, "No source port is given; another port may lead to another endpoint.");
	}
	if (x->endpoint == NULL)
		x->endpoint = balance(c, k->verdict, x, hash);
	if (x->endpoint == NULL) {
		no_endpoint(q, x);
		return;
	}
	x->exit = PS_EXIT_TX;
	ps_address_text(text, sizeof(text), &x->endpoint->addr, x->endpoint->port);
	ps_ip_text(ip, sizeof(ip), &q->src);
	switch (v->mode) {
	case PS_MODE_FULLNAT:
		step(x, "FullNAT: sent to %s from an address of the SNAT pool; the reply comes back here.", text);
		break;
	case PS_MODE_DNAT:
		step(x, "DNAT: sent to %s from %s; the reply must pass this gateway.", text, ip);
		break;
	case PS_MODE_L2:
		step(x, "DSR: sent unchanged to the MAC address of %s, which answers %s itself.", text, ip);
		break;
	default:
		step(x, "DSR: sent to %s inside %s; the endpoint answers %s itself.", text,
			v->mode == PS_MODE_GUE ? "GUE (UDP)" : "an IP tunnel", ip);
	}
}

void
ps_explain(const struct ps_compiled *c, const struct ps_knowledge *k, const struct ps_question *q,
	struct ps_explanation *x)
{
	const struct ps_snapshot *s = c->snapshot;
	uint32_t cells = ps_snapshot_length(s, PS_SEC_LISTENER_INDEX), i, e;
	char text[PS_ADDRESS_TEXT];

	memset(x, 0, sizeof(*x));
	i = cells == 0 ? PS_NONE
		       : ps_listener_find(ps_snapshot_item(s, PS_SEC_LISTENER, 0), ps_snapshot_item(s, PS_SEC_LISTENER_INDEX, 0),
				 cells - 1, &q->dst, q->dst_port, q->proto);
	if (i == PS_NONE) {
		no_listener(s, q, x);
		return;
	}
	x->listener = ps_snapshot_item(s, PS_SEC_LISTENER, i);
	step(x, "Listener %s has this address, port and protocol.", ps_snapshot_string(s, x->listener->name));
	if (x->listener->ranges != 0) {
		ps_ip_text(text, sizeof(text), &q->src);
		if (!ps_listener_admits(x->listener, ps_snapshot_item(s, PS_SEC_RANGE, 0), &q->src)) {
			step(x, "%s is in none of its %u source ranges.", text, x->listener->ranges);
			x->exit = PS_EXIT_SOURCE_DENIED;
			return;
		}
		step(x, "%s is in one of its source ranges.", text);
	}
	if (x->listener->service != PS_NONE)
		x->service = ps_snapshot_item(s, PS_SEC_SERVICE, x->listener->service);
	if (x->listener->kind == PS_LISTENER_REJECT || x->service == NULL) {
		step(x, "It has no usable backend.");
		no_endpoint(q, x);
		return;
	}
	step(x, "It leads to %s, with %u endpoints, %u of them balanced.", ps_snapshot_string(s, x->service->name),
		x->service->endpoints, x->service->balanced);
	for (e = 0; e < x->service->endpoints; e++) {
		const struct ps_endpoint *p = ps_snapshot_item(s, PS_SEC_ENDPOINT, x->service->first_endpoint + e);

		if (p->slot != PS_NONE && p->slot >= k->verdicts) {
			step(x, "The state table is smaller than the snapshot: the dataplane must be restarted.");
			x->exit = PS_EXIT_NO_ENDPOINT;
			return;
		}
	}
	if (x->service->balanced == 0 || x->service->table == PS_NONE) {
		step(x, "None of them takes new flows.");
		no_endpoint(q, x);
		return;
	}
	choose(c, k, q, x);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Listeners of a Gateway: what they ask for, whether it can be had, and the conditions that say so. */
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "control/resolve/internal.h"

/* ---- protocols ---- */

static const struct protocol {
	const char *name;
	const char *kind[2];
	uint8_t l4;      /* served now, as this IP protocol; 0: not yet */
	uint8_t wire;    /* what it takes the port of */
	uint8_t family;  /* listeners of one family may share a port by hostname; 0: they may not */
} protocols[] = {
	{"TCP", {"TCPRoute"}, IPPROTO_TCP, IPPROTO_TCP, 0},
	{"UDP", {"UDPRoute"}, IPPROTO_UDP, IPPROTO_UDP, 0},
	{"HTTP", {"HTTPRoute", "GRPCRoute"}, 0, IPPROTO_TCP, 1},
	{"HTTPS", {"HTTPRoute", "GRPCRoute"}, 0, IPPROTO_TCP, 2},
	{"TLS", {"TLSRoute"}, 0, IPPROTO_TCP, 2},
};

static const struct protocol *
protocol_of(const struct ps_gateway_listener *l)
{
	uint32_t i;

	for (i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(ps_or_empty(l->protocol.s), protocols[i].name) == 0)
			return &protocols[i];
	return NULL;
}

/* ---- listeners ---- */

static const struct ps_conditions *
listener_before(const struct gateway_entry *before, const char *name)
{
	uint32_t i;

	for (i = 0; before != NULL && i < before->status.listeners; i++)
		if (strcmp(before->listener[i].name, name) == 0)
			return &before->status.listener[i].conditions;
	return NULL;
}

static bool
hostname_is(const struct ps_gateway_listener *a, const struct ps_gateway_listener *b)
{
	return strcasecmp(ps_or_empty(a->hostname.s), ps_or_empty(b->hostname.s)) == 0;
}

/* Does wildcard or empty hostname a cover b, or the other way round? */
static bool
hostnames_overlap(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);

	if (la == 0 || lb == 0 || strcasecmp(a, b) == 0)
		return true;
	if (a[0] == '*' && lb > la - 1 && strcasecmp(b + lb - (la - 1), a + 1) == 0)
		return true;
	return b[0] == '*' && la > lb - 1 && strcasecmp(a + la - (lb - 1), b + 1) == 0;
}

/* Why listener i cannot stand beside another one of its Gateway; NULL: it can. */
static const char *
conflict_of(const struct ps_gateway_spec *spec, uint32_t i, const char **with)
{
	const struct ps_gateway_listener *a = &spec->listeners.item[i];
	const struct protocol *pa = protocol_of(a);
	uint32_t j;

	for (j = 0; j < spec->listeners.length; j++) {
		const struct ps_gateway_listener *b = &spec->listeners.item[j];
		const struct protocol *pb = protocol_of(b);

		if (j == i || pb == NULL || a->port.v != b->port.v || pa->wire != pb->wire)
			continue;
		*with = ps_or_empty(b->name.s);
		if (pa->family == 0 || pa->family != pb->family)
			return "ProtocolConflict";
		if (hostname_is(a, b))
			return "HostnameConflict";
	}
	return NULL;
}

static const char *
tls_overlap(const struct ps_gateway_spec *spec, uint32_t i)
{
	const struct ps_gateway_listener *a = &spec->listeners.item[i];
	uint32_t j;

	if (strcmp(ps_or_empty(a->protocol.s), "HTTPS") != 0)
		return NULL;
	for (j = 0; j < spec->listeners.length; j++) {
		const struct ps_gateway_listener *b = &spec->listeners.item[j];

		if (j != i && strcmp(ps_or_empty(b->protocol.s), "HTTPS") == 0 && a->port.v == b->port.v && !hostname_is(a, b) &&
			hostnames_overlap(ps_or_empty(a->hostname.s), ps_or_empty(b->hostname.s)))
			return ps_or_empty(b->name.s);
	}
	return NULL;
}

static bool
secret_exists(const struct ps_manifests *set, const char *ns, const char *name)
{
	const struct ps_object *o;

	for (o = ps_manifests_first(set, PS_KIND_OTHER); o != NULL; o = ps_manifests_next(o))
		if (strcmp(o->kind_name, "Secret") == 0 && strcmp(o->name, name) == 0 && strcmp(o->ns, ns) == 0)
			return true;
	return false;
}

/* Fills supportedKinds; a kind that the protocol has no room for is named in *bad. */
static void
listener_kinds(const struct ps_gateway_listener *l, const struct protocol *p, struct ps_listener_status *s, const char **bad)
{
	uint32_t i, j, k;

	*bad = NULL;
	if (l->allowed_routes.kinds.length == 0) {
		for (i = 0; i < 2 && p->kind[i] != NULL; i++)
			s->kind[s->kinds++] = p->kind[i];
		return;
	}
	for (i = 0; i < l->allowed_routes.kinds.length; i++) {
		const struct ps_route_kind *want = &l->allowed_routes.kinds.item[i];
		const char *group = want->group.s != NULL ? want->group.s : PS_GATEWAY_GROUP, *found = NULL;

		for (j = 0; j < 2 && p->kind[j] != NULL; j++)
			if (strcmp(group, PS_GATEWAY_GROUP) == 0 && strcmp(ps_or_empty(want->kind.s), p->kind[j]) == 0)
				found = p->kind[j];
		if (found == NULL) {
			*bad = ps_or_empty(want->kind.s);
			continue;
		}
		for (k = 0; k < s->kinds && s->kind[k] != found; k++)
			;
		if (k == s->kinds)
			s->kind[s->kinds++] = found;
	}
}

static void
certificate_refs(struct ps_resolver *r, const struct gateway_entry *g, const struct ps_gateway_listener *l,
	const char **reason, char *text, size_t size)
{
	const struct ps_object *o = g->status.object;
	uint32_t i;

	for (i = 0; i < l->tls.certificate_refs.length && *reason == NULL; i++) {
		const struct ps_object_ref *ref = &l->tls.certificate_refs.item[i];
		const char *ns = ref->ns.s != NULL ? ref->ns.s : o->ns, *name = ps_or_empty(ref->name.s);

		if (*ps_or_empty(ref->group.s) != '\0' || (ref->kind.s != NULL && strcmp(ref->kind.s, "Secret") != 0)) {
			*reason = "InvalidCertificateRef";
			snprintf(text, size, "certificateRef of kind %s, expected Secret", ps_or_empty(ref->kind.s));
		} else if (!ps_grant_permits(r->set, PS_GATEWAY_GROUP, "Gateway", o->ns, "", "Secret", ns, name)) {
			*reason = "RefNotPermitted";
			snprintf(text, size, "no ReferenceGrant in namespace %s lets Gateways of %s use Secret %s", ns, o->ns, name);
		} else if (!secret_exists(r->set, ns, name)) {
			*reason = "InvalidCertificateRef";
			snprintf(text, size, "Secret %s/%s is not there", ns, name);
		}
	}
}

/* What is known before routes are attached: Accepted, Conflicted, ResolvedRefs. */
void
ps_gateway_check_listener(struct ps_resolver *r, struct gateway_entry *g, const struct gateway_entry *before, uint32_t i)
{
	const struct ps_object *o = g->status.object;
	const struct ps_gateway_listener *l = &o->gateway->listeners.item[i];
	struct ps_listener_status *s = &g->status.listener[i];
	const struct ps_conditions *old = listener_before(before, ps_or_empty(l->name.s));
	const struct protocol *p = protocol_of(l);
	const char *conflict, *with = "", *bad_kind = NULL, *reason = NULL, *overlap;
	char text[256] = "";

	s->spec = l;
	if (p == NULL) {
		ps_condition_set(r, &s->conditions, old, o, "Accepted", "False", "UnsupportedProtocol",
			"protocol %s is not supported, expected TCP, UDP, HTTP, HTTPS or TLS", ps_or_empty(l->protocol.s));
		ps_condition_set(r, &s->conditions, old, o, "ResolvedRefs", "True", "ResolvedRefs", "nothing is referred to");
		ps_condition_set(r, &s->conditions, old, o, "Conflicted", "False", "NoConflicts", "no conflict");
		return;
	}
	listener_kinds(l, p, s, &bad_kind);
	conflict = conflict_of(o->gateway, i, &with);
	if (conflict != NULL) {
		ps_condition_set(r, &s->conditions, old, o, "Accepted", "False", conflict,
			"in conflict with listener %s on port %u", with, (unsigned)l->port.v);
		ps_condition_set(r, &s->conditions, old, o, "Conflicted", "True", conflict,
			"in conflict with listener %s on port %u: neither is served", with, (unsigned)l->port.v);
	} else {
		ps_condition_set(r, &s->conditions, old, o, "Accepted", "True", "Accepted", "the listener is valid");
		ps_condition_set(r, &s->conditions, old, o, "Conflicted", "False", "NoConflicts", "no conflict");
		g->listener[i].usable = !g->unsupported_address && g->class_accepted;
		g->listener[i].proto = p->l4;
	}
	if (bad_kind != NULL) {
		reason = "InvalidRouteKinds";
		snprintf(text, sizeof(text), "allowedRoutes.kinds has %s, which a listener of protocol %s does not take", bad_kind,
			p->name);
	}
	certificate_refs(r, g, l, &reason, text, sizeof(text));
	if (reason != NULL)
		ps_condition_set(r, &s->conditions, old, o, "ResolvedRefs", "False", reason, "%s", text);
	else
		ps_condition_set(r, &s->conditions, old, o, "ResolvedRefs", "True", "ResolvedRefs", "all references are resolved");
	overlap = tls_overlap(o->gateway, i);
	if (overlap != NULL)
		ps_condition_set(r, &s->conditions, old, o, "OverlappingTLSConfig", "True", "OverlappingHostnames",
			"hostnames overlap with those of listener %s on the same port", overlap);
}

/* Programmed, which depends on who won the address and port; Accepted turns False when somebody else has them all. */
void
ps_gateway_listener_conditions(struct ps_resolver *r, struct gateway_entry *g, const struct gateway_entry *before)
{
	const struct ps_object *o = g->status.object;
	uint32_t i;

	for (i = 0; i < g->status.listeners; i++) {
		struct ps_listener_status *s = &g->status.listener[i];
		const struct gateway_listener_entry *l = &g->listener[i];
		const struct ps_conditions *old =
			before == g ? &s->conditions : listener_before(before, ps_or_empty(s->spec->name.s));

		if (l->usable && l->proto != 0 && l->won == 0 && l->lost != 0)
			ps_condition_set(r, &s->conditions, old, o, "Accepted", "False", "PortUnavailable",
				"address and port belong to %s, which is older", l->lost_to);
		else if (l->usable)
			ps_condition_set(r, &s->conditions, old, o, "Accepted", "True", "Accepted", "the listener is valid");
		if (!l->usable)
			ps_condition_set(r, &s->conditions, old, o, "Programmed", "False", "Invalid", "the listener is not served");
		else if (l->proto == 0)
			ps_condition_set(r, &s->conditions, old, o, "Programmed", "False", "Pending",
				"protocol %s is not served yet; TCP and UDP are", ps_or_empty(s->spec->protocol.s));
		else if (g->status.addresses == 0)
			ps_condition_set(r, &s->conditions, old, o, "Programmed", "False", "Pending", "the Gateway has no address");
		else if (l->won == 0)
			ps_condition_set(r, &s->conditions, old, o, "Programmed", "False", "Invalid", "the listener is not served");
		else if (l->lost != 0)
			ps_condition_set(r, &s->conditions, old, o, "Programmed", "True", "Programmed",
				"served, but on %u addresses not: they belong to %s", l->lost, l->lost_to);
		else
			ps_condition_set(r, &s->conditions, old, o, "Programmed", "True", "Programmed", "served on %u addresses",
				l->won);
	}
}

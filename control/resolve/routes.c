/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCPRoutes and UDPRoutes: which listeners they attach to, and what their backendRefs mean.
 *
 * A route needs a ReferenceGrant for a backend of another namespace; a reference that
 * does not resolve keeps its weight and refuses its share of flows.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolve/internal.h"
#include "dataplane/api/digest.h"

static const char *
or_else(const struct ps_text *t, const char *standard)
{
	return t->s != NULL ? t->s : standard;
}

static uint8_t
proto_of(const struct ps_object *route)
{
	return route->kind == PS_KIND_UDP_ROUTE ? IPPROTO_UDP : IPPROTO_TCP;
}

/* ---- backends ---- */

struct backend_check {
	const char *reason; /* NULL: fine */
	char text[320];
	struct service_entry *service;
	uint32_t port;
};

static void __attribute__((format(printf, 3, 4)))
refuse(struct backend_check *c, const char *reason, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, args);
	va_end(args);
	c->reason = reason;
}

static void
check_backend(const struct ps_resolver *r, const struct ps_object *route, const struct ps_backend_ref *ref,
	struct backend_check *c)
{
	const char *ns = or_else(&ref->ns, route->ns), *name = or_else(&ref->name, ""), *kind = or_else(&ref->kind, "Service");
	const struct ps_object *o;
	uint32_t i;

	*c = (struct backend_check){0};
	if (*or_else(&ref->group, "") != '\0' || strcmp(kind, "Service") != 0) {
		refuse(c, "InvalidKind", "backendRef %s is of kind %s, expected Service", name, kind);
		return;
	}
	if (!ps_grant_permits(r->set, PS_GATEWAY_GROUP, ps_kind_name(route->kind), route->ns, "", "Service", ns, name)) {
		refuse(c, "RefNotPermitted", "no ReferenceGrant in namespace %s lets %ss of %s use Service %s", ns,
			ps_kind_name(route->kind), route->ns, name);
		return;
	}
	o = ps_manifests_find(r->set, PS_KIND_SERVICE, ns, name);
	if (o == NULL) {
		refuse(c, "BackendNotFound", "Service %s/%s is not there", ns, name);
		return;
	}
	if (o->service->type.v == PS_EXTERNAL_NAME) {
		refuse(c, "UnsupportedValue", "Service %s/%s is an ExternalName, which has no endpoints", ns, name);
		return;
	}
	c->service = ps_service_entry(r, o);
	for (i = 0; i < o->service->ports.length; i++)
		if (o->service->ports.item[i].port.v == ref->port.v &&
			(o->service->ports.item[i].protocol.v == PS_UDP) == (proto_of(route) == IPPROTO_UDP))
			break;
	if (i == o->service->ports.length || c->service == NULL) {
		c->service = NULL;
		refuse(c, "BackendNotFound", "Service %s/%s has no %s port %u", ns, name,
			proto_of(route) == IPPROTO_UDP ? "UDP" : "TCP", (unsigned)ref->port.v);
		return;
	}
	c->port = i;
}

/* ---- parents ---- */

static bool
names_gateway(const struct ps_parent_ref *ref)
{
	return strcmp(or_else(&ref->group, PS_GATEWAY_GROUP), PS_GATEWAY_GROUP) == 0 && strcmp(or_else(&ref->kind, "Gateway"), "Gateway") == 0;
}

/* Kubernetes labels every namespace with its name. */
static bool
selector_allows(struct ps_resolver *r, const struct ps_selector *selector, const char *name)
{
	const struct ps_object *ns = ps_manifests_find(r->set, PS_KIND_NAMESPACE, "", name);
	uint32_t length = ns != NULL ? ns->labels.length : 0;
	struct ps_pairs labels = {.item = malloc((length + 1) * sizeof(*labels.item)), .length = length + 1};
	bool matches;

	if (labels.item == NULL) {
		r->failed = true;
		return false;
	}
	if (length != 0)
		memcpy(labels.item, ns->labels.item, length * sizeof(*labels.item));
	labels.item[length] = (struct ps_pair){.key = "kubernetes.io/metadata.name", .value = name};
	matches = ps_selector_matches(selector, &labels);
	free(labels.item);
	return matches;
}

static bool
namespace_allowed(struct ps_resolver *r, const struct ps_object *gateway, const struct ps_gateway_listener *l,
	const struct ps_object *route)
{

	switch ((enum ps_from)l->allowed_routes.namespaces.from.v) {
	case PS_FROM_SAME:
		return strcmp(gateway->ns, route->ns) == 0;
	case PS_FROM_ALL:
		return true;
	case PS_FROM_SELECTOR:
		return selector_allows(r, &l->allowed_routes.namespaces.selector, route->ns);
	case PS_FROM_NONE:
		break;
	}
	return false;
}

static bool
kind_allowed(const struct ps_listener_status *l, const struct ps_object *route)
{
	uint32_t i;

	for (i = 0; i < l->kinds; i++)
		if (strcmp(l->kind[i], ps_kind_name(route->kind)) == 0)
			return true;
	return false;
}

/* Routes come in the order of their age: the first one takes the flows. Returns the older one that has them already. */
static const struct ps_object *
attach(struct gateway_entry *g, uint32_t listener, const struct ps_object *route)
{
	struct gateway_listener_entry *l = &g->listener[listener];
	const struct ps_object *older = l->route != route ? l->route : NULL;

	g->status.listener[listener].attached_routes++;
	if (l->route == NULL)
		l->route = route;
	return older;
}

/* Attaches a route to the listeners that one parentRef names, and says what came of it. */
static void
attach_parent(struct ps_resolver *r, struct gateway_entry *g, const struct ps_object *route, struct ps_parent_status *s,
	const struct ps_conditions *old)
{
	const struct ps_parent_ref *ref = s->ref;
	const struct ps_object *older = NULL, *other;
	uint32_t i, named = 0, invalid = 0, attached = 0, idle = 0, first = 0;

	for (i = 0; i < g->status.listeners; i++) {
		const struct ps_listener_status *l = &g->status.listener[i];

		if ((ref->section_name.s != NULL && strcmp(ref->section_name.s, or_else(&l->spec->name, "")) != 0) ||
			(ref->port.v != 0 && ref->port.v != l->spec->port.v))
			continue;
		named++;
		if (!kind_allowed(l, route) || !namespace_allowed(r, s->gateway, l->spec, route))
			continue;
		if (!g->listener[i].usable) {
			invalid++;
			continue;
		}
		if (attached++ == 0)
			first = i;
		other = attach(g, i, route);
		if (other != NULL) {
			older = other;
			idle++;
		}
	}
	if (idle != 0 && ps_object_diagnose(route, &r->gateway_diagnostics, PS_WARNING,
				 ref->name.place.line != 0 ? ref->name.place : ref->place,
				 "%s %s/%s is older and takes all flows of %u of the %u listeners, expected listeners without another route",
				 ps_kind_name(older->kind), older->ns, older->name, idle, attached) != 0)
		r->failed = true;
	if (idle != 0)
		ps_condition_set(r, &s->conditions, old, route, "Accepted", "True", "Accepted",
			"attached to %u listeners, but %s %s/%s is older and takes all flows of %u of them", attached,
			ps_kind_name(older->kind), older->ns, older->name, idle);
	else if (attached != 0)
		ps_condition_set(r, &s->conditions, old, route, "Accepted", "True", "Accepted", "attached to %u listeners, first %s",
			attached, or_else(&g->status.listener[first].spec->name, ""));
	else if (named == 0)
		ps_condition_set(r, &s->conditions, old, route, "Accepted", "False", "NoMatchingParent",
			"Gateway %s/%s has no listener that sectionName and port of this parentRef name", s->gateway->ns,
			s->gateway->name);
	else if (invalid != 0)
		ps_condition_set(r, &s->conditions, old, route, "Accepted", "False", "NoMatchingParent",
			"the listeners that would take this route are not accepted themselves");
	else
		ps_condition_set(r, &s->conditions, old, route, "Accepted", "False", "NotAllowedByListeners",
			"no listener allows a %s of namespace %s", ps_kind_name(route->kind), route->ns);
}

static void
resolved_refs(struct ps_resolver *r, const struct ps_object *route, struct ps_parent_status *s,
	const struct ps_conditions *old)
{
	struct backend_check c;
	uint32_t i, j;

	for (i = 0; i < route->route->rules.length; i++) {
		for (j = 0; j < route->route->rules.item[i].backend_refs.length; j++) {
			check_backend(r, route, &route->route->rules.item[i].backend_refs.item[j], &c);
			if (c.reason != NULL) {
				ps_condition_set(r, &s->conditions, old, route, "ResolvedRefs", "False", c.reason, "%s", c.text);
				return;
			}
		}
	}
	ps_condition_set(r, &s->conditions, old, route, "ResolvedRefs", "True", "ResolvedRefs", "all references are resolved");
}

static void
warn_about(struct ps_resolver *r, const struct ps_object *route)
{
	const struct ps_l4_route_spec *spec = route->route;
	struct backend_check c;
	uint32_t i, j;

	for (i = 1; i < spec->rules.length; i++)
		ps_without_effect(r, &r->gateway_diagnostics, route, spec->rules.item[i].place,
			"a %s has no conditions, so that only its first rule takes flows, expected one rule",
			ps_kind_name(route->kind));
	for (i = 0; i < spec->rules.length; i++) {
		for (j = 0; j < spec->rules.item[i].backend_refs.length; j++) {
			const struct ps_backend_ref *ref = &spec->rules.item[i].backend_refs.item[j];

			check_backend(r, route, ref, &c);
			if (c.reason != NULL && ps_object_diagnose(route, &r->gateway_diagnostics, PS_WARNING,
							ref->name.place.line != 0 ? ref->name.place : ref->place, "%s", c.text) != 0)
				r->failed = true;
		}
	}
}

static void
attach_route(struct ps_resolver *r, struct gateway_pass *pass, const struct gateway_pass *before,
	const struct ps_object *route)
{
	const struct ps_l4_route_spec *spec = route->route;
	const struct ps_route_status *old = ps_map_get(&before->by_route, ps_map_key(route));
	struct ps_route_status *s = NULL;
	uint32_t i;

	for (i = 0; i < spec->parent_refs.length && !r->failed; i++) {
		const struct ps_parent_ref *ref = &spec->parent_refs.item[i];
		const struct ps_conditions *old_conditions = NULL;
		const struct ps_object *gateway;
		struct gateway_entry *g;
		struct ps_parent_status *parent;

		if (!names_gateway(ref)) {
			ps_without_effect(r, &r->gateway_diagnostics, route, ref->place, "parentRef of kind %s is not served, expected Gateway",
				or_else(&ref->kind, "Gateway"));
			continue;
		}
		gateway = ps_manifests_find(r->set, PS_KIND_GATEWAY, or_else(&ref->ns, route->ns), or_else(&ref->name, ""));
		if (gateway == NULL) {
			ps_without_effect(r, &r->gateway_diagnostics, route,
				ref->name.place.line != 0 ? ref->name.place : ref->place,
				"Gateway %s/%s is not there, expected a parentRef to one that is", or_else(&ref->ns, route->ns),
				or_else(&ref->name, ""));
			continue;
		}
		g = ps_map_get(&pass->by_gateway, ps_map_key(gateway));
		if (g == NULL)
			continue; /* another controller's */
		if (s == NULL) {
			s = ps_take(r, &pass->arena, sizeof(*s));
			if (s == NULL)
				return;
			s->parent = ps_take(r, &pass->arena, spec->parent_refs.length * sizeof(*s->parent));
			if (r->failed || ps_map_put(&pass->by_route, ps_map_key(route), s) != 0) {
				r->failed = true;
				return;
			}
			s->object = route;
			pass->route[pass->routes++] = s;
		}
		if (old != NULL && s->parents < old->parents)
			old_conditions = &old->parent[s->parents].conditions;
		parent = &s->parent[s->parents++];
		parent->ref = ref;
		parent->gateway = gateway;
		attach_parent(r, g, route, parent, old_conditions);
		resolved_refs(r, route, parent, old_conditions);
	}
	warn_about(r, route);
}

/* ---- services of routes ---- */

static struct route_service *
make_service(struct ps_resolver *r, struct gateway_pass *pass, const struct ps_object *route, bool v6)
{
	struct route_service *s;
	int64_t chosen = -1;
	uint32_t i;

	s = ps_map_get(&pass->by_service, ps_map_key(route) + v6);
	if (s != NULL)
		return s;
	s = ps_take(r, &pass->arena, sizeof(*s));
	if (s == NULL || ps_map_put(&pass->by_service, ps_map_key(route) + v6, s) != 0) {
		r->failed = true;
		return NULL;
	}
	s->model = (struct ps_model_service){
		.object = route,
		.v6 = v6,
		.proto = proto_of(route),
		.name = ps_take_text(r, &pass->arena, "%s/%s/%s/0%s",
			route->kind == PS_KIND_UDP_ROUTE ? "udproute" : "tcproute", route->ns, route->name, v6 ? "/ipv6" : ""),
	};
	s->model.id = ps_service_id(s->model.name);
	if (route->route->rules.length != 0) {
		const struct ps_l4_rule *rule = &route->route->rules.item[0];

		s->backend = ps_take(r, &pass->arena, rule->backend_refs.length * sizeof(*s->backend));
		for (i = 0; i < rule->backend_refs.length && !r->failed; i++) {
			const struct ps_backend_ref *ref = &rule->backend_refs.item[i];
			struct route_backend *b = &s->backend[s->backends++];
			struct backend_check c;

			check_backend(r, route, ref, &c);
			b->service = c.service;
			b->port = c.port;
			b->weight = (uint32_t)ref->weight.v;
			b->name = ps_take_text(r, &pass->arena, "%s/%s:%u", or_else(&ref->ns, route->ns), or_else(&ref->name, ""),
				(unsigned)ref->port.v);
			/* The settings of the first backend that takes flows are those of the route. */
			if (b->service != NULL && (chosen < 0 || (chosen == 0 && b->weight != 0))) {
				ps_service_settings(r, b->service->object, &s->model, NULL, false);
				chosen = b->weight;
			}
		}
	}
	if (chosen < 0) {
		s->model.snat_pool = 0; /* FullNAT with no endpoint: everything is refused */
		s->model.probe.kind = PS_PROBE_NONE;
	}
	s->next = pass->services;
	pass->services = s;
	return s;
}

static int
route_age(const void *a, const void *b)
{
	return ps_object_age(*(const struct ps_object *const *)a, *(const struct ps_object *const *)b);
}

static void
attach_kind(struct ps_resolver *r, struct gateway_pass *pass, const struct gateway_pass *before, enum ps_kind kind)
{
	uint32_t n = 0, i, length = ps_manifests_length(r->set, kind);
	const struct ps_object **order, *o;

	if (length == 0)
		return;
	order = malloc(length * sizeof(*order));
	if (order == NULL) {
		r->failed = true;
		return;
	}
	for (o = ps_manifests_first(r->set, kind); o != NULL && n < length; o = ps_manifests_next(o))
		order[n++] = o;
	qsort(order, n, sizeof(*order), route_age);
	for (i = 0; i < n && !r->failed; i++)
		attach_route(r, pass, before, order[i]);
	free(order);
}

void
ps_routes_attach(struct ps_resolver *r, struct gateway_pass *pass, const struct gateway_pass *before)
{
	uint32_t i, j, k;

	pass->route = ps_take(r, &pass->arena,
		(ps_manifests_length(r->set, PS_KIND_TCP_ROUTE) + ps_manifests_length(r->set, PS_KIND_UDP_ROUTE)) *
			sizeof(*pass->route));
	if (r->failed)
		return;
	attach_kind(r, pass, before, PS_KIND_TCP_ROUTE);
	attach_kind(r, pass, before, PS_KIND_UDP_ROUTE);
	for (i = 0; i < pass->gateways; i++) {
		struct gateway_entry *g = pass->gateway[i];

		for (j = 0; j < g->status.listeners; j++) {
			struct gateway_listener_entry *l = &g->listener[j];

			if (l->route == NULL || l->proto == 0)
				continue;
			for (k = 0; k < g->status.addresses && !r->failed; k++) {
				bool v6 = !ps_addr_is_v4(&g->status.address[k]);

				if (l->service[v6] == NULL)
					l->service[v6] = make_service(r, pass, l->route, v6);
			}
		}
	}
}

/* ---- endpoints of routes ---- */

static uint64_t
gcd(uint64_t a, uint64_t b)
{
	while (b != 0) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

static void
add_reject(struct ps_model_service *s, uint32_t backend, uint64_t weight, const char *name)
{
	s->endpoint[s->endpoints++] = (struct ps_model_endpoint){
		.id = ps_mix64(s->id ^ PS_DIGEST_K3, backend + 1),
		.weight = (uint32_t)weight,
		.flags = PS_ENDPOINT_F_REJECT,
		.name = "",
		.node = "",
		.zone = "",
		.backend = name,
	};
}

/* Backends of one rule that share an endpoint add their weights up. Endpoints are sorted by id. */
static void
join_equal(struct ps_model_service *s)
{
	uint32_t i, kept = 0;

	for (i = 0; i < s->endpoints; i++) {
		struct ps_model_endpoint *last = kept != 0 ? &s->endpoint[kept - 1] : NULL;

		if (last == NULL || last->id != s->endpoint[i].id) {
			s->endpoint[kept++] = s->endpoint[i];
			continue;
		}
		last->weight += s->endpoint[i].weight;
		if (last->weight != 0)
			last->flags &= ~PS_ENDPOINT_F_DRAINING;
	}
	s->endpoints = kept;
}

static int
by_id(const void *a, const void *b)
{
	const struct ps_model_endpoint *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void
reduce_weights(struct ps_model_service *s)
{
	uint64_t common = 0;
	uint32_t i;

	for (i = 0; i < s->endpoints; i++)
		common = gcd(common, s->endpoint[i].weight);
	s->balanced = 0;
	for (i = 0; i < s->endpoints; i++) {
		if (common > 1)
			s->endpoint[i].weight /= (uint32_t)common;
		s->balanced += s->endpoint[i].weight != 0;
	}
}

/* Shares of a backend's weight are cut out of this many parts, so that thirds and sevenths come out even enough. */
#define WEIGHT_PARTS (1ull << 27)

static void
fill_service(struct ps_resolver *r, struct route_service *rs)
{
	struct ps_model_service *s = &rs->model;
	uint64_t unit, heaviest = 1, share;
	uint32_t i, j, most = 0;
	bool *rotate;

	ps_arena_reset(&rs->arena);
	s->endpoints = s->balanced = 0;
	for (i = 0; i < rs->backends; i++) {
		if (rs->backend[i].weight > heaviest)
			heaviest = rs->backend[i].weight;
		most += 1 + (rs->backend[i].service != NULL
				    ? rs->backend[i].service->backend[rs->backend[i].port * 2 + s->v6].endpoints
				    : 0);
	}
	s->endpoint = ps_take(r, &rs->arena, most * sizeof(*s->endpoint));
	rotate = ps_take(r, &rs->arena, most);
	if (r->failed)
		return;
	unit = WEIGHT_PARTS / heaviest;
	for (i = 0; i < rs->backends; i++) {
		const struct route_backend *b = &rs->backend[i];
		const struct backend *from =
			b->service != NULL ? &b->service->backend[b->port * 2 + s->v6] : NULL;

		if (from == NULL || ps_backend_rotation(from, false, rotate, &share) == 0) {
			if (b->weight != 0)
				add_reject(s, i, b->weight * unit, b->name);
			share = 0;
		}
		for (j = 0; from != NULL && j < from->endpoints; j++) {
			const struct backend_endpoint *e = &from->endpoint[j];
			uint64_t weight = share != 0 && rotate[j] ? b->weight * unit * e->weight / share : 0;

			if (weight == 0 && share != 0 && rotate[j] && b->weight != 0)
				weight = 1;
			s->endpoint[s->endpoints++] = (struct ps_model_endpoint){
				.id = ps_endpoint_id(s->id, &e->addr, e->port, s->proto),
				.addr = e->addr,
				.port = e->port,
				.weight = (uint32_t)weight,
				.flags = e->terminating && weight == 0 ? PS_ENDPOINT_F_DRAINING : 0,
				.ready = e->ready,
				.serving = e->serving,
				.terminating = e->terminating,
				.name = e->name,
				.node = e->node,
				.zone = e->zone,
				.backend = b->name,
			};
		}
	}
	qsort(s->endpoint, s->endpoints, sizeof(*s->endpoint), by_id);
	join_equal(s);
	reduce_weights(s);
	ps_endpoints_sort(s->endpoint, s->endpoints);
	s->revision = ++r->serial;
	r->content_changed = true;
}

void
ps_refresh_route_services(struct ps_resolver *r)
{
	struct route_service *s;
	uint32_t i;

	for (s = r->gateway.services; s != NULL && !r->failed; s = s->next) {
		uint64_t key = 1;

		for (i = 0; i < s->backends; i++)
			key = ps_mix64(key ^ PS_DIGEST_K0,
				(s->backend[i].service != NULL ? s->backend[i].service->revision : 0) ^ PS_DIGEST_K1);
		if (key == s->key)
			continue;
		s->key = key;
		fill_service(r, s);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GatewayClasses and Gateways: whose they are, their addresses, and what is true of each listener before and
 * after routes are attached.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolve/internal.h"
#include "dataplane/api/digest.h"

/* ---- classes ---- */

static bool
is_ours(const struct ps_resolver *r, const char *controller)
{
	const struct ps_dataplane_spec *spec = r->model.spec;
	uint32_t i;

	if (controller == NULL)
		return false;
	if (strcmp(controller, PS_CONTROLLER_NAME) == 0)
		return true;
	for (i = 0; i < r->adopts; i++)
		if (strcmp(controller, r->adopt[i]) == 0)
			return true;
	for (i = 0; i < spec->controller_names.length; i++)
		if (strcmp(controller, ps_or_empty(spec->controller_names.item[i].s)) == 0)
			return true;
	return false;
}

static void
resolve_classes(struct ps_resolver *r, struct gateway_pass *pass, const struct gateway_pass *before)
{
	const struct ps_object *o;
	uint32_t i;

	pass->class_status = ps_take(r, &pass->arena,
		ps_manifests_length(r->set, PS_KIND_GATEWAY_CLASS) * sizeof(*pass->class_status));
	if (r->failed)
		return;
	for (o = ps_manifests_first(r->set, PS_KIND_GATEWAY_CLASS); o != NULL; o = ps_manifests_next(o)) {
		const struct ps_conditions *old = NULL;
		struct ps_class_status *s;

		if (!is_ours(r, o->gateway_class->controller_name.s))
			continue;
		s = ps_take(r, &pass->arena, sizeof(*s));
		if (r->failed)
			return;
		pass->class_status[pass->classes++] = s;
		s->object = o;
		for (i = 0; i < before->classes; i++)
			if (before->class_status[i]->object == o)
				old = &before->class_status[i]->conditions;
		if (o->gateway_class->parameters_ref.line != 0)
			ps_condition_set(r, &s->conditions, old, o, "Accepted", "False", "InvalidParameters",
				"parametersRef is not supported: the Dataplane document configures Penstock");
		else
			ps_condition_set(r, &s->conditions, old, o, "Accepted", "True", "Accepted",
				"Penstock serves Gateways of this class");
	}
}

static const struct ps_class_status *
class_of(const struct gateway_pass *pass, const char *name)
{
	uint32_t i;

	for (i = 0; i < pass->classes; i++)
		if (strcmp(pass->class_status[i]->object->name, ps_or_empty(name)) == 0)
			return pass->class_status[i];
	return NULL;
}

/* ---- addresses ---- */

static void
add_address(struct gateway_entry *g, const struct ps_addr *addr)
{
	uint32_t i;

	for (i = 0; i < g->status.addresses; i++)
		if (ps_addr_equal(&g->status.address[i], addr))
			return;
	g->status.address[g->status.addresses++] = *addr;
}

static bool
is_usable(const struct ps_model *m, const struct ps_addr *addr)
{
	if (!ps_addr_is_servable(addr))
		return false;
	return m->spec->gateway_addresses.length == 0 || ps_in_gateway_addresses(m->spec, addr) ||
	       ps_is_interface_address(m, addr);
}

/* Addresses for a Gateway that asks for none: what it had, one of each family of gatewayAddresses, else our own. */
static void
assign_addresses(struct ps_resolver *r, struct gateway_entry *g, const struct gateway_entry *before)
{
	const struct ps_object *o = g->status.object;
	struct ps_model *m = &r->model;
	uint32_t f, i;

	for (f = 0; f < 2; f++) {
		bool kept = false;

		if (!ps_has_gateway_addresses(m->spec, f != 0))
			continue;
		for (i = 0; before != NULL && i < 2 && !kept; i++) {
			if (ps_addr_is_zero(&before->pool_address[i]) || ps_addr_is_v4(&before->pool_address[i]) == (f != 0) ||
				!ps_in_gateway_addresses(m->spec, &before->pool_address[i]))
				continue;
			g->pool_address[f] = before->pool_address[i];
			kept = true;
		}
		if (!kept && ps_pool_assign(r,
				     ps_digest(o->name, strlen(o->name), ps_digest(o->ns, strlen(o->ns), 2 + f)), f != 0,
				     &g->pool_address[f]) != 0)
			g->pool_address[f] = (struct ps_addr){0};
		if (!ps_addr_is_zero(&g->pool_address[f]))
			add_address(g, &g->pool_address[f]);
	}
	if (m->spec->gateway_addresses.length == 0)
		for (i = 0; i < m->addresses; i++)
			if (ps_addr_is_servable(&m->address[i].addr))
				add_address(g, &m->address[i].addr);
	g->unassigned = g->status.addresses == 0;
}

static void
resolve_addresses(struct ps_resolver *r, struct gateway_pass *pass, struct gateway_entry *g,
	const struct gateway_entry *before)
{
	const struct ps_gateway_spec *spec = g->status.object->gateway;
	bool any = spec->addresses.length == 0;
	uint32_t i;

	g->status.address = ps_take(r, &pass->arena,
		(spec->addresses.length + 2 + r->model.addresses) * sizeof(*g->status.address));
	if (r->failed)
		return;
	for (i = 0; i < spec->addresses.length; i++) {
		const struct ps_gateway_address *a = &spec->addresses.item[i];

		if (a->type.s != NULL && strcmp(a->type.s, "IPAddress") != 0) {
			g->unsupported_address = true;
			g->bad_address = a->type.s;
		} else if (a->value.s == NULL || *a->value.s == '\0') {
			any = true;
		} else if (ps_addr_is_zero(&a->ip.addr) || !is_usable(&r->model, &a->ip.addr)) {
			g->unusable_address = true;
			if (!g->unsupported_address)
				g->bad_address = a->value.s;
		} else {
			add_address(g, &a->ip.addr);
		}
	}
	if (any && !g->unsupported_address)
		assign_addresses(r, g, before);
}

/* ---- conditions ---- */

static void
accepted_condition(struct ps_resolver *r, struct gateway_entry *g, const struct ps_conditions *old)
{
	const struct ps_object *o = g->status.object;
	uint32_t i, valid = 0;

	for (i = 0; i < g->status.listeners; i++)
		valid += ps_conditions_true(&g->status.listener[i].conditions, "Accepted");
	if (!g->class_accepted)
		ps_condition_set(r, &g->status.conditions, old, o, "Accepted", "False", "Invalid", "GatewayClass %s is not accepted",
			ps_or_empty(o->gateway->class_name.s));
	else if (g->unsupported_address)
		ps_condition_set(r, &g->status.conditions, old, o, "Accepted", "False", "UnsupportedAddress",
			"address type %s is not supported, expected IPAddress", ps_or_empty(g->bad_address));
	else if (valid == 0)
		ps_condition_set(r, &g->status.conditions, old, o, "Accepted", "False", "ListenersNotValid",
			"none of %u listeners is valid", g->status.listeners);
	else if (valid < g->status.listeners)
		ps_condition_set(r, &g->status.conditions, old, o, "Accepted", "True", "ListenersNotValid",
			"%u of %u listeners are valid", valid, g->status.listeners);
	else
		ps_condition_set(r, &g->status.conditions, old, o, "Accepted", "True", "Accepted", "the Gateway is valid");
}

void
ps_gateway_conditions(struct ps_resolver *r, struct gateway_entry *g)
{
	const struct gateway_entry *before = g->before != NULL ? g->before : g;
	const struct ps_conditions *old = &before->status.conditions;
	const struct ps_object *o = g->status.object;
	struct ps_conditions *c = &g->status.conditions;
	uint32_t i, served = 0;

	ps_gateway_listener_conditions(r, g, before);
	accepted_condition(r, g, old);
	for (i = 0; i < g->status.listeners; i++)
		served += ps_conditions_true(&g->status.listener[i].conditions, "Programmed");
	if (!ps_conditions_true(c, "Accepted"))
		ps_condition_set(r, c, old, o, "Programmed", "False", "Invalid", "the Gateway is not accepted");
	else if (g->unusable_address)
		ps_condition_set(r, c, old, o, "Programmed", "False", "AddressNotUsable",
			"address %s cannot be used: it is neither in gatewayAddresses nor one of an interface; %u others are in use",
			ps_or_empty(g->bad_address), g->status.addresses);
	else if (g->unassigned || g->status.addresses == 0)
		ps_condition_set(r, c, old, o, "Programmed", "False", "AddressNotAssigned",
			"no address: gatewayAddresses of the Dataplane has none that is free, and no port has one");
	else if (served == 0)
		ps_condition_set(r, c, old, o, "Programmed", "False", "Pending", "none of %u listeners is served",
			g->status.listeners);
	else
		ps_condition_set(r, c, old, o, "Programmed", "True", "Programmed", "%u of %u listeners are served", served,
			g->status.listeners);
	g->before = NULL;
}

/* ---- the pass ---- */

static int
by_age(const void *a, const void *b)
{
	const struct gateway_entry *x = *(struct gateway_entry *const *)a, *y = *(struct gateway_entry *const *)b;

	return ps_object_age(x->status.object, y->status.object);
}

static void
resolve_gateway(struct ps_resolver *r, struct gateway_pass *pass, struct gateway_entry *g,
	const struct gateway_entry *before)
{
	const struct ps_gateway_spec *spec = g->status.object->gateway;
	uint32_t i;

	g->before = before;
	g->status.listeners = spec->listeners.length;
	g->status.listener = ps_take(r, &pass->arena, spec->listeners.length * sizeof(*g->status.listener));
	g->listener = ps_take(r, &pass->arena, spec->listeners.length * sizeof(*g->listener));
	if (r->failed)
		return;
	resolve_addresses(r, pass, g, before);
	for (i = 0; i < spec->listeners.length && !r->failed; i++) {
		g->listener[i].name = ps_take_text(r, &pass->arena, "%s", ps_or_empty(spec->listeners.item[i].name.s));
		ps_gateway_check_listener(r, g, before, i);
	}
}

/* Pool addresses of Gateways that are gone are free again. */
static void
release_pool(struct ps_resolver *r, const struct gateway_pass *pass, const struct gateway_pass *before)
{
	uint32_t i, f;

	for (i = 0; i < before->gateways; i++) {
		const struct gateway_entry *old = before->gateway[i];
		const struct gateway_entry *now = ps_map_get(&pass->by_gateway, ps_map_key(old->status.object));

		for (f = 0; f < 2; f++)
			if (!ps_addr_is_zero(&old->pool_address[f]) &&
				(now == NULL || !ps_addr_equal(&now->pool_address[f], &old->pool_address[f])))
				ps_map_remove(&r->pool_taken, ps_digest(old->pool_address[f].b, 16, 0));
	}
}

static void
collect_gateways(struct ps_resolver *r, struct gateway_pass *pass)
{
	const struct ps_object *o;

	pass->gateway =
		ps_take(r, &pass->arena, ps_manifests_length(r->set, PS_KIND_GATEWAY) * sizeof(*pass->gateway));
	for (o = ps_manifests_first(r->set, PS_KIND_GATEWAY); o != NULL && !r->failed; o = ps_manifests_next(o)) {
		const struct ps_class_status *class = class_of(pass, o->gateway->class_name.s);
		struct gateway_entry *g;

		if (class == NULL)
			continue;
		g = ps_take(r, &pass->arena, sizeof(*g));
		if (g == NULL || ps_map_put(&pass->by_gateway, ps_map_key(o), g) != 0) {
			r->failed = true;
			return;
		}
		g->status.object = o;
		g->class_accepted = ps_conditions_true(&class->conditions, "Accepted");
		pass->gateway[pass->gateways++] = g;
	}
	if (!r->failed)
		qsort(pass->gateway, pass->gateways, sizeof(*pass->gateway), by_age);
}

void
ps_gateway_pass_free(struct gateway_pass *pass)
{
	struct route_service *s;
	uint32_t i, j;

	for (i = 0; i < pass->gateways; i++) {
		ps_conditions_clear(&pass->gateway[i]->status.conditions);
		for (j = 0; pass->gateway[i]->status.listener != NULL && j < pass->gateway[i]->status.listeners; j++)
			ps_conditions_clear(&pass->gateway[i]->status.listener[j].conditions);
	}
	for (i = 0; i < pass->classes; i++)
		ps_conditions_clear(&pass->class_status[i]->conditions);
	for (i = 0; i < pass->routes; i++)
		for (j = 0; j < pass->route[i]->parents; j++)
			ps_conditions_clear(&pass->route[i]->parent[j].conditions);
	for (s = pass->services; s != NULL; s = s->next)
		ps_arena_free(&s->arena);
	ps_map_free(&pass->by_gateway);
	ps_map_free(&pass->by_route);
	ps_map_free(&pass->by_service);
	ps_arena_free(&pass->arena);
	*pass = (struct gateway_pass){0};
}

static uint64_t
inputs_key(const struct ps_resolver *r)
{
	static const enum ps_kind kinds[] = {PS_KIND_OTHER, PS_KIND_GATEWAY_CLASS, PS_KIND_GATEWAY, PS_KIND_TCP_ROUTE,
		PS_KIND_UDP_ROUTE, PS_KIND_SERVICE, PS_KIND_NAMESPACE, PS_KIND_REFERENCE_GRANT};
	uint64_t key = r->model.dataplane_revision;
	uint32_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		key = ps_mix64(key ^ PS_DIGEST_K0, ps_manifests_kind_revision(r->set, kinds[i]) ^ PS_DIGEST_K1);
	return key;
}

void
ps_resolve_gateways(struct ps_resolver *r)
{
	struct gateway_pass pass = {0}, before;
	uint64_t key = inputs_key(r);
	uint32_t i;

	if (key == r->gateway_key)
		return;
	r->gateway_key = key;
	before = r->gateway;
	ps_diagnostics_clear(&r->gateway_diagnostics);
	resolve_classes(r, &pass, &before);
	if (!r->failed)
		collect_gateways(r, &pass);
	for (i = 0; i < pass.gateways && !r->failed; i++)
		resolve_gateway(r, &pass, pass.gateway[i],
			ps_map_get(&before.by_gateway, ps_map_key(pass.gateway[i]->status.object)));
	if (!r->failed)
		ps_routes_attach(r, &pass, &before);
	if (!r->failed)
		release_pool(r, &pass, &before);
	r->before = before;
	r->gateway = pass;
	r->layout_changed = r->content_changed = r->diagnostics_changed = true;
}

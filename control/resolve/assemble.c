/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From listeners of Gateways and Services to one list. An address, port and protocol has one
 * owner: the oldest object that wants it.
 */
#include <stdlib.h>
#include <string.h>

#include "control/resolve/internal.h"
#include "dataplane/api/digest.h"
#include "policies/listener/lookup.h"

struct assembly {
	struct ps_resolver *r;
	struct ps_model *m;
	const struct ps_model_service **want; /* service of m->listener[i] */
	uint32_t *cell;
	uint32_t cells;
	bool settled;                         /* first all claim, then each hears what came of it */
};

static uint32_t *
cell_of(const struct assembly *a, const struct ps_model_listener *l)
{
	uint32_t at = (uint32_t)ps_listener_hash(&l->addr, l->port, l->proto) & (a->cells - 1);

	for (; a->cell[at] != PS_NONE; at = (at + 1) & (a->cells - 1)) {
		const struct ps_model_listener *has = &a->m->listener[a->cell[at]];

		if (has->port == l->port && has->proto == l->proto && ps_addr_equal(&has->addr, &l->addr))
			break;
	}
	return &a->cell[at];
}

static void
claim(struct assembly *a, const struct ps_model_listener *wanted, const struct ps_model_service *service)
{
	uint32_t *cell = cell_of(a, wanted);

	if (*cell == PS_NONE)
		*cell = a->m->listeners++;
	else if (ps_object_age(a->m->listener[*cell].object, wanted->object) <= 0)
		return; /* also one address by two ways, say clusterIP and externalIPs: the first way stays */
	a->m->listener[*cell] = *wanted;
	a->want[*cell] = service;
}

/* After all claims: counts in *won, or in *lost and names the owner. */
static void
settle(struct assembly *a, const struct ps_model_listener *wanted, uint32_t *won, uint32_t *lost, const char **to)
{
	const struct ps_model_listener *has = &a->m->listener[*cell_of(a, wanted)];
	char text[48];

	if (has->object == wanted->object) {
		++*won;
		return;
	}
	++*lost;
	if (*to == NULL)
		*to = has->name;
	if (ps_object_diagnose(wanted->object, &a->r->assemble_diagnostics, PS_WARNING, wanted->object->name_place,
		    "%s port %u belongs to %s, which is older, expected an address and port of its own",
		    ps_addr_text(&wanted->addr, text), be16toh(wanted->port), has->name) != 0)
		a->r->failed = true;
}

static void
visit_gateways(struct assembly *a)
{
	struct ps_resolver *r = a->r;
	uint32_t i, j, k;

	for (i = 0; i < r->gateway.gateways; i++) {
		struct gateway_entry *g = r->gateway.gateway[i];
		const struct ps_object *o = g->status.object;

		for (j = 0; j < g->status.listeners; j++) {
			struct gateway_listener_entry *l = &g->listener[j];
			const char *name;

			if (!l->usable || l->proto == 0)
				continue;
			name = a->settled ? "" : ps_take_text(r, &r->assemble_arena, "gateway/%s/%s/%s", o->ns, o->name, l->name);
			for (k = 0; k < g->status.addresses; k++) {
				const struct ps_addr *addr = &g->status.address[k];
				const struct route_service *s = l->service[!ps_addr_is_v4(addr)];
				struct ps_model_listener wanted = {
					.addr = *addr,
					.port = htobe16((uint16_t)g->status.listener[j].spec->port.v),
					.proto = l->proto,
					.kind = s != NULL ? PS_LISTENER_L4 : PS_LISTENER_REJECT,
					.name = name,
					.object = o,
				};

				if (a->settled)
					settle(a, &wanted, &l->won, &l->lost, &l->lost_to);
				else
					claim(a, &wanted, s != NULL ? &s->model : NULL);
			}
		}
	}
}

static void
visit_services(struct assembly *a)
{
	uint32_t i, j, lost;

	for (i = 0; i < a->r->service.cells; i++) {
		struct service_entry *e = a->r->service.cell[i].value;

		for (j = 0, lost = 0; e != NULL && j < e->listeners; j++) {
			if (a->settled)
				settle(a, &e->listener[j].model, &e->won, &lost, &e->lost_to);
			else
				claim(a, &e->listener[j].model, e->listener[j].service);
		}
	}
}

/* Numbers the services that a listener leads to, in the order of the listeners. */
static void
number_services(struct assembly *a, uint32_t most)
{
	struct ps_model *m = a->m;
	struct ps_map index = {0};
	uint32_t i;

	m->service = ps_take(a->r, &a->r->assemble_arena, most * sizeof(*m->service));
	m->services = 0;
	for (i = 0; i < m->listeners && !a->r->failed; i++) {
		const struct ps_model_service *s = a->want[i];
		uintptr_t n;

		m->listener[i].service = PS_NONE;
		if (s == NULL)
			continue;
		n = (uintptr_t)ps_map_get(&index, ps_map_key(s));
		if (n == 0) {
			m->service[m->services++] = s;
			n = m->services;
			if (ps_map_put(&index, ps_map_key(s), (void *)n) != 0)
				a->r->failed = true;
		}
		m->listener[i].service = (uint32_t)n - 1;
	}
	ps_map_free(&index);
}

static void
list_vips(struct assembly *a)
{
	struct ps_model *m = a->m;
	struct ps_map seen = {0};
	uint32_t i, flags = (m->spec->vips.announce.v ? PS_VIP_F_ANNOUNCE : 0) | (m->spec->vips.ping.v ? PS_VIP_F_PING : 0);

	m->vip = ps_take(a->r, &a->r->assemble_arena, m->listeners * sizeof(*m->vip));
	m->vips = 0;
	for (i = 0; i < m->addresses && !a->r->failed; i++)
		if (ps_map_put(&seen, ps_digest(m->address[i].addr.b, 16, 0), m) != 0)
			a->r->failed = true;
	for (i = 0; i < m->listeners && !a->r->failed; i++) {
		uint64_t key = ps_digest(m->listener[i].addr.b, 16, 0);

		if (ps_map_get(&seen, key) != NULL)
			continue;
		if (ps_map_put(&seen, key, m) != 0)
			a->r->failed = true;
		m->vip[m->vips++] = (struct ps_vip){.addr = m->listener[i].addr, .flags = flags};
	}
	ps_map_free(&seen);
}

static void
list_status(struct ps_resolver *r)
{
	struct ps_model *m = &r->model;
	const struct ps_object *o;
	uint32_t i;

	m->class_status = r->gateway.class_status;
	m->classes = r->gateway.classes;
	m->route_status = r->gateway.route;
	m->route_statuses = r->gateway.routes;
	m->gateway_status = ps_take(r, &r->assemble_arena, r->gateway.gateways * sizeof(*m->gateway_status));
	m->service_status = ps_take(r, &r->assemble_arena, r->service.length * sizeof(*m->service_status));
	m->service_statuses = m->gateways = 0;
	if (r->failed)
		return;
	for (i = 0; i < r->gateway.gateways; i++)
		m->gateway_status[m->gateways++] = &r->gateway.gateway[i]->status;
	for (o = ps_manifests_first(r->set, PS_KIND_SERVICE); o != NULL; o = ps_manifests_next(o)) {
		struct service_entry *e = ps_service_entry(r, o);

		if (e != NULL && m->service_statuses < r->service.length)
			m->service_status[m->service_statuses++] = &e->status;
	}
}

void
ps_assemble(struct ps_resolver *r)
{
	struct assembly a = {.r = r, .m = &r->model, .cells = 64};
	uint32_t i, j, most = 0;

	ps_arena_reset(&r->assemble_arena);
	ps_diagnostics_clear(&r->assemble_diagnostics);
	r->diagnostics_changed = true;
	for (i = 0; i < r->gateway.gateways; i++) {
		most += r->gateway.gateway[i]->status.listeners * r->gateway.gateway[i]->status.addresses;
		for (j = 0; j < r->gateway.gateway[i]->status.listeners; j++) {
			r->gateway.gateway[i]->listener[j].won = r->gateway.gateway[i]->listener[j].lost = 0;
			r->gateway.gateway[i]->listener[j].lost_to = NULL;
		}
	}
	for (i = 0; i < r->service.cells; i++) {
		struct service_entry *e = r->service.cell[i].value;

		if (e == NULL)
			continue;
		most += e->listeners;
		e->won = 0;
		e->lost_to = NULL;
	}
	while (a.cells < 2 * most)
		a.cells *= 2;
	a.m->listener = ps_take(r, &r->assemble_arena, most * sizeof(*a.m->listener));
	a.m->listeners = 0;
	a.want = ps_take(r, &r->assemble_arena, most * sizeof(*a.want));
	a.cell = ps_take(r, &r->assemble_arena, a.cells * sizeof(*a.cell));
	if (r->failed)
		return;
	memset(a.cell, 0xff, a.cells * sizeof(*a.cell));
	visit_gateways(&a);
	visit_services(&a);
	a.settled = true;
	visit_gateways(&a);
	visit_services(&a);
	number_services(&a, most);
	list_vips(&a);
	list_status(r);
	for (i = 0; i < r->gateway.gateways && !r->failed; i++)
		ps_gateway_conditions(r, r->gateway.gateway[i]);
	for (i = 0; i < r->service.cells && !r->failed; i++)
		if (r->service.cell[i].value != NULL)
			ps_service_conflict_condition(r, r->service.cell[i].value);
	r->model.listener_revision = ++r->serial;
}

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

struct owner {
	struct service_entry *service;
	struct gateway_listener_entry *listener;
};

struct assembly {
	struct ps_resolver *r;
	struct ps_model *m;
	struct owner *owner;              /* of m->listener[i] */
	const struct ps_model_service **want; /* service of m->listener[i] */
	uint32_t *cell;
	uint32_t cells;
};

static void
won(const struct owner *o, int change)
{
	if (o->service != NULL)
		o->service->won += (uint32_t)change;
	else
		o->listener->won += (uint32_t)change;
}

static void
lost(struct assembly *a, const struct owner *o, const struct ps_model_listener *loser, const char *to)
{
	char text[48];

	if (o->service != NULL) {
		o->service->lost_to = to;
	} else {
		o->listener->lost++;
		o->listener->lost_to = to;
	}
	if (ps_object_diagnose(loser->object, &a->r->assemble_diagnostics, PS_WARNING, loser->object->name_place,
		    "%s port %u belongs to %s, which is older, expected an address and port of its own",
		    ps_addr_text(&loser->addr, text), be16toh(loser->port), to) != 0)
		a->r->failed = true;
}

static void
claim(struct assembly *a, const struct ps_model_listener *wanted, const struct ps_model_service *service,
	struct owner owner)
{
	struct ps_model *m = a->m;
	uint32_t at = (uint32_t)ps_listener_hash(&wanted->addr, wanted->port, wanted->proto) & (a->cells - 1), i;
	struct ps_model_listener *has;

	for (; a->cell[at] != PS_NONE; at = (at + 1) & (a->cells - 1)) {
		has = &m->listener[a->cell[at]];
		if (has->port == wanted->port && has->proto == wanted->proto && ps_addr_equal(&has->addr, &wanted->addr))
			break;
	}
	if (a->cell[at] == PS_NONE) {
		i = a->cell[at] = m->listeners++;
	} else {
		i = a->cell[at];
		has = &m->listener[i];
		if (has->object == wanted->object) {
			/* One address by two ways, say clusterIP and externalIPs: the first way stays. */
			won(&owner, 1);
			return;
		}
		if (ps_object_age(has->object, wanted->object) < 0) {
			lost(a, &owner, wanted, has->name);
			return;
		}
		won(&a->owner[i], -1);
		lost(a, &a->owner[i], has, wanted->name);
	}
	won(&owner, 1);
	m->listener[i] = *wanted;
	a->owner[i] = owner;
	a->want[i] = service;
}

static void
claim_gateways(struct assembly *a)
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
			name = ps_take_text(r, &r->assemble_arena, "gateway/%s/%s/%s", o->ns, o->name, l->name);
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

				claim(a, &wanted, s != NULL ? &s->model : NULL, (struct owner){.listener = l});
			}
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
	a.owner = ps_take(r, &r->assemble_arena, most * sizeof(*a.owner));
	a.want = ps_take(r, &r->assemble_arena, most * sizeof(*a.want));
	a.cell = ps_take(r, &r->assemble_arena, a.cells * sizeof(*a.cell));
	if (r->failed)
		return;
	memset(a.cell, 0xff, a.cells * sizeof(*a.cell));
	claim_gateways(&a);
	for (i = 0; i < r->service.cells; i++) {
		struct service_entry *e = r->service.cell[i].value;

		for (j = 0; e != NULL && j < e->listeners; j++)
			claim(&a, &e->listener[j].model, e->listener[j].service, (struct owner){.service = e});
	}
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

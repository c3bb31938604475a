/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services, their endpoints and tables. Walking thousands of services is mostly waiting for memory, because
 * another program's packets have filled the caches since the last change: what a later turn of a loop needs is
 * asked for some turns ahead.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/compile/internal.h"
#include "dataplane/api/digest.h"
#include "policies/maglev/layout.h"

#define AHEAD 8u /* turns: some hundred nanoseconds */

static void
forget(struct cached *s)
{
	free(s->endpoint);
	*s = (struct cached){0};
}

void
ps_forget_services(struct ps_compiler *c)
{
	uint32_t i;

	for (i = 0; i < c->length; i++)
		forget(&c->cached[i]);
	free(c->cached);
	c->cached = NULL;
	c->length = 0;
}

/* Asks for the memory of one service: endpoints and names are one piece. */
static void
fetch(const struct cached *s)
{
	const char *p = (const char *)s->endpoint, *end = s->text + s->text_size;

	if (p == NULL)
		return;
	for (end = end - p > 1024 ? p + 1024 : end; p < end; p += 64)
		__builtin_prefetch(p);
	if (s->table != NULL)
		__builtin_prefetch(s->table);
}

static uint32_t
cell_of(const uint32_t *cell, uint32_t mask, const struct cached *cached, uint64_t id)
{
	uint32_t at = (uint32_t)ps_mix64(id, PS_DIGEST_K0) & mask;

	while (cell[at] != PS_NONE && cached[cell[at]].id != id)
		at = (at + 1) & mask;
	return at;
}

/* Brings the cache into the order of the model's services; what the model no longer has is forgotten. */
static int
reorder_cache(struct ps_compiler *c, const struct ps_model *m)
{
	struct cached *next = calloc(m->services + 1, sizeof(*next));
	uint32_t mask = 63, *cell, i, at;

	while (mask + 1 < 2 * (c->length + 1))
		mask = mask * 2 + 1;
	cell = malloc((mask + 1) * sizeof(*cell));
	if (next == NULL || cell == NULL) {
		free(next);
		free(cell);
		return -ENOMEM;
	}
	memset(cell, 0xff, (mask + 1) * sizeof(*cell));
	for (i = 0; i < c->length; i++)
		if (c->cached[i].id != 0)
			cell[cell_of(cell, mask, c->cached, c->cached[i].id)] = i;
	for (i = 0; i < m->services; i++) {
		at = cell[cell_of(cell, mask, c->cached, m->service[i]->id)];
		if (at == PS_NONE)
			continue;
		next[i] = c->cached[at];
		c->cached[at] = (struct cached){.id = next[i].id};
	}
	ps_forget_services(c);
	free(cell);
	c->cached = next;
	c->length = m->services;
	c->listener_revision = m->listener_revision;
	return 0;
}

static void
keep(struct compilation *k, struct cached *s)
{
	uint32_t i;

	ps_slots_keep_service(k->slots, s->record.slot);
	for (i = 0; i < s->record.endpoints; i++)
		if (s->endpoint[i].slot != PS_NONE)
			ps_slots_keep_endpoint(k->slots, s->endpoint[i].slot);
	if (s->table != NULL)
		ps_packs_keep(&k->c->packs, s->table);
}

static int
service_slot(struct compilation *k, const struct ps_model_service *m, uint32_t *slot)
{
	if (k->slots != NULL)
		return ps_slots_service(k->slots, m->id, m->name, slot);
	if (k->next_service_slot >= k->m->boot.raw.service_slots)
		return -ENOSPC;
	*slot = k->next_service_slot++;
	return 0;
}

static int
endpoint_slot(struct compilation *k, const struct ps_model_service *s, const struct ps_model_endpoint *e,
	uint32_t *slot, uint16_t *generation)
{
	const struct ps_slot_endpoint want = {
		.id = e->id,
		.service_id = s->id,
		.addr = e->addr,
		.port = e->port,
		.proto = s->proto,
		.draining = (e->flags & PS_ENDPOINT_F_DRAINING) != 0,
		.drain_s = s->drain_s,
		.name = e->name,
	};

	if (e->flags & PS_ENDPOINT_F_REJECT) {
		*slot = PS_NONE;
		*generation = 0;
		return 0;
	}
	if (k->slots != NULL)
		return ps_slots_endpoint(k->slots, &want, slot, generation);
	if (k->next_slot >= k->m->boot.raw.endpoint_slots)
		return -ENOSPC;
	*slot = k->next_slot++;
	*generation = 0;
	return 0;
}

static int
table_for(struct compilation *k, struct cached *s)
{
	struct ps_maglev_endpoint *e;
	uint32_t i;
	int rc;

	s->table = NULL;
	if (s->record.balanced > PS_MAGLEV_MAX_ENDPOINTS) {
		/* Positions in a table have 16 bits: the others take no new flow. */
		for (i = PS_MAGLEV_MAX_ENDPOINTS; i < s->record.balanced; i++)
			s->endpoint[i].weight = 0;
		k->out.endpoints_left_out += s->record.balanced - PS_MAGLEV_MAX_ENDPOINTS;
		s->record.balanced = PS_MAGLEV_MAX_ENDPOINTS;
	}
	if (s->record.balanced == 0)
		return 0;
	e = malloc(s->record.balanced * sizeof(*e));
	if (e == NULL)
		return -ENOMEM;
	for (i = 0; i < s->record.balanced; i++)
		e[i] = (struct ps_maglev_endpoint){s->endpoint[i].id, s->endpoint[i].weight};
	rc = ps_packs_table(&k->c->packs, e, s->record.balanced, &s->table);
	free(e);
	return rc;
}

/* Room for the endpoints and names of a service, and its record as far as the model tells it. */
static int
begin(const struct ps_model_service *m, struct cached *s)
{
	size_t size = m->endpoints * sizeof(*s->endpoint) + strlen(m->name) + 1;
	uint32_t i;

	forget(s);
	for (i = 0; i < m->endpoints; i++)
		size += strlen(m->endpoint[i].name) + 1;
	s->endpoint = malloc(size);
	if (s->endpoint == NULL)
		return -ENOMEM;
	s->id = m->id;
	s->text = (char *)(s->endpoint + m->endpoints);
	s->text_size = (uint32_t)strlen(m->name) + 1;
	memcpy(s->text, m->name, s->text_size);
	s->probe = m->probe;
	s->record = (struct ps_service){
		.id = m->id,
		.table = PS_NONE,
		.snat_pool = m->snat_pool,
		.mode = m->mode,
		.proto = m->proto,
		.flags = m->flags,
		.affinity_s = m->affinity_s,
		.tcp_idle_s = m->tcp_idle_s,
		.udp_idle_s = m->udp_idle_s,
		.mss = m->mss,
		.gue_port = m->gue_port,
	};
	return 0;
}

static int
make(struct compilation *k, const struct ps_model_service *m, struct cached *s)
{
	uint32_t i;
	int rc = begin(m, s);

	if (rc == 0)
		rc = service_slot(k, m, &s->record.slot);
	if (rc == -ENOSPC)
		return 0; /* revision stays 0: asked again next time */
	if (rc != 0)
		return rc;
	s->named = true;
	for (i = 0; i < m->endpoints; i++) {
		const struct ps_model_endpoint *from = &m->endpoint[i];
		struct ps_endpoint *to = &s->endpoint[s->record.endpoints];

		*to = (struct ps_endpoint){.addr = from->addr, .id = from->id, .port = from->port, .weight = from->weight,
			.flags = from->flags};
		rc = endpoint_slot(k, m, from, &to->slot, &to->slot_generation);
		if (rc == -ENOSPC) {
			s->left_out++;
			continue;
		}
		if (rc != 0)
			return rc;
		if (*from->name != '\0') {
			to->name = s->text_size;
			s->text_size += (uint32_t)strlen(strcpy(s->text + s->text_size, from->name)) + 1;
		}
		s->record.endpoints++;
		s->record.balanced += i < m->balanced;
	}
	rc = table_for(k, s);
	if (rc == 0 && s->left_out == 0)
		s->revision = m->revision;
	return rc;
}

int
ps_prepare_services(struct compilation *k)
{
	struct ps_compiler *c = k->c;
	uint32_t i;
	int rc;

	if (k->slots != NULL)
		ps_slots_begin(k->slots);
	ps_packs_begin(&c->packs);
	if (c->listener_revision != k->m->listener_revision || c->length != k->m->services) {
		rc = reorder_cache(c, k->m);
		if (rc != 0)
			return rc;
	}
	for (i = 0; i < c->length; i++) {
		const struct ps_model_service *m = k->m->service[i];
		struct cached *s = &c->cached[i];

		if (i + AHEAD < c->length) {
			__builtin_prefetch(k->m->service[i + AHEAD]);
			fetch(&c->cached[i + AHEAD]);
		}
		if (k->slots != NULL && c->slots == k->slots && s->id == m->id && s->revision == m->revision) {
			keep(k, s);
			continue;
		}
		rc = make(k, m, s);
		if (rc != 0)
			return rc;
		k->out.endpoints_left_out += s->left_out;
		k->out.services_left_out += !s->named;
	}
	c->slots = k->slots;
	return ps_packs_end(&c->packs);
}

/* Probes are few and shared: found by their id. */
struct probes {
	struct ps_probe *item;
	uint32_t *cell, mask, length;
};

static uint32_t
probe_index(struct probes *p, const struct ps_probe *probe)
{
	uint32_t at;

	if (probe->kind == PS_PROBE_NONE)
		return PS_NONE;
	for (at = (uint32_t)probe->id & p->mask; p->cell[at] != PS_NONE; at = (at + 1) & p->mask)
		if (p->item[p->cell[at]].id == probe->id)
			return p->cell[at];
	p->cell[at] = p->length;
	p->item[p->length] = *probe;
	return p->length++;
}

static void
emit_service(struct compilation *k, struct cached *s, struct ps_service *out, struct probes *probes)
{
	*out = s->record;
	out->probe = probe_index(probes, &s->probe);
	out->name = ps_emit_strings(k->arena, s->text, s->text_size);
	if (out->slot >= k->out.max_service_slot)
		k->out.max_service_slot = out->slot + 1;
}

static void
emit_endpoints(struct compilation *k, const struct cached *s, uint32_t text, struct ps_endpoint *out)
{
	uint32_t i;

	for (i = 0; i < s->record.endpoints; i++) {
		out[i] = s->endpoint[i];
		if (out[i].name != 0)
			out[i].name += text;
		if (out[i].slot != PS_NONE && out[i].slot >= k->out.max_endpoint_slot)
			k->out.max_endpoint_slot = out[i].slot + 1;
	}
}

int
ps_emit_services(struct compilation *k)
{
	struct ps_compiler *c = k->c;
	struct arena *a = k->arena;
	struct probes probes = {.mask = 63};
	struct ps_service *service;
	struct ps_endpoint *endpoint;
	struct ps_table *table;
	void *p;
	uint32_t i, n = 0, endpoints = 0, tables = 0;
	int rc = -ENOMEM;

	for (i = 0; i < c->length; i++) {
		k->emitted_index[i] = c->cached[i].named ? n++ : PS_NONE;
		endpoints += c->cached[i].record.endpoints;
	}
	while (probes.mask < 2 * n)
		probes.mask = probes.mask * 2 + 1;
	probes.cell = malloc((probes.mask + 1) * sizeof(*probes.cell));
	probes.item = malloc((n + 1) * sizeof(*probes.item));
	if (probes.cell == NULL || probes.item == NULL)
		goto out;
	memset(probes.cell, 0xff, (probes.mask + 1) * sizeof(*probes.cell));
	rc = 0;
	service = ps_emit_section(a, PS_SEC_SERVICE, n, sizeof(*service));
	for (i = 0, endpoints = 0; a->error == 0 && i < c->length; i++) {
		struct ps_service *s = &service[k->emitted_index[i]];
		struct table *t = c->cached[i].table;

		if (i + AHEAD < c->length)
			fetch(&c->cached[i + AHEAD]);
		if (!c->cached[i].named)
			continue;
		emit_service(k, &c->cached[i], s, &probes);
		s->first_endpoint = endpoints;
		endpoints += s->endpoints;
		if (t == NULL)
			continue;
		if (t->index == PS_NONE)
			t->index = tables++;
		s->table = t->index;
	}
	endpoint = ps_emit_section(a, PS_SEC_ENDPOINT, endpoints, sizeof(*endpoint));
	if (a->error != 0)
		goto out;
	/* The section may have moved with the arena. */
	service = (struct ps_service *)(void *)(a->bytes + a->section[PS_SEC_SERVICE].offset);
	for (i = 0; i < c->length; i++)
		if (c->cached[i].named)
			emit_endpoints(k, &c->cached[i], service[k->emitted_index[i]].name,
				endpoint + service[k->emitted_index[i]].first_endpoint);
	p = ps_emit_section(a, PS_SEC_PROBE, probes.length, sizeof(*probes.item));
	if (p != NULL && probes.length != 0)
		memcpy(p, probes.item, probes.length * sizeof(*probes.item));
	table = ps_emit_section(a, PS_SEC_TABLE, tables, sizeof(*table));
	for (i = 0; table != NULL && i < c->length; i++) {
		const struct table *t = c->cached[i].table;

		if (t != NULL && c->cached[i].named)
			table[t->index] = (struct ps_table){.digest = t->digest, .offset = t->offset,
				.blob = t->pack->index, .size = t->size, .endpoints = t->endpoints};
	}
out:
	free(probes.cell);
	free(probes.item);
	return rc;
}

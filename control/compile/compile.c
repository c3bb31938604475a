/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compilation has two halves. The first gives every service and endpoint its slot and every balanced set its
 * table; services that did not change since the compilation before are one comparison each. The second lays
 * everything out in one arena, which costs what copying it costs.
 */
#include "control/compile/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/compile/internal.h"
#include "dataplane/api/digest.h"
#include "policies/listener/build.h"
#include "policies/maglev/layout.h"

#define SNAPSHOT_NAME "penstock-snapshot"
#define SPARE_MAX (64ull << 20) /* bytes held ready for the next snapshot */

struct compilation {
	struct ps_compiler *c;
	const struct ps_model *m;
	struct ps_slots *slots;
	struct arena *arena;
	struct emitted out;
	uint32_t next_slot, next_service_slot; /* without slots */
	uint32_t *emitted_index;               /* of model service i; PS_NONE: left out */
};

struct ps_compiler *
ps_compiler_new(void)
{
	struct ps_compiler *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->spare = -1;
	return c;
}

static void
forget(struct cached *s)
{
	free(s->endpoint);
	free(s->text);
	*s = (struct cached){0};
}

void
ps_compiler_free(struct ps_compiler *c)
{
	uint32_t i;

	if (c == NULL)
		return;
	for (i = 0; i < c->length; i++)
		forget(&c->cached[i]);
	free(c->cached);
	if (c->spare >= 0)
		close(c->spare);
	free(c->arena.bytes);
	free(c->arena.string);
	ps_packs_free(&c->packs);
	free(c);
}

/* ---- slots and tables ---- */

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
	for (i = 0; i < c->length; i++)
		forget(&c->cached[i]);
	free(c->cached);
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

	ps_slots_keep_service(k->slots, s->slot);
	for (i = 0; i < s->endpoints; i++)
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
	if (s->balanced > PS_MAGLEV_MAX_ENDPOINTS) {
		/* Positions in a table have 16 bits: the others take no new flow. */
		for (i = PS_MAGLEV_MAX_ENDPOINTS; i < s->balanced; i++)
			s->endpoint[i].weight = 0;
		k->out.endpoints_left_out += s->balanced - PS_MAGLEV_MAX_ENDPOINTS;
		s->balanced = PS_MAGLEV_MAX_ENDPOINTS;
	}
	if (s->balanced == 0)
		return 0;
	e = malloc(s->balanced * sizeof(*e));
	if (e == NULL)
		return -ENOMEM;
	for (i = 0; i < s->balanced; i++)
		e[i] = (struct ps_maglev_endpoint){s->endpoint[i].id, s->endpoint[i].weight};
	rc = ps_packs_table(&k->c->packs, e, s->balanced, &s->table);
	free(e);
	return rc;
}

static int
make(struct compilation *k, const struct ps_model_service *m, struct cached *s)
{
	uint32_t i, size = (uint32_t)strlen(m->name) + 1;
	int rc;

	forget(s);
	for (i = 0; i < m->endpoints; i++)
		size += (uint32_t)strlen(m->endpoint[i].name) + 1;
	s->id = m->id;
	s->text = malloc(size);
	s->endpoint = calloc(m->endpoints + 1, sizeof(*s->endpoint));
	if (s->text == NULL || s->endpoint == NULL)
		return -ENOMEM;
	s->text_size = (uint32_t)strlen(m->name) + 1;
	memcpy(s->text, m->name, s->text_size);
	rc = service_slot(k, m, &s->slot);
	if (rc == -ENOSPC)
		return 0; /* revision stays 0: asked again next time */
	if (rc != 0)
		return rc;
	s->named = true;
	for (i = 0; i < m->endpoints; i++) {
		const struct ps_model_endpoint *from = &m->endpoint[i];
		struct ps_endpoint *to = &s->endpoint[s->endpoints];

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
		s->endpoints++;
		s->balanced += i < m->balanced;
	}
	rc = table_for(k, s);
	if (rc == 0 && s->left_out == 0)
		s->revision = m->revision;
	return rc;
}

static int
prepare(struct compilation *k)
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

/* ---- sections ---- */

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
emit_service(struct compilation *k, uint32_t i, struct ps_service *out, uint32_t first_endpoint, struct probes *probes)
{
	const struct ps_model_service *m = k->m->service[i];
	const struct cached *s = &k->c->cached[i];

	*out = (struct ps_service){
		.id = m->id,
		.slot = s->slot,
		.first_endpoint = first_endpoint,
		.endpoints = s->endpoints,
		.balanced = s->balanced,
		.table = PS_NONE,
		.snat_pool = m->snat_pool,
		.probe = probe_index(probes, &m->probe),
		.mode = m->mode,
		.proto = m->proto,
		.flags = m->flags,
		.affinity_s = m->affinity_s,
		.tcp_idle_s = m->tcp_idle_s,
		.udp_idle_s = m->udp_idle_s,
		.mss = m->mss,
		.gue_port = m->gue_port,
	};
	out->name = ps_emit_strings(k->arena, s->text, s->text_size);
	if (s->slot >= k->out.max_service_slot)
		k->out.max_service_slot = s->slot + 1;
}

static void
emit_endpoints(struct compilation *k, const struct cached *s, uint32_t text, struct ps_endpoint *out)
{
	uint32_t i;

	for (i = 0; i < s->endpoints; i++) {
		out[i] = s->endpoint[i];
		if (out[i].name != 0)
			out[i].name += text;
		if (out[i].slot != PS_NONE && out[i].slot >= k->out.max_endpoint_slot)
			k->out.max_endpoint_slot = out[i].slot + 1;
	}
}

static int
emit_services(struct compilation *k)
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
		endpoints += c->cached[i].endpoints;
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

		if (!c->cached[i].named)
			continue;
		emit_service(k, i, s, endpoints, &probes);
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

static int
emit_listeners(struct compilation *k)
{
	const struct ps_model *m = k->m;
	struct arena *a = k->arena;
	struct ps_listener *out = ps_emit_section(a, PS_SEC_LISTENER, m->listeners, sizeof(*out));
	const struct ps_range *last = NULL;
	struct ps_range *range;
	uint32_t i, ranges = 0, first = 0, *index, cells = ps_listener_index_cells(m->listeners), name = 0;

	for (i = 0; a->error == 0 && i < m->listeners; i++) {
		const struct ps_model_listener *l = &m->listener[i];
		uint32_t service = l->service != PS_NONE ? k->emitted_index[l->service] : PS_NONE;

		if (i == 0 || l->name != m->listener[i - 1].name)
			name = ps_emit_string(a, l->name);
		out[i] = (struct ps_listener){
			.addr = l->addr,
			.port = l->port,
			.proto = l->proto,
			.kind = service != PS_NONE ? l->kind : PS_LISTENER_REJECT,
			.service = service,
			.name = name,
		};
		if (l->ranges == 0)
			continue;
		if (l->range != last) {
			first = ranges;
			ranges += l->ranges;
			last = l->range;
		}
		out[i].first_range = first;
		out[i].ranges = l->ranges;
	}
	index = ps_emit_section(a, PS_SEC_LISTENER_INDEX, cells, sizeof(*index));
	if (a->error != 0)
		return a->error;
	out = (struct ps_listener *)(void *)(a->bytes + a->section[PS_SEC_LISTENER].offset);
	if (ps_listener_index_build(index, cells, out, m->listeners, NULL) != 0)
		return -EINVAL;
	range = ps_emit_section(a, PS_SEC_RANGE, ranges, sizeof(*range));
	for (i = 0, ranges = 0, last = NULL; range != NULL && i < m->listeners; i++) {
		const struct ps_model_listener *l = &m->listener[i];

		if (l->ranges == 0 || l->range == last)
			continue;
		memcpy(range + ranges, l->range, l->ranges * sizeof(*range));
		ranges += l->ranges;
		last = l->range;
	}
	return a->error;
}

static int
emit(struct compilation *k)
{
	const struct ps_model *m = k->m;
	struct arena *a = k->arena;
	struct packs *packs = &k->c->packs;
	struct ps_blob_ref *blob;
	uint32_t i;
	void *p;
	int rc;

	a->string_size = 0;
	a->error = ps_emit_reserve(a, PS_SNAPSHOT_HEADER_SIZE);
	a->size = PS_SNAPSHOT_HEADER_SIZE;
	ps_emit_strings(a, "", 1);
	for (i = 0; i < packs->length; i++)
		packs->pack[i]->index = i;
	ps_emit_dataplane(a, m, &k->out);
	p = ps_emit_section(a, PS_SEC_VIP, m->vips, sizeof(*m->vip));
	if (p != NULL && m->vips != 0)
		memcpy(p, m->vip, m->vips * sizeof(*m->vip));
	rc = a->error;
	if (rc == 0)
		rc = emit_services(k);
	if (rc == 0)
		rc = emit_listeners(k);
	if (rc != 0)
		return rc;
	blob = ps_emit_section(a, PS_SEC_BLOB, packs->length, sizeof(*blob));
	for (i = 0; blob != NULL && i < packs->length; i++)
		blob[i] = (struct ps_blob_ref){packs->pack[i]->digest, packs->pack[i]->size};
	p = ps_emit_section(a, PS_SEC_STRING, a->string_size, 1);
	if (p != NULL)
		memcpy(p, a->string, a->string_size);
	return a->error;
}

static void
write_header(struct compilation *k, uint64_t generation, uint64_t now_ns)
{
	struct arena *a = k->arena;
	struct ps_snapshot *s = (struct ps_snapshot *)(void *)a->bytes;

	memset(s, 0, PS_SNAPSHOT_HEADER_SIZE);
	s->magic = PS_SNAPSHOT_MAGIC;
	s->abi = PS_ABI;
	s->header_size = PS_SNAPSHOT_HEADER_SIZE;
	s->size = a->size;
	s->generation = generation;
	s->digest = ps_digest(a->bytes + PS_SNAPSHOT_HEADER_SIZE, a->size - PS_SNAPSHOT_HEADER_SIZE, generation);
	s->boot_digest = k->out.boot_digest;
	s->built_ns = now_ns;
	s->hash_seed = k->m->hash_seed;
	s->max_service_slot = k->out.max_service_slot;
	s->max_endpoint_slot = k->out.max_endpoint_slot;
	s->sections = PS_SECTIONS;
	memcpy(s->section, a->section, sizeof(a->section));
}

/* ---- the result ---- */

struct result {
	struct ps_compiled compiled; /* first: what the caller sees */
	struct pack **pack;
};

static int
finish(struct compilation *k, struct ps_compiled **compiled)
{
	struct packs *packs = &k->c->packs;
	const struct arena *a = k->arena;
	struct result *r = calloc(1, sizeof(*r));
	const void *bytes;
	uint32_t i;
	int fd, rc = -ENOMEM;

	if (r == NULL)
		return -ENOMEM;
	r->compiled.fd = -1;
	r->pack = calloc(packs->length + 1, sizeof(*r->pack));
	r->compiled.blob = calloc(packs->length + 1, sizeof(*r->compiled.blob));
	if (r->pack == NULL || r->compiled.blob == NULL)
		goto fail;
	fd = r->compiled.fd = k->c->spare >= 0 ? k->c->spare : ps_memfd_room(SNAPSHOT_NAME, 0);
	k->c->spare = -1;
	rc = fd < 0 ? fd : ps_memfd_seal(fd, a->bytes, a->size);
	if (rc != 0)
		goto fail;
	/* Read by few, and seldom: not populated. */
	bytes = mmap(NULL, a->size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		rc = -errno;
		goto fail;
	}
	for (i = 0; i < packs->length; i++) {
		struct pack *pack = packs->pack[i];

		pack->references++;
		r->pack[i] = pack;
		r->compiled.blob[i] = (struct ps_compiled_blob){pack->digest, pack->size, pack->fd, pack->bytes};
	}
	r->compiled.blobs = packs->length;
	r->compiled.size = a->size;
	r->compiled.snapshot = bytes;
	r->compiled.generation = r->compiled.snapshot->generation;
	r->compiled.tables_built = packs->built;
	r->compiled.tables_reused = packs->reused;
	r->compiled.endpoints_left_out = k->out.endpoints_left_out;
	r->compiled.services_left_out = k->out.services_left_out;
	*compiled = &r->compiled;
	return 0;
fail:
	if (r->compiled.fd >= 0)
		close(r->compiled.fd);
	free(r->pack);
	free(r->compiled.blob);
	free(r);
	return rc;
}

void
ps_compiler_prepare(struct ps_compiler *c)
{
	uint64_t room = c->arena.size + c->arena.size / 16;

	if (c->spare < 0 && c->arena.size != 0 && room <= SPARE_MAX)
		c->spare = ps_memfd_room(SNAPSHOT_NAME, room);
}

int
ps_compile(struct ps_compiler *c, const struct ps_model *model, struct ps_slots *slots, uint64_t generation,
	uint64_t now_ns, struct ps_compiled **compiled)
{
	struct compilation k = {.c = c, .m = model, .slots = slots, .arena = &c->arena};
	int rc;

	*compiled = NULL;
	k.emitted_index = malloc((model->services + 1) * sizeof(*k.emitted_index));
	rc = k.emitted_index != NULL ? prepare(&k) : -ENOMEM;
	if (rc == 0)
		rc = emit(&k);
	if (rc == 0) {
		write_header(&k, generation, now_ns);
		rc = finish(&k, compiled);
	}
	if (rc != 0) {
		/* Half a round: every service is named anew next time, and every table built. */
		c->slots = NULL;
		ps_packs_free(&c->packs);
	}
	free(k.emitted_index);
	return rc;
}

void
ps_compiled_free(struct ps_compiled *compiled)
{
	struct result *r = (struct result *)compiled;
	uint32_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->compiled.blobs; i++)
		ps_pack_release(r->pack[i]);
	munmap((void *)(uintptr_t)r->compiled.snapshot, r->compiled.size);
	close(r->compiled.fd);
	free(r->compiled.blob);
	free(r->pack);
	free(r);
}

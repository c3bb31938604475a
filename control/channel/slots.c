/* SPDX-License-Identifier: Apache-2.0 */
#include "control/channel/slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/channel/slot_file.h"
#include "control/channel/slot_index.h"
#include "dataplane/api/boot_id.h"

/* A service that nothing names any more keeps its slot for so long: late counters land where they belong. */
#define SERVICE_GRACE_NS (60 * NS)
#define NS 1000000000ull

/* One kind of slot: which are free, oldest first, and which the running round has named. */
struct pool {
	struct ps_slot_index index;
	uint32_t *round;      /* [slots]: round that named it last */
	uint32_t *queue;      /* [slots]: ring of free slots */
	uint32_t slots, first, free;
};

struct ps_slots {
	struct ps_slot_file state, own;
	struct ps_state_verdict *verdict;
	struct ps_state_endpoint *cold;
	struct ps_slot_row *row;
	struct ps_service_row *service;
	struct pool endpoints, services;
	uint32_t round;
	uint32_t unnamed_services; /* a tick looks for services to free only when there are any */
};

static uint32_t
control_load(const struct ps_slots *s, uint32_t slot)
{
	return (uint32_t)atomic_load_explicit(&s->verdict[slot].word, memory_order_relaxed);
}

/*
 * The control half alone: a 4-byte store cannot lose what the dataplane writes to the other half. Release:
 * pairs with the acquire of whoever reads the cold part after seeing PS_CTL_IN_USE.
 */
static void
control_store(struct ps_slots *s, uint32_t slot, uint32_t control)
{
	__atomic_store_n((uint32_t *)&s->verdict[slot].word, control, __ATOMIC_RELEASE);
}

static void
control_flags(struct ps_slots *s, uint32_t slot, uint32_t flags)
{
	uint32_t c = control_load(s, slot);
	uint32_t next = PS_CTL(PS_CTL_GENERATION(c), PS_CTL_SCALE(c), flags);

	if (next != c)
		control_store(s, slot, next);
}

static bool
in_use(const struct ps_slots *s, uint32_t slot)
{
	return slot < s->endpoints.slots && (control_load(s, slot) & PS_CTL_IN_USE) != 0;
}

static void
pool_release(struct pool *p, uint32_t slot)
{
	p->queue[(p->first + p->free++) % p->slots] = slot;
}

static uint32_t
pool_take(struct pool *p)
{
	uint32_t slot;

	if (p->free == 0)
		return PS_NONE;
	slot = p->queue[p->first];
	p->first = (p->first + 1) % p->slots;
	p->free--;
	return slot;
}

static int
pool_init(struct pool *p, uint32_t slots)
{
	p->slots = slots;
	p->round = calloc(slots, sizeof(*p->round));
	p->queue = calloc(slots, sizeof(*p->queue));
	if (p->round == NULL || p->queue == NULL)
		return -ENOMEM;
	return ps_slot_index_init(&p->index, slots);
}

static void
pool_fini(struct pool *p)
{
	free(p->round);
	free(p->queue);
	ps_slot_index_fini(&p->index);
}

/* Rebuilds what is private from the files. */
static void
adopt(struct ps_slots *s)
{
	uint32_t i;

	for (i = 0; i < s->endpoints.slots; i++) {
		/* The cold part of a free slot is not touched: it would cost a page of memory. */
		uint64_t id = in_use(s, i) ? s->cold[i].id : 0;

		/* Two slots of one id: left by a kill between two stores. The first one counts. */
		if (in_use(s, i) && id != 0 && ps_slot_index_find(&s->endpoints.index, id) == PS_NONE) {
			ps_slot_index_add(&s->endpoints.index, id, i);
			continue;
		}
		if (in_use(s, i))
			control_store(s, i, PS_CTL(PS_CTL_GENERATION(control_load(s, i)) + 1u, 255, 0));
		pool_release(&s->endpoints, i);
	}
	for (i = 0; i < s->services.slots; i++) {
		uint64_t id = s->service[i].id;

		if (id != 0 && ps_slot_index_find(&s->services.index, id) == PS_NONE) {
			ps_slot_index_add(&s->services.index, id, i);
			s->unnamed_services += s->service[i].unnamed_since_ns != 0;
		} else {
			s->service[i].id = 0;
			pool_release(&s->services, i);
		}
	}
}

static int
slots_highest(const struct ps_slots *s, uint32_t *endpoints, uint32_t *services)
{
	const struct ps_state_header *state = s->state.base;
	const struct ps_slots_header *own = s->own.base;
	struct ps_state_verdict *verdict = ps_state_verdicts(s->state.base);
	struct ps_service_row *service = ps_slots_services(s->own.base);
	uint32_t i;

	*endpoints = *services = 0;
	for (i = 0; i < state->slots; i++)
		if (atomic_load_explicit(&verdict[i].word, memory_order_relaxed) & PS_CTL_IN_USE)
			*endpoints = i + 1;
	for (i = 0; i < own->service_slots; i++)
		if (service[i].id != 0)
			*services = i + 1;
	return 0;
}

/* Makes both files anew and carries rows over from s's present ones, when those are mapped. */
static int
rebuild(struct ps_slots *s, const char *state_path, const char *own_path, uint32_t endpoint_slots,
	uint32_t service_slots, uint64_t boot_id, char *why, size_t why_size)
{
	struct ps_slot_file state = {0}, own = {0};
	int rc;

	rc = ps_slot_file_create(&state, state_path, ps_state_size(endpoint_slots));
	if (rc == 0)
		rc = ps_slot_file_create(&own, own_path, ps_slots_size(endpoint_slots, service_slots));
	if (rc != 0) {
		snprintf(why, why_size, "%s cannot be made: %s", state.base == NULL ? state_path : own_path,
			strerror(-rc));
		goto out;
	}
	ps_state_format(state.base, endpoint_slots, boot_id);
	ps_slots_format(own.base, endpoint_slots, service_slots, boot_id);
	if (s->state.base != NULL && s->own.base != NULL) {
		const struct ps_state_header *old_state = s->state.base;
		const struct ps_slots_header *old_own = s->own.base;
		uint32_t n = old_state->slots < endpoint_slots ? old_state->slots : endpoint_slots;
		uint32_t m = old_own->service_slots < service_slots ? old_own->service_slots : service_slots;

		memcpy(ps_state_verdicts(state.base), ps_state_verdicts(s->state.base), 8ull * n);
		memcpy(ps_state_endpoints(state.base), ps_state_endpoints(s->state.base),
			sizeof(struct ps_state_endpoint) * (uint64_t)n);
		memcpy(ps_slots_rows(own.base), ps_slots_rows(s->own.base), sizeof(struct ps_slot_row) * (uint64_t)n);
		memcpy(ps_slots_services(own.base), ps_slots_services(s->own.base),
			sizeof(struct ps_service_row) * (uint64_t)m);
		((struct ps_state_header *)state.base)->generation = old_state->generation;
	}
	/* Own first: a kill in between leaves a state table whose rows it does not match, and both start anew. */
	rc = ps_slot_file_install(own_path);
	if (rc == 0)
		rc = ps_slot_file_install(state_path);
	if (rc != 0) {
		snprintf(why, why_size, "%s cannot be put in place: %s", state_path, strerror(-rc));
		goto out;
	}
	ps_slot_file_unmap(&s->state);
	ps_slot_file_unmap(&s->own);
	s->state = state;
	s->own = own;
	return 0;
out:
	ps_slot_file_unmap(&state);
	ps_slot_file_unmap(&own);
	return rc;
}

/* Maps what a previous life left, or nothing: both files or none. */
static void
find_previous(struct ps_slots *s, const char *state_path, const char *own_path, uint64_t boot_id)
{
	char why[160];

	if (ps_slot_file_map(&s->state, state_path) == 0 && ps_slot_file_map(&s->own, own_path) == 0 &&
	    ps_state_validate(s->state.base, s->state.size, boot_id, why, sizeof(why)) == 0 &&
	    ps_slots_validate(s->own.base, s->own.size, boot_id, why, sizeof(why)) == 0) {
		const struct ps_state_header *state = s->state.base;
		const struct ps_slots_header *own = s->own.base;

		if (state->slots == own->endpoint_slots)
			return;
	}
	ps_slot_file_unmap(&s->state);
	ps_slot_file_unmap(&s->own);
}

int
ps_slots_open(struct ps_slots **slots, const char *runtime_dir, uint32_t endpoint_slots,
	uint32_t service_slots, char *why, size_t why_size)
{
	char state_path[4096], own_path[4096];
	uint64_t boot_id = ps_boot_id();
	uint32_t endpoints, services;
	struct ps_slots *s;
	int rc;

	*slots = NULL;
	if (endpoint_slots == 0 || service_slots == 0) {
		snprintf(why, why_size, "slots must be at least 1");
		return -EINVAL;
	}
	if (snprintf(state_path, sizeof(state_path), "%s/" PS_STATE_FILE, runtime_dir) >= (int)sizeof(state_path) ||
	    snprintf(own_path, sizeof(own_path), "%s/" PS_SLOTS_FILE, runtime_dir) >= (int)sizeof(own_path)) {
		snprintf(why, why_size, "runtime directory's name is too long");
		return -ENAMETOOLONG;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	find_previous(s, state_path, own_path, boot_id);
	if (s->state.base != NULL) {
		slots_highest(s, &endpoints, &services);
		if (endpoints > endpoint_slots || services > service_slots) {
			snprintf(why, why_size,
				"%u endpoint and %u service slots are too few: slots up to %u and %u are in use",
				endpoint_slots, service_slots, endpoints, services);
			rc = -ENOSPC;
			goto fail;
		}
	}
	if (s->state.base == NULL ||
	    ((struct ps_slots_header *)s->own.base)->endpoint_slots != endpoint_slots ||
	    ((struct ps_slots_header *)s->own.base)->service_slots != service_slots) {
		rc = rebuild(s, state_path, own_path, endpoint_slots, service_slots, boot_id, why, why_size);
		if (rc != 0)
			goto fail;
	}
	s->verdict = ps_state_verdicts(s->state.base);
	s->cold = ps_state_endpoints(s->state.base);
	s->row = ps_slots_rows(s->own.base);
	s->service = ps_slots_services(s->own.base);
	rc = pool_init(&s->endpoints, endpoint_slots);
	if (rc == 0)
		rc = pool_init(&s->services, service_slots);
	if (rc != 0) {
		snprintf(why, why_size, "no memory for %u endpoint slots", endpoint_slots);
		goto fail;
	}
	adopt(s);
	*slots = s;
	return 0;
fail:
	ps_slots_close(s);
	return rc;
}

void
ps_slots_close(struct ps_slots *s)
{
	if (s == NULL)
		return;
	pool_fini(&s->endpoints);
	pool_fini(&s->services);
	ps_slot_file_unmap(&s->state);
	ps_slot_file_unmap(&s->own);
	free(s);
}

void
ps_slots_begin(struct ps_slots *s)
{
	/* A wrapped counter could take an old mark for a new one. */
	if (++s->round == 0) {
		memset(s->endpoints.round, 0, s->endpoints.slots * sizeof(*s->endpoints.round));
		memset(s->services.round, 0, s->services.slots * sizeof(*s->services.round));
		s->round = 1;
	}
}

static uint64_t
realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS + (uint64_t)ts.tv_nsec;
}

static bool
service_drained(const struct ps_slots *s, uint64_t service_id)
{
	uint32_t slot = ps_slot_index_find(&s->services.index, service_id);

	return slot != PS_NONE && (s->service[slot].flags & PS_SERVICE_SLOT_F_DRAINED) != 0;
}

static void
row_fill(struct ps_slot_row *row, const struct ps_slot_endpoint *e)
{
	row->service_id = e->service_id;
	row->addr = e->addr;
	row->port = e->port;
	row->proto = e->proto;
	row->drain_s = e->drain_s;
	if (strncmp(row->name, e->name, sizeof(row->name) - 1) != 0)
		snprintf(row->name, sizeof(row->name), "%s", e->name);
}

static int
endpoint_assign(struct ps_slots *s, const struct ps_slot_endpoint *e, uint32_t *slot)
{
	uint32_t i = pool_take(&s->endpoints), generation, flags = PS_CTL_IN_USE;
	struct ps_slot_row *row;

	if (i == PS_NONE)
		return -ENOSPC;
	row = &s->row[i];
	row->flags = 0;
	row_fill(row, e);
	s->cold[i].id = e->id;
	s->cold[i].drain_until_ns = 0;
	if (service_drained(s, e->service_id))
		flags |= PS_CTL_DRAIN | PS_CTL_OPERATOR;
	generation = PS_CTL_GENERATION(control_load(s, i));
	if (generation == 0) /* a record of zeroes names nobody */
		generation = 1;
	control_store(s, i, PS_CTL(generation, 255, flags));
	ps_slot_index_add(&s->endpoints.index, e->id, i);
	*slot = i;
	return 0;
}

/* Ends a drain that the manifests had begun; the operator's own stays, with its deadline. */
static void
endpoint_return(struct ps_slots *s, uint32_t slot)
{
	uint32_t flags = PS_CTL_FLAGS(control_load(s, slot));

	s->row[slot].flags &= (uint8_t)~PS_SLOT_F_REMOVED;
	if (flags & PS_CTL_OPERATOR) {
		control_flags(s, slot, flags & ~PS_CTL_KILL);
		s->cold[slot].drain_until_ns = 0;
		return;
	}
	control_flags(s, slot, PS_CTL_IN_USE);
	s->cold[slot].drain_until_ns = 0;
}

static void
endpoint_leave(struct ps_slots *s, uint32_t slot, uint64_t now_ns)
{
	struct ps_state_endpoint *cold = &s->cold[slot];
	uint64_t until = now_ns + s->row[slot].drain_s * NS;

	if (cold->drain_until_ns == 0 || cold->drain_until_ns > until)
		cold->drain_until_ns = until;
	control_flags(s, slot, PS_CTL_FLAGS(control_load(s, slot)) | PS_CTL_DRAIN);
}

int
ps_slots_endpoint(struct ps_slots *s, const struct ps_slot_endpoint *e, uint32_t *slot, uint16_t *generation)
{
	uint32_t i = ps_slot_index_find(&s->endpoints.index, e->id), flags;
	int rc;

	if (i == PS_NONE) {
		rc = endpoint_assign(s, e, &i);
		if (rc != 0)
			return rc;
	} else {
		row_fill(&s->row[i], e);
	}
	s->endpoints.round[i] = s->round;
	flags = PS_CTL_FLAGS(control_load(s, i));
	if (e->draining) {
		s->row[i].flags &= (uint8_t)~PS_SLOT_F_REMOVED;
		if (!(flags & PS_CTL_DRAIN))
			endpoint_leave(s, i, realtime_ns());
	} else if ((s->row[i].flags & PS_SLOT_F_REMOVED) ||
		   ((flags & (PS_CTL_DRAIN | PS_CTL_KILL)) && !(flags & PS_CTL_OPERATOR))) {
		endpoint_return(s, i);
	}
	*slot = i;
	*generation = PS_CTL_GENERATION(control_load(s, i));
	return 0;
}

int
ps_slots_service(struct ps_slots *s, uint64_t id, const char *name, uint32_t *slot)
{
	uint32_t i = ps_slot_index_find(&s->services.index, id);
	struct ps_service_row *row;

	if (id == 0)
		return -EINVAL;
	if (i == PS_NONE) {
		i = pool_take(&s->services);
		if (i == PS_NONE)
			return -ENOSPC;
		row = &s->service[i];
		row->flags = 0;
		row->unnamed_since_ns = 0;
		snprintf(row->name, sizeof(row->name), "%s", name);
		__atomic_store_n(&row->id, id, __ATOMIC_RELEASE); /* a kill before this leaves a free row */
		ps_slot_index_add(&s->services.index, id, i);
	} else if (strncmp(s->service[i].name, name, sizeof(s->service[i].name) - 1) != 0) {
		snprintf(s->service[i].name, sizeof(s->service[i].name), "%s", name);
	}
	ps_slots_keep_service(s, i);
	*slot = i;
	return 0;
}

void
ps_slots_keep_endpoint(struct ps_slots *s, uint32_t slot)
{
	s->endpoints.round[slot] = s->round;
	/* One that was removed is drained: the row, a cache line of its own, is seldom looked at. */
	if ((control_load(s, slot) & PS_CTL_DRAIN) != 0 && (s->row[slot].flags & PS_SLOT_F_REMOVED))
		endpoint_return(s, slot);
}

void
ps_slots_keep_service(struct ps_slots *s, uint32_t slot)
{
	s->services.round[slot] = s->round;
	s->service[slot].unnamed_since_ns = 0; /* at once: a tick before the commit must not free it */
}

void
ps_slots_commit(struct ps_slots *s, uint64_t now_ns)
{
	uint32_t i;

	for (i = 0; i < s->endpoints.slots; i++) {
		if (s->endpoints.round[i] == s->round || !in_use(s, i) || (s->row[i].flags & PS_SLOT_F_REMOVED))
			continue;
		/* In this order: a kill in between leaves one that drains and is removed next time. */
		endpoint_leave(s, i, now_ns);
		s->row[i].flags |= PS_SLOT_F_REMOVED;
	}
	s->unnamed_services = 0;
	for (i = 0; i < s->services.slots; i++) {
		if (s->service[i].id == 0)
			continue;
		if (s->services.round[i] == s->round)
			continue;
		if (s->service[i].unnamed_since_ns == 0)
			s->service[i].unnamed_since_ns = now_ns;
		s->unnamed_services++;
	}
}

static void
endpoint_free(struct ps_slots *s, uint32_t slot)
{
	uint32_t generation = (PS_CTL_GENERATION(control_load(s, slot)) + 1u) & 0xffffu;

	ps_slot_index_remove(&s->endpoints.index, s->cold[slot].id);
	control_store(s, slot, PS_CTL(generation == 0 ? 1 : generation, 255, 0));
	s->cold[slot].id = 0;
	s->cold[slot].drain_until_ns = 0;
	s->row[slot].flags = 0;
	pool_release(&s->endpoints, slot);
}

static uint32_t
services_free(struct ps_slots *s, uint64_t now_ns)
{
	uint8_t *referred = calloc(s->services.slots, 1);
	uint32_t i, slot, changed = 0;

	if (referred == NULL)
		return 0;
	for (i = 0; i < s->endpoints.slots; i++) {
		if (!in_use(s, i))
			continue;
		slot = ps_slot_index_find(&s->services.index, s->row[i].service_id);
		if (slot != PS_NONE)
			referred[slot] = 1;
	}
	for (i = 0; i < s->services.slots; i++) {
		struct ps_service_row *row = &s->service[i];

		if (row->id == 0 || row->unnamed_since_ns == 0 || referred[i] ||
		    now_ns < row->unnamed_since_ns + SERVICE_GRACE_NS)
			continue;
		ps_slot_index_remove(&s->services.index, row->id);
		row->id = 0;
		row->name[0] = '\0';
		pool_release(&s->services, i);
		s->unnamed_services--;
		changed++;
	}
	free(referred);
	return changed;
}

uint32_t
ps_slots_tick(struct ps_slots *s, uint64_t now_ns)
{
	uint32_t i, changed = 0;

	for (i = 0; i < s->endpoints.slots; i++) {
		uint32_t flags = PS_CTL_FLAGS(control_load(s, i));
		uint64_t until;

		if (!(flags & PS_CTL_IN_USE))
			continue;
		until = s->cold[i].drain_until_ns;
		if (until == 0 || now_ns < until)
			continue;
		if (!(flags & PS_CTL_KILL)) {
			/* The grace counts from the kill, which comes late when penstockd was down. */
			s->cold[i].drain_until_ns = now_ns;
			control_flags(s, i, flags | PS_CTL_DRAIN | PS_CTL_KILL);
			changed++;
		} else if ((s->row[i].flags & PS_SLOT_F_REMOVED) && now_ns >= until + PS_SLOT_GRACE_S * NS) {
			endpoint_free(s, i);
			changed++;
		}
	}
	if (s->unnamed_services != 0)
		changed += services_free(s, now_ns);
	return changed;
}

int
ps_slots_drain(struct ps_slots *s, uint32_t slot, uint64_t until_ns)
{
	uint32_t flags;

	if (!in_use(s, slot))
		return -ENOENT;
	flags = PS_CTL_FLAGS(control_load(s, slot));
	/* One that the manifests drain already keeps its deadline unless the new one is earlier. */
	if (s->cold[slot].drain_until_ns == 0 || (until_ns != 0 && until_ns < s->cold[slot].drain_until_ns) ||
	    (flags & PS_CTL_OPERATOR))
		s->cold[slot].drain_until_ns = until_ns;
	control_flags(s, slot, (flags & ~(until_ns == 0 ? PS_CTL_KILL : 0u)) | PS_CTL_DRAIN | PS_CTL_OPERATOR);
	return 0;
}

int
ps_slots_undrain(struct ps_slots *s, uint32_t slot)
{
	if (!in_use(s, slot))
		return -ENOENT;
	if (s->row[slot].flags & PS_SLOT_F_REMOVED) {
		control_flags(s, slot, PS_CTL_FLAGS(control_load(s, slot)) & ~PS_CTL_OPERATOR);
		return -EBUSY;
	}
	control_flags(s, slot, PS_CTL_IN_USE);
	s->cold[slot].drain_until_ns = 0;
	return 0;
}

int
ps_slots_scale(struct ps_slots *s, uint32_t slot, uint8_t scale)
{
	uint32_t c;

	if (!in_use(s, slot))
		return -ENOENT;
	c = control_load(s, slot);
	control_store(s, slot, PS_CTL(PS_CTL_GENERATION(c), scale, PS_CTL_FLAGS(c)));
	return 0;
}

int
ps_slots_drain_service(struct ps_slots *s, uint64_t service_id, uint64_t until_ns)
{
	uint32_t service = ps_slot_index_find(&s->services.index, service_id), i;

	if (service == PS_NONE)
		return -ENOENT;
	s->service[service].flags |= PS_SERVICE_SLOT_F_DRAINED;
	for (i = 0; i < s->endpoints.slots; i++)
		if (in_use(s, i) && s->row[i].service_id == service_id)
			ps_slots_drain(s, i, until_ns);
	return 0;
}

int
ps_slots_undrain_service(struct ps_slots *s, uint64_t service_id)
{
	uint32_t service = ps_slot_index_find(&s->services.index, service_id), i;

	if (service == PS_NONE)
		return -ENOENT;
	s->service[service].flags &= ~PS_SERVICE_SLOT_F_DRAINED;
	for (i = 0; i < s->endpoints.slots; i++)
		if (in_use(s, i) && s->row[i].service_id == service_id)
			ps_slots_undrain(s, i);
	return 0;
}

int
ps_slots_info(const struct ps_slots *s, uint32_t slot, struct ps_slot_info *info)
{
	const struct ps_state_endpoint *cold;
	const struct ps_slot_row *row;
	uint64_t word;

	if (!in_use(s, slot))
		return -ENOENT;
	cold = &s->cold[slot];
	row = &s->row[slot];
	word = atomic_load_explicit(&s->verdict[slot].word, memory_order_relaxed);
	*info = (struct ps_slot_info){
		.id = cold->id,
		.service_id = row->service_id,
		.addr = row->addr,
		.port = row->port,
		.proto = row->proto,
		.removed = (row->flags & PS_SLOT_F_REMOVED) != 0,
		.generation = PS_CTL_GENERATION((uint32_t)word),
		.control = (uint32_t)word,
		.health = (uint32_t)(word >> 32),
		.drain_until_ns = cold->drain_until_ns,
		.since_ns = atomic_load_explicit(&cold->since_ns, memory_order_relaxed),
		.last_probe_ns = atomic_load_explicit(&cold->last_probe_ns, memory_order_relaxed),
		.rtt_us = atomic_load_explicit(&cold->rtt_us, memory_order_relaxed),
		.reason = atomic_load_explicit(&cold->reason, memory_order_relaxed),
		.successes = atomic_load_explicit(&cold->successes, memory_order_relaxed),
		.failures = atomic_load_explicit(&cold->failures, memory_order_relaxed),
		.probes = atomic_load_explicit(&cold->probes, memory_order_relaxed),
		.probe_failures = atomic_load_explicit(&cold->probe_failures, memory_order_relaxed),
		.name = row->name,
	};
	return 0;
}

uint32_t
ps_slots_find_endpoint(const struct ps_slots *s, uint64_t id)
{
	return ps_slot_index_find(&s->endpoints.index, id);
}

uint32_t
ps_slots_find_service(const struct ps_slots *s, uint64_t id)
{
	return ps_slot_index_find(&s->services.index, id);
}

const char *
ps_slots_service_name(const struct ps_slots *s, uint32_t slot)
{
	return slot < s->services.slots && s->service[slot].id != 0 ? s->service[slot].name : "";
}

bool
ps_slots_service_drained(const struct ps_slots *s, uint32_t slot)
{
	return slot < s->services.slots && s->service[slot].id != 0 &&
	       (s->service[slot].flags & PS_SERVICE_SLOT_F_DRAINED) != 0;
}

const struct ps_state_verdict *
ps_slots_verdicts(const struct ps_slots *s)
{
	return s->verdict;
}

void
ps_slots_usage(const struct ps_slots *s, struct ps_slots_usage *u)
{
	uint32_t i, flags;

	*u = (struct ps_slots_usage){
		.endpoint_slots = s->endpoints.slots,
		.endpoints = s->endpoints.slots - s->endpoints.free,
		.service_slots = s->services.slots,
		.services = s->services.slots - s->services.free,
	};
	for (i = 0; i < s->endpoints.slots; i++) {
		flags = PS_CTL_FLAGS(control_load(s, i));
		if (!(flags & PS_CTL_IN_USE))
			continue;
		u->killed += (flags & PS_CTL_KILL) != 0;
		u->draining += (flags & (PS_CTL_DRAIN | PS_CTL_KILL)) == PS_CTL_DRAIN;
	}
}

uint64_t
ps_slots_generation(const struct ps_slots *s)
{
	const struct ps_state_header *h = s->state.base;

	return atomic_load_explicit(&h->generation, memory_order_relaxed);
}

void
ps_slots_set_generation(struct ps_slots *s, uint64_t generation)
{
	struct ps_state_header *h = s->state.base;

	atomic_store_explicit(&h->generation, generation, memory_order_relaxed);
}

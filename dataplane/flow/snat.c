/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow/snat.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/api/digest.h"

#define INDEX_CELLS (4u * PS_MAX_SNAT_ADDRESSES)
#define STALE_TRIES 64u /* FIFO entries outside a narrowed range that one take throws away */

/*
 * The ports p = first + i * workers of one address and one group, by position i. Memory: one mapping per address:
 * set | group [groups] of { port_group | in_use bits | in_fifo bits | fifo }.
 */
struct port_group {
	uint32_t used;              /* ports in use */
	uint32_t fresh;             /* positions of the cyclic order handed out or passed over, up to positions */
	uint32_t start;             /* where the cyclic order begins */
	uint32_t seen_range;        /* range that fresh and start are about */
	uint32_t fifo_head, fifo_tail; /* free running */
};

struct address_set {
	struct ps_addr addr;
	_Atomic uint32_t range;     /* port_first << 16 | port_last; main: writes, worker: reads */
	_Atomic uint32_t offered;   /* 0: gives out nothing more. main: writes */
	uint32_t positions;         /* positions 0..positions-1 are ports worker + i * workers (from 0) */
	uint32_t words;             /* 64-bit words of a bitmap */
	uint32_t fifo_mask;
	size_t group_size;          /* bytes */
	size_t size;                /* bytes of the mapping */
};

/* What main replaces as a whole. */
struct config {
	uint16_t index[INDEX_CELLS]; /* open addressing by address: position in set + 1 */
	uint32_t sets;
	struct address_set *set[2u * PS_MAX_SNAT_ADDRESSES];
};

struct tuple {
	uint64_t name;  /* 0: empty */
	uint32_t used;  /* ports in use */
	uint32_t group;
};

struct ps_snat {
	uint32_t worker, workers, groups;
	uint32_t turn;          /* address to begin with */
	uint64_t random;
	uint64_t used;
	uint32_t *group_used;   /* [groups] ports in use, all addresses */
	uint32_t *group_tuples; /* [groups] tuples bound */
	struct tuple *tuple;
	uint32_t tuple_mask, tuples, tuple_limit;
	_Atomic(struct config *) config;
	struct config *retired;
	struct address_set *retired_set[2u * PS_MAX_SNAT_ADDRESSES];
	uint32_t retired_sets;
};

static struct port_group *
group_at(const struct address_set *a, uint32_t group)
{
	return (struct port_group *)((uint8_t *)a + 128 + group * a->group_size);
}

static uint64_t *
in_use_bits(const struct address_set *a, struct port_group *g)
{
	return (uint64_t *)((uint8_t *)g + 64);
}

static uint64_t *
in_fifo_bits(const struct address_set *a, struct port_group *g)
{
	return in_use_bits(a, g) + a->words;
}

static uint16_t *
fifo_of(const struct address_set *a, struct port_group *g)
{
	return (uint16_t *)(in_fifo_bits(a, g) + a->words);
}

static inline bool
bit_test(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64u] >> (i % 64u) & 1u;
}

static inline void
bit_set(uint64_t *bits, uint32_t i)
{
	bits[i / 64u] |= 1ull << (i % 64u);
}

static inline void
bit_clear(uint64_t *bits, uint32_t i)
{
	bits[i / 64u] &= ~(1ull << (i % 64u));
}

static uint32_t
address_cell(const struct ps_addr *addr)
{
	return (uint32_t)ps_mix64(ps_digest_load(addr->b) ^ PS_DIGEST_K0, ps_digest_load(addr->b + 8) ^ PS_DIGEST_K1);
}

static struct address_set *
find_set(const struct config *c, const struct ps_addr *addr)
{
	uint32_t cell, i;

	if (c == NULL)
		return NULL;
	for (i = 0, cell = address_cell(addr); i < INDEX_CELLS; i++, cell++) {
		uint16_t at = c->index[cell % INDEX_CELLS];

		if (at == 0)
			return NULL;
		if (ps_addr_equal(&c->set[at - 1]->addr, addr))
			return c->set[at - 1];
	}
	return NULL;
}

static struct config *
load_config(const struct ps_snat *s)
{
	/* acquire: partner is the release in ps_snat_configure */
	return atomic_load_explicit(&s->config, memory_order_acquire);
}

int
ps_snat_new(struct ps_snat **snat, uint32_t worker, uint32_t workers, uint32_t groups, uint32_t tuples,
	    uint64_t random)
{
	struct ps_snat *s;
	uint32_t cells = 16;

	if (workers == 0 || worker >= workers || groups == 0 || groups > 4096)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->tuple_limit = tuples < 8 ? 8 : tuples;
	while (cells < 2u * s->tuple_limit)
		cells <<= 1;
	s->worker = worker;
	s->workers = workers;
	s->groups = groups;
	s->random = random | 1u;
	s->tuple_mask = cells - 1u;
	s->tuple = calloc(cells, sizeof(*s->tuple));
	s->group_used = calloc(groups, sizeof(*s->group_used));
	s->group_tuples = calloc(groups, sizeof(*s->group_tuples));
	if (s->tuple == NULL || s->group_used == NULL || s->group_tuples == NULL) {
		ps_snat_free(s);
		return -ENOMEM;
	}
	*snat = s;
	return 0;
}

static void
free_set(struct address_set *a)
{
	if (a != NULL)
		munmap(a, a->size);
}

void
ps_snat_reclaim(struct ps_snat *s)
{
	while (s->retired_sets != 0)
		free_set(s->retired_set[--s->retired_sets]);
	free(s->retired);
	s->retired = NULL;
}

void
ps_snat_free(struct ps_snat *s)
{
	struct config *c;
	uint32_t i;

	if (s == NULL)
		return;
	ps_snat_reclaim(s);
	c = load_config(s);
	for (i = 0; c != NULL && i < c->sets; i++)
		free_set(c->set[i]);
	free(c);
	free(s->tuple);
	free(s->group_used);
	free(s->group_tuples);
	free(s);
}

static struct address_set *
new_set(const struct ps_snat *s, const struct ps_addr *addr)
{
	struct address_set *a;
	uint32_t positions = 65536u / s->workers + 1u, words = (positions + 63u) / 64u, ring = 64;
	size_t group_size, size;

	while (ring < positions)
		ring <<= 1;
	group_size = (64u + 16u * words + 2u * ring + 63u) & ~63ul;
	size = (128u + group_size * s->groups + 4095u) & ~4095ul;
	a = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (a == MAP_FAILED)
		return NULL;
	a->addr = *addr;
	a->positions = positions;
	a->words = words;
	a->fifo_mask = ring - 1u;
	a->group_size = group_size;
	a->size = size;
	return a;
}

static uint64_t
set_used(const struct ps_snat *s, const struct address_set *a)
{
	uint64_t used = 0;
	uint32_t i;

	for (i = 0; i < s->groups; i++)
		used += __atomic_load_n(&group_at(a, i)->used, __ATOMIC_RELAXED);
	return used;
}

int
ps_snat_configure(struct ps_snat *s, const struct ps_snat_address *address, uint32_t addresses)
{
	struct config *old = load_config(s), *c = calloc(1, sizeof(*c));
	bool fresh[2u * PS_MAX_SNAT_ADDRESSES] = {false};
	uint32_t i, retire = 0;
	struct address_set *a;
	int rc = 0;

	if (c == NULL)
		return -ENOMEM;
	/* The previous round's leftovers: more than a grace period ago unless main skipped ps_snat_reclaim. */
	ps_snat_reclaim(s);
	for (i = 0; i < addresses && c->sets < PS_MAX_SNAT_ADDRESSES; i++) {
		uint32_t k;

		for (k = 0; k < c->sets && !ps_addr_equal(&c->set[k]->addr, &address[i].addr); k++)
			;
		if (k < c->sets)
			continue; /* in two pools: one set */
		a = find_set(old, &address[i].addr);
		if (a == NULL) {
			a = new_set(s, &address[i].addr);
			if (a == NULL) {
				rc = -ENOMEM;
				goto undo;
			}
			fresh[c->sets] = true;
		}
		c->set[c->sets++] = a;
	}
	for (i = 0; i < c->sets; i++) {
		uint32_t k;

		for (k = 0; k < addresses && !ps_addr_equal(&address[k].addr, &c->set[i]->addr); k++)
			;
		atomic_store_explicit(&c->set[i]->range,
				      (uint32_t)address[k].port_first << 16 | address[k].port_last,
				      memory_order_relaxed);
		atomic_store_explicit(&c->set[i]->offered, 1, memory_order_relaxed);
	}
	/* Addresses no longer named: kept while flows hold ports of them and there is room. */
	for (i = 0; old != NULL && i < old->sets; i++) {
		uint32_t k;

		for (k = 0; k < c->sets && c->set[k] != old->set[i]; k++)
			;
		if (k < c->sets)
			continue;
		atomic_store_explicit(&old->set[i]->offered, 0, memory_order_relaxed);
		if (set_used(s, old->set[i]) != 0 && c->sets < 2u * PS_MAX_SNAT_ADDRESSES)
			c->set[c->sets++] = old->set[i];
		else
			s->retired_set[retire++] = old->set[i];
	}
	for (i = 0; i < c->sets; i++) {
		uint32_t cell = address_cell(&c->set[i]->addr);

		while (c->index[cell % INDEX_CELLS] != 0)
			cell++;
		c->index[cell % INDEX_CELLS] = (uint16_t)(i + 1u);
	}
	/* release: sets and index come first; partner: load_config */
	atomic_store_explicit(&s->config, c, memory_order_release);
	s->retired = old;
	s->retired_sets = retire;
	return 0;
undo:
	for (i = 0; i < c->sets; i++)
		if (fresh[i])
			free_set(c->set[i]);
	free(c);
	return rc;
}

uint64_t
ps_snat_tuple(const struct ps_addr *endpoint, uint16_t port_be, uint8_t proto)
{
	uint64_t h = ps_mix64(ps_digest_load(endpoint->b) ^ PS_DIGEST_K2,
			      ps_digest_load(endpoint->b + 8) ^ PS_DIGEST_K3 ^
				      ((uint64_t)port_be << 16 | proto) * PS_DIGEST_K1);

	return h != 0 ? h : 1;
}

static struct tuple *
tuple_find(const struct ps_snat *s, uint64_t name)
{
	uint64_t i = name;

	for (; s->tuple[i & s->tuple_mask].name != 0; i++)
		if (s->tuple[i & s->tuple_mask].name == name)
			return &s->tuple[i & s->tuple_mask];
	return NULL;
}

/* Takes tuple cell `at` out, closing the gap (Knuth 6.4, algorithm R). */
static void
tuple_delete(struct ps_snat *s, uint64_t at)
{
	uint64_t hole = at & s->tuple_mask, next = hole;

	s->group_tuples[s->tuple[hole].group]--;
	s->tuples--;
	for (;;) {
		s->tuple[hole].name = 0;
		for (;;) {
			uint64_t home;

			next = (next + 1u) & s->tuple_mask;
			if (s->tuple[next].name == 0)
				return;
			home = s->tuple[next].name & s->tuple_mask;
			if (((next - home) & s->tuple_mask) >= ((next - hole) & s->tuple_mask))
				break;
		}
		s->tuple[hole] = s->tuple[next];
		hole = next;
	}
}

/* Endpoints come and go: forgets tuples without ports in use. Only when the table is full. */
static void
tuple_sweep(struct ps_snat *s)
{
	uint64_t i;

	for (i = 0; i <= s->tuple_mask; i++)
		while (s->tuple[i].name != 0 && s->tuple[i].used == 0)
			tuple_delete(s, i);
}

/* Binds a new tuple: to an unbound group, else to the one with the fewest ports in use. */
static struct tuple *
tuple_bind(struct ps_snat *s, uint64_t name)
{
	uint32_t g, best = 0;
	uint64_t i;

	if (s->tuples >= s->tuple_limit)
		tuple_sweep(s);
	if (s->tuples >= s->tuple_limit)
		return NULL;
	for (g = 1; g < s->groups; g++) {
		bool better = s->group_tuples[g] == 0 || s->group_tuples[best] == 0
				      ? s->group_tuples[g] < s->group_tuples[best]
				      : s->group_used[g] < s->group_used[best] ||
						(s->group_used[g] == s->group_used[best] &&
						 s->group_tuples[g] < s->group_tuples[best]);

		if (better)
			best = g;
	}
	for (i = name; s->tuple[i & s->tuple_mask].name != 0; i++)
		;
	s->tuple[i & s->tuple_mask] = (struct tuple){.name = name, .group = best};
	s->group_tuples[best]++;
	s->tuples++;
	return &s->tuple[i & s->tuple_mask];
}

static uint32_t
next_random(struct ps_snat *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return (uint32_t)(s->random >> 32);
}

/* First and count of positions whose ports lie in the range. */
static uint32_t
range_positions(const struct ps_snat *s, uint32_t range, uint32_t *first)
{
	uint32_t low = range >> 16, high = range & 0xffffu;
	uint32_t from = low <= s->worker ? 0 : (low - s->worker + s->workers - 1u) / s->workers;

	*first = from;
	if (high < s->worker || high < low || from > (high - s->worker) / s->workers)
		return 0;
	return (high - s->worker) / s->workers - from + 1u;
}

/* The next port of the group: a position, or PS_NONE. It is in no list afterwards and not marked. */
static uint32_t
next_position(struct ps_snat *s, struct address_set *a, struct port_group *g)
{
	uint32_t range = atomic_load_explicit(&a->range, memory_order_relaxed), first, count, tries;
	uint64_t *used = in_use_bits(a, g), *queued = in_fifo_bits(a, g);

	count = range_positions(s, range, &first);
	if (g->seen_range != range) {
		g->seen_range = range;
		g->fresh = 0;
		g->start = count != 0 ? next_random(s) % count : 0;
	}
	while (g->fresh < count) {
		uint32_t at = g->start + g->fresh;
		uint32_t i = first + (at < count ? at : at - count);
		uint64_t taken = (used[i / 64u] | queued[i / 64u]) >> (i % 64u);

		/* A run of ports that are taken is passed over a word at a time. */
		if (taken & 1u) {
			uint32_t run = ~taken != 0 ? (uint32_t)__builtin_ctzll(~taken) : 64u;
			uint32_t left = (at < count ? count - at : 2u * count - at);

			run = run > 64u - i % 64u ? 64u - i % 64u : run;
			g->fresh += run > left ? left : run;
			continue;
		}
		g->fresh++;
		return i;
	}
	for (tries = 0; tries < STALE_TRIES && g->fifo_head != g->fifo_tail; tries++) {
		uint32_t i = fifo_of(a, g)[g->fifo_head++ & a->fifo_mask];

		bit_clear(queued, i);
		if (i >= first && i - first < count)
			return i;
	}
	return PS_NONE;
}

static void
queue_position(const struct address_set *a, struct port_group *g, uint32_t i)
{
	fifo_of(a, g)[g->fifo_tail++ & a->fifo_mask] = (uint16_t)i;
	bit_set(in_fifo_bits(a, g), i);
}

static void
mark_used(struct ps_snat *s, struct address_set *a, struct port_group *g, struct tuple *t, uint32_t i)
{
	bit_set(in_use_bits(a, g), i);
	g->used++;
	t->used++;
	s->group_used[t->group]++;
	s->used++;
}

static int
take_from(struct ps_snat *s, struct address_set *a, struct tuple *t, ps_snat_fits_fn fits, void *arg,
	  struct ps_snat_port *out)
{
	struct port_group *g = group_at(a, t->group);
	uint32_t rejected[PS_SNAT_TRIES], rejects = 0, i, k;

	out->addr = a->addr;
	for (;;) {
		i = next_position(s, a, g);
		if (i == PS_NONE) {
			if (rejects == 0)
				return -ENOSPC;
			i = rejected[--rejects]; /* one that does not fit is better than none */
			break;
		}
		out->port = __builtin_bswap16((uint16_t)(s->worker + i * s->workers));
		if (fits == NULL || fits(arg, out) || rejects == PS_SNAT_TRIES - 1u)
			break;
		rejected[rejects++] = i;
	}
	for (k = 0; k < rejects; k++)
		queue_position(a, g, rejected[k]);
	out->port = __builtin_bswap16((uint16_t)(s->worker + i * s->workers));
	mark_used(s, a, g, t, i);
	return 0;
}

int
ps_snat_take(struct ps_snat *s, const struct ps_snat_address *address, uint32_t addresses, bool v6, uint64_t name,
	     ps_snat_fits_fn fits, void *arg, struct ps_snat_port *out)
{
	const struct config *c = load_config(s);
	struct tuple *t = tuple_find(s, name);
	uint32_t i, at;

	if (addresses == 0)
		return -ENOSPC;
	if (t == NULL && (t = tuple_bind(s, name)) == NULL)
		return -ENOMEM;
	at = s->turn++ % addresses;
	for (i = 0; i < addresses; i++) {
		struct address_set *a = ps_addr_is_v4(&address[at].addr) != v6 ? find_set(c, &address[at].addr) : NULL;

		if (a != NULL && atomic_load_explicit(&a->offered, memory_order_relaxed) &&
		    take_from(s, a, t, fits, arg, out) == 0)
			return 0;
		at = at + 1u < addresses ? at + 1u : 0;
	}
	return -ENOSPC;
}

bool
ps_snat_give(struct ps_snat *s, const struct ps_addr *addr, uint16_t port_be, uint64_t name)
{
	struct address_set *a = find_set(load_config(s), addr);
	struct tuple *t = tuple_find(s, name);
	uint32_t port = __builtin_bswap16(port_be), i = port / s->workers;
	struct port_group *g;

	if (a == NULL) {
		/* The address is gone; only the tuple still knows of the port. */
		if (t != NULL && t->used != 0) {
			t->used--;
			s->group_used[t->group]--;
			s->used--;
		}
		return true;
	}
	if (t == NULL || port % s->workers != s->worker)
		return false;
	g = group_at(a, t->group);
	if (!bit_test(in_use_bits(a, g), i))
		return false;
	bit_clear(in_use_bits(a, g), i);
	g->used--;
	t->used--;
	s->group_used[t->group]--;
	s->used--;
	queue_position(a, g, i);
	return true;
}

int
ps_snat_restore(struct ps_snat *s, const struct ps_addr *addr, uint16_t port_be, uint64_t name)
{
	struct address_set *a = find_set(load_config(s), addr);
	struct tuple *t = tuple_find(s, name);
	uint32_t port = __builtin_bswap16(port_be), i = port / s->workers;
	struct port_group *g;

	if (port % s->workers != s->worker)
		return -EINVAL;
	if (a == NULL)
		return -ENOENT;
	if (t == NULL && (t = tuple_bind(s, name)) == NULL)
		return -ENOMEM;
	g = group_at(a, t->group);
	if (bit_test(in_use_bits(a, g), i) || bit_test(in_fifo_bits(a, g), i))
		return -EEXIST;
	mark_used(s, a, g, t, i);
	return 0;
}

uint64_t
ps_snat_in_use(const struct ps_snat *s)
{
	return s->used;
}

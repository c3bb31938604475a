/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each endpoint has a permutation of all entries, derived from its id: offset, offset + skip,
 * offset + 2 skip ... modulo the prime size. Endpoints take turns in the order of their ids and
 * each takes the first entry of its permutation that is still free. With weights, an
 * endpoint takes turns at a pace in proportion to its weight, spread evenly.
 *
 * Sizes are few and far apart: a table of another size is another permutation, so growing past a size moves
 * most flows that no flow table remembers. Four times the entries per step makes that rare.
 */
#include "policies/maglev/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/api/digest.h"

#define FREE UINT16_MAX

static const uint32_t sizes[] = {PS_MAGLEV_MIN_SIZE, 1021, 4093, 16381, PS_MAGLEV_WEIGHT_SIZE, 262147,
	PS_MAGLEV_MAX_SIZE};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

uint32_t
ps_maglev_size(const struct ps_maglev_endpoint *endpoint, uint32_t endpoints)
{
	uint64_t total = 0, wanted = 100ull * endpoints, by_weight;
	uint32_t i, smallest = UINT32_MAX;

	if (endpoints == 0)
		return 0;
	for (i = 0; i < endpoints; i++) {
		total += endpoint[i].weight;
		if (endpoint[i].weight < smallest)
			smallest = endpoint[i].weight;
	}
	by_weight = smallest != 0 ? 100 * total / smallest : 0;
	if (by_weight > PS_MAGLEV_WEIGHT_SIZE)
		by_weight = PS_MAGLEV_WEIGHT_SIZE;
	/* From one to two endpoints half of the flows move anyway: no reason to move more from two to three. */
	if (endpoints > 1 && wanted <= sizes[0])
		wanted = sizes[1];
	if (wanted < by_weight)
		wanted = by_weight;
	for (i = 0; i < SIZES - 1 && sizes[i] < wanted; i++)
		;
	return sizes[i];
}

uint64_t
ps_maglev_digest(const struct ps_maglev_endpoint *endpoint, uint32_t endpoints, uint32_t size)
{
	uint64_t h = ps_mix64(PS_DIGEST_K2 ^ size, PS_DIGEST_K0 ^ endpoints);
	uint32_t i;

	for (i = 0; i < endpoints; i++) {
		h = ps_mix64(h ^ endpoint[i].id, PS_DIGEST_K1 ^ endpoint[i].weight);
		h ^= (uint64_t)i << 32;
	}
	return ps_mix64(h, PS_DIGEST_K3);
}

struct turn {
	uint64_t id;
	uint64_t due;      /* virtual time of the next turn, see due_at */
	uint32_t taken;    /* turns so far */
	uint32_t weight;
	uint32_t next;     /* entry that the permutation is at */
	uint32_t skip;
	uint32_t position; /* in the caller's order */
};

static int
turn_order(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Turn k of weight w is due in the middle of its share of time: (k + 1/2) / w, as an integer. */
static uint64_t
due_at(uint32_t k, uint32_t weight)
{
	return ((2ull * k + 1) << 32) / weight;
}

static void
take(uint16_t *entries, uint32_t size, struct turn *t)
{
	while (entries[t->next] != FREE) {
		t->next += t->skip;
		if (t->next >= size)
			t->next -= size;
	}
	entries[t->next] = (uint16_t)t->position;
}

static void
fill_equal(uint16_t *entries, uint32_t size, struct turn *turn, uint32_t turns)
{
	uint32_t filled, i;

	for (filled = 0, i = 0; filled < size; filled++) {
		take(entries, size, &turn[i]);
		if (++i == turns)
			i = 0;
	}
}

static bool
before(const struct turn *a, const struct turn *b)
{
	return a->due != b->due ? a->due < b->due : a->id < b->id;
}

/* Restores the heap (earliest turn on top) below at. */
static void
sift(struct turn *heap, uint32_t turns, uint32_t at)
{
	struct turn moving = heap[at];

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= turns)
			break;
		if (child + 1 < turns && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &moving))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moving;
}

static void
fill_weighted(uint16_t *entries, uint32_t size, struct turn *turn, uint32_t turns)
{
	uint32_t filled, i;

	for (i = 0; i < turns; i++)
		turn[i].due = due_at(0, turn[i].weight);
	for (i = turns / 2; i-- > 0;)
		sift(turn, turns, i);
	for (filled = 0; filled < size; filled++) {
		take(entries, size, &turn[0]);
		turn[0].due = due_at(++turn[0].taken, turn[0].weight);
		sift(turn, turns, 0);
	}
}

int
ps_maglev_build(uint16_t *entries, uint32_t size, const struct ps_maglev_endpoint *endpoint, uint32_t endpoints)
{
	struct turn *turn;
	uint32_t i;
	bool equal = true;

	for (i = 0; i < SIZES && sizes[i] != size; i++)
		;
	if (i == SIZES || endpoints == 0 || endpoints > PS_MAGLEV_MAX_ENDPOINTS || endpoints > size)
		return -EINVAL;
	if (endpoints == 1) {
		memset(entries, 0, size * sizeof(*entries));
		return endpoint[0].weight != 0 ? 0 : -EINVAL;
	}
	turn = malloc(endpoints * sizeof(*turn));
	if (turn == NULL)
		return -ENOMEM;
	for (i = 0; i < endpoints; i++) {
		uint64_t h = ps_mix64(endpoint[i].id ^ PS_DIGEST_K0, PS_DIGEST_K1);

		if (endpoint[i].weight == 0) {
			free(turn);
			return -EINVAL;
		}
		turn[i] = (struct turn){
			.id = endpoint[i].id,
			.weight = endpoint[i].weight,
			.next = (uint32_t)(h % size),
			.skip = (uint32_t)(ps_mix64(h ^ PS_DIGEST_K2, PS_DIGEST_K3) % (size - 1)) + 1,
			.position = i,
		};
		equal = equal && endpoint[i].weight == endpoint[0].weight;
	}
	qsort(turn, endpoints, sizeof(*turn), turn_order);
	memset(entries, 0xff, size * sizeof(*entries));
	if (equal)
		fill_equal(entries, size, turn, endpoints);
	else
		fill_weighted(entries, size, turn, endpoints);
	free(turn);
	return 0;
}

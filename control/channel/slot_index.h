/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash from a 64-bit id, itself a digest, to a slot: open addressing with linear
 * probing, at most half full, so that 50,000 lookups per compilation cost a millisecond.
 * Removal shifts the run back, which leaves no tombstones.
 */
#ifndef PS_CHANNEL_SLOT_INDEX_H
#define PS_CHANNEL_SLOT_INDEX_H

#include <errno.h>
#include <stdlib.h>

#include "dataplane/api/abi.h"
#include "dataplane/api/digest.h"

struct ps_slot_cell {
	uint64_t id; /* 0: empty */
	uint32_t slot;
};

struct ps_slot_index {
	struct ps_slot_cell *cell;
	uint32_t mask;
};

static inline int
ps_slot_index_init(struct ps_slot_index *x, uint32_t slots)
{
	uint32_t size = 16;

	while (size / 2 < slots)
		size *= 2;
	x->mask = size - 1;
	x->cell = calloc(size, sizeof(*x->cell));
	return x->cell == NULL ? -ENOMEM : 0;
}

static inline void
ps_slot_index_fini(struct ps_slot_index *x)
{
	free(x->cell);
}

static inline uint32_t
ps_slot_index_home(const struct ps_slot_index *x, uint64_t id)
{
	return (uint32_t)ps_mix64(id, PS_DIGEST_K0) & x->mask;
}

static inline uint32_t
ps_slot_index_find(const struct ps_slot_index *x, uint64_t id)
{
	uint32_t i;

	for (i = ps_slot_index_home(x, id); x->cell[i].id != 0; i = (i + 1) & x->mask)
		if (x->cell[i].id == id)
			return x->cell[i].slot;
	return PS_NONE;
}

/* id must be absent, and not 0. */
static inline void
ps_slot_index_add(struct ps_slot_index *x, uint64_t id, uint32_t slot)
{
	uint32_t i = ps_slot_index_home(x, id);

	while (x->cell[i].id != 0)
		i = (i + 1) & x->mask;
	x->cell[i] = (struct ps_slot_cell){.id = id, .slot = slot};
}

static inline void
ps_slot_index_remove(struct ps_slot_index *x, uint64_t id)
{
	uint32_t hole, i, home;

	for (hole = ps_slot_index_home(x, id); x->cell[hole].id != id; hole = (hole + 1) & x->mask)
		if (x->cell[hole].id == 0)
			return;
	for (i = (hole + 1) & x->mask; x->cell[i].id != 0; i = (i + 1) & x->mask) {
		home = ps_slot_index_home(x, x->cell[i].id);
		/* May the entry at i move into the hole? Only when its home is not between them. */
		if (((i - home) & x->mask) >= ((i - hole) & x->mask)) {
			x->cell[hole] = x->cell[i];
			hole = i;
		}
	}
	x->cell[hole].id = 0;
}

#endif

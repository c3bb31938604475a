/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash from a 64-bit key (a pointer, or a digest) to a pointer. Open addressing, power of two of
 * cells; removal shifts followers back, so there are no tombstones. All zero: empty and ready.
 */
#ifndef PS_RESOLVE_MAP_H
#define PS_RESOLVE_MAP_H

#include <stdint.h>

struct ps_map_cell {
	uint64_t key;
	void *value; /* NULL: the cell is free */
};

struct ps_map {
	struct ps_map_cell *cell;
	uint32_t cells;
	uint32_t length;
};

void *ps_map_get(const struct ps_map *map, uint64_t key);
/* value is not NULL. 0 or -ENOMEM. */
int ps_map_put(struct ps_map *map, uint64_t key, void *value);
/* The value that was there, or NULL. */
void *ps_map_remove(struct ps_map *map, uint64_t key);
void ps_map_free(struct ps_map *map);

static inline uint64_t
ps_map_key(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

#endif

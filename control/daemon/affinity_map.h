/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which client session affinity remembers, read from the dataplane's table. Nothing in it is believed but what
 * was checked on mapping; positions come from private copies.
 */
#ifndef PS_DAEMON_AFFINITY_MAP_H
#define PS_DAEMON_AFFINITY_MAP_H

#include "dataplane/api/affinity.h"

struct ps_affinity_map {
	void *base;
	uint64_t size;
	uint32_t mask; /* buckets - 1 */
};

struct ps_remembered {
	uint32_t slot;
	uint16_t generation; /* of the slot */
	uint32_t left_s;     /* until it is forgotten */
};

/* 0, -errno of opening and mapping, -EINVAL or -EPROTO for what is no table of this ABI and boot. */
int ps_affinity_map(struct ps_affinity_map *map, const char *runtime_dir);
void ps_affinity_unmap(struct ps_affinity_map *map);
/* key: ps_affinity_hash; now_ms: CLOCK_MONOTONIC. */
bool ps_affinity_remembers(const struct ps_affinity_map *map, uint64_t key, uint32_t now_ms, struct ps_remembered *what);

#endif

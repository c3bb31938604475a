/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client affinity (sessionAffinity: ClientIP) in shared memory: which endpoint a client address was given last.
 * One table for all workers, in a file of the runtime directory that survives restarts of the dataplane.
 *
 *   ps_affinity (64 bytes) | buckets * 64 bytes, four entries each, by the low bits of the key
 *   value = endpoint slot : 28 | slot generation : 16 | expiry : 20 (units of 256 ms of CLOCK_MONOTONIC, wraps after 74 h)
 *
 * Lock-free: an entry is two 8-byte words, value and key ^ value; a reader that meets a half-written entry
 * sees a key that is not its own, and needs no ordering for that. Workers read and write; penstockd reads.
 */
#ifndef PS_API_AFFINITY_H
#define PS_API_AFFINITY_H

#include "dataplane/api/abi.h"

#include <stdatomic.h>
#include <stdbool.h>

#define PS_AFFINITY_FILE "affinity"
#define PS_AFFINITY_MAGIC 0x31594e4946464150ull
#define PS_AFFINITY_MAX_S 86400u
#define PS_AFFINITY_WAYS 4u
#define PS_AFFINITY_EXPIRY_BITS 20u
#define PS_AFFINITY_SLOT_SHIFT 36u

struct ps_affinity_entry {
	_Atomic uint64_t check; /* key ^ value */
	_Atomic uint64_t value; /* 0: empty */
};

struct ps_affinity_bucket {
	struct ps_affinity_entry way[PS_AFFINITY_WAYS];
} __attribute__((aligned(64)));
PS_SIZE_IS(struct ps_affinity_bucket, 64);

struct ps_affinity {
	uint64_t magic;
	uint32_t abi;
	uint32_t buckets; /* power of two */
	uint64_t boot_id;
	uint64_t pad[5];
	struct ps_affinity_bucket bucket[];
};
_Static_assert(offsetof(struct ps_affinity, bucket) == 64, "the buckets follow the header's line");

/* Units of 256 ms until it expires; 0 or less: it has. Clock and expiry wrap. */
static inline int32_t
ps_affinity_left(uint64_t value, uint32_t now_ms)
{
	const uint32_t unused = 32u - PS_AFFINITY_EXPIRY_BITS;

	return (int32_t)(((uint32_t)value - (now_ms >> 8)) << unused) >> unused;
}

/* The unexpired value of this key (ps_affinity_hash) in its bucket, or 0. */
static inline uint64_t
ps_affinity_find(const struct ps_affinity_bucket *bucket, uint64_t key, uint32_t now_ms)
{
	uint32_t i;

	for (i = 0; i < PS_AFFINITY_WAYS; i++) {
		uint64_t check = atomic_load_explicit(&bucket->way[i].check, memory_order_relaxed);
		uint64_t value = atomic_load_explicit(&bucket->way[i].value, memory_order_relaxed);

		if (value != 0 && (check ^ value) == key && ps_affinity_left(value, now_ms) > 0)
			return value;
	}
	return 0;
}

#endif

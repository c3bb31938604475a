/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow/affinity.h"

#include <string.h>

static uint32_t
buckets_for(uint32_t entries)
{
	uint32_t n = 16;

	while (n < entries / PS_AFFINITY_WAYS && n < 1u << 28)
		n <<= 1;
	return n;
}

uint64_t
ps_affinity_size(uint32_t entries)
{
	return (64u + (uint64_t)buckets_for(entries) * 64u + 4095u) & ~4095ull;
}

struct ps_affinity *
ps_affinity_attach(void *memory, uint32_t entries, uint64_t boot_id)
{
	struct ps_affinity *a = memory;
	uint32_t buckets = buckets_for(entries);

	if (a->magic != PS_AFFINITY_MAGIC || a->abi != PS_ABI || a->buckets != buckets || a->boot_id != boot_id) {
		memset(memory, 0, ps_affinity_size(entries));
		a->abi = PS_ABI;
		a->buckets = buckets;
		a->boot_id = boot_id;
		a->magic = PS_AFFINITY_MAGIC;
	}
	return a;
}

static inline struct ps_affinity_bucket *
bucket_of(struct ps_affinity *a, uint64_t key)
{
	return &a->bucket[key & (a->buckets - 1u)];
}

bool
ps_affinity_get(struct ps_affinity *a, uint64_t key, uint32_t now_ms, uint32_t *slot, uint16_t *generation)
{
	uint64_t value = ps_affinity_find(bucket_of(a, key), key, now_ms);

	*slot = (uint32_t)(value >> PS_AFFINITY_SLOT_SHIFT);
	*generation = (uint16_t)(value >> PS_AFFINITY_EXPIRY_BITS);
	return value != 0;
}

void
ps_affinity_put(struct ps_affinity *a, uint64_t key, uint32_t now_ms, uint32_t timeout_s, uint32_t slot,
		uint16_t generation)
{
	struct ps_affinity_bucket *b = bucket_of(a, key);
	uint32_t units, i, victim = 0;
	int32_t least = INT32_MAX;
	uint64_t value;

	if (timeout_s > PS_AFFINITY_MAX_S)
		timeout_s = PS_AFFINITY_MAX_S;
	units = (uint32_t)(((uint64_t)timeout_s * 1000u + 255u) >> 8) + 1u;
	value = (uint64_t)slot << PS_AFFINITY_SLOT_SHIFT | (uint64_t)generation << PS_AFFINITY_EXPIRY_BITS |
		(((now_ms >> 8) + units) & ((1u << PS_AFFINITY_EXPIRY_BITS) - 1u));
	if (value == 0)
		value = 1;
	for (i = 0; i < PS_AFFINITY_WAYS; i++) {
		uint64_t check = atomic_load_explicit(&b->way[i].check, memory_order_relaxed);
		uint64_t old = atomic_load_explicit(&b->way[i].value, memory_order_relaxed);
		int32_t rest = old == 0 || ps_affinity_left(old, now_ms) <= 0 ? 0 : ps_affinity_left(old, now_ms);

		if (old != 0 && (check ^ old) == key) {
			victim = i;
			break;
		}
		if (rest < least) {
			least = rest;
			victim = i;
		}
	}
	/* Between the two stores the entry is nobody's. */
	atomic_store_explicit(&b->way[victim].check, key ^ value, memory_order_relaxed);
	atomic_store_explicit(&b->way[victim].value, value, memory_order_relaxed);
}

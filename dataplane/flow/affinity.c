/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow/affinity.h"

#include <stdatomic.h>
#include <string.h>

#define AFFINITY_MAGIC 0x31594e4946464150ull
#define WAYS 4u
#define SLOT_BITS 28u
#define EXPIRY_BITS 20u
#define EXPIRY_MASK ((1u << EXPIRY_BITS) - 1u)

struct entry {
	_Atomic uint64_t check; /* key ^ value */
	_Atomic uint64_t value; /* 0: empty */
};

struct bucket {
	struct entry way[WAYS];
} __attribute__((aligned(64)));
PS_SIZE_IS(struct bucket, 64);

struct ps_affinity {
	uint64_t magic;
	uint32_t abi;
	uint32_t buckets; /* power of two */
	uint64_t boot_id;
	uint64_t pad[5];
	struct bucket bucket[];
};
_Static_assert(offsetof(struct ps_affinity, bucket) == 64, "the buckets follow the header's line");

static uint32_t
buckets_for(uint32_t entries)
{
	uint32_t n = 16;

	while (n < entries / WAYS && n < 1u << 28)
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

	if (a->magic != AFFINITY_MAGIC || a->abi != PS_ABI || a->buckets != buckets || a->boot_id != boot_id) {
		memset(memory, 0, ps_affinity_size(entries));
		a->abi = PS_ABI;
		a->buckets = buckets;
		a->boot_id = boot_id;
		a->magic = AFFINITY_MAGIC;
	}
	return a;
}

static inline uint32_t
expiry_of(uint64_t value)
{
	return (uint32_t)value & EXPIRY_MASK;
}

/* Units left; 0 or less: expired. Clock and expiry wrap. */
static inline int32_t
left(uint64_t value, uint32_t now)
{
	return (int32_t)((expiry_of(value) - now) << (32u - EXPIRY_BITS)) >> (32u - EXPIRY_BITS);
}

static inline struct bucket *
bucket_of(struct ps_affinity *a, uint64_t key)
{
	return &a->bucket[key & (a->buckets - 1u)];
}

bool
ps_affinity_get(struct ps_affinity *a, uint64_t key, uint32_t now_ms, uint32_t *slot, uint16_t *generation)
{
	struct bucket *b = bucket_of(a, key);
	uint32_t now = now_ms >> 8, i;

	for (i = 0; i < WAYS; i++) {
		uint64_t check = atomic_load_explicit(&b->way[i].check, memory_order_relaxed);
		uint64_t value = atomic_load_explicit(&b->way[i].value, memory_order_relaxed);

		if (value == 0 || (check ^ value) != key || left(value, now) <= 0)
			continue;
		*slot = (uint32_t)(value >> 36);
		*generation = (uint16_t)(value >> EXPIRY_BITS);
		return true;
	}
	return false;
}

void
ps_affinity_put(struct ps_affinity *a, uint64_t key, uint32_t now_ms, uint32_t timeout_s, uint32_t slot,
		uint16_t generation)
{
	struct bucket *b = bucket_of(a, key);
	uint32_t now = now_ms >> 8, units, i, victim = 0;
	int32_t least = INT32_MAX;
	uint64_t value;

	if (timeout_s > PS_AFFINITY_MAX_S)
		timeout_s = PS_AFFINITY_MAX_S;
	units = (uint32_t)(((uint64_t)timeout_s * 1000u + 255u) >> 8) + 1u;
	value = (uint64_t)slot << 36 | (uint64_t)generation << EXPIRY_BITS | ((now + units) & EXPIRY_MASK);
	if (value == 0)
		value = 1;
	for (i = 0; i < WAYS; i++) {
		uint64_t check = atomic_load_explicit(&b->way[i].check, memory_order_relaxed);
		uint64_t old = atomic_load_explicit(&b->way[i].value, memory_order_relaxed);
		int32_t rest = old == 0 || left(old, now) <= 0 ? 0 : left(old, now);

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

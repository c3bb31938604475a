/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table of one worker and one family: records in shared memory (dataplane/api/flow.h),
 * found through a private bucket array, aged by a lazy wheel. The essay is in table.c.
 *
 * A pure core: memory and time are given, nothing is allocated after ps_flow_table_new.
 * Thread: one worker owns a table. Another worker may call ps_flow_table_peek.
 *
 * A *reference* is what a lookup answers: record index << 1 | direction. PS_NONE: not found.
 */
#ifndef PS_FLOW_TABLE_H
#define PS_FLOW_TABLE_H

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "dataplane/api/counters.h"
#include "dataplane/api/digest.h"
#include "dataplane/api/flow.h"
#include "dataplane/api/snapshot.h"

#define PS_BUCKET_SLOTS 10u
#define PS_BUCKET_PROBES 16u /* buckets that an entry may lie away from its own, and one */

struct ps_flow_bucket {
	uint16_t signature[PS_BUCKET_SLOTS]; /* 0: empty */
	uint32_t overflow;                   /* entries that lie further on because this bucket was full */
	uint32_t reference[PS_BUCKET_SLOTS];
} __attribute__((aligned(64)));
PS_SIZE_IS(struct ps_flow_bucket, 64);

/* The wheel: PS_WHEEL_SLOTS of PS_WHEEL_MS each, so every record is looked at about every 8 s. */
#define PS_WHEEL_SLOTS 64u
#define PS_WHEEL_MS 128u
#define PS_WHEEL_LANES 8u

#define PS_FLUSH_REQUESTS 16u

struct ps_flow_table {
	/* read per packet */
	struct ps_flow_bucket *bucket;
	uint8_t *records;
	uint64_t bucket_mask;
	uint64_t seed[6];
	uint32_t capacity;
	uint8_t record_shift; /* 6 or 7 */
	bool v6;
	uint16_t outer_id; /* IPv4 identification of the next outer header */
	uint32_t asked_ms; /* when an endpoint behind L2 DSR was last asked for its MAC */

	/* per new flow */
	uint32_t free_head;
	uint32_t free_length;
	uint32_t *young;       /* ring of half-open records' indices, oldest first */
	uint32_t young_mask;
	uint32_t young_head, young_tail; /* free running */
	uint32_t young_limit;
	uint32_t young_ms; /* life of a half-open flow */
	struct ps_flow_counters *counters;

	/* ageing */
	uint32_t wheel_ms;     /* the slot being emptied is due at this time; multiple of PS_WHEEL_MS */
	uint32_t lane;
	uint32_t wheel[PS_WHEEL_SLOTS][PS_WHEEL_LANES];

	/* flush: a small ring of requests. main: writes asked and flush; worker: writes done, reads the others */
	_Atomic uint32_t flush_asked, flush_done; /* requests, free running */
	struct {
		uint32_t endpoint, service; /* slots, PS_NONE: any */
	} flush[PS_FLUSH_REQUESTS];
	uint32_t flush_cursor; /* worker: next record to look at for request flush_done */

	struct ps_flow_counters own_counters;
};

struct ps_flow_table_config {
	bool v6;
	uint32_t capacity;
	void *records;   /* capacity records, 64-byte aligned */
	void *buckets;   /* ps_flow_table_buckets(capacity) * 64 bytes, zeroed, 64-byte aligned */
	uint64_t seed;   /* random, secret: keeps senders from choosing bucket collisions */
	uint32_t now_ms;
	uint32_t young_ms; /* how long a flow may be half-open; 0: 5 s */
	bool restore;    /* records may hold flows: their states are left for ps_flow_table_restore */
};

/* Buckets for so many records: a power of two, load at most 0.6. */
uint32_t ps_flow_table_buckets(uint32_t capacity);

/* 0, -EINVAL (capacity 0 or above 2^30) or -ENOMEM. Without restore, all records become free. */
int ps_flow_table_new(struct ps_flow_table **table, const struct ps_flow_table_config *config);
void ps_flow_table_free(struct ps_flow_table *table);

/*
 * Rebuilds buckets, free list, wheel and young ring from records that `accept` takes (it sees records whose
 * state is in range and not FREE); all others are freed. arg is passed on. Returns how many were taken.
 */
typedef bool (*ps_flow_accept_fn)(void *arg, struct ps_flow *f);
uint32_t ps_flow_table_restore(struct ps_flow_table *t, uint32_t now_ms, ps_flow_accept_fn accept, void *arg);

/* A free record, state FREE, in no list; PS_NONE: the table is full. */
uint32_t ps_flow_table_take(struct ps_flow_table *t);
/* Gives back a record that was taken and not linked. */
void ps_flow_table_put_back(struct ps_flow_table *t, uint32_t index);

/*
 * Makes a filled record (everything but `state`) known: to_endpoint, and to_client when both, are entered, state is stored
 * last (release), the record joins the young ring (half-open) or the wheel, to be looked at by due_ms. 0, or -ENOSPC: no bucket within
 * reach; nothing has changed.
 */
int ps_flow_table_link(struct ps_flow_table *t, uint32_t index, uint8_t state, bool both, uint32_t due_ms);

/* Ends a linked flow: state FREE first, then its entries go. The record itself becomes free when the wheel comes by. */
void ps_flow_table_unlink(struct ps_flow_table *t, uint32_t index);

/*
 * The oldest half-open record, still linked, for the caller to unlink when it needs room;
 * after that ps_flow_table_take succeeds. PS_NONE: none among the oldest that were looked at.
 */
uint32_t ps_flow_table_oldest_young(struct ps_flow_table *t, uint32_t now_ms);
/* unlink for the record that ps_flow_table_oldest_young returned: free at once. */
void ps_flow_table_evict(struct ps_flow_table *t, uint32_t index);

/* Whole lookup, any thread's own table. key: struct ps_flow_key4 or 6 as in the packet. */
uint32_t ps_flow_table_find(const struct ps_flow_table *t, const void *key, uint8_t proto);

/* Same, safe against the owner changing the table meanwhile; may miss, may be out of date. */
uint32_t ps_flow_table_peek(const struct ps_flow_table *t, const void *key, uint8_t proto);

/* Puts a record that is in no list into the wheel. */
void ps_flow_table_schedule(struct ps_flow_table *t, uint32_t index, uint32_t deadline_ms);

/* Main: asks the worker to end flows of these slots (PS_NONE: any); only when can_flush says so. */
bool ps_flow_table_can_flush(const struct ps_flow_table *t);
void ps_flow_table_flush(struct ps_flow_table *t, uint32_t endpoint_slot, uint32_t service_slot);

/*
 * The worker: the next record that a request wants ended, PS_NONE: none among the next `budget` records or nothing asked.
 * Call until PS_NONE. The caller ends it.
 */
uint32_t ps_flow_table_flush_next(struct ps_flow_table *t, uint32_t *budget);

/* Checks every invariant (tests): entries reachable, counters exact, lists complete. NULL: fine, else what is wrong. */
const char *ps_flow_table_check(const struct ps_flow_table *t);

static inline struct ps_flow *
ps_flow_at(const struct ps_flow_table *t, uint32_t index)
{
	return (struct ps_flow *)(t->records + ((uint64_t)index << t->record_shift));
}

static inline struct ps_flow4 *
ps_flow4_at(const struct ps_flow_table *t, uint32_t index)
{
	return (struct ps_flow4 *)(t->records + ((uint64_t)index << 6));
}

static inline struct ps_flow6 *
ps_flow6_at(const struct ps_flow_table *t, uint32_t index)
{
	return (struct ps_flow6 *)(t->records + ((uint64_t)index << 7));
}

static inline uint32_t
ps_flow_index(const struct ps_flow_table *t, const struct ps_flow *f)
{
	return (uint32_t)(((const uint8_t *)f - t->records) >> t->record_shift);
}

static inline uint8_t
ps_flow_state(const struct ps_flow *f)
{
	return atomic_load_explicit(&f->state, memory_order_relaxed);
}

static inline bool
ps_flow_half_open(uint8_t state)
{
	return state == PS_FLOW_SYN || state == PS_FLOW_SYN_ACK;
}

/* Do the endpoint's replies pass the gateway? Otherwise the flow has no to_client entry. */
static inline bool
ps_flow_two_way(uint8_t mode)
{
	return mode == PS_MODE_FULLNAT || mode == PS_MODE_DNAT;
}

/* Both are table-private: one folded multiply of words that an outsider cannot know both factors of. */
static inline uint64_t
ps_flow_bucket_hash4(const struct ps_flow_table *t, uint64_t addrs, uint32_t ports, uint8_t proto)
{
	return ps_mix64(addrs ^ t->seed[0], ((uint64_t)ports | (uint64_t)proto << 32) ^ t->seed[1]);
}

static inline uint64_t
ps_flow_bucket_hash6(const struct ps_flow_table *t, const uint8_t *addrs, uint32_t ports, uint8_t proto)
{
	uint64_t a = ps_mix64(ps_digest_load(addrs) ^ t->seed[0], ps_digest_load(addrs + 8) ^ t->seed[1]);
	uint64_t b = ps_mix64(ps_digest_load(addrs + 16) ^ t->seed[2], ps_digest_load(addrs + 24) ^ t->seed[3]);

	return ps_mix64(a ^ b ^ t->seed[4], ((uint64_t)ports | (uint64_t)proto << 32) ^ t->seed[5] ^ (a - b));
}

static inline uint16_t
ps_flow_signature(uint64_t hash)
{
	uint16_t s = (uint16_t)(hash >> 48);

	return s | (s == 0);
}

/* Bit i: slot i has the signature. */
static inline uint32_t
ps_flow_bucket_match(const struct ps_flow_bucket *b, uint16_t signature)
{
#ifdef __SSE2__
	__m128i want = _mm_set1_epi16((short)signature);
	__m128i low = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)b), want);
	__m128i high = _mm_cmpeq_epi16(_mm_load_si128((const __m128i *)b + 1), want);

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(low, high)) & ((1u << PS_BUCKET_SLOTS) - 1u);
#else
	uint32_t i, bits = 0;

	for (i = 0; i < PS_BUCKET_SLOTS; i++)
		bits |= (uint32_t)(b->signature[i] == signature) << i;
	return bits;
#endif
}

static inline bool
ps_flow_key_equal4(const struct ps_flow4 *f, uint32_t direction, uint64_t addrs, uint32_t ports, uint8_t proto)
{
	uint64_t a;
	uint32_t p;

	memcpy(&a, &f->key[direction], sizeof(a));
	memcpy(&p, &f->key[direction].src_port, sizeof(p));
	return ((a ^ addrs) | (p ^ ports) | (uint64_t)(f->head.proto ^ proto)) == 0;
}

static inline bool
ps_flow_key_equal6(const struct ps_flow6 *f, uint32_t direction, const uint8_t *addrs, uint32_t ports,
		   uint8_t proto)
{
	const uint8_t *k = (const uint8_t *)&f->key[direction];
	uint32_t p;

	memcpy(&p, &f->key[direction].src_port, sizeof(p));
	return ((ps_digest_load(k) ^ ps_digest_load(addrs)) | (ps_digest_load(k + 8) ^ ps_digest_load(addrs + 8)) |
		(ps_digest_load(k + 16) ^ ps_digest_load(addrs + 16)) |
		(ps_digest_load(k + 24) ^ ps_digest_load(addrs + 24)) |
		(p ^ ports) | (uint64_t)(f->head.proto ^ proto)) == 0;
}

/*
 * Ageing, once per loop of the worker. deadline(arg, f): when an idle record is to end; ended(arg, f): called for
 * each record just before its entries go. Looks at no more than about 2 * `budget` records.
 */
typedef uint32_t (*ps_flow_deadline_fn)(void *arg, const struct ps_flow *f);
typedef void (*ps_flow_ended_fn)(void *arg, struct ps_flow *f);

void ps_flow_table_age(struct ps_flow_table *t, uint32_t now_ms, uint32_t budget, ps_flow_deadline_fn deadline,
		       ps_flow_ended_fn ended, void *arg);

#endif

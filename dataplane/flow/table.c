/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table: a million flows, two cache misses per packet
 *
 * Two arrays. *Records* (one cache line per IPv4 flow, two per IPv6 flow) lie in a shared file and are all that
 * survives a restart. *Buckets* are private; they say where a key's record is:
 *
 *   bucket, one line                                          record, one line
 *   +------------------------------------------------+        +------------------------+
 *   | signature 16 bits x 10 | overflow | ref x 10   |        | state, clocks, deltas  |
 *   +------------------------------------------------+   +--> | key[0]: from client    |
 *      hash -> bucket, signature     ref = index << 1|dir +    | key[1]: from endpoint  |
 *                                                             +------------------------+
 *
 * A flow has two entries, one per direction, both leading to the one record. A packet's hash names its
 * bucket and a signature; all ten signatures are compared by one SIMD instruction or two; the reference that matches is
 * followed and the record's key for that direction compared with the packet. Stray matches are one in
 * thousands, so a hit costs a miss for the bucket and one for the record, and both are prefetched by batches
 * (flow_fast.h).
 *
 * Invariant of overflow. An entry lies in the first bucket from its own that had room. `overflow` of a bucket counts the
 * entries that passed over it, so a lookup that finds nothing goes on only where it is not zero: a
 * miss in a table half full ends in the first bucket almost always. Removing an entry counts the same
 * path down again, so nothing is ever left behind: no tombstones, no rehash, no decay under churn. (The idea is
 * F14's.) The path is bounded; with load 0.6 its end is never seen, and if it were, the flow would be refused.
 *
 * Half-open flows. A SYN costs its sender nothing, so a record in state SYN or SYN_ACK is on probation: it stands in
 * the *young ring*, in order of arrival, until some seconds have passed or the ring is full. Leaving it, a
 * record that has been answered and acknowledged moves to the wheel; one that has not is ended. The ring
 * holds at most half as many records as the table, which is therefore the most that a SYN flood can occupy. When the
 * table is full, a new flow takes the place of the oldest half-open one; established flows are never
 * evicted: without a half-open one, the new flow is refused.
 *
 * Ageing. All other records hang in a wheel of 64 slots of 128 ms. Packets only write last_seen; a record's slot
 * says when to look at it next, at the latest 8 s ahead. When its slot comes, its true deadline is computed:
 * passed, it ends; otherwise it is hung up again. Lists are singly linked through the records, which makes them
 * chains of cache misses; so each slot has eight lanes, eight independent chains whose heads are prefetched
 * together and walked in turn.
 *
 * A flow that ends early (reset by its endpoint's removal, replaced by a new SYN) is somewhere in the middle of its list.
 * It loses its entries and becomes FREE at once, but the record itself is handed out
 * again only after wheel or ring have come by and found it FREE.
 *
 * Crash at any instant: a record counts when its state is not FREE. Making a flow stores the state last, ending it
 * stores FREE first; everything else is rebuilt from the records.
 */
#include "dataplane/flow/table.h"

#include <errno.h>
#include <stdlib.h>

#define YOUNG_MS 5000u /* unless configured */
#define YOUNG_SCAN 64u  /* records that leave the young ring in search of a half-open one, per call */
#define RESTORE_AHEAD 16u

static const void *
key_of(const struct ps_flow_table *t, const struct ps_flow *f, uint32_t direction)
{
	return t->v6 ? (const void *)&((const struct ps_flow6 *)f)->key[direction]
		     : (const void *)&((const struct ps_flow4 *)f)->key[direction];
}

static uint64_t
hash_of(const struct ps_flow_table *t, const void *key, uint8_t proto)
{
	const uint8_t *k = key;
	uint32_t ports;

	if (t->v6) {
		memcpy(&ports, k + 32, sizeof(ports));
		return ps_flow_bucket_hash6(t, k, ports, proto);
	}
	memcpy(&ports, k + 8, sizeof(ports));
	return ps_flow_bucket_hash4(t, ps_digest_load(k), ports, proto);
}

static bool
key_equal(const struct ps_flow_table *t, uint32_t reference, const void *key, uint8_t proto)
{
	const uint8_t *k = key;
	uint32_t ports;

	if (t->v6) {
		memcpy(&ports, k + 32, sizeof(ports));
		return ps_flow_key_equal6(ps_flow6_at(t, reference >> 1), reference & 1u, k, ports, proto);
	}
	memcpy(&ports, k + 8, sizeof(ports));
	return ps_flow_key_equal4(ps_flow4_at(t, reference >> 1), reference & 1u, ps_digest_load(k), ports, proto);
}

uint32_t
ps_flow_table_find(const struct ps_flow_table *t, const void *key, uint8_t proto)
{
	uint64_t hash = hash_of(t, key, proto);
	uint16_t signature = ps_flow_signature(hash);
	uint32_t i, bits;

	for (i = 0; i < PS_BUCKET_PROBES; i++) {
		const struct ps_flow_bucket *b = &t->bucket[(hash + i) & t->bucket_mask];

		for (bits = ps_flow_bucket_match(b, signature); bits != 0; bits &= bits - 1u) {
			uint32_t reference = b->reference[__builtin_ctz(bits)];

			if (key_equal(t, reference, key, proto))
				return reference;
		}
		if (b->overflow == 0)
			break;
	}
	return PS_NONE;
}

uint32_t
ps_flow_table_peek(const struct ps_flow_table *t, const void *key, uint8_t proto)
{
	uint64_t hash = hash_of(t, key, proto);
	uint16_t signature = ps_flow_signature(hash);
	uint32_t i, slot;

	for (i = 0; i < PS_BUCKET_PROBES; i++) {
		const volatile struct ps_flow_bucket *b = &t->bucket[(hash + i) & t->bucket_mask];

		for (slot = 0; slot < PS_BUCKET_SLOTS; slot++) {
			uint32_t reference;

			if (b->signature[slot] != signature)
				continue;
			reference = b->reference[slot];
			if (reference >> 1 < t->capacity &&
			    atomic_load_explicit(&ps_flow_at(t, reference >> 1)->state, memory_order_acquire) !=
				    PS_FLOW_FREE &&
			    key_equal(t, reference, key, proto))
				return reference;
		}
		if (b->overflow == 0)
			break;
	}
	return PS_NONE;
}

/* Enters a reference; the path's overflow counters are raised only when it finds room. */
static int
enter(struct ps_flow_table *t, uint64_t hash, uint32_t reference)
{
	uint32_t i, back, bits;

	for (i = 0; i < PS_BUCKET_PROBES; i++) {
		struct ps_flow_bucket *b = &t->bucket[(hash + i) & t->bucket_mask];

		bits = ps_flow_bucket_match(b, 0);
		if (bits == 0)
			continue;
		b->reference[__builtin_ctz(bits)] = reference;
		b->signature[__builtin_ctz(bits)] = ps_flow_signature(hash);
		for (back = 0; back < i; back++)
			t->bucket[(hash + back) & t->bucket_mask].overflow++;
		return 0;
	}
	return -ENOSPC;
}

static void
leave(struct ps_flow_table *t, uint64_t hash, uint32_t reference)
{
	uint16_t signature = ps_flow_signature(hash);
	uint32_t i, back, bits;

	for (i = 0; i < PS_BUCKET_PROBES; i++) {
		struct ps_flow_bucket *b = &t->bucket[(hash + i) & t->bucket_mask];

		for (bits = ps_flow_bucket_match(b, signature); bits != 0; bits &= bits - 1u) {
			uint32_t slot = (uint32_t)__builtin_ctz(bits);

			if (b->reference[slot] != reference)
				continue;
			b->signature[slot] = 0;
			for (back = 0; back < i; back++)
				t->bucket[(hash + back) & t->bucket_mask].overflow--;
			return;
		}
		if (b->overflow == 0)
			return; /* to_client of a flow without that entry */
	}
}

static void
leave_both(struct ps_flow_table *t, uint32_t index)
{
	struct ps_flow *f = ps_flow_at(t, index);

	leave(t, hash_of(t, key_of(t, f, 0), f->proto), index << 1);
	leave(t, hash_of(t, key_of(t, f, 1), f->proto), index << 1 | 1u);
}

static void
set_state(struct ps_flow *f, uint8_t state)
{
	/* release: the record's other fields come first; partner: acquire in a reader of another process or worker */
	atomic_store_explicit(&f->state, state, memory_order_release);
}

static void
push_free(struct ps_flow_table *t, uint32_t index)
{
	ps_flow_at(t, index)->next = t->free_head;
	t->free_head = index;
	t->free_length++;
}

void
ps_flow_table_put_back(struct ps_flow_table *t, uint32_t index)
{
	push_free(t, index);
}

uint32_t
ps_flow_table_take(struct ps_flow_table *t)
{
	uint32_t index = t->free_head;

	if (index == PS_NONE)
		return PS_NONE;
	t->free_head = ps_flow_at(t, index)->next;
	t->free_length--;
	/* The next new flow finds its record in the cache. */
	if (t->free_head != PS_NONE)
		__builtin_prefetch(ps_flow_at(t, t->free_head), 1);
	return index;
}

void
ps_flow_table_schedule(struct ps_flow_table *t, uint32_t index, uint32_t deadline_ms)
{
	uint32_t due = (deadline_ms + PS_WHEEL_MS - 1u) & ~(PS_WHEEL_MS - 1u);
	int32_t ahead = (int32_t)(due - t->wheel_ms);
	uint32_t *head;

	if (ahead < (int32_t)PS_WHEEL_MS)
		ahead = PS_WHEEL_MS;
	else if (ahead > (int32_t)((PS_WHEEL_SLOTS - 1u) * PS_WHEEL_MS))
		ahead = (PS_WHEEL_SLOTS - 1u) * PS_WHEEL_MS;
	due = t->wheel_ms + (uint32_t)ahead;
	head = &t->wheel[due / PS_WHEEL_MS % PS_WHEEL_SLOTS][t->lane++ % PS_WHEEL_LANES];
	ps_flow_at(t, index)->next = *head;
	*head = index;
}

int
ps_flow_table_link(struct ps_flow_table *t, uint32_t index, uint8_t state, bool both, uint32_t due_ms)
{
	struct ps_flow *f = ps_flow_at(t, index);
	uint64_t hash = hash_of(t, key_of(t, f, 0), f->proto);

	if (enter(t, hash, index << 1) != 0)
		return -ENOSPC;
	if (both && enter(t, hash_of(t, key_of(t, f, 1), f->proto), index << 1 | 1u) != 0) {
		leave(t, hash, index << 1);
		return -ENOSPC;
	}
	if (ps_flow_half_open(state)) {
		f->next = PS_NONE;
		/* The caller has made room, see ps_flow_table_oldest_young; a ring without any left takes no harm. */
		if (t->young_tail - t->young_head <= t->young_mask)
			t->young[t->young_tail++ & t->young_mask] = index;
		else
			ps_flow_table_schedule(t, index, due_ms);
	} else {
		ps_flow_table_schedule(t, index, due_ms);
	}
	set_state(f, state);
	t->counters->created++;
	t->counters->active++;
	return 0;
}

void
ps_flow_table_unlink(struct ps_flow_table *t, uint32_t index)
{
	set_state(ps_flow_at(t, index), PS_FLOW_FREE);
	leave_both(t, index);
	t->counters->active--;
}

/* Takes records off the old end of the young ring until a half-open one is at its end. */
uint32_t
ps_flow_table_oldest_young(struct ps_flow_table *t, uint32_t now_ms)
{
	uint32_t i, index;

	for (i = 0; i < YOUNG_SCAN && t->young_head != t->young_tail; i++) {
		uint8_t state;

		index = t->young[t->young_head & t->young_mask];
		__builtin_prefetch(ps_flow_at(t, t->young[(t->young_head + 4u) & t->young_mask]));
		state = ps_flow_state(ps_flow_at(t, index));
		if (ps_flow_half_open(state))
			return index;
		t->young_head++;
		if (state == PS_FLOW_FREE)
			push_free(t, index);
		else
			ps_flow_table_schedule(t, index, now_ms + YOUNG_MS);
	}
	return PS_NONE;
}

void
ps_flow_table_evict(struct ps_flow_table *t, uint32_t index)
{
	t->young_head++;
	ps_flow_table_unlink(t, index);
	push_free(t, index);
	t->counters->evicted++;
}

/* Ends the record for good: called with entries in place, the record in no list. */
static inline void
finish(struct ps_flow_table *t, struct ps_flow *f, uint32_t index, ps_flow_ended_fn ended, void *arg)
{
	ended(arg, f);
	ps_flow_table_unlink(t, index);
	push_free(t, index);
}

static void
prefetch_buckets(const struct ps_flow_table *t, const struct ps_flow *f)
{
	__builtin_prefetch(&t->bucket[hash_of(t, key_of(t, f, 0), f->proto) & t->bucket_mask], 1);
	__builtin_prefetch(&t->bucket[hash_of(t, key_of(t, f, 1), f->proto) & t->bucket_mask], 1);
}

/* The old end of the young ring: at most budget records. */
static uint32_t
age_young(struct ps_flow_table *t, uint32_t now_ms, uint32_t budget, ps_flow_deadline_fn deadline,
	  ps_flow_ended_fn ended, void *arg)
{
	uint32_t done;

	for (done = 0; done < budget && t->young_head != t->young_tail; done++) {
		uint32_t index = t->young[t->young_head & t->young_mask];
		uint32_t length = t->young_tail - t->young_head;
		struct ps_flow *f = ps_flow_at(t, index);
		uint8_t state = ps_flow_state(f);
		bool full = length > t->young_limit;

		/* Half-open records do not renew last_seen: it is when they came. */
		if (!full && state != PS_FLOW_FREE && now_ms - f->last_seen_ms < t->young_ms) {
			/* An answered one was renewed and hides the age of those behind it: it may go to the wheel now. */
			if (ps_flow_half_open(state))
				break;
		}
		if (length > 8u)
			__builtin_prefetch(ps_flow_at(t, t->young[(t->young_head + 8u) & t->young_mask]), 1);
		if (length > 4u)
			prefetch_buckets(t, ps_flow_at(t, t->young[(t->young_head + 4u) & t->young_mask]));
		t->young_head++;
		if (state == PS_FLOW_FREE) {
			push_free(t, index);
		} else if (ps_flow_half_open(state)) {
			if (full)
				t->counters->evicted++;
			else
				t->counters->expired++;
			finish(t, f, index, ended, arg);
		} else {
			ps_flow_table_schedule(t, index, deadline(arg, f));
		}
	}
	return done;
}

void
ps_flow_table_age(struct ps_flow_table *t, uint32_t now_ms, uint32_t budget, ps_flow_deadline_fn deadline,
		  ps_flow_ended_fn ended, void *arg)
{
	uint32_t gone[PS_WHEEL_LANES], gones, lane, i, *head;
	uint32_t done = age_young(t, now_ms, budget, deadline, ended, arg);

	while (done < budget && (int32_t)(now_ms - t->wheel_ms) >= 0) {
		bool empty = true;

		head = t->wheel[t->wheel_ms / PS_WHEEL_MS % PS_WHEEL_SLOTS];
		gones = 0;
		for (lane = 0; lane < PS_WHEEL_LANES; lane++) {
			uint32_t index = head[lane];
			struct ps_flow *f;
			uint32_t end;

			if (index == PS_NONE)
				continue;
			empty = false;
			f = ps_flow_at(t, index);
			head[lane] = f->next;
			if (f->next != PS_NONE)
				__builtin_prefetch(ps_flow_at(t, f->next), 1);
			done++;
			if (ps_flow_state(f) == PS_FLOW_FREE) {
				push_free(t, index);
				continue;
			}
			end = deadline(arg, f);
			if ((int32_t)(now_ms - end) < 0) {
				ps_flow_table_schedule(t, index, end);
				continue;
			}
			prefetch_buckets(t, f);
			gone[gones++] = index;
		}
		for (i = 0; i < gones; i++)
			finish(t, ps_flow_at(t, gone[i]), gone[i], ended, arg);
		t->counters->expired += gones;
		if (!empty)
			continue;
		done++;
		t->wheel_ms += PS_WHEEL_MS;
		head = t->wheel[t->wheel_ms / PS_WHEEL_MS % PS_WHEEL_SLOTS];
		for (lane = 0; lane < PS_WHEEL_LANES; lane++)
			if (head[lane] != PS_NONE)
				__builtin_prefetch(ps_flow_at(t, head[lane]), 1);
	}
}

bool
ps_flow_table_can_flush(const struct ps_flow_table *t)
{
	return atomic_load_explicit(&t->flush_asked, memory_order_relaxed) -
		       atomic_load_explicit(&t->flush_done, memory_order_relaxed) < PS_FLUSH_REQUESTS;
}

void
ps_flow_table_flush(struct ps_flow_table *t, uint32_t endpoint_slot, uint32_t service_slot)
{
	uint32_t asked = atomic_load_explicit(&t->flush_asked, memory_order_relaxed);

	t->flush[asked % PS_FLUSH_REQUESTS].endpoint = endpoint_slot;
	t->flush[asked % PS_FLUSH_REQUESTS].service = service_slot;
	/* release: the request comes first; partner: acquire in ps_flow_table_flush_next */
	atomic_store_explicit(&t->flush_asked, asked + 1u, memory_order_release);
}

uint32_t
ps_flow_table_flush_next(struct ps_flow_table *t, uint32_t *budget)
{
	uint32_t done = atomic_load_explicit(&t->flush_done, memory_order_relaxed);

	while (done != atomic_load_explicit(&t->flush_asked, memory_order_acquire)) {
		uint32_t endpoint = t->flush[done % PS_FLUSH_REQUESTS].endpoint;
		uint32_t service = t->flush[done % PS_FLUSH_REQUESTS].service;

		for (; t->flush_cursor < t->capacity; t->flush_cursor++) {
			const struct ps_flow *f = ps_flow_at(t, t->flush_cursor);

			if (*budget == 0)
				return PS_NONE;
			--*budget;
			if (t->flush_cursor + 8u < t->capacity)
				__builtin_prefetch(ps_flow_at(t, t->flush_cursor + 8u));
			if (ps_flow_state(f) != PS_FLOW_FREE && (endpoint == PS_NONE || f->endpoint_slot == endpoint) &&
			    (service == PS_NONE || f->service_slot == service))
				return t->flush_cursor++;
		}
		t->flush_cursor = 0;
		atomic_store_explicit(&t->flush_done, ++done, memory_order_relaxed);
	}
	return PS_NONE;
}

uint32_t
ps_flow_table_buckets(uint32_t capacity)
{
	/* 2 * capacity entries, ten to a bucket, load 0.6 */
	uint64_t want = ((uint64_t)capacity * 2u + 5u) / 6u, n = 1;

	while (n < want || n < PS_BUCKET_PROBES)
		n <<= 1;
	return (uint32_t)n;
}

uint32_t
ps_flow_table_restore(struct ps_flow_table *t, uint32_t now_ms, ps_flow_accept_fn accept, void *arg)
{
	uint32_t i, taken = 0;

	t->free_head = PS_NONE;
	t->free_length = 0;
	t->young_head = t->young_tail = 0;
	t->counters->active = 0;
	/* Downwards, so that the free list begins at the start of memory. */
	for (i = t->capacity; i-- != 0;) {
		struct ps_flow *f = ps_flow_at(t, i);
		uint8_t state = ps_flow_state(f);
		bool both;

		if (i >= RESTORE_AHEAD) {
			struct ps_flow *ahead = ps_flow_at(t, i - RESTORE_AHEAD);

			if (ps_flow_state(ahead) != PS_FLOW_FREE)
				prefetch_buckets(t, ahead);
		}
		if (state == PS_FLOW_FREE) {
			push_free(t, i);
			continue;
		}
		if (state >= PS_FLOW_STATES || !accept(arg, f)) {
			set_state(f, PS_FLOW_FREE);
			push_free(t, i);
			continue;
		}
		both = ps_flow_two_way(f->mode);
		if (ps_flow_table_find(t, key_of(t, f, 0), f->proto) != PS_NONE ||
		    (both && ps_flow_table_find(t, key_of(t, f, 1), f->proto) != PS_NONE) ||
		    /* Spread over a turn of the wheel. */
		    ps_flow_table_link(t, i, state, both, now_ms + i % (PS_WHEEL_SLOTS * PS_WHEEL_MS)) != 0) {
			set_state(f, PS_FLOW_FREE);
			push_free(t, i);
			continue;
		}
		t->counters->created--; /* not new */
		taken++;
	}
	t->counters->restored += taken;
	return taken;
}

int
ps_flow_table_new(struct ps_flow_table **table, const struct ps_flow_table_config *config)
{
	struct ps_flow_table *t;
	uint64_t seed = config->seed;
	uint32_t i, ring = 1;

	if (config->capacity == 0 || config->capacity > 1u << 30)
		return -EINVAL;
	t = aligned_alloc(64, (sizeof(*t) + 63u) & ~63ul);
	if (t == NULL)
		return -ENOMEM;
	memset(t, 0, sizeof(*t));
	t->young_ms = config->young_ms != 0 ? config->young_ms : YOUNG_MS;
	t->young_limit = config->capacity / 2u != 0 ? config->capacity / 2u : 1u;
	while (ring < t->young_limit + PS_BUCKET_PROBES)
		ring <<= 1;
	t->young = calloc(ring, sizeof(*t->young));
	if (t->young == NULL) {
		free(t);
		return -ENOMEM;
	}
	t->young_mask = ring - 1u;
	t->bucket = config->buckets;
	t->bucket_mask = ps_flow_table_buckets(config->capacity) - 1u;
	t->records = config->records;
	t->capacity = config->capacity;
	t->v6 = config->v6;
	t->record_shift = config->v6 ? 7 : 6;
	for (i = 0; i < 6; i++) {
		seed += PS_DIGEST_K0;
		t->seed[i] = ps_mix64(seed ^ PS_DIGEST_K1, (seed >> 32 | seed << 32) ^ PS_DIGEST_K2);
	}
	t->wheel_ms = config->now_ms & ~(PS_WHEEL_MS - 1u);
	memset(t->wheel, 0xff, sizeof(t->wheel));
	t->counters = &t->own_counters;
	t->counters->capacity = config->capacity;
	t->free_head = PS_NONE;
	if (!config->restore) {
		for (i = t->capacity; i-- != 0;) {
			set_state(ps_flow_at(t, i), PS_FLOW_FREE);
			push_free(t, i);
		}
	}
	*table = t;
	return 0;
}

static bool
entered(const struct ps_flow_table *t, uint32_t reference)
{
	const struct ps_flow *f = ps_flow_at(t, reference >> 1);

	return ps_flow_table_find(t, key_of(t, f, reference & 1u), f->proto) == reference;
}

const char *
ps_flow_table_check(const struct ps_flow_table *t)
{
	uint64_t b, entries = 0, expected = 0, overflow = 0, passed = 0, listed = 0;
	uint32_t i, lane, index, active = 0;

	for (b = 0; b <= t->bucket_mask; b++) {
		overflow += t->bucket[b].overflow;
		for (i = 0; i < PS_BUCKET_SLOTS; i++) {
			const struct ps_flow *f;
			uint32_t reference = t->bucket[b].reference[i];

			if (t->bucket[b].signature[i] == 0)
				continue;
			entries++;
			f = ps_flow_at(t, reference >> 1);
			if (ps_flow_state(f) == PS_FLOW_FREE)
				return "an entry leads to a free record";
			if (!entered(t, reference))
				return "an entry is not found by its key";
			passed += (b - hash_of(t, key_of(t, f, reference & 1u), f->proto)) & t->bucket_mask;
		}
	}
	for (i = 0; i < t->capacity; i++) {
		const struct ps_flow *f = ps_flow_at(t, i);

		if (ps_flow_state(f) == PS_FLOW_FREE)
			continue;
		active++;
		expected += 1u + ps_flow_two_way(f->mode);
	}
	if (entries != expected)
		return "entries and records do not agree";
	if (overflow != passed)
		return "overflow counters do not add up";
	if (active != t->counters->active)
		return "active is miscounted";
	for (index = t->free_head; index != PS_NONE && listed <= t->capacity; index = ps_flow_at(t, index)->next)
		listed++;
	if (listed != t->free_length)
		return "the free list is miscounted or a loop";
	listed += t->young_tail - t->young_head;
	for (i = 0; i < PS_WHEEL_SLOTS; i++)
		for (lane = 0; lane < PS_WHEEL_LANES; lane++)
			for (index = t->wheel[i][lane]; index != PS_NONE && listed <= t->capacity;
			     index = ps_flow_at(t, index)->next)
				listed++;
	if (listed != t->capacity)
		return "a record is in no list or in two";
	return NULL;
}

void
ps_flow_table_free(struct ps_flow_table *t)
{
	if (t == NULL)
		return;
	free(t->young);
	free(t);
}

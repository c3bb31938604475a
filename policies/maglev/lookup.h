/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint choice: table, endpoints, shared verdicts and a flow hash to the position of an
 * endpoint. A pure function of its arguments.
 *
 * The entry that the hash points at decides. Only when its endpoint takes no new flow (down,
 * draining, scaled back) is the hash mixed again and the next entry asked; after
 * PS_MAGLEV_TRIES of these, endpoints are asked in ring order. So a flow whose first pick
 * accepts never moves because of another endpoint, and flows of an endpoint that left rotation spread
 * over all the others.
 */
#ifndef PS_POLICIES_MAGLEV_LOOKUP_H
#define PS_POLICIES_MAGLEV_LOOKUP_H

#include "dataplane/api/snapshot.h"
#include "dataplane/api/state.h"
#include "policies/flowhash.h"
#include "policies/maglev/layout.h"

#define PS_MAGLEV_TRIES 12u

/* The first pick, by hash alone. size > 0. */
static inline uint32_t
ps_maglev_pick(const uint16_t *entries, uint32_t size, uint64_t hash)
{
	return entries[ps_hash_scale(hash, size)];
}

/* The hash of try `try` + 1 from that of try `try`. */
static inline uint64_t
ps_maglev_rehash(uint64_t hash, uint32_t try_number)
{
	return ps_mix64(hash ^ PS_DIGEST_K2, PS_DIGEST_K1 + 2u * try_number);
}

/*
 * Does the endpoint take a new flow with this hash? A scale of s lets s/255 of flows in,
 * always the same ones. open: health does not count (all endpoints are judged down).
 */
static inline bool
ps_maglev_accepts(const struct ps_endpoint *e, const struct ps_state_verdict *verdict, uint64_t hash, bool open)
{
	uint64_t word;
	uint32_t scale;

	if (e->slot == PS_NONE)
		return (e->flags & PS_ENDPOINT_F_REJECT) != 0;
	word = atomic_load_explicit(&verdict[e->slot].word, memory_order_relaxed);
	if (open)
		word = (uint32_t)word;
	if (!ps_verdict_accepts(word, e->slot_generation))
		return false;
	scale = PS_CTL_SCALE((uint32_t)word);
	if (__builtin_expect(scale == 255, 1))
		return true;
	return ps_hash_scale(ps_mix64(hash ^ e->id, PS_DIGEST_K0), 255) < scale;
}

/* What follows a first pick that does not accept; see ps_maglev_choose. Kept out of line of the fast path. */
static __attribute__((noinline, cold, unused)) uint32_t
ps_maglev_choose_again(const uint16_t *entries, uint32_t size, const struct ps_endpoint *endpoint,
		       uint32_t balanced, const struct ps_state_verdict *verdict, uint16_t flags, uint64_t hash)
{
	uint32_t rounds = flags & PS_SERVICE_F_ALL_DOWN_OPEN ? 2 : 1, round, i, position, start;
	uint64_t h;

	for (round = 0; round < rounds; round++) {
		for (i = 0, h = hash; i < PS_MAGLEV_TRIES; i++) {
			position = ps_maglev_pick(entries, size, h);
			if (ps_maglev_accepts(&endpoint[position], verdict, h, round != 0))
				return position;
			h = ps_maglev_rehash(h, i);
		}
		start = ps_hash_scale(h, balanced);
		for (i = 0; i < balanced; i++) {
			position = start + i < balanced ? start + i : start + i - balanced;
			if (ps_maglev_accepts(&endpoint[position], verdict, h, round != 0))
				return position;
		}
		/* Scales alone may have refused this hash everywhere: anything above 0 will do then. */
		for (i = 0; i < balanced; i++) {
			uint64_t word;

			position = start + i < balanced ? start + i : start + i - balanced;
			if (endpoint[position].slot == PS_NONE)
				continue;
			word = atomic_load_explicit(&verdict[endpoint[position].slot].word, memory_order_relaxed);
			if (PS_CTL_SCALE((uint32_t)word) != 0 &&
			    ps_verdict_accepts(round != 0 ? (uint32_t)word : word, endpoint[position].slot_generation))
				return position;
		}
	}
	return PS_NONE;
}

/*
 * entries, size: the service's table. endpoint: the service's first endpoint; balanced and flags: its own.
 * verdict: the shared state table. Returns a position below balanced, or PS_NONE when no endpoint
 * takes a new flow. An endpoint with PS_ENDPOINT_F_REJECT is returned like any other: the caller refuses the flow.
 */
static inline uint32_t
ps_maglev_choose(const uint16_t *entries, uint32_t size, const struct ps_endpoint *endpoint, uint32_t balanced,
		 const struct ps_state_verdict *verdict, uint16_t flags, uint64_t hash)
{
	uint32_t position;

	if (size == 0 || balanced == 0)
		return PS_NONE;
	position = ps_maglev_pick(entries, size, hash);
	if (__builtin_expect(ps_maglev_accepts(&endpoint[position], verdict, hash, false), 1))
		return position;
	return ps_maglev_choose_again(entries, size, endpoint, balanced, verdict, flags, hash);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of numbered packets in one direction: received, duplicated, reordered, late.
 *
 * Numbers count up over all flows together and wrap. A bitmap over the last PS_TRACK_WINDOW numbers
 * tells a duplicate from a first arrival; it is small enough for the first-level cache, because
 * traffic touches it nearly in sequence. Order is a matter of one flow (RFC 4737, type-P-reordered): a packet is
 * reordered when a higher number of its flow has arrived before. What never arrived is what was
 * sent less what was received, once the device under test has drained.
 */
#ifndef PS_LOADGEN_TRACK_H
#define PS_LOADGEN_TRACK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PS_TRACK_WINDOW (1u << 18) /* numbers; a device that delays packets by more is seen as delivering late */
#define PS_TRACK_NO_FLOW UINT32_MAX

struct ps_track {
	uint64_t received;   /* first arrivals */
	uint64_t duplicates;
	uint64_t reordered;
	uint64_t late;       /* older than the window: duplicate or not, nobody knows; counted as received too */
	uint64_t stale;      /* of an earlier phase */
	uint32_t next;       /* highest number seen + 1 */
	uint32_t first;      /* of this phase */
	uint32_t flows;
	uint32_t *last;      /* [flows]: highest number + 1 of each, 0: none; NULL: order is not watched */
	uint64_t bitmap[PS_TRACK_WINDOW / 64];
};

/* A phase starts: packets numbered below `first` are stale. last, if given, is [flows] and stays the caller's. */
static inline void
ps_track_start(struct ps_track *t, uint32_t first, uint32_t *last, uint32_t flows)
{
	memset(t, 0, sizeof(*t));
	t->first = t->next = first;
	t->last = last;
	t->flows = last != NULL ? flows : 0;
	if (last != NULL)
		memset(last, 0, (size_t)flows * sizeof(*last));
}

/* Serial numbers (RFC 1982): a before b. */
static inline bool
ps_number_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

void ps_track_advance(struct ps_track *t, uint32_t number);

static inline void
ps_track_order(struct ps_track *t, uint32_t number, uint32_t flow)
{
	if (flow >= t->flows)
		return;
	if (t->last[flow] != 0 && ps_number_before(number + 1, t->last[flow]))
		t->reordered++;
	else
		t->last[flow] = number + 1;
}

/* One packet arrived. flow: index, or PS_TRACK_NO_FLOW when it cannot be known. */
static inline void
ps_track_packet(struct ps_track *t, uint32_t number, uint32_t flow)
{
	uint32_t slot = number & (PS_TRACK_WINDOW - 1);
	uint64_t bit = 1ull << (slot & 63);

	if (ps_number_before(number, t->first)) {
		t->stale++;
		return;
	}
	if (__builtin_expect(number == t->next, 1)) {
		t->next++;
	} else if (!ps_number_before(number, t->next)) {
		ps_track_advance(t, number);
	} else if (t->next - number > PS_TRACK_WINDOW) {
		t->late++;
		t->received++;
		return;
	} else if ((t->bitmap[slot / 64] & bit) != 0) {
		t->duplicates++;
		return;
	}
	t->bitmap[slot / 64] |= bit;
	t->received++;
	ps_track_order(t, number, flow);
}

#endif

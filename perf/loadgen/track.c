/* SPDX-License-Identifier: Apache-2.0 */
#include "perf/loadgen/track.h"

/* Clears the slots that [next, number] takes over from numbers one window older. */
void
ps_track_advance(struct ps_track *t, uint32_t number)
{
	uint32_t clear = number - t->next + 1, slot;

	if (clear >= PS_TRACK_WINDOW) {
		memset(t->bitmap, 0, sizeof(t->bitmap));
	} else {
		for (; clear != 0; clear--) {
			slot = t->next++ & (PS_TRACK_WINDOW - 1);
			t->bitmap[slot / 64] &= ~(1ull << (slot & 63));
		}
	}
	t->next = number + 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "policies/listener/build.h"

#include <errno.h>
#include <stdlib.h>

#include "policies/listener/lookup.h"

uint32_t
ps_listener_index_cells(uint32_t listeners)
{
	uint32_t cells = 2;

	while (cells < 2u * listeners && cells < 1u << 31)
		cells *= 2;
	return cells;
}

int
ps_listener_index_build(uint32_t *index, uint32_t cells, const struct ps_listener *listener, uint32_t listeners,
	uint32_t *duplicate)
{
	uint32_t i, cell, mask = cells - 1;

	memset(index, 0xff, (size_t)cells * sizeof(*index));
	for (i = 0; i < listeners; i++) {
		const struct ps_listener *l = &listener[i];

		cell = (uint32_t)ps_listener_hash(&l->addr, l->port, l->proto) & mask;
		for (; index[cell] != PS_NONE; cell = (cell + 1) & mask) {
			const struct ps_listener *other = &listener[index[cell]];

			if (other->port == l->port && other->proto == l->proto &&
				ps_addr_equal(&other->addr, &l->addr)) {
				if (duplicate != NULL)
					*duplicate = i;
				return -EEXIST;
			}
		}
		index[cell] = i;
	}
	return 0;
}

static int
range_order(const void *a, const void *b)
{
	const struct ps_range *x = a, *y = b;
	int rc = ps_addr_compare(&x->first, &y->first);

	return rc != 0 ? rc : ps_addr_compare(&x->last, &y->last);
}

/* Is b the address right after a? */
static bool
follows(const struct ps_addr *a, const struct ps_addr *b)
{
	struct ps_addr next = *a;
	int i;

	for (i = 15; i >= 0; i--)
		if (++next.b[i] != 0)
			return ps_addr_equal(&next, b);
	return false;
}

uint32_t
ps_ranges_normalize(struct ps_range *range, uint32_t ranges)
{
	uint32_t i, kept = 0;

	qsort(range, ranges, sizeof(*range), range_order);
	for (i = 0; i < ranges; i++) {
		struct ps_range *last = kept != 0 ? &range[kept - 1] : NULL;

		if (ps_addr_compare(&range[i].first, &range[i].last) > 0)
			continue;
		if (last != NULL && (ps_addr_compare(&range[i].first, &last->last) <= 0 ||
					    follows(&last->last, &range[i].first))) {
			if (ps_addr_compare(&range[i].last, &last->last) > 0)
				last->last = range[i].last;
			continue;
		}
		range[kept++] = range[i];
	}
	return kept;
}

struct ps_range
ps_range_of_prefix(const struct ps_addr *addr, uint8_t bits)
{
	struct ps_range r = {*addr, *addr};
	uint32_t length = ps_addr_is_v4(addr) ? 96u + bits : bits, i;

	for (i = length; i < 128; i++) {
		r.first.b[i / 8] &= (uint8_t)~(0x80u >> (i % 8));
		r.last.b[i / 8] |= (uint8_t)(0x80u >> (i % 8));
	}
	return r;
}

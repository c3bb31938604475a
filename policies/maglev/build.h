/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maglev table builder. Pure, control side; see layout.h.
 */
#ifndef PS_POLICIES_MAGLEV_BUILD_H
#define PS_POLICIES_MAGLEV_BUILD_H

#include <stddef.h>

#include "policies/maglev/layout.h"

struct ps_maglev_endpoint {
	uint64_t id;     /* stable and distinct: ps_endpoint.id */
	uint32_t weight; /* > 0, relative to the others */
};

/*
 * Entries that a table over these endpoints has: at least a hundred per endpoint, and, as far as
 * PS_MAGLEV_WEIGHT_SIZE allows, a hundred for the one with the smallest weight, so that shares are exact within
 * one percent. 0 when there is no endpoint.
 */
uint32_t ps_maglev_size(const struct ps_maglev_endpoint *endpoint, uint32_t endpoints);

/* Unequal weights alone make no table larger than this. */
#define PS_MAGLEV_WEIGHT_SIZE 65537u

/*
 * Fills entries[size], size from ps_maglev_size. The owner of an entry depends on the set of
 * (id, weight), not on their order. Returns 0, -EINVAL (no endpoint, weight 0, size not one of
 * ps_maglev_size's, more than PS_MAGLEV_MAX_ENDPOINTS) or -ENOMEM.
 */
int ps_maglev_build(uint16_t *entries, uint32_t size, const struct ps_maglev_endpoint *endpoint, uint32_t endpoints);

/* Content address of the table that ps_maglev_build would make: of ids, weights, their order, and size. */
uint64_t ps_maglev_digest(const struct ps_maglev_endpoint *endpoint, uint32_t endpoints, uint32_t size);

#endif

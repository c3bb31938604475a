/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workers' side of dataplane/api/affinity.h. Bounded: when all four entries of a bucket are taken, the one that
 * expires first is replaced. Losing an entry means that the client is balanced anew.
 *
 * Thread: any worker.
 */
#ifndef PS_FLOW_AFFINITY_H
#define PS_FLOW_AFFINITY_H

#include "dataplane/api/affinity.h"

/* Bytes of memory for so many entries (rounded up to a power of two). */
uint64_t ps_affinity_size(uint32_t entries);

/*
 * Takes memory of ps_affinity_size(entries) bytes, 64-byte aligned, as the table. When its header is not that of a table of this
 * size and boot, it is cleared. Returns the table, which is the memory itself.
 */
struct ps_affinity *ps_affinity_attach(void *memory, uint32_t entries, uint64_t boot_id);

/* key: ps_affinity_hash. True: slot and generation hold what was put, and it has not expired. */
bool ps_affinity_get(struct ps_affinity *a, uint64_t key, uint32_t now_ms, uint32_t *slot, uint16_t *generation);

/* Remembers, or renews, for timeout_s seconds (at most PS_AFFINITY_MAX_S). slot < 2^28. */
void ps_affinity_put(struct ps_affinity *a, uint64_t key, uint32_t now_ms, uint32_t timeout_s, uint32_t slot,
		     uint16_t generation);

#endif

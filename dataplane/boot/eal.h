/* SPDX-License-Identifier: Apache-2.0 */
/* Starts DPDK's environment as the snapshot's boot section says. */
#ifndef PS_BOOT_EAL_H
#define PS_BOOT_EAL_H

#include "dataplane/api/snapshot.h"

/* What the process needs, worked out before EAL starts, because ordinary pages are taken once and for all then. */
struct ps_sizes {
	uint32_t mbufs;
	uint32_t mbuf_size;      /* data room without headroom */
	uint32_t rx_descriptors, tx_descriptors;
	uint32_t ring;           /* entries of a hand-off ring */
	uint64_t memory;         /* bytes, all of DPDK's */
};

/* Pure. */
void ps_sizes_compute(struct ps_sizes *sizes, const struct ps_snapshot *s);

/* Free hugepage memory of the machine, bytes. */
uint64_t ps_hugepages_free(void);

/*
 * Starts EAL and registers packet metadata. *hugepages tells what memory lies in. 0 or -errno with a reason in why.
 */
int ps_eal_start(const struct ps_snapshot *s, const struct ps_sizes *sizes, const char *lcores, bool *hugepages,
		 char *why, size_t why_size);

#endif

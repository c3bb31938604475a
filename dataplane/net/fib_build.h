/* SPDX-License-Identifier: Apache-2.0 */
/* Main's side of the FIB: built once from a list of prefixes, immutable afterwards. */
#ifndef PS_NET_FIB_BUILD_H
#define PS_NET_FIB_BUILD_H

#include "dataplane/net/fib.h"
#include "dataplane/net/hosts.h"

struct ps_fib_entry {
	struct ps_addr prefix;
	uint8_t length;     /* bits in the address's own family */
	bool v6;
	uint16_t adjacency; /* GLEAN for prefixes on link */
	uint32_t order;     /* filled in by the build */
};

/*
 * Of equal prefixes the first one given wins. entries is sorted in place. glean[iface] is copied; hosts and adjacency must
 * outlive the FIB. 0, -ENOMEM, -EINVAL (length beyond the family).
 */
int ps_fib_build(struct ps_fib **fib, struct ps_fib_entry *entries, uint32_t length,
		 const struct ps_adjacency *adjacency, const struct ps_hosts *hosts,
		 const uint16_t *glean, uint32_t ifaces);
void ps_fib_free(struct ps_fib *fib);

#endif

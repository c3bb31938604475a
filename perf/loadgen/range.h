/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of IP addresses, or of ports, given as "first", "first-last" or "prefix/length". Addresses
 * of a run differ only in their last 32 bits, for IPv6 as for IPv4.
 */
#ifndef PS_LOADGEN_RANGE_H
#define PS_LOADGEN_RANGE_H

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "dataplane/api/abi.h"

struct ps_addr_range {
	struct ps_addr first;
	uint32_t low;   /* last 32 bits of first, host order */
	uint32_t count; /* 0: empty range, contains nothing */
};

struct ps_port_range {
	uint16_t first; /* host order */
	uint32_t count;
};

/* An IPv4 prefix shorter than /31 leaves out its network and broadcast addresses. 0, or -EINVAL. */
int ps_addr_range_parse(const char *text, struct ps_addr_range *range);
int ps_port_range_parse(const char *text, struct ps_port_range *range);
/* "10.0.0.1-10.0.0.9", as users wrote or could have written it. Returns text. */
const char *ps_addr_range_format(const struct ps_addr_range *range, char *text, size_t text_size);
const char *ps_addr_format(const struct ps_addr *addr, char *text, size_t text_size);

static inline uint32_t
ps_addr_low(const struct ps_addr *a)
{
	uint32_t low;

	memcpy(&low, a->b + 12, sizeof(low));
	return ntohl(low);
}

static inline bool
ps_addr_range_is_v4(const struct ps_addr_range *range)
{
	return ps_addr_is_v4(&range->first);
}

/* Address number `index` of the range. */
static inline struct ps_addr
ps_addr_range_at(const struct ps_addr_range *range, uint32_t index)
{
	struct ps_addr a = range->first;
	uint32_t low = htonl(range->low + index);

	memcpy(a.b + 12, &low, sizeof(low));
	return a;
}

static inline bool
ps_addr_range_contains(const struct ps_addr_range *range, const struct ps_addr *a)
{
	return memcmp(range->first.b, a->b, 12) == 0 && ps_addr_low(a) - range->low < range->count;
}

#endif

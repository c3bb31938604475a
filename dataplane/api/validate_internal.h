/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of ps_snapshot_validate share. Not for others. */
#ifndef PS_API_VALIDATE_INTERNAL_H
#define PS_API_VALIDATE_INTERNAL_H

#include "dataplane/api/snapshot.h"

#define PS_CHECK_SERVICE_SLOTS (1u << 20) /* most that boot may ask for */

struct ps_check {
	const struct ps_snapshot *s;
	const char *string;
	uint32_t length[PS_SECTIONS];
	const void *const *blob;
	const uint64_t *blob_size;
	char *why;
	size_t why_size;
};

/* Writes the reason and returns -error. */
int ps_check_refuse(const struct ps_check *c, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));

#define PS_CHECK_ITEMS(c, section) ps_snapshot_item((c)->s, (section), 0)

/* A run [first, first + count) inside length items? */
static inline bool
ps_check_run(uint32_t first, uint32_t count, uint32_t length)
{
	return first <= length && count <= length - first;
}

static inline bool
ps_check_string(const struct ps_check *c, uint32_t offset)
{
	return offset < c->length[PS_SEC_STRING];
}

static inline bool
ps_check_addr_zero(const struct ps_addr *a)
{
	static const struct ps_addr zero;

	return ps_addr_equal(a, &zero);
}

/* validate_service.c: what is balanced to whom. Earlier sections are known to be sound. */
int ps_check_balancing(const struct ps_check *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract between penstockd (control) and penstock-dataplane (dataplane).
 *
 * Everything under dataplane/api/ is included by both processes and by nothing
 * else than them and their tests. Layouts are fixed-width and position-independent:
 * references are offsets or indices, never pointers. Ports and addresses are in
 * network byte order, every other number in host order (both sides share a host).
 *
 * Neither side trusts the other's bytes: a reader checks every index and length
 * before use, and refuses with a reason instead of repairing.
 *
 * ABI changes (PS_ABI), newest first:
 *   1  first layout: snapshot, state table, channel, counters, flow tables
 */
#ifndef PS_API_ABI_H
#define PS_API_ABI_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_ABI 1u

/* "no such index", in every u32 index field of the contract */
#define PS_NONE UINT32_MAX

/* Limits that size shared memory. Raising one is an ABI change. */
#define PS_MAX_WORKERS 64u
#define PS_MAX_PORTS 32u
#define PS_MAX_IFACES 256u
#define PS_CACHE_LINE 64u

/*
 * An IP address of either family in 16 bytes, network order. IPv4 is held
 * IPv4-mapped (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so that equality and hashing
 * need no family.
 */
struct ps_addr {
	uint8_t b[16];
} __attribute__((aligned(8)));

#define PS_SIZE_IS(type, bytes) \
	_Static_assert(sizeof(type) == (bytes), #type " changed size: bump PS_ABI")

PS_SIZE_IS(struct ps_addr, 16);

/* Files of one instance, below its runtime directory (default /run/penstock). */
#define PS_RUNTIME_DIR "/run/penstock"
#define PS_STATE_DIR "/var/lib/penstock"
#define PS_CONTROL_SOCKET "dataplane.sock" /* penstockd listens, SOCK_SEQPACKET; the dataplane attaches */
#define PS_ADMIN_SOCKET "admin.sock"       /* penstockd listens, HTTP/1.1 + JSON */
#define PS_STATE_FILE "state"              /* endpoint state table, see state.h */
#define PS_COUNTERS_FILE "counters"        /* counters, see counters.h */
#define PS_FLOWS_FILE "flows"              /* "flows-4-<worker>", "flows-6-<worker>", see flow.h */
#define PS_SNAPSHOT_FILE "snapshot"        /* in the state directory: last valid snapshot, see bundle in snapshot.h */

static inline bool
ps_addr_is_v4(const struct ps_addr *a)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return __builtin_memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

/* The IPv4 address (network order) inside an IPv4-mapped one. */
static inline uint32_t
ps_addr_v4(const struct ps_addr *a)
{
	uint32_t v4;

	__builtin_memcpy(&v4, a->b + 12, sizeof(v4));
	return v4;
}

static inline struct ps_addr
ps_addr_from_v4(uint32_t v4_be)
{
	struct ps_addr a = {.b = {[10] = 0xff, [11] = 0xff}};

	__builtin_memcpy(a.b + 12, &v4_be, sizeof(v4_be));
	return a;
}

static inline bool
ps_addr_equal(const struct ps_addr *a, const struct ps_addr *b)
{
	return __builtin_memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

#endif

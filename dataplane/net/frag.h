/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fragment table: fragments of one datagram go the way of its first fragment, without
 * being put together. The table remembers the ports that the first fragment carried; fragments that come
 * before it are held, a bounded number for a bounded time.
 *
 * It refuses what a reassembling host could be fooled with: a first fragment too short for
 * the ports and TCP flags, a TCP fragment at offset 8 (RFC 1858, RFC 3128), overlaps
 * (RFC 5722: the whole datagram goes), data beyond 65535 bytes or beyond the last fragment.
 * An exact duplicate is dropped alone (RFC 8200 4.5).
 *
 *   hash of (src, dst, id, proto) -> datagram {key, ports, ranges seen, held packets}
 *
 * Pure: packets are opaque pointers; time comes in. One table per worker; a datagram's fragments
 * meet there because they are handed over by ps_frag_owner().
 */
#ifndef PS_NET_FRAG_H
#define PS_NET_FRAG_H

#include "dataplane/api/abi.h"
#include "dataplane/api/digest.h"
#include "dataplane/api/exits.h"

#define PS_FRAG_TIMEOUT_MS 2000u
#define PS_FRAG_HELD_MAX 16u    /* packets per datagram waiting for the first fragment */
#define PS_FRAG_PIECES_MAX 128u /* fragments per datagram */

struct ps_frag_table;

struct ps_frag_key {
	struct ps_addr src, dst;
	uint32_t id;     /* as in the packet, network order; IPv4 in the low half */
	uint32_t proto;  /* IPv4 protocol; 0 for IPv6, where it is no part of the key (RFC 8200 4.5) */
};

/* One fragment as parsed. */
struct ps_frag {
	struct ps_frag_key key;
	uint32_t offset;   /* bytes of the fragment's data in the datagram */
	uint32_t size;     /* bytes of data, without headers */
	bool more;         /* more fragments follow */
	uint8_t l4_proto;  /* of the first fragment */
	uint16_t l4_size;  /* bytes of L4 header in a first fragment */
	uint16_t src_port, dst_port; /* of a first fragment; network order. ICMP echo: identifier, type */
};

enum ps_frag_verdict {
	PS_FRAG_FORWARD, /* ports are known: go on, then take the held ones */
	PS_FRAG_HELD,    /* the table keeps the packet */
	PS_FRAG_DROP,    /* `why` says why */
};

struct ps_frag_answer {
	enum ps_exit why;
	uint16_t src_port, dst_port;
	uint8_t l4_proto;
	uint32_t new_id;   /* identification to use where the source address is rewritten (RFC 6864 5.2) */
	uint32_t datagram; /* for ps_frag_take_held */
};

typedef void (*ps_frag_drop_fn)(void *arg, void *packet, enum ps_exit why);

/* capacity: datagrams at once. worker/workers: to keep new identifications apart. 0 or -ENOMEM. */
int ps_frag_new(struct ps_frag_table **table, uint32_t capacity, uint32_t worker, uint32_t workers,
		uint32_t random, ps_frag_drop_fn drop, void *arg);
void ps_frag_free(struct ps_frag_table *table);

enum ps_frag_verdict ps_frag_input(struct ps_frag_table *table, const struct ps_frag *f, void *packet,
				   uint32_t now_ms, struct ps_frag_answer *answer);

/* Packets held for the datagram, oldest first; NULL: no more. Call until NULL after every PS_FRAG_FORWARD. */
void *ps_frag_take_held(struct ps_frag_table *table, uint32_t datagram);

/* Gives up datagrams older than the timeout; their held packets go to drop. Cheap when nothing is old. */
void ps_frag_expire(struct ps_frag_table *table, uint32_t now_ms);

uint32_t ps_frag_active(const struct ps_frag_table *table);

/* The worker where all fragments of this datagram meet. Equal on every worker. */
static inline uint32_t
ps_frag_owner(const struct ps_frag_key *key, uint32_t workers)
{
	return (uint32_t)(ps_digest(key, sizeof(*key), 0) >> 32) % workers;
}

#endif

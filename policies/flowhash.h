/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow hash: one 64-bit number per flow, from which the flow table takes its bucket and
 * signature and Maglev takes its endpoint. Seeded by the snapshot's hash_seed and otherwise pure, so
 * that every gateway of a fleet computes the same number for the same packet.
 *
 * All 64 bits are usable: two folded multiplies per 16 bytes of key, the second one diffusing
 * what the first has gathered. Addresses, ports and everything else are taken as they lie in the
 * packet; nothing is byte-swapped.
 *
 * Part of the ABI like ps_mix64: a change moves flows between backends.
 */
#ifndef PS_POLICIES_FLOWHASH_H
#define PS_POLICIES_FLOWHASH_H

#include "dataplane/api/abi.h"
#include "dataplane/api/digest.h"

/* ports: the first four bytes of the L4 header as loaded from the packet (source port in the low half). */
static inline uint64_t
ps_flow_hash4(uint32_t src_be, uint32_t dst_be, uint32_t ports_be, uint8_t proto, uint64_t seed)
{
	uint64_t addresses = (uint64_t)src_be | (uint64_t)dst_be << 32;
	uint64_t rest = (uint64_t)ports_be | (uint64_t)proto << 32;
	uint64_t h = ps_mix64(addresses ^ seed ^ PS_DIGEST_K0, rest ^ (seed << 1) ^ PS_DIGEST_K1);

	return ps_mix64(h ^ addresses, PS_DIGEST_K3);
}

static inline uint64_t
ps_flow_hash6(const uint8_t src[16], const uint8_t dst[16], uint32_t ports_be, uint8_t proto, uint64_t seed)
{
	uint64_t rest = (uint64_t)ports_be | (uint64_t)proto << 32;
	uint64_t s = ps_mix64(ps_digest_load(src) ^ seed ^ PS_DIGEST_K0, ps_digest_load(src + 8) ^ PS_DIGEST_K1);
	uint64_t d = ps_mix64(ps_digest_load(dst) ^ seed ^ PS_DIGEST_K2, ps_digest_load(dst + 8) ^ PS_DIGEST_K3);
	uint64_t h = ps_mix64(s ^ rest ^ PS_DIGEST_K2, d ^ (rest << 7) ^ PS_DIGEST_K0);

	return ps_mix64(h ^ s, PS_DIGEST_K3);
}

/* What session affinity looks up with: the client's address and the service, no ports. */
static inline uint64_t
ps_affinity_hash(const struct ps_addr *client, uint64_t service_id, uint64_t seed)
{
	uint64_t h = ps_mix64(ps_digest_load(client->b) ^ seed ^ PS_DIGEST_K0,
			      ps_digest_load(client->b + 8) ^ service_id ^ PS_DIGEST_K1);

	return ps_mix64(h ^ service_id, PS_DIGEST_K3);
}

/* hash scaled to 0..size-1 by multiply and shift; uses the upper 32 bits. size > 0. */
static inline uint32_t
ps_hash_scale(uint64_t hash, uint32_t size)
{
	return (uint32_t)(((hash >> 32) * size) >> 32);
}

#endif

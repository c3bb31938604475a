/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 64-bit hash of the contract: content addresses, integrity of snapshots,
 * stable ids, and the flow hash that Maglev looks up with. It is part of the ABI: a
 * fleet of gateways chooses the same endpoint for a packet only because all
 * compute this function with the same seed.
 *
 * Four independent multiply lanes keep a 3 GHz core near memory speed. It detects
 * corruption and truncation; it is not a MAC and resists no forger.
 */
#ifndef PS_API_DIGEST_H
#define PS_API_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PS_DIGEST_K0 0x9e3779b97f4a7c15ull
#define PS_DIGEST_K1 0xbf58476d1ce4e5b9ull
#define PS_DIGEST_K2 0x94d049bb133111ebull
#define PS_DIGEST_K3 0xd6e8feb86659fd93ull

/* 64x64 -> 128 multiply, halves folded: one mul and one xor on x86-64. */
static inline uint64_t
ps_mix64(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t
ps_digest_load(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Hash of size bytes at data. Any alignment; data may be NULL when size is 0. */
static inline uint64_t
ps_digest(const void *data, size_t size, uint64_t seed)
{
	const uint8_t *p = data;
	uint64_t a = seed ^ PS_DIGEST_K0, b = seed ^ PS_DIGEST_K1;
	uint64_t c = seed ^ PS_DIGEST_K2, d = seed ^ PS_DIGEST_K3;
	size_t left = size;
	uint8_t tail[16] = {0};

	for (; left >= 64; left -= 64, p += 64) {
		a = ps_mix64(a ^ ps_digest_load(p), PS_DIGEST_K1 ^ ps_digest_load(p + 8));
		b = ps_mix64(b ^ ps_digest_load(p + 16), PS_DIGEST_K2 ^ ps_digest_load(p + 24));
		c = ps_mix64(c ^ ps_digest_load(p + 32), PS_DIGEST_K3 ^ ps_digest_load(p + 40));
		d = ps_mix64(d ^ ps_digest_load(p + 48), PS_DIGEST_K0 ^ ps_digest_load(p + 56));
	}
	a ^= ps_mix64(b ^ PS_DIGEST_K0, PS_DIGEST_K3) ^ ps_mix64(c ^ PS_DIGEST_K1, d ^ PS_DIGEST_K2);
	for (; left >= 16; left -= 16, p += 16)
		a = ps_mix64(a ^ ps_digest_load(p), PS_DIGEST_K1 ^ ps_digest_load(p + 8));
	if (left != 0) {
		memcpy(tail, p, left);
		a = ps_mix64(a ^ ps_digest_load(tail), PS_DIGEST_K2 ^ ps_digest_load(tail + 8));
	}
	return ps_mix64(a ^ size, PS_DIGEST_K3);
}

#endif

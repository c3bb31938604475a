/* SPDX-License-Identifier: Apache-2.0 */
/* Keyed hashing: SipHash-2-4, and what is made of it for a 4-tuple. */
#include "dataplane/tcp/internal.h"

#define ROTATE(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

static inline void
round_of(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = ROTATE(v[1], 13) ^ v[0];
	v[0] = ROTATE(v[0], 32);
	v[2] += v[3];
	v[3] = ROTATE(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTATE(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTATE(v[1], 17) ^ v[2];
	v[2] = ROTATE(v[2], 32);
}

uint64_t
ps_siphash(const uint8_t key[16], const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t k0, k1, m, v[4];
	size_t i, left = size;

	memcpy(&k0, key, 8);
	memcpy(&k1, key + 8, 8);
	v[0] = k0 ^ 0x736f6d6570736575ull;
	v[1] = k1 ^ 0x646f72616e646f6dull;
	v[2] = k0 ^ 0x6c7967656e657261ull;
	v[3] = k1 ^ 0x7465646279746573ull;
	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&m, p, 8);
		v[3] ^= m;
		round_of(v);
		round_of(v);
		v[0] ^= m;
	}
	m = (uint64_t)size << 56;
	for (i = 0; i < left; i++)
		m |= (uint64_t)p[i] << (8 * i);
	v[3] ^= m;
	round_of(v);
	round_of(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		round_of(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
ps_tuple_hash(const struct ps_tcp *s, uint32_t purpose, const struct ps_addr *local, uint16_t local_port,
	const struct ps_addr *remote, uint16_t remote_port)
{
	uint8_t text[40];

	memcpy(text, local->b, 16);
	memcpy(text + 16, remote->b, 16);
	memcpy(text + 32, &local_port, 2);
	memcpy(text + 34, &remote_port, 2);
	memcpy(text + 36, &purpose, 4);
	return ps_siphash(s->config.secret, text, sizeof(text));
}

/* RFC 6528 3: a clock of 4 us plus a secret function of the connection. */
uint32_t
ps_initial_sequence(const struct ps_tcp *s, const struct ps_addr *local, uint16_t local_port,
	const struct ps_addr *remote, uint16_t remote_port)
{
	return (uint32_t)ps_tuple_hash(s, 1, local, local_port, remote, remote_port) + (uint32_t)(s->now / 4u);
}

/* RFC 7323 5.4: the clock's origin is hidden, and monotonic for one 4-tuple, which TIME-WAIT reuse relies on. */
uint32_t
ps_timestamp_offset(const struct ps_tcp *s, const struct ps_addr *local, const struct ps_addr *remote,
	uint16_t local_port, uint16_t remote_port)
{
	return (uint32_t)ps_tuple_hash(s, 2, local, local_port, remote, remote_port);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <math.h>

#include "policies/flowhash.h"

#define SEED 0x123456789abcdefull

/* The numbers are part of the ABI: a fleet agrees on them. */
static void
values_are_fixed(void **state)
{
	uint8_t src[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, dst[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 2};
	struct ps_addr client = ps_addr_from_v4(0x0100000a);

	assert_true(ps_flow_hash4(0x0100000a, 0x0200000a, 0x50001234, 6, SEED) == 0x1e766ce14793cf79ull);
	assert_true(ps_flow_hash6(src, dst, 0x50001234, 17, SEED) == 0x4da8c191b9f6d211ull);
	assert_true(ps_affinity_hash(&client, 99, SEED) == 0xa9f0e30ec79287e3ull);
}

static uint64_t
sample(int kind, uint64_t a, uint64_t b, uint64_t seed)
{
	uint8_t src[16] = {0x20, 1}, dst[16] = {0x20, 1};

	if (kind == 0)
		return ps_flow_hash4((uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b, (uint8_t)(b >> 32), seed);
	if (kind == 1) {
		memcpy(src + 8, &a, 8);
		memcpy(dst + 8, &b, 8);
		return ps_flow_hash6(src, dst, (uint32_t)(a * 31), 6, seed);
	}
	memcpy(src + 8, &a, 8);
	return ps_affinity_hash((const struct ps_addr *)(const void *)src, b, seed);
}

/* Flipping any input bit flips each output bit about half of the time. */
static void
avalanche(void **state)
{
	int kind, in, out;

	for (kind = 0; kind < 3; kind++) {
		for (in = 0; in < (kind == 0 ? 104 : 128); in++) {
			uint32_t flips[64] = {0}, i;

			for (i = 0; i < 1500; i++) {
				uint64_t a = ps_mix64(i + 1, PS_DIGEST_K1), b = ps_mix64(i + 7, PS_DIGEST_K2);
				uint64_t change;

				b &= kind == 0 ? 0xffffffffffull : ~0ull;
				change = sample(kind, a, b, SEED) ^
					 (in < 64 ? sample(kind, a ^ 1ull << in, b, SEED)
						  : sample(kind, a, b ^ 1ull << (in - 64), SEED));
				for (out = 0; out < 64; out++)
					flips[out] += change >> out & 1;
			}
			for (out = 0; out < 64; out++)
				if (flips[out] < 600 || flips[out] > 900)
					fail_msg("hash %d: input bit %d flips output bit %d in %u of 1500", kind, in,
						out, flips[out]);
		}
	}
}

/* Sequential addresses and ports, as real clients have them, fill buckets evenly from either end of the hash. */
static void
sequences_spread(void **state)
{
	enum { BUCKETS = 1024, N = 1024 * 64 };
	uint32_t *low = calloc(BUCKETS, 4), *high = calloc(BUCKETS, 4), pattern, i;

	for (pattern = 0; pattern < 3; pattern++) {
		double chi_low = 0, chi_high = 0;

		memset(low, 0, BUCKETS * 4);
		memset(high, 0, BUCKETS * 4);
		for (i = 0; i < N; i++) {
			uint64_t h = ps_flow_hash4(__builtin_bswap32(0x0a000001u + (pattern == 0 ? i : pattern == 1 ? i % 256 : 0)),
				0x0200000a, pattern == 0 ? 0x50001234 : __builtin_bswap16((uint16_t)i) | 0x50000000u, 6, SEED);

			low[h % BUCKETS]++;
			high[ps_hash_scale(h, BUCKETS)]++;
		}
		for (i = 0; i < BUCKETS; i++) {
			chi_low += pow(low[i] - 64.0, 2) / 64.0;
			chi_high += pow(high[i] - 64.0, 2) / 64.0;
		}
		/* chi-square with 1023 degrees of freedom: mean 1023, deviation 45 */
		assert_true(chi_low > 750 && chi_low < 1300);
		assert_true(chi_high > 750 && chi_high < 1300);
	}
	free(low);
	free(high);
}

static void
seed_and_fields_matter(void **state)
{
	uint64_t h = ps_flow_hash4(1, 2, 3, 6, SEED);
	struct ps_addr c = ps_addr_from_v4(1);

	assert_true(h != ps_flow_hash4(1, 2, 3, 6, SEED + 1));
	assert_true(h != ps_flow_hash4(2, 1, 3, 6, SEED));
	assert_true(h != ps_flow_hash4(1, 2, 3, 17, SEED));
	assert_true(ps_affinity_hash(&c, 1, SEED) != ps_affinity_hash(&c, 2, SEED));
	assert_true(ps_hash_scale(~0ull, 7) == 6 && ps_hash_scale(0, 7) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_fixed),
		cmocka_unit_test(avalanche),
		cmocka_unit_test(sequences_spread),
		cmocka_unit_test(seed_and_fields_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

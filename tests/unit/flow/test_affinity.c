/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/api/digest.h"
#include "dataplane/flow/affinity.h"

static void *
memory(uint32_t entries)
{
	void *p = aligned_alloc(64, ps_affinity_size(entries));

	memset(p, 0, ps_affinity_size(entries));
	return p;
}

static void
test_remembers(void **state)
{
	void *m = memory(1024);
	struct ps_affinity *a = ps_affinity_attach(m, 1024, 7);
	uint16_t generation;
	uint32_t slot;

	assert_false(ps_affinity_get(a, 5, 1000, &slot, &generation));
	ps_affinity_put(a, 5, 1000, 10, 0xabcdef1, 0xbeef);
	assert_true(ps_affinity_get(a, 5, 1000, &slot, &generation));
	assert_int_equal(slot, 0xabcdef1);
	assert_int_equal(generation, 0xbeef);
	assert_true(ps_affinity_get(a, 5, 10900, &slot, &generation));
	assert_false(ps_affinity_get(a, 5, 11600, &slot, &generation));
	/* Renewed */
	ps_affinity_put(a, 5, 9000, 10, 3, 4);
	assert_true(ps_affinity_get(a, 5, 18000, &slot, &generation));
	assert_int_equal(slot, 3);
	/* A whole day, over the wrap of clock and expiry */
	ps_affinity_put(a, 6, 0xfffffff0u, 86400, 1, 1);
	assert_true(ps_affinity_get(a, 6, 0xfffffff0u + 86000000u, &slot, &generation));
	assert_false(ps_affinity_get(a, 6, 0xfffffff0u + 86402000u, &slot, &generation));
	/* Survives attaching again, but not another boot or size */
	ps_affinity_put(a, 7, 1000, 10, 3, 4);
	a = ps_affinity_attach(m, 1024, 7);
	assert_true(ps_affinity_get(a, 7, 1000, &slot, &generation));
	a = ps_affinity_attach(m, 1024, 8);
	assert_false(ps_affinity_get(a, 7, 1000, &slot, &generation));
	free(m);
}

/* A full bucket gives up what would be forgotten first. */
static void
test_replaces(void **state)
{
	void *m = memory(64);
	struct ps_affinity *a = ps_affinity_attach(m, 64, 1);
	uint16_t generation;
	uint32_t slot, i;

	for (i = 1; i <= 4; i++)
		ps_affinity_put(a, (uint64_t)i << 32, 0, 100 + i, i, 0);
	ps_affinity_put(a, 9ull << 32, 0, 50, 9, 0);
	assert_false(ps_affinity_get(a, 1ull << 32, 0, &slot, &generation));
	for (i = 2; i <= 4; i++)
		assert_true(ps_affinity_get(a, (uint64_t)i << 32, 0, &slot, &generation));
	assert_true(ps_affinity_get(a, 9ull << 32, 0, &slot, &generation));
	free(m);
}

struct hammer {
	struct ps_affinity *a;
	uint32_t seed;
	uint64_t wrong, found;
};

/* Slot and generation follow from the key: whatever is read must fit the key it is read under. */
static void *
hammer(void *arg)
{
	struct hammer *h = arg;
	uint64_t x = h->seed;
	uint32_t i;

	for (i = 0; i < 400000; i++) {
		uint64_t key;
		uint16_t generation;
		uint32_t slot;

		x = ps_mix64(x ^ PS_DIGEST_K0, i + PS_DIGEST_K1);
		key = (x % 64) * PS_DIGEST_K2;
		if (x & 0x10000)
			ps_affinity_put(h->a, key, 1000, 100, (uint32_t)(key >> 40) & 0xfffffffu, (uint16_t)(key >> 20));
		else if (ps_affinity_get(h->a, key, 1000, &slot, &generation)) {
			h->found++;
			h->wrong += slot != ((uint32_t)(key >> 40) & 0xfffffffu) || generation != (uint16_t)(key >> 20);
		}
	}
	return NULL;
}

static void
test_threads(void **state)
{
	void *m = memory(16);
	struct hammer h[3];
	pthread_t thread[3];
	uint64_t found = 0;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		h[i] = (struct hammer){.a = ps_affinity_attach(m, 16, 1), .seed = i + 1};
		assert_int_equal(pthread_create(&thread[i], NULL, hammer, &h[i]), 0);
	}
	for (i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(h[i].wrong, 0);
		found += h[i].found;
	}
	assert_true(found > 1000);
	free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_remembers),
		cmocka_unit_test(test_replaces),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

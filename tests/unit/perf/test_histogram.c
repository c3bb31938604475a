/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "perf/loadgen/histogram.h"
#include "tests/unit/perf/test.h"

static struct ps_histogram h, other;

static void
buckets_tile_the_range(void **state)
{
	uint32_t i, value, lower = 0;

	for (i = 0; i < PS_HISTOGRAM_BUCKETS; i++) {
		assert_int_equal(ps_histogram_index(lower), i);
		assert_int_equal(ps_histogram_index(ps_histogram_upper(i)), i);
		assert_true(ps_histogram_upper(i) - lower <= lower / 64);
		lower = ps_histogram_upper(i) + 1;
	}
	assert_int_equal(lower, 0); /* the last bucket ends at UINT32_MAX */
	for (value = 0; value < 128; value++)
		assert_int_equal(ps_histogram_upper(ps_histogram_index(value)), value);
}

static void
percentiles_of_known_values(void **state)
{
	uint32_t value;

	ps_histogram_reset(&h);
	for (value = 1; value <= 100; value++)
		ps_histogram_record(&h, value);
	assert_int_equal(ps_histogram_percentile(&h, 0), 1);
	assert_int_equal(ps_histogram_percentile(&h, 1), 1);
	assert_int_equal(ps_histogram_percentile(&h, 50), 50);
	assert_int_equal(ps_histogram_percentile(&h, 99), 99);
	assert_int_equal(ps_histogram_percentile(&h, 99.9), 100);
	assert_int_equal(ps_histogram_percentile(&h, 100), 100);
	assert_true(ps_histogram_mean(&h) == 50.5);
	assert_int_equal(h.min, 1);
	assert_int_equal(h.max, 100);
}

static int
by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
percentiles_near_exact_ones(void **state)
{
	static uint32_t values[100000];
	double percent[] = {10, 50, 90, 99, 99.9, 99.99};
	uint32_t i, exact, found;
	size_t k;

	ps_histogram_reset(&h);
	srandom(1);
	for (i = 0; i < 100000; i++) {
		values[i] = (uint32_t)random() >> (random() % 24);
		ps_histogram_record(&h, values[i]);
	}
	qsort(values, 100000, sizeof(values[0]), by_value);
	for (k = 0; k < sizeof(percent) / sizeof(percent[0]); k++) {
		exact = values[(uint32_t)(percent[k] / 100 * 100000 + 0.5) - 1];
		found = ps_histogram_percentile(&h, percent[k]);
		assert_true(found >= exact && found - exact <= exact / 64 + 1);
	}
}

static void
merge_and_empty(void **state)
{
	ps_histogram_reset(&h);
	ps_histogram_reset(&other);
	assert_int_equal(ps_histogram_percentile(&h, 50), 0);
	assert_true(ps_histogram_mean(&h) == 0);
	ps_histogram_record(&h, 10);
	ps_histogram_record(&other, UINT32_MAX);
	ps_histogram_merge(&h, &other);
	assert_int_equal(h.count, 2);
	assert_int_equal(h.min, 10);
	assert_int_equal(ps_histogram_percentile(&h, 50), 10);
	assert_int_equal(ps_histogram_percentile(&h, 100), UINT32_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_tile_the_range),
		cmocka_unit_test(percentiles_of_known_values),
		cmocka_unit_test(percentiles_near_exact_ones),
		cmocka_unit_test(merge_and_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "perf/loadgen/search.h"
#include "tests/unit/perf/test.h"

/* A device that carries `capacity` packets per second and loses the rest, plus a floor of random loss. */
struct device {
	double capacity, floor, port_limit;
	uint32_t trials;
};

static double
search(struct device *d, double lowest, double highest, double resolution, double tolerance)
{
	struct ps_search s;
	double pps;

	ps_search_start(&s, lowest, highest, resolution, tolerance);
	while (ps_search_next(&s, &pps)) {
		double offered = d->port_limit > 0 && pps > d->port_limit ? d->port_limit : pps;
		double lost = offered > d->capacity ? offered - d->capacity : 0;

		assert_true(pps >= lowest && pps <= highest);
		ps_search_feed(&s, (uint64_t)offered, (uint64_t)(lost + offered * d->floor), 1.0);
	}
	d->trials = s.trials;
	assert_true(s.trials < PS_SEARCH_MAX_TRIALS);
	return s.best;
}

static void
finds_the_capacity(void **state)
{
	double capacity;

	for (capacity = 1.1e5; capacity < 9.9e6; capacity *= 1.37) {
		struct device d = {.capacity = capacity};
		double found = search(&d, 1e5, 1e7, 0.005, 0);

		assert_true(found <= capacity);
		assert_true(found >= capacity * 0.994);
		assert_true(d.trials <= 17);
	}
}

static void
full_rate_needs_one_trial(void **state)
{
	struct device d = {.capacity = 2e7};

	assert_true(search(&d, 1e5, 1e7, 0.01, 0) == 1e7);
	assert_int_equal(d.trials, 1);
}

static void
nothing_passes(void **state)
{
	struct device d = {.capacity = 1e3};

	assert_true(search(&d, 1e5, 1e7, 0.01, 0) == 0);
}

static void
only_the_lowest_passes(void **state)
{
	struct device d = {.capacity = 1e5};

	assert_true(search(&d, 1e5, 1e7, 0.01, 0) == 1e5);
}

static void
tolerance_admits_a_floor_of_loss(void **state)
{
	struct device d = {.capacity = 5e6, .floor = 0.0005};

	assert_true(search(&d, 1e5, 1e7, 0.005, 0.001) > 4.97e6);
	assert_true(search(&d, 1e5, 1e7, 0.005, 0) == 0);
}

static void
rate_that_was_not_offered_fails(void **state)
{
	struct device d = {.capacity = 1e9, .port_limit = 3e6};
	double found = search(&d, 1e5, 1e7, 0.005, 0);

	assert_true(found <= 3e6 / PS_SEARCH_FULL_RATE && found > 2.98e6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_capacity),
		cmocka_unit_test(full_rate_needs_one_trial),
		cmocka_unit_test(nothing_passes),
		cmocka_unit_test(only_the_lowest_passes),
		cmocka_unit_test(tolerance_admits_a_floor_of_loss),
		cmocka_unit_test(rate_that_was_not_offered_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

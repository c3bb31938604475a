/* SPDX-License-Identifier: Apache-2.0 */
/* Restarts in virtual time. */
#include "control/cli/backoff.h"
#include "tests/unit/cli/check.h"

static void
test_first_deaths_restart_at_once(void **state)
{
	struct ps_backoff b = {0};
	uint64_t now = 5000;

	for (int i = 0; i < 4; i++, now += 100)
		assert_int_equal(ps_backoff_died(&b, now, now + 50), 0);
}

static void
test_loop_doubles_to_its_limit(void **state)
{
	static const uint32_t waits[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
	struct ps_backoff b = {0};
	uint64_t now = 0;

	for (int i = 0; i < 4; i++)
		ps_backoff_died(&b, now, now + 1);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(ps_backoff_died(&b, now, now + 9999), waits[i]);
		now += 9999 + waits[i];
	}
	for (int i = 0; i < 100000; i++)
		assert_int_equal(ps_backoff_died(&b, now, now + 1), PS_BACKOFF_MAX_MS);
}

static void
test_a_long_life_forgives(void **state)
{
	struct ps_backoff b = {0};

	for (int i = 0; i < 8; i++)
		ps_backoff_died(&b, 0, 10);
	assert_int_equal(ps_backoff_died(&b, 0, PS_BACKOFF_SHORT_MS), 0);
	assert_int_equal(ps_backoff_died(&b, 0, 10), 0);
}

static void
test_many_kills_at_ease_cost_nothing(void **state)
{
	struct ps_backoff b = {0};

	for (int i = 0; i < 1000; i++)
		assert_int_equal(ps_backoff_died(&b, 0, 15000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_deaths_restart_at_once),
		cmocka_unit_test(test_loop_doubles_to_its_limit),
		cmocka_unit_test(test_a_long_life_forgives),
		cmocka_unit_test(test_many_kills_at_ease_cost_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

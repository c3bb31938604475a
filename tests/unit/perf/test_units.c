/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>

#include "perf/loadgen/units.h"
#include "tests/unit/perf/test.h"

static double
pps(const char *text)
{
	struct ps_rate rate;

	return ps_rate_parse(text, &rate) < 0 ? -1 : ps_rate_pps(&rate, 64, 10e9);
}

static void
rates(void **state)
{
	assert_true(pps("max") == 0);
	assert_true(pps("1500000") == 1.5e6);
	assert_true(pps("1.5Mpps") == 1.5e6);
	assert_true(pps("250k") == 250e3);
	assert_true(fabs(pps("100%") - 14880952.38) < 1); /* 10 Gbit/s Ethernet at 64 bytes */
	assert_true(fabs(pps("50%") - 7440476.19) < 1);
	assert_true(pps("512Mbit") == 1e6);
	assert_true(pps("0") < 0);
	assert_true(pps("-1") < 0);
	assert_true(pps("101%") < 0);
	assert_true(pps("1Mb") < 0);
	assert_true(pps("fast") < 0);
	assert_true(pps("inf") < 0);
	assert_true(pps("") < 0);
}

static void
counts_times_ratios(void **state)
{
	uint64_t count;
	double value;

	assert_int_equal(ps_count_parse("1M", 1, 2000000, &count), 0);
	assert_int_equal(count, 1000000);
	assert_int_equal(ps_count_parse("0.9M", 1, 2000000, &count), 0);
	assert_int_equal(count, 900000);
	assert_int_equal(ps_count_parse("3M", 1, 2000000, &count), -EINVAL);
	assert_int_equal(ps_count_parse("1.5", 1, 10, &count), -EINVAL);
	assert_int_equal(ps_seconds_parse("500ms", &value), 0);
	assert_true(value == 0.5);
	assert_int_equal(ps_seconds_parse("2m", &value), 0);
	assert_true(value == 120);
	assert_int_equal(ps_seconds_parse("2h", &value), -EINVAL);
	assert_int_equal(ps_ratio_parse("0.1%", &value), 0);
	assert_true(fabs(value - 0.001) < 1e-12);
	assert_int_equal(ps_ratio_parse("0.001", &value), 0);
	assert_int_equal(ps_ratio_parse("1", &value), -EINVAL);
	assert_int_equal(ps_ratio_parse("x", &value), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates),
		cmocka_unit_test(counts_times_ratios),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

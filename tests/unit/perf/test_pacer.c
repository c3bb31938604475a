/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "perf/loadgen/pacer.h"
#include "tests/unit/perf/test.h"

#define HZ 2.6e9

/* A caller that comes by every `period` cycles and always takes what is due. */
static uint64_t
run(struct ps_pacer *p, double pps, uint64_t period, uint64_t cycles)
{
	uint64_t now, sent = 0;
	uint32_t due;

	ps_pacer_start(p, pps, HZ, 1000);
	for (now = 1000; now < 1000 + cycles; now += period) {
		due = ps_pacer_due(p, now, 64);
		assert_true(due <= 64);
		ps_pacer_take(p, due);
		sent += due;
	}
	return sent;
}

static void
keeps_the_rate(void **state)
{
	double rates[] = {1, 1000, 999983, 1.5e6, 10e6};
	struct ps_pacer p;
	size_t i;

	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		double sent = (double)run(&p, rates[i], 2600, (uint64_t)HZ);

		assert_true(fabs(sent - rates[i]) <= 11); /* one call's worth at most */
		assert_int_equal(p.forgiven, 0);
	}
}

static void
first_packet_at_once_and_then_evenly(void **state)
{
	struct ps_pacer p;
	uint64_t gap = (uint64_t)(HZ / 1e6);

	ps_pacer_start(&p, 1e6, HZ, 0);
	assert_int_equal(ps_pacer_due(&p, 0, 64), 1);
	ps_pacer_take(&p, 1);
	assert_int_equal(ps_pacer_due(&p, gap - 10, 64), 0);
	assert_true(ps_pacer_wait(&p, gap - 10) <= 11);
	assert_int_equal(ps_pacer_due(&p, gap + 10, 64), 1);
	assert_int_equal(ps_pacer_wait(&p, gap + 10), 0);
}

static void
what_was_not_taken_stays_due(void **state)
{
	struct ps_pacer p;

	ps_pacer_start(&p, 1e6, HZ, 0);
	assert_int_equal(ps_pacer_due(&p, (uint64_t)(HZ / 1e6 * 10.5), 64), 11);
	ps_pacer_take(&p, 4);
	assert_int_equal(ps_pacer_due(&p, (uint64_t)(HZ / 1e6 * 10.5), 64), 7);
}

static void
long_pauses_are_forgiven_and_counted(void **state)
{
	struct ps_pacer p;

	ps_pacer_start(&p, 1e6, HZ, 0);
	assert_int_equal(ps_pacer_due(&p, (uint64_t)HZ, UINT32_MAX), p.debt);
	ps_pacer_take(&p, p.debt);
	assert_int_equal(p.forgiven + p.granted - p.forgiven, 1000001);
	assert_int_equal(p.forgiven, 1000001 - p.debt);
	assert_int_equal(ps_pacer_due(&p, (uint64_t)HZ, 64), 0);
}

static void
without_limit(void **state)
{
	struct ps_pacer p;

	ps_pacer_start(&p, 0, HZ, 5);
	assert_int_equal(ps_pacer_due(&p, 5, 48), 48);
	assert_int_equal(ps_pacer_wait(&p, 5), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_rate),
		cmocka_unit_test(first_packet_at_once_and_then_evenly),
		cmocka_unit_test(what_was_not_taken_stays_due),
		cmocka_unit_test(long_pauses_are_forgiven_and_counted),
		cmocka_unit_test(without_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

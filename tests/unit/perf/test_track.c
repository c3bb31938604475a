/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "perf/loadgen/track.h"
#include "tests/unit/perf/test.h"

static struct ps_track t;
static uint32_t last[8];

static void
in_order(void **state)
{
	uint32_t i;

	ps_track_start(&t, 100, last, 8);
	for (i = 100; i < 100 + 3 * PS_TRACK_WINDOW; i++)
		ps_track_packet(&t, i, i % 8);
	assert_int_equal(t.received, 3 * PS_TRACK_WINDOW);
	assert_int_equal(t.duplicates + t.reordered + t.late + t.stale, 0);
}

static void
duplicates_and_stale_ones(void **state)
{
	ps_track_start(&t, 100, last, 8);
	ps_track_packet(&t, 99, 0);
	ps_track_packet(&t, 101, 0);
	ps_track_packet(&t, 101, 0);
	ps_track_packet(&t, 100, 1);
	ps_track_packet(&t, 100, 1);
	assert_int_equal(t.stale, 1);
	assert_int_equal(t.received, 2);
	assert_int_equal(t.duplicates, 2);
	assert_int_equal(t.reordered, 0); /* 100 and 101 are of two flows */
}

static void
reordering_is_per_flow(void **state)
{
	ps_track_start(&t, 0, last, 8);
	ps_track_packet(&t, 5, 1);
	ps_track_packet(&t, 3, 2);
	ps_track_packet(&t, 4, 1);
	ps_track_packet(&t, 2, PS_TRACK_NO_FLOW);
	ps_track_packet(&t, 1, 8);
	assert_int_equal(t.received, 5);
	assert_int_equal(t.reordered, 1);
}

static void
numbers_wrap(void **state)
{
	uint32_t i;

	ps_track_start(&t, UINT32_MAX - 1000, last, 8);
	for (i = 0; i < 2000; i += 2)
		ps_track_packet(&t, UINT32_MAX - 1000 + i + 1, 3);
	for (i = 0; i < 2000; i += 2)
		ps_track_packet(&t, UINT32_MAX - 1000 + i, 4);
	assert_int_equal(t.received, 2000);
	assert_int_equal(t.duplicates + t.reordered + t.stale, 0);
}

/* Against a plain bitmap of everything. */
static void
random_arrivals(void **state)
{
	enum { N = 1 << 20 };
	uint8_t *seen = calloc(N, 1);
	uint64_t received = 0, duplicates = 0;
	uint32_t i, number, base = 0;

	srandom(7);
	ps_track_start(&t, 0, NULL, 0);
	for (i = 0; i < 4 * N; i++) {
		base += (uint32_t)random() % 2;
		number = base + (uint32_t)random() % 4096;
		if (number >= N)
			break;
		if (seen[number]++ == 0)
			received++;
		else
			duplicates++;
		ps_track_packet(&t, number, 0);
	}
	assert_int_equal(t.received, received);
	assert_int_equal(t.duplicates, duplicates);
	free(seen);
}

static void
jumps_beyond_the_window(void **state)
{
	ps_track_start(&t, 0, NULL, 0);
	ps_track_packet(&t, 7, 0);
	ps_track_packet(&t, 7 + 5 * PS_TRACK_WINDOW, 0);
	ps_track_packet(&t, 7 + 4 * PS_TRACK_WINDOW + 1, 0); /* same slot as nothing seen: still inside */
	ps_track_packet(&t, 8, 0);
	assert_int_equal(t.received, 4);
	assert_int_equal(t.late, 1);
	assert_int_equal(t.duplicates, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(duplicates_and_stale_ones),
		cmocka_unit_test(reordering_is_per_flow),
		cmocka_unit_test(numbers_wrap),
		cmocka_unit_test(random_arrivals),
		cmocka_unit_test(jumps_beyond_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

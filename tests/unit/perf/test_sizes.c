/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>

#include "perf/loadgen/sizes.h"
#include "tests/unit/perf/test.h"

static struct ps_sizes s;
static char why[128];

static void
imix(void **state)
{
	uint32_t count[3] = {0}, i, run = 0, longest = 0;

	assert_int_equal(ps_sizes_parse(&s, "imix", 64, why, sizeof(why)), 0);
	assert_int_equal(s.steps, 12);
	for (i = 0; i < 2 * s.steps; i++) {
		uint32_t size = s.schedule[i % s.steps];

		if (i < s.steps)
			count[size]++;
		run = size == 0 ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	assert_int_equal(count[0], 7);
	assert_int_equal(count[1], 4);
	assert_int_equal(count[2], 1);
	assert_true(longest <= 2); /* spread, not in blocks */
	assert_true(fabs(ps_sizes_mean(&s) - (64 * 7 + 594 * 4 + 1518) / 12.0) < 1e-9);
}

static void
weights_are_reduced(void **state)
{
	assert_int_equal(ps_sizes_parse(&s, "128:500000,256:1000000", 64, why, sizeof(why)), 0);
	assert_int_equal(s.steps, 3);
	assert_int_equal(s.weight[1], 2);
}

static void
small_ones_are_raised(void **state)
{
	assert_int_equal(ps_sizes_parse(&s, "64:7,594:4,1518:1", 82, why, sizeof(why)), 0);
	assert_int_equal(s.raised, 1);
	assert_int_equal(s.size[0], 82);
	assert_int_equal(s.size[1], 594);
}

static void
nonsense_is_refused(void **state)
{
	const char *texts[] = {"", "63", "9019", "64:", "64:0", "64:x", "64,", "64;65", "64:1 ", "-64", "64:4096,65:4095",
		"64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64,64"};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		why[0] = '\0';
		assert_int_equal(ps_sizes_parse(&s, texts[i], 64, why, sizeof(why)), -EINVAL);
		assert_true(why[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(imix),
		cmocka_unit_test(weights_are_reduced),
		cmocka_unit_test(small_ones_are_raised),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

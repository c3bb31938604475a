/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "perf/loadgen/range.h"
#include "tests/unit/perf/test.h"

static void
addresses(void **state)
{
	static const struct {
		const char *text;
		uint32_t count; /* 0: refused */
		const char *shown;
	} rows[] = {
		{"10.0.0.1", 1, "10.0.0.1"},
		{"10.0.0.1-10.0.0.9", 9, "10.0.0.1-10.0.0.9"},
		{"10.0.0.0/24", 254, "10.0.0.1-10.0.0.254"},
		{"10.0.0.0/31", 2, "10.0.0.0-10.0.0.1"},
		{"10.0.0.7/32", 1, "10.0.0.7"},
		{"2001:db8::/112", 65536, "2001:db8::-2001:db8::ffff"},
		{"2001:db8::1-2001:db8::10", 16, "2001:db8::1-2001:db8::10"},
		{"10.0.0.1/24", 0, NULL},
		{"10.0.0.9-10.0.0.1", 0, NULL},
		{"10.0.0.1-2001:db8::1", 0, NULL},
		{"2001:db8::/64", 0, NULL},
		{"0.0.0.0/0", 0, NULL},
		{"::ffff:10.0.0.1", 0, NULL},
		{"10.0.0", 0, NULL},
		{"10.0.0.1-", 0, NULL},
		{"", 0, NULL},
	};
	struct ps_addr_range range;
	char text[2 * INET6_ADDRSTRLEN];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc = ps_addr_range_parse(rows[i].text, &range);

		if (rows[i].count == 0) {
			assert_int_equal(rc, -EINVAL);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_int_equal(range.count, rows[i].count);
		assert_string_equal(ps_addr_range_format(&range, text, sizeof(text)), rows[i].shown);
	}
}

static void
membership(void **state)
{
	struct ps_addr_range range, one;

	assert_int_equal(ps_addr_range_parse("10.0.0.250-10.0.1.5", &range), 0);
	assert_int_equal(ps_addr_range_parse("10.0.1.5", &one), 0);
	assert_true(ps_addr_range_contains(&range, &one.first));
	assert_int_equal(ps_addr_range_parse("10.0.1.6", &one), 0);
	assert_false(ps_addr_range_contains(&range, &one.first));
	assert_int_equal(ps_addr_range_parse("10.0.0.249", &one), 0);
	assert_false(ps_addr_range_contains(&range, &one.first));
	assert_int_equal(ps_addr_range_parse("2001:db8::a00:1ff", &one), 0);
	assert_false(ps_addr_range_contains(&range, &one.first));
}

static void
ports(void **state)
{
	struct ps_port_range range;

	assert_int_equal(ps_port_range_parse("80", &range), 0);
	assert_int_equal(range.count, 1);
	assert_int_equal(ps_port_range_parse("1024-65535", &range), 0);
	assert_int_equal(range.first, 1024);
	assert_int_equal(range.count, 64512);
	assert_int_equal(ps_port_range_parse("0", &range), -EINVAL);
	assert_int_equal(ps_port_range_parse("65536", &range), -EINVAL);
	assert_int_equal(ps_port_range_parse("9-8", &range), -EINVAL);
	assert_int_equal(ps_port_range_parse("9-", &range), -EINVAL);
	assert_int_equal(ps_port_range_parse("9x", &range), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),
		cmocka_unit_test(membership),
		cmocka_unit_test(ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

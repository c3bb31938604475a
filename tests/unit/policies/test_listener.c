/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "policies/listener/build.h"
#include "policies/listener/lookup.h"

static struct ps_addr
v4(const char *text)
{
	struct in_addr a;

	assert_int_equal(inet_pton(AF_INET, text, &a), 1);
	return ps_addr_from_v4(a.s_addr);
}

static struct ps_addr
v6(const char *text)
{
	struct ps_addr a;

	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static void
every_listener_is_found(void **state)
{
	enum { N = 5000 };
	struct ps_listener *l = calloc(N, sizeof(*l));
	uint32_t cells = ps_listener_index_cells(N), *index = calloc(cells, sizeof(*index)), i;
	struct ps_addr stranger = v6("2001:db8::1");

	assert_true(cells >= 2 * N && (cells & (cells - 1)) == 0);
	for (i = 0; i < N; i++) {
		l[i].addr = i & 1 ? v6("2001:db8::") : ps_addr_from_v4(htonl(0x0a000000 + i / 4));
		if (i & 1)
			l[i].addr.b[15] = (uint8_t)(i / 512), l[i].addr.b[14] = (uint8_t)(i / 4);
		l[i].port = htons((uint16_t)(80 + (i & 2)));
		l[i].proto = i & 2 ? IPPROTO_UDP : IPPROTO_TCP;
		l[i].addr.b[13] ^= (uint8_t)(i / 1024);
	}
	assert_int_equal(ps_listener_index_build(index, cells, l, N, NULL), 0);
	assert_true(ps_listener_index_valid(index, cells, N));
	assert_false(ps_listener_index_valid(index, cells, N - 1));
	assert_false(ps_listener_index_valid(index, cells - 1, N));
	for (i = 0; i < N; i++) {
		assert_int_equal(ps_listener_find(l, index, cells - 1, &l[i].addr, l[i].port, l[i].proto), i);
		assert_int_equal(
			ps_listener_find(l, index, cells - 1, &l[i].addr, l[i].port, IPPROTO_SCTP), PS_NONE);
		if (ps_addr_is_v4(&l[i].addr))
			assert_int_equal(ps_listener_find4(l, index, cells - 1, ps_addr_v4(&l[i].addr),
						 l[i].port, l[i].proto),
				i);
	}
	assert_int_equal(ps_listener_find(l, index, cells - 1, &stranger, htons(443), IPPROTO_TCP), PS_NONE);
	free(index);
	free(l);
}

static void
duplicates_are_named(void **state)
{
	struct ps_listener l[3] = {
		{.addr = v4("10.0.0.1"), .port = htons(80), .proto = IPPROTO_TCP},
		{.addr = v4("10.0.0.1"), .port = htons(80), .proto = IPPROTO_UDP},
		{.addr = v4("10.0.0.1"), .port = htons(80), .proto = IPPROTO_TCP},
	};
	uint32_t index[8], duplicate = 0;

	assert_int_equal(ps_listener_index_cells(3), 8);
	assert_int_equal(ps_listener_index_build(index, 8, l, 3, &duplicate), -EEXIST);
	assert_int_equal(duplicate, 2);
	assert_int_equal(ps_listener_index_build(index, 8, l, 2, &duplicate), 0);
}

static void
no_listener_and_hostile_index(void **state)
{
	struct ps_listener l = {.addr = v4("10.0.0.1"), .port = htons(80), .proto = IPPROTO_TCP};
	struct ps_addr other = v4("10.0.0.2");
	uint32_t index[2], full[4] = {0, 0, 0, 0};

	assert_int_equal(ps_listener_index_build(index, 2, NULL, 0, NULL), 0);
	assert_int_equal(ps_listener_find(NULL, index, 1, &l.addr, l.port, l.proto), PS_NONE);
	/* No empty cell: the search still ends. */
	assert_int_equal(ps_listener_find(&l, full, 3, &other, l.port, l.proto), PS_NONE);
}

static void
ranges(void **state)
{
	struct ps_addr a = v4("10.0.0.0"), b = v4("10.0.1.0"), c = v4("192.168.7.7"), d = v6("2001:db8::"), zero = v4("0.0.0.0");
	struct ps_range r[6] = {ps_range_of_prefix(&c, 32), ps_range_of_prefix(&b, 24), ps_range_of_prefix(&d, 33),
		ps_range_of_prefix(&a, 24), ps_range_of_prefix(&a, 28), ps_range_of_prefix(&c, 31)};
	struct ps_range all = ps_range_of_prefix(&zero, 0);
	struct ps_listener l = {.first_range = 0};
	struct ps_addr probe;
	uint32_t n;

	n = ps_ranges_normalize(r, 6);
	assert_int_equal(n, 3); /* 10.0.0.0/23 joined, 192.168.7.6/31, v6 */
	probe = v4("10.0.0.0"), assert_true(ps_ranges_hold(r, n, &probe));
	probe = v4("10.0.1.255"), assert_true(ps_ranges_hold(r, n, &probe));
	probe = v4("10.0.2.0"), assert_false(ps_ranges_hold(r, n, &probe));
	probe = v4("9.255.255.255"), assert_false(ps_ranges_hold(r, n, &probe));
	probe = v4("192.168.7.6"), assert_true(ps_ranges_hold(r, n, &probe));
	probe = v4("192.168.7.8"), assert_false(ps_ranges_hold(r, n, &probe));
	probe = v6("2001:db8:7fff::1"), assert_true(ps_ranges_hold(r, n, &probe));
	probe = v6("2001:db8:8000::"), assert_false(ps_ranges_hold(r, n, &probe));
	assert_false(ps_ranges_hold(r, 0, &probe));
	assert_true(ps_listener_admits(&l, r, &probe));
	l.ranges = n;
	assert_false(ps_listener_admits(&l, r, &probe));
	probe = v4("255.255.255.255"), assert_true(ps_ranges_hold(&all, 1, &probe));
	probe = v6("::1"), assert_false(ps_ranges_hold(&all, 1, &probe));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_listener_is_found),
		cmocka_unit_test(duplicates_are_named),
		cmocka_unit_test(no_listener_and_hostile_index),
		cmocka_unit_test(ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

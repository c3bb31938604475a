/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "dataplane/flow/snat.h"

static const struct ps_addr backend = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 9}};

static struct ps_snat_address
address(uint8_t last, uint16_t first_port, uint16_t last_port)
{
	struct ps_snat_address a = {.port_first = first_port, .port_last = last_port, .slot = last};

	a.addr = (struct ps_addr){{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 2, [15] = last}};
	return a;
}

static struct ps_snat *
make(uint32_t worker, uint32_t workers, uint32_t groups, const struct ps_snat_address *a, uint32_t n)
{
	struct ps_snat *s;

	assert_int_equal(ps_snat_new(&s, worker, workers, groups, 64, 77), 0);
	assert_int_equal(ps_snat_configure(s, a, n), 0);
	return s;
}

static uint64_t
tuple(uint16_t port)
{
	return ps_snat_tuple(&backend, port, 6);
}

/* Each port once, only this worker's, then exhaustion; given back, the longest free comes first. */
static void
test_order(void **state)
{
	struct ps_snat_address a = address(1, 1280, 1679);
	struct ps_snat *s = make(1, 4, 2, &a, 1);
	struct ps_snat_port p[101];
	bool seen[65536] = {false};
	uint32_t i, k;

	for (i = 0; i < 100; i++) {
		uint32_t port;

		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p[i]), 0);
		port = __builtin_bswap16(p[i].port);
		assert_in_range(port, 1280, 1679);
		assert_int_equal(port % 4, 1);
		assert_int_equal(ps_snat_owner(p[i].port, 4), 1);
		assert_false(seen[port]);
		seen[port] = true;
		assert_true(ps_addr_equal(&p[i].addr, &a.addr));
	}
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p[100]), -ENOSPC);
	assert_int_equal(ps_snat_in_use(s), 100);
	for (i = 0; i < 100; i++) {
		k = (i * 37) % 100;
		assert_true(ps_snat_give(s, &p[k].addr, p[k].port, tuple(1)));
		assert_false(ps_snat_give(s, &p[k].addr, p[k].port, tuple(1)));
	}
	assert_int_equal(ps_snat_in_use(s), 0);
	for (i = 0; i < 100; i++) {
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p[100]), 0);
		assert_int_equal(p[100].port, p[(i * 37) % 100].port);
	}
	ps_snat_free(s);
}

/* A million flows over sixteen backends fit one address. */
static void
test_million(void **state)
{
	struct ps_snat_address a = address(1, 1280, 65535);
	struct ps_snat *s = make(0, 1, 16, &a, 1);
	struct ps_snat_port p;
	uint32_t i, k;

	for (i = 0; i < 64256; i++)
		for (k = 0; k < 16; k++)
			assert_int_equal(ps_snat_take(s, &a, 1, false, tuple((uint16_t)k), NULL, NULL, &p), 0);
	assert_int_equal(ps_snat_in_use(s), 64256u * 16u);
	for (k = 0; k < 17; k++)
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple((uint16_t)k), NULL, NULL, &p), -ENOSPC);
	ps_snat_free(s);
}

/* More tuples than groups: sharers join the emptiest group and never get a port twice. */
static void
test_sharing(void **state)
{
	struct ps_snat_address a = address(1, 2000, 2099);
	struct ps_snat *s = make(0, 1, 2, &a, 1);
	struct ps_snat_port p;
	uint32_t i;

	for (i = 0; i < 90; i++)
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p), 0);
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(2), NULL, NULL, &p), 0);
	for (i = 0; i < 99; i++)
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(3), NULL, NULL, &p), 0);
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(2), NULL, NULL, &p), -ENOSPC);
	for (i = 0; i < 10; i++)
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p), 0);
	ps_snat_free(s);
}

/* Addresses take turns; a full one is passed over; the other family is left alone. */
static void
test_addresses(void **state)
{
	struct ps_snat_address a[3] = {address(1, 2000, 2001), address(2, 2000, 2009), address(3, 2000, 2001)};
	uint32_t count[4] = {0}, i;
	struct ps_snat_port p;
	struct ps_snat *s;

	memset(a[2].addr.b, 0, 16);
	a[2].addr.b[0] = 0xfd;
	s = make(0, 1, 4, a, 3);
	for (i = 0; i < 12; i++) {
		assert_int_equal(ps_snat_take(s, a, 3, false, tuple(1), NULL, NULL, &p), 0);
		count[p.addr.b[15]]++;
	}
	assert_int_equal(count[1], 2);
	assert_int_equal(count[2], 10);
	assert_int_equal(ps_snat_take(s, a, 3, false, tuple(1), NULL, NULL, &p), -ENOSPC);
	assert_int_equal(ps_snat_take(s, a, 3, true, tuple(1), NULL, NULL, &p), 0);
	assert_int_equal(p.addr.b[0], 0xfd);
	ps_snat_free(s);
}

/* Pools change while flows live: they keep their ports, and what they give back is not handed out outside the new range. */
static void
test_reconfigure(void **state)
{
	struct ps_snat_address a = address(1, 2000, 2009), b = address(2, 3000, 3009);
	struct ps_snat *s = make(0, 1, 2, &a, 1);
	struct ps_snat_port p[10], q;
	bool seen[65536] = {false};
	uint32_t i;

	for (i = 0; i < 10; i++)
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p[i]), 0);
	a.port_first = 2005;
	a.port_last = 2014;
	assert_int_equal(ps_snat_configure(s, &a, 1), 0);
	ps_snat_reclaim(s);
	for (i = 0; i < 5; i++) {
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &q), 0);
		assert_in_range(__builtin_bswap16(q.port), 2010, 2014);
	}
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &q), -ENOSPC);
	for (i = 0; i < 10; i++)
		assert_true(ps_snat_give(s, &p[i].addr, p[i].port, tuple(1)));
	for (i = 0; i < 5; i++) {
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &q), 0);
		assert_in_range(__builtin_bswap16(q.port), 2005, 2009);
		assert_false(seen[q.port]);
		seen[q.port] = true;
	}
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &q), -ENOSPC);
	/* Another address altogether: the old one's ports still come home, then it goes. */
	assert_int_equal(ps_snat_configure(s, &b, 1), 0);
	ps_snat_reclaim(s);
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p[0]), -ENOSPC);
	assert_int_equal(ps_snat_take(s, &b, 1, false, tuple(1), NULL, NULL, &p[0]), 0);
	assert_int_equal(ps_snat_in_use(s), 11);
	assert_true(ps_snat_give(s, &q.addr, q.port, tuple(1)));
	assert_int_equal(ps_snat_in_use(s), 10);
	ps_snat_free(s);
}

static bool
only_even_tens(void *arg, const struct ps_snat_port *p)
{
	uint32_t *asked = arg;

	++*asked;
	return __builtin_bswap16(p->port) / 10 % 2 == 0;
}

static bool
never(void *arg, const struct ps_snat_port *p)
{
	return false;
}

static void
test_fits(void **state)
{
	struct ps_snat_address a = address(1, 2000, 2999);
	struct ps_snat *s = make(0, 1, 1, &a, 1);
	struct ps_snat_port p;
	uint32_t i, asked = 0, fitting = 0;

	for (i = 0; i < 400; i++) {
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), only_even_tens, &asked, &p), 0);
		fitting += __builtin_bswap16(p.port) / 10 % 2 == 0;
	}
	assert_true(fitting >= 390);
	/* Nothing fits: it takes one all the same, after bounded looking, and loses none. */
	for (i = 0; i < 600; i++)
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), never, NULL, &p), 0);
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), never, NULL, &p), -ENOSPC);
	assert_int_equal(ps_snat_in_use(s), 1000);
	ps_snat_free(s);
}

static void
test_restore(void **state)
{
	struct ps_snat_address a = address(1, 2000, 2009), other = address(2, 1, 2);
	struct ps_snat *s = make(0, 2, 1, &a, 1);
	struct ps_snat_port p;
	uint32_t i;

	assert_int_equal(ps_snat_restore(s, &a.addr, __builtin_bswap16(2004), tuple(1)), 0);
	assert_int_equal(ps_snat_restore(s, &a.addr, __builtin_bswap16(2004), tuple(2)), -EEXIST);
	assert_int_equal(ps_snat_restore(s, &a.addr, __builtin_bswap16(2005), tuple(1)), -EINVAL);
	assert_int_equal(ps_snat_restore(s, &other.addr, __builtin_bswap16(2006), tuple(1)), -ENOENT);
	for (i = 0; i < 4; i++) {
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p), 0);
		assert_int_not_equal(__builtin_bswap16(p.port), 2004);
	}
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p), -ENOSPC);
	assert_true(ps_snat_give(s, &a.addr, __builtin_bswap16(2004), tuple(1)));
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(1), NULL, NULL, &p), 0);
	ps_snat_free(s);
}

/* Endpoints come and go: tuples without ports in use make room for new ones. */
static void
test_many_tuples(void **state)
{
	struct ps_snat_address a = address(1, 2000, 65535);
	struct ps_snat *s = make(0, 1, 4, &a, 1);
	struct ps_snat_port p, kept;
	uint32_t i;

	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(60000), NULL, NULL, &kept), 0);
	for (i = 0; i < 5000; i++) {
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple((uint16_t)i), NULL, NULL, &p), 0);
		assert_true(ps_snat_give(s, &p.addr, p.port, tuple((uint16_t)i)));
	}
	assert_true(ps_snat_give(s, &kept.addr, kept.port, tuple(60000)));
	for (i = 0; i < 64; i++)
		assert_int_equal(ps_snat_take(s, &a, 1, false, tuple((uint16_t)i), NULL, NULL, &p), 0);
	assert_int_equal(ps_snat_take(s, &a, 1, false, tuple(100), NULL, NULL, &p), -ENOMEM);
	ps_snat_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),       cmocka_unit_test(test_million),     cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_addresses),   cmocka_unit_test(test_reconfigure), cmocka_unit_test(test_fits),
		cmocka_unit_test(test_restore),     cmocka_unit_test(test_many_tuples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

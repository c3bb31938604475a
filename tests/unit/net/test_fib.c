/* SPDX-License-Identifier: Apache-2.0 */
/* The FIB against a list that is searched from end to end. */
#include <stdlib.h>

#include "dataplane/net/fib_build.h"
#include "tests/unit/net/wire.h"

#define PREFIXES 3000u
#define LOOKUPS 200000u

static struct ps_adjacency adjacency[PREFIXES + 64];
static struct ps_fib_entry entries[PREFIXES], copy[PREFIXES];
static uint32_t seed = 12345;

static uint32_t
rnd(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static struct ps_addr
random_addr(bool v6)
{
	struct ps_addr a = {0};

	/* few distinct high bytes, so that prefixes nest */
	if (!v6) {
		uint8_t b[4] = {(uint8_t)(10 + rnd() % 3), (uint8_t)(rnd() % 4), (uint8_t)rnd(), (uint8_t)rnd()};
		uint32_t v4;

		memcpy(&v4, b, 4);
		return ps_addr_from_v4(v4);
	}
	a.b[0] = 0x20;
	a.b[1] = 0x01;
	for (int i = 2; i < 16; i++)
		a.b[i] = (uint8_t)(rnd() % (i < 8 ? 3 : 256));
	return a;
}

static bool
in_prefix(const struct ps_fib_entry *e, const struct ps_addr *a)
{
	uint32_t bits = e->length + (e->v6 ? 0 : 96), i;

	if (e->v6 == ps_addr_is_v4(a))
		return false;
	for (i = 0; i < bits; i++)
		if (((e->prefix.b[i / 8] ^ a->b[i / 8]) >> (7 - i % 8)) & 1)
			return false;
	return true;
}

static uint16_t
reference(const struct ps_addr *a)
{
	int best = -1;
	uint16_t found = 0;

	for (uint32_t i = 0; i < PREFIXES; i++) {
		if ((int)copy[i].length > best && in_prefix(&copy[i], a)) {
			best = copy[i].length;
			found = copy[i].adjacency;
		}
	}
	return found;
}

static uint16_t
lookup(const struct ps_fib *fib, const struct ps_addr *a)
{
	return ps_addr_is_v4(a) ? ps_fib_lookup4(fib, ps_addr_v4(a)) : ps_fib_lookup6(fib, a->b);
}

static void
like_the_reference(void **state)
{
	struct ps_hosts *hosts = ps_hosts_new(adjacency, 16);
	uint16_t glean[1] = {0};
	struct ps_fib *fib;
	uint32_t i, hits = 0;

	for (i = 0; i < PREFIXES; i++) {
		bool v6 = i % 2;

		entries[i] = (struct ps_fib_entry){.v6 = v6, .adjacency = (uint16_t)(i + 1)};
		entries[i].length = (uint8_t)(rnd() % (v6 ? 129 : 33));
		entries[i].prefix = random_addr(v6);
		for (uint32_t b = entries[i].length + (v6 ? 0 : 96); b < 128; b++)
			entries[i].prefix.b[b / 8] &= (uint8_t)~(0x80 >> (b % 8));
		adjacency[i + 1].state = PS_ADJ_RESOLVED;
	}
	memcpy(copy, entries, sizeof(copy));
	assert_int_equal(ps_fib_build(&fib, entries, PREFIXES, adjacency, hosts, glean, 1), 0);
	for (i = 0; i < LOOKUPS / 10; i++) {
		struct ps_addr a = random_addr(i % 2);

		/* half of them at the edge of a prefix */
		if (i % 4 < 2) {
			a = copy[rnd() % PREFIXES].prefix;
			if (rnd() % 2)
				a.b[15] ^= (uint8_t)(1u << rnd() % 8);
		}
		assert_int_equal(lookup(fib, &a), reference(&a));
		hits += lookup(fib, &a) != 0;
	}
	assert_true(hits > LOOKUPS / 40);
	ps_fib_free(fib);
	ps_hosts_free(hosts);
}

static void
empty_and_wrong(void **state)
{
	struct ps_hosts *hosts = ps_hosts_new(adjacency, 16);
	struct ps_fib_entry bad = {.length = 33};
	struct ps_addr a = addr("10.0.0.1"), a6 = addr("2001:db8::1");
	struct ps_fib *fib;

	assert_int_equal(ps_fib_build(&fib, NULL, 0, adjacency, hosts, NULL, 0), 0);
	assert_int_equal(lookup(fib, &a), 0);
	assert_int_equal(lookup(fib, &a6), 0);
	assert_int_equal(ps_fib_link(fib, 0, &a6), 0);
	ps_fib_free(fib);
	assert_int_equal(ps_fib_build(&fib, &bad, 1, adjacency, hosts, NULL, 0), -22);
	ps_hosts_free(hosts);
}

static void
hosts_come_and_go(void **state)
{
	struct ps_hosts *hosts;
	struct ps_fib_entry e = {.prefix = addr("10.0.0.0"), .length = 8, .adjacency = 1};
	struct ps_addr a = addr("10.0.0.5"), other = addr("10.0.0.6"), link = addr("fe80::5");
	uint16_t glean[1] = {1}, i, round;
	struct ps_fib *fib;

	memset(adjacency, 0, sizeof(adjacency));
	hosts = ps_hosts_new(adjacency, 48);
	adjacency[1] = (struct ps_adjacency){.state = PS_ADJ_GLEAN, .port = 2, .vlan = 7};
	adjacency[2] = (struct ps_adjacency){.state = PS_ADJ_RESOLVED, .port = 2, .vlan = 7, .next_hop = a};
	adjacency[3] = (struct ps_adjacency){.state = PS_ADJ_RESOLVED, .port = 2, .vlan = 8, .next_hop = other};
	adjacency[4] = (struct ps_adjacency){.state = PS_ADJ_RESOLVED, .port = 2, .vlan = 7, .next_hop = link};
	assert_int_equal(ps_fib_build(&fib, &e, 1, adjacency, hosts, glean, 1), 0);
	assert_int_equal(lookup(fib, &a), 1);
	assert_int_equal(ps_hosts_add(hosts, 2), 0);
	assert_int_equal(ps_hosts_add(hosts, 3), 0); /* another VLAN: not this host */
	assert_int_equal(ps_hosts_add(hosts, 4), 0);
	assert_int_equal(lookup(fib, &a), 2);
	assert_int_equal(lookup(fib, &other), 1);
	assert_int_equal(ps_fib_link(fib, 0, &link), 4);
	ps_hosts_remove(hosts, 2);
	assert_int_equal(lookup(fib, &a), 1);
	ps_hosts_remove(hosts, 3);
	ps_hosts_remove(hosts, 4);
	/* any number of rounds leaves the hash as it was */
	for (i = 10; i < 58; i++) {
		adjacency[i] = (struct ps_adjacency){.state = PS_ADJ_RESOLVED, .port = 2, .vlan = 7, .next_hop = a};
		adjacency[i].next_hop.b[14] = (uint8_t)i;
	}
	for (round = 0; round < 200; round++) {
		for (i = 10; i < 58; i++)
			assert_int_equal(ps_hosts_add(hosts, i), 0);
		for (i = 10; i < 58; i++)
			assert_int_equal(lookup(fib, &adjacency[i].next_hop), i);
		for (i = 10; i < 58; i++)
			ps_hosts_remove(hosts, (uint16_t)(round % 2 ? i : 67 - i));
		assert_int_equal(lookup(fib, &adjacency[20].next_hop), 1);
	}
	ps_fib_free(fib);
	ps_hosts_free(hosts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(like_the_reference),
		cmocka_unit_test(empty_and_wrong),
		cmocka_unit_test(hosts_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>

#include "policies/maglev/build.h"
#include "policies/maglev/lookup.h"

#define SEED 0x5eedull

static uint64_t
id_of(uint32_t i)
{
	return ps_mix64(i + 1, PS_DIGEST_K0);
}

static struct ps_maglev_endpoint *
endpoints_new(uint32_t n)
{
	struct ps_maglev_endpoint *e = calloc(n, sizeof(*e));
	uint32_t i;

	for (i = 0; i < n; i++)
		e[i] = (struct ps_maglev_endpoint){id_of(i), 1};
	return e;
}

static uint16_t *
table_new(const struct ps_maglev_endpoint *e, uint32_t n, uint32_t *size)
{
	uint16_t *t;

	*size = ps_maglev_size(e, n);
	t = calloc(*size, sizeof(*t));
	assert_int_equal(ps_maglev_build(t, *size, e, n), 0);
	assert_true(ps_table_validate(t, *size, n));
	return t;
}

static void
size_follows_endpoints(void **state)
{
	struct ps_maglev_endpoint *e = endpoints_new(3000);
	uint32_t n, size, last = 0;

	assert_int_equal(ps_maglev_size(e, 0), 0);
	assert_int_equal(ps_maglev_size(e, 1), 251);
	assert_int_equal(ps_maglev_size(e, 3), 1021);
	for (n = 1; n < 3000; n++) {
		size = ps_maglev_size(e, n);
		assert_true(size >= 100 * n);
		assert_true(size >= last);
		last = size;
	}
	e[0].weight = 99;
	assert_true(ps_maglev_size(e, 2) >= 100 * 100);
	e[0].weight = 1000000;
	assert_int_equal(ps_maglev_size(e, 2), PS_MAGLEV_WEIGHT_SIZE);
	free(e);
}

static void
shares_are_equal(void **state)
{
	static const uint32_t counts[] = {1, 2, 3, 10, 40, 163, 1000};
	uint32_t c, i, size;

	for (c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		uint32_t n = counts[c], *owned = calloc(n, sizeof(*owned));
		struct ps_maglev_endpoint *e = endpoints_new(n);
		uint16_t *t = table_new(e, n, &size);

		for (i = 0; i < size; i++)
			owned[t[i]]++;
		for (i = 0; i < n; i++)
			assert_true(owned[i] == size / n || owned[i] == size / n + 1);
		free(t);
		free(e);
		free(owned);
	}
}

static void
shares_follow_weights(void **state)
{
	static const uint32_t weights[][4] = {{1, 1, 1, 1}, {90, 10, 1, 1}, {1, 2, 3, 4}, {1, 99, 50, 50},
		{7, 1000, 13, 900}, {4000000000u, 100000000u, 80000000u, 4000000000u}};
	uint32_t w, i, size;

	for (w = 0; w < sizeof(weights) / sizeof(weights[0]); w++) {
		struct ps_maglev_endpoint *e = endpoints_new(4);
		uint32_t owned[4] = {0};
		double total = 0;
		uint16_t *t;

		for (i = 0; i < 4; i++) {
			e[i].weight = weights[w][i];
			total += weights[w][i];
		}
		t = table_new(e, 4, &size);
		for (i = 0; i < size; i++)
			owned[t[i]]++;
		for (i = 0; i < 4; i++) {
			double exact = size * (e[i].weight / total);

			/* within one entry, which is one percent of the smallest share */
			assert_true(fabs(owned[i] - exact) <= 1.0 + exact * 0.001);
			assert_true(fabs(owned[i] - exact) / size < 0.01);
		}
		free(t);
		free(e);
	}
}

static void
order_does_not_matter(void **state)
{
	enum { N = 57 };
	struct ps_maglev_endpoint *e = endpoints_new(N), shuffled[N];
	uint32_t i, size, size2;
	uint16_t *a, *b;

	for (i = 0; i < N; i++)
		e[i].weight = 1 + i % 5;
	for (i = 0; i < N; i++)
		shuffled[i] = e[(i * 23 + 11) % N];
	a = table_new(e, N, &size);
	b = table_new(shuffled, N, &size2);
	assert_int_equal(size, size2);
	for (i = 0; i < size; i++)
		assert_int_equal(e[a[i]].id, shuffled[b[i]].id);
	assert_true(ps_maglev_digest(e, N, size) != ps_maglev_digest(shuffled, N, size));
	assert_true(ps_maglev_digest(e, N, size) == ps_maglev_digest(e, N, size));
	assert_true(ps_maglev_digest(e, N, size) != ps_maglev_digest(e, N - 1, size));
	e[5].weight++;
	assert_true(ps_maglev_digest(e, N, size) != ps_maglev_digest(e, N, size + 2));
	free(a);
	free(b);
	free(e);
}

/* Removing one of n moves its 1/n and, of the entries of the others, only some percent. */
static void
removal_disrupts_little(void **state)
{
	static const uint32_t counts[] = {3, 5, 10, 30, 100, 500};
	uint32_t c, i, size, size2;

	for (c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		uint32_t n = counts[c], gone = n / 2, moved = 0, lost = 0;
		struct ps_maglev_endpoint *e = endpoints_new(n), *less = calloc(n, sizeof(*less));
		uint16_t *a, *b;

		memcpy(less, e, gone * sizeof(*e));
		memcpy(less + gone, e + gone + 1, (n - gone - 1) * sizeof(*e));
		a = table_new(e, n, &size);
		size2 = ps_maglev_size(less, n - 1);
		assert_int_equal(size, size2);
		b = table_new(less, n - 1, &size2);
		for (i = 0; i < size; i++) {
			if (a[i] == gone)
				lost++;
			else if (e[a[i]].id != less[b[i]].id)
				moved++;
		}
		assert_true(lost >= size / n && lost <= size / n + 1);
		if ((double)moved / size > 0.07)
			fail_msg("%u endpoints: %u of %u entries of others moved", n, moved, size);
		free(a);
		free(b);
		free(less);
		free(e);
	}
}

static void
bad_arguments_are_refused(void **state)
{
	struct ps_maglev_endpoint e[2] = {{1, 1}, {2, 0}};
	uint16_t t[1021];

	assert_int_equal(ps_maglev_build(t, 1021, e, 0), -EINVAL);
	assert_int_equal(ps_maglev_build(t, 1021, e, 2), -EINVAL);
	assert_int_equal(ps_maglev_build(t, 1020, e, 1), -EINVAL);
	assert_int_equal(ps_maglev_build(t, 251, e, 1), 0);
	t[17] = 1;
	assert_false(ps_table_validate(t, 251, 1));
	assert_true(ps_table_validate(t, 251, 2));
	assert_false(ps_table_validate(t, 0, 2));
}

/* A service of n endpoints with slots 0..n-1, all up. */
struct fixture {
	struct ps_maglev_endpoint *m;
	struct ps_endpoint *e;
	struct ps_state_verdict *v;
	uint16_t *t;
	uint32_t n, size;
};

static struct fixture
fixture_new(uint32_t n)
{
	struct fixture f = {.n = n, .m = endpoints_new(n)};
	uint32_t i;

	f.e = calloc(n, sizeof(*f.e));
	f.v = calloc(n, sizeof(*f.v));
	for (i = 0; i < n; i++) {
		f.e[i] = (struct ps_endpoint){.id = f.m[i].id, .slot = i, .slot_generation = 7, .weight = 1};
		f.v[i].word = PS_CTL(7, 255, PS_CTL_IN_USE);
	}
	f.t = table_new(f.m, n, &f.size);
	return f;
}

static void
fixture_free(struct fixture *f)
{
	free(f->m);
	free(f->e);
	free(f->v);
	free(f->t);
}

static uint32_t
choose(const struct fixture *f, uint16_t flags, uint32_t flow)
{
	return ps_maglev_choose(f->t, f->size, f->e, f->n, f->v, flags,
		ps_flow_hash4(0x0100000a + (flow << 8), 0x0200000a, flow * 7919, 6, SEED));
}

#define FLOWS 40000u

static void
down_moves_only_its_own(void **state)
{
	struct fixture f = fixture_new(10);
	uint32_t *before = calloc(FLOWS, sizeof(*before)), spread[10] = {0}, lost = 0, i;

	for (i = 0; i < FLOWS; i++)
		before[i] = choose(&f, 0, i);
	f.v[3].word |= (uint64_t)PS_HEALTH(7, PS_HEALTH_DOWN | PS_HEALTH_JUDGED) << 32;
	for (i = 0; i < FLOWS; i++) {
		uint32_t now = choose(&f, 0, i);

		assert_int_not_equal(now, 3);
		if (before[i] != 3) {
			assert_int_equal(now, before[i]);
		} else {
			spread[now]++;
			lost++;
		}
	}
	assert_true(lost > FLOWS / 11 && lost < FLOWS / 9);
	for (i = 0; i < 10; i++)
		if (i != 3)
			assert_true(spread[i] > lost / 9 * 7 / 10 && spread[i] < lost / 9 * 13 / 10);
	/* A verdict about another generation of the slot is void. */
	f.v[3].word = PS_CTL(7, 255, PS_CTL_IN_USE) | (uint64_t)PS_HEALTH(6, PS_HEALTH_DOWN) << 32;
	for (i = 0; i < FLOWS; i++)
		assert_int_equal(choose(&f, 0, i), before[i]);
	/* Draining takes no new flow either. */
	f.v[4].word |= PS_CTL_DRAIN;
	for (i = 0; i < FLOWS; i++)
		assert_int_equal(before[i] == 4, choose(&f, 0, i) != before[i]);
	free(before);
	fixture_free(&f);
}

static void
one_left_gets_everything(void **state)
{
	struct fixture f = fixture_new(100);
	uint32_t i;

	for (i = 0; i < 100; i++)
		if (i != 42)
			f.v[i].word |= (uint64_t)PS_HEALTH(7, PS_HEALTH_DOWN) << 32;
	for (i = 0; i < 1000; i++)
		assert_int_equal(choose(&f, 0, i), 42);
	fixture_free(&f);
}

static void
all_down(void **state)
{
	struct fixture f = fixture_new(5);
	uint32_t first[1000], i;

	for (i = 0; i < 1000; i++)
		first[i] = choose(&f, 0, i);
	for (i = 0; i < 5; i++)
		f.v[i].word |= (uint64_t)PS_HEALTH(7, PS_HEALTH_DOWN) << 32;
	for (i = 0; i < 1000; i++) {
		assert_int_equal(choose(&f, 0, i), PS_NONE);
		assert_int_equal(choose(&f, PS_SERVICE_F_ALL_DOWN_OPEN, i), first[i]);
	}
	/* Open means judged down, not taken out by the operator. */
	f.v[2].word |= PS_CTL_DRAIN;
	for (i = 0; i < 1000; i++)
		assert_int_not_equal(choose(&f, PS_SERVICE_F_ALL_DOWN_OPEN, i), 2);
	for (i = 0; i < 5; i++)
		f.v[i].word = 0;
	assert_int_equal(choose(&f, PS_SERVICE_F_ALL_DOWN_OPEN, 0), PS_NONE);
	assert_int_equal(ps_maglev_choose(f.t, 0, f.e, 5, f.v, 0, 1), PS_NONE);
	assert_int_equal(ps_maglev_choose(f.t, f.size, f.e, 0, f.v, 0, 1), PS_NONE);
	fixture_free(&f);
}

static void
scale_lets_a_share_in(void **state)
{
	struct fixture f = fixture_new(4);
	uint32_t got = 0, i, *before = calloc(FLOWS, sizeof(*before));

	for (i = 0; i < FLOWS; i++)
		before[i] = choose(&f, 0, i);
	f.v[1].word = PS_CTL(7, 51, PS_CTL_IN_USE); /* a fifth */
	for (i = 0; i < FLOWS; i++) {
		uint32_t now = choose(&f, 0, i);

		if (before[i] != 1)
			assert_int_equal(now, before[i]);
		got += before[i] == 1 && now == 1;
	}
	/* A fifth of its quarter; a few of the others come back by chance of the second pick. */
	assert_true(got > FLOWS / 4 / 5 * 9 / 10 && got < FLOWS / 4 / 5 * 3 / 2);
	f.v[1].word = PS_CTL(7, 0, PS_CTL_IN_USE);
	for (i = 0; i < FLOWS; i++)
		assert_int_not_equal(choose(&f, 0, i), 1);
	/* When all are scaled back, nobody is refused for it; and 0 still means 0. */
	for (i = 0; i < 4; i++)
		f.v[i].word = PS_CTL(7, i == 1 ? 0 : 1, PS_CTL_IN_USE);
	for (i = 0; i < FLOWS; i++) {
		assert_int_not_equal(choose(&f, 0, i), PS_NONE);
		assert_int_not_equal(choose(&f, 0, i), 1);
	}
	free(before);
	fixture_free(&f);
}

static void
reject_keeps_its_share(void **state)
{
	struct fixture f = fixture_new(2);
	uint32_t refused = 0, i;

	f.e[1].slot = PS_NONE;
	f.e[1].flags = PS_ENDPOINT_F_REJECT;
	for (i = 0; i < FLOWS; i++)
		refused += choose(&f, 0, i) == 1;
	assert_true(refused > FLOWS * 48 / 100 && refused < FLOWS * 52 / 100);
	f.e[1].flags = 0;
	for (i = 0; i < 100; i++)
		assert_int_equal(choose(&f, 0, i), 0);
	fixture_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_follows_endpoints),
		cmocka_unit_test(shares_are_equal),
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(removal_disrupts_little),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(down_moves_only_its_own),
		cmocka_unit_test(one_left_gets_everything),
		cmocka_unit_test(all_down),
		cmocka_unit_test(scale_lets_a_share_in),
		cmocka_unit_test(reject_keeps_its_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

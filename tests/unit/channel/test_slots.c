/* SPDX-License-Identifier: Apache-2.0 */
/* Slots: stable through rounds and restarts, drained, killed, freed with a new generation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "control/channel/slot_file.h"
#include "control/channel/slots.h"
#include "tests/unit/channel/temporary.h"

#define S 1000000000ull

static char why[256];

static struct ps_slots *
open_slots(const char *dir, uint32_t endpoints, uint32_t services)
{
	struct ps_slots *s;

	if (ps_slots_open(&s, dir, endpoints, services, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	return s;
}

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * S + (uint64_t)ts.tv_nsec;
}

static uint32_t
name_it(struct ps_slots *s, uint64_t id, uint64_t service, uint16_t *generation)
{
	struct ps_slot_endpoint e = {.id = id, .service_id = service, .drain_s = 10, .port = 80, .proto = 6, .name = "default/pod"};
	uint32_t slot;

	assert_int_equal(ps_slots_endpoint(s, &e, &slot, generation), 0);
	return slot;
}

static uint32_t
flags_of(const struct ps_slots *s, uint32_t slot)
{
	struct ps_slot_info info;

	assert_int_equal(ps_slots_info(s, slot, &info), 0);
	return PS_CTL_FLAGS(info.control);
}

static void
stable_over_rounds_and_restarts(void **state)
{
	char *dir = temporary_new();
	struct ps_slots *s = open_slots(dir, 64, 16);
	uint32_t slot[5], service, i;
	uint16_t generation[5], again;

	ps_slots_begin(s);
	assert_int_equal(ps_slots_service(s, 77, "default/web:80", &service), 0);
	for (i = 0; i < 5; i++)
		slot[i] = name_it(s, 100 + i, 77, &generation[i]);
	ps_slots_commit(s, now());
	ps_slots_set_generation(s, 42);
	ps_slots_close(s);

	s = open_slots(dir, 64, 16);
	assert_int_equal(ps_slots_generation(s), 42);
	ps_slots_begin(s);
	for (i = 5; i-- > 0;) {
		assert_int_equal(name_it(s, 100 + i, 77, &again), slot[i]);
		assert_int_equal(again, generation[i]);
		assert_true(again != 0);
	}
	assert_int_equal(ps_slots_find_service(s, 77), service);
	assert_string_equal(ps_slots_service_name(s, service), "default/web:80");
	ps_slots_close(s);
	temporary_free(dir);
}

static void
removed_drains_then_dies_then_frees(void **state)
{
	char *dir = temporary_new();
	struct ps_slots *s = open_slots(dir, 4, 4);
	uint64_t t = now();
	struct ps_slot_info info;
	uint16_t g1, g2;
	uint32_t a, b;

	ps_slots_begin(s);
	a = name_it(s, 1, 9, &g1);
	b = name_it(s, 2, 9, &g2);
	ps_slots_commit(s, t);
	ps_slots_begin(s);
	ps_slots_keep_endpoint(s, b);
	ps_slots_commit(s, t);
	assert_int_equal(flags_of(s, a), PS_CTL_IN_USE | PS_CTL_DRAIN);
	assert_int_equal(flags_of(s, b), PS_CTL_IN_USE);
	ps_slots_tick(s, t + 9 * S);
	assert_int_equal(flags_of(s, a), PS_CTL_IN_USE | PS_CTL_DRAIN);
	ps_slots_tick(s, t + 10 * S);
	assert_int_equal(flags_of(s, a), PS_CTL_IN_USE | PS_CTL_DRAIN | PS_CTL_KILL);
	ps_slots_tick(s, t + 29 * S);
	assert_int_equal(ps_slots_info(s, a, &info), 0);
	ps_slots_tick(s, t + (10 + PS_SLOT_GRACE_S) * S);
	assert_int_equal(ps_slots_info(s, a, &info), -ENOENT);
	assert_int_equal(ps_slots_find_endpoint(s, 1), PS_NONE);

	/* Free slots are given out oldest first; this one comes last, and with another generation. */
	ps_slots_begin(s);
	assert_int_not_equal(name_it(s, 3, 9, &g2), a);
	assert_int_not_equal(name_it(s, 4, 9, &g2), a);
	assert_int_equal(name_it(s, 5, 9, &g2), a);
	assert_int_equal(g2, g1 + 1);
	{
		struct ps_slot_endpoint e = {.id = 6, .service_id = 9, .name = ""};

		assert_int_equal(ps_slots_endpoint(s, &e, &a, &g2), -ENOSPC);
	}
	ps_slots_close(s);
	temporary_free(dir);
}

static void
comes_back(void **state)
{
	char *dir = temporary_new();
	struct ps_slots *s = open_slots(dir, 8, 4);
	uint64_t t = now();
	uint16_t g1, g2;
	uint32_t a;

	ps_slots_begin(s);
	a = name_it(s, 1, 9, &g1);
	ps_slots_commit(s, t);
	ps_slots_begin(s);
	ps_slots_commit(s, t);
	ps_slots_tick(s, t + 11 * S);
	assert_true(flags_of(s, a) & PS_CTL_KILL);
	ps_slots_begin(s);
	assert_int_equal(name_it(s, 1, 9, &g2), a);
	assert_int_equal(g1, g2);
	assert_int_equal(flags_of(s, a), PS_CTL_IN_USE);
	ps_slots_commit(s, t + 12 * S);
	ps_slots_tick(s, t + 1000 * S);
	assert_int_equal(flags_of(s, a), PS_CTL_IN_USE);
	ps_slots_close(s);
	temporary_free(dir);
}

static void
removed_while_we_were_down(void **state)
{
	char *dir = temporary_new();
	struct ps_slots *s = open_slots(dir, 8, 4);
	uint64_t t = now();
	uint16_t g;
	uint32_t a, b;

	ps_slots_begin(s);
	a = name_it(s, 1, 9, &g);
	b = name_it(s, 2, 9, &g);
	ps_slots_commit(s, t);
	ps_slots_close(s);
	s = open_slots(dir, 8, 4);
	ps_slots_begin(s);
	assert_int_equal(name_it(s, 2, 9, &g), b);
	ps_slots_commit(s, t);
	assert_int_equal(flags_of(s, a), PS_CTL_IN_USE | PS_CTL_DRAIN);
	ps_slots_close(s);
	/* The deadline passes while nobody looks; the kill comes late, and so does the end of the grace. */
	s = open_slots(dir, 8, 4);
	ps_slots_tick(s, t + 500 * S);
	assert_true(flags_of(s, a) & PS_CTL_KILL);
	ps_slots_tick(s, t + 519 * S);
	assert_true(flags_of(s, a) & PS_CTL_KILL);
	ps_slots_tick(s, t + 520 * S);
	assert_int_equal(ps_slots_find_endpoint(s, 1), PS_NONE);
	ps_slots_close(s);
	temporary_free(dir);
}

static void
terminating_has_a_deadline(void **state)
{
	struct ps_slot_endpoint e = {.id = 1, .service_id = 9, .drain_s = 5, .name = "", .draining = true};
	char *dir = temporary_new();
	struct ps_slots *s = open_slots(dir, 8, 4);
	struct ps_slot_info first, second;
	uint16_t g;
	uint32_t a;

	ps_slots_begin(s);
	assert_int_equal(ps_slots_endpoint(s, &e, &a, &g), 0);
	assert_int_equal(flags_of(s, a), PS_CTL_IN_USE | PS_CTL_DRAIN);
	ps_slots_info(s, a, &first);
	ps_slots_commit(s, now());
	ps_slots_begin(s);
	assert_int_equal(ps_slots_endpoint(s, &e, &a, &g), 0);
	ps_slots_info(s, a, &second);
	assert_true(first.drain_until_ns == second.drain_until_ns);
	ps_slots_tick(s, now() + 6 * S);
	assert_true(flags_of(s, a) & PS_CTL_KILL);
	ps_slots_tick(s, now() + 600 * S); /* listed still: not freed */
	assert_int_equal(ps_slots_find_endpoint(s, 1), a);
	e.draining = false;
	ps_slots_begin(s);
	assert_int_equal(ps_slots_endpoint(s, &e, &a, &g), 0);
	assert_int_equal(flags_of(s, a), PS_CTL_IN_USE);
	ps_slots_close(s);
	temporary_free(dir);
}

static void
operator_drain_persists(void **state)
{
	char *dir = temporary_new();
	struct ps_slots *s = open_slots(dir, 8, 4);
	uint32_t a, b, service;
	uint16_t g;

	ps_slots_begin(s);
	assert_int_equal(ps_slots_service(s, 9, "x", &service), 0);
	a = name_it(s, 1, 9, &g);
	ps_slots_commit(s, now());
	assert_int_equal(ps_slots_drain(s, a, 0), 0);
	ps_slots_begin(s);
	name_it(s, 1, 9, &g);
	assert_true(flags_of(s, a) & PS_CTL_DRAIN);
	ps_slots_close(s);
	s = open_slots(dir, 8, 4);
	ps_slots_begin(s);
	name_it(s, 1, 9, &g);
	ps_slots_service(s, 9, "x", &service);
	ps_slots_commit(s, now());
	assert_true(flags_of(s, a) & PS_CTL_DRAIN);
	ps_slots_tick(s, now() + 100000 * S);
	assert_false(flags_of(s, a) & PS_CTL_KILL);
	assert_int_equal(ps_slots_undrain(s, a), 0);
	assert_int_equal(flags_of(s, a), PS_CTL_IN_USE);

	assert_int_equal(ps_slots_drain_service(s, 9, 0), 0);
	b = name_it(s, 2, 9, &g);
	assert_true(flags_of(s, a) & flags_of(s, b) & PS_CTL_DRAIN);
	assert_int_equal(ps_slots_undrain_service(s, 9), 0);
	assert_false((flags_of(s, a) | flags_of(s, b)) & PS_CTL_DRAIN);
	assert_int_equal(ps_slots_drain_service(s, 10, 0), -ENOENT);
	ps_slots_close(s);
	temporary_free(dir);
}

static void
service_slots_wait(void **state)
{
	char *dir = temporary_new();
	struct ps_slots *s = open_slots(dir, 8, 1);
	uint64_t t = now();
	uint32_t a, slot, other;
	uint16_t g;

	ps_slots_begin(s);
	assert_int_equal(ps_slots_service(s, 9, "x", &slot), 0);
	a = name_it(s, 1, 9, &g);
	ps_slots_commit(s, t);
	ps_slots_begin(s);
	ps_slots_keep_endpoint(s, a);
	ps_slots_commit(s, t);
	assert_int_equal(ps_slots_service(s, 10, "y", &other), -ENOSPC);
	ps_slots_tick(s, t + 70 * S); /* an endpoint of it is there */
	assert_int_equal(ps_slots_service(s, 10, "y", &other), -ENOSPC);
	ps_slots_begin(s);
	ps_slots_commit(s, t + 70 * S);
	ps_slots_tick(s, t + 80 * S);
	ps_slots_tick(s, t + 110 * S);
	ps_slots_tick(s, t + 200 * S);
	assert_int_equal(ps_slots_service(s, 10, "y", &other), 0);
	assert_int_equal(slot, other);
	ps_slots_close(s);
	temporary_free(dir);
}

static void
grows_and_shrinks(void **state)
{
	char *dir = temporary_new();
	struct ps_slots *s = open_slots(dir, 8, 4), *t;
	uint32_t i, slot[6];
	uint16_t g;

	ps_slots_begin(s);
	for (i = 0; i < 6; i++)
		slot[i] = name_it(s, 1 + i, 9, &g);
	ps_slots_commit(s, now());
	ps_slots_close(s);
	assert_int_equal(ps_slots_open(&t, dir, 4, 4, why, sizeof(why)), -ENOSPC);
	s = open_slots(dir, 1000, 40);
	for (i = 0; i < 6; i++)
		assert_int_equal(ps_slots_find_endpoint(s, 1 + i), slot[i]);
	ps_slots_close(s);
	s = open_slots(dir, 6, 1);
	for (i = 0; i < 6; i++)
		assert_int_equal(ps_slots_find_endpoint(s, 1 + i), slot[i]);
	ps_slots_close(s);
	temporary_free(dir);
}

/* Writes one u64 into the state file at an offset. */
static void
spoil(const char *dir, const char *file, off_t offset, uint64_t value)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &value, 8, offset), 8);
	close(fd);
}

static void
void_files_are_replaced(void **state)
{
	static const struct {
		const char *file;
		size_t offset;
		uint64_t value;
	} spoiled[] = {
		{PS_STATE_FILE, offsetof(struct ps_state_header, magic), 1},
		{PS_STATE_FILE, offsetof(struct ps_state_header, abi), 0x0000000800000063ull},
		{PS_STATE_FILE, offsetof(struct ps_state_header, abi), 0xffffffff00000001ull},
		{PS_STATE_FILE, offsetof(struct ps_state_header, size), 1},
		{PS_STATE_FILE, offsetof(struct ps_state_header, boot_id), 1},
		{PS_SLOTS_FILE, offsetof(struct ps_slots_header, magic), 1},
		{PS_SLOTS_FILE, offsetof(struct ps_slots_header, service_slots), 3},
		{PS_SLOTS_FILE, offsetof(struct ps_slots_header, boot_id), 1},
	};
	char path[256];
	uint16_t g;
	size_t i;

	for (i = 0; i < sizeof(spoiled) / sizeof(*spoiled); i++) {
		char *dir = temporary_new();
		struct ps_slots *s = open_slots(dir, 8, 4);

		ps_slots_begin(s);
		name_it(s, 1, 9, &g);
		ps_slots_set_generation(s, 5);
		ps_slots_close(s);
		spoil(dir, spoiled[i].file, (off_t)spoiled[i].offset, spoiled[i].value);
		s = open_slots(dir, 8, 4);
		assert_int_equal(ps_slots_find_endpoint(s, 1), PS_NONE);
		assert_int_equal(ps_slots_generation(s), 0);
		ps_slots_close(s);
		snprintf(path, sizeof(path), "%s/" PS_STATE_FILE, dir);
		assert_int_equal(truncate(path, 100), 0);
		s = open_slots(dir, 8, 4);
		ps_slots_close(s);
		temporary_free(dir);
	}
}

static void
index_survives_churn(void **state)
{
	char *dir = temporary_new();
	struct ps_slots *s = open_slots(dir, 512, 4);
	uint64_t t = now();
	uint32_t round, i;
	uint16_t g;

	for (round = 0; round < 40; round++) {
		ps_slots_begin(s);
		for (i = 0; i < 250; i++)
			name_it(s, 1 + round * 100 + i, 9, &g);
		ps_slots_commit(s, t);
		t += 11 * S;
		ps_slots_tick(s, t);
		t += 21 * S;
		ps_slots_tick(s, t);
		for (i = 0; i < 250; i++)
			assert_int_not_equal(ps_slots_find_endpoint(s, 1 + round * 100 + i), PS_NONE);
		for (i = 1; i < 1 + round * 100; i++)
			assert_int_equal(ps_slots_find_endpoint(s, i), PS_NONE);
	}
	ps_slots_close(s);
	temporary_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stable_over_rounds_and_restarts),
		cmocka_unit_test(removed_drains_then_dies_then_frees),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(removed_while_we_were_down),
		cmocka_unit_test(terminating_has_a_deadline),
		cmocka_unit_test(operator_drain_persists),
		cmocka_unit_test(service_slots_wait),
		cmocka_unit_test(grows_and_shrinks),
		cmocka_unit_test(void_files_are_replaced),
		cmocka_unit_test(index_survives_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

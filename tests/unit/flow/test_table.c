/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table against a plain reference, through churn, ageing, floods and restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/flow/table.h"
#include "dataplane/flow/tcp_state.h"

struct bed {
	struct ps_flow_table *table;
	void *records;
	void *buckets;
	uint32_t capacity;
	uint32_t ended;
	uint32_t idle_ms;
};

static uint32_t first_look_ms = 8000;
static uint64_t random_state = 88172645463325252ull;

static uint32_t
draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % below;
}

static void *
memory(size_t size)
{
	void *p = aligned_alloc(64, (size + 63u) & ~63ul);

	assert_non_null(p);
	memset(p, 0, size);
	return p;
}

static void
make_table(struct bed *b, bool v6, uint32_t capacity, uint32_t now_ms, void *records)
{
	struct ps_flow_table_config c = {
		.v6 = v6, .capacity = capacity, .seed = 12345, .now_ms = now_ms, .restore = records != NULL,
	};

	b->capacity = capacity;
	b->records = records != NULL ? records : memory((size_t)capacity * (v6 ? 128 : 64));
	b->buckets = memory((size_t)ps_flow_table_buckets(capacity) * 64);
	b->ended = 0;
	b->idle_ms = 30000;
	c.records = b->records;
	c.buckets = b->buckets;
	assert_int_equal(ps_flow_table_new(&b->table, &c), 0);
}

static void
drop_table(struct bed *b, bool keep_records)
{
	ps_flow_table_free(b->table);
	free(b->buckets);
	if (!keep_records)
		free(b->records);
}

/* Flow number n: distinct keys in both directions. */
static void
set_keys(struct ps_flow_table *t, uint32_t index, uint32_t n)
{
	struct ps_flow *f = ps_flow_at(t, index);

	f->proto = n & 1 ? 17 : 6;
	f->mode = n % 5 == 4 ? PS_MODE_IPIP : PS_MODE_FULLNAT;
	f->packets[0] = f->packets[1] = 0;
	if (t->v6) {
		struct ps_flow6 *f6 = ps_flow6_at(t, index);

		memset(f6->key, 0, sizeof(f6->key));
		memcpy(f6->key[0].src + 12, &n, 4);
		f6->key[0].dst[15] = 1;
		f6->key[0].src_port = (uint16_t)n;
		memcpy(f6->key[1].dst + 12, &n, 4);
		f6->key[1].src[15] = 2;
	} else {
		struct ps_flow4 *f4 = ps_flow4_at(t, index);

		f4->key[0] = (struct ps_flow_key4){n, 0x0a0a0a0a, (uint16_t)(n * 7), 80};
		f4->key[1] = (struct ps_flow_key4){0x0b0b0b0b, n, 8080, (uint16_t)(n * 3)};
	}
}

static uint32_t
find(const struct ps_flow_table *t, uint32_t n, uint32_t direction)
{
	_Alignas(64) uint8_t records[256] = {0};
	struct ps_flow_table one = *t;

	one.records = records;
	set_keys(&one, 0, n);
	return ps_flow_table_find(t,
				  t->v6 ? (void *)&((struct ps_flow6 *)records)->key[direction]
					: (void *)&((struct ps_flow4 *)records)->key[direction],
				  ((struct ps_flow *)records)->proto);
}

static uint32_t
insert(struct ps_flow_table *t, uint32_t n, uint8_t state, uint32_t now_ms)
{
	uint32_t index = ps_flow_table_take(t);

	if (index == PS_NONE)
		return PS_NONE;
	set_keys(t, index, n);
	ps_flow_at(t, index)->last_seen_ms = now_ms;
	assert_int_equal(ps_flow_table_link(t, index, state, ps_flow_two_way(ps_flow_at(t, index)->mode),
					    now_ms + first_look_ms), 0);
	return index;
}

static uint32_t
deadline(void *arg, const struct ps_flow *f)
{
	const struct bed *b = arg;

	return f->last_seen_ms + b->idle_ms;
}

static void
ended(void *arg, struct ps_flow *f)
{
	struct bed *b = arg;

	assert_int_not_equal(ps_flow_state(f), PS_FLOW_FREE);
	b->ended++;
}

/* Random inserts, lookups, removals and time against an array. */
static void
against_reference(bool v6)
{
	enum { FLOWS = 4000, CAPACITY = 1500, STEPS = 60000 };
	static uint32_t index_of[FLOWS];
	struct bed b;
	uint32_t now = 0xffffff00u, i, step;

	make_table(&b, v6, CAPACITY, now, NULL);
	b.idle_ms = 1u << 30;
	memset(index_of, 0xff, sizeof(index_of));
	for (step = 0; step < STEPS; step++) {
		uint32_t n = draw(FLOWS);

		if (index_of[n] == PS_NONE && draw(3) != 0) {
			index_of[n] = insert(b.table, n, n & 1 ? PS_FLOW_UDP : PS_FLOW_ESTABLISHED, now);
			if (index_of[n] == PS_NONE)
				assert_true(b.table->free_length == 0);
		} else if (index_of[n] != PS_NONE && draw(2) == 0) {
			ps_flow_table_unlink(b.table, index_of[n]);
			index_of[n] = PS_NONE;
		}
		n = draw(FLOWS);
		assert_int_equal(find(b.table, n, 0), index_of[n] == PS_NONE ? PS_NONE : index_of[n] << 1);
		if (n % 5 != 4)
			assert_int_equal(find(b.table, n, 1),
					 index_of[n] == PS_NONE ? PS_NONE : index_of[n] << 1 | 1u);
		else
			assert_int_equal(find(b.table, n, 1), PS_NONE);
		if (step % 16 == 0) {
			now += 40;
			ps_flow_table_age(b.table, now, 64, deadline, ended, &b);
		}
		if (step % 5000 == 0)
			assert_null(ps_flow_table_check(b.table));
	}
	assert_null(ps_flow_table_check(b.table));
	assert_int_equal(b.ended, 0);
	for (i = 0; i < FLOWS; i++)
		if (index_of[i] != PS_NONE)
			ps_flow_table_unlink(b.table, index_of[i]);
	for (i = 0; i < b.table->bucket_mask + 1; i++)
		assert_int_equal(b.table->bucket[i].overflow, 0);
	drop_table(&b, false);
}

static void
test_reference4(void **state)
{
	against_reference(false);
}

static void
test_reference6(void **state)
{
	against_reference(true);
}

/* Few buckets and many entries: overflow paths are walked, counted up, and counted down again. */
static void
test_overflow(void **state)
{
	struct bed b;
	uint32_t i, entered = 0, longest = 0;

	make_table(&b, false, 150, 0, NULL);
	/* Squeeze the table into 32 buckets: 320 slots for up to 300 entries. */
	b.table->bucket_mask = 31;
	for (i = 0; i < 150; i++) {
		uint32_t index = ps_flow_table_take(b.table);

		set_keys(b.table, index, i * 5);
		if (ps_flow_table_link(b.table, index, PS_FLOW_ESTABLISHED, true, 0) == 0)
			entered++;
		else
			ps_flow_table_put_back(b.table, index);
	}
	for (i = 0; i < 32; i++)
		longest = b.table->bucket[i].overflow > longest ? b.table->bucket[i].overflow : longest;
	assert_true(longest > 0);
	assert_true(entered > 140);
	assert_null(ps_flow_table_check(b.table));
	for (i = 0; i < 150; i++)
		if (ps_flow_state(ps_flow_at(b.table, i)) != PS_FLOW_FREE)
			ps_flow_table_unlink(b.table, i);
	for (i = 0; i < 32; i++)
		assert_int_equal(b.table->bucket[i].overflow, 0);
	drop_table(&b, false);
}

/* When nothing fits within reach, link says so and leaves no trace. */
static void
test_no_reach(void **state)
{
	struct bed b;
	uint32_t i, index, refused = 0;

	make_table(&b, false, 400, 0, NULL);
	b.table->bucket_mask = 15;
	for (i = 0; i < 120; i++) {
		index = ps_flow_table_take(b.table);
		set_keys(b.table, index, i * 5);
		if (ps_flow_table_link(b.table, index, PS_FLOW_ESTABLISHED, true, 0) != 0) {
			refused++;
			ps_flow_table_put_back(b.table, index);
		}
	}
	assert_int_equal(refused, 40);
	assert_null(ps_flow_table_check(b.table));
	drop_table(&b, false);
}

/* 90 % full for ten lifetimes, as many inserts as expiries, in virtual time. */
static void
test_churn(void **state)
{
	enum { CAPACITY = 20000, LIVE = 18000, LIFE_MS = 900 };
	struct bed b;
	uint32_t now = 5000, n = 0, ms, i;

	make_table(&b, false, CAPACITY, now, NULL);
	b.idle_ms = first_look_ms = LIFE_MS - PS_WHEEL_MS;
	for (ms = 0; ms < 10 * LIFE_MS; ms++, now++) {
		for (i = 0; i < LIVE / LIFE_MS; i++)
			assert_int_not_equal(insert(b.table, n++, PS_FLOW_UDP, now), PS_NONE);
		for (i = 0; i < 4; i++)
			ps_flow_table_age(b.table, now, 64, deadline, ended, &b);
	}
	assert_null(ps_flow_table_check(b.table));
	assert_true(b.table->counters->active > CAPACITY * 8 / 10);
	assert_int_equal(b.table->counters->expired, b.ended);
	assert_int_equal(b.table->counters->created - b.ended, b.table->counters->active);
	assert_int_equal(b.table->counters->refused, 0);
	first_look_ms = 8000;
	drop_table(&b, false);
}

/* Long timeouts take several turns of the wheel; use renews them; the clock wraps meanwhile. */
static void
test_wheel(void **state)
{
	struct bed b;
	uint32_t now = 0xffffffffu - 20000u, start = now, index, other;

	make_table(&b, false, 100, now, NULL);
	index = insert(b.table, 1, PS_FLOW_ESTABLISHED, now);
	other = insert(b.table, 2, PS_FLOW_ESTABLISHED, now);
	while (now - start < 29900) {
		now += 10;
		ps_flow_table_age(b.table, now, 8, deadline, ended, &b);
		if (now - start == 20000)
			ps_flow_at(b.table, other)->last_seen_ms = now;
	}
	assert_int_equal(b.ended, 0);
	while (now - start < 30400) {
		now += 10;
		ps_flow_table_age(b.table, now, 8, deadline, ended, &b);
	}
	assert_int_equal(b.ended, 1);
	assert_int_equal(ps_flow_state(ps_flow_at(b.table, index)), PS_FLOW_FREE);
	while (now - start < 50400) {
		now += 10;
		ps_flow_table_age(b.table, now, 8, deadline, ended, &b);
	}
	assert_int_equal(b.ended, 2);
	assert_null(ps_flow_table_check(b.table));
	assert_int_equal(b.table->free_length, 100);
	drop_table(&b, false);
}

/* A SYN flood holds at most half of the table, and no established flow pays for it. */
static void
test_flood(void **state)
{
	enum { CAPACITY = 1000, ESTABLISHED = 400 };
	struct bed b;
	uint32_t now = 1000, i, victim, index;

	make_table(&b, false, CAPACITY, now, NULL);
	for (i = 0; i < ESTABLISHED; i++)
		insert(b.table, i * 2, PS_FLOW_ESTABLISHED, now);
	for (i = 0; i < 50000; i++) {
		index = insert(b.table, 100000 + i * 2, PS_FLOW_SYN, now);
		assert_int_not_equal(index, PS_NONE);
		if (i % 20 == 0) {
			now++;
			ps_flow_table_age(b.table, now, 64, deadline, ended, &b);
		}
		assert_true(b.table->young_tail - b.table->young_head <= CAPACITY / 2 + 21);
	}
	assert_true(b.table->counters->evicted > 40000);
	for (i = 0; i < ESTABLISHED; i++)
		assert_int_not_equal(find(b.table, i * 2, 0), PS_NONE);
	assert_null(ps_flow_table_check(b.table));
	/* Fill the rest with established flows, then ask for room: half-open ones give it, oldest first. */
	while (insert(b.table, 500000 + i++ * 2, PS_FLOW_ESTABLISHED, now) != PS_NONE)
		;
	victim = ps_flow_table_oldest_young(b.table, now);
	assert_int_not_equal(victim, PS_NONE);
	assert_int_equal(victim, b.table->young[b.table->young_head & b.table->young_mask]);
	ps_flow_table_evict(b.table, victim);
	assert_int_not_equal(insert(b.table, 1, PS_FLOW_UDP, now), PS_NONE);
	while ((victim = ps_flow_table_oldest_young(b.table, now)) != PS_NONE) {
		ps_flow_table_evict(b.table, victim);
		assert_int_not_equal(insert(b.table, 900000 + i++ * 2, PS_FLOW_ESTABLISHED, now), PS_NONE);
	}
	assert_int_equal(ps_flow_table_take(b.table), PS_NONE);
	for (i = 0; i < ESTABLISHED; i++)
		assert_int_not_equal(find(b.table, i * 2, 0), PS_NONE);
	assert_null(ps_flow_table_check(b.table));
	drop_table(&b, false);
}

/* Half-open flows end after 5 s; those that were completed meanwhile do not. */
static void
test_probation(void **state)
{
	struct bed b;
	uint32_t now = 1000, a, c;

	make_table(&b, false, 100, now, NULL);
	a = insert(b.table, 2, PS_FLOW_SYN, now);
	c = insert(b.table, 4, PS_FLOW_SYN, now);
	for (; now < 5990; now += 10)
		ps_flow_table_age(b.table, now, 8, deadline, ended, &b);
	assert_int_equal(b.ended, 0);
	ps_flow_at(b.table, c)->state = PS_FLOW_ESTABLISHED;
	ps_flow_at(b.table, c)->last_seen_ms = now;
	for (; now < 6020; now += 10)
		ps_flow_table_age(b.table, now, 8, deadline, ended, &b);
	assert_int_equal(b.ended, 1);
	assert_int_equal(ps_flow_state(ps_flow_at(b.table, a)), PS_FLOW_FREE);
	assert_int_equal(ps_flow_state(ps_flow_at(b.table, c)), PS_FLOW_ESTABLISHED);
	assert_null(ps_flow_table_check(b.table));
	drop_table(&b, false);
}

/* Probation lasts as long as configured, shorter or longer than usual. */
static void
test_probation_configured(void **state)
{
	static const uint32_t young_ms[] = {700, 9000};
	struct bed b;
	uint32_t now, i;

	for (i = 0; i < 2; i++) {
		make_table(&b, false, 100, 1000, NULL);
		b.table->young_ms = young_ms[i];
		insert(b.table, 2, PS_FLOW_SYN, 1000);
		for (now = 1000; now < 1000 + young_ms[i]; now += 10)
			ps_flow_table_age(b.table, now, 8, deadline, ended, &b);
		assert_int_equal(b.ended, 0);
		ps_flow_table_age(b.table, now, 8, deadline, ended, &b);
		assert_int_equal(b.ended, 1);
		drop_table(&b, false);
	}
}

static void
test_timeouts(void **state)
{
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_SYN, 1, 900, 30), 5000);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_FIN_ENDPOINT, 9, 900, 30), 120000);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_CLOSING, 9, 900, 30), 5000);
	ps_state_timeouts_set(1000, 0, 300);
	ps_state_timeouts_set(0, 2000, 0); /* 0 changes nothing */
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_SYN, 1, 900, 30), 1000);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_SYN_ACK, 1, 900, 30), 1000);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_FIN_CLIENT, 9, 900, 30), 2000);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_FIN_ENDPOINT, 9, 900, 30), 2000);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_CLOSING, 9, 900, 30), 300);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_RESET, 9, 900, 30), 300);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_ESTABLISHED, 9, 900, 30), 900000);
}

static bool
accept_all(void *arg, struct ps_flow *f)
{
	return true;
}

static bool
accept_even(void *arg, struct ps_flow *f)
{
	return f->endpoint_slot % 2 == 0;
}

/* A crash may leave any record in the middle of being made or ended: whatever its bytes are, FREE is not restored, all else is. */
static void
test_restore(void **state)
{
	enum { CAPACITY = 3000 };
	struct bed b, again;
	uint32_t now = 77, i, live = 0, next;

	make_table(&b, false, CAPACITY, now, NULL);
	for (i = 0; i < 2500; i++) {
		uint32_t index = insert(b.table, i, i % 3 == 0 ? PS_FLOW_SYN : PS_FLOW_ESTABLISHED, now);

		ps_flow_at(b.table, index)->endpoint_slot = i;
	}
	for (i = 0; i < 2500; i += 7)
		ps_flow_table_unlink(b.table, find(b.table, i, 0) >> 1);
	/* Taken and half filled, never linked. */
	next = ps_flow_table_take(b.table);
	set_keys(b.table, next, 2499);
	/* State FREE stored, entries still there: the order in which a flow ends. */
	next = find(b.table, 2498, 0) >> 1;
	ps_flow_at(b.table, next)->state = PS_FLOW_FREE;
	/* Never written by us. */
	next = find(b.table, 2497, 0) >> 1;
	ps_flow_at(b.table, next)->state = 200;
	/* Two records with one key: the first found wins, the table stays sound. */
	next = find(b.table, 2495, 0) >> 1;
	memcpy(ps_flow4_at(b.table, next)->key, ps_flow4_at(b.table, find(b.table, 2494, 0) >> 1)->key,
	       sizeof(ps_flow4_at(b.table, next)->key));
	ps_flow_at(b.table, next)->proto = 6;
	for (i = 0; i < CAPACITY; i++)
		live += ps_flow_state(ps_flow_at(b.table, i)) != PS_FLOW_FREE;
	drop_table(&b, true);

	make_table(&again, false, CAPACITY, now, b.records);
	assert_int_equal(ps_flow_table_restore(again.table, now, accept_all, NULL), live - 2);
	assert_int_equal(again.table->counters->restored, live - 2);
	assert_int_equal(again.table->counters->created, 0);
	assert_null(ps_flow_table_check(again.table));
	for (i = 0; i < 2490; i++)
		assert_true((find(again.table, i, 0) == PS_NONE) == (i % 7 == 0));
	/* It ages like any other. */
	again.idle_ms = 1000;
	for (i = 0; i < 20000; i += 20)
		ps_flow_table_age(again.table, now + i, 64, deadline, ended, &again);
	assert_int_equal(again.ended, live - 2);
	assert_int_equal(again.table->free_length, CAPACITY);
	drop_table(&again, true);
	free(b.records);
}

static void
test_restore_refuses(void **state)
{
	struct bed b, again;
	uint32_t i;

	make_table(&b, true, 100, 0, NULL);
	for (i = 0; i < 60; i++)
		ps_flow_at(b.table, insert(b.table, i, PS_FLOW_ESTABLISHED, 0))->endpoint_slot = i;
	drop_table(&b, true);
	make_table(&again, true, 100, 0, b.records);
	assert_int_equal(ps_flow_table_restore(again.table, 0, accept_even, NULL), 30);
	assert_null(ps_flow_table_check(again.table));
	drop_table(&again, true);
	free(b.records);
}

static void
test_flush(void **state)
{
	struct bed b;
	uint32_t i, index, budget, gone = 0;

	make_table(&b, false, 300, 0, NULL);
	for (i = 0; i < 200; i++) {
		index = insert(b.table, i, PS_FLOW_ESTABLISHED, 0);
		ps_flow_at(b.table, index)->endpoint_slot = i % 4;
		ps_flow_at(b.table, index)->service_slot = i % 10;
	}
	assert_true(ps_flow_table_can_flush(b.table));
	ps_flow_table_flush(b.table, 1, PS_NONE);
	ps_flow_table_flush(b.table, PS_NONE, 2);
	for (i = 0; i < 40; i++)
		for (budget = 20; (index = ps_flow_table_flush_next(b.table, &budget)) != PS_NONE; gone++)
			ps_flow_table_unlink(b.table, index);
	assert_int_equal(gone, 50 + 20 - 0 - 0);
	for (i = 0; i < 200; i++)
		assert_true((find(b.table, i, 0) == PS_NONE) == (i % 4 == 1 || i % 10 == 2));
	assert_null(ps_flow_table_check(b.table));
	drop_table(&b, false);
}

static void
test_states(void **state)
{
	const uint32_t in = PS_FLOW_TO_ENDPOINT, out = PS_FLOW_TO_CLIENT;
	uint8_t s = PS_FLOW_SYN;

#define STEP(direction, flags, one_way) (s = ps_state_after(s, direction, flags, one_way) & 0x7f)
	assert_int_equal(STEP(in, 0x02, false), PS_FLOW_SYN);
	assert_int_equal(STEP(in, 0x10, false), PS_FLOW_SYN);     /* an ACK to nothing proves nothing */
	assert_int_equal(STEP(out, 0x12, false), PS_FLOW_SYN_ACK);
	assert_int_equal(STEP(out, 0x12, false), PS_FLOW_SYN_ACK);
	assert_int_equal(STEP(in, 0x10, false), PS_FLOW_ESTABLISHED);
	assert_int_equal(STEP(in, 0x02, false), PS_FLOW_ESTABLISHED); /* RFC 5961: not ours to judge */
	assert_int_equal(STEP(in, 0x11, false), PS_FLOW_FIN_CLIENT);
	assert_int_equal(STEP(out, 0x10, false), PS_FLOW_FIN_CLIENT);
	assert_int_equal(STEP(out, 0x11, false), PS_FLOW_CLOSING);
	assert_int_equal(STEP(in, 0x10, false), PS_FLOW_CLOSING);
	s = PS_FLOW_ESTABLISHED;
	assert_int_equal(STEP(out, 0x11, false), PS_FLOW_FIN_ENDPOINT);
	assert_int_equal(STEP(in, 0x11, false), PS_FLOW_CLOSING);
	s = PS_FLOW_ESTABLISHED;
	assert_int_equal(STEP(in, 0x04, false), PS_FLOW_RESET);
	assert_int_equal(STEP(out, 0x10, false), PS_FLOW_RESET);
	assert_int_equal(STEP(in, 0x18, false), PS_FLOW_ESTABLISHED); /* the RST was forged */
	s = PS_FLOW_SYN;
	assert_int_equal(STEP(in, 0x10, true), PS_FLOW_ESTABLISHED);
	assert_int_equal(STEP(in, 0x11, true), PS_FLOW_FIN_CLIENT);
	s = PS_FLOW_UDP;
	assert_int_equal(STEP(in, 0, false), PS_FLOW_UDP);
	assert_int_equal(STEP(out, 0, false), PS_FLOW_UDP_REPLIED);
	assert_int_equal(STEP(in, 0, false), PS_FLOW_UDP_REPLIED);
#undef STEP
	assert_true(ps_state_after(PS_FLOW_SYN, in, 0x10, false) & PS_STATE_SLOW);
	assert_true(ps_state_after(PS_FLOW_ESTABLISHED, in, 0x02, false) & PS_STATE_SLOW);
	assert_false(ps_state_after(PS_FLOW_ESTABLISHED, in, 0x18, false) & PS_STATE_SLOW);
	assert_true(ps_state_after(PS_FLOW_FREE, in, 0x18, false) & PS_STATE_SLOW);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_ESTABLISHED, 9, 900, 30), 900000);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_UDP, 1, 900, 30), 10000);
	assert_int_equal(ps_state_timeout_ms(PS_FLOW_UDP, 2, 900, 30), 30000);
	assert_true(ps_state_timeout_ms(PS_FLOW_ESTABLISHED, 9, UINT32_MAX, 30) < INT32_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference4), cmocka_unit_test(test_reference6),
		cmocka_unit_test(test_overflow),   cmocka_unit_test(test_no_reach),
		cmocka_unit_test(test_churn),      cmocka_unit_test(test_wheel),
		cmocka_unit_test(test_flood),      cmocka_unit_test(test_probation),
		cmocka_unit_test(test_restore),    cmocka_unit_test(test_restore_refuses),
		cmocka_unit_test(test_flush),      cmocka_unit_test(test_states),
		cmocka_unit_test(test_timeouts),   cmocka_unit_test(test_probation_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>

#include "dataplane/net/frag.h"
#include "dataplane/net/split.h"
#include "tests/unit/net/wire.h"

static struct ps_frag_table *table;
static struct ps_frag_answer answer;
static uint32_t dropped;
static enum ps_exit dropped_why;
static int packets[256]; /* identities */

static void
on_drop(void *arg, void *packet, enum ps_exit why)
{
	dropped++;
	dropped_why = why;
}

static int
setup(void **state)
{
	dropped = 0;
	return ps_frag_new(&table, 8, 0, 1, 1, on_drop, NULL);
}

static int
teardown(void **state)
{
	ps_frag_free(table);
	return 0;
}

static struct ps_frag
piece(uint32_t id, uint32_t offset, uint32_t size, bool more)
{
	struct ps_frag f = {.key = {.src = addr("198.51.100.7"), .dst = addr("192.0.2.1"), .id = id, .proto = 17},
			    .offset = offset,
			    .size = size,
			    .more = more};

	if (offset == 0) {
		f.l4_proto = 17;
		f.l4_size = (uint16_t)size;
		f.src_port = htons(5000);
		f.dst_port = htons(53);
	}
	return f;
}

static enum ps_frag_verdict
input(struct ps_frag f, int packet, uint32_t now)
{
	return ps_frag_input(table, &f, &packets[packet], now, &answer);
}

static void
later_ones_follow_the_first(void **state)
{
	assert_int_equal(input(piece(1, 0, 1480, true), 0, 0), PS_FRAG_FORWARD);
	assert_int_equal(answer.dst_port, htons(53));
	assert_null(ps_frag_take_held(table, answer.datagram));
	assert_int_equal(input(piece(1, 1480, 1480, true), 1, 1), PS_FRAG_FORWARD);
	assert_int_equal(answer.src_port, htons(5000));
	assert_int_equal(answer.dst_port, htons(53));
	assert_int_equal(answer.l4_proto, 17);
	assert_null(ps_frag_take_held(table, answer.datagram));
	assert_int_equal(ps_frag_active(table), 1);
	assert_int_equal(input(piece(1, 2960, 100, false), 2, 1), PS_FRAG_FORWARD);
	assert_null(ps_frag_take_held(table, answer.datagram));
	/* complete: the same identification may come again at once */
	assert_int_equal(ps_frag_active(table), 0);
	assert_int_equal(input(piece(1, 0, 1480, true), 0, 2), PS_FRAG_FORWARD);
}

static void
early_ones_wait(void **state)
{
	uint32_t id;

	assert_int_equal(input(piece(1, 2960, 100, false), 2, 0), PS_FRAG_HELD);
	assert_int_equal(input(piece(1, 1480, 1480, true), 1, 0), PS_FRAG_HELD);
	assert_int_equal(input(piece(1, 0, 1480, true), 0, 5), PS_FRAG_FORWARD);
	id = answer.new_id;
	assert_ptr_equal(ps_frag_take_held(table, answer.datagram), &packets[2]);
	assert_ptr_equal(ps_frag_take_held(table, answer.datagram), &packets[1]);
	assert_null(ps_frag_take_held(table, answer.datagram));
	assert_int_equal(ps_frag_active(table), 0);
	assert_int_equal(dropped, 0);
	/* another datagram, another identification */
	assert_int_equal(input(piece(2, 0, 1480, true), 0, 5), PS_FRAG_FORWARD);
	assert_int_not_equal(answer.new_id & 0xffff, id & 0xffff);
}

static void
waiting_is_bounded(void **state)
{
	uint32_t i;

	/* eight packets in all wait in a table of eight */
	for (i = 0; i < 8; i++)
		assert_int_equal(input(piece(1, 8 * (i + 1), 8, true), (int)i, 0), PS_FRAG_HELD);
	assert_int_equal(input(piece(1, 800, 8, true), 9, 0), PS_FRAG_DROP);
	assert_int_equal(answer.why, PS_EXIT_FRAGMENT_TABLE_FULL);
	ps_frag_expire(table, PS_FRAG_TIMEOUT_MS - 1);
	assert_int_equal(dropped, 0);
	ps_frag_expire(table, PS_FRAG_TIMEOUT_MS);
	assert_int_equal(dropped, 8);
	assert_int_equal(dropped_why, PS_EXIT_FRAGMENT_TIMEOUT);
	assert_int_equal(ps_frag_active(table), 0);
	/* the clock wraps */
	assert_int_equal(input(piece(2, 8, 8, true), 0, UINT32_MAX - 10), PS_FRAG_HELD);
	ps_frag_expire(table, 20);
	assert_int_equal(dropped, 8);
	ps_frag_expire(table, PS_FRAG_TIMEOUT_MS);
	assert_int_equal(dropped, 9);
}

static void
table_is_bounded(void **state)
{
	uint32_t i;

	for (i = 0; i < 8; i++)
		assert_int_equal(input(piece(i, 0, 64, true), 0, 0), PS_FRAG_FORWARD);
	assert_int_equal(input(piece(9, 0, 64, true), 0, 0), PS_FRAG_DROP);
	assert_int_equal(answer.why, PS_EXIT_FRAGMENT_TABLE_FULL);
	/* old ones make room by themselves */
	assert_int_equal(input(piece(9, 0, 64, true), 0, PS_FRAG_TIMEOUT_MS), PS_FRAG_FORWARD);
}

static void
overlaps_poison(void **state)
{
	assert_int_equal(input(piece(1, 0, 64, true), 0, 0), PS_FRAG_FORWARD);
	assert_int_equal(input(piece(1, 0, 64, true), 0, 0), PS_FRAG_DROP); /* a duplicate: dropped alone */
	assert_int_equal(input(piece(1, 64, 64, true), 0, 0), PS_FRAG_FORWARD);
	assert_int_equal(input(piece(1, 56, 16, true), 0, 0), PS_FRAG_DROP);
	assert_int_equal(answer.why, PS_EXIT_FRAGMENT_MALFORMED);
	assert_int_equal(input(piece(1, 128, 64, false), 0, 0), PS_FRAG_DROP); /* the whole datagram is lost */
	/* held ones go with it */
	assert_int_equal(input(piece(2, 64, 64, true), 0, 0), PS_FRAG_HELD);
	assert_int_equal(input(piece(2, 72, 64, true), 0, 0), PS_FRAG_DROP);
	assert_int_equal(dropped, 1);
	assert_int_equal(dropped_why, PS_EXIT_FRAGMENT_MALFORMED);
}

static void
malformed_ones(void **state)
{
	struct ps_frag f = piece(1, 0, 8, true);

	/* RFC 1858: TCP flags must be in the first fragment */
	f.key.proto = f.l4_proto = 6;
	assert_int_equal(input(f, 0, 0), PS_FRAG_DROP);
	assert_int_equal(answer.why, PS_EXIT_FRAGMENT_MALFORMED);
	f = piece(2, 8, 64, false);
	f.key.proto = 6;
	assert_int_equal(input(f, 0, 0), PS_FRAG_DROP);
	/* not a multiple of eight, with more behind */
	assert_int_equal(input(piece(3, 0, 65, true), 0, 0), PS_FRAG_DROP);
	/* beyond 65535 bytes: ping of death */
	assert_int_equal(input(piece(4, 65528, 64, false), 0, 0), PS_FRAG_DROP);
	/* behind the end */
	assert_int_equal(input(piece(5, 64, 64, false), 0, 0), PS_FRAG_HELD);
	assert_int_equal(input(piece(5, 128, 64, true), 0, 0), PS_FRAG_DROP);
	/* two ends */
	assert_int_equal(input(piece(6, 64, 64, false), 0, 0), PS_FRAG_HELD);
	assert_int_equal(input(piece(6, 0, 32, false), 0, 0), PS_FRAG_DROP);
	assert_int_equal(input(piece(7, 8, 0, true), 0, 0), PS_FRAG_DROP);
}

static void
too_many_pieces(void **state)
{
	uint32_t i;

	assert_int_equal(input(piece(1, 0, 8, true), 0, 0), PS_FRAG_FORWARD);
	for (i = 1; i < PS_FRAG_PIECES_MAX; i++)
		assert_int_equal(input(piece(1, 8 * i, 8, true), 0, 0), PS_FRAG_FORWARD);
	assert_int_equal(input(piece(1, 8 * i, 8, true), 0, 0), PS_FRAG_DROP);
}

static void
identifications_keep_apart(void **state)
{
	struct ps_frag f = piece(1, 0, 64, true);
	struct ps_frag_table *t;
	uint32_t w, i;

	for (w = 0; w < 3; w++) {
		assert_int_equal(ps_frag_new(&t, 64, w, 3, 77777, on_drop, NULL), 0);
		for (i = 0; i < 50; i++) {
			f.key.id = i;
			assert_int_equal(ps_frag_input(t, &f, NULL, 0, &answer), PS_FRAG_FORWARD);
			assert_int_equal(answer.new_id % 3, w);
		}
		ps_frag_free(t);
	}
	f.key.id = 9;
	for (w = 1; w < 8; w++)
		assert_true(ps_frag_owner(&f.key, w) < w);
}

/* ---- output ---- */

static void
split_keeps_every_byte(void **state)
{
	static uint8_t packet[4000], back[4000];
	uint8_t header[60];
	struct ps_split s;
	uint32_t mtu, i, size, offset, data, expected;

	wire(packet, "4500 0fa0 1234 0000 4011 0000 c6336407 c0000201");
	for (mtu = 68; mtu <= 1500; mtu += 7) {
		memset(back, 0, sizeof(back));
		if ((4000 - 20 + (mtu - 20) / 8 * 8 - 1) / ((mtu - 20) / 8 * 8) > PS_SPLIT_MAX) {
			assert_int_equal(ps_split_plan(&s, packet, mtu), -EMSGSIZE);
			continue;
		}
		assert_int_equal(ps_split_plan(&s, packet, mtu), 0);
		for (i = 0, expected = 0; i < s.pieces; i++) {
			size = ps_split_header(&s, i, header, &offset, &data);
			assert_int_equal(offset, expected);
			assert_true(size + data <= mtu && data > 0);
			assert_int_equal((header[2] << 8 | header[3]), size + data);
			assert_int_equal((header[6] & 0x20) != 0, i + 1 < s.pieces);
			assert_int_equal(((header[6] & 0x1f) << 8 | header[7]) * 8, offset);
			expected += data;
		}
		assert_int_equal(expected, 4000 - 20);
	}
}

static void
split_bytes(void **state)
{
	uint8_t packet[200] = {0}, header[60];
	uint32_t offset, data, size;
	struct ps_split s;

	/* options: router alert (copied), record route (not copied); itself a fragment at 8 with more behind */
	wire(packet, "4800 00a8 1234 2001 4011 0000 c6336407 c0000201 94040000 0703 0400 0000 0000");
	assert_int_equal(ps_split_plan(&s, packet, 100), 0);
	assert_int_equal(s.pieces, 3);
	size = ps_split_header(&s, 0, header, &offset, &data);
	assert_wire(header, size, "4800 0060 1234 2001 4011 ba14 c6336407 c0000201 94040000 0703 0400 0000 0000");
	size = ps_split_header(&s, 1, header, &offset, &data);
	assert_wire(header, size, "4600 0058 1234 2009 4011 c717 c6336407 c0000201 94040000");
	size = ps_split_header(&s, 2, header, &offset, &data);
	assert_wire(header, size, "4600 0020 1234 2011 4011 c747 c6336407 c0000201 94040000");
	packet[6] |= 0x40;
	assert_int_equal(ps_split_plan(&s, packet, 100), -EMSGSIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(later_ones_follow_the_first, setup, teardown),
		cmocka_unit_test_setup_teardown(early_ones_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(table_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(overlaps_poison, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_pieces, setup, teardown),
		cmocka_unit_test(identifications_keep_apart),
		cmocka_unit_test(split_keeps_every_byte),
		cmocka_unit_test(split_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

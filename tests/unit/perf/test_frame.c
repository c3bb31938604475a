/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "perf/loadgen/frame.h"
#include "perf/loadgen/range.h"
#include "perf/loadgen/space.h"
#include "tests/unit/perf/test.h"

static struct ps_frame_spec
spec_of(const char *src, const char *dst, uint8_t proto, uint8_t flags, uint16_t size, uint16_t vlan)
{
	struct ps_frame_spec spec = {
		.dst_mac = {2, 0, 0, 0, 0, 1},
		.src_mac = {2, 0, 0, 0, 0, 2},
		.vlan = vlan,
		.proto = proto,
		.tcp_flags = flags,
		.size = size,
	};
	struct ps_addr_range range;

	assert_int_equal(ps_addr_range_parse(src, &range), 0);
	spec.src = range.first;
	assert_int_equal(ps_addr_range_parse(dst, &range), 0);
	spec.dst = range.first;
	return spec;
}

static void
udp4_byte_for_byte(void **state)
{
	static const uint8_t wanted[60] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00,
		0x45, 0, 0, 46, 0x78, 0x56, 0x40, 0, 64, 17, 0xd6, 0x2c, 192, 0, 2, 1, 198, 51, 100, 7,
		0x10, 0x92, 0, 53, 0, 26, 0x1e, 0x60,
		0x4c, 0x4f, 0x50, 0x47, 0x78, 0x56, 0x34, 0x12, 0xef, 0xcd, 0xab, 0x89,
	};
	struct ps_frame_spec spec = spec_of("192.0.2.1", "198.51.100.7", IPPROTO_UDP, 0, 64, 0);
	struct ps_tuple t = {htonl(0xc0000201), htonl(0xc6336407), htons(4242), htons(53)};
	struct ps_frame f;
	uint8_t got[128];

	assert_int_equal(ps_frame_init(&f, &spec), 0);
	assert_int_equal(f.length, 60);
	ps_frame_write(&f, got, &t, 0x12345678, 0x89abcdef);
	assert_memory_equal(got, wanted, 60);
	assert_true(ps_frame_checksums_ok(got + 14, 46));
	ps_frame_fini(&f);
}

/* Every kind of frame, many tuples: both checksums must hold, and the other bytes be the template's. */
static void
checksums_hold(void **state)
{
	static const struct {
		const char *src, *dst;
		uint8_t proto, flags;
		uint16_t size, vlan;
	} kinds[] = {
		{"10.0.0.1", "10.1.0.1", IPPROTO_UDP, 0, 64, 0},
		{"10.0.0.1", "10.1.0.1", IPPROTO_TCP, PS_TCP_ACK, 64, 0},
		{"10.0.0.1", "10.1.0.1", IPPROTO_TCP, PS_TCP_SYN, 64, 0},
		{"10.0.0.1", "10.1.0.1", IPPROTO_TCP, PS_TCP_ACK, 1518, 100},
		{"10.0.0.1", "10.1.0.1", IPPROTO_UDP, 0, 595, 7},
		{"2001:db8::1", "2001:db8:1::1", IPPROTO_UDP, 0, 82, 0},
		{"2001:db8::1", "2001:db8:1::1", IPPROTO_TCP, PS_TCP_ACK, 82, 0},
		{"2001:db8::1", "2001:db8:1::1", IPPROTO_TCP, PS_TCP_SYN, 86, 5},
		{"2001:db8::1", "2001:db8:1::1", IPPROTO_UDP, 0, 9018, 0},
	};
	static uint8_t got[9088];
	size_t k;
	uint32_t i;

	for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct ps_frame_spec spec = spec_of(kinds[k].src, kinds[k].dst, kinds[k].proto, kinds[k].flags, kinds[k].size,
			kinds[k].vlan);
		struct ps_frame f;

		assert_int_equal(ps_frame_init(&f, &spec), 0);
		for (i = 0; i < 20000; i++) {
			struct ps_tuple t = {i * 2654435761u, ~i * 40503u, (uint16_t)(i * 7), (uint16_t)(65535 - i)};

			ps_frame_write(&f, got, &t, i * 48271u, ~(i * 69621u));
			assert_true(ps_frame_checksums_ok(got + f.l3, (size_t)(f.length - f.l3)));
			if (kinds[k].proto == IPPROTO_UDP)
				assert_true(got[f.l4_checksum] != 0 || got[f.l4_checksum + 1] != 0);
		}
		got[f.l4_checksum] ^= 1;
		assert_false(ps_frame_checksums_ok(got + f.l3, (size_t)(f.length - f.l3)));
		ps_frame_fini(&f);
	}
}

static void
damage_is_noticed(void **state)
{
	struct ps_frame_spec spec = spec_of("10.0.0.1", "10.1.0.1", IPPROTO_TCP, PS_TCP_ACK, 64, 0);
	struct ps_tuple t = {htonl(0x0a000001), htonl(0x0a010001), htons(1), htons(2)};
	struct ps_frame f;
	uint8_t got[128];
	size_t i;

	assert_int_equal(ps_frame_init(&f, &spec), 0);
	for (i = 14; i < 54; i++) {
		ps_frame_write(&f, got, &t, 1, 2);
		got[i] ^= 0x40;
		assert_false(ps_frame_checksums_ok(got + 14, 46));
	}
	ps_frame_write(&f, got, &t, 1, 2);
	assert_false(ps_frame_checksums_ok(got + 14, 30)); /* cut off */
	ps_frame_fini(&f);
}

/* A recomputed checksum and one that was adjusted must agree. */
static void
incremental_change(void **state)
{
	uint8_t words[64];
	uint32_t i, old, new;
	uint16_t before, after;

	for (i = 0; i < 100000; i++) {
		size_t k, at = (i * 4) % 64;

		for (k = 0; k < sizeof(words); k++)
			words[k] = (uint8_t)((i + 1) * (k + 3) * 2654435761u >> 13);
		new = i % 3 == 0 ? 0xffffffff : i % 3 == 1 ? 0 : i * 2246822519u;
		memcpy(&old, words + at, 4);
		before = (uint16_t)~ps_sum_fold(ps_sum(words, sizeof(words), 0));
		memcpy(words + at, &new, 4);
		after = (uint16_t)~ps_sum_fold(ps_sum(words, sizeof(words), 0));
		before = ps_checksum_change32(before, old, new);
		/* 0 and 0xffff are the same number in one's complement */
		assert_true(before == after || (uint16_t)(before + 1) <= 1);
	}
}

static void
minimum_and_refusals(void **state)
{
	struct ps_frame_spec spec = spec_of("10.0.0.1", "10.1.0.1", IPPROTO_UDP, 0, 63, 0);
	struct ps_frame f;

	assert_int_equal(ps_frame_minimum(false, IPPROTO_UDP, false), 64);
	assert_int_equal(ps_frame_minimum(false, IPPROTO_TCP, true), 66);
	assert_int_equal(ps_frame_minimum(true, IPPROTO_TCP, false), 82);
	assert_int_equal(ps_frame_init(&f, &spec), -EINVAL);
	spec = spec_of("10.0.0.1", "2001:db8::1", IPPROTO_UDP, 0, 128, 0);
	assert_int_equal(ps_frame_init(&f, &spec), -EINVAL);
}

/* Flow -> tuple -> flow, for ranges that do not divide evenly. */
static void
flows_and_tuples(void **state)
{
	struct ps_space s = {.client_port = {1024, 100}, .vip_port = {80, 3}};
	struct ps_tuple t;
	uint32_t flow;

	assert_int_equal(ps_addr_range_parse("10.0.0.250-10.0.1.6", &s.client), 0);
	assert_int_equal(ps_addr_range_parse("10.9.0.1-10.9.0.2", &s.vip), 0);
	ps_space_prepare(&s);
	assert_int_equal(ps_space_size(&s), 1300);
	for (flow = 0; flow < 1300; flow++) {
		ps_space_tuple(&s, flow, &t);
		assert_int_equal(ps_space_flow(&s, t.src_low, t.src_port), flow);
		assert_true(ntohs(t.dst_port) >= 80 && ntohs(t.dst_port) <= 82);
	}
	ps_space_tuple(&s, 13, &t);
	assert_int_equal(ntohl(t.src_low), 0x0a0000fa);
	assert_int_equal(ntohs(t.src_port), 1025);
	assert_int_equal(ps_space_flow(&s, htonl(0x0a000107), htons(1024)), PS_NONE);
	assert_int_equal(ps_space_flow(&s, htonl(0x0a0000f9), htons(1024)), PS_NONE);
	assert_int_equal(ps_space_flow(&s, htonl(0x0a0000fa), htons(1023)), PS_NONE);
	assert_int_equal(ps_space_flow(&s, htonl(0x0a0000fa), htons(1124)), PS_NONE);
}

static void
rows_without_division(void **state)
{
	static const uint32_t counts[] = {1, 2, 3, 7, 254, 255, 256, 65534, 65535, 1000003, 1u << 31, UINT32_MAX};
	static const uint32_t flows[] = {0, 1, 253, 254, 255, 65533, 65534, 999999, 64000000, 1u << 31, UINT32_MAX - 1, UINT32_MAX};
	struct ps_space s = {0};
	size_t i, k;

	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		s.client.count = counts[i];
		ps_space_prepare(&s);
		for (k = 0; k < sizeof(flows) / sizeof(flows[0]); k++)
			assert_int_equal(ps_space_row(&s, flows[k]), flows[k] / counts[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp4_byte_for_byte),
		cmocka_unit_test(checksums_hold),
		cmocka_unit_test(damage_is_noticed),
		cmocka_unit_test(incremental_change),
		cmocka_unit_test(minimum_and_refusals),
		cmocka_unit_test(flows_and_tuples),
		cmocka_unit_test(rows_without_division),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

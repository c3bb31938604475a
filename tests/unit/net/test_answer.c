/* SPDX-License-Identifier: Apache-2.0 */
/* Answers byte by byte; the expected packets come from an independent implementation (scapy). */
#include "dataplane/net/icmp.h"
#include "tests/unit/net/wire.h"

static uint8_t in[2048], out[PS_ANSWER_MAX];

static uint32_t
answer4(enum ps_exit why, uint32_t size)
{
	struct ps_answer a = {.why = why, .source = addr("192.0.2.1"), .mtu = 1400, .id = 0x1234};

	return ps_answer_build4(&a, in, size, 20, out);
}

static uint32_t
answer6(enum ps_exit why, uint32_t size, uint32_t l4, uint8_t proto)
{
	struct ps_answer a = {.why = why, .source = addr("2001:db8::1"), .mtu = 1400};

	return ps_answer_build6(&a, in, size, l4, proto, out);
}

#include "tests/unit/net/answer_fixtures.h"

static void
resets(void **state)
{
	uint32_t size = wire(in, TCP4_SYN);

	assert_wire(out, answer4(PS_EXIT_RST_NO_ENDPOINT, size), TCP4_SYN_RST);
	size = wire(in, TCP4_ACK_DATA);
	assert_wire(out, answer4(PS_EXIT_RST_NO_FLOW, size), TCP4_ACK_DATA_RST);
	size = wire(in, TCP6_FIN);
	assert_wire(out, answer6(PS_EXIT_RST_NO_FLOW, size, 40, 6), TCP6_FIN_RST);
	/* Never about a RST */
	size = wire(in, TCP4_SYN);
	in[33] = 4;
	assert_int_equal(answer4(PS_EXIT_RST_NO_FLOW, size), 0);
}

static void
unreachables(void **state)
{
	uint32_t size = wire(in, UDP4);

	assert_wire(out, answer4(PS_EXIT_UNREACH_NO_ENDPOINT, size), UDP4_PORT_UNREACHABLE);
	assert_wire(out, answer4(PS_EXIT_TTL_EXPIRED, size), UDP4_TTL);
	assert_wire(out, answer4(PS_EXIT_TOO_BIG, size), UDP4_TOO_BIG);
	assert_int_equal(answer4(PS_EXIT_UNREACH_NO_NEIGHBOUR, size), 20 + 8 + size);
	assert_int_equal(out[21], 1);
	assert_int_equal(answer4(PS_EXIT_UNREACH_NO_ROUTE, size), 20 + 8 + size);
	assert_int_equal(out[21], 0);
	size = wire(in, UDP6);
	assert_wire(out, answer6(PS_EXIT_UNREACH_NO_ENDPOINT, size, 40, 17), UDP6_PORT_UNREACHABLE);
	assert_wire(out, answer6(PS_EXIT_TOO_BIG, size, 40, 17), UDP6_TOO_BIG);
}

static void
quotes_are_bounded(void **state)
{
	uint32_t size = wire(in, UDP4);

	in[2] = 1500 >> 8;
	in[3] = 1500 & 0xff;
	memset(in + size, 0xaa, 1500 - size);
	assert_int_equal(answer4(PS_EXIT_TOO_BIG, 1500), PS_ICMP4_ANSWER_MAX);
	assert_int_equal(out[2] << 8 | out[3], PS_ICMP4_ANSWER_MAX);
	assert_int_equal(ps_checksum_finish(ps_checksum_add(0, out, 20)), 0);
	assert_int_equal(ps_checksum_finish(ps_checksum_add(0, out + 20, PS_ICMP4_ANSWER_MAX - 20)), 0);
	/* Only what is at hand is quoted */
	assert_int_equal(answer4(PS_EXIT_TOO_BIG, 100), 128);
	size = wire(in, UDP6);
	in[4] = 1460 >> 8;
	in[5] = 1460 & 0xff;
	memset(in + size, 0xaa, 1500 - size);
	assert_int_equal(answer6(PS_EXIT_TOO_BIG, 1500, 40, 17), PS_ANSWER_MAX);
}

static void
never_about(void **state)
{
	uint32_t size = wire(in, UDP4);

	in[7] = 1; /* a later fragment */
	assert_int_equal(answer4(PS_EXIT_UNREACH_NO_ENDPOINT, size), 0);
	wire(in, UDP4);
	in[16] = 224; /* to a group */
	assert_int_equal(answer4(PS_EXIT_UNREACH_NO_ENDPOINT, size), 0);
	wire(in, UDP4);
	in[16] = in[17] = in[18] = in[19] = 255;
	assert_int_equal(answer4(PS_EXIT_UNREACH_NO_ENDPOINT, size), 0);
	wire(in, UDP4);
	in[12] = 127; /* from loopback */
	assert_int_equal(answer4(PS_EXIT_UNREACH_NO_ENDPOINT, size), 0);
	wire(in, UDP4);
	in[9] = 1;
	in[20] = 3; /* an ICMP error */
	assert_int_equal(answer4(PS_EXIT_TTL_EXPIRED, size), 0);
	in[20] = 8; /* but an echo request is answered */
	assert_int_not_equal(answer4(PS_EXIT_TTL_EXPIRED, size), 0);
	size = wire(in, UDP6);
	assert_int_equal(answer6(PS_EXIT_UNREACH_NO_ENDPOINT, size, 0, 17), 0);
	in[24] = 0xff;
	assert_int_equal(answer6(PS_EXIT_UNREACH_NO_ENDPOINT, size, 40, 17), 0);
	wire(in, UDP6);
	memset(in + 8, 0, 16);
	assert_int_equal(answer6(PS_EXIT_UNREACH_NO_ENDPOINT, size, 40, 17), 0);
	wire(in, UDP6);
	in[40] = 1;
	assert_int_equal(answer6(PS_EXIT_TTL_EXPIRED, size, 40, 58), 0);
	in[40] = 137; /* a redirect */
	assert_int_equal(answer6(PS_EXIT_TTL_EXPIRED, size, 40, 58), 0);
	in[40] = 128;
	assert_int_not_equal(answer6(PS_EXIT_TTL_EXPIRED, size, 40, 58), 0);
	/* truncated */
	assert_int_equal(answer4(PS_EXIT_UNREACH_NO_ENDPOINT, 19), 0);
	assert_int_equal(answer6(PS_EXIT_UNREACH_NO_ENDPOINT, 39, 40, 17), 0);
	wire(in, TCP4_SYN);
	assert_int_equal(answer4(PS_EXIT_RST_NO_FLOW, 39), 0);
}

static void
checksum_odd_and_long(void **state)
{
	uint8_t bytes[65535];
	uint32_t i, sum = 0;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + 7);
	for (i = 0; i + 1 < sizeof(bytes); i += 2) {
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	sum += (uint32_t)bytes[i] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(ps_checksum_finish(ps_checksum_add(0, bytes, sizeof(bytes))),
			 __builtin_bswap16((uint16_t)~sum));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resets),	cmocka_unit_test(unreachables),
		cmocka_unit_test(quotes_are_bounded), cmocka_unit_test(never_about),
		cmocka_unit_test(checksum_odd_and_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

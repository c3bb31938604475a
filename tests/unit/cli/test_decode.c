/* SPDX-License-Identifier: Apache-2.0 */
/* Frames in one line; and no read beyond what is there, whatever the bytes say. */
#include <stdlib.h>
#include <string.h>

#include "control/cli/decode.h"
#include "tests/unit/cli/check.h"

#define ETHERNET4                                                                                            \
	"020000000002"                                                                                       \
	"020000000001"                                                                                       \
	"0800"
#define IP4(proto)                                                                                           \
	"4500003c00004000"                                                                                   \
	"40" proto "0000"                                                                                    \
	"0a010203"                                                                                           \
	"c633640a"
#define SYN                                                                                                  \
	"11d701bb"                                                                                           \
	"00000001"                                                                                           \
	"00000000"                                                                                           \
	"5002ffff00000000"

static char text[512];

static const char *
decode(const char *hex)
{
	uint8_t bytes[256];
	size_t size = ps_decode_hex(hex, bytes, sizeof(bytes));

	return ps_decode_frame(bytes, size, text, sizeof(text));
}

static void
test_tcp(void **state)
{
	assert_string_equal(
		decode(ETHERNET4 IP4("06") SYN), "02:00:00:00:00:01 > 02:00:00:00:00:02 IPv4 10.1.2.3:4567 > "
						 "198.51.100.10:443 TCP [S] seq 1 ttl 64");
}

static void
test_vlan_udp6(void **state)
{
	CONTAINS(decode("020000000002"
			"020000000001"
			"8100"
			"0064"
			"86dd"
			"6000000000081140"
			"20010db8000000000000000000000001"
			"20010db8000000000000000000000002"
			"30390035"
			"00080000"),
		"vlan 100 IPv6 [2001:db8::1]:12345 > [2001:db8::2]:53 UDP hops 64");
}

static void
test_ipip(void **state)
{
	CONTAINS(decode(ETHERNET4 IP4("04") IP4("06") SYN),
		"IPv4 10.1.2.3 > 198.51.100.10 carries IPv4 10.1.2.3:4567 > 198.51.100.10:443 TCP [S]");
}

static void
test_icmp_error(void **state)
{
	CONTAINS(decode(ETHERNET4 IP4("01") "0304000000000578" IP4("06") SYN),
		"ICMP fragmentation needed, MTU 1400 about (IPv4 10.1.2.3:4567");
}

static void
test_arp(void **state)
{
	CONTAINS(decode("ffffffffffff"
			"020000000001"
			"0806"
			"0001080006040001"
			"020000000001"
			"0a000001"
			"000000000000"
			"0a000002"),
		"ARP who has 10.0.0.2 tell 10.0.0.1");
}

static void
test_later_fragment_has_no_ports(void **state)
{
	CONTAINS(decode(ETHERNET4 "4500003c00070010"
				  "40"
				  "11"
				  "0000"
				  "0a010203"
				  "c633640a"
				  "1122334455667788"),
		"IPv4 10.1.2.3 > 198.51.100.10 protocol 17 ttl 64 fragment id 7 offset 128");
}

/* Every prefix of every fixture, and noise, from the end of an allocation: the sanitizer sees a read beyond.
 */
static void
test_short_and_random(void **state)
{
	static const char *const fixtures[] = {ETHERNET4 IP4("06") SYN, ETHERNET4 IP4("04") IP4("06") SYN,
		ETHERNET4 IP4("01") "0304000000000578" IP4("06") SYN};
	unsigned int seed = 1;

	for (size_t f = 0; f < 3; f++) {
		uint8_t bytes[256];
		size_t size = ps_decode_hex(fixtures[f], bytes, sizeof(bytes));

		for (size_t cut = 0; cut <= size; cut++) {
			uint8_t *exact = malloc(cut + 1);

			memcpy(exact, bytes, cut);
			ps_decode_frame(exact, cut, text, sizeof(text));
			assert_true(strlen(text) < sizeof(text));
			free(exact);
		}
	}
	for (int round = 0; round < 20000; round++) {
		size_t size = (size_t)(rand_r(&seed) % 130);
		uint8_t *noise = malloc(size + 1);

		for (size_t i = 0; i < size; i++)
			noise[i] = (uint8_t)rand_r(&seed);
		if (size > 14) {
			noise[12] = round & 1 ? 0x08 : 0x86;
			noise[13] = round & 1 ? 0x00 : 0xdd;
			noise[14] = round & 1 ? 0x45 : 0x60;
		}
		ps_decode_frame(noise, size, text, round % 7 == 0 ? 20 : sizeof(text));
		free(noise);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_vlan_udp6),
		cmocka_unit_test(test_ipip),
		cmocka_unit_test(test_icmp_error),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_later_fragment_has_no_ports),
		cmocka_unit_test(test_short_and_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

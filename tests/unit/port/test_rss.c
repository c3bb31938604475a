/* SPDX-License-Identifier: Apache-2.0 */
/* Prediction of the receive queue against a Toeplitz hash written from its definition. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_ethdev.h>

#include "drivers/port/port.h"

static uint32_t
toeplitz(const uint8_t *key, const uint8_t *input, uint32_t size)
{
	uint32_t hash = 0, i;

	for (i = 0; i < size * 8; i++) {
		uint32_t window = 0, b;

		if (!((input[i / 8] >> (7 - i % 8)) & 1))
			continue;
		for (b = 0; b < 32; b++)
			window = window << 1 | ((key[(i + b) / 8] >> (7 - (i + b) % 8)) & 1u);
		hash ^= window;
	}
	return hash;
}

static struct ps_port_device dev;

static void
start(void)
{
	dev = (struct ps_port_device){.rx_queues = 4, .rss_key_size = 40, .reta_size = 128};
	memcpy(dev.rss_key, ps_port_rss_key, 40);
	dev.rss_types = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;
	for (uint16_t i = 0; i < 128; i++)
		dev.reta[i] = i % 4;
}

static void
as_defined(void **state)
{
	uint8_t v4[12], v6[36];
	uint16_t sport, dport;
	uint32_t i, k;

	start();
	for (i = 0; i < 500; i++) {
		for (k = 0; k < 12; k++)
			v4[k] = (uint8_t)(i * 7919u >> k);
		for (k = 0; k < 36; k++)
			v6[k] = (uint8_t)(i * 104729u >> (k % 20));
		memcpy(&sport, v4 + 8, 2);
		memcpy(&dport, v4 + 10, 2);
		assert_int_equal(ps_port_rx_queue(&dev, false, v4, v4 + 4, sport, dport, 6),
				 dev.reta[toeplitz(dev.rss_key, v4, 12) % 128]);
		/* UDP over IPv4 is hashed by addresses alone here */
		assert_int_equal(ps_port_rx_queue(&dev, false, v4, v4 + 4, sport, dport, 17),
				 dev.reta[toeplitz(dev.rss_key, v4, 8) % 128]);
		memcpy(&sport, v6 + 32, 2);
		memcpy(&dport, v6 + 34, 2);
		assert_int_equal(ps_port_rx_queue(&dev, true, v6, v6 + 16, sport, dport, 17),
				 dev.reta[toeplitz(dev.rss_key, v6, 36) % 128]);
	}
}

static void
symmetric(void **state)
{
	const uint8_t a[4] = {10, 1, 2, 3}, b[4] = {192, 0, 2, 99};

	start();
	for (uint16_t p = 1; p < 2000; p++)
		assert_int_equal(ps_port_rx_queue(&dev, false, a, b, htons(p), htons(443), 6),
				 ps_port_rx_queue(&dev, false, b, a, htons(443), htons(p), 6));
}

static void
unpredictable(void **state)
{
	const uint8_t a[16] = {1}, b[16] = {2};

	start();
	dev.rss_key_size = 0;
	assert_int_equal(ps_port_rx_queue(&dev, false, a, b, 1, 2, 6), -1);
	dev.rx_queues = 1;
	assert_int_equal(ps_port_rx_queue(&dev, false, a, b, 1, 2, 6), 0);
	start();
	dev.rss_types = RTE_ETH_RSS_IPV6;
	assert_int_equal(ps_port_rx_queue(&dev, false, a, b, 1, 2, 6), -1);
	start();
	dev.rss_key_size = 36; /* too short for IPv6 with ports */
	assert_int_equal(ps_port_rx_queue(&dev, true, a, b, 1, 2, 17), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_defined), cmocka_unit_test(symmetric), cmocka_unit_test(unpredictable)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

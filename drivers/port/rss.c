/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_thash.h>

#include "drivers/port/rss.h"

#define IP_TYPES (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_NONFRAG_IPV6_OTHER)
#define L4_TYPES \
	(RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_TCP | \
	 RTE_ETH_RSS_NONFRAG_IPV6_UDP)

/* Repeating 16 bits make Toeplitz symmetric: exchanging source and destination moves words by multiples of 16 bits. */
#define K 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a, 0x6d, 0x5a
const uint8_t ps_port_rss_key[PS_PORT_RSS_KEY_MAX] = {K, K, K, K};

void
ps_rss_configure(struct ps_port_device *dev, const struct rte_eth_dev_info *info, struct rte_eth_conf *conf)
{
	struct rte_eth_rss_conf *rss = &conf->rx_adv_conf.rss_conf;

	dev->rss_types = info->flow_type_rss_offloads & (IP_TYPES | L4_TYPES);
	if (dev->rss_types == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	rss->rss_hf = dev->rss_types;
	if (info->hash_key_size != 0 && info->hash_key_size <= PS_PORT_RSS_KEY_MAX) {
		rss->rss_key = (uint8_t *)(uintptr_t)ps_port_rss_key;
		rss->rss_key_len = info->hash_key_size;
	}
}

static void
remember_table(struct ps_port_device *dev, uint16_t size)
{
	struct rte_eth_rss_reta_entry64 reta[PS_PORT_RETA_MAX / RTE_ETH_RETA_GROUP_SIZE];
	uint16_t i;

	if (size == 0 || size > PS_PORT_RETA_MAX)
		return;
	memset(reta, 0, sizeof(reta));
	for (i = 0; i < size; i++)
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
	if (rte_eth_dev_rss_reta_query(dev->port_id, reta, size) != 0)
		return;
	for (i = 0; i < size; i++)
		dev->reta[i] = reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
	dev->reta_size = size;
}

void
ps_rss_remember(struct ps_port_device *dev)
{
	struct rte_eth_rss_conf conf = {.rss_key = dev->rss_key, .rss_key_len = PS_PORT_RSS_KEY_MAX};
	struct rte_eth_dev_info info;

	if (dev->rss_types == 0 || rte_eth_dev_info_get(dev->port_id, &info) != 0)
		return;
	if (info.hash_key_size != 0 && info.hash_key_size <= PS_PORT_RSS_KEY_MAX)
		conf.rss_key_len = info.hash_key_size;
	if (rte_eth_dev_rss_hash_conf_get(dev->port_id, &conf) == 0) {
		dev->rss_types = conf.rss_hf;
		if (conf.rss_key != NULL && info.hash_key_size <= PS_PORT_RSS_KEY_MAX)
			dev->rss_key_size = info.hash_key_size != 0 ? info.hash_key_size : 40;
	}
	remember_table(dev, info.reta_size);
	if (dev->reta_size == 0)
		dev->rss_key_size = 0;
}

static uint32_t
word(const void *p)
{
	uint32_t w;

	memcpy(&w, p, sizeof(w));
	return ntohl(w);
}

int
ps_port_rx_queue(const struct ps_port_device *dev, bool v6, const void *src, const void *dst, uint16_t src_port,
		 uint16_t dst_port, uint8_t proto)
{
	uint64_t l4 = 0, l3 = v6 ? RTE_ETH_RSS_IPV6 : RTE_ETH_RSS_IPV4;
	uint32_t tuple[9], length = 0, i, words = v6 ? 4 : 1;

	if (dev->rx_queues == 1)
		return 0;
	if (dev->rss_key_size == 0 || dev->reta_size == 0)
		return -1;
	if (proto == IPPROTO_TCP)
		l4 = v6 ? RTE_ETH_RSS_NONFRAG_IPV6_TCP : RTE_ETH_RSS_NONFRAG_IPV4_TCP;
	else if (proto == IPPROTO_UDP)
		l4 = v6 ? RTE_ETH_RSS_NONFRAG_IPV6_UDP : RTE_ETH_RSS_NONFRAG_IPV4_UDP;
	if (!(dev->rss_types & (l3 | l4)))
		return -1;
	for (i = 0; i < words; i++)
		tuple[length++] = word((const uint8_t *)src + 4 * i);
	for (i = 0; i < words; i++)
		tuple[length++] = word((const uint8_t *)dst + 4 * i);
	if (dev->rss_types & l4)
		tuple[length++] = (uint32_t)ntohs(src_port) << 16 | ntohs(dst_port);
	/* A key as long as the input and one word */
	if ((length + 1) * 4 > dev->rss_key_size)
		return -1;
	return dev->reta[rte_softrss(tuple, length, dev->rss_key) % dev->reta_size];
}

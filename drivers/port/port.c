/* SPDX-License-Identifier: Apache-2.0 */
/* Plugs a device in, configures it for the workers, starts it, takes it down again. */
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "drivers/port/family.h"
#include "drivers/port/rss.h"

#define L2_OVERHEAD (RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + 4)

static const uint8_t no_mac[6];

struct start {
	struct ps_port_device *dev;
	const struct ps_port_spec *spec;
	const struct ps_port_config *config;
	const struct ps_port_family *family;
	struct rte_eth_dev_info info;
	uint16_t wanted_queues;
	char *why;
	size_t why_size;
};

static void __attribute__((format(printf, 3, 4)))
say(const struct start *s, enum ps_say_level level, const char *format, ...)
{
	char text[256];
	int used = snprintf(text, sizeof(text), "port %s: ", s->spec->name);
	va_list ap;

	if (s->config->say == NULL || used < 0 || (size_t)used >= sizeof(text))
		return;
	va_start(ap, format);
	vsnprintf(text + used, sizeof(text) - (size_t)used, format, ap);
	va_end(ap);
	s->config->say(s->config->say_arg, level, text);
}

static int __attribute__((format(printf, 3, 4)))
fail(const struct start *s, int rc, const char *format, ...)
{
	int used = snprintf(s->why, s->why_size, "port %s: ", s->spec->name);
	va_list ap;

	if (used >= 0 && (size_t)used < s->why_size) {
		va_start(ap, format);
		vsnprintf(s->why + used, s->why_size - (size_t)used, format, ap);
		va_end(ap);
	}
	return rc < 0 ? rc : -EIO;
}

void
ps_port_spec_read(struct ps_port_spec *spec, const struct ps_snapshot *s, uint32_t index)
{
	const struct ps_port *p = ps_snapshot_item(s, PS_SEC_PORT, index);

	*spec = (struct ps_port_spec){
		.index = index,
		.kind = p->kind,
		.name = ps_snapshot_string(s, p->name),
		.device = ps_snapshot_string(s, p->device),
		.output = ps_snapshot_string(s, p->output),
		.options = ps_snapshot_string(s, p->options),
		.queues = p->queues,
		.flags = p->flags,
		.mtu = p->mtu,
		.memif_id = p->memif_id,
	};
	memcpy(spec->mac, p->mac, sizeof(spec->mac));
}

/* What the kernel interface below needs, and what it limits. spec is the caller's copy. */
static int
prepare_kernel_iface(struct start *s, struct ps_port_spec *spec)
{
	bool was_down = false, changed = false;
	uint32_t mtu = 0;
	uint16_t queues;
	int rc;

	if (if_nametoindex(spec->device) == 0)
		return spec->kind == PS_PORT_TAP ? 0 : fail(s, -ENODEV, "there is no interface \"%s\"", spec->device);
	if (spec->kind == PS_PORT_TAP)
		return 0;
	rc = ps_kernel_iface_up(spec->device, &was_down);
	if (rc < 0)
		return fail(s, rc, "interface %s cannot be set up: %s", spec->device, strerror(-rc));
	if (was_down)
		say(s, PS_SAY_INFO, "interface %s was down, is up now", spec->device);
	if (ps_kernel_iface_mtu(spec->device, &mtu) == 0 && mtu < spec->mtu) {
		if (ps_kernel_iface_set_mtu(spec->device, spec->mtu) == 0) {
			say(s, PS_SAY_INFO, "MTU of interface %s raised from %u to %u", spec->device, mtu, spec->mtu);
		} else {
			say(s, PS_SAY_WARNING, "MTU %u is more than interface %s can do, using %u", spec->mtu,
			    spec->device, mtu);
			spec->mtu = mtu;
		}
	}
	/* Merged packets are larger than the MTU, than a buffer, and than what may be sent on. */
	if (ps_kernel_iface_no_merging(spec->device, &changed) < 0)
		say(s, PS_SAY_WARNING, "receive merging (GRO) of %s cannot be switched off", spec->device);
	else if (changed)
		say(s, PS_SAY_INFO, "receive merging (GRO, LRO) of %s switched off", spec->device);
	/* Nor may the peer leave cutting to a device that is none; it may be in another namespace, out of our reach. */
	if (ps_kernel_iface_is_veth(spec->device))
		say(s, PS_SAY_INFO,
		    "%s is one end of a veth pair: segmentation offload must be off at the other (ethtool -K PEER tso off gso off)",
		    spec->device);
	if (spec->kind == PS_PORT_AF_PACKET && !ps_fanout_keeps_fragments)
		say(s, PS_SAY_WARNING, "the kernel puts IPv4 fragments together: datagrams above a buffer are lost");
	if (spec->kind == PS_PORT_AF_XDP) {
		queues = ps_kernel_iface_queues(spec->device);
		if (s->wanted_queues > queues) {
			say(s, PS_SAY_WARNING, "interface %s has %u queues, %u wanted: using %u", spec->device, queues,
			    s->wanted_queues, queues);
			spec->queues = queues;
		} else if (s->wanted_queues < queues) {
			say(s, PS_SAY_WARNING,
			    "interface %s spreads packets over %u queues, of which %u are read: ethtool -L %s combined %u",
			    spec->device, queues, s->wanted_queues, spec->device, s->wanted_queues);
		}
	}
	return 0;
}

static int
plug(struct start *s, const struct ps_port_spec *spec, char *name, char *args)
{
	struct ps_port_device *dev = s->dev;
	int rc;

	if (strcmp(s->family->bus, "pci") == 0) {
		/* Devices allowed on the command line are there already. */
		if (rte_eth_dev_get_port_by_name(name, &dev->port_id) == 0)
			return 0;
	}
	rc = rte_eal_hotplug_add(s->family->bus, name, args);
	if (rc < 0)
		return fail(s, rc, "cannot be plugged in as %s (%s): %s", name, args, strerror(-rc));
	dev->plugged = true;
	if (rte_eth_dev_get_port_by_name(name, &dev->port_id) != 0) {
		dev->port_id = PS_PORT_ID_NONE;
		return fail(s, -ENODEV, "%s came up without a network device", name);
	}
	return 0;
}

static void
choose_queues(struct start *s)
{
	struct ps_port_device *dev = s->dev;
	uint16_t wanted = s->wanted_queues, workers = s->config->workers;

	dev->rx_queues = RTE_MIN(wanted, s->info.max_rx_queues);
	dev->tx_queues = RTE_MIN(workers, s->info.max_tx_queues);
	if (s->family->quirks & PS_QUIRK_QUEUE_PAIRS) {
		dev->rx_queues = RTE_MIN(dev->rx_queues, s->info.max_tx_queues);
		dev->tx_queues = dev->rx_queues;
	}
	if (dev->rx_queues == 0)
		dev->rx_queues = 1;
	if (dev->tx_queues == 0)
		dev->tx_queues = 1;
	dev->tx_shared = dev->tx_queues < workers;
	if (s->spec->queues != 0 && dev->rx_queues < s->spec->queues)
		say(s, PS_SAY_WARNING, "%u receive queues configured, the device has %u", s->spec->queues, dev->rx_queues);
	else if (dev->rx_queues < workers)
		say(s, PS_SAY_INFO, "%u receive queues for %u workers: packets are handed over in software",
		    dev->rx_queues, workers);
	if (dev->rx_queues > workers)
		say(s, PS_SAY_INFO, "%u receive queues for %u workers: some poll several", dev->rx_queues, workers);
	if (dev->tx_shared)
		say(s, PS_SAY_INFO, "%u transmit queues for %u workers: shared through rings", dev->tx_queues, workers);
}

static void
choose_mtu(struct start *s, struct rte_eth_conf *conf, uint32_t mtu)
{
	struct ps_port_device *dev = s->dev;
	uint32_t most = s->info.max_mtu != 0 && s->info.max_mtu < UINT16_MAX ? s->info.max_mtu : UINT16_MAX;

	if (!(s->family->quirks & PS_QUIRK_NO_MTU_SET)) {
		if (mtu > most) {
			say(s, PS_SAY_WARNING, "MTU %u is more than the device can do, using %u", mtu, most);
			mtu = most;
		}
		if (mtu < s->info.min_mtu)
			mtu = s->info.min_mtu;
		conf->rxmode.mtu = mtu;
	} else {
		conf->rxmode.mtu = RTE_MIN((uint32_t)RTE_ETHER_MTU, most);
	}
	dev->mtu = (uint16_t)mtu;
}

static void
choose_offloads(struct start *s, struct rte_eth_conf *conf)
{
	const uint64_t rx_checksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
				      RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	const uint64_t tx_checksums = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
				      RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	bool scatter = s->dev->mtu + L2_OVERHEAD > s->config->mbuf_size;
	struct ps_port_device *dev = s->dev;

	if (s->family->quirks & PS_QUIRK_OFFLOADS) {
		dev->rx_offloads = s->info.rx_offload_capa & rx_checksums;
		if ((s->info.tx_offload_capa & tx_checksums) == tx_checksums)
			dev->tx_offloads = tx_checksums;
	}
	if (scatter && (s->info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER))
		dev->rx_offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	/*
	 * All buffers come from one pool and have one owner, so fast-free holds; drivers that offer it
	 * take it only for packets of one segment, which packets are unless scattered on reception.
	 */
	if (!scatter && (s->info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE))
		dev->tx_offloads |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
	else
		dev->tx_offloads |= s->info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	dev->chains = (dev->tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
	dev->tx_checksum = (dev->tx_offloads & tx_checksums) == tx_checksums;
	dev->distrusts_checksum = (s->family->quirks & PS_QUIRK_DISTRUST) &&
				  !(s->spec->flags & PS_PORT_F_TRUST_CHECKSUM);
	conf->rxmode.offloads = dev->rx_offloads;
	conf->txmode.offloads = dev->tx_offloads;
}

static int
set_up_queues(struct start *s)
{
	struct ps_port_device *dev = s->dev;
	uint16_t rx = s->config->rx_descriptors, tx = s->config->tx_descriptors, q;
	struct rte_eth_rxconf rxconf = s->info.default_rxconf;
	struct rte_eth_txconf txconf = s->info.default_txconf;
	int rc, socket = rte_eth_dev_socket_id(dev->port_id);

	rc = rte_eth_dev_adjust_nb_rx_tx_desc(dev->port_id, &rx, &tx);
	if (rc < 0)
		return fail(s, rc, "descriptor counts: %s", strerror(-rc));
	if (rx != s->config->rx_descriptors || tx != s->config->tx_descriptors)
		say(s, PS_SAY_INFO, "descriptors per queue adjusted to the device: %u to receive (%u wanted), %u to send (%u)",
		    rx, s->config->rx_descriptors, tx, s->config->tx_descriptors);
	rxconf.offloads = dev->rx_offloads;
	txconf.offloads = dev->tx_offloads;
	for (q = 0; q < dev->rx_queues; q++) {
		rc = rte_eth_rx_queue_setup(dev->port_id, q, rx, (unsigned int)socket, &rxconf, s->config->pool);
		if (rc < 0)
			return fail(s, rc, "receive queue %u: %s", q, strerror(-rc));
	}
	for (q = 0; q < dev->tx_queues; q++) {
		rc = rte_eth_tx_queue_setup(dev->port_id, q, tx, (unsigned int)socket, &txconf);
		if (rc < 0)
			return fail(s, rc, "transmit queue %u: %s", q, strerror(-rc));
	}
	return 0;
}

static int
configure(struct start *s, uint32_t mtu)
{
	struct rte_eth_conf conf = {.rxmode = {.mq_mode = RTE_ETH_MQ_RX_NONE},
				    .txmode = {.mq_mode = RTE_ETH_MQ_TX_NONE}};
	struct ps_port_device *dev = s->dev;
	int rc = rte_eth_dev_info_get(dev->port_id, &s->info);

	if (rc < 0)
		return fail(s, rc, "device information: %s", strerror(-rc));
	choose_queues(s);
	choose_mtu(s, &conf, mtu);
	choose_offloads(s, &conf);
	if ((s->family->quirks & PS_QUIRK_RSS) && dev->rx_queues > 1)
		ps_rss_configure(dev, &s->info, &conf);
	rc = rte_eth_dev_configure(dev->port_id, dev->rx_queues, dev->tx_queues, &conf);
	if (rc < 0 && dev->rss_types != 0) {
		say(s, PS_SAY_WARNING, "the device refuses our RSS settings (%s), using its own", strerror(-rc));
		conf.rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){.rss_hf = dev->rss_types};
		rc = rte_eth_dev_configure(dev->port_id, dev->rx_queues, dev->tx_queues, &conf);
	}
	if (rc < 0)
		return fail(s, rc, "%u receive and %u transmit queues: %s", dev->rx_queues, dev->tx_queues, strerror(-rc));
	return set_up_queues(s);
}

static void
choose_mac(struct start *s)
{
	struct rte_ether_addr mac = {{0}};
	struct ps_port_device *dev = s->dev;
	int rc;

	if (memcmp(s->spec->mac, no_mac, 6) != 0)
		memcpy(mac.addr_bytes, s->spec->mac, 6);
	else if (s->family->quirks & PS_QUIRK_OWN_MAC)
		ps_port_stable_mac(s->spec, 0, mac.addr_bytes);
	else
		rte_eth_macaddr_get(dev->port_id, &mac);
	memcpy(dev->mac, mac.addr_bytes, 6);
	/* The driver would rename the other end. */
	if (s->family->quirks & PS_QUIRK_PEER_MAC)
		return;
	if (memcmp(s->spec->mac, no_mac, 6) != 0 || (s->family->quirks & PS_QUIRK_OWN_MAC)) {
		rc = rte_eth_dev_default_mac_addr_set(dev->port_id, &mac);
		/* Devices without filter take every MAC and some have no way to be told. */
		if (rc < 0 && rc != -ENOTSUP && !(s->family->quirks & PS_QUIRK_OWN_MAC))
			say(s, PS_SAY_WARNING, "the device refuses the configured MAC: %s", strerror(-rc));
	}
}

/* Groups: ARP is broadcast, neighbour discovery is multicast, and VIPs come and go. */
static void
open_filters(struct start *s)
{
	struct ps_port_device *dev = s->dev;
	int rc = 0;

	if (s->spec->flags & PS_PORT_F_PROMISCUOUS) {
		rc = rte_eth_promiscuous_enable(dev->port_id);
		if (rc < 0 && rc != -ENOTSUP)
			say(s, PS_SAY_WARNING, "promiscuous mode: %s", strerror(-rc));
	}
	if (s->family->quirks & PS_QUIRK_PEER_MAC)
		return;
	if (s->family->quirks & PS_QUIRK_KERNEL_IFACE) {
		rc = ps_kernel_iface_flags_add(s->spec->device, IFF_ALLMULTI);
	} else {
		rc = rte_eth_allmulticast_enable(dev->port_id);
		if (rc == -ENOTSUP && !(s->family->quirks & PS_QUIRK_OWN_MAC))
			rc = rte_eth_promiscuous_enable(dev->port_id);
	}
	if (rc < 0 && rc != -ENOTSUP)
		say(s, PS_SAY_WARNING, "multicast reception: %s", strerror(-rc));
}

static void
check_numa(struct start *s)
{
	struct ps_port_device *dev = s->dev;
	uint16_t w, foreign = 0;

	dev->numa = rte_eth_dev_socket_id(dev->port_id);
	if (s->config->worker_numa == NULL || dev->numa < 0)
		return;
	for (w = 0; w < s->config->workers; w++)
		foreign += s->config->worker_numa[w] >= 0 && s->config->worker_numa[w] != dev->numa;
	if (foreign != 0)
		say(s, PS_SAY_WARNING, "device is on NUMA node %d, %u of %u workers are not", dev->numa, foreign,
		    s->config->workers);
}

/* The kernel's end for everything that is for the host itself. Its MAC is the port's, so that it sends what the port may. */
static int
start_punt(struct start *s)
{
	struct rte_eth_conf conf = {0};
	struct ps_port_device *dev = s->dev;
	struct rte_eth_dev_info info;
	char args[128];
	uint16_t descriptors = RTE_MIN(s->config->rx_descriptors, (uint16_t)256);
	int rc;

	if (strlen(s->spec->name) > 15)
		return fail(s, -EINVAL, "its name is too long for the punt interface, at most 15 characters");
	snprintf(dev->punt_name, sizeof(dev->punt_name), "net_tap%u", 100 + s->spec->index);
	snprintf(args, sizeof(args), "iface=%s,mac=%02x:%02x:%02x:%02x:%02x:%02x,persist=1", s->spec->name, dev->mac[0],
		 dev->mac[1], dev->mac[2], dev->mac[3], dev->mac[4], dev->mac[5]);
	rc = rte_eal_hotplug_add("vdev", dev->punt_name, args);
	if (rc < 0)
		return fail(s, rc, "punt interface %s: %s", s->spec->name, strerror(-rc));
	dev->punt_plugged = true;
	if (rte_eth_dev_get_port_by_name(dev->punt_name, &dev->punt_id) != 0) {
		dev->punt_id = PS_PORT_ID_NONE;
		return fail(s, -ENODEV, "punt interface %s did not appear", s->spec->name);
	}
	rc = rte_eth_dev_info_get(dev->punt_id, &info);
	if (rc == 0)
		rc = rte_eth_dev_configure(dev->punt_id, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(dev->punt_id, 0, descriptors, SOCKET_ID_ANY, NULL, s->config->pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(dev->punt_id, 0, descriptors, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_set_mtu(dev->punt_id, dev->mtu);
	if (rc == 0)
		rc = rte_eth_dev_start(dev->punt_id);
	if (rc < 0)
		return fail(s, rc, "punt interface %s: %s", s->spec->name, strerror(-rc));
	say(s, PS_SAY_INFO, "packets for the host itself go to interface %s", s->spec->name);
	if (s->spec->kind == PS_PORT_AF_PACKET)
		say(s, PS_SAY_WARNING, "the kernel receives what arrives on %s by itself as well: drop it there, or it comes twice",
		    s->spec->device);
	return 0;
}

static void
describe(struct start *s)
{
	struct ps_port_device *dev = s->dev;

	if (dev->rss_types != 0)
		dev->flags |= PS_PORT_CAN_RSS | (dev->rss_key_size != 0 ? PS_PORT_CAN_RSS_KEY : 0);
	if (dev->rx_offloads & (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM))
		dev->flags |= PS_PORT_CAN_RX_CHECKSUM;
	if (dev->tx_checksum)
		dev->flags |= PS_PORT_CAN_TX_CHECKSUM;
	if (dev->chains)
		dev->flags |= PS_PORT_CAN_CHAINS;
	if (dev->distrusts_checksum)
		dev->flags |= PS_PORT_DISTRUSTS_CHECKSUM;
	snprintf(dev->driver, sizeof(dev->driver), "%s", s->info.driver_name != NULL ? s->info.driver_name : "");
	snprintf(dev->name, sizeof(dev->name), "%s", s->spec->name);
	snprintf(dev->device, sizeof(dev->device), "%s", s->spec->device);
}

uint32_t
ps_port_buffer_size(enum ps_port_kind kind, uint32_t mtu)
{
	const struct ps_port_family *family = ps_port_family_of(kind);

	return family != NULL && family->buffer_size != NULL ? family->buffer_size(mtu) : 0;
}

int
ps_port_start(struct ps_port_device *dev, const struct ps_port_spec *given, const struct ps_port_config *config,
	      char *why, size_t why_size)
{
	struct ps_port_spec spec = *given;
	struct start s = {.dev = dev, .spec = &spec, .config = config, .why = why, .why_size = why_size};
	char args[PS_PORT_DEVARGS_SIZE];
	int rc;

	*dev = (struct ps_port_device){.port_id = PS_PORT_ID_NONE, .punt_id = PS_PORT_ID_NONE, .numa = -1,
				       .kind = spec.kind};
	s.family = ps_port_family_of(spec.kind);
	if (s.family == NULL)
		return fail(&s, -EINVAL, "kind %u is not known", (unsigned int)spec.kind);
	s.wanted_queues = ps_port_queues(&spec, config);
	if (spec.mtu == 0)
		spec.mtu = RTE_ETHER_MTU;
	if (s.family->max_mtu != NULL && spec.mtu > s.family->max_mtu(config)) {
		say(&s, PS_SAY_WARNING, "MTU %u does not fit packet buffers of %u bytes, using %u", spec.mtu,
		    config->mbuf_size, s.family->max_mtu(config));
		spec.mtu = s.family->max_mtu(config);
	}
	rc = s.family->quirks & PS_QUIRK_KERNEL_IFACE ? prepare_kernel_iface(&s, &spec) : 0;
	if (rc < 0)
		return rc;
	s.wanted_queues = ps_port_queues(&spec, config);
	if ((s.family->quirks & PS_QUIRK_UNIX_SERVER) &&
	    (spec.kind == PS_PORT_VHOST || (spec.flags & PS_PORT_F_MEMIF_SERVER))) {
		rc = ps_unix_socket_clear(spec.device);
		/* Several memifs of one process share a socket and differ by id. */
		if (rc < 0 && !(rc == -EADDRINUSE && spec.kind == PS_PORT_MEMIF))
			return fail(&s, rc, "socket %s: %s", spec.device, strerror(-rc));
	}
	rc = ps_port_devargs(&spec, config, dev->device_name, sizeof(dev->device_name), args, sizeof(args), why, why_size);
	if (rc < 0)
		return rc;
	rc = plug(&s, &spec, dev->device_name, args);
	if (rc == 0)
		rc = configure(&s, spec.mtu);
	if (rc == 0) {
		choose_mac(&s);
		rc = rte_eth_dev_start(dev->port_id);
		if (rc < 0)
			fail(&s, rc, "does not start: %s", strerror(-rc));
	}
	if (rc < 0)
		goto out;
	if (spec.kind == PS_PORT_TAP) {
		/* Made by the driver with an MTU and a state of its own */
		bool was_down;

		ps_kernel_iface_set_mtu(spec.device, dev->mtu);
		ps_kernel_iface_up(spec.device, &was_down);
	}
	open_filters(&s);
	ps_rss_remember(dev);
	check_numa(&s);
	if (spec.flags & PS_PORT_F_PUNT)
		rc = start_punt(&s);
	describe(&s);
out:
	if (rc < 0)
		ps_port_stop(dev);
	return rc < 0 ? rc : 0;
}

static void
unplug(uint16_t *port_id, bool *plugged, const char *name, const char *bus)
{
	if (*port_id != PS_PORT_ID_NONE) {
		rte_eth_dev_stop(*port_id);
		rte_eth_dev_close(*port_id);
		*port_id = PS_PORT_ID_NONE;
	}
	/* Closing may have removed the device with its last port; then there is nothing to remove. */
	if (*plugged && rte_eth_dev_get_port_by_name(name, &(uint16_t){0}) == 0)
		rte_eal_hotplug_remove(bus, name);
	*plugged = false;
}

void
ps_port_stop(struct ps_port_device *dev)
{
	const struct ps_port_family *f = ps_port_family_of(dev->kind);

	unplug(&dev->punt_id, &dev->punt_plugged, dev->punt_name, "vdev");
	unplug(&dev->port_id, &dev->plugged, dev->device_name, f != NULL ? f->bus : "vdev");
}

bool
ps_port_link_up(const struct ps_port_device *dev)
{
	struct rte_eth_link link = {0};

	return dev->port_id != PS_PORT_ID_NONE && rte_eth_link_get_nowait(dev->port_id, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

void
ps_port_status(const struct ps_port_device *dev, struct ps_port_status *status)
{
	const struct ps_port_family *f = ps_port_family_of(dev->kind);
	struct rte_eth_link link = {0};
	struct rte_eth_stats stats = {0};

	snprintf(status->name, sizeof(status->name), "%s", dev->name);
	snprintf(status->driver, sizeof(status->driver), "%s", f->prefix != NULL ? f->prefix : dev->driver);
	snprintf(status->device, sizeof(status->device), "%s", dev->device);
	memcpy(status->mac, dev->mac, sizeof(status->mac));
	status->kind = (uint8_t)dev->kind;
	status->rx_queues = dev->rx_queues;
	status->tx_queues = dev->tx_queues;
	status->mtu = dev->mtu;
	status->numa_node = dev->numa;
	status->flags = dev->flags;
	if (dev->port_id == PS_PORT_ID_NONE) {
		status->link_up = 0;
		return;
	}
	if (rte_eth_link_get_nowait(dev->port_id, &link) == 0) {
		status->link_up = link.link_status == RTE_ETH_LINK_UP;
		status->speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	}
	if (rte_eth_stats_get(dev->port_id, &stats) != 0)
		return;
	status->rx_packets = stats.ipackets;
	status->rx_bytes = stats.ibytes;
	status->rx_missed = stats.imissed;
	status->rx_errors = stats.ierrors;
	status->rx_nombuf = stats.rx_nombuf;
	status->tx_packets = stats.opackets;
	status->tx_bytes = stats.obytes;
	status->tx_errors = stats.oerrors;
}

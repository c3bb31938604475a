/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio: the front end in user space (peer: a vhost-user socket, or the kernel through /dev/vhost-net,
 * where a TAP "<port name>" appears), and the back end for virtual machines (vhost).
 *
 * Receive checksum offload is not asked for: then the peer must deliver whole checksums.
 */
#include <string.h>

#include "drivers/port/family.h"

static int
user_devargs(const struct ps_port_spec *spec, const struct ps_port_config *config, uint16_t queues,
	     struct ps_port_args *args, char *why, size_t why_size)
{
	uint8_t mac[6];

	memcpy(mac, spec->mac, 6);
	if (memcmp(mac, "\0\0\0\0\0\0", 6) == 0)
		ps_port_stable_mac(spec, 0, mac);
	ps_port_arg(args, "path", "%s", spec->device);
	ps_port_arg(args, "queues", "%u", queues);
	if (!ps_port_option_given(spec, "queue_size"))
		ps_port_arg(args, "queue_size", "%u", config->rx_descriptors);
	if (strcmp(spec->device, "/dev/vhost-net") == 0 && !ps_port_option_given(spec, "iface"))
		ps_port_arg(args, "iface", "%s", spec->name);
	ps_port_arg(args, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return 0;
}

static int
vhost_devargs(const struct ps_port_spec *spec, const struct ps_port_config *config, uint16_t queues,
	      struct ps_port_args *args, char *why, size_t why_size)
{
	ps_port_arg(args, "iface", "%s", spec->device);
	ps_port_arg(args, "queues", "%u", queues);
	/* Packets of large guests would need more than one buffer. */
	if (!ps_port_option_given(spec, "tso"))
		ps_port_arg(args, "tso", "0");
	return 0;
}

const struct ps_port_family ps_port_virtio_user = {
	.kind = "virtio-user",
	.prefix = "net_virtio_user",
	.bus = "vdev",
	.quirks = PS_QUIRK_QUEUE_PAIRS | PS_QUIRK_OWN_MAC,
	.devargs = user_devargs,
};

const struct ps_port_family ps_port_vhost = {
	.kind = "vhost",
	.prefix = "net_vhost",
	.bus = "vdev",
	.quirks = PS_QUIRK_QUEUE_PAIRS | PS_QUIRK_OWN_MAC | PS_QUIRK_UNIX_SERVER | PS_QUIRK_NO_MTU_SET,
	.devargs = vhost_devargs,
};

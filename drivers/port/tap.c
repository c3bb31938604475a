/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TAP interface, made by the driver; the kernel is the peer. The driver knows one MAC for both ends and
 * gives it to the kernel's, so ours is another one: the wire has two ends and no filter. The interface
 * outlives the process, so that addresses the user gave it are still there after a restart.
 */
#include <stdio.h>

#include "drivers/port/family.h"

static int
devargs(const struct ps_port_spec *spec, const struct ps_port_config *config, uint16_t queues,
	struct ps_port_args *args, char *why, size_t why_size)
{
	uint8_t mac[6];

	ps_port_stable_mac(spec, 1, mac);
	ps_port_arg(args, "iface", "%s", spec->device);
	if (!ps_port_option_given(spec, "mac"))
		ps_port_arg(args, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
			    mac[5]);
	if (!ps_port_option_given(spec, "persist"))
		ps_port_arg(args, "persist", "1");
	return 0;
}

const struct ps_port_family ps_port_tap = {
	.kind = "tap",
	.prefix = "net_tap",
	.bus = "vdev",
	.quirks = PS_QUIRK_DISTRUST | PS_QUIRK_QUEUE_PAIRS | PS_QUIRK_KERNEL_IFACE | PS_QUIRK_PEER_MAC | PS_QUIRK_OWN_MAC,
	.max_queues = 16,
	.devargs = devargs,
};

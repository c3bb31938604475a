/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture file as a port: read once or again and again, sent packets written to another file. One receive queue
 * per file read and one transmit queue per file written: the driver has no locks.
 */
#include <errno.h>
#include <stdio.h>

#include "drivers/port/family.h"

static int
devargs(const struct ps_port_spec *spec, const struct ps_port_config *config, uint16_t queues,
	struct ps_port_args *args, char *why, size_t why_size)
{
	if ((spec->flags & PS_PORT_F_REPLAY_LOOP) && spec->device[0] == '\0') {
		snprintf(why, why_size, "port %s: nothing to replay without a file to read", spec->name);
		return -EINVAL;
	}
	if (spec->device[0] != '\0')
		ps_port_arg(args, "rx_pcap", "%s", spec->device);
	if (spec->output[0] != '\0')
		ps_port_arg(args, "tx_pcap", "%s", spec->output);
	if (spec->flags & PS_PORT_F_REPLAY_LOOP)
		ps_port_arg(args, "infinite_rx", "1");
	return 0;
}

const struct ps_port_family ps_port_pcap = {
	.kind = "pcap",
	.prefix = "net_pcap",
	.bus = "vdev",
	.quirks = PS_QUIRK_OWN_MAC | PS_QUIRK_NO_MTU_SET | PS_QUIRK_FIXED_QUEUES,
	.max_queues = 1,
	.devargs = devargs,
};

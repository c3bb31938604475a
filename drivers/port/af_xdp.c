/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_XDP sockets on a kernel interface. The driver copies the first segment of a packet only, and packets
 * of a local sender come without L4 checksum. Queues are those of the interface: more than it has are refused
 * by the driver, so port.c asks the kernel first.
 */
#include "drivers/port/family.h"

static int
devargs(const struct ps_port_spec *spec, const struct ps_port_config *config, uint16_t queues,
	struct ps_port_args *args, char *why, size_t why_size)
{
	ps_port_arg(args, "iface", "%s", spec->device);
	ps_port_arg(args, "start_queue", "0");
	ps_port_arg(args, "queue_count", "%u", queues);
	/* The driver tries zero-copy by itself, and what it reports when the device has none is not always an error. */
	if (!(spec->flags & PS_PORT_F_ZERO_COPY) && !ps_port_option_given(spec, "force_copy"))
		ps_port_arg(args, "force_copy", "1");
	return 0;
}

const struct ps_port_family ps_port_af_xdp = {
	.kind = "af_xdp",
	.prefix = "net_af_xdp",
	.bus = "vdev",
	.quirks = PS_QUIRK_DISTRUST | PS_QUIRK_QUEUE_PAIRS | PS_QUIRK_KERNEL_IFACE | PS_QUIRK_NO_MTU_SET,
	.devargs = devargs,
};

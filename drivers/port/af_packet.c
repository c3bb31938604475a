/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AF_PACKET sockets with mapped rings on a kernel interface: works everywhere.
 *
 * The driver lays frames out one behind the other, so a block must hold a whole number of them and be a
 * whole number of pages; a frame holds a header of up to 80 bytes before the packet; and a frame must fit a
 * packet buffer. Queues form a fanout group by the kernel's own flow hash, and a group's
 * queue that nobody polls loses its packets.
 */
#include <errno.h>
#include <stdio.h>

#include "drivers/port/family.h"

#define PAGE 4096u
#define FRAME_STEP 1024u       /* so that a block is at most four frames or four pages */
#define FRAME_OVERHEAD 80u     /* tpacket2 header and alignment before the IP header */
#define FRAME_NOT_DATA 32u     /* what the driver subtracts to compare with the buffer */
#define L2_SIZE 18u            /* Ethernet header and one tag */
#define FRAMES_MIN 256u
#define FRAMES_MAX 4096u

static uint32_t
frame_size(uint32_t mtu)
{
	uint32_t size = mtu + L2_SIZE + FRAME_OVERHEAD;

	return (size + FRAME_STEP - 1) / FRAME_STEP * FRAME_STEP;
}

static uint32_t
max_mtu(const struct ps_port_config *config)
{
	uint32_t frame = (config->mbuf_size + FRAME_NOT_DATA) / FRAME_STEP * FRAME_STEP;

	return frame > L2_SIZE + FRAME_OVERHEAD ? frame - L2_SIZE - FRAME_OVERHEAD : 0;
}

static uint32_t
buffer_size(uint32_t mtu)
{
	return frame_size(mtu); /* a little more than needed, in return for a round number */
}

static uint32_t
block_size(uint32_t frame)
{
	uint32_t block = frame;

	while (block % PAGE != 0)
		block += frame;
	return block;
}

static int
devargs(const struct ps_port_spec *spec, const struct ps_port_config *config, uint16_t queues,
	struct ps_port_args *args, char *why, size_t why_size)
{
	uint32_t frame = frame_size(spec->mtu), block = block_size(frame), per_block = block / frame;
	uint32_t frames = config->rx_descriptors;

	if (spec->mtu > max_mtu(config)) {
		snprintf(why, why_size, "port %s: MTU %u does not fit packet buffers of %u bytes", spec->name, spec->mtu,
			 config->mbuf_size);
		return -EINVAL;
	}
	frames = frames < FRAMES_MIN ? FRAMES_MIN : frames > FRAMES_MAX ? FRAMES_MAX : frames;
	frames = (frames + per_block - 1) / per_block * per_block;
	ps_port_arg(args, "iface", "%s", spec->device);
	ps_port_arg(args, "qpairs", "%u", queues);
	ps_port_arg(args, "framesz", "%u", frame);
	ps_port_arg(args, "blocksz", "%u", block);
	ps_port_arg(args, "framecnt", "%u", frames);
	if (!ps_port_option_given(spec, "qdisc_bypass"))
		ps_port_arg(args, "qdisc_bypass", "1");
	return 0;
}

const struct ps_port_family ps_port_af_packet = {
	.kind = "af_packet",
	.prefix = "net_af_packet",
	.bus = "vdev",
	.quirks = PS_QUIRK_DISTRUST | PS_QUIRK_QUEUE_PAIRS | PS_QUIRK_KERNEL_IFACE | PS_QUIRK_NO_MTU_SET,
	.max_queues = 16,
	.devargs = devargs,
	.max_mtu = max_mtu,
	.buffer_size = buffer_size,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared-memory interface to another process. The driver picks a random MAC at each start unless it is given
 * one. Zero-copy needs the client's packet buffers to be shareable: hugepages.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/port/family.h"

#define RING_LOG2_MAX 14u
#define RING_LOG2_MIN 6u
#define PATH_SIZE_MAX 108u

static uint32_t
log2_up(uint32_t n)
{
	uint32_t bits = RING_LOG2_MIN;

	while (bits < RING_LOG2_MAX && (1u << bits) < n)
		bits++;
	return bits;
}

static int
devargs(const struct ps_port_spec *spec, const struct ps_port_config *config, uint16_t queues,
	struct ps_port_args *args, char *why, size_t why_size)
{
	bool server = (spec->flags & PS_PORT_F_MEMIF_SERVER) != 0;
	uint8_t mac[6];

	if (strlen(spec->device) >= PATH_SIZE_MAX) {
		snprintf(why, why_size, "port %s: socket path is longer than %u characters", spec->name, PATH_SIZE_MAX - 1);
		return -EINVAL;
	}
	if ((spec->flags & PS_PORT_F_ZERO_COPY) && server) {
		snprintf(why, why_size, "port %s: only the client of a memif can do zero-copy", spec->name);
		return -ENOTSUP;
	}
	if ((spec->flags & PS_PORT_F_ZERO_COPY) && !config->hugepages) {
		snprintf(why, why_size, "port %s: zero-copy memif needs packet buffers in hugepages", spec->name);
		return -ENOTSUP;
	}
	memcpy(mac, spec->mac, 6);
	if (memcmp(mac, "\0\0\0\0\0\0", 6) == 0)
		ps_port_stable_mac(spec, 0, mac);
	ps_port_arg(args, "role", "%s", server ? "server" : "client");
	ps_port_arg(args, "id", "%u", spec->memif_id);
	ps_port_arg(args, "socket", "%s", spec->device);
	ps_port_arg(args, "socket-abstract", "no");
	if (!ps_port_option_given(spec, "rsize"))
		ps_port_arg(args, "rsize", "%u", log2_up(config->rx_descriptors));
	if (!ps_port_option_given(spec, "bsize"))
		ps_port_arg(args, "bsize", "%u", config->mbuf_size);
	ps_port_arg(args, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	if (spec->flags & PS_PORT_F_ZERO_COPY)
		ps_port_arg(args, "zero-copy", "yes");
	return 0;
}

const struct ps_port_family ps_port_memif = {
	.kind = "memif",
	.prefix = "net_memif",
	.bus = "vdev",
	.quirks = PS_QUIRK_OWN_MAC | PS_QUIRK_UNIX_SERVER | PS_QUIRK_NO_MTU_SET,
	.devargs = devargs,
};

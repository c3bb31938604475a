/* SPDX-License-Identifier: Apache-2.0 */
/* A port that swallows. The driver would invent packets without end if it were not told otherwise. */
#include "drivers/port/family.h"

static int
devargs(const struct ps_port_spec *spec, const struct ps_port_config *config, uint16_t queues,
	struct ps_port_args *args, char *why, size_t why_size)
{
	if (!ps_port_option_given(spec, "no-rx") && !ps_port_option_given(spec, "size"))
		ps_port_arg(args, "no-rx", "1");
	return 0;
}

const struct ps_port_family ps_port_null = {
	.kind = "null",
	.prefix = "net_null",
	.bus = "vdev",
	.quirks = PS_QUIRK_OWN_MAC | PS_QUIRK_NO_MTU_SET,
	.devargs = devargs,
};

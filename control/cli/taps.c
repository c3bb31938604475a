/* SPDX-License-Identifier: Apache-2.0 */
#include "control/cli/taps.h"

#include <stdio.h>
#include <string.h>

#include "control/cli/hostnet.h"

void
ps_taps_add(struct ps_taps *taps, const char *name)
{
	if (taps->length < PS_TAPS_MAX && *name != '\0' && strlen(name) < sizeof(taps->name[0]))
		snprintf(taps->name[taps->length++], sizeof(taps->name[0]), "%s", name);
}

void
ps_taps_of_document(struct ps_taps *taps, const struct ps_dataplane_spec *spec)
{
	for (uint32_t i = 0; i < spec->ports.length; i++) {
		const struct ps_dataplane_port *port = &spec->ports.item[i];
		const char *name = port->tap.s != NULL ? port->tap.s : port->punt.v != 0 ? port->name.s : NULL;

		if (name != NULL && !ps_hostnet_exists(name))
			ps_taps_add(taps, name);
		if (port->tap.s != NULL && port->punt.v != 0 && !ps_hostnet_exists(port->name.s))
			ps_taps_add(taps, port->name.s);
	}
}

void
ps_taps_remove(const struct ps_taps *taps)
{
	for (size_t i = 0; i < taps->length; i++)
		ps_hostnet_tap_remove(taps->name[i]);
}

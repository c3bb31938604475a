/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TAP interfaces that go when `penstock run` goes. The dataplane makes its own persistent, because addresses that
 * a user gave to them must outlive its restarts; who stops the whole gateway gets them removed, unless they
 * were there before.
 */
#ifndef PS_CLI_TAPS_H
#define PS_CLI_TAPS_H

#include <stddef.h>

#include "control/manifest/object.h"

#define PS_TAPS_MAX (2 * PS_MAX_PORTS)

struct ps_taps {
	char name[PS_TAPS_MAX][16];
	size_t length;
};

void ps_taps_add(struct ps_taps *taps, const char *name);
/* TAPs and punt interfaces of this document that do not exist now. */
void ps_taps_of_document(struct ps_taps *taps, const struct ps_dataplane_spec *spec);
void ps_taps_remove(const struct ps_taps *taps);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the decoder shares with the code that decodes an object's head. */
#ifndef PS_MANIFEST_DECODE_H
#define PS_MANIFEST_DECODE_H

#include "control/manifest/schema.h"

void ps_decode_report(struct ps_decoder *d, enum ps_severity severity, struct ps_place place, const char *fmt,
		      va_list args) __attribute__((format(printf, 4, 0)));

/* "a mapping", "a list", "a number" ... */
const char *ps_node_shape(const struct ps_node *node);

#endif

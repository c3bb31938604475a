/* SPDX-License-Identifier: Apache-2.0 */
/* Texts for people, from the tables. */
#ifndef PS_MANIFEST_REFERENCE_H
#define PS_MANIFEST_REFERENCE_H

#include "control/manifest/schema.h"

/* 90000 -> "1m30s", 1048576 -> "1Mi" */
void ps_duration_text(int64_t ms, char *text, size_t size);
void ps_size_text(int64_t bytes, char *text, size_t size);

/* "1 to 65535" in the field's own unit; "" when it has no range */
void ps_range_text(const struct ps_field *field, uint8_t type, const char *between, char *text, size_t size);

/* "TCP, UDP or SCTP" */
void ps_names_text(const struct ps_field *field, const char *last, char *text, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON writes a character beyond U+FFFF as two escapes, "\ud83d\ude00" (RFC 8259 section 7); YAML knows "\U0001f600"
 * alone. Joined before the YAML parser sees them, in documents that are JSON: elsewhere a backslash may be text.
 */
#ifndef PS_MANIFEST_SURROGATE_H
#define PS_MANIFEST_SURROGATE_H

#include <stddef.h>
#include <stdint.h>

struct ps_surrogates {
	char *text;  /* with pairs joined, not terminated; NULL: there were none, or the text is no JSON */
	size_t size;
	struct {
		uint32_t line, column; /* from 0, in `text`: behind the joined escape */
	} *joined;
	uint32_t length;
};

/* 0 or -ENOMEM. To be freed with ps_surrogates_free either way. */
int ps_surrogates_join(const char *text, size_t size, struct ps_surrogates *surrogates);
void ps_surrogates_free(struct ps_surrogates *surrogates);

/* Column in the original text of a place in `text`; both from 0, in characters. */
uint32_t ps_surrogates_column(const struct ps_surrogates *surrogates, uint32_t line, uint32_t column);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of one file as it was read once. Counted references: objects that outlive a
 * later reading of their file keep the text that their places speak of.
 */
#ifndef PS_MANIFEST_SOURCE_H
#define PS_MANIFEST_SOURCE_H

#include "control/manifest/diagnostic.h"

#include <stddef.h>

struct ps_source {
	char *path;
	char *text;         /* NUL behind it */
	size_t size;
	uint32_t references;
	uint32_t lines;     /* length of line_start; 0: not made yet */
	uint32_t *line_start;
	char *line_copy;    /* what ps_source_line returned last */
};

/* Takes text over (malloc'ed, size + 1 bytes) when it succeeds. One reference. */
int ps_source_new(struct ps_source **source, const char *path, char *text, size_t size);

/* -EFBIG: larger than PS_MANIFEST_MAX_FILE; -EISDIR, -ENOENT ... */
int ps_source_read(struct ps_source **source, const char *path);

struct ps_source *ps_source_keep(struct ps_source *source);
void ps_source_drop(struct ps_source *source);

/* Text of a line (from 1) without its end; NULL: no such line. Good until the next call on this source. */
const char *ps_source_line(struct ps_source *source, uint32_t line);

/* Bytes of a byte order mark at the start, which is no part of the text: 0 or 3. */
size_t ps_source_mark(const struct ps_source *source);

/*
 * Checks that the text is UTF-8 and holds only characters that YAML allows.
 * Returns NULL, or what is wrong at *place.
 */
const char *ps_source_check(const struct ps_source *source, struct ps_place *place);

#endif

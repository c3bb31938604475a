/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics: what is wrong with the user's files, and where. Manifest reading, resolving
 * and compiling all add to the same kind of list.
 *
 *   gw.yaml:12:11: error: port is 70000, expected 1 to 65535
 *        port: 70000
 *              ^
 *
 * A list owns its strings. Not thread-safe.
 */
#ifndef PS_MANIFEST_DIAGNOSTIC_H
#define PS_MANIFEST_DIAGNOSTIC_H

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A place in a file, both 1-based; line 0: not given by the user (absent, or a default). */
struct ps_place {
	uint32_t line;
	uint32_t column; /* in characters, not bytes */
};

enum ps_severity { PS_NOTE, PS_WARNING, PS_ERROR };

struct ps_diagnostic {
	enum ps_severity severity;
	struct ps_place place; /* line 0: the file as a whole */
	const char *file;      /* "" when none */
	const char *message;   /* "what, expected what" */
	const char *line;      /* text of the source line, NULL when not known; no newline */
	const char *object;    /* "Service default/web", NULL when not known */
	uint32_t caret;        /* column of the place within line, which is cut when very long */
};

struct ps_diagnostics {
	struct ps_diagnostic *item;
	uint32_t length;
	uint32_t capacity;
	uint32_t errors;
	uint32_t warnings;
};

/* An all-zero list is empty and ready. */
void ps_diagnostics_clear(struct ps_diagnostics *list);

/*
 * Adds one; every string is copied, line and object may be NULL. -ENOMEM when out of memory: the
 * counts of errors and warnings are kept right even then.
 */
int ps_diagnostics_add(struct ps_diagnostics *list, enum ps_severity severity, const char *file,
		       struct ps_place place, const char *line, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));
int ps_diagnostics_vadd(struct ps_diagnostics *list, enum ps_severity severity, const char *file,
			struct ps_place place, const char *line, const char *object, const char *fmt,
			va_list args) __attribute__((format(printf, 7, 0)));

int ps_diagnostics_append(struct ps_diagnostics *list, const struct ps_diagnostics *more);

/* By file, line, column; stable. */
void ps_diagnostics_sort(struct ps_diagnostics *list);

/* As above, the source line cut to fit a terminal. Notes are printed like the others. */
void ps_diagnostics_print(const struct ps_diagnostics *list, FILE *out);

/* [{"severity","file","line","column","message","source","object"}]; NULL when out of memory. */
json_t *ps_diagnostics_json(const struct ps_diagnostics *list);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/manifest/diagnostic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Hostile input shall not fill memory: what exceeds this is counted, not listed. */
#define PS_MAX_DIAGNOSTICS 20000u

/* Of a source line, at most this much is kept, around the place. */
#define PS_LINE_KEPT 160u

static const char *const severity_name[] = {
	[PS_NOTE] = "note",
	[PS_WARNING] = "warning",
	[PS_ERROR] = "error",
};

void
ps_diagnostics_clear(struct ps_diagnostics *list)
{
	uint32_t i;

	for (i = 0; i < list->length; i++)
		free((char *)list->item[i].file); /* one block holds all strings of a diagnostic */
	free(list->item);
	memset(list, 0, sizeof(*list));
}

static void
count(struct ps_diagnostics *list, enum ps_severity severity)
{
	if (severity == PS_ERROR)
		list->errors++;
	else if (severity == PS_WARNING)
		list->warnings++;
}

/* The part of line that surrounds column, so that one endless line stays readable. */
static const char *
cut_line(const char *line, uint32_t column, size_t *size, uint32_t *caret)
{
	const char *start = line, *end;
	uint32_t characters = 1, skipped = 0;

	*caret = column;
	*size = strlen(line);
	if (*size <= PS_LINE_KEPT)
		return line;
	while (*start != '\0' && characters + PS_LINE_KEPT / 2 < column) {
		start++;
		while (((unsigned char)*start & 0xc0) == 0x80)
			start++;
		characters++;
		skipped++;
	}
	*size = strlen(start);
	if (*size > PS_LINE_KEPT) {
		end = start + PS_LINE_KEPT;
		while (end > start && ((unsigned char)*end & 0xc0) == 0x80)
			end--;
		*size = (size_t)(end - start);
	}
	*caret = column - skipped;
	return start;
}

/* Bytes of the UTF-8 character at s; 0 when there is none, or one that a terminal would act on. */
static size_t
printable(const unsigned char *s)
{
	size_t size = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0, i;

	if (size == 1)
		return (*s >= 0x20 && *s != 0x7f) || *s == '\t';
	for (i = 1; i < size; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) || (*s == 0xf0 && s[1] < 0x90) ||
	    (*s == 0xf4 && s[1] > 0x8f) || (*s == 0xc2 && s[1] < 0xa0))
		return 0;
	return size;
}

/* Copies text that may hold anything: what is no printable UTF-8 becomes a question mark. */
static char *
put(char **at, const char *s)
{
	char *copy = *at, *to = copy;
	size_t size;

	while (*s != '\0') {
		size = printable((const unsigned char *)s);
		if (size == 0) {
			*to++ = '?';
			s++;
			continue;
		}
		memcpy(to, s, size);
		to += size;
		s += size;
	}
	*to = '\0';
	*at = to + 1;
	return copy;
}

/* Adds a copy of d, all its strings in one block that file points to. Counts nothing. */
static int
append_copy(struct ps_diagnostics *list, const struct ps_diagnostic *d)
{
	struct ps_diagnostic *copy;
	char *block;

	if (list->length >= PS_MAX_DIAGNOSTICS)
		return 0;
	if (list->length == list->capacity) {
		uint32_t capacity = list->capacity ? list->capacity * 2 : 4;

		copy = realloc(list->item, capacity * sizeof(*copy));
		if (copy == NULL)
			return -ENOMEM;
		list->item = copy;
		list->capacity = capacity;
	}
	block = malloc(strlen(d->file) + strlen(d->message) + (d->line ? strlen(d->line) : 0) +
		       (d->object ? strlen(d->object) : 0) + 4);
	if (block == NULL)
		return -ENOMEM;
	copy = &list->item[list->length++];
	*copy = *d;
	copy->file = put(&block, d->file);
	copy->message = put(&block, d->message);
	copy->line = d->line ? put(&block, d->line) : NULL;
	copy->object = d->object ? put(&block, d->object) : NULL;
	return 0;
}

int
ps_diagnostics_vadd(struct ps_diagnostics *list, enum ps_severity severity, const char *file,
		    struct ps_place place, const char *line, const char *object, const char *fmt,
		    va_list args)
{
	char message[1024], part[PS_LINE_KEPT + 1];
	struct ps_diagnostic d = {
		.severity = severity,
		.place = place,
		.file = file ? file : "",
		.message = message,
		.object = object,
		.caret = place.column,
	};
	size_t size;

	count(list, severity);
	vsnprintf(message, sizeof(message), fmt, args);
	if (line != NULL) {
		line = cut_line(line, place.column, &size, &d.caret);
		memcpy(part, line, size);
		part[size] = '\0';
		d.line = part;
	}
	return append_copy(list, &d);
}

int
ps_diagnostics_add(struct ps_diagnostics *list, enum ps_severity severity, const char *file,
		   struct ps_place place, const char *line, const char *object, const char *fmt, ...)
{
	va_list args;
	int rc;

	va_start(args, fmt);
	rc = ps_diagnostics_vadd(list, severity, file, place, line, object, fmt, args);
	va_end(args);
	return rc;
}

int
ps_diagnostics_append(struct ps_diagnostics *list, const struct ps_diagnostics *more)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < more->length && rc == 0; i++)
		rc = append_copy(list, &more->item[i]);
	list->errors += more->errors;
	list->warnings += more->warnings;
	return rc;
}

static int
compare(const void *a, const void *b)
{
	const struct ps_diagnostic *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	if (order != 0)
		return order;
	if (x->place.line != y->place.line)
		return x->place.line < y->place.line ? -1 : 1;
	if (x->place.column != y->place.column)
		return x->place.column < y->place.column ? -1 : 1;
	return 0;
}

static void
merge(struct ps_diagnostic *item, struct ps_diagnostic *space, uint32_t length)
{
	uint32_t half = length / 2, i = 0, j = half, k = 0;

	if (length < 2)
		return;
	merge(item, space, half);
	merge(item + half, space, length - half);
	while (i < half && j < length)
		space[k++] = compare(&item[j], &item[i]) < 0 ? item[j++] : item[i++];
	while (i < half)
		space[k++] = item[i++];
	memcpy(item, space, k * sizeof(*item));
}

void
ps_diagnostics_sort(struct ps_diagnostics *list)
{
	struct ps_diagnostic *space;

	if (list->length < 2)
		return;
	space = malloc(list->length * sizeof(*space));
	if (space == NULL) {
		qsort(list->item, list->length, sizeof(*list->item), compare);
		return;
	}
	merge(list->item, space, list->length);
	free(space);
}

/* Spaces up to the caret; a tab stays a tab, or the caret would stand elsewhere. */
static void
print_caret(const char *line, uint32_t column, FILE *out)
{
	uint32_t at = 1;
	const char *p;

	for (p = line; at < column; at++) {
		fputc(*p == '\t' ? '\t' : ' ', out);
		if (*p == '\0')
			continue;
		p++;
		while (((unsigned char)*p & 0xc0) == 0x80)
			p++;
	}
	fputs("^\n", out);
}

void
ps_diagnostics_print(const struct ps_diagnostics *list, FILE *out)
{
	uint32_t i;

	for (i = 0; i < list->length; i++) {
		const struct ps_diagnostic *d = &list->item[i];

		if (d->file[0] != '\0') {
			fputs(d->file, out);
			if (d->place.line != 0)
				fprintf(out, ":%u:%u", d->place.line, d->place.column);
			fputs(": ", out);
		}
		fprintf(out, "%s: %s\n", severity_name[d->severity], d->message);
		if (d->line != NULL && d->place.line != 0) {
			fprintf(out, "    %s\n    ", d->line);
			print_caret(d->line, d->caret, out);
		}
	}
	if (list->length >= PS_MAX_DIAGNOSTICS)
		fprintf(out, "and more: %u errors, %u warnings in all\n", list->errors, list->warnings);
}

json_t *
ps_diagnostics_json(const struct ps_diagnostics *list)
{
	json_t *array = json_array();
	uint32_t i;

	for (i = 0; array != NULL && i < list->length; i++) {
		const struct ps_diagnostic *d = &list->item[i];
		json_t *one = json_pack("{s:s, s:s, s:i, s:i, s:s, s:s?, s:s?}", "severity",
					severity_name[d->severity], "file", d->file, "line",
					(int)d->place.line, "column", (int)d->place.column, "message",
					d->message, "source", d->line, "object", d->object);

		if (one == NULL || json_array_append_new(array, one) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

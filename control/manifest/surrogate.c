/* SPDX-License-Identifier: Apache-2.0 */
#include "control/manifest/surrogate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIR 12u   /* characters of two escapes */
#define SINGLE 10u /* of the one that stands for them */

static bool
is_json(const char *text, size_t size)
{
	size_t i = size >= 3 && memcmp(text, "---", 3) == 0 ? 3 : 0;

	for (; i < size && strchr(" \t\r\n", text[i]) != NULL && text[i] != '\0'; i++)
		;
	return i < size && text[i] == '{';
}

/* The code unit of an escape "\uXXXX" at p; 0 when there is none. */
static uint32_t
unit_at(const char *p, const char *end)
{
	uint32_t value = 0;
	int i;

	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return 0;
	for (i = 2; i < 6; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return 0;
	}
	return value;
}

static uint32_t
pair_at(const char *p, const char *end)
{
	uint32_t high = unit_at(p, end), low;

	if (high < 0xd800 || high > 0xdbff)
		return 0;
	low = unit_at(p + 6, end);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static int
note(struct ps_surrogates *s, uint32_t line, uint32_t column)
{
	if ((s->length & (s->length - 1)) == 0) { /* full at each power of two */
		void *bigger = realloc(s->joined, (s->length == 0 ? 1 : s->length * 2) * sizeof(*s->joined));

		if (bigger == NULL)
			return -ENOMEM;
		s->joined = bigger;
	}
	s->joined[s->length].line = line;
	s->joined[s->length++].column = column;
	return 0;
}

int
ps_surrogates_join(const char *text, size_t size, struct ps_surrogates *s)
{
	const char *p = text, *end = text + size;
	uint32_t line = 0, column = 0, code;
	char *out, escape[SINGLE + 1];

	*s = (struct ps_surrogates){0};
	if ((memmem(text, size, "\\ud", 3) == NULL && memmem(text, size, "\\uD", 3) == NULL) || !is_json(text, size))
		return 0;
	s->text = out = malloc(size + 1);
	if (out == NULL)
		return -ENOMEM;
	while (p < end) {
		code = *p == '\\' ? pair_at(p, end) : 0;
		if (code != 0) {
			snprintf(escape, sizeof(escape), "\\U%08x", code);
			memcpy(out, escape, SINGLE);
			out += SINGLE;
			p += PAIR;
			column += SINGLE;
			if (note(s, line, column) != 0)
				return -ENOMEM;
			continue;
		}
		/* A backslash takes the next character along, which may be a backslash too. */
		if (*p == '\\' && end - p > 1 && p[1] != '\n') {
			*out++ = *p++;
			column++;
		}
		column += (*p & 0xc0) != 0x80;
		if (*p == '\n') {
			line++;
			column = 0;
		}
		*out++ = *p++;
	}
	s->size = (size_t)(out - s->text);
	return 0;
}

void
ps_surrogates_free(struct ps_surrogates *s)
{
	free(s->text);
	free(s->joined);
	*s = (struct ps_surrogates){0};
}

uint32_t
ps_surrogates_column(const struct ps_surrogates *s, uint32_t line, uint32_t column)
{
	uint32_t low = 0, high = s->length, middle, before = 0;

	/* The first one of this line, then those in front of the place. */
	while (low < high) {
		middle = low + (high - low) / 2;
		if (s->joined[middle].line < line)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < s->length && s->joined[low].line == line && s->joined[low].column <= column; low++)
		before++;
	return column + before * (PAIR - SINGLE);
}

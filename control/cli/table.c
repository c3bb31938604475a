/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "control/cli/table.h"

#define CELL_SIZE 256u
#define GAP 2u

double
ps_now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void
ps_format_age(char *text, size_t size, double seconds)
{
	unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;

	if (s < 60)
		snprintf(text, size, "%lus", s);
	else if (s < 3600)
		snprintf(text, size, "%lum%02lus", s / 60, s % 60);
	else if (s < 2 * 86400)
		snprintf(text, size, "%luh%02lum", s / 3600, s / 60 % 60);
	else
		snprintf(text, size, "%lud", s / 86400);
}

/* Three significant digits with a suffix that grows by base. */
static void
scaled(char *text, size_t size, double value, double base, const char *const *suffix, const char *space)
{
	unsigned int step = 0;
	double magnitude = value < 0 ? -value : value;

	while (magnitude >= (base == 1024 ? 1024 : 999.5) && suffix[step + 1] != NULL) {
		magnitude /= base;
		value /= base;
		step++;
	}
	if (step == 0 && value == (double)(long long)value)
		snprintf(text, size, "%.0f%s%s", value, suffix[0][0] != '\0' ? space : "", suffix[0]);
	else
		snprintf(text, size, "%.*f%s%s",
			magnitude < 9.995   ? 2
			: magnitude < 99.95 ? 1
					    : 0,
			value, suffix[step][0] != '\0' ? space : "", suffix[step]);
}

void
ps_format_number(char *text, size_t size, double value, enum ps_format format)
{
	static const char *const counts[] = {"", "k", "M", "G", "T", "P", NULL};
	static const char *const bytes[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", NULL};
	static const char *const bits[] = {"b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s", NULL};

	switch (format) {
	case PS_FORMAT_COUNT:
		scaled(text, size, value, 1000, counts, "");
		break;
	case PS_FORMAT_BYTES:
		scaled(text, size, value, 1024, bytes, " ");
		break;
	case PS_FORMAT_BITS:
		scaled(text, size, value, 1000, bits, " ");
		break;
	case PS_FORMAT_SHARE:
		snprintf(text, size, "%.1f%%", value * 100);
		break;
	case PS_FORMAT_FIXED:
		snprintf(text, size, "%.1f", value);
		break;
	case PS_FORMAT_AGE:
		ps_format_age(text, size, value);
		break;
	case PS_FORMAT_MICROS:
		if (value < 1000)
			snprintf(text, size, "%.0fus", value);
		else if (value < 1e6)
			snprintf(text, size, "%.2fms", value / 1e3);
		else
			snprintf(text, size, "%.2fs", value / 1e6);
		break;
	default:
		if (value == (double)(long long)value)
			snprintf(text, size, "%lld", (long long)value);
		else
			snprintf(text, size, "%g", value);
		break;
	}
}

static double
time_from_rfc3339(const char *text)
{
	struct tm tm = {0};

	return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) != NULL ? (double)timegm(&tm) : 0;
}

static void
scalar(char *text, size_t size, json_t *value, enum ps_format format, double now_s)
{
	if (format == PS_FORMAT_PLACE && json_is_object(value)) {
		const char *address = ps_json_text(value, "address");
		bool v6 = strchr(address, ':') != NULL;

		snprintf(text, size, "%s%s%s:%.0f", v6 ? "[" : "", address, v6 ? "]" : "",
			ps_json_number(value, "port"));
	} else if (format == PS_FORMAT_LENGTH) {
		snprintf(text, size, "%zu",
			json_is_array(value) ? json_array_size(value) : json_object_size(value));
	} else if (format == PS_FORMAT_SINCE) {
		double then = json_is_string(value) ? time_from_rfc3339(json_string_value(value))
						    : json_number_value(value);

		if (then <= 0)
			snprintf(text, size, "-");
		else
			ps_format_age(text, size, now_s - then);
	} else if (json_is_boolean(value)) {
		snprintf(text, size, "%s", json_is_true(value) ? "yes" : "no");
	} else if (format == PS_FORMAT_YES && json_is_number(value)) {
		snprintf(text, size, "%s", json_number_value(value) != 0 ? "yes" : "no");
	} else if (json_is_string(value)) {
		snprintf(text, size, "%s", json_string_value(value));
	} else if (json_is_number(value)) {
		if (json_is_integer(value) && (format == PS_FORMAT_TEXT || format == PS_FORMAT_STATE))
			snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		else
			ps_format_number(text, size, json_number_value(value), format);
	} else {
		char *dumped = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		snprintf(text, size, "%s", dumped != NULL ? dumped : "-");
		free(dumped);
	}
}

static void
join(char *text, size_t size, json_t *array, const char *rest, const struct ps_column *column, double now_s)
{
	struct ps_column inner = *column;
	size_t at = 0, index;
	char one[CELL_SIZE];
	json_t *element;

	text[0] = '\0';
	inner.path = rest;
	json_array_foreach(array, index, element)
	{
		if (rest[0] != '\0')
			ps_cell(one, sizeof(one), element, &inner, now_s);
		else
			scalar(one, sizeof(one), element, column->format, now_s);
		if (strcmp(one, "-") == 0)
			continue;
		at += (size_t)snprintf(text + at, size - at, "%s%s", at > 0 ? "," : "", one);
		if (at >= size - 1)
			break;
	}
	if (text[0] == '\0')
		snprintf(text, size, "-");
}

void
ps_cell(char *text, size_t size, json_t *object, const struct ps_column *column, double now_s)
{
	const char *path = column->path;
	json_t *value;

	for (;;) {
		const char *end = strchrnul(path, '|');
		const char *each = memmem(path, (size_t)(end - path), "[]", 2);
		char head[128];

		snprintf(head, sizeof(head), "%.*s", (int)((each != NULL ? each : end) - path), path);
		value = head[0] == '\0' || strcmp(head, ".") == 0 ? object : ps_json_at(object, head);
		if (value != NULL) {
			char rest[128] = "";

			if (each != NULL)
				snprintf(rest, sizeof(rest), "%.*s", (int)(end - each - 2), each + 2);
			if (json_is_array(value) && column->format != PS_FORMAT_LENGTH)
				join(text, size, value, rest[0] == '.' ? rest + 1 : rest, column, now_s);
			else
				scalar(text, size, value, column->format, now_s);
			if (text[0] == '\0')
				snprintf(text, size, "-");
			return;
		}
		if (*end == '\0')
			break;
		path = end + 1;
	}
	snprintf(text, size, "-");
}

static const char *
state_color(const char *word)
{
	static const char *const good[] = {"up", "ready", "true", "accepted", "reachable", "running",
		"polling", "established", "yes", "applied", "programmed", NULL};
	static const char *const bad[] = {
		"down", "false", "failed", "dead", "rejected", "refused", "error", NULL};

	for (unsigned int i = 0; good[i] != NULL; i++) {
		if (strcasecmp(word, good[i]) == 0)
			return "\033[32m";
	}
	for (unsigned int i = 0; bad[i] != NULL; i++) {
		if (strcasecmp(word, bad[i]) == 0)
			return "\033[31m";
	}
	return strcmp(word, "-") == 0 ? NULL : "\033[33m";
}

static bool
right_aligned(enum ps_format format)
{
	return format == PS_FORMAT_COUNT || format == PS_FORMAT_BYTES || format == PS_FORMAT_BITS ||
	       format == PS_FORMAT_SHARE || format == PS_FORMAT_FIXED || format == PS_FORMAT_AGE ||
	       format == PS_FORMAT_MICROS || format == PS_FORMAT_LENGTH;
}

/* Columns on the screen; bytes where the text is not valid in the locale. */
static size_t
shown_width(const char *text)
{
	wchar_t wide[CELL_SIZE];
	size_t length = mbstowcs(wide, text, CELL_SIZE);
	int width = length == (size_t)-1 || length >= CELL_SIZE ? -1 : wcswidth(wide, length);

	return width < 0 ? strlen(text) : (size_t)width;
}

static void
print_row(FILE *out, const struct ps_column *columns, size_t length, char (*cells)[CELL_SIZE],
	const size_t *widths, const struct ps_table_style *style, bool heading)
{
	size_t at = 0, last = length;

	while (last > 0 && columns[last - 1].wide && !style->wide)
		last--;
	for (size_t c = 0; c < last; c++) {
		size_t width = shown_width(cells[c]), pad = widths[c] > width ? widths[c] - width : 0;
		bool right = right_aligned(columns[c].format);
		const char *color = heading                                ? "\033[1m"
				    : columns[c].format == PS_FORMAT_STATE ? state_color(cells[c])
									   : NULL;

		if (columns[c].wide && !style->wide)
			continue;
		if (style->width_max > 0 && at + width > style->width_max && at > 0)
			break;
		if (right)
			fprintf(out, "%*s", (int)pad, "");
		if (style->color && color != NULL)
			fprintf(out, "%s%s\033[0m", color, cells[c]);
		else
			fputs(cells[c], out);
		if (c + 1 < last)
			fprintf(out, "%*s", (int)((right ? 0 : pad) + GAP), "");
		at += widths[c] + GAP;
	}
	fputc('\n', out);
}

void
ps_table_print(FILE *out, const struct ps_column *columns, size_t columns_length, json_t *items,
	const struct ps_table_style *style)
{
	size_t rows = json_array_size(items) + 1, index;
	char(*cells)[CELL_SIZE] = calloc(rows * columns_length, CELL_SIZE);
	size_t *widths = calloc(columns_length, sizeof(*widths));
	json_t *item;

	if (cells == NULL || widths == NULL)
		goto out;
	for (size_t c = 0; c < columns_length; c++) {
		snprintf(cells[c], CELL_SIZE, "%s", columns[c].heading);
		widths[c] = style->no_headings ? 0 : shown_width(cells[c]);
	}
	json_array_foreach(items, index, item)
	{
		for (size_t c = 0; c < columns_length; c++) {
			char *cell = cells[(index + 1) * columns_length + c];
			size_t width;

			ps_cell(cell, CELL_SIZE, item, &columns[c], style->now_s);
			width = shown_width(cell);
			if (width > widths[c])
				widths[c] = width;
		}
	}
	for (size_t r = style->no_headings ? 1 : 0; r < rows; r++)
		print_row(out, columns, columns_length, cells + r * columns_length, widths, style, r == 0);
out:
	free(cells);
	free(widths);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables from JSON: a kind is described by its columns (heading, place in the object, how to
 * show it), and one printer serves all of them.
 */
#ifndef PS_CLI_TABLE_H
#define PS_CLI_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum ps_format {
	PS_FORMAT_TEXT,   /* strings as they are, numbers in full, arrays joined by commas */
	PS_FORMAT_COUNT,  /* 12.3M */
	PS_FORMAT_BYTES,  /* 1.5 GiB */
	PS_FORMAT_BITS,   /* bits per second: 9.98 Gb/s */
	PS_FORMAT_SHARE,  /* 0..1 as percent */
	PS_FORMAT_FIXED,  /* one decimal */
	PS_FORMAT_AGE,    /* seconds since then: 3m12s */
	PS_FORMAT_SINCE,  /* a time, as its age: CLOCK_REALTIME in seconds, or RFC 3339 */
	PS_FORMAT_MICROS, /* microseconds: 250us, 1.2ms */
	PS_FORMAT_YES,    /* boolean: yes or no */
	PS_FORMAT_STATE,  /* a word, colored by whether it is good news */
	PS_FORMAT_LENGTH, /* how many elements */
	PS_FORMAT_PLACE,  /* an object's `address` and `port` as ADDR:PORT; path "." is the row itself */
};

/*
 * path: keys separated by dots; "a[]" goes through every element of the array a, "a[0]" takes one; "x|y"
 * takes y where x is missing.
 */
struct ps_column {
	const char *heading;
	const char *path;
	enum ps_format format;
	bool wide; /* only with -o wide */
};

struct ps_table_style {
	bool wide;
	bool color;
	bool no_headings;
	double now_s;     /* CLOCK_REALTIME, for ages */
	size_t width_max; /* columns of the terminal, rows are cut there; 0: no limit */
};

/* First value at path, borrowed, or NULL. */
json_t *ps_json_at(json_t *object, const char *path);

/* Number at path, 0 when missing. */
double ps_json_number(json_t *object, const char *path);

/* String at path, or "" */
const char *ps_json_text(json_t *object, const char *path);

/* Text of the value or values at path: "-" when missing. Always terminated. */
void ps_cell(char *text, size_t size, json_t *object, const struct ps_column *column, double now_s);

void ps_table_print(FILE *out, const struct ps_column *columns, size_t columns_length, json_t *items,
	const struct ps_table_style *style);

void ps_format_number(char *text, size_t size, double value, enum ps_format format);

/* Seconds as 5s, 3m12s, 4h05m, 12d. */
void ps_format_age(char *text, size_t size, double seconds);

double ps_now_s(void);

#endif

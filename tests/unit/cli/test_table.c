/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "control/cli/kinds.h"
#include "control/cli/table.h"
#include "control/cli/yaml_out.h"
#include "tests/unit/cli/check.h"

static char text[4096];

static const char *
cell(const char *json, const char *path, enum ps_format format)
{
	static char result[256];
	json_t *object = json_loads(json, 0, NULL);

	assert_non_null(object);
	ps_cell(result, sizeof(result), object, &(struct ps_column){"", path, format, false}, 1000000);
	json_decref(object);
	return result;
}

static void
test_paths(void **state)
{
	assert_string_equal(cell("{\"a\": {\"b\": 7}}", "a.b", PS_FORMAT_TEXT), "7");
	assert_string_equal(cell("{\"a\": [1, 2]}", "a[1]", PS_FORMAT_TEXT), "2");
	assert_string_equal(
		cell("{\"a\": [{\"n\": \"x\"}, {\"n\": \"y\"}]}", "a[].n", PS_FORMAT_TEXT), "x,y");
	assert_string_equal(cell("{\"a\": [\"x\", \"y\"]}", "a[]", PS_FORMAT_TEXT), "x,y");
	assert_string_equal(cell("{\"b\": \"z\"}", "a.c|b", PS_FORMAT_TEXT), "z");
	assert_string_equal(cell("{\"a\": null}", "a", PS_FORMAT_TEXT), "-");
	assert_string_equal(cell("{\"a\": []}", "a[]", PS_FORMAT_TEXT), "-");
	assert_string_equal(cell("{}", "a.b.c", PS_FORMAT_TEXT), "-");
	assert_string_equal(
		cell("{\"address\": \"10.0.0.1\", \"port\": 80}", ".", PS_FORMAT_PLACE), "10.0.0.1:80");
	assert_string_equal(
		cell("{\"l\": [{\"address\": \"::1\", \"port\": 80}]}", "l[]", PS_FORMAT_PLACE), "[::1]:80");
}

static const char *
number(double value, enum ps_format format)
{
	ps_format_number(text, sizeof(text), value, format);
	return text;
}

static void
test_numbers(void **state)
{
	assert_string_equal(number(0, PS_FORMAT_COUNT), "0");
	assert_string_equal(number(999, PS_FORMAT_COUNT), "999");
	assert_string_equal(number(999.6, PS_FORMAT_COUNT), "1.00k");
	assert_string_equal(number(1000, PS_FORMAT_COUNT), "1.00k");
	assert_string_equal(number(12345678, PS_FORMAT_COUNT), "12.3M");
	assert_string_equal(number(999600, PS_FORMAT_COUNT), "1.00M");
	assert_string_equal(number(1023, PS_FORMAT_BYTES), "1023 B");
	assert_string_equal(number(1536, PS_FORMAT_BYTES), "1.50 KiB");
	assert_string_equal(number(9.98e9, PS_FORMAT_BITS), "9.98 Gb/s");
	assert_string_equal(number(0.256, PS_FORMAT_SHARE), "25.6%");
	assert_string_equal(number(250, PS_FORMAT_MICROS), "250us");
	assert_string_equal(number(1200, PS_FORMAT_MICROS), "1.20ms");
	assert_string_equal(number(59, PS_FORMAT_AGE), "59s");
	assert_string_equal(number(192, PS_FORMAT_AGE), "3m12s");
	assert_string_equal(number(14700, PS_FORMAT_AGE), "4h05m");
	assert_string_equal(number(86400 * 3, PS_FORMAT_AGE), "3d");
	assert_string_equal(cell("{\"t\": 999940}", "t", PS_FORMAT_SINCE), "1m00s");
	assert_string_equal(cell("{\"t\": \"1970-01-12T13:46:35.500Z\"}", "t", PS_FORMAT_SINCE), "5s");
	assert_string_equal(cell("{\"t\": true}", "t", PS_FORMAT_YES), "yes");
}

static void
print(const struct ps_column *columns, size_t length, const char *json, struct ps_table_style style)
{
	json_t *items = json_loads(json, 0, NULL);
	FILE *out = fmemopen(text, sizeof(text), "w");

	ps_table_print(out, columns, length, items, &style);
	fclose(out);
	json_decref(items);
}

static const struct ps_column columns[] = {
	{"NAME", "name", PS_FORMAT_TEXT, false},
	{"N", "n", PS_FORMAT_COUNT, false},
	{"STATE", "state", PS_FORMAT_STATE, false},
	{"MORE", "more", PS_FORMAT_TEXT, true},
};
#define ROWS                                                                                                 \
	"[{\"name\": \"a\", \"n\": 5, \"state\": \"up\", \"more\": \"m\"}, {\"name\": \"longer\", \"n\": "   \
	"1500, \"state\": \"down\"}]"

static void
test_alignment(void **state)
{
	print(columns, 4, ROWS, (struct ps_table_style){0});
	assert_string_equal(text, "NAME        N  STATE\n"
				  "a           5  up\n"
				  "longer  1.50k  down\n");
	print(columns, 4, ROWS, (struct ps_table_style){.wide = true});
	assert_string_equal(text, "NAME        N  STATE  MORE\n"
				  "a           5  up     m\n"
				  "longer  1.50k  down   -\n");
	print(columns, 4, ROWS, (struct ps_table_style){.no_headings = true});
	assert_string_equal(text, "a           5  up\n"
				  "longer  1.50k  down\n");
	print(columns, 4, "[]", (struct ps_table_style){0});
	assert_string_equal(text, "NAME  N  STATE\n");
}

static void
test_color_does_not_move_columns(void **state)
{
	char colored[4096];
	size_t at = 0;

	print(columns, 4, ROWS, (struct ps_table_style){.wide = true, .color = true});
	CONTAINS(text, "\033[32mup\033[0m");
	CONTAINS(text, "\033[31mdown\033[0m");
	for (char *c = text; *c != '\0'; c++) {
		if (*c == '\033')
			c += strcspn(c, "m");
		else
			colored[at++] = *c;
	}
	colored[at] = '\0';
	print(columns, 4, ROWS, (struct ps_table_style){.wide = true});
	assert_string_equal(colored, text);
}

static void
test_names(void **state)
{
	json_t *service = json_pack("{s:s, s:s}", "name", "default/web:80", "namespace", "default");
	json_t *endpoint =
		json_pack("{s:s, s:s, s:i}", "name", "default/web-1", "address", "10.0.0.7", "port", 8080);
	const struct ps_kind_view *s = ps_kind_view_find("svc"), *e = ps_kind_view_find("endpoints");

	assert_true(ps_item_is(s, service, NULL, "web"));
	assert_true(ps_item_is(s, service, NULL, "web:80"));
	assert_true(ps_item_is(s, service, NULL, "default/web"));
	assert_true(ps_item_is(s, service, NULL, "default/web:80"));
	assert_false(ps_item_is(s, service, NULL, "we"));
	assert_false(ps_item_is(s, service, NULL, "other/web"));
	assert_false(ps_item_is(s, service, "other", "web"));
	assert_true(ps_item_is(e, endpoint, NULL, "10.0.0.7:8080"));
	assert_true(ps_item_is(e, endpoint, NULL, "10.0.0.7"));
	assert_true(ps_item_is(e, endpoint, NULL, "default/web-1"));
	assert_null(ps_kind_view_find("nonsense"));
	assert_null(ps_kind_view_find(""));
	json_decref(service);
	json_decref(endpoint);
}

static void
test_yaml(void **state)
{
	json_t *value = json_loads("{\"a\": \"true\", \"b\": [1, {\"c\": null}], \"d\": \"two\\nlines\", "
				   "\"e\": {}, \"f\": \"1.5\", \"g\": \"10.0.0.1/8\"}",
		0, NULL);
	FILE *out = fmemopen(text, sizeof(text), "w");

	assert_int_equal(ps_yaml_write(out, value), 0);
	fclose(out);
	assert_string_equal(text,
		"a: \"true\"\nb:\n- 1\n- c: null\nd: |-\n  two\n  lines\ne: {}\nf: \"1.5\"\ng: 10.0.0.1/8\n");
	json_decref(value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_color_does_not_move_columns),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_yaml),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

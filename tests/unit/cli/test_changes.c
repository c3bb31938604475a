/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "control/cli/changes.h"
#include "tests/unit/cli/check.h"

#define LISTENER(service)                                                                                    \
	"{\"name\": \"l\", \"address\": \"10.0.0.1\", \"port\": 80, \"proto\": \"tcp\", \"service\": "       \
	"\"" service "\", \"rejects\": false, \"source_ranges\": []}"
#define ENDPOINT(address, weight, balanced)                                                                  \
	"{\"address\": \"" address "\", \"port\": 8080, \"weight\": " weight ", \"balanced\": " balanced "}"
#define CONFIG(listener, mode, endpoints)                                                                    \
	"{\"listeners\": [" listener "], \"services\": [{\"name\": \"a\", \"mode\": \"" mode                 \
	"\", \"proto\": \"tcp\", \"endpoints\": [" endpoints "]}]}"

static char text[2048];

/* "change kind name[: details]", one per line */
static const char *
changes(const char *before, const char *after)
{
	json_t *a = json_loads(before, 0, NULL), *b = json_loads(after, 0, NULL), *list, *c;
	size_t index, at = 0;

	assert_non_null(a);
	assert_non_null(b);
	list = ps_changes(a, b);
	text[0] = '\0';
	json_array_foreach(list, index, c)
	{
		const char *detail = json_string_value(json_array_get(json_object_get(c, "details"), 0));

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s %s %s%s%s\n",
			json_string_value(json_object_get(c, "change")),
			json_string_value(json_object_get(c, "kind")),
			json_string_value(json_object_get(c, "name")), detail != NULL ? ": " : "",
			detail != NULL ? detail : "");
	}
	json_decref(list);
	json_decref(a);
	json_decref(b);
	return text;
}

static void
test_same(void **state)
{
	const char *c = CONFIG(LISTENER("a"), "fullnat", ENDPOINT("10.0.0.7", "1", "true"));

	assert_string_equal(changes(c, c), "");
}

static void
test_endpoints(void **state)
{
	assert_string_equal(
		changes(CONFIG(LISTENER("a"), "fullnat",
				ENDPOINT("10.0.0.7", "1", "true") "," ENDPOINT("10.0.0.8", "1", "true")),
			CONFIG(LISTENER("a"), "fullnat",
				ENDPOINT("10.0.0.8", "3", "true") "," ENDPOINT("10.0.0.9", "1", "true"))),
		"removed endpoint a 10.0.0.7:8080\nchanged endpoint a 10.0.0.8:8080: weight: 1 -> 3\nadded "
		"endpoint a 10.0.0.9:8080\n");
}

static void
test_draining_endpoints_are_no_difference(void **state)
{
	assert_string_equal(
		changes(CONFIG(LISTENER("a"), "fullnat",
				ENDPOINT("10.0.0.7", "1", "true") "," ENDPOINT("10.0.0.8", "0", "false")),
			CONFIG(LISTENER("a"), "fullnat", ENDPOINT("10.0.0.7", "1", "true"))),
		"");
}

static void
test_service_and_listener(void **state)
{
	assert_string_equal(changes(CONFIG(LISTENER("a"), "fullnat", ""), CONFIG(LISTENER("b"), "dnat", "")),
		"changed listener 10.0.0.1:80/tcp: service: a -> b\nchanged service a: mode: fullnat -> "
		"dnat\n");
	assert_string_equal(changes("{\"listeners\": [], \"services\": []}",
				    CONFIG(LISTENER("a"), "fullnat", ENDPOINT("10.0.0.7", "1", "true"))),
		"added listener 10.0.0.1:80/tcp\nadded service a\nadded endpoint a 10.0.0.7:8080\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_draining_endpoints_are_no_difference),
		cmocka_unit_test(test_service_and_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* How addresses, times, names and metrics are written and read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "control/daemon/exposition.h"
#include "control/daemon/text.h"

static void
addresses(void **state)
{
	static const char *const whole[] = {"10.0.0.1:80", "[2001:db8::1]:443", "255.255.255.255:65535"};
	static const char *const wrong[] = {"", "10.0.0", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:8x", "[::1", "[::1]x", "[10.0.0.1]:1",
		"::1]:5", "10.0.0.1:-1", "[]:1", "[2001:db8:1111:1111:1111:1111:1111:1111:1111:1111:1111]:1"};
	char text[PS_ADDRESS_TEXT];
	struct ps_addr addr;
	uint16_t port;
	size_t i;

	for (i = 0; i < sizeof(whole) / sizeof(*whole); i++) {
		assert_int_equal(ps_address_parse(whole[i], &addr, &port), 0);
		assert_string_equal(ps_address_text(text, sizeof(text), &addr, port), whole[i]);
	}
	assert_int_equal(ps_address_parse("2001:db8::1", &addr, &port), 0);
	assert_int_equal(port, 0);
	assert_string_equal(ps_ip_text(text, sizeof(text), &addr), "2001:db8::1");
	assert_int_equal(ps_address_parse("10.1.2.3", &addr, &port), 0);
	assert_true(ps_addr_is_v4(&addr) && port == 0);
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (ps_address_parse(wrong[i], &addr, &port) != -EINVAL)
			fail_msg("%s is taken for an address", wrong[i]);
}

static void
times(void **state)
{
	json_t *t = ps_time_json(1767261600123456789ull);

	assert_string_equal(json_string_value(t), "2026-01-01T10:00:00.123Z");
	json_decref(t);
	assert_true(json_is_null(ps_time_json(0)));
}

static void
selections(void **state)
{
	assert_true(ps_service_selected(NULL, "default/web:80"));
	assert_true(ps_service_selected("default/web", "default/web:80"));
	assert_true(ps_service_selected("default/web:80", "default/web:80/ipv6"));
	assert_true(ps_service_selected("tcproute/shop/web", "tcproute/shop/web/0"));
	assert_false(ps_service_selected("default/we", "default/web:80"));
	assert_false(ps_service_selected("default/web:8", "default/web:80"));
	assert_false(ps_service_selected("default/web:80", "default/web:8080"));
	assert_int_equal(ps_flow_state_parse("established"), 2);
	assert_int_equal(ps_flow_state_parse("free"), -EINVAL);
}

static void
metrics_are_escaped(void **state)
{
	struct ps_exposition x = {.out = evbuffer_new()};
	char *text;

	ps_metric_family(&x, PS_METRIC_COUNTER, "things_total", "Things.");
	ps_metric_u64(&x, 18446744073709551615ull, "name", "a\"b\\c\nd", "port", "wan", NULL);
	ps_metric_u64(&x, 0, NULL);
	ps_metric_family(&x, PS_METRIC_GAUGE, "share", "A share.");
	ps_metric(&x, 0.25, "worker", "0", NULL);
	evbuffer_add(x.out, "", 1);
	text = (char *)evbuffer_pullup(x.out, -1);
	assert_string_equal(text,
		"# HELP penstock_things_total Things.\n# TYPE penstock_things_total counter\n"
		"penstock_things_total{name=\"a\\\"b\\\\c\\nd\",port=\"wan\"} 18446744073709551615\n"
		"penstock_things_total 0\n"
		"# HELP penstock_share A share.\n# TYPE penstock_share gauge\npenstock_share{worker=\"0\"} 0.25\n");
	evbuffer_free(x.out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(times), cmocka_unit_test(selections),
		cmocka_unit_test(metrics_are_escaped)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

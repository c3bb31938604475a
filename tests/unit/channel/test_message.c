/* SPDX-License-Identifier: Apache-2.0 */
/* What penstockd accepts from a dataplane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "control/channel/attach.h"

static char why[128];

static void
texts_end(void **state)
{
	static const uint32_t types[] = {PS_EVENT_REPLY, PS_EVENT_LOG, PS_EVENT_REJECTED, PS_EVENT_APPLIED, PS_EVENT_TRACE};
	struct ps_message m;
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		memset(&m, 'x', sizeof(m));
		m.type = types[i];
		if (m.type == PS_EVENT_TRACE)
			m.step.head_size = sizeof(m.step.head);
		assert_int_equal(ps_event_check(&m, why, sizeof(why)), 0);
		if (m.type == PS_EVENT_TRACE)
			assert_true(strlen(m.step.stage) < sizeof(m.step.stage));
		else if (m.type == PS_EVENT_REPLY || m.type == PS_EVENT_LOG)
			assert_true(strlen(m.text) < sizeof(m.text));
		else
			assert_true(strlen(m.applied.text) < sizeof(m.applied.text));
	}
}

static void
nonsense_is_refused(void **state)
{
	struct ps_message m = {.type = PS_EVENT_TRACE};

	m.step.head_size = sizeof(m.step.head) + 1;
	assert_int_equal(ps_event_check(&m, why, sizeof(why)), -EPROTO);
	m = (struct ps_message){.type = PS_EVENT_APPLIED};
	assert_int_equal(ps_event_check(&m, why, sizeof(why)), -EPROTO);
	m = (struct ps_message){.type = PS_EVENT_HEALTH};
	m.health.slot = PS_NONE;
	assert_int_equal(ps_event_check(&m, why, sizeof(why)), -EPROTO);
	m.health.slot = 1;
	m.health.down = 2;
	assert_int_equal(ps_event_check(&m, why, sizeof(why)), -EPROTO);
	m.health.down = 1;
	assert_int_equal(ps_event_check(&m, why, sizeof(why)), 0);
	m = (struct ps_message){.type = PS_CMD_TRACE}; /* a command is no event */
	assert_int_equal(ps_event_check(&m, why, sizeof(why)), -EPROTO);
	m.type = 12345;
	assert_int_equal(ps_event_check(&m, why, sizeof(why)), -EPROTO);
	assert_non_null(strstr(why, "12345"));
}

static void
hello(void **state)
{
	struct ps_socket_message m = {.type = PS_SOCKET_HELLO, .abi = PS_ABI, .value = 7}, out;

	memset(m.text, 'x', sizeof(m.text));
	assert_int_equal(ps_hello_check(&m, sizeof(m), &out, why, sizeof(why)), 0);
	assert_int_equal(out.value, 7);
	assert_true(strlen(out.text) < sizeof(out.text));
	assert_int_equal(ps_hello_check(&m, sizeof(m) - 1, &out, why, sizeof(why)), -EPROTO);
	assert_int_equal(ps_hello_check(&m, 0, &out, why, sizeof(why)), -EPROTO);
	m.abi = PS_ABI + 1;
	assert_int_equal(ps_hello_check(&m, sizeof(m), &out, why, sizeof(why)), -EPROTO);
	assert_non_null(strstr(why, "ABI"));
	m.abi = PS_ABI;
	m.type = PS_SOCKET_SNAPSHOT;
	assert_int_equal(ps_hello_check(&m, sizeof(m), &out, why, sizeof(why)), -EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_end), cmocka_unit_test(nonsense_is_refused), cmocka_unit_test(hello)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

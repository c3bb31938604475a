/* SPDX-License-Identifier: Apache-2.0 */
/* Rates of `penstock top` from two looks. */
#include <string.h>

#include "control/cli/sample.h"
#include "control/cli/table.h"
#include "tests/unit/cli/check.h"

static struct ps_look
look(json_int_t ns, int epoch, json_int_t packets, json_int_t busy, json_int_t a_in, json_int_t b_in)
{
	return (struct ps_look){
		.workers = json_pack(
			"{s:[{s:i, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:i}, s:{s:i}}], s:I, s:i}",
			"items", "worker", 0, "cpu", 1, "state", "polling", "rx_packets", packets, "rx_bytes",
			packets * 60, "tx_packets", packets, "tx_bytes", packets * 60, "cycles", ns * 2,
			"busy_cycles", busy, "flow_v4", "active", 5, "flow_v6", "active", 2, "time_ns", ns,
			"epoch", epoch),
		.services = json_pack("{s:[{s:s, s:I}, {s:s, s:I}]}", "items", "name", "a", "packets_in",
			a_in, "name", "b", "packets_in", b_in),
	};
}

static void
test_rates(void **state)
{
	struct ps_look before = look(1000000000, 7, 1000, 100000, 10, 10),
		       after = look(3000000000, 7, 5000, 900000, 20, 110);
	json_t *s = ps_sample_make(&before, &after, 10), *w;

	assert_non_null(s);
	w = json_array_get(json_object_get(s, "workers"), 0);
	assert_true(ps_json_number(w, "rx_pps") == 2000);
	assert_true(ps_json_number(w, "rx_bps") == 2000 * 60 * 8);
	assert_true(ps_json_number(w, "cycles_per_packet") == 200);
	assert_true(ps_json_number(w, "busy") == 0.0002);
	assert_true(ps_json_number(w, "flows") == 7);
	assert_string_equal(ps_json_text(s, "services[0].name"), "b");
	assert_true(ps_json_number(s, "services[0].pps_in") == 50);
	assert_true(ps_json_number(s, "total.rx_pps") == 2000);
	json_decref(s);
	s = ps_sample_make(&before, &after, 1);
	assert_int_equal(json_array_size(json_object_get(s, "services")), 1);
	json_decref(s);
	ps_look_clear(&before);
	ps_look_clear(&after);
}

static void
test_another_dataplane_gives_no_rates(void **state)
{
	struct ps_look before = look(1000000000, 7, 1000, 1, 1, 1), after = look(2000000000, 8, 10, 1, 1, 1);

	assert_null(ps_sample_make(&before, &after, 10));
	ps_look_clear(&before);
	ps_look_clear(&after);
}

static void
test_idle_worker_has_no_cycles_per_packet(void **state)
{
	struct ps_look before = look(1000000000, 7, 1000, 5, 1, 1),
		       after = look(2000000000, 7, 1000, 5, 1, 1);
	json_t *s = ps_sample_make(&before, &after, 10);

	assert_null(ps_json_at(s, "workers[0].cycles_per_packet"));
	assert_true(ps_json_number(s, "workers[0].rx_pps") == 0);
	json_decref(s);
	ps_look_clear(&before);
	ps_look_clear(&after);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_another_dataplane_gives_no_rates),
		cmocka_unit_test(test_idle_worker_has_no_cycles_per_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

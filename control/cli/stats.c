/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock stats`: totals, or rates each second. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/get.h"
#include "control/cli/verbs.h"

static const struct ps_column totals[] = {
	{"received", "rx_packets", PS_FORMAT_COUNT, false},
	{"received bytes", "rx_bytes", PS_FORMAT_BYTES, false},
	{"sent", "tx_packets", PS_FORMAT_COUNT, false},
	{"sent bytes", "tx_bytes", PS_FORMAT_BYTES, false},
	{"answered", "answers", PS_FORMAT_COUNT, false},
	{"dropped", "drops", PS_FORMAT_COUNT, false},
	{"handed to another worker", "handoffs", PS_FORMAT_COUNT, false},
	{"flows open", "flows_active", PS_FORMAT_COUNT, false},
	{"flows created", "flows_created", PS_FORMAT_COUNT, false},
	{"flows ended", "flows_expired", PS_FORMAT_COUNT, false},
	{"flows refused", "flows_refused", PS_FORMAT_COUNT, false},
};

static const struct ps_column exits[] = {
	{"EXIT", "name", PS_FORMAT_TEXT, false},
	{"KIND", "kind", PS_FORMAT_TEXT, false},
	{"PACKETS", "packets", PS_FORMAT_COUNT, false},
	{"MEANING", "description", PS_FORMAT_TEXT, false},
};

static const struct ps_column rates[] = {
	{"RX-PPS", "rx_packets", PS_FORMAT_COUNT, false},
	{"RX", "rx_bps", PS_FORMAT_BITS, false},
	{"TX-PPS", "tx_packets", PS_FORMAT_COUNT, false},
	{"TX", "tx_bps", PS_FORMAT_BITS, false},
	{"FLOWS", "flows_active", PS_FORMAT_COUNT, false},
	{"NEW/S", "flows_created", PS_FORMAT_COUNT, false},
	{"ENDED/S", "flows_expired", PS_FORMAT_COUNT, false},
	{"REFUSED/S", "flows_refused", PS_FORMAT_COUNT, false},
	{"DROPS/S", "drops", PS_FORMAT_COUNT, false},
	{"ANSWERS/S", "answers", PS_FORMAT_COUNT, false},
	{"HANDED/S", "handoffs", PS_FORMAT_COUNT, false},
	{"BUSY", "busy", PS_FORMAT_SHARE, false},
	{"CYCLES/PKT", "cycles_per_packet", PS_FORMAT_FIXED, false},
};
#define LENGTH(array) (sizeof(array) / sizeof(array[0]))

static enum ps_cli_status
print_totals(struct ps_client *c, const struct ps_invocation *inv)
{
	struct ps_table_style style = ps_style(inv);
	json_t *stats, *drops = NULL;
	char text[64];
	double busy;
	int rc = ps_client_get(c, "/v1/stats", &stats);

	if (rc < 0)
		return ps_client_status(c, rc);
	if (ps_opt_given(inv, "json")) {
		ps_print_json(inv->out, stats);
		json_decref(stats);
		return PS_CLI_OK;
	}
	ps_cell(text, sizeof(text), stats, &(struct ps_column){"", "since", PS_FORMAT_SINCE, false},
		style.now_s);
	fprintf(inv->out, "%-26s%s ago\n", "counting since", text);
	for (size_t i = 0; i < LENGTH(totals); i++) {
		ps_cell(text, sizeof(text), stats, &totals[i], style.now_s);
		fprintf(inv->out, "%-26s%s\n", totals[i].heading, text);
	}
	busy = ps_json_number(stats, "busy_cycles");
	if (ps_json_number(stats, "cycles") > 0 && ps_json_number(stats, "rx_packets") > 0)
		fprintf(inv->out, "%-26s%.1f%% of the time, %.0f cycles per packet\n", "workers busy",
			100 * busy / ps_json_number(stats, "cycles"),
			busy / ps_json_number(stats, "rx_packets"));
	if (ps_client_get(c, "/v1/drops", &drops) == 0 &&
		json_array_size(json_object_get(drops, "items")) > 0) {
		fputc('\n', inv->out);
		ps_table_print(inv->out, exits, LENGTH(exits), json_object_get(drops, "items"), &style);
	}
	json_decref(drops);
	json_decref(stats);
	return PS_CLI_OK;
}

/* What happened between two answers, per second; NULL when the dataplane was another one. */
static json_t *
rates_between(json_t *before, json_t *after)
{
	static const char *const counted[] = {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes",
		"flows_created", "flows_expired", "flows_refused", "drops", "answers", "handoffs", "cycles",
		"busy_cycles"};
	double seconds = (ps_json_number(after, "time_ns") - ps_json_number(before, "time_ns")) / 1e9;
	json_t *r;

	if (seconds <= 0 || ps_json_number(before, "epoch") != ps_json_number(after, "epoch"))
		return NULL;
	r = json_object();
	for (size_t i = 0; i < LENGTH(counted); i++)
		json_object_set_new(r, counted[i],
			json_real((ps_json_number(after, counted[i]) - ps_json_number(before, counted[i])) /
				  seconds));
	json_object_set(r, "flows_active", json_object_get(after, "flows_active"));
	json_object_set(r, "time_ns", json_object_get(after, "time_ns"));
	json_object_set_new(r, "rx_bps", json_real(ps_json_number(r, "rx_bytes") * 8));
	json_object_set_new(r, "tx_bps", json_real(ps_json_number(r, "tx_bytes") * 8));
	if (ps_json_number(r, "cycles") > 0)
		json_object_set_new(
			r, "busy", json_real(ps_json_number(r, "busy_cycles") / ps_json_number(r, "cycles")));
	if (ps_json_number(r, "rx_packets") > 0)
		json_object_set_new(r, "cycles_per_packet",
			json_real(ps_json_number(r, "busy_cycles") / ps_json_number(r, "rx_packets")));
	return r;
}

static void
print_rates(const struct ps_invocation *inv, json_t *r, unsigned int line)
{
	struct ps_table_style style = ps_style(inv);

	if (ps_opt_given(inv, "json")) {
		json_dumpf(r, inv->out, JSON_COMPACT | JSON_REAL_PRECISION(12));
		fputc('\n', inv->out);
		fflush(inv->out);
		return;
	}
	/* columns of a fixed width, so that lines that come later stand under the heading */
	if (line % 20 == 0) {
		for (size_t i = 0; i < LENGTH(rates); i++)
			fprintf(inv->out, "%*s", i == 1 || i == 3 ? 12 : 11, rates[i].heading);
		fputc('\n', inv->out);
	}
	for (size_t i = 0; i < LENGTH(rates); i++) {
		char text[32];

		ps_cell(text, sizeof(text), r, &rates[i], style.now_s);
		fprintf(inv->out, "%*s", i == 1 || i == 3 ? 12 : 11, text);
	}
	fputc('\n', inv->out);
	fflush(inv->out);
}

static enum ps_cli_status
watch(struct ps_client *c, const struct ps_invocation *inv)
{
	uint64_t count = ps_opt_given(inv, "count") ? ps_opt_number(inv, "count") : UINT64_MAX;
	json_t *before = NULL, *after, *r;
	int rc = 0;

	for (uint64_t printed = 0; printed < count;) {
		rc = ps_client_get(c, "/v1/stats", &after);
		if (rc < 0)
			break;
		r = before != NULL ? rates_between(before, after) : NULL;
		if (r != NULL)
			print_rates(inv, r, (unsigned int)(printed++ % 1000000));
		json_decref(r);
		json_decref(before);
		before = after;
		if (printed < count)
			sleep((unsigned int)ps_opt_number(inv, "interval"));
	}
	json_decref(before);
	return rc < 0 ? ps_client_status(c, rc) : PS_CLI_OK;
}

enum ps_cli_status
ps_cmd_stats(const struct ps_invocation *inv)
{
	struct ps_client *c = ps_client_open(inv);
	enum ps_cli_status status;
	json_t *answer;
	int rc;

	if (c == NULL)
		return PS_CLI_FAILED;
	if (ps_opt_given(inv, "reset")) {
		rc = ps_client_post(c, "/v1/reset-stats", &answer);
		json_decref(answer);
		status = rc < 0 ? ps_client_status(c, rc) : PS_CLI_OK;
	} else if (ps_opt_given(inv, "watch")) {
		status = watch(c, inv);
	} else {
		status = print_totals(c, inv);
	}
	ps_client_free(c);
	return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock trace`: steps come as a stream, in the order of each packet but mixed between workers; a packet
 * is printed when it ends. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/decode.h"
#include "control/cli/get.h"
#include "control/cli/verbs.h"

struct trace {
	const struct ps_invocation *inv;
	json_t *open; /* by packet number: array of steps */
	uint64_t packets, wanted;
};

static void
print_hex(FILE *out, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (i % 16 == 0)
			fprintf(out, "%s%14s%04zx ", i > 0 ? "\n" : "", "", i);
		fprintf(out, "%s%02x", i % 2 == 0 ? " " : "", bytes[i]);
	}
	if (length > 0)
		fputc('\n', out);
}

/* The header is shown when a stage has changed it. */
static void
print_packet(const struct trace *t, json_t *steps)
{
	json_t *first = json_array_get(steps, 0), *step;
	char before[512] = "", header[512];
	const char *bold = t->inv->color ? "\033[1m" : "", *plain = t->inv->color ? "\033[0m" : "";
	uint8_t bytes[256];
	size_t index, length;

	fprintf(t->inv->out, "%spacket %.0f%s  worker %.0f, %.0f bytes\n", bold,
		ps_json_number(first, "packet"), plain, ps_json_number(first, "worker"),
		ps_json_number(first, "length"));
	json_array_foreach(steps, index, step)
	{
		bool final = json_is_true(json_object_get(step, "final"));

		length = ps_decode_hex(ps_json_text(step, "head"), bytes, sizeof(bytes));
		if (length > 0)
			ps_decode_frame(bytes, length, header, sizeof(header));
		fprintf(t->inv->out, "%8.0f  %s%-16s%s  %s\n", ps_json_number(step, "cycles"),
			final ? bold : "", ps_json_text(step, "stage"), final ? plain : "",
			length > 0 && strcmp(before, header) != 0 ? header : "");
		if (length > 0 && strcmp(before, header) != 0) {
			strcpy(before, header);
			if (ps_opt_given(t->inv, "hex"))
				print_hex(t->inv->out, bytes, length);
		}
	}
	fflush(t->inv->out);
}

static bool
on_step(void *arg, json_t *step)
{
	struct trace *t = arg;
	bool final = json_is_true(json_object_get(step, "final"));
	char key[32];
	json_t *steps;

	if (json_object_get(step, "error") != NULL) {
		fprintf(stderr, "penstock: %s\n", ps_json_text(step, "error"));
		return false;
	}
	if (json_object_get(step, "stage") == NULL)
		return true;
	if (ps_opt_given(t->inv, "json")) {
		json_dumpf(step, t->inv->out, JSON_COMPACT);
		fputc('\n', t->inv->out);
		fflush(t->inv->out);
		t->packets += final;
		return t->packets < t->wanted;
	}
	snprintf(key, sizeof(key), "%.0f/%.0f", ps_json_number(step, "worker"),
		ps_json_number(step, "packet"));
	steps = json_object_get(t->open, key);
	if (steps == NULL) {
		steps = json_array();
		json_object_set_new(t->open, key, steps);
	}
	json_array_append(steps, step);
	if (final) {
		print_packet(t, steps);
		json_object_del(t->open, key);
		t->packets++;
	}
	return t->packets < t->wanted;
}

enum ps_cli_status
ps_cmd_trace(const struct ps_invocation *inv)
{
	static const char *const filters[] = {"count", "src", "dst", "proto", "timeout"};
	struct trace t = {.inv = inv, .wanted = ps_opt_number(inv, "count")};
	struct ps_client *c = ps_client_open(inv);
	enum ps_cli_status status = PS_CLI_OK;
	char path[1024] = "/v1/trace";
	unsigned int silence_ms = (unsigned int)ps_opt_number(inv, "timeout") * 1000;
	int rc = 0;

	if (c == NULL)
		return PS_CLI_FAILED;
	for (size_t i = 0; rc == 0 && i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (ps_opt(inv, filters[i]) != NULL)
			rc = ps_query_add(path, sizeof(path), filters[i], ps_opt(inv, filters[i]));
	}
	t.open = json_object();
	if (rc == 0)
		rc = ps_client_stream(
			c, path, silence_ms + 1000, on_step, &t); /* the server's own limit comes first */
	if (rc == -ETIMEDOUT || (rc == 0 && t.packets < t.wanted)) {
		fprintf(stderr, "penstock: %llu of %llu packets, then none for %llu s\n",
			(unsigned long long)t.packets, (unsigned long long)t.wanted,
			(unsigned long long)ps_opt_number(inv, "timeout"));
		status = t.packets > 0 ? PS_CLI_OK : PS_CLI_FAILED;
	} else if (rc < 0) {
		status = ps_client_status(c, rc);
	}
	json_decref(t.open);
	ps_client_free(c);
	return status;
}

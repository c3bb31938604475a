/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that put one question or order to the running Penstock: explain, drain, reload, version. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/get.h"
#include "control/cli/verbs.h"
#include "dataplane/api/abi.h"

#define PATH_SIZE 1024

static void
print_line(const struct ps_invocation *inv, const char *label, const char *value)
{
	if (value[0] != '\0')
		fprintf(inv->out, "%-10s%s\n", label, value);
}

static void
print_explanation(const struct ps_invocation *inv, json_t *answer)
{
	static const struct ps_column place = {"", ".", PS_FORMAT_PLACE, false};
	const char *verdict = ps_json_text(answer, "verdict"), *exit_name = ps_json_text(answer, "exit");
	const char *color = !inv->color ? "" : strcmp(verdict, "forward") == 0 ? "\033[32m" : "\033[31m";
	json_t *step, *part, *flow = ps_json_at(answer, "flow");
	char text[256], line[512];
	size_t index;

	fprintf(inv->out, "%-10s%s%s%s%s%s\n", "verdict", color, verdict, inv->color ? "\033[0m" : "",
		exit_name[0] != '\0' ? " as " : "", exit_name);
	if (json_array_size(json_object_get(answer, "steps")) == 0)
		print_line(inv, "why", ps_json_text(answer, "text"));
	part = ps_json_at(answer, "listener");
	if (part != NULL) {
		ps_cell(text, sizeof(text), part, &place, 0);
		snprintf(line, sizeof(line), "%s on %s", ps_json_text(part, "name"), text);
		print_line(inv, "listener", line);
	}
	print_line(inv, "route", ps_json_text(answer, "route"));
	snprintf(line, sizeof(line), "%s%s%s", ps_json_text(answer, "service"),
		ps_json_text(answer, "mode")[0] != '\0' ? ", mode " : "", ps_json_text(answer, "mode"));
	print_line(inv, "service", line);
	part = ps_json_at(answer, "endpoint");
	if (part != NULL) {
		ps_cell(text, sizeof(text), part, &place, 0);
		snprintf(line, sizeof(line), "%s, %s%s%s", text, ps_json_text(part, "state"),
			ps_json_text(part, "name")[0] != '\0' ? ", " : "", ps_json_text(part, "name"));
		print_line(inv, "endpoint", line);
	}
	if (flow != NULL) {
		snprintf(line, sizeof(line), "open: %s, to %s from %s", ps_json_text(flow, "state"),
			ps_json_text(flow, "endpoint"), ps_json_text(flow, "local"));
		print_line(inv, "flow", line);
	}
	json_array_foreach(json_object_get(answer, "steps"), index, step) print_line(
		inv, index == 0 ? "why" : "", json_string_value(step) != NULL ? json_string_value(step) : "");
}

enum ps_cli_status
ps_cmd_explain(const struct ps_invocation *inv)
{
	const char *from = ps_opt(inv, "from"), *to = ps_opt(inv, "to"), *slash, *proto = "tcp";
	char path[PATH_SIZE] = "/v1/explain", place[256];
	enum ps_cli_status status;
	struct ps_client *c;
	json_t *answer;
	int rc;

	if (from == NULL || to == NULL)
		return ps_usage_error(inv, "expected --from ADDR:PORT and --to ADDR:PORT");
	slash = strchr(to, '/');
	snprintf(place, sizeof(place), "%.*s", slash != NULL ? (int)(slash - to) : (int)strlen(to), to);
	if (slash != NULL)
		proto = slash + 1;
	if (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0)
		return ps_usage_error(inv, "--to %s: \"%s\" is neither tcp nor udp", to, proto);
	rc = ps_query_add(path, sizeof(path), "from", from);
	if (rc == 0)
		rc = ps_query_add(path, sizeof(path), "to", place);
	if (rc == 0)
		rc = ps_query_add(path, sizeof(path), "proto", proto);
	c = ps_client_open(inv);
	if (rc < 0 || c == NULL) {
		ps_client_free(c);
		return PS_CLI_FAILED;
	}
	rc = ps_client_get(c, path, &answer);
	if (rc < 0) {
		status = ps_client_status(c, rc);
	} else {
		if (ps_opt_given(inv, "json"))
			ps_print_json(inv->out, answer);
		else
			print_explanation(inv, answer);
		status = strcmp(ps_json_text(answer, "verdict"), "forward") == 0 ? PS_CLI_OK : PS_CLI_FAILED;
		json_decref(answer);
	}
	ps_client_free(c);
	return status;
}

/* ---- drain ---- */

/* Flows left at what is drained. Returns -errno or the number. */
static long long
flows_left(struct ps_client *c, const char *key, const char *name)
{
	/* the list has no filter for pods: NS/POD is looked for here */
	bool pod = strcmp(key, "endpoint") == 0 && strchr(name, '/') != NULL;
	char path[PATH_SIZE] = "/v1/endpoints";
	json_t *answer, *item;
	double left = 0;
	size_t index;
	int rc = pod ? 0 : ps_query_add(path, sizeof(path), key, name);

	if (rc == 0)
		rc = ps_client_get(c, path, &answer);
	if (rc < 0)
		return rc;
	json_array_foreach(json_object_get(answer, "items"), index, item)
	{
		if (!pod || strcmp(ps_json_text(item, "name"), name) == 0)
			left += ps_json_number(item, "flows_active");
	}
	json_decref(answer);
	return (long long)left;
}

static enum ps_cli_status
wait_drained(struct ps_client *c, const struct ps_invocation *inv, const char *key, const char *name)
{
	long long left, said = -1;

	for (;;) {
		left = flows_left(c, key, name);
		if (left < 0)
			return ps_client_status(c, (int)left);
		if (left == 0)
			return PS_CLI_OK;
		if (left != said && !ps_opt_given(inv, "json"))
			fprintf(stderr, "penstock: %lld flows left\n", left);
		said = left;
		usleep(500000);
	}
}

static const struct ps_column drained_columns[] = {
	{"SERVICE", "service", PS_FORMAT_TEXT, false},
	{"ENDPOINT", ".", PS_FORMAT_PLACE, false},
	{"STATE", "state", PS_FORMAT_STATE, false},
	{"FLOWS", "flows_active", PS_FORMAT_COUNT, false},
};

enum ps_cli_status
ps_cmd_drain(const struct ps_invocation *inv)
{
	const char *kind = inv->arguments[0], *ns = ps_opt(inv, "namespace");
	bool service = strcmp(kind, "service") == 0 || strcmp(kind, "svc") == 0,
	     undo = ps_opt_given(inv, "undo");
	struct ps_table_style style = ps_style(inv);
	enum ps_cli_status status;
	char path[PATH_SIZE], name[256];
	struct ps_client *c;
	json_t *answer;
	int rc;

	if (!service && strcmp(kind, "endpoint") != 0 && strcmp(kind, "ep") != 0)
		return ps_usage_error(inv, "\"%s\": expected service or endpoint", kind);
	if (undo && (ps_opt_given(inv, "wait") || ps_opt_given(inv, "timeout")))
		return ps_usage_error(inv, "--undo goes with neither --wait nor --timeout");
	snprintf(name, sizeof(name), "%s%s%s",
		service && strchr(inv->arguments[1], '/') == NULL ? (ns != NULL ? ns : "default") : "",
		service && strchr(inv->arguments[1], '/') == NULL ? "/" : "", inv->arguments[1]);
	snprintf(path, sizeof(path), "/v1/%s", undo ? "undrain" : "drain");
	rc = ps_query_add(path, sizeof(path), service ? "service" : "endpoint", name);
	if (rc == 0 && ps_opt_given(inv, "timeout"))
		rc = ps_query_add(path, sizeof(path), "timeout", ps_opt(inv, "timeout"));
	c = ps_client_open(inv);
	if (rc < 0 || c == NULL) {
		ps_client_free(c);
		return PS_CLI_FAILED;
	}
	rc = ps_client_post(c, path, &answer);
	status = rc < 0 ? ps_client_status(c, rc) : PS_CLI_OK;
	if (rc == 0 && ps_opt_given(inv, "wait"))
		status = wait_drained(c, inv, service ? "service" : "endpoint", name);
	if (rc == 0) {
		if (ps_opt_given(inv, "json"))
			ps_print_json(inv->out, answer);
		else
			ps_table_print(inv->out, drained_columns,
				sizeof(drained_columns) / sizeof(drained_columns[0]),
				json_object_get(answer, "endpoints"), &style);
		json_decref(answer);
	}
	ps_client_free(c);
	return status;
}

/* ---- reload, version ---- */

enum ps_cli_status
ps_cmd_reload(const struct ps_invocation *inv)
{
	struct ps_client *c = ps_client_open(inv);
	enum ps_cli_status status;
	json_t *answer;
	int rc;

	if (c == NULL)
		return PS_CLI_FAILED;
	ps_client_timeout(c, 60000);
	rc = ps_client_post(c, "/v1/reload", &answer);
	if (rc < 0) {
		status = ps_client_status(c, rc);
	} else {
		double errors = ps_json_number(answer, "errors");

		if (ps_opt_given(inv, "json"))
			ps_print_json(inv->out, answer);
		else
			fprintf(inv->out, "generation %.0f: %.0f errors, %.0f warnings\n",
				ps_json_number(answer, "generation"), errors,
				ps_json_number(answer, "warnings"));
		status = errors > 0 ? PS_CLI_FAILED : PS_CLI_OK;
		json_decref(answer);
	}
	ps_client_free(c);
	return status;
}

enum ps_cli_status
ps_cmd_version(const struct ps_invocation *inv)
{
	struct ps_client *c = ps_client_open(inv);
	json_t *status = NULL;

	if (c == NULL)
		return PS_CLI_FAILED;
	ps_client_timeout(c, 2000);
	if (ps_client_get(c, "/v1/status", &status) < 0)
		status = NULL;
	if (ps_opt_given(inv, "json")) {
		json_t *version = json_pack("{s:s, s:i}", "penstock", PS_VERSION, "abi", (int)PS_ABI);

		if (status != NULL) {
			json_object_set(version, "penstockd", json_object_get(status, "version"));
			json_object_set(version, "penstockd_abi", json_object_get(status, "abi"));
		}
		ps_print_json(inv->out, version);
		json_decref(version);
	} else {
		fprintf(inv->out, "penstock    %s, ABI %u\n", PS_VERSION, PS_ABI);
		if (status != NULL)
			fprintf(inv->out, "penstockd   %s, ABI %.0f, process %.0f\n",
				ps_json_text(status, "version"), ps_json_number(status, "abi"),
				ps_json_number(status, "pid"));
		else
			fprintf(inv->out, "penstockd   not running in %s\n",
				ps_runtime_dir(ps_opt(inv, "runtime-dir")));
		if (json_is_true(ps_json_at(status, "dataplane.attached")))
			fprintf(inv->out, "dataplane   process %.0f, generation %.0f\n",
				ps_json_number(status, "dataplane.pid"),
				ps_json_number(status, "dataplane.generation"));
	}
	json_decref(status);
	ps_client_free(c);
	return PS_CLI_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock describe`: one object with what belongs to it. */
#include <string.h>

#include "control/cli/get.h"
#include "control/cli/verbs.h"

#define PATH_SIZE 1024

static bool
is(const struct ps_kind_view *view, const char *name)
{
	return strcmp(view->name, name) == 0;
}

static const struct ps_column condition_columns[] = {
	{"CONDITION", "type", PS_FORMAT_TEXT, false},
	{"STATUS", "status", PS_FORMAT_STATE, false},
	{"REASON", "reason", PS_FORMAT_TEXT, false},
	{"SINCE", "lastTransitionTime", PS_FORMAT_SINCE, false},
	{"MESSAGE", "message", PS_FORMAT_TEXT, false},
};
#define CONDITION_COLUMNS (sizeof(condition_columns) / sizeof(condition_columns[0]))

static void
print_fields(const struct ps_invocation *inv, const struct ps_kind_view *view, json_t *item)
{
	size_t width = 0;
	char text[256];

	for (size_t c = 0; c < view->columns_length; c++)
		width = strlen(view->columns[c].heading) > width ? strlen(view->columns[c].heading) : width;
	for (size_t c = 0; c < view->columns_length; c++) {
		ps_cell(text, sizeof(text), item, &view->columns[c], ps_now_s());
		if (strcmp(text, "-") != 0)
			fprintf(inv->out, "%-*s  %s\n", (int)width, view->columns[c].heading, text);
	}
}

static void
print_conditions(const struct ps_invocation *inv, const char *title, json_t *conditions)
{
	struct ps_table_style style = ps_style(inv);

	if (json_array_size(conditions) == 0)
		return;
	style.width_max = 0;
	fprintf(inv->out, "\n%s\n", title);
	ps_table_print(inv->out, condition_columns, CONDITION_COLUMNS, conditions, &style);
}

static void
print_status(const struct ps_invocation *inv, json_t *object)
{
	json_t *one;
	char title[256];
	size_t index;

	print_conditions(inv, "Conditions", ps_json_at(object, "status.conditions"));
	json_array_foreach(ps_json_at(object, "status.listeners"), index, one)
	{
		snprintf(title, sizeof(title), "Listener %s, %.0f routes", ps_json_text(one, "name"),
			ps_json_number(one, "attachedRoutes"));
		print_conditions(inv, title, json_object_get(one, "conditions"));
	}
	json_array_foreach(ps_json_at(object, "status.parents"), index, one)
	{
		snprintf(title, sizeof(title), "Parent %s%s%s%s%s", ps_json_text(one, "parentRef.namespace"),
			ps_json_text(one, "parentRef.namespace")[0] != '\0' ? "/" : "",
			ps_json_text(one, "parentRef.name"),
			ps_json_text(one, "parentRef.sectionName")[0] != '\0' ? ", listener " : "",
			ps_json_text(one, "parentRef.sectionName"));
		print_conditions(inv, title, json_object_get(one, "conditions"));
	}
}

/* A list that belongs to the object: endpoints of a service, flows of an endpoint. */
static void
print_related(struct ps_client *c, const struct ps_invocation *inv, const char *kind, const char *key,
	const char *value, unsigned int limit)
{
	const struct ps_kind_view *view = ps_kind_view_find(kind);
	struct ps_table_style style = ps_style(inv);
	char path[PATH_SIZE], number[16];
	json_t *answer;

	style.width_max = 0;
	snprintf(path, sizeof(path), "/v1/%s", kind);
	snprintf(number, sizeof(number), "%u", limit);
	if (ps_query_add(path, sizeof(path), key, value) < 0 ||
		(limit > 0 && ps_query_add(path, sizeof(path), "limit", number) < 0) ||
		ps_client_get(c, path, &answer) < 0)
		return;
	if (json_array_size(json_object_get(answer, "items")) > 0) {
		if (view->derive != NULL)
			view->derive(answer);
		fprintf(inv->out, "\n%c%s%s\n", kind[0] - 'a' + 'A', kind + 1,
			json_is_true(json_object_get(answer, "truncated")) ? ", the first" : "");
		ps_table_print(inv->out, view->columns, view->columns_length,
			json_object_get(answer, "items"), &style);
	}
	json_decref(answer);
}

static void
describe_item(
	struct ps_client *c, const struct ps_invocation *inv, const struct ps_kind_view *view, json_t *item)
{
	static const struct ps_column place = {"", ".", PS_FORMAT_PLACE, false};
	char text[128];

	print_fields(inv, view, item);
	if (is(view, "services")) {
		print_related(c, inv, "endpoints", "service", ps_json_text(item, "name"), 0);
		print_related(c, inv, "flows", "service", ps_json_text(item, "name"), 10);
	} else if (is(view, "endpoints")) {
		ps_cell(text, sizeof(text), item, &place, 0);
		print_related(c, inv, "flows", "endpoint", text, 10);
	}
}

enum ps_cli_status
ps_cmd_describe(const struct ps_invocation *inv)
{
	const struct ps_kind_view *view = ps_kind_view_find(inv->arguments[0]);
	json_t *answer = NULL, *items, *item, *object = NULL;
	const char *name;
	struct ps_client *c;
	char ns[128];
	size_t index, found;
	int rc;

	if (view == NULL)
		return ps_usage_error(
			inv, "\"%s\" is no kind; there are %s", inv->arguments[0], ps_kind_view_names());
	if (view->single)
		return ps_usage_error(
			inv, "there is but one %s: penstock get %s -o yaml", view->name, view->name);
	c = ps_client_open(inv);
	if (c == NULL)
		return PS_CLI_FAILED;
	rc = ps_list_fetch(c, inv, view, &answer);
	if (rc < 0) {
		enum ps_cli_status status = ps_client_status(c, rc);

		ps_client_free(c);
		return status;
	}
	items = json_object_get(answer, "items");
	found = ps_items_keep(view, items, ps_opt(inv, "namespace"), inv->arguments[1]);
	ps_name_split(inv, inv->arguments[1], ns, sizeof(ns), &name);
	if (view->kubernetes)
		ps_object_fetch(c, view, ns, name, &object);
	if (found == 0 && object == NULL) {
		fprintf(stderr, "penstock: there is no \"%s\" among the %s\n", inv->arguments[1], view->name);
	} else if (ps_opt_given(inv, "json")) {
		json_t *both = json_pack("{s:O, s:O?}", "items", items, "object", object);

		ps_print_json(inv->out, both);
		json_decref(both);
	} else {
		if (view->derive != NULL)
			view->derive(answer);
		json_array_foreach(items, index, item)
		{
			if (index > 0)
				fputc('\n', inv->out);
			describe_item(c, inv, view, item);
		}
		if (object != NULL)
			print_status(inv, object);
	}
	rc = found == 0 && object == NULL;
	json_decref(object);
	json_decref(answer);
	ps_client_free(c);
	return rc ? PS_CLI_NOT_FOUND : PS_CLI_OK;
}

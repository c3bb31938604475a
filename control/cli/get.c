/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock get`, and names for completion. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/get.h"
#include "control/cli/kinds.h"
#include "control/cli/verbs.h"
#include "control/cli/yaml_out.h"

#define PATH_SIZE 1024

enum ps_cli_status
ps_client_status(const struct ps_client *c, int rc)
{
	fprintf(stderr, "penstock: %s\n", ps_client_error(c)[0] != '\0' ? ps_client_error(c) : strerror(-rc));
	return rc == -ENOTCONN || rc == -EHOSTDOWN ? PS_CLI_NOT_RUNNING
	       : rc == -ENOENT                     ? PS_CLI_NOT_FOUND
						   : PS_CLI_FAILED;
}

struct ps_client *
ps_client_open(const struct ps_invocation *inv)
{
	struct ps_client *c = ps_client_new(ps_runtime_dir(ps_opt(inv, "runtime-dir")));

	if (c == NULL)
		ps_fail("out of memory");
	return c;
}

void
ps_print_json(FILE *out, json_t *value)
{
	json_dumpf(value, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY);
	fputc('\n', out);
}

struct ps_table_style
ps_style(const struct ps_invocation *inv)
{
	struct ps_table_style style = {.color = inv->color, .now_s = ps_now_s()};
	const char *output = ps_opt(inv, "output");
	struct winsize size;

	style.wide = output != NULL && strcmp(output, "wide") == 0;
	style.no_headings = ps_opt_given(inv, "no-headers");
	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && !style.wide)
		style.width_max = size.ws_col;
	return style;
}

/* Splits [NS/]NAME; the option -n counts when the name has no namespace. */
void
ps_name_split(const struct ps_invocation *inv, const char *text, char *ns, size_t ns_size, const char **name)
{
	const char *slash = strchr(text, '/'), *given = ps_opt(inv, "namespace");

	snprintf(ns, ns_size, "%.*s", slash != NULL ? (int)(slash - text) : 0, text);
	*name = slash != NULL ? slash + 1 : text;
	if (slash == NULL)
		snprintf(ns, ns_size, "%s", given != NULL ? given : "default");
}

static bool
is(const struct ps_kind_view *view, const char *name)
{
	return strcmp(view->name, name) == 0;
}

/* One object as Kubernetes shows it. Routes are looked for under both their kinds. */
int
ps_object_fetch(struct ps_client *c, const struct ps_kind_view *view, const char *ns, const char *name,
	json_t **object)
{
	static const char *const route_kinds[] = {"tcproutes", "udproutes"};
	bool routes = is(view, "routes");
	char path[PATH_SIZE], plain[256];
	int rc = -ENOENT;

	/* a balanced service is named with its port, its object is not */
	snprintf(plain, sizeof(plain), "%.*s",
		is(view, "services") ? (int)strcspn(name, ":/") : (int)strlen(name), name);
	for (int i = 0; rc == -ENOENT && i < (routes ? 2 : 1); i++) {
		snprintf(path, sizeof(path), "/v1/%s", routes ? route_kinds[i] : view->name);
		rc = view->namespaced ? ps_path_add(path, sizeof(path), ns) : 0;
		if (rc == 0)
			rc = ps_path_add(path, sizeof(path), plain);
		if (rc == 0)
			rc = ps_client_get(c, path, object);
	}
	return rc;
}

/* The list, filtered by the options that the kind understands. */
int
ps_list_fetch(struct ps_client *c, const struct ps_invocation *inv, const struct ps_kind_view *view,
	json_t **answer)
{
	static const char *const flow_filters[] = {"service", "client", "endpoint", "state", "limit"};
	static const char *const endpoint_filters[] = {"service", "endpoint", "state"};
	char path[PATH_SIZE];
	int rc = 0;
	bool flows = is(view, "flows"), endpoints = is(view, "endpoints");

	snprintf(path, sizeof(path), "/v1/%s", view->name);
	for (size_t i = 0; rc == 0 && flows && i < 5; i++) {
		if (ps_opt(inv, flow_filters[i]) != NULL)
			rc = ps_query_add(path, sizeof(path), flow_filters[i], ps_opt(inv, flow_filters[i]));
	}
	for (size_t i = 0; rc == 0 && endpoints && i < 3; i++) {
		if (ps_opt(inv, endpoint_filters[i]) != NULL)
			rc = ps_query_add(
				path, sizeof(path), endpoint_filters[i], ps_opt(inv, endpoint_filters[i]));
	}
	if (rc == 0 && (endpoints || is(view, "services")) && ps_opt_given(inv, "namespace"))
		rc = ps_query_add(path, sizeof(path), "namespace", ps_opt(inv, "namespace"));
	if (rc < 0)
		return rc;
	return ps_client_get(c, path, answer);
}

/* Drops items of other names and namespaces. Returns how many are left. */
size_t
ps_items_keep(const struct ps_kind_view *view, json_t *items, const char *ns, const char *name)
{
	for (size_t i = 0; i < json_array_size(items);) {
		json_t *item = json_array_get(items, i);
		const char *item_ns = ps_json_text(item, "namespace");

		if ((name != NULL && !ps_item_is(view, item, ns, name)) ||
			(name == NULL && ns != NULL && view->namespaced && item_ns[0] != '\0' &&
				strcmp(item_ns, ns) != 0))
			json_array_remove(items, i);
		else
			i++;
	}
	return json_array_size(items);
}

/* Rows replaced by their objects as Kubernetes shows them, as a List. */
static json_t *
objects_of(struct ps_client *c, const struct ps_kind_view *view, json_t *items)
{
	json_t *list = json_pack("{s:s, s:s, s:[]}", "apiVersion", "v1", "kind", "List", "items"), *item,
	       *object;
	size_t index;

	json_array_foreach(items, index, item)
	{
		if (ps_object_fetch(c, view, ps_json_text(item, "namespace"), ps_json_text(item, "name"),
			    &object) == 0)
			json_array_append_new(json_object_get(list, "items"), object);
	}
	return list;
}

static void
print_names(const struct ps_invocation *inv, const struct ps_kind_view *view, json_t *items)
{
	const struct ps_column key = {"", view->key, PS_FORMAT_PLACE, false};
	char text[256];
	json_t *item;
	size_t index;

	json_array_foreach(items, index, item)
	{
		const char *ns = ps_json_text(item, "namespace");

		ps_cell(text, sizeof(text), item, &key, 0);
		fprintf(inv->out, "%s/%s%s%s\n", view->name, strncmp(text, ns, strlen(ns)) == 0 ? "" : ns,
			ns[0] != '\0' && strncmp(text, ns, strlen(ns)) != 0 ? "/" : "", text);
	}
}

static void
print_dot(FILE *out, json_t *items)
{
	json_t *node, *edge;
	size_t i, e;

	fprintf(out, "digraph penstock {\n\trankdir=LR;\n\tnode [shape=box, fontname=\"sans\"];\n");
	json_array_foreach(items, i, node)
	{
		const char *name = ps_json_text(node, "name");
		char packets[32];

		ps_format_number(packets, sizeof(packets), ps_json_number(node, "packets"), PS_FORMAT_COUNT);
		fprintf(out, "\t\"%s\" [label=\"%s\\n%s packets\\n%.1f cycles each\"%s];\n", name, name,
			packets, ps_json_number(node, "cycles_per_packet"),
			ps_json_number(node, "packets") > 0 ? ", style=bold" : "");
		json_array_foreach(json_object_get(node, "edges"), e, edge)
			fprintf(out, "\t\"%s\" -> \"%s\";\n", name, json_string_value(edge));
	}
	fprintf(out, "}\n");
}

/* Output formats that print a whole value; false for tables. */
static bool
print_value(const struct ps_invocation *inv, const char *output, json_t *value)
{
	if (strcmp(output, "json") == 0)
		ps_print_json(inv->out, value);
	else if (strcmp(output, "yaml") == 0)
		ps_yaml_write(inv->out, value);
	else
		return false;
	return true;
}

static enum ps_cli_status
get_list(struct ps_client *c, const struct ps_invocation *inv, const struct ps_kind_view *view,
	const char *output, const char *name)
{
	struct ps_table_style style = ps_style(inv);
	bool value = strcmp(output, "json") == 0 || strcmp(output, "yaml") == 0;
	const char *ns = ps_opt(inv, "namespace");
	enum ps_cli_status status = PS_CLI_OK;
	json_t *answer, *items;
	int rc = ps_list_fetch(c, inv, view, &answer);

	if (rc < 0)
		return ps_client_status(c, rc);
	items = json_object_get(answer, "items");
	if (view->single) {
		items = json_pack("[O]", answer);
		if (!print_value(inv, output, answer))
			ps_table_print(inv->out, view->columns, view->columns_length, items, &style);
		json_decref(items);
		json_decref(answer);
		return PS_CLI_OK;
	}
	if ((name != NULL || ns != NULL) && ps_items_keep(view, items, ns, name) == 0 && name != NULL) {
		fprintf(stderr, "penstock: there is no \"%s\" among the %s\n", name, view->name);
		status = PS_CLI_NOT_FOUND;
	} else if (strcmp(output, "dot") == 0) {
		print_dot(inv->out, items);
	} else if (strcmp(output, "name") == 0) {
		print_names(inv, view, items);
	} else if (value && view->kubernetes && !is(view, "services")) {
		json_t *objects = objects_of(c, view, items);

		print_value(inv, output, objects);
		json_decref(objects);
	} else if (value) {
		print_value(inv, output, answer);
	} else {
		if (view->derive != NULL)
			view->derive(answer);
		ps_table_print(inv->out, view->columns, view->columns_length, items, &style);
		if (json_is_true(json_object_get(answer, "truncated")))
			fprintf(stderr, "penstock: there are more: see --limit\n");
	}
	json_decref(answer);
	return status;
}

enum ps_cli_status
ps_cmd_get(const struct ps_invocation *inv)
{
	const struct ps_kind_view *view = ps_kind_view_find(inv->arguments[0]);
	const char *output = ps_opt_given(inv, "json") ? "json" : ps_opt(inv, "output"), *name;
	bool value = strcmp(output, "json") == 0 || strcmp(output, "yaml") == 0;
	enum ps_cli_status status;
	struct ps_client *c;
	char ns[128];
	json_t *object;
	int rc;

	if (view == NULL)
		return ps_usage_error(
			inv, "\"%s\" is no kind; there are %s", inv->arguments[0], ps_kind_view_names());
	if (strcmp(output, "dot") == 0 && !is(view, "graph"))
		return ps_usage_error(inv, "-o dot is for graph only");
	if (ps_opt_given(inv, "namespace") && ps_opt_given(inv, "all-namespaces"))
		return ps_usage_error(inv, "--namespace and --all-namespaces exclude each other");
	c = ps_client_open(inv);
	if (c == NULL)
		return PS_CLI_FAILED;
	if (inv->arguments_length > 1 && value && view->kubernetes) {
		ps_name_split(inv, inv->arguments[1], ns, sizeof(ns), &name);
		rc = ps_object_fetch(c, view, ns, name, &object);
		if (rc == 0) {
			print_value(inv, output, object);
			json_decref(object);
		}
		status = rc == 0 ? PS_CLI_OK : ps_client_status(c, rc);
	} else {
		status = get_list(c, inv, view, output, inv->arguments_length > 1 ? inv->arguments[1] : NULL);
	}
	ps_client_free(c);
	return status;
}

enum ps_cli_status
ps_cmd_complete_names(const struct ps_invocation *inv)
{
	const struct ps_kind_view *view = ps_kind_view_find(inv->arguments[0]);
	struct ps_client *c = view != NULL && !view->single ? ps_client_open(inv) : NULL;
	struct ps_column key = {"", view != NULL ? view->key : "", PS_FORMAT_PLACE, false};
	json_t *answer, *item;
	char path[64], text[256];
	size_t index;

	if (c == NULL)
		return PS_CLI_OK; /* completion stays silent */
	ps_client_timeout(c, 1000);
	snprintf(path, sizeof(path), "/v1/%s", view->name);
	if (ps_client_get(c, path, &answer) == 0) {
		json_array_foreach(json_object_get(answer, "items"), index, item)
		{
			const char *ns = ps_json_text(item, "namespace");

			ps_cell(text, sizeof(text), item, &key, 0);
			fprintf(inv->out, "%s%s%s\n", view->namespaced && strchr(text, '/') == NULL ? ns : "",
				view->namespaced && strchr(text, '/') == NULL && ns[0] != '\0' ? "/" : "",
				text);
		}
		json_decref(answer);
	}
	ps_client_free(c);
	return PS_CLI_OK;
}

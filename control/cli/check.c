/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock check`: read and resolve as penstockd would, say everything that is wrong. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/get.h"
#include "control/cli/load.h"
#include "control/cli/verbs.h"

#define ADOPT_MAX 64u

int
ps_loaded_make(struct ps_loaded *l, const struct ps_invocation *inv)
{
	struct ps_resolver_options options = {0};
	const char *adopt[ADOPT_MAX], *path;
	bool strict = ps_opt(inv, "strict") != NULL;
	int rc;

	memset(l, 0, sizeof(*l));
	while (options.adopts < ADOPT_MAX && (path = ps_opt_at(inv, "adopt", options.adopts)) != NULL)
		adopt[options.adopts++] = path;
	options.adopt = adopt;
	options.flags = strict ? PS_RESOLVE_STRICT : 0;
	l->set = ps_manifests_new(strict ? PS_MANIFESTS_STRICT : 0);
	l->resolver = ps_resolver_new(&options);
	if (l->set == NULL || l->resolver == NULL)
		return -ENOMEM;
	for (size_t i = 0; (path = ps_opt_at(inv, "filename", i)) != NULL; i++)
		ps_manifests_add(l->set, path); /* a path that cannot be read is among the diagnostics */
	l->model = ps_resolve(l->resolver, l->set, (int64_t)time(NULL));
	if (l->model == NULL)
		return -ENOMEM;
	rc = ps_manifests_diagnostics(l->set, &l->diagnostics);
	if (rc == 0)
		rc = ps_diagnostics_append(&l->diagnostics, &l->model->diagnostics);
	ps_diagnostics_sort(&l->diagnostics);
	return rc;
}

void
ps_loaded_clear(struct ps_loaded *l)
{
	ps_diagnostics_clear(&l->diagnostics);
	ps_resolver_free(l->resolver);
	ps_manifests_free(l->set);
}

/* Objects of kinds that are not served, by kind: {"HTTPRoute": 2}. */
static json_t *
count_others(const struct ps_manifests *set)
{
	json_t *counts = json_object();
	const struct ps_object *o;

	for (o = ps_manifests_first(set, PS_KIND_OTHER); o != NULL; o = ps_manifests_next(o))
		json_object_set_new(counts, o->kind_name,
			json_integer(json_integer_value(json_object_get(counts, o->kind_name)) + 1));
	return counts;
}

/* Conditions that say no. Those that tell of trouble say it with True. */
static void
add_bad_conditions(json_t *list, const struct ps_object *object, const char *part,
	const struct ps_conditions *conditions)
{
	static const char *const trouble[] = {"Conflicted", "OverlappingTLSConfig", "PartiallyInvalid"};
	char name[512];

	for (uint32_t i = 0; i < conditions->length; i++) {
		const struct ps_condition *c = &conditions->item[i];
		const char *bad = "False";

		for (size_t t = 0; t < sizeof(trouble) / sizeof(trouble[0]); t++)
			bad = strcmp(c->type, trouble[t]) == 0 ? "True" : bad;
		/* Programmed follows from the others; a headless Service is not meant to have an address */
		if (strcmp(c->status, bad) != 0 || strcmp(c->type, "Programmed") == 0 ||
			(object->kind == PS_KIND_SERVICE && object->service->headless &&
				strcmp(c->reason, "NoAddress") == 0))
			continue;
		snprintf(name, sizeof(name), "%s %s%s%s%s%s", object->kind_name, object->ns,
			object->ns[0] != '\0' ? "/" : "", object->name, part[0] != '\0' ? ", " : "", part);
		json_array_append_new(list,
			json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "object", name, "file", object->file,
				"line", (int)object->place.line, "type", c->type, "status", c->status,
				"reason", c->reason, "message", c->message != NULL ? c->message : ""));
	}
}

static int
by_place(const void *a, const void *b)
{
	json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int order = strcmp(ps_json_text(x, "file"), ps_json_text(y, "file"));
	double lines = ps_json_number(x, "line") - ps_json_number(y, "line");

	return order != 0 ? order : lines < 0 ? -1 : lines > 0;
}

/* In the order of the files; out of memory leaves them as they are. */
static json_t *
sorted(json_t *list)
{
	size_t length = json_array_size(list);
	json_t **items = calloc(length + 1, sizeof(*items)), *result = json_array();

	if (items == NULL || result == NULL) {
		free(items);
		json_decref(result);
		return list;
	}
	for (size_t i = 0; i < length; i++)
		items[i] = json_array_get(list, i);
	qsort(items, length, sizeof(*items), by_place);
	for (size_t i = 0; i < length; i++)
		json_array_append(result, items[i]);
	free(items);
	json_decref(list);
	return result;
}

static json_t *
bad_conditions(const struct ps_model *m)
{
	json_t *list = json_array();
	char part[256];

	for (uint32_t i = 0; i < m->classes; i++)
		add_bad_conditions(list, m->class_status[i]->object, "", &m->class_status[i]->conditions);
	for (uint32_t i = 0; i < m->gateways; i++) {
		const struct ps_gateway_status *g = m->gateway_status[i];

		add_bad_conditions(list, g->object, "", &g->conditions);
		for (uint32_t l = 0; l < g->listeners; l++) {
			snprintf(part, sizeof(part), "listener %s",
				g->listener[l].spec->name.s != NULL ? g->listener[l].spec->name.s : "");
			add_bad_conditions(list, g->object, part, &g->listener[l].conditions);
		}
	}
	for (uint32_t i = 0; i < m->route_statuses; i++) {
		const struct ps_route_status *r = m->route_status[i];

		for (uint32_t p = 0; p < r->parents; p++) {
			snprintf(part, sizeof(part), "parent %s",
				r->parent[p].ref->name.s != NULL ? r->parent[p].ref->name.s : "");
			add_bad_conditions(list, r->object, part, &r->parent[p].conditions);
		}
	}
	for (uint32_t i = 0; i < m->service_statuses; i++)
		add_bad_conditions(list, m->service_status[i]->object, "", &m->service_status[i]->conditions);
	for (uint32_t i = 0; i < m->slice_statuses; i++)
		add_bad_conditions(list, m->slice_status[i]->object, "", &m->slice_status[i]->conditions);
	return sorted(list);
}

static void
print_summary(
	const struct ps_invocation *inv, uint32_t served, json_t *others, const struct ps_diagnostics *d)
{
	size_t other = 0, said = 0;
	const char *kind;
	json_t *count;

	json_object_foreach(others, kind, count) other += (size_t)json_integer_value(count);
	fprintf(inv->out, "%zu objects: %u served", served + other, served);
	if (other > 0)
		fprintf(inv->out, ", %zu of kinds not served yet: ", other);
	json_object_foreach(others, kind, count)
	{
		fprintf(inv->out, "%s%s", said++ > 0 ? ", " : "", kind);
		if (json_integer_value(count) > 1)
			fprintf(inv->out, " (%" JSON_INTEGER_FORMAT ")", json_integer_value(count));
	}
	fprintf(inv->out, "; %u errors, %u warnings\n", d->errors, d->warnings);
}

/* Classes of other controllers do nothing here, which surprises who meant to take them over. */
static void
print_foreign_classes(const struct ps_invocation *inv, const struct ps_loaded *l)
{
	const struct ps_object *o;

	for (o = ps_manifests_first(l->set, PS_KIND_GATEWAY_CLASS); o != NULL; o = ps_manifests_next(o)) {
		if (ps_model_class(l->model, o) == NULL && o->gateway_class->controller_name.s != NULL)
			fprintf(inv->out,
				"%s:%u: GatewayClass %s is another controller's; to take it over: --adopt "
				"%s\n",
				o->file, o->place.line, o->name, o->gateway_class->controller_name.s);
	}
}

static void
print_conditions(const struct ps_invocation *inv, json_t *conditions)
{
	json_t *c;
	size_t index;

	if (json_array_size(conditions) > 0)
		fprintf(inv->out, "not accepted:\n");
	json_array_foreach(conditions, index, c)
		fprintf(inv->out, "  %s:%.0f: %s: %s is %s, %s: %s\n", ps_json_text(c, "file"),
			ps_json_number(c, "line"), ps_json_text(c, "object"), ps_json_text(c, "type"),
			ps_json_text(c, "status"), ps_json_text(c, "reason"), ps_json_text(c, "message"));
}

enum ps_cli_status
ps_cmd_check(const struct ps_invocation *inv)
{
	json_t *others, *conditions;
	struct ps_loaded l;
	uint32_t served = 0;
	enum ps_cli_status status;

	if (!ps_opt_given(inv, "filename"))
		return ps_usage_error(inv, "no manifests given: expected -f PATH");
	if (ps_loaded_make(&l, inv) < 0) {
		ps_loaded_clear(&l);
		return ps_fail("out of memory");
	}
	for (int kind = PS_KIND_OTHER + 1; kind < PS_KINDS; kind++)
		served += ps_manifests_length(l.set, (enum ps_kind)kind);
	others = count_others(l.set);
	conditions = bad_conditions(l.model);
	status = l.diagnostics.errors > 0 ? PS_CLI_FAILED : PS_CLI_OK;
	if (ps_opt_given(inv, "json")) {
		json_t *all = json_pack("{s:o?, s:O, s:i, s:O, s:i, s:i}", "diagnostics",
			ps_diagnostics_json(&l.diagnostics), "conditions", conditions, "served", (int)served,
			"not_served", others, "errors", (int)l.diagnostics.errors, "warnings",
			(int)l.diagnostics.warnings);

		ps_print_json(inv->out, all);
		json_decref(all);
	} else {
		ps_diagnostics_print(&l.diagnostics, inv->out);
		print_conditions(inv, conditions);
		print_foreign_classes(inv, &l);
		print_summary(inv, served, others, &l.diagnostics);
	}
	json_decref(others);
	json_decref(conditions);
	ps_loaded_clear(&l);
	return status;
}

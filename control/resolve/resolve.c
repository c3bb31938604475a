/* SPDX-License-Identifier: Apache-2.0 */
#include "control/resolve/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "control/resolve/internal.h"

struct ps_resolver *
ps_resolver_new(const struct ps_resolver_options *options)
{
	struct ps_resolver *r = calloc(1, sizeof(*r));
	uint32_t i;

	if (r == NULL || options == NULL)
		return r;
	r->flags = options->flags;
	r->adopt = calloc(options->adopts + 1, sizeof(*r->adopt));
	for (i = 0; r->adopt != NULL && i < options->adopts; i++) {
		r->adopt[i] = strdup(options->adopt[i]);
		if (r->adopt[i] == NULL)
			break;
		r->adopts++;
	}
	if (r->adopt == NULL || r->adopts != options->adopts) {
		ps_resolver_free(r);
		return NULL;
	}
	return r;
}

void
ps_resolver_free(struct ps_resolver *r)
{
	uint32_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->service.cells; i++)
		if (r->service.cell[i].value != NULL)
			ps_service_entry_free(r->service.cell[i].value);
	for (i = 0; i < r->slice.cells; i++) {
		struct slice_entry *e = r->slice.cell[i].value;

		if (e != NULL)
			ps_conditions_clear(&e->status.conditions);
		free(e);
	}
	for (i = 0; i < r->adopts; i++)
		free(r->adopt[i]);
	free(r->adopt);
	free(r->slice_status);
	ps_map_free(&r->service);
	ps_map_free(&r->slice);
	ps_map_free(&r->pool_taken);
	ps_gateway_pass_free(&r->gateway);
	ps_gateway_pass_free(&r->before);
	ps_arena_free(&r->dataplane_arena);
	ps_arena_free(&r->assemble_arena);
	ps_diagnostics_clear(&r->dataplane_diagnostics);
	ps_diagnostics_clear(&r->gateway_diagnostics);
	ps_diagnostics_clear(&r->assemble_diagnostics);
	ps_diagnostics_clear(&r->model.diagnostics);
	free(r);
}

static void
gather_diagnostics(struct ps_resolver *r)
{
	struct ps_diagnostics *out = &r->model.diagnostics;
	uint32_t i;

	ps_diagnostics_clear(out);
	for (i = 0; i < r->service.cells; i++) {
		const struct service_entry *e = r->service.cell[i].value;

		if (e != NULL && e->diagnostics.length != 0 && ps_diagnostics_append(out, &e->diagnostics) != 0)
			r->failed = true;
	}
	if (ps_diagnostics_append(out, &r->dataplane_diagnostics) != 0 ||
		ps_diagnostics_append(out, &r->gateway_diagnostics) != 0 ||
		ps_diagnostics_append(out, &r->assemble_diagnostics) != 0)
		r->failed = true;
	ps_diagnostics_sort(out);
	r->diagnostics_changed = false;
}

const struct ps_model *
ps_resolve(struct ps_resolver *r, struct ps_manifests *set, int64_t now_s)
{
	if (r->set != set)
		r->seen_revision = 0;
	r->set = set;
	r->now_s = now_s;
	r->pass++;
	r->failed = r->layout_changed = r->content_changed = false;
	ps_resolve_dataplane(r);
	if (!r->failed)
		ps_resolve_services(r);
	if (!r->failed)
		ps_resolve_gateways(r);
	if (!r->failed)
		ps_refresh_route_services(r);
	if (!r->failed && r->layout_changed)
		ps_assemble(r);
	if (!r->failed && r->diagnostics_changed)
		gather_diagnostics(r);
	ps_gateway_pass_free(&r->before);
	if (r->failed) {
		/* Half done: everything is made again next time. */
		r->dataplane_key = r->seen_revision = r->gateway_key = 0;
		return NULL;
	}
	if (r->content_changed || r->layout_changed)
		r->model.revision = ++r->serial;
	return &r->model;
}

/* ---- finding status ---- */

const struct ps_class_status *
ps_model_class(const struct ps_model *model, const struct ps_object *object)
{
	uint32_t i;

	for (i = 0; i < model->classes; i++)
		if (model->class_status[i]->object == object)
			return model->class_status[i];
	return NULL;
}

const struct ps_gateway_status *
ps_model_gateway(const struct ps_model *model, const struct ps_object *object)
{
	uint32_t i;

	for (i = 0; i < model->gateways; i++)
		if (model->gateway_status[i]->object == object)
			return model->gateway_status[i];
	return NULL;
}

const struct ps_route_status *
ps_model_route(const struct ps_model *model, const struct ps_object *object)
{
	uint32_t i;

	for (i = 0; i < model->route_statuses; i++)
		if (model->route_status[i]->object == object)
			return model->route_status[i];
	return NULL;
}

/* The model is part of its resolver, whose maps answer at once. */
static const struct ps_resolver *
resolver_of(const struct ps_model *model)
{
	return (const struct ps_resolver *)((const char *)model - offsetof(struct ps_resolver, model));
}

const struct ps_service_status *
ps_model_service_status(const struct ps_model *model, const struct ps_object *object)
{
	const struct service_entry *e = ps_service_entry(resolver_of(model), object);

	return e != NULL ? &e->status : NULL;
}

const struct ps_slice_status *
ps_model_slice(const struct ps_model *model, const struct ps_object *object)
{
	const struct slice_entry *e = ps_map_get(&resolver_of(model)->slice, ps_name_key(object->ns, object->name));

	return e != NULL ? &e->status : NULL;
}

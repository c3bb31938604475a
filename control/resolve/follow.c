/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which Services and slices are resolved again: those that the list of changes names, or, when it does not reach
 * back far enough, those whose revisions differ from what was resolved last.
 */
#include <stdlib.h>
#include <string.h>

#include "control/resolve/internal.h"
#include "dataplane/api/digest.h"

struct service_entry *
ps_service_entry(const struct ps_resolver *r, const struct ps_object *object)
{
	return ps_map_get(&r->service, ps_name_key(object->ns, object->name));
}

void
ps_service_entry_free(struct service_entry *e)
{
	ps_conditions_clear(&e->status.conditions);
	ps_diagnostics_clear(&e->diagnostics);
	ps_arena_free(&e->arena);
	ps_arena_free(&e->endpoint_arena);
	free(e);
}

static void
release_pool(struct ps_resolver *r, struct service_entry *e)
{
	uint32_t f;

	for (f = 0; f < 2; f++)
		if (!ps_addr_is_zero(&e->pool_address[f]))
			ps_map_remove(&r->pool_taken, ps_digest(e->pool_address[f].b, 16, 0));
	memset(e->pool_address, 0, sizeof(e->pool_address));
}

static uint64_t
slices_key(const struct ps_resolver *r, const struct ps_object *service)
{
	const struct ps_object *o;
	uint64_t key = PS_DIGEST_K3;

	/* The order of slices does not matter, so it must not matter here. */
	for (o = ps_manifests_first_slice(r->set, service->ns, service->name); o != NULL; o = ps_manifests_next_slice(o))
		key += ps_mix64(o->revision ^ PS_DIGEST_K0, ps_map_key(o) ^ PS_DIGEST_K1);
	return key;
}

static struct service_entry *
entry_of(struct ps_resolver *r, const struct ps_object *o)
{
	struct service_entry *e = ps_service_entry(r, o);

	if (e != NULL)
		return e;
	e = calloc(1, sizeof(*e));
	if (e == NULL || ps_map_put(&r->service, ps_name_key(o->ns, o->name), e) != 0) {
		free(e);
		r->failed = true;
		return NULL;
	}
	return e;
}

static void
resolve_service(struct ps_resolver *r, const struct ps_object *o, struct service_entry *e)
{
	uint64_t key = ps_mix64(o->revision ^ PS_DIGEST_K0, r->model.dataplane_revision ^ PS_DIGEST_K1) ^ o->order ^
		       ps_map_key(o->spec);
	uint64_t slices = slices_key(r, o);
	bool again = e->key != key;

	e->object = e->status.object = o;
	if (again) {
		if (!ps_service_keeps_pool_addresses(r, o->service, e))
			release_pool(r, e);
		ps_service_configure(r, e);
		e->key = r->failed ? 0 : key;
	}
	if ((again || e->slices_key != slices) && !r->failed) {
		ps_service_endpoints(r, e);
		e->slices_key = r->failed ? 0 : slices;
		ps_service_conditions(r, e);
	}
}

static int
by_age(const void *a, const void *b)
{
	return ps_object_age(*(const struct ps_object *const *)a, *(const struct ps_object *const *)b);
}

/* Those that want an address of the pool are asked in the order of their age, so that a restart gives them the same ones. */
static void
resolve_by_age(struct ps_resolver *r, uint32_t count)
{
	const struct ps_object **order = malloc((count != 0 ? count : 1) * sizeof(*order)), *o;
	uint32_t n = 0, i;

	if (order == NULL) {
		r->failed = true;
		return;
	}
	for (o = ps_manifests_first(r->set, PS_KIND_SERVICE); o != NULL; o = ps_manifests_next(o))
		order[n++] = o;
	qsort(order, n, sizeof(*order), by_age);
	for (i = 0; i < n && !r->failed; i++) {
		struct service_entry *e = entry_of(r, order[i]);

		if (e != NULL)
			resolve_service(r, order[i], e);
	}
	free(order);
}

static void
forget_service(struct ps_resolver *r, uint64_t where)
{
	struct service_entry *e = ps_map_remove(&r->service, where);

	if (e == NULL)
		return;
	r->layout_changed = r->content_changed = r->diagnostics_changed = true;
	release_pool(r, e);
	ps_service_entry_free(e);
}

static void
resolve_all(struct ps_resolver *r)
{
	const struct ps_object *o;
	uint32_t count = 0, i;

	for (o = ps_manifests_first(r->set, PS_KIND_SERVICE); o != NULL; o = ps_manifests_next(o)) {
		struct service_entry *e = entry_of(r, o);

		if (e == NULL)
			return;
		e->pass = r->pass;
		count++;
	}
	for (i = 0; i < r->service.cells;) {
		struct service_entry *e = r->service.cell[i].value;

		if (e != NULL && e->pass != r->pass)
			forget_service(r, r->service.cell[i].key);
		else
			i++;
	}
	resolve_by_age(r, count);
	if (!r->failed)
		ps_resolve_all_slices(r);
}

/* A Service and its slices, which say whether they are used. */
static void
resolve_named(struct ps_resolver *r, const char *ns, const char *name)
{
	const struct ps_object *o = ps_manifests_find(r->set, PS_KIND_SERVICE, ns, name), *slice;
	struct service_entry *e;

	if (o == NULL) {
		forget_service(r, ps_name_key(ns, name));
	} else {
		e = entry_of(r, o);
		if (e != NULL)
			resolve_service(r, o, e);
	}
	for (slice = ps_manifests_first_slice(r->set, ns, name); slice != NULL && !r->failed;
		slice = ps_manifests_next_slice(slice))
		ps_resolve_slice(r, slice);
}

/*
 * What changed since the last call, when the set still knows all of it. NULL: it does not, or it is
 * so much that looking at everything is no slower.
 */
static const struct ps_change *
recent_changes(struct ps_resolver *r, uint32_t *length)
{
	uint64_t missed = ps_manifests_revision(r->set) - r->seen_revision;
	const struct ps_change *change;

	if (r->seen_revision == 0 || r->seen_dataplane != r->model.dataplane_revision || missed > 256)
		return NULL;
	change = ps_manifests_changes(r->set, length);
	if (change == NULL || *length == UINT32_MAX || *length < missed)
		return NULL;
	/* The latest come last; there are more when the caller has not cleared the list. */
	change += *length - missed;
	*length = (uint32_t)missed;
	return change;
}

void
ps_resolve_services(struct ps_resolver *r)
{
	uint64_t revision = ps_manifests_revision(r->set);
	const struct ps_change *change;
	uint32_t length = 0, i;

	if (r->seen_revision == revision && r->seen_dataplane == r->model.dataplane_revision)
		return;
	change = recent_changes(r, &length);
	if (change == NULL)
		resolve_all(r);
	for (i = 0; change != NULL && i < length && !r->failed; i++) {
		if (change[i].kind == PS_KIND_SERVICE) {
			resolve_named(r, change[i].ns, change[i].name);
		} else if (change[i].kind == PS_KIND_ENDPOINT_SLICE) {
			if (change[i].object != NULL)
				ps_resolve_slice(r, change[i].object);
			else
				ps_forget_slice(r, ps_name_key(change[i].ns, change[i].name));
			if (change[i].service != NULL)
				resolve_named(r, change[i].ns, change[i].service);
		}
	}
	if (r->slices_changed && !r->failed)
		ps_list_slices(r);
	r->slices_changed = false;
	r->seen_revision = revision;
	r->seen_dataplane = r->model.dataplane_revision;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* EndpointSlices have a status of their own: used, or why not. What is in them counts in endpoints.c. */
#include <stdlib.h>

#include "control/resolve/internal.h"
#include "dataplane/api/digest.h"

#define USED "penstock.dev/Used"

void
ps_list_slices(struct ps_resolver *r)
{
	struct ps_slice_status **list = malloc((r->slice.length + 1) * sizeof(*list));
	uint32_t i, n = 0;

	if (list == NULL) {
		r->failed = true;
		return;
	}
	for (i = 0; i < r->slice.cells; i++) {
		struct slice_entry *e = r->slice.cell[i].value;

		if (e != NULL)
			list[n++] = &e->status;
	}
	free(r->slice_status);
	r->model.slice_status = r->slice_status = list;
	r->model.slice_statuses = n;
}

void
ps_resolve_slice(struct ps_resolver *r, const struct ps_object *o)
{
	uint64_t where = ps_name_key(o->ns, o->name), key;
	struct slice_entry *e = ps_map_get(&r->slice, where);
	const char *service = o->slice->service_name;
	const struct ps_object *owner = service != NULL ? ps_manifests_find(r->set, PS_KIND_SERVICE, o->ns, service) : NULL;
	struct ps_conditions *c;

	if (e == NULL) {
		e = calloc(1, sizeof(*e));
		if (e == NULL || ps_map_put(&r->slice, where, e) != 0) {
			free(e);
			r->failed = true;
			return;
		}
		r->slices_changed = true;
	}
	key = ps_mix64(o->revision ^ PS_DIGEST_K0, PS_DIGEST_K1 ^ (owner != NULL)) ^ ps_map_key(o);
	e->pass = r->pass;
	if (e->key == key)
		return;
	e->key = key;
	e->status.object = o;
	c = &e->status.conditions;
	if (service == NULL)
		ps_condition_set(r, c, c, o, USED, "False", "NoService", "label kubernetes.io/service-name is missing");
	else if (owner == NULL)
		ps_condition_set(r, c, c, o, USED, "False", "ServiceNotFound", "Service %s/%s is not there", o->ns, service);
	else if (o->slice->address_type.v == PS_SLICE_FQDN)
		ps_condition_set(r, c, c, o, USED, "False", "UnsupportedAddressType",
			"addressType FQDN names hosts, expected IPv4 or IPv6");
	else
		ps_condition_set(r, c, c, o, USED, "True", "Used", "%u endpoints of Service %s/%s", o->slice->endpoints.length, o->ns,
			service);
}

void
ps_forget_slice(struct ps_resolver *r, uint64_t where)
{
	struct slice_entry *e = ps_map_remove(&r->slice, where);

	if (e == NULL)
		return;
	ps_conditions_clear(&e->status.conditions);
	free(e);
	r->slices_changed = true;
}

void
ps_resolve_all_slices(struct ps_resolver *r)
{
	const struct ps_object *o;
	uint32_t i;

	for (o = ps_manifests_first(r->set, PS_KIND_ENDPOINT_SLICE); o != NULL && !r->failed; o = ps_manifests_next(o))
		ps_resolve_slice(r, o);
	for (i = 0; i < r->slice.cells && !r->failed;) {
		struct slice_entry *e = r->slice.cell[i].value;

		if (e != NULL && e->pass != r->pass)
			ps_forget_slice(r, r->slice.cell[i].key); /* another may move here: look again */
		else
			i++;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/services and /v1/endpoints: the model, joined with slots and counters. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/daemon/request.h"

const char *
ps_endpoint_state(const struct ps_slot_info *info, uint32_t endpoint_flags, bool probed)
{
	uint32_t flags = PS_CTL_FLAGS(info->control);
	bool judged = PS_HEALTH_GENERATION(info->health) == info->generation && (info->health & PS_HEALTH_JUDGED);

	if (flags & PS_CTL_KILL)
		return "ended";
	if ((flags & PS_CTL_DRAIN) || (endpoint_flags & PS_ENDPOINT_F_DRAINING))
		return "draining";
	if (judged && (info->health & PS_HEALTH_DOWN))
		return "down";
	return judged || !probed ? "up" : "unknown";
}

static bool
namespace_is(const char *ns, const struct ps_object *o)
{
	return ns[0] == '\0' || strcmp(ns, o->ns) == 0;
}

struct cursor {
	uint32_t service, endpoint; /* indices into the model */
	uint32_t slot;              /* endpoints: second half of the list */
	char name[256], ns[256], state[16];
	bool by_name;
	struct ps_address_filter address;
};

static struct cursor *
cursor_new(struct ps_request *r)
{
	const char *service = ps_request_get(r, "service"), *ns = ps_request_get(r, "namespace");
	const char *state = ps_request_get(r, "state");
	struct cursor *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		ps_reply_json(r, HTTP_OK, NULL);
		return NULL;
	}
	c->by_name = service != NULL;
	snprintf(c->name, sizeof(c->name), "%s", service == NULL ? "" : service);
	snprintf(c->ns, sizeof(c->ns), "%s", ns == NULL ? "" : ns);
	snprintf(c->state, sizeof(c->state), "%s", state == NULL ? "" : state);
	return c;
}

static bool
service_wanted(const struct cursor *c, const struct ps_model_service *v)
{
	return ps_service_selected(c->by_name ? c->name : NULL, v->name) && namespace_is(c->ns, v->object);
}

/* ---- services ---- */

/* Listeners of all services in one pass: index of the first one of a service, and of the next one of the same. */
struct service_listeners {
	uint32_t *first, *next;
};

static void
listeners_index(const struct ps_model *m, struct service_listeners *x)
{
	uint32_t i;

	x->first = malloc((m->services + 1) * sizeof(*x->first));
	x->next = malloc((m->listeners + 1) * sizeof(*x->next));
	if (x->first == NULL || x->next == NULL)
		return;
	memset(x->first, 0xff, (m->services + 1) * sizeof(*x->first));
	for (i = m->listeners; i-- > 0;) {
		uint32_t service = m->listener[i].service;

		if (service >= m->services)
			continue;
		x->next[i] = x->first[service];
		x->first[service] = i;
	}
}

static json_t *
service_item(struct ps_daemon *d, uint32_t index, const struct service_listeners *x)
{
	const struct ps_model *m = d->model;
	const struct ps_model_service *v = m->service[index];
	uint32_t slot = ps_slots_find_service(d->slots, v->id), i, up = 0, draining = 0;
	struct ps_service_counters n = ps_counters_service(&d->counters, slot);
	json_t *listeners = json_array(), *o;
	char text[PS_ADDRESS_TEXT], object[600];

	for (i = x->first != NULL && x->next != NULL ? x->first[index] : PS_NONE; i != PS_NONE; i = x->next[i]) {
		const struct ps_model_listener *l = &m->listener[i];

		json_array_append_new(listeners, json_pack("{s:s, s:s, s:i}", "name", l->name, "address",
			ps_ip_text(text, sizeof(text), &l->addr), "port", (int)ntohs(l->port)));
	}
	for (i = 0; i < v->endpoints; i++) {
		struct ps_slot_info info;
		const char *state;

		if (ps_slots_info(d->slots, ps_slots_find_endpoint(d->slots, v->endpoint[i].id), &info) != 0)
			continue;
		state = ps_endpoint_state(&info, v->endpoint[i].flags, v->probe.kind != PS_PROBE_NONE);
		up += strcmp(state, "up") == 0 || strcmp(state, "unknown") == 0;
		draining += strcmp(state, "draining") == 0;
	}
	snprintf(object, sizeof(object), "%s %s/%s", v->object->kind_name, v->object->ns, v->object->name);
	o = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:o, s:i, s:i, s:i, s:b}", "name", v->name, "namespace", v->object->ns,
		"object", object, "slot", slot == PS_NONE ? json_null() : json_integer(slot), "proto", ps_proto_name(v->proto),
		"family", v->v6 ? "ipv6" : "ipv4", "mode", ps_mode_name(v->mode), "listeners", listeners, "endpoints",
		(int)v->endpoints, "up", (int)up, "draining", (int)draining, "drained",
		(int)ps_slots_service_drained(d->slots, slot));
	if (o != NULL)
		json_object_update_new(o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "flows_active",
			(json_int_t)n.flows_active, "flows_created", (json_int_t)n.flows_created, "packets_in",
			(json_int_t)n.packets_in, "bytes_in", (json_int_t)n.bytes_in, "packets_out", (json_int_t)n.packets_out,
			"bytes_out", (json_int_t)n.bytes_out, "refused", (json_int_t)n.refused, "rejected", (json_int_t)n.rejected));
	return o;
}

static bool
services_next(struct ps_list *l)
{
	struct ps_daemon *d = l->daemon;
	struct service_listeners x = {0};
	struct cursor *c = l->state;

	if (d->model == NULL || d->slots == NULL)
		return false;
	ps_counters_refresh(&d->counters);
	listeners_index(d->model, &x);
	for (; c->service < d->model->services && !ps_list_full(l); c->service++)
		if (service_wanted(c, d->model->service[c->service]))
			ps_list_item(l, service_item(d, c->service, &x));
	free(x.first);
	free(x.next);
	return c->service < d->model->services;
}

void
ps_get_services(struct ps_request *r)
{
	struct cursor *c = cursor_new(r);

	if (c != NULL)
		ps_reply_list(r, services_next, c, json_pack("{s:I}", "time_ns", (json_int_t)ps_realtime_ns()));
}

/* ---- endpoints ---- */

static const char *
draining_by(const struct ps_slot_info *info, const struct ps_model_endpoint *e)
{
	uint32_t flags = PS_CTL_FLAGS(info->control);

	if (flags & PS_CTL_OPERATOR)
		return "operator";
	if (info->removed)
		return "removed";
	if ((e != NULL && (e->flags & PS_ENDPOINT_F_DRAINING)) || (flags & PS_CTL_DRAIN))
		return "terminating";
	return NULL;
}

static json_t *
endpoint_item(struct ps_daemon *d, uint32_t slot, const struct ps_slot_info *info, const struct ps_model_service *v,
	const struct ps_model_endpoint *e, const char *state)
{
	struct ps_endpoint_counters n = ps_counters_endpoint(&d->counters, slot);
	/* What the dataplane wrote about the slot's last holder is not about this one. */
	bool judged = PS_HEALTH_GENERATION(info->health) == info->generation;
	char text[PS_ADDRESS_TEXT];
	json_t *o;

	o = json_pack("{s:s, s:s, s:s, s:i, s:s, s:I, s:i, s:s, s:s, s:o, s:o}", "service",
		v != NULL ? v->name : ps_slots_service_name(d->slots, ps_slots_find_service(d->slots, info->service_id)), "name",
		info->name, "address", ps_ip_text(text, sizeof(text), &info->addr), "port", (int)ntohs(info->port), "proto",
		ps_proto_name(info->proto), "slot", (json_int_t)slot, "generation", (int)info->generation, "state", state, "reason",
		ps_reason_name(judged ? info->reason : PS_REASON_NONE), "since", ps_time_json(judged ? info->since_ns : 0),
		"last_probe", ps_time_json(judged ? info->last_probe_ns : 0));
	if (o == NULL)
		return NULL;
	json_object_update_new(o, json_pack("{s:I, s:i, s:i, s:I, s:I, s:I, s:i, s:s, s:s, s:s?, s:o}", "rtt_us",
		(json_int_t)(judged ? info->rtt_us : 0), "successes", judged ? (int)info->successes : 0, "failures",
		judged ? (int)info->failures : 0, "probes", (json_int_t)(judged ? info->probes : 0), "probe_failures",
		(json_int_t)(judged ? info->probe_failures : 0), "weight", (json_int_t)(e == NULL ? 0 : e->weight), "scale",
		(int)((PS_CTL_SCALE(info->control) * 100 + 127) / 255), "node", e == NULL ? "" : e->node, "zone",
		e == NULL ? "" : e->zone, "draining_by", draining_by(info, e), "drain_until", ps_time_json(info->drain_until_ns)));
	json_object_update_new(o, json_pack("{s:I, s:I, s:I, s:I}", "flows_active", (json_int_t)n.flows_active,
		"flows_created", (json_int_t)n.flows_created, "packets_in", (json_int_t)n.packets_in, "packets_out",
		(json_int_t)n.packets_out));
	return o;
}

static bool
endpoint_wanted(const struct cursor *c, const struct ps_slot_info *info, const char *state)
{
	return ps_address_selected(&c->address, &info->addr, info->port) &&
	       (c->state[0] == '\0' || strcasecmp(c->state, state) == 0);
}

/* First those that the model names, then those that drain after they were removed. */
static bool
endpoints_next(struct ps_list *l)
{
	struct ps_daemon *d = l->daemon;
	struct cursor *c = l->state;
	struct ps_slot_info info;
	const char *state;

	if (d->model == NULL || d->slots == NULL)
		return false;
	ps_counters_refresh(&d->counters);
	for (; c->service < d->model->services; c->service++, c->endpoint = 0) {
		const struct ps_model_service *v = d->model->service[c->service];

		if (!service_wanted(c, v))
			continue;
		for (; c->endpoint < v->endpoints; c->endpoint++) {
			const struct ps_model_endpoint *e = &v->endpoint[c->endpoint];
			uint32_t slot = ps_slots_find_endpoint(d->slots, e->id);

			if (ps_list_full(l))
				return true;
			if (ps_slots_info(d->slots, slot, &info) != 0)
				continue;
			state = ps_endpoint_state(&info, e->flags, v->probe.kind != PS_PROBE_NONE);
			if (endpoint_wanted(c, &info, state))
				ps_list_item(l, endpoint_item(d, slot, &info, v, e, state));
		}
	}
	for (; c->slot < d->endpoint_slots; c->slot++) {
		const char *name;

		if (ps_list_full(l))
			return true;
		if (ps_slots_info(d->slots, c->slot, &info) != 0 || !info.removed)
			continue;
		name = ps_slots_service_name(d->slots, ps_slots_find_service(d->slots, info.service_id));
		state = ps_endpoint_state(&info, PS_ENDPOINT_F_DRAINING, true);
		if (!ps_service_selected(c->by_name ? c->name : NULL, name) ||
		    (c->ns[0] != '\0' && (strncmp(c->ns, name, strlen(c->ns)) != 0 || name[strlen(c->ns)] != '/')) ||
		    !endpoint_wanted(c, &info, state))
			continue;
		ps_list_item(l, endpoint_item(d, c->slot, &info, NULL, NULL, state));
	}
	return false;
}

void
ps_get_endpoints(struct ps_request *r)
{
	struct ps_address_filter address;
	struct cursor *c;

	if (ps_request_address(r, "endpoint", &address) != 0)
		return;
	c = cursor_new(r);
	if (c == NULL)
		return;
	c->address = address;
	ps_reply_list(r, endpoints_next, c, json_pack("{s:I}", "time_ns", (json_int_t)ps_realtime_ns()));
}

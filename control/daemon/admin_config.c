/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/config: the running snapshot, in pieces. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/daemon/request.h"

static json_t *
config_service(const struct ps_snapshot *s, const struct ps_service *v)
{
	json_t *endpoints = json_array();
	char text[PS_ADDRESS_TEXT];
	uint32_t i;

	for (i = 0; i < v->endpoints; i++) {
		const struct ps_endpoint *e = ps_snapshot_item(s, PS_SEC_ENDPOINT, v->first_endpoint + i);

		json_array_append_new(endpoints, json_pack("{s:s, s:i, s:i, s:s, s:b, s:b}", "address",
			ps_ip_text(text, sizeof(text), &e->addr), "port", (int)ntohs(e->port), "weight", (int)e->weight, "name",
			ps_snapshot_string(s, e->name), "balanced", (int)(i < v->balanced), "refuses",
			(e->flags & PS_ENDPOINT_F_REJECT) != 0));
	}
	return json_pack("{s:s, s:I, s:s, s:s, s:i, s:i, s:i, s:b, s:o}", "name", ps_snapshot_string(s, v->name), "slot",
		(json_int_t)v->slot, "proto", ps_proto_name(v->proto), "mode", ps_mode_name(v->mode), "tcp_idle_s", (int)v->tcp_idle_s,
		"udp_idle_s", (int)v->udp_idle_s, "affinity_s", (int)((v->flags & PS_SERVICE_F_AFFINITY) ? v->affinity_s : 0), "probed",
		v->probe != PS_NONE, "endpoints", endpoints);
}

static json_t *
config_listener(const struct ps_snapshot *s, const struct ps_listener *l)
{
	json_t *ranges = json_array();
	char first[PS_ADDRESS_TEXT], last[PS_ADDRESS_TEXT];
	const struct ps_service *v = l->service == PS_NONE ? NULL : ps_snapshot_item(s, PS_SEC_SERVICE, l->service);
	uint32_t i;

	for (i = 0; i < l->ranges; i++) {
		const struct ps_range *g = ps_snapshot_item(s, PS_SEC_RANGE, l->first_range + i);

		json_array_append_new(ranges, json_pack("{s:s, s:s}", "first", ps_ip_text(first, sizeof(first), &g->first), "last",
			ps_ip_text(last, sizeof(last), &g->last)));
	}
	return json_pack("{s:s, s:s, s:i, s:s, s:s?, s:b, s:o}", "name", ps_snapshot_string(s, l->name), "address",
		ps_ip_text(first, sizeof(first), &l->addr), "port", (int)ntohs(l->port), "proto", ps_proto_name(l->proto), "service",
		v == NULL ? NULL : ps_snapshot_string(s, v->name), "rejects", l->kind == PS_LISTENER_REJECT, "source_ranges", ranges);
}

struct reading {
	struct ps_release *release; /* held: the answer is about one generation */
	uint32_t listener, service; /* next ones */
	bool listeners_done;
	bool by_name;
	char name[256];
};

static void
reading_drop(void *state)
{
	struct reading *g = state;

	ps_release_drop(g->release);
	free(g);
}

static bool
config_next(struct ps_list *list)
{
	struct reading *g = list->state;
	const struct ps_snapshot *s = g->release == NULL ? NULL : g->release->compiled->snapshot;
	uint32_t listeners = s == NULL ? 0 : ps_snapshot_length(s, PS_SEC_LISTENER);
	uint32_t services = s == NULL ? 0 : ps_snapshot_length(s, PS_SEC_SERVICE);

	for (; g->listener < listeners && !ps_list_full(list); g->listener++)
		ps_list_item(list, config_listener(s, ps_snapshot_item(s, PS_SEC_LISTENER, g->listener)));
	if (g->listener < listeners)
		return true;
	if (!g->listeners_done)
		ps_list_begin_next(list, "services");
	g->listeners_done = true;
	for (; g->service < services && !ps_list_full(list); g->service++) {
		const struct ps_service *v = ps_snapshot_item(s, PS_SEC_SERVICE, g->service);

		if (ps_service_selected(g->by_name ? g->name : NULL, ps_snapshot_string(s, v->name)))
			ps_list_item(list, config_service(s, v));
	}
	return g->service < services;
}

void
ps_get_config(struct ps_request *r)
{
	struct ps_daemon *d = r->daemon;
	const char *service = ps_request_get(r, "service");
	struct reading *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		ps_reply_json(r, HTTP_OK, NULL);
		return;
	}
	g->release = ps_release_hold(d->applied != NULL ? d->applied : d->latest);
	g->by_name = service != NULL;
	snprintf(g->name, sizeof(g->name), "%s", service == NULL ? "" : service);
	ps_reply_lists(r, "listeners", config_next, g, reading_drop,
		json_pack("{s:I}", "generation", (json_int_t)(g->release == NULL ? 0 : g->release->compiled->generation)));
}

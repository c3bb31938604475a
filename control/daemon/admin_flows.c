/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/flows: the flow tables as they are, piece by piece, so that a million flows cost a piece of memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/flows_map.h"
#include "control/daemon/request.h"

/* Records looked at in one turn of the event loop: a few milliseconds. */
#define TURN_RECORDS (256u * 1024u)

struct flows {
	uint32_t file, record; /* file: 2 * worker + (1: IPv6) */
	uint64_t left;         /* of the limit */
	int state;             /* enum ps_flow_state, 0: any */
	bool by_service;
	char service[256];
	struct ps_address_filter endpoint, client;
};

static json_t *
flow_json(const struct ps_daemon *d, uint32_t worker, const struct ps_flow_copy *f, uint32_t now_ms)
{
	char client[PS_ADDRESS_TEXT], vip[PS_ADDRESS_TEXT], endpoint[PS_ADDRESS_TEXT], local[PS_ADDRESS_TEXT];

	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "worker", (int)worker, "proto",
		ps_proto_name(f->head.proto), "state", ps_flow_state_name(f->state), "mode", ps_mode_name(f->head.mode), "client",
		ps_address_text(client, sizeof(client), &f->client, f->client_port), "vip",
		ps_address_text(vip, sizeof(vip), &f->vip, f->vip_port), "endpoint",
		ps_address_text(endpoint, sizeof(endpoint), &f->endpoint, f->endpoint_port), "local",
		ps_address_text(local, sizeof(local), &f->local, f->local_port), "service",
		ps_slots_service_name(d->slots, f->head.service_slot), "idle_ms", (json_int_t)ps_flow_idle_ms(f, now_ms),
		"packets_to_endpoint", (json_int_t)f->head.packets[PS_FLOW_TO_ENDPOINT], "packets_to_client",
		(json_int_t)f->head.packets[PS_FLOW_TO_CLIENT]);
}

static bool
flow_wanted(const struct ps_daemon *d, const struct flows *s, const struct ps_flow_copy *f)
{
	return (s->state == 0 || s->state == f->state) && ps_address_selected(&s->client, &f->client, f->client_port) &&
	       ps_address_selected(&s->endpoint, &f->endpoint, f->endpoint_port) &&
	       (!s->by_service || ps_service_selected(s->service, ps_slots_service_name(d->slots, f->head.service_slot)));
}

static bool
flows_next(struct ps_list *l)
{
	uint32_t now_ms = (uint32_t)(ps_monotonic_ns() / 1000000u), budget = TURN_RECORDS;
	struct ps_daemon *d = l->daemon;
	struct flows *s = l->state;
	struct ps_flow_copy copy;
	struct ps_flows_map m;

	if (d->slots == NULL)
		return false;
	for (; s->file < 2 * PS_MAX_WORKERS; s->file++, s->record = 0) {
		int rc = ps_flows_map(&m, d->options.runtime_dir, s->file & 1 ? 6 : 4, s->file / 2);

		if (rc == -ENOENT && (s->file & 1) == 0 && s->file >= 2 * d->counters.workers)
			return false; /* no such worker */
		if (rc != 0)
			continue;
		for (; s->record < m.capacity; s->record++) {
			if (budget-- == 0 || ps_list_full(l)) {
				ps_flows_unmap(&m);
				return true;
			}
			if (!ps_flow_read(&m, s->record, &copy) || !flow_wanted(d, s, &copy))
				continue;
			if (s->left == 0) {
				l->truncated = true;
				ps_flows_unmap(&m);
				return false;
			}
			s->left--;
			ps_list_item(l, flow_json(d, s->file / 2, &copy, now_ms));
		}
		ps_flows_unmap(&m);
	}
	return false;
}

void
ps_get_flows(struct ps_request *r)
{
	const char *service = ps_request_get(r, "service"), *state = ps_request_get(r, "state");
	struct flows s = {.by_service = service != NULL}, *kept;
	int64_t limit;

	if (ps_request_number(r, "limit", 1, 100000000, 1000, &limit) != 0 ||
	    ps_request_address(r, "endpoint", &s.endpoint) != 0 || ps_request_address(r, "client", &s.client) != 0)
		return;
	if (state != NULL && (s.state = ps_flow_state_parse(state)) < 0) {
		ps_reply_error(r, HTTP_BADREQUEST, "state is %s, expected a flow state such as established", state);
		return;
	}
	s.left = (uint64_t)limit;
	snprintf(s.service, sizeof(s.service), "%s", service == NULL ? "" : service);
	ps_counters_refresh(&r->daemon->counters);
	kept = malloc(sizeof(*kept));
	if (kept == NULL) {
		ps_reply_json(r, HTTP_OK, NULL);
		return;
	}
	*kept = s;
	ps_reply_list(r, flows_next, kept, NULL);
}

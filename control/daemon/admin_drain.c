/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/{drain,undrain,flush}: the operator's hand on endpoints and services. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/request.h"

/* What the request selects: slots, and the services whose later endpoints are meant as well. */
struct selection {
	uint32_t *slot;
	uint32_t slots;
	uint64_t *service;
	uint32_t services;
};

static void
selection_free(struct selection *s)
{
	free(s->slot);
	free(s->service);
}

static bool
service_matches(const struct ps_daemon *d, const char *filter, uint64_t service_id)
{
	const char *name = ps_slots_service_name(d->slots, ps_slots_find_service(d->slots, service_id));

	return *name != '\0' && ps_service_selected(filter, name);
}

/* 0; otherwise the request has been answered. */
static int
select_slots(struct ps_request *r, struct selection *s)
{
	const char *service = ps_request_get(r, "service"), *endpoint = ps_request_get(r, "endpoint");
	struct ps_daemon *d = r->daemon;
	struct ps_addr addr;
	struct ps_slot_info info;
	bool by_address;
	uint16_t port;
	uint32_t i;

	memset(s, 0, sizeof(*s));
	if ((service == NULL) == (endpoint == NULL) && service == NULL) {
		ps_reply_error(r, HTTP_BADREQUEST, "name what: endpoint=ADDR:PORT, endpoint=NAMESPACE/POD or service=NAMESPACE/NAME");
		return -EINVAL;
	}
	if (d->slots == NULL) {
		ps_reply_error(r, HTTP_SERVUNAVAIL, "there is no configuration yet");
		return -EINVAL;
	}
	s->slot = calloc(d->endpoint_slots, sizeof(*s->slot));
	s->service = calloc(d->service_slots, sizeof(*s->service));
	if (s->slot == NULL || s->service == NULL) {
		selection_free(s);
		ps_reply_json(r, HTTP_OK, NULL);
		return -ENOMEM;
	}
	by_address = endpoint != NULL && ps_address_parse(endpoint, &addr, &port) == 0;
	for (i = 0; i < d->endpoint_slots; i++) {
		if (ps_slots_info(d->slots, i, &info) != 0)
			continue;
		if (service != NULL && !service_matches(d, service, info.service_id))
			continue;
		if (endpoint != NULL &&
		    (by_address ? !ps_addr_equal(&addr, &info.addr) || (port != 0 && port != info.port)
				: strcmp(endpoint, info.name) != 0))
			continue;
		s->slot[s->slots++] = i;
	}
	if (service != NULL && endpoint == NULL && d->model != NULL) {
		for (i = 0; i < d->model->services && s->services < d->service_slots; i++)
			if (ps_service_selected(service, d->model->service[i]->name))
				s->service[s->services++] = d->model->service[i]->id;
	}
	if (s->slots == 0 && s->services == 0) {
		selection_free(s);
		ps_reply_error(r, HTTP_NOTFOUND, "nothing is called %s", endpoint != NULL ? endpoint : service);
		return -ENOENT;
	}
	return 0;
}

/* Answers with the endpoints as they are now. */
static void
reply_selection(struct ps_request *r, const struct selection *s)
{
	struct ps_daemon *d = r->daemon;
	json_t *items = json_array();
	struct ps_slot_info info;
	char text[PS_ADDRESS_TEXT];
	uint32_t i;

	ps_counters_refresh(&d->counters);
	for (i = 0; i < s->slots; i++) {
		if (ps_slots_info(d->slots, s->slot[i], &info) != 0)
			continue;
		json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:i, s:s, s:I, s:o, s:i}", "service",
			ps_slots_service_name(d->slots, ps_slots_find_service(d->slots, info.service_id)), "name", info.name, "address",
			ps_ip_text(text, sizeof(text), &info.addr), "port", (int)ntohs(info.port), "state",
			ps_endpoint_state(&info, 0, false), "flows_active",
			(json_int_t)ps_counters_endpoint(&d->counters, s->slot[i]).flows_active, "drain_until",
			ps_time_json(info.drain_until_ns), "scale", (int)((PS_CTL_SCALE(info.control) * 100 + 127) / 255)));
	}
	ps_reply_json(r, HTTP_OK, json_pack("{s:o}", "endpoints", items));
}

void
ps_post_drain(struct ps_request *r)
{
	struct ps_daemon *d = r->daemon;
	struct selection s;
	int64_t timeout, scale;
	uint64_t until;
	uint32_t i;

	if (ps_request_number(r, "timeout", 0, 604800, -1, &timeout) != 0 ||
	    ps_request_number(r, "scale", 0, 100, -1, &scale) != 0 || select_slots(r, &s) != 0)
		return;
	/* 0 means at once: a deadline that has passed. */
	until = timeout < 0 ? 0 : ps_realtime_ns() + (uint64_t)timeout * 1000000000ull;
	for (i = 0; i < s.slots; i++) {
		if (scale >= 0)
			ps_slots_scale(d->slots, s.slot[i], (uint8_t)((scale * 255 + 50) / 100));
		else
			ps_slots_drain(d->slots, s.slot[i], until);
	}
	for (i = 0; scale < 0 && i < s.services; i++)
		ps_slots_drain_service(d->slots, s.service[i], until);
	if (timeout == 0)
		ps_slots_tick(d->slots, ps_realtime_ns());
	ps_log(PS_LOG_INFO, "operator: %s %u endpoints (%s%s)", scale >= 0 ? "scales" : "drains", s.slots,
		ps_request_get(r, "endpoint") != NULL ? "endpoint " : "service ",
		ps_request_get(r, "endpoint") != NULL ? ps_request_get(r, "endpoint") : ps_request_get(r, "service"));
	reply_selection(r, &s);
	selection_free(&s);
}

void
ps_post_undrain(struct ps_request *r)
{
	struct ps_daemon *d = r->daemon;
	struct selection s;
	uint32_t i;

	if (select_slots(r, &s) != 0)
		return;
	for (i = 0; i < s.services; i++)
		ps_slots_undrain_service(d->slots, s.service[i]);
	for (i = 0; i < s.slots; i++) {
		ps_slots_undrain(d->slots, s.slot[i]);
		ps_slots_scale(d->slots, s.slot[i], 255);
	}
	ps_log(PS_LOG_INFO, "operator: puts %u endpoints back", s.slots);
	reply_selection(r, &s);
	selection_free(&s);
}

void
ps_post_flush(struct ps_request *r)
{
	struct ps_daemon *d = r->daemon;
	struct selection s;
	uint32_t i;
	int rc = 0;

	if (select_slots(r, &s) != 0)
		return;
	for (i = 0; i < s.slots && rc == 0; i++) {
		struct ps_message m = {.type = PS_CMD_FLUSH_FLOWS};

		m.flush.endpoint_slot = s.slot[i];
		m.flush.service_slot = PS_NONE;
		rc = ps_attach_command(d->attach, &m);
	}
	if (rc == -ENOTCONN)
		ps_reply_error(r, HTTP_SERVUNAVAIL, "no dataplane is attached");
	else if (rc != 0)
		ps_reply_error(r, HTTP_SERVUNAVAIL, "the dataplane took %u of %u commands: try again", i - 1, s.slots);
	else
		reply_selection(r, &s);
	selection_free(&s);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of services and endpoints. There may be a hundred thousand of them, and both the one who scrapes and a
 * change of the configuration that waits for us must not suffer from that: those with most packets have series
 * of their own, as many as the Dataplane document says, and the work is done in turns of the event loop. Between turns
 * everything may change, so slots are what is kept, and they are looked up anew.
 */
#include <stdlib.h>
#include <string.h>

#include "control/daemon/metrics.h"

/* Slots looked at, and series written, in one turn: about a millisecond. */
#define TURN_SLOTS 4096u
#define TURN_SERIES 1024u

struct chosen {
	uint64_t packets;
	uint32_t slot;
};

struct list {
	struct chosen *item;
	uint32_t length, capacity, most, left_out;
};

enum stage { SERVICES_GATHER, SERVICES_WRITE, ENDPOINTS_GATHER, ENDPOINTS_WRITE, DONE };

struct scrape {
	struct ps_daemon *daemon;
	struct evhttp_request *http;
	struct ps_exposition x;
	struct event *turn;
	enum stage stage;
	uint32_t family, next; /* of the stage: family being written; slot or item that comes next */
	struct list services, endpoints;
	bool broken;
};

static void
scrape_free(struct scrape *s)
{
	if (s->turn != NULL)
		event_free(s->turn);
	evbuffer_free(s->x.out);
	free(s->services.item);
	free(s->endpoints.item);
	free(s);
}

static void
scrape_closed(struct evhttp_connection *connection, void *arg)
{
	scrape_free(arg);
}

/* ---- which ---- */

static int
by_packets(const void *a, const void *b)
{
	const struct chosen *x = a, *y = b;

	if (x->packets != y->packets)
		return x->packets > y->packets ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static int
by_slot(const void *a, const void *b)
{
	const struct chosen *x = a, *y = b;

	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static void
list_add(struct scrape *s, struct list *l, uint32_t slot, uint64_t packets)
{
	struct chosen *bigger;

	if (l->length == l->capacity) {
		bigger = realloc(l->item, (l->capacity * 2 + 256) * sizeof(*bigger));
		if (bigger == NULL) {
			s->broken = true;
			return;
		}
		l->item = bigger;
		l->capacity = l->capacity * 2 + 256;
	}
	l->item[l->length++] = (struct chosen){.packets = packets, .slot = slot};
}

static void
list_cut(struct list *l)
{
	if (l->length <= l->most)
		return;
	qsort(l->item, l->length, sizeof(*l->item), by_packets);
	l->left_out = l->length - l->most;
	l->length = l->most;
	if (l->length != 0)
		qsort(l->item, l->length, sizeof(*l->item), by_slot);
}

/* Returns whether all slots have been looked at. */
static bool
services_gather(struct scrape *s)
{
	const struct ps_daemon *d = s->daemon;
	uint32_t end = s->next + TURN_SLOTS;

	for (; s->next < end && s->next < d->service_slots; s->next++) {
		struct ps_service_counters c;

		if (ps_slots_service_name(d->slots, s->next)[0] == '\0')
			continue;
		c = ps_counters_service(&d->counters, s->next);
		list_add(s, &s->services, s->next, c.packets_in + c.packets_out);
	}
	return s->next >= d->service_slots;
}

static bool
endpoints_gather(struct scrape *s)
{
	const struct ps_daemon *d = s->daemon;
	const struct ps_state_verdict *verdict = ps_slots_verdicts(d->slots);
	uint32_t end = s->next + TURN_SLOTS;

	for (; s->next < end && s->next < d->endpoint_slots; s->next++) {
		struct ps_endpoint_counters c;

		if (!(atomic_load_explicit(&verdict[s->next].word, memory_order_relaxed) & PS_CTL_IN_USE))
			continue;
		c = ps_counters_endpoint(&d->counters, s->next);
		list_add(s, &s->endpoints, s->next, c.packets_in + c.packets_out);
	}
	return s->next >= d->endpoint_slots;
}

/* ---- services ---- */

static const struct {
	const char *name, *help;
	enum ps_metric_type type;
	size_t in, out; /* equal: one series without direction */
} service_family[] = {
#define OF(field) offsetof(struct ps_service_counters, field)
	{"service_packets_total", "Packets of a service, by direction.", PS_METRIC_COUNTER, OF(packets_in), OF(packets_out)},
	{"service_bytes_total", "Bytes of L3 packets of a service, by direction.", PS_METRIC_COUNTER, OF(bytes_in), OF(bytes_out)},
	{"service_flows", "Flows of a service.", PS_METRIC_GAUGE, OF(flows_active), OF(flows_active)},
	{"service_flows_created_total", "Flows begun.", PS_METRIC_COUNTER, OF(flows_created), OF(flows_created)},
	{"service_flows_refused_total", "New flows not accepted, for any reason.", PS_METRIC_COUNTER, OF(refused), OF(refused)},
	{"service_flows_rejected_total", "Packets answered by RST or unreachable: no endpoint.", PS_METRIC_COUNTER, OF(rejected), OF(rejected)},
#undef OF
};
#define SERVICE_FAMILIES (sizeof(service_family) / sizeof(*service_family))

static void
service_series(struct scrape *s, uint32_t slot)
{
	const char *name = ps_slots_service_name(s->daemon->slots, slot);
	struct ps_service_counters c = ps_counters_service(&s->daemon->counters, slot);
	size_t in = service_family[s->family].in, out = service_family[s->family].out;
	const uint8_t *base = (const uint8_t *)&c;
	uint64_t value;

	if (name[0] == '\0') /* freed meanwhile */
		return;
	memcpy(&value, base + in, sizeof(value));
	if (in == out) {
		ps_metric_u64(&s->x, value, "service", name, NULL);
		return;
	}
	ps_metric_u64(&s->x, value, "service", name, "direction", "in", NULL);
	memcpy(&value, base + out, sizeof(value));
	ps_metric_u64(&s->x, value, "service", name, "direction", "out", NULL);
}

/* ---- endpoints ---- */

enum endpoint_family_id { UP, RTT, FLOWS, CREATED, PACKETS };

static const struct {
	const char *name, *help;
	enum ps_metric_type type;
} endpoint_family[] = {
	[UP] = {"endpoint_up", "1 when the endpoint takes new flows, as far as health and drains go.", PS_METRIC_GAUGE},
	[RTT] = {"endpoint_rtt_seconds", "Round trip of the last answered probe.", PS_METRIC_GAUGE},
	[FLOWS] = {"endpoint_flows", "Flows of an endpoint.", PS_METRIC_GAUGE},
	[CREATED] = {"endpoint_flows_created_total", "Flows begun.", PS_METRIC_COUNTER},
	[PACKETS] = {"endpoint_packets_total", "Packets of an endpoint, by direction.", PS_METRIC_COUNTER},
};
#define ENDPOINT_FAMILIES (sizeof(endpoint_family) / sizeof(*endpoint_family))

static void
endpoint_series(struct scrape *s, uint32_t slot)
{
	const struct ps_daemon *d = s->daemon;
	struct ps_endpoint_counters c = ps_counters_endpoint(&d->counters, slot);
	struct ps_slot_info info;
	char address[PS_ADDRESS_TEXT];
	const char *service, *state;

	if (ps_slots_info(d->slots, slot, &info) != 0)
		return;
	service = ps_slots_service_name(d->slots, ps_slots_find_service(d->slots, info.service_id));
	ps_address_text(address, sizeof(address), &info.addr, info.port);
#define SAMPLE(value, ...) ps_metric_u64(&s->x, value, "service", service, "endpoint", address, ##__VA_ARGS__, NULL)
	switch ((enum endpoint_family_id)s->family) {
	case UP:
		state = ps_endpoint_state(&info, 0, true);
		SAMPLE(strcmp(state, "up") == 0 || strcmp(state, "unknown") == 0);
		break;
	case RTT:
		if (info.rtt_us != 0 && PS_HEALTH_GENERATION(info.health) == info.generation)
			ps_metric(&s->x, info.rtt_us / 1e6, "service", service, "endpoint", address, NULL);
		break;
	case FLOWS:
		SAMPLE(c.flows_active);
		break;
	case CREATED:
		SAMPLE(c.flows_created);
		break;
	case PACKETS:
		SAMPLE(c.packets_in, "direction", "in");
		SAMPLE(c.packets_out, "direction", "out");
		break;
	}
#undef SAMPLE
}

/* ---- turns ---- */

/* Families must not be interleaved: each goes over the whole list. Returns whether all of it is written. */
static bool
write_families(struct scrape *s, const struct list *l, uint32_t families)
{
	uint32_t budget = TURN_SERIES;

	for (; s->family < families; s->family++, s->next = 0) {
		bool service = s->stage == SERVICES_WRITE;

		if (budget == 0)
			return false;
		if (s->next == 0)
			ps_metric_family(&s->x, service ? service_family[s->family].type : endpoint_family[s->family].type,
				service ? service_family[s->family].name : endpoint_family[s->family].name,
				service ? service_family[s->family].help : endpoint_family[s->family].help);
		else
			s->x.name = service ? service_family[s->family].name : endpoint_family[s->family].name;
		for (; s->next < l->length; s->next++) {
			if (budget-- == 0)
				return false;
			if (service)
				service_series(s, l->item[s->next].slot);
			else
				endpoint_series(s, l->item[s->next].slot);
		}
	}
	return true;
}

static bool
turn(struct scrape *s)
{
	switch (s->stage) {
	case SERVICES_GATHER:
		return services_gather(s);
	case SERVICES_WRITE:
		if (s->family == 0 && s->next == 0)
			list_cut(&s->services);
		return write_families(s, &s->services, SERVICE_FAMILIES);
	case ENDPOINTS_GATHER:
		return endpoints_gather(s);
	case ENDPOINTS_WRITE:
		if (s->family == 0 && s->next == 0)
			list_cut(&s->endpoints);
		return write_families(s, &s->endpoints, ENDPOINT_FAMILIES);
	default:
		return true;
	}
}

static void
answer(struct scrape *s)
{
	ps_metric_family(&s->x, PS_METRIC_GAUGE, "metrics_left_out", "Services and endpoints that have no series of their own: there are too many.");
	ps_metric_u64(&s->x, s->services.left_out, "kind", "service", NULL);
	ps_metric_u64(&s->x, s->endpoints.left_out, "kind", "endpoint", NULL);
	evhttp_add_header(evhttp_request_get_output_headers(s->http), "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	evhttp_connection_set_closecb(evhttp_request_get_connection(s->http), NULL, NULL);
	if (s->broken)
		evhttp_send_error(s->http, HTTP_INTERNAL, NULL);
	else
		evhttp_send_reply(s->http, HTTP_OK, NULL, s->x.out);
	scrape_free(s);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now;
	struct scrape *s = arg;

	/* The dataplane may have come, or another one, since the last turn. */
	if (s->daemon->slots == NULL)
		s->stage = DONE;
	else
		ps_counters_refresh(&s->daemon->counters);
	if (s->stage != DONE && turn(s)) {
		s->stage++;
		s->family = s->next = 0;
	}
	if (s->stage == DONE)
		answer(s);
	else
		event_add(s->turn, &now);
}

void
ps_metrics_many(struct ps_request *r, struct ps_exposition *x)
{
	const struct ps_dataplane_spec *spec = r->daemon->model != NULL ? r->daemon->model->spec : NULL;
	struct scrape *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		evbuffer_free(x->out);
		evhttp_send_error(r->http, HTTP_INTERNAL, NULL);
		return;
	}
	s->daemon = r->daemon;
	s->http = r->http;
	s->x = *x;
	s->services.most = spec != NULL ? (uint32_t)spec->metrics.services.v : 0;
	s->endpoints.most = spec != NULL ? (uint32_t)spec->metrics.endpoints.v : 0;
	s->turn = event_new(r->daemon->base, -1, 0, on_turn, s);
	if (s->turn == NULL) {
		evhttp_send_error(r->http, HTTP_INTERNAL, NULL);
		scrape_free(s);
		return;
	}
	evhttp_connection_set_closecb(evhttp_request_get_connection(r->http), scrape_closed, s);
	on_turn(-1, 0, s);
}

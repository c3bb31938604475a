/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/explain: an existing flow wins, else what the pure functions say. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/explain.h"
#include "control/daemon/flows_map.h"
#include "control/daemon/request.h"

/* Records looked at in one turn of the event loop. */
#define TURN_RECORDS (1024u * 1024u)

/* An explanation under way: flow tables have no index that another process could use, so they are gone through. */
struct inquiry {
	struct ps_daemon *daemon;
	struct evhttp_request *http;
	struct event *turn;
	struct ps_question q;
	uint32_t worker, record;
};

static void
inquiry_free(struct inquiry *n)
{
	if (n->turn != NULL)
		event_free(n->turn);
	free(n);
}

static void
inquiry_closed(struct evhttp_connection *connection, void *arg)
{
	inquiry_free(arg);
}

/* The flow that the packet belongs to, in either direction. 1: found; 0: none; -EAGAIN: go on in the next turn. */
static int
flow_find(struct inquiry *n, struct ps_flow_copy *f, uint32_t *worker)
{
	uint32_t family = ps_addr_is_v4(&n->q.src) ? 4 : 6, budget = TURN_RECORDS;
	const struct ps_question *q = &n->q;
	struct ps_flows_map m;
	int rc;

	for (; n->worker < PS_MAX_WORKERS; n->worker++, n->record = 0) {
		rc = ps_flows_map(&m, n->daemon->options.runtime_dir, family, n->worker);
		if (rc == -ENOENT && n->worker >= n->daemon->counters.workers)
			return 0;
		if (rc != 0)
			continue;
		for (; n->record < m.capacity; n->record++) {
			if (budget-- == 0) {
				ps_flows_unmap(&m);
				return -EAGAIN;
			}
			if (!ps_flow_read(&m, n->record, f) || f->head.proto != q->proto)
				continue;
			if ((f->client_port == q->src_port && f->vip_port == q->dst_port &&
				    ps_addr_equal(&f->client, &q->src) && ps_addr_equal(&f->vip, &q->dst)) ||
			    (f->endpoint_port == q->src_port && f->local_port == q->dst_port &&
				    ps_addr_equal(&f->endpoint, &q->src) && ps_addr_equal(&f->local, &q->dst))) {
				*worker = n->worker;
				ps_flows_unmap(&m);
				return 1;
			}
		}
		ps_flows_unmap(&m);
	}
	return 0;
}

static json_t *
endpoint_json(const struct ps_daemon *d, uint32_t slot, const struct ps_addr *addr, uint16_t port)
{
	struct ps_slot_info info;
	char text[PS_ADDRESS_TEXT];
	bool known = ps_slots_info(d->slots, slot, &info) == 0;

	return json_pack("{s:s, s:s, s:i, s:s, s:o}", "name", known ? info.name : "", "address",
		ps_ip_text(text, sizeof(text), addr), "port", (int)ntohs(port), "state",
		known ? ps_endpoint_state(&info, 0, false) : "gone", "slot", slot == PS_NONE ? json_null() : json_integer(slot));
}

/* "tcproute/ns/name/0" when the service is a route's rule, else null. */
static json_t *
route_json(const char *service)
{
	return strncmp(service, "tcproute/", 9) == 0 || strncmp(service, "udproute/", 9) == 0 ? json_string(service) : json_null();
}

static void
answer_flow(struct ps_request *r, const struct inquiry *n, const struct ps_flow_copy *f, uint32_t worker)
{
	const struct ps_daemon *d = n->daemon;
	const char *service = ps_slots_service_name(d->slots, f->head.service_slot);
	char client[PS_ADDRESS_TEXT], vip[PS_ADDRESS_TEXT], endpoint[PS_ADDRESS_TEXT], local[PS_ADDRESS_TEXT], text[512];
	bool reply = !ps_addr_equal(&f->client, &n->q.src) || f->client_port != n->q.src_port;
	json_t *flow;

	ps_address_text(client, sizeof(client), &f->client, f->client_port);
	ps_address_text(vip, sizeof(vip), &f->vip, f->vip_port);
	ps_address_text(endpoint, sizeof(endpoint), &f->endpoint, f->endpoint_port);
	ps_address_text(local, sizeof(local), &f->local, f->local_port);
	flow = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "worker", (int)worker, "state", ps_flow_state_name(f->state),
		"mode", ps_mode_name(f->head.mode), "client", client, "vip", vip, "endpoint", endpoint, "local", local, "idle_ms",
		(json_int_t)ps_flow_idle_ms(f, (uint32_t)(ps_monotonic_ns() / 1000000u)));
	snprintf(text, sizeof(text), "It belongs to a flow that worker %u has (%s): %s.", worker, ps_flow_state_name(f->state),
		reply ? "a reply, sent on to the client" : "it goes where the flow goes, whatever the configuration says now");
	ps_reply_json(r, HTTP_OK, json_pack("{s:s, s:s, s:[s], s:o, s:o, s:s, s:s, s:o, s:o}", "verdict", "forward", "text", text,
		"steps", text, "listener", json_null(), "route", route_json(service), "service", service, "mode",
		ps_mode_name(f->head.mode), "endpoint", endpoint_json(d, f->head.endpoint_slot, &f->endpoint, f->endpoint_port),
		"flow", flow));
}

static void
answer_explanation(struct ps_request *r, const struct ps_question *q)
{
	const struct ps_daemon *d = r->daemon;
	const struct ps_compiled *c = ps_publish_running(d);
	struct ps_affinity_map affinity;
	struct ps_knowledge k = {.now_ms = (uint32_t)(ps_monotonic_ns() / 1000000u), .verdicts = d->endpoint_slots};
	struct ps_explanation x;
	char text[PS_ADDRESS_TEXT], all[PS_STEPS_MAX * 256 + 16] = "";
	const char *service;
	json_t *steps, *o;
	uint32_t i;
	int rc;

	if (c == NULL || d->slots == NULL) {
		ps_reply_error(r, HTTP_SERVUNAVAIL, "there is no configuration yet");
		return;
	}
	k.verdict = ps_slots_verdicts(d->slots);
	rc = ps_affinity_map(&affinity, d->options.runtime_dir);
	if (rc == 0)
		k.affinity = &affinity;
	else
		k.no_affinity = rc == -ENOENT ? "no dataplane has run yet" : strerror(-rc);
	ps_explain(c, &k, q, &x);
	ps_affinity_unmap(&affinity);
	steps = json_array();
	for (i = 0; i < x.steps; i++) {
		json_array_append_new(steps, json_string(x.step[i]));
		strncat(all, x.step[i], sizeof(all) - strlen(all) - 1);
		if (i + 1 < x.steps)
			strncat(all, " ", sizeof(all) - strlen(all) - 1);
	}
	service = x.service == NULL ? NULL : ps_snapshot_string(c->snapshot, x.service->name);
	o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:s?, s:s?, s:o, s:n}", "verdict",
		x.exit == PS_EXIT_TX ? "forward" : ps_exit_info[x.exit].kind == PS_EXIT_KIND_answer ? "answer" : "drop", "text", all,
		"steps", steps, "listener",
		x.listener == NULL ? json_null()
				   : json_pack("{s:s, s:s, s:i}", "name", ps_snapshot_string(c->snapshot, x.listener->name), "address",
					     ps_ip_text(text, sizeof(text), &x.listener->addr), "port", (int)ntohs(x.listener->port)),
		"route", service == NULL ? json_null() : route_json(service), "service", service, "mode",
		x.service == NULL ? NULL : ps_mode_name(x.service->mode), "endpoint",
		x.exit != PS_EXIT_TX ? json_null() : endpoint_json(d, x.endpoint->slot, &x.endpoint->addr, x.endpoint->port), "flow");
	if (o != NULL && x.exit != PS_EXIT_TX) {
		json_object_set_new(o, "exit", json_string(ps_exit_info[x.exit].name));
		json_object_set_new(o, "exit_description", json_string(ps_exit_info[x.exit].text));
	}
	ps_reply_json(r, HTTP_OK, o);
}

static void
inquire(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now;
	struct inquiry *n = arg;
	struct ps_request r = {.daemon = n->daemon, .http = n->http};
	struct ps_flow_copy flow;
	uint32_t worker = 0;
	int found = flow_find(n, &flow, &worker);

	if (found == -EAGAIN) {
		event_add(n->turn, &now);
		return;
	}
	evhttp_connection_set_closecb(evhttp_request_get_connection(n->http), NULL, NULL);
	if (found == 1 && n->daemon->slots != NULL)
		answer_flow(&r, n, &flow, worker);
	else
		answer_explanation(&r, &n->q);
	inquiry_free(n);
}

void
ps_get_explain(struct ps_request *r)
{
	const char *from = ps_request_get(r, "from"), *to = ps_request_get(r, "to"), *proto = ps_request_get(r, "proto");
	struct ps_question q = {.proto = IPPROTO_TCP};
	struct inquiry *n;
	char target[128], *slash;

	if (from == NULL || to == NULL) {
		ps_reply_error(r, HTTP_BADREQUEST, "give from=ADDR:PORT and to=ADDR:PORT");
		return;
	}
	snprintf(target, sizeof(target), "%s", to);
	slash = strchr(target, '/');
	if (slash != NULL) {
		*slash = '\0';
		proto = slash + 1;
	}
	if (ps_address_parse(from, &q.src, &q.src_port) != 0) {
		ps_reply_error(r, HTTP_BADREQUEST, "from is %s, expected ADDR:PORT or [ADDR]:PORT", from);
		return;
	}
	if (ps_address_parse(target, &q.dst, &q.dst_port) != 0 || q.dst_port == 0) {
		ps_reply_error(r, HTTP_BADREQUEST, "to is %s, expected ADDR:PORT or [ADDR]:PORT", to);
		return;
	}
	if (proto != NULL && (ps_proto_parse(proto, &q.proto) != 0 || (q.proto != IPPROTO_TCP && q.proto != IPPROTO_UDP))) {
		ps_reply_error(r, HTTP_BADREQUEST, "proto is %s, expected tcp or udp", proto);
		return;
	}
	if (ps_addr_is_v4(&q.src) != ps_addr_is_v4(&q.dst)) {
		ps_reply_error(r, HTTP_BADREQUEST, "from and to are of different address families");
		return;
	}
	n = calloc(1, sizeof(*n));
	if (n == NULL || (n->turn = evtimer_new(r->daemon->base, inquire, n)) == NULL) {
		free(n);
		ps_reply_json(r, HTTP_OK, NULL);
		return;
	}
	n->daemon = r->daemon;
	n->http = r->http;
	n->q = q;
	ps_counters_refresh(&r->daemon->counters);
	evhttp_connection_set_closecb(evhttp_request_get_connection(r->http), inquiry_closed, n);
	inquire(-1, 0, n);
}

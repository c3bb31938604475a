/* SPDX-License-Identifier: Apache-2.0 */
/* One request to the admin API, and ways to answer it. For the files that answer. */
#ifndef PS_DAEMON_REQUEST_H
#define PS_DAEMON_REQUEST_H

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <jansson.h>

#include "control/daemon/daemon.h"
#include "control/daemon/text.h"

struct ps_request {
	struct ps_daemon *daemon;
	struct evhttp_request *http;
	struct evkeyvalq query;
	const char *path[5]; /* segments below /v1, decoded; NULL ends */
};

/* Value of a query parameter; NULL: not given. */
const char *ps_request_get(const struct ps_request *r, const char *key);
/* The same as a number in min..max; fallback when absent. -EINVAL: answered with 400 already. */
int ps_request_number(struct ps_request *r, const char *key, int64_t min, int64_t max, int64_t fallback, int64_t *value);
/* An address filter. given: false when absent. -EINVAL: answered with 400 already. */
struct ps_address_filter {
	bool given;
	struct ps_addr addr;
	uint16_t port; /* network order; 0: any */
};
int ps_request_address(struct ps_request *r, const char *key, struct ps_address_filter *filter);
bool ps_address_selected(const struct ps_address_filter *filter, const struct ps_addr *addr, uint16_t port);

/* body is given away; NULL: out of memory, which is answered with 500. */
void ps_reply_json(struct ps_request *r, int code, json_t *body);
/* Parts of it, for answers that are made otherwise. */
void ps_reply_headers(struct evhttp_request *http);
int ps_reply_dump(struct evbuffer *out, const json_t *value);
void ps_reply_error(struct ps_request *r, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * A list of any length, in pieces. next() adds items with ps_list_item until ps_list_full() or its end, and
 * returns whether there is more. What it points at outside of state may change between two calls: it keeps numbers, not
 * pointers.
 */
struct ps_list;
typedef bool (*ps_list_next_fn)(struct ps_list *list);

struct ps_list {
	struct ps_daemon *daemon;
	void *state;
	bool truncated;    /* next() has left something out */
	/* private */
	ps_list_next_fn next;
	void (*drop)(void *state);
	struct evhttp_request *http;
	struct evbuffer *out;
	json_t *beside;
	bool any, started;
};

/* Answers with a list; state (freed with free(3)) and beside (an object whose members stand beside items, or NULL) are given away. */
void ps_reply_list(struct ps_request *r, ps_list_next_fn next, void *state, json_t *beside);
void ps_list_item(struct ps_list *list, json_t *item); /* given away */
/* The same for an answer of several lists: its first one has this name, next() begins the others. drop frees state. */
void ps_reply_lists(struct ps_request *r, const char *name, ps_list_next_fn next, void *state,
		    void (*drop)(void *state), json_t *beside);
void ps_list_begin_next(struct ps_list *list, const char *name);
bool ps_list_full(const struct ps_list *list);

/* {"items": items} with both given away. */
json_t *ps_items(json_t *items);

typedef void (*ps_handler_fn)(struct ps_request *r);

/* The answers, by file. */
void ps_get_status(struct ps_request *r);        /* admin_status.c */
void ps_get_gateway_classes(struct ps_request *r); /* admin_objects.c */
void ps_get_gateways(struct ps_request *r);
void ps_get_routes(struct ps_request *r);
void ps_get_objects(struct ps_request *r);
void ps_get_dataplane(struct ps_request *r);
void ps_get_object(struct ps_request *r);
void ps_get_config(struct ps_request *r);        /* admin_config.c */
void ps_get_services(struct ps_request *r);      /* admin_services.c */
void ps_get_endpoints(struct ps_request *r);
void ps_get_ports(struct ps_request *r);         /* admin_runtime.c */
void ps_get_workers(struct ps_request *r);
void ps_get_drops(struct ps_request *r);
void ps_get_graph(struct ps_request *r);
void ps_get_neighbours(struct ps_request *r);
void ps_get_stats(struct ps_request *r);
void ps_post_reset_stats(struct ps_request *r);
void ps_get_flows(struct ps_request *r);         /* admin_flows.c */
void ps_get_explain(struct ps_request *r);       /* admin_explain.c */
void ps_get_metrics(struct ps_request *r);       /* metrics.c */
void ps_post_drain(struct ps_request *r);        /* admin_drain.c */
void ps_post_undrain(struct ps_request *r);
void ps_post_flush(struct ps_request *r);
void ps_post_announce(struct ps_request *r);     /* admin_trace.c */
void ps_post_reload(struct ps_request *r);
void ps_post_trace(struct ps_request *r);

/* admin_services.c: one item of the lists of services and endpoints. */
const char *ps_endpoint_state(const struct ps_slot_info *info, uint32_t endpoint_flags, bool probed);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in JSON, whole and in pieces. */
#include <stdlib.h>

#include "control/daemon/request.h"

/* A piece of a long answer, bytes; then others have their turn. */
#define PIECE (64u * 1024u)

void
ps_reply_headers(struct evhttp_request *http)
{
	evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type", "application/json");
}

static int
dump(const char *bytes, size_t size, void *arg)
{
	return evbuffer_add(arg, bytes, size);
}

int
ps_reply_dump(struct evbuffer *out, const json_t *value)
{
	return json_dump_callback(value, dump, out, JSON_COMPACT | JSON_REAL_PRECISION(9) | JSON_ENCODE_ANY);
}

static void
list_free(struct ps_list *l)
{
	if (l->out != NULL)
		evbuffer_free(l->out);
	json_decref(l->beside);
	l->drop(l->state);
	free(l);
}

/* The client is gone; the request is libevent's to free. */
static void
list_closed(struct evhttp_connection *connection, void *arg)
{
	list_free(arg);
}

static void
list_end(struct ps_list *l)
{
	const char *key;
	json_t *value;

	evbuffer_add(l->out, "]", 1);
	if (l->truncated)
		evbuffer_add_printf(l->out, ",\"truncated\":true");
	json_object_foreach(l->beside, key, value) {
		evbuffer_add_printf(l->out, ",\"%s\":", key);
		ps_reply_dump(l->out, value);
	}
	evbuffer_add(l->out, "}\n", 2);
}

static void
list_go_on(struct evhttp_connection *connection, void *arg)
{
	struct ps_list *l = arg;
	struct evhttp_request *http = l->http;
	bool more = l->next(l);

	if (!more)
		list_end(l);
	if (!more && !l->started) { /* it fits one piece: an answer with a length */
		ps_reply_headers(http);
		evhttp_send_reply(http, HTTP_OK, NULL, l->out);
		list_free(l);
		return;
	}
	if (!l->started) {
		ps_reply_headers(http);
		evhttp_send_reply_start(http, HTTP_OK, NULL);
		evhttp_connection_set_closecb(evhttp_request_get_connection(http), list_closed, l);
		l->started = true;
	}
	if (more) {
		if (evbuffer_get_length(l->out) == 0) /* nothing selected so far: an empty piece would not call back */
			evbuffer_add(l->out, "\n", 1);
		evhttp_send_reply_chunk_with_cb(http, l->out, list_go_on, l);
		return;
	}
	evhttp_send_reply_chunk(http, l->out);
	evhttp_connection_set_closecb(evhttp_request_get_connection(http), NULL, NULL);
	evhttp_send_reply_end(http);
	list_free(l);
}

void
ps_reply_lists(struct ps_request *r, const char *name, ps_list_next_fn next, void *state, void (*drop)(void *state),
	json_t *beside)
{
	struct ps_list *l = calloc(1, sizeof(*l));

	if (l == NULL || (l->out = evbuffer_new()) == NULL) {
		free(l);
		drop(state);
		json_decref(beside);
		evhttp_send_error(r->http, HTTP_INTERNAL, NULL);
		return;
	}
	l->daemon = r->daemon;
	l->http = r->http;
	l->next = next;
	l->state = state;
	l->drop = drop;
	l->beside = beside;
	evbuffer_add_printf(l->out, "{\"%s\":[", name);
	list_go_on(NULL, l);
}

void
ps_reply_list(struct ps_request *r, ps_list_next_fn next, void *state, json_t *beside)
{
	ps_reply_lists(r, "items", next, state, free, beside);
}

void
ps_list_begin_next(struct ps_list *l, const char *name)
{
	evbuffer_add_printf(l->out, "],\"%s\":[", name);
	l->any = false;
}

void
ps_list_item(struct ps_list *l, json_t *item)
{
	if (item == NULL)
		return;
	if (l->any)
		evbuffer_add(l->out, ",", 1);
	l->any = true;
	ps_reply_dump(l->out, item);
	json_decref(item);
}

bool
ps_list_full(const struct ps_list *l)
{
	return evbuffer_get_length(l->out) >= PIECE;
}

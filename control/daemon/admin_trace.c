/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/{trace,announce,reload}: commands to the dataplane, and the stream of traced packets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/bufferevent.h>

#include "control/daemon/admin.h"
#include "control/daemon/admin_internal.h"
#include "control/daemon/request.h"

/* Steps that a slow client has not read yet, bytes; beyond, steps are left out and counted. */
#define BACKLOG_MAX (4u * 1024u * 1024u)

/* The one trace that runs: the dataplane has one filter. */
struct ps_trace_run {
	struct ps_admin *admin;
	struct evhttp_request *http;
	uint64_t command;     /* id, for the reply */
	uint32_t left;        /* packets whose last step has not come */
	uint64_t silent_ns;   /* end when nothing comes for so long */
	uint64_t last_ns;     /* CLOCK_MONOTONIC of the last step */
	uint64_t left_out;
};

/* Tells the dataplane to stop; a trace of nothing. */
static void
trace_stop(struct ps_admin *a)
{
	struct ps_message m = {.type = PS_CMD_TRACE};

	ps_attach_command(a->daemon->attach, &m);
}

static void
trace_closed(struct evhttp_connection *connection, void *arg)
{
	struct ps_trace_run *t = arg;

	t->admin->trace = NULL;
	trace_stop(t->admin);
	free(t);
}

static void
trace_line(struct ps_trace_run *t, json_t *line)
{
	struct evbuffer *out = evbuffer_new();
	char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);

	if (out != NULL && text != NULL) {
		evbuffer_add_printf(out, "%s\n", text);
		evhttp_send_reply_chunk(t->http, out);
	}
	if (out != NULL)
		evbuffer_free(out);
	free(text);
	json_decref(line);
}

static void
trace_end(struct ps_admin *a, const char *error)
{
	struct ps_trace_run *t = a->trace;

	if (t == NULL)
		return;
	a->trace = NULL;
	if (t->left_out != 0)
		trace_line(t, json_pack("{s:I}", "steps_left_out", (json_int_t)t->left_out));
	if (error != NULL)
		trace_line(t, json_pack("{s:s}", "error", error));
	evhttp_connection_set_closecb(evhttp_request_get_connection(t->http), NULL, NULL);
	evhttp_send_reply_end(t->http);
	trace_stop(a);
	free(t);
}

void
ps_admin_trace_step(struct ps_admin *a, const struct ps_trace_step *s)
{
	static const char digits[] = "0123456789abcdef";
	struct ps_trace_run *t = a->trace;
	char head[2 * sizeof(s->head) + 1];
	struct bufferevent *bev;
	uint32_t i;

	if (t == NULL)
		return;
	t->last_ns = ps_monotonic_ns();
	bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(t->http));
	if (bev != NULL && evbuffer_get_length(bufferevent_get_output(bev)) > BACKLOG_MAX) {
		t->left_out++;
	} else {
		for (i = 0; i < s->head_size; i++) {
			head[2 * i] = digits[s->head[i] >> 4];
			head[2 * i + 1] = digits[s->head[i] & 15];
		}
		head[2 * s->head_size] = '\0';
		trace_line(t, json_pack("{s:I, s:i, s:i, s:s, s:I, s:i, s:b, s:s}", "packet", (json_int_t)s->packet, "step",
			(int)s->step, "worker", (int)s->worker, "stage", s->stage, "cycles", (json_int_t)s->cycles, "length",
			(int)s->length, "final", s->final != 0, "head", head));
	}
	if (s->final && t->left != 0 && --t->left == 0)
		trace_end(a, NULL);
}

void
ps_admin_reply(struct ps_admin *a, const struct ps_message *m)
{
	if (a->trace != NULL && a->trace->command == m->id && m->rc != 0)
		trace_end(a, m->text[0] != '\0' ? m->text : strerror(-m->rc));
	else if (m->rc != 0)
		ps_log(PS_LOG_WARNING, "the dataplane refused a command: %s",
			m->text[0] != '\0' ? m->text : strerror(-m->rc));
}

void
ps_admin_detached(struct ps_admin *a)
{
	if (a != NULL)
		trace_end(a, "the dataplane is gone");
}

void
ps_trace_tick(struct ps_admin *a)
{
	struct ps_trace_run *t = a->trace;

	if (t != NULL && ps_monotonic_ns() > t->last_ns + t->silent_ns)
		trace_end(a, NULL);
}

void
ps_post_trace(struct ps_request *r)
{
	struct ps_admin *a = r->daemon->admin;
	struct ps_message m = {.type = PS_CMD_TRACE};
	struct ps_address_filter src, dst;
	const char *proto = ps_request_get(r, "proto");
	struct ps_trace_run *t;
	int64_t count, timeout;
	int rc;

	if (ps_request_number(r, "count", 1, 1000000, 10, &count) != 0 ||
	    ps_request_number(r, "timeout", 1, 86400, 30, &timeout) != 0 || ps_request_address(r, "src", &src) != 0 ||
	    ps_request_address(r, "dst", &dst) != 0)
		return;
	if (proto != NULL && ps_proto_parse(proto, &m.trace.proto) != 0) {
		ps_reply_error(r, HTTP_BADREQUEST, "proto is %s, expected tcp, udp, icmp or icmp6", proto);
		return;
	}
	if (a->trace != NULL) {
		ps_reply_error(r, 409, "another trace is running");
		return;
	}
	m.trace.count = (uint32_t)count;
	m.trace.src = src.addr;
	m.trace.src_port = src.port;
	m.trace.dst = dst.addr;
	m.trace.dst_port = dst.port;
	t = calloc(1, sizeof(*t));
	rc = t == NULL ? -ENOMEM : ps_attach_command(r->daemon->attach, &m);
	if (rc != 0) {
		free(t);
		ps_reply_error(r, HTTP_SERVUNAVAIL, "%s", rc == -ENOTCONN ? "no dataplane is attached" : strerror(-rc));
		return;
	}
	t->admin = a;
	t->http = r->http;
	t->command = m.id;
	t->left = (uint32_t)count;
	t->silent_ns = (uint64_t)timeout * 1000000000ull;
	t->last_ns = ps_monotonic_ns();
	a->trace = t;
	evhttp_add_header(evhttp_request_get_output_headers(r->http), "Content-Type", "application/x-ndjson");
	evhttp_connection_set_closecb(evhttp_request_get_connection(r->http), trace_closed, t);
	evhttp_send_reply_start(r->http, HTTP_OK, NULL);
}

void
ps_post_announce(struct ps_request *r)
{
	struct ps_message m = {.type = PS_CMD_ANNOUNCE};
	int rc = ps_attach_command(r->daemon->attach, &m);

	if (rc != 0)
		ps_reply_error(r, HTTP_SERVUNAVAIL, "%s", rc == -ENOTCONN ? "no dataplane is attached" : strerror(-rc));
	else
		ps_reply_json(r, HTTP_OK, json_object());
}

void
ps_post_reload(struct ps_request *r)
{
	struct ps_daemon *d = r->daemon;
	uint32_t errors, warnings;

	ps_publish_reload(d);
	ps_manifests_counts(d->manifests, &errors, &warnings);
	if (d->model != NULL) {
		errors += d->model->diagnostics.errors;
		warnings += d->model->diagnostics.warnings;
	}
	ps_reply_json(r, HTTP_OK, json_pack("{s:i, s:i, s:I}", "errors", (int)errors, "warnings", (int)warnings, "generation",
		(json_int_t)(d->latest == NULL ? 0 : d->latest->compiled->generation)));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/daemon/admin_internal.h"
#include "control/daemon/request.h"


static const struct route {
	enum evhttp_cmd_type method;
	const char *path; /* below /v1 */
	ps_handler_fn handler;
	bool objects; /* /v1/<path>/<namespace>/<name> is one of them */
} routes[] = {
	{EVHTTP_REQ_GET, "status", ps_get_status, false},
	{EVHTTP_REQ_GET, "gatewayclasses", ps_get_gateway_classes, true},
	{EVHTTP_REQ_GET, "gateways", ps_get_gateways, true},
	{EVHTTP_REQ_GET, "tcproutes", ps_get_routes, true},
	{EVHTTP_REQ_GET, "udproutes", ps_get_routes, true},
	{EVHTTP_REQ_GET, "routes", ps_get_routes, true},
	{EVHTTP_REQ_GET, "services", ps_get_services, true},
	{EVHTTP_REQ_GET, "endpoints", ps_get_endpoints, false},
	{EVHTTP_REQ_GET, "endpointslices", ps_get_objects, true},
	{EVHTTP_REQ_GET, "namespaces", ps_get_objects, true},
	{EVHTTP_REQ_GET, "referencegrants", ps_get_objects, true},
	{EVHTTP_REQ_GET, "objects", ps_get_objects, false},
	{EVHTTP_REQ_GET, "dataplanes", ps_get_objects, true},
	{EVHTTP_REQ_GET, "dataplane", ps_get_dataplane, false},
	{EVHTTP_REQ_GET, "config", ps_get_config, false},
	{EVHTTP_REQ_GET, "flows", ps_get_flows, false},
	{EVHTTP_REQ_GET, "ports", ps_get_ports, false},
	{EVHTTP_REQ_GET, "workers", ps_get_workers, false},
	{EVHTTP_REQ_GET, "drops", ps_get_drops, false},
	{EVHTTP_REQ_GET, "graph", ps_get_graph, false},
	{EVHTTP_REQ_GET, "neighbours", ps_get_neighbours, false},
	{EVHTTP_REQ_GET, "stats", ps_get_stats, false},
	{EVHTTP_REQ_GET, "explain", ps_get_explain, false},
	{EVHTTP_REQ_POST, "drain", ps_post_drain, false},
	{EVHTTP_REQ_POST, "undrain", ps_post_undrain, false},
	{EVHTTP_REQ_POST, "flush", ps_post_flush, false},
	{EVHTTP_REQ_POST, "reload", ps_post_reload, false},
	{EVHTTP_REQ_POST, "reset-stats", ps_post_reset_stats, false},
	{EVHTTP_REQ_POST, "announce", ps_post_announce, false},
	{EVHTTP_REQ_POST, "trace", ps_post_trace, false},
};

/* ---- requests ---- */

const char *
ps_request_get(const struct ps_request *r, const char *key)
{
	return evhttp_find_header(&r->query, key);
}

int
ps_request_number(struct ps_request *r, const char *key, int64_t min, int64_t max, int64_t fallback, int64_t *value)
{
	const char *text = ps_request_get(r, key);
	char *end;

	*value = fallback;
	if (text == NULL)
		return 0;
	errno = 0;
	*value = strtoll(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && *value >= min && *value <= max)
		return 0;
	ps_reply_error(r, HTTP_BADREQUEST, "%s is %s, expected %lld to %lld", key, text, (long long)min, (long long)max);
	return -EINVAL;
}

int
ps_request_address(struct ps_request *r, const char *key, struct ps_address_filter *filter)
{
	const char *text = ps_request_get(r, key);

	memset(filter, 0, sizeof(*filter));
	if (text == NULL)
		return 0;
	filter->given = true;
	if (ps_address_parse(text, &filter->addr, &filter->port) == 0)
		return 0;
	ps_reply_error(r, HTTP_BADREQUEST, "%s is %s, expected ADDR, ADDR:PORT or [ADDR]:PORT", key, text);
	return -EINVAL;
}

bool
ps_address_selected(const struct ps_address_filter *filter, const struct ps_addr *addr, uint16_t port)
{
	return !filter->given ||
	       (ps_addr_equal(&filter->addr, addr) && (filter->port == 0 || filter->port == port));
}

/* ---- replies ---- */

void
ps_reply_json(struct ps_request *r, int code, json_t *body)
{
	struct evbuffer *out = evbuffer_new();

	if (body == NULL || out == NULL || ps_reply_dump(out, body) != 0) {
		evhttp_send_error(r->http, HTTP_INTERNAL, NULL);
	} else {
		evbuffer_add(out, "\n", 1);
		ps_reply_headers(r->http);
		evhttp_send_reply(r->http, code, NULL, out);
	}
	json_decref(body);
	if (out != NULL)
		evbuffer_free(out);
}

void
ps_reply_error(struct ps_request *r, int code, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ps_reply_json(r, code, json_pack("{s:s}", "error", text));
}

json_t *
ps_items(json_t *items)
{
	return json_pack("{s:o}", "items", items);
}

/* ---- routing ---- */

/* Splits "/v1/gateways/infra/web" into decoded segments below /v1. 0, -ENOENT. */
static int
path_split(struct ps_request *r, char *path)
{
	char *segment, *rest = path;
	size_t n = 0, length;

	segment = strsep(&rest, "/");
	if (segment == NULL || *segment != '\0' || rest == NULL || strcmp(strsep(&rest, "/"), "v1") != 0)
		return -ENOENT;
	while ((segment = strsep(&rest, "/")) != NULL) {
		char *decoded;

		if (*segment == '\0' && rest == NULL)
			break; /* a slash at the end */
		if (n == sizeof(r->path) / sizeof(*r->path) - 1)
			return -ENOENT;
		decoded = evhttp_uridecode(segment, 0, &length);
		if (decoded == NULL)
			return -ENOENT;
		/* In place: decoding never makes it longer. */
		memcpy(segment, decoded, length + 1);
		free(decoded);
		r->path[n++] = segment;
	}
	return n == 0 ? -ENOENT : 0;
}

static void
dispatch(struct ps_request *r, bool tcp)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(r->http);
	bool known = false;
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		const struct route *route = &routes[i];

		if (strcmp(route->path, r->path[0]) != 0)
			continue;
		known = true;
		if (route->method != method)
			continue;
		if (tcp && method != EVHTTP_REQ_GET)
			break;
		if (r->path[1] == NULL) {
			route->handler(r);
			return;
		}
		if (route->objects) {
			ps_get_object(r);
			return;
		}
		known = false;
	}
	if (!known)
		ps_reply_error(r, HTTP_NOTFOUND, "no such path; see docs/reference/admin-api.md");
	else if (tcp && method != EVHTTP_REQ_GET)
		ps_reply_error(r, 403, "this address only answers GET; use the Unix socket");
	else
		ps_reply_error(r, HTTP_BADMETHOD, "method not allowed here");
}

static void
request_handle(struct evhttp_request *http, struct ps_daemon *d, bool tcp)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	const char *query = uri == NULL ? NULL : evhttp_uri_get_query(uri);
	struct ps_request r = {.daemon = d, .http = http};
	char *path = NULL;

	TAILQ_INIT(&r.query);
	if (uri == NULL || evhttp_uri_get_path(uri) == NULL ||
	    (query != NULL && evhttp_parse_query_str(query, &r.query) != 0)) {
		ps_reply_error(&r, HTTP_BADREQUEST, "the address does not parse");
		goto out;
	}
	path = strdup(evhttp_uri_get_path(uri));
	if (path == NULL) {
		evhttp_send_error(http, HTTP_INTERNAL, NULL);
	} else if (strcmp(path, "/metrics") == 0 && evhttp_request_get_command(http) == EVHTTP_REQ_GET) {
		ps_get_metrics(&r);
	} else if (path_split(&r, path) != 0) {
		ps_reply_error(&r, HTTP_NOTFOUND, "no such path; see docs/reference/admin-api.md");
	} else {
		dispatch(&r, tcp);
	}
out:
	free(path);
	evhttp_clear_headers(&r.query);
}

static void
unix_request(struct evhttp_request *http, void *arg)
{
	request_handle(http, arg, false);
}

static void
tcp_request(struct evhttp_request *http, void *arg)
{
	request_handle(http, arg, true);
}

/* ---- sockets ---- */

static struct evhttp *
server_new(struct ps_daemon *d, void (*handler)(struct evhttp_request *, void *))
{
	struct evhttp *http = evhttp_new(d->base);

	if (http == NULL)
		return NULL;
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_max_headers_size(http, 16384);
	evhttp_set_max_body_size(http, 65536);
	evhttp_set_timeout(http, 60);
	evhttp_set_gencb(http, handler, d);
	return http;
}

static int
unix_listen(const char *path, char *why, size_t why_size)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, rc;

	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path) >= (int)sizeof(sa.sun_path)) {
		snprintf(why, why_size, "%s: a socket's path has at most %zu bytes", path, sizeof(sa.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Whoever held it is gone: the control socket, opened before, belongs to one penstockd at a time. */
	unlink(path);
	/* The mode is there from the first moment on; a chmod afterwards could be led elsewhere. */
	mask = umask(0177);
	rc = fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || listen(fd, 64) != 0 ? -errno : 0;
	umask(mask);
	if (rc != 0) {
		snprintf(why, why_size, "%s: %s", path, strerror(-rc));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	return fd;
}

/* Follows the configured TCP address. */
static void
tcp_follow(struct ps_admin *a)
{
	struct ps_daemon *d = a->daemon;
	const char *wanted = d->options.admin, *colon;
	char host[64];
	int port;

	if (wanted == NULL && d->model != NULL)
		wanted = d->model->spec->admin_address.s;
	if (wanted == NULL)
		wanted = "none";
	if (strcmp(wanted, a->tcp_address) == 0)
		return;
	if (a->tcp != NULL)
		evhttp_free(a->tcp);
	a->tcp = NULL;
	snprintf(a->tcp_address, sizeof(a->tcp_address), "%s", wanted);
	if (strcmp(wanted, "none") == 0)
		return;
	colon = strrchr(wanted, ':');
	if (colon == NULL || (size_t)(colon - wanted) >= sizeof(host))
		return;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - wanted), wanted);
	if (host[0] == '[') {
		memmove(host, host + 1, strlen(host));
		host[strcspn(host, "]")] = '\0';
	}
	port = atoi(colon + 1);
	a->tcp = server_new(d, tcp_request);
	if (a->tcp == NULL || evhttp_bind_socket_with_handle(a->tcp, host, (uint16_t)port) == NULL) {
		ps_log(PS_LOG_WARNING, "metrics are not to be had on %s: %s", wanted, strerror(errno));
		if (a->tcp != NULL)
			evhttp_free(a->tcp);
		a->tcp = NULL;
		return;
	}
	ps_log(PS_LOG_INFO, "metrics on http://%s/metrics", wanted);
}

int
ps_admin_open(struct ps_admin **admin, struct ps_daemon *d, char *why, size_t why_size)
{
	struct ps_admin *a = calloc(1, sizeof(*a));
	char path[4096];
	int fd, rc = -ENOMEM;

	*admin = NULL;
	if (a == NULL)
		return -ENOMEM;
	a->daemon = d;
	snprintf(path, sizeof(path), "%s/" PS_ADMIN_SOCKET, d->options.runtime_dir);
	fd = unix_listen(path, why, why_size);
	if (fd < 0) {
		rc = fd;
		goto fail;
	}
	a->path = strdup(path);
	a->http = server_new(d, unix_request);
	if (a->path == NULL || a->http == NULL || evhttp_accept_socket(a->http, fd) != 0) {
		close(fd);
		goto fail;
	}
	*admin = a;
	tcp_follow(a);
	return 0;
fail:
	ps_admin_close(a);
	return rc;
}

void
ps_admin_close(struct ps_admin *a)
{
	if (a == NULL)
		return;
	if (a->tcp != NULL)
		evhttp_free(a->tcp);
	if (a->http != NULL)
		evhttp_free(a->http);
	if (a->path != NULL)
		unlink(a->path);
	free(a->path);
	free(a->daemon->baseline);
	a->daemon->baseline = NULL;
	free(a);
}

void
ps_admin_tick(struct ps_admin *a)
{
	tcp_follow(a);
	ps_trace_tick(a);
}

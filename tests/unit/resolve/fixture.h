/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests as text in, model out.
 */
#ifndef PS_TEST_RESOLVE_FIXTURE_H
#define PS_TEST_RESOLVE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "control/resolve/resolve.h"

struct fixture {
	struct ps_manifests *set;
	struct ps_resolver *resolver;
	const struct ps_model *model;
	int64_t now_s;
};

static inline void
fixture_resolve(struct fixture *f)
{
	f->model = ps_resolve(f->resolver, f->set, f->now_s);
	assert_non_null(f->model);
	ps_manifests_changes_clear(f->set);
}

static inline void
fixture_text(struct fixture *f, const char *path, const char *text)
{
	struct ps_diagnostics d = {0};

	assert_int_equal(ps_manifests_add_text(f->set, path, text, strlen(text)), 0);
	ps_manifests_diagnostics(f->set, &d);
	if (d.errors != 0) {
		ps_diagnostics_print(&d, stderr);
		fail_msg("%s does not parse", path);
	}
	ps_diagnostics_clear(&d);
}

static inline struct fixture
fixture_new(const char *text)
{
	struct fixture f = {.set = ps_manifests_new(0), .resolver = ps_resolver_new(NULL), .now_s = 1700000000};

	assert_non_null(f.set);
	assert_non_null(f.resolver);
	if (text != NULL) {
		fixture_text(&f, "test.yaml", text);
		fixture_resolve(&f);
	}
	return f;
}

static inline void
fixture_free(struct fixture *f)
{
	ps_resolver_free(f->resolver);
	ps_manifests_free(f->set);
}

/* Adds or replaces a file and resolves. */
static inline void
fixture_update(struct fixture *f, const char *path, const char *text)
{
	fixture_text(f, path, text);
	fixture_resolve(f);
}

static inline struct ps_addr
addr_of(const char *text)
{
	struct ps_addr a;
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return ps_addr_from_v4(v4.s_addr);
	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static inline const struct ps_model_listener *
find_listener(const struct fixture *f, const char *addr, uint16_t port, uint8_t proto)
{
	struct ps_addr a = addr_of(addr);
	uint32_t i;

	for (i = 0; i < f->model->listeners; i++) {
		const struct ps_model_listener *l = &f->model->listener[i];

		if (ps_addr_equal(&l->addr, &a) && l->port == htons(port) && l->proto == proto)
			return l;
	}
	return NULL;
}

static inline const struct ps_model_service *
service_at(const struct fixture *f, const char *addr, uint16_t port, uint8_t proto)
{
	const struct ps_model_listener *l = find_listener(f, addr, port, proto);

	assert_non_null(l);
	return l->service != PS_NONE ? f->model->service[l->service] : NULL;
}

static inline const struct ps_model_endpoint *
find_endpoint(const struct ps_model_service *s, const char *addr)
{
	struct ps_addr a = addr_of(addr);
	uint32_t i;

	for (i = 0; i < s->endpoints; i++)
		if (ps_addr_equal(&s->endpoint[i].addr, &a))
			return &s->endpoint[i];
	return NULL;
}

static inline const struct ps_object *
object_of(const struct fixture *f, enum ps_kind kind, const char *ns, const char *name)
{
	const struct ps_object *o = ps_manifests_find(f->set, kind, ns, name);

	assert_non_null(o);
	return o;
}

static inline void
assert_condition(const struct ps_conditions *list, const char *type, const char *status, const char *reason)
{
	const struct ps_condition *c = ps_conditions_find(list, type);

	if (c == NULL)
		fail_msg("no condition %s", type);
	if (strcmp(c->status, status) != 0 || strcmp(c->reason, reason) != 0)
		fail_msg("%s is %s/%s (%s), expected %s/%s", type, c->status, c->reason, c->message, status, reason);
}

static inline const struct ps_gateway_status *
gateway_of(const struct fixture *f, const char *ns, const char *name)
{
	return ps_model_gateway(f->model, object_of(f, PS_KIND_GATEWAY, ns, name));
}

static inline const struct ps_listener_status *
listener_of(const struct fixture *f, const char *ns, const char *gateway, const char *name)
{
	const struct ps_gateway_status *g = gateway_of(f, ns, gateway);
	uint32_t i;

	assert_non_null(g);
	for (i = 0; i < g->listeners; i++)
		if (strcmp(g->listener[i].spec->name.s, name) == 0)
			return &g->listener[i];
	fail_msg("no listener %s", name);
	return NULL;
}

static inline const struct ps_service_status *
service_status_of(const struct fixture *f, const char *ns, const char *name)
{
	return ps_model_service_status(f->model, object_of(f, PS_KIND_SERVICE, ns, name));
}

static inline bool
has_diagnostic(const struct fixture *f, const char *part)
{
	uint32_t i;

	for (i = 0; i < f->model->diagnostics.length; i++)
		if (strstr(f->model->diagnostics.item[i].message, part) != NULL)
			return true;
	return false;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A resolver that has followed a thousand random changes says the same as one that sees the result for the first
 * time.
 */
#include "fixture.h"

#include <stdio.h>

#define ROUNDS 600u
#define THINGS 12u

static uint32_t seed = 1;

static uint32_t
random_below(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * n) >> 32);
}

static void
write_service(char *out, uint32_t i)
{
	static const char *const types[] = {"type: ClusterIP, clusterIP: 10.96.0.%u, ", "type: NodePort, clusterIP: 10.96.0.%u, ",
		"type: LoadBalancer, loadBalancerIP: 198.51.100.%u, clusterIP: 10.96.1.1, ", "clusterIP: None, "};
	char type[128];

	snprintf(type, sizeof(type), types[random_below(4)], 1 + random_below(6));
	sprintf(out, "apiVersion: v1\nkind: Service\nmetadata: {name: s%u}\nspec: {%sports: [{name: a, port: %u, nodePort: %u}%s]%s}\n", i,
		type, 80 + random_below(2), 30000 + random_below(3), random_below(2) ? ", {name: b, port: 90, protocol: UDP}" : "",
		random_below(3) == 0 ? ", sessionAffinity: ClientIP" : "");
}

static void
write_slice(char *out, uint32_t i)
{
	uint32_t n = random_below(4), e;

	out += sprintf(out, "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: e%u, labels: {kubernetes.io/service-name: s%u}}\n"
		"addressType: IPv4\nports: [{name: a, port: 8080}, {name: b, port: 9090, protocol: UDP}]\nendpoints:\n",
		i, random_below(4) == 0 ? random_below(THINGS) : i);
	for (e = 0; e <= n; e++)
		out += sprintf(out, "- {addresses: [10.0.%u.%u], conditions: {ready: %s, serving: true, terminating: %s}}\n", i,
			1 + random_below(5), random_below(4) ? "true" : "false", random_below(5) ? "false" : "true");
}

static void
write_gateway(char *out, uint32_t i)
{
	sprintf(out, "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g%u}\n"
		"spec: {gatewayClassName: c%u, addresses: [{value: 198.51.100.%u}], listeners: [{name: a, port: %u, protocol: TCP}, {name: b, port: 90, protocol: %s}]}\n",
		i, random_below(2), 1 + random_below(4), 80 + random_below(3), random_below(2) ? "UDP" : "HTTP");
}

static void
write_route(char *out, uint32_t i)
{
	sprintf(out, "apiVersion: gateway.networking.k8s.io/v1\nkind: %s\nmetadata: {name: r%u}\n"
		"spec: {parentRefs: [{name: g%u, sectionName: b}, {name: g%u, sectionName: a}], rules: [{backendRefs: [{name: s%u, port: 80, weight: %u}, {name: s%u, port: 90, weight: 2}]}]}\n",
		random_below(2) ? "TCPRoute" : "UDPRoute", i, random_below(THINGS), random_below(THINGS), random_below(THINGS),
		random_below(3), random_below(THINGS));
}

static void
write_dataplane(char *out)
{
	sprintf(out, "apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: main}\n"
		"spec: {ports: [{name: wan, 'null': true, addresses: [192.0.2.%u/24]}], health: {check: %s}}\n"
		"---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: c0}\nspec: {controllerName: penstock.dev/gateway-controller}\n"
		"---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: c1}\nspec: {controllerName: %s}\n",
		1 + random_below(2), random_below(2) ? "tcp" : "none",
		random_below(3) ? "penstock.dev/gateway-controller" : "example.com/other");
}

static void
change(struct fixture *f)
{
	static char text[4096];
	char path[64];
	uint32_t i = random_below(THINGS), what = random_below(20);

	if (what == 0) {
		write_dataplane(text);
		fixture_text(f, "dataplane.yaml", text);
		return;
	}
	snprintf(path, sizeof(path), "%c%u.yaml", "sserg"[what % 5], i);
	if (what % 5 == 1)
		path[0] = 'e';
	if (random_below(5) == 0) {
		ps_manifests_remove(f->set, path);
		return;
	}
	switch (path[0]) {
	case 's':
		write_service(text, i);
		break;
	case 'e':
		write_slice(text, i);
		break;
	case 'r':
		write_route(text, i);
		break;
	default:
		write_gateway(text, i);
	}
	fixture_text(f, path, text);
}

static void
same_conditions(const struct ps_conditions *a, const struct ps_conditions *b)
{
	uint32_t i;

	assert_int_equal(a->length, b->length);
	for (i = 0; i < a->length; i++) {
		assert_condition(b, a->item[i].type, a->item[i].status, a->item[i].reason);
		assert_int_equal(a->item[i].observed_generation, ps_conditions_find(b, a->item[i].type)->observed_generation);
		assert_string_equal(a->item[i].message, ps_conditions_find(b, a->item[i].type)->message);
	}
}

static void
same_service(const struct ps_model_service *a, const struct ps_model_service *b)
{
	uint32_t i;

	assert_string_equal(a->name, b->name);
	assert_true(a->id == b->id && a->mode == b->mode && a->flags == b->flags && a->probe.kind == b->probe.kind);
	assert_ptr_equal(a->object, b->object);
	assert_int_equal(a->endpoints, b->endpoints);
	assert_int_equal(a->balanced, b->balanced);
	for (i = 0; i < a->endpoints; i++) {
		assert_true(a->endpoint[i].id == b->endpoint[i].id);
		assert_int_equal(a->endpoint[i].weight, b->endpoint[i].weight);
		assert_int_equal(a->endpoint[i].flags, b->endpoint[i].flags);
		assert_int_equal(a->endpoint[i].port, b->endpoint[i].port);
	}
}

static void
same_model(const struct fixture *f, const struct fixture *g)
{
	const struct ps_model *a = f->model, *b = g->model;
	uint32_t i, j;

	assert_int_equal(a->listeners, b->listeners);
	assert_int_equal(a->services, b->services);
	assert_int_equal(a->vips, b->vips);
	assert_int_equal(a->service_statuses, b->service_statuses);
	assert_int_equal(a->slice_statuses, b->slice_statuses);
	assert_int_equal(a->gateways, b->gateways);
	assert_int_equal(a->route_statuses, b->route_statuses);
	assert_int_equal(a->diagnostics.length, b->diagnostics.length);
	for (i = 0; i < a->listeners; i++) {
		const struct ps_model_listener *l = &a->listener[i], *m = NULL;

		for (j = 0; j < b->listeners && m == NULL; j++)
			if (b->listener[j].port == l->port && b->listener[j].proto == l->proto &&
				ps_addr_equal(&b->listener[j].addr, &l->addr))
				m = &b->listener[j];
		assert_non_null(m);
		assert_string_equal(l->name, m->name);
		assert_int_equal(l->kind, m->kind);
		if (l->service != PS_NONE)
			same_service(a->service[l->service], b->service[m->service]);
	}
	for (i = 0; i < a->service_statuses; i++)
		same_conditions(&a->service_status[i]->conditions,
			&ps_model_service_status(b, a->service_status[i]->object)->conditions);
	for (i = 0; i < a->slice_statuses; i++)
		same_conditions(&a->slice_status[i]->conditions, &ps_model_slice(b, a->slice_status[i]->object)->conditions);
	for (i = 0; i < a->gateways; i++) {
		const struct ps_gateway_status *s = a->gateway_status[i], *t = ps_model_gateway(b, s->object);

		same_conditions(&s->conditions, &t->conditions);
		for (j = 0; j < s->listeners; j++) {
			same_conditions(&s->listener[j].conditions, &t->listener[j].conditions);
			assert_int_equal(s->listener[j].attached_routes, t->listener[j].attached_routes);
		}
	}
	for (i = 0; i < a->route_statuses; i++)
		for (j = 0; j < a->route_status[i]->parents; j++)
			same_conditions(&a->route_status[i]->parent[j].conditions,
				&ps_model_route(b, a->route_status[i]->object)->parent[j].conditions);
}

static void
following_is_the_same_as_starting(void **state)
{
	struct fixture f = fixture_new(NULL), fresh;
	static char text[4096];
	uint32_t round, n;

	write_dataplane(text);
	fixture_update(&f, "dataplane.yaml", text);
	for (round = 0; round < ROUNDS; round++) {
		for (n = 1 + random_below(3); n != 0; n--)
			change(&f);
		fixture_resolve(&f);
		fresh = (struct fixture){.set = f.set, .resolver = ps_resolver_new(NULL), .now_s = f.now_s};
		fixture_resolve(&fresh);
		same_model(&f, &fresh);
		ps_resolver_free(fresh.resolver);
	}
	fixture_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(following_is_the_same_as_starting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

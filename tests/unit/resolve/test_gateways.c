/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#define GROUP "apiVersion: gateway.networking.k8s.io/v1\n"

#define BASE                                                                                          \
	"apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: main}\nspec:\n"         \
	"  ports: [{name: wan, 'null': true, addresses: [192.0.2.1/24, '2001:db8::1/64']}]\n"         \
	"---\n" GROUP "kind: GatewayClass\nmetadata: {name: penstock}\n"                              \
	"spec: {controllerName: penstock.dev/gateway-controller}\n"

#define GATEWAY(name, rest)                                                     \
	"---\n" GROUP "kind: Gateway\nmetadata: {name: " name "}\nspec:\n"      \
	"  gatewayClassName: penstock\n" rest

#define ROUTE(kind, name, rest) \
	"---\napiVersion: gateway.networking.k8s.io/v1alpha2\nkind: " kind "\nmetadata: " name "\nspec:\n" rest

#define SERVICE(name, ...)                                                                                   \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: " name "}\n"                                   \
	"spec: {clusterIP: None, ports: [{name: a, port: 9000}]}\n"                                          \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"                                        \
	"metadata: {name: " name "-1, labels: {kubernetes.io/service-name: " name "}}\n"                     \
	"addressType: IPv4\nports: [{name: a, port: 9001}]\nendpoints: [" __VA_ARGS__ "]\n"

static const struct ps_route_status *
route_of(const struct fixture *f, enum ps_kind kind, const char *name)
{
	const struct ps_route_status *s = ps_model_route(f->model, object_of(f, kind, "default", name));

	assert_non_null(s);
	return s;
}

static void
tcp_and_udp_are_served(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw", "  addresses: [{value: 192.0.2.80}]\n"
							  "  listeners: [{name: t, port: 90, protocol: TCP}, {name: u, port: 90, protocol: UDP}]\n")
		ROUTE("TCPRoute", "{name: r}", "  parentRefs: [{name: gw}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		SERVICE("web", "{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}"));
	const struct ps_model_service *s = service_at(&f, "192.0.2.80", 90, IPPROTO_TCP);

	assert_int_equal(f.model->listeners, 2);
	assert_string_equal(s->name, "tcproute/default/r/0");
	assert_int_equal(s->balanced, 2);
	assert_int_equal(s->endpoint[0].port, htons(9001));
	assert_string_equal(s->endpoint[0].backend, "default/web:9000");
	assert_int_equal(find_listener(&f, "192.0.2.80", 90, IPPROTO_UDP)->kind, PS_LISTENER_REJECT);
	assert_condition(&gateway_of(&f, "default", "gw")->conditions, "Accepted", "True", "Accepted");
	assert_condition(&gateway_of(&f, "default", "gw")->conditions, "Programmed", "True", "Programmed");
	assert_condition(&listener_of(&f, "default", "gw", "t")->conditions, "Programmed", "True", "Programmed");
	assert_condition(&listener_of(&f, "default", "gw", "t")->conditions, "Conflicted", "False", "NoConflicts");
	assert_int_equal(listener_of(&f, "default", "gw", "t")->attached_routes, 1);
	assert_int_equal(listener_of(&f, "default", "gw", "u")->attached_routes, 0);
	assert_string_equal(listener_of(&f, "default", "gw", "u")->kind[0], "UDPRoute");
	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "r")->parent[0].conditions, "Accepted", "True", "Accepted");
	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "r")->parent[0].conditions, "ResolvedRefs", "True", "ResolvedRefs");
	fixture_free(&f);
}

static void
http_is_said_to_be_pending(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw", "  listeners: [{name: h, port: 80, protocol: HTTP}, {name: t, port: 90, protocol: TCP}]\n")
		GATEWAY("only", "  listeners: [{name: h, port: 80, protocol: HTTP}]\n"));

	assert_condition(&listener_of(&f, "default", "gw", "h")->conditions, "Accepted", "True", "Accepted");
	assert_condition(&listener_of(&f, "default", "gw", "h")->conditions, "Programmed", "False", "Pending");
	assert_string_equal(listener_of(&f, "default", "gw", "h")->kind[0], "HTTPRoute");
	assert_condition(&gateway_of(&f, "default", "gw")->conditions, "Programmed", "True", "Programmed");
	assert_condition(&gateway_of(&f, "default", "only")->conditions, "Programmed", "False", "Pending");
	/* without an address of its own, a Gateway is served on ours */
	assert_non_null(find_listener(&f, "192.0.2.1", 90, IPPROTO_TCP));
	assert_non_null(find_listener(&f, "2001:db8::1", 90, IPPROTO_TCP));
	assert_null(find_listener(&f, "192.0.2.1", 80, IPPROTO_TCP));
	fixture_free(&f);
}

static void
classes_of_others_are_left_alone(void **state)
{
	static const char other[] = BASE "---\n" GROUP "kind: GatewayClass\nmetadata: {name: nginx}\n"
		"spec: {controllerName: k8s.nginx.org/nginx-gateway-controller}\n"
		"---\n" GROUP "kind: Gateway\nmetadata: {name: gw}\nspec: {gatewayClassName: nginx, listeners: [{name: t, port: 90, protocol: TCP}]}\n";
	const char *adopt = "k8s.nginx.org/nginx-gateway-controller";
	const struct ps_resolver_options options = {.adopt = &adopt, .adopts = 1};
	struct fixture f = fixture_new(other);

	assert_int_equal(f.model->classes, 1);
	assert_null(gateway_of(&f, "default", "gw"));
	assert_int_equal(f.model->listeners, 0);
	ps_resolver_free(f.resolver);
	f.resolver = ps_resolver_new(&options);
	fixture_resolve(&f);
	assert_int_equal(f.model->classes, 2);
	assert_condition(&gateway_of(&f, "default", "gw")->conditions, "Accepted", "True", "Accepted");
	/* the Dataplane document may name it too */
	ps_resolver_free(f.resolver);
	f.resolver = ps_resolver_new(NULL);
	fixture_resolve(&f);
	assert_null(gateway_of(&f, "default", "gw"));
	fixture_free(&f);
}

static void
listeners_in_conflict_are_all_out(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw",
		"  listeners:\n"
		"  - {name: a, port: 90, protocol: TCP}\n"
		"  - {name: b, port: 90, protocol: HTTP}\n"
		"  - {name: c, port: 90, protocol: UDP}\n"
		"  - {name: d, port: 91, protocol: HTTP, hostname: a.example.com}\n"
		"  - {name: e, port: 91, protocol: HTTP, hostname: b.example.com}\n"
		"  - {name: f, port: 92, protocol: HTTPS, hostname: a.example.com, tls: {certificateRefs: [{name: c}]}}\n"
		"  - {name: g, port: 92, protocol: TLS, hostname: a.example.com, tls: {mode: Passthrough}}\n"
		"  - {name: h, port: 93, protocol: SMTP}\n"));

	assert_condition(&listener_of(&f, "default", "gw", "a")->conditions, "Conflicted", "True", "ProtocolConflict");
	assert_condition(&listener_of(&f, "default", "gw", "b")->conditions, "Accepted", "False", "ProtocolConflict");
	assert_condition(&listener_of(&f, "default", "gw", "a")->conditions, "Programmed", "False", "Invalid");
	assert_condition(&listener_of(&f, "default", "gw", "c")->conditions, "Conflicted", "False", "NoConflicts");
	assert_condition(&listener_of(&f, "default", "gw", "d")->conditions, "Conflicted", "False", "NoConflicts");
	assert_condition(&listener_of(&f, "default", "gw", "g")->conditions, "Conflicted", "True", "HostnameConflict");
	assert_condition(&listener_of(&f, "default", "gw", "h")->conditions, "Accepted", "False", "UnsupportedProtocol");
	assert_condition(&gateway_of(&f, "default", "gw")->conditions, "Accepted", "True", "ListenersNotValid");
	assert_int_equal(f.model->listeners, 2); /* UDP 90, on both addresses */
	fixture_free(&f);
}

static void
tls_names_that_overlap(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw",
		"  listeners:\n"
		"  - {name: a, port: 443, protocol: HTTPS, hostname: '*.example.com', tls: {certificateRefs: [{name: c}]}}\n"
		"  - {name: b, port: 443, protocol: HTTPS, hostname: w.example.com, tls: {certificateRefs: [{name: c}]}}\n"
		"  - {name: d, port: 443, protocol: HTTPS, hostname: w.example.org, tls: {certificateRefs: [{name: c, namespace: other}]}}\n"));

	assert_condition(&listener_of(&f, "default", "gw", "a")->conditions, "OverlappingTLSConfig", "True", "OverlappingHostnames");
	assert_condition(&listener_of(&f, "default", "gw", "b")->conditions, "OverlappingTLSConfig", "True", "OverlappingHostnames");
	assert_null(ps_conditions_find(&listener_of(&f, "default", "gw", "d")->conditions, "OverlappingTLSConfig"));
	assert_condition(&listener_of(&f, "default", "gw", "a")->conditions, "ResolvedRefs", "False", "InvalidCertificateRef");
	assert_condition(&listener_of(&f, "default", "gw", "d")->conditions, "ResolvedRefs", "False", "RefNotPermitted");
	fixture_free(&f);
}

static void
addresses_of_gateways(void **state)
{
	static const char pool[] =
		"apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: main}\nspec:\n"
		"  ports: [{name: wan, 'null': true, addresses: [192.0.2.1/24]}]\n"
		"  gatewayAddresses: [192.0.2.80-192.0.2.89]\n";
	static const char class[] = GROUP "kind: GatewayClass\nmetadata: {name: penstock}\n"
		"spec: {controllerName: penstock.dev/gateway-controller}\n";
	struct fixture f = fixture_new(pool);
	struct ps_addr a;

	fixture_text(&f, "class.yaml", class);
	fixture_update(&f, "gw.yaml", GATEWAY("a", "  listeners: [{name: t, port: 90, protocol: TCP}]\n") + 4);
	assert_int_equal(gateway_of(&f, "default", "a")->addresses, 1);
	a = gateway_of(&f, "default", "a")->address[0];
	fixture_update(&f, "gw2.yaml", GATEWAY("b", "  listeners: [{name: t, port: 90, protocol: TCP}]\n") + 4);
	assert_true(ps_addr_equal(&a, &gateway_of(&f, "default", "a")->address[0]));
	assert_false(ps_addr_equal(&a, &gateway_of(&f, "default", "b")->address[0]));
	fixture_update(&f, "gw.yaml", GATEWAY("a", "  addresses: [{value: 203.0.113.5}, {value: 192.0.2.85}]\n  listeners: [{name: t, port: 90, protocol: TCP}]\n") + 4);
	assert_condition(&gateway_of(&f, "default", "a")->conditions, "Accepted", "True", "Accepted");
	assert_condition(&gateway_of(&f, "default", "a")->conditions, "Programmed", "False", "AddressNotUsable");
	assert_non_null(find_listener(&f, "192.0.2.85", 90, IPPROTO_TCP));
	fixture_update(&f, "gw.yaml", GATEWAY("a", "  addresses: [{type: Hostname, value: gw.example.com}]\n  listeners: [{name: t, port: 90, protocol: TCP}]\n") + 4);
	assert_condition(&gateway_of(&f, "default", "a")->conditions, "Accepted", "False", "UnsupportedAddress");
	assert_condition(&gateway_of(&f, "default", "a")->conditions, "Programmed", "False", "Invalid");
	/* nothing to serve on */
	fixture_update(&f, "test.yaml", "apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: main}\nspec: {}\n");
	assert_condition(&gateway_of(&f, "default", "b")->conditions, "Programmed", "False", "AddressNotAssigned");
	fixture_free(&f);
}

static void
older_gateway_keeps_the_port(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("old", "  listeners: [{name: t, port: 90, protocol: TCP}]\n"));

	fixture_update(&f, "a.yaml", GATEWAY("young", "  listeners: [{name: t, port: 90, protocol: TCP}, {name: v, port: 91, protocol: TCP}]\n") + 4);
	assert_string_equal(find_listener(&f, "192.0.2.1", 90, IPPROTO_TCP)->name, "gateway/default/old/t");
	assert_condition(&listener_of(&f, "default", "young", "t")->conditions, "Accepted", "False", "PortUnavailable");
	assert_condition(&listener_of(&f, "default", "young", "v")->conditions, "Programmed", "True", "Programmed");
	assert_condition(&gateway_of(&f, "default", "young")->conditions, "Accepted", "True", "ListenersNotValid");
	ps_manifests_remove(f.set, "test.yaml");
	fixture_update(&f, "b.yaml", BASE);
	assert_string_equal(find_listener(&f, "192.0.2.1", 90, IPPROTO_TCP)->name, "gateway/default/young/t");
	assert_condition(&listener_of(&f, "default", "young", "t")->conditions, "Accepted", "True", "Accepted");
	fixture_free(&f);
}

static void
routes_find_their_listeners(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw",
		"  listeners:\n"
		"  - {name: a, port: 90, protocol: TCP}\n"
		"  - {name: b, port: 91, protocol: TCP}\n"
		"  - {name: c, port: 92, protocol: TCP, allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: team}}}}}\n"
		"  - {name: d, port: 93, protocol: TCP, allowedRoutes: {kinds: [{kind: UDPRoute}, {kind: TCPRoute}]}}\n")
		ROUTE("TCPRoute", "{name: section}", "  parentRefs: [{name: gw, sectionName: b}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		ROUTE("TCPRoute", "{name: port}", "  parentRefs: [{name: gw, port: 90}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		ROUTE("TCPRoute", "{name: nowhere}", "  parentRefs: [{name: gw, sectionName: b, port: 90}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		ROUTE("TCPRoute", "{name: stranger}", "  parentRefs: [{name: gw, sectionName: c}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		ROUTE("TCPRoute", "{name: friend, namespace: team}", "  parentRefs: [{name: gw, namespace: default, sectionName: c}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		ROUTE("UDPRoute", "{name: udp}", "  parentRefs: [{name: gw}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		ROUTE("TCPRoute", "{name: lost}", "  parentRefs: [{name: missing}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		SERVICE("web", "{addresses: [10.0.0.1]}"));

	assert_string_equal(service_at(&f, "192.0.2.1", 91, IPPROTO_TCP)->name, "tcproute/default/section/0");
	assert_string_equal(service_at(&f, "192.0.2.1", 90, IPPROTO_TCP)->name, "tcproute/default/port/0");
	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "nowhere")->parent[0].conditions, "Accepted", "False", "NoMatchingParent");
	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "stranger")->parent[0].conditions, "Accepted", "False", "NotAllowedByListeners");
	assert_condition(&route_of(&f, PS_KIND_UDP_ROUTE, "udp")->parent[0].conditions, "Accepted", "False", "NotAllowedByListeners");
	assert_string_equal(service_at(&f, "192.0.2.1", 92, IPPROTO_TCP)->name, "tcproute/team/friend/0");
	assert_null(ps_model_route(f.model, object_of(&f, PS_KIND_TCP_ROUTE, "default", "lost")));
	assert_true(has_diagnostic(&f, "Gateway default/missing is not there"));
	assert_condition(&listener_of(&f, "default", "gw", "d")->conditions, "ResolvedRefs", "False", "InvalidRouteKinds");
	assert_int_equal(listener_of(&f, "default", "gw", "d")->kinds, 1);
	fixture_free(&f);
}

static void
oldest_route_takes_the_flows(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw", "  listeners: [{name: a, port: 90, protocol: TCP}]\n")
		ROUTE("TCPRoute", "{name: z-older}", "  parentRefs: [{name: gw}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		SERVICE("web", "{addresses: [10.0.0.1]}"));

	fixture_update(&f, "newer.yaml", ROUTE("TCPRoute", "{name: a-newer}", "  parentRefs: [{name: gw}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n") + 4);
	assert_string_equal(service_at(&f, "192.0.2.1", 90, IPPROTO_TCP)->name, "tcproute/default/z-older/0");
	assert_int_equal(listener_of(&f, "default", "gw", "a")->attached_routes, 2);
	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "a-newer")->parent[0].conditions, "Accepted", "True", "Accepted");
	assert_true(has_diagnostic(&f, "TCPRoute default/z-older is older and takes all flows"));
	fixture_update(&f, "newer.yaml", ROUTE("TCPRoute", "{name: a-newer, creationTimestamp: '2020-01-01T00:00:00Z'}", "  parentRefs: [{name: gw}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n") + 4);
	assert_string_equal(service_at(&f, "192.0.2.1", 90, IPPROTO_TCP)->name, "tcproute/default/a-newer/0");
	fixture_free(&f);
}

static double
share(const struct ps_model_service *s, const char *backend, bool reject)
{
	double total = 0, mine = 0;
	uint32_t i;

	for (i = 0; i < s->balanced; i++) {
		total += s->endpoint[i].weight;
		if (strcmp(s->endpoint[i].backend, backend) == 0 && reject == ((s->endpoint[i].flags & PS_ENDPOINT_F_REJECT) != 0))
			mine += s->endpoint[i].weight;
	}
	return mine / total;
}

static void
weights_across_backends(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw", "  listeners: [{name: a, port: 90, protocol: TCP}]\n")
		ROUTE("TCPRoute", "{name: r}", "  parentRefs: [{name: gw}]\n  rules:\n  - backendRefs:\n"
			"    - {name: one, port: 9000, weight: 70}\n    - {name: two, port: 9000, weight: 20}\n"
			"    - {name: missing, port: 9000, weight: 10}\n    - {name: zero, port: 9000, weight: 0}\n")
		SERVICE("one", "{addresses: [10.0.1.1]}, {addresses: [10.0.1.2]}, {addresses: [10.0.1.3]}")
		SERVICE("two", "{addresses: [10.0.2.1]}") SERVICE("zero", "{addresses: [10.0.3.1]}"));
	const struct ps_model_service *s = service_at(&f, "192.0.2.1", 90, IPPROTO_TCP);

	assert_true(share(s, "default/one:9000", false) > 0.699 && share(s, "default/one:9000", false) < 0.701);
	assert_true(share(s, "default/two:9000", false) > 0.199 && share(s, "default/two:9000", false) < 0.201);
	assert_true(share(s, "default/missing:9000", true) > 0.099 && share(s, "default/missing:9000", true) < 0.101);
	assert_int_equal(s->balanced, 5);
	assert_int_equal(s->endpoints, 6);
	assert_int_equal(find_endpoint(s, "10.0.3.1")->weight, 0);
	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "r")->parent[0].conditions, "ResolvedRefs", "False", "BackendNotFound");
	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "r")->parent[0].conditions, "Accepted", "True", "Accepted");
	/* A backend that loses its endpoints refuses its share. */
	fixture_update(&f, "two.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n");
	fixture_update(&f, "test.yaml", BASE GATEWAY("gw", "  listeners: [{name: a, port: 90, protocol: TCP}]\n")
		ROUTE("TCPRoute", "{name: r}", "  parentRefs: [{name: gw}]\n  rules:\n  - backendRefs:\n"
			"    - {name: one, port: 9000, weight: 1}\n    - {name: two, port: 9000, weight: 1}\n")
		SERVICE("one", "{addresses: [10.0.1.1]}, {addresses: [10.0.1.2]}, {addresses: [10.0.1.3]}")
		SERVICE("two", "{addresses: [10.0.2.1], conditions: {ready: false}}"));
	s = service_at(&f, "192.0.2.1", 90, IPPROTO_TCP);
	assert_true(share(s, "default/two:9000", true) > 0.499 && share(s, "default/two:9000", true) < 0.501);
	assert_int_equal(find_endpoint(s, "10.0.2.1")->weight, 0);
	/* Equal weights come out as ones. */
	fixture_update(&f, "test.yaml", BASE GATEWAY("gw", "  listeners: [{name: a, port: 90, protocol: TCP}]\n")
		ROUTE("TCPRoute", "{name: r}", "  parentRefs: [{name: gw}]\n  rules: [{backendRefs: [{name: one, port: 9000}]}]\n")
		SERVICE("one", "{addresses: [10.0.1.1]}, {addresses: [10.0.1.2]}, {addresses: [10.0.1.3]}"));
	assert_int_equal(service_at(&f, "192.0.2.1", 90, IPPROTO_TCP)->endpoint[0].weight, 1);
	fixture_free(&f);
}

static void
grants(void **state)
{
	static const char rest[] = BASE GATEWAY("gw", "  listeners: [{name: a, port: 90, protocol: TCP}]\n")
		ROUTE("TCPRoute", "{name: r}", "  parentRefs: [{name: gw}]\n  rules: [{backendRefs: [{name: web, namespace: other, port: 9000}]}]\n")
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: other}\nspec: {clusterIP: None, ports: [{port: 9000}]}\n"
		"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, namespace: other, labels: {kubernetes.io/service-name: web}}\n"
		"addressType: IPv4\nports: [{port: 9000}]\nendpoints: [{addresses: [10.0.0.1]}]\n";
	struct fixture f = fixture_new(rest);

	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "r")->parent[0].conditions, "ResolvedRefs", "False", "RefNotPermitted");
	assert_null(find_endpoint(service_at(&f, "192.0.2.1", 90, IPPROTO_TCP), "10.0.0.1"));
	fixture_update(&f, "grant.yaml", "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: g, namespace: other}\n"
		"spec: {from: [{group: gateway.networking.k8s.io, kind: TCPRoute, namespace: default}], to: [{group: '', kind: Service, name: web}]}\n");
	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "r")->parent[0].conditions, "ResolvedRefs", "True", "ResolvedRefs");
	assert_non_null(find_endpoint(service_at(&f, "192.0.2.1", 90, IPPROTO_TCP), "10.0.0.1"));
	fixture_update(&f, "grant.yaml", "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: g, namespace: other}\n"
		"spec: {from: [{group: gateway.networking.k8s.io, kind: UDPRoute, namespace: default}], to: [{group: '', kind: Service}]}\n");
	assert_condition(&route_of(&f, PS_KIND_TCP_ROUTE, "r")->parent[0].conditions, "ResolvedRefs", "False", "RefNotPermitted");
	fixture_free(&f);
}

static void
endpoints_of_routes_follow(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw", "  listeners: [{name: a, port: 90, protocol: TCP}]\n")
		ROUTE("TCPRoute", "{name: r}", "  parentRefs: [{name: gw}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n")
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: None, ports: [{name: a, port: 9000}]}\n");
	uint64_t layout = f.model->listener_revision;

	assert_int_equal(service_at(&f, "192.0.2.1", 90, IPPROTO_TCP)->endpoint[0].flags, PS_ENDPOINT_F_REJECT);
	fixture_update(&f, "slice.yaml", "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\n"
		"addressType: IPv4\nports: [{name: a, port: 9001}]\nendpoints: [{addresses: [10.0.0.1]}]\n");
	assert_int_equal(service_at(&f, "192.0.2.1", 90, IPPROTO_TCP)->balanced, 1);
	assert_non_null(find_endpoint(service_at(&f, "192.0.2.1", 90, IPPROTO_TCP), "10.0.0.1"));
	assert_true(f.model->listener_revision == layout);
	fixture_free(&f);
}

static void
objects_as_kubernetes_shows_them(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw", "  listeners: [{name: t, port: 90, protocol: TCP, allowedRoutes: {namespaces: {from: All}}}]\n")
		ROUTE("TCPRoute", "{name: r, labels: {a: b}}", "  parentRefs: [{name: gw, sectionName: t}]\n  rules: [{backendRefs: [{name: web, port: 9000}]}]\n"));
	json_t *o = ps_object_json(f.model, object_of(&f, PS_KIND_GATEWAY, "default", "gw")), *item;

	assert_string_equal(json_string_value(json_object_get(o, "kind")), "Gateway");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(json_object_get(o, "spec"), "listeners"), 0), "port")), 90);
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "metadata"), "namespace")), "default");
	item = json_array_get(json_object_get(json_object_get(o, "status"), "listeners"), 0);
	assert_string_equal(json_string_value(json_object_get(item, "name")), "t");
	assert_int_equal(json_integer_value(json_object_get(item, "attachedRoutes")), 1);
	assert_int_equal(json_array_size(json_object_get(json_object_get(o, "status"), "addresses")), 2);
	json_decref(o);
	o = ps_object_json(f.model, object_of(&f, PS_KIND_TCP_ROUTE, "default", "r"));
	item = json_array_get(json_object_get(json_object_get(o, "status"), "parents"), 0);
	assert_string_equal(json_string_value(json_object_get(item, "controllerName")), "penstock.dev/gateway-controller");
	assert_string_equal(json_string_value(json_object_get(json_object_get(item, "parentRef"), "sectionName")), "t");
	item = json_array_get(json_object_get(item, "conditions"), 0);
	assert_string_equal(json_string_value(json_object_get(item, "lastTransitionTime")), "2023-11-14T22:13:20Z");
	assert_int_equal(json_integer_value(json_object_get(item, "observedGeneration")), 1);
	assert_string_equal(json_string_value(json_object_get(json_object_get(json_object_get(o, "metadata"), "labels"), "a")), "b");
	json_decref(o);
	/* out of a List */
	fixture_update(&f, "list.yaml", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: x}, spec: {clusterIP: 10.0.0.9, ports: [{port: 1}]}}\n"
		"- apiVersion: v1\n  kind: Service\n  metadata: {name: y}\n  spec: {clusterIP: 10.0.0.10, ports: [{port: 2}]}\n");
	o = ps_object_json(f.model, object_of(&f, PS_KIND_SERVICE, "default", "y"));
	assert_string_equal(json_string_value(json_object_get(json_object_get(o, "spec"), "clusterIP")), "10.0.0.10");
	assert_non_null(json_object_get(json_object_get(o, "status"), "conditions"));
	json_decref(o);
	fixture_free(&f);
}

static void
conditions_remember_when(void **state)
{
	struct fixture f = fixture_new(BASE GATEWAY("gw", "  listeners: [{name: t, port: 90, protocol: TCP}]\n"));
	int64_t start = f.now_s;

	f.now_s += 50;
	fixture_update(&f, "x.yaml", GATEWAY("other", "  listeners: [{name: t, port: 91, protocol: TCP}]\n") + 4);
	assert_int_equal(ps_conditions_find(&gateway_of(&f, "default", "gw")->conditions, "Programmed")->transition_s, start);
	assert_int_equal(ps_conditions_find(&gateway_of(&f, "default", "other")->conditions, "Programmed")->transition_s, f.now_s);
	f.now_s += 50;
	fixture_update(&f, "test.yaml", BASE GATEWAY("gw", "  listeners: [{name: t, port: 90, protocol: SCTP}]\n"));
	assert_condition(&gateway_of(&f, "default", "gw")->conditions, "Accepted", "False", "ListenersNotValid");
	assert_int_equal(ps_conditions_find(&gateway_of(&f, "default", "gw")->conditions, "Accepted")->transition_s, f.now_s);
	assert_int_equal(ps_conditions_find(&gateway_of(&f, "default", "gw")->conditions, "Accepted")->observed_generation, 2);
	fixture_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_and_udp_are_served),
		cmocka_unit_test(http_is_said_to_be_pending),
		cmocka_unit_test(classes_of_others_are_left_alone),
		cmocka_unit_test(listeners_in_conflict_are_all_out),
		cmocka_unit_test(tls_names_that_overlap),
		cmocka_unit_test(addresses_of_gateways),
		cmocka_unit_test(older_gateway_keeps_the_port),
		cmocka_unit_test(routes_find_their_listeners),
		cmocka_unit_test(oldest_route_takes_the_flows),
		cmocka_unit_test(weights_across_backends),
		cmocka_unit_test(grants),
		cmocka_unit_test(endpoints_of_routes_follow),
		cmocka_unit_test(objects_as_kubernetes_shows_them),
		cmocka_unit_test(conditions_remember_when),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

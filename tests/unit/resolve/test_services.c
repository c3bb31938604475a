/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#define DATAPLANE                                          \
	"apiVersion: penstock.dev/v1alpha1\n"              \
	"kind: Dataplane\n"                                \
	"metadata: {name: main}\n"                         \
	"spec:\n"                                          \
	"  ports:\n"                                       \
	"  - name: wan\n"                                  \
	"    'null': true\n"                               \
	"    addresses: [192.0.2.1/24, 2001:db8::1/64]\n"  \
	"  gatewayAddresses: [198.51.100.16-198.51.100.31, 2001:db8:1::/120]\n"

#define SLICE(name, service, endpoints)                                              \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"                \
	"metadata: {name: " name ", labels: {kubernetes.io/service-name: " service "}}\n" \
	"addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints:\n" endpoints

#define WEB(spec)                                                                     \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n"          \
	"  ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30080}]\n" spec

#define THREE                                                                \
	"- {addresses: [10.0.0.1], conditions: {ready: true}, nodeName: a, targetRef: {kind: Pod, name: web-1}}\n" \
	"- {addresses: [10.0.0.2], conditions: {ready: true}, nodeName: b}\n"  \
	"- {addresses: [10.0.0.3], conditions: {ready: false}, nodeName: a}\n"

static void
cluster_ip(void **state)
{
	struct fixture f = fixture_new(DATAPLANE WEB("  clusterIP: 10.96.0.10\n") SLICE("web-1", "web", THREE));
	const struct ps_model_service *s = service_at(&f, "10.96.0.10", 80, IPPROTO_TCP);

	assert_int_equal(f.model->listeners, 1);
	assert_string_equal(find_listener(&f, "10.96.0.10", 80, IPPROTO_TCP)->name, "service/default/web:80/ClusterIP");
	assert_string_equal(s->name, "default/web:80");
	assert_int_equal(s->endpoints, 3);
	assert_int_equal(s->balanced, 2);
	assert_int_equal(find_endpoint(s, "10.0.0.3")->weight, 0);
	assert_int_equal(find_endpoint(s, "10.0.0.3")->flags, 0);
	assert_int_equal(find_endpoint(s, "10.0.0.1")->port, htons(8080));
	assert_string_equal(find_endpoint(s, "10.0.0.1")->name, "default/web-1");
	assert_true(s->endpoint[0].id < s->endpoint[1].id);
	assert_int_equal(s->mode, PS_MODE_FULLNAT);
	assert_int_equal(s->snat_pool, 0);
	assert_int_equal(s->probe.kind, PS_PROBE_TCP);
	assert_int_equal(f.model->vips, 1);
	assert_condition(&service_status_of(&f, "default", "web")->conditions, "penstock.dev/Programmed", "True", "Programmed");
	assert_condition(&service_status_of(&f, "default", "web")->conditions, "penstock.dev/EndpointsReady", "True", "EndpointsReady");
	fixture_free(&f);
}

static void
addresses_of_a_load_balancer(void **state)
{
	struct fixture f = fixture_new(DATAPLANE WEB("  type: LoadBalancer\n"
						     "  clusterIPs: [10.96.0.10, 'fd00::10']\n"
						     "  ipFamilyPolicy: RequireDualStack\n"
						     "  ipFamilies: [IPv4, IPv6]\n"
						     "  externalIPs: [203.0.113.9]\n"
						     "  loadBalancerSourceRanges: [10.0.0.0/8, 192.168.0.0/16]\n")
		SLICE("web-1", "web", THREE));
	const struct ps_service_status *s = service_status_of(&f, "default", "web");
	const struct ps_model_listener *l;
	char text[48];
	uint32_t i;

	assert_int_equal(s->ingresses, 2); /* one of each family out of gatewayAddresses */
	for (i = 0; i < 2; i++) {
		inet_ntop(ps_addr_is_v4(&s->ingress[i]) ? AF_INET : AF_INET6,
			ps_addr_is_v4(&s->ingress[i]) ? s->ingress[i].b + 12 : s->ingress[i].b, text, sizeof(text));
		assert_true(strncmp(text, "198.51.100.", 11) == 0 || strncmp(text, "2001:db8:1::", 12) == 0);
		l = find_listener(&f, text, 80, IPPROTO_TCP);
		assert_non_null(l);
		/* IPv4 clients of two ranges; no IPv6 client at all. */
		assert_int_equal(l->ranges, ps_addr_is_v4(&s->ingress[i]) ? 2 : 1);
	}
	assert_non_null(find_listener(&f, "10.96.0.10", 80, IPPROTO_TCP));
	assert_int_equal(find_listener(&f, "10.96.0.10", 80, IPPROTO_TCP)->ranges, 0);
	assert_non_null(find_listener(&f, "fd00::10", 80, IPPROTO_TCP));
	assert_string_equal(service_at(&f, "fd00::10", 80, IPPROTO_TCP)->name, "default/web:80/ipv6");
	assert_int_equal(service_at(&f, "fd00::10", 80, IPPROTO_TCP)->endpoints, 0);
	assert_non_null(find_listener(&f, "203.0.113.9", 80, IPPROTO_TCP));
	assert_non_null(find_listener(&f, "192.0.2.1", 30080, IPPROTO_TCP));
	assert_non_null(find_listener(&f, "2001:db8::1", 30080, IPPROTO_TCP));
	/* own addresses are no VIPs */
	assert_int_equal(f.model->vips, 5);
	fixture_free(&f);
}

static void
given_addresses_win(void **state)
{
	struct fixture f = fixture_new(DATAPLANE WEB("  type: LoadBalancer\n  loadBalancerIP: 198.51.100.77\n  clusterIP: 10.96.0.10\n"));

	assert_non_null(find_listener(&f, "198.51.100.77", 80, IPPROTO_TCP));
	assert_int_equal(service_status_of(&f, "default", "web")->ingresses, 1);
	fixture_update(&f, "test.yaml", DATAPLANE WEB("  type: LoadBalancer\n  clusterIP: 10.96.0.10\nstatus: {loadBalancer: {ingress: [{ip: 198.51.100.78}, {ip: 198.51.100.79, ipMode: Proxy}]}}\n"));
	assert_null(find_listener(&f, "198.51.100.77", 80, IPPROTO_TCP));
	assert_non_null(find_listener(&f, "198.51.100.78", 80, IPPROTO_TCP));
	assert_null(find_listener(&f, "198.51.100.79", 80, IPPROTO_TCP));
	fixture_update(&f, "test.yaml", DATAPLANE WEB("  type: LoadBalancer\n  clusterIP: 10.96.0.10\n  loadBalancerClass: example.com/other\n"));
	assert_int_equal(service_status_of(&f, "default", "web")->ingresses, 0);
	assert_condition(&service_status_of(&f, "default", "web")->conditions, "penstock.dev/Programmed", "False", "ForeignClass");
	fixture_free(&f);
}

static void
pool_addresses_stay(void **state)
{
	static const char two[] = DATAPLANE
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n"
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n";
	struct fixture f = fixture_new(two), g;
	struct ps_addr a = service_status_of(&f, "default", "a")->ingress[0], b = service_status_of(&f, "default", "b")->ingress[0];

	assert_false(ps_addr_equal(&a, &b));
	fixture_update(&f, "more.yaml",
		"apiVersion: v1\nkind: Service\nmetadata: {name: a0}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n");
	assert_true(ps_addr_equal(&a, &service_status_of(&f, "default", "a")->ingress[0]));
	assert_true(ps_addr_equal(&b, &service_status_of(&f, "default", "b")->ingress[0]));
	assert_false(ps_addr_equal(&a, &service_status_of(&f, "default", "a0")->ingress[0]));
	/* another process comes to the same result */
	g = fixture_new(two);
	assert_true(ps_addr_equal(&a, &service_status_of(&g, "default", "a")->ingress[0]));
	assert_true(ps_addr_equal(&b, &service_status_of(&g, "default", "b")->ingress[0]));
	fixture_free(&g);
	fixture_free(&f);
}

static void
pool_runs_dry(void **state)
{
	struct fixture f = fixture_new("apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: main}\n"
				       "spec: {gatewayAddresses: [198.51.100.16]}\n"
				       "---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n"
				       "---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n");

	assert_int_equal(service_status_of(&f, "default", "a")->ingresses + service_status_of(&f, "default", "b")->ingresses, 1);
	assert_condition(&service_status_of(&f, "default", "b")->conditions, "penstock.dev/Programmed", "False", "AddressNotAssigned");
	fixture_free(&f);
}

static void
endpoint_conditions(void **state)
{
	static const char service[] = DATAPLANE WEB("  clusterIP: 10.96.0.10\n");
	struct fixture f = fixture_new(service);
	const struct ps_model_service *s;

	fixture_update(&f, "slices.yaml", SLICE("web-1", "web",
		"- {addresses: [10.0.0.1], conditions: {ready: true}}\n"
		"- {addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}\n"
		"- {addresses: [10.0.0.3], conditions: {ready: false, serving: false, terminating: true}}\n"
		"- {addresses: [10.0.0.4], conditions: {}}\n") SLICE("web-2", "web",
		"- {addresses: [10.0.0.1], conditions: {ready: false}}\n"
		"- {addresses: [10.0.0.5]}\n"));
	s = service_at(&f, "10.96.0.10", 80, IPPROTO_TCP);
	assert_int_equal(s->endpoints, 5);
	assert_int_equal(s->balanced, 3); /* 1 (listed twice), 4 and 5 (absent counts as ready) */
	assert_int_equal(find_endpoint(s, "10.0.0.1")->weight, 1);
	assert_int_equal(find_endpoint(s, "10.0.0.2")->flags, PS_ENDPOINT_F_DRAINING);
	assert_int_equal(find_endpoint(s, "10.0.0.3")->flags, PS_ENDPOINT_F_DRAINING);
	assert_int_equal(service_status_of(&f, "default", "web")->draining, 2);
	/* Nobody ready: those that terminate but still serve. */
	fixture_update(&f, "slices.yaml", SLICE("web-1", "web",
		"- {addresses: [10.0.0.1], conditions: {ready: false}}\n"
		"- {addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}\n"
		"- {addresses: [10.0.0.3], conditions: {ready: false, serving: false, terminating: true}}\n"));
	s = service_at(&f, "10.96.0.10", 80, IPPROTO_TCP);
	assert_int_equal(s->balanced, 1);
	assert_int_equal(find_endpoint(s, "10.0.0.2")->weight, 1);
	assert_int_equal(find_endpoint(s, "10.0.0.2")->flags, 0);
	assert_condition(&service_status_of(&f, "default", "web")->conditions, "penstock.dev/EndpointsReady", "False", "NoReadyEndpoints");
	/* All of them with publishNotReadyAddresses. */
	fixture_update(&f, "test.yaml", DATAPLANE WEB("  clusterIP: 10.96.0.10\n  publishNotReadyAddresses: true\n"));
	s = service_at(&f, "10.96.0.10", 80, IPPROTO_TCP);
	assert_int_equal(find_endpoint(s, "10.0.0.1")->weight, 1);
	assert_int_equal(s->balanced, 1);
	fixture_free(&f);
}

static void
ports_by_name_and_number(void **state)
{
	struct fixture f = fixture_new(DATAPLANE
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: dns}\nspec:\n  clusterIP: 10.96.0.53\n"
		"  ports: [{name: dns, port: 53, protocol: UDP, targetPort: dns-udp}, {name: dns-tcp, port: 53, targetPort: 5353}]\n"
		"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: dns-1, labels: {kubernetes.io/service-name: dns}}\n"
		"addressType: IPv4\nports: [{name: dns, port: 5300, protocol: UDP}, {name: dns-tcp, port: 5301}]\n"
		"endpoints: [{addresses: [10.0.0.1]}]\n"
		"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: dns-2, labels: {kubernetes.io/service-name: dns}}\n"
		"addressType: IPv4\nports: [{name: dns-udp, port: 5400, protocol: UDP}]\n"
		"endpoints: [{addresses: [10.0.0.2]}]\n"
		"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: dns-3, labels: {kubernetes.io/service-name: dns}}\n"
		"addressType: IPv4\nports: [{port: 5353}]\n"
		"endpoints: [{addresses: [10.0.0.3]}]\n");
	const struct ps_model_service *udp = service_at(&f, "10.96.0.53", 53, IPPROTO_UDP);
	const struct ps_model_service *tcp = service_at(&f, "10.96.0.53", 53, IPPROTO_TCP);

	assert_int_equal(find_endpoint(udp, "10.0.0.1")->port, htons(5300));
	assert_int_equal(find_endpoint(udp, "10.0.0.2")->port, htons(5400));
	assert_null(find_endpoint(udp, "10.0.0.3"));
	assert_int_equal(find_endpoint(tcp, "10.0.0.1")->port, htons(5301));
	assert_null(find_endpoint(tcp, "10.0.0.2"));
	assert_int_equal(find_endpoint(tcp, "10.0.0.3")->port, htons(5353));
	assert_string_equal(udp->name, "default/dns:53/udp");
	assert_string_equal(tcp->name, "default/dns:53");
	assert_int_equal(udp->probe.kind, PS_PROBE_UDP);
	assert_true(udp->id != tcp->id);
	fixture_free(&f);
}

static void
annotations_and_affinity(void **state)
{
	struct fixture f = fixture_new(
		"apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: main}\nspec:\n"
		"  ports: [{name: wan, 'null': true, addresses: [192.0.2.1/24]}]\n"
		"  snatPools: [{name: blue, addresses: [192.0.2.40-192.0.2.43]}]\n"
		"---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  annotations:\n"
		"    penstock.dev/snat-pool: blue\n"
		"    penstock.dev/health-check: none\n"
		"    penstock.dev/weights: '10.0.0.1=3, 10.0.0.2=0'\n"
		"spec:\n  clusterIP: 10.96.0.10\n  ports: [{name: http, port: 80}]\n"
		"  sessionAffinity: ClientIP\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}\n"
		"---\napiVersion: v1\nkind: Service\nmetadata:\n  name: dsr\n  annotations: {penstock.dev/forwarding-mode: DSR-IPIP}\n"
		"spec:\n  clusterIP: 10.96.0.11\n  ports: [{name: http, port: 80}]\n" SLICE("web-1", "web", THREE));
	const struct ps_model_service *s = service_at(&f, "10.96.0.10", 80, IPPROTO_TCP);

	assert_string_equal(f.model->pool[s->snat_pool].name, "blue");
	assert_int_equal(f.model->pool[s->snat_pool].addresses, 4);
	assert_int_equal(s->probe.kind, PS_PROBE_NONE);
	assert_int_equal(s->flags, PS_SERVICE_F_AFFINITY);
	assert_int_equal(s->affinity_s, 60);
	assert_int_equal(s->balanced, 1);
	assert_int_equal(find_endpoint(s, "10.0.0.1")->weight, 3);
	assert_int_equal(find_endpoint(s, "10.0.0.2")->weight, 0);
	s = service_at(&f, "10.96.0.11", 80, IPPROTO_TCP);
	assert_int_equal(s->mode, PS_MODE_IPIP);
	assert_int_equal(s->snat_pool, PS_NONE);
	fixture_free(&f);
}

static void
local_traffic_policy(void **state)
{
	static const char rest[] = WEB("  type: NodePort\n  clusterIP: 10.96.0.10\n  externalTrafficPolicy: Local\n")
		SLICE("web-1", "web", THREE);
	struct fixture f = fixture_new(DATAPLANE);

	fixture_update(&f, "rest.yaml", rest + 4);
	assert_int_equal(service_at(&f, "192.0.2.1", 30080, IPPROTO_TCP)->balanced, 2);
	assert_true(has_diagnostic(&f, "externalTrafficPolicy Local has no effect"));
	fixture_update(&f, "test.yaml", DATAPLANE "  nodeName: b\n");
	assert_false(has_diagnostic(&f, "externalTrafficPolicy Local has no effect"));
	assert_int_equal(service_at(&f, "10.96.0.10", 80, IPPROTO_TCP)->balanced, 2);
	assert_int_equal(service_at(&f, "192.0.2.1", 30080, IPPROTO_TCP)->balanced, 1);
	assert_int_equal(service_at(&f, "192.0.2.1", 30080, IPPROTO_TCP)->endpoints, 1);
	assert_non_null(find_endpoint(service_at(&f, "192.0.2.1", 30080, IPPROTO_TCP), "10.0.0.2"));
	assert_string_equal(service_at(&f, "192.0.2.1", 30080, IPPROTO_TCP)->name, "default/web:80/local");
	fixture_free(&f);
}

static void
older_service_wins_an_address(void **state)
{
	struct fixture f = fixture_new(
		"apiVersion: v1\nkind: Service\nmetadata: {name: young, creationTimestamp: '2024-02-01T00:00:00Z'}\n"
		"spec: {clusterIP: 10.96.0.10, ports: [{name: a, port: 80}, {name: b, port: 81}]}\n"
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: old, creationTimestamp: '2024-01-01T00:00:00Z'}\n"
		"spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}\n");

	assert_string_equal(service_at(&f, "10.96.0.10", 80, IPPROTO_TCP)->name, "default/old:80");
	assert_string_equal(service_at(&f, "10.96.0.10", 81, IPPROTO_TCP)->name, "default/young:81");
	assert_condition(&service_status_of(&f, "default", "young")->conditions, "penstock.dev/Conflicted", "True", "AddressConflict");
	assert_null(ps_conditions_find(&service_status_of(&f, "default", "old")->conditions, "penstock.dev/Conflicted"));
	assert_true(has_diagnostic(&f, "10.96.0.10 port 80 belongs to service/default/old:80/ClusterIP"));
	/* The conflict goes with its cause. */
	fixture_update(&f, "test.yaml",
		"apiVersion: v1\nkind: Service\nmetadata: {name: young}\n"
		"spec: {clusterIP: 10.96.0.10, ports: [{name: a, port: 80}, {name: b, port: 81}]}\n");
	assert_null(ps_conditions_find(&service_status_of(&f, "default", "young")->conditions, "penstock.dev/Conflicted"));
	assert_string_equal(service_at(&f, "10.96.0.10", 80, IPPROTO_TCP)->name, "default/young:80");
	assert_int_equal(f.model->diagnostics.length, 0);
	fixture_free(&f);
}

static void
not_served(void **state)
{
	struct fixture f = fixture_new(
		"apiVersion: v1\nkind: Service\nmetadata: {name: alias}\nspec: {type: ExternalName, externalName: example.com}\n"
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: headless}\nspec: {clusterIP: None, ports: [{port: 80}]}\n"
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: sctp}\nspec: {clusterIP: 10.96.0.12, ports: [{port: 80, protocol: SCTP}]}\n"
		SLICE("lost", "nobody", "- {addresses: [10.0.0.1]}\n"));

	assert_int_equal(f.model->listeners, 0);
	assert_condition(&service_status_of(&f, "default", "alias")->conditions, "penstock.dev/Programmed", "False", "ExternalName");
	assert_condition(&service_status_of(&f, "default", "headless")->conditions, "penstock.dev/Programmed", "False", "NoAddress");
	assert_condition(&service_status_of(&f, "default", "sctp")->conditions, "penstock.dev/Programmed", "False", "UnsupportedProtocol");
	assert_condition(&ps_model_slice(f.model, object_of(&f, PS_KIND_ENDPOINT_SLICE, "default", "lost"))->conditions,
		"penstock.dev/Used", "False", "ServiceNotFound");
	fixture_free(&f);
}

/* A slice that changes moves its service's revision and nobody else's; the layout stays. */
static void
changes_are_local(void **state)
{
	struct fixture f = fixture_new(DATAPLANE WEB("  clusterIP: 10.96.0.10\n")
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: other}\nspec: {clusterIP: 10.96.0.11, ports: [{name: http, port: 80}]}\n");
	uint64_t web, other, layout, model;
	int64_t since;

	fixture_update(&f, "slice.yaml", SLICE("web-1", "web", THREE));
	web = service_at(&f, "10.96.0.10", 80, IPPROTO_TCP)->revision;
	other = service_at(&f, "10.96.0.11", 80, IPPROTO_TCP)->revision;
	layout = f.model->listener_revision;
	model = f.model->revision;
	since = ps_conditions_find(&service_status_of(&f, "default", "web")->conditions, "penstock.dev/EndpointsReady")->transition_s;
	f.now_s += 100;
	fixture_resolve(&f);
	assert_true(f.model->revision == model);
	fixture_update(&f, "slice.yaml", SLICE("web-1", "web", "- {addresses: [10.0.0.1]}\n"));
	assert_true(f.model->revision != model);
	assert_true(f.model->listener_revision == layout);
	assert_true(service_at(&f, "10.96.0.10", 80, IPPROTO_TCP)->revision != web);
	assert_true(service_at(&f, "10.96.0.11", 80, IPPROTO_TCP)->revision == other);
	assert_true(ps_conditions_find(&service_status_of(&f, "default", "web")->conditions, "penstock.dev/EndpointsReady")->transition_s == since);
	fixture_update(&f, "slice.yaml", SLICE("web-1", "web", "- {addresses: [10.0.0.1], conditions: {ready: false}}\n"));
	assert_true(ps_conditions_find(&service_status_of(&f, "default", "web")->conditions, "penstock.dev/EndpointsReady")->transition_s == f.now_s);
	/* Removed: gone from the model. */
	ps_manifests_remove(f.set, "slice.yaml");
	fixture_resolve(&f);
	assert_int_equal(service_at(&f, "10.96.0.10", 80, IPPROTO_TCP)->endpoints, 0);
	assert_int_equal(f.model->slice_statuses, 0);
	ps_manifests_remove(f.set, "test.yaml");
	fixture_resolve(&f);
	assert_int_equal(f.model->listeners, 0);
	assert_int_equal(f.model->services, 0);
	fixture_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cluster_ip),
		cmocka_unit_test(addresses_of_a_load_balancer),
		cmocka_unit_test(given_addresses_win),
		cmocka_unit_test(pool_addresses_stay),
		cmocka_unit_test(pool_runs_dry),
		cmocka_unit_test(endpoint_conditions),
		cmocka_unit_test(ports_by_name_and_number),
		cmocka_unit_test(annotations_and_affinity),
		cmocka_unit_test(local_traffic_policy),
		cmocka_unit_test(older_service_wins_an_address),
		cmocka_unit_test(not_served),
		cmocka_unit_test(changes_are_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

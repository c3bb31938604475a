/* SPDX-License-Identifier: Apache-2.0 */
/* The set of manifests: values, defaults, refresh, indexes, changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/manifest/manifest.h"
#include "dataplane/api/snapshot.h"

#define SERVICE(name, port) \
	"apiVersion: v1\nkind: Service\nmetadata:\n  name: " name "\nspec:\n  ports:\n  - port: " port "\n"
#define SLICE(name, service, address)                                                                       \
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: " name                    \
	"\n  labels:\n    kubernetes.io/service-name: " service "\naddressType: IPv4\nports:\n- port: 80\n" \
	"endpoints:\n- addresses: [" address "]\n"

static void
put(struct ps_manifests *set, const char *path, const char *text)
{
	assert_int_equal(ps_manifests_add_text(set, path, text, strlen(text)), 0);
}

static uint32_t
errors_of(struct ps_manifests *set)
{
	uint32_t errors, warnings;

	ps_manifests_counts(set, &errors, &warnings);
	return errors;
}

static const struct ps_object *
service(struct ps_manifests *set, const char *name)
{
	return ps_manifests_find(set, PS_KIND_SERVICE, "default", name);
}

static struct ps_addr
addr(const char *s)
{
	struct ps_addr a;

	if (strchr(s, ':') != NULL)
		assert_int_equal(inet_pton(AF_INET6, s, a.b), 1);
	else
		a = ps_addr_from_v4(inet_addr(s));
	return a;
}

static void
assert_addr(const struct ps_addr *a, const char *s)
{
	struct ps_addr b = addr(s);

	assert_memory_equal(a->b, b.b, sizeof(b.b));
}

static void
test_service_values(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	const struct ps_service_spec *s;
	const struct ps_object *o;

	(void)state;
	put(set, "a.yaml",
		"# a comment\n"
		"apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: shop\n  generation: 7\n"
		"  creationTimestamp: \"2024-05-01T12:00:00+02:00\"\n"
		"  annotations:\n    penstock.dev/forwarding-mode: DSR-GUE\n    penstock.dev/drain-timeout: "
		"1m30s\n"
		"    penstock.dev/weights: \"10.0.0.1=5, 2001:db8::1=0\"\n"
		"spec:\n  clusterIP: 10.96.0.1\n  loadBalancerSourceRanges: [10.1.2.3/8]\n"
		"  ports:\n  - {name: a, port: 80, targetPort: 8080}\n  - {name: b, port: 53, targetPort: "
		"dns, protocol: UDP}\n"
		"status:\n  loadBalancer:\n    ingress:\n    - ip: 192.0.2.1\n");
	assert_int_equal(errors_of(set), 0);
	o = ps_manifests_find(set, PS_KIND_SERVICE, "shop", "web");
	assert_non_null(o);
	assert_int_equal(o->generation, 7);
	assert_int_equal(o->created_s, 1714557600);
	assert_int_equal(o->place.line, 2);
	assert_int_equal(o->name_place.line, 5);
	assert_int_equal(o->name_place.column, 9);
	assert_string_equal(o->file, "a.yaml");
	s = o->service;
	assert_int_equal(s->type.v, PS_CLUSTER_IP);
	assert_int_equal(s->type.place.line, 0);
	assert_int_equal(s->affinity_timeout_s.v, 10800);
	assert_int_equal(s->allocate_node_ports.v, 1);
	assert_int_equal(s->cluster_ips.length, 1);
	assert_addr(&s->cluster_ips.item[0].addr, "10.96.0.1");
	assert_int_equal(s->ports.length, 2);
	assert_int_equal(s->ports.item[0].target_port.number, 8080);
	assert_string_equal(s->ports.item[1].target_port.name, "dns");
	assert_int_equal(s->ports.item[1].protocol.v, PS_UDP);
	assert_int_equal(s->ports.item[1].port.place.line, 18);
	assert_int_equal(s->ports.item[1].port.place.column, 21);
	assert_int_equal(s->load_balancer_source_ranges.item[0].length, 8);
	assert_addr(&s->ingress.item[0].ip.addr, "192.0.2.1");
	assert_int_equal(s->annotations.forwarding_mode.v, PS_MODE_GUE);
	assert_int_equal(s->annotations.drain_timeout.v, 90000);
	assert_int_equal(s->annotations.weights.length, 2);
	assert_int_equal(s->annotations.weights.item[0].weight, 5);
	assert_addr(&s->annotations.weights.item[1].addr, "2001:db8::1");
	assert_int_equal(s->annotations.toa.place.line, 0);
	ps_manifests_free(set);
}

static void
test_dataplane_defaults(void **state)
{
	const struct ps_dataplane_spec *d = ps_dataplane_defaults();
	struct ps_manifests *set = ps_manifests_new(0);
	const struct ps_dataplane_spec *given;

	(void)state;
	assert_int_equal(d->tables.flows_ipv4.v, 1048576);
	assert_int_equal(d->cores.main.v, -1);
	assert_int_equal(d->drain_timeout.v, 300000);
	assert_int_equal(d->timeouts.tcp_established.v, 7440000);
	assert_string_equal(d->admin_address.s, "127.0.0.1:9470");
	assert_int_equal(d->health.check.v, PS_CHECK_AUTO);
	assert_int_equal(d->vips.announce.v, 1);
	put(set, "d.yaml",
		"apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: d}\nspec:\n"
		"  ports:\n  - name: wan\n    memif: {socket: /run/s, role: client}\n    addresses: "
		"[10.0.0.1/24]\n"
		"  routes:\n  - {to: default, via: \"2001:db8::1\"}\n  - {to: 10.1.2.3/8, via: 10.0.0.2}\n"
		"  cores: {workers: [2-3]}\n"
		"  snatPools:\n  - {name: p, addresses: [10.0.0.8/30]}\n");
	assert_int_equal(errors_of(set), 0);
	given = ps_manifests_find(set, PS_KIND_DATAPLANE, "", "d")->dataplane;
	assert_int_equal(given->ports.item[0].device_kind, PS_PORT_MEMIF);
	assert_int_equal(given->ports.item[0].memif.role.v, PS_MEMIF_CLIENT);
	assert_int_equal(given->ports.item[0].mtu.v, 1500);
	assert_int_equal(given->cores.main.v, -1);
	assert_int_equal(given->cores.workers.item[0].last, 3);
	assert_true(given->routes.item[0].to.v6);
	assert_int_equal(given->routes.item[0].to.length, 0);
	assert_addr(&given->routes.item[1].to.addr, "10.0.0.0");
	assert_addr(&given->snat_pools.item[0].addresses.item[0].first, "10.0.0.8");
	assert_addr(&given->snat_pools.item[0].addresses.item[0].last, "10.0.0.11");
	assert_int_equal(given->snat_pools.item[0].ports.first, 1280);
	assert_int_equal(given->tables.snat_groups.v, 16);
	ps_manifests_free(set);
}

static void
test_slice_conditions(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	const struct ps_slice_spec *s;

	(void)state;
	put(set, "s.yaml",
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: "
		"IPv6\nendpoints:\n"
		"- addresses: [\"2001:db8::1\"]\n"
		"- {addresses: [\"2001:db8::2\"], conditions: {ready: false}}\n"
		"- {addresses: [\"2001:db8::3\"], conditions: {ready: false, serving: true, terminating: "
		"true}}\n");
	assert_int_equal(errors_of(set), 0);
	s = ps_manifests_find(set, PS_KIND_ENDPOINT_SLICE, "default", "s")->slice;
	assert_null(s->service_name);
	assert_int_equal(s->endpoints.item[0].ready.v, 1);
	assert_int_equal(s->endpoints.item[0].serving.v, 1);
	assert_int_equal(s->endpoints.item[1].serving.v, 0);
	assert_int_equal(s->endpoints.item[2].serving.v, 1);
	assert_int_equal(s->endpoints.item[2].terminating.v, 1);
	ps_manifests_free(set);
}

/* What the file no longer says goes; what it says wrongly stays as it was. */
static void
test_refresh(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	const struct ps_object *a, *b;
	uint64_t revision;

	(void)state;
	put(set, "f.yaml", SERVICE("a", "80") "---\n" SERVICE("b", "81"));
	a = service(set, "a");
	b = service(set, "b");
	assert_int_equal(a->generation, 1);
	revision = b->revision;

	put(set, "f.yaml", SERVICE("a", "90") "---\n" SERVICE("b", "81"));
	assert_ptr_equal(service(set, "a"), a);
	assert_int_equal(a->service->ports.item[0].port.v, 90);
	assert_int_equal(a->generation, 2);
	assert_int_equal(b->revision, revision);

	put(set, "f.yaml", "# moved down\n" SERVICE("a", "90") "---\n" SERVICE("b", "81"));
	assert_int_equal(a->generation, 2);
	assert_int_equal(a->place.line, 2);
	assert_true(b->revision > revision);

	/* an error in an object: its former self stays, the other follows */
	put(set, "f.yaml", SERVICE("a", "0") "---\n" SERVICE("b", "82"));
	assert_int_equal(errors_of(set), 1);
	assert_int_equal(a->service->ports.item[0].port.v, 90);
	assert_int_equal(b->service->ports.item[0].port.v, 82);

	/* a syntax error: whatever may have been in that document stays */
	put(set, "f.yaml", "apiVersion: [\n---\n" SERVICE("b", "83"));
	assert_int_equal(errors_of(set), 1);
	assert_ptr_equal(service(set, "a"), a);
	assert_int_equal(b->service->ports.item[0].port.v, 83);

	put(set, "f.yaml", "");
	assert_int_equal(errors_of(set), 1);
	assert_ptr_equal(service(set, "a"), a);
	assert_ptr_equal(service(set, "b"), b);

	put(set, "f.yaml", "\xff\xfe");
	assert_int_equal(errors_of(set), 1);
	assert_ptr_equal(service(set, "b"), b);

	put(set, "f.yaml", SERVICE("b", "84"));
	assert_int_equal(errors_of(set), 0);
	assert_null(service(set, "a"));
	assert_ptr_equal(service(set, "b"), b);

	put(set, "f.yaml", "# all gone\n");
	assert_int_equal(errors_of(set), 0);
	assert_null(service(set, "b"));
	assert_int_equal(ps_manifests_length(set, PS_KIND_SERVICE), 0);
	ps_manifests_free(set);
}

/* A document that moves within its file, and one that is defined by another part afterwards. */
static void
test_parts(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);

	(void)state;
	put(set, "f.yaml", SERVICE("a", "80") "---\n" SERVICE("b", "81"));
	put(set, "f.yaml", SERVICE("b", "80") "---\n" SERVICE("b", "81"));
	assert_int_equal(errors_of(set), 1);
	assert_null(service(set, "a"));
	assert_int_equal(service(set, "b")->service->ports.item[0].port.v, 80);
	put(set, "f.yaml", SERVICE("a", "80") "---\n" SERVICE("b", "81"));
	assert_int_equal(errors_of(set), 0);
	assert_int_equal(service(set, "b")->service->ports.item[0].port.v, 81);
	put(set, "f.yaml", SERVICE("b", "81") "---\n" SERVICE("a", "80"));
	assert_int_equal(service(set, "a")->place.line, 9);
	ps_manifests_free(set);
}

static void
test_defined_in_two_files(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	struct ps_diagnostics list = {0};

	(void)state;
	put(set, "b.yaml", SERVICE("web", "81"));
	put(set, "a.yaml", SERVICE("web", "80"));
	assert_int_equal(errors_of(set), 1);
	assert_int_equal(ps_manifests_length(set, PS_KIND_SERVICE), 1);
	assert_int_equal(service(set, "web")->service->ports.item[0].port.v, 80);
	assert_int_equal(ps_manifests_diagnostics(set, &list), 0);
	assert_int_equal(list.length, 1);
	assert_string_equal(list.item[0].file, "b.yaml");
	assert_string_equal(list.item[0].message,
		"Service default/web is defined in a.yaml line 4 too, expected it once; that one counts");
	ps_diagnostics_clear(&list);
	assert_int_equal(ps_manifests_remove(set, "a.yaml"), 0);
	assert_int_equal(errors_of(set), 0);
	assert_int_equal(service(set, "web")->service->ports.item[0].port.v, 81);
	assert_int_equal(ps_manifests_remove(set, "a.yaml"), -ENOENT);
	ps_manifests_free(set);
}

static unsigned
slices_of(struct ps_manifests *set, const char *name)
{
	const struct ps_object *o;
	unsigned n = 0;

	for (o = ps_manifests_first_slice(set, "default", name); o != NULL; o = ps_manifests_next_slice(o)) {
		assert_string_equal(o->slice->service_name, name);
		n++;
	}
	return n;
}

static void
test_slices_of_a_service(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	const struct ps_change *change;
	uint32_t length;

	(void)state;
	put(set, "1.yaml", SLICE("s1", "web", "10.0.0.1"));
	put(set, "2.yaml", SLICE("s2", "web", "10.0.0.2") "---\n" SLICE("s3", "db", "10.0.0.3"));
	assert_int_equal(slices_of(set, "web"), 2);
	assert_int_equal(slices_of(set, "db"), 1);
	assert_int_equal(slices_of(set, "none"), 0);
	ps_manifests_changes_clear(set);

	/* whoever loses a slice to another Service hears of it as well */
	put(set, "1.yaml", SLICE("s1", "db", "10.0.0.1"));
	assert_int_equal(slices_of(set, "web"), 1);
	assert_int_equal(slices_of(set, "db"), 2);
	change = ps_manifests_changes(set, &length);
	assert_int_equal(length, 2);
	assert_string_equal(change[0].service, "web");
	assert_string_equal(change[1].service, "db");
	ps_manifests_changes_clear(set);

	ps_manifests_remove(set, "2.yaml");
	assert_int_equal(slices_of(set, "web"), 0);
	assert_int_equal(slices_of(set, "db"), 1);
	change = ps_manifests_changes(set, &length);
	assert_int_equal(length, 2);
	assert_int_equal(change[0].type, PS_REMOVED);
	assert_null(change[0].object);
	ps_manifests_free(set);
}

static void
test_changes(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	const struct ps_change *change;
	uint64_t revision;
	uint32_t length;

	(void)state;
	change = ps_manifests_changes(set, &length);
	assert_null(change);
	assert_int_equal(length, 0);
	put(set, "a.yaml", SERVICE("a", "80"));
	change = ps_manifests_changes(set, &length);
	assert_int_equal(length, 1);
	assert_int_equal(change[0].type, PS_ADDED);
	assert_string_equal(change[0].name, "a");
	assert_ptr_equal(change[0].object, service(set, "a"));
	ps_manifests_changes_clear(set);
	revision = ps_manifests_revision(set);
	put(set, "a.yaml", SERVICE("a", "80")); /* the same text again is no change */
	assert_int_equal(ps_manifests_revision(set), revision);
	put(set, "a.yaml", SERVICE("a", "81"));
	change = ps_manifests_changes(set, &length);
	assert_int_equal(length, 1);
	assert_int_equal(change[0].type, PS_CHANGED);
	assert_true(ps_manifests_kind_revision(set, PS_KIND_SERVICE) > revision);
	assert_int_equal(ps_manifests_kind_revision(set, PS_KIND_GATEWAY), 0);
	ps_manifests_free(set);
}

static void
test_strict(void **state)
{
	static const char text[] =
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  colour: red\n"
		"  ports: [{port: 80}]\n";
	struct ps_manifests *lenient = ps_manifests_new(0), *strict = ps_manifests_new(PS_MANIFESTS_STRICT);

	(void)state;
	put(lenient, "a.yaml", text);
	put(strict, "a.yaml", text);
	assert_int_equal(errors_of(lenient), 0);
	assert_int_equal(errors_of(strict), 1);
	assert_non_null(service(lenient, "a"));
	assert_null(service(strict, "a"));
	ps_manifests_free(lenient);
	ps_manifests_free(strict);
}

static void
test_other_kinds(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	const struct ps_object *o;
	unsigned n = 0;

	(void)state;
	put(set, "o.yaml",
		"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: "
		"n}\nspec: 7\n---\n"
		"apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: p}\n---\n"
		"apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: p}\n");
	assert_int_equal(errors_of(set), 0);
	for (o = ps_manifests_first(set, PS_KIND_OTHER); o != NULL; o = ps_manifests_next(o)) {
		n++;
		if (strcmp(o->kind_name, "HTTPRoute") == 0) {
			assert_string_equal(o->ns, "n");
			assert_string_equal(o->name, "r");
		}
	}
	assert_int_equal(n, 3);
	ps_manifests_free(set);
}

static void
test_selector(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	const struct ps_selector *s;
	struct ps_pair pair[2] = {{.key = "team", .value = "a"}, {.key = "tier", .value = "db"}};
	struct ps_pairs labels = {pair, 2, {1, 1}};
	const struct ps_gateway_spec *g;

	(void)state;
	put(set, "g.yaml",
		"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec:\n  "
		"gatewayClassName: p\n"
		"  listeners:\n  - name: a\n    port: 80\n    protocol: TCP\n    allowedRoutes:\n      "
		"namespaces:\n"
		"        from: Selector\n        selector:\n          matchLabels: {team: a}\n          "
		"matchExpressions:\n"
		"          - {key: tier, operator: In, values: [db, cache]}\n          - {key: old, "
		"operator: DoesNotExist}\n"
		"          - {key: gone, operator: NotIn, values: [x]}\n          - {key: team, operator: "
		"Exists}\n"
		"  - name: b\n    port: 81\n    protocol: TCP\n    allowedRoutes: {namespaces: {from: "
		"Selector, selector: {}}}\n");
	assert_int_equal(errors_of(set), 0);
	g = ps_manifests_find(set, PS_KIND_GATEWAY, "default", "g")->gateway;
	s = &g->listeners.item[0].allowed_routes.namespaces.selector;
	assert_true(ps_selector_matches(s, &labels));
	pair[1].value = "web";
	assert_false(ps_selector_matches(s, &labels));
	pair[1].value = "cache";
	assert_true(ps_selector_matches(s, &labels));
	pair[0].value = "b";
	assert_false(ps_selector_matches(s, &labels));
	s = &g->listeners.item[1].allowed_routes.namespaces.selector;
	labels.length = 0;
	assert_true(ps_selector_matches(s, &labels));
	ps_manifests_free(set);
}

/* A byte order mark and CRLF, as editors of another system write them. */
static void
test_foreign_text(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	struct ps_diagnostics list = {0};

	(void)state;
	put(set, "a.yaml",
		"\xef\xbb\xbf" "apiVersion: v1\r\nkind: Namespace\r\nmetadata:\r\n  name: a\r\n---\r\n"
		"apiVersion: v1\r\nkind: Namespace\r\nmetadata:\r\n  name: B\r\n");
	assert_non_null(ps_manifests_find(set, PS_KIND_NAMESPACE, "", "a"));
	assert_int_equal(ps_manifests_diagnostics(set, &list), 0);
	assert_int_equal(list.length, 1);
	assert_int_equal(list.item[0].place.line, 9);
	assert_string_equal(list.item[0].line, "  name: B");
	ps_diagnostics_clear(&list);
	put(set, "a.yaml", "\xef\xbb\xbfkind: x\n");
	assert_int_equal(ps_manifests_diagnostics(set, &list), 0);
	assert_string_equal(list.item[0].line, "kind: x");
	assert_int_equal(list.item[0].place.column, 1);
	ps_diagnostics_clear(&list);
	ps_manifests_free(set);
}

static void
test_json_of_hostile_text(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	struct ps_diagnostics list = {0};
	json_t *json;

	(void)state;
	put(set, "bad\xff.yaml", "kind: \"\x1b[31m\xff\xfe\"\n");
	assert_int_equal(ps_manifests_diagnostics(set, &list), 0);
	json = ps_diagnostics_json(&list);
	assert_non_null(json);
	assert_int_equal(json_array_size(json), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(json, 0), "file")), "bad?.yaml");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json, 0), "source")), "kind: \"?[31m??\"");
	json_decref(json);
	ps_diagnostics_clear(&list);
	ps_manifests_free(set);
}

static void
test_long_line(void **state)
{
	struct ps_manifests *set = ps_manifests_new(0);
	struct ps_diagnostics list = {0};
	char text[4096];

	(void)state;
	snprintf(text, sizeof(text),
		"{apiVersion: v1, kind: Service, metadata: {name: a, annotations: {x: \"%01000d\"}}, spec: "
		"{ports: [{port: 0}]}}",
		0);
	put(set, "a.json", text);
	assert_int_equal(ps_manifests_diagnostics(set, &list), 0);
	assert_int_equal(list.length, 1);
	assert_true(strlen(list.item[0].line) <= 200);
	assert_int_equal(list.item[0].line[list.item[0].caret - 1], '0');
	assert_memory_equal(list.item[0].line + list.item[0].caret - 7, "port: 0", 7);
	ps_diagnostics_clear(&list);
	ps_manifests_free(set);
}

static void
write_file(const char *directory, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void
test_directory(void **state)
{
	char directory[] = "/tmp/penstock-manifest-XXXXXX", path[256], link_path[256];
	struct ps_manifests *set = ps_manifests_new(0);

	(void)state;
	assert_non_null(mkdtemp(directory));
	write_file(directory, "a.yaml", SERVICE("a", "80"));
	write_file(directory, "b.txt", "not: [read");
	write_file(directory, ".hidden.yaml", "not: [read");
	snprintf(path, sizeof(path), "%s/sub", directory);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(path, "c.yml", SERVICE("c", "80"));
	snprintf(link_path, sizeof(link_path), "%s/sub/loop", directory);
	assert_int_equal(symlink(directory, link_path), 0);
	assert_int_equal(ps_manifests_add(set, directory), 0);
	assert_int_equal(ps_manifests_files(set), 2);
	assert_non_null(service(set, "a"));
	assert_non_null(service(set, "c"));

	/* read anew: what is gone is forgotten */
	snprintf(path, sizeof(path), "%s/a.yaml", directory);
	unlink(path);
	assert_int_equal(ps_manifests_refresh(set, path), -ENOENT);
	assert_non_null(service(set, "a"));
	assert_int_equal(ps_manifests_add(set, directory), 0);
	assert_null(service(set, "a"));
	assert_non_null(service(set, "c"));

	write_file(directory, "a.yaml", SERVICE("a2", "80"));
	assert_int_equal(ps_manifests_refresh(set, path), 0);
	assert_non_null(service(set, "a2"));
	snprintf(path, sizeof(path), "%s/sub/", directory);
	assert_int_equal(ps_manifests_remove(set, path), 0);
	assert_null(service(set, "c"));
	assert_int_equal(ps_manifests_add(set, "/nonexistent/x.yaml"), -ENOENT);
	assert_int_equal(errors_of(set), 1);

	unlink(link_path);
	snprintf(path, sizeof(path), "rm -r %s", directory);
	assert_int_equal(system(path), 0);
	ps_manifests_free(set);
}

/* Five thousand Services and slices in one file; then one of them changes. */
static void
test_many(void **state)
{
	const unsigned services = 5000;
	struct ps_manifests *set = ps_manifests_new(0);
	const struct ps_object *o;
	uint64_t revision;
	uint32_t length;
	char *text = NULL, *port;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	unsigned i;

	(void)state;
	for (i = 0; i < services; i++)
		fprintf(f,
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: s%u}\nspec:\n  ports:\n  - "
			"port: 8000\n---\n"
			"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: s%u\n  "
			"labels:\n"
			"    kubernetes.io/service-name: s%u\naddressType: IPv4\nendpoints:\n- addresses: "
			"[10.1.%u.%u]\n",
			i, i, i, i >> 8, i & 255);
	fclose(f);
	assert_int_equal(ps_manifests_add_text(set, "big.yaml", text, size), 0);
	assert_int_equal(errors_of(set), 0);
	assert_int_equal(ps_manifests_length(set, PS_KIND_SERVICE), services);
	assert_int_equal(slices_of(set, "s4711"), 1);
	ps_manifests_changes_clear(set);
	revision = ps_manifests_revision(set);
	port = strstr(strstr(text, "name: s4711}"), "8000");
	memcpy(port, "9000", 4);
	assert_int_equal(ps_manifests_add_text(set, "big.yaml", text, size), 0);
	assert_int_equal(ps_manifests_revision(set), revision + 1);
	ps_manifests_changes(set, &length);
	assert_int_equal(length, 1);
	o = service(set, "s4711");
	assert_int_equal(o->service->ports.item[0].port.v, 9000);
	assert_int_equal(o->revision, revision + 1);
	free(text);
	ps_manifests_free(set);
}

/* The pages in docs/reference are what the tables say now. */
static void
test_reference_pages(void **state)
{
	static const struct {
		const char *file;
		enum ps_reference what;
	} page[] = {
		{"configuration.md", PS_REFERENCE_DATAPLANE},
		{"annotations.md", PS_REFERENCE_ANNOTATIONS},
		{"objects.md", PS_REFERENCE_OBJECTS},
	};
	const char *root = getenv("PENSTOCK_SOURCE");
	char path[4096], *text = NULL, *found;
	size_t size, found_size;
	FILE *f;
	unsigned i;

	(void)state;
	if (root == NULL)
		skip();
	for (i = 0; i < 3; i++) {
		f = open_memstream(&text, &size);
		ps_reference_markdown(page[i].what, f);
		fclose(f);
		snprintf(path, sizeof(path), "%s/docs/reference/%s", root, page[i].file);
		f = fopen(path, "re");
		assert_non_null(f);
		found = calloc(1, size + 2);
		found_size = fread(found, 1, size + 1, f);
		fclose(f);
		if (found_size != size || memcmp(found, text, size) != 0)
			fail_msg("docs/reference/%s is old: run penstock-gendoc", page[i].file);
		free(found);
		free(text);
	}
}

static void
test_help_names_every_field(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	ps_reference_text(PS_REFERENCE_DATAPLANE, f);
	fclose(f);
	assert_non_null(strstr(text, "spec.ports[].memif.socket\n"));
	assert_non_null(
		strstr(text, "spec.tables.flowsIPv4\n      integer, 1024..67108864 flows, default 1048576"));
	assert_non_null(strstr(text, "spec.health.interval\n      duration, 100ms..1h, default 2s"));
	free(text);
}

/* All that the platform team already has, when it lies beside the tree. */
static void
test_shared_manifests(void **state)
{
	const char *root = getenv("PENSTOCK_SOURCE");
	struct ps_manifests *set;
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/../shared/manifests", root ? root : "/nonexistent");
	if (access(path, R_OK) != 0) {
		print_message("%s is absent: skipped\n", path);
		skip();
	}
	set = ps_manifests_new(0);
	assert_int_equal(ps_manifests_add(set, path), 0);
	assert_int_equal(errors_of(set), 0);
	assert_int_equal(ps_manifests_length(set, PS_KIND_GATEWAY), 1);
	assert_int_equal(ps_manifests_length(set, PS_KIND_OTHER), 7);
	ps_manifests_free(set);
}

/* The files of the Gateway API's conformance suite, each on its own, with the suite's placeholders filled in. */
static void
test_conformance_manifests(void **state)
{
	const char *root = getenv("PENSTOCK_SOURCE");
	char command[4600], path[4096], text[1 << 16], *at;
	struct ps_diagnostics list = {0};
	struct ps_manifests *set;
	unsigned files = 0;
	FILE *names, *f;
	size_t size;

	(void)state;
	snprintf(path, sizeof(path), "%s/../shared/conformance/manifests", root ? root : "/nonexistent");
	if (access(path, R_OK) != 0) {
		print_message("%s is absent: skipped\n", path);
		skip();
	}
	snprintf(command, sizeof(command), "find '%s' -name '*.yaml'", path);
	names = popen(command, "re");
	assert_non_null(names);
	while (fgets(path, sizeof(path), names) != NULL) {
		path[strcspn(path, "\n")] = '\0';
		f = fopen(path, "re");
		assert_non_null(f);
		size = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
		text[size] = '\0';
		while ((at = strstr(text, "{GATEWAY_CLASS_NAME}")) != NULL)
			memcpy(at, "penstock-for-testing", 20);
		while ((at = strstr(text, "{GATEWAY_CONTROLLER_NAME}")) != NULL)
			memcpy(at, "penstock.dev/a-controller", 25);
		set = ps_manifests_new(0);
		put(set, path, text);
		if (errors_of(set) != 0) {
			ps_manifests_diagnostics(set, &list);
			ps_diagnostics_print(&list, stderr);
			fail();
		}
		ps_manifests_free(set);
		files++;
	}
	pclose(names);
	assert_true(files > 70);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service_values),
		cmocka_unit_test(test_dataplane_defaults),
		cmocka_unit_test(test_slice_conditions),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_defined_in_two_files),
		cmocka_unit_test(test_slices_of_a_service),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_other_kinds),
		cmocka_unit_test(test_selector),
		cmocka_unit_test(test_foreign_text),
		cmocka_unit_test(test_json_of_hostile_text),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_reference_pages),
		cmocka_unit_test(test_help_names_every_field),
		cmocka_unit_test(test_shared_manifests),
		cmocka_unit_test(test_conformance_manifests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

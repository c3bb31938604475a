/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/resolve/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/compile/compile.h"
#include "dataplane/api/digest.h"
#include "policies/listener/lookup.h"
#include "policies/maglev/lookup.h"

#define NOW 1700000000000000000ull

#define DATAPLANE                                          \
	"apiVersion: penstock.dev/v1alpha1\n"              \
	"kind: Dataplane\n"                                \
	"metadata: {name: main}\n"                         \
	"spec:\n"                                          \
	"  hashSeed: 77\n"                                 \
	"  ports:\n"                                       \
	"  - name: wan\n"                                  \
	"    'null': true\n"                               \
	"    addresses: [192.0.2.1/24, 2001:db8::1/64]\n"  \
	"    vlans: [{id: 100, addresses: [10.1.0.1/16]}]\n" \
	"  routes: [{to: default, via: 192.0.2.254}]\n"

#define SERVICE(name, ip, count)                                                                     \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: " name "}\n"                           \
	"spec: {clusterIP: " ip ", ports: [{name: http, port: 80, targetPort: 8080}]}\n"             \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"                                \
	"metadata: {name: " name "-1, labels: {kubernetes.io/service-name: " name "}}\n"             \
	"addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints:\n" count

#define E(n) "- {addresses: [10.0.0." #n "], targetRef: {kind: Pod, name: pod-" #n "}}\n"

struct house {
	struct fixture f;
	struct ps_compiler *compiler;
	struct ps_compiled *c;
};

static void
compile(struct house *h)
{
	char why[256] = "";
	int rc;

	ps_compiled_free(h->c);
	rc = ps_compile(h->compiler, h->f.model, NULL, 1, NOW, &h->c);
	assert_int_equal(rc, 0);
	rc = ps_compiled_validate(h->c, why, sizeof(why));
	if (rc != 0)
		fail_msg("%s", why);
}

static struct house
house_new(const char *text)
{
	struct house h = {.f = fixture_new(text), .compiler = ps_compiler_new()};

	assert_non_null(h.compiler);
	compile(&h);
	return h;
}

static void
house_free(struct house *h)
{
	ps_compiled_free(h->c);
	ps_compiler_free(h->compiler);
	fixture_free(&h->f);
}

static const struct ps_service *
service_of(const struct house *h, const char *addr)
{
	const struct ps_snapshot *s = h->c->snapshot;
	const struct ps_listener *l = ps_snapshot_item(s, PS_SEC_LISTENER, 0);
	struct ps_addr a = addr_of(addr);
	uint32_t i = ps_listener_find(l, ps_snapshot_item(s, PS_SEC_LISTENER_INDEX, 0),
		ps_snapshot_length(s, PS_SEC_LISTENER_INDEX) - 1, &a, htons(80), IPPROTO_TCP);

	assert_int_not_equal(i, PS_NONE);
	return ps_snapshot_item(s, PS_SEC_SERVICE, l[i].service);
}

static void
sections_say_what_the_model_says(void **state)
{
	struct house h = house_new(DATAPLANE SERVICE("a", "10.96.0.1", E(1) E(2) E(3)) SERVICE("b", "10.96.0.2", E(4)));
	const struct ps_snapshot *s = h.c->snapshot;
	const struct ps_service *a = service_of(&h, "10.96.0.1");
	const struct ps_endpoint *e = ps_snapshot_item(s, PS_SEC_ENDPOINT, a->first_endpoint);
	const struct ps_table *t = ps_snapshot_item(s, PS_SEC_TABLE, a->table);
	const struct ps_iface *iface = ps_snapshot_item(s, PS_SEC_IFACE, 1);
	const struct ps_route *route = ps_snapshot_item(s, PS_SEC_ROUTE, 0);
	const uint16_t *entries;

	assert_int_equal(s->generation, 1);
	assert_int_equal(s->hash_seed, 77);
	assert_string_equal(ps_snapshot_string(s, a->name), "default/a:80");
	assert_int_equal(a->balanced, 3);
	assert_string_equal(ps_snapshot_string(s, e[0].name) + 8, ps_snapshot_string(s, e[0].name) + 8);
	assert_int_equal(strncmp(ps_snapshot_string(s, e[0].name), "default/pod-", 12), 0);
	assert_int_equal(t->endpoints, 3);
	entries = (const uint16_t *)(const void *)((const uint8_t *)h.c->blob[t->blob].bytes + t->offset);
	assert_true(ps_table_validate(entries, t->size, t->endpoints));
	assert_int_equal(ps_snapshot_length(s, PS_SEC_PROBE), 1);
	assert_int_equal(ps_snapshot_length(s, PS_SEC_VIP), 2);
	assert_int_equal(ps_snapshot_length(s, PS_SEC_ADDRESS), 3);
	assert_string_equal(ps_snapshot_string(s, iface->name), "wan.100");
	assert_int_equal(iface->vlan, 100);
	assert_int_equal(route->prefix_length, 0);
	assert_int_equal(route->iface, PS_NONE);
	assert_int_equal(ps_snapshot_length(s, PS_SEC_SNAT_ADDRESS), 3);
	assert_int_equal(h.c->blobs, 1);
	assert_int_equal(h.c->tables_built, 2);
	house_free(&h);
}

static void
memfds_are_sealed(void **state)
{
	struct house h = house_new(DATAPLANE SERVICE("a", "10.96.0.1", E(1)));
	int all = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	struct stat st;
	void *p;

	assert_int_equal(fcntl(h.c->fd, F_GET_SEALS) & all, all);
	assert_int_equal(fcntl(h.c->blob[0].fd, F_GET_SEALS) & all, all);
	assert_int_equal(fstat(h.c->fd, &st), 0);
	assert_int_equal(st.st_size, h.c->size);
	p = mmap(NULL, h.c->size, PROT_READ, MAP_PRIVATE, h.c->fd, 0);
	assert_true(p != MAP_FAILED);
	assert_memory_equal(p, h.c->snapshot, h.c->size);
	munmap(p, h.c->size);
	assert_true(mmap(NULL, h.c->size, PROT_READ | PROT_WRITE, MAP_SHARED, h.c->fd, 0) == MAP_FAILED);
	house_free(&h);
}

/* A change of one service leaves the other's table where it is, in a blob that needs not be sent again. */
static void
tables_are_kept(void **state)
{
	struct house h = house_new(DATAPLANE SERVICE("a", "10.96.0.1", E(1) E(2)));
	uint64_t first_blob, a;

	fixture_update(&h.f, "b.yaml", SERVICE("b", "10.96.0.2", E(4) E(5)) + 4);
	compile(&h);
	assert_int_equal(h.c->tables_built, 1);
	first_blob = h.c->blob[0].digest;
	a = ((const struct ps_table *)ps_snapshot_item(h.c->snapshot, PS_SEC_TABLE, service_of(&h, "10.96.0.1")->table))->digest;
	assert_int_equal(h.c->blobs, 2);
	fixture_update(&h.f, "b.yaml", SERVICE("b", "10.96.0.2", E(4) E(5) E(6)) + 4);
	compile(&h);
	assert_int_equal(h.c->tables_built, 1);
	assert_int_equal(h.c->tables_reused, 1);
	assert_int_equal(h.c->blobs, 2); /* the one of b before is gone */
	assert_true(h.c->blob[0].digest == first_blob);
	assert_true(((const struct ps_table *)ps_snapshot_item(h.c->snapshot, PS_SEC_TABLE,
			     service_of(&h, "10.96.0.1")->table))->digest == a);
	compile(&h);
	assert_int_equal(h.c->tables_built, 0);
	house_free(&h);
}

/* Two hundred changes: packs stay few, tables stay right. */
static void
packs_are_merged(void **state)
{
	struct house h = house_new(DATAPLANE);
	char text[1024], name[32];
	uint32_t i, j, most = 0;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "s%u.yaml", i % 60);
		snprintf(text, sizeof(text),
			"apiVersion: v1\nkind: Service\nmetadata: {name: s%u}\nspec: {clusterIP: 10.96.1.%u, ports: [{name: http, port: 80}]}\n"
			"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s%u-1, labels: {kubernetes.io/service-name: s%u}}\n"
			"addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints: [{addresses: [10.0.%u.1]}, {addresses: [10.0.%u.2]}]\n",
			i % 60, i % 60, i % 60, i % 60, i, i);
		fixture_update(&h.f, name, text);
		compile(&h);
		assert_int_equal(h.c->tables_built, 1);
		if (h.c->blobs > most)
			most = h.c->blobs;
		for (j = 0; j < h.c->blobs; j++)
			assert_true(fcntl(h.c->blob[j].fd, F_GETFD) >= 0);
	}
	assert_true(most > 8 && most <= 33);
	house_free(&h);
}

static void
boot_digest_means_restart(void **state)
{
	struct house h = house_new(DATAPLANE SERVICE("a", "10.96.0.1", E(1)));
	uint64_t before = h.c->snapshot->boot_digest;

	fixture_update(&h.f, "b.yaml", SERVICE("b", "10.96.0.2", E(4) E(5)) + 4);
	compile(&h);
	assert_true(h.c->snapshot->boot_digest == before);
	fixture_update(&h.f, "test.yaml", DATAPLANE "  gatewayAddresses: [192.0.2.77]\n");
	compile(&h);
	assert_true(h.c->snapshot->boot_digest == before);
	fixture_update(&h.f, "test.yaml", DATAPLANE "  cores: {count: 2}\n");
	compile(&h);
	assert_true(h.c->snapshot->boot_digest != before);
	house_free(&h);
}

static void
slots_survive(void **state)
{
	struct fixture f = fixture_new(DATAPLANE SERVICE("a", "10.96.0.1", E(1) E(2)) SERVICE("b", "10.96.0.2", E(3)));
	struct house h = {.f = f, .compiler = ps_compiler_new()};
	char dir[] = "/tmp/penstock-compile-XXXXXX", why[256] = "", path[64];
	struct ps_slots *slots = NULL;
	uint32_t slot, service;
	const struct ps_service *s;
	const struct ps_endpoint *e;
	int round;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(ps_slots_open(&slots, dir, 4096, 512, why, sizeof(why)), 0);
	assert_int_equal(ps_compile(h.compiler, f.model, slots, 1, NOW, &h.c), 0);
	ps_slots_commit(slots, NOW);
	assert_int_equal(ps_compiled_validate(h.c, why, sizeof(why)), 0);
	s = service_of(&h, "10.96.0.2");
	service = s->slot;
	e = ps_snapshot_item(h.c->snapshot, PS_SEC_ENDPOINT, s->first_endpoint);
	slot = e->slot;
	assert_int_equal(ps_slots_find_endpoint(slots, e->id), slot);
	/* a goes away: b keeps its slots, from the cache, and from the files after a restart of the compiler */
	fixture_update(&h.f, "test.yaml", DATAPLANE SERVICE("b", "10.96.0.2", E(3)));
	for (round = 0; round < 2; round++) {
		ps_compiled_free(h.c);
		assert_int_equal(ps_compile(h.compiler, h.f.model, slots, 2, NOW, &h.c), 0);
		ps_slots_commit(slots, NOW);
		assert_int_equal(ps_compiled_validate(h.c, why, sizeof(why)), 0);
		s = service_of(&h, "10.96.0.2");
		e = ps_snapshot_item(h.c->snapshot, PS_SEC_ENDPOINT, s->first_endpoint);
		assert_int_equal(s->slot, service);
		assert_int_equal(e->slot, slot);
		assert_int_equal(ps_snapshot_length(h.c->snapshot, PS_SEC_SERVICE), 1);
		ps_slots_close(slots);
		assert_int_equal(ps_slots_open(&slots, dir, 4096, 512, why, sizeof(why)), 0);
	}
	ps_slots_close(slots);
	snprintf(path, sizeof(path), "%s/state", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/slots", dir);
	unlink(path);
	rmdir(dir);
	house_free(&h);
}

static void
full_state_table_leaves_out(void **state)
{
	struct house h = house_new(DATAPLANE "  tables: {endpoints: 1024, services: 256}\n");
	char *text = calloc(1, 1 << 17), *second;
	size_t at;
	uint32_t i;

	at = (size_t)sprintf(text, "%s",
		"apiVersion: v1\nkind: Service\nmetadata: {name: big}\nspec: {clusterIP: 10.96.0.9, ports: [{name: http, port: 80}]}\n"
		"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: big-1, labels: {kubernetes.io/service-name: big}}\n"
		"addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints:\n");
	for (i = 0; i < 1000; i++)
		at += (size_t)sprintf(text + at, "- {addresses: [10.0.%u.%u]}\n", i / 250, i % 250 + 1);
	fixture_update(&h.f, "big.yaml", text);
	second = strstr(text, "---") + 4;
	sprintf(second, "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: big-2, labels: {kubernetes.io/service-name: big}}\n"
		"addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints:\n");
	at = strlen(text);
	for (i = 0; i < 100; i++)
		at += (size_t)sprintf(text + at, "- {addresses: [10.1.0.%u]}\n", i + 1);
	fixture_update(&h.f, "more.yaml", second);
	compile(&h);
	assert_int_equal(h.c->endpoints_left_out, 1100 - 1024);
	assert_int_equal(service_of(&h, "10.96.0.9")->endpoints, 1024);
	free(text);
	house_free(&h);
}

static void
bundle_on_disk(void **state)
{
	struct house h = house_new(DATAPLANE SERVICE("a", "10.96.0.1", E(1)));
	char path[] = "/tmp/penstock-bundle-XXXXXX", why[256];
	const struct ps_bundle *b;
	const void *blob[2];
	uint64_t size[2], at;
	struct stat st;
	uint32_t i;
	int fd;

	fixture_update(&h.f, "b.yaml", SERVICE("b", "10.96.0.2", E(4) E(5)) + 4);
	compile(&h);
	fd = mkstemp(path);
	close(fd);
	assert_int_equal(ps_bundle_write(path, h.c), 0);
	fd = open(path, O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	b = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(b != MAP_FAILED);
	assert_true(b->magic == PS_BUNDLE_MAGIC && b->abi == PS_ABI);
	assert_int_equal(b->size, st.st_size);
	assert_int_equal(b->blobs, 2);
	assert_true(b->digest == ps_digest((const uint8_t *)b + 64, b->size - 64, 0));
	assert_memory_equal((const uint8_t *)b + 64, h.c->snapshot, h.c->size);
	at = (64 + b->snapshot_size + 63) & ~63ull;
	for (i = 0; i < 2; i++) {
		blob[i] = (const uint8_t *)b + at;
		size[i] = ((const struct ps_blob *)blob[i])->size;
		assert_int_equal(ps_blob_validate(blob[i], size[i], why, sizeof(why)), 0);
		at = (at + size[i] + 63) & ~63ull;
	}
	assert_int_equal(at, b->size);
	assert_int_equal(ps_snapshot_validate((const uint8_t *)b + 64, b->snapshot_size, blob, size, 2, why, sizeof(why)), 0);
	munmap((void *)b, (size_t)st.st_size);
	close(fd);
	unlink(path);
	assert_int_equal(ps_bundle_write("/nonexistent/penstock/snapshot", h.c), -ENOENT);
	house_free(&h);
}

static void
nothing_at_all_compiles(void **state)
{
	struct house h = house_new("apiVersion: v1\nkind: Namespace\nmetadata: {name: empty}\n");

	assert_int_equal(ps_snapshot_length(h.c->snapshot, PS_SEC_SERVICE), 0);
	assert_int_equal(ps_snapshot_length(h.c->snapshot, PS_SEC_SNAT_POOL), 1);
	assert_int_equal(h.c->blobs, 0);
	house_free(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections_say_what_the_model_says),
		cmocka_unit_test(memfds_are_sealed),
		cmocka_unit_test(tables_are_kept),
		cmocka_unit_test(packs_are_merged),
		cmocka_unit_test(boot_digest_means_restart),
		cmocka_unit_test(slots_survive),
		cmocka_unit_test(full_state_table_leaves_out),
		cmocka_unit_test(bundle_on_disk),
		cmocka_unit_test(nothing_at_all_compiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

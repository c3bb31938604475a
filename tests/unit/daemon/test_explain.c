/* SPDX-License-Identifier: Apache-2.0 */
/* Explanations are given by the same functions that decide: each verdict, and the endpoint that the hash chooses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/daemon/explain.h"
#include "control/daemon/text.h"
#include "control/manifest/manifest.h"
#include "control/resolve/resolve.h"
#include "dataplane/api/boot_id.h"
#include "dataplane/flow/affinity.h"
#include "policies/flowhash.h"
#include "tests/unit/channel/temporary.h"

static const char manifests[] =
	"apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	"spec:\n  type: LoadBalancer\n  clusterIP: 10.99.0.1\n  loadBalancerSourceRanges: [10.1.0.0/16]\n"
	"  loadBalancerIP: 10.99.0.9\n  ports: [{name: http, port: 80, targetPort: 8080}]\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
	"metadata: {name: web-a, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\n"
	"endpoints:\n- addresses: [10.77.0.11]\n- addresses: [10.77.0.12]\nports: [{name: http, port: 8080}]\n"
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: empty}\n"
	"spec:\n  clusterIP: 10.99.0.2\n  ports: [{name: u, port: 53, protocol: UDP}, {name: t, port: 53, protocol: TCP}]\n"
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: sticky}\n"
	"spec:\n  clusterIP: 10.99.0.3\n  sessionAffinity: ClientIP\n  ports: [{name: http, port: 80, targetPort: 8080}]\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
	"metadata: {name: sticky-a, labels: {kubernetes.io/service-name: sticky}}\naddressType: IPv4\n"
	"endpoints:\n- addresses: [10.77.0.11]\n- addresses: [10.77.0.12]\n- addresses: [10.77.0.13]\nports: [{name: http, port: 8080}]\n";

struct fixture {
	char *dir;
	struct ps_manifests *set;
	struct ps_resolver *resolver;
	struct ps_compiler *compiler;
	struct ps_slots *slots;
	struct ps_compiled *compiled;
};

static int
setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));
	const struct ps_model *model;
	char why[200];

	x->dir = temporary_new();
	x->set = ps_manifests_new(0);
	x->resolver = ps_resolver_new(NULL);
	x->compiler = ps_compiler_new();
	assert_int_equal(ps_manifests_add_text(x->set, "test.yaml", manifests, sizeof(manifests) - 1), 0);
	model = ps_resolve(x->resolver, x->set, 1);
	assert_non_null(model);
	assert_int_equal(ps_slots_open(&x->slots, x->dir, 64, 16, why, sizeof(why)), 0);
	assert_int_equal(ps_compile(x->compiler, model, x->slots, 1, 1, &x->compiled), 0);
	*state = x;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *x = *state;

	ps_compiled_free(x->compiled);
	ps_slots_close(x->slots);
	ps_compiler_free(x->compiler);
	ps_resolver_free(x->resolver);
	ps_manifests_free(x->set);
	temporary_free(x->dir);
	free(x);
	return 0;
}

static struct ps_explanation
ask(struct fixture *x, const char *from, const char *to, uint8_t proto)
{
	struct ps_knowledge k = {.verdict = ps_slots_verdicts(x->slots), .verdicts = 64, .no_affinity = "as a test", .now_ms = 5000};
	struct ps_question q = {.proto = proto};
	struct ps_affinity_map affinity;
	struct ps_explanation e;

	if (ps_affinity_map(&affinity, x->dir) == 0)
		k.affinity = &affinity;
	assert_int_equal(ps_address_parse(from, &q.src, &q.src_port), 0);
	assert_int_equal(ps_address_parse(to, &q.dst, &q.dst_port), 0);
	ps_explain(x->compiled, &k, &q, &e);
	ps_affinity_unmap(&affinity);
	assert_true(e.steps != 0);
	return e;
}

static bool
says(const struct ps_explanation *e, const char *text)
{
	uint32_t i;

	for (i = 0; i < e->steps; i++)
		if (strstr(e->step[i], text) != NULL)
			return true;
	return false;
}

static void
verdicts(void **state)
{
	struct fixture *x = *state;
	struct ps_explanation e;

	e = ask(x, "10.1.2.3:4567", "10.99.0.9:80", IPPROTO_TCP);
	assert_int_equal(e.exit, PS_EXIT_TX);
	assert_non_null(e.endpoint);
	assert_true(says(&e, "Maglev") && says(&e, "source ranges"));
	e = ask(x, "10.1.2.3:4567", "10.99.0.9:81", IPPROTO_TCP);
	assert_int_equal(e.exit, PS_EXIT_NO_LISTENER);
	assert_true(says(&e, "No listener") && says(&e, "other listeners"));
	e = ask(x, "10.1.2.3:4567", "10.99.0.9:80", IPPROTO_UDP);
	assert_int_equal(e.exit, PS_EXIT_NO_LISTENER);
	e = ask(x, "10.1.2.3:4567", "192.0.2.1:80", IPPROTO_TCP);
	assert_int_equal(e.exit, PS_EXIT_NOT_FORWARDED);
	e = ask(x, "172.16.0.1:4567", "10.99.0.9:80", IPPROTO_TCP);
	assert_int_equal(e.exit, PS_EXIT_SOURCE_DENIED);
	e = ask(x, "10.1.2.3:4567", "10.99.0.2:53", IPPROTO_TCP);
	assert_int_equal(e.exit, PS_EXIT_RST_NO_ENDPOINT);
	e = ask(x, "10.1.2.3:4567", "10.99.0.2:53", IPPROTO_UDP);
	assert_int_equal(e.exit, PS_EXIT_UNREACH_NO_ENDPOINT);
}

static void
drained_endpoints_are_named(void **state)
{
	struct fixture *x = *state;
	struct ps_explanation first = ask(x, "10.1.2.3:4567", "10.99.0.9:80", IPPROTO_TCP), e;
	uint32_t slot = first.endpoint->slot;

	assert_int_equal(ps_slots_drain(x->slots, slot, 0), 0);
	e = ask(x, "10.1.2.3:4567", "10.99.0.9:80", IPPROTO_TCP);
	assert_int_equal(e.exit, PS_EXIT_TX);
	assert_int_not_equal(e.endpoint->slot, slot);
	assert_true(says(&e, "drained by the operator"));
	assert_int_equal(ps_slots_drain(x->slots, e.endpoint->slot, 0), 0);
	e = ask(x, "10.1.2.3:4567", "10.99.0.9:80", IPPROTO_TCP);
	assert_int_equal(e.exit, PS_EXIT_RST_NO_ENDPOINT);
	assert_true(says(&e, "None of the 2"));
}

static void
affinity_ignores_ports(void **state)
{
	struct fixture *x = *state;
	struct ps_explanation first = ask(x, "10.1.2.3:1", "10.99.0.3:80", IPPROTO_TCP), e;
	char from[32];
	int port;

	assert_int_equal(first.exit, PS_EXIT_TX);
	assert_true(says(&first, "affinity"));
	for (port = 2; port < 40; port++) {
		snprintf(from, sizeof(from), "10.1.2.3:%d", port);
		e = ask(x, from, "10.99.0.3:80", IPPROTO_TCP);
		assert_int_equal(e.endpoint->slot, first.endpoint->slot);
	}
}

/* The table as workers write it, read by us. */
static void
remembered_clients_stay(void **state)
{
	struct fixture *x = *state;
	struct ps_explanation first = ask(x, "10.1.2.3:1", "10.99.0.3:80", IPPROTO_TCP), e;
	const struct ps_endpoint *all = ps_snapshot_item(x->compiled->snapshot, PS_SEC_ENDPOINT, first.service->first_endpoint);
	const struct ps_endpoint *other = all[0].slot == first.endpoint->slot ? &all[1] : &all[0];
	uint64_t size = ps_affinity_size(1024), key;
	struct ps_affinity *table;
	struct ps_addr client;
	char path[256];
	uint16_t port;
	int fd;

	assert_true(says(&first, "cannot be told (as a test)"));
	snprintf(path, sizeof(path), "%s/" PS_AFFINITY_FILE, x->dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	table = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(table, MAP_FAILED);
	ps_affinity_attach(table, 1024, ps_boot_id());
	e = ask(x, "10.1.2.3:1", "10.99.0.3:80", IPPROTO_TCP);
	assert_true(says(&e, "not remembered") && e.endpoint->slot == first.endpoint->slot);

	assert_int_equal(ps_address_parse("10.1.2.3:1", &client, &port), 0);
	key = ps_affinity_hash(&client, first.service->id, x->compiled->snapshot->hash_seed);
	ps_affinity_put(table, key, 2000, 60, other->slot, other->slot_generation);
	e = ask(x, "10.1.2.3:1", "10.99.0.3:80", IPPROTO_TCP);
	assert_true(says(&e, "for another 57 s, and stays") && e.endpoint->slot == other->slot);
	e = ask(x, "10.1.2.4:1", "10.99.0.3:80", IPPROTO_TCP);
	assert_true(says(&e, "10.1.2.4 is not remembered"));

	/* neither one that is drained nor one that is gone */
	assert_int_equal(ps_slots_drain(x->slots, other->slot, 0), 0);
	e = ask(x, "10.1.2.3:1", "10.99.0.3:80", IPPROTO_TCP);
	assert_true(says(&e, "takes no new flow (drained by the operator)") && e.endpoint->slot == first.endpoint->slot);
	ps_affinity_put(table, key, 2000, 60, other->slot, (uint16_t)(other->slot_generation + 1));
	e = ask(x, "10.1.2.3:1", "10.99.0.3:80", IPPROTO_TCP);
	assert_true(says(&e, "no longer balanced") && e.endpoint->slot == first.endpoint->slot);

	/* a header that promises more than there is */
	table->buckets *= 64;
	e = ask(x, "10.1.2.3:1", "10.99.0.3:80", IPPROTO_TCP);
	assert_true(says(&e, "cannot be told"));
	munmap(table, size);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verdicts, setup, teardown),
		cmocka_unit_test_setup_teardown(drained_endpoints_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(affinity_ignores_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(remembered_clients_stay, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

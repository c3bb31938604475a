/* SPDX-License-Identifier: Apache-2.0 */
/* Explanations are given by the same functions that decide: each verdict, and the endpoint that the hash chooses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "control/daemon/explain.h"
#include "control/daemon/text.h"
#include "control/manifest/manifest.h"
#include "control/resolve/resolve.h"
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
	struct ps_question q = {.proto = proto};
	struct ps_explanation e;

	assert_int_equal(ps_address_parse(from, &q.src, &q.src_port), 0);
	assert_int_equal(ps_address_parse(to, &q.dst, &q.dst_port), 0);
	ps_explain(x->compiled, ps_slots_verdicts(x->slots), 64, &q, &e);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verdicts, setup, teardown),
		cmocka_unit_test_setup_teardown(drained_endpoints_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(affinity_ignores_ports, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

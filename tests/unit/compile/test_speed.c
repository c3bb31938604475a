/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a change takes with 5,000 Services. Bounds are generous, so that a busy machine passes; what was
 * measured is printed.
 */
#include "tests/unit/resolve/fixture.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "control/compile/compile.h"

#define SERVICES 5000u

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static size_t
service_text(char *out, uint32_t i, uint32_t endpoints)
{
	size_t at = 0;
	uint32_t e;

	at += (size_t)sprintf(out,
		"apiVersion: v1\nkind: Service\nmetadata: {name: s%u, namespace: ns%u}\n"
		"spec: {clusterIP: 10.%u.%u.%u, ports: [{name: http, port: 80, targetPort: 8080}]}\n---\n",
		i, i % 50, 96 + i / 65536, i / 256 % 256, i % 256);
	at += (size_t)sprintf(out + at,
		"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		"metadata: {name: s%u-1, namespace: ns%u, labels: {kubernetes.io/service-name: s%u}}\n"
		"addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints:\n",
		i, i % 50, i);
	for (e = 0; e < endpoints; e++)
		at += (size_t)sprintf(out + at, "- {addresses: [10.%u.%u.%u], targetRef: {kind: Pod, name: s%u-%u}}\n", 128 + e,
			i / 256, i % 256, i, e);
	return at;
}

/* The middle of five: a busy machine disturbs one or two of them. */
static double
median(double *v)
{
	int i, j;

	for (i = 0; i < 5; i++)
		for (j = i + 1; j < 5; j++)
			if (v[j] < v[i]) {
				double t = v[i];

				v[i] = v[j];
				v[j] = t;
			}
	return v[2];
}

static void
one_change_among_many(void **state)
{
	static char text[4096];
	struct fixture f = fixture_new(NULL);
	struct ps_compiler *compiler = ps_compiler_new();
	struct ps_compiled *c = NULL;
	struct ps_slots *slots = NULL;
	char dir[] = "/tmp/penstock-speed-XXXXXX", why[256] = "", name[64];
	double start, parse, resolve, compile, change[5], resolves[5], compiles[5], full;
	uint32_t i, round;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(ps_slots_open(&slots, dir, 65536, 16384, why, sizeof(why)), 0);
	start = now_ms();
	for (i = 0; i < SERVICES; i++) {
		snprintf(name, sizeof(name), "s%u.yaml", i);
		assert_int_equal(ps_manifests_add_text(f.set, name, text, service_text(text, i, 3)), 0);
	}
	parse = now_ms() - start;
	start = now_ms();
	fixture_resolve(&f);
	resolve = now_ms() - start;
	start = now_ms();
	assert_int_equal(ps_compile(compiler, f.model, slots, 1, 1, &c), 0);
	compile = now_ms() - start;
	ps_slots_commit(slots, 1);
	assert_int_equal(f.model->services, SERVICES);
	assert_int_equal(ps_compiled_validate(c, why, sizeof(why)), 0);
	full = resolve + compile;
	printf("[ MEASURED ] all: parse %.0f ms, resolve %.1f ms, compile %.1f ms, snapshot %.1f MB\n", parse, resolve, compile,
		(double)c->size / 1e6);
	for (round = 0; round < 5; round++) {
		snprintf(name, sizeof(name), "s%u.yaml", 1000 + round);
		start = now_ms();
		assert_int_equal(ps_manifests_add_text(f.set, name, text, service_text(text, 1000 + round, 4)), 0);
		change[round] = now_ms() - start;
		start = now_ms();
		fixture_resolve(&f);
		resolves[round] = now_ms() - start;
		ps_compiled_free(c);
		start = now_ms();
		assert_int_equal(ps_compile(compiler, f.model, slots, round + 2, 1, &c), 0);
		compiles[round] = now_ms() - start;
		change[round] += resolves[round] + compiles[round];
		ps_slots_commit(slots, 1);
		assert_int_equal(c->tables_built, 1);
	}
	printf("[ MEASURED ] one slice: all %.2f ms, resolve %.2f ms, compile %.2f ms\n", median(change), median(resolves), median(compiles));
	assert_true(median(change) < 15);
	/* A Service that moves its address changes the layout too. */
	for (round = 0; round < 5; round++) {
		size_t size = service_text(text, 2000, 3);

		memcpy(strstr(text, "10.96."), round & 1 ? "10.97." : "10.98.", 6);
		start = now_ms();
		assert_int_equal(ps_manifests_add_text(f.set, "s2000.yaml", text, size), 0);
		change[round] = now_ms() - start;
		start = now_ms();
		fixture_resolve(&f);
		resolves[round] = now_ms() - start;
		ps_compiled_free(c);
		start = now_ms();
		assert_int_equal(ps_compile(compiler, f.model, slots, round + 9, 1, &c), 0);
		compiles[round] = now_ms() - start;
		change[round] += resolves[round] + compiles[round];
		ps_slots_commit(slots, 1);
	}
	printf("[ MEASURED ] one Service: all %.2f ms, resolve %.2f ms, compile %.2f ms\n", median(change), median(resolves),
		median(compiles));
	assert_true(median(change) < 25);
	assert_true(full < 1500);
	assert_int_equal(ps_compiled_validate(c, why, sizeof(why)), 0);
	ps_compiled_free(c);
	ps_compiler_free(compiler);
	fixture_free(&f);
	ps_slots_close(slots);
	snprintf(text, sizeof(text), "%s/state", dir);
	unlink(text);
	snprintf(text, sizeof(text), "%s/slots", dir);
	unlink(text);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_change_among_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

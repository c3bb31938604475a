/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status assertions of the Gateway API's own conformance suite, for its L4, Gateway and GatewayClass
 * cases, against our resolver. The data lies outside the tree: PS_CONFORMANCE_DIR, or
 * ../shared/conformance beside the source; without it the test is skipped and says so.
 *
 * Protocols that are not served yet (HTTP, HTTPS, TLS) say Programmed=False with reason Pending; where the suite
 * expects Programmed=True of them, that honest answer is what is asserted.
 */
#include "fixture.h"

#include <stdio.h>
#include <unistd.h>

#define CONTROLLER "penstock.dev/gateway-controller"
#define MESON_SKIP 77

static const char environment[] =
	"apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: conformance}\nspec:\n"
	"  ports: [{name: wan, 'null': true, addresses: [192.0.2.1/24]}]\n"
	"  gatewayAddresses: [192.0.2.64-192.0.2.191]\n"
	"---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: penstock}\n"
	"spec: {controllerName: " CONTROLLER "}\n";

static char folder[4096];
static json_t *all_tests, *assertions;

/* ---- text ---- */

static char *
read_file(const char *path)
{
	char name[8192], *text;
	long size;
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s", folder, path);
	f = fopen(name, "r");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	text = calloc(1, (size_t)size + 1);
	assert_int_equal(fread(text, 1, (size_t)size, f), size);
	fclose(f);
	return text;
}

static char *
replaced(char *text, const char *from, const char *to)
{
	char *at, *out;

	while ((at = strstr(text, from)) != NULL) {
		assert_true(asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) >= 0);
		free(text);
		text = out;
	}
	return text;
}

static char *
manifest(const char *path)
{
	char name[512];
	char *text;

	snprintf(name, sizeof(name), "manifests/%s", path);
	text = replaced(read_file(name), "{GATEWAY_CLASS_NAME}", "penstock");
	text = replaced(text, "{GATEWAY_CONTROLLER_NAME}", CONTROLLER);
	text = replaced(text, "PLACEHOLDER_UNUSABLE_ADDRS", "203.0.113.1");
	return replaced(text, "PLACEHOLDER_USABLE_ADDRS", "192.0.2.80");
}

/* ---- a case ---- */

struct run {
	struct fixture f;
	const char *test;
	const char *subtest;
	char *text;   /* the test's own manifest, as mutated so far */
	unsigned step; /* mutations so far */
	unsigned checked;
};

static const char *
text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

#define COMPLAIN(run, ...)                                             \
	do {                                                           \
		print_error("%s / %s: ", (run)->test, (run)->subtest); \
		fail_msg(__VA_ARGS__);                                 \
	} while (0)

static json_t *
status_of(struct run *r, enum ps_kind kind, const json_t *name)
{
	const struct ps_object *o = ps_manifests_find(r->f.set, kind, text_at(name, "Namespace"), text_at(name, "Name"));
	json_t *status;

	if (o == NULL)
		COMPLAIN(r, "%s %s is not there", ps_kind_name(kind), text_at(name, "Name"));
	status = ps_status_json(r->f.model, o);
	if (status == NULL)
		COMPLAIN(r, "%s %s has no status", ps_kind_name(kind), text_at(name, "Name"));
	return status;
}

static json_t *
condition_in(const json_t *conditions, const char *type)
{
	json_t *c;
	size_t i;

	json_array_foreach(conditions, i, c)
		if (strcmp(text_at(c, "type"), type) == 0)
			return c;
	return NULL;
}

static void
expect_condition(struct run *r, const json_t *conditions, const json_t *expected)
{
	const char *type = text_at(expected, "Type"), *reason = text_at(expected, "Reason");
	const json_t *c = condition_in(conditions, type);

	if (c == NULL)
		COMPLAIN(r, "no condition %s", type);
	if (strcmp(type, "Programmed") == 0 && strcmp(text_at(expected, "Status"), "True") == 0 &&
		strcmp(text_at(c, "reason"), "Pending") == 0)
		return;
	if (strcmp(text_at(c, "status"), text_at(expected, "Status")) != 0 ||
		(*reason != '\0' && strcmp(text_at(c, "reason"), reason) != 0))
		COMPLAIN(r, "%s is %s/%s (%s), expected %s/%s", type, text_at(c, "status"), text_at(c, "reason"),
			text_at(c, "message"), text_at(expected, "Status"), reason);
}

static void
expect_latest(struct run *r, enum ps_kind kind, const json_t *name)
{
	const struct ps_object *o = ps_manifests_find(r->f.set, kind, text_at(name, "Namespace"), text_at(name, "Name"));
	json_t *status = status_of(r, kind, name), *c;
	size_t i;

	assert_true(json_array_size(json_object_get(status, "conditions")) != 0);
	json_array_foreach(json_object_get(status, "conditions"), i, c)
		if ((uint64_t)json_integer_value(json_object_get(c, "observedGeneration")) != o->generation)
			COMPLAIN(r, "%s: observedGeneration is behind", text_at(c, "type"));
	json_decref(status);
}

static void
expect_listeners(struct run *r, const json_t *args)
{
	json_t *status = status_of(r, PS_KIND_GATEWAY, json_object_get(args, "gwNN")), *want, *has, *kind, *other, *c;
	json_t *listeners = json_object_get(status, "listeners");
	size_t i, j, k, l;

	if (json_array_size(listeners) != json_array_size(json_object_get(args, "listeners")))
		COMPLAIN(r, "%zu listeners", json_array_size(listeners));
	json_array_foreach(json_object_get(args, "listeners"), i, want) {
		bool found = false;

		json_array_foreach(listeners, j, has) {
			json_t *kinds = json_object_get(has, "supportedKinds");

			if (strcmp(text_at(has, "name"), text_at(want, "Name")) != 0)
				continue;
			found = true;
			if (json_array_size(json_object_get(want, "SupportedKinds")) == 0 && json_array_size(kinds) != 0)
				COMPLAIN(r, "listener %s has supported kinds", text_at(has, "name"));
			json_array_foreach(json_object_get(want, "SupportedKinds"), k, kind) {
				bool supported = false;

				json_array_foreach(kinds, l, other)
					supported = supported || strcmp(text_at(other, "kind"), text_at(kind, "Kind")) == 0;
				if (!supported)
					COMPLAIN(r, "listener %s does not support %s", text_at(has, "name"), text_at(kind, "Kind"));
			}
			json_array_foreach(json_object_get(want, "Conditions"), k, c)
				expect_condition(r, json_object_get(has, "conditions"), c);
			if (json_integer_value(json_object_get(want, "AttachedRoutes")) !=
				json_integer_value(json_object_get(has, "attachedRoutes")))
				COMPLAIN(r, "listener %s has %d attached routes", text_at(has, "name"),
					(int)json_integer_value(json_object_get(has, "attachedRoutes")));
		}
		if (!found)
			COMPLAIN(r, "no listener %s", text_at(want, "Name"));
	}
	json_decref(status);
}

static enum ps_kind
route_kind(const char *helper)
{
	return strstr(helper, "UDPRoute") != NULL ? PS_KIND_UDP_ROUTE : PS_KIND_TCP_ROUTE;
}

/* The parent of the route that names this Gateway. */
static json_t *
parent_of(struct run *r, json_t *status, const char *gateway)
{
	json_t *p;
	size_t i;

	json_array_foreach(json_object_get(status, "parents"), i, p)
		if (strcmp(text_at(json_object_get(p, "parentRef"), "name"), gateway) == 0)
			return p;
	COMPLAIN(r, "route has no parent %s", gateway);
	return NULL;
}

static void
expect_route(struct run *r, const char *helper, const json_t *route, const char *gateway, const json_t *condition)
{
	json_t *status = status_of(r, route_kind(helper), route), *p = parent_of(r, status, gateway);

	assert_string_equal(text_at(p, "controllerName"), CONTROLLER);
	expect_condition(r, json_object_get(p, "conditions"), condition);
	json_decref(status);
}

static void
expect_accepted(struct run *r, const char *helper, const json_t *args)
{
	json_t *gateway = json_object_get(json_object_get(args, "gw"), "gateway");
	json_t *accepted = json_pack("{s:s, s:s, s:s}", "Type", "Accepted", "Status", "True", "Reason", "Accepted"), *value;
	json_t *status = status_of(r, PS_KIND_GATEWAY, gateway);
	const char *key;

	expect_condition(r, json_object_get(status, "conditions"), accepted);
	assert_true(json_array_size(json_object_get(status, "addresses")) != 0);
	json_object_foreach((json_t *)args, key, value)
		if (strncmp(key, "routeNN", 7) == 0)
			expect_route(r, helper, value, text_at(gateway, "Name"), accepted);
	json_decref(status);
	json_decref(accepted);
}

static void
expect_parents(struct run *r, const char *helper, const json_t *args)
{
	json_t *parent, *c;
	size_t i, j;

	json_array_foreach(json_object_get(args, "parents"), i, parent)
		json_array_foreach(json_object_get(parent, "Conditions"), j, c)
			expect_route(r, helper, json_object_get(args, "routeName"), text_at(json_object_get(parent, "ParentRef"), "Name"), c);
}

static void
expect_no_routes(struct run *r, const json_t *args)
{
	json_t *status = status_of(r, PS_KIND_GATEWAY, json_object_get(args, "gwName")), *l;
	size_t i;

	json_array_foreach(json_object_get(status, "listeners"), i, l)
		if (json_integer_value(json_object_get(l, "attachedRoutes")) != 0)
			COMPLAIN(r, "listener %s has routes", text_at(l, "name"));
	json_decref(status);
}

static void
check(struct run *r, const char *helper, const json_t *args)
{
	const char *name = strchr(helper, '.') + 1;
	json_t *status, *gateway;

	r->checked++;
	if (strcmp(name, "GatewayMustHaveLatestConditions") == 0) {
		expect_latest(r, PS_KIND_GATEWAY, json_object_get(args, "gwNN"));
	} else if (strcmp(name, "GatewayClassMustHaveLatestConditions") == 0) {
		expect_latest(r, PS_KIND_GATEWAY_CLASS, json_object_get(args, "gwcNN"));
	} else if (strcmp(name, "GWCMustHaveAcceptedConditionAny") == 0) {
		gateway = json_pack("{s:s}", "Name", text_at(args, "gwcName"));
		status = status_of(r, PS_KIND_GATEWAY_CLASS, gateway);
		assert_non_null(condition_in(json_object_get(status, "conditions"), "Accepted"));
		json_decref(gateway);
		json_decref(status);
	} else if (strcmp(name, "GatewayMustHaveCondition") == 0) {
		status = status_of(r, PS_KIND_GATEWAY, json_object_get(args, "gwNN"));
		expect_condition(r, json_object_get(status, "conditions"), json_object_get(args, "expectedCondition"));
		json_decref(status);
	} else if (strcmp(name, "GatewayStatusMustHaveListeners") == 0) {
		expect_listeners(r, args);
	} else if (strcmp(name, "WaitForGatewayAddress") == 0) {
		status = status_of(r, PS_KIND_GATEWAY, json_object_get(json_object_get(args, "gwRef"), "gateway"));
		assert_true(json_array_size(json_object_get(status, "addresses")) != 0);
		json_decref(status);
	} else if (strcmp(name, "TCPRouteMustHaveCondition") == 0 || strcmp(name, "UDPRouteMustHaveCondition") == 0) {
		expect_route(r, name, json_object_get(args, "routeNN"), text_at(json_object_get(args, "gwNN"), "Name"),
			json_object_get(args, "condition"));
	} else if (strncmp(name, "GatewayAnd", 10) == 0 && strstr(name, "RoutesMustBeAccepted") != NULL) {
		expect_accepted(r, name, args);
	} else if (strcmp(name, "TCPRouteMustHaveParents") == 0 || strcmp(name, "UDPRouteMustHaveParents") == 0) {
		expect_parents(r, name, args);
	} else if (strcmp(name, "GatewayMustHaveZeroRoutes") == 0) {
		expect_no_routes(r, args);
	} else {
		COMPLAIN(r, "this test does not know %s", name);
	}
}

/* ---- mutations ---- */

static void
apply_route(struct run *r, const json_t *o)
{
	const json_t *meta = json_object_get(o, "ObjectMeta"), *spec = json_object_get(o, "Spec");
	const json_t *parent = json_array_get(json_object_get(json_object_get(spec, "CommonRouteSpec"), "ParentRefs"), 0);
	const json_t *backend = json_object_get(
		json_array_get(json_object_get(json_array_get(json_object_get(spec, "Rules"), 0), "BackendRefs"), 0),
		"BackendObjectReference");
	char text[1024];

	snprintf(text, sizeof(text),
		"apiVersion: gateway.networking.k8s.io/v1\nkind: %s\nmetadata: {name: %s, namespace: %s}\n"
		"spec: {parentRefs: [{name: %s, sectionName: %s}], rules: [{backendRefs: [{name: %s, port: %d}]}]}\n",
		strncmp(r->test, "UDP", 3) == 0 ? "UDPRoute" : "TCPRoute", text_at(meta, "Name"), text_at(meta, "Namespace"),
		text_at(parent, "Name"), text_at(parent, "SectionName"), text_at(backend, "Name"),
		(int)json_integer_value(json_object_get(backend, "Port")));
	fixture_text(&r->f, "applied.yaml", text);
}

/* Takes the document with this name out of the test's manifest. */
static void
delete_object(struct run *r, const char *name)
{
	char *out = calloc(1, strlen(r->text) + 16), *at = r->text, *end, wanted[300];

	snprintf(wanted, sizeof(wanted), "kind: ReferenceGrant");
	for (; at != NULL; at = end != NULL ? end + 1 : NULL) {
		size_t size;

		end = strstr(at, "\n---");
		size = end != NULL ? (size_t)(end + 1 - at) : strlen(at);
		if (memmem(at, size, wanted, strlen(wanted)) == NULL || memmem(at, size, name, strlen(name)) == NULL)
			strncat(out, at, size);
	}
	free(r->text);
	r->text = out;
}

static void
mutate(struct run *r, const char *helper, const json_t *args)
{
	char path[600];

	r->step++;
	if (strstr(helper, "MustApplyObjects") != NULL)
		apply_route(r, json_array_get(json_object_get(args, "arg3"), 0));
	else if (strstr(helper, "Delete") != NULL)
		delete_object(r, text_at(json_object_get(json_object_get(args, "arg1"), "ObjectMeta"), "Name"));
	else if (strcmp(r->test, "GatewayStaticAddresses") == 0 && r->step == 1)
		r->text = replaced(r->text, "  - type: \"test/fake-invalid-type\"\n    value: \"fake address teehee!\"\n", "");
	else if (strcmp(r->test, "GatewayStaticAddresses") == 0)
		r->text = replaced(r->text, "  - value: \"203.0.113.1\"\n", "");
	else if (strcmp(r->test, "GatewayObservedGenerationBump") == 0)
		r->text = replaced(r->text, "  listeners:\n", "  listeners: # more\n    - {name: alternate, port: 8080, protocol: HTTP}\n");
	else if (strcmp(r->test, "GatewayClassObservedGenerationBump") == 0)
		r->text = replaced(r->text, "\"old\"", "\"new\"");
	else
		COMPLAIN(r, "this test does not know the mutation");
	snprintf(path, sizeof(path), "test.yaml");
	fixture_update(&r->f, path, r->text);
}

/* ---- all of them ---- */

static bool
concerns_us(const json_t *test)
{
	static const char *const ours[] = {"Gateway", "TCPRoute", "UDPRoute", "ReferenceGrant", "GatewayAddressEmpty",
		"GatewayStaticAddresses"};
	const char *name = text_at(test, "short_name");
	json_t *feature;
	size_t i, j;

	/* Secrets that the suite makes at run time. */
	if (strncmp(name, "GatewaySecretReferenceGrant", 27) == 0)
		return false;
	json_array_foreach(json_object_get(test, "features"), i, feature) {
		bool known = false;

		for (j = 0; j < sizeof(ours) / sizeof(ours[0]); j++)
			known = known || strcmp(json_string_value(feature), ours[j]) == 0;
		if (!known)
			return false;
	}
	return true;
}

static unsigned
run_case(const json_t *test)
{
	struct run r = {.f = fixture_new(NULL), .test = text_at(test, "short_name"), .subtest = ""};
	char *base = manifest("base/manifests.yaml");
	json_t *a;
	size_t i;

	fixture_text(&r.f, "environment.yaml", environment);
	fixture_text(&r.f, "base.yaml", base);
	r.text = manifest(json_string_value(json_array_get(json_object_get(test, "manifests"), 0)));
	fixture_update(&r.f, "test.yaml", r.text);
	json_array_foreach(assertions, i, a) {
		if (strcmp(text_at(a, "test"), r.test) != 0)
			continue;
		r.subtest = text_at(a, "subtest");
		if (strcmp(text_at(a, "kind"), "mutation") == 0)
			mutate(&r, text_at(a, "helper"), json_object_get(a, "args"));
		else
			check(&r, text_at(a, "helper"), json_object_get(a, "args"));
	}
	free(base);
	free(r.text);
	fixture_free(&r.f);
	return r.checked;
}

static void
status_is_as_the_suite_expects(void **state)
{
	unsigned tests = 0, checked = 0;
	json_t *test;
	size_t i;

	json_array_foreach(all_tests, i, test) {
		if (!concerns_us(test))
			continue;
		tests++;
		checked += run_case(test);
	}
	print_message("%u tests, %u assertions\n", tests, checked);
	assert_true(tests >= 15);
	assert_true(checked >= 40);
}

static json_t *
load(const char *name)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return json_load_file(path, 0, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_is_as_the_suite_expects),
	};
	const char *given = getenv("PS_CONFORMANCE_DIR");
	int rc;

	snprintf(folder, sizeof(folder), "%s", given != NULL ? given : PS_SOURCE_DIR "/../shared/conformance");
	all_tests = load("tests.json");
	assertions = load("status_assertions.json");
	if (all_tests == NULL || assertions == NULL) {
		printf("skipped: no conformance data in %s\n", folder);
		return MESON_SKIP;
	}
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(all_tests);
	json_decref(assertions);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A snapshot that is truncated, flipped, oversized or of another ABI is refused with a reason, even when its
 * digest has been made to fit.
 */
#include "tests/unit/resolve/fixture.h"

#include <errno.h>
#include <stdio.h>

#include "control/compile/compile.h"
#include "dataplane/api/digest.h"

static const char text[] =
	"apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: main}\n"
	"spec:\n  ports: [{name: wan, 'null': true, addresses: [192.0.2.1/24], vlans: [{id: 7, addresses: [10.7.0.1/24]}]}]\n"
	"  routes: [{to: default, via: 192.0.2.254}]\n"
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	"spec: {type: LoadBalancer, loadBalancerIP: 192.0.2.9, clusterIP: 10.96.0.9, loadBalancerSourceRanges: [10.0.0.0/8], ports: [{name: http, port: 80}]}\n"
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, labels: {kubernetes.io/service-name: web}}\n"
	"addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]\n";

struct copy {
	struct ps_snapshot *s;
	uint64_t size;
	const void *blob[4];
	uint64_t blob_size[4];
	uint32_t blobs;
};

static struct fixture f;
static struct ps_compiler *compiler;
static struct ps_compiled *compiled;

static struct copy
copy_new(void)
{
	struct copy c = {.size = compiled->size, .blobs = compiled->blobs};
	uint32_t i;

	c.s = aligned_alloc(64, (c.size + 63) & ~63ull);
	memcpy(c.s, compiled->snapshot, c.size);
	for (i = 0; i < c.blobs; i++) {
		c.blob[i] = compiled->blob[i].bytes;
		c.blob_size[i] = compiled->blob[i].size;
	}
	return c;
}

static void
fit_digest(struct copy *c)
{
	c->s->digest = ps_digest((uint8_t *)c->s + PS_SNAPSHOT_HEADER_SIZE, c->size - PS_SNAPSHOT_HEADER_SIZE, c->s->generation);
}

static int
validate(const struct copy *c, char *why)
{
	*why = '\0';
	return ps_snapshot_validate(c->s, c->size, c->blob, c->blob_size, c->blobs, why, 256);
}

#define ITEM(c, id, type) ((type *)(void *)((uint8_t *)(c).s + (c).s->section[id].offset))

#define REFUSED(change)                                                \
	do {                                                           \
		struct copy c = copy_new();                            \
		char why[256];                                         \
		change;                                                \
		fit_digest(&c);                                        \
		assert_int_not_equal(validate(&c, why), 0);            \
		assert_true(strlen(why) > 5);                          \
		free(c.s);                                             \
	} while (0)

static void
whole_is_accepted(void **state)
{
	struct copy c = copy_new();
	char why[256];

	assert_int_equal(validate(&c, why), 0);
	free(c.s);
}

static void
any_flipped_byte_is_noticed(void **state)
{
	struct copy c = copy_new();
	char why[256];
	uint64_t at, noticed = 0;

	for (at = PS_SNAPSHOT_HEADER_SIZE; at < c.size; at += 3) {
		((uint8_t *)c.s)[at] ^= 0x10;
		assert_int_equal(validate(&c, why), -EINVAL);
		((uint8_t *)c.s)[at] ^= 0x10;
		noticed++;
	}
	assert_true(noticed > 100);
	assert_int_equal(validate(&c, why), 0);
	free(c.s);
}

static void
every_truncation_is_noticed(void **state)
{
	struct copy c = copy_new();
	char why[256];
	uint64_t whole = c.size;

	for (c.size = 0; c.size < whole; c.size += 61) {
		assert_int_not_equal(validate(&c, why), 0);
		assert_true(strlen(why) > 5);
	}
	c.size = PS_SNAPSHOT_MAX_SIZE + 1;
	assert_int_equal(validate(&c, why), -EFBIG);
	free(c.s);
}

static void
wrong_content_is_refused(void **state)
{
	REFUSED(c.s->abi++);
	REFUSED(c.s->magic ^= 1);
	REFUSED(c.s->generation = 0);
	REFUSED(c.s->section[PS_SEC_SERVICE].length = 1u << 30);
	REFUSED(c.s->section[PS_SEC_ENDPOINT].offset = c.size + 64);
	REFUSED(c.s->section[PS_SEC_ENDPOINT].item_size--);
	REFUSED(ITEM(c, PS_SEC_LISTENER, struct ps_listener)->service = 1000);
	REFUSED(ITEM(c, PS_SEC_LISTENER, struct ps_listener)->port = 0);
	REFUSED(ITEM(c, PS_SEC_LISTENER, struct ps_listener)->name = 1u << 30);
	REFUSED(ITEM(c, PS_SEC_LISTENER_INDEX, uint32_t)[0] = 4711);
	REFUSED(ITEM(c, PS_SEC_SERVICE, struct ps_service)->endpoints++);
	REFUSED(ITEM(c, PS_SEC_SERVICE, struct ps_service)->balanced--);
	REFUSED(ITEM(c, PS_SEC_SERVICE, struct ps_service)->mode = PS_MODES);
	REFUSED(ITEM(c, PS_SEC_SERVICE, struct ps_service)->snat_pool = 9);
	REFUSED(ITEM(c, PS_SEC_SERVICE, struct ps_service)->probe = 9);
	REFUSED(ITEM(c, PS_SEC_SERVICE, struct ps_service)->slot = 1u << 30);
	REFUSED(ITEM(c, PS_SEC_ENDPOINT, struct ps_endpoint)->slot = 1u << 30);
	REFUSED(ITEM(c, PS_SEC_ENDPOINT, struct ps_endpoint)->weight = 0);
	REFUSED(ITEM(c, PS_SEC_ENDPOINT, struct ps_endpoint)->port = 0);
	REFUSED(ITEM(c, PS_SEC_ENDPOINT, struct ps_endpoint)->addr.b[0] = 0x20);
	REFUSED(ITEM(c, PS_SEC_TABLE, struct ps_table)->size = 1u << 30);
	REFUSED(ITEM(c, PS_SEC_TABLE, struct ps_table)->blob = 7);
	REFUSED(ITEM(c, PS_SEC_TABLE, struct ps_table)->endpoints = 0);
	REFUSED(ITEM(c, PS_SEC_BLOB, struct ps_blob_ref)->digest ^= 1);
	REFUSED(ITEM(c, PS_SEC_RANGE, struct ps_range)->last = (struct ps_addr){0});
	REFUSED(ITEM(c, PS_SEC_IFACE, struct ps_iface)->port = 5);
	REFUSED(ITEM(c, PS_SEC_ADDRESS, struct ps_address)->iface = 5);
	REFUSED(ITEM(c, PS_SEC_ROUTE, struct ps_route)->prefix.b[15] = 1);
	REFUSED(ITEM(c, PS_SEC_BOOT, struct ps_boot)->workers = 0);
	REFUSED(ITEM(c, PS_SEC_SNAT_ADDRESS, struct ps_snat_address)->port_first = 0);
	REFUSED(ITEM(c, PS_SEC_PROBE, struct ps_probe)->timeout_ms = 1u << 30);
	REFUSED(c.blobs = 0);
}

static void
damaged_blob_is_refused(void **state)
{
	uint64_t size = compiled->blob[0].size;
	uint8_t *blob = aligned_alloc(64, (size + 63) & ~63ull);
	char why[256];

	memcpy(blob, compiled->blob[0].bytes, size);
	assert_int_equal(ps_blob_validate(blob, size, why, sizeof(why)), 0);
	blob[size / 2] ^= 1;
	assert_int_equal(ps_blob_validate(blob, size, why, sizeof(why)), -EINVAL);
	blob[size / 2] ^= 1;
	assert_int_equal(ps_blob_validate(blob, size - 1, why, sizeof(why)), -EINVAL);
	((struct ps_blob *)(void *)blob)->abi++;
	assert_int_equal(ps_blob_validate(blob, size, why, sizeof(why)), -EPROTO);
	free(blob);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_is_accepted),
		cmocka_unit_test(any_flipped_byte_is_noticed),
		cmocka_unit_test(every_truncation_is_noticed),
		cmocka_unit_test(wrong_content_is_refused),
		cmocka_unit_test(damaged_blob_is_refused),
	};
	int rc;

	f.set = ps_manifests_new(0);
	f.resolver = ps_resolver_new(NULL);
	compiler = ps_compiler_new();
	ps_manifests_add_text(f.set, "test.yaml", text, sizeof(text) - 1);
	f.model = ps_resolve(f.resolver, f.set, 1);
	if (f.model == NULL || ps_compile(compiler, f.model, NULL, 3, 1, &compiled) != 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	ps_compiled_free(compiled);
	ps_compiler_free(compiler);
	fixture_free(&f);
	return rc;
}

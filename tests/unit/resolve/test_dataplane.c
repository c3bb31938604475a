/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include "dataplane/net/local.h"

#define HEAD "apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: main}\nspec:\n"

static void
defaults_without_a_document(void **state)
{
	struct fixture f = fixture_new("apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n");

	assert_null(f.model->dataplane);
	assert_non_null(f.model->spec);
	assert_int_equal(f.model->boot.raw.workers, 1);
	assert_int_equal(f.model->boot.raw.worker_cpu[0], PS_NONE);
	assert_int_equal(f.model->boot.raw.main_cpu, PS_NONE);
	assert_true(f.model->boot.raw.flows_v4 >= 1000000);
	assert_true(f.model->boot.raw.endpoint_slots > 0 && f.model->boot.raw.service_slots > 0);
	assert_int_equal(f.model->ports, 0);
	assert_int_equal(f.model->pools, 1);
	assert_int_equal(f.model->pool[0].addresses, 0);
	fixture_free(&f);
}

static void
ports_addresses_and_routes(void **state)
{
	struct fixture f = fixture_new(HEAD
		"  ports:\n"
		"  - {name: wan, afPacket: eth7, mtu: 9000, queues: 2, addresses: [192.0.2.1/24, '2001:db8::1/64', 'fe80::1/64'],\n"
		"     vlans: [{id: 100, mtu: 1500, addresses: [10.1.0.1/16]}]}\n"
		"  - {name: lan, memif: {socket: /run/m.sock, id: 3, role: client, zeroCopy: true, secret: hush}}\n"
		"  routes:\n  - {to: default, via: 192.0.2.254}\n  - {to: 10.9.0.0/16, via: 10.1.0.9, interface: wan.100}\n"
		"  - {to: 'fd00::/8', via: 'fe80::9', interface: wan}\n"
		"  cores: {main: 0, workers: [1, '3-4']}\n  hashSeed: 99\n  instance: two\n");
	const struct ps_model *m = f.model;

	assert_int_equal(m->diagnostics.errors, 0);
	assert_int_equal(m->ports, 2);
	assert_string_equal(m->port[0].device, "eth7");
	assert_int_equal(m->port[0].raw.kind, PS_PORT_AF_PACKET);
	assert_int_equal(m->port[0].raw.queues, 2);
	assert_int_equal(m->port[1].raw.flags, PS_PORT_F_ZERO_COPY);
	assert_int_equal(m->port[1].raw.memif_id, 3);
	assert_string_equal(m->port[1].options, "secret=hush");
	assert_int_equal(m->ifaces, 3);
	assert_string_equal(m->iface[1].name, "wan.100");
	assert_int_equal(m->iface[0].raw.mtu, 9000);
	assert_int_equal(m->iface[1].raw.mtu, 1500);
	assert_int_equal(m->addresses, 4);
	assert_int_equal(m->address[3].iface, 1);
	assert_int_equal(m->routes, 3);
	assert_int_equal(m->route[0].iface, PS_NONE);
	assert_int_equal(m->route[1].iface, 1);
	assert_int_equal(m->boot.raw.workers, 3);
	assert_int_equal(m->boot.raw.worker_cpu[2], 4);
	assert_int_equal(m->hash_seed, 99);
	/* the default pool: every address that others can reach, without the ports of probes */
	assert_int_equal(m->pool[0].addresses, 3);
	assert_int_equal(m->snat_address[0].port_first, PS_PROBE_PORT_LAST + 1);
	assert_int_equal(m->snat_address[0].port_last, 65535);
	assert_true(m->snat_address[0].slot != m->snat_address[1].slot);
	fixture_free(&f);
}

static void
pools_by_name(void **state)
{
	struct fixture f = fixture_new(HEAD
		"  ports: [{name: wan, 'null': true, addresses: [192.0.2.1/24]}]\n"
		"  snatPools:\n  - {name: blue, addresses: [192.0.2.40-192.0.2.43], ports: 2000-2999}\n"
		"  - {name: default, addresses: [192.0.2.50]}\n");
	const struct ps_model *m = f.model;
	uint32_t slot = m->snat_address[1].slot;

	assert_int_equal(m->pools, 2);
	assert_string_equal(m->pool[0].name, "default");
	assert_int_equal(m->pool[0].addresses, 1);
	assert_string_equal(m->pool[1].name, "blue");
	assert_int_equal(m->pool[1].addresses, 4);
	assert_int_equal(m->snat_address[m->pool[1].first_address].port_last, 2999);
	/* an address keeps its slot when others come and go */
	fixture_update(&f, "test.yaml", HEAD "  ports: [{name: wan, 'null': true, addresses: [192.0.2.1/24]}]\n"
		"  snatPools: [{name: blue, addresses: [192.0.2.40-192.0.2.43]}]\n");
	m = f.model;
	assert_int_equal(m->snat_address[m->pool[1].first_address].slot, slot);
	fixture_free(&f);
}

static void
two_documents_are_one_too_many(void **state)
{
	struct fixture f = fixture_new(HEAD "  instance: first\n");
	uint32_t i;
	bool named = false;

	fixture_update(&f, "other.yaml", "apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: second}\nspec: {instance: second}\n");
	assert_string_equal(f.model->boot.instance_name, "first");
	assert_int_equal(f.model->diagnostics.errors, 1);
	for (i = 0; i < f.model->diagnostics.length; i++)
		named = named || (strstr(f.model->diagnostics.item[i].message, "test.yaml:") != NULL &&
					 strstr(f.model->diagnostics.item[i].file, "other.yaml") != NULL);
	assert_true(named);
	ps_manifests_remove(f.set, "test.yaml");
	fixture_resolve(&f);
	assert_string_equal(f.model->boot.instance_name, "second");
	assert_int_equal(f.model->diagnostics.errors, 0);
	fixture_free(&f);
}

static void
a_change_reaches_services(void **state)
{
	struct fixture f = fixture_new(HEAD "  health: {check: tcp, interval: 2s}\n");

	fixture_update(&f, "s.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}\n");
	assert_int_equal(service_at(&f, "10.96.0.1", 80, IPPROTO_TCP)->probe.interval_ms, 2000);
	fixture_update(&f, "test.yaml", HEAD "  health: {check: none}\n");
	assert_int_equal(service_at(&f, "10.96.0.1", 80, IPPROTO_TCP)->probe.kind, PS_PROBE_NONE);
	fixture_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_without_a_document),
		cmocka_unit_test(ports_addresses_and_routes),
		cmocka_unit_test(pools_by_name),
		cmocka_unit_test(two_documents_are_one_too_many),
		cmocka_unit_test(a_change_reaches_services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

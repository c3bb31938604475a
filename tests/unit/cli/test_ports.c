/* SPDX-License-Identifier: Apache-2.0 */
/* Which interfaces may be taken: one case for each rule, with a machine made of facts. */
#include <string.h>

#include "control/cli/ports.h"
#include "tests/unit/cli/check.h"

#define NIC(n)                                                                                               \
	{                                                                                                    \
		.name = n, .pci = "0000:01:00.0", .driver = "ixgbe", .index = 7, .ethernet = true,           \
		.up = true, .carrier = true                                                                  \
	}

static struct ps_port_choice
judge(struct ps_port_facts f, bool in_namespace, bool xdp)
{
	const struct ps_port_policy policy = {.in_namespace = in_namespace, .xdp = xdp};
	struct ps_port_choice choice;
	size_t used = ps_ports_choose(&f, 1, &policy, &choice);

	assert_int_equal(used, choice.used);
	return choice;
}

static void
refused(struct ps_port_facts f, const char *reason)
{
	struct ps_port_choice c = judge(f, true, false);

	assert_false(c.used);
	CONTAINS(c.reason, reason);
}

static void
test_free_nic(void **state)
{
	struct ps_port_facts f = NIC("eth1");

	assert_true(judge(f, false, false).used);
	assert_int_equal(judge(f, false, false).kind, PS_PORT_AF_PACKET);
	assert_int_equal(judge(f, false, true).kind, PS_PORT_AF_XDP);
}

static void
test_somebody_uses_it(void **state)
{
	struct ps_port_facts f = NIC("eth1");

	f.default_route = true;
	refused(f, "default route");
	f = (struct ps_port_facts)NIC("eth1");
	f.session = true;
	refused(f, "login session");
	f = (struct ps_port_facts)NIC("eth1");
	strcpy(f.address, "192.0.2.1");
	refused(f, "192.0.2.1");
	f = (struct ps_port_facts)NIC("eth1");
	strcpy(f.master, "br0");
	refused(f, "member of br0");
	f = (struct ps_port_facts)NIC("eth1");
	strcpy(f.upper, "eth1.100");
	refused(f, "eth1.100 stands on it");
}

static void
test_unfit(void **state)
{
	static const char *const virtual[] = {
		"bridge", "bond", "tun", "dummy", "vlan", "macvlan", "vxlan", "ifb", NULL};
	struct ps_port_facts f = NIC("x");

	f.loopback = true;
	refused(f, "loopback");
	f = (struct ps_port_facts)NIC("x");
	f.up = false;
	refused(f, "down");
	f = (struct ps_port_facts)NIC("x");
	f.carrier = false;
	refused(f, "no carrier");
	f = (struct ps_port_facts)NIC("x");
	f.wireless = true;
	refused(f, "wireless");
	f = (struct ps_port_facts)NIC("wg0");
	f.ethernet = false;
	strcpy(f.kind, "wireguard");
	refused(f, "wireguard");
	for (int i = 0; virtual[i] != NULL; i++) {
		f = (struct ps_port_facts)NIC("x");
		strcpy(f.kind, virtual[i]);
		refused(f, virtual[i]);
	}
}

static void
test_veth_only_in_namespace(void **state)
{
	struct ps_port_facts f = NIC("gw0");

	strcpy(f.kind, "veth");
	assert_false(judge(f, false, false).used);
	assert_true(judge(f, true, false).used);
	strcpy(f.address, "10.0.0.1");
	assert_false(judge(f, true, false).used);
}

static void
test_userspace_nic(void **state)
{
	static const char *const drivers[] = {"vfio-pci", "uio_pci_generic", "igb_uio"};
	struct ps_port_facts f = {.pci = "0000:3b:00.0", .ethernet = true};

	assert_false(judge(f, false, false).used);
	CONTAINS(judge(f, false, false).reason, "vfio-pci");
	for (int i = 0; i < 3; i++) {
		strcpy(f.driver, drivers[i]);
		assert_true(judge(f, false, false).used);
		assert_int_equal(judge(f, false, true).kind, PS_PORT_PCI);
	}
}

static void
test_named_overrides_everything_and_excludes_others(void **state)
{
	struct ps_port_facts facts[] = {
		NIC("eth0"), NIC("eth1"), {.pci = "0000:3b:00.0", .driver = "vfio-pci", .ethernet = true}};
	const char *names[] = {"eth0", "3b:00.0"};
	struct ps_port_policy policy = {.named = names, .named_length = 2};
	struct ps_port_choice c[3];

	facts[0].default_route = true;
	assert_int_equal(ps_ports_choose(facts, 3, &policy, c), 2);
	assert_true(c[0].used && c[0].worrying);
	CONTAINS(c[0].reason, "although it carries the default route");
	assert_false(c[1].used);
	CONTAINS(c[1].reason, "other ports were named");
	assert_true(c[2].used && !c[2].worrying);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_nic),
		cmocka_unit_test(test_somebody_uses_it),
		cmocka_unit_test(test_unfit),
		cmocka_unit_test(test_veth_only_in_namespace),
		cmocka_unit_test(test_userspace_nic),
		cmocka_unit_test(test_named_overrides_everything_and_excludes_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

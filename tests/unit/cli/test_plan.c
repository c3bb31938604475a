/* SPDX-License-Identifier: Apache-2.0 */
/* From facts and options to a Dataplane document, and what is said about it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/plan.h"
#include "tests/unit/cli/check.h"

#define NIC(n)                                                                                               \
	{                                                                                                    \
		.name = n, .index = 7, .ethernet = true, .up = true, .carrier = true                         \
	}

static char said[4096], written[4096], why[256];

static int
make(struct ps_plan *plan, const struct ps_plan_input *input)
{
	FILE *log = fmemopen(said, sizeof(said), "w"), *out = fmemopen(written, sizeof(written), "w");
	int rc = ps_plan_make(plan, input, log, why, sizeof(why));

	if (rc == 0)
		ps_plan_write(plan, out);
	fclose(log);
	fclose(out);
	return rc;
}

static void
test_nothing_free_makes_a_tap(void **state)
{
	struct ps_port_facts facts[] = {NIC("eth0")};
	const struct ps_plan_input input = {.facts = facts, .facts_length = 1, .ipv6 = true};
	struct ps_plan plan;

	facts[0].default_route = true;
	assert_int_equal(make(&plan, &input), 0);
	assert_true(plan.tap);
	assert_string_equal(plan.tap_name, "penstock0");
	assert_string_equal(plan.kernel4, "198.18.0.1");
	assert_string_equal(plan.gateway4, "198.18.0.2");
	CONTAINS(said, "port tap0: made TAP penstock0 because no free interface was found");
	CONTAINS(said, "not used: eth0, it carries the default route");
	CONTAINS(written, "tap: \"penstock0\"");
	CONTAINS(written, "- \"198.18.0.2/24\"");
	CONTAINS(written, "- to: default\n    via: \"198.18.0.1\"");
	CONTAINS(written, "via: \"2001:2::1\"");
}

static void
test_no_ipv6(void **state)
{
	const struct ps_plan_input input = {.ipv6 = false};
	struct ps_plan plan;

	assert_int_equal(make(&plan, &input), 0);
	LACKS(written, "2001:2");
	assert_string_equal(plan.gateway[1], "");
}

static void
test_second_instance_takes_the_next_tap(void **state)
{
	struct ps_port_facts facts[] = {{.name = "penstock0", .kind = "tun", .ethernet = true}};
	const struct ps_plan_input input = {.facts = facts, .facts_length = 1, .instance = "blue"};
	struct ps_plan plan;

	assert_int_equal(make(&plan, &input), 0);
	assert_string_equal(plan.tap_name, "penstock1");
	assert_string_equal(plan.gateway4, "198.18.1.2");
	CONTAINS(written, "instance: \"blue\"");
	CONTAINS(written, "name: blue");
}

static void
test_free_interface_without_address(void **state)
{
	struct ps_port_facts facts[] = {NIC("eth1")};
	const struct ps_plan_input input = {.facts = facts, .facts_length = 1};
	struct ps_plan plan;

	assert_int_equal(make(&plan, &input), 0);
	assert_int_equal(plan.ports, 2);
	assert_int_equal(plan.port[0].kind, PS_PORT_AF_PACKET);
	assert_int_equal(plan.port[1].kind, PS_PORT_TAP);
	CONTAINS(said, "port eth1: AF_PACKET on eth1 because it is up");
	CONTAINS(said, "--port eth1=ADDR/LEN");
	CONTAINS(said, "because no port has an address");
}

static void
test_named_with_address(void **state)
{
	struct ps_port_facts facts[] = {NIC("eth0"), NIC("eth1")};
	struct ps_plan_named named;
	struct ps_plan_input input = {.facts = facts,
		.facts_length = 2,
		.named = &named,
		.named_length = 1,
		.gateway = {"192.0.2.1", NULL}};
	struct ps_plan plan;

	assert_int_equal(
		ps_plan_named_parse(&named, "eth1=192.0.2.5/24,2001:db8::5/64", why, sizeof(why)), 0);
	assert_int_equal(named.addresses, 2);
	assert_int_equal(make(&plan, &input), 0);
	assert_false(plan.tap);
	assert_int_equal(plan.ports, 1);
	CONTAINS(written, "- \"2001:db8::5/64\"");
	CONTAINS(written, "via: \"192.0.2.1\"");
	strcpy(named.name, "eth7");
	assert_int_equal(make(&plan, &input), -ENODEV);
	CONTAINS(why, "eth7");
}

static void
test_named_wrong(void **state)
{
	static const char *const wrong[] = {"", "=192.0.2.1/24", "eth0=192.0.2.1", "eth0=192.0.2.1/33",
		"eth0=x/24", "eth0=192.0.2.1/", "eth0=2001:db8::1/129"};
	struct ps_plan_named named;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(ps_plan_named_parse(&named, wrong[i], why, sizeof(why)), -EINVAL);
	assert_int_equal(ps_plan_named_parse(&named, "0000:3b:00.0", why, sizeof(why)), 0);
	assert_string_equal(named.name, "0000:3b:00.0");
}

static void
make_file(const char *root, const char *path, const char *content)
{
	char command[512];

	snprintf(command, sizeof(command), "mkdir -p $(dirname %s%s) && printf '%s' > %s%s", root, path,
		content, root, path);
	assert_int_equal(system(command), 0);
}

static void
say_hugepages(const char *root)
{
	FILE *log = fmemopen(said, sizeof(said), "w");

	ps_plan_say_hugepages(log, root);
	fclose(log);
}

static void
test_hugepages(void **state)
{
	char root[] = "/tmp/penstock-test-XXXXXX", command[64];

	assert_non_null(mkdtemp(root));
	say_hugepages(root);
	CONTAINS(said, "reserves no hugepages");
	make_file(root, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512");
	make_file(root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0");
	say_hugepages(root);
	CONTAINS(said, "all hugepages are taken");
	make_file(root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "256");
	say_hugepages(root);
	CONTAINS(said, "no hugetlbfs is mounted");
	make_file(root, "/proc/mounts", "none /dev/hugepages hugetlbfs rw 0 0");
	say_hugepages(root);
	CONTAINS(said, "memory: hugepages, 512 MiB");
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_free_makes_a_tap),
		cmocka_unit_test(test_no_ipv6),
		cmocka_unit_test(test_second_instance_takes_the_next_tap),
		cmocka_unit_test(test_free_interface_without_address),
		cmocka_unit_test(test_named_with_address),
		cmocka_unit_test(test_named_wrong),
		cmocka_unit_test(test_hugepages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

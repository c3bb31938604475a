/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/hostnet.h"
#include "control/cli/plan.h"

#define TAPS 16u

static bool
address_valid(const char *text, bool prefix_wanted)
{
	const char *slash = strchr(text, '/');
	char address[PS_PLAN_TEXT];
	uint8_t bytes[16];
	int family;
	char *end;
	unsigned long length;

	if ((slash != NULL) != prefix_wanted)
		return false;
	snprintf(address, sizeof(address), "%.*s", slash != NULL ? (int)(slash - text) : (int)strlen(text),
		text);
	family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(family, address, bytes) != 1)
		return false;
	if (!prefix_wanted)
		return true;
	length = strtoul(slash + 1, &end, 10);
	return end != slash + 1 && *end == '\0' && length >= 1 && length <= (family == AF_INET ? 32 : 128);
}

int
ps_plan_named_parse(struct ps_plan_named *named, const char *text, char *why, size_t why_size)
{
	const char *equals = strchr(text, '='), *at, *end;

	memset(named, 0, sizeof(*named));
	end = equals != NULL ? equals : text + strlen(text);
	if (end == text || (size_t)(end - text) >= sizeof(named->name)) {
		snprintf(why, why_size, "--port %s: expected IFACE or IFACE=ADDR/LEN,...", text);
		return -EINVAL;
	}
	snprintf(named->name, sizeof(named->name), "%.*s", (int)(end - text), text);
	for (at = equals; at != NULL && at[1] != '\0'; at = *end == ',' ? end : NULL) {
		end = strchrnul(at + 1, ',');
		if (named->addresses == PS_PLAN_ADDRESSES) {
			snprintf(why, why_size, "--port %s: more than %u addresses", text, PS_PLAN_ADDRESSES);
			return -EINVAL;
		}
		snprintf(named->address[named->addresses], PS_PLAN_TEXT, "%.*s", (int)(end - at - 1), at + 1);
		if (!address_valid(named->address[named->addresses], true)) {
			snprintf(why, why_size, "--port %s: \"%s\" is no ADDR/LEN such as 192.0.2.5/24", text,
				named->address[named->addresses]);
			return -EINVAL;
		}
		named->addresses++;
	}
	return 0;
}

static const char *const kind_fields[PS_PORT_KINDS] = {
	[PS_PORT_PCI] = "pci",
	[PS_PORT_AF_XDP] = "afXdp",
	[PS_PORT_AF_PACKET] = "afPacket",
	[PS_PORT_TAP] = "tap",
};

static const char *const kind_words[PS_PORT_KINDS] = {
	[PS_PORT_PCI] = "PCI NIC",
	[PS_PORT_AF_XDP] = "AF_XDP on",
	[PS_PORT_AF_PACKET] = "AF_PACKET on",
};

static int
add_port(struct ps_plan *plan, const struct ps_port_choice *choice, const struct ps_plan_input *input,
	char *why, size_t why_size)
{
	const struct ps_port_facts *f = choice->facts;
	struct ps_plan_port *port;
	const char *device;

	if (plan->ports + 1 >= PS_MAX_PORTS) { /* one is kept for the TAP */
		snprintf(
			why, why_size, "more than %u ports: name those to use with --port", PS_MAX_PORTS - 1);
		return -ENOSPC;
	}
	port = &plan->port[plan->ports];
	port->kind = choice->kind;
	if (choice->kind == PS_PORT_PCI)
		snprintf(port->name, sizeof(port->name), "nic%u", plan->ports);
	else
		snprintf(port->name, sizeof(port->name), "%.31s", f->name);
	device = choice->kind == PS_PORT_PCI ? f->pci : f->name;
	snprintf(port->device, sizeof(port->device), "%.32s", device);
	snprintf(port->reason, sizeof(port->reason), "%s %s because %s", kind_words[choice->kind], device,
		choice->reason);
	for (size_t n = 0; n < input->named_length; n++) {
		const struct ps_plan_named *named = &input->named[n];

		if (!ps_port_is(f, named->name))
			continue;
		port->addresses = named->addresses;
		memcpy(port->address, named->address, sizeof(port->address));
	}
	plan->ports++;
	return 0;
}

static void
say_choice(FILE *log, const struct ps_port_choice *choice, const struct ps_plan_port *port)
{
	const char *name = choice->facts->name[0] != '\0' ? choice->facts->name : choice->facts->pci;

	if (log == NULL)
		return;
	if (!choice->used) {
		if (!choice->facts->loopback)
			fprintf(log, "not used: %s, %s\n", name, choice->reason);
		return;
	}
	fprintf(log, "port %s: %s%s\n", port->name, port->reason, choice->worrying ? " (take care)" : "");
	for (unsigned int a = 0; a < port->addresses; a++)
		fprintf(log, "port %s: address %s\n", port->name, port->address[a]);
	if (port->addresses == 0)
		fprintf(log,
			"port %s: no address of its own is known; it answers for the VIPs, but for FullNAT "
			"give one: --port %s=ADDR/LEN\n",
			port->name, port->device);
}

/* The address in its usual spelling. */
static void
address_make(char text[PS_PLAN_TEXT], const char *format, unsigned int number)
{
	uint8_t bytes[16];
	int family = strchr(format, ':') != NULL ? AF_INET6 : AF_INET;

	snprintf(text, PS_PLAN_TEXT, format, number);
	if (inet_pton(family, text, bytes) == 1)
		inet_ntop(family, bytes, text, PS_PLAN_TEXT);
}

static void
plan_tap(struct ps_plan *plan, const struct ps_plan_input *input, bool other_ports)
{
	struct ps_plan_port *port = &plan->port[plan->ports++];
	unsigned int number = 0;

	for (bool taken = true; taken && number < TAPS; number += taken) {
		snprintf(plan->tap_name, sizeof(plan->tap_name), "penstock%u", number);
		taken = false;
		for (size_t i = 0; i < input->facts_length; i++)
			taken = taken || strcmp(input->facts[i].name, plan->tap_name) == 0;
	}
	plan->tap = true;
	address_make(plan->kernel4, PS_TAP_KERNEL4, number);
	address_make(plan->gateway4, PS_TAP_GATEWAY4, number);
	port->kind = PS_PORT_TAP;
	snprintf(port->name, sizeof(port->name), "tap0");
	snprintf(port->device, sizeof(port->device), "%s", plan->tap_name);
	/* locally administered, and the same after a restart: the kernel's neighbour entry stays right */
	snprintf(port->mac, sizeof(port->mac), "02:70:73:00:00:%02x", number);
	snprintf(port->address[port->addresses++], PS_PLAN_TEXT, "%.48s/24", plan->gateway4);
	snprintf(plan->gateway[0], PS_PLAN_TEXT, "%s", plan->kernel4);
	if (input->ipv6) {
		address_make(plan->kernel6, PS_TAP_KERNEL6, number);
		address_make(plan->gateway6, PS_TAP_GATEWAY6, number);
		snprintf(port->address[port->addresses++], PS_PLAN_TEXT, "%.48s/64", plan->gateway6);
		snprintf(plan->gateway[1], PS_PLAN_TEXT, "%s", plan->kernel6);
	}
	snprintf(port->reason, sizeof(port->reason), "made TAP %s because %s", plan->tap_name,
		other_ports ? "no port has an address" : "no free interface was found");
}

static int
check_named(const struct ps_plan_input *input, char *why, size_t why_size)
{
	for (size_t n = 0; n < input->named_length; n++) {
		bool found = false;

		for (size_t i = 0; i < input->facts_length; i++)
			found = found || ps_port_is(&input->facts[i], input->named[n].name);
		if (!found) {
			snprintf(why, why_size,
				"--port %s: there is no such interface, and no NIC of this PCI address "
				"bound to vfio-pci or uio",
				input->named[n].name);
			return -ENODEV;
		}
	}
	for (int g = 0; g < 2; g++) {
		if (input->gateway[g] != NULL && !address_valid(input->gateway[g], false)) {
			snprintf(why, why_size, "--gateway %s: no IP address", input->gateway[g]);
			return -EINVAL;
		}
	}
	return 0;
}

int
ps_plan_make(struct ps_plan *plan, const struct ps_plan_input *input, FILE *log, char *why, size_t why_size)
{
	const char *names[PS_MAX_PORTS];
	struct ps_port_policy policy = {.in_namespace = input->in_namespace,
		.xdp = input->xdp,
		.named = names,
		.named_length = input->named_length};
	struct ps_port_choice *choices;
	unsigned int addresses = 0;
	int rc;

	memset(plan, 0, sizeof(*plan));
	plan->instance = input->instance;
	rc = check_named(input, why, why_size);
	if (rc < 0)
		return rc;
	if (input->named_length > PS_MAX_PORTS) {
		snprintf(why, why_size, "more than %u ports", PS_MAX_PORTS);
		return -ENOSPC;
	}
	for (size_t n = 0; n < input->named_length; n++)
		names[n] = input->named[n].name;
	choices = calloc(input->facts_length + 1, sizeof(*choices));
	if (choices == NULL) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	ps_ports_choose(input->facts, input->facts_length, &policy, choices);
	for (size_t i = 0; rc == 0 && i < input->facts_length; i++) {
		if (choices[i].used)
			rc = add_port(plan, &choices[i], input, why, why_size);
		if (rc == 0)
			say_choice(log, &choices[i], &plan->port[plan->ports > 0 ? plan->ports - 1 : 0]);
	}
	free(choices);
	if (rc < 0)
		return rc;
	for (unsigned int p = 0; p < plan->ports; p++)
		addresses += plan->port[p].addresses;
	for (int g = 0; g < 2; g++) {
		if (input->gateway[g] != NULL)
			snprintf(plan->gateway[g], PS_PLAN_TEXT, "%.63s", input->gateway[g]);
	}
	if (addresses == 0) {
		plan_tap(plan, input, plan->ports > 0);
		if (log != NULL)
			fprintf(log, "port tap0: %s; Penstock is %s%s%s, this machine is %s%s%s\n",
				plan->port[plan->ports - 1].reason, plan->gateway4,
				plan->gateway6[0] != '\0' ? " and " : "", plan->gateway6, plan->kernel4,
				plan->kernel6[0] != '\0' ? " and " : "", plan->kernel6);
	}
	return 0;
}

void
ps_plan_write(const struct ps_plan *plan, FILE *out)
{
	fprintf(out,
		"# SPDX-License-Identifier: Apache-2.0\n"
		"# Written by `penstock run`, which found no Dataplane document. To change it, copy it, edit "
		"the copy, and give it\n"
		"# with --dataplane. `penstock fields` lists every field with its type, range, unit and "
		"default.\n"
		"apiVersion: penstock.dev/v1alpha1\n"
		"kind: Dataplane\n"
		"metadata:\n"
		"  name: %s\n"
		"spec:\n",
		plan->instance != NULL ? plan->instance : "penstock");
	if (plan->instance != NULL)
		fprintf(out, "  instance: \"%s\"\n", plan->instance);
	fprintf(out, "  ports:\n");
	for (unsigned int p = 0; p < plan->ports; p++) {
		const struct ps_plan_port *port = &plan->port[p];

		fprintf(out, "  # %s\n  - name: \"%s\"\n    %s: \"%s\"\n", port->reason, port->name,
			kind_fields[port->kind], port->device);
		if (port->mac[0] != '\0')
			fprintf(out, "    mac: \"%s\"\n", port->mac);
		for (unsigned int a = 0; a < port->addresses; a++)
			fprintf(out, "%s    - \"%s\"\n", a == 0 ? "    addresses:\n" : "", port->address[a]);
	}
	for (int g = 0, routes = 0; g < 2; g++) {
		if (plan->gateway[g][0] != '\0')
			fprintf(out, "%s  - to: default\n    via: \"%s\"\n",
				routes++ == 0 ? "  routes:\n" : "", plan->gateway[g]);
	}
}

static unsigned long
read_number(const char *root, const char *path)
{
	char full[320], line[32] = "0";
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	file = fopen(full, "re");
	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	return strtoul(line, NULL, 10);
}

static bool
hugetlbfs_mounted(const char *root)
{
	char path[320], line[512];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/mounts", root);
	file = fopen(path, "re");
	while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL)
		found = strstr(line, " hugetlbfs ") != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

void
ps_plan_say_hugepages(FILE *log, const char *root)
{
	char path[320];
	struct dirent *entry;
	unsigned long free_kb = 0, total = 0;
	DIR *sizes;

	snprintf(path, sizeof(path), "%s/sys/kernel/mm/hugepages", root);
	sizes = opendir(path);
	while (sizes != NULL && (entry = readdir(sizes)) != NULL) {
		unsigned long kb;

		if (sscanf(entry->d_name, "hugepages-%lukB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%.64s/free_hugepages", entry->d_name);
		free_kb += kb * read_number(root, path);
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%.64s/nr_hugepages", entry->d_name);
		total += read_number(root, path);
	}
	if (sizes != NULL)
		closedir(sizes);
	if (free_kb > 0 && hugetlbfs_mounted(root))
		fprintf(log, "memory: hugepages, %lu MiB of them are free\n", free_kb / 1024);
	else if (free_kb > 0)
		fprintf(log, "memory: normal pages, because no hugetlbfs is mounted: mount -t hugetlbfs "
			     "none /dev/hugepages\n");
	else if (total > 0)
		fprintf(log, "memory: normal pages, because all hugepages are taken; packets cost more "
			     "cycles that way\n");
	else
		fprintf(log, "memory: normal pages, because this machine reserves no hugepages; packets "
			     "cost more cycles that way. To have 1 GiB of them: sysctl vm.nr_hugepages=512\n");
}

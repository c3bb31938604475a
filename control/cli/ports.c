/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "control/cli/ports.h"

static bool
userspace_driver(const char *driver)
{
	return strcmp(driver, "vfio-pci") == 0 || strcmp(driver, "uio_pci_generic") == 0 ||
	       strcmp(driver, "igb_uio") == 0;
}

bool
ps_port_is(const struct ps_port_facts *facts, const char *name)
{
	if (facts->name[0] != '\0' && strcmp(facts->name, name) == 0)
		return true;
	if (facts->pci[0] == '\0')
		return false;
	return strcmp(facts->pci, name) == 0 ||
	       (strncmp(facts->pci, "0000:", 5) == 0 && strcmp(facts->pci + 5, name) == 0);
}

/* Why somebody would miss the interface; false when nobody would. */
static bool
in_use(const struct ps_port_facts *f, char *reason)
{
	if (f->session)
		snprintf(reason, PS_CHOICE_REASON, "your login session comes through it");
	else if (f->default_route)
		snprintf(reason, PS_CHOICE_REASON, "it carries the default route");
	else if (f->address[0] != '\0')
		snprintf(reason, PS_CHOICE_REASON, "it has the address %s", f->address);
	else if (f->master[0] != '\0')
		snprintf(reason, PS_CHOICE_REASON, "it is a member of %s", f->master);
	else if (f->upper[0] != '\0')
		snprintf(reason, PS_CHOICE_REASON, "%s stands on it", f->upper);
	else
		return false;
	return true;
}

/* Why it cannot serve without being named; false when it can. */
static bool
unfit(const struct ps_port_facts *f, bool in_namespace, char *reason)
{
	if (f->loopback)
		snprintf(reason, PS_CHOICE_REASON, "it is the loopback interface");
	else if (!f->ethernet)
		snprintf(reason, PS_CHOICE_REASON, "it is no Ethernet interface%s%s",
			f->kind[0] != '\0' ? ": " : "", f->kind);
	else if (f->wireless)
		snprintf(reason, PS_CHOICE_REASON, "it is wireless");
	else if (strcmp(f->kind, "veth") == 0 && !in_namespace)
		snprintf(reason, PS_CHOICE_REASON, "it is a veth, likely of a container");
	else if (f->kind[0] != '\0' && strcmp(f->kind, "veth") != 0)
		snprintf(reason, PS_CHOICE_REASON, "it is virtual (%s)", f->kind);
	else if (!f->up)
		snprintf(reason, PS_CHOICE_REASON, "it is down");
	else if (!f->carrier)
		snprintf(reason, PS_CHOICE_REASON, "it has no carrier");
	else
		return false;
	return true;
}

static void
judge(const struct ps_port_facts *f, const struct ps_port_policy *policy, bool named,
	struct ps_port_choice *choice)
{
	char trouble[PS_CHOICE_REASON];

	*choice = (struct ps_port_choice){.facts = f};
	choice->kind = f->name[0] == '\0' ? PS_PORT_PCI : policy->xdp ? PS_PORT_AF_XDP : PS_PORT_AF_PACKET;
	if (named) {
		choice->used = true;
		choice->worrying = in_use(f, trouble);
		if (choice->worrying)
			snprintf(choice->reason, PS_CHOICE_REASON, "it was named, although %.120s", trouble);
		else
			snprintf(choice->reason, PS_CHOICE_REASON, "it was named");
		return;
	}
	if (policy->named_length > 0) {
		snprintf(choice->reason, PS_CHOICE_REASON, "other ports were named");
		return;
	}
	if (f->name[0] == '\0') {
		choice->used = userspace_driver(f->driver);
		if (choice->used)
			snprintf(choice->reason, PS_CHOICE_REASON, "it is bound to %.32s", f->driver);
		else if (f->driver[0] == '\0')
			snprintf(choice->reason, PS_CHOICE_REASON,
				"it has no driver: bind it to vfio-pci to use it");
		else
			snprintf(choice->reason, PS_CHOICE_REASON,
				"its driver %.32s gives it no interface here", f->driver);
		return;
	}
	if (in_use(f, choice->reason) || unfit(f, policy->in_namespace, choice->reason))
		return;
	choice->used = true;
	snprintf(choice->reason, PS_CHOICE_REASON, "it is up, has carrier, and nobody uses it");
}

size_t
ps_ports_choose(const struct ps_port_facts *facts, size_t length, const struct ps_port_policy *policy,
	struct ps_port_choice *choices)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		bool named = false;

		for (size_t n = 0; n < policy->named_length; n++)
			named = named || ps_port_is(&facts[i], policy->named[n]);
		judge(&facts[i], policy, named, &choices[i]);
		used += choices[i].used;
	}
	return used;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of this machine's network interfaces Penstock may use when nobody says. The policy is a pure function
 * over a list of facts, so that it can be tested without the machines it is about.
 *
 * An interface that somebody uses is never taken: one with the default route, the login session, an address,
 * an interface above it or a master. Naming an interface overrides that.
 */
#ifndef PS_CLI_PORTS_H
#define PS_CLI_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/api/snapshot.h"

#define PS_CHOICE_REASON 160

/* What is known about one kernel interface, or about one PCI NIC that has none. */
struct ps_port_facts {
	char name[32];    /* kernel interface; "" for a NIC bound to a userspace driver */
	char pci[16];     /* "0000:3b:00.0", "" when not on PCI */
	char driver[32];  /* "vfio-pci", "virtio_net" */
	char kind[24];    /* rtnetlink's link kind: "veth", "bridge", "tun"; "" for hardware */
	char master[32];  /* bridge, bond or team that it is a member of */
	char upper[32];   /* VLAN or the like that stands on it */
	char address[64]; /* one of its addresses, link-local IPv6 aside */
	int index;        /* ifindex, 0 for a NIC without interface */
	int lower;        /* ifindex of what it stands on, 0 none */
	uint32_t mtu;
	bool ethernet;
	bool loopback;
	bool wireless;
	bool up; /* administratively */
	bool carrier;
	bool default_route; /* of any family, in any table */
	bool session;       /* the user's login comes through it */
};

struct ps_port_choice {
	const struct ps_port_facts *facts;
	bool used;
	bool worrying; /* used because it was named, although somebody else uses it */
	enum ps_port_kind kind;
	char reason[PS_CHOICE_REASON]; /* plain words, no final full stop */
};

struct ps_port_policy {
	bool in_namespace; /* veth interfaces are fair game */
	bool xdp;
	const char *const *named; /* when given, only these are used */
	size_t named_length;
};

/*
 * Judges every interface; choices has room for length items, in the order of facts. Names that match
 * nothing are for the caller to notice. Returns how many are used.
 */
size_t ps_ports_choose(const struct ps_port_facts *facts, size_t length, const struct ps_port_policy *policy,
	struct ps_port_choice *choices);

/* Does the name mean this interface: its own, or its PCI address with or without domain? */
bool ps_port_is(const struct ps_port_facts *facts, const char *name);

/*
 * Gathers the facts of this machine and network namespace: rtnetlink, ethtool, PCI. *facts is to be freed.
 * Returns 0 or -errno.
 */
int ps_ports_gather(struct ps_port_facts **facts, size_t *length);

/* Is this process in another network namespace than the machine's first one? */
bool ps_ports_in_namespace(void);

#endif

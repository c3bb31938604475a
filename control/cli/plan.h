/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `penstock run` decides when there is no Dataplane document: ports, addresses, default route. A plan is
 * made from facts and options, said in plain words, and written as a Dataplane document.
 */
#ifndef PS_CLI_PLAN_H
#define PS_CLI_PLAN_H

#include <stdio.h>

#include "control/cli/ports.h"

#define PS_PLAN_ADDRESSES 8u
#define PS_PLAN_TEXT 64u

struct ps_plan_port {
	char name[32]; /* in the document: "eth1", "nic0", "tap0" */
	enum ps_port_kind kind;
	char device[PS_PLAN_TEXT];
	char address[PS_PLAN_ADDRESSES][PS_PLAN_TEXT]; /* with prefix length */
	unsigned int addresses;
	char mac[18]; /* "" the device's own */
	char reason[PS_CHOICE_REASON + 64];
};

struct ps_plan {
	struct ps_plan_port port[PS_MAX_PORTS];
	unsigned int ports;
	char gateway[2][PS_PLAN_TEXT]; /* next hops of default routes, "" none */
	const char *instance;          /* NULL: the default one */
	bool tap;                      /* the last port is the TAP; its kernel side: */
	char tap_name[16];
	char kernel4[PS_PLAN_TEXT], gateway4[PS_PLAN_TEXT], kernel6[PS_PLAN_TEXT], gateway6[PS_PLAN_TEXT];
};

/* One --port: NAME[=ADDR/LEN,...], split. */
struct ps_plan_named {
	char name[PS_PLAN_TEXT];
	char address[PS_PLAN_ADDRESSES][PS_PLAN_TEXT];
	unsigned int addresses;
};

/* Returns 0 or -EINVAL with a sentence in why. */
int ps_plan_named_parse(struct ps_plan_named *named, const char *text, char *why, size_t why_size);

struct ps_plan_input {
	const struct ps_port_facts *facts;
	size_t facts_length;
	const struct ps_plan_named *named;
	size_t named_length;
	const char *gateway[2]; /* NULL: none */
	const char *instance;
	bool in_namespace;
	bool xdp;
	bool ipv6; /* the machine does IPv6 */
};

/*
 * Decides; prints nothing unless log is given: then a line for each interface, used or not, and why. Pure but
 * for that. Returns 0; -ENODEV when a named port does not exist, -EINVAL, -ENOSPC, with a sentence in why.
 */
int ps_plan_make(
	struct ps_plan *plan, const struct ps_plan_input *input, FILE *log, char *why, size_t why_size);

void ps_plan_write(const struct ps_plan *plan, FILE *out);

/* One line: are there hugepages to use, and what follows. root: "" for this machine, another one in tests. */
void ps_plan_say_hugepages(FILE *log, const char *root);

#endif

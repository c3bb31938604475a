/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a packet would go, by the same pure functions that the dataplane decides with: listener lookup,
 * source ranges, Maglev, verdicts, and the table of clients that session affinity remembers. Flows are
 * looked up by the caller.
 */
#ifndef PS_DAEMON_EXPLAIN_H
#define PS_DAEMON_EXPLAIN_H

#include "control/compile/compile.h"
#include "control/daemon/affinity_map.h"
#include "dataplane/api/exits.h"

struct ps_question {
	struct ps_addr src, dst;     /* of one family */
	uint16_t src_port, dst_port; /* network order */
	uint8_t proto;               /* TCP or UDP */
};

#define PS_STEPS_MAX 12u

struct ps_explanation {
	enum ps_exit exit;                   /* PS_EXIT_TX: it is forwarded to endpoint */
	const struct ps_listener *listener;  /* NULL: none; these point into the snapshot */
	const struct ps_service *service;
	const struct ps_endpoint *endpoint;
	char step[PS_STEPS_MAX][256];        /* sentences, in the order of decisions */
	uint32_t steps;
};

/* What the dataplane knows. */
struct ps_knowledge {
	const struct ps_state_verdict *verdict; /* state table */
	uint32_t verdicts;
	const struct ps_affinity_map *affinity; /* NULL: it cannot be read, and why */
	const char *no_affinity;
	uint32_t now_ms;                        /* CLOCK_MONOTONIC */
};

void ps_explain(const struct ps_compiled *compiled, const struct ps_knowledge *knowledge,
		const struct ps_question *question, struct ps_explanation *explanation);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a packet would go, by the same pure functions that the dataplane decides with: listener lookup,
 * source ranges, Maglev and verdicts. What only the dataplane's memory knows is said as such: flows
 * are looked up by the caller, and a client that session affinity remembers may be elsewhere.
 */
#ifndef PS_DAEMON_EXPLAIN_H
#define PS_DAEMON_EXPLAIN_H

#include "control/compile/compile.h"
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

/* verdict: state table of verdicts slots. */
void ps_explain(const struct ps_compiled *compiled, const struct ps_state_verdict *verdict, uint32_t verdicts,
		const struct ps_question *question, struct ps_explanation *explanation);

#endif

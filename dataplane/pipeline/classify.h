/* SPDX-License-Identifier: Apache-2.0 */
/* Edges of the classify stage, and the stage's decision for tests and fuzzers. */
#ifndef PS_PIPELINE_CLASSIFY_H
#define PS_PIPELINE_CLASSIFY_H

#include "dataplane/pipeline/worker.h"

enum ps_classify_edge {
	PS_CLASSIFY_FLOW4,
	PS_CLASSIFY_FLOW6,
	PS_CLASSIFY_ICMP,
	PS_CLASSIFY_FRAGMENT,
	PS_CLASSIFY_TO_MAIN,
	PS_CLASSIFY_HANDOFF,
	PS_CLASSIFY_PUNT,
	PS_CLASSIFY_DROP,
	PS_CLASSIFY_EDGES,
};

#define PS_CLASSIFY_EDGE_NAMES \
	{ \
		[PS_CLASSIFY_FLOW4] = "flow_ip4", [PS_CLASSIFY_FLOW6] = "flow_ip6", \
		[PS_CLASSIFY_ICMP] = "icmp_input", [PS_CLASSIFY_FRAGMENT] = "fragment", \
		[PS_CLASSIFY_TO_MAIN] = "to_main", [PS_CLASSIFY_HANDOFF] = "handoff", \
		[PS_CLASSIFY_PUNT] = "punt", [PS_CLASSIFY_DROP] = "drop", \
	}

/* Decides about one received packet as the stage does. w->view is set. */
rte_edge_t ps_classify_packet(struct ps_worker *w, struct rte_mbuf *m);

#endif

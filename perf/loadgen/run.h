/* SPDX-License-Identifier: Apache-2.0 */
/* The course of a run: gateway, flows, warm-up, measurement or search. */
#ifndef PS_LOADGEN_RUN_H
#define PS_LOADGEN_RUN_H

#include "perf/loadgen/engine.h"
#include "perf/loadgen/search.h"

/* What one measurement found. "Window" is the time in which clients sent; what arrived while draining counts too, but
 * for loss only. */
struct ps_measure {
	double offered_pps;   /* 0: as fast as possible */
	double seconds;
	uint64_t sent[PS_DIRECTIONS];
	uint64_t sent_window[PS_DIRECTIONS];
	uint64_t received_window[PS_DIRECTIONS];
	uint64_t received[PS_DIRECTIONS];
	uint64_t lost[PS_DIRECTIONS];
	uint64_t port_rx_packets, port_rx_bytes, port_tx_packets, port_tx_bytes; /* window, all ports; bytes without FCS */
	uint64_t forgiven;    /* packets that were due and not sent: the ring was full */
	uint64_t ring_full;
};

struct ps_result {
	double setup_seconds;
	uint32_t setup_flows;  /* opened */
	struct ps_measure measure;
	struct ps_search search;
	bool searched;
	bool interrupted;
};

/* Carries the run out. Ports are started. Messages to stderr. */
enum ps_exit_code ps_run(struct ps_engine *e, struct ps_result *r);

/* report.c */
void ps_report_text(const struct ps_engine *e, const struct ps_result *r);
/* 0 or -errno, with a message. */
int ps_report_json(const struct ps_engine *e, const struct ps_result *r, enum ps_exit_code code);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packet trace: the next `count` packets that match a filter are marked when classify has seen them, and
 * every stage they leave is written to the worker's trace ring, from which main makes events.
 *
 * Cost when off: one predicted branch per frame and stage (worker.tracing).
 *
 * meta.trace: 0 for others; else packet number << PS_TRACE_STEP_BITS | steps written so far.
 */
#ifndef PS_PIPELINE_TRACE_H
#define PS_PIPELINE_TRACE_H

#include "dataplane/api/channel.h"
#include "dataplane/pipeline/worker.h"

#define PS_TRACE_STEP_BITS 8

/* Main, before the worker runs. 0 or -ENOMEM. */
int ps_trace_init(struct ps_worker *w);
void ps_trace_free(struct ps_worker *w);

/* Main. Starts tracing with this filter, or stops (count 0). */
void ps_trace_start(const struct ps_trace_filter *filter);

/*
 * Main: hands steps written by workers to `step` (at most `most`), and ends the trace when its packets have left.
 * Returns how many were handed over.
 */
uint32_t ps_trace_drain(void (*step)(void *arg, const struct ps_trace_step *step), void *arg, uint32_t most);

/* Worker. The frame's marked packets end here: exit is the name to show, NULL: that of each packet's meta.exit. */
void ps_trace_exits(struct ps_worker *w, void **objs, uint16_t n, const char *exit);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters file: made at start, rows handed to workers, its header refreshed by main.
 *
 * Thread: main.
 */
#ifndef PS_PIPELINE_COUNTERS_FILE_H
#define PS_PIPELINE_COUNTERS_FILE_H

#include "dataplane/pipeline/worker.h"

/*
 * Makes the file for ps_dataplane.boot in the runtime directory, under a temporary name: readers see nothing until
 * ps_counters_publish. 0 or -errno with a reason in why.
 */
int ps_counters_make(struct ps_counters **counters, char *why, size_t why_size);
/* Renames the file over the previous life's. */
int ps_counters_publish(const struct ps_counters *counters, char *why, size_t why_size);
void ps_counters_close(struct ps_counters *counters);

/* Sets the worker's page and rows. */
void ps_counters_attach(struct ps_counters *c, struct ps_worker *w);

/* Ports, neighbours, nodes, buffers. Call about every 250 ms. */
void ps_counters_refresh(struct ps_counters *c);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Totals over workers, and what is subtracted from them after a reset of statistics: counters
 * themselves are never reset. A baseline is void when the dataplane has been restarted since.
 */
#ifndef PS_DAEMON_BASELINE_H
#define PS_DAEMON_BASELINE_H

#include "control/daemon/counters_map.h"

struct ps_daemon;

struct ps_totals {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t handoffs, snat_miss, cycles, busy_cycles;
	uint64_t flows_active, flows_capacity; /* gauges */
	uint64_t flows_created, flows_expired, flows_evicted, flows_refused;
	uint64_t exit[PS_EXIT_COUNT];
};

struct ps_baseline {
	uint64_t epoch;   /* of the counters */
	uint64_t time_ns; /* CLOCK_REALTIME */
	struct ps_totals totals;
	uint64_t exit[PS_MAX_WORKERS][PS_EXIT_COUNT];
};

/* The map is refreshed and not empty. */
void ps_totals_sum(const struct ps_counters_map *map, struct ps_totals *totals);
void ps_totals_subtract(struct ps_totals *totals, const struct ps_totals *base); /* gauges stay */
uint64_t ps_exit_total(const struct ps_counters_map *map, uint32_t exit);

/* NULL: count from the start. */
const struct ps_baseline *ps_baseline_get(struct ps_daemon *daemon);
int ps_baseline_take(struct ps_daemon *daemon); /* 0, -ENOMEM */

#endif

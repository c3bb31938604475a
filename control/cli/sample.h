/* SPDX-License-Identifier: Apache-2.0 */
/* Samples for `penstock top`: rates between two looks at workers and services. Pure but for the client. */
#ifndef PS_CLI_SAMPLE_H
#define PS_CLI_SAMPLE_H

#include "control/cli/client.h"

/* One look. Zero it before the first one; release with ps_look_clear. */
struct ps_look {
	json_t *workers;  /* answer of /v1/workers */
	json_t *services; /* answer of /v1/services */
	double time_s;    /* CLOCK_MONOTONIC of the look, where the answers do not tell */
};

/* Returns 0 or the client's -errno; the look is then empty. */
int ps_look_take(struct ps_look *look, struct ps_client *c);
void ps_look_clear(struct ps_look *look);

/*
 * What happened between two looks: {"seconds", "time_ns", "workers": [{worker, cpu, state, rx_pps, tx_pps,
 * rx_bps, tx_bps, flows, cycles_per_packet, busy}], "total": {...}, "services": [{name, pps_in, pps_out,
 * bps_in, bps_out, flows, new, refused, up, endpoints}]}, services by packets per second, at most `services`
 * of them. NULL when the dataplane was restarted in between.
 */
json_t *ps_sample_make(const struct ps_look *before, const struct ps_look *after, size_t services);

#endif

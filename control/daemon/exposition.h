/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus text format 0.0.4: families with HELP and TYPE, samples with escaped labels. Names are
 * "penstock_" + name; a counter's ends in _total, which is checked.
 */
#ifndef PS_DAEMON_EXPOSITION_H
#define PS_DAEMON_EXPOSITION_H

#include <event2/buffer.h>
#include <stdbool.h>

enum ps_metric_type { PS_METRIC_COUNTER, PS_METRIC_GAUGE };

struct ps_exposition {
	struct evbuffer *out;
	const char *name; /* of the family that samples belong to */
};

/* Begins a family: name without prefix. */
void ps_metric_family(struct ps_exposition *x, enum ps_metric_type type, const char *name, const char *help);

/* One sample; labels are pairs of name and value, a NULL name ends. Values are escaped. */
void ps_metric(struct ps_exposition *x, double value, ...) __attribute__((sentinel));
void ps_metric_u64(struct ps_exposition *x, uint64_t value, ...) __attribute__((sentinel));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as users write them on the command line. All return 0 or -EINVAL. */
#ifndef PS_LOADGEN_UNITS_H
#define PS_LOADGEN_UNITS_H

#include <stdint.h>

enum ps_rate_unit { PS_RATE_MAX, PS_RATE_PPS, PS_RATE_PERCENT, PS_RATE_BITS };

struct ps_rate {
	enum ps_rate_unit unit;
	double value; /* packets/s, percent of line rate, or bits/s of frames with FCS */
};

/* "max", "1.5Mpps", "1500000", "40%", "10Gbit". k, M, G are powers of 1000; a bare number is packets/s. */
int ps_rate_parse(const char *text, struct ps_rate *rate);

/* Packets per second; 0 means no limit. mean_size in bytes with FCS, line_rate in bits/s with preamble and gap. */
double ps_rate_pps(const struct ps_rate *rate, double mean_size, double line_rate);

/* Packets per second that a line of line_rate bits/s carries. */
double ps_line_pps(double line_rate, double mean_size);

/* "1000", "100k", "1M". */
int ps_count_parse(const char *text, uint64_t smallest, uint64_t largest, uint64_t *value);

/* "10", "10s", "500ms", "2m"; seconds. */
int ps_seconds_parse(const char *text, double *seconds);

/* "0.1%", or a ratio "0.001". */
int ps_ratio_parse(const char *text, double *ratio);

#endif

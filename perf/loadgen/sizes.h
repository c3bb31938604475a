/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame sizes: one size, a list with weights, or IMIX. Sizes are in bytes on the wire with
 * the frame check sequence and without preamble and gap, as RFC 2544 counts: 64 means 60 bytes
 * in the buffer.
 *
 * The mix is spread evenly over a schedule (each size as far from its like as its weight allows), so
 * that short trials carry the right proportions too.
 */
#ifndef PS_LOADGEN_SIZES_H
#define PS_LOADGEN_SIZES_H

#include <stddef.h>
#include <stdint.h>

#define PS_SIZES_MAX 16u
#define PS_SIZE_SCHEDULE 4096u /* longest schedule: sum of the reduced weights */
#define PS_FRAME_FCS 4u
#define PS_FRAME_GAP 20u        /* preamble and inter-frame gap: what a frame occupies beyond its bytes */
#define PS_FRAME_LARGEST 9018u

struct ps_sizes {
	uint32_t sizes;
	uint16_t size[PS_SIZES_MAX];   /* bytes with FCS */
	uint32_t weight[PS_SIZES_MAX];
	uint32_t steps;                /* length of the schedule */
	uint8_t schedule[PS_SIZE_SCHEDULE]; /* indices into size */
	uint32_t raised;               /* entries that were below the minimum and raised to it */
};

/*
 * text: "64", "imix", or "SIZE:WEIGHT,SIZE:WEIGHT,...". Sizes below `minimum` are raised to it and counted in
 * `raised`: an IPv6 frame with a stamp does not fit 64 bytes, and mixes are quoted for IPv4. 0, or -EINVAL with a
 * reason in why.
 */
int ps_sizes_parse(struct ps_sizes *s, const char *text, uint16_t minimum, char *why, size_t why_size);

/* Mean bytes of a frame, with FCS. */
double ps_sizes_mean(const struct ps_sizes *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A histogram of 32-bit values with bounded relative error, for latencies in TSC
 * cycles. Each power of two is cut into 64 equal buckets, so a value is known to 1/64 (1.6 %),
 * values below 128 exactly. Recording is a shift and an increment.
 *
 *   value   0 .. 63 | 64 .. 127 | 128 .. 255 (width 2) | 256 .. 511 (width 4) | ...
 *   bucket  0 .. 63 | 64 .. 127 | 128 .. 191           | 192 .. 255           | ...
 *
 * Thread: one writer; readers only after it has stopped.
 */
#ifndef PS_LOADGEN_HISTOGRAM_H
#define PS_LOADGEN_HISTOGRAM_H

#include <stdint.h>

#define PS_HISTOGRAM_BITS 6u
#define PS_HISTOGRAM_SUB (1u << PS_HISTOGRAM_BITS)
#define PS_HISTOGRAM_BUCKETS ((32u - PS_HISTOGRAM_BITS + 1u) * PS_HISTOGRAM_SUB)

struct ps_histogram {
	uint64_t count;
	uint64_t sum;
	uint32_t min; /* UINT32_MAX while empty */
	uint32_t max;
	uint64_t bucket[PS_HISTOGRAM_BUCKETS];
};

void ps_histogram_reset(struct ps_histogram *h);
void ps_histogram_merge(struct ps_histogram *into, const struct ps_histogram *from);

/*
 * The value below or at which `percent` of all recorded ones lie: the upper edge of its bucket, never
 * more than the maximum. 0 when empty. percent: 0..100.
 */
uint32_t ps_histogram_percentile(const struct ps_histogram *h, double percent);
double ps_histogram_mean(const struct ps_histogram *h);

/* Largest value that falls into bucket `index`. */
uint32_t ps_histogram_upper(uint32_t index);

static inline uint32_t
ps_histogram_index(uint32_t value)
{
	uint32_t shift;

	if (value < PS_HISTOGRAM_SUB)
		return value;
	shift = 31u - (uint32_t)__builtin_clz(value) - PS_HISTOGRAM_BITS;
	return (shift << PS_HISTOGRAM_BITS) + (value >> shift);
}

static inline void
ps_histogram_record(struct ps_histogram *h, uint32_t value)
{
	h->bucket[ps_histogram_index(value)]++;
	h->count++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	if (value < h->min)
		h->min = value;
}

#endif

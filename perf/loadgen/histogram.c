/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "perf/loadgen/histogram.h"

void
ps_histogram_reset(struct ps_histogram *h)
{
	memset(h, 0, sizeof(*h));
	h->min = UINT32_MAX;
}

void
ps_histogram_merge(struct ps_histogram *into, const struct ps_histogram *from)
{
	uint32_t i;

	into->count += from->count;
	into->sum += from->sum;
	if (from->max > into->max)
		into->max = from->max;
	if (from->min < into->min)
		into->min = from->min;
	for (i = 0; i < PS_HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint32_t
ps_histogram_upper(uint32_t index)
{
	uint32_t shift;

	if (index < 2 * PS_HISTOGRAM_SUB)
		return index;
	shift = (index >> PS_HISTOGRAM_BITS) - 1;
	return (uint32_t)(((uint64_t)(index - (shift << PS_HISTOGRAM_BITS)) + 1) << shift) - 1;
}

uint32_t
ps_histogram_percentile(const struct ps_histogram *h, double percent)
{
	uint64_t wanted, seen = 0;
	uint32_t i, upper;

	if (h->count == 0)
		return 0;
	if (percent < 0)
		percent = 0;
	wanted = (uint64_t)ceil(percent / 100.0 * (double)h->count);
	if (wanted == 0)
		return h->min;
	if (wanted >= h->count)
		return h->max;
	for (i = 0; i < PS_HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= wanted)
			break;
	}
	upper = ps_histogram_upper(i);
	return upper < h->max ? upper : h->max;
}

double
ps_histogram_mean(const struct ps_histogram *h)
{
	return h->count != 0 ? (double)h->sum / (double)h->count : 0.0;
}

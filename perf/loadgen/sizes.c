/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "perf/loadgen/sizes.h"

#define IMIX "64:7,594:4,1518:1"

static uint32_t
gcd(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Smooth weighted round robin: at each step the size that is furthest behind its share. */
static void
build_schedule(struct ps_sizes *s)
{
	int64_t credit[PS_SIZES_MAX] = {0};
	uint32_t step, i, best;

	for (step = 0; step < s->steps; step++) {
		best = 0;
		for (i = 0; i < s->sizes; i++) {
			credit[i] += s->weight[i];
			if (credit[i] > credit[best])
				best = i;
		}
		credit[best] -= s->steps;
		s->schedule[step] = (uint8_t)best;
	}
}

static int
parse_number(const char **text, unsigned long largest, unsigned long *value)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	*value = strtoul(*text, &end, 10);
	if (errno != 0 || *value > largest)
		return -ERANGE;
	*text = end;
	return 0;
}

int
ps_sizes_parse(struct ps_sizes *s, const char *text, uint16_t minimum, char *why, size_t why_size)
{
	unsigned long size, weight;
	uint32_t i, common = 0;

	memset(s, 0, sizeof(*s));
	if (strcasecmp(text, "imix") == 0)
		text = IMIX;
	do {
		if (s->sizes == PS_SIZES_MAX) {
			snprintf(why, why_size, "more than %u frame sizes", PS_SIZES_MAX);
			return -EINVAL;
		}
		if (parse_number(&text, PS_FRAME_LARGEST, &size) < 0 || size < 64) {
			snprintf(why, why_size, "frame size at \"%s\", expected 64..%u", text, PS_FRAME_LARGEST);
			return -EINVAL;
		}
		weight = 1;
		if (*text == ':') {
			text++;
			if (parse_number(&text, 1000000, &weight) < 0 || weight == 0) {
				snprintf(why, why_size, "weight at \"%s\", expected 1..1000000", text);
				return -EINVAL;
			}
		}
		if (size < minimum) {
			size = minimum;
			s->raised++;
		}
		s->size[s->sizes] = (uint16_t)size;
		s->weight[s->sizes++] = (uint32_t)weight;
		common = gcd((uint32_t)weight, common);
	} while (*text++ == ',');
	if (text[-1] != '\0') {
		snprintf(why, why_size, "\"%s\" after a frame size, expected ':' or ','", text - 1);
		return -EINVAL;
	}
	for (i = 0; i < s->sizes; i++) {
		s->weight[i] /= common;
		s->steps += s->weight[i];
	}
	if (s->steps > PS_SIZE_SCHEDULE) {
		snprintf(why, why_size, "weights add up to %u after reduction, at most %u", s->steps, PS_SIZE_SCHEDULE);
		return -EINVAL;
	}
	build_schedule(s);
	return 0;
}

double
ps_sizes_mean(const struct ps_sizes *s)
{
	double sum = 0;
	uint32_t i;

	for (i = 0; i < s->sizes; i++)
		sum += (double)s->size[i] * s->weight[i];
	return sum / s->steps;
}

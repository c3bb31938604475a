/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "perf/loadgen/sizes.h"
#include "perf/loadgen/units.h"

/* A non-negative number and an optional k, M or G; rest points at what follows. */
static int
parse_scaled(const char *text, double *value, const char **rest)
{
	char *end;

	if (strspn(text, "0123456789.") == 0)
		return -EINVAL;
	*value = strtod(text, &end);
	if (end == text || !isfinite(*value))
		return -EINVAL;
	switch (*end) {
	case 'k':
	case 'K':
		*value *= 1e3;
		end++;
		break;
	case 'M':
		*value *= 1e6;
		end++;
		break;
	case 'G':
		*value *= 1e9;
		end++;
		break;
	}
	*rest = end;
	return 0;
}

int
ps_rate_parse(const char *text, struct ps_rate *rate)
{
	const char *rest;

	rate->value = 0;
	rate->unit = PS_RATE_MAX;
	if (strcasecmp(text, "max") == 0)
		return 0;
	if (parse_scaled(text, &rate->value, &rest) < 0 || rate->value <= 0)
		return -EINVAL;
	if (*rest == '\0' || strcasecmp(rest, "pps") == 0)
		rate->unit = PS_RATE_PPS;
	else if (strcmp(rest, "%") == 0)
		rate->unit = PS_RATE_PERCENT;
	else if (strcasecmp(rest, "bit") == 0 || strcasecmp(rest, "bps") == 0 || strcasecmp(rest, "bit/s") == 0)
		rate->unit = PS_RATE_BITS;
	else
		return -EINVAL;
	return rate->unit == PS_RATE_PERCENT && rate->value > 100 ? -EINVAL : 0;
}

double
ps_line_pps(double line_rate, double mean_size)
{
	return line_rate / ((mean_size + PS_FRAME_GAP) * 8.0);
}

double
ps_rate_pps(const struct ps_rate *rate, double mean_size, double line_rate)
{
	switch (rate->unit) {
	case PS_RATE_PPS:
		return rate->value;
	case PS_RATE_PERCENT:
		return ps_line_pps(line_rate, mean_size) * rate->value / 100.0;
	case PS_RATE_BITS:
		return rate->value / (mean_size * 8.0);
	case PS_RATE_MAX:
		break;
	}
	return 0;
}

int
ps_count_parse(const char *text, uint64_t smallest, uint64_t largest, uint64_t *value)
{
	const char *rest;
	double number;

	if (parse_scaled(text, &number, &rest) < 0 || *rest != '\0' || number != floor(number) ||
		number < (double)smallest || number > (double)largest)
		return -EINVAL;
	*value = (uint64_t)number;
	return 0;
}

int
ps_seconds_parse(const char *text, double *seconds)
{
	const char *rest;

	if (strspn(text, "0123456789.") == 0)
		return -EINVAL;
	*seconds = strtod(text, (char **)&rest);
	if (rest == text || !isfinite(*seconds))
		return -EINVAL;
	if (strcmp(rest, "ms") == 0)
		*seconds /= 1000.0;
	else if (strcmp(rest, "m") == 0)
		*seconds *= 60.0;
	else if (*rest != '\0' && strcmp(rest, "s") != 0)
		return -EINVAL;
	return 0;
}

int
ps_ratio_parse(const char *text, double *ratio)
{
	const char *rest;

	if (strspn(text, "0123456789.") == 0)
		return -EINVAL;
	*ratio = strtod(text, (char **)&rest);
	if (rest == text)
		return -EINVAL;
	if (strcmp(rest, "%") == 0)
		*ratio /= 100.0;
	else if (*rest != '\0')
		return -EINVAL;
	return *ratio >= 0 && *ratio < 1 ? 0 : -EINVAL;
}

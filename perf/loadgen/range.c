/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "perf/loadgen/range.h"

static int
parse_addr(const char *text, size_t length, struct ps_addr *addr)
{
	char copy[INET6_ADDRSTRLEN];
	uint32_t v4;

	if (length >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (inet_pton(AF_INET, copy, &v4) == 1)
		*addr = ps_addr_from_v4(v4);
	else if (inet_pton(AF_INET6, copy, addr->b) != 1 || ps_addr_is_v4(addr))
		return -EINVAL;
	return 0;
}

static int
parse_prefix(const char *length_text, struct ps_addr_range *range)
{
	uint32_t bits = ps_addr_range_is_v4(range) ? 32 : 128, mask;
	unsigned long length;
	char *end;

	length = strtoul(length_text, &end, 10);
	/* the run must stay within 32 bits, and its count in a uint32_t */
	if (end == length_text || *end != '\0' || length > bits || length <= bits - 32)
		return -EINVAL;
	mask = bits == length ? 0 : (uint32_t)((1ull << (bits - length)) - 1);
	if ((range->low & mask) != 0)
		return -EINVAL;
	range->count = mask + 1;
	if (bits == 32 && length < 31) {
		range->low++;
		range->count -= 2;
		range->first = ps_addr_range_at(range, 0);
	}
	return 0;
}

int
ps_addr_range_parse(const char *text, struct ps_addr_range *range)
{
	size_t length = strcspn(text, "-/");
	struct ps_addr last;

	memset(range, 0, sizeof(*range));
	if (parse_addr(text, length, &range->first) < 0)
		return -EINVAL;
	range->low = ps_addr_low(&range->first);
	range->count = 1;
	if (text[length] == '/')
		return parse_prefix(text + length + 1, range);
	if (text[length] == '-') {
		if (parse_addr(text + length + 1, strlen(text + length + 1), &last) < 0 ||
			memcmp(last.b, range->first.b, 12) != 0 || ps_addr_low(&last) < range->low ||
			ps_addr_low(&last) - range->low == UINT32_MAX)
			return -EINVAL;
		range->count = ps_addr_low(&last) - range->low + 1;
	}
	return 0;
}

int
ps_port_range_parse(const char *text, struct ps_port_range *range)
{
	unsigned long first, last;
	char *end;

	first = last = strtoul(text, &end, 10);
	if (end == text)
		return -EINVAL;
	if (*end == '-') {
		const char *second = end + 1;

		last = strtoul(second, &end, 10);
		if (end == second)
			return -EINVAL;
	}
	if (*end != '\0' || first == 0 || last < first || last > UINT16_MAX)
		return -EINVAL;
	range->first = (uint16_t)first;
	range->count = (uint32_t)(last - first + 1);
	return 0;
}

const char *
ps_addr_format(const struct ps_addr *addr, char *text, size_t text_size)
{
	bool v4 = ps_addr_is_v4(addr);

	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr->b + 12 : addr->b, text, (socklen_t)text_size) == NULL)
		snprintf(text, text_size, "?");
	return text;
}

const char *
ps_addr_range_format(const struct ps_addr_range *range, char *text, size_t text_size)
{
	char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN];
	struct ps_addr end;

	if (range->count == 0) {
		snprintf(text, text_size, "none");
		return text;
	}
	end = ps_addr_range_at(range, range->count - 1);
	ps_addr_format(&range->first, first, sizeof(first));
	ps_addr_format(&end, last, sizeof(last));
	if (range->count == 1)
		snprintf(text, text_size, "%s", first);
	else
		snprintf(text, text_size, "%s-%s", first, last);
	return text;
}

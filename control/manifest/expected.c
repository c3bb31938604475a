/* SPDX-License-Identifier: Apache-2.0 */
/* How to say what a field wants. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/manifest/reference.h"

/* 90000 -> "1m30s" */
void
ps_duration_text(int64_t ms, char *text, size_t size)
{
	size_t used = 0;
	unsigned i;
	static const struct {
		int64_t ms;
		const char *suffix;
	} unit[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

	if (ms == 0) {
		snprintf(text, size, "0s");
		return;
	}
	for (i = 0; i < 4; i++) {
		if (ms / unit[i].ms == 0)
			continue;
		used += (size_t)snprintf(text + used, used < size ? size - used : 0, "%" PRId64 "%s",
			ms / unit[i].ms, unit[i].suffix);
		ms %= unit[i].ms;
	}
}

/* 1048576 -> "1Mi" */
void
ps_size_text(int64_t bytes, char *text, size_t size)
{
	static const char *const suffix[] = {"", "Ki", "Mi", "Gi", "Ti"};
	unsigned i = 0;

	while (i < 4 && bytes != 0 && bytes % 1024 == 0) {
		bytes /= 1024;
		i++;
	}
	snprintf(text, size, "%" PRId64 "%s", bytes, suffix[i]);
}

void
ps_range_text(const struct ps_field *field, uint8_t type, const char *between, char *text, size_t size)
{
	char low[40], high[40];

	text[0] = '\0';
	if (field->min == 0 && field->max == 0)
		return;
	if (type == PS_T_DURATION) {
		ps_duration_text(field->min, low, sizeof(low));
		ps_duration_text(field->max, high, sizeof(high));
	} else if (type == PS_T_SIZE) {
		ps_size_text(field->min, low, sizeof(low));
		ps_size_text(field->max, high, sizeof(high));
	} else {
		snprintf(low, sizeof(low), "%" PRId64, field->min);
		snprintf(high, sizeof(high), "%" PRId64, field->max);
	}
	snprintf(text, size, "%s%s%s", low, between, high);
}

void
ps_names_text(const struct ps_field *field, const char *last, char *text, size_t size)
{
	const struct ps_enum_name *name;
	size_t used = 0;

	text[0] = '\0';
	for (name = field->names; name->name != NULL && used < size; name++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
					 used == 0 ? "" : name[1].name == NULL ? last : ", ", name->name);
}

void
ps_value_expected(const struct ps_field *field, uint8_t type, char *text, size_t size)
{
	static const char *const fixed[PS_TYPES] = {
		[PS_T_ANY] = "a value",
		[PS_T_PLACE] = "a mapping",
		[PS_T_TEXT] = "a text",
		[PS_T_INTEGER] = "a number",
		[PS_T_BOOLEAN] = "true or false",
		[PS_T_DURATION] = "a duration like 30s, 500ms or 1h30m",
		[PS_T_SIZE] = "a size like 512Mi or 1Gi",
		[PS_T_IP] = "an IPv4 or IPv6 address",
		[PS_T_PREFIX] = "an address with prefix length like 10.0.0.0/24 or 2001:db8::/64",
		[PS_T_ROUTE] = "a prefix like 10.0.0.0/24 or 2001:db8::/64, or default",
		[PS_T_IP_RANGE] = "an address, a range like 10.0.0.1-10.0.0.9, or a prefix like 10.0.0.0/28",
		[PS_T_CPU_RANGE] = "a CPU number like 2, or a range like 2-5",
		[PS_T_PORT_RANGE] = "a port range like 1280-65535",
		[PS_T_PORT_REF] = "a port number from 1 to 65535, or a port name",
		[PS_T_MAC] = "a unicast MAC address like 02:00:00:00:00:01",
		[PS_T_WEIGHTS] = "ADDRESS=WEIGHT,... with weights from 0 to 65535",
		[PS_T_MAP] = "a mapping",
		[PS_T_OBJECT] = "a mapping",
		[PS_T_INLINE] = "a mapping",
		[PS_T_LIST] = "a list",
	};
	char range[96], names[200];

	ps_range_text(field, type, " to ", range, sizeof(range));
	if (type == PS_T_ENUM) {
		ps_names_text(field, " or ", names, sizeof(names));
		snprintf(text, size, "%s", names);
	} else if (type == PS_T_TEXT && field->format != NULL) {
		snprintf(text, size, "%s", field->format->expected);
	} else if (type == PS_T_TEXT && range[0] != '\0') {
		snprintf(text, size, "a text of %s characters", range);
	} else if (range[0] != '\0' && type != PS_T_LIST) {
		snprintf(text, size, "%s from %s", fixed[type], range);
	} else {
		snprintf(text, size, "%s", fixed[type]);
	}
}

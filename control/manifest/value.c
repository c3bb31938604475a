/* SPDX-License-Identifier: Apache-2.0 */
/* From a scalar's text to a value. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/manifest/schema.h"

#define PS_MAX_WEIGHTS 4096u

bool
ps_parse_ip(const char *s, struct ps_addr *addr)
{
	uint32_t v4;

	if (strchr(s, ':') == NULL) {
		if (inet_pton(AF_INET, s, &v4) != 1)
			return false;
		*addr = ps_addr_from_v4(v4);
		return true;
	}
	/* an IPv4-mapped IPv6 address would be taken for IPv4 further on */
	return inet_pton(AF_INET6, s, addr->b) == 1 && !ps_addr_is_v4(addr);
}

static bool
parse_unsigned(const char *s, size_t size, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;
	size_t i;

	if (size == 0 || (size > 1 && s[0] == '0'))
		return false;
	for (i = 0; i < size; i++) {
		if (!isdigit((unsigned char)s[i]))
			return false;
		if (v > (UINT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	if (v > max)
		return false;
	*value = v;
	return true;
}

bool
ps_parse_prefix(const char *s, struct ps_addr *addr, uint8_t *length, bool *v6)
{
	const char *slash = strchr(s, '/');
	char text[INET6_ADDRSTRLEN];
	uint64_t bits;

	if (slash == NULL || (size_t)(slash - s) >= sizeof(text))
		return false;
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = '\0';
	if (!ps_parse_ip(text, addr))
		return false;
	*v6 = !ps_addr_is_v4(addr);
	if (!parse_unsigned(slash + 1, strlen(slash + 1), *v6 ? 128 : 32, &bits))
		return false;
	*length = (uint8_t)bits;
	return true;
}

/* GEP-2257: up to four parts of up to five digits, each with h, m, s or ms */
bool
ps_parse_duration(const char *s, int64_t *ms)
{
	int64_t total = 0;
	unsigned parts = 0;

	while (*s != '\0') {
		size_t digits = strspn(s, "0123456789");
		int64_t v = 0;
		size_t i;

		if (digits == 0 || digits > 5 || ++parts > 4)
			return false;
		for (i = 0; i < digits; i++)
			v = v * 10 + (s[i] - '0');
		s += digits;
		if (s[0] == 'm' && s[1] == 's') {
			total += v;
			s += 2;
			continue;
		}
		if (*s != 'h' && *s != 'm' && *s != 's')
			return false;
		total += v * (*s == 'h' ? 3600000 : *s == 'm' ? 60000 : 1000);
		s++;
	}
	*ms = total;
	return parts != 0;
}

bool
ps_parse_size(const char *s, int64_t *bytes)
{
	static const struct {
		const char *suffix;
		int64_t factor;
	} unit[] = {
		{"", 1},
		{"k", 1000},
		{"M", 1000000},
		{"G", 1000000000},
		{"T", 1000000000000},
		{"Ki", 1ll << 10},
		{"Mi", 1ll << 20},
		{"Gi", 1ll << 30},
		{"Ti", 1ll << 40},
	};
	size_t digits = strspn(s, "0123456789"), i;
	uint64_t v;

	if (!parse_unsigned(s, digits, INT64_MAX, &v))
		return false;
	for (i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		if (strcmp(s + digits, unit[i].suffix) == 0)
			return !__builtin_mul_overflow((int64_t)v, unit[i].factor, bytes);
	}
	return false;
}

/* RFC 3339, as Kubernetes writes it: 2024-05-01T12:00:00Z, with fraction or offset too */
bool
ps_parse_time(const char *s, int64_t *seconds)
{
	struct tm tm = {0};
	const char *rest;
	int hours, minutes;
	char sign;

	rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL)
		return false;
	if (*rest == '.') {
		rest++;
		if (!isdigit((unsigned char)*rest))
			return false;
		rest += strspn(rest, "0123456789");
	}
	*seconds = (int64_t)timegm(&tm);
	if (strcmp(rest, "Z") == 0)
		return true;
	sign = *rest;
	if ((sign != '+' && sign != '-') || strlen(rest) != 6 || rest[3] != ':' ||
	    strspn(rest + 1, "0123456789") != 2 || strspn(rest + 4, "0123456789") != 2)
		return false;
	hours = atoi(rest + 1);
	minutes = atoi(rest + 4);
	if (hours > 23 || minutes > 59)
		return false;
	*seconds += (sign == '+' ? -60 : 60) * (int64_t)(hours * 60 + minutes);
	return true;
}

bool
ps_parse_endpoint(const char *s, struct ps_addr *addr, uint16_t *port)
{
	const char *colon = strrchr(s, ':');
	char text[INET6_ADDRSTRLEN + 2];
	size_t size;
	uint64_t v;

	if (colon == NULL || (size = (size_t)(colon - s)) >= sizeof(text))
		return false;
	memcpy(text, s, size);
	text[size] = '\0';
	if (text[0] == '[') {
		if (size < 2 || text[size - 1] != ']' || strchr(text, ':') == NULL)
			return false;
		memmove(text, text + 1, size - 2);
		text[size - 2] = '\0';
	} else if (strchr(text, ':') != NULL) {
		return false;
	}
	if (!ps_parse_ip(text, addr) || !parse_unsigned(colon + 1, strlen(colon + 1), 65535, &v) || v == 0)
		return false;
	*port = (uint16_t)v;
	return true;
}

/* Decimal with sign, 0x and 0o, as YAML has it. */
static bool
parse_integer(const char *s, int64_t *value)
{
	int base = 10;
	char *end;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'o')) {
		base = s[1] == 'x' ? 16 : 8;
		s += 2;
	}
	if (!isxdigit((unsigned char)*s) && *s != '-' && *s != '+')
		return false;
	errno = 0;
	*value = strtoll(s, &end, base);
	return errno == 0 && *end == '\0' && end != s;
}

static bool
parse_boolean(const char *s, int64_t *value)
{
	if (strcasecmp(s, "true") == 0)
		*value = 1;
	else if (strcasecmp(s, "false") == 0)
		*value = 0;
	else
		return false;
	return true;
}

/* Splits "A<separator>B" in two; b is a when there is no separator. */
static bool
split(const char *s, size_t size, char separator, char a[64], char b[64])
{
	const char *at = memchr(s, separator, size);
	size_t first = at ? (size_t)(at - s) : size, second = at ? size - first - 1 : 0;

	if (first >= 64 || second >= 64)
		return false;
	memcpy(a, s, first);
	a[first] = '\0';
	memcpy(b, at ? at + 1 : s, at ? second : first);
	b[at ? second : first] = '\0';
	return true;
}

static bool
parse_ip_range(const char *s, size_t size, struct ps_ip_range *range)
{
	uint8_t length;
	char a[64], b[64];
	unsigned i, bit;
	bool v6;

	if (memchr(s, '/', size) != NULL) {
		if (!ps_parse_prefix(s, &range->first, &length, &v6))
			return false;
		range->last = range->first;
		for (i = (v6 ? 0u : 96u) + length; i < 128; i++) {
			bit = 0x80u >> (i & 7);
			range->first.b[i >> 3] &= (uint8_t)~bit;
			range->last.b[i >> 3] |= (uint8_t)bit;
		}
		return true;
	}
	return split(s, size, '-', a, b) && ps_parse_ip(a, &range->first) && ps_parse_ip(b, &range->last) &&
	       ps_addr_is_v4(&range->first) == ps_addr_is_v4(&range->last) &&
	       memcmp(range->first.b, range->last.b, sizeof(range->first.b)) <= 0;
}

static bool
parse_number_range(const char *s, size_t size, uint64_t max, uint64_t *first, uint64_t *last)
{
	char a[64], b[64];

	return split(s, size, '-', a, b) && parse_unsigned(a, strlen(a), max, first) &&
	       parse_unsigned(b, strlen(b), max, last) && *first <= *last;
}

static bool
parse_mac(const char *s, uint8_t mac[6])
{
	unsigned i;

	if (strlen(s) != 17)
		return false;
	for (i = 0; i < 6; i++, s += 3) {
		if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]) ||
		    (i < 5 && s[2] != ':' && s[2] != '-'))
			return false;
		mac[i] = (uint8_t)strtoul((char[]){s[0], s[1], '\0'}, NULL, 16);
	}
	return true;
}

static int
parse_weights(struct ps_arena *arena, const char *s, struct ps_place place, void *target)
{
	PS_LIST(struct ps_endpoint_weight) *list = target;
	struct ps_endpoint_weight *item;
	const char *end;
	uint32_t length = 1, i;
	uint64_t weight;
	char addr[64], number[64];

	for (end = s; (end = strchr(end, ',')) != NULL; end++)
		length++;
	if (length > PS_MAX_WEIGHTS)
		return -EINVAL;
	item = ps_arena_alloc(arena, length * sizeof(*item));
	if (item == NULL)
		return -ENOMEM;
	for (i = 0; i < length; i++, s = end + 1) {
		s += strspn(s, " ");
		end = strchrnul(s, ',');
		if (memchr(s, '=', (size_t)(end - s)) == NULL ||
			!split(s, (size_t)(end - s), '=', addr, number))
			return -EINVAL;
		number[strcspn(number, " ")] = '\0';
		if (!ps_parse_ip(addr, &item[i].addr) ||
		    !parse_unsigned(number, strlen(number), 65535, &weight))
			return -EINVAL;
		item[i].weight = (uint32_t)weight;
	}
	list->item = item;
	list->length = length;
	list->place = place;
	return 0;
}

static bool
in_range(const struct ps_field *field, int64_t v)
{
	return (field->min == 0 && field->max == 0) || (v >= field->min && v <= field->max);
}

static bool
parse_enum(const struct ps_field *field, const char *s, int64_t *value, const char **why)
{
	const struct ps_enum_name *name;
	struct ps_suggestion suggestion = {0};

	for (name = field->names; name->name != NULL; name++) {
		if (strcmp(name->name, s) == 0) {
			*value = name->value;
			return true;
		}
	}
	for (name = field->names; name->name != NULL; name++)
		ps_suggest(&suggestion, s, name->name);
	*why = suggestion.word;
	return false;
}

static int
parse_text(struct ps_arena *arena, const struct ps_field *field, const char *s, size_t size,
	struct ps_place place, struct ps_text *text)
{
	if (field->format != NULL && !field->format->matches(s, size))
		return -EINVAL;
	if ((field->min != 0 || field->max != 0) && !in_range(field, (int64_t)size))
		return -EINVAL;
	text->s = ps_arena_copy(arena, s, size);
	text->place = place;
	return text->s != NULL ? 0 : -ENOMEM;
}

static bool
parse_number(const struct ps_field *field, uint8_t type, const char *s, int64_t *v, const char **why)
{
	switch (type) {
	case PS_T_INTEGER:
		return parse_integer(s, v) && in_range(field, *v);
	case PS_T_BOOLEAN:
		return parse_boolean(s, v);
	case PS_T_ENUM:
		return parse_enum(field, s, v, why);
	case PS_T_DURATION:
		return ps_parse_duration(s, v) && in_range(field, *v);
	default:
		return ps_parse_size(s, v) && in_range(field, *v);
	}
}

static int
parse_port_ref(struct ps_arena *arena, const char *s, size_t size, struct ps_port_ref *ref)
{
	uint64_t number;

	if (parse_unsigned(s, size, 65535, &number) && number != 0) {
		ref->number = (uint16_t)number;
		return 0;
	}
	if (!ps_format_port_name.matches(s, size))
		return -EINVAL;
	ref->name = ps_arena_copy(arena, s, size);
	return ref->name != NULL ? 0 : -ENOMEM;
}

int
ps_value_parse(struct ps_arena *arena, const struct ps_field *field, uint8_t type, const char *s, size_t size,
	       struct ps_place place, void *target, const char **why)
{
	union {
		struct ps_number number;
		struct ps_ip ip;
		struct ps_prefix prefix;
		struct ps_ip_range ips;
		struct ps_cpu_range cpus;
		struct ps_port_range ports;
		struct ps_port_ref ref;
		struct ps_mac mac;
	} u;
	uint64_t first, last;
	int64_t v;
	int rc;

	memset(&u, 0, sizeof(u));
	switch (type) {
	case PS_T_TEXT:
		return parse_text(arena, field, s, size, place, target);
	case PS_T_WEIGHTS:
		return parse_weights(arena, s, place, target);
	case PS_T_INTEGER:
	case PS_T_BOOLEAN:
	case PS_T_ENUM:
	case PS_T_DURATION:
	case PS_T_SIZE:
		if (!parse_number(field, type, s, &v, why))
			return -EINVAL;
		u.number = (struct ps_number){v, place};
		break;
	case PS_T_IP:
		if (!ps_parse_ip(s, &u.ip.addr))
			return -EINVAL;
		u.ip.place = place;
		break;
	case PS_T_ROUTE:
	case PS_T_PREFIX:
		if (type == PS_T_ROUTE && strcmp(s, "default") == 0)
			u.prefix.length = UINT8_MAX;
		else if (!ps_parse_prefix(s, &u.prefix.addr, &u.prefix.length, &u.prefix.v6))
			return -EINVAL;
		u.prefix.place = place;
		break;
	case PS_T_IP_RANGE:
		if (!parse_ip_range(s, size, &u.ips))
			return -EINVAL;
		u.ips.place = place;
		break;
	case PS_T_CPU_RANGE:
	case PS_T_PORT_RANGE:
		if (!parse_number_range(s, size, (uint64_t)field->max, &first, &last) ||
		    (int64_t)first < field->min)
			return -EINVAL;
		if (type == PS_T_CPU_RANGE)
			u.cpus = (struct ps_cpu_range){(uint32_t)first, (uint32_t)last, place};
		else
			u.ports = (struct ps_port_range){(uint16_t)first, (uint16_t)last, place};
		break;
	case PS_T_PORT_REF:
		u.ref.place = place;
		rc = parse_port_ref(arena, s, size, &u.ref);
		if (rc != 0)
			return rc;
		break;
	case PS_T_MAC:
		if (!parse_mac(s, u.mac.b) || (u.mac.b[0] & 1) != 0)
			return -EINVAL;
		u.mac.place = place;
		break;
	default:
		return -EINVAL;
	}
	memcpy(target, &u, ps_value_size(field, type));
	return 0;
}

size_t
ps_value_size(const struct ps_field *field, uint8_t type)
{
	switch (type) {
	case PS_T_PLACE:
		return sizeof(struct ps_place);
	case PS_T_TEXT:
		return sizeof(struct ps_text);
	case PS_T_INTEGER:
	case PS_T_BOOLEAN:
	case PS_T_ENUM:
	case PS_T_DURATION:
	case PS_T_SIZE:
		return sizeof(struct ps_number);
	case PS_T_IP:
		return sizeof(struct ps_ip);
	case PS_T_PREFIX:
	case PS_T_ROUTE:
		return sizeof(struct ps_prefix);
	case PS_T_IP_RANGE:
		return sizeof(struct ps_ip_range);
	case PS_T_CPU_RANGE:
		return sizeof(struct ps_cpu_range);
	case PS_T_PORT_RANGE:
		return sizeof(struct ps_port_range);
	case PS_T_PORT_REF:
		return sizeof(struct ps_port_ref);
	case PS_T_MAC:
		return sizeof(struct ps_mac);
	case PS_T_MAP:
		return sizeof(struct ps_pairs);
	case PS_T_OBJECT:
		return field->sub->size;
	default:
		return 0;
	}
}

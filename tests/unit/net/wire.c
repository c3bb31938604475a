/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>

#include "tests/unit/net/wire.h"

uint32_t
wire(uint8_t *out, const char *hex)
{
	uint32_t size = 0;
	char pair[3] = {0};

	while (*hex != '\0') {
		if (isspace((unsigned char)*hex)) {
			hex++;
			continue;
		}
		pair[0] = hex[0];
		pair[1] = hex[1];
		assert_true(isxdigit((unsigned char)pair[0]) && isxdigit((unsigned char)pair[1]));
		out[size++] = (uint8_t)strtoul(pair, NULL, 16);
		hex += 2;
	}
	return size;
}

static void
show(const char *what, const uint8_t *bytes, uint32_t size)
{
	uint32_t i;

	fprintf(stderr, "%s (%u):", what, size);
	for (i = 0; i < size; i++)
		fprintf(stderr, "%s%02x", i % 16 == 0 ? "\n  " : " ", bytes[i]);
	fprintf(stderr, "\n");
}

void
assert_wire_at(const void *bytes, uint32_t size, const char *hex, const char *file, int line)
{
	uint8_t expected[2048];
	uint32_t expected_size = wire(expected, hex);

	if (size == expected_size && memcmp(bytes, expected, size) == 0)
		return;
	show("expected", expected, expected_size);
	show("found", bytes, size);
	_fail(file, line);
}

struct ps_addr
addr(const char *text)
{
	struct ps_addr a;
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return ps_addr_from_v4(v4);
	assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

struct ps_snapshot *
arena_start(struct arena *a)
{
	struct ps_snapshot *s = (struct ps_snapshot *)a->bytes;

	memset(a, 0, sizeof(*a));
	a->used = PS_SNAPSHOT_HEADER_SIZE;
	for (uint32_t i = 0; i < PS_SECTIONS; i++)
		s->section[i] = (struct ps_section){.offset = a->used, .item_size = 1};
	return s;
}

void *
arena_section(struct arena *a, enum ps_section_id id, const void *items, uint32_t length, uint32_t item_size)
{
	struct ps_snapshot *s = (struct ps_snapshot *)a->bytes;
	void *at = a->bytes + a->used;

	s->section[id] = (struct ps_section){.offset = a->used, .length = length, .item_size = item_size};
	assert_true(a->used + length * item_size < sizeof(a->bytes));
	memcpy(at, items, length * item_size);
	a->used = (a->used + length * item_size + 63) & ~63u;
	return at;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes written as hex text, and a snapshot made by hand. */
#ifndef PS_TESTS_NET_WIRE_H
#define PS_TESTS_NET_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dataplane/api/snapshot.h"

/* "08 06 0001..." with any blanks into out; returns the number of bytes. */
uint32_t wire(uint8_t *out, const char *hex);

/* Fails and shows both when bytes differ from the text. */
#define assert_wire(bytes, size, hex) assert_wire_at((bytes), (size), (hex), __FILE__, __LINE__)
void assert_wire_at(const void *bytes, uint32_t size, const char *hex, const char *file, int line);

struct ps_addr addr(const char *text);

/* A snapshot with room for a few items of each section. */
struct arena {
	_Alignas(64) uint8_t bytes[256 * 1024];
	uint32_t used;
};

struct ps_snapshot *arena_start(struct arena *a);
/* Sets a section to these items; afterwards they may be changed in place. */
void *arena_section(struct arena *a, enum ps_section_id id, const void *items, uint32_t length, uint32_t item_size);

#endif

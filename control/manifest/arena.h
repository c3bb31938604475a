/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is given back all at once: the nodes of a document, the content of an object.
 * Not thread-safe.
 */
#ifndef PS_MANIFEST_ARENA_H
#define PS_MANIFEST_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct ps_arena_block;

/* All zero: empty and ready. */
struct ps_arena {
	struct ps_arena_block *block;
	char *at, *end;
};

/* size bytes, zeroed, aligned to 8. NULL: out of memory. */
void *ps_arena_alloc(struct ps_arena *arena, size_t size);

/* A copy with a NUL behind it. NULL: out of memory. */
char *ps_arena_copy(struct ps_arena *arena, const char *s, size_t size);

/* Forgets everything, but keeps a block for the next use. */
void ps_arena_reset(struct ps_arena *arena);
void ps_arena_free(struct ps_arena *arena);

#endif

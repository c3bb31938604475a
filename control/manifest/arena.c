/* SPDX-License-Identifier: Apache-2.0 */
#include "control/manifest/arena.h"

#include <stdlib.h>
#include <string.h>

#define PS_ARENA_FIRST 1024u
#define PS_ARENA_LARGEST (1u << 18)

struct ps_arena_block {
	struct ps_arena_block *next;
	size_t size; /* of the whole block */
};

static int
grow(struct ps_arena *arena, size_t need)
{
	size_t size = arena->block ? arena->block->size * 2 : PS_ARENA_FIRST;
	struct ps_arena_block *block;

	if (size > PS_ARENA_LARGEST)
		size = PS_ARENA_LARGEST;
	if (size < need + sizeof(*block))
		size = need + sizeof(*block);
	block = malloc(size);
	if (block == NULL)
		return -1;
	block->next = arena->block;
	block->size = size;
	arena->block = block;
	arena->at = (char *)(block + 1);
	arena->end = (char *)block + size;
	return 0;
}

static void *
take(struct ps_arena *arena, size_t size)
{
	char *p;

	if (size > PTRDIFF_MAX / 2)
		return NULL;
	if ((size_t)(arena->end - arena->at) < size && grow(arena, size) != 0)
		return NULL;
	p = arena->at;
	arena->at += size;
	return p;
}

void *
ps_arena_alloc(struct ps_arena *arena, size_t size)
{
	void *p;
	size_t skew = (uintptr_t)arena->at & 7;

	if (skew != 0) {
		if ((size_t)(arena->end - arena->at) >= 8 - skew)
			arena->at += 8 - skew;
		else
			arena->at = arena->end; /* the next block begins aligned */
	}
	size = (size + 7) & ~(size_t)7;
	p = take(arena, size);
	if (p != NULL)
		memset(p, 0, size);
	return p;
}

char *
ps_arena_copy(struct ps_arena *arena, const char *s, size_t size)
{
	char *p = take(arena, size + 1);

	if (p != NULL) {
		memcpy(p, s, size);
		p[size] = '\0';
	}
	return p;
}

static void
free_blocks(struct ps_arena_block *block)
{
	while (block != NULL) {
		struct ps_arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void
ps_arena_reset(struct ps_arena *arena)
{
	struct ps_arena_block *block = arena->block;

	if (block == NULL)
		return;
	free_blocks(block->next);
	block->next = NULL;
	arena->at = (char *)(block + 1);
	arena->end = (char *)block + block->size;
}

void
ps_arena_free(struct ps_arena *arena)
{
	free_blocks(arena->block);
	arena->block = NULL;
	arena->at = arena->end = NULL;
}

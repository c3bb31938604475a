/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables are named by what they are made of, so a table that exists is never built again. It stays in the pack
 * it was written to, because packs are sealed and the dataplane holds them by digest. New tables of a
 * compilation share one new pack. Most packs are therefore small; when there are many, the smaller ones are copied into one,
 * which costs little because the large ones stay.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/compile/internal.h"
#include "dataplane/api/digest.h"

#define MOST_PACKS 32u
#define MERGE_DOWN_TO 8u

static uint64_t
align64(uint64_t size)
{
	return (size + 63) & ~63ull;
}

void
ps_pack_release(struct pack *pack)
{
	if (pack == NULL || --pack->references != 0)
		return;
	if (pack->bytes != NULL)
		munmap(pack->bytes, pack->size);
	if (pack->fd >= 0)
		close(pack->fd);
	free(pack);
}

void
ps_packs_free(struct packs *p)
{
	uint32_t i;

	for (i = 0; i < p->cells; i++)
		free(p->cell[i]);
	for (i = 0; i < p->length; i++)
		ps_pack_release(p->pack[i]);
	free(p->cell);
	free(p->pack);
	free(p->fresh);
	*p = (struct packs){0};
}

void
ps_packs_begin(struct packs *p)
{
	uint32_t i;

	p->round++;
	p->fresh_size = 0;
	p->built = p->reused = 0;
	for (i = 0; i < p->length; i++)
		p->pack[i]->live = 0;
}

/* ---- hash of tables ---- */

static struct table **
find(const struct packs *p, uint64_t digest)
{
	uint32_t i;

	for (i = (uint32_t)(digest >> 32) & (p->cells - 1); p->cell[i] != NULL && p->cell[i]->digest != digest;
		i = (i + 1) & (p->cells - 1))
		;
	return &p->cell[i];
}

/* Makes the hash anew with room for one more, and without tables that were not used since round `from`. */
static int
rehash(struct packs *p, uint64_t from)
{
	struct packs other = *p;
	uint32_t i;

	for (other.cells = 64; other.cells < 4 * (p->tables + 1); other.cells *= 2)
		;
	other.cell = calloc(other.cells, sizeof(*other.cell));
	if (other.cell == NULL)
		return -ENOMEM;
	for (i = 0; i < p->cells; i++) {
		struct table *t = p->cell[i];

		if (t == NULL)
			continue;
		if (t->round < from) {
			free(t);
			other.tables--;
			continue;
		}
		*find(&other, t->digest) = t;
	}
	free(p->cell);
	*p = other;
	return 0;
}

/* Room for size bytes at the end of the new pack; the offset, or 0 when out of memory. */
static uint64_t
fresh_room(struct packs *p, uint64_t size)
{
	uint64_t at = p->fresh_size != 0 ? p->fresh_size : sizeof(struct ps_blob), need = at + align64(size);

	if (need > p->fresh_capacity) {
		uint64_t capacity = need * 2 > 65536 ? need * 2 : 65536;
		uint8_t *bigger = realloc(p->fresh, capacity);

		if (bigger == NULL)
			return 0;
		p->fresh = bigger;
		p->fresh_capacity = capacity;
	}
	memset(p->fresh + need - 64, 0, 64);
	p->fresh_size = need;
	return at;
}

void
ps_packs_keep(struct packs *p, struct table *t)
{
	if (t->round == p->round)
		return;
	t->round = p->round;
	t->index = PS_NONE;
	p->reused++;
	if (t->pack != NULL)
		t->pack->live += align64((uint64_t)t->size * sizeof(uint16_t));
}

int
ps_packs_table(struct packs *p, const struct ps_maglev_endpoint *endpoint, uint32_t endpoints, struct table **table)
{
	uint32_t size = ps_maglev_size(endpoint, endpoints);
	uint64_t digest = ps_maglev_digest(endpoint, endpoints, size), offset, before = p->fresh_size;
	struct table **cell, *t;
	int rc;

	if (p->cells == 0 || (p->tables + 1) * 2 > p->cells) {
		rc = rehash(p, 0);
		if (rc != 0)
			return rc;
	}
	cell = find(p, digest);
	if (*cell != NULL) {
		ps_packs_keep(p, *cell);
		*table = *cell;
		return 0;
	}
	t = calloc(1, sizeof(*t));
	offset = fresh_room(p, (uint64_t)size * sizeof(uint16_t));
	if (t == NULL || offset == 0) {
		free(t);
		p->fresh_size = before;
		return -ENOMEM;
	}
	rc = ps_maglev_build((uint16_t *)(void *)(p->fresh + offset), size, endpoint, endpoints);
	if (rc != 0) {
		free(t);
		p->fresh_size = before;
		return rc;
	}
	*t = (struct table){.digest = digest, .offset = offset, .size = size, .endpoints = endpoints, .round = p->round,
		.index = PS_NONE};
	*cell = *table = t;
	p->tables++;
	p->built++;
	return 0;
}

/* ---- the end of a round ---- */

static int
seal_fresh(struct packs *p)
{
	struct ps_blob *header = (struct ps_blob *)(void *)p->fresh;
	struct pack *pack, **bigger;
	uint32_t i;
	int rc;

	if (p->fresh_size == 0)
		return 0;
	if (p->length == p->capacity) {
		bigger = realloc(p->pack, (p->capacity + 64) * sizeof(*p->pack));
		if (bigger == NULL)
			return -ENOMEM;
		p->pack = bigger;
		p->capacity += 64;
	}
	pack = calloc(1, sizeof(*pack));
	if (pack == NULL)
		return -ENOMEM;
	*header = (struct ps_blob){.magic = PS_BLOB_MAGIC, .abi = PS_ABI, .size = p->fresh_size};
	header->digest = ps_digest(p->fresh + sizeof(*header), p->fresh_size - sizeof(*header), 0);
	*pack = (struct pack){.digest = header->digest, .size = p->fresh_size, .references = 1};
	pack->fd = ps_memfd_sealed("penstock-tables", p->fresh, p->fresh_size);
	if (pack->fd < 0) {
		rc = pack->fd;
		free(pack);
		return rc;
	}
	pack->bytes = mmap(NULL, pack->size, PROT_READ, MAP_SHARED, pack->fd, 0);
	if (pack->bytes == MAP_FAILED) {
		rc = -errno;
		pack->bytes = NULL;
		ps_pack_release(pack);
		return rc;
	}
	p->pack[p->length++] = pack;
	for (i = 0; i < p->cells; i++) {
		if (p->cell[i] != NULL && p->cell[i]->pack == NULL && p->cell[i]->round == p->round) {
			p->cell[i]->pack = pack;
			pack->live += align64((uint64_t)p->cell[i]->size * sizeof(uint16_t));
		}
	}
	p->fresh_size = 0;
	return 0;
}

static void
forget_dead_packs(struct packs *p)
{
	uint32_t i, kept = 0;

	for (i = 0; i < p->length; i++) {
		if (p->pack[i]->live != 0)
			p->pack[kept++] = p->pack[i];
		else
			ps_pack_release(p->pack[i]);
	}
	p->length = kept;
}

static int
by_live(const void *a, const void *b)
{
	const struct pack *x = *(struct pack *const *)a, *y = *(struct pack *const *)b;

	return (x->live < y->live) - (x->live > y->live);
}

/* Moves the live tables of all packs from `first` on into the new pack. */
static int
move_to_fresh(struct packs *p, uint32_t first)
{
	uint32_t i;

	for (i = first; i < p->length; i++)
		p->pack[i]->index = PS_NONE;
	for (i = 0; i < first; i++)
		p->pack[i]->index = 0;
	for (i = 0; i < p->cells; i++) {
		struct table *t = p->cell[i];
		uint64_t offset, bytes;

		if (t == NULL || t->pack == NULL || t->round != p->round || t->pack->index != PS_NONE)
			continue;
		bytes = (uint64_t)t->size * sizeof(uint16_t);
		offset = fresh_room(p, bytes);
		if (offset == 0)
			return -ENOMEM;
		memcpy(p->fresh + offset, (uint8_t *)t->pack->bytes + t->offset, bytes);
		t->pack->live -= align64(bytes);
		t->pack = NULL;
		t->offset = offset;
	}
	return 0;
}

int
ps_packs_end(struct packs *p)
{
	uint32_t i, first = 0;
	uint64_t live = 0, size = 0;
	bool dead = false;
	int rc = seal_fresh(p);

	if (rc != 0)
		return rc;
	/* Tables that nobody used in this round are forgotten together with what they were in. */
	for (i = 0; i < p->cells && !dead; i++)
		dead = p->cell[i] != NULL && p->cell[i]->round != p->round;
	if (dead) {
		rc = rehash(p, p->round);
		if (rc != 0)
			return rc;
	}
	forget_dead_packs(p);
	for (i = 0; i < p->length; i++) {
		live += p->pack[i]->live;
		size += p->pack[i]->size;
	}
	if (p->length > MOST_PACKS)
		first = MERGE_DOWN_TO;
	else if (size < 2 * live + (1u << 20))
		return 0;
	qsort(p->pack, p->length, sizeof(*p->pack), by_live);
	/* Packs that are mostly alive are worth keeping where they are. */
	while (first < p->length && p->length <= MOST_PACKS && 2 * p->pack[first]->live > p->pack[first]->size)
		first++;
	rc = move_to_fresh(p, first);
	if (rc == 0)
		rc = seal_fresh(p);
	if (rc == 0)
		forget_dead_packs(p);
	return rc;
}

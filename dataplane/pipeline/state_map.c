/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pipeline/state_map.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/api/boot_id.h"

#define MAX_SLOTS (1u << 24) /* as ps_snapshot_validate */

static char path[PATH_MAX];
static void *main_base; /* reserved for life */
static const struct ps_state_table *main_table;
static struct ps_state_table *current; /* last one given out; holds a reference of its own */

int
ps_state_map_init(const char *runtime_dir)
{
	if (snprintf(path, sizeof(path), "%s/%s", runtime_dir, PS_STATE_FILE) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	main_base = mmap(NULL, ps_state_size(MAX_SLOTS), PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return main_base == MAP_FAILED ? -errno : 0;
}

static bool
header_ok(const struct ps_state_header *h, uint64_t size)
{
	return size >= PS_STATE_HEADER_SIZE && h->magic == PS_STATE_MAGIC && h->abi == PS_ABI && h->size == size &&
	       h->slots != 0 && h->slots <= MAX_SLOTS && ps_state_size(h->slots) == size &&
	       h->boot_id == ps_boot_id();
}

/* NULL: there is no valid file. */
static struct ps_state_table *
open_file(void)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct ps_state_table *t = NULL;
	struct stat st;
	void *base;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)PS_STATE_HEADER_SIZE)
		goto out;
	base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (base == MAP_FAILED)
		goto out;
	if (header_ok(base, (uint64_t)st.st_size))
		t = calloc(1, sizeof(*t));
	if (t == NULL) {
		munmap(base, (size_t)st.st_size);
		goto out;
	}
	t->base = base;
	t->size = (uint64_t)st.st_size;
	t->slots = ((const struct ps_state_header *)base)->slots;
	t->device = st.st_dev;
	t->inode = st.st_ino;
out:
	close(fd);
	return t;
}

static struct ps_state_table *
make_private(const struct ps_snapshot *s)
{
	const struct ps_boot *boot = ps_snapshot_item(s, PS_SEC_BOOT, 0);
	uint32_t slots = boot->endpoint_slots != 0 ? boot->endpoint_slots : 1;
	struct ps_state_table *t = calloc(1, sizeof(*t));
	struct ps_state_header *h;

	if (t == NULL)
		return NULL;
	t->size = ps_state_size(slots);
	t->slots = slots;
	/* Shared, so that main's mapping of it at its own address sees the same pages. */
	t->base = mmap(NULL, t->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->base == MAP_FAILED) {
		free(t);
		return NULL;
	}
	h = t->base;
	h->magic = PS_STATE_MAGIC;
	h->abi = PS_ABI;
	h->slots = slots;
	h->size = t->size;
	h->boot_id = ps_boot_id();
	return t;
}

/* Endpoints of the snapshot in use at full share; health stays as it is. */
static void
fill_private(struct ps_state_table *t, const struct ps_snapshot *s)
{
	const struct ps_endpoint *e = ps_snapshot_item(s, PS_SEC_ENDPOINT, 0);
	struct ps_state_verdict *verdict = ps_state_verdicts(t->base);

	for (uint32_t i = 0; i < ps_snapshot_length(s, PS_SEC_ENDPOINT); i++) {
		uint64_t word;

		if (e[i].slot >= t->slots)
			continue;
		word = atomic_load_explicit(&verdict[e[i].slot].word, memory_order_relaxed);
		word = (word & ~0xffffffffull) | PS_CTL(e[i].slot_generation, 255u, PS_CTL_IN_USE);
		atomic_store_explicit(&verdict[e[i].slot].word, word, memory_order_relaxed);
	}
}

static bool
same_file(const struct ps_state_table *t)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return true; /* gone: what is mapped is still the best there is */
	return st.st_dev == t->device && st.st_ino == t->inode;
}

struct ps_state_table *
ps_state_map_get(const struct ps_snapshot *s, char *why, size_t why_size)
{
	struct ps_state_table *t = NULL;

	if (current == NULL || !same_file(current)) {
		t = open_file();
		if (t == NULL && current == NULL)
			t = make_private(s);
		if (t == NULL && current == NULL) {
			snprintf(why, why_size, "no memory for the endpoint state table");
			return NULL;
		}
		if (t != NULL) {
			ps_state_map_put(current);
			current = t;
			current->references = 1;
		}
	}
	if (s->max_endpoint_slot > current->slots) {
		snprintf(why, why_size, "endpoint slots up to %u, but the state table has %u",
			 s->max_endpoint_slot, current->slots);
		return NULL;
	}
	if (current->inode == 0)
		fill_private(current, s);
	current->references++;
	return current;
}

void
ps_state_map_put(struct ps_state_table *table)
{
	if (table == NULL || --table->references != 0)
		return;
	munmap(table->base, table->size);
	free(table);
}

void
ps_state_map_live(const struct ps_state_table *table)
{
	if (table == main_table)
		return;
	/* Moves a second mapping of the same pages over the reserved range: old size 0 duplicates a shared mapping. */
	if (mremap(table->base, 0, table->size, MREMAP_MAYMOVE | MREMAP_FIXED, main_base) == MAP_FAILED)
		return;
	main_table = table;
}

void *
ps_state_map_main(void)
{
	return main_base;
}

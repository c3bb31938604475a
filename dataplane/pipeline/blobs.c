/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pipeline/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "policies/maglev/layout.h"

#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* What was validated at one 64-byte step of a blob. */
struct checked {
	uint32_t size;
	uint32_t endpoints;
};

struct ps_held_blob {
	struct ps_held_blob *next;
	const void *bytes;
	uint64_t size;
	uint64_t digest;
	uint32_t references;
	struct checked *checked; /* [size / 64] */
};

/* A list: a snapshot names few blobs, since many tables share one. Buckets keep it short all the same. */
#define BUCKETS 1024u

struct ps_blobs {
	struct ps_held_blob *bucket[BUCKETS];
};

int
ps_blobs_new(struct ps_blobs **blobs)
{
	*blobs = calloc(1, sizeof(**blobs));
	return *blobs != NULL ? 0 : -ENOMEM;
}

static void
release(struct ps_held_blob *b)
{
	munmap((void *)(uintptr_t)b->bytes, b->size);
	free(b->checked);
	free(b);
}

void
ps_blobs_free(struct ps_blobs *blobs)
{
	if (blobs == NULL)
		return;
	for (uint32_t i = 0; i < BUCKETS; i++) {
		while (blobs->bucket[i] != NULL) {
			struct ps_held_blob *b = blobs->bucket[i];

			blobs->bucket[i] = b->next;
			release(b);
		}
	}
	free(blobs);
}

int
ps_map_sealed(int fd, const void **memory, uint64_t *size, char *why, size_t why_size)
{
	int seals = fcntl(fd, F_GET_SEALS), rc;
	struct stat st;
	void *p;

	if (seals < 0 || (seals & SEALS) != SEALS) {
		snprintf(why, why_size, "memory is not sealed against write, grow and shrink");
		return -EINVAL;
	}
	if (fstat(fd, &st) != 0)
		return -errno;
	if (st.st_size <= 0 || (uint64_t)st.st_size > PS_SNAPSHOT_MAX_SIZE) {
		snprintf(why, why_size, "memory of %lld bytes, at most %llu are taken", (long long)st.st_size,
			 (unsigned long long)PS_SNAPSHOT_MAX_SIZE);
		return -EFBIG;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED) {
		rc = -errno;
		snprintf(why, why_size, "memory of %lld bytes cannot be mapped: %s", (long long)st.st_size,
			 strerror(-rc));
		return rc;
	}
	*memory = p;
	*size = (uint64_t)st.st_size;
	return 0;
}

/* Takes over the mapping, or unmaps it on error. */
static int
add(struct ps_blobs *blobs, const void *bytes, uint64_t size, char *why, size_t why_size)
{
	struct ps_held_blob *b = NULL;
	int rc = ps_blob_validate(bytes, size, why, why_size);

	if (rc != 0)
		goto fail;
	rc = -ENOMEM;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		goto fail;
	b->checked = calloc(size / 64 + 1, sizeof(*b->checked));
	if (b->checked == NULL)
		goto fail;
	b->bytes = bytes;
	b->size = size;
	b->digest = ((const struct ps_blob *)bytes)->digest;
	b->next = blobs->bucket[b->digest % BUCKETS];
	blobs->bucket[b->digest % BUCKETS] = b;
	return 0;
fail:
	if (rc == -ENOMEM)
		snprintf(why, why_size, "no memory for a blob");
	free(b);
	munmap((void *)(uintptr_t)bytes, size);
	return rc;
}

int
ps_blobs_add_fd(struct ps_blobs *blobs, uint64_t digest, int fd, char *why, size_t why_size)
{
	const void *bytes;
	uint64_t size;
	int rc;

	if (ps_blobs_find(blobs, digest) != NULL)
		return 0;
	rc = ps_map_sealed(fd, &bytes, &size, why, why_size);
	if (rc != 0)
		return rc;
	rc = add(blobs, bytes, size, why, why_size);
	if (rc == 0 && ps_blobs_find(blobs, digest) == NULL) {
		snprintf(why, why_size, "blob is not the one announced");
		return -EINVAL;
	}
	return rc;
}

int
ps_blobs_add_copy(struct ps_blobs *blobs, const void *bytes, uint64_t size, char *why, size_t why_size)
{
	void *copy;

	if (size == 0 || size > PS_SNAPSHOT_MAX_SIZE) {
		snprintf(why, why_size, "blob of %llu bytes", (unsigned long long)size);
		return -EFBIG;
	}
	copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return -errno;
	memcpy(copy, bytes, size);
	mprotect(copy, size, PROT_READ);
	if (size >= sizeof(struct ps_blob) && ps_blobs_find(blobs, ((const struct ps_blob *)copy)->digest) != NULL) {
		munmap(copy, size);
		return 0;
	}
	return add(blobs, copy, size, why, why_size);
}

struct ps_held_blob *
ps_blobs_find(struct ps_blobs *blobs, uint64_t digest)
{
	struct ps_held_blob *b = blobs->bucket[digest % BUCKETS];

	while (b != NULL && b->digest != digest)
		b = b->next;
	return b;
}

const void *
ps_held_blob_bytes(const struct ps_held_blob *blob, uint64_t *size)
{
	*size = blob->size;
	return blob->bytes;
}

bool
ps_held_blob_table_ok(struct ps_held_blob *blob, const struct ps_table *table)
{
	struct checked *c = &blob->checked[table->offset / 64];

	if (c->size == table->size && c->endpoints == table->endpoints)
		return true;
	if (!ps_table_validate((const uint16_t *)((const uint8_t *)blob->bytes + table->offset), table->size,
			       table->endpoints))
		return false;
	c->size = table->size;
	c->endpoints = table->endpoints;
	return true;
}

void
ps_held_blob_ref(struct ps_held_blob *blob)
{
	blob->references++;
}

void
ps_held_blob_unref(struct ps_held_blob *blob)
{
	blob->references--;
}

void
ps_blobs_sweep(struct ps_blobs *blobs)
{
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct ps_held_blob **link = &blobs->bucket[i], *b;

		while ((b = *link) != NULL) {
			if (b->references != 0) {
				link = &b->next;
				continue;
			}
			*link = b->next;
			release(b);
		}
	}
}

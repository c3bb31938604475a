/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshot memory from a descriptor or from disk, validated, with the blobs it names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/api/digest.h"
#include "dataplane/pipeline/apply.h"

/* The BLOB section, which is needed before the snapshot is known to be valid. NULL: not to be had, nor will it validate. */
static const struct ps_blob_ref *
blob_refs(const struct ps_snapshot *s, uint64_t size, uint32_t *length)
{
	const struct ps_section *sec = &s->section[PS_SEC_BLOB];

	*length = 0;
	if (size < PS_SNAPSHOT_HEADER_SIZE || s->magic != PS_SNAPSHOT_MAGIC || s->abi != PS_ABI ||
	    sec->item_size != sizeof(struct ps_blob_ref) || sec->offset % 64 != 0 || sec->offset > size ||
	    (uint64_t)sec->length * sizeof(struct ps_blob_ref) > size - sec->offset)
		return NULL;
	*length = sec->length;
	return (const struct ps_blob_ref *)((const uint8_t *)s + sec->offset);
}

static int
check_tables(const struct ps_loaded *l, char *why, size_t why_size)
{
	const struct ps_table *table = ps_snapshot_item(l->snapshot, PS_SEC_TABLE, 0);

	for (uint32_t i = 0; i < ps_snapshot_length(l->snapshot, PS_SEC_TABLE); i++) {
		if (!ps_held_blob_table_ok(l->blob[table[i].blob], &table[i])) {
			snprintf(why, why_size, "table %u: an entry is beyond its %u endpoints", i,
				 table[i].endpoints);
			return -EINVAL;
		}
	}
	return 0;
}

/* Takes the mapping over, or unmaps it on error. */
static int
load(struct ps_loaded *l, struct ps_blobs *blobs, const void *memory, uint64_t size, char *why, size_t why_size)
{
	const void **bytes = NULL;
	uint64_t *sizes = NULL;
	const struct ps_blob_ref *ref;
	uint32_t length, i;
	int rc = -ENOMEM;

	*l = (struct ps_loaded){.snapshot = memory, .size = size};
	ref = blob_refs(memory, size, &length);
	bytes = calloc(length + 1, sizeof(*bytes));
	sizes = calloc(length + 1, sizeof(*sizes));
	l->blob = calloc(length + 1, sizeof(struct ps_held_blob *));
	if (bytes == NULL || sizes == NULL || l->blob == NULL) {
		snprintf(why, why_size, "no memory for %u blobs", length);
		goto fail;
	}
	for (i = 0; i < length; i++) {
		struct ps_held_blob *b = ps_blobs_find(blobs, ref[i].digest);

		if (b == NULL) {
			snprintf(why, why_size, "blob %u (%016llx) has not come", i,
				 (unsigned long long)ref[i].digest);
			rc = -EINVAL;
			goto fail;
		}
		ps_held_blob_ref(b);
		l->blob[i] = b;
		l->blobs = i + 1;
		bytes[i] = ps_held_blob_bytes(b, &sizes[i]);
	}
	rc = ps_snapshot_validate(memory, size, bytes, sizes, length, why, why_size);
	if (rc == 0)
		rc = check_tables(l, why, why_size);
	if (rc == 0)
		goto out;
fail:
	ps_unload(l);
out:
	free(bytes);
	free(sizes);
	return rc;
}

int
ps_load_fd(struct ps_loaded *loaded, struct ps_blobs *blobs, int fd, char *why, size_t why_size)
{
	const void *memory;
	uint64_t size;
	int rc = ps_map_sealed(fd, &memory, &size, why, why_size);

	return rc != 0 ? rc : load(loaded, blobs, memory, size, why, why_size);
}

void
ps_unload(struct ps_loaded *l)
{
	for (uint32_t i = 0; i < l->blobs; i++)
		ps_held_blob_unref(l->blob[i]);
	free(l->blob);
	if (l->snapshot != NULL)
		munmap((void *)(uintptr_t)l->snapshot, l->size);
	*l = (struct ps_loaded){0};
}

/* bundle: the whole file, private to us. */
static int
load_bundle(struct ps_loaded *l, struct ps_blobs *blobs, const uint8_t *file, uint64_t size, char *why,
	    size_t why_size)
{
	const struct ps_bundle *b = (const struct ps_bundle *)file;
	const struct ps_blob_ref *ref;
	uint64_t at = sizeof(*b);
	uint32_t length;
	void *copy;
	int rc;

	if (size < sizeof(*b) || b->magic != PS_BUNDLE_MAGIC) {
		snprintf(why, why_size, "not a snapshot bundle");
		return -EINVAL;
	}
	if (b->abi != PS_ABI) {
		snprintf(why, why_size, "bundle has ABI %u, this program has %u", b->abi, PS_ABI);
		return -EPROTO;
	}
	if (b->size != size || b->snapshot_size > size - at || b->snapshot_size < PS_SNAPSHOT_HEADER_SIZE) {
		snprintf(why, why_size, "bundle is truncated");
		return -EINVAL;
	}
	if (ps_digest(file + at, size - at, 0) != b->digest) {
		snprintf(why, why_size, "bundle: digest differs from content");
		return -EINVAL;
	}
	ref = blob_refs((const struct ps_snapshot *)(file + at), b->snapshot_size, &length);
	if (length != b->blobs) {
		snprintf(why, why_size, "bundle has %u blobs, its snapshot %u", b->blobs, length);
		return -EINVAL;
	}
	at += b->snapshot_size;
	for (uint32_t i = 0; i < length; i++) {
		at = (at + 63) & ~63ull;
		if (at > size || ref[i].size > size - at) {
			snprintf(why, why_size, "bundle: blob %u is cut off", i);
			return -EINVAL;
		}
		rc = ps_blobs_add_copy(blobs, file + at, ref[i].size, why, why_size);
		if (rc != 0)
			return rc;
		at += ref[i].size;
	}
	copy = mmap(NULL, b->snapshot_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED) {
		snprintf(why, why_size, "no memory for the snapshot");
		return -ENOMEM;
	}
	memcpy(copy, file + sizeof(*b), b->snapshot_size);
	mprotect(copy, b->snapshot_size, PROT_READ);
	return load(l, blobs, copy, b->snapshot_size, why, why_size);
}

int
ps_load_bundle(struct ps_loaded *loaded, struct ps_blobs *blobs, const char *path, char *why, size_t why_size)
{
	/* The directory is a less privileged user's: no link is followed, no pipe waited for. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;
	struct stat st;
	void *file;

	if (fd < 0) {
		rc = -errno;
		snprintf(why, why_size, "%s: %s", path, strerror(-rc));
		return rc;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > 2 * PS_SNAPSHOT_MAX_SIZE) {
		snprintf(why, why_size, "%s: no file of a sensible size", path);
		close(fd);
		return -EINVAL;
	}
	/* A private copy: the file may be replaced, and even truncated, while it is read. */
	file = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	rc = file == MAP_FAILED ? -ENOMEM : 0;
	for (off_t at = 0; rc == 0 && at < st.st_size;) {
		ssize_t n = pread(fd, (uint8_t *)file + at, (size_t)(st.st_size - at), at);

		if (n <= 0)
			rc = n < 0 ? -errno : -EINVAL;
		else
			at += n;
	}
	close(fd);
	if (rc != 0)
		snprintf(why, why_size, "%s: %s", path, strerror(-rc));
	else
		rc = load_bundle(loaded, blobs, file, (uint64_t)st.st_size, why, why_size);
	if (file != MAP_FAILED)
		munmap(file, (size_t)st.st_size);
	return rc;
}

uint64_t
ps_ports_digest(const struct ps_snapshot *s)
{
	const struct ps_port *port = ps_snapshot_item(s, PS_SEC_PORT, 0);
	uint64_t digest = ps_snapshot_length(s, PS_SEC_PORT);

	for (uint32_t i = 0; i < ps_snapshot_length(s, PS_SEC_PORT); i++) {
		const char *name = ps_snapshot_string(s, port[i].name);
		const char *device = ps_snapshot_string(s, port[i].device);

		digest = ps_digest(name, strlen(name), digest);
		digest = ps_digest(device, strlen(device), digest ^ port[i].kind);
	}
	return digest;
}

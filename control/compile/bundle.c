/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done with a finished snapshot besides sending it: checking it, and keeping it on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/compile/compile.h"
#include "dataplane/api/digest.h"

int
ps_compiled_validate(const struct ps_compiled *c, char *why, size_t why_size)
{
	const void **bytes = calloc(c->blobs + 1, sizeof(*bytes));
	uint64_t *size = calloc(c->blobs + 1, sizeof(*size));
	uint32_t i;
	int rc = -ENOMEM;

	if (bytes == NULL || size == NULL)
		goto out;
	for (i = 0, rc = 0; i < c->blobs && rc == 0; i++) {
		bytes[i] = c->blob[i].bytes;
		size[i] = c->blob[i].size;
		rc = ps_blob_validate(bytes[i], size[i], why, why_size);
	}
	if (rc == 0)
		rc = ps_snapshot_validate(c->snapshot, c->size, bytes, size, c->blobs, why, why_size);
out:
	free(bytes);
	free(size);
	return rc;
}

static uint64_t
align64(uint64_t size)
{
	return (size + 63) & ~63ull;
}

static int
sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int rc = fd >= 0 && fsync(fd) == 0 ? 0 : -errno;

	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

/* The file as one mapping: the digest covers everything behind the header. */
static int
fill(int fd, const struct ps_compiled *c, uint64_t size)
{
	struct ps_bundle *b;
	uint64_t at = align64(sizeof(*b) + c->size);
	uint32_t i;
	int rc = 0;

	if (ftruncate(fd, (off_t)size) != 0)
		return -errno;
	/* Blocks first: a full disk must be an error here, not a SIGBUS while copying. */
	rc = posix_fallocate(fd, 0, (off_t)size);
	if (rc != 0)
		return -rc;
	b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		return -errno;
	memcpy((uint8_t *)b + sizeof(*b), c->snapshot, c->size);
	for (i = 0; i < c->blobs; i++) {
		memcpy((uint8_t *)b + at, c->blob[i].bytes, c->blob[i].size);
		at = align64(at + c->blob[i].size);
	}
	*b = (struct ps_bundle){
		.magic = PS_BUNDLE_MAGIC,
		.abi = PS_ABI,
		.blobs = c->blobs,
		.size = size,
		.snapshot_size = c->size,
		.digest = ps_digest((uint8_t *)b + sizeof(*b), size - sizeof(*b), 0),
	};
	if (msync(b, size, MS_SYNC) != 0)
		rc = -errno;
	munmap(b, size);
	return rc;
}

int
ps_bundle_write(const char *path, const struct ps_compiled *c)
{
	uint64_t size = align64(sizeof(struct ps_bundle) + c->size);
	char *beside = NULL;
	uint32_t i;
	int fd = -1, rc;

	for (i = 0; i < c->blobs; i++)
		size = align64(size + c->blob[i].size);
	if (asprintf(&beside, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		free(beside);
		return rc;
	}
	rc = fill(fd, c, size);
	if (rc == 0 && (fchmod(fd, 0640) != 0 || fsync(fd) != 0))
		rc = -errno;
	close(fd);
	if (rc == 0 && rename(beside, path) != 0)
		rc = -errno;
	if (rc == 0)
		rc = sync_folder(path);
	else
		unlink(beside);
	free(beside);
	return rc;
}

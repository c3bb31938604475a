/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots from descriptors and from disk: taken when right, refused with a reason when not, nothing held in vain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/api/digest.h"
#include "dataplane/pipeline/apply.h"
#include "tests/support/arena.h"

static char why[200];
static char path[] = "/tmp/penstock-test-load-XXXXXX";

static void
make(struct arena_image *image)
{
	struct arena a;

	arena_init(&a);
	arena_port(&a, "wan", PS_PORT_NULL, "", "192.0.2.1", 24);
	arena_service(&a, "203.0.113.1", 80, IPPROTO_TCP, "198.51.100.10", 3, 8080);
	arena_finish(&a, image, 9);
	arena_free(&a);
}

static uint64_t
blob_digest(const struct arena_image *image)
{
	return ((const struct ps_blob *)image->blob)->digest;
}

static int
add_blob(struct ps_blobs *blobs, const struct arena_image *image, uint64_t digest)
{
	int fd = arena_memfd(image->blob, image->blob_size);
	int rc = ps_blobs_add_fd(blobs, digest, fd, why, sizeof(why));

	close(fd);
	return rc;
}

static int
load(struct ps_loaded *l, struct ps_blobs *blobs, const struct arena_image *image)
{
	int fd = arena_memfd(image->bytes, image->size);
	int rc = ps_load_fd(l, blobs, fd, why, sizeof(why));

	close(fd);
	return rc;
}

static void
descriptor_is_taken(void **state)
{
	struct arena_image image;
	struct ps_blobs *blobs;
	struct ps_loaded l;

	make(&image);
	assert_int_equal(ps_blobs_new(&blobs), 0);
	assert_int_equal(load(&l, blobs, &image), -EINVAL); /* its blob is not there */
	assert_non_null(strstr(why, "has not come"));
	assert_int_equal(add_blob(blobs, &image, blob_digest(&image)), 0);
	assert_int_equal(load(&l, blobs, &image), 0);
	assert_int_equal(l.snapshot->generation, 9);
	/* Held while used, gone afterwards. */
	ps_blobs_sweep(blobs);
	assert_non_null(ps_blobs_find(blobs, blob_digest(&image)));
	ps_unload(&l);
	ps_blobs_sweep(blobs);
	assert_null(ps_blobs_find(blobs, blob_digest(&image)));
	ps_blobs_free(blobs);
	arena_image_free(&image);
}

static void
unsealed_is_refused(void **state)
{
	static const int seals[] = {0, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL, F_SEAL_WRITE | F_SEAL_GROW,
				    F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK};
	struct arena_image image;
	struct ps_blobs *blobs;
	struct ps_loaded l;

	make(&image);
	assert_int_equal(ps_blobs_new(&blobs), 0);
	for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
		int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		assert_int_equal(write(fd, image.bytes, image.size), image.size);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals[i]), 0);
		assert_int_equal(ps_load_fd(&l, blobs, fd, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, "not sealed"));
		assert_int_equal(ps_blobs_add_fd(blobs, 1, fd, why, sizeof(why)), -EINVAL);
		close(fd);
	}
	ps_blobs_free(blobs);
	arena_image_free(&image);
}

static void
wrong_blob_is_refused(void **state)
{
	struct arena_image image;
	struct ps_blobs *blobs;

	make(&image);
	assert_int_equal(ps_blobs_new(&blobs), 0);
	assert_int_equal(add_blob(blobs, &image, 12345), -EINVAL);
	assert_non_null(strstr(why, "not the one announced"));
	image.blob[image.blob_size - 1] ^= 1;
	ps_blobs_sweep(blobs);
	assert_int_equal(add_blob(blobs, &image, blob_digest(&image)), -EINVAL);
	ps_blobs_free(blobs);
	arena_image_free(&image);
}

/* An entry beyond the service's endpoints would make a worker read past them; the blob's digest does not help. */
static void
table_entries_are_checked(void **state)
{
	struct arena_image image;
	struct ps_blobs *blobs;
	struct ps_loaded l;
	struct ps_blob *b;
	struct ps_snapshot *s;

	make(&image);
	b = (struct ps_blob *)image.blob;
	*(uint16_t *)(image.blob + image.blob_size - 2) = 3;
	b->digest = ps_digest(image.blob + sizeof(*b), image.blob_size - sizeof(*b), 0);
	s = (struct ps_snapshot *)image.bytes;
	((struct ps_blob_ref *)(image.bytes + s->section[PS_SEC_BLOB].offset))->digest = b->digest;
	arena_seal(&image);
	assert_int_equal(ps_blobs_new(&blobs), 0);
	assert_int_equal(add_blob(blobs, &image, b->digest), 0);
	assert_int_equal(load(&l, blobs, &image), -EINVAL);
	assert_non_null(strstr(why, "beyond its 3 endpoints"));
	ps_blobs_free(blobs);
	arena_image_free(&image);
}

static uint8_t *
bundle(const struct arena_image *image, uint64_t *size)
{
	uint64_t blob_at = (sizeof(struct ps_bundle) + image->size + 63) & ~63ull;
	struct ps_bundle *b;
	uint8_t *file;

	*size = blob_at + image->blob_size;
	file = calloc(1, *size);
	assert_non_null(file);
	b = (struct ps_bundle *)file;
	memcpy(file + sizeof(*b), image->bytes, image->size);
	memcpy(file + blob_at, image->blob, image->blob_size);
	*b = (struct ps_bundle){.magic = PS_BUNDLE_MAGIC, .abi = PS_ABI, .blobs = 1, .size = *size,
				.snapshot_size = image->size};
	b->digest = ps_digest(file + sizeof(*b), *size - sizeof(*b), 0);
	return file;
}

static int
load_file(const uint8_t *file, uint64_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), rc;
	struct ps_blobs *blobs;
	struct ps_loaded l;

	assert_int_equal(write(fd, file, size), size);
	close(fd);
	assert_int_equal(ps_blobs_new(&blobs), 0);
	why[0] = '\0';
	rc = ps_load_bundle(&l, blobs, path, why, sizeof(why));
	if (rc == 0)
		ps_unload(&l);
	else
		assert_string_not_equal(why, "");
	ps_blobs_free(blobs);
	return rc;
}

static void
bundle_is_taken_or_refused(void **state)
{
	struct arena_image image;
	struct ps_bundle *b;
	uint8_t *file;
	uint64_t size;

	make(&image);
	file = bundle(&image, &size);
	b = (struct ps_bundle *)file;
	assert_int_equal(load_file(file, size), 0);
	for (uint64_t cut = 0; cut < size; cut += cut < 200 ? 1 : 997)
		assert_int_not_equal(load_file(file, cut), 0);
	for (uint64_t i = 0; i < size; i += i < 64 ? 1 : 211) {
		if (i >= offsetof(struct ps_bundle, pad) && i < sizeof(*b))
			continue;
		file[i] ^= 0x10;
		assert_int_not_equal(load_file(file, size), 0);
		file[i] ^= 0x10;
	}
	b->abi = PS_ABI + 1;
	assert_int_equal(load_file(file, size), -EPROTO);
	b->abi = PS_ABI;
	/* A forger's bundle: every number put right but one. */
	b->blobs = 2;
	assert_int_equal(load_file(file, size), -EINVAL);
	b->blobs = 1;
	b->snapshot_size += 64;
	assert_int_not_equal(load_file(file, size), 0);
	b->snapshot_size = UINT64_MAX;
	assert_int_not_equal(load_file(file, size), 0);
	unlink(path);
	free(file);
	arena_image_free(&image);
}

static void
missing_bundle_says_so(void **state)
{
	struct ps_blobs *blobs;
	struct ps_loaded l;

	assert_int_equal(ps_blobs_new(&blobs), 0);
	assert_int_equal(ps_load_bundle(&l, blobs, "/nonexistent/snapshot", why, sizeof(why)), -ENOENT);
	ps_blobs_free(blobs);
}

static int
set_up(void **state)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return -1;
	close(fd);
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptor_is_taken),
		cmocka_unit_test(unsealed_is_refused),
		cmocka_unit_test(wrong_blob_is_refused),
		cmocka_unit_test(table_entries_are_checked),
		cmocka_unit_test(bundle_is_taken_or_refused),
		cmocka_unit_test(missing_bundle_says_so),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}

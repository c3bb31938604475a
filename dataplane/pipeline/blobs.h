/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs that the process holds, by digest. A blob is validated once, when it is added; the Maglev tables
 * in it once per place, size and number of endpoints. Views hold references; blobs without one
 * go at ps_blobs_sweep. Needs no EAL.
 *
 * Thread: main.
 */
#ifndef PS_PIPELINE_BLOBS_H
#define PS_PIPELINE_BLOBS_H

#include "dataplane/api/snapshot.h"

struct ps_blobs;
struct ps_held_blob;

int ps_blobs_new(struct ps_blobs **blobs);
void ps_blobs_free(struct ps_blobs *blobs);

/*
 * Maps a sealed memfd and validates it; fd stays the caller's. Known ones are accepted without being read. 0, -EINVAL,
 * -EPROTO, -EFBIG, -ENOMEM or the -errno of mmap, with a reason in why.
 */
int ps_blobs_add_fd(struct ps_blobs *blobs, uint64_t digest, int fd, char *why, size_t why_size);

/* The same from bytes, which are copied. */
int ps_blobs_add_copy(struct ps_blobs *blobs, const void *bytes, uint64_t size, char *why, size_t why_size);

/* NULL: not held. */
struct ps_held_blob *ps_blobs_find(struct ps_blobs *blobs, uint64_t digest);
const void *ps_held_blob_bytes(const struct ps_held_blob *blob, uint64_t *size);

/* Is the table, which lies inside the blob, sound? Answers from memory when asked again. */
bool ps_held_blob_table_ok(struct ps_held_blob *blob, const struct ps_table *table);

void ps_held_blob_ref(struct ps_held_blob *blob);
void ps_held_blob_unref(struct ps_held_blob *blob);

/* Unmaps all without reference. */
void ps_blobs_sweep(struct ps_blobs *blobs);

/*
 * Maps a memfd that nobody can change any more (sealed against write, grow and shrink) read-only and prefaulted. 0 or -errno;
 * *memory is to be unmapped by the caller.
 */
int ps_map_sealed(int fd, const void **memory, uint64_t *size, char *why, size_t why_size);

#endif

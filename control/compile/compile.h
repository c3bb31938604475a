/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model to snapshot: a sealed memfd for the arena, and sealed memfds ("packs") for Maglev tables.
 *
 * A compiler remembers the tables it has built, by the digest of what they are made of, in the pack they were
 * written to; a compilation builds only tables that it has not, into one new small pack. When packs are many
 * or mostly dead, the small ones are merged.
 *
 * A compiler follows one resolver: what it remembers it knows by the revisions of that one.
 *
 * Not thread-safe. Functions return 0 or -errno.
 */
#ifndef PS_COMPILE_COMPILE_H
#define PS_COMPILE_COMPILE_H

#include "control/channel/slots.h"
#include "control/resolve/model.h"
#include "dataplane/api/snapshot.h"

struct ps_compiler;

struct ps_compiled_blob {
	uint64_t digest;
	uint64_t size;     /* bytes */
	int fd;            /* sealed; owned by the ps_compiled */
	const void *bytes; /* mapped read-only */
};

/* One snapshot. Owns its descriptors and memory; independent of model and compiler once made. */
struct ps_compiled {
	uint64_t generation;
	uint64_t size;                        /* bytes of the snapshot */
	int fd;                               /* sealed memfd */
	const struct ps_snapshot *snapshot;   /* the same bytes, readable */
	struct ps_compiled_blob *blob;        /* in the order of the BLOB section */
	uint32_t blobs;
	uint32_t tables_built, tables_reused; /* by this compilation */
	uint32_t endpoints_left_out;          /* because the state table had no slot for them */
	uint32_t services_left_out;
};

/* NULL: out of memory. */
struct ps_compiler *ps_compiler_new(void);
/* NULL is fine. What it compiled stays good. */
void ps_compiler_free(struct ps_compiler *compiler);

/*
 * Runs one round of slots (begin and naming; commit is the caller's, once the snapshot is live). slots may be NULL:
 * then slots are numbered in order, for `penstock check` and tests. generation > 0. now_ns: CLOCK_REALTIME.
 * -ENOMEM, -EFBIG, or what memfd_create and write said.
 */
int ps_compile(struct ps_compiler *compiler, const struct ps_model *model, struct ps_slots *slots,
	       uint64_t generation, uint64_t now_ns, struct ps_compiled **compiled);

/*
 * Gets memory for the next snapshot, of the size of the last one and some more. Saves the next compilation that
 * time; to be called when nobody waits. Without it, or when it fails, all is the same but slower.
 */
void ps_compiler_prepare(struct ps_compiler *compiler);

void ps_compiled_free(struct ps_compiled *compiled);

/* ps_snapshot_validate on what was made, and ps_blob_validate on each blob. */
int ps_compiled_validate(const struct ps_compiled *compiled, char *why, size_t why_size);

/* Writes snapshot and blobs as one file, see struct ps_bundle: beside path, synced, renamed over it. */
int ps_bundle_write(const char *path, const struct ps_compiled *compiled);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a snapshot's memory to the view that all workers use, and back. No worker stops; a snapshot is
 * live on all workers or on none.
 *
 *   loaded   mapped and validated (no EAL needed)
 *   view     a loaded snapshot plus what main derives from it
 *   live     the pointer is swapped and every worker has passed a quiescent state
 *
 * Thread: main.
 */
#ifndef PS_PIPELINE_APPLY_H
#define PS_PIPELINE_APPLY_H

#include "dataplane/pipeline/blobs.h"
#include "dataplane/pipeline/view.h"

struct ps_loaded {
	const struct ps_snapshot *snapshot;
	uint64_t size;
	struct ps_held_blob **blob; /* in the order of BLOB, each referenced */
	uint32_t blobs;
};

/*
 * Maps a sealed memfd and validates it with the blobs it names, which must be held. fd stays the caller's. 0 or -errno with
 * a reason in why.
 */
int ps_load_fd(struct ps_loaded *loaded, struct ps_blobs *blobs, int fd, char *why, size_t why_size);

/*
 * The bundle in the state directory. -ENOENT: there is none. Others with a reason in why; a damaged bundle changes
 * nothing but blobs held.
 */
int ps_load_bundle(struct ps_loaded *loaded, struct ps_blobs *blobs, const char *path, char *why, size_t why_size);

void ps_unload(struct ps_loaded *loaded);

/* Digest of what must not differ between the running process and a view: names, kinds and devices of ports. */
uint64_t ps_ports_digest(const struct ps_snapshot *s);

struct ps_applied {
	uint64_t generation;
	bool restart_needed; /* boot section differs from the running one */
	uint64_t live_ns;    /* CLOCK_MONOTONIC when the last worker had it; what follows is main's own */
};

/*
 * Makes a loaded snapshot live and takes it over; on error it is unloaded and nothing has changed. Returns when every
 * worker uses it. 0; -EOVERFLOW (needs a restart: ports or sizes differ), or what net and flows answer; why says what.
 */
int ps_apply(struct ps_loaded *loaded, struct ps_applied *applied, char *why, size_t why_size);

/* Builds and swaps in the running snapshot's view again: net asks for it when next hops were given back. */
void ps_apply_again(void);

/* At the end, when no worker runs. */
void ps_apply_end(void);

#endif

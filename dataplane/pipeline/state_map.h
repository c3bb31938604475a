/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared state table as mapped here. penstockd makes the file; the dataplane never does. Without
 * a valid file (both processes were down and the runtime directory is new), a private table stands in, in
 * which every slot of the snapshot is in use and its health unknown; the next snapshot of a
 * penstockd brings the file.
 *
 * A new file, made when penstockd needs more slots, is taken with the snapshot that comes after it: workers see
 * the verdicts of a view together with the view. Main's own mapping stays at one address for life.
 *
 * Thread: main. Workers read verdicts of the view they use.
 */
#ifndef PS_PIPELINE_STATE_MAP_H
#define PS_PIPELINE_STATE_MAP_H

#include "dataplane/api/snapshot.h"
#include "dataplane/api/state.h"

/* One mapping of one table; counted, since views share it. */
struct ps_state_table {
	void *base;
	uint64_t size;
	uint32_t slots;
	uint32_t references;
	uint64_t device, inode; /* of the file; 0: private */
};

/* Reserves main's address. 0 or -errno. */
int ps_state_map_init(const char *runtime_dir);

/*
 * The table to use with a snapshot: the same as before unless the file was replaced. Referenced for the caller. NULL:
 * no memory, or the file's slots do not cover the snapshot (why says so).
 */
struct ps_state_table *ps_state_map_get(const struct ps_snapshot *s, char *why, size_t why_size);
void ps_state_map_put(struct ps_state_table *table);

/* The table of the live view becomes the one at main's address. */
void ps_state_map_live(const struct ps_state_table *table);

/* Main's mapping, for life: struct ps_state_header. Valid after the first ps_state_map_live. */
void *ps_state_map_main(void);

#endif

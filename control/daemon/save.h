/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled snapshots with a count of holders, and the thread that writes the last valid one to disk.
 * Writing syncs the disk and may take long, so it is not done where changes are published; the
 * newest one handed over wins.
 */
#ifndef PS_DAEMON_SAVE_H
#define PS_DAEMON_SAVE_H

#include <stdatomic.h>

#include "control/compile/compile.h"

struct ps_release {
	struct ps_compiled *compiled;
	_Atomic uint32_t holders;
};

/* Takes over compiled. NULL: out of memory; compiled is freed. */
struct ps_release *ps_release_new(struct ps_compiled *compiled);
struct ps_release *ps_release_hold(struct ps_release *release);
void ps_release_drop(struct ps_release *release); /* NULL is fine. Any thread. */

struct ps_saver;

/* Starts the thread, which writes to path. -errno. */
int ps_saver_open(struct ps_saver **saver, const char *path);
/* Waits for the write that is going on, and for one that was handed over. */
void ps_saver_close(struct ps_saver *saver);
/* Write this one next; holds it until then. Never blocks for long. */
void ps_saver_put(struct ps_saver *saver, struct ps_release *release);

struct ps_saver_status {
	uint64_t generation; /* on disk; 0: none written yet */
	uint64_t time_ns;    /* CLOCK_REALTIME */
	int error;           /* errno of the last attempt, 0: it worked */
};
void ps_saver_status(struct ps_saver *saver, struct ps_saver_status *status);

#endif

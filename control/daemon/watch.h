/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches manifest files and directories by inotify and says which files to read again.
 *
 * What counts as a change: a file closed after writing, or renamed or linked into place. A file that
 * is still open for writing is not looked at. Editors that rename the old file away before they write the new
 * one, and removals, are believed only after PS_WATCH_GONE_MS; a rename from one manifest name to
 * another is one step. A directory whose "..data" link is swapped, as mounted ConfigMaps
 * do, is compared as a whole, and so is everything after the kernel's queue overflowed.
 *
 * Names that begin with "." are not manifests. Directories are followed through links, each once.
 *
 * Thread: the one that runs the event base.
 */
#ifndef PS_DAEMON_WATCH_H
#define PS_DAEMON_WATCH_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#define PS_WATCH_GONE_MS 150

struct ps_watch;

struct ps_watch_callbacks {
	/* Would this name be read when found in a directory? */
	bool (*wants)(const char *name);
	/* Read this file again. 0 or -errno; after -ENOENT the file is treated as gone. */
	int (*refresh)(void *arg, const char *path);
	void (*remove)(void *arg, const char *path);
	/* All changes known so far were passed on. noticed_ns: CLOCK_MONOTONIC when the first was noticed. */
	void (*settled)(void *arg, uint64_t noticed_ns);
};

/* paths: files and directories, copied. Returns 0 or -errno. Nothing is read before ps_watch_rescan. */
int ps_watch_open(struct ps_watch **watch, struct event_base *base, const char *const *paths, uint32_t length,
		  const struct ps_watch_callbacks *callbacks, void *arg);
void ps_watch_close(struct ps_watch *watch);

/* Compares everything with the disk now; force: reads every file, changed or not. Calls settled. */
void ps_watch_rescan(struct ps_watch *watch, bool force);

/* Watching works; false when the kernel's limits do not allow it (then only ps_watch_rescan finds changes). */
bool ps_watch_works(const struct ps_watch *watch);
uint32_t ps_watch_files(const struct ps_watch *watch);

#endif

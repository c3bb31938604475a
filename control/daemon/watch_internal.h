/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of a watch share: the set of files (watch_files.c), comparing with the disk (watch_walk.c), and
 * what the kernel tells (watch.c).
 */
#ifndef PS_DAEMON_WATCH_INTERNAL_H
#define PS_DAEMON_WATCH_INTERNAL_H

#include <sys/stat.h>

#include "control/daemon/watch.h"

#define PS_WATCH_DEPTH_MAX 32

struct watched_file {
	char *path;
	struct stat seen;    /* as it was when read last */
	bool failed;         /* reading failed: any sign of life is a reason to try again */
	uint32_t scan;       /* number of the scan that met it last */
	uint64_t gone_ns;    /* CLOCK_MONOTONIC when it was seen to be gone; 0: it is there */
	uint32_t cookie;     /* of the rename that took it away */
	struct watched_file *next;   /* in the list of dirty or gone ones, while a batch is handled */
};

struct watched_directory {
	char *path; /* NULL: no such watch descriptor */
	bool walked; /* below a path that was given; else only watched for the targets of links */
};

struct ps_watch {
	struct event_base *base;
	struct ps_watch_callbacks call;
	void *arg;
	char **root;
	uint32_t roots;
	int fd; /* inotify, -1: not to be had */
	bool works;
	struct event *ready, *timer;
	struct watched_directory *directory; /* by watch descriptor */
	uint32_t directories;
	void *files; /* tsearch(3) tree of struct file, by path */
	uint32_t length, gone, waiting; /* files; of these gone; of these not yet believed to be */
	uint32_t scan;
	bool missing; /* a root did not exist at the last scan */
	bool rescan;
	struct {
		dev_t dev;
		ino_t ino;
	} stack[PS_WATCH_DEPTH_MAX];
	/* of the batch being handled */
	struct watched_file *dirty, *last_dirty; /* in the order they were met */
	uint64_t noticed_ns;
};

/* ---- watch_files.c ---- */

/* The file of this path, or NULL. */
struct watched_file *ps_watch_file_find(const struct ps_watch *watch, const char *path);
/* The same, made when it is not there yet. NULL: out of memory. */
struct watched_file *ps_watch_file_get(struct ps_watch *watch, const char *path);
/* It is to be read when the batch is settled. */
void ps_watch_file_dirty(struct ps_watch *watch, struct watched_file *file);
/* It was not there at this time; cookie: of the rename that took it away, 0: none. */
void ps_watch_file_gone(struct ps_watch *watch, struct watched_file *file, uint64_t now_ns, uint32_t cookie);
/* A file that was renamed away with this cookie, or NULL. */
struct watched_file *ps_watch_file_renamed(const struct ps_watch *watch, uint32_t cookie);
/* Everything that the last scan has not met is gone. */
void ps_watch_files_unmet(struct ps_watch *watch);
/* Is it what was read last? */
bool ps_watch_file_same(const struct watched_file *file, const struct stat *now);
/* Reads dirty files. Returns whether there were any. */
bool ps_watch_dirty_settle(struct ps_watch *watch);
/* Removes files whose time has come, or all that are gone. Returns whether there were any. */
bool ps_watch_gone_settle(struct ps_watch *watch, uint64_t now_ns, bool at_once);
void ps_watch_files_free(struct ps_watch *watch);

/* ---- watch_walk.c ---- */

/* Compares all files with the disk and marks those that differ; force: all. */
void ps_watch_scan(struct ps_watch *watch, bool force);

#endif

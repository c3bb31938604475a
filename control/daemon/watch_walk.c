/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing what is on disk with what was read, and asking the kernel to tell about changes on the way. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "control/daemon/log.h"
#include "control/daemon/watch_internal.h"

#define MASK                                                                                                 \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | \
		IN_MOVE_SELF | IN_ONLYDIR)

/* Watches a directory; the same one again is the same descriptor. */
static void
directory_watch(struct ps_watch *w, const char *path, bool walked)
{
	struct watched_directory *d;
	int wd;

	if (w->fd < 0)
		return;
	wd = inotify_add_watch(w->fd, path, MASK);
	if (wd < 0) {
		if (errno != ENOENT && errno != ENOTDIR && w->works) {
			ps_log(PS_LOG_WARNING, "%s cannot be watched: %s; changes there are found twice a second instead", path,
				errno == ENOSPC ? "fs.inotify.max_user_watches is reached" : strerror(errno));
			w->works = false;
		}
		return;
	}
	if ((uint32_t)wd >= w->directories) {
		uint32_t n = (uint32_t)wd * 2 + 16;

		d = realloc(w->directory, n * sizeof(*d));
		if (d == NULL)
			return;
		memset(d + w->directories, 0, (n - w->directories) * sizeof(*d));
		w->directory = d;
		w->directories = n;
	}
	d = &w->directory[wd];
	/* A directory that is both walked and a link's target is a walked one. */
	if (d->path != NULL && (d->walked || !walked))
		return;
	free(d->path);
	d->path = strdup(path);
	d->walked = walked;
}

/* A link to a file elsewhere: watch where it leads. */
static void
target_watch(struct ps_watch *w, const char *path)
{
	char real[PATH_MAX], *slash;

	if (realpath(path, real) == NULL || (slash = strrchr(real, '/')) == NULL)
		return;
	*slash = '\0';
	directory_watch(w, real[0] == '\0' ? "/" : real, false);
}

static void
file_met(struct ps_watch *w, const char *path, bool force)
{
	struct watched_file *f = ps_watch_file_get(w, path);
	struct stat st;

	if (f == NULL)
		return;
	if (stat(path, &st) != 0) {
		if (errno == ENOENT)
			return; /* a link that leads nowhere */
		memset(&st, 0, sizeof(st));
	}
	f->scan = w->scan;
	if (force || f->failed || f->gone_ns != 0 || !ps_watch_file_same(f, &st))
		ps_watch_file_dirty(w, f);
}

static void walk(struct ps_watch *w, const char *path, uint32_t depth, bool force);

static void
entry_met(struct ps_watch *w, const char *path, const struct dirent *e, uint32_t depth, bool force)
{
	unsigned char type = e->d_type;
	char child[PATH_MAX];
	struct stat st;

	if (snprintf(child, sizeof(child), "%s/%s", path, e->d_name) >= (int)sizeof(child))
		return;
	if (type == DT_LNK || type == DT_UNKNOWN) {
		if (stat(child, &st) != 0)
			return;
		if (S_ISREG(st.st_mode) && type == DT_LNK && w->call.wants(e->d_name))
			target_watch(w, child);
		type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
	}
	if (type == DT_DIR)
		walk(w, child, depth + 1, force);
	else if (type == DT_REG && w->call.wants(e->d_name))
		file_met(w, child, force);
}

static int
visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* As everybody reads a directory of manifests: of two objects without age, the first one is the older. */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
walk(struct ps_watch *w, const char *path, uint32_t depth, bool force)
{
	struct dirent **name = NULL;
	struct stat st;
	uint32_t up;
	int names, i;

	if (depth == PS_WATCH_DEPTH_MAX)
		return;
	if (stat(path, &st) != 0) {
		if (errno != ENOENT)
			ps_log(PS_LOG_WARNING, "%s cannot be read: %s", path, strerror(errno));
		return;
	}
	for (up = 0; up < depth; up++) /* a link back to where we are */
		if (w->stack[up].dev == st.st_dev && w->stack[up].ino == st.st_ino)
			return;
	w->stack[depth].dev = st.st_dev;
	w->stack[depth].ino = st.st_ino;
	/* First: what is made while it is read must not be missed. */
	directory_watch(w, path, true);
	names = scandir(path, &name, visible, by_name);
	if (names < 0 && errno != ENOENT)
		ps_log(PS_LOG_WARNING, "%s cannot be read: %s", path, strerror(errno));
	for (i = 0; i < names; i++) {
		entry_met(w, path, name[i], depth, force);
		free(name[i]);
	}
	free(name);
}

static void
root_scan(struct ps_watch *w, const char *root, bool force)
{
	char parent[PATH_MAX], *slash;
	struct stat st;

	if (stat(root, &st) == 0 && S_ISDIR(st.st_mode)) {
		walk(w, root, 0, force);
		return;
	}
	/* A file: its directory is watched, because a new file of the same name is another file. */
	snprintf(parent, sizeof(parent), "%s", root);
	slash = strrchr(parent, '/');
	if (slash == NULL)
		snprintf(parent, sizeof(parent), ".");
	else
		slash[slash == parent] = '\0';
	directory_watch(w, parent, false);
	if (lstat(root, &st) != 0) {
		w->missing = true;
		/* Never there so far: let the reader say so once. */
		if (ps_watch_file_find(w, root) == NULL && w->scan == 1)
			w->call.refresh(w->arg, root);
		return;
	}
	if (S_ISLNK(st.st_mode))
		target_watch(w, root);
	file_met(w, root, force);
}

void
ps_watch_scan(struct ps_watch *w, bool force)
{
	uint32_t i;

	w->rescan = false;
	w->missing = false;
	w->scan++;
	for (i = 0; i < w->roots; i++)
		root_scan(w, w->root[i], force);
	ps_watch_files_unmet(w);
}

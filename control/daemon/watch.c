/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "control/daemon/log.h"
#include "control/daemon/watch_internal.h"

/* How often to look for a path that did not exist, and for everything where inotify does not work. */
#define MISSING_MS 500

static uint64_t
monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void
timer_arm(struct ps_watch *w)
{
	struct timeval in = {.tv_usec = MISSING_MS * 1000};

	if (w->waiting != 0)
		in.tv_usec = PS_WATCH_GONE_MS * 1000 / 3;
	else if (!w->missing && w->works)
		return;
	event_add(w->timer, &in);
}

void
ps_watch_rescan(struct ps_watch *w, bool force)
{
	w->noticed_ns = monotonic_ns();
	ps_watch_scan(w, force);
	ps_watch_dirty_settle(w);
	ps_watch_gone_settle(w, monotonic_ns(), force);
	w->call.settled(w->arg, w->noticed_ns);
	timer_arm(w);
}

static void
timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct ps_watch *w = arg;
	bool any;

	w->noticed_ns = monotonic_ns();
	if (w->missing || !w->works)
		ps_watch_scan(w, false);
	any = ps_watch_dirty_settle(w);
	any |= ps_watch_gone_settle(w, monotonic_ns(), false);
	if (any)
		w->call.settled(w->arg, w->noticed_ns);
	timer_arm(w);
}

static bool
is_root(const struct ps_watch *w, const char *path)
{
	uint32_t i;

	for (i = 0; i < w->roots; i++)
		if (strcmp(w->root[i], path) == 0)
			return true;
	return false;
}

static void
event_handle(struct ps_watch *w, const struct inotify_event *e)
{
	struct watched_directory *d;
	char path[PATH_MAX];
	struct watched_file *f;
	struct stat st;

	if (e->mask & IN_Q_OVERFLOW) {
		ps_log(PS_LOG_WARNING, "more file changes than the kernel's queue holds: comparing all files");
		w->rescan = true;
		return;
	}
	if (e->wd < 0 || (uint32_t)e->wd >= w->directories || w->directory[e->wd].path == NULL)
		return;
	d = &w->directory[e->wd];
	if (e->mask & IN_IGNORED) {
		free(d->path);
		d->path = NULL;
		w->rescan = true; /* perhaps another directory has its name now */
		return;
	}
	if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) {
		w->rescan = true;
		return;
	}
	if (e->len == 0)
		return;
	if (e->name[0] == '.' && e->name[1] == '.') { /* a ConfigMap's swap */
		if (e->mask & (IN_MOVED_TO | IN_CREATE | IN_DELETE))
			w->rescan = true;
		return;
	}
	if (strcmp(d->path, ".") == 0 && is_root(w, e->name))
		snprintf(path, sizeof(path), "%s", e->name);
	else if (snprintf(path, sizeof(path), "%s/%s", strcmp(d->path, "/") == 0 ? "" : d->path, e->name) >=
		 (int)sizeof(path))
		return;
	if (!d->walked && !is_root(w, path)) {
		/* Where a link leads: which link does not matter, comparing finds it. */
		if (!(e->mask & IN_CREATE))
			w->rescan = true;
		return;
	}
	if (e->mask & IN_ISDIR) {
		if (e->name[0] != '.' && !(e->mask & IN_ATTRIB))
			w->rescan = true;
		return;
	}
	if (!is_root(w, path) && (e->name[0] == '.' || !w->call.wants(e->name)))
		return;
	if (e->mask & (IN_MOVED_FROM | IN_DELETE)) {
		f = ps_watch_file_find(w, path);
		if (f != NULL)
			ps_watch_file_gone(w, f, w->noticed_ns, e->cookie);
		return;
	}
	if ((e->mask & (IN_CREATE | IN_ATTRIB)) && !(e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO))) {
		if (lstat(path, &st) != 0)
			return;
		if (S_ISLNK(st.st_mode)) { /* may lead to a file or a directory */
			w->rescan = true;
			return;
		}
		f = ps_watch_file_find(w, path);
		/* Created by open(2): it is read when it is closed. Linked into place, or readable at last: now. */
		if ((e->mask & IN_CREATE) ? st.st_nlink < 2 : f == NULL || (!f->failed && ps_watch_file_same(f, &st)))
			return;
	}
	f = ps_watch_file_get(w, path);
	if (f == NULL)
		return;
	if ((e->mask & IN_MOVED_TO) && e->cookie != 0 && w->gone != 0) {
		struct watched_file *from = ps_watch_file_renamed(w, e->cookie);

		if (from != NULL && from != f)
			from->gone_ns = 1; /* its content has another name now: gone at once */
	}
	ps_watch_file_dirty(w, f);
}

static void
inotify_ready(evutil_socket_t fd, short what, void *arg)
{
	_Alignas(struct inotify_event) char buffer[65536];
	struct ps_watch *w = arg;
	const struct inotify_event *e;
	bool any = false;
	ssize_t n, at;
	int turn;

	w->noticed_ns = monotonic_ns();
	for (turn = 0; turn < 64; turn++) {
		n = read(w->fd, buffer, sizeof(buffer));
		if (n <= 0)
			break;
		for (at = 0; at < n; at += (ssize_t)(sizeof(*e) + e->len)) {
			e = (const struct inotify_event *)(const void *)(buffer + at);
			event_handle(w, e);
		}
	}
	if (w->rescan)
		ps_watch_scan(w, false);
	any = ps_watch_dirty_settle(w);
	any |= ps_watch_gone_settle(w, monotonic_ns(), false);
	if (any)
		w->call.settled(w->arg, w->noticed_ns);
	timer_arm(w);
}

int
ps_watch_open(struct ps_watch **watch, struct event_base *base, const char *const *paths, uint32_t length,
	const struct ps_watch_callbacks *callbacks, void *arg)
{
	struct ps_watch *w = calloc(1, sizeof(*w));
	uint32_t i;
	int rc = -ENOMEM;

	*watch = NULL;
	if (w == NULL)
		return -ENOMEM;
	w->base = base;
	w->call = *callbacks;
	w->arg = arg;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	w->works = w->fd >= 0;
	if (!w->works)
		ps_log(PS_LOG_WARNING, "files cannot be watched (%s): they are compared twice a second instead", strerror(errno));
	w->root = calloc(length == 0 ? 1 : length, sizeof(*w->root));
	w->timer = event_new(base, -1, 0, timer_fired, w);
	if (w->root == NULL || w->timer == NULL)
		goto fail;
	for (i = 0; i < length; i++) {
		size_t n = strlen(paths[i]);

		w->root[i] = strdup(paths[i]);
		if (w->root[i] == NULL)
			goto fail;
		w->roots++;
		while (n > 1 && w->root[i][n - 1] == '/') /* names of files are made from it */
			w->root[i][--n] = '\0';
	}
	if (w->fd >= 0) {
		w->ready = event_new(base, w->fd, EV_READ | EV_PERSIST, inotify_ready, w);
		if (w->ready == NULL || event_add(w->ready, NULL) != 0)
			goto fail;
	}
	*watch = w;
	return 0;
fail:
	ps_watch_close(w);
	return rc;
}

void
ps_watch_close(struct ps_watch *w)
{
	uint32_t i;

	if (w == NULL)
		return;
	if (w->ready != NULL)
		event_free(w->ready);
	if (w->timer != NULL)
		event_free(w->timer);
	if (w->fd >= 0)
		close(w->fd);
	for (i = 0; i < w->roots; i++)
		free(w->root[i]);
	free(w->root);
	for (i = 0; i < w->directories; i++)
		free(w->directory[i].path);
	free(w->directory);
	ps_watch_files_free(w);
	free(w);
}

bool
ps_watch_works(const struct ps_watch *w)
{
	return w->works;
}

uint32_t
ps_watch_files(const struct ps_watch *w)
{
	return w->length;
}

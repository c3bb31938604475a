/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/daemon/log.h"

#define MASK                                                                                                 \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | \
		IN_MOVE_SELF | IN_ONLYDIR)
#define DEPTH_MAX 32
/* How often to look for a path that did not exist, and for everything where inotify does not work. */
#define MISSING_MS 500

struct file {
	char *path;
	struct stat seen;    /* as it was when read last */
	bool failed;         /* reading failed: any sign of life is a reason to try again */
	uint32_t scan;       /* number of the scan that met it last */
	uint64_t gone_ns;    /* CLOCK_MONOTONIC when it was seen to be gone; 0: it is there */
	uint32_t cookie;     /* of the rename that took it away */
	struct file *next;   /* in the list of dirty or gone ones, while a batch is handled */
};

struct directory {
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
	struct directory *directory; /* by watch descriptor */
	uint32_t directories;
	void *files; /* tsearch(3) tree of struct file, by path */
	uint32_t length, gone, waiting; /* files; of these gone; of these not yet believed to be */
	uint32_t scan;
	bool missing; /* a root did not exist at the last scan */
	bool rescan;
	struct {
		dev_t dev;
		ino_t ino;
	} stack[DEPTH_MAX];
	/* of the batch being handled */
	struct file *dirty;
	uint64_t noticed_ns;
};

static uint64_t
monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static int
file_order(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static struct file *
file_find(const struct ps_watch *w, const char *path)
{
	struct file key = {.path = (char *)(uintptr_t)path};
	void *found = tfind(&key, &w->files, file_order);

	return found == NULL ? NULL : *(struct file **)found;
}

static struct file *
file_get(struct ps_watch *w, const char *path)
{
	struct file *f = file_find(w, path);

	if (f != NULL)
		return f;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return NULL;
	f->path = strdup(path);
	if (f->path == NULL || tsearch(f, &w->files, file_order) == NULL) {
		free(f->path);
		free(f);
		return NULL;
	}
	f->failed = true; /* never read */
	w->length++;
	return f;
}

static void
file_free(void *node)
{
	struct file *f = node;

	free(f->path);
	free(f);
}

static bool
same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void
file_dirty(struct ps_watch *w, struct file *f)
{
	w->gone -= f->gone_ns != 0;
	f->gone_ns = 0;
	if (f->next != NULL)
		return;
	f->next = w->dirty == NULL ? f : w->dirty; /* the last one points at itself: "is in the list" */
	w->dirty = f;
}

static void
file_gone(struct ps_watch *w, struct file *f, uint64_t now, uint32_t cookie)
{
	w->gone += f->gone_ns == 0;
	if (f->gone_ns == 0)
		f->gone_ns = now;
	f->cookie = cookie;
}

static void
file_remove(struct ps_watch *w, struct file *f)
{
	tdelete(f, &w->files, file_order);
	w->length--;
	w->gone--;
	w->call.remove(w->arg, f->path);
	file_free(f);
}

/* Watches a directory; the same one again is the same descriptor. */
static void
directory_watch(struct ps_watch *w, const char *path, bool walked)
{
	struct directory *d;
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
	struct file *f = file_get(w, path);
	struct stat st;

	if (f == NULL)
		return;
	if (stat(path, &st) != 0) {
		if (errno == ENOENT)
			return; /* a link that leads nowhere */
		memset(&st, 0, sizeof(st));
	}
	f->scan = w->scan;
	if (force || f->failed || f->gone_ns != 0 || !same(&st, &f->seen))
		file_dirty(w, f);
}

static void
walk(struct ps_watch *w, const char *path, uint32_t depth, bool force)
{
	char child[PATH_MAX];
	struct dirent *e;
	struct stat st;
	uint32_t i;
	DIR *d;

	d = opendir(path);
	if (d == NULL || fstat(dirfd(d), &st) != 0 || depth == DEPTH_MAX) {
		if (d == NULL && errno != ENOENT)
			ps_log(PS_LOG_WARNING, "%s cannot be read: %s", path, strerror(errno));
		if (d != NULL)
			closedir(d);
		return;
	}
	for (i = 0; i < depth; i++) /* a link back to where we are */
		if (w->stack[i].dev == st.st_dev && w->stack[i].ino == st.st_ino)
			break;
	if (i == depth) {
		w->stack[depth].dev = st.st_dev;
		w->stack[depth].ino = st.st_ino;
		directory_watch(w, path, true);
		while ((e = readdir(d)) != NULL) {
			unsigned char type = e->d_type;

			if (e->d_name[0] == '.' ||
			    snprintf(child, sizeof(child), "%s/%s", path, e->d_name) >= (int)sizeof(child))
				continue;
			if (type == DT_LNK || type == DT_UNKNOWN) {
				if (stat(child, &st) != 0)
					continue;
				if (S_ISREG(st.st_mode) && type == DT_LNK && w->call.wants(e->d_name))
					target_watch(w, child);
				type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : DT_UNKNOWN;
			}
			if (type == DT_DIR)
				walk(w, child, depth + 1, force);
			else if (type == DT_REG && w->call.wants(e->d_name))
				file_met(w, child, force);
		}
	}
	closedir(d);
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
		if (file_find(w, root) == NULL && w->scan == 1)
			w->call.refresh(w->arg, root);
		return;
	}
	if (S_ISLNK(st.st_mode))
		target_watch(w, root);
	file_met(w, root, force);
}

struct sweep {
	struct ps_watch *w;
	struct file *gone;
	uint64_t now;
	bool at_once;
};

static void
sweep_unmet(const void *node, VISIT visit, void *arg)
{
	struct file *f = *(struct file *const *)node;
	struct sweep *s = arg;

	if ((visit == postorder || visit == leaf) && f->scan != s->w->scan && f->gone_ns == 0)
		file_gone(s->w, f, s->now, 0);
}

static void
sweep_due(const void *node, VISIT visit, void *arg)
{
	struct file *f = *(struct file *const *)node;
	struct sweep *s = arg;

	if ((visit != postorder && visit != leaf) || f->gone_ns == 0)
		return;
	if (!s->at_once && s->now < f->gone_ns + PS_WATCH_GONE_MS * 1000000ull) {
		s->w->waiting++;
		return;
	}
	f->next = s->gone;
	s->gone = f;
}

/* Removes files whose time has come. Returns whether there were any. */
static bool
gone_settle(struct ps_watch *w, bool at_once)
{
	struct sweep s = {.w = w, .now = monotonic_ns(), .at_once = at_once};
	struct file *f;
	bool any = false;

	w->waiting = 0;
	if (w->gone == 0)
		return false;
	twalk_r(w->files, sweep_due, &s);
	while ((f = s.gone) != NULL) {
		s.gone = f->next;
		f->next = NULL;
		file_remove(w, f);
		any = true;
	}
	return any;
}

/* Reads the files of the batch. Returns whether there were any. */
static bool
dirty_settle(struct ps_watch *w)
{
	struct file *f, *next;
	bool any = w->dirty != NULL;

	for (f = w->dirty; f != NULL; f = next) {
		next = f->next == f ? NULL : f->next;
		f->next = NULL;
		/* Before reading: a change in between makes another event, or differs at the next scan. */
		if (stat(f->path, &f->seen) != 0)
			memset(&f->seen, 0, sizeof(f->seen));
		switch (w->call.refresh(w->arg, f->path)) {
		case 0:
			f->failed = false;
			break;
		case -ENOENT:
			file_gone(w, f, w->noticed_ns, 0);
			break;
		default:
			f->failed = true;
		}
	}
	w->dirty = NULL;
	return any;
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

static void
scan(struct ps_watch *w, bool force)
{
	struct sweep s = {.w = w, .now = w->noticed_ns};
	uint32_t i;

	w->rescan = false;
	w->missing = false;
	w->scan++;
	for (i = 0; i < w->roots; i++)
		root_scan(w, w->root[i], force);
	twalk_r(w->files, sweep_unmet, &s);
}

void
ps_watch_rescan(struct ps_watch *w, bool force)
{
	w->noticed_ns = monotonic_ns();
	scan(w, force);
	dirty_settle(w);
	gone_settle(w, force);
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
		scan(w, false);
	any = dirty_settle(w);
	any |= gone_settle(w, false);
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

struct cookie {
	uint32_t value;
	struct file *file;
};

static void
find_cookie(const void *node, VISIT visit, void *arg)
{
	struct file *f = *(struct file *const *)node;
	struct cookie *c = arg;

	if ((visit == postorder || visit == leaf) && f->gone_ns != 0 && f->cookie == c->value)
		c->file = f;
}

static void
event_handle(struct ps_watch *w, const struct inotify_event *e)
{
	struct directory *d;
	char path[PATH_MAX];
	struct file *f;
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
		f = file_find(w, path);
		if (f != NULL)
			file_gone(w, f, w->noticed_ns, e->cookie);
		return;
	}
	if ((e->mask & (IN_CREATE | IN_ATTRIB)) && !(e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO))) {
		if (lstat(path, &st) != 0)
			return;
		if (S_ISLNK(st.st_mode)) { /* may lead to a file or a directory */
			w->rescan = true;
			return;
		}
		f = file_find(w, path);
		/* Created by open(2): it is read when it is closed. Linked into place, or readable at last: now. */
		if ((e->mask & IN_CREATE) ? st.st_nlink < 2 : f == NULL || (!f->failed && same(&st, &f->seen)))
			return;
	}
	f = file_get(w, path);
	if (f == NULL)
		return;
	if ((e->mask & IN_MOVED_TO) && e->cookie != 0 && w->gone != 0) {
		struct cookie c = {.value = e->cookie};

		twalk_r(w->files, find_cookie, &c);
		if (c.file != NULL && c.file != f)
			c.file->gone_ns = 1; /* its content has another name now: gone at once */
	}
	file_dirty(w, f);
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
		scan(w, false);
	any = dirty_settle(w);
	any |= gone_settle(w, false);
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
	tdestroy(w->files, file_free);
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

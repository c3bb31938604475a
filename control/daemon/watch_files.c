/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a watch: what was seen of each, which are to be read, which are no longer there. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/watch_internal.h"

static int
file_order(const void *a, const void *b)
{
	return strcmp(((const struct watched_file *)a)->path, ((const struct watched_file *)b)->path);
}

struct watched_file *
ps_watch_file_find(const struct ps_watch *w, const char *path)
{
	struct watched_file key = {.path = (char *)(uintptr_t)path};
	void *found = tfind(&key, &w->files, file_order);

	return found == NULL ? NULL : *(struct watched_file **)found;
}

struct watched_file *
ps_watch_file_get(struct ps_watch *w, const char *path)
{
	struct watched_file *f = ps_watch_file_find(w, path);

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
	struct watched_file *f = node;

	free(f->path);
	free(f);
}

bool
ps_watch_file_same(const struct watched_file *f, const struct stat *now)
{
	const struct stat *seen = &f->seen;

	return seen->st_dev == now->st_dev && seen->st_ino == now->st_ino && seen->st_size == now->st_size &&
	       seen->st_mtim.tv_sec == now->st_mtim.tv_sec && seen->st_mtim.tv_nsec == now->st_mtim.tv_nsec;
}

void
ps_watch_file_dirty(struct ps_watch *w, struct watched_file *f)
{
	w->gone -= f->gone_ns != 0;
	f->gone_ns = 0;
	if (f->next != NULL)
		return;
	/* Read in the order they were met, so that a restart sees the same object first. */
	f->next = f; /* the last one points at itself: "is in the list" */
	if (w->dirty == NULL)
		w->dirty = f;
	else
		w->last_dirty->next = f;
	w->last_dirty = f;
}

void
ps_watch_file_gone(struct ps_watch *w, struct watched_file *f, uint64_t now, uint32_t cookie)
{
	w->gone += f->gone_ns == 0;
	if (f->gone_ns == 0)
		f->gone_ns = now;
	f->cookie = cookie;
}

static void
file_remove(struct ps_watch *w, struct watched_file *f)
{
	tdelete(f, &w->files, file_order);
	w->length--;
	w->gone--;
	w->call.remove(w->arg, f->path);
	file_free(f);
}

struct sweep {
	struct ps_watch *w;
	struct watched_file *gone;
	uint64_t now;
	bool at_once;
};

static void
sweep_unmet(const void *node, VISIT visit, void *arg)
{
	struct watched_file *f = *(struct watched_file *const *)node;
	struct sweep *s = arg;

	if ((visit == postorder || visit == leaf) && f->scan != s->w->scan && f->gone_ns == 0)
		ps_watch_file_gone(s->w, f, s->now, 0);
}

static void
sweep_due(const void *node, VISIT visit, void *arg)
{
	struct watched_file *f = *(struct watched_file *const *)node;
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

bool
ps_watch_gone_settle(struct ps_watch *w, uint64_t now, bool at_once)
{
	struct sweep s = {.w = w, .now = now, .at_once = at_once};
	struct watched_file *f;
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

bool
ps_watch_dirty_settle(struct ps_watch *w)
{
	struct watched_file *f, *next;
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
			ps_watch_file_gone(w, f, w->noticed_ns, 0);
			break;
		default:
			f->failed = true;
		}
	}
	w->dirty = NULL;
	return any;
}

void
ps_watch_files_unmet(struct ps_watch *w)
{
	struct sweep s = {.w = w, .now = w->noticed_ns};

	twalk_r(w->files, sweep_unmet, &s);
}

struct cookie {
	uint32_t value;
	struct watched_file *file;
};

static void
find_cookie(const void *node, VISIT visit, void *arg)
{
	struct watched_file *f = *(struct watched_file *const *)node;
	struct cookie *c = arg;

	if ((visit == postorder || visit == leaf) && f->gone_ns != 0 && f->cookie == c->value)
		c->file = f;
}

struct watched_file *
ps_watch_file_renamed(const struct ps_watch *w, uint32_t cookie)
{
	struct cookie c = {.value = cookie};

	twalk_r(w->files, find_cookie, &c);
	return c.file;
}

void
ps_watch_files_free(struct ps_watch *w)
{
	tdestroy(w->files, file_free);
	w->files = NULL;
}

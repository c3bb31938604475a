/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/save.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/daemon/log.h"

struct ps_saver {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	char *path;
	struct ps_release *next; /* under lock */
	bool stop;               /* under lock */
	struct ps_saver_status status; /* under lock */
};

struct ps_release *
ps_release_new(struct ps_compiled *compiled)
{
	struct ps_release *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		ps_compiled_free(compiled);
		return NULL;
	}
	r->compiled = compiled;
	atomic_init(&r->holders, 1);
	return r;
}

struct ps_release *
ps_release_hold(struct ps_release *r)
{
	if (r != NULL)
		atomic_fetch_add_explicit(&r->holders, 1, memory_order_relaxed);
	return r;
}

void
ps_release_drop(struct ps_release *r)
{
	/* Release: our reads come before the free. Acquire, for the last one: others' reads do too. */
	if (r == NULL || atomic_fetch_sub_explicit(&r->holders, 1, memory_order_acq_rel) != 1)
		return;
	ps_compiled_free(r->compiled);
	free(r);
}

static void *
save(void *arg)
{
	struct ps_saver *s = arg;
	struct ps_release *r;
	struct timespec now;
	int rc;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (s->next == NULL && !s->stop)
			pthread_cond_wait(&s->change, &s->lock);
		r = s->next;
		s->next = NULL;
		if (r == NULL)
			break;
		pthread_mutex_unlock(&s->lock);
		rc = ps_bundle_write(s->path, r->compiled);
		if (rc != 0)
			ps_log(PS_LOG_ERROR, "%s: the snapshot cannot be kept on disk: %s", s->path, strerror(-rc));
		else
			ps_log(PS_LOG_DEBUG, "%s: generation %llu is on disk", s->path,
				(unsigned long long)r->compiled->generation);
		clock_gettime(CLOCK_REALTIME, &now);
		pthread_mutex_lock(&s->lock);
		s->status.error = -rc;
		if (rc == 0) {
			s->status.generation = r->compiled->generation;
			s->status.time_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
		}
		ps_release_drop(r);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

int
ps_saver_open(struct ps_saver **saver, const char *path)
{
	struct ps_saver *s = calloc(1, sizeof(*s));
	sigset_t all, before;
	int rc;

	*saver = NULL;
	if (s == NULL)
		return -ENOMEM;
	s->path = strdup(path);
	if (s->path == NULL) {
		free(s);
		return -ENOMEM;
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->change, NULL);
	sigfillset(&all); /* signals are for the main thread's event loop */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&s->thread, NULL, save, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		free(s->path);
		free(s);
		return rc;
	}
	*saver = s;
	return 0;
}

void
ps_saver_close(struct ps_saver *s)
{
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->change);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->change);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}

void
ps_saver_put(struct ps_saver *s, struct ps_release *release)
{
	struct ps_release *before;

	pthread_mutex_lock(&s->lock);
	before = s->next;
	s->next = ps_release_hold(release);
	pthread_cond_signal(&s->change);
	pthread_mutex_unlock(&s->lock);
	ps_release_drop(before);
}

void
ps_saver_status(struct ps_saver *s, struct ps_saver_status *status)
{
	pthread_mutex_lock(&s->lock);
	*status = s->status;
	pthread_mutex_unlock(&s->lock);
}

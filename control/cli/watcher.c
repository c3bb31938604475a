/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/client.h"
#include "control/cli/table.h"
#include "control/cli/watcher.h"

#define PERIOD_MS 500
#define REQUEST_MS 2000
#define LISTENERS_SAID 12
#define DIAGNOSTICS_SAID 5

struct ps_watcher {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop; /* under lock */
	/* the thread's alone */
	struct ps_client *client;
	struct ps_hostnet *hostnet;
	const char *hint;
	const char **vips;
	size_t vips_length;
	json_t *config;     /* holds the strings of vips */
	json_int_t routed;  /* generation whose VIPs are routed */
	json_int_t refused; /* generation whose refusal was said */
	double errors, warnings;
	bool said_ready, said_restart, said_trouble;
};

static void
say(const char *sentence)
{
	fprintf(stderr, "penstock: %s\n", sentence);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The VIPs of the running configuration, sorted, each once. */
static int
collect_vips(struct ps_watcher *w)
{
	json_t *config, *listeners, *listener;
	const char **vips;
	size_t index, length = 0;
	int rc = ps_client_get(w->client, "/v1/config", &config);

	if (rc < 0)
		return rc;
	listeners = json_object_get(config, "listeners");
	vips = calloc(json_array_size(listeners) + 1, sizeof(*vips));
	if (vips == NULL) {
		json_decref(config);
		return -ENOMEM;
	}
	json_array_foreach(listeners, index, listener)
	{
		const char *address = ps_json_text(listener, "address");

		if (address[0] != '\0')
			vips[length++] = address;
	}
	qsort(vips, length, sizeof(*vips), by_text);
	w->vips_length = 0;
	for (size_t i = 0; i < length; i++) {
		if (i == 0 || strcmp(vips[i], vips[i - 1]) != 0)
			vips[w->vips_length++] = vips[i];
	}
	free(w->vips);
	json_decref(w->config);
	w->vips = vips;
	w->config = config;
	return 0;
}

static void
say_listeners(struct ps_watcher *w)
{
	static const struct ps_column place = {"", ".", PS_FORMAT_PLACE, false};
	json_t *services, *service, *listener;
	size_t index, inner, said = 0, more = 0;
	char text[128];

	if (ps_client_get(w->client, "/v1/services", &services) < 0)
		return;
	json_array_foreach(json_object_get(services, "items"), index, service)
	{
		json_array_foreach(json_object_get(service, "listeners"), inner, listener)
		{
			if (said++ >= LISTENERS_SAID) {
				more++;
				continue;
			}
			ps_cell(text, sizeof(text), listener, &place, 0);
			fprintf(stderr, "  %-40s %s  %s, %.0f of %.0f endpoints up\n", text,
				ps_json_text(service, "proto"), ps_json_text(service, "name"),
				ps_json_number(service, "up"), ps_json_number(service, "endpoints"));
		}
	}
	if (more > 0)
		fprintf(stderr, "  and %zu more\n", more);
	if (said == 0)
		fprintf(stderr,
			"  no listener: the manifests have no Service or Gateway with an address to serve\n");
	json_decref(services);
}

static void
say_ready(struct ps_watcher *w, json_t *status)
{
	say("ready, serving");
	say_listeners(w);
	fprintf(stderr, "penstock: %.0f workers, buffers in %s; try: penstock get services%s\n",
		ps_json_number(status, "dataplane.workers"),
		json_is_true(ps_json_at(status, "dataplane.hugepages")) ? "hugepages" : "normal pages",
		w->hint);
}

/* New errors and warnings of the manifests. */
static void
say_diagnostics(struct ps_watcher *w, json_t *status)
{
	double errors = ps_json_number(status, "manifests.errors"),
	       warnings = ps_json_number(status, "manifests.warnings");
	json_t *one;
	size_t index;

	if (errors == w->errors && warnings == w->warnings)
		return;
	w->errors = errors;
	w->warnings = warnings;
	fprintf(stderr, "penstock: manifests: %.0f errors, %.0f warnings%s\n", errors, warnings,
		errors + warnings > 0 ? "; all of them, with their places: penstock check -f ..." : "");
	json_array_foreach(json_object_get(status, "diagnostics"), index, one)
	{
		if (index < DIAGNOSTICS_SAID && strcmp(ps_json_text(one, "severity"), "error") == 0)
			fprintf(stderr, "  %s:%.0f:%.0f: error: %s\n", ps_json_text(one, "file"),
				ps_json_number(one, "line"), ps_json_number(one, "column"),
				ps_json_text(one, "message"));
	}
}

static void
say_changes(struct ps_watcher *w, json_t *status)
{
	json_t *rejection = ps_json_at(status, "last_rejection");
	json_int_t generation = json_integer_value(json_object_get(rejection, "generation"));
	bool restart = json_is_true(ps_json_at(status, "restart_needed"));

	if (rejection != NULL && generation != w->refused) {
		w->refused = generation;
		fprintf(stderr,
			"penstock: the dataplane refused generation %lld and serves on the one before: %s\n",
			(long long)generation, ps_json_text(rejection, "reason"));
	}
	if (restart && !w->said_restart)
		say("the Dataplane document changed what only a restart can change: stop and start when it "
		    "suits you; until then "
		    "the dataplane goes on with its old ports, cores and tables");
	w->said_restart = restart;
}

static void
look(struct ps_watcher *w)
{
	json_t *status;
	json_int_t generation;
	int rc;

	if (ps_client_get(w->client, "/v1/status", &status) < 0)
		return;
	say_diagnostics(w, status);
	say_changes(w, status);
	generation =
		json_integer_value(ps_json_at(status, "generation_applied|dataplane.generation|generation"));
	if (w->hostnet != NULL) {
		rc = generation == w->routed || collect_vips(w) == 0
			     ? ps_hostnet_apply(w->hostnet, w->vips, w->vips_length, say)
			     : 0;
		w->routed = generation;
		if (rc < 0 && rc != -ENODEV && !w->said_trouble)
			fprintf(stderr, "penstock: routes to the VIPs: %s\n", strerror(-rc));
		w->said_trouble = rc < 0 && rc != -ENODEV;
	}
	if (!w->said_ready && json_is_true(ps_json_at(status, "ready"))) {
		w->said_ready = true;
		say_ready(w, status);
	}
	json_decref(status);
}

static void *
watch(void *arg)
{
	struct ps_watcher *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct timespec until;
		unsigned int period = w->said_ready ? PERIOD_MS : PERIOD_MS / 5;

		pthread_mutex_unlock(&w->lock);
		look(w);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += (long)period * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_mutex_lock(&w->lock);
		if (!w->stop)
			pthread_cond_timedwait(&w->wake, &w->lock, &until);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct ps_watcher *
ps_watcher_start(const char *runtime_dir, const char *hint, struct ps_hostnet *hostnet)
{
	struct ps_watcher *w = calloc(1, sizeof(*w));
	sigset_t all, before;
	int rc;

	if (w == NULL)
		return NULL;
	w->hostnet = hostnet;
	w->hint = hint;
	w->client = ps_client_new(runtime_dir);
	if (w->client == NULL) {
		free(w);
		return NULL;
	}
	ps_client_timeout(w->client, REQUEST_MS);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	sigfillset(&all); /* signals are the supervisor's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, watch, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		ps_client_free(w->client);
		free(w);
		errno = rc;
		return NULL;
	}
	return w;
}

void
ps_watcher_stop(struct ps_watcher *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	ps_client_free(w->client);
	json_decref(w->config);
	free(w->vips);
	free(w);
}

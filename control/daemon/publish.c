/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a changed file to a configuration that is live on every worker.
 *
 * The first change goes through at once: nothing sleeps in order to collect more. While a snapshot is on its way
 * to the dataplane, further changes gather, and go out together when its answer has come; that, and
 * PUBLISH_EVERY_NS between two compilations, is what bounds the work under a storm of changes.
 *
 * The model is made right after the manifests have changed, even when it cannot be published
 * yet: it points into them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/daemon/daemon.h"
#include "dataplane/api/digest.h"

#define MS 1000000ull
#define PUBLISH_EVERY_NS (3 * MS)
/* An answer takes milliseconds; a dataplane that is busy elsewhere for longer is reported, not waited for. */
#define ANSWER_TIMEOUT_MS 3000
/* One that has just come still has its memory and ports to get: gigabytes of hugepages take many seconds. */
#define START_TIMEOUT_MS 60000

static void consider(struct ps_daemon *d, bool force);

uint64_t
ps_realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

uint64_t
ps_monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

const struct ps_compiled *
ps_publish_running(const struct ps_daemon *d)
{
	if (d->applied != NULL)
		return d->applied->compiled;
	return d->latest == NULL ? NULL : d->latest->compiled;
}

static void
release_set(struct ps_release **place, struct ps_release *release)
{
	struct ps_release *before = *place;

	*place = ps_release_hold(release);
	ps_release_drop(before);
}

__attribute__((format(printf, 2, 3))) static void
trouble(struct ps_daemon *d, const char *fmt, ...)
{
	char text[sizeof(d->trouble)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (strcmp(text, d->trouble) != 0 && text[0] != '\0')
		ps_log(PS_LOG_ERROR, "%s", text);
	memcpy(d->trouble, text, sizeof(text));
}

/*
 * Slot tables of the size that the model asks for. Once a dataplane has mapped the files their size stays
 * until it starts anew: the size is part of what it was started with.
 */
static int
slots_prepare(struct ps_daemon *d, bool may_resize)
{
	uint32_t endpoints = d->model->boot.raw.endpoint_slots, services = d->model->boot.raw.service_slots;
	struct ps_slots *slots;
	char why[200];
	int rc;

	if (d->slots != NULL && endpoints == d->endpoint_slots && services == d->service_slots)
		return 0;
	if (d->slots != NULL && !may_resize)
		return 0;
	rc = ps_slots_open(&slots, d->options.runtime_dir, endpoints, services, why, sizeof(why));
	if (rc != 0) {
		trouble(d, "slot tables: %s", why);
		return d->slots != NULL ? 0 : rc;
	}
	/* Slots are the same in the new tables; what was compiled stays right, but the compiler remembers rounds. */
	ps_slots_close(d->slots);
	d->slots = slots;
	d->endpoint_slots = endpoints;
	d->service_slots = services;
	return 0;
}

/* Makes the model of the manifests as they are. */
static void
resolve(struct ps_daemon *d)
{
	uint64_t start = ps_monotonic_ns();

	d->model = ps_resolve(d->resolver, d->manifests, (int64_t)(ps_realtime_ns() / 1000000000ull));
	ps_manifests_changes_clear(d->manifests);
	d->resolve_ns += ps_monotonic_ns() - start;
	if (d->model == NULL)
		trouble(d, "out of memory while resolving: the configuration of before stays");
}

static void
send_latest(struct ps_daemon *d)
{
	const struct timeval patience = {.tv_sec = (d->dataplane_starts ? START_TIMEOUT_MS : ANSWER_TIMEOUT_MS) / 1000};
	const struct ps_compiled *c = d->latest->compiled;
	struct ps_attach_blob *blob = calloc(c->blobs + 1, sizeof(*blob));
	uint64_t start = ps_monotonic_ns();
	uint32_t i;
	int rc = -ENOMEM;

	if (blob != NULL) {
		for (i = 0; i < c->blobs; i++)
			blob[i] = (struct ps_attach_blob){.digest = c->blob[i].digest, .fd = c->blob[i].fd};
		rc = ps_attach_publish(d->attach, c->generation, c->fd, blob, c->blobs);
		free(blob);
	}
	d->publication.sent_ns = ps_monotonic_ns();
	d->publication.publish_ns = d->publication.sent_ns - start;
	d->publication.time_ns = ps_realtime_ns();
	if (rc == 0) {
		d->publication.state = PS_PUBLICATION_PENDING;
		event_add(d->answer_timer, &patience);
	} else {
		d->publication.state = PS_PUBLICATION_WAITING;
		if (rc != -ENOTCONN)
			trouble(d, "generation %" PRIu64 " cannot be handed over: %s", c->generation, strerror(-rc));
	}
}

/* Compiles the model and hands it over. */
static void
publish(struct ps_daemon *d)
{
	struct ps_publication *p = &d->publication;
	uint64_t start = ps_monotonic_ns(), generation;
	struct ps_compiled *compiled;
	struct ps_release *release;
	int rc;

	d->compile_started_ns = start;
	if (slots_prepare(d, false) != 0)
		return;
	generation = ps_slots_generation(d->slots) + 1;
	rc = ps_compile(d->compiler, d->model, d->slots, generation, ps_realtime_ns(), &compiled);
	if (rc != 0) {
		trouble(d, "the configuration cannot be compiled: %s; the one of before stays", strerror(-rc));
		return;
	}
	release = ps_release_new(compiled);
	if (release == NULL) {
		trouble(d, "out of memory: the configuration of before stays");
		return;
	}
	if (compiled->endpoints_left_out != 0 || compiled->services_left_out != 0)
		trouble(d, "%u endpoints and %u services are left out: raise tables.endpoints or tables.services of the Dataplane",
			compiled->endpoints_left_out, compiled->services_left_out);
	else
		trouble(d, "%s", "");
	ps_slots_set_generation(d->slots, generation);
	release_set(&d->latest, release);
	ps_release_drop(release);
	d->compiled_revision = d->model->revision;
	*p = (struct ps_publication){
		.generation = generation,
		.noticed_ns = d->noticed_ns != 0 ? d->noticed_ns : start,
		.parse_ns = d->parse_ns,
		.resolve_ns = d->resolve_ns,
		.compile_ns = ps_monotonic_ns() - start,
		.size = compiled->size,
		.blobs = compiled->blobs,
		.tables_built = compiled->tables_built,
		.tables_reused = compiled->tables_reused,
	};
	d->noticed_ns = d->parse_ns = d->resolve_ns = 0;
	send_latest(d);
	/* Nobody will answer: the round counts. A dataplane that attaches later gets this snapshot first. */
	if (p->state == PS_PUBLICATION_WAITING)
		ps_slots_commit(d->slots, ps_realtime_ns());
}

static void
consider(struct ps_daemon *d, bool force)
{
	struct timeval in = {0};
	uint64_t now;

	if (d->model == NULL)
		return;
	if (!force && d->latest != NULL && d->model->revision == d->compiled_revision) {
		d->noticed_ns = d->parse_ns = d->resolve_ns = 0;
		return;
	}
	if (d->publication.state == PS_PUBLICATION_PENDING)
		return; /* the answer comes back here */
	now = ps_monotonic_ns();
	if (!force && now < d->compile_started_ns + PUBLISH_EVERY_NS) {
		in.tv_usec = (suseconds_t)((d->compile_started_ns + PUBLISH_EVERY_NS - now) / 1000 + 1);
		event_add(d->soon, &in);
		return;
	}
	publish(d);
}

static void
soon_fired(evutil_socket_t fd, short what, void *arg)
{
	consider(arg, false);
}

void
ps_publish_now(struct ps_daemon *d, bool force)
{
	consider(d, force);
}

/* ---- answers ---- */

static void
answer_applied(struct ps_daemon *d, const struct ps_message *e)
{
	struct ps_publication *p = &d->publication;
	uint64_t now = ps_monotonic_ns();

	p->state = PS_PUBLICATION_APPLIED;
	p->time_ns = d->applied_ns = ps_realtime_ns();
	p->apply_ns = e->applied.apply_ns;
	p->answer_ns = now - p->sent_ns;
	p->total_ns = now - p->noticed_ns;
	d->publications_applied++;
	d->rejection.generation = 0;
	if (d->restart_needed != (e->applied.restart_needed != 0)) {
		d->restart_needed = e->applied.restart_needed != 0;
		if (d->restart_needed)
			ps_log(PS_LOG_WARNING, "ports, cores, memory or table sizes changed: they take effect when the dataplane is restarted");
	}
	release_set(&d->applied, d->latest);
	ps_slots_commit(d->slots, p->time_ns);
	ps_saver_put(d->saver, d->applied);
	ps_log(PS_LOG_DEBUG,
		"generation %" PRIu64 " is live: %.2f ms since noticed (parse %.2f, resolve %.2f, compile %.2f, hand over %.2f, "
		"answer %.2f of which apply %.2f); %u tables built, %u reused, %" PRIu64 " bytes",
		p->generation, (double)p->total_ns / 1e6, (double)p->parse_ns / 1e6, (double)p->resolve_ns / 1e6,
		(double)p->compile_ns / 1e6, (double)p->publish_ns / 1e6, (double)p->answer_ns / 1e6,
		(double)p->apply_ns / 1e6, p->tables_built, p->tables_reused, p->size);
}

static void
answer_rejected(struct ps_daemon *d, const struct ps_message *e)
{
	struct ps_publication *p = &d->publication;

	p->state = PS_PUBLICATION_REJECTED;
	p->time_ns = ps_realtime_ns();
	p->answer_ns = ps_monotonic_ns() - p->sent_ns;
	snprintf(p->reason, sizeof(p->reason), "%s", e->applied.text);
	d->rejection.generation = p->generation;
	d->rejection.time_ns = p->time_ns;
	snprintf(d->rejection.reason, sizeof(d->rejection.reason), "%s", e->applied.text);
	d->publications_rejected++;
	ps_log(PS_LOG_ERROR, "the dataplane refused generation %" PRIu64 ": %s; it goes on with what it has", p->generation,
		p->reason);
}

static void
answer_late(evutil_socket_t fd, short what, void *arg)
{
	struct ps_daemon *d = arg;

	if (d->publication.state != PS_PUBLICATION_PENDING)
		return;
	d->publication.state = PS_PUBLICATION_UNANSWERED;
	d->publications_unanswered++;
	ps_log(PS_LOG_WARNING, "no answer about generation %" PRIu64 " after %d ms", d->publication.generation,
		d->dataplane_starts ? START_TIMEOUT_MS : ANSWER_TIMEOUT_MS);
	ps_attach_give_up(d->attach);
	consider(d, false);
}

void
ps_publish_answer(struct ps_daemon *d, const struct ps_message *e)
{
	/* One that is not the last is about a snapshot that was replaced while it was on its way. */
	if (d->latest == NULL || e->applied.generation != d->publication.generation ||
	    d->publication.state == PS_PUBLICATION_APPLIED || d->publication.state == PS_PUBLICATION_REJECTED)
		return;
	event_del(d->answer_timer);
	d->dataplane_starts = false;
	if (e->type == PS_EVENT_APPLIED)
		answer_applied(d, e);
	else
		answer_rejected(d, e);
	consider(d, false);
	ps_compiler_prepare(d->compiler);
}

/* ---- attach and detach ---- */

void
ps_publish_attached(struct ps_daemon *d, uint32_t pid, uint64_t generation)
{
	uint64_t last;

	ps_log(PS_LOG_INFO, "dataplane attached (pid %u, running generation %" PRIu64 ")", pid, generation);
	d->dataplane_starts = generation == 0;
	if (d->model == NULL)
		return;
	if (generation == 0 && slots_prepare(d, true) != 0)
		return;
	if (d->slots == NULL)
		return;
	last = ps_slots_generation(d->slots);
	/* It runs something that this life of ours did not number, or has the same number: go on from there. */
	if (generation > last)
		ps_slots_set_generation(d->slots, generation);
	if (d->latest == NULL || generation >= last || d->model->revision != d->compiled_revision) {
		publish(d);
		return;
	}
	d->publication.noticed_ns = ps_monotonic_ns();
	d->publication.parse_ns = d->publication.resolve_ns = d->publication.compile_ns = 0;
	d->publication.reason[0] = '\0';
	send_latest(d);
}

void
ps_publish_detached(struct ps_daemon *d, const char *why)
{
	ps_log(PS_LOG_INFO, "dataplane detached: %s", why);
	event_del(d->answer_timer);
	if (d->publication.state == PS_PUBLICATION_PENDING)
		d->publication.state = PS_PUBLICATION_WAITING;
	consider(d, false);
}

/* ---- manifests ---- */

static int
file_refresh(void *arg, const char *path)
{
	struct ps_daemon *d = arg;
	uint64_t start = ps_monotonic_ns();
	int rc = ps_manifests_refresh(d->manifests, path);

	d->parse_ns += ps_monotonic_ns() - start;
	if (rc != 0 && rc != -ENOENT)
		ps_log(PS_LOG_ERROR, "%s: %s", path, strerror(-rc));
	return rc;
}

static void
file_remove(void *arg, const char *path)
{
	struct ps_daemon *d = arg;

	ps_manifests_remove(d->manifests, path);
}

/* Says what is new: the count of errors and warnings, and the first errors. */
static void
log_diagnostics(struct ps_daemon *d)
{
	static uint32_t errors, warnings;
	static uint64_t said;
	struct ps_diagnostics all = {0};
	uint32_t e, w, i, shown = 0;
	uint64_t digest = 0;

	ps_manifests_counts(d->manifests, &e, &w);
	if (d->model != NULL) {
		e += d->model->diagnostics.errors;
		w += d->model->diagnostics.warnings;
	}
	if (e == 0 && e == errors && w == warnings)
		return;
	ps_manifests_diagnostics(d->manifests, &all);
	if (d->model != NULL)
		ps_diagnostics_append(&all, &d->model->diagnostics);
	for (i = 0; i < all.length; i++)
		if (all.item[i].severity == PS_ERROR)
			digest = ps_digest(all.item[i].message, strlen(all.item[i].message), digest);
	for (i = 0; i < all.length && shown < 20 && digest != said; i++) {
		const struct ps_diagnostic *g = &all.item[i];

		if (g->severity != PS_ERROR)
			continue;
		shown++;
		ps_log(PS_LOG_ERROR, "%s:%u:%u: %s", g->file, g->place.line, g->place.column, g->message);
	}
	if (e != errors || w != warnings)
		ps_log(e != 0 ? PS_LOG_WARNING : PS_LOG_INFO, "manifests: %u errors, %u warnings; `penstock check` shows them", e, w);
	errors = e;
	warnings = w;
	said = digest;
	ps_diagnostics_clear(&all);
}

static void
settled(void *arg, uint64_t noticed_ns)
{
	struct ps_daemon *d = arg;

	if (d->noticed_ns == 0)
		d->noticed_ns = noticed_ns;
	resolve(d);
	/* Before the dataplane is attached the event loop has not begun; main publishes when all is ready. */
	if (d->attach != NULL)
		consider(d, false);
	log_diagnostics(d);
}

void
ps_publish_reload(struct ps_daemon *d)
{
	d->reload_ns = ps_realtime_ns();
	ps_watch_rescan(d->watch, true);
}

int
ps_publish_open(struct ps_daemon *d, char *why, size_t why_size)
{
	static const struct ps_watch_callbacks callbacks = {
		.wants = ps_manifests_wants, .refresh = file_refresh, .remove = file_remove, .settled = settled};
	struct ps_resolver_options options = {.adopt = d->options.adopt, .adopts = d->options.adopts,
		.flags = d->options.strict ? PS_RESOLVE_STRICT : 0};
	int rc = -ENOMEM;

	snprintf(why, why_size, "out of memory");
	d->manifests = ps_manifests_new(d->options.strict ? PS_MANIFESTS_STRICT : 0);
	d->resolver = ps_resolver_new(&options);
	d->compiler = ps_compiler_new();
	d->answer_timer = event_new(d->base, -1, 0, answer_late, d);
	d->soon = event_new(d->base, -1, 0, soon_fired, d);
	if (d->manifests == NULL || d->resolver == NULL || d->compiler == NULL || d->answer_timer == NULL ||
	    d->soon == NULL)
		return rc;
	rc = ps_watch_open(&d->watch, d->base, d->options.path, d->options.paths, &callbacks, d);
	if (rc != 0) {
		snprintf(why, why_size, "manifests cannot be watched: %s", strerror(-rc));
		return rc;
	}
	ps_publish_reload(d);
	if (d->model == NULL)
		return -ENOMEM;
	rc = slots_prepare(d, true);
	if (rc != 0)
		snprintf(why, why_size, "%s", d->trouble);
	return rc;
}

void
ps_publish_close(struct ps_daemon *d)
{
	ps_watch_close(d->watch);
	ps_release_drop(d->latest);
	ps_release_drop(d->applied);
	ps_compiler_free(d->compiler);
	ps_resolver_free(d->resolver);
	ps_manifests_free(d->manifests);
	ps_slots_close(d->slots);
	if (d->answer_timer != NULL)
		event_free(d->answer_timer);
	if (d->soon != NULL)
		event_free(d->soon);
}

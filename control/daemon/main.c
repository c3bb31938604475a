/* SPDX-License-Identifier: Apache-2.0 */
/* penstockd: opens what it needs, gives up its privileges, then serves from one event loop. */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "control/daemon/admin.h"
#include "control/daemon/daemon.h"
#include "control/daemon/privileges.h"
#include "control/channel/slot_file.h"

#define TICK_S 1

/* mkdir -p, for the two directories; existing ones keep their mode. */
static int
directory_make(const char *path)
{
	char part[4096], *slash;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	for (slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	if (mkdir(part, 0755) != 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/* What penstockd must be able to write when it is no longer root. Links are not followed. */
static void
give_away(const struct ps_daemon *d, const struct ps_identity *id)
{
	static const char *const runtime[] = {"", "/" PS_CONTROL_SOCKET, "/" PS_ADMIN_SOCKET, "/" PS_STATE_FILE, "/" PS_SLOTS_FILE};
	static const char *const state[] = {"", "/" PS_SNAPSHOT_FILE};
	char path[4096];
	size_t i;

	if (geteuid() != 0 || id->uid == 0)
		return;
	for (i = 0; i < sizeof(runtime) / sizeof(*runtime); i++) {
		snprintf(path, sizeof(path), "%s%s", d->options.runtime_dir, runtime[i]);
		if (lchown(path, id->uid, id->gid) != 0 && errno != ENOENT)
			ps_log(PS_LOG_WARNING, "%s cannot be given to %s: %s", path, id->name, strerror(errno));
	}
	for (i = 0; i < sizeof(state) / sizeof(*state); i++) {
		snprintf(path, sizeof(path), "%s%s", d->options.state_dir, state[i]);
		if (lchown(path, id->uid, id->gid) != 0 && errno != ENOENT)
			ps_log(PS_LOG_WARNING, "%s cannot be given to %s: %s", path, id->name, strerror(errno));
	}
}

/* Every snapshot, blob and client costs a descriptor. */
static void
descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void
status_notify(struct ps_daemon *d)
{
	struct ps_attach_stats stats;

	ps_attach_stats(d->attach, &stats);
	sd_notifyf(0, "STATUS=%s, generation %llu, %u services, %u endpoints%s", stats.attached ? "dataplane attached" : "no dataplane",
		(unsigned long long)d->publication.generation, d->model == NULL ? 0 : d->model->services,
		d->latest == NULL ? 0 : ps_snapshot_length(d->latest->compiled->snapshot, PS_SEC_ENDPOINT),
		d->rejection.generation != 0 ? "; last snapshot was refused" : "");
}

static void
tick_fired(evutil_socket_t fd, short what, void *arg)
{
	struct ps_daemon *d = arg;

	if (d->slots != NULL)
		ps_slots_tick(d->slots, ps_realtime_ns());
	ps_admin_tick(d->admin);
	status_notify(d);
}

static void
watchdog_fired(evutil_socket_t fd, short what, void *arg)
{
	sd_notify(0, "WATCHDOG=1");
}

static void
signal_stop(evutil_socket_t number, short what, void *arg)
{
	struct ps_daemon *d = arg;

	ps_log(PS_LOG_INFO, "stopping: %s", strsignal((int)number));
	sd_notify(0, "STOPPING=1");
	event_base_loopbreak(d->base);
}

static void
signal_reload(evutil_socket_t number, short what, void *arg)
{
	struct ps_daemon *d = arg;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(ps_monotonic_ns() / 1000));
	ps_log(PS_LOG_INFO, "reading all manifests again");
	ps_publish_reload(d);
	sd_notify(0, "READY=1");
}

static int
signals_open(struct ps_daemon *d)
{
	static const struct {
		int number;
		event_callback_fn handler;
	} handled[] = {{SIGTERM, signal_stop}, {SIGINT, signal_stop}, {SIGHUP, signal_reload}};
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof(handled) / sizeof(*handled); i++) {
		d->signals[i] = evsignal_new(d->base, handled[i].number, handled[i].handler, d);
		if (d->signals[i] == NULL || event_add(d->signals[i], NULL) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int
timers_open(struct ps_daemon *d)
{
	struct timeval second = {.tv_sec = TICK_S};
	uint64_t usec = 0;

	d->tick = event_new(d->base, -1, EV_PERSIST, tick_fired, d);
	if (d->tick == NULL || event_add(d->tick, &second) != 0)
		return -ENOMEM;
	if (sd_watchdog_enabled(0, &usec) > 0) {
		struct timeval half = {.tv_sec = (time_t)(usec / 2000000), .tv_usec = (suseconds_t)(usec / 2 % 1000000)};

		d->watchdog = event_new(d->base, -1, EV_PERSIST, watchdog_fired, d);
		if (d->watchdog == NULL || event_add(d->watchdog, &half) != 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- from the dataplane ---- */

static void
on_attached(void *arg, uint32_t pid, uint64_t generation)
{
	ps_publish_attached(arg, pid, generation);
}

static void
on_detached(void *arg, const char *why)
{
	struct ps_daemon *d = arg;

	ps_admin_detached(d->admin);
	ps_publish_detached(d, why);
}

static void
on_event(void *arg, const struct ps_message *e)
{
	struct ps_daemon *d = arg;

	switch (e->type) {
	case PS_EVENT_APPLIED:
	case PS_EVENT_REJECTED:
		ps_publish_answer(d, e);
		break;
	case PS_EVENT_HEALTH: {
		struct ps_slot_info info;
		char text[64];

		if (d->slots == NULL || ps_slots_info(d->slots, e->health.slot, &info) != 0)
			break;
		ps_log(PS_LOG_INFO, "endpoint %s %s (%s) is %s: %s",
			ps_address_text(text, sizeof(text), &info.addr, info.port), info.name,
			ps_slots_service_name(d->slots, ps_slots_find_service(d->slots, info.service_id)),
			e->health.down ? "down" : "up", ps_reason_name(e->health.reason));
		break;
	}
	case PS_EVENT_TRACE:
		ps_admin_trace_step(d->admin, &e->step);
		break;
	case PS_EVENT_REPLY:
		ps_admin_reply(d->admin, e);
		break;
	case PS_EVENT_LOG:
		ps_log(PS_LOG_INFO, "dataplane: %s", e->text);
		break;
	default:
		break;
	}
}

static void
on_complaint(void *arg, const char *text)
{
	ps_log(PS_LOG_WARNING, "%s", text);
}

static int
serve(struct ps_daemon *d)
{
	static const struct ps_attach_callbacks callbacks = {
		.attached = on_attached, .detached = on_detached, .event = on_event, .complaint = on_complaint};
	struct ps_identity identity;
	char why[256] = "", path[4096];
	int rc;

	rc = ps_identity_find(&identity, d->options.user, why, sizeof(why));
	if (rc != 0)
		goto out;
	if ((rc = directory_make(d->options.runtime_dir)) != 0 || (rc = directory_make(d->options.state_dir)) != 0) {
		snprintf(why, sizeof(why), "%s or %s cannot be made: %s", d->options.runtime_dir, d->options.state_dir,
			strerror(-rc));
		goto out;
	}
	rc = ps_counters_open(&d->counters, d->options.runtime_dir);
	if (rc == 0)
		rc = ps_publish_open(d, why, sizeof(why));
	if (rc != 0)
		goto out;
	snprintf(path, sizeof(path), "%s/" PS_CONTROL_SOCKET, d->options.runtime_dir);
	rc = ps_attach_open(&d->attach, d->base, path, &callbacks, d, why, sizeof(why));
	if (rc == 0)
		rc = ps_admin_open(&d->admin, d, why, sizeof(why));
	if (rc != 0)
		goto out;
	give_away(d, &identity);
	rc = ps_privileges_drop(&identity, why, sizeof(why));
	if (rc != 0)
		goto out;
	snprintf(path, sizeof(path), "%s/" PS_SNAPSHOT_FILE, d->options.state_dir);
	rc = ps_saver_open(&d->saver, path);
	if (rc == 0)
		rc = signals_open(d);
	if (rc == 0)
		rc = timers_open(d);
	if (rc != 0)
		goto out;
	ps_publish_now(d, true);
	ps_log(PS_LOG_INFO, "serving %u files as user %s: %u services, %u listeners", ps_watch_files(d->watch), identity.name,
		d->model->services, d->model->listeners);
	status_notify(d);
	sd_notify(0, "READY=1");
	event_base_dispatch(d->base);
	return 0;
out:
	ps_log(PS_LOG_ERROR, "%s", why[0] != '\0' ? why : strerror(-rc));
	return rc;
}

int
main(int argc, char **argv)
{
	struct ps_daemon *d = calloc(1, sizeof(*d));
	int code = 1;
	size_t i;

	if (d == NULL)
		return 1;
	if (ps_options_parse(&d->options, argc, argv, &code) != 0)
		goto out;
	ps_log_setup(d->options.log_level);
	umask(0027);
	descriptors_raise();
	d->started_ns = ps_realtime_ns();
	d->base = event_base_new();
	code = d->base == NULL || serve(d) != 0;

	ps_admin_close(d->admin);
	ps_attach_close(d->attach);
	ps_saver_close(d->saver);
	ps_publish_close(d);
	ps_counters_close(&d->counters);
	for (i = 0; i < sizeof(d->signals) / sizeof(*d->signals); i++)
		if (d->signals[i] != NULL)
			event_free(d->signals[i]);
	if (d->tick != NULL)
		event_free(d->tick);
	if (d->watchdog != NULL)
		event_free(d->watchdog);
	if (d->base != NULL)
		event_base_free(d->base);
out:
	ps_options_free(&d->options);
	free(d);
	libevent_global_shutdown();
	return code;
}

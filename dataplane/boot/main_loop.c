/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Housekeeping: the channel, snapshots, neighbours and probes, trace, counters. Sleeps in epoll for a millisecond
 * at most, because workers have no way to wake it without a system call; the socket wakes it at once.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/boot/process.h"
#include "dataplane/flow/flow.h"
#include "dataplane/net/net_main.h"
#include "dataplane/pipeline/counters_file.h"
#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/trace.h"

#define WAIT_MS 1000u      /* for penstockd, until the bundle on disk serves */
#define REFRESH_MS 250u
#define REBUILD_MS 1000u   /* between views built only to give next hops back */
#define STEPS_PER_LOOP 256u

volatile sig_atomic_t ps_stop_requested;

static struct ps_channel_client *channel;
static int epoll = -1;
/* Before the dataplane runs, a snapshot that comes is kept here instead of being applied. */
static struct ps_loaded *first;
static uint64_t first_ns;
static bool running;
static uint64_t malformed; /* before there are counters */
static bool link_was_up[PS_MAX_PORTS];

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static uint64_t
now_ms(void)
{
	return now_ns() / 1000000;
}

static void
count_rejected(const char *why)
{
	if (ps_dataplane.counters == NULL)
		return;
	ps_dataplane.counters->snapshots_rejected++;
	snprintf(ps_dataplane.counters->last_rejection, sizeof(ps_dataplane.counters->last_rejection), "%s", why);
}

static void
tell(uint32_t type, uint64_t generation, uint64_t apply_ns, bool restart_needed, const char *text)
{
	struct ps_message m = {.type = type};

	m.applied.generation = generation;
	m.applied.apply_ns = apply_ns;
	m.applied.restart_needed = restart_needed;
	snprintf(m.applied.text, sizeof(m.applied.text), "%s", text);
	ps_channel_send(channel, &m);
	ps_channel_flush(channel);
}

void
ps_main_loop_apply(struct ps_loaded *loaded, uint64_t received_ns)
{
	struct ps_applied applied;
	char why[200] = "";
	int rc = ps_apply(loaded, &applied, why, sizeof(why));

	if (rc != 0) {
		ps_log(PS_SAY_WARNING, "generation %llu refused: %s", (unsigned long long)applied.generation, why);
		count_rejected(why);
		tell(PS_EVENT_REJECTED, applied.generation, 0, applied.restart_needed, why);
		return;
	}
	ps_dataplane.counters->snapshots_applied++;
	ps_dataplane.counters->generation = applied.generation;
	tell(PS_EVENT_APPLIED, applied.generation, applied.live_ns - received_ns, applied.restart_needed, "");
	if (applied.restart_needed)
		ps_log(PS_SAY_WARNING,
		       "generation %llu is live, but its ports, memory or sizes need a restart of the dataplane",
		       (unsigned long long)applied.generation);
}

static void
on_snapshot(void *arg, uint64_t generation, int fd, uint64_t received_ns)
{
	struct ps_loaded loaded;
	char why[200] = "";
	int rc = ps_load_fd(&loaded, ps_dataplane.blobs, fd, why, sizeof(why));

	if (rc == 0 && loaded.snapshot->generation != generation) {
		snprintf(why, sizeof(why), "announced as generation %llu, but it is %llu",
			 (unsigned long long)generation, (unsigned long long)loaded.snapshot->generation);
		ps_unload(&loaded);
		rc = -EINVAL;
	}
	if (rc != 0) {
		ps_log(PS_SAY_WARNING, "generation %llu refused: %s", (unsigned long long)generation, why);
		count_rejected(why);
		tell(PS_EVENT_REJECTED, generation, 0, false, why);
	} else if (running) {
		ps_main_loop_apply(&loaded, received_ns);
	} else {
		if (first->snapshot != NULL)
			ps_unload(first);
		*first = loaded;
		first_ns = received_ns;
	}
}

static void
on_malformed(void *arg, const char *text)
{
	ps_log(PS_SAY_WARNING, "channel: %s", text);
	if (ps_dataplane.counters != NULL)
		ps_dataplane.counters->messages_rejected++;
	else
		malformed++;
}

static void
on_attached(void *arg)
{
	if (running)
		ps_log(PS_SAY_INFO, "attached to penstockd");
}

static void
on_command(void *arg, const struct ps_message *m)
{
	if (!running) {
		ps_channel_reply(channel, m, -EAGAIN, "the dataplane is starting");
		return;
	}
	switch (m->type) {
	case PS_CMD_TRACE:
		ps_trace_start(&m->trace);
		ps_channel_reply(channel, m, 0, "");
		return;
	case PS_CMD_RESET_STATS: /* readers keep baselines; nothing here is reset in place */
		ps_channel_reply(channel, m, 0, "");
		return;
	case PS_CMD_ANNOUNCE:
		ps_net_announce(ps_net_main_net(ps_dataplane.net), ps_net_now_ms());
		ps_channel_reply(channel, m, 0, "");
		return;
	case PS_CMD_FLUSH_FLOWS:
		ps_flows_flush(ps_dataplane.flows, m->flush.endpoint_slot, m->flush.service_slot);
		ps_channel_reply(channel, m, 0, "");
		return;
	case PS_CMD_SHUTDOWN:
		ps_channel_reply(channel, m, 0, "");
		ps_stop_requested = 1;
		return;
	default:
		on_malformed(arg, "command of unknown type");
		ps_channel_reply(channel, m, -EINVAL, "unknown command");
	}
}

void
ps_main_loop_health(void *arg, uint32_t slot, bool down, uint32_t reason)
{
	struct ps_message m = {.type = PS_EVENT_HEALTH};

	m.health.slot = slot;
	m.health.down = down;
	m.health.reason = reason;
	ps_channel_send(channel, &m);
}

int
ps_main_loop_init(void)
{
	struct ps_channel_client_config config = {
		.runtime_dir = ps_dataplane.runtime_dir,
		.ops = {.snapshot = on_snapshot,
			.command = on_command,
			.attached = on_attached,
			.malformed = on_malformed},
	};
	int rc = ps_blobs_new(&ps_dataplane.blobs);

	if (rc != 0)
		return rc;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		return -errno;
	config.blobs = ps_dataplane.blobs;
	config.epoll = epoll;
	return ps_channel_client_new(&channel, &config);
}

void
ps_main_loop_end(void)
{
	ps_channel_client_free(channel);
	channel = NULL;
	if (epoll >= 0)
		close(epoll);
	ps_blobs_free(ps_dataplane.blobs);
	ps_dataplane.blobs = NULL;
}

/* Sleeps until the socket has something, at most timeout milliseconds. */
static void
wait_socket(int timeout)
{
	struct epoll_event event;

	epoll_wait(epoll, &event, 1, timeout);
}

int
ps_first_snapshot(struct ps_loaded *loaded, uint64_t *received_ns)
{
	uint64_t begin = now_ms(), told = 0;
	char path[PATH_MAX], why[200];
	bool tried = false;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", ps_dataplane.state_dir, PS_SNAPSHOT_FILE);
	first = loaded;
	while (!ps_stop_requested) {
		ps_channel_client_poll(channel, 0, now_ms());
		if (loaded->snapshot != NULL) {
			*received_ns = first_ns;
			return 0;
		}
		if (!tried && now_ms() - begin >= WAIT_MS) {
			tried = true;
			*received_ns = now_ns();
			rc = ps_load_bundle(loaded, ps_dataplane.blobs, path, why, sizeof(why));
			if (rc == 0) {
				ps_log(PS_SAY_WARNING, "penstockd has no snapshot for us: serving generation %llu from %s",
				       (unsigned long long)loaded->snapshot->generation, path);
				return 0;
			}
			if (rc == -ENOENT)
				ps_log(PS_SAY_INFO, "no snapshot on disk yet (%s)", path);
			else
				ps_log(PS_SAY_WARNING, "snapshot on disk refused: %s: %s", path, why);
		}
		if (tried && now_ms() - told >= 60000) {
			told = now_ms();
			ps_log(PS_SAY_INFO, "waiting for penstockd");
			sd_notify(0, "STATUS=waiting for penstockd");
		}
		wait_socket(10);
	}
	return -EINTR;
}

static void
send_step(void *arg, const struct ps_trace_step *step)
{
	struct ps_message m = {.type = PS_EVENT_TRACE};

	m.step = *step;
	ps_channel_send(channel, &m);
}

static void
watch_links(void)
{
	for (uint32_t p = 0; p < ps_dataplane.ports; p++) {
		bool up = ps_port_link_up(&ps_dataplane.port[p].device);

		if (up == link_was_up[p])
			continue;
		link_was_up[p] = up;
		ps_log(PS_SAY_INFO, "port %s: link is %s", ps_dataplane.port[p].device.name, up ? "up" : "down");
		ps_net_link(ps_net_main_net(ps_dataplane.net), p, up, ps_net_now_ms());
	}
}

void
ps_main_loop(void)
{
	uint64_t refreshed = 0, rebuilt = 0, now;
	uint32_t taken = 0;

	running = true;
	ps_dataplane.counters->messages_rejected += malformed;
	while (!ps_stop_requested) {
		wait_socket(taken != 0 ? 0 : 1);
		now = now_ms();
		ps_channel_client_poll(channel, ps_dataplane.counters->generation, now);
		taken = ps_net_main_poll(ps_dataplane.net);
		if (ps_net_wants_view(ps_net_main_net(ps_dataplane.net)) && now - rebuilt >= REBUILD_MS) {
			rebuilt = now;
			ps_apply_again();
		}
		if (atomic_load_explicit(&ps_dataplane.tracing, memory_order_relaxed))
			ps_trace_drain(send_step, NULL, STEPS_PER_LOOP);
		if (now - refreshed >= REFRESH_MS) {
			refreshed = now;
			watch_links();
			ps_counters_refresh(ps_dataplane.counters);
		}
	}
	running = false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dataplane's end of the channel to penstockd: attaches, attaches again when penstockd comes back (looking
 * every PS_CHANNEL_RETRY_MS), receives snapshots and commands, sends events. Needs no EAL, so that
 * the first snapshot can tell how to start it.
 *
 * Thread: main.
 */
#ifndef PS_BOOT_CHANNEL_CLIENT_H
#define PS_BOOT_CHANNEL_CLIENT_H

#include "dataplane/api/channel.h"
#include "dataplane/pipeline/blobs.h"

#define PS_CHANNEL_RETRY_MS 100u

struct ps_channel_client;

struct ps_channel_ops {
	void *arg;
	/* A snapshot has come; its blobs were added before. fd is closed after the call. received_ns: CLOCK_MONOTONIC. */
	void (*snapshot)(void *arg, uint64_t generation, int fd, uint64_t received_ns);
	/* A command. Answer with ps_channel_reply. */
	void (*command)(void *arg, const struct ps_message *m);
	/* Attached: events can be sent from now on. */
	void (*attached)(void *arg);
	/* A peer's message was malformed; the text says how. */
	void (*malformed)(void *arg, const char *text);
};

struct ps_channel_client_config {
	const char *runtime_dir;
	struct ps_blobs *blobs;
	struct ps_channel_ops ops;
	int epoll; /* the client's socket is kept registered here, with data.ptr NULL */
};

int ps_channel_client_new(struct ps_channel_client **client, const struct ps_channel_client_config *config);
void ps_channel_client_free(struct ps_channel_client *client);

/* Connects when it is time to, takes what has come. Never blocks. running: generation in use, for HELLO. */
void ps_channel_client_poll(struct ps_channel_client *client, uint64_t running, uint64_t now_ms);

bool ps_channel_client_attached(const struct ps_channel_client *client);

/* Puts an event into the ring; a full ring is counted there. flush nudges penstockd. 0 or -errno. */
int ps_channel_send(struct ps_channel_client *client, const struct ps_message *m);
void ps_channel_flush(struct ps_channel_client *client);

void ps_channel_reply(struct ps_channel_client *client, const struct ps_message *command, int rc, const char *text);

#endif

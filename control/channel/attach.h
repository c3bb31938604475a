/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control end of the channel: listens for the dataplane, gives it a fresh ring memfd and
 * epoch at each attach, hands snapshots over, and passes events on. Everything that comes from
 * the peer is checked; a peer that breaks the contract is disconnected with a reason, and may
 * attach again.
 *
 * One dataplane is attached at a time. Only a process of our own user or of root may attach
 * (SO_PEERCRED).
 *
 * Thread: the one that runs the event base. Callbacks run there and may call back, except
 * ps_attach_close.
 */
#ifndef PS_CHANNEL_ATTACH_H
#define PS_CHANNEL_ATTACH_H

#include <event2/event.h>

#include "dataplane/api/channel.h"

struct ps_attach;

struct ps_attach_callbacks {
	/* A dataplane is there. generation: what it runs, 0 when it has just started. */
	void (*attached)(void *arg, uint32_t pid, uint64_t generation);
	/* It is gone, or was sent away. */
	void (*detached)(void *arg, const char *why);
	/* An event came; type and text are checked: text is NUL-terminated, stage as well. */
	void (*event)(void *arg, const struct ps_message *event);
	/* Something for the operator: a peer refused, a message malformed. */
	void (*complaint)(void *arg, const char *text);
};

struct ps_attach_stats {
	bool attached;
	uint32_t pid;
	uint64_t epoch;
	uint64_t attached_ns;        /* CLOCK_REALTIME */
	uint64_t attaches, refused;
	uint64_t messages_rejected;  /* malformed ones from the peer, ring and socket */
	uint64_t command_overflow, event_overflow; /* of this attach */
};

/*
 * Listens on path (replacing a socket left there). Returns 0; -EADDRINUSE when another penstockd
 * answers there; another -errno; with a reason in why.
 */
int ps_attach_open(struct ps_attach **attach, struct event_base *base, const char *path,
		   const struct ps_attach_callbacks *callbacks, void *arg, char *why, size_t why_size);

/* Disconnects and stops listening; removes the socket. NULL is fine. */
void ps_attach_close(struct ps_attach *attach);

struct ps_attach_blob {
	uint64_t digest;
	int fd;
};

/*
 * Hands a snapshot over with those of its blobs that the peer does not hold. Descriptors are
 * duplicated; sending goes on in the background. The answer comes as an event PS_EVENT_APPLIED or
 * PS_EVENT_REJECTED. -ENOTCONN: nobody is attached; -EBUSY: an answer is awaited still;
 * -ENOMEM, -EMFILE.
 */
int ps_attach_publish(struct ps_attach *attach, uint64_t generation, int snapshot_fd,
		      const struct ps_attach_blob *blobs, uint32_t length);

/* The answer to the last publication never came: forget it, so that another one may follow. */
void ps_attach_give_up(struct ps_attach *attach);

/* Sends a command; its id is chosen here and returned in command->id. 0, -ENOTCONN, -ENOBUFS. */
int ps_attach_command(struct ps_attach *attach, struct ps_message *command);

void ps_attach_stats(const struct ps_attach *attach, struct ps_attach_stats *stats);

/*
 * Checks an event as it came from the ring and makes its texts end: 0, or -EPROTO with a reason.
 * Pure; the fuzzer's way in.
 */
int ps_event_check(struct ps_message *event, char *why, size_t why_size);
/* The same for a message from the dataplane's socket. */
int ps_hello_check(const void *bytes, size_t size, struct ps_socket_message *hello, char *why, size_t why_size);

#endif

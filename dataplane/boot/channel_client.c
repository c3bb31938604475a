/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/boot/channel_client.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "dataplane/api/channel_ring.h"

#define MESSAGES_PER_POLL 64u

struct ps_channel_client {
	struct ps_channel_client_config config;
	int fd; /* -1: not connected */
	uint64_t next_try_ms;
	bool refused_told;   /* the same refusal is not told again and again */
	bool blob_failed;    /* a blob of the snapshot on its way was refused: why */
	char blob_why[160];
	bool nudge;          /* events wait to be announced */
	struct ps_channel_view view;
};

static uint64_t
monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

int
ps_channel_client_new(struct ps_channel_client **client, const struct ps_channel_client_config *config)
{
	struct ps_channel_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->config = *config;
	c->fd = -1;
	*client = c;
	return 0;
}

static void
detach(struct ps_channel_client *c, uint64_t now_ms)
{
	if (c->fd >= 0)
		close(c->fd); /* leaves the epoll set by itself */
	c->fd = -1;
	ps_channel_detach(&c->view);
	c->next_try_ms = now_ms + PS_CHANNEL_RETRY_MS;
	c->blob_failed = false;
}

void
ps_channel_client_free(struct ps_channel_client *c)
{
	if (c == NULL)
		return;
	ps_channel_flush(c);
	detach(c, 0);
	free(c);
}

bool
ps_channel_client_attached(const struct ps_channel_client *c)
{
	return c->fd >= 0 && c->view.shared != NULL;
}

static int
send_message(struct ps_channel_client *c, const struct ps_socket_message *m)
{
	ssize_t n = send(c->fd, m, sizeof(*m), MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == (ssize_t)sizeof(*m) ? 0 : -errno;
}

static void
try_connect(struct ps_channel_client *c, uint64_t running, uint64_t now_ms)
{
	struct ps_socket_message hello = {
		.type = PS_SOCKET_HELLO, .abi = PS_ABI, .value = running, .pid = (uint32_t)getpid()};
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	c->next_try_ms = now_ms + PS_CHANNEL_RETRY_MS;
	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", c->config.runtime_dir, PS_CONTROL_SOCKET) >=
	    (int)sizeof(addr.sun_path))
		return;
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return;
	if (connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 || send_message(c, &hello) != 0 ||
	    (c->config.epoll >= 0 && epoll_ctl(c->config.epoll, EPOLL_CTL_ADD, c->fd, &event) != 0))
		detach(c, now_ms);
}

static void
malformed(struct ps_channel_client *c, const char *text)
{
	c->config.ops.malformed(c->config.ops.arg, text);
}

/* Returns false when the connection is to be given up. */
static bool
welcome(struct ps_channel_client *c, const struct ps_socket_message *m, int fd)
{
	char why[128] = "";

	if (fd < 0 || c->view.shared != NULL) {
		malformed(c, fd < 0 ? "WELCOME without descriptor" : "a second WELCOME");
		return false;
	}
	if (ps_channel_attach(&c->view, fd, m->epoch, why, sizeof(why)) != 0) {
		malformed(c, why);
		return false;
	}
	c->refused_told = false;
	c->config.ops.attached(c->config.ops.arg);
	return true;
}

static void
reject(struct ps_channel_client *c, uint64_t generation, const char *why)
{
	struct ps_message m = {.type = PS_EVENT_REJECTED};

	m.applied.generation = generation;
	snprintf(m.applied.text, sizeof(m.applied.text), "%s", why);
	ps_channel_send(c, &m);
	ps_channel_flush(c);
}

static void
blob(struct ps_channel_client *c, const struct ps_socket_message *m, int fd)
{
	char why[160] = "BLOB without descriptor";

	if (fd >= 0 && ps_blobs_add_fd(c->config.blobs, m->value, fd, why, sizeof(why)) == 0)
		return;
	malformed(c, why);
	/* Told with the snapshot that needs it; without the blob that would only say "has not come". */
	if (!c->blob_failed)
		memcpy(c->blob_why, why, sizeof(c->blob_why));
	c->blob_failed = true;
}

static void
snapshot(struct ps_channel_client *c, const struct ps_socket_message *m, int fd)
{
	uint64_t received_ns = monotonic_ns();

	if (fd < 0) {
		malformed(c, "SNAPSHOT without descriptor");
		reject(c, m->value, "SNAPSHOT without descriptor");
	} else if (c->blob_failed) {
		reject(c, m->value, c->blob_why);
	} else {
		c->config.ops.snapshot(c->config.ops.arg, m->value, fd, received_ns);
	}
	c->blob_failed = false;
}

/* Returns false when the connection is to be given up. */
static bool
take(struct ps_channel_client *c, const struct ps_socket_message *m, int fd)
{
	char text[160];

	if (m->type == PS_SOCKET_REFUSED) {
		if (!c->refused_told) {
			snprintf(text, sizeof(text), "penstockd refuses to attach: %.*s", (int)sizeof(m->text) - 1,
				 m->text);
			malformed(c, text);
		}
		c->refused_told = true;
		return false;
	}
	if (m->abi != PS_ABI) {
		snprintf(text, sizeof(text), "penstockd has ABI %u, this program has %u", m->abi, PS_ABI);
		malformed(c, text);
		return false;
	}
	if (m->type != PS_SOCKET_WELCOME && (c->view.shared == NULL || m->epoch != c->view.epoch)) {
		malformed(c, "message of another epoch");
		return false;
	}
	switch (m->type) {
	case PS_SOCKET_WELCOME:
		return welcome(c, m, fd);
	case PS_SOCKET_BLOB:
		blob(c, m, fd);
		return true;
	case PS_SOCKET_SNAPSHOT:
		snapshot(c, m, fd);
		return true;
	case PS_SOCKET_NUDGE:
		return true;
	default:
		snprintf(text, sizeof(text), "socket message of unknown type %u", m->type);
		malformed(c, text);
		return true;
	}
}

/* One message with at most one descriptor. Returns 1, 0 when there is none, -1 when the peer is gone. */
static int
receive(struct ps_channel_client *c)
{
	struct ps_socket_message m;
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * 4)];
	} control;
	struct iovec iov = {.iov_base = &m, .iov_len = sizeof(m)};
	struct msghdr h = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = -1, given;
	bool go_on;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(&h); cm != NULL; cm = CMSG_NXTHDR(&h, cm)) {
		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			memcpy(&given, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (fd < 0)
				fd = given;
			else
				close(given);
		}
	}
	if (n != (ssize_t)sizeof(m) || (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		malformed(c, "socket message of wrong size");
		go_on = false;
	} else {
		m.text[sizeof(m.text) - 1] = '\0';
		go_on = take(c, &m, fd);
	}
	if (fd >= 0)
		close(fd);
	return go_on ? 1 : -1;
}

/* false: the ring makes no sense any more. */
static bool
take_commands(struct ps_channel_client *c)
{
	struct ps_message m;
	int rc = 0;

	for (uint32_t i = 0; i < MESSAGES_PER_POLL && c->view.shared != NULL; i++) {
		rc = ps_ring_receive(&c->view.commands, &m);
		if (rc != 1)
			break;
		c->config.ops.command(c->config.ops.arg, &m);
	}
	if (rc < 0)
		malformed(c, "command ring: the producer's position makes no sense");
	return rc >= 0;
}

void
ps_channel_client_poll(struct ps_channel_client *c, uint64_t running, uint64_t now_ms)
{
	int rc = 0;

	if (c->fd < 0 && now_ms >= c->next_try_ms)
		try_connect(c, running, now_ms);
	for (uint32_t i = 0; i < MESSAGES_PER_POLL && c->fd >= 0; i++) {
		rc = receive(c);
		if (rc <= 0)
			break;
	}
	if (c->fd >= 0 && (rc < 0 || (c->view.shared != NULL && !take_commands(c))))
		detach(c, now_ms);
	ps_channel_flush(c);
}

int
ps_channel_send(struct ps_channel_client *c, const struct ps_message *m)
{
	int rc;

	if (c->view.shared == NULL)
		return -ENOTCONN;
	rc = ps_ring_send(&c->view.events, m);
	c->nudge = true;
	return rc;
}

void
ps_channel_flush(struct ps_channel_client *c)
{
	struct ps_socket_message m = {.type = PS_SOCKET_NUDGE, .abi = PS_ABI, .epoch = c->view.epoch};

	if (c->nudge && c->fd >= 0)
		send_message(c, &m); /* a full socket means that nudges are waiting there already */
	c->nudge = false;
}

void
ps_channel_reply(struct ps_channel_client *c, const struct ps_message *command, int rc, const char *text)
{
	struct ps_message m = {.type = PS_EVENT_REPLY, .rc = rc, .id = command->id};

	snprintf(m.text, sizeof(m.text), "%s", text);
	ps_channel_send(c, &m);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/channel/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/api/channel_ring.h"

#define HELLO_TIMEOUT_S 2
/* Events are fetched at a nudge; this catches a nudge that was lost with a full socket. */
#define POLL_MS 100
/* When the kernel holds too many descriptors in flight, try again so much later. */
#define RETRY_MS 2
#define EVENTS_PER_TURN 1024

/* A message waiting to be written, with its descriptor or -1. */
struct outgoing {
	struct outgoing *next;
	struct ps_socket_message message;
	int fd;
};

struct ps_attach {
	struct event_base *base;
	struct ps_attach_callbacks call;
	void *arg;
	char path[108];
	int listen_fd;
	struct event *accept_event;

	/* the peer; fd -1: none */
	int fd;
	bool greeted; /* HELLO came: attached */
	struct event *read_event, *write_event, *timer;
	struct ps_channel_view channel;
	struct outgoing *first, **last;
	uint64_t pending; /* generation whose answer is awaited; 0: none */
	uint64_t *held;   /* blobs that the peer holds, sorted; those of the pending snapshot included */
	uint32_t held_length, held_capacity;
	uint64_t *wanted; /* blobs of the pending snapshot, sorted */
	uint32_t wanted_length;
	uint64_t next_id;
	struct ps_attach_stats stats;
};

static void write_ready(evutil_socket_t fd, short what, void *arg);

static void
complain(struct ps_attach *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
complain(struct ps_attach *a, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (a->call.complaint != NULL)
		a->call.complaint(a->arg, text);
}

static void
outgoing_drop(struct ps_attach *a)
{
	struct outgoing *o;

	while ((o = a->first) != NULL) {
		a->first = o->next;
		if (o->fd >= 0)
			close(o->fd);
		free(o);
	}
	a->last = &a->first;
}

static void
event_drop(struct event **e)
{
	if (*e != NULL)
		event_free(*e);
	*e = NULL;
}

static void
peer_drop(struct ps_attach *a, const char *why)
{
	bool greeted = a->greeted;

	if (a->fd < 0)
		return;
	event_drop(&a->read_event);
	event_drop(&a->write_event);
	event_drop(&a->timer);
	outgoing_drop(a);
	ps_channel_detach(&a->channel);
	close(a->fd);
	a->fd = -1;
	a->greeted = false;
	a->pending = 0;
	a->held_length = a->wanted_length = 0;
	a->stats.attached = false;
	if (greeted && a->call.detached != NULL)
		a->call.detached(a->arg, why);
}

/* 0; -EAGAIN: later; another -errno: the peer is lost. */
static int
message_write(int socket, const struct ps_socket_message *m, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = sizeof(*m)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	if (sendmsg(socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == EINTR || errno == EWOULDBLOCK || errno == ENOBUFS ? -EAGAIN : -errno;
}

static void
outgoing_flush(struct ps_attach *a)
{
	static const struct timeval retry = {.tv_usec = RETRY_MS * 1000};
	struct outgoing *o;
	int rc;

	while (a->fd >= 0 && (o = a->first) != NULL) {
		rc = message_write(a->fd, &o->message, o->fd);
		if (rc == -ETOOMANYREFS) {
			event_add(a->write_event, &retry); /* fires on writable as well; a few extra turns */
			return;
		}
		if (rc == -EAGAIN) {
			event_add(a->write_event, NULL);
			return;
		}
		if (rc != 0) {
			peer_drop(a, strerror(-rc));
			return;
		}
		a->first = o->next;
		if (a->first == NULL)
			a->last = &a->first;
		if (o->fd >= 0)
			close(o->fd);
		free(o);
	}
}

static void
write_ready(evutil_socket_t fd, short what, void *arg)
{
	outgoing_flush(arg);
}

/* Queues a message; fd is duplicated. */
static int
outgoing_add(struct ps_attach *a, enum ps_socket_type type, uint64_t value, int fd, const char *text)
{
	struct outgoing *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return -ENOMEM;
	o->message.type = type;
	o->message.abi = PS_ABI;
	o->message.epoch = a->stats.epoch;
	o->message.value = value;
	o->message.pid = (uint32_t)getpid();
	snprintf(o->message.text, sizeof(o->message.text), "%s", text);
	o->fd = -1;
	if (fd >= 0) {
		o->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (o->fd < 0) {
			int rc = -errno;

			free(o);
			return rc;
		}
	}
	*a->last = o;
	a->last = &o->next;
	return 0;
}

/* A nudge that finds others in the queue is not needed: those wake the peer as well. */
static void
nudge(struct ps_attach *a)
{
	struct ps_socket_message m = {.type = PS_SOCKET_NUDGE, .abi = PS_ABI, .epoch = a->stats.epoch,
		.pid = (uint32_t)getpid()};
	int rc;

	if (a->first != NULL)
		return;
	rc = message_write(a->fd, &m, -1);
	if (rc != 0 && rc != -EAGAIN) /* a full socket is full of nudges */
		peer_drop(a, strerror(-rc));
}

static int
digest_order(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

static bool
holds(const struct ps_attach *a, uint64_t digest)
{
	return a->held_length != 0 &&
	       bsearch(&digest, a->held, a->held_length, sizeof(*a->held), digest_order) != NULL;
}

/* The peer's blobs after the answer about the pending snapshot. */
static void
answered(struct ps_attach *a, bool applied)
{
	uint64_t *swap = a->held;

	a->pending = 0;
	if (!applied) { /* perhaps it lost one: next time all are sent */
		a->held_length = 0;
		return;
	}
	a->held = a->wanted;
	a->held_length = a->wanted_length;
	a->wanted = swap;
	a->wanted_length = 0;
}

static void
events_fetch(struct ps_attach *a)
{
	struct ps_message m;
	char why[128];
	int rc = 0, turn;

	for (turn = 0; turn < EVENTS_PER_TURN && a->fd >= 0 && a->greeted; turn++) {
		rc = ps_ring_receive(&a->channel.events, &m);
		if (rc <= 0)
			break;
		if (ps_event_check(&m, why, sizeof(why)) != 0) {
			a->stats.messages_rejected++;
			complain(a, "dataplane sent a malformed event: %s", why);
			continue;
		}
		if ((m.type == PS_EVENT_APPLIED || m.type == PS_EVENT_REJECTED) &&
		    m.applied.generation == a->pending)
			answered(a, m.type == PS_EVENT_APPLIED);
		if (a->call.event != NULL)
			a->call.event(a->arg, &m);
	}
	if (a->fd >= 0 && rc < 0) {
		a->stats.messages_rejected++;
		complain(a, "dataplane's event ring makes no sense; it must attach again");
		peer_drop(a, "event ring is corrupt");
		return;
	}
	if (turn == EVENTS_PER_TURN && a->fd >= 0) /* let others have a turn, then go on */
		event_active(a->timer, EV_TIMEOUT, 0);
}

static void
refuse(struct ps_attach *a, int fd, const char *why)
{
	struct ps_socket_message m = {.type = PS_SOCKET_REFUSED, .abi = PS_ABI, .pid = (uint32_t)getpid()};

	uint8_t unread[sizeof(m)];

	snprintf(m.text, sizeof(m.text), "%s", why);
	message_write(fd, &m, -1);
	/* Closing with something unread would reset the connection, and the reason with it. */
	while (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0)
		;
	a->stats.refused++;
}

/* Makes the ring memfd of this attach and sends it. */
static int
welcome(struct ps_attach *a)
{
	uint64_t epoch = 0;
	void *base;
	int fd, rc;

	if (getrandom(&epoch, sizeof(epoch), 0) != sizeof(epoch) || epoch == 0 || epoch == a->stats.epoch)
		epoch = a->stats.epoch + 1;
	fd = memfd_create("penstock-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, PS_CHANNEL_SIZE) != 0 || fcntl(fd, F_ADD_SEALS, PS_CHANNEL_SEALS) != 0) {
		rc = -errno;
		goto out;
	}
	base = mmap(NULL, PS_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED) {
		rc = -errno;
		goto out;
	}
	ps_channel_format(&a->channel, base, epoch);
	a->stats.epoch = epoch;
	rc = outgoing_add(a, PS_SOCKET_WELCOME, 0, fd, "");
out:
	close(fd);
	return rc;
}

static void
greet(struct ps_attach *a, const struct ps_socket_message *hello)
{
	static const struct timeval poll = {.tv_usec = POLL_MS * 1000};
	struct timespec now;
	int rc = welcome(a);

	if (rc != 0) {
		refuse(a, a->fd, "penstockd has no memory for a channel");
		peer_drop(a, strerror(-rc));
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	a->greeted = true;
	a->stats.attached = true;
	a->stats.attached_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	a->stats.attaches++;
	event_add(a->timer, &poll);
	if (a->call.attached != NULL)
		a->call.attached(a->arg, a->stats.pid, hello->value);
	outgoing_flush(a);
}

static void
peer_ready(evutil_socket_t fd, short what, void *arg)
{
	struct ps_attach *a = arg;
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 8)];
		struct cmsghdr align;
	} control;
	struct ps_socket_message m;
	uint8_t bytes[sizeof(m) + 1];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	char why[128];
	int rc, turn;

	for (turn = 0; turn < 64 && a->fd >= 0; turn++) {
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes)};
		ssize_t n = recvmsg(a->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		struct cmsghdr *c;

		if (n < 0) {
			if (errno == EAGAIN || errno == EINTR)
				break;
			peer_drop(a, strerror(errno));
			return;
		}
		for (c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
			size_t i, fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			/* Nothing in the contract travels this way; what comes is closed. */
			for (i = 0; c->cmsg_type == SCM_RIGHTS && i < fds; i++) {
				int other;

				memcpy(&other, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
				close(other);
			}
		}
		if (n == 0) {
			/* What it said before it left still counts. */
			if (a->greeted)
				events_fetch(a);
			peer_drop(a, "dataplane closed the connection");
			return;
		}
		rc = ps_hello_check(bytes, (size_t)n, &m, why, sizeof(why));
		if (rc == 0 && (m.type == PS_SOCKET_HELLO) == a->greeted) {
			snprintf(why, sizeof(why), "%s", a->greeted ? "HELLO twice" : "NUDGE before HELLO");
			rc = -EPROTO;
		}
		if (rc != 0) {
			a->stats.messages_rejected++;
			complain(a, "dataplane (pid %u) is refused: %s", a->stats.pid, why);
			refuse(a, a->fd, why);
			peer_drop(a, why);
			return;
		}
		if (m.type == PS_SOCKET_HELLO)
			greet(a, &m);
	}
	if (a->fd >= 0 && a->greeted)
		events_fetch(a);
}

static void
timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct ps_attach *a = arg;

	if (!a->greeted) {
		refuse(a, a->fd, "no HELLO came in time");
		complain(a, "a peer (pid %u) connected and said nothing", a->stats.pid);
		peer_drop(a, "no HELLO");
		return;
	}
	events_fetch(a);
}

/* Has the peer hung up, with the news of it still in the event loop's queue? */
static bool
peer_is_gone(const struct ps_attach *a)
{
	char byte;
	ssize_t n = recv(a->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void
peer_accept(evutil_socket_t listen_fd, short what, void *arg)
{
	static const struct timeval patience = {.tv_sec = HELLO_TIMEOUT_S};
	struct ps_attach *a = arg;
	struct ucred cred = {0};
	socklen_t size = sizeof(cred);
	char why[96];
	int fd;

	fd = accept4((int)listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) != 0 ||
	    (cred.uid != 0 && cred.uid != geteuid())) {
		snprintf(why, sizeof(why), "user %u may not attach", cred.uid);
		complain(a, "pid %d is refused: %s", cred.pid, why);
		refuse(a, fd, why);
		close(fd);
		return;
	}
	if (a->fd >= 0 && peer_is_gone(a)) {
		if (a->greeted)
			events_fetch(a);
		peer_drop(a, "dataplane closed the connection");
	}
	if (a->fd >= 0) {
		snprintf(why, sizeof(why), "dataplane with pid %u is attached already", a->stats.pid);
		complain(a, "pid %d is refused: %s", cred.pid, why);
		refuse(a, fd, why);
		close(fd);
		return;
	}
	a->fd = fd;
	a->stats.pid = (uint32_t)cred.pid;
	a->last = &a->first;
	a->read_event = event_new(a->base, fd, EV_READ | EV_PERSIST, peer_ready, a);
	a->write_event = event_new(a->base, fd, EV_WRITE, write_ready, a);
	a->timer = event_new(a->base, -1, EV_PERSIST, timer_fired, a);
	if (a->read_event == NULL || a->write_event == NULL || a->timer == NULL ||
	    event_add(a->read_event, NULL) != 0 || event_add(a->timer, &patience) != 0)
		peer_drop(a, "no memory");
}

/* Is somebody listening at the path? A socket file without a listener was left by a killed process. */
static bool
somebody_answers(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool answers;

	if (fd < 0)
		return false;
	answers = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN;
	close(fd);
	return answers;
}

int
ps_attach_open(struct ps_attach **attach, struct event_base *base, const char *path,
	const struct ps_attach_callbacks *callbacks, void *arg, char *why, size_t why_size)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct ps_attach *a;
	mode_t mask;
	int rc;

	*attach = NULL;
	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path) >= (int)sizeof(sa.sun_path)) {
		snprintf(why, why_size, "%s: a socket's path has at most %zu bytes", path,
			sizeof(sa.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return -ENOMEM;
	a->base = base;
	a->call = *callbacks;
	a->arg = arg;
	a->fd = a->listen_fd = -1;
	a->last = &a->first;
	a->next_id = 1;
	if (somebody_answers(&sa)) {
		snprintf(why, why_size, "%s: another penstockd is listening", path);
		rc = -EADDRINUSE;
		goto fail;
	}
	unlink(path);
	a->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode is there from the first moment on; a chmod afterwards could be led elsewhere. */
	mask = umask(0177);
	rc = a->listen_fd < 0 || bind(a->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) != 0;
	umask(mask);
	if (rc != 0) {
		rc = -errno;
		snprintf(why, why_size, "%s: %s", path, strerror(-rc));
		goto fail;
	}
	memcpy(a->path, sa.sun_path, sizeof(a->path));
	if (listen(a->listen_fd, 4) != 0) {
		rc = -errno;
		snprintf(why, why_size, "%s: %s", path, strerror(-rc));
		goto fail;
	}
	a->accept_event = event_new(base, a->listen_fd, EV_READ | EV_PERSIST, peer_accept, a);
	if (a->accept_event == NULL || event_add(a->accept_event, NULL) != 0) {
		rc = -ENOMEM;
		snprintf(why, why_size, "no memory");
		goto fail;
	}
	*attach = a;
	return 0;
fail:
	ps_attach_close(a);
	return rc;
}

void
ps_attach_close(struct ps_attach *a)
{
	if (a == NULL)
		return;
	a->call = (struct ps_attach_callbacks){0};
	peer_drop(a, "penstockd stops");
	event_drop(&a->accept_event);
	if (a->listen_fd >= 0)
		close(a->listen_fd);
	if (a->path[0] != '\0')
		unlink(a->path);
	free(a->held);
	free(a->wanted);
	free(a);
}

int
ps_attach_publish(struct ps_attach *a, uint64_t generation, int snapshot_fd,
	const struct ps_attach_blob *blobs, uint32_t length)
{
	uint32_t i;
	int rc;

	if (a->fd < 0 || !a->greeted)
		return -ENOTCONN;
	if (a->pending != 0)
		return -EBUSY;
	if (length > a->held_capacity) {
		uint64_t *held = realloc(a->held, length * sizeof(*held));
		uint64_t *wanted;

		if (held == NULL)
			return -ENOMEM;
		a->held = held;
		wanted = realloc(a->wanted, length * sizeof(*wanted));
		if (wanted == NULL)
			return -ENOMEM;
		a->wanted = wanted;
		a->held_capacity = length;
	}
	for (i = 0; i < length; i++) {
		a->wanted[i] = blobs[i].digest;
		if (holds(a, blobs[i].digest))
			continue;
		rc = outgoing_add(a, PS_SOCKET_BLOB, blobs[i].digest, blobs[i].fd, "");
		if (rc != 0)
			goto fail;
	}
	a->wanted_length = length;
	if (length != 0)
		qsort(a->wanted, length, sizeof(*a->wanted), digest_order);
	rc = outgoing_add(a, PS_SOCKET_SNAPSHOT, generation, snapshot_fd, "");
	if (rc != 0)
		goto fail;
	a->pending = generation;
	outgoing_flush(a);
	return 0;
fail:
	/* Blobs that went without their snapshot do no harm; do not count on them. */
	a->held_length = 0;
	outgoing_flush(a);
	return rc;
}

void
ps_attach_give_up(struct ps_attach *a)
{
	if (a->pending != 0)
		answered(a, false);
}

int
ps_attach_command(struct ps_attach *a, struct ps_message *command)
{
	int rc;

	if (a->fd < 0 || !a->greeted)
		return -ENOTCONN;
	command->id = a->next_id++;
	rc = ps_ring_send(&a->channel.commands, command);
	if (rc == -EPROTO) {
		complain(a, "dataplane's command ring makes no sense; it must attach again");
		peer_drop(a, "command ring is corrupt");
		return -ENOTCONN;
	}
	if (rc == 0)
		nudge(a);
	return rc;
}

void
ps_attach_stats(const struct ps_attach *a, struct ps_attach_stats *stats)
{
	*stats = a->stats;
	if (a->channel.shared != NULL) {
		stats->command_overflow =
			atomic_load_explicit(&a->channel.shared->command_overflow, memory_order_relaxed);
		stats->event_overflow =
			atomic_load_explicit(&a->channel.shared->event_overflow, memory_order_relaxed);
	}
}

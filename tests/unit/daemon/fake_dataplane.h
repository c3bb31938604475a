/* SPDX-License-Identifier: Apache-2.0 */
/* The dataplane's end of the channel without packets: for tests of penstockd. */
#ifndef PS_TEST_FAKE_DATAPLANE_H
#define PS_TEST_FAKE_DATAPLANE_H

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "dataplane/api/channel_ring.h"
#include "dataplane/api/snapshot.h"

#define FAKE_BLOBS 4096u

struct fake_blob {
	uint64_t digest, size;
	const void *bytes;
};

struct fake {
	int socket;
	uint64_t epoch;
	struct ps_channel_view channel;
	struct fake_blob blob[FAKE_BLOBS];
	uint32_t blobs;
	uint32_t blobs_received; /* by the last snapshot */
	uint64_t generation;     /* accepted last */
	const struct ps_snapshot *snapshot;
	uint64_t received_ns;    /* CLOCK_MONOTONIC when the last snapshot came */
};

static inline uint64_t
fake_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static inline void
fake_say(struct fake *f, uint32_t type, uint64_t value)
{
	struct ps_socket_message m = {.type = type, .abi = PS_ABI, .epoch = f->epoch, .value = value, .pid = (uint32_t)getpid()};

	(void)!send(f->socket, &m, sizeof(m), MSG_NOSIGNAL); /* a lost peer shows at the next receive */
}

/* 0, or -errno. */
static inline int
fake_connect(struct fake *f, const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	memset(f, 0, sizeof(*f));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	f->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (f->socket < 0 || connect(f->socket, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		int rc = -errno;

		close(f->socket);
		return rc;
	}
	return 0;
}

/* One message and its descriptor (-1: none). 1, 0 at the end of the connection, -errno; -EAGAIN after timeout_ms. */
static inline int
fake_receive(struct fake *f, struct ps_socket_message *m, int *fd, int timeout_ms)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	struct pollfd p = {.fd = f->socket, .events = POLLIN};
	struct cmsghdr *c;
	ssize_t n;

	*fd = -1;
	if (poll(&p, 1, timeout_ms) <= 0)
		return -EAGAIN;
	n = recvmsg(f->socket, &msg, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return n == 0 ? 0 : -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	return n == (ssize_t)sizeof(*m) ? 1 : -EPROTO;
}

/* HELLO and WELCOME. 0, or -errno; REFUSED is -EACCES with its text in why. */
static inline int
fake_attach(struct fake *f, uint64_t generation, char *why, size_t why_size)
{
	struct ps_socket_message m;
	int fd, rc;

	fake_say(f, PS_SOCKET_HELLO, generation);
	rc = fake_receive(f, &m, &fd, 3000);
	if (rc <= 0) {
		snprintf(why, why_size, "no answer to HELLO");
		return rc == 0 ? -ECONNRESET : rc;
	}
	if (m.type != PS_SOCKET_WELCOME) {
		snprintf(why, why_size, "%s", m.text);
		return -EACCES;
	}
	f->epoch = m.epoch;
	rc = ps_channel_attach(&f->channel, fd, m.epoch, why, why_size);
	close(fd);
	return rc;
}

static inline const void *
fake_map(int fd, uint64_t *size)
{
	struct stat st;
	void *base;

	if (fstat(fd, &st) != 0)
		return NULL;
	*size = (uint64_t)st.st_size;
	base = mmap(NULL, *size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	return base == MAP_FAILED ? NULL : base;
}

static inline void
fake_answer(struct fake *f, bool applied, uint64_t generation, const char *text)
{
	struct ps_message e = {.type = applied ? PS_EVENT_APPLIED : PS_EVENT_REJECTED};

	e.applied.generation = generation;
	e.applied.apply_ns = fake_now() - f->received_ns;
	snprintf(e.applied.text, sizeof(e.applied.text), "%s", text);
	ps_ring_send(&f->channel.events, &e);
	fake_say(f, PS_SOCKET_NUDGE, 0);
}

/* Maps and validates a snapshot with the blobs held. 0 or -errno with a reason. */
static inline int
fake_validate(struct fake *f, int fd, char *why, size_t why_size)
{
	static const void *bytes[FAKE_BLOBS];
	static uint64_t sizes[FAKE_BLOBS];
	uint64_t size;
	const struct ps_snapshot *s = fake_map(fd, &size);
	uint32_t i, j, n;
	int rc;

	if (s == NULL)
		return -EINVAL;
	n = ps_snapshot_length(s, PS_SEC_BLOB);
	for (i = 0; i < n && i < FAKE_BLOBS; i++) {
		const struct ps_blob_ref *ref = ps_snapshot_item(s, PS_SEC_BLOB, i);

		for (j = 0; j < f->blobs && f->blob[j].digest != ref->digest; j++)
			;
		if (j == f->blobs) {
			snprintf(why, why_size, "blob %u was not sent", i);
			munmap((void *)(uintptr_t)s, size);
			return -ENOENT;
		}
		bytes[i] = f->blob[j].bytes;
		sizes[i] = f->blob[j].size;
	}
	rc = ps_snapshot_validate(s, size, bytes, sizes, n, why, why_size);
	if (rc != 0) {
		munmap((void *)(uintptr_t)s, size);
		return rc;
	}
	if (f->snapshot != NULL)
		munmap((void *)(uintptr_t)f->snapshot, f->snapshot->size);
	f->snapshot = s;
	return 0;
}

static inline void
fake_disconnect(struct fake *f)
{
	uint32_t i;

	ps_channel_detach(&f->channel);
	for (i = 0; i < f->blobs; i++)
		munmap((void *)(uintptr_t)f->blob[i].bytes, f->blob[i].size);
	if (f->snapshot != NULL)
		munmap((void *)(uintptr_t)f->snapshot, f->snapshot->size);
	f->snapshot = NULL;
	f->blobs = 0;
	close(f->socket);
}

#endif

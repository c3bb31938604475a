/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control/cli/keeper.h"

#define GRACE_MS 5000

enum keeper_type { KEEPER_WATCH, KEEPER_TAP, KEEPER_RELEASE };

struct keeper_message {
	int type; /* enum keeper_type */
	int slot;
	char tap[16];
};

static int
send_message(int keeper, const struct keeper_message *message, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (keeper < 0)
		return 0;
	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(keeper, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Returns the message's size, 0 at the end; *fd is a descriptor that came along, or -1. */
static ssize_t
receive_message(int socket, struct keeper_message *message, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t got;

	*fd = -1;
	do {
		got = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	c = got > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return got;
}

static void
end_program(int pidfd)
{
	struct pollfd gone = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		return;
	syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
	if (poll(&gone, 1, GRACE_MS) == 0)
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	poll(&gone, 1, GRACE_MS);
}

static void
keep(int socket)
{
	int pidfd[PS_KEEPER_SLOTS] = {-1, -1, -1, -1}, fd;
	struct ps_taps taps = {.length = 0};
	struct keeper_message message;

	while (receive_message(socket, &message, &fd) == (ssize_t)sizeof(message)) {
		if (message.type == KEEPER_RELEASE)
			return;
		if (message.type == KEEPER_TAP) {
			message.tap[sizeof(message.tap) - 1] = '\0';
			ps_taps_add(&taps, message.tap);
		} else if (message.slot >= 0 && message.slot < PS_KEEPER_SLOTS) {
			if (pidfd[message.slot] >= 0)
				close(pidfd[message.slot]);
			pidfd[message.slot] = fd;
		}
	}
	/* in the order of their slots reversed: the dataplane ends before penstockd */
	for (int slot = PS_KEEPER_SLOTS; slot-- > 0;)
		end_program(pidfd[slot]);
	ps_taps_remove(&taps);
}

int
ps_keeper_start(void)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int rc = -errno;

		close(ends[0]);
		close(ends[1]);
		return rc;
	}
	if (pid > 0) {
		close(ends[1]);
		return ends[0];
	}
	/* out of the terminal's reach; nothing of the supervisor's may be held open here */
	setpgid(0, 0);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	prctl(PR_SET_NAME, "penstock-keeper");
	dup2(ends[1], 3);
	close_range(4, ~0u, 0);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	keep(3);
	_exit(0);
}

void
ps_keeper_watch(int keeper, int slot, int pidfd)
{
	const struct keeper_message message = {.type = KEEPER_WATCH, .slot = slot};

	send_message(keeper, &message, pidfd);
}

void
ps_keeper_taps(int keeper, const struct ps_taps *taps)
{
	struct keeper_message message = {.type = KEEPER_TAP};

	for (size_t i = 0; i < taps->length; i++) {
		snprintf(message.tap, sizeof(message.tap), "%s", taps->name[i]);
		send_message(keeper, &message, -1);
	}
}

void
ps_keeper_release(int keeper)
{
	const struct keeper_message message = {.type = KEEPER_RELEASE};

	if (keeper < 0)
		return;
	send_message(keeper, &message, -1);
	close(keeper);
}

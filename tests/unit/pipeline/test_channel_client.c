/* SPDX-License-Identifier: Apache-2.0 */
/* The dataplane's end of the channel against a penstockd that breaks the contract in every way it can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dataplane/api/channel_ring.h"
#include "dataplane/boot/channel_client.h"
#include "tests/support/arena.h"

static char directory[] = "/tmp/penstock-test-client-XXXXXX";
static struct ps_blobs *blobs;
static struct ps_channel_client *client;
static uint64_t clock_ms = 1000;
static int listener = -1, peer = -1;
static struct ps_channel_view control; /* penstockd's view */
static uint64_t epoch = 77;

static uint32_t snapshots, commands, attached, complaints;
static struct ps_message last_command;
static char last_complaint[200];

static void
on_snapshot(void *arg, uint64_t generation, int fd, uint64_t received_ns)
{
	assert_true(fd >= 0);
	snapshots++;
}

static void
on_command(void *arg, const struct ps_message *m)
{
	commands++;
	last_command = *m;
	ps_channel_reply(client, m, 0, "done");
}

static void
on_attached(void *arg)
{
	attached++;
}

static void
on_malformed(void *arg, const char *text)
{
	complaints++;
	snprintf(last_complaint, sizeof(last_complaint), "%s", text);
}

/* Lets the client look, past its retry pause. */
static void
poll_client(void)
{
	clock_ms += PS_CHANNEL_RETRY_MS;
	ps_channel_client_poll(client, 5, clock_ms);
}

static void
send_to_client(const void *bytes, size_t size, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *c;

		h.msg_control = space;
		h.msg_controllen = sizeof(space);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(peer, &h, MSG_NOSIGNAL), (ssize_t)size);
	if (fd >= 0)
		close(fd);
}

static void
message(uint32_t type, uint64_t value, int fd)
{
	struct ps_socket_message m = {.type = type, .abi = PS_ABI, .epoch = epoch, .value = value};

	send_to_client(&m, sizeof(m), fd);
}

static int
channel_memfd(int seals)
{
	int fd = memfd_create("channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	assert_int_equal(ftruncate(fd, PS_CHANNEL_SIZE), 0);
	p = mmap(NULL, PS_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	ps_channel_format(&control, p, epoch);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* The client connects; HELLO is checked. */
static void
greet(void)
{
	struct ps_socket_message hello;

	poll_client();
	peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(peer >= 0);
	assert_int_equal(recv(peer, &hello, sizeof(hello), 0), (ssize_t)sizeof(hello));
	assert_int_equal(hello.type, PS_SOCKET_HELLO);
	assert_int_equal(hello.abi, PS_ABI);
	assert_int_equal(hello.value, 5);
}

static void
attach(void)
{
	greet();
	message(PS_SOCKET_WELCOME, 0, channel_memfd(PS_CHANNEL_SEALS));
	poll_client();
	assert_true(ps_channel_client_attached(client));
}

static int
begin(void **state)
{
	struct ps_channel_client_config config = {
		.runtime_dir = directory,
		.epoll = -1,
		.ops = {.snapshot = on_snapshot, .command = on_command, .attached = on_attached, .malformed = on_malformed},
	};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", directory, PS_CONTROL_SOCKET);
	unlink(addr.sun_path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(listener, 4) != 0 ||
	    ps_blobs_new(&blobs) != 0)
		return -1;
	config.blobs = blobs;
	snapshots = commands = attached = complaints = 0;
	return ps_channel_client_new(&client, &config);
}

static int
end(void **state)
{
	ps_channel_client_free(client);
	ps_blobs_free(blobs);
	ps_channel_detach(&control);
	close(peer);
	close(listener);
	peer = -1;
	return 0;
}

static bool
next_event(struct ps_message *m)
{
	return ps_ring_receive(&control.events, m) == 1;
}

static void
attaches_and_works(void **state)
{
	struct ps_message m = {.type = PS_CMD_ANNOUNCE, .id = 99};
	struct ps_socket_message nudge;

	attach();
	assert_int_equal(attached, 1);
	assert_int_equal(ps_ring_send(&control.commands, &m), 0);
	poll_client();
	assert_int_equal(commands, 1);
	assert_int_equal(last_command.id, 99);
	assert_true(next_event(&m));
	assert_int_equal(m.type, PS_EVENT_REPLY);
	assert_int_equal(m.id, 99);
	assert_string_equal(m.text, "done");
	assert_int_equal(recv(peer, &nudge, sizeof(nudge), 0), (ssize_t)sizeof(nudge));
	assert_int_equal(nudge.type, PS_SOCKET_NUDGE);
	message(PS_SOCKET_SNAPSHOT, 6, memfd_create("s", MFD_CLOEXEC));
	poll_client();
	assert_int_equal(snapshots, 1);
	assert_int_equal(complaints, 0);
}

static void
comes_back(void **state)
{
	attach();
	close(peer);
	ps_channel_detach(&control);
	poll_client();
	assert_false(ps_channel_client_attached(client));
	epoch++;
	attach();
	assert_int_equal(attached, 2);
	assert_int_equal(complaints, 0);
}

static void
waits_between_tries(void **state)
{
	attach();
	close(peer);
	ps_channel_detach(&control);
	poll_client();
	ps_channel_client_poll(client, 5, clock_ms + PS_CHANNEL_RETRY_MS - 1);
	assert_int_equal(accept4(listener, NULL, NULL, SOCK_NONBLOCK), -1);
	poll_client();
	peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(peer >= 0);
}

static void
expect_gone(const char *text)
{
	poll_client();
	assert_false(ps_channel_client_attached(client));
	assert_true(complaints >= 1);
	if (strstr(last_complaint, text) == NULL)
		fail_msg("'%s' is not about '%s'", last_complaint, text);
}

static void
welcome_without_descriptor(void **state)
{
	greet();
	message(PS_SOCKET_WELCOME, 0, -1);
	expect_gone("without descriptor");
}

static void
welcome_with_open_memory(void **state)
{
	greet();
	message(PS_SOCKET_WELCOME, 0, channel_memfd(F_SEAL_GROW));
	expect_gone("not sealed");
}

static void
welcome_with_small_memory(void **state)
{
	int fd = memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	greet();
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, PS_CHANNEL_SEALS), 0);
	message(PS_SOCKET_WELCOME, 0, fd);
	expect_gone("bytes");
}

static void
two_welcomes(void **state)
{
	attach();
	message(PS_SOCKET_WELCOME, 0, memfd_create("w", MFD_CLOEXEC));
	expect_gone("second WELCOME");
}

static void
snapshot_before_welcome(void **state)
{
	greet();
	message(PS_SOCKET_SNAPSHOT, 1, memfd_create("s", MFD_CLOEXEC));
	expect_gone("another epoch");
	assert_int_equal(snapshots, 0);
}

static void
other_epoch(void **state)
{
	attach();
	epoch++;
	message(PS_SOCKET_NUDGE, 0, -1);
	expect_gone("another epoch");
}

static void
other_abi(void **state)
{
	struct ps_socket_message m = {.type = PS_SOCKET_WELCOME, .abi = PS_ABI + 1, .epoch = epoch};

	greet();
	send_to_client(&m, sizeof(m), -1);
	expect_gone("ABI");
}

static void
short_and_long_messages(void **state)
{
	uint8_t bytes[512] = {0};

	attach();
	send_to_client(bytes, 7, -1);
	expect_gone("wrong size");
	ps_channel_detach(&control);
	close(peer);
	attach();
	send_to_client(bytes, sizeof(bytes), -1);
	expect_gone("wrong size");
}

static void
unknown_type_is_borne(void **state)
{
	attach();
	message(4711, 0, memfd_create("x", MFD_CLOEXEC));
	poll_client();
	assert_int_equal(complaints, 1);
	assert_true(ps_channel_client_attached(client));
}

static void
refusal_is_told_once(void **state)
{
	struct ps_socket_message m = {.type = PS_SOCKET_REFUSED, .abi = PS_ABI + 1};

	memset(m.text, 'x', sizeof(m.text)); /* no NUL */
	for (int i = 0; i < 3; i++) {
		greet();
		send_to_client(&m, sizeof(m), -1);
		poll_client();
		close(peer);
		assert_int_equal(complaints, 1);
	}
	assert_non_null(strstr(last_complaint, "refuses"));
}

static void
snapshot_without_descriptor_is_rejected(void **state)
{
	struct ps_message m;

	attach();
	message(PS_SOCKET_SNAPSHOT, 12, -1);
	poll_client();
	assert_int_equal(snapshots, 0);
	assert_true(next_event(&m));
	assert_int_equal(m.type, PS_EVENT_REJECTED);
	assert_int_equal(m.applied.generation, 12);
	assert_true(ps_channel_client_attached(client));
}

static void
bad_blob_rejects_its_snapshot_only(void **state)
{
	struct ps_message m;

	attach();
	message(PS_SOCKET_BLOB, 1, memfd_create("unsealed", MFD_CLOEXEC));
	message(PS_SOCKET_SNAPSHOT, 13, memfd_create("s", MFD_CLOEXEC));
	poll_client();
	assert_int_equal(snapshots, 0);
	assert_true(next_event(&m));
	assert_int_equal(m.type, PS_EVENT_REJECTED);
	assert_non_null(strstr(m.applied.text, "not sealed"));
	message(PS_SOCKET_SNAPSHOT, 14, memfd_create("s", MFD_CLOEXEC));
	poll_client();
	assert_int_equal(snapshots, 1);
}

static void
ring_that_makes_no_sense(void **state)
{
	attach();
	__atomic_store_n(&control.commands.ring->prod.tail, 5000000, __ATOMIC_RELEASE);
	expect_gone("makes no sense");
	assert_int_equal(commands, 0);
}

static void
full_ring_is_counted(void **state)
{
	struct ps_message m = {.type = PS_EVENT_LOG};
	uint32_t sent = 0;

	attach();
	for (uint32_t i = 0; i < PS_EVENT_SLOTS + 10; i++)
		sent += ps_channel_send(client, &m) == 0;
	assert_int_equal(sent, PS_EVENT_SLOTS - 1);
	assert_int_equal(atomic_load(&control.shared->event_overflow), 11);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(attaches_and_works),
		CASE(comes_back),
		CASE(waits_between_tries),
		CASE(welcome_without_descriptor),
		CASE(welcome_with_open_memory),
		CASE(welcome_with_small_memory),
		CASE(two_welcomes),
		CASE(snapshot_before_welcome),
		CASE(other_epoch),
		CASE(other_abi),
		CASE(short_and_long_messages),
		CASE(unknown_type_is_borne),
		CASE(refusal_is_told_once),
		CASE(snapshot_without_descriptor_is_rejected),
		CASE(bad_blob_rejects_its_snapshot_only),
		CASE(ring_that_makes_no_sense),
		CASE(full_ring_is_counted),
	};
	char path[100];
	int rc;

	if (mkdtemp(directory) == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(path, sizeof(path), "%s/%s", directory, PS_CONTROL_SOCKET);
	unlink(path);
	rmdir(directory);
	return rc;
}

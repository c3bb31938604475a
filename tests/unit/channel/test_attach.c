/* SPDX-License-Identifier: Apache-2.0 */
/* The attach protocol, penstockd's end against a dataplane without packets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/channel/attach.h"
#include "tests/unit/channel/temporary.h"
#include "tests/unit/daemon/fake_dataplane.h"

struct seen {
	uint32_t attached, detached, applied, rejected, complaints, others;
	uint64_t generation;
	char why[256], complaint[256], text[256];
};

struct fixture {
	char *dir;
	char path[100];
	struct event_base *base;
	struct ps_attach *attach;
	struct seen seen;
	struct fake fake;
};

static void
on_attached(void *arg, uint32_t pid, uint64_t generation)
{
	struct seen *s = arg;

	s->attached++;
	s->generation = generation;
	assert_int_equal(pid, getpid());
}

static void
on_detached(void *arg, const char *why)
{
	struct seen *s = arg;

	s->detached++;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static void
on_event(void *arg, const struct ps_message *e)
{
	struct seen *s = arg;

	if (e->type == PS_EVENT_APPLIED)
		s->applied++;
	else if (e->type == PS_EVENT_REJECTED)
		s->rejected++;
	else
		s->others++;
	if (e->type == PS_EVENT_REJECTED)
		snprintf(s->text, sizeof(s->text), "%s", e->applied.text);
}

static void
on_complaint(void *arg, const char *text)
{
	struct seen *s = arg;

	s->complaints++;
	snprintf(s->complaint, sizeof(s->complaint), "%s", text);
}

static int
setup(void **state)
{
	static const struct ps_attach_callbacks callbacks = {on_attached, on_detached, on_event, on_complaint};
	struct fixture *x = calloc(1, sizeof(*x));
	char why[128];

	x->dir = temporary_new();
	x->base = event_base_new();
	snprintf(x->path, sizeof(x->path), "%s/dataplane.sock", x->dir);
	if (ps_attach_open(&x->attach, x->base, x->path, &callbacks, &x->seen, why, sizeof(why)) != 0)
		return -1;
	*state = x;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *x = *state;

	ps_attach_close(x->attach);
	event_base_free(x->base);
	temporary_free(x->dir);
	free(x);
	libevent_global_shutdown();
	return 0;
}

/* Gives penstockd's end some turns. */
static void
turns(struct fixture *x)
{
	int i;

	for (i = 0; i < 10; i++)
		event_base_loop(x->base, EVLOOP_NONBLOCK);
}

static void
connect_and_attach(struct fixture *x, struct fake *f)
{
	struct ps_socket_message m;
	char why[128];
	int fd;

	assert_int_equal(fake_connect(f, x->path), 0);
	fake_say(f, PS_SOCKET_HELLO, 5);
	turns(x);
	assert_int_equal(fake_receive(f, &m, &fd, 0), 1);
	assert_int_equal(m.type, PS_SOCKET_WELCOME);
	f->epoch = m.epoch;
	assert_int_equal(ps_channel_attach(&f->channel, fd, m.epoch, why, sizeof(why)), 0);
	close(fd);
}

static int
memfd_of(const char *text)
{
	int fd = memfd_create("thing", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

/* Takes what was sent: how many blobs, and the generation of the snapshot (0: none). */
static uint64_t
take(struct fake *f, uint32_t *blobs)
{
	struct ps_socket_message m;
	int fd;

	*blobs = 0;
	while (fake_receive(f, &m, &fd, 0) == 1) {
		if (m.type != PS_SOCKET_NUDGE) {
			assert_true(fd >= 0);
			close(fd);
		}
		assert_int_equal(m.epoch, f->epoch);
		if (m.type == PS_SOCKET_BLOB)
			++*blobs;
		if (m.type == PS_SOCKET_SNAPSHOT)
			return m.value;
	}
	return 0;
}

static void
publishes_only_what_is_missing(void **state)
{
	struct fixture *x = *state;
	struct ps_attach_blob blob[3] = {{11, memfd_of("a")}, {12, memfd_of("b")}, {13, memfd_of("c")}};
	int snapshot = memfd_of("snapshot");
	uint32_t blobs;

	assert_int_equal(ps_attach_publish(x->attach, 1, snapshot, blob, 2), -ENOTCONN);
	connect_and_attach(x, &x->fake);
	assert_int_equal(x->seen.attached, 1);
	assert_int_equal(x->seen.generation, 5);
	assert_int_equal(ps_attach_publish(x->attach, 6, snapshot, blob, 2), 0);
	assert_int_equal(ps_attach_publish(x->attach, 7, snapshot, blob, 2), -EBUSY);
	assert_int_equal(take(&x->fake, &blobs), 6);
	assert_int_equal(blobs, 2);
	fake_answer(&x->fake, true, 6, "");
	turns(x);
	assert_int_equal(x->seen.applied, 1);

	/* 12 is held; 11 is not named any more, so it counts as forgotten. */
	assert_int_equal(ps_attach_publish(x->attach, 7, snapshot, blob + 1, 2), 0);
	assert_int_equal(take(&x->fake, &blobs), 7);
	assert_int_equal(blobs, 1);
	fake_answer(&x->fake, true, 7, "");
	turns(x);
	assert_int_equal(ps_attach_publish(x->attach, 8, snapshot, blob, 3), 0);
	assert_int_equal(take(&x->fake, &blobs), 8);
	assert_int_equal(blobs, 1);

	/* After a rejection nothing is taken for granted. */
	fake_answer(&x->fake, false, 8, "service 12: table 7 beyond 5");
	turns(x);
	assert_int_equal(x->seen.rejected, 1);
	assert_string_equal(x->seen.text, "service 12: table 7 beyond 5");
	assert_int_equal(ps_attach_publish(x->attach, 9, snapshot, blob, 3), 0);
	assert_int_equal(take(&x->fake, &blobs), 9);
	assert_int_equal(blobs, 3);
	fake_disconnect(&x->fake);
	turns(x);
	assert_int_equal(x->seen.detached, 1);
}

static void
attaches_again_with_another_epoch(void **state)
{
	struct fixture *x = *state;
	struct ps_attach_stats stats;
	uint64_t first;

	connect_and_attach(x, &x->fake);
	first = x->fake.epoch;
	fake_disconnect(&x->fake);
	connect_and_attach(x, &x->fake); /* before the loop has noticed that the first one left */
	assert_int_not_equal(first, x->fake.epoch);
	assert_int_equal(x->seen.attached, 2);
	assert_int_equal(x->seen.detached, 1);
	ps_attach_stats(x->attach, &stats);
	assert_int_equal(stats.attaches, 2);
	assert_true(stats.attached);
	fake_disconnect(&x->fake);
}

static void
refuses_a_second_one(void **state)
{
	struct fixture *x = *state;
	struct ps_socket_message m;
	struct fake second;
	int fd;

	connect_and_attach(x, &x->fake);
	assert_int_equal(fake_connect(&second, x->path), 0);
	fake_say(&second, PS_SOCKET_HELLO, 0);
	turns(x);
	assert_int_equal(fake_receive(&second, &m, &fd, 0), 1);
	assert_int_equal(m.type, PS_SOCKET_REFUSED);
	assert_non_null(strstr(m.text, "already"));
	close(second.socket);
	fake_disconnect(&x->fake);
}

static void
refuses_nonsense(void **state)
{
	struct fixture *x = *state;
	struct ps_socket_message m = {.type = PS_SOCKET_HELLO, .abi = PS_ABI + 1};
	int fd;

	assert_int_equal(fake_connect(&x->fake, x->path), 0);
	assert_int_equal(send(x->fake.socket, &m, sizeof(m), 0), sizeof(m));
	turns(x);
	assert_int_equal(fake_receive(&x->fake, &m, &fd, 0), 1);
	assert_int_equal(m.type, PS_SOCKET_REFUSED);
	assert_non_null(strstr(m.text, "ABI"));
	assert_int_equal(fake_receive(&x->fake, &m, &fd, 100), 0);
	close(x->fake.socket);

	assert_int_equal(fake_connect(&x->fake, x->path), 0);
	assert_int_equal(send(x->fake.socket, "short", 5, 0), 5);
	turns(x);
	assert_int_equal(fake_receive(&x->fake, &m, &fd, 0), 1);
	assert_int_equal(m.type, PS_SOCKET_REFUSED);
	close(x->fake.socket);

	connect_and_attach(x, &x->fake);
	fake_say(&x->fake, PS_SOCKET_HELLO, 0);
	turns(x);
	assert_int_equal(x->seen.detached, 1);
	assert_non_null(strstr(x->seen.why, "twice"));
	fake_disconnect(&x->fake);
	assert_int_equal(x->seen.attached, 1);
}

static void
survives_hostile_rings(void **state)
{
	struct fixture *x = *state;
	struct ps_message m = {.type = 999};
	struct ps_attach_stats stats;

	connect_and_attach(x, &x->fake);
	assert_int_equal(ps_ring_send(&x->fake.channel.events, &m), 0);
	m.type = PS_EVENT_LOG;
	assert_int_equal(ps_ring_send(&x->fake.channel.events, &m), 0);
	fake_say(&x->fake, PS_SOCKET_NUDGE, 0);
	turns(x);
	ps_attach_stats(x->attach, &stats);
	assert_int_equal(stats.messages_rejected, 1);
	assert_int_equal(x->seen.others, 1); /* the good one behind it still counts */
	assert_true(stats.attached);

	x->fake.channel.events.ring->prod.tail = 0x80000000u;
	fake_say(&x->fake, PS_SOCKET_NUDGE, 0);
	turns(x);
	assert_int_equal(x->seen.detached, 1);
	assert_non_null(strstr(x->seen.why, "corrupt"));
	fake_disconnect(&x->fake);

	connect_and_attach(x, &x->fake);
	x->fake.channel.commands.ring->cons.tail = 77777;
	m = (struct ps_message){.type = PS_CMD_ANNOUNCE};
	assert_int_equal(ps_attach_command(x->attach, &m), -ENOTCONN);
	assert_int_equal(x->seen.detached, 2);
	fake_disconnect(&x->fake);
}

static void
commands_arrive(void **state)
{
	struct fixture *x = *state;
	struct ps_message m = {.type = PS_CMD_ANNOUNCE}, got;
	uint32_t i, blobs;

	assert_int_equal(ps_attach_command(x->attach, &m), -ENOTCONN);
	connect_and_attach(x, &x->fake);
	for (i = 0; i < PS_COMMAND_SLOTS - 1; i++)
		assert_int_equal(ps_attach_command(x->attach, &m), 0);
	assert_int_equal(ps_attach_command(x->attach, &m), -ENOBUFS);
	take(&x->fake, &blobs);
	for (i = 0; i < PS_COMMAND_SLOTS - 1; i++) {
		assert_int_equal(ps_ring_receive(&x->fake.channel.commands, &got), 1);
		assert_int_equal(got.id, i + 1);
	}
	fake_disconnect(&x->fake);
}

/* More blobs than a socket buffer takes: sending goes on in the background, nothing is lost. */
static void
many_blobs(void **state)
{
	struct fixture *x = *state;
	static struct ps_attach_blob blob[600];
	int one = memfd_of("x"), snapshot = memfd_of("s");
	uint32_t i, blobs, all = 0;
	uint64_t generation = 0;

	for (i = 0; i < 600; i++)
		blob[i] = (struct ps_attach_blob){1000 + i, one};
	connect_and_attach(x, &x->fake);
	assert_int_equal(ps_attach_publish(x->attach, 6, snapshot, blob, 600), 0);
	for (i = 0; i < 2000 && generation == 0; i++) {
		generation = take(&x->fake, &blobs);
		all += blobs;
		event_base_loop(x->base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(generation, 6);
	assert_int_equal(all, 600);
	fake_disconnect(&x->fake);
	close(one);
	close(snapshot);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(publishes_only_what_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(attaches_again_with_another_epoch, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_a_second_one, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_nonsense, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_hostile_rings, setup, teardown),
		cmocka_unit_test_setup_teardown(commands_arrive, setup, teardown),
		cmocka_unit_test_setup_teardown(many_blobs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of a channel's rings: order, overflow, two threads, and a peer that writes nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "dataplane/api/channel_ring.h"

struct pair {
	int fd;
	struct ps_channel_view control, dataplane;
};

static struct pair
pair_new(uint64_t epoch)
{
	struct pair p = {.fd = memfd_create("ring", MFD_ALLOW_SEALING | MFD_CLOEXEC)};
	char why[128];
	void *base;

	assert_true(p.fd >= 0);
	assert_int_equal(ftruncate(p.fd, PS_CHANNEL_SIZE), 0);
	assert_int_equal(fcntl(p.fd, F_ADD_SEALS, PS_CHANNEL_SEALS), 0);
	base = mmap(NULL, PS_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
	assert_true(base != MAP_FAILED);
	ps_channel_format(&p.control, base, epoch);
	assert_int_equal(ps_channel_attach(&p.dataplane, p.fd, epoch, why, sizeof(why)), 0);
	return p;
}

static void
pair_free(struct pair *p)
{
	ps_channel_detach(&p->control);
	ps_channel_detach(&p->dataplane);
	close(p->fd);
}

static void
keeps_order(void **state)
{
	struct pair p = pair_new(7);
	struct ps_message m = {.type = PS_CMD_TRACE};
	uint32_t i, round;

	/* Many times around, so that positions pass the end of the array. */
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 200; i++) {
			m.id = round * 1000 + i;
			assert_int_equal(ps_ring_send(&p.control.commands, &m), 0);
		}
		for (i = 0; i < 200; i++) {
			assert_int_equal(ps_ring_receive(&p.dataplane.commands, &m), 1);
			assert_int_equal(m.id, round * 1000 + i);
		}
		assert_int_equal(ps_ring_receive(&p.dataplane.commands, &m), 0);
		assert_true(ps_ring_empty(&p.dataplane.commands));
	}
	pair_free(&p);
}

static void
counts_overflow(void **state)
{
	struct pair p = pair_new(7);
	struct ps_message m = {.type = PS_EVENT_LOG};
	uint32_t i;

	for (i = 0; i < PS_EVENT_SLOTS - 1; i++)
		assert_int_equal(ps_ring_send(&p.dataplane.events, &m), 0);
	assert_int_equal(ps_ring_send(&p.dataplane.events, &m), -ENOBUFS);
	assert_int_equal(ps_ring_send(&p.dataplane.events, &m), -ENOBUFS);
	assert_int_equal(p.control.shared->event_overflow, 2);
	assert_int_equal(p.control.shared->command_overflow, 0);
	assert_int_equal(ps_ring_receive(&p.control.events, &m), 1);
	assert_int_equal(ps_ring_send(&p.dataplane.events, &m), 0);
	pair_free(&p);
}

static void
refuses_hostile_tails(void **state)
{
	static const uint32_t nonsense[] = {PS_COMMAND_SLOTS, PS_COMMAND_SLOTS + 1, 1u << 31, UINT32_MAX, UINT32_MAX - 5};
	struct ps_message m = {.type = PS_CMD_ANNOUNCE};
	uint32_t i;

	for (i = 0; i < sizeof(nonsense) / sizeof(*nonsense); i++) {
		struct pair p = pair_new(9);

		p.control.commands.ring->prod.tail = nonsense[i];
		assert_int_equal(ps_ring_receive(&p.dataplane.commands, &m), -EPROTO);
		p.dataplane.commands.ring->cons.tail = 1 + nonsense[i] / 2;
		assert_int_equal(ps_ring_send(&p.control.commands, &m), -EPROTO);
		pair_free(&p);
	}
}

static void
ignores_size_and_heads(void **state)
{
	struct pair p = pair_new(9);
	struct ps_message m = {.type = PS_CMD_ANNOUNCE, .id = 5};
	struct rte_ring *r = p.control.commands.ring;

	r->size = r->capacity = UINT32_MAX;
	r->mask = UINT32_MAX;
	r->prod.head = 0xdeadbeef;
	r->cons.head = 0xdeadbeef;
	assert_int_equal(ps_ring_send(&p.control.commands, &m), 0);
	m.id = 0;
	assert_int_equal(ps_ring_receive(&p.dataplane.commands, &m), 1);
	assert_int_equal(m.id, 5);
	pair_free(&p);
}

static void
attach_checks(void **state)
{
	struct pair p = pair_new(11);
	struct ps_channel_view v;
	char why[128];
	int fd;

	assert_int_equal(ps_channel_attach(&v, p.fd, 12, why, sizeof(why)), -EPROTO);
	p.control.shared->abi = PS_ABI + 1;
	assert_int_equal(ps_channel_attach(&v, p.fd, 11, why, sizeof(why)), -EPROTO);
	p.control.shared->abi = PS_ABI;
	p.control.shared->magic++;
	assert_int_equal(ps_channel_attach(&v, p.fd, 11, why, sizeof(why)), -EINVAL);
	p.control.shared->magic--;
	p.control.events.ring->prod.tail = 3;
	assert_int_equal(ps_channel_attach(&v, p.fd, 11, why, sizeof(why)), -EINVAL);
	pair_free(&p);

	fd = memfd_create("unsealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, PS_CHANNEL_SIZE), 0);
	assert_int_equal(ps_channel_attach(&v, fd, 11, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "sealed"));
	assert_int_equal(ftruncate(fd, PS_CHANNEL_SIZE - 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, PS_CHANNEL_SEALS), 0);
	assert_int_equal(ps_channel_attach(&v, fd, 11, why, sizeof(why)), -EINVAL);
	close(fd);
}

#define MANY 200000u

static void *
producer(void *arg)
{
	struct ps_channel_view *v = arg;
	struct ps_message m = {.type = PS_EVENT_LOG};
	uint32_t i;

	for (i = 0; i < MANY; i++) {
		m.id = i;
		memset(m.bytes, (int)(i & 0xff), sizeof(m.bytes));
		while (ps_ring_send(&v->events, &m) != 0)
			sched_yield();
	}
	return NULL;
}

static void
two_threads(void **state)
{
	struct pair p = pair_new(13);
	struct ps_message m;
	pthread_t thread;
	uint32_t i = 0;
	int rc;

	assert_int_equal(pthread_create(&thread, NULL, producer, &p.dataplane), 0);
	while (i < MANY) {
		rc = ps_ring_receive(&p.control.events, &m);
		assert_true(rc >= 0);
		if (rc == 0) {
			sched_yield();
			continue;
		}
		assert_int_equal(m.id, i);
		assert_int_equal(m.bytes[0], i & 0xff);
		assert_int_equal(m.bytes[sizeof(m.bytes) - 1], i & 0xff);
		i++;
	}
	pthread_join(thread, NULL);
	pair_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order),           cmocka_unit_test(counts_overflow),
		cmocka_unit_test(refuses_hostile_tails), cmocka_unit_test(ignores_size_and_heads),
		cmocka_unit_test(attach_checks),         cmocka_unit_test(two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

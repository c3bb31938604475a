/* SPDX-License-Identifier: Apache-2.0 */
/* Flow files through the death of their process, and through changes of workers and capacity. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "dataplane/flow/snat.h"
#include "dataplane/flow/store.h"

#define SLOTS 64u

static char directory[64];
static char why[256];

static const struct ps_snapshot *
snapshot(void)
{
	static _Alignas(64) uint8_t bytes[8192];
	struct ps_snapshot *s = (struct ps_snapshot *)bytes;
	struct ps_snat_address *a = (struct ps_snat_address *)(bytes + 4096);

	s->section[PS_SEC_SNAT_ADDRESS] =
		(struct ps_section){.offset = 4096, .length = 1, .item_size = sizeof(struct ps_snat_address)};
	*a = (struct ps_snat_address){.addr = ps_addr_from_v4(htonl(0x0a020064)), .port_first = 1280, .port_last = 65535};
	return s;
}

static struct ps_flows_config
config(uint32_t workers, uint32_t capacity)
{
	return (struct ps_flows_config){
		.runtime_dir = directory, .instance = "test", .hugepages = PS_HUGEPAGES_OFF, .workers = workers,
		.flows_v4 = capacity, .flows_v6 = 100, .snat_groups = 16, .affinity = 64, .endpoint_slots = SLOTS,
		.service_slots = SLOTS, .boot_id = 42, .now_ms = 5000,
	};
}

struct life {
	struct ps_flows *flows;
	struct ps_worker w[4];
	struct ps_worker_counters counters[4];
	struct ps_service_counters service[4][SLOTS];
	struct ps_endpoint_counters endpoint[4][SLOTS];
};

static struct life *
begin(uint32_t workers, uint32_t capacity)
{
	struct life *l = calloc(1, sizeof(*l));
	struct ps_flows_config c = config(workers, capacity);
	uint32_t i;

	if (ps_flows_open(&l->flows, &c, snapshot(), why, sizeof(why)) != 0) {
		print_message("%s\n", why);
		fail();
	}
	for (i = 0; i < workers; i++) {
		l->w[i].index = (uint16_t)i;
		l->w[i].workers = (uint16_t)workers;
		l->w[i].counters = &l->counters[i];
		l->w[i].service = l->service[i];
		l->w[i].endpoint = l->endpoint[i];
		ps_flows_attach(l->flows, &l->w[i]);
	}
	return l;
}

static void
end(struct life *l)
{
	ps_flows_close(l->flows);
	free(l);
}

/* FullNAT flow number n of a worker. */
static void
add_flow(struct life *l, uint32_t worker, uint32_t n)
{
	struct ps_flow_table *t = l->w[worker].flow4;
	uint32_t index = ps_flow_table_take(t);
	struct ps_flow4 *f = ps_flow4_at(t, index);
	struct ps_addr endpoint = ps_addr_from_v4(htonl(0x0a020005));
	struct ps_snat_address pool = *(const struct ps_snat_address *)ps_snapshot_item(snapshot(), PS_SEC_SNAT_ADDRESS, 0);
	struct ps_snat_port p;

	assert_int_not_equal(index, PS_NONE);
	assert_int_equal(ps_snat_take(l->w[worker].snat, &pool, 1, false, ps_snat_tuple(&endpoint, htons((uint16_t)(8000 + n % 16)), 6),
				      NULL, NULL, &p), 0);
	f->head.mode = PS_MODE_FULLNAT;
	f->head.proto = IPPROTO_TCP;
	f->head.endpoint_slot = n % SLOTS;
	f->head.service_slot = n % 3;
	f->head.last_seen_ms = 4000;
	f->key[0] = (struct ps_flow_key4){htonl(0x0a010000 + n), htonl(0xc000020a), htons((uint16_t)n), htons(80)};
	f->key[1] = (struct ps_flow_key4){htonl(0x0a020005), ps_addr_v4(&p.addr), htons((uint16_t)(8000 + n % 16)), p.port};
	assert_int_equal(ps_flow_table_link(t, index, PS_FLOW_ESTABLISHED, true, 6000), 0);
}

static bool
has_flow(const struct life *l, uint32_t worker, uint32_t n)
{
	struct ps_flow_key4 key = {htonl(0x0a010000 + n), htonl(0xc000020a), htons((uint16_t)n), htons(80)};

	return ps_flow_table_find(l->w[worker].flow4, &key, IPPROTO_TCP) != PS_NONE;
}

static int
setup(void **state)
{
	strcpy(directory, "/tmp/penstock-test-XXXXXX");
	return mkdtemp(directory) == NULL;
}

static int
teardown(void **state)
{
	char path[128];
	uint32_t i;

	for (i = 0; i < 8; i++) {
		ps_flow_file_remove(directory, 4, i);
		ps_flow_file_remove(directory, 6, i);
	}
	snprintf(path, sizeof(path), "%s/affinity", directory);
	unlink(path);
	return rmdir(directory);
}

static void
test_again(void **state)
{
	struct life *l = begin(2, 1000);
	uint32_t i;

	for (i = 0; i < 600; i++)
		add_flow(l, i % 2, i);
	assert_int_equal(ps_flows_restored(l->flows), 0);
	end(l);
	l = begin(2, 1000);
	assert_int_equal(ps_flows_restored(l->flows), 600);
	assert_int_equal(l->counters[0].flow_v4.restored, 300);
	assert_int_equal(l->counters[0].flow_v4.active, 300);
	assert_int_equal(l->service[0][0].flows_active + l->service[0][1].flows_active + l->service[0][2].flows_active, 300);
	assert_int_equal(ps_snat_in_use(l->w[0].snat), 300);
	for (i = 0; i < 600; i++)
		assert_true(has_flow(l, i % 2, i));
	assert_null(ps_flow_table_check(l->w[0].flow4));
	/* A port that a restored flow has is not handed out again. */
	for (i = 600; i < 900; i++)
		add_flow(l, i % 2, i);
	end(l);
	l = begin(2, 1000);
	assert_int_equal(ps_flows_restored(l->flows), 900);
	end(l);
}

static void
test_killed(void **state)
{
	struct life *l;
	pid_t child;
	int status, pipe_fd[2];
	char byte;

	assert_int_equal(pipe(pipe_fd), 0);
	child = fork();
	if (child == 0) {
		uint32_t i;

		l = begin(1, 1000);
		for (i = 0; i < 500; i++)
			add_flow(l, 0, i);
		assert_int_equal(write(pipe_fd[1], "x", 1), 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipe_fd[0], &byte, 1), 1);
	{
		struct ps_flows_config c = config(1, 1000);
		struct ps_flows *flows;

		assert_int_equal(ps_flows_open(&flows, &c, snapshot(), why, sizeof(why)), -EBUSY);
		assert_non_null(strstr(why, "another process"));
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	l = begin(1, 1000);
	assert_int_equal(ps_flows_restored(l->flows), 500);
	end(l);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* Other workers, another capacity: every flow finds its new owner, that of its port. */
static void
test_moves(void **state)
{
	struct life *l = begin(2, 1000);
	char path[128];
	uint32_t i, k, found;

	for (i = 0; i < 900; i++)
		add_flow(l, i % 2, i);
	end(l);
	for (k = 3; k >= 1; k--) {
		l = begin(k, k == 1 ? 2000 : 800);
		assert_int_equal(ps_flows_restored(l->flows), 900);
		for (i = 0, found = 0; i < 900; i++) {
			uint32_t w;

			for (w = 0; w < k; w++)
				found += has_flow(l, w, i);
		}
		assert_int_equal(found, 900);
		for (i = 0; i < k; i++) {
			uint32_t n;

			assert_null(ps_flow_table_check(l->w[i].flow4));
			assert_int_equal(ps_snat_in_use(l->w[i].snat), l->counters[i].flow_v4.active);
			for (n = 0; n < l->w[i].flow4->capacity; n++) {
				const struct ps_flow4 *f = ps_flow4_at(l->w[i].flow4, n);

				if (ps_flow_state(&f->head) != PS_FLOW_FREE)
					assert_int_equal(ps_snat_owner(f->key[1].dst_port, k), i);
			}
		}
		end(l);
	}
	snprintf(path, sizeof(path), "%s/flows-4-1", directory);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void
test_void(void **state)
{
	struct life *l = begin(1, 1000);
	struct ps_flows_config c;
	char path[128];
	uint32_t i;
	int fd;

	for (i = 0; i < 100; i++)
		add_flow(l, 0, i);
	/* Records that nobody can have written */
	ps_flow_at(l->w[0].flow4, 0)->endpoint_slot = SLOTS;
	ps_flow_at(l->w[0].flow4, 1)->service_slot = PS_NONE;
	ps_flow_at(l->w[0].flow4, 2)->mode = PS_MODES;
	ps_flow_at(l->w[0].flow4, 3)->proto = IPPROTO_UDP;
	ps_flow_at(l->w[0].flow4, 4)->state = PS_FLOW_STATES;
	ps_flow4_at(l->w[0].flow4, 5)->key[1].dst_port = ps_flow4_at(l->w[0].flow4, 5 + 16)->key[1].dst_port;
	ps_flow_at(l->w[0].flow4, 6)->last_seen_ms = 900000;
	end(l);
	l = begin(1, 1000);
	assert_int_equal(ps_flows_restored(l->flows), 100 - 6);
	assert_null(ps_flow_table_check(l->w[0].flow4));
	end(l);
	/* Another boot: nothing of it counts. */
	c = config(1, 1000);
	c.boot_id = 43;
	l = calloc(1, sizeof(*l));
	assert_int_equal(ps_flows_open(&l->flows, &c, snapshot(), why, sizeof(why)), 0);
	assert_int_equal(ps_flows_restored(l->flows), 0);
	end(l);
	/* A file cut short */
	snprintf(path, sizeof(path), "%s/flows-4-0", directory);
	fd = open(path, O_RDWR);
	assert_int_equal(ftruncate(fd, 5000), 0);
	close(fd);
	l = begin(1, 1000);
	assert_int_equal(ps_flows_restored(l->flows), 0);
	end(l);
}

/* A million records are back within 300 ms: a generous second here, because the machine may be busy with other things. */
static void
test_speed(void **state)
{
	struct life *l = begin(1, 1100000);
	struct timespec from, to;
	uint32_t i;

	for (i = 0; i < 1000000; i++)
		add_flow(l, 0, i);
	end(l);
	clock_gettime(CLOCK_MONOTONIC, &from);
	l = begin(1, 1100000);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_int_equal(ps_flows_restored(l->flows), 1000000);
	i = (uint32_t)((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000);
	print_message("1,000,000 flows restored in %u ms\n", i);
	assert_true(i < 1000);
	end(l);
}

static void
put_victim(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
}

static void
check_victim(const char *path)
{
	char text[16];
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 8);
	close(fd);
}

/* Whoever owns the directory may point our names elsewhere: nothing there is read, written, cut or removed. */
static void
test_links(void **state)
{
	static const char *const names[] = {"affinity", "flows-4-0", "flows-4-0.new", "flows-6-0", "flows-4-1"};
	char victim[128], hugely[128], path[128];
	struct life *l;
	struct stat st;
	uint32_t i;

	snprintf(victim, sizeof(victim), "%s/victim", directory);
	snprintf(hugely, sizeof(hugely), "%s/penstock-test-flows-4-0", directory);
	put_victim(victim);
	put_victim(hugely); /* our name, but in no hugetlbfs */
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		assert_int_equal(symlink(i == 1 ? hugely : victim, path), 0);
	}
	l = begin(1, 100);
	for (i = 0; i < 5; i++)
		add_flow(l, 0, i);
	end(l);
	check_victim(victim);
	check_victim(hugely);
	l = begin(2, 100); /* moves, which removes and publishes */
	assert_int_equal(ps_flows_restored(l->flows), 5);
	end(l);
	check_victim(victim);
	check_victim(hugely);
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		if (i == 2)
			continue; /* renamed into place */
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(st.st_mode & 0777, 0640 & ~022);
	}
	unlink(victim);
	unlink(hugely);
}

/* A file with a second name may be somebody else's as well. */
static void
test_second_name(void **state)
{
	char path[128], other[128];
	struct life *l = begin(1, 100);

	add_flow(l, 0, 1);
	end(l);
	snprintf(path, sizeof(path), "%s/flows-4-0", directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	assert_int_equal(link(path, other), 0);
	l = begin(1, 100);
	assert_int_equal(ps_flows_restored(l->flows), 0);
	end(l);
	unlink(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_void, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_speed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which files are read again, and when: editors' dances, renames, ConfigMap swaps, storms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/daemon/watch.h"

#define LOG 4096

struct fixture {
	char dir[64], other[80];
	struct event_base *base;
	struct ps_watch *watch;
	char log[LOG]; /* "+name" for a refresh, "-name" for a removal, "|" for settled */
};

static bool
wants(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && strcmp(dot, ".yaml") == 0;
}

static void
note(struct fixture *x, char sign, const char *path)
{
	size_t n = strlen(x->log);

	snprintf(x->log + n, LOG - n, "%c%s", sign, strncmp(path, x->dir, strlen(x->dir)) == 0 ? path + strlen(x->dir) + 1 : path);
}

static int
refresh(void *arg, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return -errno;
	note(arg, '+', path);
	return 0;
}

static void
removed(void *arg, const char *path)
{
	note(arg, '-', path);
}

static void
settled(void *arg, uint64_t noticed_ns)
{
	struct fixture *x = arg;
	size_t n = strlen(x->log);

	snprintf(x->log + n, LOG - n, "|");
}

static const char *
path_of(struct fixture *x, const char *name)
{
	static char path[4][256];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", x->dir, name);
	return path[turn];
}

static void
put(struct fixture *x, const char *name, const char *text)
{
	int fd = open(path_of(x, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Runs the loop for so long and expects these notes in this order. */
static void
expect_after(struct fixture *x, int ms, const char *log)
{
	struct timeval in = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_base_loopexit(x->base, &in);
	event_base_dispatch(x->base);
	assert_string_equal(x->log, log);
	x->log[0] = '\0';
}

static void
open_watch(struct fixture *x, const char *path)
{
	static const struct ps_watch_callbacks callbacks = {wants, refresh, removed, settled};

	assert_int_equal(ps_watch_open(&x->watch, x->base, &path, 1, &callbacks, x), 0);
}

static int
setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	strcpy(x->dir, "/tmp/penstock-watch-XXXXXX");
	if (mkdtemp(x->dir) == NULL)
		return -1;
	snprintf(x->other, sizeof(x->other), "%s.other", x->dir);
	mkdir(x->other, 0700);
	x->base = event_base_new();
	*state = x;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *x = *state;
	char command[256];

	ps_watch_close(x->watch);
	event_base_free(x->base);
	snprintf(command, sizeof(command), "rm -rf %s %s", x->dir, x->other);
	if (system(command) != 0)
		return -1;
	free(x);
	return 0;
}

static void
first_and_changed(void **state)
{
	struct fixture *x = *state;

	put(x, "a.yaml", "1");
	put(x, ".hidden.yaml", "1");
	put(x, "readme.txt", "1");
	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	expect_after(x, 1, "+a.yaml|");
	assert_true(ps_watch_works(x->watch));
	put(x, "a.yaml", "2");
	expect_after(x, 20, "+a.yaml|");
	put(x, "b.yaml", "1");
	put(x, "readme.txt", "2");
	put(x, ".hidden.yaml", "2");
	expect_after(x, 20, "+b.yaml|");
	assert_int_equal(ps_watch_files(x->watch), 2);
}

static void
open_file_is_left_alone(void **state)
{
	struct fixture *x = *state;
	int fd;

	put(x, "a.yaml", "1");
	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	expect_after(x, 1, "+a.yaml|");
	fd = open(path_of(x, "a.yaml"), O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "half", 4), 4);
	expect_after(x, 20, "");
	assert_int_equal(write(fd, "whole", 5), 5);
	close(fd);
	expect_after(x, 20, "+a.yaml|");
}

static void
editors(void **state)
{
	struct fixture *x = *state;

	put(x, "a.yaml", "1");
	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	expect_after(x, 1, "+a.yaml|");
	/* vim: the old file is renamed away, then the new one written. At no time is it removed. */
	assert_int_equal(rename(path_of(x, "a.yaml"), path_of(x, "a.yaml~")), 0);
	expect_after(x, 20, "");
	put(x, "a.yaml", "2");
	unlink(path_of(x, "a.yaml~"));
	expect_after(x, 400, "+a.yaml|");
	/* Written beside and renamed into place. */
	put(x, ".a.yaml.tmp", "3");
	assert_int_equal(rename(path_of(x, ".a.yaml.tmp"), path_of(x, "a.yaml")), 0);
	expect_after(x, 300, "+a.yaml|");
	/* Linked into place. */
	unlink(path_of(x, "a.yaml"));
	put(x, ".next", "4");
	assert_int_equal(link(path_of(x, ".next"), path_of(x, "a.yaml")), 0);
	expect_after(x, 400, "+a.yaml|");
}

static void
removal_is_believed_late(void **state)
{
	struct fixture *x = *state;

	put(x, "a.yaml", "1");
	put(x, "b.yaml", "1");
	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	x->log[0] = '\0';
	unlink(path_of(x, "a.yaml"));
	expect_after(x, PS_WATCH_GONE_MS / 2, "");
	expect_after(x, PS_WATCH_GONE_MS * 2, "-a.yaml|");
	/* A rename between two manifest names is one step. */
	assert_int_equal(rename(path_of(x, "b.yaml"), path_of(x, "c.yaml")), 0);
	expect_after(x, 20, "+c.yaml-b.yaml|");
	assert_int_equal(ps_watch_files(x->watch), 1);
}

static void
directories_come_and_go(void **state)
{
	struct fixture *x = *state;
	char command[256];

	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	expect_after(x, 1, "|");
	mkdir(path_of(x, "sub"), 0700);
	put(x, "sub/a.yaml", "1"); /* before anybody watches there */
	expect_after(x, 30, "+sub/a.yaml|");
	put(x, "sub/a.yaml", "22");
	expect_after(x, 30, "+sub/a.yaml|");
	snprintf(command, sizeof(command), "rm -r %s", path_of(x, "sub"));
	assert_int_equal(system(command), 0);
	expect_after(x, PS_WATCH_GONE_MS * 3, "-sub/a.yaml|");
}

static void
configmap_swap(void **state)
{
	struct fixture *x = *state;

	mkdir(path_of(x, "..2024_1"), 0700);
	put(x, "..2024_1/a.yaml", "1");
	put(x, "..2024_1/b.yaml", "1");
	assert_int_equal(symlink("..2024_1", path_of(x, "..data")), 0);
	assert_int_equal(symlink("..data/a.yaml", path_of(x, "a.yaml")), 0);
	assert_int_equal(symlink("..data/b.yaml", path_of(x, "b.yaml")), 0);
	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	assert_int_equal(ps_watch_files(x->watch), 2);
	x->log[0] = '\0';
	mkdir(path_of(x, "..2024_2"), 0700);
	put(x, "..2024_2/a.yaml", "changed");
	put(x, "..2024_2/b.yaml", "changed");
	assert_int_equal(symlink("..2024_2", path_of(x, "..data_tmp")), 0);
	assert_int_equal(rename(path_of(x, "..data_tmp"), path_of(x, "..data")), 0);
	{
		struct timeval in = {.tv_usec = 50000};

		event_base_loopexit(x->base, &in);
		event_base_dispatch(x->base);
	}
	assert_non_null(strstr(x->log, "+a.yaml"));
	assert_non_null(strstr(x->log, "+b.yaml"));
	assert_null(strchr(x->log, '-'));
}

static void
link_to_elsewhere(void **state)
{
	struct fixture *x = *state;
	char target[128];
	FILE *f;

	snprintf(target, sizeof(target), "%s/real.yaml", x->other);
	f = fopen(target, "w");
	fputs("1", f);
	fclose(f);
	assert_int_equal(symlink(target, path_of(x, "a.yaml")), 0);
	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	expect_after(x, 1, "+a.yaml|");
	f = fopen(target, "w");
	fputs("another text", f);
	fclose(f);
	expect_after(x, 30, "+a.yaml|");
}

static void
single_file(void **state)
{
	struct fixture *x = *state;

	put(x, "only.yaml", "1");
	put(x, "neighbour.yaml", "1");
	open_watch(x, path_of(x, "only.yaml"));
	ps_watch_rescan(x->watch, true);
	expect_after(x, 1, "+only.yaml|");
	put(x, "only.yaml", "2");
	expect_after(x, 30, "+only.yaml|");
	put(x, "neighbour.yaml", "2");
	put(x, ".tmp", "3");
	rename(path_of(x, ".tmp"), path_of(x, "only.yaml"));
	expect_after(x, 30, "+only.yaml|");
}

static void
storm_is_gathered(void **state)
{
	struct fixture *x = *state;
	char name[32];
	int i, settles = 0;
	const char *p;

	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	x->log[0] = '\0';
	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%d.yaml", i % 10);
		put(x, name, "x");
	}
	{
		struct timeval in = {.tv_usec = 50000};

		event_base_loopexit(x->base, &in);
		event_base_dispatch(x->base);
	}
	for (p = x->log; *p != '\0'; p++)
		settles += *p == '|';
	assert_int_equal(settles, 1);
	assert_int_equal(ps_watch_files(x->watch), 10);
	for (i = 0, p = x->log; *p != '\0'; p++)
		i += *p == '+';
	assert_int_equal(i, 10);
}

static void
forced_reads_all(void **state)
{
	struct fixture *x = *state;

	put(x, "a.yaml", "1");
	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	ps_watch_rescan(x->watch, false);
	ps_watch_rescan(x->watch, true);
	expect_after(x, 1, "+a.yaml||+a.yaml|");
}

/* Of two objects without age the first one read is the older: the same one whenever penstockd is started. */
static void
read_in_the_order_of_names(void **state)
{
	struct fixture *x = *state;

	put(x, "c.yaml", "1");
	put(x, "a.yaml", "1");
	assert_int_equal(mkdir(path_of(x, "b"), 0700), 0);
	put(x, "b/2.yaml", "1");
	put(x, "b/1.yaml", "1");
	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	expect_after(x, 1, "+a.yaml+b/1.yaml+b/2.yaml+c.yaml|");
}

/* More events than the kernel keeps: what came last is found by comparing. */
static void
overflow_is_made_up_for(void **state)
{
	struct fixture *x = *state;
	int i, most = 16384, fd = open("/proc/sys/fs/inotify/max_queued_events", O_RDONLY | O_CLOEXEC);
	char text[16] = "";

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		most = atoi(text);
	close(fd);
	if (most > 50000)
		skip();
	open_watch(x, x->dir);
	ps_watch_rescan(x->watch, true);
	expect_after(x, 1, "|");
	for (i = 0; i <= most; i++) { /* at least one event each, and different ones in turn: equal ones are merged */
		fd = open(path_of(x, i % 2 ? "x.txt" : "y.txt"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		close(fd);
	}
	put(x, "late.yaml", "1");
	expect_after(x, 300, "+late.yaml|");
	put(x, "late.yaml", "22");
	expect_after(x, 20, "+late.yaml|");
}

/* In a user namespace that may have no inotify instance: files are compared twice a second. */
static void
works_without_inotify(void **state)
{
	struct fixture *x = *state;
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct timeval in = {.tv_usec = 900000};
		const char *path = x->dir;
		static const struct ps_watch_callbacks callbacks = {wants, refresh, removed, settled};
		int fd;

		if (unshare(CLONE_NEWUSER) != 0)
			_exit(77);
		fd = open("/proc/sys/user/max_inotify_instances", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			_exit(77);
		if (ps_watch_open(&x->watch, x->base, &path, 1, &callbacks, x) != 0 || ps_watch_works(x->watch))
			_exit(1);
		ps_watch_rescan(x->watch, true);
		fd = open(path_of(x, "a.yaml"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		close(fd);
		event_base_loopexit(x->base, &in);
		event_base_dispatch(x->base);
		_exit(strcmp(x->log, "|+a.yaml|") == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(first_and_changed), T(open_file_is_left_alone), T(editors), T(removal_is_believed_late),
		T(directories_come_and_go), T(configmap_swap), T(link_to_elsewhere), T(single_file),
		T(storm_is_gathered), T(forced_reads_all), T(read_in_the_order_of_names),
		T(overflow_is_made_up_for), T(works_without_inotify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

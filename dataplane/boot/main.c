/* SPDX-License-Identifier: Apache-2.0 */
/* penstock-dataplane: start, run, end. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/boot/process.h"
#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/state_map.h"

#define LOCK_FILE "dataplane.lock"

static const char help[] =
	"usage: penstock-dataplane [--runtime-dir DIR] [--state-dir DIR]\n"
	"\n"
	"Forwards packets as penstockd says: ports, memory and CPUs come with the first snapshot, from\n"
	"penstockd's socket in the runtime directory or, when penstockd is not there for a second, from the last\n"
	"one in the state directory.\n"
	"\n"
	"  --runtime-dir DIR  sockets, shared tables and counters (default " PS_RUNTIME_DIR ")\n"
	"  --state-dir DIR    last valid snapshot (default " PS_STATE_DIR ")\n"
	"  --help             this text\n"
	"  --version          version and ABI\n"
	"\n"
	"SIGTERM and SIGINT stop it; flow tables stay for the next start.\n";

void
ps_log(enum ps_say_level level, const char *format, ...)
{
	/* sd-daemon(3) prefixes where the journal reads along; words where a human does. */
	static const char *const prefix[] = {SD_INFO, SD_WARNING, SD_ERR};
	static const char *const word[] = {"", "warning: ", "error: "};
	bool journal = getenv("JOURNAL_STREAM") != NULL;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "%spenstock-dataplane: %s%s\n", journal ? prefix[level] : "", journal ? "" : word[level], text);
}

static void
on_signal(int signo)
{
	ps_stop_requested = 1;
}

/* Two processes on one set of flow files and ports would ruin both. The lock goes with the process. */
static int
lock_instance(void)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", ps_dataplane.runtime_dir, LOCK_FILE) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		ps_log(PS_SAY_ERROR, "%s: %s", path, strerror(errno));
		return -errno;
	}
	/* A predecessor that was killed may still be on its way out. */
	for (int i = 0; i < 100; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		usleep(20000);
	}
	ps_log(PS_SAY_ERROR, "another penstock-dataplane runs in %s", ps_dataplane.runtime_dir);
	close(fd);
	return -EBUSY;
}

static int
parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"runtime-dir", required_argument, NULL, 'r'}, {"state-dir", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},              {"version", no_argument, NULL, 'V'},
		{0},
	};
	int c;

	ps_dataplane.runtime_dir = PS_RUNTIME_DIR;
	ps_dataplane.state_dir = PS_STATE_DIR;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			ps_dataplane.runtime_dir = optarg;
			break;
		case 's':
			ps_dataplane.state_dir = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'V':
			printf("penstock-dataplane %s (ABI %u)\n", PS_VERSION, PS_ABI);
			return 0;
		default:
			fputs(help, stderr);
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "penstock-dataplane: unexpected argument '%s'\n", argv[optind]);
		return 2;
	}
	return -1;
}

static int
serve(void)
{
	struct ps_loaded loaded = {0};
	uint64_t received_ns = 0;
	struct timespec begin, ready;
	char why[256] = "", status[96];
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	rc = ps_first_snapshot(&loaded, &received_ns);
	if (rc != 0)
		return rc == -EINTR ? 0 : rc;
	rc = ps_start(&loaded, why, sizeof(why));
	if (rc != 0)
		goto fail;
	/* Live before the first packet is looked at. */
	ps_main_loop_apply(&loaded, received_ns);
	rc = ps_run(why, sizeof(why));
	if (rc != 0)
		goto fail;
	ps_hurry_end();
	clock_gettime(CLOCK_MONOTONIC, &ready);
	ps_log(PS_SAY_INFO, "%u worker(s), %u port(s), generation %llu, started in %lld ms", ps_dataplane.workers,
	       ps_dataplane.ports, (unsigned long long)ps_dataplane.counters->generation,
	       (long long)(ready.tv_sec - begin.tv_sec) * 1000 + (ready.tv_nsec - begin.tv_nsec) / 1000000);
	snprintf(status, sizeof(status), "READY=1\nSTATUS=%u worker(s), %u port(s)", ps_dataplane.workers,
		 ps_dataplane.ports);
	sd_notify(0, status);
	ps_main_loop();
	sd_notify(0, "STOPPING=1");
	return 0;
fail:
	ps_log(PS_SAY_ERROR, "%s", why);
	ps_unload(&loaded);
	return rc;
}

int
main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	int rc = parse(argc, argv);

	if (rc >= 0)
		return rc;
	setlinebuf(stderr);
	ps_hurry_begin();
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	rc = lock_instance();
	if (rc != 0)
		return EXIT_FAILURE;
	rc = ps_main_loop_init();
	if (rc == 0)
		rc = ps_state_map_init(ps_dataplane.runtime_dir);
	if (rc == 0)
		rc = serve();
	else
		ps_log(PS_SAY_ERROR, "%s", strerror(-rc));
	ps_end();
	ps_main_loop_end();
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

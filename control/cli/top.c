/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `penstock top`: a full screen drawn with plain ANSI sequences. Samples of the last minutes are kept, so
 * that one can go back to what has just rushed by.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/get.h"
#include "control/cli/sample.h"
#include "control/cli/verbs.h"

#define KEPT 600u /* samples */
#define LENGTH(array) (sizeof(array) / sizeof(array[0]))

static const struct ps_column worker_columns[] = {
	{"WORKER", "worker", PS_FORMAT_TEXT, false},
	{"CPU", "cpu", PS_FORMAT_TEXT, false},
	{"STATE", "state", PS_FORMAT_STATE, false},
	{"RX-PPS", "rx_pps", PS_FORMAT_COUNT, false},
	{"RX", "rx_bps", PS_FORMAT_BITS, false},
	{"TX-PPS", "tx_pps", PS_FORMAT_COUNT, false},
	{"TX", "tx_bps", PS_FORMAT_BITS, false},
	{"FLOWS", "flows", PS_FORMAT_COUNT, false},
	{"NEW/S", "new", PS_FORMAT_COUNT, false},
	{"HANDED/S", "handed", PS_FORMAT_COUNT, false},
	{"CYCLES/PKT", "cycles_per_packet", PS_FORMAT_FIXED, false},
	{"BUSY", "busy", PS_FORMAT_SHARE, false},
};

static const struct ps_column service_columns[] = {
	{"SERVICE", "name", PS_FORMAT_TEXT, false},
	{"PROTO", "proto", PS_FORMAT_TEXT, false},
	{"MODE", "mode", PS_FORMAT_TEXT, false},
	{"PPS-IN", "pps_in", PS_FORMAT_COUNT, false},
	{"IN", "bps_in", PS_FORMAT_BITS, false},
	{"PPS-OUT", "pps_out", PS_FORMAT_COUNT, false},
	{"OUT", "bps_out", PS_FORMAT_BITS, false},
	{"FLOWS", "flows", PS_FORMAT_COUNT, false},
	{"NEW/S", "new", PS_FORMAT_COUNT, false},
	{"REFUSED/S", "refused", PS_FORMAT_COUNT, false},
	{"UP", "up", PS_FORMAT_COUNT, false},
	{"OF", "endpoints", PS_FORMAT_COUNT, false},
};

struct top {
	const struct ps_invocation *inv;
	struct ps_client *client;
	struct ps_look last;
	json_t *samples[KEPT]; /* ring */
	size_t taken;          /* in all; the newest is at (taken - 1) % KEPT */
	size_t back;           /* how far back the shown one is */
	bool paused;
	char trouble[160]; /* why there is no newer sample */
};

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int number)
{
	interrupted = 1;
}

static size_t
kept(const struct top *t)
{
	return t->taken < KEPT ? t->taken : KEPT;
}

/* Takes a look; a sample needs one before it of the same dataplane. */
static int
take_sample(struct top *t)
{
	struct ps_look look;
	json_t *sample = NULL;
	int rc = ps_look_take(&look, t->client);

	if (rc < 0) {
		snprintf(t->trouble, sizeof(t->trouble), "%.150s", ps_client_error(t->client));
		return rc;
	}
	t->trouble[0] = '\0';
	if (t->last.workers != NULL)
		sample = ps_sample_make(&t->last, &look, ps_opt_number(t->inv, "services"));
	ps_look_clear(&t->last);
	t->last = look;
	if (sample != NULL) {
		json_decref(t->samples[t->taken % KEPT]);
		t->samples[t->taken++ % KEPT] = sample;
		if ((t->paused || t->back > 0) && t->back + 1 < kept(t))
			t->back++; /* what is looked at stays where it is */
	}
	return 0;
}

static void
print_sample(FILE *out, json_t *sample, const struct ps_table_style *style)
{
	json_t *workers = json_deep_copy(json_object_get(sample, "workers"));

	if (json_array_size(workers) > 1)
		json_array_append(workers, json_object_get(sample, "total"));
	ps_table_print(out, worker_columns, LENGTH(worker_columns), workers, style);
	json_decref(workers);
	if (json_array_size(json_object_get(sample, "services")) > 0) {
		fputc('\n', out);
		ps_table_print(out, service_columns, LENGTH(service_columns),
			json_object_get(sample, "services"), style);
	}
}

static enum ps_cli_status
print_once(struct top *t)
{
	struct timespec interval = {.tv_sec = (time_t)ps_opt_number(t->inv, "interval")};
	struct ps_table_style style = ps_style(t->inv);
	int rc;

	/* a dataplane that restarts in between costs a sample; three tries see through that */
	for (int tries = 0; t->taken == 0 && tries < 4; tries++) {
		rc = take_sample(t);
		if (rc < 0)
			return ps_client_status(t->client, rc);
		if (t->taken == 0)
			nanosleep(&interval, NULL);
	}
	if (t->taken == 0)
		return ps_fail("the dataplane restarts all the time: no sample");
	if (ps_opt_given(t->inv, "json"))
		ps_print_json(t->inv->out, t->samples[0]);
	else
		print_sample(t->inv->out, t->samples[0], &style);
	return PS_CLI_OK;
}

/* The screen is composed in memory and written at once: no flicker, lines cut at the bottom. */
static void
draw(struct top *t)
{
	struct ps_table_style style = {.color = t->inv->color, .now_s = ps_now_s()};
	struct winsize size;
	char *text = NULL, when[32] = "", *line, *rest;
	json_t *sample;
	size_t length;
	time_t at;
	FILE *out;
	int rows = 1;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 ||
		size.ws_col == 0) /* a serial line does not know */
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	style.width_max = size.ws_col;
	out = open_memstream(&text, &length);
	if (out == NULL)
		return;
	sample = t->taken > 0 ? t->samples[(t->taken - 1 - t->back) % KEPT] : NULL;
	at = (time_t)(ps_json_number(sample, "time_ns") / 1e9);
	if (sample != NULL)
		strftime(when, sizeof(when), "%H:%M:%S", localtime(&at));
	fprintf(out, "penstock top  %s  %s%s\n\n", when,
		t->paused     ? "paused"
		: t->back > 0 ? "looking back"
			      : "live",
		t->trouble[0] != '\0' ? "  (no answer)" : "");
	if (sample != NULL)
		print_sample(out, sample, &style);
	else
		fprintf(out, "waiting for the first sample\n");
	if (t->trouble[0] != '\0')
		fprintf(out, "\n%s\n", t->trouble);
	fclose(out);
	fputs("\033[H", stdout);
	for (line = strtok_r(text, "\n", &rest); line != NULL && rows < size.ws_row - 1;
		line = strtok_r(NULL, "\n", &rest), rows++) {
		printf("%s\033[K\n", line);
		if (rows == 1 && rows + 1 < size.ws_row - 1) {
			printf("\033[K\n");
			rows++;
		}
	}
	printf("\033[J\033[%u;1Hq quit  p pause  left/right go through %zu samples  end live\033[K",
		size.ws_row, kept(t));
	fflush(stdout);
	free(text);
}

/* Returns false to leave. */
static bool
on_key(struct top *t, const char *keys, ssize_t length)
{
	for (ssize_t i = 0; i < length; i++) {
		bool sequence =
			keys[i] == '\033' && i + 2 < length && (keys[i + 1] == '[' || keys[i + 1] == 'O');
		char key = sequence ? keys[i + 2] : keys[i];

		if (sequence)
			i += 2;
		if (!sequence && (key == 'q' || key == 'Q' || key == 3))
			return false;
		if (!sequence && (key == 'p' || key == ' ')) {
			t->paused = !t->paused;
			t->back = t->paused ? t->back : 0;
		} else if ((sequence && key == 'D') || key == 'h') {
			t->back += t->back + 1 < kept(t);
		} else if ((sequence && key == 'C') || key == 'l') {
			t->back -= t->back > 0;
		} else if (sequence && key == 'F') {
			t->back = 0;
			t->paused = false;
		}
	}
	return true;
}

static double
monotonic_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static enum ps_cli_status
live(struct top *t)
{
	double interval = (double)ps_opt_number(t->inv, "interval"), next = monotonic_s() + 0.2;
	struct sigaction action = {.sa_handler = on_interrupt};
	struct termios before, raw;
	int rc = take_sample(t);

	if (rc < 0)
		return ps_client_status(t->client, rc);
	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return print_once(t);
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGWINCH, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l\033[2J", stdout);
	while (!interrupted) {
		double wait = next - monotonic_s();
		struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
		char keys[32];

		draw(t);
		if (poll(&input, 1, wait > 0 ? (int)(wait * 1000) + 1 : 0) > 0) {
			ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));

			if (got <= 0 || !on_key(t, keys, got))
				break;
		}
		if (monotonic_s() >= next) {
			take_sample(t);
			next = monotonic_s() + interval;
		}
	}
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	return PS_CLI_OK;
}

enum ps_cli_status
ps_cmd_top(const struct ps_invocation *inv)
{
	struct top *t = calloc(1, sizeof(*t));
	enum ps_cli_status status = PS_CLI_FAILED;

	if (t == NULL)
		return ps_fail("out of memory");
	t->inv = inv;
	t->client = ps_client_open(inv);
	if (t->client != NULL) {
		ps_client_timeout(t->client, 3000);
		if (ps_opt_given(inv, "once") || ps_opt_given(inv, "json") || !isatty(STDOUT_FILENO) ||
			!isatty(STDIN_FILENO))
			status = print_once(t);
		else
			status = live(t);
	}
	for (size_t i = 0; i < KEPT; i++)
		json_decref(t->samples[i]);
	ps_look_clear(&t->last);
	ps_client_free(t->client);
	free(t);
	return status;
}

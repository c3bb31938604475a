/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum ps_log_level threshold = PS_LOG_INFO;
static bool journal;

static const struct {
	const char *name;
	char priority; /* of syslog(3) */
} levels[] = {{"error", '3'}, {"warning", '4'}, {"info", '6'}, {"debug", '7'}};

int
ps_log_level_parse(const char *text, enum ps_log_level *level)
{
	unsigned int i;

	for (i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*level = (enum ps_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void
ps_log_setup(enum ps_log_level level)
{
	threshold = level;
	journal = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
}

void
ps_log(enum ps_log_level level, const char *fmt, ...)
{
	char line[2048];
	struct timespec now;
	struct tm tm;
	size_t n = 0;
	va_list args;

	if (level > threshold)
		return;
	if (journal) {
		n = (size_t)snprintf(line, sizeof(line), "<%c>", levels[level].priority);
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		gmtime_r(&now.tv_sec, &tm);
		n = strftime(line, sizeof(line), "%FT%T", &tm);
		n += (size_t)snprintf(line + n, sizeof(line) - n, ".%03ldZ penstockd: %s: ", now.tv_nsec / 1000000,
			levels[level].name);
	}
	va_start(args, fmt);
	n += (size_t)vsnprintf(line + n, sizeof(line) - n - 1, fmt, args);
	va_end(args);
	if (n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	/* One write, so that lines of several threads and processes do not mix. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

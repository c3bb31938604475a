/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps programs running in the foreground: starts them in order, forwards what they say, restarts one that
 * dies (see backoff.h), and stops them in reverse order. One thread, the one that made it, owns it.
 */
#ifndef PS_CLI_SUPERVISOR_H
#define PS_CLI_SUPERVISOR_H

#include <stdbool.h>

struct ps_supervisor;

struct ps_supervised {
	const char *name;    /* prefix of its lines: "penstockd" */
	char *const *argv;   /* argv[0]: path of the program */
	const char *appears; /* file whose appearance says that the next program may start; NULL: none */
};

/* keeper: see keeper.h, -1 none. detach: programs outlive a killed supervisor. NULL with errno set. */
struct ps_supervisor *ps_supervisor_new(const char *runtime_dir, int keeper, bool detach);
void ps_supervisor_free(struct ps_supervisor *s);

/* Strings and argv stay the caller's and must live as long. Returns 0 or -errno. */
int ps_supervisor_add(struct ps_supervisor *s, const struct ps_supervised *program);

/*
 * Runs until a signal ends it, or until a program has ended three times without ever getting ready. Returns 0
 * when all stopped cleanly, 1 when force was needed or a program did not start, or -errno.
 */
int ps_supervisor_run(struct ps_supervisor *s);

#endif

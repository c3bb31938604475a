/* SPDX-License-Identifier: Apache-2.0 */
/* penstockd's command line. Strings are argv's own. */
#ifndef PS_DAEMON_OPTIONS_H
#define PS_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/daemon/log.h"

struct ps_options {
	const char *runtime_dir;
	const char *state_dir;
	const char *user;       /* NULL: penstock if there is such a user, else nobody */
	const char *admin;      /* NULL: as the Dataplane document says; "none": no TCP */
	const char **path;      /* -f */
	uint32_t paths;
	const char **adopt;
	uint32_t adopts;
	bool strict;
	enum ps_log_level log_level;
};

/* 0: go on; 1: leave with *exit_code (help, version, a mistake; all said already). */
int ps_options_parse(struct ps_options *options, int argc, char **argv, int *exit_code);
void ps_options_free(struct ps_options *options);

#endif

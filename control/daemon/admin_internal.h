/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the admin API share beside requests. */
#ifndef PS_DAEMON_ADMIN_INTERNAL_H
#define PS_DAEMON_ADMIN_INTERNAL_H

#include <event2/http.h>

#include "control/daemon/daemon.h"

struct ps_trace_run; /* admin_trace.c: the client that is being sent a trace */

struct ps_admin {
	struct ps_daemon *daemon;
	struct evhttp *http;    /* Unix socket */
	struct evhttp *tcp;     /* NULL: nowhere */
	char tcp_address[128];  /* as configured */
	char *path;             /* of the Unix socket */
	struct ps_trace_run *trace; /* NULL: none */
};

void ps_trace_tick(struct ps_admin *admin);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API: HTTP/1.1 and JSON on a Unix socket, and its read-only part with metrics on a TCP
 * address. Shapes are described in docs/reference/admin-api.md.
 *
 * Thread: penstockd's main. Long answers are produced in pieces as the client takes them.
 */
#ifndef PS_DAEMON_ADMIN_H
#define PS_DAEMON_ADMIN_H

#include "control/daemon/text.h"
#include "dataplane/api/channel.h"

struct ps_admin;
struct ps_daemon;

/* Opens the Unix socket, and the TCP address where one is configured (trouble with it is only logged). */
int ps_admin_open(struct ps_admin **admin, struct ps_daemon *daemon, char *why, size_t why_size);
void ps_admin_close(struct ps_admin *admin);

/* Every second: follows a changed TCP address, ends traces that nobody feeds. */
void ps_admin_tick(struct ps_admin *admin);

void ps_admin_trace_step(struct ps_admin *admin, const struct ps_trace_step *step);
void ps_admin_reply(struct ps_admin *admin, const struct ps_message *reply);
void ps_admin_detached(struct ps_admin *admin);

#endif

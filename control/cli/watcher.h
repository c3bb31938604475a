/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread beside the supervisor that looks at the running Penstock through its admin socket, as a user
 * would: says what is served when it is ready, when manifests are wrong, when a publication is refused; and
 * keeps the kernel's routes to the VIPs. A thread, because an answer may take its time while restarts may
 * not.
 */
#ifndef PS_CLI_WATCHER_H
#define PS_CLI_WATCHER_H

#include "control/cli/hostnet.h"

struct ps_watcher;

/* hostnet: NULL, or whose routes to keep; the thread's until ps_watcher_stop. NULL with errno set. */
struct ps_watcher *ps_watcher_start(const char *runtime_dir, const char *hint, struct ps_hostnet *hostnet);

/* Ends the thread. Takes NULL. */
void ps_watcher_stop(struct ps_watcher *w);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the process, in the order in which main.c runs them. */
#ifndef PS_BOOT_PROCESS_H
#define PS_BOOT_PROCESS_H

#include <signal.h>

#include "dataplane/boot/channel_client.h"
#include "dataplane/pipeline/apply.h"

/* Set by SIGTERM and SIGINT. */
extern volatile sig_atomic_t ps_stop_requested;

/*
 * The first snapshot: from penstockd, or, when it has not come within a second, from the bundle in the state
 * directory; until one of them is there, waits. 0; -EINTR: asked to stop.
 */
int ps_first_snapshot(struct ps_loaded *loaded, uint64_t *received_ns);

/* A start goes before other work on the machine, where it may (hurry.c). Called once each. */
void ps_hurry_begin(void);
void ps_hurry_end(void);

/* EAL, ports, memory, workers' structures and graphs: everything but running. 0 or -errno with a reason in why. */
int ps_start(struct ps_loaded *loaded, char *why, size_t why_size);
/* Workers begin to poll. */
int ps_run(char *why, size_t why_size);
/* Housekeeping until asked to stop. */
void ps_main_loop(void);
/* Workers stop, ports stop, memory goes. Bears a half-finished start. */
void ps_end(void);

/* ---- main_loop.c ---- */

/* The channel exists before EAL does. 0 or -errno. */
int ps_main_loop_init(void);
/* Applies, counts, tells penstockd. Takes loaded over. received_ns: when it came. */
void ps_main_loop_apply(struct ps_loaded *loaded, uint64_t received_ns);
/* A probe's verdict changed: an event for penstockd. */
void ps_main_loop_health(void *arg, uint32_t slot, bool down, uint32_t reason);
void ps_main_loop_end(void);

#endif

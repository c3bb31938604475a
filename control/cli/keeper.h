/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper cleans up after a supervisor that was killed. PR_SET_PDEATHSIG alone does not do: a child that
 * changes its user loses it, and nobody would remove the TAP. It is a small process at the other end of a
 * socket; when the socket closes without a goodbye, it ends the programs and removes the TAP.
 */
#ifndef PS_CLI_KEEPER_H
#define PS_CLI_KEEPER_H

#include "control/cli/taps.h"

#define PS_KEEPER_SLOTS 4

/* Forks the keeper; call before any thread exists. Returns the supervisor's end, or -errno. */
int ps_keeper_start(void);

/* The program in this slot now. pidfd stays the caller's; -1: none. */
void ps_keeper_watch(int keeper, int slot, int pidfd);

/* Remove these TAPs too. */
void ps_keeper_taps(int keeper, const struct ps_taps *taps);

/* All is clean: the keeper just leaves. Closes the descriptor. */
void ps_keeper_release(int keeper);

#endif

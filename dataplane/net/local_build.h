/* SPDX-License-Identifier: Apache-2.0 */
/* Main's side of the local set. */
#ifndef PS_NET_LOCAL_BUILD_H
#define PS_NET_LOCAL_BUILD_H

#include "dataplane/net/local.h"

/*
 * All addresses of a validated snapshot, plus link_local[iface] (zero: none), one per interface. 0 or -ENOMEM.
 */
int ps_local_build(struct ps_local_set **set, const struct ps_snapshot *snapshot, const struct ps_addr *link_local);
void ps_local_free(struct ps_local_set *set);

#endif

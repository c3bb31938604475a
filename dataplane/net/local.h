/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The set of addresses that are the gateway's own, as a hash built once per snapshot:
 * interface addresses, VIPs, SNAT addresses. Immutable, read by workers.
 */
#ifndef PS_NET_LOCAL_H
#define PS_NET_LOCAL_H

#include "dataplane/api/snapshot.h"

#define PS_LOCAL_IFACE 0x1u /* address of an interface */
#define PS_LOCAL_VIP 0x2u
#define PS_LOCAL_PING 0x4u  /* answers ICMP echo */
#define PS_LOCAL_SNAT 0x8u
#define PS_LOCAL_ANNOUNCE 0x10u /* VIP that is answered for and announced */

struct ps_local_set;

/* Returns PS_LOCAL_ flags, 0: not ours. */
uint32_t ps_local_find(const struct ps_local_set *set, const struct ps_addr *addr);

/* An address of the interface to answer from: the first of the family; IPv6 falls back to the link-local one. NULL: none. */
const struct ps_addr *ps_local_iface(const struct ps_local_set *set, uint32_t iface, bool v6);

/* Ports of interface addresses that probes send from; never part of the default SNAT pool. Host order, inclusive. */
#define PS_PROBE_PORT_FIRST 1024u
#define PS_PROBE_PORT_LAST 1279u
#define PS_SNAT_DEFAULT_FIRST 1280u
#define PS_SNAT_DEFAULT_LAST 65535u

#endif

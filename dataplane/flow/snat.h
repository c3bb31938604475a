/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FullNAT source ports of one worker.
 *
 * A port of an address may serve one flow per *backend tuple* (address, port, protocol of the endpoint) at a time,
 * because only the four-tuple must be unique. Per address there are `groups` port sets; each backend
 * tuple is bound to one group, so sixteen backends over sixteen groups have sixteen times the ports. The first `groups` tuples
 * get a group each; later ones join the group with the most ports left.
 *
 * Worker w of n owns the ports p with p % n == w: nobody else hands them out, and whoever receives a reply
 * knows its owner (ps_snat_owner).
 *
 * A set hands out each port once in cyclic order first, then those given back, longest free first: a FIFO.
 * The order begins at a random place, so that a restarted process does not begin with
 * the ports that its predecessor has just used.
 *
 *   address A --+-- group 0:  fresh cursor -> | FIFO of ports given back |  bitmaps: in use, in FIFO
 *               +-- group 1:  ...
 *
 * A pure core. Thread: ps_snat_configure and ps_snat_reclaim by main; everything else by the worker
 * (restoring: by main before the worker runs).
 */
#ifndef PS_FLOW_SNAT_H
#define PS_FLOW_SNAT_H

#include "dataplane/api/snapshot.h"

struct ps_snat;

struct ps_snat_port {
	struct ps_addr addr;
	uint16_t port; /* network order */
};

/* May this worker expect the reply to (addr, port) at its own queue? NULL: no way to tell. */
typedef bool (*ps_snat_fits_fn)(void *arg, const struct ps_snat_port *port);
#define PS_SNAT_TRIES 16u /* ports looked at before one that does not fit is taken */

/* groups: sets per address (at least 1). tuples: most backend tuples at once. 0, -EINVAL or -ENOMEM. */
int ps_snat_new(struct ps_snat **snat, uint32_t worker, uint32_t workers, uint32_t groups, uint32_t tuples,
		uint64_t random);
void ps_snat_free(struct ps_snat *snat);

/*
 * The addresses of a snapshot, before it goes live: known ones keep their state (their range may change), new
 * ones get memory, prefaulted; those not named give out nothing more, and what flows hold of them is
 * still given back. 0 or -ENOMEM (nothing has changed).
 */
int ps_snat_configure(struct ps_snat *s, const struct ps_snat_address *address, uint32_t addresses);
/* Frees what the last configure replaced; when every worker has passed a quiescent state since. */
void ps_snat_reclaim(struct ps_snat *s);

/* Names a backend tuple. */
uint64_t ps_snat_tuple(const struct ps_addr *endpoint, uint16_t port_be, uint8_t proto);

/*
 * Takes a port towards a tuple from those of `addresses` addresses (a pool of the snapshot last configured) that have
 * the family, in turn.
 * fits may be NULL. 0, -ENOSPC: no port is free in any of them, -ENOMEM: too many tuples with ports in use.
 */
int ps_snat_take(struct ps_snat *s, const struct ps_snat_address *address, uint32_t addresses, bool v6, uint64_t tuple,
		 ps_snat_fits_fn fits, void *arg, struct ps_snat_port *out);

/* Gives a port back. Unknown addresses are ignored. False: the port was not in use (a bug, or a forged record). */
bool ps_snat_give(struct ps_snat *s, const struct ps_addr *addr, uint16_t port_be, uint64_t tuple);

/* Marks a port of a restored flow as in use. 0; -ENOENT: unknown address; -EINVAL: not this worker's port; -EEXIST: in use; -ENOMEM. */
int ps_snat_restore(struct ps_snat *s, const struct ps_addr *addr, uint16_t port_be, uint64_t tuple);

/* Ports in use, all addresses and groups. */
uint64_t ps_snat_in_use(const struct ps_snat *s);

static inline uint32_t
ps_snat_owner(uint16_t port_be, uint32_t workers)
{
	return (uint32_t)__builtin_bswap16(port_be) % workers;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of the TAP that `penstock run` makes when it finds no port: the interface, its addresses,
 * and routes to the VIPs. The TAP is persistent while the supervisor lives, so that a restarted dataplane
 * finds it with addresses and routes in place.
 */
#ifndef PS_CLI_HOSTNET_H
#define PS_CLI_HOSTNET_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 2544 and RFC 5180 set these prefixes aside for tests: nobody else's traffic goes there. */
#define PS_TAP_KERNEL4 "198.18.%u.1"
#define PS_TAP_GATEWAY4 "198.18.%u.2"
#define PS_TAP_KERNEL6 "2001:2:0:%x::1"
#define PS_TAP_GATEWAY6 "2001:2:0:%x::2"

/* Makes the TAP, or takes over one that a killed supervisor left. Returns 0 or -errno (-EEXIST: no TAP of
 * this kind). */
int ps_hostnet_tap_make(const char *name);
int ps_hostnet_tap_remove(const char *name);

/* Is there an interface of this name? */
bool ps_hostnet_exists(const char *name);

/* Can this machine do IPv6? */
bool ps_hostnet_has_ipv6(void);

struct ps_hostnet;

/* Addresses without prefix length; kernel6 and gateway6 are NULL where there is no IPv6. */
struct ps_hostnet *ps_hostnet_new(const char *tap, const char *kernel4, const char *gateway4,
	const char *kernel6, const char *gateway6);
void ps_hostnet_free(struct ps_hostnet *h);

/*
 * Brings interface, addresses and routes into the wanted state: up, addressed, one host route for each
 * VIP, none for VIPs that are gone. Does little when nothing changed. `say` gets one sentence for each VIP
 * that is not routed, once. Returns 0 or the first -errno.
 */
int ps_hostnet_apply(
	struct ps_hostnet *h, const char *const *vips, size_t length, void (*say)(const char *sentence));

/* Routes in place now. */
size_t ps_hostnet_routes(const struct ps_hostnet *h);

#endif

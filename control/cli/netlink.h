/* SPDX-License-Identifier: Apache-2.0 */
/* Small requests to the kernel's rtnetlink, over libmnl. */
#ifndef PS_CLI_NETLINK_H
#define PS_CLI_NETLINK_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#define PS_NETLINK_BUFFER 32768u

struct ps_netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
	char buffer[PS_NETLINK_BUFFER];
};

/* Returns 0 or -errno. */
int ps_netlink_open(struct ps_netlink *nl);
void ps_netlink_close(struct ps_netlink *nl);

/* Begins a request in the buffer of nl. */
struct nlmsghdr *ps_netlink_request(struct ps_netlink *nl, uint16_t type, uint16_t flags);

/* Sends it and hands each message of the answer to each(). Returns 0 or -errno, the kernel's included. */
int ps_netlink_talk(struct ps_netlink *nl, struct nlmsghdr *request, mnl_cb_t each, void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <time.h>

#include "control/cli/netlink.h"

int
ps_netlink_open(struct ps_netlink *nl)
{
	int rc;

	nl->sequence = (uint32_t)time(NULL);
	nl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (nl->socket == NULL)
		return -errno;
	if (mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		rc = -errno;
		ps_netlink_close(nl);
		return rc;
	}
	return 0;
}

void
ps_netlink_close(struct ps_netlink *nl)
{
	if (nl->socket != NULL)
		mnl_socket_close(nl->socket);
	nl->socket = NULL;
}

struct nlmsghdr *
ps_netlink_request(struct ps_netlink *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(nl->buffer);

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	request->nlmsg_seq = ++nl->sequence;
	return request;
}

int
ps_netlink_talk(struct ps_netlink *nl, struct nlmsghdr *request, mnl_cb_t each, void *arg)
{
	unsigned int port = mnl_socket_get_portid(nl->socket);
	ssize_t got;
	int rc = 1;

	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return -errno;
	while (rc > 0) {
		got = mnl_socket_recvfrom(nl->socket, nl->buffer, sizeof(nl->buffer));
		if (got < 0)
			return -errno;
		rc = mnl_cb_run(nl->buffer, (size_t)got, nl->sequence, port, each, arg);
		if (rc < 0)
			return -errno;
	}
	return 0;
}

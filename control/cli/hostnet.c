/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "control/cli/hostnet.h"
#include "control/cli/netlink.h"

struct route {
	char vip[48];
	bool wanted;
	bool refused; /* said why already */
	bool placed;
};

struct ps_hostnet {
	char tap[IFNAMSIZ];
	char kernel4[48], gateway4[48], kernel6[48], gateway6[48];
	struct ps_netlink nl;
	struct route *routes; /* sorted by vip */
	size_t length;
	int index; /* of the TAP when it was configured; another one: configure again */
};

int
ps_hostnet_tap_make(const char *name)
{
	/* the flags that DPDK's TAP driver opens it with: the kernel compares them */
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		rc = errno == EINVAL ? -EEXIST : -errno;
	else if (ioctl(fd, TUNSETPERSIST, 1) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int
ps_hostnet_tap_remove(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	int fd, rc = 0;

	if (!ps_hostnet_exists(name))
		return -ENODEV;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETPERSIST, 0) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

bool
ps_hostnet_exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

bool
ps_hostnet_has_ipv6(void)
{
	char value[8] = "1";
	FILE *file = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "re");
	bool read = file != NULL && fgets(value, sizeof(value), file) != NULL;

	if (file != NULL)
		fclose(file);
	return read && value[0] == '0';
}

struct ps_hostnet *
ps_hostnet_new(
	const char *tap, const char *kernel4, const char *gateway4, const char *kernel6, const char *gateway6)
{
	struct ps_hostnet *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	snprintf(h->tap, sizeof(h->tap), "%s", tap);
	snprintf(h->kernel4, sizeof(h->kernel4), "%s", kernel4);
	snprintf(h->gateway4, sizeof(h->gateway4), "%s", gateway4);
	if (kernel6 != NULL && gateway6 != NULL) {
		snprintf(h->kernel6, sizeof(h->kernel6), "%s", kernel6);
		snprintf(h->gateway6, sizeof(h->gateway6), "%s", gateway6);
	}
	if (ps_netlink_open(&h->nl) < 0) {
		free(h);
		return NULL;
	}
	return h;
}

void
ps_hostnet_free(struct ps_hostnet *h)
{
	if (h == NULL)
		return;
	ps_netlink_close(&h->nl);
	free(h->routes);
	free(h);
}

static int
parse(const char *text, uint8_t address[16])
{
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	return inet_pton(family, text, address) == 1 ? family : -1;
}

static size_t
family_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

/* Value of a per-interface kernel setting; a kernel without it has nothing to be set. */
static void
setting(const struct ps_hostnet *h, const char *name, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", h->tap, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, value, strlen(value)) < 0)
		fprintf(stderr, "penstock: %s: %s\n", path, strerror(errno));
	close(fd);
}

static int
address_add(struct ps_hostnet *h, int index, const char *text, uint8_t prefix)
{
	struct nlmsghdr *request;
	struct ifaddrmsg *address;
	uint8_t bytes[16];
	int family = parse(text, bytes);

	if (family < 0)
		return 0;
	request = ps_netlink_request(&h->nl, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	address = mnl_nlmsg_put_extra_header(request, sizeof(*address));
	address->ifa_family = (unsigned char)family;
	address->ifa_prefixlen = prefix;
	address->ifa_index = (unsigned int)index;
	if (family == AF_INET6)
		address->ifa_flags = IFA_F_NODAD;
	mnl_attr_put(request, IFA_LOCAL, family_size(family), bytes);
	mnl_attr_put(request, IFA_ADDRESS, family_size(family), bytes);
	return ps_netlink_talk(&h->nl, request, NULL, NULL);
}

static int
link_up(struct ps_hostnet *h, int index)
{
	struct nlmsghdr *request = ps_netlink_request(&h->nl, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(request, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	link->ifi_index = index;
	link->ifi_flags = IFF_UP;
	link->ifi_change = IFF_UP;
	return ps_netlink_talk(&h->nl, request, NULL, NULL);
}

static bool
is_up(const struct ps_hostnet *h)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", h->tap);
	up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP);
	if (fd >= 0)
		close(fd);
	return up;
}

static int
route_change(struct ps_hostnet *h, const char *vip, bool present)
{
	struct nlmsghdr *request = ps_netlink_request(&h->nl, present ? RTM_NEWROUTE : RTM_DELROUTE,
		(uint16_t)(NLM_F_ACK | (present ? NLM_F_CREATE | NLM_F_REPLACE : 0)));
	struct rtmsg *route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	uint8_t bytes[16];
	int family = parse(vip, bytes);

	route->rtm_family = (unsigned char)family;
	route->rtm_dst_len = family == AF_INET ? 32 : 128;
	route->rtm_table = RT_TABLE_MAIN;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_UNIVERSE;
	route->rtm_type = RTN_UNICAST;
	mnl_attr_put(request, RTA_DST, family_size(family), bytes);
	parse(family == AF_INET ? h->gateway4 : h->gateway6, bytes);
	mnl_attr_put(request, RTA_GATEWAY, family_size(family), bytes);
	mnl_attr_put_u32(request, RTA_OIF, (uint32_t)h->index);
	return ps_netlink_talk(&h->nl, request, NULL, NULL);
}

static int
on_route_type(const struct nlmsghdr *message, void *arg)
{
	*(unsigned char *)arg = ((const struct rtmsg *)mnl_nlmsg_get_payload(message))->rtm_type;
	return MNL_CB_OK;
}

struct gateway_search {
	uint8_t address[16];
	size_t size;
	bool found;
};

static int
on_gateway(const struct nlmsghdr *message, void *arg)
{
	struct gateway_search *search = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attr) == RTA_GATEWAY &&
			mnl_attr_get_payload_len(attr) == search->size &&
			memcmp(mnl_attr_get_payload(attr), search->address, search->size) == 0)
			search->found = true;
	}
	return MNL_CB_OK;
}

/* Would a route to the VIP take something from this machine? Then says what; NULL: no. */
static const char *
objection(struct ps_hostnet *h, const char *vip)
{
	struct gateway_search search = {0};
	struct nlmsghdr *request;
	struct rtmsg *route;
	unsigned char type = 0;
	int family = parse(vip, search.address);

	if (family < 0)
		return "is no address";
	if (family == AF_INET6 && h->gateway6[0] == '\0')
		return "is IPv6, which this machine has switched off";
	search.size = family_size(family);
	request = ps_netlink_request(&h->nl, RTM_GETROUTE, NLM_F_ACK);
	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = (unsigned char)family;
	route->rtm_dst_len = (unsigned char)(search.size * 8);
	mnl_attr_put(request, RTA_DST, search.size, search.address);
	if (ps_netlink_talk(&h->nl, request, on_route_type, &type) == 0 && type == RTN_LOCAL)
		return "is an address of this machine: clients on this machine do not reach Penstock with it";
	if (type == RTN_MULTICAST || type == RTN_BROADCAST)
		return "is a multicast or broadcast address";
	request = ps_netlink_request(&h->nl, RTM_GETROUTE, NLM_F_DUMP);
	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = (unsigned char)family;
	ps_netlink_talk(&h->nl, request, on_gateway, &search);
	if (search.found && strcmp(vip, family == AF_INET ? h->gateway4 : h->gateway6) != 0)
		return "is a router of this machine: its traffic is left alone";
	return NULL;
}

static int
by_vip(const void *a, const void *b)
{
	return strcmp(((const struct route *)a)->vip, ((const struct route *)b)->vip);
}

/* Marks what is wanted and adds what is new, sorted again. */
static int
want(struct ps_hostnet *h, const char *const *vips, size_t length)
{
	size_t known = h->length;
	struct route *grown = realloc(h->routes, (h->length + length + 1) * sizeof(*grown));

	if (grown == NULL)
		return -ENOMEM;
	h->routes = grown;
	for (size_t i = 0; i < known; i++)
		h->routes[i].wanted = false;
	for (size_t i = 0; i < length; i++) {
		struct route key = {.wanted = true}, *found;

		snprintf(key.vip, sizeof(key.vip), "%s", vips[i]);
		found = bsearch(&key, h->routes, known, sizeof(key), by_vip);
		if (found != NULL)
			found->wanted = true;
		else
			h->routes[h->length++] = key;
	}
	qsort(h->routes, h->length, sizeof(*h->routes), by_vip);
	for (size_t i = 1; i < h->length;) {
		if (strcmp(h->routes[i - 1].vip, h->routes[i].vip) != 0) {
			i++;
			continue;
		}
		memmove(&h->routes[i], &h->routes[i + 1], (h->length - i - 1) * sizeof(*h->routes));
		h->length--;
	}
	return 0;
}

/* Addresses and link, when the interface is new or was taken down. Returns whether it had to. */
static bool
configure(struct ps_hostnet *h, int *rc)
{
	int index = (int)if_nametoindex(h->tap);

	if (index == 0) {
		*rc = -ENODEV;
		h->index = 0;
		return true;
	}
	if (index == h->index && is_up(h))
		return false;
	/* one MAC serves both ends of DPDK's TAP: a link-local address made from it would be on both */
	setting(h, "addr_gen_mode", "1");
	setting(h, "accept_dad", "0");
	setting(h, "accept_ra", "0");
	h->index = index;
	*rc = link_up(h, index);
	if (*rc == 0)
		*rc = address_add(h, index, h->kernel4, 24);
	if (*rc == 0)
		*rc = address_add(h, index, h->kernel6, 64);
	return true;
}

int
ps_hostnet_apply(
	struct ps_hostnet *h, const char *const *vips, size_t length, void (*say)(const char *sentence))
{
	int rc = 0, changed;
	size_t kept = 0;
	bool anew = configure(h, &rc);

	if (rc < 0)
		return rc;
	rc = want(h, vips, length);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < h->length; i++) {
		struct route *r = &h->routes[i];

		if (!r->wanted) {
			if (r->placed)
				route_change(h, r->vip, false);
			continue;
		}
		if (!r->refused && (!r->placed || anew)) {
			const char *no = r->placed ? NULL : objection(h, r->vip);
			char sentence[192];

			if (no != NULL) {
				snprintf(sentence, sizeof(sentence), "no route to the VIP %s: it %s", r->vip,
					no);
				r->refused = true;
				say(sentence);
			} else {
				changed = route_change(h, r->vip, true);
				r->placed = changed == 0;
				rc = rc == 0 ? changed : rc;
			}
		}
		h->routes[kept++] = *r;
	}
	h->length = kept;
	return rc;
}

size_t
ps_hostnet_routes(const struct ps_hostnet *h)
{
	size_t placed = 0;

	for (size_t i = 0; i < h->length; i++)
		placed += h->routes[i].placed;
	return placed;
}

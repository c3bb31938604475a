/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts that the port policy judges. Everything about interfaces is asked of the
 * kernel by netlink and ethtool, not read from /sys, which may show another network namespace.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utmpx.h>

#include "control/cli/netlink.h"
#include "control/cli/ports.h"

#define ANCESTORS 16

struct gathering {
	struct ps_port_facts *facts;
	size_t length;
	int error;
};

static struct ps_port_facts *
add(struct gathering *g)
{
	struct ps_port_facts *grown = realloc(g->facts, (g->length + 1) * sizeof(*grown));

	if (grown == NULL) {
		g->error = -ENOMEM;
		return NULL;
	}
	g->facts = grown;
	memset(&grown[g->length], 0, sizeof(*grown));
	return &grown[g->length++];
}

static struct ps_port_facts *
by_index(struct gathering *g, int index)
{
	for (size_t i = 0; i < g->length; i++) {
		if (g->facts[i].index == index && index != 0)
			return &g->facts[i];
	}
	return NULL;
}

static int
on_link_info(const struct nlattr *attr, void *arg)
{
	struct ps_port_facts *f = arg;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND && mnl_attr_validate(attr, MNL_TYPE_STRING) >= 0)
		snprintf(f->kind, sizeof(f->kind), "%s", mnl_attr_get_str(attr));
	return MNL_CB_OK;
}

static int
on_link_attr(const struct nlattr *attr, void *arg)
{
	struct ps_port_facts *f = arg;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		snprintf(f->name, sizeof(f->name), "%s", mnl_attr_get_str(attr));
		break;
	case IFLA_MTU:
		f->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_MASTER:
		snprintf(f->master, sizeof(f->master), "#%u", mnl_attr_get_u32(attr));
		break;
	case IFLA_LINK:
		f->lower = (int)mnl_attr_get_u32(attr);
		break;
	case IFLA_CARRIER:
		f->carrier = mnl_attr_get_u8(attr) != 0;
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, on_link_info, f);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int
on_link(const struct nlmsghdr *message, void *arg)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(message);
	struct ps_port_facts *f = add(arg);

	if (f == NULL)
		return MNL_CB_STOP;
	f->index = link->ifi_index;
	f->ethernet = link->ifi_type == ARPHRD_ETHER;
	f->loopback = link->ifi_flags & IFF_LOOPBACK;
	f->up = link->ifi_flags & IFF_UP;
	mnl_attr_parse(message, sizeof(*link), on_link_attr, f);
	return MNL_CB_OK;
}

static int
on_addr(const struct nlmsghdr *message, void *arg)
{
	const struct ifaddrmsg *addr = mnl_nlmsg_get_payload(message);
	struct ps_port_facts *f = by_index(arg, (int)addr->ifa_index);
	const struct nlattr *attr;

	/* every interface that is up has an IPv6 link-local address: it says nothing about use */
	if (f == NULL || (addr->ifa_family == AF_INET6 && addr->ifa_scope == RT_SCOPE_LINK))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*addr))
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type == IFA_LOCAL || (type == IFA_ADDRESS && f->address[0] == '\0'))
			inet_ntop(
				addr->ifa_family, mnl_attr_get_payload(attr), f->address, sizeof(f->address));
	}
	return MNL_CB_OK;
}

static void
mark_default(struct gathering *g, int index)
{
	struct ps_port_facts *f = by_index(g, index);

	if (f != NULL)
		f->default_route = true;
}

static int
on_route(const struct nlmsghdr *message, void *arg)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;

	if (route->rtm_dst_len != 0 || route->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*route))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF) {
			mark_default(arg, (int)mnl_attr_get_u32(attr));
		} else if (mnl_attr_get_type(attr) == RTA_MULTIPATH) {
			const struct rtnexthop *hop = mnl_attr_get_payload(attr);
			int left = mnl_attr_get_payload_len(attr);

			for (; RTNH_OK(hop, left); left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
				mark_default(arg, hop->rtnh_ifindex);
		}
	}
	return MNL_CB_OK;
}

static int
on_oif(const struct nlmsghdr *message, void *arg)
{
	const struct nlattr *attr;
	int *index = arg;

	mnl_attr_for_each(attr, message, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF)
			*index = (int)mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

/* The interface that packets to this address leave by, 0 unknown. */
static int
interface_towards(struct ps_netlink *nl, const char *text)
{
	struct nlmsghdr *request;
	struct rtmsg *route;
	uint8_t address[16];
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET, index = 0;
	char plain[64];

	snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(text, "%"), text);
	if (inet_pton(family, plain, address) != 1)
		return 0;
	request = ps_netlink_request(nl, RTM_GETROUTE, NLM_F_ACK);
	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = (unsigned char)family;
	route->rtm_dst_len = family == AF_INET ? 32 : 128;
	mnl_attr_put(request, RTA_DST, family == AF_INET ? 4 : 16, address);
	if (ps_netlink_talk(nl, request, on_oif, &index) < 0)
		return 0;
	return index;
}

/* SSH_CONNECTION of a process: "client port server port". sudo removes it, its parents still have it. */
static bool
session_of(pid_t pid, char *client, size_t size)
{
	char path[32], environment[65536], *at;
	FILE *file;
	size_t got;

	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	got = fread(environment, 1, sizeof(environment) - 1, file);
	fclose(file);
	environment[got] = '\0';
	for (at = environment; at < environment + got; at += strlen(at) + 1) {
		if (strncmp(at, "SSH_CONNECTION=", 15) == 0) {
			snprintf(client, size, "%.*s", (int)strcspn(at + 15, " "), at + 15);
			return client[0] != '\0';
		}
	}
	return false;
}

static pid_t
parent_of(pid_t pid)
{
	char path[32], line[512], *end;
	FILE *file;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) != NULL && (end = strrchr(line, ')')) != NULL)
		sscanf(end + 1, " %*c %d", &parent);
	fclose(file);
	return parent;
}

/* The remote host of the login on our terminal, by the accounting database. */
static bool
session_of_terminal(char *client, size_t size)
{
	const char *terminal = ttyname(STDERR_FILENO);
	const struct utmpx *entry;
	bool found = false;

	if (terminal == NULL || strncmp(terminal, "/dev/", 5) != 0)
		return false;
	setutxent();
	while (!found && (entry = getutxent()) != NULL) {
		static const uint32_t none[3];
		bool v4 = memcmp(&entry->ut_addr_v6[1], none, sizeof(none)) == 0;

		if (entry->ut_type != USER_PROCESS || entry->ut_addr_v6[0] == 0 ||
			strncmp(entry->ut_line, terminal + 5, sizeof(entry->ut_line)) != 0)
			continue;
		found = inet_ntop(v4 ? AF_INET : AF_INET6, entry->ut_addr_v6, client, (socklen_t)size) !=
			NULL;
	}
	endutxent();
	return found;
}

static void
mark_session(struct gathering *g, struct ps_netlink *nl)
{
	struct ps_port_facts *f;
	char client[64];
	pid_t pid = getpid();
	bool found = false;

	for (int depth = 0; depth < ANCESTORS && pid > 0 && !found; depth++, pid = parent_of(pid))
		found = session_of(pid, client, sizeof(client));
	if (!found)
		found = session_of_terminal(client, sizeof(client));
	if (found && (f = by_index(g, interface_towards(nl, client))) != NULL)
		f->session = true;
}

static void
driver_facts(struct gathering *g)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (size_t i = 0; fd >= 0 && i < g->length; i++) {
		struct ps_port_facts *f = &g->facts[i];
		struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
		struct ifreq request = {.ifr_data = (char *)&info};
		char path[96];

		snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", f->name);
		if (ioctl(fd, SIOCETHTOOL, &request) == 0) {
			snprintf(f->driver, sizeof(f->driver), "%.31s", info.driver);
			if (strlen(info.bus_info) == 12 && info.bus_info[4] == ':' && info.bus_info[7] == ':')
				snprintf(f->pci, sizeof(f->pci), "%.15s", info.bus_info);
		}
		/* a wireless interface is one wherever /sys shows it */
		snprintf(path, sizeof(path), "/sys/class/net/%s/phy80211", f->name);
		f->wireless = access(path, F_OK) == 0;
	}
	if (fd >= 0)
		close(fd);
}

static bool
read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool got = file != NULL && fgets(line, (int)size, file) != NULL;

	if (file != NULL)
		fclose(file);
	return got;
}

/* Network cards without kernel interface: those bound to a userspace driver. */
static void
pci_facts(struct gathering *g)
{
	DIR *devices = opendir("/sys/bus/pci/devices");
	struct dirent *entry;

	while (devices != NULL && (entry = readdir(devices)) != NULL) {
		char path[320], line[64], driver[256] = "";
		struct ps_port_facts *f;
		ssize_t length;

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/class", entry->d_name);
		if (entry->d_name[0] == '.' || !read_line(path, line, sizeof(line)) ||
			strncmp(line, "0x0200", 6) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", entry->d_name);
		length = readlink(path, driver, sizeof(driver) - 1);
		if (length > 0)
			driver[length] = '\0';
		if (strstr(driver, "/vfio-pci") == NULL && strstr(driver, "/uio_pci_generic") == NULL &&
			strstr(driver, "/igb_uio") == NULL)
			continue;
		f = add(g);
		if (f == NULL)
			break;
		snprintf(f->pci, sizeof(f->pci), "%.15s", entry->d_name);
		snprintf(f->driver, sizeof(f->driver), "%.31s", strrchr(driver, '/') + 1);
		f->ethernet = true;
		f->mtu = 1500;
	}
	if (devices != NULL)
		closedir(devices);
}

/* Names of masters; what stands on what; a session or default route above is one below too. */
static void
relate(struct gathering *g)
{
	for (size_t i = 0; i < g->length; i++) {
		struct ps_port_facts *f = &g->facts[i], *other;

		if (f->master[0] == '#') {
			other = by_index(g, atoi(f->master + 1));
			snprintf(f->master, sizeof(f->master), "%.31s",
				other != NULL ? other->name : "another interface");
		}
		/* a veth's "link" is its peer, not what it stands on */
		if (f->lower == 0 || strcmp(f->kind, "veth") == 0)
			continue;
		other = by_index(g, f->lower);
		if (other == NULL)
			continue;
		snprintf(other->upper, sizeof(other->upper), "%.31s", f->name);
		other->session = other->session || f->session;
		other->default_route = other->default_route || f->default_route;
	}
}

static int
dump(struct ps_netlink *nl, uint16_t type, unsigned char family, mnl_cb_t each, struct gathering *g)
{
	struct nlmsghdr *request = ps_netlink_request(nl, type, NLM_F_DUMP);

	if (type == RTM_GETLINK)
		((struct ifinfomsg *)mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg)))
			->ifi_family = family;
	else if (type == RTM_GETADDR)
		((struct ifaddrmsg *)mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg)))
			->ifa_family = family;
	else
		((struct rtmsg *)mnl_nlmsg_put_extra_header(request, sizeof(struct rtmsg)))->rtm_family =
			family;
	return ps_netlink_talk(nl, request, each, g);
}

int
ps_ports_gather(struct ps_port_facts **facts, size_t *length)
{
	struct gathering g = {0};
	struct ps_netlink *nl = calloc(1, sizeof(*nl));
	int rc = nl != NULL ? ps_netlink_open(nl) : -ENOMEM;

	if (rc == 0)
		rc = dump(nl, RTM_GETLINK, AF_UNSPEC, on_link, &g);
	if (rc == 0)
		rc = dump(nl, RTM_GETADDR, AF_UNSPEC, on_addr, &g);
	if (rc == 0)
		rc = dump(nl, RTM_GETROUTE, AF_INET, on_route, &g);
	if (rc == 0)
		dump(nl, RTM_GETROUTE, AF_INET6, on_route, &g); /* a kernel without IPv6 has none */
	if (rc == 0) {
		mark_session(&g, nl);
		driver_facts(&g);
		pci_facts(&g);
		relate(&g);
		rc = g.error;
	}
	if (nl != NULL)
		ps_netlink_close(nl);
	free(nl);
	if (rc < 0) {
		free(g.facts);
		return rc;
	}
	*facts = g.facts;
	*length = g.length;
	return 0;
}

bool
ps_ports_in_namespace(void)
{
	/* a setting of the whole machine: the kernel shows it in its first network namespace alone */
	return access("/proc/sys/net/core/somaxconn", F_OK) == 0 &&
	       access("/proc/sys/net/core/netdev_max_backlog", F_OK) != 0;
}

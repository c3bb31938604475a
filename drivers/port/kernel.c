/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel interface below a port, and socket files that a killed process left. Main only. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "drivers/port/family.h"

static int
request(const char *iface, unsigned long what, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", iface);
	if (ioctl(fd, what, ifr) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int
ps_kernel_iface_flags_add(const char *iface, short flags)
{
	struct ifreq ifr = {0};
	int rc = request(iface, SIOCGIFFLAGS, &ifr);

	if (rc < 0 || (ifr.ifr_flags & flags) == flags)
		return rc;
	ifr.ifr_flags |= flags;
	return request(iface, SIOCSIFFLAGS, &ifr);
}

int
ps_kernel_iface_up(const char *iface, bool *was_down)
{
	struct ifreq ifr = {0};
	int rc = request(iface, SIOCGIFFLAGS, &ifr);

	if (rc < 0)
		return rc;
	*was_down = !(ifr.ifr_flags & IFF_UP);
	return *was_down ? ps_kernel_iface_flags_add(iface, IFF_UP) : 0;
}

int
ps_kernel_iface_mtu(const char *iface, uint32_t *mtu)
{
	struct ifreq ifr = {0};
	int rc = request(iface, SIOCGIFMTU, &ifr);

	if (rc == 0)
		*mtu = (uint32_t)ifr.ifr_mtu;
	return rc;
}

int
ps_kernel_iface_set_mtu(const char *iface, uint32_t mtu)
{
	struct ifreq ifr = {.ifr_mtu = (int)mtu};

	return request(iface, SIOCSIFMTU, &ifr);
}

uint16_t
ps_kernel_iface_queues(const char *iface)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (char *)&channels};
	uint32_t queues;

	if (request(iface, SIOCETHTOOL, &ifr) < 0)
		return 1;
	queues = channels.combined_count != 0 ? channels.combined_count : channels.rx_count;
	if (channels.combined_count == 0 && channels.tx_count < queues)
		queues = channels.tx_count;
	return queues == 0 ? 1 : queues > UINT16_MAX ? UINT16_MAX : (uint16_t)queues;
}

bool
ps_kernel_iface_is_veth(const char *iface)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr = {.ifr_data = (char *)&info};

	return request(iface, SIOCETHTOOL, &ifr) == 0 && strcmp(info.driver, "veth") == 0;
}

int
ps_kernel_iface_no_merging(const char *iface, bool *changed)
{
	struct ethtool_value value = {.cmd = ETHTOOL_GGRO};
	struct ifreq ifr = {.ifr_data = (char *)&value};
	int rc = 0;

	*changed = false;
	if (request(iface, SIOCETHTOOL, &ifr) == 0 && value.data != 0) {
		value = (struct ethtool_value){.cmd = ETHTOOL_SGRO, .data = 0};
		rc = request(iface, SIOCETHTOOL, &ifr);
		*changed = rc == 0;
	}
	value = (struct ethtool_value){.cmd = ETHTOOL_GFLAGS};
	if (request(iface, SIOCETHTOOL, &ifr) == 0 && (value.data & ETH_FLAG_LRO)) {
		value.cmd = ETHTOOL_SFLAGS;
		value.data &= ~(uint32_t)ETH_FLAG_LRO;
		if (request(iface, SIOCETHTOOL, &ifr) == 0)
			*changed = true;
	}
	return rc;
}

int
ps_unix_socket_clear(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, rc = 0;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EPROTOTYPE) {
		/* EPROTOTYPE: somebody listens there with streams; ECONNREFUSED would come first if nobody did */
		rc = -EADDRINUSE;
	} else if (errno == ECONNREFUSED) {
		rc = unlink(path) == 0 ? 0 : -errno;
	}
	close(fd);
	return rc;
}

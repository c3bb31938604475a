/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AF_PACKET driver joins its sockets to a fanout group with PACKET_FANOUT_FLAG_DEFRAG, even a single
 * one. The kernel then puts IPv4 fragments together before it delivers them, as packets larger than the
 * MTU, which the driver cuts off at its frame size: fragmented datagrams would be lost. The flag cannot be
 * taken back on a socket and the driver has no option for it, so it is taken out on the way to the kernel: this
 * definition comes before the C library's for every plugin of the process.
 */
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/port/family.h"

/* Referred to by port.c, so that the linker keeps this file. */
const bool ps_fanout_keeps_fragments = true;

int
setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	if (level == SOL_PACKET && option == PACKET_FANOUT && size >= sizeof(int)) {
		int argument;

		memcpy(&argument, value, sizeof(argument));
		argument &= (int)~((uint32_t)PACKET_FANOUT_FLAG_DEFRAG << 16);
		return (int)syscall(SYS_setsockopt, fd, level, option, &argument, sizeof(argument));
	}
	return (int)syscall(SYS_setsockopt, fd, level, option, value, size);
}

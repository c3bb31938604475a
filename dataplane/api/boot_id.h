/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's boot, as the 64 bits that state and flow files carry: files of
 * another boot are void, because their clocks and processes are gone.
 */
#ifndef PS_API_BOOT_ID_H
#define PS_API_BOOT_ID_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dataplane/api/digest.h"

/* Digest of /proc/sys/kernel/random/boot_id; 0 where it cannot be read. */
static inline uint64_t
ps_boot_id(void)
{
	char text[36];
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text));
	close(fd);
	return n == (ssize_t)sizeof(text) ? ps_digest(text, sizeof(text), 0) : 0;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/compile/internal.h"

int
ps_memfd_room(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), error;

	if (fd < 0)
		return -errno;
	if (size != 0 && fallocate(fd, 0, 0, (off_t)size) != 0) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

int
ps_memfd_seal(int fd, const void *bytes, uint64_t size)
{
	uint64_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(fd, (const uint8_t *)bytes + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (uint64_t)n;
	}
	if (ftruncate(fd, (off_t)size) != 0)
		return -errno;
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0 ? 0 : -errno;
}

int
ps_memfd_sealed(const char *name, const void *bytes, uint64_t size)
{
	int fd = ps_memfd_room(name, 0), rc;

	if (fd < 0)
		return fd;
	rc = ps_memfd_seal(fd, bytes, size);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/affinity_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/api/boot_id.h"

int
ps_affinity_map(struct ps_affinity_map *m, const char *runtime_dir)
{
	const struct ps_affinity *a;
	uint32_t buckets;
	char path[4096];
	struct stat st;
	void *base;
	int fd, rc = 0;

	*m = (struct ps_affinity_map){0};
	if (snprintf(path, sizeof(path), "%s/" PS_AFFINITY_FILE, runtime_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(*a)) {
		close(fd);
		return -EINVAL;
	}
	base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	rc = base == MAP_FAILED ? -errno : 0;
	close(fd);
	if (rc != 0)
		return rc;
	a = base;
	buckets = a->buckets;
	if (a->magic != PS_AFFINITY_MAGIC || a->boot_id != ps_boot_id() || buckets == 0 || (buckets & (buckets - 1)) != 0 ||
	    (uint64_t)buckets * sizeof(a->bucket[0]) > (uint64_t)st.st_size - sizeof(*a))
		rc = -EINVAL;
	else if (a->abi != PS_ABI)
		rc = -EPROTO;
	if (rc != 0) {
		munmap(base, (size_t)st.st_size);
		return rc;
	}
	*m = (struct ps_affinity_map){.base = base, .size = (uint64_t)st.st_size, .mask = buckets - 1};
	return 0;
}

void
ps_affinity_unmap(struct ps_affinity_map *m)
{
	if (m->base != NULL)
		munmap(m->base, m->size);
	m->base = NULL;
}

bool
ps_affinity_remembers(const struct ps_affinity_map *m, uint64_t key, uint32_t now_ms, struct ps_remembered *what)
{
	const struct ps_affinity *a = m->base;
	uint64_t value = ps_affinity_find(&a->bucket[key & m->mask], key, now_ms);

	if (value == 0)
		return false;
	what->slot = (uint32_t)(value >> PS_AFFINITY_SLOT_SHIFT);
	what->generation = (uint16_t)(value >> PS_AFFINITY_EXPIRY_BITS);
	what->left_s = (uint32_t)ps_affinity_left(value, now_ms) * 256u / 1000u;
	return true;
}

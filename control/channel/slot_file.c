/* SPDX-License-Identifier: Apache-2.0 */
#include "control/channel/slot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Slots are u32 indices and PS_NONE means none; beyond this a header is not plausible. */
#define SLOTS_MAX (1u << 24)

int
ps_state_validate(const void *base, uint64_t size, uint64_t boot_id, char *why, size_t why_size)
{
	const struct ps_state_header *h = base;

	if (size < PS_STATE_HEADER_SIZE) {
		snprintf(why, why_size, "state table is truncated: %llu bytes", (unsigned long long)size);
		return -EINVAL;
	}
	if (h->magic != PS_STATE_MAGIC) {
		snprintf(why, why_size, "state table has no magic number");
		return -EINVAL;
	}
	if (h->abi != PS_ABI) {
		snprintf(why, why_size, "state table has ABI %u, expected %u", h->abi, PS_ABI);
		return -EPROTO;
	}
	if (h->slots == 0 || h->slots > SLOTS_MAX || h->size != size || ps_state_size(h->slots) != size) {
		snprintf(why, why_size, "state table of %u slots has %llu bytes", h->slots,
			(unsigned long long)size);
		return -EINVAL;
	}
	if (h->boot_id != boot_id) {
		snprintf(why, why_size, "state table is from before the last boot");
		return -ESTALE;
	}
	return 0;
}

int
ps_slots_validate(const void *base, uint64_t size, uint64_t boot_id, char *why, size_t why_size)
{
	const struct ps_slots_header *h = base;

	if (size < PS_SLOTS_HEADER_SIZE) {
		snprintf(why, why_size, "slot file is truncated: %llu bytes", (unsigned long long)size);
		return -EINVAL;
	}
	if (h->magic != PS_SLOTS_MAGIC || h->abi != PS_ABI) {
		snprintf(why, why_size, "slot file has another magic number or ABI");
		return -EPROTO;
	}
	if (h->endpoint_slots == 0 || h->endpoint_slots > SLOTS_MAX || h->service_slots == 0 ||
	    h->service_slots > SLOTS_MAX || h->size != size ||
	    ps_slots_size(h->endpoint_slots, h->service_slots) != size) {
		snprintf(why, why_size, "slot file of %u and %u slots has %llu bytes", h->endpoint_slots,
			h->service_slots, (unsigned long long)size);
		return -EINVAL;
	}
	if (h->boot_id != boot_id) {
		snprintf(why, why_size, "slot file is from before the last boot");
		return -ESTALE;
	}
	return 0;
}

static int
map(struct ps_slot_file *file, int fd, uint64_t size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	file->base = base;
	file->size = size;
	return 0;
}

int
ps_slot_file_map(struct ps_slot_file *file, const char *path)
{
	struct stat st;
	int rc = 0, fd;

	file->base = NULL;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size <= 0)
		rc = -EINVAL;
	else
		rc = map(file, fd, (uint64_t)st.st_size);
	close(fd);
	return rc;
}

int
ps_slot_file_create(struct ps_slot_file *file, const char *path, uint64_t size)
{
	char beside[4096];
	int rc, fd;

	file->base = NULL;
	if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	if (unlink(beside) != 0 && errno != ENOENT)
		return -errno;
	fd = open(beside, O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	rc = ftruncate(fd, (off_t)size) != 0 ? -errno : map(file, fd, size);
	close(fd);
	if (rc != 0)
		unlink(beside);
	return rc;
}

int
ps_slot_file_install(const char *path)
{
	char beside[4096];

	if (snprintf(beside, sizeof(beside), "%s.new", path) >= (int)sizeof(beside))
		return -ENAMETOOLONG;
	return rename(beside, path) == 0 ? 0 : -errno;
}

void
ps_slot_file_unmap(struct ps_slot_file *file)
{
	if (file->base != NULL)
		munmap(file->base, file->size);
	file->base = NULL;
}

void
ps_state_format(void *base, uint32_t slots, uint64_t boot_id)
{
	struct ps_state_header *h = base;

	h->magic = PS_STATE_MAGIC;
	h->abi = PS_ABI;
	h->slots = slots;
	h->size = ps_state_size(slots);
	h->boot_id = boot_id;
}

void
ps_slots_format(void *base, uint32_t endpoint_slots, uint32_t service_slots, uint64_t boot_id)
{
	struct ps_slots_header *h = base;

	h->magic = PS_SLOTS_MAGIC;
	h->abi = PS_ABI;
	h->endpoint_slots = endpoint_slots;
	h->service_slots = service_slots;
	h->size = ps_slots_size(endpoint_slots, service_slots);
	h->boot_id = boot_id;
}

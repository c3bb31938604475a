/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/counters_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOTS_MAX (1u << 24)

int
ps_counters_open(struct ps_counters_map *m, const char *runtime_dir)
{
	memset(m, 0, sizeof(*m));
	return asprintf(&m->path, "%s/" PS_COUNTERS_FILE, runtime_dir) < 0 ? -ENOMEM : 0;
}

static void
forget(struct ps_counters_map *m)
{
	char *path = m->path;

	if (m->shared != NULL)
		munmap((void *)(uintptr_t)m->shared, m->mapped);
	memset(m, 0, sizeof(*m));
	m->path = path;
}

void
ps_counters_close(struct ps_counters_map *m)
{
	forget(m);
	free(m->path);
	m->path = NULL;
}

static bool
inside(uint64_t size, uint64_t offset, uint64_t rows, uint64_t items, uint64_t item_size)
{
	/* rows <= 64, items <= 2^24, item_size < 2^13: no overflow */
	return offset % 64 == 0 && offset >= PS_COUNTERS_HEADER_SIZE && offset <= size &&
	       rows * items * item_size <= size - offset;
}

int
ps_counters_validate(const void *base, uint64_t size)
{
	const struct ps_counters *c = base;

	if (size < PS_COUNTERS_HEADER_SIZE || c->magic != PS_COUNTERS_MAGIC)
		return -EINVAL;
	if (c->abi != PS_ABI)
		return -EPROTO;
	if (c->size != size || c->workers > PS_MAX_WORKERS || c->ports > PS_MAX_PORTS ||
	    c->service_slots > SLOTS_MAX || c->endpoint_slots > SLOTS_MAX ||
	    !inside(size, c->worker_offset, c->workers, 1, sizeof(struct ps_worker_counters)) ||
	    !inside(size, c->service_offset, c->workers, c->service_slots, sizeof(struct ps_service_counters)) ||
	    !inside(size, c->endpoint_offset, c->workers, c->endpoint_slots, sizeof(struct ps_endpoint_counters)))
		return -EINVAL;
	return 0;
}

/* Numbers that main may change while it runs; never trusted beyond their arrays. */
static void
copy_changing(struct ps_counters_map *m)
{
	uint32_t ports = m->shared->ports, nodes = m->shared->nodes;

	m->ports = ports > PS_MAX_PORTS ? PS_MAX_PORTS : ports;
	m->nodes = nodes > PS_MAX_NODES ? PS_MAX_NODES : nodes;
}

bool
ps_counters_refresh(struct ps_counters_map *m)
{
	const struct ps_counters *c;
	struct stat st;
	void *base;
	int fd;

	if (stat(m->path, &st) != 0) {
		forget(m);
		return false;
	}
	if (m->shared != NULL && st.st_dev == m->dev && st.st_ino == m->ino && (size_t)st.st_size == m->mapped) {
		copy_changing(m);
		return true;
	}
	forget(m);
	fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)PS_COUNTERS_HEADER_SIZE) {
		close(fd);
		return false;
	}
	base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (base == MAP_FAILED)
		return false;
	if (ps_counters_validate(base, (uint64_t)st.st_size) != 0) {
		munmap(base, (size_t)st.st_size);
		return false;
	}
	c = base;
	m->shared = c;
	m->mapped = (size_t)st.st_size;
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	m->workers = c->workers > PS_MAX_WORKERS ? 0 : c->workers;
	m->service_slots = c->service_slots;
	m->endpoint_slots = c->endpoint_slots;
	m->epoch = c->epoch;
	m->tsc_hz = c->tsc_hz;
	m->worker = (const void *)((const uint8_t *)base + c->worker_offset);
	m->service = (const void *)((const uint8_t *)base + c->service_offset);
	m->endpoint = (const void *)((const uint8_t *)base + c->endpoint_offset);
	copy_changing(m);
	return true;
}

struct ps_service_counters
ps_counters_service(const struct ps_counters_map *m, uint32_t slot)
{
	struct ps_service_counters sum = {0};
	uint32_t w;

	if (m->shared == NULL || slot >= m->service_slots)
		return sum;
	for (w = 0; w < m->workers; w++) {
		const struct ps_service_counters *c = &m->service[(size_t)w * m->service_slots + slot];

		sum.packets_in += c->packets_in;
		sum.bytes_in += c->bytes_in;
		sum.packets_out += c->packets_out;
		sum.bytes_out += c->bytes_out;
		sum.flows_created += c->flows_created;
		sum.flows_active += c->flows_active;
		sum.refused += c->refused;
		sum.rejected += c->rejected;
	}
	return sum;
}

struct ps_endpoint_counters
ps_counters_endpoint(const struct ps_counters_map *m, uint32_t slot)
{
	struct ps_endpoint_counters sum = {0};
	uint32_t w;

	if (m->shared == NULL || slot >= m->endpoint_slots)
		return sum;
	for (w = 0; w < m->workers; w++) {
		const struct ps_endpoint_counters *c = &m->endpoint[(size_t)w * m->endpoint_slots + slot];

		sum.flows_created += c->flows_created;
		sum.flows_active += c->flows_active;
		sum.packets_in += c->packets_in;
		sum.packets_out += c->packets_out;
	}
	return sum;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/flows_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_SIZE 4096u

int
ps_flows_validate(const void *base, uint64_t size, uint32_t family)
{
	const struct ps_flows_header *h = base;
	uint32_t record_size = family == 4 ? sizeof(struct ps_flow4) : sizeof(struct ps_flow6);

	if (size < HEADER_SIZE || h->magic != PS_FLOWS_MAGIC)
		return -EINVAL;
	if (h->abi != PS_ABI)
		return -EPROTO;
	if (h->family != family || h->record_size != record_size || h->records_offset % 64 != 0 ||
	    h->records_offset < HEADER_SIZE || h->records_offset > size ||
	    (uint64_t)h->capacity * record_size > size - h->records_offset)
		return -EINVAL;
	return 0;
}

int
ps_flows_map(struct ps_flows_map *m, const char *runtime_dir, uint32_t family, uint32_t worker)
{
	const struct ps_flows_header *h;
	char path[4096];
	struct stat st;
	void *base;
	int fd, rc;

	memset(m, 0, sizeof(*m));
	if (snprintf(path, sizeof(path), "%s/" PS_FLOWS_FILE "-%u-%u", runtime_dir, family, worker) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC); /* may be a link into a hugetlbfs */
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)HEADER_SIZE) {
		close(fd);
		return -EINVAL;
	}
	base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (base == MAP_FAILED)
		return -errno;
	rc = ps_flows_validate(base, (uint64_t)st.st_size, family);
	if (rc != 0) {
		munmap(base, (size_t)st.st_size);
		return rc;
	}
	h = base;
	m->base = base;
	m->size = (uint64_t)st.st_size;
	m->records = m->base + h->records_offset;
	m->capacity = h->capacity;
	m->v6 = family == 6;
	m->record_size = m->v6 ? sizeof(struct ps_flow6) : sizeof(struct ps_flow4);
	/* The header is the dataplane's to write: once more, on the copies. */
	if ((uint64_t)(m->records - m->base) + (uint64_t)m->capacity * m->record_size > m->size) {
		ps_flows_unmap(m);
		return -EINVAL;
	}
	return 0;
}

void
ps_flows_unmap(struct ps_flows_map *m)
{
	if (m->base != NULL)
		munmap((void *)(uintptr_t)m->base, m->size);
	m->base = NULL;
}

static struct ps_addr
addr6(const uint8_t *b)
{
	struct ps_addr a;

	memcpy(a.b, b, sizeof(a.b));
	return a;
}

bool
ps_flow_read(const struct ps_flows_map *m, uint32_t index, struct ps_flow_copy *c)
{
	const struct ps_flow *shared = (const void *)(m->records + (uint64_t)index * m->record_size);
	/* Acquire: pairs with the worker's release when it has filled a record. */
	uint8_t state = atomic_load_explicit(&shared->state, memory_order_acquire);

	if (state == PS_FLOW_FREE || state >= PS_FLOW_STATES)
		return false;
	if (m->v6) {
		struct ps_flow6 f;

		memcpy(&f, shared, sizeof(f));
		c->head = f.head;
		c->client = addr6(f.key[0].src);
		c->vip = addr6(f.key[0].dst);
		c->endpoint = addr6(f.key[1].src);
		c->local = addr6(f.key[1].dst);
		c->client_port = f.key[0].src_port;
		c->vip_port = f.key[0].dst_port;
		c->endpoint_port = f.key[1].src_port;
		c->local_port = f.key[1].dst_port;
	} else {
		struct ps_flow4 f;

		memcpy(&f, shared, sizeof(f));
		c->head = f.head;
		c->client = ps_addr_from_v4(f.key[0].src);
		c->vip = ps_addr_from_v4(f.key[0].dst);
		c->endpoint = ps_addr_from_v4(f.key[1].src);
		c->local = ps_addr_from_v4(f.key[1].dst);
		c->client_port = f.key[0].src_port;
		c->vip_port = f.key[0].dst_port;
		c->endpoint_port = f.key[1].src_port;
		c->local_port = f.key[1].dst_port;
	}
	c->state = state;
	/* The copy is done before the state is looked at again. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&shared->state, memory_order_relaxed) == state;
}

uint32_t
ps_flow_idle_ms(const struct ps_flow_copy *c, uint32_t now_ms)
{
	uint32_t idle = now_ms - c->head.last_seen_ms;

	return idle > INT32_MAX ? 0 : idle; /* seen after we looked at the clock */
}

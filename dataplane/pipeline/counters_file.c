/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pipeline/counters_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_mempool.h>

#include "dataplane/net/net_main.h"
#include "dataplane/pipeline/dataplane.h"

static uint64_t
pages(uint64_t bytes)
{
	return (bytes + 4095) & ~4095ull;
}

static uint64_t
realtime_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static int
file_name(char *out, size_t size, const char *suffix)
{
	return snprintf(out, size, "%s/%s%s", ps_dataplane.runtime_dir, PS_COUNTERS_FILE, suffix) < (int)size
		       ? 0
		       : -ENAMETOOLONG;
}

static void
fill_header(struct ps_counters *c, const struct ps_counters *layout)
{
	*c = *layout;
	c->magic = PS_COUNTERS_MAGIC;
	c->abi = PS_ABI;
	c->workers = ps_dataplane.workers;
	c->pid = (uint32_t)getpid();
	c->ports = ps_dataplane.ports;
	c->service_slots = ps_dataplane.boot.service_slots;
	c->endpoint_slots = ps_dataplane.boot.endpoint_slots;
	c->tsc_hz = rte_get_tsc_hz();
	c->started_ns = realtime_ns();
	c->hugepages = ps_dataplane.hugepages;
	if (getrandom(&c->epoch, sizeof(c->epoch), 0) != (ssize_t)sizeof(c->epoch) || c->epoch == 0)
		c->epoch = c->started_ns;
}

int
ps_counters_make(struct ps_counters **counters, char *why, size_t why_size)
{
	const struct ps_boot *boot = &ps_dataplane.boot;
	struct ps_counters layout = {0};
	char path[PATH_MAX];
	void *p;
	int fd, rc = file_name(path, sizeof(path), ".new");

	if (rc != 0)
		return rc;
	layout.worker_offset = PS_COUNTERS_HEADER_SIZE;
	layout.service_offset = pages(layout.worker_offset +
				      (uint64_t)ps_dataplane.workers * sizeof(struct ps_worker_counters));
	layout.endpoint_offset = pages(layout.service_offset + (uint64_t)ps_dataplane.workers * boot->service_slots *
								       sizeof(struct ps_service_counters));
	layout.size = pages(layout.endpoint_offset + (uint64_t)ps_dataplane.workers * boot->endpoint_slots *
							     sizeof(struct ps_endpoint_counters));
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	/* Room for all of it now: running out later would be a SIGBUS. */
	if (fd < 0 || ftruncate(fd, (off_t)layout.size) != 0 ||
	    (fallocate(fd, 0, 0, (off_t)layout.size) != 0 && errno != EOPNOTSUPP)) {
		rc = -errno;
		snprintf(why, why_size, "%s: %s", path, strerror(-rc));
		if (fd >= 0)
			close(fd);
		return rc;
	}
	p = mmap(NULL, layout.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	rc = p == MAP_FAILED ? -errno : 0;
	close(fd);
	if (rc != 0) {
		snprintf(why, why_size, "%s: %s", path, strerror(-rc));
		return rc;
	}
	fill_header(p, &layout);
	*counters = p;
	return 0;
}

int
ps_counters_publish(const struct ps_counters *counters, char *why, size_t why_size)
{
	char from[PATH_MAX], to[PATH_MAX];
	int rc = file_name(from, sizeof(from), ".new");

	if (rc == 0)
		rc = file_name(to, sizeof(to), "");
	if (rc == 0 && rename(from, to) != 0)
		rc = -errno;
	if (rc != 0)
		snprintf(why, why_size, "%s: %s", PS_COUNTERS_FILE, strerror(-rc));
	return rc;
}

void
ps_counters_close(struct ps_counters *counters)
{
	if (counters != NULL)
		munmap(counters, counters->size);
}

void
ps_counters_attach(struct ps_counters *c, struct ps_worker *w)
{
	uint8_t *base = (uint8_t *)c;

	w->counters = (struct ps_worker_counters *)(base + c->worker_offset) + w->index;
	w->service = (struct ps_service_counters *)(base + c->service_offset) + (size_t)w->index * c->service_slots;
	w->endpoint =
		(struct ps_endpoint_counters *)(base + c->endpoint_offset) + (size_t)w->index * c->endpoint_slots;
	w->service_slots = c->service_slots;
	w->endpoint_slots = c->endpoint_slots;
}

void
ps_counters_refresh(struct ps_counters *c)
{
	for (uint32_t p = 0; p < ps_dataplane.ports; p++) {
		const struct ps_dataplane_port *port = &ps_dataplane.port[p];
		struct ps_port_status status = c->port[p]; /* statistics that cannot be read stay */

		ps_port_status(&port->device, &status);
		status.flags |= port->spread ? PS_PORT_SPREADS : 0;
		status.flags |= port->device.tx_shared ? PS_PORT_SHARES_TX : 0;
		c->port[p] = status;
	}
	for (uint32_t w = 0; w < ps_dataplane.workers; w++)
		ps_graph_count(ps_dataplane.worker[w], c);
	c->neighbours = ps_net_neighbours(ps_net_main_net(ps_dataplane.net), c->neighbour,
					  PS_MAX_NEIGHBOURS_SHOWN, ps_net_now_ms());
	memcpy(c->main_exit, ps_dataplane.main_counters->exit, sizeof(c->main_exit));
	c->mbufs_free = rte_mempool_avail_count(ps_dataplane.pool);
	c->mbufs_total = ps_dataplane.pool->size;
	c->updated_ns = realtime_ns();
}

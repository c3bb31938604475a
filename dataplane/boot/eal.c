/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/boot/eal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "dataplane/api/digest.h"
#include "dataplane/pipeline/dataplane.h"
#include "drivers/port/port.h"

#define MIB (1ull << 20)
#define BASE_MEMORY (64 * MIB) /* graphs, rings, adjacencies, drivers */
#define POOL_CACHE 512u
#define MAX_ARGS 128

static uint32_t
or_default(uint32_t value, uint32_t otherwise)
{
	return value != 0 ? value : otherwise;
}

void
ps_sizes_compute(struct ps_sizes *z, const struct ps_snapshot *s)
{
	const struct ps_boot *b = ps_snapshot_item(s, PS_SEC_BOOT, 0);
	const struct ps_port *port = ps_snapshot_item(s, PS_SEC_PORT, 0);
	uint64_t mbufs = 4096, per_mbuf;

	z->rx_descriptors = or_default(b->rx_descriptors, 1024);
	z->tx_descriptors = or_default(b->tx_descriptors, 1024);
	z->mbuf_size = or_default(b->mbuf_size, 2048);
	z->ring = b->workers <= 8 ? 1024 : 512;
	for (uint32_t i = 0; i < ps_snapshot_length(s, PS_SEC_PORT); i++) {
		uint32_t queues = or_default(port[i].queues, b->workers);
		uint32_t room = ps_port_buffer_size((enum ps_port_kind)port[i].kind, port[i].mtu);

		if (b->mbuf_size == 0 && room > z->mbuf_size)
			z->mbuf_size = room;

		mbufs += (uint64_t)queues * z->rx_descriptors + (uint64_t)b->workers * z->tx_descriptors;
		if (port[i].flags & PS_PORT_F_PUNT)
			mbufs += z->rx_descriptors;
	}
	/* Per worker: two caches' worth, a burst on its way, its share of the rings. */
	mbufs += (uint64_t)b->workers * (2 * POOL_CACHE + 512);
	mbufs += (uint64_t)b->workers * (b->workers - 1) * z->ring / 2;
	/* A mempool is best filled with a power of two less one. */
	for (z->mbufs = 8192; z->mbufs - 1 < mbufs && z->mbufs < (1u << 26); z->mbufs *= 2)
		;
	z->mbufs = b->mbufs != 0 ? b->mbufs : z->mbufs - 1;
	per_mbuf = sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM + z->mbuf_size + 2 * RTE_CACHE_LINE_SIZE;
	z->memory = BASE_MEMORY + per_mbuf * z->mbufs + (uint64_t)z->mbufs * 8 * 2 + b->workers * 4 * MIB +
		    (uint64_t)b->workers * b->workers * z->ring * 8 + (uint64_t)b->fragments * b->workers * 512;
	if (b->memory_mb * MIB > z->memory)
		z->memory = b->memory_mb * MIB;
}

static uint64_t
read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long v = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &v) != 1)
		v = 0;
	fclose(f);
	return v;
}

uint64_t
ps_hugepages_free(void)
{
	DIR *dir = opendir("/sys/kernel/mm/hugepages");
	const struct dirent *e;
	uint64_t bytes = 0;

	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		unsigned long long kib;
		char path[300];

		if (sscanf(e->d_name, "hugepages-%llukB", &kib) != 1)
			continue;
		snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/free_hugepages", e->d_name);
		bytes += read_number(path) * kib * 1024;
	}
	closedir(dir);
	return bytes;
}

struct args {
	int count;
	char *value[MAX_ARGS + 1]; /* EAL reorders it */
	char *own[MAX_ARGS + 1];   /* and keeps pointers: these stay reachable for life */
};

static void __attribute__((format(printf, 2, 3)))
add(struct args *a, const char *format, ...)
{
	va_list list;

	if (a->count == MAX_ARGS)
		return;
	va_start(list, format);
	if (vasprintf(&a->own[a->count], format, list) >= 0) {
		a->value[a->count] = a->own[a->count];
		a->count++;
	}
	va_end(list);
}

static void
add_words(struct args *a, const char *words)
{
	char *copy = strdup(words), *rest = NULL;

	for (char *w = copy != NULL ? strtok_r(copy, " \t\n", &rest) : NULL; w != NULL;
	     w = strtok_r(NULL, " \t\n", &rest))
		add(a, "%s", w);
	free(copy);
}

static int
choose_memory(const struct ps_boot *b, const struct ps_sizes *sizes, bool *hugepages, char *why, size_t why_size)
{
	uint64_t room = ps_hugepages_free();

	*hugepages = b->hugepages != PS_HUGEPAGES_OFF && room >= sizes->memory;
	if (*hugepages || b->hugepages == PS_HUGEPAGES_OFF)
		return 0;
	if (b->hugepages == PS_HUGEPAGES_REQUIRE) {
		snprintf(why, why_size, "hugepages are required: %llu MiB are free, %llu MiB are needed",
			 (unsigned long long)(room / MIB), (unsigned long long)(sizes->memory / MIB + 1));
		return -ENOMEM;
	}
	ps_log(PS_SAY_WARNING,
	       "hugepages: %llu MiB free, %llu MiB needed: packet buffers are in ordinary pages, which costs speed",
	       (unsigned long long)(room / MIB), (unsigned long long)(sizes->memory / MIB + 1));
	return 0;
}

int
ps_eal_start(const struct ps_snapshot *s, const struct ps_sizes *sizes, const char *lcores, bool *hugepages,
	     char *why, size_t why_size)
{
	static const struct rte_mbuf_dynfield meta = {
		.name = "penstock_meta", .size = sizeof(struct ps_meta), .align = 8};
	const struct ps_boot *b = ps_snapshot_item(s, PS_SEC_BOOT, 0);
	const struct ps_port *port = ps_snapshot_item(s, PS_SEC_PORT, 0);
	uint64_t instance = ps_digest(ps_dataplane.runtime_dir, strlen(ps_dataplane.runtime_dir), 0);
	static struct args a; /* EAL keeps pointers to the strings */
	bool pci = false;
	int rc = choose_memory(b, sizes, hugepages, why, why_size);

	if (rc != 0)
		return rc;
	add(&a, "penstock-dataplane");
	add(&a, "--lcores=%s", lcores);
	add(&a, "--main-lcore=0");
	/* Nothing of DPDK's own on disk: lives of one instance, and instances, must not meet. */
	add(&a, "--file-prefix=penstock-%08x", (uint32_t)instance);
	add(&a, "--no-telemetry");
	add(&a, "--log-level=warning");
	add(&a, "--log-level=lib.eal:error"); /* it warns of page sizes that nobody asked for */
	/* It warns of what kernels lack for flow rules, which are not used. What fails for good is told by its code. */
	add(&a, "--log-level=pmd.net.tap:critical");
	/* Peers that map our memory (memif zero-copy, vhost) get one descriptor instead of thousands. */
	add(&a, "--single-file-segments");
	if (*hugepages) {
		add(&a, "--in-memory");
		if (b->memory_mb != 0)
			add(&a, "-m%u", b->memory_mb);
	} else {
		add(&a, "--no-huge");
		add(&a, "-m%llu", (unsigned long long)(sizes->memory / MIB + 1));
	}
	for (uint32_t i = 0; i < ps_snapshot_length(s, PS_SEC_PORT); i++) {
		if (port[i].kind != PS_PORT_PCI)
			continue;
		pci = true;
		add(&a, "--allow=%s", ps_snapshot_string(s, port[i].device));
	}
	if (!pci) {
		add(&a, "--no-pci");
		add(&a, "--iova-mode=va");
	}
	add_words(&a, ps_snapshot_string(s, b->eal_options));
	if (rte_eal_init(a.count, a.value) < 0) {
		rc = rte_errno != 0 ? -rte_errno : -EINVAL;
		snprintf(why, why_size, "EAL does not start: %s", rte_strerror(-rc));
		return rc;
	}
	if (rte_mbuf_dynfield_register_offset(&meta, PS_META_OFFSET) != PS_META_OFFSET) {
		snprintf(why, why_size, "packet metadata: offset %u of the mbuf is taken", PS_META_OFFSET);
		return -EBUSY;
	}
	return 0;
}

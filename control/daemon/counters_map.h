/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dataplane's counters file, mapped read-only. Its shape is checked when it is mapped, and the checked
 * numbers are kept privately: the dataplane can write the shared ones. A restarted dataplane makes
 * another file; ps_counters_refresh notices by its inode.
 *
 * Thread: penstockd's main.
 */
#ifndef PS_DAEMON_COUNTERS_MAP_H
#define PS_DAEMON_COUNTERS_MAP_H

#include <sys/types.h>

#include "dataplane/api/counters.h"

struct ps_counters_map {
	char *path;
	const struct ps_counters *shared; /* NULL: no dataplane has run */
	size_t mapped;
	dev_t dev;
	ino_t ino;
	/* checked copies */
	uint32_t workers, ports, nodes, service_slots, endpoint_slots;
	uint64_t epoch, tsc_hz;
	const struct ps_worker_counters *worker;     /* [workers] */
	const struct ps_service_counters *service;   /* [workers][service_slots] */
	const struct ps_endpoint_counters *endpoint; /* [workers][endpoint_slots] */
};

int ps_counters_open(struct ps_counters_map *map, const char *runtime_dir);
void ps_counters_close(struct ps_counters_map *map);

/* Maps the file that is there now. Call it before each use. Returns whether there is one. */
bool ps_counters_refresh(struct ps_counters_map *map);

/* Does base (size bytes) hold counters of this ABI whose parts lie inside? 0 or -EINVAL/-EPROTO. Pure. */
int ps_counters_validate(const void *base, uint64_t size);

/* Sums over workers. Zeroes where the slot or the map does not exist. */
struct ps_service_counters ps_counters_service(const struct ps_counters_map *map, uint32_t slot);
struct ps_endpoint_counters ps_counters_endpoint(const struct ps_counters_map *map, uint32_t slot);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One flow file, mapped read-only. Its worker changes it meanwhile: a record is copied, and taken only
 * when its state was the same before and after.
 */
#ifndef PS_DAEMON_FLOWS_MAP_H
#define PS_DAEMON_FLOWS_MAP_H

#include "dataplane/api/flow.h"

struct ps_flows_map {
	const uint8_t *base; /* NULL: not mapped */
	uint64_t size;
	const uint8_t *records;
	uint32_t capacity, record_size;
	bool v6;
};

/* A flow of either family, in the words of a person. Ports in network order. */
struct ps_flow_copy {
	struct ps_flow head;
	uint8_t state;
	struct ps_addr client, vip, endpoint, local;
	uint16_t client_port, vip_port, endpoint_port, local_port;
};

/* family 4 or 6. 0; -ENOENT: no such file; -EINVAL, -EPROTO: not a flow file of this ABI. */
int ps_flows_map(struct ps_flows_map *map, const char *runtime_dir, uint32_t family, uint32_t worker);
void ps_flows_unmap(struct ps_flows_map *map);

/* Checks the header of size bytes at base. Pure. */
int ps_flows_validate(const void *base, uint64_t size, uint32_t family);

/* index < map->capacity. False: free, or changed while it was copied. */
bool ps_flow_read(const struct ps_flows_map *map, uint32_t index, struct ps_flow_copy *copy);

/* How long the flow has been silent, ms. now_ms: CLOCK_MONOTONIC. */
uint32_t ps_flow_idle_ms(const struct ps_flow_copy *copy, uint32_t now_ms);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "dataplane/net/hosts.h"

struct ps_hosts *
ps_hosts_new(const struct ps_adjacency *adjacency, uint32_t neighbours)
{
	struct ps_hosts *hosts;
	uint32_t size = 64;

	while (size < neighbours * 4u)
		size *= 2;
	hosts = calloc(1, sizeof(*hosts) + size * sizeof(hosts->slot[0]));
	if (hosts == NULL)
		return NULL;
	hosts->adjacency = adjacency;
	hosts->mask = size - 1;
	return hosts;
}

void
ps_hosts_free(struct ps_hosts *hosts)
{
	free(hosts);
}

int
ps_hosts_add(struct ps_hosts *hosts, uint16_t index)
{
	const struct ps_adjacency *a = &hosts->adjacency[index];
	uint32_t i = ps_hosts_hash(a->port, a->vlan, &a->next_hop) & hosts->mask, step;

	for (step = 0; step <= hosts->mask; step++, i = (i + 1) & hosts->mask) {
		uint16_t there = atomic_load_explicit(&hosts->slot[i], memory_order_relaxed);

		if (there != 0 && there != PS_HOSTS_GONE)
			continue;
		/* A search must find an end: one slot in two stays 0. */
		if (there == 0 && hosts->used >= hosts->mask / 2)
			return -ENOSPC;
		hosts->used += there == 0;
		/* release: pairs with the acquire in ps_hosts_find */
		atomic_store_explicit(&hosts->slot[i], index, memory_order_release);
		return 0;
	}
	return -ENOSPC;
}

void
ps_hosts_remove(struct ps_hosts *hosts, uint16_t index)
{
	const struct ps_adjacency *a = &hosts->adjacency[index];
	uint32_t i = ps_hosts_hash(a->port, a->vlan, &a->next_hop) & hosts->mask, step, before;

	for (step = 0; step <= hosts->mask; step++, i = (i + 1) & hosts->mask) {
		uint16_t there = atomic_load_explicit(&hosts->slot[i], memory_order_relaxed);

		if (there == 0)
			return;
		if (there != index)
			continue;
		atomic_store_explicit(&hosts->slot[i], PS_HOSTS_GONE, memory_order_relaxed);
		/* Nothing is behind the end of a run: its tail of gone slots is free again. */
		if (atomic_load_explicit(&hosts->slot[(i + 1) & hosts->mask], memory_order_relaxed) != 0)
			return;
		for (before = i; atomic_load_explicit(&hosts->slot[before], memory_order_relaxed) == PS_HOSTS_GONE;
		     before = (before - 1) & hosts->mask) {
			atomic_store_explicit(&hosts->slot[before], 0, memory_order_relaxed);
			hosts->used--;
		}
		return;
	}
}

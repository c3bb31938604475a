/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/compile/internal.h"
#include "dataplane/api/digest.h"

int
ps_emit_reserve(struct arena *a, uint64_t size)
{
	uint64_t capacity = a->capacity != 0 ? a->capacity : 1u << 20;
	uint8_t *bigger;

	if (size <= a->capacity)
		return 0;
	if (size > PS_SNAPSHOT_MAX_SIZE)
		return -EFBIG;
	while (capacity < size)
		capacity *= 2;
	bigger = realloc(a->bytes, capacity);
	if (bigger == NULL)
		return -ENOMEM;
	a->bytes = bigger;
	a->capacity = capacity;
	return 0;
}

void *
ps_emit_section(struct arena *a, enum ps_section_id id, uint32_t length, uint32_t item_size)
{
	uint64_t offset = a->size, bytes = ((uint64_t)length * item_size + 63) & ~63ull;

	if (a->error == 0)
		a->error = ps_emit_reserve(a, offset + bytes);
	if (a->error != 0)
		return NULL;
	memset(a->bytes + offset, 0, bytes);
	a->section[id] = (struct ps_section){.offset = offset, .length = length, .item_size = item_size};
	a->size = offset + bytes;
	return a->bytes + offset;
}

uint32_t
ps_emit_strings(struct arena *a, const char *bytes, uint32_t size)
{
	uint32_t at = a->string_size, capacity = a->string_capacity != 0 ? a->string_capacity : 65536;

	if (a->error != 0)
		return 0;
	if (at > INT32_MAX - size) {
		a->error = -EFBIG;
		return 0;
	}
	while (capacity < at + size)
		capacity *= 2;
	if (capacity != a->string_capacity) {
		char *bigger = realloc(a->string, capacity);

		if (bigger == NULL) {
			a->error = -ENOMEM;
			return 0;
		}
		a->string = bigger;
		a->string_capacity = capacity;
	}
	memcpy(a->string + at, bytes, size);
	a->string_size += size;
	return at;
}

uint32_t
ps_emit_string(struct arena *a, const char *s)
{
	return *s != '\0' ? ps_emit_strings(a, s, (uint32_t)strlen(s) + 1) : 0;
}

/*
 * What a restart depends on: BOOT and PORT with the strings they use, not the offsets of those. Sizes of the slot
 * tables and everything else in BOOT count, because they size memory.
 */
static uint64_t
boot_digest(const struct ps_model *m)
{
	uint64_t h = ps_digest(&m->boot.raw, sizeof(m->boot.raw), 0);
	const char *strings[] = {m->boot.instance_name, m->boot.eal_options, m->boot.node_name};
	uint32_t i, j;

	for (i = 0; i < 3; i++)
		h = ps_digest(strings[i], strlen(strings[i]) + 1, h);
	for (i = 0; i < m->ports; i++) {
		const char *text[] = {m->port[i].name, m->port[i].device, m->port[i].output, m->port[i].options};

		h = ps_digest(&m->port[i].raw, sizeof(m->port[i].raw), h);
		for (j = 0; j < 4; j++)
			h = ps_digest(text[j], strlen(text[j]) + 1, h);
	}
	return h;
}

void
ps_emit_dataplane(struct arena *a, const struct ps_model *m, struct emitted *out)
{
	struct ps_boot *boot = ps_emit_section(a, PS_SEC_BOOT, 1, sizeof(*boot));
	struct ps_port *port;
	struct ps_iface *iface;
	struct ps_snat_pool *pool;
	uint32_t i;
	void *p;

	out->boot_digest = boot_digest(m);
	if (a->error != 0)
		return;
	*boot = m->boot.raw;
	boot->instance_name = ps_emit_string(a, m->boot.instance_name);
	boot->eal_options = ps_emit_string(a, m->boot.eal_options);
	boot->node_name = ps_emit_string(a, m->boot.node_name);
	port = ps_emit_section(a, PS_SEC_PORT, m->ports, sizeof(*port));
	for (i = 0; a->error == 0 && i < m->ports; i++) {
		port[i] = m->port[i].raw;
		port[i].name = ps_emit_string(a, m->port[i].name);
		port[i].device = ps_emit_string(a, m->port[i].device);
		port[i].output = ps_emit_string(a, m->port[i].output);
		port[i].options = ps_emit_string(a, m->port[i].options);
	}
	iface = ps_emit_section(a, PS_SEC_IFACE, m->ifaces, sizeof(*iface));
	for (i = 0; a->error == 0 && i < m->ifaces; i++) {
		iface[i] = m->iface[i].raw;
		iface[i].name = ps_emit_string(a, m->iface[i].name);
	}
	p = ps_emit_section(a, PS_SEC_ADDRESS, m->addresses, sizeof(*m->address));
	if (p != NULL && m->addresses != 0)
		memcpy(p, m->address, m->addresses * sizeof(*m->address));
	p = ps_emit_section(a, PS_SEC_ROUTE, m->routes, sizeof(*m->route));
	if (p != NULL && m->routes != 0)
		memcpy(p, m->route, m->routes * sizeof(*m->route));
	pool = ps_emit_section(a, PS_SEC_SNAT_POOL, m->pools, sizeof(*pool));
	for (i = 0; a->error == 0 && i < m->pools; i++)
		pool[i] = (struct ps_snat_pool){.name = ps_emit_string(a, m->pool[i].name),
			.first_address = m->pool[i].first_address,
			.addresses = m->pool[i].addresses};
	p = ps_emit_section(a, PS_SEC_SNAT_ADDRESS, m->snat_addresses, sizeof(*m->snat_address));
	if (p != NULL && m->snat_addresses != 0)
		memcpy(p, m->snat_address, m->snat_addresses * sizeof(*m->snat_address));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ps_snapshot_validate: a snapshot is believed only after this. Sections are checked in the
 * order of their dependencies: directory, strings, boot, then each array whose indices point into
 * arrays that are already known to lie inside the arena.
 */
#include "dataplane/api/digest.h"
#include "dataplane/api/validate_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_CPU 4096u
#define MAX_ENDPOINT_SLOTS (1u << 24)
#define MAX_RECORDS (1u << 28)
#define MIN_MTU 68u /* RFC 791: what every IPv4 link carries */

static const struct {
	const char *name;
	uint32_t item_size;
} sections[PS_SECTIONS] = {
	[PS_SEC_STRING] = {"string", 1},
	[PS_SEC_BOOT] = {"boot", sizeof(struct ps_boot)},
	[PS_SEC_PORT] = {"port", sizeof(struct ps_port)},
	[PS_SEC_IFACE] = {"iface", sizeof(struct ps_iface)},
	[PS_SEC_ADDRESS] = {"address", sizeof(struct ps_address)},
	[PS_SEC_ROUTE] = {"route", sizeof(struct ps_route)},
	[PS_SEC_VIP] = {"vip", sizeof(struct ps_vip)},
	[PS_SEC_LISTENER] = {"listener", sizeof(struct ps_listener)},
	[PS_SEC_LISTENER_INDEX] = {"listener_index", sizeof(uint32_t)},
	[PS_SEC_SERVICE] = {"service", sizeof(struct ps_service)},
	[PS_SEC_ENDPOINT] = {"endpoint", sizeof(struct ps_endpoint)},
	[PS_SEC_RANGE] = {"range", sizeof(struct ps_range)},
	[PS_SEC_TABLE] = {"table", sizeof(struct ps_table)},
	[PS_SEC_BLOB] = {"blob", sizeof(struct ps_blob_ref)},
	[PS_SEC_SNAT_POOL] = {"snat_pool", sizeof(struct ps_snat_pool)},
	[PS_SEC_SNAT_ADDRESS] = {"snat_address", sizeof(struct ps_snat_address)},
	[PS_SEC_PROBE] = {"probe", sizeof(struct ps_probe)},
};

int
ps_check_refuse(const struct ps_check *c, int error, const char *format, ...)
{
	va_list args;

	if (c->why_size != 0) {
		va_start(args, format);
		vsnprintf(c->why, c->why_size, format, args);
		va_end(args);
	}
	return -error;
}

static int
check_header(struct ps_check *c, uint64_t mapped_size)
{
	const struct ps_snapshot *s = c->s;

	if (mapped_size > PS_SNAPSHOT_MAX_SIZE)
		return ps_check_refuse(c, EFBIG, "snapshot has %llu bytes, more than %llu", (unsigned long long)mapped_size,
			      (unsigned long long)PS_SNAPSHOT_MAX_SIZE);
	if (mapped_size < PS_SNAPSHOT_HEADER_SIZE)
		return ps_check_refuse(c, EINVAL, "snapshot has %llu bytes, less than its header",
			      (unsigned long long)mapped_size);
	if (s->magic != PS_SNAPSHOT_MAGIC)
		return ps_check_refuse(c, EINVAL, "not a snapshot: magic %016llx", (unsigned long long)s->magic);
	if (s->abi != PS_ABI)
		return ps_check_refuse(c, EPROTO, "snapshot has ABI %u, this program has %u", s->abi, PS_ABI);
	if (s->header_size != PS_SNAPSHOT_HEADER_SIZE)
		return ps_check_refuse(c, EINVAL, "header of %u bytes instead of %u", s->header_size,
			      PS_SNAPSHOT_HEADER_SIZE);
	if (s->size != mapped_size)
		return ps_check_refuse(c, EINVAL, "header says %llu bytes, file has %llu", (unsigned long long)s->size,
			      (unsigned long long)mapped_size);
	if (s->generation == 0)
		return ps_check_refuse(c, EINVAL, "generation 0");
	if (s->sections != PS_SECTIONS)
		return ps_check_refuse(c, EINVAL, "%u sections instead of %u", s->sections, PS_SECTIONS);
	if (ps_digest((const uint8_t *)s + PS_SNAPSHOT_HEADER_SIZE, mapped_size - PS_SNAPSHOT_HEADER_SIZE,
		      s->generation) != s->digest)
		return ps_check_refuse(c, EINVAL, "digest differs from content");
	return 0;
}

static int
check_directory(struct ps_check *c)
{
	const struct ps_snapshot *s = c->s;

	for (uint32_t i = 0; i < PS_SECTIONS; i++) {
		const struct ps_section *sec = &s->section[i];
		uint64_t bytes = (uint64_t)sec->length * sections[i].item_size;

		if (sec->item_size != sections[i].item_size)
			return ps_check_refuse(c, EINVAL, "section %s: items of %u bytes instead of %u", sections[i].name,
				      sec->item_size, sections[i].item_size);
		if (sec->offset % 64 != 0)
			return ps_check_refuse(c, EINVAL, "section %s: offset %llu is not a multiple of 64",
				      sections[i].name, (unsigned long long)sec->offset);
		if (sec->offset < PS_SNAPSHOT_HEADER_SIZE || sec->offset > s->size ||
		    bytes > s->size - sec->offset)
			return ps_check_refuse(c, EINVAL, "section %s: %llu bytes at %llu leave the snapshot",
				      sections[i].name, (unsigned long long)bytes,
				      (unsigned long long)sec->offset);
		for (uint32_t j = 0; j < i; j++) {
			const struct ps_section *other = &s->section[j];
			uint64_t other_bytes = (uint64_t)other->length * other->item_size;

			if (bytes != 0 && other_bytes != 0 && sec->offset < other->offset + other_bytes &&
			    other->offset < sec->offset + bytes)
				return ps_check_refuse(c, EINVAL, "sections %s and %s overlap", sections[j].name,
					      sections[i].name);
		}
		c->length[i] = sec->length;
	}
	if (c->length[PS_SEC_BOOT] != 1)
		return ps_check_refuse(c, EINVAL, "%u boot records instead of 1", c->length[PS_SEC_BOOT]);
	if (c->length[PS_SEC_PORT] > PS_MAX_PORTS)
		return ps_check_refuse(c, EINVAL, "%u ports, more than %u", c->length[PS_SEC_PORT], PS_MAX_PORTS);
	if (c->length[PS_SEC_IFACE] > PS_MAX_IFACES)
		return ps_check_refuse(c, EINVAL, "%u interfaces, more than %u", c->length[PS_SEC_IFACE], PS_MAX_IFACES);
	c->string = PS_CHECK_ITEMS(c, PS_SEC_STRING);
	if (c->length[PS_SEC_STRING] == 0 || c->string[0] != '\0' ||
	    c->string[c->length[PS_SEC_STRING] - 1] != '\0')
		return ps_check_refuse(c, EINVAL, "strings do not begin and end with NUL");
	return 0;
}

static int
check_boot(const struct ps_check *c)
{
	const struct ps_boot *b = PS_CHECK_ITEMS(c, PS_SEC_BOOT);
	const struct {
		const char *name;
		uint32_t value, max;
	} limit[] = {
		{"hugepages", b->hugepages, PS_HUGEPAGES_OFF},
		{"idle", b->idle, PS_IDLE_ADAPTIVE},
		{"memory_mb", b->memory_mb, 1u << 24},
		{"mbufs", b->mbufs, 1u << 27},
		{"mbuf_size", b->mbuf_size, 65535 - 256},
		{"rx_descriptors", b->rx_descriptors, 32768},
		{"tx_descriptors", b->tx_descriptors, 32768},
		{"flows_v4", b->flows_v4, MAX_RECORDS},
		{"flows_v6", b->flows_v6, MAX_RECORDS},
		{"fragments", b->fragments, 1u << 20},
		{"neighbours", b->neighbours, 1u << 16},
		{"routes", b->routes, 1u << 24},
		{"affinity", b->affinity, MAX_RECORDS},
		{"service_slots", b->service_slots, PS_CHECK_SERVICE_SLOTS},
		{"endpoint_slots", b->endpoint_slots, MAX_ENDPOINT_SLOTS},
		{"snat_groups", b->snat_groups, 65536},
	};

	if (b->workers < 1 || b->workers > PS_MAX_WORKERS)
		return ps_check_refuse(c, EINVAL, "boot: %u workers, not in 1..%u", b->workers, PS_MAX_WORKERS);
	if (b->main_cpu != PS_NONE && b->main_cpu >= MAX_CPU)
		return ps_check_refuse(c, EINVAL, "boot: main_cpu %u beyond %u", b->main_cpu, MAX_CPU - 1);
	for (uint32_t i = 0; i < b->workers; i++)
		if (b->worker_cpu[i] != PS_NONE && b->worker_cpu[i] >= MAX_CPU)
			return ps_check_refuse(c, EINVAL, "boot: worker %u: cpu %u beyond %u", i, b->worker_cpu[i],
				      MAX_CPU - 1);
	for (size_t i = 0; i < sizeof(limit) / sizeof(limit[0]); i++)
		if (limit[i].value > limit[i].max)
			return ps_check_refuse(c, EINVAL, "boot: %s %u beyond %u", limit[i].name, limit[i].value,
				      limit[i].max);
	if (!ps_check_string(c, b->instance_name) || !ps_check_string(c, b->eal_options) ||
	    !ps_check_string(c, b->node_name))
		return ps_check_refuse(c, EINVAL, "boot: string outside the string section");
	if (c->s->max_service_slot > b->service_slots)
		return ps_check_refuse(c, EINVAL, "boot: service slots up to %u, but room for %u", c->s->max_service_slot,
			      b->service_slots);
	if (c->s->max_endpoint_slot > b->endpoint_slots)
		return ps_check_refuse(c, EINVAL, "boot: endpoint slots up to %u, but room for %u",
			      c->s->max_endpoint_slot, b->endpoint_slots);
	return 0;
}

static int
check_ports(const struct ps_check *c)
{
	const uint32_t known = PS_PORT_F_PROMISCUOUS | PS_PORT_F_MEMIF_SERVER | PS_PORT_F_ZERO_COPY |
			       PS_PORT_F_PUNT | PS_PORT_F_TRUST_CHECKSUM | PS_PORT_F_REPLAY_LOOP;
	const struct ps_port *port = PS_CHECK_ITEMS(c, PS_SEC_PORT);

	for (uint32_t i = 0; i < c->length[PS_SEC_PORT]; i++) {
		const struct ps_port *p = &port[i];

		if (!ps_check_string(c, p->name) || !ps_check_string(c, p->device) || !ps_check_string(c, p->output) ||
		    !ps_check_string(c, p->options))
			return ps_check_refuse(c, EINVAL, "port %u: string outside the string section", i);
		if (c->string[p->name] == '\0')
			return ps_check_refuse(c, EINVAL, "port %u: no name", i);
		if (p->kind >= PS_PORT_KINDS)
			return ps_check_refuse(c, EINVAL, "port %u: unknown kind %u", i, p->kind);
		if (p->queues > 1024)
			return ps_check_refuse(c, EINVAL, "port %u: %u queues", i, p->queues);
		if (p->flags & ~known)
			return ps_check_refuse(c, EINVAL, "port %u: unknown flags %x", i, p->flags & ~known);
		if (p->mtu < MIN_MTU || p->mtu > UINT16_MAX)
			return ps_check_refuse(c, EINVAL, "port %u: MTU %u", i, p->mtu);
		if (p->mac[0] & 1)
			return ps_check_refuse(c, EINVAL, "port %u: its MAC is a group address", i);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(c->string + p->name, c->string + port[j].name) == 0)
				return ps_check_refuse(c, EINVAL, "port %u: has the name of port %u", i, j);
	}
	return 0;
}

static int
check_ifaces(const struct ps_check *c)
{
	const struct ps_iface *iface = PS_CHECK_ITEMS(c, PS_SEC_IFACE);
	const struct ps_port *port = PS_CHECK_ITEMS(c, PS_SEC_PORT);

	for (uint32_t i = 0; i < c->length[PS_SEC_IFACE]; i++) {
		const struct ps_iface *f = &iface[i];

		if (!ps_check_string(c, f->name))
			return ps_check_refuse(c, EINVAL, "iface %u: string outside the string section", i);
		if (f->port >= c->length[PS_SEC_PORT])
			return ps_check_refuse(c, EINVAL, "iface %u: port %u beyond %u", i, f->port,
				      c->length[PS_SEC_PORT]);
		if (f->vlan > 4094)
			return ps_check_refuse(c, EINVAL, "iface %u: VLAN %u beyond 4094", i, f->vlan);
		if (f->mtu < MIN_MTU || f->mtu > port[f->port].mtu)
			return ps_check_refuse(c, EINVAL, "iface %u: MTU %u, not in %u..%u", i, f->mtu, MIN_MTU,
				      port[f->port].mtu);
		for (uint32_t j = 0; j < i; j++)
			if (iface[j].port == f->port && iface[j].vlan == f->vlan)
				return ps_check_refuse(c, EINVAL, "iface %u: same port and VLAN as iface %u", i, j);
	}
	return 0;
}

static int
check_addresses(const struct ps_check *c)
{
	const struct ps_address *address = PS_CHECK_ITEMS(c, PS_SEC_ADDRESS);
	const struct ps_vip *vip = PS_CHECK_ITEMS(c, PS_SEC_VIP);

	for (uint32_t i = 0; i < c->length[PS_SEC_ADDRESS]; i++) {
		const struct ps_address *a = &address[i];

		if (a->iface >= c->length[PS_SEC_IFACE])
			return ps_check_refuse(c, EINVAL, "address %u: iface %u beyond %u", i, a->iface,
				      c->length[PS_SEC_IFACE]);
		if (a->prefix_length > (ps_addr_is_v4(&a->addr) ? 32 : 128))
			return ps_check_refuse(c, EINVAL, "address %u: prefix length %u", i, a->prefix_length);
		if (ps_check_addr_zero(&a->addr))
			return ps_check_refuse(c, EINVAL, "address %u: unspecified", i);
	}
	for (uint32_t i = 0; i < c->length[PS_SEC_VIP]; i++) {
		if (vip[i].flags & ~(PS_VIP_F_ANNOUNCE | PS_VIP_F_PING))
			return ps_check_refuse(c, EINVAL, "vip %u: unknown flags %x", i, vip[i].flags);
		if (ps_check_addr_zero(&vip[i].addr))
			return ps_check_refuse(c, EINVAL, "vip %u: unspecified", i);
	}
	return 0;
}

/* Are all bits from `bit` on zero? */
static bool
host_bits_zero(const struct ps_addr *a, uint32_t bit)
{
	if (bit % 8 != 0 && (a->b[bit / 8] & (0xffu >> (bit % 8))) != 0)
		return false;
	for (uint32_t byte = (bit + 7) / 8; byte < 16; byte++)
		if (a->b[byte] != 0)
			return false;
	return true;
}

static int
check_routes(const struct ps_check *c)
{
	const struct ps_route *route = PS_CHECK_ITEMS(c, PS_SEC_ROUTE);

	for (uint32_t i = 0; i < c->length[PS_SEC_ROUTE]; i++) {
		const struct ps_route *r = &route[i];
		bool v4 = ps_addr_is_v4(&r->prefix);

		if (r->prefix_length > (v4 ? 32 : 128))
			return ps_check_refuse(c, EINVAL, "route %u: prefix length %u", i, r->prefix_length);
		if (!host_bits_zero(&r->prefix, r->prefix_length + (v4 ? 96u : 0u)))
			return ps_check_refuse(c, EINVAL, "route %u: bits beyond the prefix length", i);
		if (r->iface != PS_NONE && r->iface >= c->length[PS_SEC_IFACE])
			return ps_check_refuse(c, EINVAL, "route %u: iface %u beyond %u", i, r->iface,
				      c->length[PS_SEC_IFACE]);
		if (ps_check_addr_zero(&r->via)) {
			if (r->iface == PS_NONE)
				return ps_check_refuse(c, EINVAL, "route %u: neither next hop nor interface", i);
		} else if (ps_addr_is_v4(&r->via) != v4) {
			return ps_check_refuse(c, EINVAL, "route %u: next hop of the other family", i);
		}
	}
	return 0;
}

static int
check_blobs(const struct ps_check *c, uint32_t blobs)
{
	const struct ps_blob_ref *ref = PS_CHECK_ITEMS(c, PS_SEC_BLOB);

	if (c->length[PS_SEC_BLOB] != blobs)
		return ps_check_refuse(c, EINVAL, "%u blobs listed, %u given", c->length[PS_SEC_BLOB], blobs);
	for (uint32_t i = 0; i < blobs; i++) {
		const struct ps_blob *b = c->blob[i];

		if (c->blob_size[i] < sizeof(*b) || ref[i].size != c->blob_size[i])
			return ps_check_refuse(c, EINVAL, "blob %u: %llu bytes listed, %llu given", i,
				      (unsigned long long)ref[i].size, (unsigned long long)c->blob_size[i]);
		if (b->magic != PS_BLOB_MAGIC || b->digest != ref[i].digest)
			return ps_check_refuse(c, EINVAL, "blob %u: is not the one listed", i);
	}
	return 0;
}

static int
check_snat(const struct ps_check *c)
{
	const struct ps_snat_pool *pool = PS_CHECK_ITEMS(c, PS_SEC_SNAT_POOL);
	const struct ps_snat_address *address = PS_CHECK_ITEMS(c, PS_SEC_SNAT_ADDRESS);
	uint32_t owner[PS_MAX_SNAT_ADDRESSES];

	memset(owner, 0xff, sizeof(owner));
	for (uint32_t i = 0; i < c->length[PS_SEC_SNAT_ADDRESS]; i++) {
		const struct ps_snat_address *a = &address[i];

		if (a->port_first == 0 || a->port_first > a->port_last)
			return ps_check_refuse(c, EINVAL, "snat address %u: ports %u-%u", i, a->port_first, a->port_last);
		if (a->slot >= PS_MAX_SNAT_ADDRESSES)
			return ps_check_refuse(c, EINVAL, "snat address %u: slot %u beyond %u", i, a->slot,
				      PS_MAX_SNAT_ADDRESSES);
		if (ps_check_addr_zero(&a->addr))
			return ps_check_refuse(c, EINVAL, "snat address %u: unspecified", i);
		if (owner[a->slot] != PS_NONE && !ps_addr_equal(&address[owner[a->slot]].addr, &a->addr))
			return ps_check_refuse(c, EINVAL, "snat address %u: slot %u has another address already", i,
				      a->slot);
		owner[a->slot] = i;
	}
	for (uint32_t i = 0; i < c->length[PS_SEC_SNAT_POOL]; i++) {
		if (!ps_check_string(c, pool[i].name))
			return ps_check_refuse(c, EINVAL, "snat pool %u: string outside the string section", i);
		if (!ps_check_run(pool[i].first_address, pool[i].addresses, c->length[PS_SEC_SNAT_ADDRESS]))
			return ps_check_refuse(c, EINVAL, "snat pool %u: addresses %u+%u beyond %u", i,
				      pool[i].first_address, pool[i].addresses,
				      c->length[PS_SEC_SNAT_ADDRESS]);
	}
	return 0;
}

static int
check_probes(const struct ps_check *c)
{
	const struct ps_probe *probe = PS_CHECK_ITEMS(c, PS_SEC_PROBE);

	for (uint32_t i = 0; i < c->length[PS_SEC_PROBE]; i++) {
		const struct ps_probe *p = &probe[i];

		if (p->kind > PS_PROBE_UDP)
			return ps_check_refuse(c, EINVAL, "probe %u: unknown kind %u", i, p->kind);
		if (p->kind == PS_PROBE_NONE)
			continue;
		if (p->rise == 0 || p->fall == 0)
			return ps_check_refuse(c, EINVAL, "probe %u: rise %u, fall %u", i, p->rise, p->fall);
		if (p->jitter > 50)
			return ps_check_refuse(c, EINVAL, "probe %u: jitter of %u percent", i, p->jitter);
		if (p->timeout_ms == 0 || p->timeout_ms >= p->interval_ms)
			return ps_check_refuse(c, EINVAL, "probe %u: timeout of %u ms, interval of %u ms", i,
				      p->timeout_ms, p->interval_ms);
	}
	return 0;
}

int
ps_snapshot_validate(const void *snapshot, uint64_t mapped_size, const void *const *blob,
		     const uint64_t *blob_size, uint32_t blobs, char *why, size_t why_size)
{
	static int (*const checks[])(const struct ps_check *) = {
		check_boot, check_ports, check_ifaces, check_addresses, check_routes, check_snat, check_probes,
		ps_check_balancing,
	};
	struct ps_check c = {
		.s = snapshot, .blob = blob, .blob_size = blob_size, .why = why, .why_size = why_size};
	int rc;

	rc = check_header(&c, mapped_size);
	if (rc == 0)
		rc = check_directory(&c);
	if (rc == 0)
		rc = check_blobs(&c, blobs);
	for (size_t i = 0; rc == 0 && i < sizeof(checks) / sizeof(checks[0]); i++)
		rc = checks[i](&c);
	return rc;
}

int
ps_blob_validate(const void *blob, uint64_t mapped_size, char *why, size_t why_size)
{
	const struct ps_blob *b = blob;
	const struct ps_check c = {.why = why, .why_size = why_size};

	if (mapped_size > PS_SNAPSHOT_MAX_SIZE)
		return ps_check_refuse(&c, EFBIG, "blob has %llu bytes", (unsigned long long)mapped_size);
	if (mapped_size < sizeof(*b))
		return ps_check_refuse(&c, EINVAL, "blob has %llu bytes, less than its header",
			      (unsigned long long)mapped_size);
	if (b->magic != PS_BLOB_MAGIC)
		return ps_check_refuse(&c, EINVAL, "not a blob: magic %016llx", (unsigned long long)b->magic);
	if (b->abi != PS_ABI)
		return ps_check_refuse(&c, EPROTO, "blob has ABI %u, this program has %u", b->abi, PS_ABI);
	if (b->size != mapped_size)
		return ps_check_refuse(&c, EINVAL, "blob says %llu bytes, file has %llu", (unsigned long long)b->size,
			      (unsigned long long)mapped_size);
	if (ps_digest((const uint8_t *)blob + sizeof(*b), mapped_size - sizeof(*b), 0) != b->digest)
		return ps_check_refuse(&c, EINVAL, "blob: digest differs from content");
	return 0;
}

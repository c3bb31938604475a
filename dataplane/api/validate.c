/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ps_snapshot_validate: a snapshot is believed only after this. Sections are checked in the
 * order of their dependencies: directory, strings, boot, then each array whose indices point into
 * arrays that are already known to lie inside the arena.
 */
#include "dataplane/api/digest.h"
#include "dataplane/api/snapshot.h"
#include "policies/listener/lookup.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_CPU 4096u
#define MAX_SERVICE_SLOTS (1u << 20)
#define MAX_ENDPOINT_SLOTS (1u << 24)
#define MAX_RECORDS (1u << 28)
#define MIN_MTU 68u /* RFC 791: what every IPv4 link carries */

struct check {
	const struct ps_snapshot *s;
	const char *string;
	uint32_t length[PS_SECTIONS];
	const void *const *blob;
	const uint64_t *blob_size;
	char *why;
	size_t why_size;
};

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

static int __attribute__((format(printf, 3, 4), cold))
refuse(const struct check *c, int error, const char *format, ...)
{
	va_list args;

	if (c->why_size != 0) {
		va_start(args, format);
		vsnprintf(c->why, c->why_size, format, args);
		va_end(args);
	}
	return -error;
}

#define ITEMS(c, section) ps_snapshot_item((c)->s, (section), 0)

/* A run [first, first + count) inside length items? */
static bool
run_fits(uint32_t first, uint32_t count, uint32_t length)
{
	return first <= length && count <= length - first;
}

static bool
string_ok(const struct check *c, uint32_t offset)
{
	return offset < c->length[PS_SEC_STRING];
}

static bool
addr_is_zero(const struct ps_addr *a)
{
	static const struct ps_addr zero;

	return ps_addr_equal(a, &zero);
}

static int
check_header(struct check *c, uint64_t mapped_size)
{
	const struct ps_snapshot *s = c->s;

	if (mapped_size > PS_SNAPSHOT_MAX_SIZE)
		return refuse(c, EFBIG, "snapshot has %llu bytes, more than %llu", (unsigned long long)mapped_size,
			      (unsigned long long)PS_SNAPSHOT_MAX_SIZE);
	if (mapped_size < PS_SNAPSHOT_HEADER_SIZE)
		return refuse(c, EINVAL, "snapshot has %llu bytes, less than its header",
			      (unsigned long long)mapped_size);
	if (s->magic != PS_SNAPSHOT_MAGIC)
		return refuse(c, EINVAL, "not a snapshot: magic %016llx", (unsigned long long)s->magic);
	if (s->abi != PS_ABI)
		return refuse(c, EPROTO, "snapshot has ABI %u, this program has %u", s->abi, PS_ABI);
	if (s->header_size != PS_SNAPSHOT_HEADER_SIZE)
		return refuse(c, EINVAL, "header of %u bytes instead of %u", s->header_size,
			      PS_SNAPSHOT_HEADER_SIZE);
	if (s->size != mapped_size)
		return refuse(c, EINVAL, "header says %llu bytes, file has %llu", (unsigned long long)s->size,
			      (unsigned long long)mapped_size);
	if (s->generation == 0)
		return refuse(c, EINVAL, "generation 0");
	if (s->sections != PS_SECTIONS)
		return refuse(c, EINVAL, "%u sections instead of %u", s->sections, PS_SECTIONS);
	if (ps_digest((const uint8_t *)s + PS_SNAPSHOT_HEADER_SIZE, mapped_size - PS_SNAPSHOT_HEADER_SIZE,
		      s->generation) != s->digest)
		return refuse(c, EINVAL, "digest differs from content");
	return 0;
}

static int
check_directory(struct check *c)
{
	const struct ps_snapshot *s = c->s;

	for (uint32_t i = 0; i < PS_SECTIONS; i++) {
		const struct ps_section *sec = &s->section[i];
		uint64_t bytes = (uint64_t)sec->length * sections[i].item_size;

		if (sec->item_size != sections[i].item_size)
			return refuse(c, EINVAL, "section %s: items of %u bytes instead of %u", sections[i].name,
				      sec->item_size, sections[i].item_size);
		if (sec->offset % 64 != 0)
			return refuse(c, EINVAL, "section %s: offset %llu is not a multiple of 64",
				      sections[i].name, (unsigned long long)sec->offset);
		if (sec->offset < PS_SNAPSHOT_HEADER_SIZE || sec->offset > s->size ||
		    bytes > s->size - sec->offset)
			return refuse(c, EINVAL, "section %s: %llu bytes at %llu leave the snapshot",
				      sections[i].name, (unsigned long long)bytes,
				      (unsigned long long)sec->offset);
		for (uint32_t j = 0; j < i; j++) {
			const struct ps_section *other = &s->section[j];
			uint64_t other_bytes = (uint64_t)other->length * other->item_size;

			if (bytes != 0 && other_bytes != 0 && sec->offset < other->offset + other_bytes &&
			    other->offset < sec->offset + bytes)
				return refuse(c, EINVAL, "sections %s and %s overlap", sections[j].name,
					      sections[i].name);
		}
		c->length[i] = sec->length;
	}
	if (c->length[PS_SEC_BOOT] != 1)
		return refuse(c, EINVAL, "%u boot records instead of 1", c->length[PS_SEC_BOOT]);
	if (c->length[PS_SEC_PORT] > PS_MAX_PORTS)
		return refuse(c, EINVAL, "%u ports, more than %u", c->length[PS_SEC_PORT], PS_MAX_PORTS);
	if (c->length[PS_SEC_IFACE] > PS_MAX_IFACES)
		return refuse(c, EINVAL, "%u interfaces, more than %u", c->length[PS_SEC_IFACE], PS_MAX_IFACES);
	c->string = ITEMS(c, PS_SEC_STRING);
	if (c->length[PS_SEC_STRING] == 0 || c->string[0] != '\0' ||
	    c->string[c->length[PS_SEC_STRING] - 1] != '\0')
		return refuse(c, EINVAL, "strings do not begin and end with NUL");
	return 0;
}

static int
check_boot(const struct check *c)
{
	const struct ps_boot *b = ITEMS(c, PS_SEC_BOOT);
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
		{"service_slots", b->service_slots, MAX_SERVICE_SLOTS},
		{"endpoint_slots", b->endpoint_slots, MAX_ENDPOINT_SLOTS},
		{"snat_groups", b->snat_groups, 65536},
	};

	if (b->workers < 1 || b->workers > PS_MAX_WORKERS)
		return refuse(c, EINVAL, "boot: %u workers, not in 1..%u", b->workers, PS_MAX_WORKERS);
	if (b->main_cpu != PS_NONE && b->main_cpu >= MAX_CPU)
		return refuse(c, EINVAL, "boot: main_cpu %u beyond %u", b->main_cpu, MAX_CPU - 1);
	for (uint32_t i = 0; i < b->workers; i++)
		if (b->worker_cpu[i] != PS_NONE && b->worker_cpu[i] >= MAX_CPU)
			return refuse(c, EINVAL, "boot: worker %u: cpu %u beyond %u", i, b->worker_cpu[i],
				      MAX_CPU - 1);
	for (size_t i = 0; i < sizeof(limit) / sizeof(limit[0]); i++)
		if (limit[i].value > limit[i].max)
			return refuse(c, EINVAL, "boot: %s %u beyond %u", limit[i].name, limit[i].value,
				      limit[i].max);
	if (!string_ok(c, b->instance_name) || !string_ok(c, b->eal_options) || !string_ok(c, b->node_name))
		return refuse(c, EINVAL, "boot: string outside the string section");
	if (c->s->max_service_slot > b->service_slots)
		return refuse(c, EINVAL, "boot: service slots up to %u, but room for %u", c->s->max_service_slot,
			      b->service_slots);
	if (c->s->max_endpoint_slot > b->endpoint_slots)
		return refuse(c, EINVAL, "boot: endpoint slots up to %u, but room for %u",
			      c->s->max_endpoint_slot, b->endpoint_slots);
	return 0;
}

static int
check_ports(const struct check *c)
{
	const uint32_t known = PS_PORT_F_PROMISCUOUS | PS_PORT_F_MEMIF_SERVER | PS_PORT_F_ZERO_COPY |
			       PS_PORT_F_PUNT | PS_PORT_F_TRUST_CHECKSUM | PS_PORT_F_REPLAY_LOOP;
	const struct ps_port *port = ITEMS(c, PS_SEC_PORT);

	for (uint32_t i = 0; i < c->length[PS_SEC_PORT]; i++) {
		const struct ps_port *p = &port[i];

		if (!string_ok(c, p->name) || !string_ok(c, p->device) || !string_ok(c, p->output) ||
		    !string_ok(c, p->options))
			return refuse(c, EINVAL, "port %u: string outside the string section", i);
		if (c->string[p->name] == '\0')
			return refuse(c, EINVAL, "port %u: no name", i);
		if (p->kind >= PS_PORT_KINDS)
			return refuse(c, EINVAL, "port %u: unknown kind %u", i, p->kind);
		if (p->queues > 1024)
			return refuse(c, EINVAL, "port %u: %u queues", i, p->queues);
		if (p->flags & ~known)
			return refuse(c, EINVAL, "port %u: unknown flags %x", i, p->flags & ~known);
		if (p->mtu < MIN_MTU || p->mtu > UINT16_MAX)
			return refuse(c, EINVAL, "port %u: MTU %u", i, p->mtu);
		if (p->mac[0] & 1)
			return refuse(c, EINVAL, "port %u: its MAC is a group address", i);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(c->string + p->name, c->string + port[j].name) == 0)
				return refuse(c, EINVAL, "port %u: has the name of port %u", i, j);
	}
	return 0;
}

static int
check_ifaces(const struct check *c)
{
	const struct ps_iface *iface = ITEMS(c, PS_SEC_IFACE);
	const struct ps_port *port = ITEMS(c, PS_SEC_PORT);

	for (uint32_t i = 0; i < c->length[PS_SEC_IFACE]; i++) {
		const struct ps_iface *f = &iface[i];

		if (!string_ok(c, f->name))
			return refuse(c, EINVAL, "iface %u: string outside the string section", i);
		if (f->port >= c->length[PS_SEC_PORT])
			return refuse(c, EINVAL, "iface %u: port %u beyond %u", i, f->port,
				      c->length[PS_SEC_PORT]);
		if (f->vlan > 4094)
			return refuse(c, EINVAL, "iface %u: VLAN %u beyond 4094", i, f->vlan);
		if (f->mtu < MIN_MTU || f->mtu > port[f->port].mtu)
			return refuse(c, EINVAL, "iface %u: MTU %u, not in %u..%u", i, f->mtu, MIN_MTU,
				      port[f->port].mtu);
		for (uint32_t j = 0; j < i; j++)
			if (iface[j].port == f->port && iface[j].vlan == f->vlan)
				return refuse(c, EINVAL, "iface %u: same port and VLAN as iface %u", i, j);
	}
	return 0;
}

static int
check_addresses(const struct check *c)
{
	const struct ps_address *address = ITEMS(c, PS_SEC_ADDRESS);
	const struct ps_vip *vip = ITEMS(c, PS_SEC_VIP);

	for (uint32_t i = 0; i < c->length[PS_SEC_ADDRESS]; i++) {
		const struct ps_address *a = &address[i];

		if (a->iface >= c->length[PS_SEC_IFACE])
			return refuse(c, EINVAL, "address %u: iface %u beyond %u", i, a->iface,
				      c->length[PS_SEC_IFACE]);
		if (a->prefix_length > (ps_addr_is_v4(&a->addr) ? 32 : 128))
			return refuse(c, EINVAL, "address %u: prefix length %u", i, a->prefix_length);
		if (addr_is_zero(&a->addr))
			return refuse(c, EINVAL, "address %u: unspecified", i);
	}
	for (uint32_t i = 0; i < c->length[PS_SEC_VIP]; i++) {
		if (vip[i].flags & ~(PS_VIP_F_ANNOUNCE | PS_VIP_F_PING))
			return refuse(c, EINVAL, "vip %u: unknown flags %x", i, vip[i].flags);
		if (addr_is_zero(&vip[i].addr))
			return refuse(c, EINVAL, "vip %u: unspecified", i);
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
check_routes(const struct check *c)
{
	const struct ps_route *route = ITEMS(c, PS_SEC_ROUTE);

	for (uint32_t i = 0; i < c->length[PS_SEC_ROUTE]; i++) {
		const struct ps_route *r = &route[i];
		bool v4 = ps_addr_is_v4(&r->prefix);

		if (r->prefix_length > (v4 ? 32 : 128))
			return refuse(c, EINVAL, "route %u: prefix length %u", i, r->prefix_length);
		if (!host_bits_zero(&r->prefix, r->prefix_length + (v4 ? 96u : 0u)))
			return refuse(c, EINVAL, "route %u: bits beyond the prefix length", i);
		if (r->iface != PS_NONE && r->iface >= c->length[PS_SEC_IFACE])
			return refuse(c, EINVAL, "route %u: iface %u beyond %u", i, r->iface,
				      c->length[PS_SEC_IFACE]);
		if (addr_is_zero(&r->via)) {
			if (r->iface == PS_NONE)
				return refuse(c, EINVAL, "route %u: neither next hop nor interface", i);
		} else if (ps_addr_is_v4(&r->via) != v4) {
			return refuse(c, EINVAL, "route %u: next hop of the other family", i);
		}
	}
	return 0;
}

static int
check_blobs(const struct check *c, uint32_t blobs)
{
	const struct ps_blob_ref *ref = ITEMS(c, PS_SEC_BLOB);

	if (c->length[PS_SEC_BLOB] != blobs)
		return refuse(c, EINVAL, "%u blobs listed, %u given", c->length[PS_SEC_BLOB], blobs);
	for (uint32_t i = 0; i < blobs; i++) {
		const struct ps_blob *b = c->blob[i];

		if (c->blob_size[i] < sizeof(*b) || ref[i].size != c->blob_size[i])
			return refuse(c, EINVAL, "blob %u: %llu bytes listed, %llu given", i,
				      (unsigned long long)ref[i].size, (unsigned long long)c->blob_size[i]);
		if (b->magic != PS_BLOB_MAGIC || b->digest != ref[i].digest)
			return refuse(c, EINVAL, "blob %u: is not the one listed", i);
	}
	return 0;
}

static int
check_tables(const struct check *c)
{
	const struct ps_table *table = ITEMS(c, PS_SEC_TABLE);

	for (uint32_t i = 0; i < c->length[PS_SEC_TABLE]; i++) {
		const struct ps_table *t = &table[i];
		uint64_t bytes = (uint64_t)t->size * sizeof(uint16_t), room;

		if (t->blob >= c->length[PS_SEC_BLOB])
			return refuse(c, EINVAL, "table %u: blob %u beyond %u", i, t->blob, c->length[PS_SEC_BLOB]);
		room = c->blob_size[t->blob];
		if (t->offset % 64 != 0 || t->offset < sizeof(struct ps_blob) || t->offset > room ||
		    bytes > room - t->offset)
			return refuse(c, EINVAL, "table %u: %u entries at %llu leave blob %u of %llu bytes", i,
				      t->size, (unsigned long long)t->offset, t->blob, (unsigned long long)room);
		if (t->endpoints == 0 || t->endpoints > UINT16_MAX || t->size < t->endpoints)
			return refuse(c, EINVAL, "table %u: %u entries for %u endpoints", i, t->size,
				      t->endpoints);
	}
	return 0;
}

static int
check_snat(const struct check *c)
{
	const struct ps_snat_pool *pool = ITEMS(c, PS_SEC_SNAT_POOL);
	const struct ps_snat_address *address = ITEMS(c, PS_SEC_SNAT_ADDRESS);
	uint32_t owner[PS_MAX_SNAT_ADDRESSES];

	memset(owner, 0xff, sizeof(owner));
	for (uint32_t i = 0; i < c->length[PS_SEC_SNAT_ADDRESS]; i++) {
		const struct ps_snat_address *a = &address[i];

		if (a->port_first == 0 || a->port_first > a->port_last)
			return refuse(c, EINVAL, "snat address %u: ports %u-%u", i, a->port_first, a->port_last);
		if (a->slot >= PS_MAX_SNAT_ADDRESSES)
			return refuse(c, EINVAL, "snat address %u: slot %u beyond %u", i, a->slot,
				      PS_MAX_SNAT_ADDRESSES);
		if (addr_is_zero(&a->addr))
			return refuse(c, EINVAL, "snat address %u: unspecified", i);
		if (owner[a->slot] != PS_NONE && !ps_addr_equal(&address[owner[a->slot]].addr, &a->addr))
			return refuse(c, EINVAL, "snat address %u: slot %u has another address already", i,
				      a->slot);
		owner[a->slot] = i;
	}
	for (uint32_t i = 0; i < c->length[PS_SEC_SNAT_POOL]; i++) {
		if (!string_ok(c, pool[i].name))
			return refuse(c, EINVAL, "snat pool %u: string outside the string section", i);
		if (!run_fits(pool[i].first_address, pool[i].addresses, c->length[PS_SEC_SNAT_ADDRESS]))
			return refuse(c, EINVAL, "snat pool %u: addresses %u+%u beyond %u", i,
				      pool[i].first_address, pool[i].addresses,
				      c->length[PS_SEC_SNAT_ADDRESS]);
	}
	return 0;
}

static int
check_probes(const struct check *c)
{
	const struct ps_probe *probe = ITEMS(c, PS_SEC_PROBE);

	for (uint32_t i = 0; i < c->length[PS_SEC_PROBE]; i++) {
		const struct ps_probe *p = &probe[i];

		if (p->kind > PS_PROBE_UDP)
			return refuse(c, EINVAL, "probe %u: unknown kind %u", i, p->kind);
		if (p->kind == PS_PROBE_NONE)
			continue;
		if (p->rise == 0 || p->fall == 0)
			return refuse(c, EINVAL, "probe %u: rise %u, fall %u", i, p->rise, p->fall);
		if (p->jitter > 50)
			return refuse(c, EINVAL, "probe %u: jitter of %u percent", i, p->jitter);
		if (p->timeout_ms == 0 || p->timeout_ms >= p->interval_ms)
			return refuse(c, EINVAL, "probe %u: timeout of %u ms, interval of %u ms", i,
				      p->timeout_ms, p->interval_ms);
	}
	return 0;
}

static int
check_endpoints(const struct check *c)
{
	const struct ps_endpoint *endpoint = ITEMS(c, PS_SEC_ENDPOINT);
	uint32_t slots = c->s->max_endpoint_slot;

	for (uint32_t i = 0; i < c->length[PS_SEC_ENDPOINT]; i++) {
		const struct ps_endpoint *e = &endpoint[i];

		if (e->flags & ~(PS_ENDPOINT_F_DRAINING | PS_ENDPOINT_F_REJECT))
			return refuse(c, EINVAL, "endpoint %u: unknown flags %x", i, e->flags);
		if (!string_ok(c, e->name))
			return refuse(c, EINVAL, "endpoint %u: string outside the string section", i);
		if (e->flags & PS_ENDPOINT_F_REJECT) {
			if (e->slot != PS_NONE && e->slot >= slots)
				return refuse(c, EINVAL, "endpoint %u: slot %u beyond %u", i, e->slot, slots);
			continue;
		}
		if (e->slot >= slots)
			return refuse(c, EINVAL, "endpoint %u: slot %u beyond %u", i, e->slot, slots);
		if (e->port == 0)
			return refuse(c, EINVAL, "endpoint %u: port 0", i);
		if (addr_is_zero(&e->addr))
			return refuse(c, EINVAL, "endpoint %u: unspecified address", i);
	}
	return 0;
}

/* The endpoints of one service: weights, and one address family. */
static int
check_service_endpoints(const struct check *c, uint32_t i, const struct ps_service *sv)
{
	const struct ps_endpoint *endpoint = (const struct ps_endpoint *)ITEMS(c, PS_SEC_ENDPOINT) + sv->first_endpoint;
	int family = -1;

	for (uint32_t e = 0; e < sv->endpoints; e++) {
		if (e < sv->balanced && endpoint[e].weight == 0)
			return refuse(c, EINVAL, "service %u: endpoint %u is balanced with weight 0", i, e);
		if (endpoint[e].flags & PS_ENDPOINT_F_REJECT)
			continue;
		if (family < 0)
			family = ps_addr_is_v4(&endpoint[e].addr);
		else if (family != ps_addr_is_v4(&endpoint[e].addr))
			return refuse(c, EINVAL, "service %u: endpoint %u is of another family than those before",
				      i, e);
	}
	return 0;
}

static int
check_services(const struct check *c)
{
	const uint16_t known =
		PS_SERVICE_F_AFFINITY | PS_SERVICE_F_TOA | PS_SERVICE_F_EMPTY_DROP | PS_SERVICE_F_ALL_DOWN_OPEN;
	const struct ps_service *service = ITEMS(c, PS_SEC_SERVICE);
	const struct ps_table *table = ITEMS(c, PS_SEC_TABLE);
	uint64_t taken[MAX_SERVICE_SLOTS / 64]; /* 128 KiB: only main and penstockd's loop come here */
	uint32_t slots = c->s->max_service_slot;
	int rc;

	memset(taken, 0, ((size_t)slots + 63) / 64 * 8);
	for (uint32_t i = 0; i < c->length[PS_SEC_SERVICE]; i++) {
		const struct ps_service *sv = &service[i];

		if (!string_ok(c, sv->name))
			return refuse(c, EINVAL, "service %u: string outside the string section", i);
		if (sv->slot >= slots)
			return refuse(c, EINVAL, "service %u: slot %u beyond %u", i, sv->slot, slots);
		if (taken[sv->slot / 64] & (1ull << (sv->slot % 64)))
			return refuse(c, EINVAL, "service %u: slot %u is taken twice", i, sv->slot);
		taken[sv->slot / 64] |= 1ull << (sv->slot % 64);
		if (!run_fits(sv->first_endpoint, sv->endpoints, c->length[PS_SEC_ENDPOINT]))
			return refuse(c, EINVAL, "service %u: endpoints %u+%u beyond %u", i, sv->first_endpoint,
				      sv->endpoints, c->length[PS_SEC_ENDPOINT]);
		if (sv->balanced > sv->endpoints)
			return refuse(c, EINVAL, "service %u: %u of %u endpoints balanced", i, sv->balanced,
				      sv->endpoints);
		if (sv->balanced == 0 ? sv->table != PS_NONE : sv->table >= c->length[PS_SEC_TABLE])
			return refuse(c, EINVAL, "service %u: table %u with %u balanced endpoints and %u tables", i,
				      sv->table, sv->balanced, c->length[PS_SEC_TABLE]);
		if (sv->balanced != 0 && table[sv->table].endpoints != sv->balanced)
			return refuse(c, EINVAL, "service %u: table %u is for %u endpoints, not %u", i, sv->table,
				      table[sv->table].endpoints, sv->balanced);
		if (sv->mode >= PS_MODES)
			return refuse(c, EINVAL, "service %u: unknown mode %u", i, sv->mode);
		if (sv->mode == PS_MODE_FULLNAT ? sv->snat_pool >= c->length[PS_SEC_SNAT_POOL]
						: sv->snat_pool != PS_NONE)
			return refuse(c, EINVAL, "service %u: snat pool %u, mode %u, %u pools", i, sv->snat_pool,
				      sv->mode, c->length[PS_SEC_SNAT_POOL]);
		if (sv->probe != PS_NONE && sv->probe >= c->length[PS_SEC_PROBE])
			return refuse(c, EINVAL, "service %u: probe %u beyond %u", i, sv->probe,
				      c->length[PS_SEC_PROBE]);
		if (sv->proto != IPPROTO_TCP && sv->proto != IPPROTO_UDP)
			return refuse(c, EINVAL, "service %u: protocol %u", i, sv->proto);
		if (sv->flags & ~known)
			return refuse(c, EINVAL, "service %u: unknown flags %x", i, sv->flags & ~known);
		if (sv->mode == PS_MODE_GUE && sv->gue_port == 0)
			return refuse(c, EINVAL, "service %u: GUE to port 0", i);
		rc = check_service_endpoints(c, i, sv);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
check_listener_ranges(const struct check *c, uint32_t i, const struct ps_listener *l)
{
	const struct ps_range *range = ITEMS(c, PS_SEC_RANGE);

	if (!run_fits(l->first_range, l->ranges, c->length[PS_SEC_RANGE]))
		return refuse(c, EINVAL, "listener %u: ranges %u+%u beyond %u", i, l->first_range, l->ranges,
			      c->length[PS_SEC_RANGE]);
	range += l->first_range;
	for (uint32_t r = 0; r < l->ranges; r++) {
		if (memcmp(&range[r].first, &range[r].last, sizeof(struct ps_addr)) > 0 ||
		    ps_addr_is_v4(&range[r].first) != ps_addr_is_v4(&range[r].last))
			return refuse(c, EINVAL, "listener %u: range %u ends before it begins", i, r);
		if (r != 0 && memcmp(&range[r - 1].last, &range[r].first, sizeof(struct ps_addr)) >= 0)
			return refuse(c, EINVAL, "listener %u: range %u is not sorted after the one before", i, r);
	}
	return 0;
}

static int
check_listeners(const struct check *c)
{
	const struct ps_listener *listener = ITEMS(c, PS_SEC_LISTENER);
	const struct ps_service *service = ITEMS(c, PS_SEC_SERVICE);
	const struct ps_endpoint *endpoint = ITEMS(c, PS_SEC_ENDPOINT);
	int rc;

	for (uint32_t i = 0; i < c->length[PS_SEC_LISTENER]; i++) {
		const struct ps_listener *l = &listener[i];

		if (!string_ok(c, l->name))
			return refuse(c, EINVAL, "listener %u: string outside the string section", i);
		if (l->proto != IPPROTO_TCP && l->proto != IPPROTO_UDP)
			return refuse(c, EINVAL, "listener %u: protocol %u", i, l->proto);
		if (l->port == 0)
			return refuse(c, EINVAL, "listener %u: port 0", i);
		if (l->kind > PS_LISTENER_REJECT)
			return refuse(c, EINVAL, "listener %u: unknown kind %u", i, l->kind);
		rc = check_listener_ranges(c, i, l);
		if (rc != 0)
			return rc;
		if (l->service == PS_NONE && l->kind == PS_LISTENER_REJECT)
			continue;
		if (l->service >= c->length[PS_SEC_SERVICE])
			return refuse(c, EINVAL, "listener %u: service %u beyond %u", i, l->service,
				      c->length[PS_SEC_SERVICE]);
		if (service[l->service].proto != l->proto)
			return refuse(c, EINVAL, "listener %u: its service %u has another protocol", i,
				      l->service);
		for (uint32_t e = 0; e < service[l->service].endpoints; e++) {
			const struct ps_endpoint *ep = &endpoint[service[l->service].first_endpoint + e];

			if (ep->flags & PS_ENDPOINT_F_REJECT)
				continue;
			if (ps_addr_is_v4(&ep->addr) != ps_addr_is_v4(&l->addr))
				return refuse(c, EINVAL, "listener %u: endpoints of the other family", i);
			break; /* the service's endpoints are all of one family */
		}
	}
	return 0;
}

/* Every cell in range, an empty one to end a probe, and every listener found at its own key. */
static int
check_listener_index(const struct check *c)
{
	const struct ps_listener *listener = ITEMS(c, PS_SEC_LISTENER);
	const uint32_t *index = ITEMS(c, PS_SEC_LISTENER_INDEX);
	uint32_t cells = c->length[PS_SEC_LISTENER_INDEX], listeners = c->length[PS_SEC_LISTENER];

	if (!ps_listener_index_valid(index, cells, listeners) || cells <= listeners)
		return refuse(c, EINVAL, "listener index: %u cells for %u listeners, or one out of range", cells,
			      listeners);
	for (uint32_t i = 0; i < listeners; i++) {
		const struct ps_listener *l = &listener[i];

		if (ps_listener_find(listener, index, cells - 1, &l->addr, l->port, l->proto) != i)
			return refuse(c, EINVAL, "listener %u: not found through the index", i);
	}
	return 0;
}

int
ps_snapshot_validate(const void *snapshot, uint64_t mapped_size, const void *const *blob,
		     const uint64_t *blob_size, uint32_t blobs, char *why, size_t why_size)
{
	static int (*const checks[])(const struct check *) = {
		check_boot,   check_ports,  check_ifaces,    check_addresses, check_routes, check_tables,
		check_snat,   check_probes, check_endpoints, check_services,  check_listeners, check_listener_index,
	};
	struct check c = {
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
	const struct check c = {.why = why, .why_size = why_size};

	if (mapped_size > PS_SNAPSHOT_MAX_SIZE)
		return refuse(&c, EFBIG, "blob has %llu bytes", (unsigned long long)mapped_size);
	if (mapped_size < sizeof(*b))
		return refuse(&c, EINVAL, "blob has %llu bytes, less than its header",
			      (unsigned long long)mapped_size);
	if (b->magic != PS_BLOB_MAGIC)
		return refuse(&c, EINVAL, "not a blob: magic %016llx", (unsigned long long)b->magic);
	if (b->abi != PS_ABI)
		return refuse(&c, EPROTO, "blob has ABI %u, this program has %u", b->abi, PS_ABI);
	if (b->size != mapped_size)
		return refuse(&c, EINVAL, "blob says %llu bytes, file has %llu", (unsigned long long)b->size,
			      (unsigned long long)mapped_size);
	if (ps_digest((const uint8_t *)blob + sizeof(*b), mapped_size - sizeof(*b), 0) != b->digest)
		return refuse(&c, EINVAL, "blob: digest differs from content");
	return 0;
}

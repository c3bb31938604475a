/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Dataplane document: from names to indices, and what it leaves out.
 */
#include <arpa/inet.h>
#include <string.h>

#include "control/resolve/internal.h"
#include "dataplane/api/digest.h"
#include "dataplane/net/local.h"
#include "policies/listener/build.h"
#include "policies/listener/lookup.h"

struct pass {
	struct ps_resolver *r;
	struct ps_model *m;
	const struct ps_object *object; /* NULL: all defaults, and nothing to complain about */
	const struct ps_dataplane_spec *spec;
	struct ps_arena *arena;
};

static void __attribute__((format(printf, 3, 4)))
complain(struct pass *p, struct ps_place place, const char *fmt, ...)
{
	char text[512];
	va_list args;

	if (p->object == NULL)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (ps_object_diagnose(p->object, &p->r->dataplane_diagnostics, PS_ERROR, place, "%s", text) != 0)
		p->r->failed = true;
}

static const char *
text_of(const struct ps_text *t)
{
	return t->s != NULL ? t->s : "";
}

static void
resolve_cores(struct pass *p)
{
	struct ps_boot *b = &p->m->boot.raw;
	uint32_t i, cpu, j;

	memset(b->worker_cpu, 0xff, sizeof(b->worker_cpu));
	b->main_cpu = p->spec->cores.main.v < 0 ? PS_NONE : (uint32_t)p->spec->cores.main.v;
	for (i = 0; i < p->spec->cores.workers.length; i++) {
		const struct ps_cpu_range *range = &p->spec->cores.workers.item[i];

		for (cpu = range->first; cpu <= range->last; cpu++) {
			if (b->workers == PS_MAX_WORKERS) {
				complain(p, range->place, "more than %u worker cores, expected at most %u", PS_MAX_WORKERS,
					PS_MAX_WORKERS);
				return;
			}
			for (j = 0; j < b->workers && b->worker_cpu[j] != cpu; j++)
				;
			if (j < b->workers) {
				complain(p, range->place, "core %u is named twice, expected each worker on a core of its own",
					cpu);
				continue;
			}
			if (cpu == b->main_cpu)
				complain(p, range->place,
					"core %u is cores.main too, expected workers on cores of their own", cpu);
			b->worker_cpu[b->workers++] = cpu;
		}
	}
	if (b->workers == 0)
		b->workers = p->spec->cores.count.v > 0 ? (uint32_t)p->spec->cores.count.v : 1;
	else if (p->spec->cores.count.v > 0 && p->spec->cores.count.v != b->workers)
		complain(p, p->spec->cores.count.place, "cores.count is %u but cores.workers names %u, expected one of the two",
			(unsigned)p->spec->cores.count.v, b->workers);
	if (b->workers > PS_MAX_WORKERS)
		b->workers = PS_MAX_WORKERS;
}

static void
resolve_boot(struct pass *p)
{
	const struct ps_dataplane_spec *s = p->spec;
	struct ps_boot *b = &p->m->boot.raw;

	*b = (struct ps_boot){
		.hugepages = (uint32_t)s->memory.hugepages.v,
		.idle = (uint32_t)s->idle.v,
		.memory_mb = (uint32_t)((s->memory.size.v + (1 << 20) - 1) >> 20),
		.mbufs = (uint32_t)s->memory.buffers.v,
		.mbuf_size = (uint32_t)s->memory.buffer_size.v,
		.rx_descriptors = (uint32_t)s->descriptors.rx.v,
		.tx_descriptors = (uint32_t)s->descriptors.tx.v,
		.flows_v4 = (uint32_t)s->tables.flows_ipv4.v,
		.flows_v6 = (uint32_t)s->tables.flows_ipv6.v,
		.fragments = (uint32_t)s->tables.fragments.v,
		.neighbours = (uint32_t)s->tables.neighbours.v,
		.routes = (uint32_t)s->tables.routes.v,
		.affinity = (uint32_t)s->tables.affinity.v,
		.service_slots = (uint32_t)s->tables.services.v,
		.endpoint_slots = (uint32_t)s->tables.endpoints.v,
		.snat_groups = (uint32_t)s->tables.snat_groups.v,
		.tcp_syn_ms = (uint32_t)s->timeouts.tcp_syn.v,
		.tcp_fin_ms = (uint32_t)s->timeouts.tcp_fin.v,
		.tcp_closed_ms = (uint32_t)s->timeouts.tcp_time_wait.v,
	};
	p->m->boot.instance_name = text_of(&s->instance);
	p->m->boot.eal_options = text_of(&s->eal_options);
	p->m->boot.node_name = text_of(&s->node_name);
	resolve_cores(p);
}

static const char *
device_of(const struct ps_dataplane_port *port)
{
	const struct ps_text *text[PS_PORT_KINDS] = {
		[PS_PORT_PCI] = &port->pci,
		[PS_PORT_AF_XDP] = &port->af_xdp,
		[PS_PORT_AF_PACKET] = &port->af_packet,
		[PS_PORT_TAP] = &port->tap,
		[PS_PORT_MEMIF] = &port->memif.socket,
		[PS_PORT_VIRTIO_USER] = &port->virtio_user,
		[PS_PORT_VHOST] = &port->vhost,
		[PS_PORT_PCAP] = &port->pcap.input,
	};

	return port->device_kind < PS_PORT_KINDS && text[port->device_kind] != NULL ? text_of(text[port->device_kind]) : "";
}

static uint32_t
port_flags(const struct ps_dataplane_port *port)
{
	uint32_t flags = 0;

	if (port->promiscuous.v)
		flags |= PS_PORT_F_PROMISCUOUS;
	if (port->punt.v)
		flags |= PS_PORT_F_PUNT;
	if (port->trust_checksums.v)
		flags |= PS_PORT_F_TRUST_CHECKSUM;
	if (port->device_kind == PS_PORT_MEMIF) {
		if (port->memif.role.v == PS_MEMIF_SERVER)
			flags |= PS_PORT_F_MEMIF_SERVER;
		if (port->memif.zero_copy.v)
			flags |= PS_PORT_F_ZERO_COPY;
	}
	if (port->device_kind == PS_PORT_PCAP && port->pcap.loop.v)
		flags |= PS_PORT_F_REPLAY_LOOP;
	return flags;
}

static void
add_addresses(struct pass *p, uint32_t iface, const struct ps_prefix *prefix, uint32_t prefixes)
{
	uint32_t i;

	for (i = 0; i < prefixes; i++) {
		char text[48];

		if (ps_is_interface_address(p->m, &prefix[i].addr)) {
			complain(p, prefix[i].place, "address %s is given twice, expected each on one interface",
				ps_addr_text(&prefix[i].addr, text));
			continue;
		}
		if (ps_addr_is_zero(&prefix[i].addr) ||
			(ps_addr_is_v4(&prefix[i].addr) && (ps_addr_v4(&prefix[i].addr) == 0 ||
							       prefix[i].addr.b[12] >= 224 || prefix[i].addr.b[12] == 127)) ||
			prefix[i].addr.b[0] == 0xff) {
			complain(p, prefix[i].place, "%s is no unicast address, expected one that a host can have",
				ps_addr_text(&prefix[i].addr, text));
			continue;
		}
		p->m->address[p->m->addresses++] =
			(struct ps_address){.addr = prefix[i].addr, .iface = iface, .prefix_length = prefix[i].length};
	}
}

static void
add_iface(struct pass *p, uint32_t port, uint16_t vlan, const char *name, uint32_t mtu, struct ps_place place,
	const struct ps_prefix *prefix, uint32_t prefixes)
{
	struct ps_model *m = p->m;
	uint32_t i;

	for (i = 0; i < m->ifaces; i++) {
		if (m->iface[i].raw.port == port && m->iface[i].raw.vlan == vlan) {
			complain(p, place, "VLAN %u is given twice on this port, expected once", vlan);
			return;
		}
	}
	if (m->ifaces == PS_MAX_IFACES) {
		complain(p, place, "more than %u interfaces, expected at most %u", PS_MAX_IFACES, PS_MAX_IFACES);
		return;
	}
	if (mtu > m->port[port].raw.mtu) {
		complain(p, place, "MTU of %s is %u, expected at most %u as its port has", name, mtu, m->port[port].raw.mtu);
		mtu = m->port[port].raw.mtu;
	}
	m->iface[m->ifaces].raw = (struct ps_iface){.port = port, .vlan = vlan, .mtu = (uint16_t)mtu};
	m->iface[m->ifaces].name = name;
	add_addresses(p, m->ifaces++, prefix, prefixes);
}

static void
resolve_ports(struct pass *p)
{
	const struct ps_dataplane_spec *s = p->spec;
	struct ps_model *m = p->m;
	uint32_t i, j, ifaces = 0, addresses = 0;

	for (i = 0; i < s->ports.length; i++) {
		ifaces += 1 + s->ports.item[i].vlans.length;
		addresses += s->ports.item[i].addresses.length;
		for (j = 0; j < s->ports.item[i].vlans.length; j++)
			addresses += s->ports.item[i].vlans.item[j].addresses.length;
	}
	m->port = ps_take(p->r, p->arena, s->ports.length * sizeof(*m->port));
	m->iface = ps_take(p->r, p->arena, ifaces * sizeof(*m->iface));
	m->address = ps_take(p->r, p->arena, addresses * sizeof(*m->address));
	if (p->r->failed)
		return;
	for (i = 0; i < s->ports.length; i++) {
		const struct ps_dataplane_port *port = &s->ports.item[i];
		struct ps_model_port *out = &m->port[m->ports];

		for (j = 0; j < m->ports && strcmp(m->port[j].name, text_of(&port->name)) != 0; j++)
			;
		if (j < m->ports) {
			complain(p, port->name.place, "two ports are named %s, expected names to differ", text_of(&port->name));
			continue;
		}
		if (m->ports == PS_MAX_PORTS) {
			complain(p, port->place, "more than %u ports, expected at most %u", PS_MAX_PORTS, PS_MAX_PORTS);
			break;
		}
		out->raw = (struct ps_port){
			.kind = (uint16_t)port->device_kind,
			.queues = (uint16_t)port->queues.v,
			.flags = port_flags(port),
			.mtu = port->mtu.v != 0 ? (uint32_t)port->mtu.v : 1500,
			.memif_id = (uint32_t)port->memif.id.v,
		};
		memcpy(out->raw.mac, port->mac.b, sizeof(out->raw.mac));
		out->name = text_of(&port->name);
		out->device = device_of(port);
		out->output = port->device_kind == PS_PORT_PCAP ? text_of(&port->pcap.output) : "";
		out->options = text_of(&port->options);
		if (port->device_kind == PS_PORT_MEMIF && port->memif.secret.s != NULL)
			out->options = ps_take_text(p->r, p->arena, "%s%ssecret=%s", out->options,
				*out->options != '\0' ? "," : "", port->memif.secret.s);
		m->ports++;
		add_iface(p, m->ports - 1, 0, out->name, out->raw.mtu, port->place, port->addresses.item,
			port->addresses.length);
		for (j = 0; j < port->vlans.length; j++) {
			const struct ps_dataplane_vlan *vlan = &port->vlans.item[j];

			add_iface(p, m->ports - 1, (uint16_t)vlan->id.v,
				ps_take_text(p->r, p->arena, "%s.%u", out->name, (unsigned)vlan->id.v),
				vlan->mtu.v != 0 ? (uint32_t)vlan->mtu.v : out->raw.mtu, vlan->place, vlan->addresses.item,
				vlan->addresses.length);
		}
	}
}

static uint32_t
iface_by_name(const struct ps_model *m, const char *name)
{
	uint32_t i;

	for (i = 0; i < m->ifaces; i++)
		if (strcmp(m->iface[i].name, name) == 0)
			return i;
	return PS_NONE;
}

static bool
on_link(const struct ps_model *m, const struct ps_addr *addr)
{
	uint32_t i;

	for (i = 0; i < m->addresses; i++) {
		struct ps_range range = ps_range_of_prefix(&m->address[i].addr, m->address[i].prefix_length);

		if (ps_addr_is_v4(&m->address[i].addr) == ps_addr_is_v4(addr) && ps_ranges_hold(&range, 1, addr))
			return true;
	}
	return !ps_addr_is_v4(addr) && addr->b[0] == 0xfe && (addr->b[1] & 0xc0) == 0x80;
}

static void
resolve_routes(struct pass *p)
{
	const struct ps_dataplane_spec *s = p->spec;
	struct ps_model *m = p->m;
	uint32_t i;

	m->route = ps_take(p->r, p->arena, s->routes.length * sizeof(*m->route));
	for (i = 0; i < s->routes.length && !p->r->failed; i++) {
		const struct ps_dataplane_route *route = &s->routes.item[i];
		bool v4 = ps_addr_is_v4(&route->to.addr), via = !ps_addr_is_zero(&route->via.addr);
		struct ps_route out = {.iface = PS_NONE, .prefix_length = route->to.length};
		char text[48];

		out.prefix = ps_range_of_prefix(&route->to.addr, route->to.length).first;
		if (route->iface.s != NULL) {
			out.iface = iface_by_name(m, route->iface.s);
			if (out.iface == PS_NONE) {
				complain(p, route->iface.place, "no interface is named %s, expected a port or \"port.vlan\"",
					route->iface.s);
				continue;
			}
		}
		if (via && ps_addr_is_v4(&route->via.addr) != v4) {
			complain(p, route->via.place, "next hop %s is of the other family, expected that of the prefix",
				ps_addr_text(&route->via.addr, text));
			continue;
		}
		if (!via && out.iface == PS_NONE) {
			complain(p, route->place, "route has neither via nor interface, expected one of them");
			continue;
		}
		if (via && out.iface == PS_NONE && !on_link(m, &route->via.addr)) {
			complain(p, route->via.place,
				"next hop %s is in no connected prefix, expected one that an interface address reaches",
				ps_addr_text(&route->via.addr, text));
			continue;
		}
		out.via = route->via.addr;
		m->route[m->routes++] = out;
	}
}

/* Slots stay with addresses: each prefers one that its bytes name. */
static uint32_t
snat_slot(const struct ps_model *m, const struct ps_addr *addr)
{
	uint32_t slot = (uint32_t)(ps_digest(addr->b, 16, 1) % PS_MAX_SNAT_ADDRESSES), i, tries;

	for (i = 0; i < m->snat_addresses; i++)
		if (ps_addr_equal(&m->snat_address[i].addr, addr))
			return m->snat_address[i].slot;
	for (tries = 0; tries < PS_MAX_SNAT_ADDRESSES; tries++, slot = (slot + 1) % PS_MAX_SNAT_ADDRESSES) {
		for (i = 0; i < m->snat_addresses && m->snat_address[i].slot != slot; i++)
			;
		if (i == m->snat_addresses)
			return slot;
	}
	return PS_NONE;
}

static bool
add_snat_address(struct pass *p, const struct ps_addr *addr, uint16_t first, uint16_t last, struct ps_place place)
{
	struct ps_model *m = p->m;
	uint32_t slot = snat_slot(m, addr), i;
	char text[48];

	for (i = 0; i < m->snat_addresses; i++) {
		const struct ps_snat_address *other = &m->snat_address[i];

		if (ps_addr_equal(&other->addr, addr) && first <= other->port_last && last >= other->port_first) {
			complain(p, place, "ports %u-%u of %s are in another pool already, expected ranges that do not overlap",
				first, last, ps_addr_text(addr, text));
			return true;
		}
	}
	if (slot == PS_NONE || m->snat_addresses == PS_MAX_SNAT_ADDRESSES) {
		complain(p, place, "more than %u SNAT addresses, expected at most %u", PS_MAX_SNAT_ADDRESSES,
			PS_MAX_SNAT_ADDRESSES);
		return false;
	}
	m->snat_address[m->snat_addresses++] =
		(struct ps_snat_address){.addr = *addr, .port_first = first, .port_last = last, .slot = slot};
	return true;
}

static void
add_pool(struct pass *p, const struct ps_dataplane_snat_pool *pool)
{
	struct ps_model *m = p->m;
	struct ps_model_pool *out = &m->pool[m->pools++];
	uint32_t i, left;
	int at;

	out->name = text_of(&pool->name);
	out->first_address = m->snat_addresses;
	for (i = 0; i < pool->addresses.length; i++) {
		const struct ps_ip_range *range = &pool->addresses.item[i];
		struct ps_addr addr = range->first;

		for (left = PS_MAX_SNAT_ADDRESSES + 1; left != 0; left--) {
			if (!add_snat_address(p, &addr, pool->ports.first, pool->ports.last, range->place) ||
				ps_addr_compare(&addr, &range->last) >= 0)
				break;
			for (at = 15; at >= 0 && ++addr.b[at] == 0; at--)
				;
		}
	}
	out->addresses = m->snat_addresses - out->first_address;
}

/* Pool 0 is the one named "default", else all interface addresses. */
static void
resolve_pools(struct pass *p)
{
	const struct ps_dataplane_spec *s = p->spec;
	struct ps_model *m = p->m;
	const struct ps_dataplane_snat_pool *standard = NULL;
	uint32_t i, j;

	m->pool = ps_take(p->r, p->arena, (s->snat_pools.length + 1) * sizeof(*m->pool));
	m->snat_address = ps_take(p->r, p->arena, PS_MAX_SNAT_ADDRESSES * sizeof(*m->snat_address));
	if (p->r->failed)
		return;
	for (i = 0; i < s->snat_pools.length; i++)
		if (strcmp(text_of(&s->snat_pools.item[i].name), "default") == 0)
			standard = &s->snat_pools.item[i];
	if (standard != NULL) {
		add_pool(p, standard);
	} else {
		m->pool[m->pools++] = (struct ps_model_pool){.name = "default"};
		for (i = 0; i < m->addresses; i++) {
			const struct ps_addr *addr = &m->address[i].addr;

			if (ps_addr_is_servable(addr) &&
				!add_snat_address(p, addr, PS_SNAT_DEFAULT_FIRST, PS_SNAT_DEFAULT_LAST, (struct ps_place){0}))
				break;
		}
		m->pool[0].addresses = m->snat_addresses;
	}
	for (i = 0; i < s->snat_pools.length; i++) {
		const struct ps_dataplane_snat_pool *pool = &s->snat_pools.item[i];

		if (pool == standard)
			continue;
		for (j = 0; j < m->pools && strcmp(m->pool[j].name, text_of(&pool->name)) != 0; j++)
			;
		if (j < m->pools)
			complain(p, pool->name.place, "two SNAT pools are named %s, expected names to differ",
				text_of(&pool->name));
		else
			add_pool(p, pool);
	}
}

/* The document that counts: the only one, else the oldest; the others are errors that name it. */
static const struct ps_object *
choose_document(struct ps_resolver *r)
{
	const struct ps_object *o, *chosen = NULL;

	for (o = ps_manifests_first(r->set, PS_KIND_DATAPLANE); o != NULL; o = ps_manifests_next(o))
		if (chosen == NULL || ps_object_age(o, chosen) < 0)
			chosen = o;
	for (o = ps_manifests_first(r->set, PS_KIND_DATAPLANE); o != NULL; o = ps_manifests_next(o))
		if (o != chosen &&
			ps_object_diagnose(o, &r->dataplane_diagnostics, PS_ERROR, o->name_place,
				"second Dataplane document, expected one; %s at %s:%u is used", chosen->name, chosen->file,
				chosen->place.line) != 0)
			r->failed = true;
	return chosen;
}

static uint64_t
documents_key(const struct ps_resolver *r)
{
	const struct ps_object *o;
	uint64_t key = PS_DIGEST_K3;

	for (o = ps_manifests_first(r->set, PS_KIND_DATAPLANE); o != NULL; o = ps_manifests_next(o))
		key = ps_mix64(key ^ o->revision ^ PS_DIGEST_K0, PS_DIGEST_K1 ^ ps_map_key(o)) + o->order;
	return key;
}

void
ps_resolve_dataplane(struct ps_resolver *r)
{
	struct ps_model *m = &r->model;
	uint64_t key = documents_key(r);
	struct pass p = {.r = r, .m = m, .arena = &r->dataplane_arena};

	if (key == r->dataplane_key)
		return;
	r->dataplane_key = key;
	ps_diagnostics_clear(&r->dataplane_diagnostics);
	ps_arena_reset(&r->dataplane_arena);
	m->ports = m->ifaces = m->addresses = m->routes = m->pools = m->snat_addresses = 0;
	m->dataplane = choose_document(r);
	m->spec = m->dataplane != NULL ? m->dataplane->dataplane : ps_dataplane_defaults();
	m->hash_seed = (uint64_t)m->spec->hash_seed.v;
	p.object = m->dataplane;
	p.spec = m->spec;
	resolve_boot(&p);
	resolve_ports(&p);
	if (!r->failed)
		resolve_routes(&p);
	if (!r->failed)
		resolve_pools(&p);
	m->dataplane_revision = ++r->serial;
	r->content_changed = r->layout_changed = r->diagnostics_changed = true;
}

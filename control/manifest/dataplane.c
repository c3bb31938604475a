/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Dataplane document: ports, routes, cores, memory, tables and defaults of one Penstock. Its table is
 * the only place where a field's type, range, unit, default and meaning are written down.
 */
#include <stdlib.h>
#include <string.h>

#include "control/manifest/schema.h"
#include "dataplane/api/snapshot.h"

#define MINUTE 60000ll
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define PS_MAX_OWN_ADDRESSES 2048u

static const struct ps_enum_name hugepages_name[] = {
	{"auto", PS_HUGEPAGES_AUTO}, {"require", PS_HUGEPAGES_REQUIRE}, {"off", PS_HUGEPAGES_OFF}, {NULL}};

static const struct ps_enum_name idle_name[] = {
	{"auto", PS_IDLE_AUTO}, {"poll", PS_IDLE_POLL}, {"adaptive", PS_IDLE_ADAPTIVE}, {NULL}};

static const struct ps_enum_name check_name[] = {{"auto", PS_CHECK_AUTO}, {"tcp", PS_CHECK_TCP},
	{"udp", PS_CHECK_UDP}, {"icmp", PS_CHECK_ICMP}, {"none", PS_CHECK_NONE}, {NULL}};

/* ---- cores, memory, tables ---- */

static const struct ps_field cores_field[] = {
	{.name = "main", PS_IN(ps_dataplane_spec, cores, main), .type = PS_T_INTEGER, .min = -1, .max = 1023,
	 .fallback = "-1", .help = "CPU of housekeeping; -1: not pinned."},
	{.name = "workers", PS_IN(ps_dataplane_spec, cores, workers), PS_LIST_OF(PS_T_CPU_RANGE), .min = 0,
	 .max = 1023, .max_items = PS_MAX_WORKERS, .help = "CPUs of the workers, one each."},
	{.name = "count", PS_IN(ps_dataplane_spec, cores, count), .type = PS_T_INTEGER, .min = 0,
	 .max = PS_MAX_WORKERS, .fallback = "0", .unit = "workers",
	 .help = "Workers when their CPUs are not named; 0: one."},
};

static void
check_cores(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_dataplane_spec *s = (void *)((char *)target - offsetof(struct ps_dataplane_spec, cores));
	uint32_t total = 0, i, j;

	(void)node;
	if (s->cores.workers.length != 0 && s->cores.count.v != 0)
		ps_decode_error(
			d, s->cores.count.place, "count is given beside workers, expected one of the two");
	for (i = 0; i < s->cores.workers.length; i++) {
		const struct ps_cpu_range *a = &s->cores.workers.item[i];

		if (a->place.line == 0)
			continue;
		total += a->last - a->first + 1;
		if (s->cores.main.v >= (int64_t)a->first && s->cores.main.v <= (int64_t)a->last)
			ps_decode_error(d, a->place, "CPU %d is main's, expected another one for a worker",
					(int)s->cores.main.v);
		for (j = 0; j < i; j++)
			if (s->cores.workers.item[j].place.line != 0 &&
				a->first <= s->cores.workers.item[j].last &&
				s->cores.workers.item[j].first <= a->last)
				ps_decode_error(d, a->place,
					"workers[%u] overlaps with workers[%u], expected each CPU once", i,
					j);
	}
	if (total > PS_MAX_WORKERS)
		ps_decode_error(d, s->cores.workers.place, "workers name %u CPUs, expected at most %u", total,
				PS_MAX_WORKERS);
}
static const struct ps_schema cores = {.name = "cores", PS_FIELDS(cores_field), .check = check_cores};

static const struct ps_field memory_field[] = {
	{.name = "hugepages", PS_IN(ps_dataplane_spec, memory, hugepages), .type = PS_T_ENUM,
	 .names = hugepages_name, .fallback = "auto",
	 .help = "Memory from hugepages: when there are any, always, or never."},
	{.name = "size", PS_IN(ps_dataplane_spec, memory, size), .type = PS_T_SIZE, .min = 0,
	 .max = 1ll << 42, .fallback = "0", .unit = "bytes",
	 .help = "Memory for packet buffers and devices; 0: as needed."},
	{.name = "buffers", PS_IN(ps_dataplane_spec, memory, buffers), .type = PS_T_INTEGER, .min = 0,
	 .max = 16777216, .fallback = "0", .unit = "buffers",
	 .help = "Packet buffers in all; 0: as queues and descriptors need."},
	{.name = "bufferSize", PS_IN(ps_dataplane_spec, memory, buffer_size), .type = PS_T_INTEGER,
	 .min = 0, .max = 16384, .fallback = "0", .unit = "bytes",
	 .help = "Room for packet data in one buffer, at least 1024; 0: 2048, or what the largest MTU of an "
		 "AF_PACKET port needs."},
};

static void
check_memory(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_dataplane_spec *s = (void *)((char *)target - offsetof(struct ps_dataplane_spec, memory));

	(void)node;
	if (s->memory.buffer_size.v != 0 && s->memory.buffer_size.v < 1024)
		ps_decode_error(d, s->memory.buffer_size.place,
				"bufferSize is %d bytes, expected 0 or a whole number from 1024 to 16384",
				(int)s->memory.buffer_size.v);
}
static const struct ps_schema memory = {.name = "memory", PS_FIELDS(memory_field), .check = check_memory};

static const struct ps_field descriptors_field[] = {
	{.name = "rx", PS_IN(ps_dataplane_spec, descriptors, rx), .type = PS_T_INTEGER, .min = 64,
	 .max = 32768, .fallback = "1024", .unit = "descriptors", .help = "Receive descriptors per queue."},
	{.name = "tx", PS_IN(ps_dataplane_spec, descriptors, tx), .type = PS_T_INTEGER, .min = 64,
	 .max = 32768, .fallback = "1024", .unit = "descriptors", .help = "Transmit descriptors per queue."},
};
static const struct ps_schema descriptors = {.name = "descriptors", PS_FIELDS(descriptors_field)};

static const struct ps_field tables_field[] = {
	{.name = "flowsIPv4", PS_IN(ps_dataplane_spec, tables, flows_ipv4), .type = PS_T_INTEGER, .min = 1024,
	 .max = 67108864, .fallback = "1048576", .unit = "flows", .help = "IPv4 flows per worker."},
	{.name = "flowsIPv6", PS_IN(ps_dataplane_spec, tables, flows_ipv6), .type = PS_T_INTEGER, .min = 1024,
	 .max = 67108864, .fallback = "262144", .unit = "flows", .help = "IPv6 flows per worker."},
	{.name = "fragments", PS_IN(ps_dataplane_spec, tables, fragments), .type = PS_T_INTEGER, .min = 64,
	 .max = 1048576, .fallback = "4096", .unit = "datagrams",
	 .help = "Fragmented datagrams followed at once, per worker."},
	{.name = "neighbours", PS_IN(ps_dataplane_spec, tables, neighbours), .type = PS_T_INTEGER, .min = 64,
	 .max = 65535, .fallback = "16384", .unit = "entries",
	 .help = "ARP and neighbour discovery entries."},
	{.name = "routes", PS_IN(ps_dataplane_spec, tables, routes), .type = PS_T_INTEGER, .min = 64,
	 .max = 1048576, .fallback = "16384", .unit = "routes", .help = "Routes per address family."},
	{.name = "affinity", PS_IN(ps_dataplane_spec, tables, affinity), .type = PS_T_INTEGER, .min = 1024,
	 .max = 16777216, .fallback = "262144", .unit = "entries",
	 .help = "Clients remembered for session affinity."},
	{.name = "services", PS_IN(ps_dataplane_spec, tables, services), .type = PS_T_INTEGER, .min = 64,
	 .max = 1048576, .fallback = "16384", .unit = "slots",
	 .help = "Services that have counters, each port of each address family."},
	{.name = "endpoints", PS_IN(ps_dataplane_spec, tables, endpoints), .type = PS_T_INTEGER, .min = 64,
	 .max = 4194304, .fallback = "131072", .unit = "slots",
	 .help = "Endpoints that have state and counters, draining ones included."},
	{.name = "snatGroups", PS_IN(ps_dataplane_spec, tables, snat_groups), .type = PS_T_INTEGER, .min = 1,
	 .max = 4096, .fallback = "16", .unit = "groups",
	 .help = "FullNAT: sets of ports per source address; so many endpoints have one of their own."},
};
static const struct ps_schema tables = {.name = "tables", PS_FIELDS(tables_field)};

/* ---- SNAT, VIPs, health, timeouts ---- */

static const struct ps_field snat_pool_field[] = {
	{.name = "name", PS_AT(ps_dataplane_snat_pool, name), .type = PS_T_TEXT, .required = true,
	 .unique = true, .format = &ps_format_label,
	 .help = "Name that annotation penstock.dev/snat-pool refers to."},
	{.name = "addresses", PS_AT(ps_dataplane_snat_pool, addresses), PS_LIST_OF(PS_T_IP_RANGE),
	 .required = true, .min_items = 1, .max_items = PS_MAX_SNAT_ADDRESSES,
	 .help = "Addresses, ranges or prefixes."},
	{.name = "ports", PS_AT(ps_dataplane_snat_pool, ports), .type = PS_T_PORT_RANGE, .min = 1,
	 .max = 65535, .fallback = "1280-65535",
	 .help = "Source ports of each address. Below 1280 health probes have theirs."},
};
static const struct ps_schema snat_pool = {.name = "SNAT pool", PS_FIELDS(snat_pool_field),
					   .size = sizeof(struct ps_dataplane_snat_pool)};

static const struct ps_field vips_field[] = {
	{.name = "announce", PS_IN(ps_dataplane_spec, vips, announce), .type = PS_T_BOOLEAN,
	 .fallback = "true", .help = "Answer ARP and neighbour discovery for VIPs, and announce them."},
	{.name = "ping", PS_IN(ps_dataplane_spec, vips, ping), .type = PS_T_BOOLEAN, .fallback = "true",
	 .help = "Answer ICMP echo to VIPs."},
};
static const struct ps_schema vips = {.name = "vips", PS_FIELDS(vips_field)};

static const struct ps_field health_field[] = {
	{.name = "check", PS_IN(ps_dataplane_spec, health, check), .type = PS_T_ENUM, .names = check_name,
	 .fallback = "auto", .help = "Probe; auto: tcp for TCP, icmp for UDP."},
	{.name = "interval", PS_IN(ps_dataplane_spec, health, interval), .type = PS_T_DURATION, .min = 100,
	 .max = HOUR, .fallback = "2s", .help = "Time between two probes of an endpoint."},
	{.name = "timeout", PS_IN(ps_dataplane_spec, health, timeout), .type = PS_T_DURATION, .min = 50,
	 .max = HOUR, .fallback = "1s", .help = "Time to wait for an answer, below the interval."},
	{.name = "rise", PS_IN(ps_dataplane_spec, health, rise), .type = PS_T_INTEGER, .min = 1, .max = 255,
	 .fallback = "2", .unit = "probes", .help = "Successes in a row that make an endpoint up."},
	{.name = "fall", PS_IN(ps_dataplane_spec, health, fall), .type = PS_T_INTEGER, .min = 1, .max = 255,
	 .fallback = "3", .unit = "probes", .help = "Failures in a row that make an endpoint down."},
	{.name = "jitter", PS_IN(ps_dataplane_spec, health, jitter), .type = PS_T_INTEGER, .min = 0,
	 .max = 50, .fallback = "10", .unit = "percent", .help = "Random part of the interval."},
};

static void
check_health(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_dataplane_spec *s = (void *)((char *)target - offsetof(struct ps_dataplane_spec, health));

	(void)node;
	if (s->health.timeout.v >= s->health.interval.v)
		ps_decode_error(d,
			s->health.timeout.place.line ? s->health.timeout.place : s->health.interval.place,
			"health timeout is %dms with an interval of %dms, expected it to be shorter",
			(int)s->health.timeout.v, (int)s->health.interval.v);
}
static const struct ps_schema health = {.name = "health", PS_FIELDS(health_field), .check = check_health};

/*
 * tcpEstablished: RFC 5382 REQ-5 asks for at least 2 h 4 min, the time after which hosts send keepalives by
 * default. udp: RFC 4787 REQ-5 asks for at least 2 min.
 */
static const struct ps_field timeouts_field[] = {
	{.name = "tcpEstablished", PS_IN(ps_dataplane_spec, timeouts, tcp_established), .type = PS_T_DURATION,
	 .min = 1000, .max = 30 * DAY, .fallback = "2h4m",
	 .help = "How long an established TCP flow may be silent."},
	{.name = "tcpSyn", PS_IN(ps_dataplane_spec, timeouts, tcp_syn), .type = PS_T_DURATION, .min = 500,
	 .max = 2 * MINUTE, .fallback = "5s", .help = "How long a TCP flow without an answer is kept."},
	{.name = "tcpFin", PS_IN(ps_dataplane_spec, timeouts, tcp_fin), .type = PS_T_DURATION, .min = 1000,
	 .max = DAY, .fallback = "2m",
	 .help = "How long a TCP flow that one side has closed may be silent."},
	{.name = "tcpTimeWait", PS_IN(ps_dataplane_spec, timeouts, tcp_time_wait), .type = PS_T_DURATION,
	 .min = 500, .max = HOUR, .fallback = "5s",
	 .help = "How long a TCP flow that both sides have closed is kept."},
	{.name = "udp", PS_IN(ps_dataplane_spec, timeouts, udp), .type = PS_T_DURATION, .min = 1000,
	 .max = DAY, .fallback = "3m", .help = "How long a UDP flow may be silent."},
};
static const struct ps_schema timeouts = {.name = "timeouts", PS_FIELDS(timeouts_field)};

static const struct ps_field metrics_field[] = {
	{.name = "services", PS_IN(ps_dataplane_spec, metrics, services), .type = PS_T_INTEGER, .min = 0,
	 .max = 1048576, .fallback = "1000", .unit = "services",
	 .help = "Services with series of their own, those with most packets."},
	{.name = "endpoints", PS_IN(ps_dataplane_spec, metrics, endpoints), .type = PS_T_INTEGER, .min = 0,
	 .max = 4194304, .fallback = "1000", .unit = "endpoints",
	 .help = "Endpoints with series of their own, those with most packets."},
};
static const struct ps_schema metrics = {.name = "metrics", PS_FIELDS(metrics_field)};

/* ---- the document ---- */

static const struct ps_field spec_field[] = {
	{.name = "nodeName", PS_AT(ps_dataplane_spec, node_name), .type = PS_T_TEXT,
	 .format = &ps_format_subdomain,
	 .help = "Kubernetes node that this gateway counts as, for traffic policy Local."},
	{.name = "instance", PS_AT(ps_dataplane_spec, instance), .type = PS_T_TEXT, .fallback = "penstock",
	 .format = &ps_format_label, .help = "Name of this instance; two on one machine need two."},
	{.name = "ports", PS_AT(ps_dataplane_spec, ports), PS_LIST_OF(PS_T_OBJECT), .max_items = PS_MAX_PORTS,
	 .sub = &ps_dataplane_port_schema, .help = "Ports. None: Penstock finds or makes them."},
	{.name = "routes", PS_AT(ps_dataplane_spec, routes), PS_LIST_OF(PS_T_OBJECT), .max_items = 65536,
	 .sub = &ps_dataplane_route_schema, .help = "Routes. Prefixes of own addresses are known without."},
	{.name = "cores", PS_AT(ps_dataplane_spec, cores), .type = PS_T_OBJECT, .sub = &cores,
	 .help = "CPUs."},
	{.name = "memory", PS_AT(ps_dataplane_spec, memory), .type = PS_T_OBJECT, .sub = &memory,
	 .help = "Memory."},
	{.name = "descriptors", PS_AT(ps_dataplane_spec, descriptors), .type = PS_T_OBJECT,
	 .sub = &descriptors, .help = "Queue lengths."},
	{.name = "idle", PS_AT(ps_dataplane_spec, idle), .type = PS_T_ENUM, .names = idle_name,
	 .fallback = "auto",
	 .help = "What a worker does without packets: poll on, or sleep a little; auto: poll on pinned "
		 "workers."},
	{.name = "tables", PS_AT(ps_dataplane_spec, tables), .type = PS_T_OBJECT, .sub = &tables,
	 .help = "Table sizes."},
	{.name = "snatPools", PS_AT(ps_dataplane_spec, snat_pools), PS_LIST_OF(PS_T_OBJECT), .max_items = 64,
	 .sub = &snat_pool, .help = "Source addresses for FullNAT. None: the addresses of the ports."},
	{.name = "vips", PS_AT(ps_dataplane_spec, vips), .type = PS_T_OBJECT, .sub = &vips,
	 .help = "Served addresses."},
	{.name = "gatewayAddresses", PS_AT(ps_dataplane_spec, gateway_addresses), PS_LIST_OF(PS_T_IP_RANGE),
	 .max_items = 1024,
	 .help = "Addresses for Gateways and LoadBalancer Services that ask for none, given out in this "
		 "order."},
	{.name = "health", PS_AT(ps_dataplane_spec, health), .type = PS_T_OBJECT, .sub = &health,
	 .help = "Health probes, unless a Service says otherwise."},
	{.name = "timeouts", PS_AT(ps_dataplane_spec, timeouts), .type = PS_T_OBJECT, .sub = &timeouts,
	 .help = "Ages of flows."},
	{.name = "drainTimeout", PS_AT(ps_dataplane_spec, drain_timeout), .type = PS_T_DURATION, .min = 0,
	 .max = 7 * DAY, .fallback = "5m", .help = "How long flows may go on after their endpoint has left."},
	{.name = "adminAddress", PS_AT(ps_dataplane_spec, admin_address), .type = PS_T_TEXT,
	 .format = &ps_format_admin, .fallback = "127.0.0.1:9470",
	 .help = "Where metrics are served over HTTP; none: nowhere."},
	{.name = "metrics", PS_AT(ps_dataplane_spec, metrics), .type = PS_T_OBJECT, .sub = &metrics,
	 .help = "How many series there are."},
	{.name = "controllerNames", PS_AT(ps_dataplane_spec, controller_names), PS_LIST_OF(PS_T_TEXT),
	 .max_items = 64, .format = &ps_format_controller,
	 .help = "Controllers whose GatewayClasses are served besides penstock.dev/gateway-controller."},
	{.name = "hashSeed", PS_AT(ps_dataplane_spec, hash_seed), .type = PS_T_INTEGER, .min = 0,
	 .max = INT64_MAX, .fallback = "0",
	 .help = "Seed of the choice of endpoints; the same on all gateways of a fleet."},
	{.name = "ealOptions", PS_AT(ps_dataplane_spec, eal_options), .type = PS_T_TEXT, .min = 0,
	 .max = 1023, .fallback = "", .help = "Further DPDK EAL options, space separated."},
};

static bool
interface_exists(const struct ps_dataplane_spec *s, const char *name)
{
	const char *dot = strchr(name, '.');
	size_t size = dot ? (size_t)(dot - name) : strlen(name);
	uint32_t i, j;

	for (i = 0; i < s->ports.length; i++) {
		const struct ps_dataplane_port *p = &s->ports.item[i];

		if (p->name.s == NULL || strlen(p->name.s) != size || memcmp(p->name.s, name, size) != 0)
			continue;
		if (dot == NULL)
			return true;
		for (j = 0; j < p->vlans.length; j++)
			if (p->vlans.item[j].id.v == atoi(dot + 1))
				return true;
	}
	return false;
}

static void
check_routes(struct ps_decoder *d, const struct ps_dataplane_spec *s)
{
	struct ps_suggestion suggestion;
	uint32_t i, j;

	for (i = 0; i < s->routes.length; i++) {
		const struct ps_text *name = &s->routes.item[i].iface;

		if (name->s == NULL || name->place.line == 0 || interface_exists(s, name->s))
			continue;
		memset(&suggestion, 0, sizeof(suggestion));
		for (j = 0; j < s->ports.length; j++)
			if (s->ports.item[j].name.s != NULL)
				ps_suggest(&suggestion, name->s, s->ports.item[j].name.s);
		ps_decode_error(d, name->place, "interface \"%s\" does not exist, expected %s%s%s", name->s,
				suggestion.word ? "\"" : "a port or PORT.VLAN of this document",
				suggestion.word ? suggestion.word : "", suggestion.word ? "\"?" : "");
	}
}

static void
check_own_addresses(struct ps_decoder *d, const struct ps_dataplane_spec *s)
{
	const struct ps_prefix **all;
	uint32_t total = 0, length = 0, i, j, k;

	for (i = 0; i < s->ports.length; i++) {
		total += s->ports.item[i].addresses.length;
		for (j = 0; j < s->ports.item[i].vlans.length; j++)
			total += s->ports.item[i].vlans.item[j].addresses.length;
	}
	if (total > PS_MAX_OWN_ADDRESSES) {
		ps_decode_error(d, s->ports.place, "ports have %u addresses, expected at most %u", total,
			PS_MAX_OWN_ADDRESSES);
		return;
	}
	all = ps_arena_alloc(d->arena, (total + 1) * sizeof(*all));
	if (all == NULL) {
		d->no_memory = true;
		return;
	}
	for (i = 0; i < s->ports.length; i++) {
		const struct ps_dataplane_port *p = &s->ports.item[i];

		for (k = 0; k < p->addresses.length; k++)
			all[length++] = &p->addresses.item[k];
		for (j = 0; j < p->vlans.length; j++)
			for (k = 0; k < p->vlans.item[j].addresses.length; k++)
				all[length++] = &p->vlans.item[j].addresses.item[k];
	}
	for (i = 0; i < length; i++) {
		for (j = 0; j < i && all[i]->place.line != 0; j++) {
			/* a link-local address may stand on every link */
			if (!ps_addr_equal(&all[i]->addr, &all[j]->addr) ||
				ps_address_trouble(&all[i]->addr) != NULL)
				continue;
			ps_decode_error(d, all[i]->place,
				"address is given twice, expected each once (first in line %u)",
				all[j]->place.line);
			break;
		}
	}
}

/* Addresses in a range, at most limit. */
static uint64_t
range_length(const struct ps_ip_range *range, uint64_t limit)
{
	uint64_t high[2], low[2];
	unsigned i;

	for (i = 0; i < 2; i++) {
		const uint8_t *b = (i == 0 ? range->first : range->last).b;
		unsigned j;

		high[i] = low[i] = 0;
		for (j = 0; j < 8; j++) {
			high[i] = high[i] << 8 | b[j];
			low[i] = low[i] << 8 | b[8 + j];
		}
	}
	if (high[0] != high[1] || low[1] - low[0] >= limit)
		return limit;
	return low[1] - low[0] + 1;
}

static void
check_pools(struct ps_decoder *d, const struct ps_dataplane_spec *s)
{
	const uint64_t limit = PS_MAX_SNAT_ADDRESSES + 1;
	uint64_t total = 0;
	const char *trouble;
	uint32_t i, j;

	for (i = 0; i < s->snat_pools.length; i++) {
		const struct ps_dataplane_snat_pool *pool = &s->snat_pools.item[i];

		for (j = 0; j < pool->addresses.length; j++) {
			const struct ps_ip_range *range = &pool->addresses.item[j];

			if (range->place.line == 0)
				continue;
			trouble = ps_address_trouble(&range->first);
			if (trouble != NULL)
				ps_decode_error(d, range->place,
					"addresses[%u] begins with %s, expected unicast addresses", j,
					trouble);
			total += range_length(range, limit);
			if (total >= limit) {
				ps_decode_error(d, range->place,
					"SNAT pools have more than %u addresses, expected fewer",
					PS_MAX_SNAT_ADDRESSES);
				return;
			}
		}
	}
	for (i = 0; i < s->gateway_addresses.length; i++) {
		const struct ps_ip_range *range = &s->gateway_addresses.item[i];

		trouble = range->place.line != 0 ? ps_address_trouble(&range->first) : NULL;
		if (trouble != NULL)
			ps_decode_error(d, range->place,
				"gatewayAddresses[%u] begins with %s, expected unicast addresses", i,
				trouble);
	}
}

static void
check_dataplane(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	const struct ps_dataplane_spec *s = target;
	uint32_t interfaces = s->ports.length, i;

	(void)node;
	for (i = 0; i < s->ports.length; i++)
		interfaces += s->ports.item[i].vlans.length;
	if (interfaces > PS_MAX_IFACES) {
		ps_decode_error(d, s->ports.place, "ports and vlans make %u interfaces, expected at most %u",
			interfaces, PS_MAX_IFACES);
		return;
	}
	check_routes(d, s);
	check_own_addresses(d, s);
	check_pools(d, s);
}

static const struct ps_schema dataplane_spec = {
	.name = "Dataplane spec", PS_FIELDS(spec_field), .check = check_dataplane};

static const struct ps_field dataplane_field[] = {
	PS_HEAD_FIELDS,
	{.name = "spec", .type = PS_T_INLINE, .required = true, .sub = &dataplane_spec},
	PS_STATUS_FIELD,
};

const struct ps_schema ps_dataplane_schema = {
	.name = "Dataplane", PS_FIELDS(dataplane_field), .size = sizeof(struct ps_dataplane_spec)};

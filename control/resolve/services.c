/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: which addresses and ports they are served on, and with which settings.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolve/internal.h"
#include "dataplane/api/digest.h"
#include "policies/listener/build.h"
#include "policies/listener/lookup.h"

#define PROGRAMMED "penstock.dev/Programmed"
#define ENDPOINTS_READY "penstock.dev/EndpointsReady"
#define CONFLICTED "penstock.dev/Conflicted"

static uint32_t
seconds(int64_t ms)
{
	return ms <= 0 ? 0 : (uint32_t)((ms + 999) / 1000);
}

static int64_t
either(const struct ps_number *annotation, int64_t standard)
{
	return annotation->place.line != 0 ? annotation->v : standard;
}

static void
probe_settings(const struct ps_service_annotations *a, const struct ps_dataplane_spec *d, uint8_t proto,
	struct ps_probe *probe)
{
	static const uint8_t kinds[] = {
		[PS_CHECK_TCP] = PS_PROBE_TCP,
		[PS_CHECK_UDP] = PS_PROBE_UDP,
		[PS_CHECK_ICMP] = PS_PROBE_ICMP,
		[PS_CHECK_NONE] = PS_PROBE_NONE,
	};
	int64_t check = either(&a->health_check, d->health.check.v);

	*probe = (struct ps_probe){0};
	if (check == PS_CHECK_AUTO)
		check = proto == IPPROTO_TCP ? PS_CHECK_TCP : PS_CHECK_UDP;
	probe->kind = kinds[check];
	if (probe->kind == PS_PROBE_NONE)
		return;
	probe->rise = (uint8_t)either(&a->health_rise, d->health.rise.v);
	probe->fall = (uint8_t)either(&a->health_fall, d->health.fall.v);
	probe->jitter = (uint8_t)d->health.jitter.v;
	probe->port = htons((uint16_t)a->health_port.v);
	probe->interval_ms = (uint32_t)either(&a->health_interval, d->health.interval.v);
	probe->timeout_ms = (uint32_t)either(&a->health_timeout, d->health.timeout.v);
	if (probe->timeout_ms >= probe->interval_ms)
		probe->timeout_ms = probe->interval_ms > 1 ? probe->interval_ms - 1 : 1;
	if (probe->interval_ms <= probe->timeout_ms)
		probe->interval_ms = probe->timeout_ms + 1;
	probe->id = ps_digest(probe, offsetof(struct ps_probe, id), 0);
}

static uint32_t
pool_by_name(const struct ps_model *m, const char *name)
{
	uint32_t i;

	for (i = 0; i < m->pools; i++)
		if (strcmp(m->pool[i].name, name) == 0)
			return i;
	return PS_NONE;
}

void
ps_service_settings(struct ps_resolver *r, const struct ps_object *object, struct ps_model_service *out,
	struct ps_diagnostics *diagnostics, bool warn)
{
	const struct ps_service_spec *spec = object->service;
	const struct ps_service_annotations *a = &spec->annotations;
	const struct ps_dataplane_spec *d = r->model.spec;

	out->mode = (uint8_t)a->forwarding_mode.v; /* absent: 0, FullNAT */
	out->flags = 0;
	out->affinity_s = 0;
	if (spec->session_affinity.v != 0) {
		out->flags |= PS_SERVICE_F_AFFINITY;
		out->affinity_s = spec->affinity_timeout_s.v > 0 ? (uint32_t)spec->affinity_timeout_s.v : 10800;
	}
	if (a->toa.v != 0 && out->mode == PS_MODE_FULLNAT && out->proto == IPPROTO_TCP)
		out->flags |= PS_SERVICE_F_TOA;
	else if (a->toa.v != 0 && warn && out->mode != PS_MODE_FULLNAT)
		ps_without_effect(r, diagnostics, object, a->toa.place,
			"the client address option has no effect in this forwarding mode, expected FullNAT");
	if (a->no_endpoint.v == PS_NO_ENDPOINT_DROP)
		out->flags |= PS_SERVICE_F_EMPTY_DROP;
	if (a->all_down.v == PS_ALL_DOWN_OPEN)
		out->flags |= PS_SERVICE_F_ALL_DOWN_OPEN;
	out->snat_pool = PS_NONE;
	if (out->mode == PS_MODE_FULLNAT) {
		out->snat_pool = 0;
		if (a->snat_pool.s != NULL) {
			out->snat_pool = pool_by_name(&r->model, a->snat_pool.s);
			if (out->snat_pool == PS_NONE) {
				out->snat_pool = 0;
				if (warn && ps_object_diagnose(object, diagnostics, PS_ERROR, a->snat_pool.place,
						    "no SNAT pool is named %s, expected one of the Dataplane document; "
						    "the default pool is used",
						    a->snat_pool.s) != 0)
					r->failed = true;
			}
		}
	} else if (a->snat_pool.s != NULL && warn) {
		ps_without_effect(r, diagnostics, object, a->snat_pool.place,
			"a SNAT pool has no effect in this forwarding mode, expected FullNAT");
	}
	probe_settings(a, d, out->proto, &out->probe);
	out->tcp_idle_s = seconds(either(&a->tcp_idle_timeout, d->timeouts.tcp_established.v));
	out->udp_idle_s = seconds(either(&a->udp_idle_timeout, d->timeouts.udp.v));
	out->drain_s = seconds(either(&a->drain_timeout, d->drain_timeout.v));
	out->mss = (uint16_t)a->mss.v;
	out->gue_port = htons(a->gue_port.v != 0 ? (uint16_t)a->gue_port.v : 6080);
}

/* ---- listeners of one Service ---- */

struct making {
	struct ps_resolver *r;
	struct service_entry *e;
	const struct ps_range *range[2]; /* loadBalancerSourceRanges by family */
	uint32_t ranges[2];
	bool internal_local, external_local;
};

static struct ps_model_service *
model_service(struct making *k, uint32_t port, bool v6, bool local)
{
	const struct ps_service_spec_port *p = &k->e->object->service->ports.item[port];
	struct service_entry *e = k->e;
	struct ps_model_service *s;
	uint32_t i;

	for (i = 0; i < e->services; i++)
		if (e->service_port[i] == port && e->service[i].v6 == v6 && e->service_local[i] == local)
			return &e->service[i];
	e->service_port[i] = port;
	e->service_local[i] = local;
	s = &e->service[e->services++];
	s->object = e->object;
	s->port = (uint16_t)p->port.v;
	s->v6 = v6;
	s->proto = p->protocol.v == PS_UDP ? IPPROTO_UDP : IPPROTO_TCP;
	s->name = ps_take_text(k->r, &e->arena, "%s/%s:%u%s%s%s", e->object->ns, e->object->name, s->port,
		s->proto == IPPROTO_UDP ? "/udp" : "", local ? "/local" : "", v6 ? "/ipv6" : "");
	s->id = ps_service_id(s->name);
	ps_service_settings(k->r, e->object, s, NULL, false);
	return s;
}

/* One address, for all ports of the Service. how: "ClusterIP", "LoadBalancer" ... */
static void
listen_on(struct making *k, const struct ps_addr *addr, const char *how, bool node_port, bool local, bool ranged)
{
	const struct ps_service_spec *spec = k->e->object->service;
	bool v6 = !ps_addr_is_v4(addr);
	uint32_t i;

	for (i = 0; i < spec->ports.length && !k->r->failed; i++) {
		const struct ps_service_spec_port *p = &spec->ports.item[i];
		struct service_listener *l = &k->e->listener[k->e->listeners];

		if (p->protocol.v == PS_SCTP || (node_port && p->node_port.v == 0))
			continue;
		l->service = model_service(k, i, v6, local);
		l->model = (struct ps_model_listener){
			.addr = *addr,
			.port = htons((uint16_t)(node_port ? p->node_port.v : p->port.v)),
			.proto = l->service->proto,
			.kind = PS_LISTENER_L4,
			.object = k->e->object,
			.name = ps_take_text(k->r, &k->e->arena, "service/%s/%s:%u/%s", k->e->object->ns, k->e->object->name,
				(unsigned)p->port.v, how),
		};
		if (ranged) {
			l->model.range = k->range[v6];
			l->model.ranges = k->ranges[v6];
		}
		k->e->listeners++;
	}
}

/* Ranges were given but none of this family: one that holds no client stands for "nobody". */
static const struct ps_range nobody;

static void
source_ranges(struct making *k)
{
	const struct ps_service_spec *spec = k->e->object->service;
	uint32_t i, f, n = spec->load_balancer_source_ranges.length;

	if (n == 0)
		return;
	for (f = 0; f < 2; f++) {
		struct ps_range *range = ps_take(k->r, &k->e->arena, n * sizeof(*range));
		uint32_t used = 0;

		if (k->r->failed)
			return;
		for (i = 0; i < n; i++) {
			const struct ps_prefix *p = &spec->load_balancer_source_ranges.item[i];

			if (p->v6 == (f != 0))
				range[used++] = ps_range_of_prefix(&p->addr, p->length);
		}
		k->ranges[f] = ps_ranges_normalize(range, used);
		k->range[f] = range;
		if (used == 0) {
			k->range[f] = &nobody;
			k->ranges[f] = 1;
		}
	}
}

static void
trouble(struct service_entry *e, const char *reason, const char *text)
{
	if (e->trouble == NULL) {
		e->trouble_reason = reason;
		e->trouble = text;
	}
}

static void
add_ingress(struct making *k, const struct ps_addr *addr)
{
	uint32_t i;

	for (i = 0; i < k->e->status.ingresses; i++)
		if (ps_addr_equal(&k->e->status.ingress[i], addr))
			return;
	k->e->status.ingress[k->e->status.ingresses++] = *addr;
	listen_on(k, addr, "LoadBalancer", false, k->external_local, true);
}

static bool
wants_family(const struct ps_service_spec *spec, bool v6)
{
	uint32_t i;

	for (i = 0; i < spec->cluster_ips.length; i++)
		if (ps_addr_is_v4(&spec->cluster_ips.item[i].addr) != v6)
			return true;
	for (i = 0; i < spec->ip_families.length; i++)
		if ((spec->ip_families.item[i].v == PS_IPV6) == v6)
			return true;
	if (spec->cluster_ips.length != 0 || spec->ip_families.length != 0)
		return false;
	return !v6 || spec->ip_family_policy.v != 0;
}

static bool
is_foreign_class(const struct ps_service_spec *spec)
{
	const char *class = spec->load_balancer_class.s;

	return class != NULL && strncmp(class, "penstock.dev/", 13) != 0;
}

static void
load_balancer_addresses(struct making *k)
{
	struct service_entry *e = k->e;
	const struct ps_service_spec *spec = e->object->service;
	uint32_t i;

	e->status.ingress = ps_take(k->r, &e->arena, (spec->ingress.length + 3) * sizeof(*e->status.ingress));
	if (k->r->failed)
		return;
	for (i = 0; i < spec->ingress.length; i++) {
		const struct ps_ingress *in = &spec->ingress.item[i];

		if (ps_addr_is_zero(&in->ip.addr) || (in->ip_mode.s != NULL && strcmp(in->ip_mode.s, "Proxy") == 0))
			continue;
		if (ps_addr_is_servable(&in->ip.addr))
			add_ingress(k, &in->ip.addr);
	}
	if (is_foreign_class(spec)) {
		if (e->status.ingresses == 0)
			trouble(e, "ForeignClass", "loadBalancerClass is another controller's, which has given no address yet");
		return;
	}
	if (!ps_addr_is_zero(&spec->load_balancer_ip.addr)) {
		if (ps_addr_is_servable(&spec->load_balancer_ip.addr))
			add_ingress(k, &spec->load_balancer_ip.addr);
		else
			trouble(e, "AddressNotUsable", "loadBalancerIP is no address that can be served");
	}
	for (i = 0; i < 2 && e->status.ingresses == 0; i++) {
		if (!wants_family(spec, i != 0))
			continue;
		if (ps_addr_is_zero(&e->pool_address[i])) {
			uint64_t key = ps_digest(e->object->name, strlen(e->object->name),
				ps_digest(e->object->ns, strlen(e->object->ns), i));

			if (ps_pool_assign(k->r, key, i != 0, &e->pool_address[i]) != 0)
				e->pool_address[i] = (struct ps_addr){0};
		}
	}
	for (i = 0; i < 2; i++)
		if (!ps_addr_is_zero(&e->pool_address[i]))
			add_ingress(k, &e->pool_address[i]);
	if (e->status.ingresses == 0)
		trouble(e, "AddressNotAssigned",
			"no loadBalancerIP, no status.loadBalancer.ingress, and gatewayAddresses of the Dataplane has no free address");
}

static void
warn_about(struct ps_resolver *r, struct service_entry *e)
{
	const struct ps_object *o = e->object;
	const struct ps_service_spec *spec = o->service;
	const char *node = r->model.boot.node_name;
	struct ps_model_service settings = {.proto = IPPROTO_TCP};
	uint32_t i;

	if (e->diagnostics.length != 0)
		r->diagnostics_changed = true;
	ps_diagnostics_clear(&e->diagnostics);
	ps_service_settings(r, o, &settings, &e->diagnostics, true);
	for (i = 0; i < spec->ports.length; i++) {
		const struct ps_service_spec_port *p = &spec->ports.item[i];

		if (p->protocol.v == PS_SCTP)
			ps_without_effect(r, &e->diagnostics, o, p->protocol.place,
				"SCTP is not served, expected TCP or UDP");
		if (settings.mode >= PS_MODE_IPIP && p->target_port.number != 0 && p->target_port.number != p->port.v)
			ps_without_effect(r, &e->diagnostics, o, p->target_port.place,
				"targetPort is not written into packets in this forwarding mode, expected backends that "
				"listen on port %u",
				(unsigned)p->port.v);
	}
	if (*node == '\0' && spec->external_traffic_policy.v == PS_POLICY_LOCAL &&
		(spec->type.v == PS_NODE_PORT || spec->type.v == PS_LOAD_BALANCER || spec->external_ips.length != 0))
		ps_without_effect(r, &e->diagnostics, o, spec->external_traffic_policy.place,
			"externalTrafficPolicy Local has no effect, expected nodeName in the Dataplane document");
	if (*node == '\0' && spec->internal_traffic_policy.v == PS_POLICY_LOCAL)
		ps_without_effect(r, &e->diagnostics, o, spec->internal_traffic_policy.place,
			"internalTrafficPolicy Local has no effect, expected nodeName in the Dataplane document");
	if (spec->load_balancer_source_ranges.length != 0 && spec->type.v != PS_LOAD_BALANCER)
		ps_without_effect(r, &e->diagnostics, o, spec->load_balancer_source_ranges.place,
			"loadBalancerSourceRanges has no effect, expected type LoadBalancer");
	if (e->diagnostics.length != 0)
		r->diagnostics_changed = true;
}

static void
configure(struct ps_resolver *r, struct service_entry *e)
{
	const struct ps_service_spec *spec = e->object->service;
	const struct ps_model *m = &r->model;
	struct making k = {.r = r, .e = e};
	uint32_t i, most, ports = spec->ports.length;
	bool named = *m->boot.node_name != '\0';

	ps_arena_reset(&e->arena);
	e->services = e->listeners = 0;
	e->trouble = e->trouble_reason = NULL;
	e->status.ingress = NULL;
	e->status.ingresses = 0;
	most = ports * (spec->cluster_ips.length + spec->external_ips.length + spec->ingress.length + 3 + m->addresses);
	e->backend = ps_take(r, &e->arena, ports * 2 * sizeof(*e->backend));
	e->service = ps_take(r, &e->arena, ports * 4 * sizeof(*e->service));
	e->service_local = ps_take(r, &e->arena, ports * 4 * sizeof(*e->service_local));
	e->service_port = ps_take(r, &e->arena, ports * 4 * sizeof(*e->service_port));
	e->listener = ps_take(r, &e->arena, most * sizeof(*e->listener));
	if (r->failed)
		return;
	k.internal_local = named && spec->internal_traffic_policy.v == PS_POLICY_LOCAL;
	k.external_local = named && spec->external_traffic_policy.v == PS_POLICY_LOCAL;
	r->layout_changed = r->content_changed = true;
	if (spec->type.v == PS_EXTERNAL_NAME) {
		trouble(e, "ExternalName", "ExternalName is a DNS alias: there is nothing to balance");
		return;
	}
	for (i = 0; i < spec->cluster_ips.length && !r->failed; i++)
		listen_on(&k, &spec->cluster_ips.item[i].addr, "ClusterIP", false, k.internal_local, false);
	for (i = 0; i < spec->external_ips.length && !r->failed; i++) {
		if (ps_addr_is_servable(&spec->external_ips.item[i].addr))
			listen_on(&k, &spec->external_ips.item[i].addr, "ExternalIP", false, k.external_local, false);
		else
			trouble(e, "AddressNotUsable", "one of externalIPs is no address that can be served");
	}
	if (spec->type.v == PS_LOAD_BALANCER) {
		source_ranges(&k);
		if (!r->failed)
			load_balancer_addresses(&k);
	}
	if (spec->type.v == PS_LOAD_BALANCER || spec->type.v == PS_NODE_PORT)
		for (i = 0; i < m->addresses && !r->failed; i++)
			if (ps_addr_is_servable(&m->address[i].addr) && wants_family(spec, !ps_addr_is_v4(&m->address[i].addr)))
				listen_on(&k, &m->address[i].addr, "NodePort", true, k.external_local, false);
	for (i = 0; i < ports; i++)
		if (spec->ports.item[i].protocol.v == PS_SCTP)
			trouble(e, "UnsupportedProtocol", "SCTP is not served");
}

bool
ps_service_keeps_pool_addresses(const struct ps_resolver *r, const struct ps_service_spec *spec, const struct service_entry *e)
{
	uint32_t f;

	if (is_foreign_class(spec) || spec->type.v != PS_LOAD_BALANCER || !ps_addr_is_zero(&spec->load_balancer_ip.addr) ||
		spec->ingress.length != 0)
		return false;
	for (f = 0; f < 2; f++)
		if (!ps_addr_is_zero(&e->pool_address[f]) &&
			(!ps_in_gateway_addresses(r->model.spec, &e->pool_address[f]) || !wants_family(spec, f != 0)))
			return false;
	return true;
}

void
ps_service_configure(struct ps_resolver *r, struct service_entry *e)
{
	configure(r, e);
	warn_about(r, e);
}

/* ---- status ---- */

void
ps_service_conditions(struct ps_resolver *r, struct service_entry *e)
{
	struct ps_conditions *c = &e->status.conditions;
	const struct ps_object *o = e->object;

	if (e->shut_out)
		; /* stays as the assembly has set it */
	else if (e->trouble != NULL)
		ps_condition_set(r, c, c, o, PROGRAMMED, "False", e->trouble_reason, "%s", e->trouble);
	else if (e->listeners == 0)
		ps_condition_set(r, c, c, o, PROGRAMMED, "False", "NoAddress",
			o->service->headless ? "headless: served only as a backend of routes"
					     : "no clusterIP, load balancer address, external address or node port");
	else
		ps_condition_set(r, c, c, o, PROGRAMMED, "True", "Programmed", "%u addresses and ports are served", e->listeners);
	if (e->status.ready != 0)
		ps_condition_set(r, c, c, o, ENDPOINTS_READY, "True", "EndpointsReady", "%u of %u endpoints are ready",
			e->status.ready, e->status.total);
	else
		ps_condition_set(r, c, c, o, ENDPOINTS_READY, "False",
			e->status.total == 0 ? "NoEndpoints" : "NoReadyEndpoints", "none of %u endpoints is ready", e->status.total);
}

void
ps_service_conflict_condition(struct ps_resolver *r, struct service_entry *e)
{
	struct ps_conditions *c = &e->status.conditions;

	if (e->lost_to == NULL && !e->conflict_shown)
		return;
	e->conflict_shown = e->lost_to != NULL;
	e->shut_out = e->lost_to != NULL && e->won == 0;
	ps_service_conditions(r, e);
	if (e->lost_to == NULL) {
		ps_condition_drop(c, CONFLICTED);
		return;
	}
	ps_condition_set(r, c, c, e->object, CONFLICTED, "True", "AddressConflict",
		"%u of %u addresses and ports of this Service belong to others that are older, one to %s", e->listeners - e->won,
		e->listeners, e->lost_to);
	if (e->shut_out)
		ps_condition_set(r, c, c, e->object, PROGRAMMED, "False", "AddressConflict",
			"all addresses and ports belong to others that are older, one to %s", e->lost_to);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EndpointSlices to endpoints, with the rules of kube-proxy: ready ones are in rotation (all of them with
 * publishNotReadyAddresses); when none is, those that are terminating but still serve; the others stay known, so
 * that flows they have go on.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolve/internal.h"
#include "dataplane/api/digest.h"
#include "policies/listener/lookup.h"

#include <arpa/inet.h>

/*
 * The port of the slice that a Service port means: by name, as the endpoint controller writes them; slices written by hand
 * may name the target port or give only its number. 0: none. host order.
 */
static uint16_t
slice_port(const struct ps_slice_spec *slice, const struct ps_service_spec_port *port)
{
	uint32_t i;

	for (i = 0; i < slice->ports.length; i++) {
		const struct ps_slice_port *p = &slice->ports.item[i];

		if (p->protocol.v == port->protocol.v && strcmp(ps_or_empty(p->name.s), ps_or_empty(port->name.s)) == 0) {
			if (p->port.v != 0)
				return (uint16_t)p->port.v;
			return port->target_port.number != 0 ? port->target_port.number : (uint16_t)port->port.v;
		}
	}
	for (i = 0; i < slice->ports.length; i++) {
		const struct ps_slice_port *p = &slice->ports.item[i];

		if (p->protocol.v != port->protocol.v || p->port.v == 0)
			continue;
		if (port->target_port.name != NULL && p->name.s != NULL &&
			strcmp(p->name.s, port->target_port.name) == 0)
			return (uint16_t)p->port.v;
		if (port->target_port.name == NULL && p->name.s == NULL &&
			p->port.v == (port->target_port.number != 0 ? port->target_port.number : port->port.v))
			return (uint16_t)p->port.v;
	}
	return 0;
}

static uint16_t
weight_of(const struct ps_service_annotations *a, const struct ps_addr *addr)
{
	uint32_t i;

	for (i = 0; i < a->weights.length; i++)
		if (ps_addr_equal(&a->weights.item[i].addr, addr))
			return (uint16_t)a->weights.item[i].weight;
	return 1;
}

static int
backend_order(const void *a, const void *b)
{
	const struct backend_endpoint *x = a, *y = b;
	int rc = ps_addr_compare(&x->addr, &y->addr);

	if (rc != 0)
		return rc;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	/* of one address listed twice, the most useful comes first and stays */
	if (x->ready != y->ready)
		return x->ready ? -1 : 1;
	return (int)y->serving - (int)x->serving;
}

static uint32_t
slice_endpoints(const struct ps_resolver *r, const struct ps_object *service)
{
	const struct ps_object *slice;
	uint32_t n = 0;

	for (slice = ps_manifests_first_slice(r->set, service->ns, service->name); slice != NULL;
		slice = ps_manifests_next_slice(slice))
		n += slice->slice->endpoints.length;
	return n;
}

static void
fill_backend(struct ps_resolver *r, struct service_entry *e, uint32_t port, bool v6, struct backend *out)
{
	const struct ps_service_spec *spec = e->object->service;
	const struct ps_service_spec_port *service_port = &spec->ports.item[port];
	const char *node = r->model.boot.node_name;
	const struct ps_object *slice;
	uint32_t i, kept;

	for (slice = ps_manifests_first_slice(r->set, e->object->ns, e->object->name); slice != NULL;
		slice = ps_manifests_next_slice(slice)) {
		const struct ps_slice_spec *s = slice->slice;
		uint16_t target;

		if (s->address_type.v != (v6 ? PS_SLICE_IPV6 : PS_SLICE_IPV4))
			continue;
		target = slice_port(s, service_port);
		for (i = 0; i < s->endpoints.length && target != 0; i++) {
			const struct ps_slice_endpoint *from = &s->endpoints.item[i];
			struct backend_endpoint *to = &out->endpoint[out->endpoints];
			const char *pod_ns;

			/* Only the first address counts, as in Kubernetes. */
			if (from->addresses.length == 0 || ps_addr_is_v4(&from->addresses.item[0].addr) == v6)
				continue;
			pod_ns = from->target.ns.s != NULL ? from->target.ns.s : slice->ns;
			to->addr = from->addresses.item[0].addr;
			to->port = htons(target);
			to->weight = weight_of(&spec->annotations, &to->addr);
			to->terminating = from->terminating.v != 0;
			to->ready = from->ready.v != 0 || spec->publish_not_ready_addresses.v != 0;
			to->serving = from->serving.place.line != 0 ? from->serving.v != 0 : to->ready;
			to->local = *node != '\0' && from->node_name.s != NULL && strcmp(from->node_name.s, node) == 0;
			to->name = from->target.name.s != NULL
					   ? ps_take_text(r, &e->endpoint_arena, "%s/%s", pod_ns, from->target.name.s)
					   : "";
			to->node = from->node_name.s != NULL ? ps_take_text(r, &e->endpoint_arena, "%s", from->node_name.s) : "";
			to->zone = from->zone.s != NULL ? ps_take_text(r, &e->endpoint_arena, "%s", from->zone.s) : "";
			out->endpoints++;
		}
	}
	qsort(out->endpoint, out->endpoints, sizeof(*out->endpoint), backend_order);
	for (i = kept = 0; i < out->endpoints; i++)
		if (kept == 0 || !ps_addr_equal(&out->endpoint[kept - 1].addr, &out->endpoint[i].addr) ||
			out->endpoint[kept - 1].port != out->endpoint[i].port)
			out->endpoint[kept++] = out->endpoint[i];
	out->endpoints = kept;
}

uint32_t
ps_backend_rotation(const struct backend *backend, bool local_only, bool *rotate, uint64_t *share)
{
	uint32_t i, n = 0, round;

	*share = 0;
	for (round = 0; round < 2 && n == 0; round++) {
		for (i = 0; i < backend->endpoints; i++) {
			const struct backend_endpoint *b = &backend->endpoint[i];
			bool usable = round == 0 ? b->ready && !b->terminating : b->serving && b->terminating;

			rotate[i] = usable && b->weight != 0 && (!local_only || b->local);
			if (rotate[i]) {
				n++;
				*share += b->weight;
			}
		}
	}
	return n;
}

uint64_t
ps_service_id(const char *name)
{
	return ps_digest(name, strlen(name), 0);
}

uint64_t
ps_endpoint_id(uint64_t service, const struct ps_addr *addr, uint16_t port, uint8_t proto)
{
	uint64_t h = ps_mix64(service ^ ps_digest_load(addr->b) ^ PS_DIGEST_K0, ps_digest_load(addr->b + 8) ^ PS_DIGEST_K1);

	return ps_mix64(h ^ service, ((uint64_t)port | (uint64_t)proto << 16) ^ PS_DIGEST_K2);
}

/* In rotation first, both parts in the order of ids: the order that Maglev tables are addressed by. */
static int
endpoint_order(const void *a, const void *b)
{
	const struct ps_model_endpoint *x = a, *y = b;

	if ((x->weight != 0) != (y->weight != 0))
		return x->weight != 0 ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

void
ps_endpoints_sort(struct ps_model_endpoint *endpoint, uint32_t endpoints)
{
	qsort(endpoint, endpoints, sizeof(*endpoint), endpoint_order);
}

static void
fill_service(struct ps_resolver *r, struct service_entry *e, struct ps_model_service *s, uint32_t port, bool local_only)
{
	const struct backend *b = &e->backend[port * 2 + s->v6];
	bool *rotate = ps_take(r, &e->endpoint_arena, b->endpoints);
	const char *via;
	uint64_t share;
	uint32_t i;

	s->endpoint = ps_take(r, &e->endpoint_arena, b->endpoints * sizeof(*s->endpoint));
	via = ps_take_text(r, &e->endpoint_arena, "%s/%s:%u", e->object->ns, e->object->name, s->port);
	s->endpoints = s->balanced = 0;
	if (r->failed)
		return;
	/*
	 * Endpoints on other nodes only: silence, as kube-proxy keeps it, because a client that is refused would not try
	 * the node that serves it.
	 */
	s->flags &= (uint16_t)~PS_SERVICE_F_EMPTY_DROP;
	if (e->object->service->annotations.no_endpoint.v == PS_NO_ENDPOINT_DROP ||
	    (local_only && ps_backend_rotation(b, false, rotate, &share) != 0))
		s->flags |= PS_SERVICE_F_EMPTY_DROP;
	s->balanced = ps_backend_rotation(b, local_only, rotate, &share);
	for (i = 0; i < b->endpoints; i++) {
		const struct backend_endpoint *from = &b->endpoint[i];

		if (local_only && !from->local)
			continue;
		s->endpoint[s->endpoints++] = (struct ps_model_endpoint){
			.id = ps_endpoint_id(s->id, &from->addr, from->port, s->proto),
			.addr = from->addr,
			.port = from->port,
			.weight = rotate[i] ? from->weight : 0,
			.flags = from->terminating && !rotate[i] ? PS_ENDPOINT_F_DRAINING : 0,
			.ready = from->ready,
			.serving = from->serving,
			.terminating = from->terminating,
			.name = from->name,
			.node = from->node,
			.zone = from->zone,
			.backend = via,
		};
	}
	ps_endpoints_sort(s->endpoint, s->endpoints);
	s->revision = ++r->serial;
}

void
ps_service_endpoints(struct ps_resolver *r, struct service_entry *e)
{
	const struct ps_service_spec *spec = e->object->service;
	uint32_t i, f, most, ready = 0, total = 0, draining = 0;

	ps_arena_reset(&e->endpoint_arena);
	most = slice_endpoints(r, e->object);
	e->revision = ++r->serial;
	for (i = 0; i < spec->ports.length; i++) {
		for (f = 0; f < 2; f++) {
			struct backend *b = &e->backend[i * 2 + f];

			*b = (struct backend){0};
			b->endpoint = ps_take(r, &e->endpoint_arena, most * sizeof(*b->endpoint));
			if (r->failed)
				return;
			fill_backend(r, e, i, f != 0, b);
		}
	}
	/* Counted once per address: the first port speaks for all. */
	for (f = 0; f < 2 && spec->ports.length != 0; f++) {
		const struct backend *b = &e->backend[f];

		for (i = 0; i < b->endpoints; i++) {
			total++;
			ready += b->endpoint[i].ready && !b->endpoint[i].terminating;
			draining += b->endpoint[i].terminating;
		}
	}
	e->status.total = total;
	e->status.ready = ready;
	e->status.draining = draining;
	for (i = 0; i < e->services; i++)
		fill_service(r, e, &e->service[i], e->service_port[i], e->service_local[i]);
	r->content_changed = true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/{gatewayclasses,gateways,routes,objects,dataplane,config} and single Kubernetes objects. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/daemon/request.h"

static json_t *
condition_true(const struct ps_conditions *c, const char *type)
{
	return json_boolean(ps_conditions_true(c, type));
}

/* Why it is not as it should be: the reason of the first condition that is not True, else null. */
static json_t *
first_reason(const struct ps_conditions *c)
{
	uint32_t i;

	for (i = 0; i < c->length; i++) {
		bool wanted = strcmp(c->item[i].type, "Conflicted") != 0 && strcmp(c->item[i].type, "OverlappingTLSConfig") != 0;

		if ((strcmp(c->item[i].status, "True") == 0) != wanted)
			return json_string(c->item[i].reason);
	}
	return json_null();
}

void
ps_get_gateway_classes(struct ps_request *r)
{
	const struct ps_model *m = r->daemon->model;
	json_t *items = json_array();
	uint32_t i;

	for (i = 0; m != NULL && i < m->classes; i++) {
		const struct ps_class_status *s = m->class_status[i];

		json_array_append_new(items, json_pack("{s:s, s:s?, s:o, s:o}", "name", s->object->name, "controller",
			s->object->gateway_class->controller_name.s, "accepted", condition_true(&s->conditions, "Accepted"),
			"reason", first_reason(&s->conditions)));
	}
	ps_reply_json(r, HTTP_OK, ps_items(items));
}

static json_t *
gateway_json(const struct ps_gateway_status *s)
{
	json_t *addresses = json_array(), *listeners = json_array();
	char text[PS_ADDRESS_TEXT];
	uint32_t i;

	for (i = 0; i < s->addresses; i++)
		json_array_append_new(addresses, json_string(ps_ip_text(text, sizeof(text), &s->address[i])));
	for (i = 0; i < s->listeners; i++) {
		const struct ps_listener_status *l = &s->listener[i];

		json_array_append_new(listeners, json_pack("{s:s?, s:I, s:s?, s:i, s:o, s:o, s:o}", "name", l->spec->name.s,
			"port", (json_int_t)l->spec->port.v, "protocol", l->spec->protocol.s, "attached_routes",
			(int)l->attached_routes, "accepted", condition_true(&l->conditions, "Accepted"), "programmed",
			condition_true(&l->conditions, "Programmed"), "reason", first_reason(&l->conditions)));
	}
	return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:o, s:o, s:o}", "namespace", s->object->ns, "name", s->object->name,
		"class", s->object->gateway->class_name.s, "addresses", addresses, "accepted",
		condition_true(&s->conditions, "Accepted"), "programmed", condition_true(&s->conditions, "Programmed"), "reason",
		first_reason(&s->conditions), "listeners", listeners);
}

static bool
namespace_selected(const struct ps_request *r, const struct ps_object *o)
{
	const char *ns = ps_request_get(r, "namespace");

	return ns == NULL || strcmp(ns, o->ns) == 0;
}

void
ps_get_gateways(struct ps_request *r)
{
	const struct ps_model *m = r->daemon->model;
	json_t *items = json_array();
	uint32_t i;

	for (i = 0; m != NULL && i < m->gateways; i++)
		if (namespace_selected(r, m->gateway_status[i]->object))
			json_array_append_new(items, gateway_json(m->gateway_status[i]));
	ps_reply_json(r, HTTP_OK, ps_items(items));
}

static json_t *
route_json(const struct ps_route_status *s)
{
	json_t *parents = json_array();
	bool accepted = s->parents != 0, resolved = s->parents != 0;
	char gateway[512];
	uint32_t i;

	for (i = 0; i < s->parents; i++) {
		const struct ps_parent_status *p = &s->parent[i];
		const char *ns = p->ref->ns.s != NULL ? p->ref->ns.s : s->object->ns;

		accepted = accepted && ps_conditions_true(&p->conditions, "Accepted");
		resolved = resolved && ps_conditions_true(&p->conditions, "ResolvedRefs");
		snprintf(gateway, sizeof(gateway), "%s/%s", ns, p->ref->name.s != NULL ? p->ref->name.s : "");
		json_array_append_new(parents, json_pack("{s:s, s:s?, s:o, s:o, s:o}", "gateway", gateway, "section",
			p->ref->section_name.s, "accepted", condition_true(&p->conditions, "Accepted"), "resolved_refs",
			condition_true(&p->conditions, "ResolvedRefs"), "reason", first_reason(&p->conditions)));
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:i, s:b, s:b}", "kind", s->object->kind_name, "namespace", s->object->ns,
		"name", s->object->name, "parents", parents, "rules", (int)s->object->route->rules.length, "accepted",
		(int)accepted, "resolved_refs", (int)resolved);
}

void
ps_get_routes(struct ps_request *r)
{
	const struct ps_model *m = r->daemon->model;
	const char *list = r->path[0];
	json_t *items = json_array();
	uint32_t i;

	for (i = 0; m != NULL && i < m->route_statuses; i++) {
		const struct ps_object *o = m->route_status[i]->object;

		if ((strcmp(list, "tcproutes") == 0 && o->kind != PS_KIND_TCP_ROUTE) ||
		    (strcmp(list, "udproutes") == 0 && o->kind != PS_KIND_UDP_ROUTE) || !namespace_selected(r, o))
			continue;
		json_array_append_new(items, route_json(m->route_status[i]));
	}
	ps_reply_json(r, HTTP_OK, ps_items(items));
}

/* ---- any object ---- */

static const struct {
	const char *list;
	enum ps_kind kind;
} lists[] = {
	{"gatewayclasses", PS_KIND_GATEWAY_CLASS}, {"gateways", PS_KIND_GATEWAY},       {"tcproutes", PS_KIND_TCP_ROUTE},
	{"udproutes", PS_KIND_UDP_ROUTE},          {"routes", PS_KIND_TCP_ROUTE},       {"routes", PS_KIND_UDP_ROUTE},
	{"services", PS_KIND_SERVICE},             {"endpointslices", PS_KIND_ENDPOINT_SLICE},
	{"namespaces", PS_KIND_NAMESPACE},         {"referencegrants", PS_KIND_REFERENCE_GRANT},
	{"dataplanes", PS_KIND_DATAPLANE},
};

struct objects {
	uint32_t skip;      /* objects already looked at */
	int only;           /* enum ps_kind, -1: all */
	char kind_name[64]; /* "": any */
	char ns[256];       /* "": any */
};

static json_t *
object_item(const struct ps_object *o)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:b}", "kind", o->kind_name, "api_version", o->api_version,
		"namespace", o->ns, "name", o->name, "file", o->file, "line", (int)o->place.line, "generation",
		(json_int_t)o->generation, "served", (int)(o->kind != PS_KIND_OTHER));
}

/* Goes over all objects, kind by kind. They may have changed since the last piece; then one may come twice or not at all. */
static bool
objects_next(struct ps_list *l)
{
	struct objects *s = l->state;
	uint32_t at = 0;
	int kind;

	for (kind = 0; kind < PS_KINDS; kind++) {
		const struct ps_object *o;

		if (s->only >= 0 && kind != s->only)
			continue;
		for (o = ps_manifests_first(l->daemon->manifests, (enum ps_kind)kind); o != NULL; o = ps_manifests_next(o)) {
			if (at++ < s->skip)
				continue;
			if (ps_list_full(l))
				return true;
			s->skip = at;
			if ((s->kind_name[0] == '\0' || strcasecmp(s->kind_name, o->kind_name) == 0) &&
			    (s->ns[0] == '\0' || strcmp(s->ns, o->ns) == 0))
				ps_list_item(l, object_item(o));
		}
	}
	return false;
}

void
ps_get_objects(struct ps_request *r)
{
	const char *kind = ps_request_get(r, "kind"), *ns = ps_request_get(r, "namespace");
	struct objects *s = calloc(1, sizeof(*s));
	size_t i;

	if (s == NULL) {
		ps_reply_json(r, HTTP_OK, NULL);
		return;
	}
	s->only = -1;
	for (i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		if (strcmp(r->path[0], lists[i].list) == 0)
			s->only = lists[i].kind;
	snprintf(s->kind_name, sizeof(s->kind_name), "%s", kind == NULL ? "" : kind);
	snprintf(s->ns, sizeof(s->ns), "%s", ns == NULL ? "" : ns);
	ps_reply_list(r, objects_next, s, NULL);
}

void
ps_get_object(struct ps_request *r)
{
	const char *ns = r->path[2] == NULL ? "" : r->path[1];
	const char *name = r->path[2] == NULL ? r->path[1] : r->path[2];
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(*lists) && r->path[3] == NULL; i++) {
		const struct ps_object *o;

		if (strcmp(lists[i].list, r->path[0]) != 0)
			continue;
		o = ps_manifests_find(r->daemon->manifests, lists[i].kind, ns, name);
		if (o != NULL && r->daemon->model != NULL) {
			ps_reply_json(r, HTTP_OK, ps_object_json(r->daemon->model, o));
			return;
		}
	}
	ps_reply_error(r, HTTP_NOTFOUND, "there is no %s %s%s%s", r->path[0], ns, *ns == '\0' ? "" : "/", name);
}

/* ---- what the gateway itself is ---- */

static const char *
prefix_text(char *text, size_t size, const struct ps_addr *addr, uint8_t length)
{
	char ip[PS_ADDRESS_TEXT];

	snprintf(text, size, "%s/%u", ps_ip_text(ip, sizeof(ip), addr), length);
	return text;
}

static bool
unspecified(const struct ps_addr *a)
{
	static const struct ps_addr zero;

	return ps_addr_equal(a, &zero);
}

static json_t *
ports_json(const struct ps_model *m)
{
	json_t *items = json_array();
	uint32_t i;

	for (i = 0; i < m->ports; i++) {
		const struct ps_model_port *p = &m->port[i];

		json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:b}", "name", p->name, "kind",
			ps_port_kind_name(p->raw.kind), "device", p->device, "options", p->options, "queues", (int)p->raw.queues, "mtu",
			(int)p->raw.mtu, "promiscuous", (p->raw.flags & PS_PORT_F_PROMISCUOUS) != 0, "punt",
			(p->raw.flags & PS_PORT_F_PUNT) != 0));
	}
	return items;
}

static json_t *
interfaces_json(const struct ps_model *m)
{
	json_t *items = json_array();
	uint32_t i;

	for (i = 0; i < m->ifaces; i++)
		json_array_append_new(items, json_pack("{s:s, s:s, s:i, s:i}", "name", m->iface[i].name, "port",
			m->port[m->iface[i].raw.port].name, "vlan", (int)m->iface[i].raw.vlan, "mtu", (int)m->iface[i].raw.mtu));
	return items;
}

static json_t *
addresses_json(const struct ps_model *m)
{
	json_t *items = json_array();
	char text[PS_ADDRESS_TEXT + 8];
	uint32_t i;

	for (i = 0; i < m->addresses; i++)
		json_array_append_new(items, json_pack("{s:s, s:s}", "address",
			prefix_text(text, sizeof(text), &m->address[i].addr, m->address[i].prefix_length), "interface",
			m->iface[m->address[i].iface].name));
	return items;
}

static json_t *
routes_json(const struct ps_model *m)
{
	json_t *items = json_array();
	char to[PS_ADDRESS_TEXT + 8], via[PS_ADDRESS_TEXT];
	uint32_t i;

	for (i = 0; i < m->routes; i++) {
		const struct ps_route *t = &m->route[i];

		json_array_append_new(items, json_pack("{s:s, s:s?, s:s?}", "to",
			prefix_text(to, sizeof(to), &t->prefix, t->prefix_length), "via",
			unspecified(&t->via) ? NULL : ps_ip_text(via, sizeof(via), &t->via), "interface",
			t->iface == PS_NONE ? NULL : m->iface[t->iface].name));
	}
	return items;
}

static json_t *
pools_json(const struct ps_model *m)
{
	json_t *items = json_array();
	char text[PS_ADDRESS_TEXT];
	uint32_t i, j;

	for (i = 0; i < m->pools; i++) {
		json_t *addresses = json_array();

		for (j = 0; j < m->pool[i].addresses; j++) {
			const struct ps_snat_address *a = &m->snat_address[m->pool[i].first_address + j];

			json_array_append_new(addresses, json_pack("{s:s, s:i, s:i}", "address",
				ps_ip_text(text, sizeof(text), &a->addr), "port_first", (int)a->port_first, "port_last",
				(int)a->port_last));
		}
		json_array_append_new(items, json_pack("{s:s, s:o}", "name", m->pool[i].name, "addresses", addresses));
	}
	return items;
}

static json_t *
boot_json(const struct ps_model_boot *b)
{
	static const char *const hugepages[] = {"auto", "require", "off"}, *const idle[] = {"auto", "poll", "adaptive"};
	const struct ps_boot *raw = &b->raw;
	json_t *cpus = json_array();
	uint32_t i;

	for (i = 0; i < raw->workers && i < PS_MAX_WORKERS; i++)
		json_array_append_new(cpus, raw->worker_cpu[i] == PS_NONE ? json_null() : json_integer(raw->worker_cpu[i]));
	return json_pack("{s:i, s:o, s:o, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:s, s:s}",
		"workers", (int)raw->workers, "main_cpu", raw->main_cpu == PS_NONE ? json_null() : json_integer(raw->main_cpu),
		"worker_cpus", cpus, "hugepages", raw->hugepages < 3 ? hugepages[raw->hugepages] : "unknown", "idle",
		raw->idle < 3 ? idle[raw->idle] : "unknown", "memory_mb", (int)raw->memory_mb, "mbufs", (int)raw->mbufs, "mbuf_size",
		(int)raw->mbuf_size, "rx_descriptors", (int)raw->rx_descriptors, "tx_descriptors", (int)raw->tx_descriptors,
		"flows_v4", (int)raw->flows_v4, "flows_v6", (int)raw->flows_v6, "fragments", (int)raw->fragments, "neighbours",
		(int)raw->neighbours, "routes", (int)raw->routes, "affinity", (int)raw->affinity, "service_slots",
		(int)raw->service_slots, "endpoint_slots", (int)raw->endpoint_slots, "snat_groups", (int)raw->snat_groups,
		"instance_name", b->instance_name, "eal_options", b->eal_options, "node_name", b->node_name);
}

void
ps_get_dataplane(struct ps_request *r)
{
	const struct ps_model *m = r->daemon->model;

	if (m == NULL) {
		ps_reply_error(r, HTTP_SERVUNAVAIL, "out of memory");
		return;
	}
	ps_reply_json(r, HTTP_OK, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "object",
		m->dataplane == NULL ? json_null() : ps_object_json(m, m->dataplane), "ports", ports_json(m), "interfaces",
		interfaces_json(m), "addresses", addresses_json(m), "routes", routes_json(m), "snat_pools", pools_json(m), "boot",
		boot_json(&m->boot)));
}

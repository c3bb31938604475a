/* SPDX-License-Identifier: Apache-2.0 */
/* EndpointSlice (discovery.k8s.io/v1). */
#include <string.h>

#include "control/manifest/schema.h"

static const struct ps_enum_name protocol_name[] = {
	{"TCP", PS_TCP}, {"UDP", PS_UDP}, {"SCTP", PS_SCTP, true}, {NULL}};

static const struct ps_enum_name address_type_name[] = {
	{"IPv4", PS_SLICE_IPV4}, {"IPv6", PS_SLICE_IPV6}, {"FQDN", PS_SLICE_FQDN, true}, {NULL}};

/* Null is no decision: ready then counts as true, serving as ready. */
static const struct ps_field conditions_field[] = {
	{.name = "ready", PS_AT(ps_slice_endpoint, ready), .type = PS_T_BOOLEAN, .fallback = "true",
	 .help = "May take new flows."},
	{.name = "serving", PS_AT(ps_slice_endpoint, serving), .type = PS_T_BOOLEAN,
	 .help = "Answers, though it may be terminating."},
	{.name = "terminating", PS_AT(ps_slice_endpoint, terminating), .type = PS_T_BOOLEAN,
	 .fallback = "false", .help = "Is about to go: drains."},
};

static const struct ps_schema conditions = {.name = "conditions", PS_FIELDS(conditions_field)};

static const struct ps_field target_ref_field[] = {
	{.name = "kind", PS_AT(ps_object_ref, kind), .type = PS_T_TEXT, .help = "Kind, Pod usually."},
	{.name = "name", PS_AT(ps_object_ref, name), .type = PS_T_TEXT,
	 .help = "Name, shown with the endpoint."},
	{.name = "namespace", PS_AT(ps_object_ref, ns), .type = PS_T_TEXT, .help = "Namespace."},
	{.name = "apiVersion", .type = PS_T_ANY, .state = PS_QUIET},
	{.name = "uid", .type = PS_T_ANY, .state = PS_QUIET},
	{.name = "resourceVersion", .type = PS_T_ANY, .state = PS_QUIET},
	{.name = "fieldPath", .type = PS_T_ANY, .state = PS_QUIET},
};

static const struct ps_schema target_ref = {.name = "targetRef", PS_FIELDS(target_ref_field)};

static const struct ps_field endpoint_field[] = {
	{.name = "addresses", PS_AT(ps_slice_endpoint, addresses), PS_LIST_OF(PS_T_IP), .required = true,
	 .min_items = 1, .max_items = 100, .help = "Addresses of the endpoint; the first is used."},
	{.name = "conditions", .type = PS_T_INLINE, .sub = &conditions, .help = "Readiness."},
	{.name = "hostname", PS_AT(ps_slice_endpoint, hostname), .type = PS_T_TEXT,
	 .format = &ps_format_label, .help = "Shown, nothing more."},
	{.name = "nodeName", PS_AT(ps_slice_endpoint, node_name), .type = PS_T_TEXT,
	 .help = "Node, for traffic policies."},
	{.name = "targetRef", PS_AT(ps_slice_endpoint, target), .type = PS_T_OBJECT, .sub = &target_ref,
	 .help = "Pod behind the endpoint."},
	{.name = "zone", PS_AT(ps_slice_endpoint, zone), .type = PS_T_TEXT, .help = "Shown, nothing more."},
	{.name = "hints", .type = PS_T_ANY, .state = PS_INERT, .help = "Zones and nodes that prefer it."},
	{.name = "deprecatedTopology", .type = PS_T_ANY, .state = PS_QUIET},
};

static void
check_endpoint(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_slice_endpoint *e = target;
	uint32_t i;

	(void)node;
	if (e->serving.place.line == 0)
		e->serving.v = e->ready.v;
	for (i = 0; i < e->addresses.length; i++) {
		const char *trouble = ps_address_trouble(&e->addresses.item[i].addr);

		if (trouble != NULL && e->addresses.item[i].place.line != 0)
			ps_decode_error(d, e->addresses.item[i].place,
				"addresses[%u] is %s, expected one that packets can be sent to", i, trouble);
	}
}

static const struct ps_schema endpoint = {.name = "endpoint", PS_FIELDS(endpoint_field),
					  .size = sizeof(struct ps_slice_endpoint), .check = check_endpoint};

static const struct ps_field port_field[] = {
	{.name = "name", PS_AT(ps_slice_port, name), .type = PS_T_TEXT, .unique = true, .min = 0, .max = 63,
	 .help = "Name of the Service's port."},
	{.name = "protocol", PS_AT(ps_slice_port, protocol), .type = PS_T_ENUM, .names = protocol_name,
	 .fallback = "TCP", .help = "Protocol."},
	{.name = "port", PS_AT(ps_slice_port, port), .type = PS_T_INTEGER, .min = 1, .max = 65535,
	 .help = "Port of the endpoints; absent: the Service's targetPort, else its port."},
	{.name = "appProtocol", PS_AT(ps_slice_port, app_protocol), .type = PS_T_TEXT,
	 .help = "Shown, nothing more."},
};

static const struct ps_schema slice_port = {
	.name = "port", PS_FIELDS(port_field), .size = sizeof(struct ps_slice_port)};

static const struct ps_field slice_field[] = {
	PS_HEAD_FIELDS,
	{.name = "addressType", PS_AT(ps_slice_spec, address_type), .type = PS_T_ENUM, .required = true,
	 .names = address_type_name, .help = "Family of all addresses in the slice."},
	{.name = "endpoints", PS_AT(ps_slice_spec, endpoints), PS_LIST_OF(PS_T_OBJECT), .max_items = 1000,
	 .sub = &endpoint, .help = "The endpoints."},
	{.name = "ports", PS_AT(ps_slice_spec, ports), PS_LIST_OF(PS_T_OBJECT), .max_items = 1000,
	 .sub = &slice_port, .help = "Ports that every endpoint serves."},
};

static void
check_slice(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_slice_spec *s = target;
	uint32_t i, j;

	(void)node;
	s->service_name = ps_pairs_get(&d->self->labels, "kubernetes.io/service-name");
	if (s->address_type.place.line == 0)
		return;
	for (i = 0; i < s->endpoints.length; i++) {
		const struct ps_slice_endpoint *e = &s->endpoints.item[i];

		for (j = 0; j < e->addresses.length; j++) {
			if (e->addresses.item[j].place.line == 0 ||
			    ps_addr_is_v4(&e->addresses.item[j].addr) == (s->address_type.v == PS_SLICE_IPV4))
				continue;
			ps_decode_error(d, e->addresses.item[j].place,
				"addresses[%u] is not of the slice's addressType, expected an %s address", j,
				s->address_type.v == PS_SLICE_IPV4 ? "IPv4" : "IPv6");
		}
	}
}

const struct ps_schema ps_slice_schema = {.name = "EndpointSlice",
	PS_FIELDS(slice_field),
	.size = sizeof(struct ps_slice_spec),
	.check = check_slice};

static const struct ps_field fqdn_field[] = {
	PS_HEAD_FIELDS,
	{.name = "addressType", PS_AT(ps_slice_spec, address_type), .type = PS_T_ENUM,
	 .names = address_type_name},
	{.name = "endpoints", .type = PS_T_ANY, .state = PS_QUIET},
	{.name = "ports", .type = PS_T_ANY, .state = PS_QUIET},
};

const struct ps_schema ps_slice_fqdn_schema = {.name = "EndpointSlice",
	PS_FIELDS(fqdn_field),
	.size = sizeof(struct ps_slice_spec),
	.check = check_slice};

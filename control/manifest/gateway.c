/* SPDX-License-Identifier: Apache-2.0 */
/* GatewayClass, Gateway and ReferenceGrant, as the Gateway API's resource definitions have them. */
#include <string.h>

#include "control/manifest/schema.h"

#define GATEWAY_GROUP "gateway.networking.k8s.io"

/* ---- GatewayClass ---- */

static const struct ps_field class_spec_field[] = {
	{.name = "controllerName", PS_AT(ps_gateway_class_spec, controller_name), .type = PS_T_TEXT,
	 .required = true, .format = &ps_format_controller,
	 .help = "Controller that serves Gateways of this class."},
	{.name = "parametersRef", PS_AT(ps_gateway_class_spec, parameters_ref), .type = PS_T_PLACE,
	 .help = "Not supported: a class that refers to parameters is not accepted."},
	{.name = "description", PS_AT(ps_gateway_class_spec, description), .type = PS_T_TEXT, .min = 0,
	 .max = 64, .help = "Shown, nothing more."},
};

static const struct ps_schema class_spec = {.name = "GatewayClass spec", PS_FIELDS(class_spec_field)};

static const struct ps_field class_field[] = {
	PS_HEAD_FIELDS,
	{.name = "spec", .type = PS_T_INLINE, .required = true, .sub = &class_spec},
	PS_STATUS_FIELD,
};

const struct ps_schema ps_gateway_class_schema = {
	.name = "GatewayClass", PS_FIELDS(class_field), .size = sizeof(struct ps_gateway_class_spec)};

/* ---- shared pieces ---- */

static const struct ps_enum_name op_name[] = {
	{"In", PS_OP_IN},
	{"NotIn", PS_OP_NOT_IN},
	{"Exists", PS_OP_EXISTS},
	{"DoesNotExist", PS_OP_DOES_NOT_EXIST},
	{NULL},
};

static const struct ps_field requirement_field[] = {
	{.name = "key", PS_AT(ps_selector_requirement, key), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_label_key, .help = "Label key."},
	{.name = "operator", PS_AT(ps_selector_requirement, op), .type = PS_T_ENUM, .required = true,
	 .names = op_name, .help = "How the label's value relates to values."},
	{.name = "values", PS_AT(ps_selector_requirement, values), PS_LIST_OF(PS_T_TEXT), .max_items = 1024,
	 .format = &ps_format_label_value, .help = "Values, for In and NotIn."},
};

static void
check_requirement(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	const struct ps_selector_requirement *r = target;
	bool needs = r->op.v == PS_OP_IN || r->op.v == PS_OP_NOT_IN;

	if (r->op.place.line == 0)
		return;
	if (needs && r->values.length == 0)
		ps_decode_error(d, node->place, "requirement %s has no values, expected at least one",
			op_name[r->op.v].name);
	if (!needs && r->values.length != 0)
		ps_decode_error(d, r->values.place, "requirement %s has values, expected none",
			op_name[r->op.v].name);
}

static const struct ps_schema requirement = {.name = "requirement", PS_FIELDS(requirement_field),
					     .size = sizeof(struct ps_selector_requirement),
					     .check = check_requirement};

static const struct ps_field selector_field[] = {
	{.name = "matchLabels", PS_AT(ps_selector, match_labels), .type = PS_T_MAP,
	 .format = &ps_format_label_value, .help = "Labels that must be there with these values."},
	{.name = "matchExpressions", PS_AT(ps_selector, match_expressions), PS_LIST_OF(PS_T_OBJECT),
	 .max_items = 256, .sub = &requirement, .help = "Further requirements; all must hold."},
};

const struct ps_schema ps_selector_schema = {.name = "selector", PS_FIELDS(selector_field),
					     .size = sizeof(struct ps_selector)};

static const struct ps_field object_ref_field[] = {
	{.name = "group", PS_AT(ps_object_ref, group), .type = PS_T_TEXT, .fallback = "",
	 .format = &ps_format_group, .help = "API group of the object."},
	{.name = "kind", PS_AT(ps_object_ref, kind), .type = PS_T_TEXT, .fallback = "Secret",
	 .format = &ps_format_kind, .help = "Kind of the object."},
	{.name = "name", PS_AT(ps_object_ref, name), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_present, .help = "Name of the object."},
	{.name = "namespace", PS_AT(ps_object_ref, ns), .type = PS_T_TEXT, .format = &ps_format_label,
	 .help = "Namespace of the object."},
};

const struct ps_schema ps_object_ref_schema = {.name = "reference", PS_FIELDS(object_ref_field),
					       .size = sizeof(struct ps_object_ref)};

/* ---- Gateway ---- */

static const struct ps_enum_name from_name[] = {{"All", PS_FROM_ALL}, {"Same", PS_FROM_SAME},
	{"Selector", PS_FROM_SELECTOR}, {"None", PS_FROM_NONE}, {NULL}};

static const struct ps_enum_name tls_mode_name[] = {
	{"Terminate", PS_TLS_TERMINATE}, {"Passthrough", PS_TLS_PASSTHROUGH}, {NULL}};

static const struct ps_field route_kind_field[] = {
	{.name = "group", PS_AT(ps_route_kind, group), .type = PS_T_TEXT, .fallback = GATEWAY_GROUP,
	 .format = &ps_format_group, .help = "API group of the route kind."},
	{.name = "kind", PS_AT(ps_route_kind, kind), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_kind, .help = "Kind of route that may attach."},
};

static const struct ps_schema route_kind = {.name = "route kind", PS_FIELDS(route_kind_field),
					    .size = sizeof(struct ps_route_kind)};

/* Members of allowed.namespaces, an unnamed struct. */
static const struct ps_field namespaces_field[] = {
	{.name = "from", PS_IN(ps_allowed_routes, namespaces, from), .type = PS_T_ENUM, .names = from_name,
	 .fallback = "Same", .help = "Namespaces whose routes may attach."},
	{.name = "selector", PS_IN(ps_allowed_routes, namespaces, selector), .type = PS_T_OBJECT,
	 .sub = &ps_selector_schema, .help = "Labels of those namespaces, when from is Selector."},
};

static const struct ps_schema namespaces = {.name = "namespaces", PS_FIELDS(namespaces_field)};

static const struct ps_field allowed_routes_field[] = {
	{.name = "namespaces", PS_AT(ps_allowed_routes, namespaces), .type = PS_T_OBJECT, .sub = &namespaces,
	 .help = "Namespaces whose routes may attach."},
	{.name = "kinds", PS_AT(ps_allowed_routes, kinds), PS_LIST_OF(PS_T_OBJECT), .max_items = 8,
	 .sub = &route_kind, .help = "Kinds of routes that may attach; else those that fit the protocol."},
};

static void
check_allowed_routes(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	const struct ps_allowed_routes *a = target;

	if (a->namespaces.from.v == PS_FROM_SELECTOR && a->namespaces.selector.place.line == 0)
		ps_decode_error(d, a->namespaces.from.place,
				"from is Selector without a selector, expected field \"selector\" beside it");
	(void)node;
}

static const struct ps_schema allowed_routes = {.name = "allowedRoutes", PS_FIELDS(allowed_routes_field),
						.check = check_allowed_routes};

static const struct ps_field tls_field[] = {
	{.name = "mode", PS_AT(ps_listener_tls, mode), .type = PS_T_ENUM, .names = tls_mode_name,
	 .fallback = "Terminate", .help = "Where TLS ends."},
	{.name = "certificateRefs", PS_AT(ps_listener_tls, certificate_refs), PS_LIST_OF(PS_T_OBJECT),
	 .max_items = 64, .sub = &ps_object_ref_schema, .help = "Certificates to serve."},
	{.name = "options", PS_AT(ps_listener_tls, options), .type = PS_T_MAP,
	 .help = "Implementation-specific options."},
	{.name = "frontendValidation", .type = PS_T_ANY, .state = PS_INERT,
	 .help = "Client certificate validation."},
};

static const struct ps_schema listener_tls = {.name = "tls", PS_FIELDS(tls_field)};

static const struct ps_field listener_field[] = {
	{.name = "name", PS_AT(ps_gateway_listener, name), .type = PS_T_TEXT, .required = true,
	 .unique = true, .format = &ps_format_section, .help = "Name that routes refer to by sectionName."},
	{.name = "hostname", PS_AT(ps_gateway_listener, hostname), .type = PS_T_TEXT,
	 .format = &ps_format_hostname, .help = "Host name to serve, for HTTP, HTTPS and TLS."},
	{.name = "port", PS_AT(ps_gateway_listener, port), .type = PS_T_INTEGER, .required = true, .min = 1,
	 .max = 65535, .help = "Port to serve."},
	{.name = "protocol", PS_AT(ps_gateway_listener, protocol), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_protocol, .help = "Protocol: TCP and UDP are served."},
	{.name = "tls", PS_AT(ps_gateway_listener, tls), .type = PS_T_OBJECT, .sub = &listener_tls,
	 .help = "TLS, for HTTPS and TLS."},
	{.name = "allowedRoutes", PS_AT(ps_gateway_listener, allowed_routes), .type = PS_T_OBJECT,
	 .sub = &allowed_routes, .help = "Routes that may attach."},
};

static void
check_listener(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	static const struct {
		const char *protocol;
		bool hostname, tls;
	} rule[] = {
		{"HTTP", true, false},
		{"HTTPS", true, true},
		{"TLS", true, true},
		{"TCP", false, false},
		{"UDP", false, false},
	};
	const struct ps_gateway_listener *l = target;
	size_t i;

	(void)node;
	if (l->protocol.s == NULL)
		return;
	for (i = 0; i < sizeof(rule) / sizeof(rule[0]); i++) {
		if (strcmp(rule[i].protocol, l->protocol.s) != 0)
			continue;
		if (!rule[i].hostname && l->hostname.s != NULL && l->hostname.s[0] != '\0')
			ps_decode_error(d, l->hostname.place,
				"listener of protocol %s has a hostname, expected none", l->protocol.s);
		if (!rule[i].tls && l->tls.place.line != 0)
			ps_decode_error(d, l->tls.place, "listener of protocol %s has tls, expected none",
				l->protocol.s);
	}
	if (strcmp(l->protocol.s, "HTTPS") == 0 && l->tls.mode.v != PS_TLS_TERMINATE)
		ps_decode_error(
			d, l->tls.mode.place, "mode is Passthrough with protocol HTTPS, expected Terminate");
}

static const struct ps_schema listener = {.name = "listener",
	PS_FIELDS(listener_field),
	.size = sizeof(struct ps_gateway_listener),
	.check = check_listener};

static const struct ps_field address_field[] = {
	{.name = "type", PS_AT(ps_gateway_address, type), .type = PS_T_TEXT, .fallback = "IPAddress",
	 .format = &ps_format_address_type, .help = "Kind of address: IPAddress is served."},
	{.name = "value", PS_AT(ps_gateway_address, value), .type = PS_T_TEXT, .min = 0, .max = 253,
	 .help = "The address; absent: one of the Dataplane's gatewayAddresses."},
};

static void
check_address(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_gateway_address *a = target;
	const char *trouble;

	(void)node;
	if (a->type.s == NULL || a->value.s == NULL || a->value.s[0] == '\0')
		return;
	if (strcmp(a->type.s, "Hostname") == 0) {
		if (!ps_format_hostname.matches(a->value.s, strlen(a->value.s)))
			ps_decode_error(d, a->value.place, "value is \"%s\", expected %s", a->value.s,
					ps_format_hostname.expected);
		return;
	}
	if (strcmp(a->type.s, "IPAddress") != 0)
		return;
	if (!ps_parse_ip(a->value.s, &a->ip.addr)) {
		/* a typing error is one; a placeholder that something fills in later leaves the Gateway
		 * without address */
		if (a->value.s[strspn(a->value.s, "0123456789abcdefABCDEF:./")] == '\0')
			ps_decode_error(d, a->value.place,
				"value is \"%s\", expected an IPv4 or IPv6 address", a->value.s);
		else
			ps_decode_warning(d, a->value.place,
				"value \"%s\" has no effect, expected an IPv4 or IPv6 address", a->value.s);
		return;
	}
	trouble = ps_address_trouble(&a->ip.addr);
	if (trouble != NULL)
		ps_decode_error(
			d, a->value.place, "value is %s, expected an address that can be served", trouble);
	a->ip.place = a->value.place;
}

static const struct ps_schema gateway_address = {.name = "address",
	PS_FIELDS(address_field),
	.size = sizeof(struct ps_gateway_address),
	.check = check_address};

static const struct ps_field gateway_spec_field[] = {
	{.name = "gatewayClassName", PS_AT(ps_gateway_spec, class_name), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_subdomain, .help = "GatewayClass of this Gateway."},
	{.name = "listeners", PS_AT(ps_gateway_spec, listeners), PS_LIST_OF(PS_T_OBJECT), .required = true,
	 .min_items = 1, .max_items = 64, .sub = &listener, .help = "What to serve."},
	{.name = "addresses", PS_AT(ps_gateway_spec, addresses), PS_LIST_OF(PS_T_OBJECT), .max_items = 16,
	 .sub = &gateway_address, .help = "Addresses to serve on."},
	{.name = "infrastructure", .type = PS_T_ANY, .state = PS_INERT,
	 .help = "Labels for created infrastructure."},
	{.name = "allowedListeners", .type = PS_T_ANY, .state = PS_INERT,
	 .help = "ListenerSets that may attach."},
	{.name = "tls", .type = PS_T_ANY, .state = PS_INERT, .help = "TLS of the whole Gateway."},
	{.name = "backendTLS", .type = PS_T_ANY, .state = PS_INERT, .help = "TLS towards backends."},
	{.name = "defaultScope", .type = PS_T_ANY, .state = PS_INERT, .help = "Default Gateway for routes."},
};

static bool
same_text(const struct ps_text *a, const struct ps_text *b)
{
	return strcmp(a->s ? a->s : "", b->s ? b->s : "") == 0;
}

static void
check_gateway(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	const struct ps_gateway_spec *g = target;
	uint32_t i, j;

	(void)node;
	for (i = 0; i < g->listeners.length; i++) {
		const struct ps_gateway_listener *a = &g->listeners.item[i];

		for (j = 0; j < i && a->port.place.line != 0 && a->protocol.s != NULL; j++) {
			const struct ps_gateway_listener *b = &g->listeners.item[j];

			if (a->port.v == b->port.v && same_text(&a->protocol, &b->protocol) &&
			    same_text(&a->hostname, &b->hostname))
				ps_decode_error(d, a->place,
					"listener has the port, protocol and hostname of the one in line %u, "
					"expected them to differ",
					b->place.line);
		}
	}
	for (i = 0; i < g->addresses.length; i++) {
		const struct ps_gateway_address *a = &g->addresses.item[i];

		for (j = 0; j < i && a->value.s != NULL; j++)
			if (g->addresses.item[j].value.s != NULL &&
				same_text(&a->type, &g->addresses.item[j].type) &&
				same_text(&a->value, &g->addresses.item[j].value))
				ps_decode_error(d, a->value.place,
					"address %s is given twice, expected it once", a->value.s);
	}
}

static const struct ps_schema gateway_spec = {.name = "Gateway spec", PS_FIELDS(gateway_spec_field),
					      .check = check_gateway};

static const struct ps_field gateway_field[] = {
	PS_HEAD_FIELDS,
	{.name = "spec", .type = PS_T_INLINE, .required = true, .sub = &gateway_spec},
	PS_STATUS_FIELD,
};

const struct ps_schema ps_gateway_schema = {
	.name = "Gateway", PS_FIELDS(gateway_field), .size = sizeof(struct ps_gateway_spec)};

/* ---- ReferenceGrant ---- */

static const struct ps_field grant_from_field[] = {
	{.name = "group", PS_AT(ps_grant_from, group), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_group, .help = "API group of the referring objects."},
	{.name = "kind", PS_AT(ps_grant_from, kind), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_kind, .help = "Kind of the referring objects."},
	{.name = "namespace", PS_AT(ps_grant_from, ns), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_label, .help = "Namespace of the referring objects."},
};

static const struct ps_schema grant_from = {.name = "from", PS_FIELDS(grant_from_field),
					    .size = sizeof(struct ps_grant_from)};

static const struct ps_field grant_to_field[] = {
	{.name = "group", PS_AT(ps_grant_to, group), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_group, .help = "API group of what may be referred to."},
	{.name = "kind", PS_AT(ps_grant_to, kind), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_kind, .help = "Kind of what may be referred to."},
	{.name = "name", PS_AT(ps_grant_to, name), .type = PS_T_TEXT, .format = &ps_format_present,
	 .help = "Name; absent: all of the kind."},
};

static const struct ps_schema grant_to = {
	.name = "to", PS_FIELDS(grant_to_field), .size = sizeof(struct ps_grant_to)};

static const struct ps_field grant_spec_field[] = {
	{.name = "from", PS_AT(ps_grant_spec, from), PS_LIST_OF(PS_T_OBJECT), .required = true,
	 .min_items = 1, .max_items = 16, .sub = &grant_from, .help = "Who may refer."},
	{.name = "to", PS_AT(ps_grant_spec, to), PS_LIST_OF(PS_T_OBJECT), .required = true, .min_items = 1,
	 .max_items = 16, .sub = &grant_to, .help = "To what."},
};

static const struct ps_schema grant_spec = {.name = "ReferenceGrant spec", PS_FIELDS(grant_spec_field)};

static const struct ps_field grant_field[] = {
	PS_HEAD_FIELDS,
	{.name = "spec", .type = PS_T_INLINE, .required = true, .sub = &grant_spec},
	PS_STATUS_FIELD,
};

const struct ps_schema ps_grant_schema = {
	.name = "ReferenceGrant", PS_FIELDS(grant_field), .size = sizeof(struct ps_grant_spec)};

/* SPDX-License-Identifier: Apache-2.0 */
/* TCPRoute and UDPRoute: one shape, versions v1 and v1alpha2 alike. */
#include <string.h>

#include "control/manifest/schema.h"

static const struct ps_field parent_ref_field[] = {
	{.name = "group", PS_AT(ps_parent_ref, group), .type = PS_T_TEXT,
	 .fallback = "gateway.networking.k8s.io", .format = &ps_format_group,
	 .help = "API group of the parent."},
	{.name = "kind", PS_AT(ps_parent_ref, kind), .type = PS_T_TEXT, .fallback = "Gateway",
	 .format = &ps_format_kind, .help = "Kind of the parent: Gateway is served."},
	{.name = "namespace", PS_AT(ps_parent_ref, ns), .type = PS_T_TEXT, .format = &ps_format_label,
	 .help = "Namespace of the parent; absent: the route's."},
	{.name = "name", PS_AT(ps_parent_ref, name), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_present, .help = "Name of the parent."},
	{.name = "sectionName", PS_AT(ps_parent_ref, section_name), .type = PS_T_TEXT,
	 .format = &ps_format_section, .help = "Listener to attach to; absent: all."},
	{.name = "port", PS_AT(ps_parent_ref, port), .type = PS_T_INTEGER, .min = 1, .max = 65535,
	 .help = "Port of the listeners to attach to; absent: any."},
};

static const struct ps_schema parent_ref = {.name = "parentRef", PS_FIELDS(parent_ref_field),
					    .size = sizeof(struct ps_parent_ref)};

static const struct ps_field backend_ref_field[] = {
	{.name = "group", PS_AT(ps_backend_ref, group), .type = PS_T_TEXT, .fallback = "",
	 .format = &ps_format_group, .help = "API group of the backend."},
	{.name = "kind", PS_AT(ps_backend_ref, kind), .type = PS_T_TEXT, .fallback = "Service",
	 .format = &ps_format_kind, .help = "Kind of the backend: Service is served."},
	{.name = "name", PS_AT(ps_backend_ref, name), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_present, .help = "Name of the backend."},
	{.name = "namespace", PS_AT(ps_backend_ref, ns), .type = PS_T_TEXT, .format = &ps_format_label,
	 .help = "Namespace of the backend; another one needs a ReferenceGrant."},
	{.name = "port", PS_AT(ps_backend_ref, port), .type = PS_T_INTEGER, .min = 1, .max = 65535,
	 .help = "Port of the Service."},
	{.name = "weight", PS_AT(ps_backend_ref, weight), .type = PS_T_INTEGER, .min = 0, .max = 1000000,
	 .fallback = "1", .help = "Share of new flows, relative to the other backends."},
};

static void
check_backend_ref(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	const struct ps_backend_ref *b = target;

	if (b->group.s == NULL || b->kind.s == NULL || b->group.s[0] != '\0' ||
		strcmp(b->kind.s, "Service") != 0)
		return;
	if (ps_node_get(node, "port") == NULL)
		ps_decode_error(d, node->place,
			"backendRef to a Service has no field \"port\", expected a number from 1 to 65535");
}

static const struct ps_schema backend_ref = {.name = "backendRef",
	PS_FIELDS(backend_ref_field),
	.size = sizeof(struct ps_backend_ref),
	.check = check_backend_ref};

static const struct ps_field rule_field[] = {
	{.name = "name", PS_AT(ps_l4_rule, name), .type = PS_T_TEXT, .unique = true,
	 .format = &ps_format_section, .help = "Name of the rule."},
	{.name = "backendRefs", PS_AT(ps_l4_rule, backend_refs), PS_LIST_OF(PS_T_OBJECT), .required = true,
	 .min_items = 1, .max_items = 16, .sub = &backend_ref, .help = "Backends that share the flows."},
};

static const struct ps_schema rule = {
	.name = "rule", PS_FIELDS(rule_field), .size = sizeof(struct ps_l4_rule)};

static const struct ps_field route_spec_field[] = {
	{.name = "parentRefs", PS_AT(ps_l4_route_spec, parent_refs), PS_LIST_OF(PS_T_OBJECT), .max_items = 32,
	 .sub = &parent_ref, .help = "Gateways, or listeners of them, to attach to."},
	{.name = "rules", PS_AT(ps_l4_route_spec, rules), PS_LIST_OF(PS_T_OBJECT), .required = true,
	 .min_items = 1, .max_items = 16, .sub = &rule, .help = "Where flows go."},
	{.name = "useDefaultGateways", .type = PS_T_ANY, .state = PS_INERT,
	 .help = "Attach to default Gateways."},
};

static bool
same_text(const struct ps_text *a, const struct ps_text *b)
{
	return strcmp(a->s ? a->s : "", b->s ? b->s : "") == 0;
}

static void
check_route(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	const struct ps_l4_route_spec *r = target;
	uint32_t i, j;

	(void)node;
	for (i = 0; i < r->parent_refs.length; i++) {
		const struct ps_parent_ref *a = &r->parent_refs.item[i];

		for (j = 0; j < i && a->name.s != NULL; j++) {
			const struct ps_parent_ref *b = &r->parent_refs.item[j];
			bool a_whole = a->section_name.s == NULL && a->port.v == 0;
			bool b_whole = b->section_name.s == NULL && b->port.v == 0;

			if (b->name.s == NULL || !same_text(&a->group, &b->group) ||
				!same_text(&a->kind, &b->kind) || !same_text(&a->ns, &b->ns) ||
				!same_text(&a->name, &b->name))
				continue;
			if (a_whole != b_whole ||
			    (same_text(&a->section_name, &b->section_name) && a->port.v == b->port.v)) {
				ps_decode_error(d, a->place,
					"parentRef names %s like the one in line %u, expected another "
					"sectionName or port",
					a->name.s, b->place.line);
				break;
			}
		}
	}
}

static const struct ps_schema route_spec = {
	.name = "route spec", PS_FIELDS(route_spec_field), .check = check_route};

static const struct ps_field route_field[] = {
	PS_HEAD_FIELDS,
	{.name = "spec", .type = PS_T_INLINE, .required = true, .sub = &route_spec},
	PS_STATUS_FIELD,
};

const struct ps_schema ps_route_schema = {
	.name = "route", PS_FIELDS(route_field), .size = sizeof(struct ps_l4_route_spec)};

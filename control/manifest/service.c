/* SPDX-License-Identifier: Apache-2.0 */
/* Service (v1), its status as far as it matters, and Penstock's annotations of it. */
#include <string.h>

#include "control/manifest/schema.h"

static const struct ps_enum_name protocol_name[] = {
	{"TCP", PS_TCP}, {"UDP", PS_UDP}, {"SCTP", PS_SCTP, true}, {NULL}};

static const struct ps_enum_name type_name[] = {
	{"ClusterIP", PS_CLUSTER_IP},
	{"NodePort", PS_NODE_PORT},
	{"LoadBalancer", PS_LOAD_BALANCER},
	{"ExternalName", PS_EXTERNAL_NAME, true},
	{NULL},
};

static const struct ps_enum_name policy_name[] = {
	{"Cluster", PS_POLICY_CLUSTER}, {"Local", PS_POLICY_LOCAL}, {NULL}};
static const struct ps_enum_name family_name[] = {{"IPv4", PS_IPV4}, {"IPv6", PS_IPV6}, {NULL}};
static const struct ps_enum_name family_policy_name[] = {
	{"SingleStack", 0}, {"PreferDualStack", 1}, {"RequireDualStack", 2}, {NULL}};
static const struct ps_enum_name affinity_name[] = {{"None", 0}, {"ClientIP", 1}, {NULL}};

static const struct ps_field port_field[] = {
	{.name = "name", PS_AT(ps_service_spec_port, name), .type = PS_T_TEXT, .unique = true,
	 .format = &ps_format_label, .help = "Name; required with several ports."},
	{.name = "protocol", PS_AT(ps_service_spec_port, protocol), .type = PS_T_ENUM, .names = protocol_name,
	 .fallback = "TCP", .help = "Protocol."},
	{.name = "port", PS_AT(ps_service_spec_port, port), .type = PS_T_INTEGER, .required = true, .min = 1,
	 .max = 65535, .help = "Port that clients use."},
	{.name = "targetPort", PS_AT(ps_service_spec_port, target_port), .type = PS_T_PORT_REF,
	 .help = "Port of the endpoints; absent: port."},
	{.name = "nodePort", PS_AT(ps_service_spec_port, node_port), .type = PS_T_INTEGER, .min = 0,
	 .max = 65535, .help = "Port on the node's own addresses."},
	{.name = "appProtocol", PS_AT(ps_service_spec_port, app_protocol), .type = PS_T_TEXT,
	 .help = "Shown, nothing more."},
};

static const struct ps_schema service_port = {.name = "port", PS_FIELDS(port_field),
					      .size = sizeof(struct ps_service_spec_port)};

static const struct ps_field client_ip_field[] = {
	{.name = "timeoutSeconds", PS_AT(ps_service_spec, affinity_timeout_s), .type = PS_T_INTEGER, .min = 1,
	 .max = 86400, .fallback = "10800", .unit = "seconds",
	 .help = "How long a silent client keeps its endpoint."},
};
static const struct ps_schema client_ip = {.name = "clientIP", PS_FIELDS(client_ip_field)};

static const struct ps_field affinity_config_field[] = {
	{.name = "clientIP", .type = PS_T_INLINE, .sub = &client_ip,
	 .help = "For affinity by client address."},
};
static const struct ps_schema affinity_config = {
	.name = "sessionAffinityConfig", PS_FIELDS(affinity_config_field)};

static const struct ps_field spec_field[] = {
	{.name = "selector", PS_AT(ps_service_spec, selector), .type = PS_T_MAP,
	 .format = &ps_format_label_value, .help = "Shown: endpoints come from EndpointSlices."},
	{.name = "type", PS_AT(ps_service_spec, type), .type = PS_T_ENUM, .names = type_name,
	 .fallback = "ClusterIP", .help = "Addresses that serve it."},
	{.name = "ports", PS_AT(ps_service_spec, ports), PS_LIST_OF(PS_T_OBJECT), .max_items = 1000,
	 .sub = &service_port, .help = "Ports."},
	{.name = "clusterIP", PS_AT(ps_service_spec, cluster_ip), .type = PS_T_TEXT,
	 .help = "Address, or None."},
	{.name = "clusterIPs", PS_AT(ps_service_spec, cluster_ip_texts), PS_LIST_OF(PS_T_TEXT),
	 .max_items = 2, .help = "Addresses, one per family."},
	{.name = "ipFamilies", PS_AT(ps_service_spec, ip_families), PS_LIST_OF(PS_T_ENUM),
	 .names = family_name, .max_items = 2, .help = "Families of its addresses."},
	{.name = "ipFamilyPolicy", PS_AT(ps_service_spec, ip_family_policy), .type = PS_T_ENUM,
	 .names = family_policy_name, .fallback = "SingleStack", .help = "One family or two."},
	{.name = "externalIPs", PS_AT(ps_service_spec, external_ips), PS_LIST_OF(PS_T_IP), .max_items = 1024,
	 .help = "Further addresses that serve it."},
	{.name = "loadBalancerIP", PS_AT(ps_service_spec, load_balancer_ip), .type = PS_T_IP,
	 .help = "Address of a LoadBalancer Service."},
	{.name = "loadBalancerClass", PS_AT(ps_service_spec, load_balancer_class), .type = PS_T_TEXT,
	 .format = &ps_format_label_key, .help = "Who provides the load balancer."},
	{.name = "loadBalancerSourceRanges", PS_AT(ps_service_spec, load_balancer_source_ranges),
	 PS_LIST_OF(PS_T_PREFIX), .max_items = 4096,
	 .help = "Clients that may use the load balancer's address."},
	{.name = "sessionAffinity", PS_AT(ps_service_spec, session_affinity), .type = PS_T_ENUM,
	 .names = affinity_name, .fallback = "None", .help = "Whether a client keeps its endpoint."},
	{.name = "sessionAffinityConfig", .type = PS_T_INLINE, .sub = &affinity_config,
	 .help = "Its timeout."},
	{.name = "externalTrafficPolicy", PS_AT(ps_service_spec, external_traffic_policy), .type = PS_T_ENUM,
	 .names = policy_name, .fallback = "Cluster",
	 .help = "Endpoints for clients from outside. Local with endpoints on other nodes only: no answer."},
	{.name = "internalTrafficPolicy", PS_AT(ps_service_spec, internal_traffic_policy), .type = PS_T_ENUM,
	 .names = policy_name, .fallback = "Cluster",
	 .help = "Endpoints for clients of the cluster address."},
	{.name = "publishNotReadyAddresses", PS_AT(ps_service_spec, publish_not_ready_addresses),
	 .type = PS_T_BOOLEAN, .fallback = "false", .help = "Use endpoints that are not ready too."},
	{.name = "allocateLoadBalancerNodePorts", PS_AT(ps_service_spec, allocate_node_ports),
	 .type = PS_T_BOOLEAN, .fallback = "true", .help = "Whether a LoadBalancer Service has node ports."},
	{.name = "healthCheckNodePort", PS_AT(ps_service_spec, health_check_node_port), .type = PS_T_INTEGER,
	 .state = PS_INERT, .min = 0, .max = 65535, .help = "HTTP health check of the node."},
	{.name = "externalName", PS_AT(ps_service_spec, external_name), .type = PS_T_TEXT,
	 .help = "DNS alias."},
	{.name = "trafficDistribution", .type = PS_T_ANY, .state = PS_INERT,
	 .help = "Preference for near endpoints."},
};

/* Headless is written clusterIP: None, or clusterIPs: [None], or both. */
static void
read_cluster_ip(struct ps_decoder *d, struct ps_service_spec *s, const char *name, const struct ps_text *text)
{
	struct ps_ip *ip;

	if (text->s == NULL || text->s[0] == '\0')
		return;
	if (strcmp(text->s, "None") == 0) {
		s->headless = true;
		return;
	}
	ip = &s->cluster_ips.item[s->cluster_ips.length];
	if (!ps_parse_ip(text->s, &ip->addr)) {
		ps_decode_error(d, text->place, "%s is \"%.60s\", expected an IPv4 or IPv6 address or None",
			name, text->s);
		return;
	}
	ip->place = text->place;
	s->cluster_ips.place = text->place;
	s->cluster_ips.length++;
}

static void
read_cluster_ips(struct ps_decoder *d, struct ps_service_spec *s)
{
	uint32_t i;

	s->cluster_ips.item =
		ps_arena_alloc(d->arena, (s->cluster_ip_texts.length + 1) * sizeof(struct ps_ip));
	if (s->cluster_ips.item == NULL) {
		d->no_memory = true;
		return;
	}
	for (i = 0; i < s->cluster_ip_texts.length; i++)
		read_cluster_ip(d, s, "clusterIPs", &s->cluster_ip_texts.item[i]);
	if (s->cluster_ip_texts.length == 0)
		read_cluster_ip(d, s, "clusterIP", &s->cluster_ip);
	else if (s->cluster_ip.s != NULL && s->cluster_ip_texts.item[0].s != NULL &&
		 strcmp(s->cluster_ip.s, s->cluster_ip_texts.item[0].s) != 0)
		ps_decode_error(d, s->cluster_ip_texts.item[0].place,
			"clusterIPs begins with %s, expected %s as clusterIP says",
			s->cluster_ip_texts.item[0].s, s->cluster_ip.s);
}

static void
check_addresses(struct ps_decoder *d, const struct ps_service_spec *s)
{
	const char *trouble;
	uint32_t i;

	if (s->cluster_ips.length == 2 && s->cluster_ips.item[0].place.line != 0 &&
	    s->cluster_ips.item[1].place.line != 0 &&
	    ps_addr_is_v4(&s->cluster_ips.item[0].addr) == ps_addr_is_v4(&s->cluster_ips.item[1].addr))
		ps_decode_error(d, s->cluster_ips.item[1].place,
				"clusterIPs[1] is of the family of clusterIPs[0], expected the other one");
	for (i = 0; i < s->external_ips.length; i++) {
		trouble = ps_address_trouble(&s->external_ips.item[i].addr);
		if (trouble != NULL && s->external_ips.item[i].place.line != 0)
			ps_decode_error(d, s->external_ips.item[i].place,
				"externalIPs[%u] is %s, expected an address that can be served", i, trouble);
	}
	if (s->load_balancer_ip.place.line != 0) {
		trouble = ps_address_trouble(&s->load_balancer_ip.addr);
		if (trouble != NULL)
			ps_decode_error(d, s->load_balancer_ip.place,
				"loadBalancerIP is %s, expected an address that can be served", trouble);
	}
}

static void
check_ports(struct ps_decoder *d, const struct ps_node *node, const struct ps_service_spec *s)
{
	const struct ps_node *ports = ps_node_get(node, "ports");
	uint32_t i, j;

	if ((ports == NULL || (ports->type == PS_NODE_LIST && ports->length == 0)) && !s->headless &&
	    s->type.v != PS_EXTERNAL_NAME)
		ps_decode_error(d, ports != NULL ? ports->place : node->place,
				"Service has no ports, expected at least one");
	for (i = 0; i < s->ports.length; i++) {
		const struct ps_service_spec_port *a = &s->ports.item[i];

		if (s->ports.length > 1 && (a->name.s == NULL || a->name.s[0] == '\0') && a->place.line != 0)
			ps_decode_error(d, a->place,
				"port has no field \"name\", expected one as there are several ports");
		for (j = 0; j < i && a->port.place.line != 0; j++) {
			const struct ps_service_spec_port *b = &s->ports.item[j];

			if (a->port.v == b->port.v && a->protocol.v == b->protocol.v) {
				ps_decode_error(d, a->port.place,
					"port %d is given twice with one protocol, expected each once (first "
					"in line %u)",
					(int)a->port.v, b->port.place.line);
				break;
			}
		}
		for (j = 0; j < i && a->node_port.v != 0; j++) {
			const struct ps_service_spec_port *b = &s->ports.item[j];

			if (a->node_port.v == b->node_port.v && a->protocol.v == b->protocol.v)
				ps_decode_error(d, a->node_port.place,
					"nodePort %d is given twice with one protocol, expected each once "
					"(first in line %u)",
					(int)a->node_port.v, b->node_port.place.line);
		}
	}
}

static void
check_spec(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_service_spec *s = target;

	read_cluster_ips(d, s);
	check_addresses(d, s);
	check_ports(d, node, s);
	if (s->headless && (s->type.v == PS_NODE_PORT || s->type.v == PS_LOAD_BALANCER))
		ps_decode_error(d, s->cluster_ip.place,
			"clusterIP is None with type %s, expected an address or none at all",
			s->type.v == PS_NODE_PORT ? "NodePort" : "LoadBalancer");
	if (s->affinity_timeout_s.place.line != 0 && s->session_affinity.v == 0)
		ps_decode_error(d, s->affinity_timeout_s.place,
			"timeoutSeconds is given without affinity, expected sessionAffinity: ClientIP");
	if (s->type.v == PS_EXTERNAL_NAME && s->external_name.s == NULL)
		ps_decode_error(d, s->type.place,
			"type is ExternalName without a name, expected field \"externalName\"");
}

static const struct ps_schema service_spec = {
	.name = "Service spec", PS_FIELDS(spec_field), .check = check_spec};

static const struct ps_field ingress_field[] = {
	{.name = "ip", PS_AT(ps_ingress, ip), .type = PS_T_IP,
	 .help = "Address that was given to the Service."},
	{.name = "hostname", PS_AT(ps_ingress, hostname), .type = PS_T_TEXT, .help = "Shown, nothing more."},
	{.name = "ipMode", PS_AT(ps_ingress, ip_mode), .type = PS_T_TEXT, .help = "VIP or Proxy."},
	{.name = "ports", .type = PS_T_ANY, .state = PS_QUIET},
};
static const struct ps_schema ingress = {
	.name = "ingress", PS_FIELDS(ingress_field), .size = sizeof(struct ps_ingress)};

static const struct ps_field balancer_field[] = {
	{.name = "ingress", PS_AT(ps_service_spec, ingress), PS_LIST_OF(PS_T_OBJECT), .max_items = 64,
	 .sub = &ingress, .help = "Addresses that were given to the Service."},
};
static const struct ps_schema balancer = {.name = "loadBalancer", PS_FIELDS(balancer_field)};

static const struct ps_field status_field[] = {
	{.name = "loadBalancer", .type = PS_T_INLINE, .sub = &balancer, .help = "Load balancer addresses."},
	{.name = "conditions", .type = PS_T_ANY, .state = PS_QUIET},
};
static const struct ps_schema service_status = {.name = "Service status", PS_FIELDS(status_field)};

static void
check_service(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_service_spec *s = target;

	(void)node;
	ps_decode_annotations(d, &s->annotations);
}

static const struct ps_field service_field[] = {
	PS_HEAD_FIELDS,
	{.name = "spec", .type = PS_T_INLINE, .required = true, .sub = &service_spec},
	{.name = "status", .type = PS_T_INLINE, .sub = &service_status,
	 .help = "Of it, only loadBalancer is read."},
};

const struct ps_schema ps_service_schema = {.name = "Service",
	PS_FIELDS(service_field),
	.size = sizeof(struct ps_service_spec),
	.check = check_service};

/* ---- annotations ---- */

static const struct ps_enum_name mode_name[] = {
	{"FullNAT", PS_FORWARD_FULLNAT}, {"DNAT", PS_FORWARD_DNAT}, {"DSR-IPIP", PS_FORWARD_IPIP},
	{"DSR-GUE", PS_FORWARD_GUE},     {"DSR-L2", PS_FORWARD_L2}, {NULL},
};
static const struct ps_enum_name check_name[] = {{"tcp", PS_CHECK_TCP}, {"udp", PS_CHECK_UDP},
	{"icmp", PS_CHECK_ICMP}, {"none", PS_CHECK_NONE}, {NULL}};
static const struct ps_enum_name no_endpoint_name[] = {
	{"reject", PS_NO_ENDPOINT_REJECT}, {"drop", PS_NO_ENDPOINT_DROP}, {NULL}};
static const struct ps_enum_name all_down_name[] = {
	{"reject", PS_ALL_DOWN_REJECT}, {"open", PS_ALL_DOWN_OPEN}, {NULL}};

#define ANNOTATION(member) .offset = offsetof(struct ps_service_annotations, member)

static const struct ps_field annotation_field[] = {
	{.name = "forwarding-mode", ANNOTATION(forwarding_mode), .type = PS_T_ENUM, .names = mode_name,
	 .help = "How packets reach the endpoints: FullNAT rewrites both addresses, DNAT the destination "
		 "only, DSR-IPIP and DSR-GUE tunnel, DSR-L2 changes the destination MAC only. Else FullNAT."},
	{.name = "toa", ANNOTATION(toa), .type = PS_T_BOOLEAN,
	 .help = "FullNAT, TCP: tell the endpoint the client's address in a TCP option. Else false."},
	{.name = "health-check", ANNOTATION(health_check), .type = PS_T_ENUM, .names = check_name,
	 .help = "Probe of each endpoint. Else as health.check of the Dataplane says."},
	{.name = "health-interval", ANNOTATION(health_interval), .type = PS_T_DURATION, .min = 100,
	 .max = 3600000, .help = "Time between two probes. Else health.interval."},
	{.name = "health-timeout", ANNOTATION(health_timeout), .type = PS_T_DURATION, .min = 50,
	 .max = 3600000, .help = "Time to wait for an answer, below the interval. Else health.timeout."},
	{.name = "health-rise", ANNOTATION(health_rise), .type = PS_T_INTEGER, .min = 1, .max = 255,
	 .unit = "probes", .help = "Successes in a row that make an endpoint up. Else health.rise."},
	{.name = "health-fall", ANNOTATION(health_fall), .type = PS_T_INTEGER, .min = 1, .max = 255,
	 .unit = "probes", .help = "Failures in a row that make an endpoint down. Else health.fall."},
	{.name = "health-port", ANNOTATION(health_port), .type = PS_T_INTEGER, .min = 1, .max = 65535,
	 .help = "Port that is probed. Else the endpoint's own."},
	{.name = "drain-timeout", ANNOTATION(drain_timeout), .type = PS_T_DURATION, .min = 0,
	 .max = 604800000,
	 .help = "How long flows may go on after their endpoint has left. Else drainTimeout."},
	{.name = "tcp-idle-timeout", ANNOTATION(tcp_idle_timeout), .type = PS_T_DURATION, .min = 1000,
	 .max = 2592000000,
	 .help = "How long an established TCP flow may be silent. Else timeouts.tcpEstablished."},
	{.name = "udp-idle-timeout", ANNOTATION(udp_idle_timeout), .type = PS_T_DURATION, .min = 1000,
	 .max = 86400000, .help = "How long a UDP flow may be silent. Else timeouts.udp."},
	{.name = "mss", ANNOTATION(mss), .type = PS_T_INTEGER, .min = 88, .max = 9560, .unit = "bytes",
	 .help = "Largest TCP segment that either side may announce. Else what the MTU leaves when packets "
		 "are encapsulated, and unchanged when not."},
	{.name = "snat-pool", ANNOTATION(snat_pool), .type = PS_T_TEXT, .format = &ps_format_label,
	 .help = "FullNAT: pool of source addresses, one of the Dataplane's snatPools. Else the first one."},
	{.name = "gue-port", ANNOTATION(gue_port), .type = PS_T_INTEGER, .min = 1, .max = 65535,
	 .help = "DSR-GUE: UDP destination port at the endpoints. Else 6080."},
	{.name = "weights", ANNOTATION(weights), .type = PS_T_WEIGHTS,
	 .help = "Weights of endpoints by address: ADDRESS=WEIGHT,... Others have 1; 0 takes no new flow."},
	{.name = "no-endpoint", ANNOTATION(no_endpoint), .type = PS_T_ENUM, .names = no_endpoint_name,
	 .help = "Without any endpoint: answer with TCP RST or ICMP unreachable, or drop silently. Else "
		 "reject."},
	{.name = "all-down", ANNOTATION(all_down), .type = PS_T_ENUM, .names = all_down_name,
	 .help = "With all endpoints judged down: reject new flows, or use all endpoints as if up. Else "
		 "reject."},
};

static void
check_annotations(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	const struct ps_service_annotations *a = target;

	(void)node;
	if (a->health_interval.place.line != 0 && a->health_timeout.place.line != 0 &&
	    a->health_timeout.v >= a->health_interval.v)
		ps_decode_error(d, a->health_timeout.place,
			"annotation penstock.dev/health-timeout is not below the interval, expected less "
			"than %dms",
			(int)a->health_interval.v);
	if (a->toa.v != 0 && a->forwarding_mode.v != PS_FORWARD_FULLNAT)
		ps_decode_warning(d, a->toa.place,
			"annotation penstock.dev/toa has no effect with this forwarding mode, "
			"expected FullNAT");
}

const struct ps_schema ps_annotation_schema = {.name = "annotation", PS_FIELDS(annotation_field),
					       .size = sizeof(struct ps_service_annotations),
					       .check = check_annotations};

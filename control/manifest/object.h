/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed objects, as the user's files spell them, checked field by field but not against
 * each other: that is control/resolve's work.
 *
 * Each value remembers its place. A field that the file does not give has place.line 0; it then holds its
 * default, when its schema table has one, else 0 or NULL. Strings live as long as their object.
 *
 * Times are milliseconds, sizes bytes, ports host order, unless a comment says otherwise.
 */
#ifndef PS_MANIFEST_OBJECT_H
#define PS_MANIFEST_OBJECT_H

#include "control/manifest/diagnostic.h"
#include "dataplane/api/abi.h"

/* Values. `place.line != 0` reads "the file gives this field". */
struct ps_text {
	const char *s;         /* NULL: absent and without default */
	struct ps_place place;
};

struct ps_number {             /* integers, booleans (0, 1), enumerations, milliseconds, bytes */
	int64_t v;
	struct ps_place place;
};

struct ps_ip {                 /* all zero: absent */
	struct ps_addr addr;
	struct ps_place place;
};

struct ps_prefix {             /* "10.0.0.0/8" keeps its host bits: "10.0.0.1/8" is an interface address */
	struct ps_addr addr;
	uint8_t length;        /* 0..32 or 0..128, of the address's own family */
	bool v6;
	struct ps_place place;
};

struct ps_ip_range {           /* "A", "A-B" or "A/N": inclusive, both of one family */
	struct ps_addr first;
	struct ps_addr last;
	struct ps_place place;
};

struct ps_cpu_range {          /* "3" or "2-5", inclusive */
	uint32_t first;
	uint32_t last;
	struct ps_place place;
};

struct ps_port_range {         /* "1280-65535", inclusive, host order */
	uint16_t first;
	uint16_t last;
	struct ps_place place;
};

struct ps_port_ref {           /* int-or-string: number != 0, or name */
	uint16_t number;
	const char *name;
	struct ps_place place;
};

struct ps_mac {
	uint8_t b[6];          /* all zero: absent */
	struct ps_place place;
};

struct ps_pair {               /* of a label or annotation map, in file order */
	const char *key;
	const char *value;
	struct ps_place key_place;
	struct ps_place place; /* of the value */
};

/* Every list has this layout: items, how many, and where the field is (line 0: absent). */
#define PS_LIST(type)                   \
	struct {                        \
		type *item;             \
		uint32_t length;        \
		struct ps_place place;  \
	}

struct ps_pairs {
	struct ps_pair *item;
	uint32_t length;
	struct ps_place place;
};

/* metav1.LabelSelector: all requirements must hold; an empty selector that is given matches everything */
enum ps_selector_op { PS_OP_IN, PS_OP_NOT_IN, PS_OP_EXISTS, PS_OP_DOES_NOT_EXIST };

struct ps_selector_requirement {
	struct ps_place place;
	struct ps_text key;
	struct ps_number op;   /* enum ps_selector_op */
	PS_LIST(struct ps_text) values;
};

struct ps_selector {
	struct ps_place place;
	struct ps_pairs match_labels;
	PS_LIST(struct ps_selector_requirement) match_expressions;
};

/* Does the selector match these labels? A selector that is absent matches nothing. */
bool ps_selector_matches(const struct ps_selector *selector, const struct ps_pairs *labels);

/* Value of a key; NULL when there is none. */
const char *ps_pairs_get(const struct ps_pairs *pairs, const char *key);

/* ---- GatewayClass ---- */

struct ps_gateway_class_spec {
	struct ps_text controller_name;
	struct ps_text description;
	struct ps_place parameters_ref; /* given: not supported, status InvalidParameters */
};

/* ---- Gateway ---- */

enum ps_from { PS_FROM_SAME, PS_FROM_ALL, PS_FROM_SELECTOR, PS_FROM_NONE };
enum ps_tls_mode { PS_TLS_TERMINATE, PS_TLS_PASSTHROUGH };

struct ps_route_kind {
	struct ps_place place;
	struct ps_text group;  /* default gateway.networking.k8s.io */
	struct ps_text kind;
};

struct ps_object_ref {         /* secret, config map ... */
	struct ps_place place;
	struct ps_text group;
	struct ps_text kind;
	struct ps_text name;
	struct ps_text ns;
};

struct ps_allowed_routes {
	struct ps_place place;
	struct {
		struct ps_place place;
		struct ps_number from; /* enum ps_from, default Same */
		struct ps_selector selector;
	} namespaces;
	PS_LIST(struct ps_route_kind) kinds;
};

struct ps_listener_tls {
	struct ps_place place;
	struct ps_number mode; /* enum ps_tls_mode, default Terminate */
	PS_LIST(struct ps_object_ref) certificate_refs;
	struct ps_pairs options;
};

struct ps_gateway_listener {
	struct ps_place place;
	struct ps_text name;
	struct ps_text hostname;
	struct ps_number port;
	struct ps_text protocol; /* HTTP HTTPS TLS TCP UDP, or a domain-prefixed name of somebody else's */
	struct ps_listener_tls tls;
	struct ps_allowed_routes allowed_routes;
};

struct ps_gateway_address {
	struct ps_place place;
	struct ps_text type;   /* default IPAddress; Hostname, NamedAddress, or domain-prefixed */
	struct ps_text value;  /* NULL: any address of the type; IPAddress: checked to be one */
	struct ps_ip ip;       /* of value, when type is IPAddress */
};

struct ps_gateway_spec {
	struct ps_text class_name;
	PS_LIST(struct ps_gateway_listener) listeners; /* 1..64, names unique */
	PS_LIST(struct ps_gateway_address) addresses;
};

/* ---- TCPRoute, UDPRoute ---- */

struct ps_parent_ref {
	struct ps_place place;
	struct ps_text group;  /* default gateway.networking.k8s.io */
	struct ps_text kind;   /* default Gateway */
	struct ps_text ns;     /* NULL: the route's own */
	struct ps_text name;
	struct ps_text section_name; /* NULL: all listeners */
	struct ps_number port;       /* 0: all ports */
};

struct ps_backend_ref {
	struct ps_place place;
	struct ps_text group;  /* default "" */
	struct ps_text kind;   /* default Service */
	struct ps_text ns;     /* NULL: the route's own */
	struct ps_text name;
	struct ps_number port; /* 0: absent */
	struct ps_number weight; /* 0..1000000, default 1 */
};

struct ps_l4_rule {
	struct ps_place place;
	struct ps_text name;
	PS_LIST(struct ps_backend_ref) backend_refs; /* 1..16 */
};

struct ps_l4_route_spec {
	PS_LIST(struct ps_parent_ref) parent_refs;
	PS_LIST(struct ps_l4_rule) rules; /* 1..16 */
};

/* ---- Service ---- */

enum ps_service_type { PS_CLUSTER_IP, PS_NODE_PORT, PS_LOAD_BALANCER, PS_EXTERNAL_NAME };
enum ps_l4_protocol { PS_TCP, PS_UDP, PS_SCTP };
enum ps_traffic_policy { PS_POLICY_CLUSTER, PS_POLICY_LOCAL };
enum ps_ip_family { PS_IPV4, PS_IPV6 };
enum ps_forwarding { PS_FORWARD_FULLNAT, PS_FORWARD_DNAT, PS_FORWARD_IPIP, PS_FORWARD_GUE, PS_FORWARD_L2 };
/* the order of enum ps_mode in dataplane/api/snapshot.h */
enum ps_health_check { PS_CHECK_AUTO, PS_CHECK_TCP, PS_CHECK_UDP, PS_CHECK_ICMP, PS_CHECK_NONE };
enum ps_no_endpoint { PS_NO_ENDPOINT_REJECT, PS_NO_ENDPOINT_DROP };
enum ps_all_down { PS_ALL_DOWN_REJECT, PS_ALL_DOWN_OPEN };

struct ps_service_spec_port {
	struct ps_place place;
	struct ps_text name;        /* NULL when the only port */
	struct ps_number protocol;  /* enum ps_l4_protocol, default TCP */
	struct ps_number port;
	struct ps_port_ref target_port; /* absent: same as port */
	struct ps_number node_port;     /* 0: none given */
	struct ps_text app_protocol;
};

struct ps_ingress {            /* status.loadBalancer.ingress[] */
	struct ps_place place;
	struct ps_ip ip;
	struct ps_text hostname;
	struct ps_text ip_mode; /* VIP or Proxy */
};

struct ps_endpoint_weight {
	struct ps_addr addr;
	uint32_t weight;       /* 0..65535; 0: takes no new flow */
};

/* Annotations penstock.dev/...; an absent one has place.line 0 and holds no default: the
 * Dataplane document's default applies. */
struct ps_service_annotations {
	struct ps_number forwarding_mode;  /* enum ps_forwarding */
	struct ps_number toa;
	struct ps_number health_check;     /* enum ps_health_check */
	struct ps_number health_interval;  /* ms */
	struct ps_number health_timeout;   /* ms */
	struct ps_number health_rise;
	struct ps_number health_fall;
	struct ps_number health_port;
	struct ps_number drain_timeout;    /* ms */
	struct ps_number tcp_idle_timeout; /* ms */
	struct ps_number udp_idle_timeout; /* ms */
	struct ps_number mss;
	struct ps_text snat_pool;
	struct ps_number gue_port;
	PS_LIST(struct ps_endpoint_weight) weights;
	struct ps_number no_endpoint;      /* enum ps_no_endpoint */
	struct ps_number all_down;         /* enum ps_all_down */
};

struct ps_service_spec {
	PS_LIST(struct ps_service_spec_port) ports;
	struct ps_pairs selector;          /* informative: endpoints come from EndpointSlices */
	struct ps_number type;             /* enum ps_service_type, default ClusterIP */
	bool headless;                     /* clusterIP: None */
	struct ps_text cluster_ip;         /* as written: address, "None" or "" */
	PS_LIST(struct ps_text) cluster_ip_texts; /* clusterIPs as written */
	PS_LIST(struct ps_ip) cluster_ips; /* clusterIPs, else clusterIP; empty when headless or absent */
	PS_LIST(struct ps_number) ip_families; /* enum ps_ip_family */
	struct ps_number ip_family_policy; /* 0 SingleStack, 1 PreferDualStack, 2 RequireDualStack */
	PS_LIST(struct ps_ip) external_ips;
	struct ps_ip load_balancer_ip;
	struct ps_text load_balancer_class;
	PS_LIST(struct ps_prefix) load_balancer_source_ranges;
	struct ps_number session_affinity; /* 0 None, 1 ClientIP */
	struct ps_number affinity_timeout_s; /* 1..86400, default 10800 */
	struct ps_number external_traffic_policy; /* enum ps_traffic_policy */
	struct ps_number internal_traffic_policy;
	struct ps_number publish_not_ready_addresses;
	struct ps_number allocate_node_ports; /* default true */
	struct ps_number health_check_node_port;
	struct ps_text external_name;
	PS_LIST(struct ps_ingress) ingress; /* status.loadBalancer.ingress */
	struct ps_service_annotations annotations;
};

/* ---- EndpointSlice ---- */

struct ps_slice_endpoint {
	struct ps_place place;
	PS_LIST(struct ps_ip) addresses;   /* 1..100; empty for addressType FQDN */
	struct ps_number ready;            /* absent counts as true: v is 1 then */
	struct ps_number serving;          /* absent: as ready */
	struct ps_number terminating;      /* absent: false */
	struct ps_text node_name;
	struct ps_text zone;
	struct ps_text hostname;
	struct ps_object_ref target;       /* targetRef: kind, ns, name */
};

struct ps_slice_port {
	struct ps_place place;
	struct ps_text name;               /* NULL and "" are the same */
	struct ps_number protocol;         /* enum ps_l4_protocol, default TCP */
	struct ps_number port;             /* 0: absent, "all ports" */
	struct ps_text app_protocol;
};

enum ps_address_type { PS_SLICE_IPV4, PS_SLICE_IPV6, PS_SLICE_FQDN };

struct ps_slice_spec {
	struct ps_number address_type;     /* enum ps_address_type */
	const char *service_name;          /* label kubernetes.io/service-name; NULL: belongs to no Service */
	PS_LIST(struct ps_slice_endpoint) endpoints;
	PS_LIST(struct ps_slice_port) ports;
};

/* ---- ReferenceGrant ---- */

struct ps_grant_from {
	struct ps_place place;
	struct ps_text group, kind, ns;
};

struct ps_grant_to {
	struct ps_place place;
	struct ps_text group, kind;
	struct ps_text name;               /* NULL: all of the kind */
};

struct ps_grant_spec {
	PS_LIST(struct ps_grant_from) from;
	PS_LIST(struct ps_grant_to) to;
};

/* ---- Dataplane (penstock.dev/v1alpha1) ---- */

enum ps_memif_role { PS_MEMIF_SERVER, PS_MEMIF_CLIENT };

struct ps_dataplane_vlan {
	struct ps_place place;
	struct ps_number id;               /* 1..4094 */
	struct ps_number mtu;              /* 0: the port's */
	PS_LIST(struct ps_prefix) addresses;
};

struct ps_dataplane_port {
	struct ps_place place;
	struct ps_text name;
	/* exactly one device is given; device_kind says which: enum ps_port_kind of snapshot.h */
	uint32_t device_kind;
	struct ps_text pci, af_xdp, af_packet, tap, virtio_user, vhost;
	struct {
		struct ps_place place;
		struct ps_text socket;
		struct ps_number id;
		struct ps_number role;     /* enum ps_memif_role */
		struct ps_number zero_copy;
		struct ps_text secret;
	} memif;
	struct ps_number null;             /* null: true */
	struct {
		struct ps_place place;
		struct ps_text input, output;
		struct ps_number loop;
	} pcap;
	struct ps_number queues;
	struct ps_number mtu;
	struct ps_mac mac;
	struct ps_number promiscuous;
	struct ps_number punt;
	struct ps_number trust_checksums;
	struct ps_text options;
	PS_LIST(struct ps_prefix) addresses;
	PS_LIST(struct ps_dataplane_vlan) vlans;
};

struct ps_dataplane_route {
	struct ps_place place;
	struct ps_prefix to;               /* "default" is 0.0.0.0/0 or ::/0, as via has it; host bits zero */
	struct ps_ip via;                  /* absent: on link */
	struct ps_text iface;              /* field `interface`: "wan" or "wan.100" */
};

struct ps_dataplane_snat_pool {
	struct ps_place place;
	struct ps_text name;
	PS_LIST(struct ps_ip_range) addresses;
	struct ps_port_range ports;        /* default 1280-65535 */
};

struct ps_dataplane_spec {
	struct ps_text node_name;
	struct ps_text instance;
	PS_LIST(struct ps_dataplane_port) ports;
	PS_LIST(struct ps_dataplane_route) routes;
	struct {
		struct ps_place place;
		struct ps_number main;     /* -1: unpinned */
		PS_LIST(struct ps_cpu_range) workers;
		struct ps_number count;    /* workers that are not pinned; 0: as cores.workers, else one */
	} cores;
	struct {
		struct ps_place place;
		struct ps_number hugepages; /* enum ps_hugepages of snapshot.h */
		struct ps_number size;      /* bytes, 0: as needed */
		struct ps_number buffers;   /* 0: as needed */
		struct ps_number buffer_size;
	} memory;
	struct {
		struct ps_place place;
		struct ps_number rx, tx;
	} descriptors;
	struct ps_number idle;             /* enum ps_idle of snapshot.h */
	struct {
		struct ps_place place;
		struct ps_number flows_ipv4, flows_ipv6, fragments, neighbours, routes, affinity;
		struct ps_number services, endpoints, snat_groups;
	} tables;
	PS_LIST(struct ps_dataplane_snat_pool) snat_pools;
	struct {
		struct ps_place place;
		struct ps_number announce, ping;
	} vips;
	PS_LIST(struct ps_ip_range) gateway_addresses;
	struct {
		struct ps_place place;
		struct ps_number check;    /* enum ps_health_check, default auto */
		struct ps_number interval, timeout; /* ms */
		struct ps_number rise, fall, jitter;
	} health;
	struct {
		struct ps_place place;
		struct ps_number tcp_established, tcp_syn, tcp_fin, tcp_time_wait, udp; /* ms */
	} timeouts;
	struct ps_number drain_timeout;    /* ms */
	struct ps_text admin_address;      /* "ADDR:PORT" or "[ADDR]:PORT"; "none": no TCP */
	struct {
		struct ps_place place;
		struct ps_number services, endpoints; /* that have series of their own */
	} metrics;
	PS_LIST(struct ps_text) controller_names; /* adopted besides penstock.dev/gateway-controller */
	struct ps_number hash_seed;
	struct ps_text eal_options;
};

/* ---- any object ---- */

enum ps_kind {
	PS_KIND_OTHER,                     /* kept by name: not served yet, or not ours at all */
	PS_KIND_GATEWAY_CLASS,
	PS_KIND_GATEWAY,
	PS_KIND_TCP_ROUTE,
	PS_KIND_UDP_ROUTE,
	PS_KIND_SERVICE,
	PS_KIND_ENDPOINT_SLICE,
	PS_KIND_NAMESPACE,
	PS_KIND_REFERENCE_GRANT,
	PS_KIND_DATAPLANE,
	PS_KINDS
};

struct ps_file;

/*
 * One object. The pointer stays the same through refreshes for as long as an object of the same
 * kind, namespace and name is in the same file. Everything that it points to stays as it is while revision
 * stays the
 * same, and is gone when revision has changed.
 */
struct ps_object {
	enum ps_kind kind;
	const char *api_version;           /* as written: "gateway.networking.k8s.io/v1" */
	const char *kind_name;             /* as written: "Gateway" */
	const char *ns;                    /* "" for cluster-scoped kinds; "default" when not given */
	const char *name;
	const char *file;                  /* path as given or found */
	struct ps_place place;             /* of the document */
	struct ps_place name_place;
	struct ps_place ns_place;          /* line 0: not given */
	struct ps_pairs labels;
	struct ps_pairs annotations;
	int64_t created_s;                 /* metadata.creationTimestamp, Unix seconds; 0: not given */
	uint64_t revision;                 /* of the set at the last change, places included; never 0 */
	uint64_t generation;               /* metadata.generation, else counts changes of content from 1 */
	uint64_t digest;                   /* of the content */
	uint64_t order;                    /* first seen; tells the older one when created_s does not */
	union {                            /* by kind; NULL for PS_KIND_OTHER and PS_KIND_NAMESPACE */
		const void *spec;
		const struct ps_gateway_class_spec *gateway_class;
		const struct ps_gateway_spec *gateway;
		const struct ps_l4_route_spec *route; /* TCPRoute and UDPRoute */
		const struct ps_service_spec *service;
		const struct ps_slice_spec *slice;
		const struct ps_grant_spec *grant;
		const struct ps_dataplane_spec *dataplane;
	};
};

/* "Gateway", "TCPRoute" ...; "Other" for PS_KIND_OTHER */
const char *ps_kind_name(enum ps_kind kind);

/* "gateway.networking.k8s.io" for Gateway; "" for the core group */
const char *ps_kind_group(enum ps_kind kind);
bool ps_kind_is_namespaced(enum ps_kind kind);

/* The group part of an apiVersion: "" for "v1". Writes at most size bytes. */
void ps_api_group(const char *api_version, char *group, size_t size);

#endif

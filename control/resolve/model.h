/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolved model: what the manifests mean, with every reference followed. The compiler turns it
 * into a snapshot; the admin API shows it. It belongs to its resolver, is read-only for everybody
 * else, and is good until the next ps_resolve() or ps_resolver_free().
 *
 * Ports are in network order where they are named `port` in a struct of dataplane/api, host order
 * otherwise. Strings are never NULL unless a comment says so.
 */
#ifndef PS_RESOLVE_MODEL_H
#define PS_RESOLVE_MODEL_H

#include "control/manifest/object.h"
#include "dataplane/api/snapshot.h"

/* ---- status conditions (KEP-1623) ---- */

#define PS_CONDITIONS_MAX 6u

struct ps_condition {
	const char *type;            /* static */
	const char *status;          /* "True", "False", "Unknown" */
	const char *reason;          /* static */
	char *message;
	uint64_t observed_generation;
	int64_t transition_s;        /* Unix time at which status changed last */
};

struct ps_conditions {
	struct ps_condition item[PS_CONDITIONS_MAX];
	uint32_t length;
};

/* NULL when there is none of the type. */
const struct ps_condition *ps_conditions_find(const struct ps_conditions *conditions, const char *type);
/* Is it there and "True"? */
bool ps_conditions_true(const struct ps_conditions *conditions, const char *type);

/* ---- dataplane ---- */

/* Fields of the struct of snapshot.h that are string offsets are 0; the text is beside it. */
struct ps_model_port {
	struct ps_port raw;
	const char *name, *device, *output, *options;
};

struct ps_model_iface {
	struct ps_iface raw;
	const char *name;
};

struct ps_model_pool {
	const char *name;
	uint32_t first_address; /* index into snat_address */
	uint32_t addresses;
};

struct ps_model_boot {
	struct ps_boot raw;
	const char *instance_name, *eal_options, *node_name;
};

/* ---- L4 ---- */

struct ps_model_endpoint {
	uint64_t id;
	struct ps_addr addr;
	uint16_t port;          /* network order */
	uint32_t weight;        /* 0 only beyond balanced */
	uint32_t flags;         /* PS_ENDPOINT_F_ */
	bool ready, serving, terminating;
	const char *name;       /* pod "ns/name", or "" */
	const char *node;       /* "" when not given */
	const char *zone;       /* "" when not given */
	const char *backend;    /* "ns/service:port" it came through */
};

/*
 * What one ps_service of the snapshot will be: a port of a Service, or a rule of a route on one listener
 * protocol, for one address family. Balanced endpoints come first, in the order of their ids.
 */
struct ps_model_service {
	uint64_t id;
	uint64_t revision;      /* changes when anything below changes; never repeats in a resolver's life */
	const char *name;       /* unique: "ns/name:80", "ns/name:53/udp", "tcproute/ns/name/0", + "/local", + "/ipv6" */
	const struct ps_object *object; /* Service, TCPRoute or UDPRoute */
	uint16_t port;          /* Service: its port, host order; 0 for routes */
	bool v6;
	uint8_t mode;           /* enum ps_mode */
	uint8_t proto;
	uint16_t flags;         /* PS_SERVICE_F_ */
	uint32_t snat_pool;     /* index; PS_NONE unless FullNAT */
	struct ps_probe probe;  /* kind PS_PROBE_NONE: endpoints count as up */
	uint32_t affinity_s, tcp_idle_s, udp_idle_s;
	uint16_t mss;
	uint16_t gue_port;      /* network order */
	uint32_t drain_s;
	struct ps_model_endpoint *endpoint;
	uint32_t endpoints;
	uint32_t balanced;
};

struct ps_model_listener {
	struct ps_addr addr;
	uint16_t port;          /* network order */
	uint8_t proto;
	uint8_t kind;           /* enum ps_listener_kind */
	uint32_t service;       /* index into ps_model.service; PS_NONE with PS_LISTENER_REJECT */
	const struct ps_range *range; /* source ranges allowed, normalized; */
	uint32_t ranges;        /* 0: all sources; given but none of this family: one that holds no client */
	const char *name;       /* "gateway/ns/name/listener", "service/ns/name:80/ClusterIP" */
	const struct ps_object *object; /* Gateway or Service */
};

/* ---- status per object ---- */

struct ps_class_status {
	const struct ps_object *object;
	struct ps_conditions conditions;
};

struct ps_listener_status {
	const struct ps_gateway_listener *spec;
	const char *kind[4];    /* supportedKinds, of group gateway.networking.k8s.io */
	uint32_t kinds;
	uint32_t attached_routes;
	struct ps_conditions conditions;
};

struct ps_gateway_status {
	const struct ps_object *object;
	struct ps_addr *address;
	uint32_t addresses;
	struct ps_listener_status *listener;
	uint32_t listeners;
	struct ps_conditions conditions;
};

struct ps_parent_status {
	const struct ps_parent_ref *ref;
	const struct ps_object *gateway;
	struct ps_conditions conditions;
};

struct ps_route_status {
	const struct ps_object *object;
	struct ps_parent_status *parent; /* only parents that are ours */
	uint32_t parents;
};

struct ps_service_status {
	const struct ps_object *object;
	struct ps_addr *ingress;         /* load balancer addresses that are served */
	uint32_t ingresses;
	uint32_t ready, draining, total; /* endpoints over all ports and families */
	struct ps_conditions conditions;
};

struct ps_slice_status {
	const struct ps_object *object;
	struct ps_conditions conditions;
};

/* ---- all of it ---- */

struct ps_model {
	uint64_t revision;           /* changes when anything that a snapshot is made of changes */
	uint64_t listener_revision;  /* changes when listeners, vips or the order of services change */
	uint64_t dataplane_revision; /* changes when boot .. probe defaults change */

	const struct ps_object *dataplane;       /* NULL: all defaults */
	const struct ps_dataplane_spec *spec;    /* never NULL */
	struct ps_model_boot boot;
	struct ps_model_port *port;
	uint32_t ports;
	struct ps_model_iface *iface;
	uint32_t ifaces;
	struct ps_address *address;
	uint32_t addresses;
	struct ps_route *route;
	uint32_t routes;
	struct ps_model_pool *pool;
	uint32_t pools;
	struct ps_snat_address *snat_address;
	uint32_t snat_addresses;
	uint64_t hash_seed;

	struct ps_vip *vip;
	uint32_t vips;
	struct ps_model_listener *listener;
	uint32_t listeners;
	const struct ps_model_service **service;
	uint32_t services;

	struct ps_class_status **class_status;   /* ours only */
	uint32_t classes;
	struct ps_gateway_status **gateway_status; /* of our classes only */
	uint32_t gateways;
	struct ps_route_status **route_status;   /* TCPRoutes and UDPRoutes with a parent of ours */
	uint32_t route_statuses;
	struct ps_service_status **service_status;
	uint32_t service_statuses;
	struct ps_slice_status **slice_status;
	uint32_t slice_statuses;

	struct ps_diagnostics diagnostics;       /* of resolving alone */
};

#endif

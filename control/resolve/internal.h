/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the resolver share. The resolver's work is four passes:
 *
 *   dataplane   the Dataplane document: boot, ports, addresses, routes, pools   (when it changed)
 *   services    each Service: listeners, when it or the dataplane changed;
 *               endpoints, when it or its slices changed
 *   gateways    classes, gateways, routes and what they attach to, when any object they look at
 *               changed; endpoints of routes, when a backend's changed
 *   assemble    one list of listeners (older objects win an address and port) and services,
 *               when listeners changed
 *
 * Memory follows the passes: each owns an arena that it resets before it runs again.
 */
#ifndef PS_RESOLVE_INTERNAL_H
#define PS_RESOLVE_INTERNAL_H

#include "control/manifest/arena.h"
#include "control/resolve/map.h"
#include "control/resolve/resolve.h"

/* Endpoints of a Service port in one family, before anybody's weights: sorted by (addr, port), distinct. */
struct backend_endpoint {
	struct ps_addr addr;
	uint16_t port; /* network order */
	uint16_t weight;
	bool ready, serving, terminating, local;
	const char *name, *node, *zone;
};

struct backend {
	struct backend_endpoint *endpoint;
	uint32_t endpoints;
};

#define PS_GATEWAY_GROUP "gateway.networking.k8s.io"

static inline const char *
ps_or_empty(const char *s)
{
	return s != NULL ? s : "";
}

struct service_listener {
	struct ps_model_listener model;
	struct ps_model_service *service; /* NULL: reject */
};

/* One Service. */
struct service_entry {
	const struct ps_object *object;
	uint64_t key;         /* of what the configuration was made from */
	uint64_t slices_key;  /* of what the endpoints were made from */
	uint64_t revision;    /* of the endpoints: changes with them */
	uint64_t pass;        /* last seen in */
	struct ps_arena arena;          /* configuration */
	struct ps_arena endpoint_arena;
	struct backend *backend;        /* [spec->ports.length][2]: IPv4, IPv6 */
	struct ps_model_service *service;
	bool *service_local;            /* endpoints of this node only */
	uint32_t *service_port;         /* index into spec->ports */
	uint32_t services;
	struct service_listener *listener;
	uint32_t listeners;
	struct ps_service_status status;
	uint32_t won;                   /* listeners that are its own */
	const char *lost_to;            /* while assembling: name of the listener that took an address from it; NULL */
	const char *trouble_reason, *trouble; /* what keeps part of it from working; NULL; static */
	bool conflict_shown;
	bool shut_out;                  /* all its addresses and ports belong to others */
	struct ps_diagnostics diagnostics;
	struct ps_addr pool_address[2]; /* taken from the gateway addresses for this Service; all zero: none */
};

struct slice_entry {
	struct ps_slice_status status;
	uint64_t key, pass;
};

/* A rule of a route for one family: endpoints come from several backends. */
struct route_backend {
	struct service_entry *service; /* NULL: invalid reference */
	uint32_t port;                 /* index into the Service's ports */
	uint32_t weight;
	const char *name;
};

struct route_service {
	struct ps_model_service model;
	struct route_backend *backend;
	uint32_t backends;
	uint64_t key;           /* of the backends' revisions that the endpoints were made from */
	struct ps_arena arena;  /* endpoints */
	struct route_service *next;
};

struct route_entry;

struct gateway_listener_entry {
	const char *name;
	struct route_service *service[2]; /* IPv4, IPv6; NULL: no route */
	uint8_t proto;                    /* 0: not served */
	bool usable;                      /* accepted, not in conflict */
	const struct ps_object *route;    /* the oldest one attached */
	uint32_t won, lost;               /* addresses */
	const char *lost_to;
};

struct gateway_entry {
	struct ps_gateway_status status;
	struct gateway_listener_entry *listener;
	bool unusable_address, unsupported_address, unassigned;
	bool class_accepted;
	const char *bad_address;
	struct ps_addr pool_address[2];     /* taken from gatewayAddresses; all zero: none */
	const struct gateway_entry *before; /* of the pass before, while conditions are made */
};

/* One pass over classes, gateways and routes; the one before is kept until the next is made, for transition times. */
struct gateway_pass {
	struct ps_arena arena;
	struct gateway_entry **gateway;
	uint32_t gateways;
	struct ps_class_status **class_status;
	uint32_t classes;
	struct ps_route_status **route;
	uint32_t routes;
	struct route_service *services; /* list */
	struct ps_map by_gateway;       /* object to gateway_entry */
	struct ps_map by_route;         /* object to ps_route_status */
	struct ps_map by_service;       /* route object, + 1 for IPv6, to route_service */
};

struct ps_resolver {
	char **adopt;
	uint32_t adopts;
	uint32_t flags;
	struct ps_manifests *set;
	int64_t now_s;
	uint64_t pass;          /* number of the call */
	uint64_t serial;        /* source of revisions */
	bool failed;            /* out of memory somewhere in this call */
	bool layout_changed;    /* listeners, vips or services came, went or changed */
	bool content_changed;   /* any endpoint or setting changed */

	struct ps_arena dataplane_arena;
	uint64_t dataplane_key;
	struct ps_diagnostics dataplane_diagnostics;

	struct ps_map service;  /* ps_name_key to service_entry */
	struct ps_map slice;    /* ps_name_key to slice_entry */
	uint64_t seen_revision; /* of the set, at the last call; 0: none */
	uint64_t seen_dataplane;
	bool slices_changed;

	struct gateway_pass gateway;
	struct gateway_pass before; /* kept until the end of the call */
	uint64_t gateway_key;
	struct ps_diagnostics gateway_diagnostics;

	struct ps_slice_status **slice_status; /* as the model shows them; malloc */
	struct ps_arena assemble_arena;
	struct ps_diagnostics assemble_diagnostics;
	bool diagnostics_changed;
	struct ps_map pool_taken; /* addresses handed out of gatewayAddresses */
	struct ps_model model;
};

/* Allocation that remembers failure: zeroed memory or NULL with r->failed set. */
void *ps_take(struct ps_resolver *r, struct ps_arena *arena, size_t size);
char *ps_take_text(struct ps_resolver *r, struct ps_arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Sets a condition; its transition time stays when `before` (may be NULL, may be the same list) has it with equal status. */
void ps_condition_set(struct ps_resolver *r, struct ps_conditions *list, const struct ps_conditions *before,
		      const struct ps_object *object, const char *type, const char *status, const char *reason,
		      const char *fmt, ...) __attribute__((format(printf, 8, 9)));
void ps_condition_drop(struct ps_conditions *list, const char *type);
void ps_conditions_clear(struct ps_conditions *list);

/* Warning about a field that changes nothing: an error when strict. */
void ps_without_effect(struct ps_resolver *r, struct ps_diagnostics *out, const struct ps_object *object,
		       struct ps_place place, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* <0: a is older and wins against b. Total order. */
int ps_object_age(const struct ps_object *a, const struct ps_object *b);

/* May objects of from_group/from_kind in from_ns refer to to_kind to_name in to_ns? */
bool ps_grant_permits(const struct ps_manifests *set, const char *from_group, const char *from_kind,
		      const char *from_ns, const char *to_group, const char *to_kind, const char *to_ns,
		      const char *to_name);

const char *ps_addr_text(const struct ps_addr *addr, char text[static 48]);
bool ps_addr_is_zero(const struct ps_addr *addr);
/* Can it be a VIP at all: unicast, neither loopback nor link-local? */
bool ps_addr_is_servable(const struct ps_addr *addr);
bool ps_is_interface_address(const struct ps_model *model, const struct ps_addr *addr);
bool ps_in_gateway_addresses(const struct ps_dataplane_spec *spec, const struct ps_addr *addr);
/* A free address of the family out of gatewayAddresses, always the same for the same key while it is free. 0 or -ENOSPC. */
int ps_pool_assign(struct ps_resolver *r, uint64_t key, bool v6, struct ps_addr *addr);
bool ps_has_gateway_addresses(const struct ps_dataplane_spec *spec, bool v6);

/* The passes. */
void ps_resolve_dataplane(struct ps_resolver *r);
void ps_resolve_services(struct ps_resolver *r);
void ps_resolve_gateways(struct ps_resolver *r);
void ps_refresh_route_services(struct ps_resolver *r);
void ps_assemble(struct ps_resolver *r);

/* services.c and endpoints.c */
uint64_t ps_name_key(const char *ns, const char *name);
struct service_entry *ps_service_entry(const struct ps_resolver *r, const struct ps_object *object);
/* Fills what annotations and the Dataplane decide. */
void ps_service_settings(struct ps_resolver *r, const struct ps_object *object, struct ps_model_service *out,
			 struct ps_diagnostics *diagnostics, bool warn);
uint64_t ps_service_id(const char *name);
uint64_t ps_endpoint_id(uint64_t service, const struct ps_addr *addr, uint16_t port, uint8_t proto);
void ps_endpoints_sort(struct ps_model_endpoint *endpoint, uint32_t endpoints);
/*
 * Endpoints in rotation: the ready ones, else those that are terminating but still serve. rotate[i] says
 * which. Returns how many; share: sum of their weights.
 */
uint32_t ps_backend_rotation(const struct backend *backend, bool local_only, bool *rotate, uint64_t *share);
/* Endpoints of all ports and services of an entry, from its slices. */
void ps_service_endpoints(struct ps_resolver *r, struct service_entry *e);
/* Programmed and EndpointsReady; Conflicted, which the assembly knows. */
/* Everything of a Service but its endpoints: settings, addresses, listeners, warnings. */
void ps_service_configure(struct ps_resolver *r, struct service_entry *e);
/* Do the addresses that it has taken from the pool suit its new specification? */
bool ps_service_keeps_pool_addresses(const struct ps_resolver *r, const struct ps_service_spec *spec,
				     const struct service_entry *e);
void ps_service_conditions(struct ps_resolver *r, struct service_entry *e);
void ps_service_conflict_condition(struct ps_resolver *r, struct service_entry *e);
void ps_service_entry_free(struct service_entry *e);

/* ---- slices.c ---- */

void ps_resolve_slice(struct ps_resolver *r, const struct ps_object *slice);
/* where: ps_name_key of a slice that is gone. */
void ps_forget_slice(struct ps_resolver *r, uint64_t where);
void ps_resolve_all_slices(struct ps_resolver *r);
/* Shows them in the model. */
void ps_list_slices(struct ps_resolver *r);

/* gateways.c and routes.c */
void ps_routes_attach(struct ps_resolver *r, struct gateway_pass *pass, const struct gateway_pass *before);
void ps_gateway_conditions(struct ps_resolver *r, struct gateway_entry *g);

/* ---- gateway_listeners.c ---- */

/* Protocol, kinds, conflicts, references of one listener. before: the Gateway as it was resolved last, or NULL. */
void ps_gateway_check_listener(struct ps_resolver *r, struct gateway_entry *g, const struct gateway_entry *before, uint32_t i);
/* Programmed, which depends on who won the address and port; Accepted turns False when somebody else has them all. */
void ps_gateway_listener_conditions(struct ps_resolver *r, struct gateway_entry *g, const struct gateway_entry *before);
void ps_gateway_pass_free(struct gateway_pass *pass);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests to model: Gateway API and Service semantics, the Dataplane document, status conditions.
 *
 * A resolver remembers what it resolved: a call costs in proportion to what changed, as long as
 * ps_manifests_changes() still lists all changes since the call before (call ps_manifests_changes_clear() only after
 * ps_resolve()). Conditions keep their transition time while their status stays.
 *
 * Not thread-safe; no I/O. Trouble with content is a condition or a diagnostic, never a failure.
 */
#ifndef PS_RESOLVE_RESOLVE_H
#define PS_RESOLVE_RESOLVE_H

#include "control/manifest/manifest.h"
#include "control/resolve/model.h"

#define PS_CONTROLLER_NAME "penstock.dev/gateway-controller"

struct ps_resolver;

#define PS_RESOLVE_STRICT 0x1u /* fields without effect are errors, as with PS_MANIFESTS_STRICT */

struct ps_resolver_options {
	const char *const *adopt; /* controllerNames of GatewayClasses to take over besides our own; copied */
	uint32_t adopts;
	uint32_t flags;           /* PS_RESOLVE_ */
};

/* options may be NULL. NULL: out of memory. */
struct ps_resolver *ps_resolver_new(const struct ps_resolver_options *options);
void ps_resolver_free(struct ps_resolver *resolver);

/*
 * now_s: Unix time, for transition times. set must outlive the model and not change while the model is used, except
 * through a following ps_resolve. NULL: out of memory; the model of before is then void.
 */
const struct ps_model *ps_resolve(struct ps_resolver *resolver, struct ps_manifests *set, int64_t now_s);

/*
 * The object as Kubernetes shows it: apiVersion, kind, metadata, spec, and the status that the model has for it
 * (none for objects that are not ours). For `get -o json|yaml`. NULL: out of memory. The caller owns it.
 */
json_t *ps_object_json(const struct ps_model *model, const struct ps_object *object);

/* Only its status; NULL when the model has none. */
json_t *ps_status_json(const struct ps_model *model, const struct ps_object *object);
json_t *ps_conditions_json(const struct ps_conditions *conditions);

/* Status of one object; NULL: none. Constant time for Services and EndpointSlices, else linear in objects of the kind. */
const struct ps_gateway_status *ps_model_gateway(const struct ps_model *model, const struct ps_object *object);
const struct ps_class_status *ps_model_class(const struct ps_model *model, const struct ps_object *object);
const struct ps_route_status *ps_model_route(const struct ps_model *model, const struct ps_object *object);
const struct ps_service_status *ps_model_service_status(const struct ps_model *model, const struct ps_object *object);
const struct ps_slice_status *ps_model_slice(const struct ps_model *model, const struct ps_object *object);

#endif

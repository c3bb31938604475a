/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status as the Gateway API and Kubernetes spell it.
 */
#include <string.h>
#include <time.h>

#include "control/resolve/internal.h"

static json_t *
time_json(int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[32];
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(text, sizeof(text), "%FT%TZ", &tm) == 0)
		return json_null();
	return json_string(text);
}

json_t *
ps_conditions_json(const struct ps_conditions *conditions)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < conditions->length; i++) {
		const struct ps_condition *c = &conditions->item[i];

		json_array_append_new(list,
			json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "type", c->type, "status", c->status, "reason", c->reason,
				"message", c->message != NULL ? c->message : "", "observedGeneration",
				(json_int_t)c->observed_generation, "lastTransitionTime", time_json(c->transition_s)));
	}
	return list;
}

static json_t *
gateway_json(const struct ps_gateway_status *s)
{
	json_t *addresses = json_array(), *listeners = json_array();
	char text[48];
	uint32_t i, j;

	for (i = 0; i < s->addresses; i++)
		json_array_append_new(addresses,
			json_pack("{s:s, s:s}", "type", "IPAddress", "value", ps_addr_text(&s->address[i], text)));
	for (i = 0; i < s->listeners; i++) {
		const struct ps_listener_status *l = &s->listener[i];
		json_t *kinds = json_array();

		for (j = 0; j < l->kinds; j++)
			json_array_append_new(kinds, json_pack("{s:s, s:s}", "group", PS_GATEWAY_GROUP, "kind", l->kind[j]));
		json_array_append_new(listeners,
			json_pack("{s:s, s:o, s:i, s:o}", "name", l->spec->name.s != NULL ? l->spec->name.s : "", "supportedKinds",
				kinds, "attachedRoutes", (int)l->attached_routes, "conditions",
				ps_conditions_json(&l->conditions)));
	}
	return json_pack("{s:o, s:o, s:o}", "addresses", addresses, "conditions", ps_conditions_json(&s->conditions),
		"listeners", listeners);
}

static json_t *
parent_ref_json(const struct ps_parent_status *p)
{
	json_t *ref = json_pack("{s:s, s:s, s:s, s:s}", "group", PS_GATEWAY_GROUP, "kind", "Gateway", "namespace", p->gateway->ns, "name",
		p->gateway->name);

	if (p->ref->section_name.s != NULL)
		json_object_set_new(ref, "sectionName", json_string(p->ref->section_name.s));
	if (p->ref->port.v != 0)
		json_object_set_new(ref, "port", json_integer(p->ref->port.v));
	return ref;
}

/* The controllerName of the class that the parent is of: ours, or the one adopted. */
static const char *
controller_of(const struct ps_model *model, const struct ps_object *gateway)
{
	uint32_t i;

	for (i = 0; i < model->classes; i++) {
		const struct ps_object *class = model->class_status[i]->object;

		if (gateway->gateway->class_name.s != NULL && strcmp(class->name, gateway->gateway->class_name.s) == 0)
			return class->gateway_class->controller_name.s;
	}
	return PS_CONTROLLER_NAME;
}

static json_t *
route_json(const struct ps_model *model, const struct ps_route_status *s)
{
	json_t *parents = json_array();
	uint32_t i;

	for (i = 0; i < s->parents; i++)
		json_array_append_new(parents,
			json_pack("{s:o, s:s, s:o}", "parentRef", parent_ref_json(&s->parent[i]), "controllerName",
				controller_of(model, s->parent[i].gateway), "conditions",
				ps_conditions_json(&s->parent[i].conditions)));
	return json_pack("{s:o}", "parents", parents);
}

static json_t *
service_json(const struct ps_service_status *s)
{
	json_t *ingress = json_array(), *balancer = json_object();
	char text[48];
	uint32_t i;

	for (i = 0; i < s->ingresses; i++)
		json_array_append_new(ingress, json_pack("{s:s, s:s}", "ip", ps_addr_text(&s->ingress[i], text), "ipMode", "VIP"));
	if (s->ingresses != 0)
		json_object_set(balancer, "ingress", ingress);
	json_decref(ingress);
	return json_pack("{s:o, s:o}", "loadBalancer", balancer, "conditions", ps_conditions_json(&s->conditions));
}

json_t *
ps_status_json(const struct ps_model *model, const struct ps_object *object)
{
	const struct ps_class_status *class;
	const struct ps_gateway_status *gateway;
	const struct ps_route_status *route;
	const struct ps_service_status *service;
	const struct ps_slice_status *slice;

	switch (object->kind) {
	case PS_KIND_GATEWAY_CLASS:
		class = ps_model_class(model, object);
		return class != NULL ? json_pack("{s:o}", "conditions", ps_conditions_json(&class->conditions)) : NULL;
	case PS_KIND_GATEWAY:
		gateway = ps_model_gateway(model, object);
		return gateway != NULL ? gateway_json(gateway) : NULL;
	case PS_KIND_TCP_ROUTE:
	case PS_KIND_UDP_ROUTE:
		route = ps_model_route(model, object);
		return route != NULL ? route_json(model, route) : NULL;
	case PS_KIND_SERVICE:
		service = ps_model_service_status(model, object);
		return service != NULL ? service_json(service) : NULL;
	case PS_KIND_ENDPOINT_SLICE:
		slice = ps_model_slice(model, object);
		return slice != NULL ? json_pack("{s:o}", "conditions", ps_conditions_json(&slice->conditions)) : NULL;
	default:
		return NULL;
	}
}

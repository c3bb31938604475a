/* SPDX-License-Identifier: Apache-2.0 */
#include "control/manifest/load.h"

#include <errno.h>
#include <string.h>

#include "control/manifest/decode.h"
#include "control/manifest/manifest.h"
#include "dataplane/api/digest.h"

#define GATEWAY_GROUP "gateway.networking.k8s.io"
#define OWN_GROUP "penstock.dev"

struct kind_info {
	const char *name;
	const char *group;
	const char *versions[4];
	bool namespaced;
	const struct ps_format *name_format;
	const struct ps_schema *schema;
};

static const struct kind_info kind_info[PS_KINDS] = {
	[PS_KIND_OTHER] = {"Other", "", {NULL}, true, &ps_format_present, NULL},
	[PS_KIND_GATEWAY_CLASS] = {"GatewayClass", GATEWAY_GROUP, {"v1", "v1beta1"}, false,
		&ps_format_subdomain, &ps_gateway_class_schema},
	[PS_KIND_GATEWAY] = {"Gateway", GATEWAY_GROUP, {"v1", "v1beta1"}, true, &ps_format_subdomain,
		&ps_gateway_schema},
	[PS_KIND_TCP_ROUTE] = {"TCPRoute", GATEWAY_GROUP, {"v1", "v1alpha2"}, true, &ps_format_subdomain,
		&ps_route_schema},
	[PS_KIND_UDP_ROUTE] = {"UDPRoute", GATEWAY_GROUP, {"v1", "v1alpha2"}, true, &ps_format_subdomain,
		&ps_route_schema},
	[PS_KIND_SERVICE] = {"Service", "", {"v1"}, true, &ps_format_label_1035, &ps_service_schema},
	[PS_KIND_ENDPOINT_SLICE] = {"EndpointSlice", "discovery.k8s.io", {"v1"}, true, &ps_format_subdomain,
		&ps_slice_schema},
	[PS_KIND_NAMESPACE] = {"Namespace", "", {"v1"}, false, &ps_format_label, &ps_namespace_schema},
	[PS_KIND_REFERENCE_GRANT] = {"ReferenceGrant", GATEWAY_GROUP, {"v1", "v1beta1"}, true,
		&ps_format_subdomain, &ps_grant_schema},
	[PS_KIND_DATAPLANE] = {"Dataplane", OWN_GROUP, {"v1alpha1"}, false, &ps_format_subdomain,
		&ps_dataplane_schema},
};

/* Kinds of the Gateway API that are known, but served later. */
static const char *const later_kind[] = {
	"HTTPRoute",
	"GRPCRoute",
	"TLSRoute",
	"BackendTLSPolicy",
	"BackendTrafficPolicy",
	"ListenerSet",
	"XListenerSet",
	"XBackendTrafficPolicy",
	"XMesh",
	"Mesh",
	NULL,
};

const char *
ps_kind_name(enum ps_kind kind)
{
	return kind < PS_KINDS ? kind_info[kind].name : "Other";
}

const char *
ps_kind_group(enum ps_kind kind)
{
	return kind < PS_KINDS ? kind_info[kind].group : "";
}

bool
ps_kind_is_namespaced(enum ps_kind kind)
{
	return kind < PS_KINDS && kind_info[kind].namespaced;
}

void
ps_api_group(const char *api_version, char *group, size_t size)
{
	const char *slash = strchr(api_version, '/');
	size_t length = slash ? (size_t)(slash - api_version) : 0;

	if (size == 0)
		return;
	if (length >= size)
		length = size - 1;
	memcpy(group, api_version, length);
	group[length] = '\0';
}

/* ---- metadata ---- */

struct metadata {
	struct ps_text name;
	struct ps_text ns;
	struct ps_pairs labels;
	struct ps_pairs annotations;
	struct ps_number generation;
	struct ps_text created;
};

#define QUIET(name_) {.name = (name_), .type = PS_T_ANY, .state = PS_QUIET}

static const struct ps_field metadata_field[] = {
	{.name = "name", PS_AT(metadata, name), .type = PS_T_TEXT, .help = "Name of the object."},
	{.name = "namespace", PS_AT(metadata, ns), .type = PS_T_TEXT, .help = "Namespace; absent: default."},
	{.name = "labels", PS_AT(metadata, labels), .type = PS_T_MAP, .format = &ps_format_label_value,
	 .help = "Labels."},
	{.name = "annotations", PS_AT(metadata, annotations), .type = PS_T_MAP, .help = "Annotations."},
	{.name = "generation", PS_AT(metadata, generation), .type = PS_T_INTEGER, .min = 0, .max = INT64_MAX,
	 .help = "Generation that status conditions speak of."},
	{.name = "creationTimestamp", PS_AT(metadata, created), .type = PS_T_TEXT,
	 .help = "Age, which decides conflicts: the oldest wins."},
	QUIET("uid"),
	QUIET("resourceVersion"),
	QUIET("managedFields"),
	QUIET("selfLink"),
	QUIET("ownerReferences"),
	QUIET("finalizers"),
	QUIET("deletionTimestamp"),
	QUIET("deletionGracePeriodSeconds"),
	QUIET("generateName"),
	QUIET("clusterName"),
};

const struct ps_schema ps_metadata_schema = {
	.name = "metadata", PS_FIELDS(metadata_field), .size = sizeof(struct metadata)};

static const struct ps_field namespace_field[] = {
	PS_HEAD_FIELDS,
	QUIET("spec"),
	PS_STATUS_FIELD,
};

const struct ps_schema ps_namespace_schema = {.name = "Namespace", PS_FIELDS(namespace_field)};

/* Housekeeping that changes without anybody having changed the object. */
static bool
is_noise(const char *key)
{
	const struct ps_field *field;

	for (field = metadata_field;
		field < metadata_field + sizeof(metadata_field) / sizeof(metadata_field[0]); field++)
		if (field->state == PS_QUIET && strcmp(field->name, key) == 0)
			return true;
	return false;
}

static uint64_t
content_digest(const struct ps_node *root, enum ps_kind kind)
{
	const struct ps_node *child, *meta;
	uint64_t digest = kind;

	for (child = root->first; child != NULL; child = child->next) {
		if (strcmp(child->key, "status") == 0 && kind != PS_KIND_SERVICE)
			continue;
		digest = ps_digest(child->key, child->key_size, digest);
		if (strcmp(child->key, "metadata") != 0 || child->type != PS_NODE_MAP) {
			digest = ps_node_digest(child, digest);
			continue;
		}
		for (meta = child->first; meta != NULL; meta = meta->next)
			if (!is_noise(meta->key))
				digest = ps_node_digest(meta, ps_digest(meta->key, meta->key_size, digest));
	}
	return digest;
}

/* ---- objects ---- */

/* What a List says for items that do not say it themselves. */
struct inherited {
	const struct ps_node *api_version;
	char kind[64];
};

static const char *
text_of(const struct ps_node *node)
{
	return node != NULL && node->type == PS_NODE_SCALAR ? node->text : NULL;
}

static void
suggest_kind(struct ps_decoder *d, const char *group, const struct ps_node *kind)
{
	struct ps_suggestion suggestion = {0};
	unsigned i;

	for (i = 0; later_kind[i] != NULL && strcmp(group, GATEWAY_GROUP) == 0; i++) {
		if (strcmp(later_kind[i], kind->text) == 0)
			return;
		ps_suggest(&suggestion, kind->text, later_kind[i]);
	}
	for (i = PS_KIND_GATEWAY_CLASS; i < PS_KINDS; i++)
		if (strcmp(kind_info[i].group, group) == 0)
			ps_suggest(&suggestion, kind->text, kind_info[i].name);
	if (suggestion.word != NULL && strcmp(suggestion.word, kind->text) != 0)
		ps_decode_warning(d, kind->place, "unknown kind \"%.60s\" of %s, expected \"%s\"?",
			kind->text, group[0] ? group : "the core group", suggestion.word);
}

/* Finds the kind; one of ours in a version that is not read stays "other", with a warning. */
static enum ps_kind
find_kind(struct ps_decoder *d, const struct ps_node *api_version, const struct ps_node *kind,
	const char *kind_name)
{
	const char *slash = strchr(api_version->text, '/');
	const char *version = slash ? slash + 1 : api_version->text;
	char group[256];
	unsigned i, j;

	ps_api_group(api_version->text, group, sizeof(group));
	for (i = PS_KIND_GATEWAY_CLASS; i < PS_KINDS; i++)
		if (strcmp(kind_info[i].name, kind_name) == 0 && strcmp(kind_info[i].group, group) == 0)
			break;
	if (i == PS_KINDS) {
		if (kind != NULL && (strcmp(group, GATEWAY_GROUP) == 0 || strcmp(group, OWN_GROUP) == 0 ||
				     strcmp(group, "discovery.k8s.io") == 0))
			suggest_kind(d, group, kind);
		return PS_KIND_OTHER;
	}
	for (j = 0; j < 4 && kind_info[i].versions[j] != NULL; j++)
		if (strcmp(kind_info[i].versions[j], version) == 0)
			return (enum ps_kind)i;
	ps_decode_warning(d, api_version->place, "%s of version %.40s has no effect, expected %s%s%s",
		kind_name, version, kind_info[i].versions[0], kind_info[i].versions[1] ? " or " : "",
		kind_info[i].versions[1] ? kind_info[i].versions[1] : "");
	return PS_KIND_OTHER;
}

static const char *
copy(struct ps_decoder *d, const char *s)
{
	const char *c = ps_arena_copy(d->arena, s, strlen(s));

	if (c == NULL)
		d->no_memory = true;
	return c;
}

static void
decode_metadata(struct ps_decoder *d, const struct ps_node *root, struct ps_draft *draft)
{
	const struct ps_node *node = ps_node_get(root, "metadata"), *name;
	struct ps_object *o = &draft->object;
	const struct kind_info *info = &kind_info[o->kind];
	struct metadata meta;

	memset(&meta, 0, sizeof(meta));
	o->ns = info->namespaced && o->kind != PS_KIND_OTHER ? "default" : "";
	o->name = "";
	if (node == NULL || node->type != PS_NODE_MAP) {
		if (node != NULL)
			ps_decode_error(
				d, node->place, "metadata is %s, expected a mapping", ps_node_shape(node));
		else if (o->kind != PS_KIND_OTHER)
			ps_decode_error(d, root->place,
				"%s has no field \"metadata\", expected one with a name", o->kind_name);
		return;
	}
	/* Of kinds that are not served, nothing but the name matters: their schema may be another. */
	if (o->kind == PS_KIND_OTHER) {
		struct ps_decoder silent = *d;

		silent.diagnostics = NULL;
		ps_decode(&silent, &ps_metadata_schema, node, &meta);
	} else {
		/* the name is the first that later messages need */
		name = ps_node_get(node, "name");
		if (text_of(name) != NULL) {
			const struct ps_node *ns = ps_node_get(node, "namespace");
			char object[600];

			snprintf(object, sizeof(object), "%s %.253s%s%.253s", o->kind_name,
				 !info->namespaced ? "" : text_of(ns) ? text_of(ns) : "default",
				 info->namespaced ? "/" : "", name->text);
			d->object = copy(d, object);
		}
		ps_decode(d, &ps_metadata_schema, node, &meta);
	}
	if (meta.name.s != NULL) {
		o->name = meta.name.s;
		o->name_place = meta.name.place;
	}
	if (o->kind != PS_KIND_OTHER) {
		if (meta.name.s == NULL && ps_node_get(node, "name") == NULL)
			ps_decode_error(d, node->place, "metadata has no field \"name\", expected %s",
					info->name_format->expected);
		else if (meta.name.s != NULL && !info->name_format->matches(meta.name.s, strlen(meta.name.s)))
			ps_decode_error(d, meta.name.place, "name is \"%.80s\", expected %s", meta.name.s,
					info->name_format->expected);
		else
			draft->named = meta.name.s != NULL;
	} else {
		draft->named = true;
	}
	if (meta.ns.s != NULL && meta.ns.s[0] != '\0') {
		if (!info->namespaced)
			ps_decode_warning(d, meta.ns.place, "namespace has no effect on a %s, expected none",
					  o->kind_name);
		else {
			o->ns = meta.ns.s;
			o->ns_place = meta.ns.place;
		}
		if (o->kind != PS_KIND_OTHER && info->namespaced &&
		    !ps_format_label.matches(meta.ns.s, strlen(meta.ns.s))) {
			ps_decode_error(d, meta.ns.place, "namespace is \"%.80s\", expected %s", meta.ns.s,
					ps_format_label.expected);
			draft->named = false;
		}
	}
	o->labels = meta.labels;
	o->annotations = meta.annotations;
	o->generation = (uint64_t)meta.generation.v;
	if (meta.created.s != NULL && !ps_parse_time(meta.created.s, &o->created_s) &&
		o->kind != PS_KIND_OTHER)
		ps_decode_error(d, meta.created.place,
			"creationTimestamp is \"%.60s\", expected a time like 2024-05-01T12:00:00Z",
			meta.created.s);
}

static const struct ps_schema *
schema_of(enum ps_kind kind, const struct ps_node *root)
{
	const char *type;

	if (kind == PS_KIND_ENDPOINT_SLICE) {
		type = text_of(ps_node_get(root, "addressType"));
		if (type != NULL && strcmp(type, "FQDN") == 0)
			return &ps_slice_fqdn_schema;
	}
	return kind_info[kind].schema;
}

static void
decode_content(struct ps_decoder *d, const struct ps_node *root, struct ps_draft *draft)
{
	const struct ps_schema *schema = schema_of(draft->object.kind, root);
	void *spec = NULL;
	char nothing;

	if (schema == NULL)
		return;
	if (schema->size != 0) {
		spec = ps_arena_alloc(d->arena, schema->size);
		if (spec == NULL) {
			d->no_memory = true;
			return;
		}
	}
	draft->object.spec = spec;
	ps_decode(d, schema, root, spec != NULL ? spec : &nothing);
}

static int
load_object(const struct ps_loader *loader, const struct ps_node *root, const struct inherited *inherited)
{
	const struct ps_node *api_version = ps_node_get(root, "apiVersion"),
			     *kind = ps_node_get(root, "kind");
	struct ps_draft draft;
	struct ps_decoder d = {
		.arena = &draft.arena,
		.source = loader->source,
		.diagnostics = loader->diagnostics,
		.strict = loader->strict,
		.self = &draft.object,
	};
	struct ps_object *o = &draft.object;
	const char *kind_name = text_of(kind);
	int rc = 0;

	memset(&draft, 0, sizeof(draft));
	o->place = root->place;
	o->file = loader->source->path;
	if (inherited != NULL) {
		if (api_version == NULL)
			api_version = inherited->api_version;
		if (kind_name == NULL && inherited->kind[0] != '\0')
			kind_name = inherited->kind;
	}
	if (root->type != PS_NODE_MAP) {
		ps_decode_error(&d, root->place,
			"document is %s, expected an object with apiVersion and kind", ps_node_shape(root));
	} else if (text_of(api_version) == NULL || kind_name == NULL) {
		if (text_of(api_version) == NULL)
			ps_decode_error(&d, api_version ? api_version->place : root->place,
					"object has no field \"apiVersion\", expected one like v1");
		if (kind_name == NULL)
			ps_decode_error(&d, kind ? kind->place : root->place,
					"object has no field \"kind\", expected one like Service");
	} else {
		o->api_version = copy(&d, api_version->text);
		o->kind_name = copy(&d, kind_name);
		if (!d.no_memory) {
			o->kind = find_kind(&d, api_version, kind, kind_name);
			decode_metadata(&d, root, &draft);
			decode_content(&d, root, &draft);
			o->digest = content_digest(root, o->kind);
		}
	}
	if (root->duplicate) /* said when it was read; the object cannot be trusted */
		d.errors++;
	draft.errors = d.errors;
	if (d.no_memory)
		rc = -ENOMEM;
	else
		rc = loader->fn(&draft, loader->context);
	ps_arena_free(&draft.arena);
	return rc;
}

/* "v1 List", or "ServiceList" of any group: things with items. */
static bool
is_list(const struct ps_node *root)
{
	const char *kind = text_of(ps_node_get(root, "kind"));
	const struct ps_node *items = ps_node_get(root, "items");
	size_t size = kind ? strlen(kind) : 0;

	return size >= 4 && strcmp(kind + size - 4, "List") == 0 &&
	       text_of(ps_node_get(root, "apiVersion")) != NULL &&
	       (items != NULL ? items->type == PS_NODE_LIST : strcmp(kind, "List") == 0);
}

int
ps_load_document(const struct ps_loader *loader, const struct ps_node *root)
{
	const struct ps_node *child, *items;
	struct inherited inherited = {0};
	const char *kind;
	size_t size;
	int rc = 0;

	if (ps_node_meaning(root) == PS_MEANS_NULL)
		return 0;
	if (root->type != PS_NODE_MAP || !is_list(root))
		return load_object(loader, root, NULL);
	kind = text_of(ps_node_get(root, "kind"));
	size = strlen(kind) - 4;
	inherited.api_version = size != 0 ? ps_node_get(root, "apiVersion") : NULL;
	if (size < sizeof(inherited.kind))
		memcpy(inherited.kind, kind, size);
	items = ps_node_get(root, "items");
	for (child = items ? items->first : NULL; child != NULL && rc == 0; child = child->next)
		if (ps_node_meaning(child) != PS_MEANS_NULL)
			rc = load_object(loader, child, &inherited);
	return rc;
}

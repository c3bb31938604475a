/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields as tables. A schema says of each field its name, type, range, unit, default and
 * meaning; the decoder (decode.c) turns nodes into structs by it, and the reference pages and
 * --help are printed from it (reference.c). What a table cannot say, how fields relate to each other, is a
 * check function beside the table.
 */
#ifndef PS_MANIFEST_SCHEMA_H
#define PS_MANIFEST_SCHEMA_H

#include "control/manifest/node.h"
#include "control/manifest/object.h"

enum ps_type {
	PS_T_ANY,        /* anything; not decoded */
	PS_T_PLACE,      /* anything; struct ps_place: given, and where */
	PS_T_TEXT,       /* struct ps_text, of `format` */
	PS_T_INTEGER,    /* struct ps_number, min..max */
	PS_T_BOOLEAN,    /* struct ps_number */
	PS_T_ENUM,       /* struct ps_number, one of `names` */
	PS_T_DURATION,   /* struct ps_number, ms, GEP-2257: "1h30m", "500ms"; min..max */
	PS_T_SIZE,       /* struct ps_number, bytes: "512Mi", "1G"; min..max */
	PS_T_IP,         /* struct ps_ip */
	PS_T_PREFIX,     /* struct ps_prefix */
	PS_T_ROUTE,      /* struct ps_prefix, or "default" (length UINT8_MAX until a check resolves it) */
	PS_T_IP_RANGE,   /* struct ps_ip_range */
	PS_T_CPU_RANGE,  /* struct ps_cpu_range */
	PS_T_PORT_RANGE, /* struct ps_port_range */
	PS_T_PORT_REF,   /* struct ps_port_ref: integer, or name */
	PS_T_MAC,        /* struct ps_mac */
	PS_T_WEIGHTS,    /* list of struct ps_endpoint_weight from "ADDR=N,ADDR=N" */
	PS_T_MAP,        /* struct ps_pairs: string to string */
	PS_T_OBJECT,     /* struct of `sub` at offset; a struct ps_place comes first in it */
	PS_T_INLINE,     /* `sub` whose fields belong to the surrounding struct; offset counts */
	PS_T_LIST,       /* PS_LIST of `item` */
	PS_TYPES
};

enum ps_state {
	PS_SERVED,       /* changes what Penstock does, or status it shows */
	PS_INERT,        /* known, but changes nothing yet: a warning says so */
	PS_QUIET,        /* known housekeeping: accepted without a word */
};

struct ps_enum_name {
	const char *name;
	int64_t value;
	bool inert;      /* accepted, with a warning that it has no effect yet */
};

/* What a text must look like. */
struct ps_format {
	const char *name;     /* for the reference: "DNS label" */
	const char *expected; /* for messages: "a DNS label (lowercase ...)" */
	bool (*matches)(const char *s, size_t size);
};

struct ps_schema;

struct ps_field {
	const char *name;
	uint32_t offset;
	uint8_t type;         /* enum ps_type */
	uint8_t item;         /* of PS_T_LIST: enum ps_type of the items */
	uint8_t state;        /* enum ps_state */
	bool required;
	bool unique;          /* PS_T_TEXT in a list's items: no two items have the same */
	uint32_t min_items, max_items; /* of PS_T_LIST; max 0: no bound of its own */
	int64_t min, max;     /* both 0: no range */
	const char *fallback; /* default, as a user would write it */
	const char *unit;
	const struct ps_enum_name *names; /* ends with a NULL name */
	const struct ps_format *format;
	const struct ps_schema *sub;
	const char *help;
};

struct ps_decoder;

struct ps_schema {
	const char *name;     /* "listener": for messages */
	const struct ps_field *field;
	uint32_t fields;
	uint32_t size;        /* of the struct, for lists of it */
	/* after all fields; target is the struct, node the map it came from */
	void (*check)(struct ps_decoder *d, const struct ps_node *node, void *target);
};

#define PS_FIELDS(table) .field = (table), .fields = sizeof(table) / sizeof((table)[0])

/* Formats (format.c) */
extern const struct ps_format ps_format_label;      /* RFC 1123 label */
extern const struct ps_format ps_format_label_1035; /* RFC 1035 label */
extern const struct ps_format ps_format_subdomain;  /* RFC 1123 subdomain */
extern const struct ps_format ps_format_group;      /* subdomain, or empty */
extern const struct ps_format ps_format_kind;
extern const struct ps_format ps_format_hostname;   /* subdomain, first label may be "*" */
extern const struct ps_format ps_format_protocol;   /* Gateway listener protocol */
extern const struct ps_format ps_format_address_type;
extern const struct ps_format ps_format_port_name;  /* RFC 6335 service name */
extern const struct ps_format ps_format_controller; /* domain/path */
extern const struct ps_format ps_format_label_key;  /* [prefix/]name */
extern const struct ps_format ps_format_label_value;
extern const struct ps_format ps_format_section;
extern const struct ps_format ps_format_present;    /* not empty */
extern const struct ps_format ps_format_port;       /* name of a Dataplane port */
extern const struct ps_format ps_format_iface;      /* "wan" or "wan.100" */
extern const struct ps_format ps_format_netdev;     /* kernel interface name */
extern const struct ps_format ps_format_pci;
extern const struct ps_format ps_format_path;       /* file path that fits sun_path */
extern const struct ps_format ps_format_secret;     /* memif secret, 1..24 bytes */
extern const struct ps_format ps_format_admin;      /* ADDR:PORT, [ADDR]:PORT, none */

/* The decoder of one object. */
struct ps_decoder {
	struct ps_arena *arena;      /* of the object */
	struct ps_source *source;
	struct ps_diagnostics *diagnostics;
	const char *object;          /* "Service default/web" */
	bool strict;
	uint32_t errors;             /* in this object */
	bool no_memory;
	struct ps_object *self;      /* head of the object, for checks that look at labels or annotations */
};

void ps_decode_error(struct ps_decoder *d, struct ps_place place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ps_decode_warning(struct ps_decoder *d, struct ps_place place, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Decodes a map into target (zeroed, sub->size bytes): fields, defaults, required ones, check. */
void ps_decode(struct ps_decoder *d, const struct ps_schema *schema, const struct ps_node *node,
	       void *target);

/* Defaults alone, as if the map were empty but required fields are not asked for. */
void ps_decode_defaults(struct ps_decoder *d, const struct ps_schema *schema, void *target);

/*
 * Parses a scalar's text into the struct that the field's type names. Returns 0; -EINVAL: the text does
 * not fit, *why
 * may be set to a hint; -ENOMEM.
 */
int ps_value_parse(struct ps_arena *arena, const struct ps_field *field, uint8_t type, const char *text,
		   size_t size, struct ps_place place, void *target, const char **why);

/* bytes of the struct that values of a type are kept in */
size_t ps_value_size(const struct ps_field *field, uint8_t type);

/* "a number from 1 to 65535": into text. */
void ps_value_expected(const struct ps_field *field, uint8_t type, char *text, size_t size);

/* Label and annotation maps. check_values: values must be label values. */
void ps_decode_pairs(struct ps_decoder *d, const struct ps_node *node, struct ps_pairs *pairs, bool labels);

/* Text to the exact bytes of struct ps_ip_range etc., shared by checks. false: does not parse. */
bool ps_parse_ip(const char *s, struct ps_addr *addr);
bool ps_parse_prefix(const char *s, struct ps_addr *addr, uint8_t *length, bool *v6);
bool ps_parse_duration(const char *s, int64_t *ms);
bool ps_parse_size(const char *s, int64_t *bytes);
bool ps_parse_time(const char *s, int64_t *seconds);
bool ps_parse_endpoint(const char *s, struct ps_addr *addr, uint16_t *port);

/* The word nearest to s; NULL: none is near. Feed candidates one by one, start with an all-zero struct. */
struct ps_suggestion {
	const char *word;
	unsigned distance;
};
void ps_suggest(struct ps_suggestion *suggestion, const char *s, const char *candidate);

/* Roots: the whole object as a map, apiVersion and metadata included. */
extern const struct ps_schema ps_gateway_class_schema;
extern const struct ps_schema ps_gateway_schema;
extern const struct ps_schema ps_route_schema;
extern const struct ps_schema ps_service_schema;
extern const struct ps_schema ps_slice_schema;
extern const struct ps_schema ps_grant_schema;
extern const struct ps_schema ps_namespace_schema;
extern const struct ps_schema ps_dataplane_schema;
extern const struct ps_schema ps_dataplane_port_schema;
extern const struct ps_schema ps_dataplane_route_schema;
extern const struct ps_schema ps_metadata_schema;
extern const struct ps_schema ps_selector_schema;
extern const struct ps_schema ps_object_ref_schema;
extern const struct ps_schema ps_annotation_schema; /* names without "penstock.dev/" */
#define PS_ANNOTATION_PREFIX "penstock.dev/"

/* A slice of addressType FQDN is read by this one: nothing in it is served. */
extern const struct ps_schema ps_slice_fqdn_schema;

/*
 * Entries of field tables. The first of the two is for members of a named struct, the second for those of
 * an unnamed struct `group` inside owner.
 */
#define PS_AT(owner, member) .offset = offsetof(struct owner, member)
#define PS_IN(owner, group, member) \
	.offset = offsetof(struct owner, group.member) - offsetof(struct owner, group)
#define PS_LIST_OF(type_) .type = PS_T_LIST, .item = (type_)

/* apiVersion, kind and metadata are decoded with the head of an object, not by its schema. */
#define PS_HEAD_FIELDS                                                \
	{.name = "apiVersion", .type = PS_T_ANY, .state = PS_QUIET},  \
	{.name = "kind", .type = PS_T_ANY, .state = PS_QUIET},        \
	{.name = "metadata", .type = PS_T_ANY, .state = PS_QUIET}
#define PS_STATUS_FIELD {.name = "status", .type = PS_T_ANY, .state = PS_QUIET}

/*
 * "the loopback address", "a multicast address"...: why an address cannot be an endpoint or a VIP; NULL: it can.
 */
const char *ps_address_trouble(const struct ps_addr *addr);

/* Annotations of a Service into its spec, by ps_annotation_schema. */
void ps_decode_annotations(struct ps_decoder *d, struct ps_service_annotations *annotations);

#endif

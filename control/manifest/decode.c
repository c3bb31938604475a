/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one decoder: walks a map of nodes with a schema in hand and fills a struct. Everything it finds wrong
 * becomes a diagnostic; it never stops at the first.
 */
#include "control/manifest/decode.h"

#include <errno.h>
#include <string.h>

#define PS_MAX_FIELDS 64u

void
ps_decode_report(struct ps_decoder *d, enum ps_severity severity, struct ps_place place, const char *fmt,
		 va_list args)
{
	if (severity == PS_ERROR)
		d->errors++;
	if (d->diagnostics == NULL)
		return;
	if (ps_diagnostics_vadd(d->diagnostics, severity, d->source->path, place,
				ps_source_line(d->source, place.line), d->object, fmt, args) != 0)
		d->no_memory = true;
}

void
ps_decode_error(struct ps_decoder *d, struct ps_place place, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	ps_decode_report(d, PS_ERROR, place, fmt, args);
	va_end(args);
}

void
ps_decode_warning(struct ps_decoder *d, struct ps_place place, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	ps_decode_report(d, d->strict ? PS_ERROR : PS_WARNING, place, fmt, args);
	va_end(args);
}

const char *
ps_node_shape(const struct ps_node *node)
{
	static const char *const meaning[] = {
		[PS_MEANS_NULL] = "empty",
		[PS_MEANS_BOOLEAN] = "a boolean",
		[PS_MEANS_INTEGER] = "a number",
		[PS_MEANS_FLOAT] = "a number",
		[PS_MEANS_STRING] = "a text",
	};

	if (node->type == PS_NODE_MAP)
		return "a mapping";
	if (node->type == PS_NODE_LIST)
		return "a list";
	return meaning[ps_node_meaning(node)];
}

static void
decode_text_value(struct ps_decoder *d, const struct ps_field *field, uint8_t type, const char *name,
		  const char *text, size_t size, bool quoted, struct ps_place place, void *target)
{
	char expected[256];
	const char *why = NULL, *quote = quoted ? "\"" : "";
	int rc = ps_value_parse(d->arena, field, type, text, size, place, target, &why);

	if (rc == -ENOMEM)
		d->no_memory = true;
	if (rc != -EINVAL)
		return;
	ps_value_expected(field, type, expected, sizeof(expected));
	ps_decode_error(d, place, "%s is %s%.*s%s%s, expected %s%s%s%s", name, quote,
		size > 60 ? 60 : (int)size, text, size > 60 ? "..." : "", quote, expected,
		why ? "; did you mean " : "", why ? why : "", why ? "?" : "");
}

static void
check_inert_name(
	struct ps_decoder *d, const struct ps_field *field, const char *name, const struct ps_node *node)
{
	const struct ps_enum_name *one;

	for (one = field->names; one->name != NULL; one++)
		if (one->inert && strcmp(one->name, node->text) == 0)
			ps_decode_warning(d, node->place, "%s %s has no effect yet", name, one->name);
}

static void
decode_scalar(struct ps_decoder *d, const struct ps_field *field, uint8_t type, const char *name,
	      const struct ps_node *node, void *target)
{
	enum ps_meaning meaning;
	char expected[256];

	if (node->type != PS_NODE_SCALAR) {
		ps_value_expected(field, type, expected, sizeof(expected));
		ps_decode_error(d, node->place, "%s is %s, expected %s", name, ps_node_shape(node), expected);
		return;
	}
	meaning = ps_node_meaning(node);
	switch (type) {
	case PS_T_INTEGER:
	case PS_T_BOOLEAN:
		if (meaning == (type == PS_T_INTEGER ? PS_MEANS_INTEGER : PS_MEANS_BOOLEAN))
			break;
		ps_value_expected(field, type, expected, sizeof(expected));
		if (!node->plain)
			ps_decode_error(d, node->place,
				"%s is the text \"%.60s\", expected %s without quotes", name, node->text,
				expected);
		else
			ps_decode_error(
				d, node->place, "%s is %.60s, expected %s", name, node->text, expected);
		return;
	case PS_T_CPU_RANGE:
	case PS_T_PORT_RANGE:
	case PS_T_PORT_REF:
	case PS_T_SIZE:
	case PS_T_DURATION: /* a bare number is told what it lacks by the value's own message */
	case PS_T_ENUM:
		break;
	default:
		if (meaning == PS_MEANS_STRING)
			break;
		ps_value_expected(field, type, expected, sizeof(expected));
		if (type == PS_T_TEXT)
			ps_decode_error(d, node->place, "%s is %s, %.60s, expected a text: put it in quotes",
				name, ps_node_shape(node), node->text);
		else
			ps_decode_error(
				d, node->place, "%s is %.60s, expected %s", name, node->text, expected);
		return;
	}
	decode_text_value(d, field, type, name, node->text, node->size, meaning == PS_MEANS_STRING,
		node->place, target);
	if (type == PS_T_ENUM)
		check_inert_name(d, field, name, node);
}

void
ps_decode_pairs(struct ps_decoder *d, const struct ps_node *node, struct ps_pairs *pairs, bool labels)
{
	const struct ps_node *child;
	struct ps_pair *pair;

	pairs->place = node->key_place;
	if (node->length == 0)
		return;
	pairs->item = ps_arena_alloc(d->arena, node->length * sizeof(*pair));
	if (pairs->item == NULL) {
		d->no_memory = true;
		return;
	}
	for (child = node->first; child != NULL; child = child->next) {
		if (child->type != PS_NODE_SCALAR || ps_node_meaning(child) != PS_MEANS_STRING) {
			if (child->type == PS_NODE_SCALAR && ps_node_meaning(child) != PS_MEANS_NULL)
				ps_decode_error(d, child->place,
					"value of \"%s\" is %s, %.60s, expected a text: put it in quotes",
					child->key, ps_node_shape(child), child->text);
			else
				ps_decode_error(d, child->place, "value of \"%s\" is %s, expected a text",
					child->key, ps_node_shape(child));
			continue;
		}
		if (labels && !ps_format_label_key.matches(child->key, child->key_size)) {
			ps_decode_error(d, child->key_place, "key is \"%.80s\", expected %s", child->key,
					ps_format_label_key.expected);
			continue;
		}
		if (labels && !ps_format_label_value.matches(child->text, child->size)) {
			ps_decode_error(d, child->place, "value of \"%s\" is \"%.80s\", expected %s",
				child->key, child->text, ps_format_label_value.expected);
			continue;
		}
		pair = &pairs->item[pairs->length];
		pair->key = ps_arena_copy(d->arena, child->key, child->key_size);
		pair->value = ps_arena_copy(d->arena, child->text, child->size);
		pair->key_place = child->key_place;
		pair->place = child->place;
		if (pair->key == NULL || pair->value == NULL)
			d->no_memory = true;
		else
			pairs->length++;
	}
}

static void decode_value(struct ps_decoder *d, const struct ps_field *field, uint8_t type, const char *name,
			 const struct ps_node *node, void *target);

/* The generic face of every PS_LIST. */
struct list {
	void *item;
	uint32_t length;
	struct ps_place place;
};

static void
check_unique(struct ps_decoder *d, const struct ps_schema *sub, const struct list *list)
{
	const struct ps_field *field;
	uint32_t i, j;

	for (field = sub->field; field < sub->field + sub->fields; field++) {
		if (!field->unique)
			continue;
		for (i = 1; i < list->length; i++) {
			const struct ps_text *a =
				(void *)((char *)list->item + i * sub->size + field->offset);

			for (j = 0; j < i && a->s != NULL; j++) {
				const struct ps_text *b =
					(void *)((char *)list->item + j * sub->size + field->offset);

				if (b->s == NULL || strcmp(a->s, b->s) != 0)
					continue;
				ps_decode_error(d, a->place,
					"%s \"%s\" is given to two %ss, expected each once (first in line "
					"%u)",
					field->name, a->s, sub->name, b->place.line);
				break;
			}
		}
	}
}

static void
decode_list(struct ps_decoder *d, const struct ps_field *field, const char *name, const struct ps_node *node,
	    struct list *list)
{
	const struct ps_node *child;
	char item_name[80];
	size_t size = ps_value_size(field, field->item);

	if (node->type != PS_NODE_LIST) {
		ps_decode_error(d, node->place, "%s is %s, expected a list", name, ps_node_shape(node));
		return;
	}
	list->place = node->key_place;
	if (node->length < field->min_items)
		ps_decode_error(d, node->place, "%s has %u items, expected at least %u", name, node->length,
				field->min_items);
	if (field->max_items != 0 && node->length > field->max_items) {
		ps_decode_error(d, node->place, "%s has %u items, expected at most %u", name, node->length,
				field->max_items);
		return;
	}
	if (node->length == 0)
		return;
	list->item = ps_arena_alloc(d->arena, node->length * size);
	if (list->item == NULL) {
		d->no_memory = true;
		return;
	}
	for (child = node->first; child != NULL; child = child->next) {
		if (field->item == PS_T_OBJECT && field->sub->name != NULL)
			snprintf(item_name, sizeof(item_name), "%s", field->sub->name);
		else
			snprintf(item_name, sizeof(item_name), "%s[%u]", name, list->length);
		if (ps_node_meaning(child) == PS_MEANS_NULL)
			ps_decode_error(d, child->place, "item %u of %s is empty, expected a value",
				list->length, name);
		else
			decode_value(d, field, field->item, item_name, child,
				(char *)list->item + list->length * size);
		list->length++;
	}
	if (field->item == PS_T_OBJECT)
		check_unique(d, field->sub, list);
}

static void
decode_value(struct ps_decoder *d, const struct ps_field *field, uint8_t type, const char *name,
	     const struct ps_node *node, void *target)
{
	switch (type) {
	case PS_T_ANY:
		return;
	case PS_T_PLACE:
		*(struct ps_place *)target = node->key_place;
		return;
	case PS_T_LIST:
		decode_list(d, field, name, node, target);
		return;
	case PS_T_MAP:
	case PS_T_OBJECT:
	case PS_T_INLINE:
		if (node->type != PS_NODE_MAP) {
			ps_decode_error(
				d, node->place, "%s is %s, expected a mapping", name, ps_node_shape(node));
			return;
		}
		if (type == PS_T_MAP) {
			ps_decode_pairs(d, node, target, field->format == &ps_format_label_value);
			return;
		}
		if (type == PS_T_OBJECT)
			*(struct ps_place *)target = node->key != NULL ? node->key_place : node->place;
		ps_decode(d, field->sub, node, target);
		return;
	case PS_T_IP:
		/* templates leave `loadBalancerIP: ""` behind */
		if (field->type == PS_T_IP && node->type == PS_NODE_SCALAR && node->size == 0)
			return;
		/* fallthrough */
	default:
		decode_scalar(d, field, type, name, node, target);
	}
}

static const struct ps_field *
find_field(const struct ps_schema *schema, const struct ps_node *child, uint32_t guess)
{
	uint32_t i;

	/* files tend to keep the order of the table */
	for (i = 0; i < schema->fields; i++) {
		const struct ps_field *field =
			&schema->field[guess + i < schema->fields ? guess + i : guess + i - schema->fields];

		if (strcmp(field->name, child->key) == 0)
			return field;
	}
	return NULL;
}

static void
report_unknown(struct ps_decoder *d, const struct ps_schema *schema, const struct ps_node *child)
{
	struct ps_suggestion suggestion = {0};
	char names[200] = "";
	size_t used = 0;
	uint32_t i;

	for (i = 0; i < schema->fields; i++) {
		const struct ps_field *field = &schema->field[i];

		if (field->state == PS_QUIET)
			continue;
		ps_suggest(&suggestion, child->key, field->name);
		if (used + strlen(field->name) + 8 < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
						 field->name);
		else if (used != 0 && used + 5 < sizeof(names) && names[used - 1] != '.')
			used += (size_t)snprintf(names + used, sizeof(names) - used, " ...");
	}
	if (suggestion.word != NULL)
		ps_decode_warning(d, child->key_place, "unknown field \"%.60s\" of %s, expected \"%s\"?",
			child->key, schema->name, suggestion.word);
	else if (used != 0)
		ps_decode_warning(d, child->key_place, "unknown field \"%.60s\" of %s, expected one of %s",
			child->key, schema->name, names);
	else
		ps_decode_warning(d, child->key_place, "unknown field \"%.60s\" of %s, expected none",
			child->key, schema->name);
}

static void
fill_absent(struct ps_decoder *d, const struct ps_field *field, void *target)
{
	const char *why = NULL;

	if (field->type == PS_T_OBJECT || field->type == PS_T_INLINE)
		ps_decode_defaults(d, field->sub, target);
	else if (field->fallback != NULL &&
		 ps_value_parse(d->arena, field, field->type, field->fallback, strlen(field->fallback),
				(struct ps_place){0, 0}, target, &why) == -ENOMEM)
		d->no_memory = true;
}

void
ps_decode_defaults(struct ps_decoder *d, const struct ps_schema *schema, void *target)
{
	const struct ps_field *field;

	for (field = schema->field; field < schema->field + schema->fields; field++)
		fill_absent(d, field, (char *)target + field->offset);
}

void
ps_decode(struct ps_decoder *d, const struct ps_schema *schema, const struct ps_node *node, void *target)
{
	const struct ps_field *field;
	const struct ps_node *child;
	uint64_t seen = 0;
	uint32_t i, guess = 0;
	char expected[256];

	_Static_assert(PS_MAX_FIELDS == 64, "one bit per field");
	for (child = node->first; child != NULL; child = child->next) {
		field = find_field(schema, child, guess);
		if (field == NULL) {
			report_unknown(d, schema, child);
			continue;
		}
		i = (uint32_t)(field - schema->field);
		guess = i + 1 < schema->fields ? i + 1 : 0;
		if (ps_node_meaning(child) == PS_MEANS_NULL || (seen >> i & 1) != 0)
			continue;
		seen |= 1ull << i;
		if (field->state == PS_INERT)
			ps_decode_warning(d, child->key_place, "field \"%s\" of %s has no effect yet",
				field->name, schema->name);
		/* an unreadable value leaves the default behind */
		if (field->fallback != NULL)
			fill_absent(d, field, (char *)target + field->offset);
		decode_value(d, field, field->type, field->name, child, (char *)target + field->offset);
	}
	for (i = 0; i < schema->fields; i++) {
		field = &schema->field[i];
		if ((seen >> i & 1) != 0)
			continue;
		if (field->required) {
			ps_value_expected(field, field->type, expected, sizeof(expected));
			ps_decode_error(d, node->place, "%s has no field \"%s\", expected %s", schema->name,
				field->name, expected);
		}
		fill_absent(d, field, (char *)target + field->offset);
	}
	if (schema->check != NULL)
		schema->check(d, node, target);
}

void
ps_decode_annotations(struct ps_decoder *d, struct ps_service_annotations *annotations)
{
	const size_t prefix = strlen(PS_ANNOTATION_PREFIX);
	const struct ps_schema *schema = &ps_annotation_schema;
	const struct ps_pair *pair;
	uint32_t i, j;

	for (i = 0; i < d->self->annotations.length; i++) {
		struct ps_suggestion suggestion = {0};
		char name[128];

		pair = &d->self->annotations.item[i];
		if (strncmp(pair->key, PS_ANNOTATION_PREFIX, prefix) != 0)
			continue;
		for (j = 0; j < schema->fields; j++) {
			if (strcmp(schema->field[j].name, pair->key + prefix) == 0)
				break;
			ps_suggest(&suggestion, pair->key + prefix, schema->field[j].name);
		}
		if (j < schema->fields) {
			snprintf(name, sizeof(name), "annotation %s", pair->key);
			decode_text_value(d, &schema->field[j], schema->field[j].type, name, pair->value,
					  strlen(pair->value), true, pair->place,
					  (char *)annotations + schema->field[j].offset);
			if (schema->field[j].state == PS_INERT)
				ps_decode_warning(d, pair->key_place, "%s has no effect yet", name);
		} else if (suggestion.word != NULL) {
			ps_decode_warning(d, pair->key_place,
				"unknown annotation \"%.100s\", expected \"%s%s\"?", pair->key,
				PS_ANNOTATION_PREFIX, suggestion.word);
		} else {
			ps_decode_warning(d, pair->key_place,
				"unknown annotation \"%.100s\", expected one that Penstock knows", pair->key);
		}
	}
	if (schema->check != NULL)
		schema->check(d, NULL, annotations);
}

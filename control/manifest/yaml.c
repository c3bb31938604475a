/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From libyaml's events to nodes.
 *
 * Bounds, so that no file can cost more than its size justifies: nesting is at most
 * PS_MANIFEST_MAX_DEPTH, with aliases expanded; and all aliases of a document together expand to
 * at most PS_MAX_ALIASED nodes. An alias is one copied node that shares its anchor's children.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "control/manifest/manifest.h"
#include "control/manifest/node.h"
#include "control/manifest/surrogate.h"
#include "dataplane/api/digest.h"

#define PS_MAX_ALIASED 1000000u
#define PS_MAX_ANCHORS 1024u
#define PS_FEW_KEYS 24u /* up to so many, comparing each with each is the fastest */

struct anchor {
	const char *name;
	struct ps_node *node;
};

struct reader {
	struct ps_source *source;
	struct ps_surrogates surrogates; /* columns of the text that is parsed instead of the source's */
	struct ps_arena *arena;
	struct ps_diagnostics *diagnostics;
	uint32_t first_line;
	struct ps_node *open[PS_MANIFEST_MAX_DEPTH + 1]; /* containers that are not complete yet */
	const char *open_anchor[PS_MANIFEST_MAX_DEPTH + 1];
	uint32_t depth;
	struct ps_node *root;
	/* the key that waits for its value, per open map */
	struct {
		const char *text;
		uint32_t size;
		struct ps_place place;
	} key[PS_MANIFEST_MAX_DEPTH + 1];
	struct anchor anchor[PS_MAX_ANCHORS];
	uint32_t anchors;
	uint32_t aliased;
};

static struct ps_place
place_of(const struct reader *r, const yaml_mark_t *mark)
{
	uint32_t column = ps_surrogates_column(&r->surrogates, (uint32_t)mark->line, (uint32_t)mark->column);

	return (struct ps_place){(uint32_t)mark->line + r->first_line, column + 1};
}

static int
fail(struct reader *r, struct ps_place place, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Says what is wrong with the document, which is given up. */
static int
fail(struct reader *r, struct ps_place place, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	ps_diagnostics_vadd(r->diagnostics, PS_ERROR, r->source->path, place,
			    ps_source_line(r->source, place.line), NULL, fmt, args);
	va_end(args);
	return -EPROTO;
}

static int
report_syntax(struct reader *r, const yaml_parser_t *parser)
{
	struct ps_place place = place_of(r, &parser->problem_mark), context;
	const char *problem = parser->problem ? parser->problem : "not YAML", *line, *p;
	uint32_t i;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	line = ps_source_line(r->source, place.line);
	for (p = line, i = 1; p != NULL && *p != '\0' && i < place.column; i++, p++)
		;
	if (p != NULL && *p == '\t' && strspn(line, " \t-") >= place.column)
		return fail(r, place, "tab used for indentation, expected spaces");
	if (strcmp(problem, "found invalid Unicode character escape code") == 0) {
		place.column -= place.column > 2 ? 2 : 0; /* it is behind the backslash and the letter */
		return fail(r, place, "escape that is no character, expected \\uD800 to \\uDFFF in pairs, and in JSON alone");
	}
	if (parser->context != NULL && parser->context_mark.line != parser->problem_mark.line) {
		context = place_of(r, &parser->context_mark);
		return fail(r, place, "%s %s from line %u on, expected valid YAML", problem, parser->context,
			    context.line);
	}
	if (parser->context != NULL)
		return fail(r, place, "%s %s, expected valid YAML", problem, parser->context);
	return fail(r, place, "%s, expected valid YAML", problem);
}

static bool
same_key(const struct ps_node *a, const struct ps_node *b)
{
	return a->key_size == b->key_size && memcmp(a->key, b->key, a->key_size) == 0;
}

static void
say_duplicate(struct reader *r, struct ps_node *map, const struct ps_node *again, const struct ps_node *first)
{
	map->duplicate = true;
	fail(r, again->key_place, "key \"%s\" is given twice, expected it once (first in line %u)",
		again->key, first->key_place.line);
}

static int
check_many_keys(struct reader *r, struct ps_node *map)
{
	struct ps_node **table, *child;
	uint32_t slots = 64, at;

	while (slots < map->length * 2)
		slots *= 2;
	table = calloc(slots, sizeof(struct ps_node *));
	if (table == NULL)
		return -ENOMEM;
	for (child = map->first; child != NULL; child = child->next) {
		at = (uint32_t)ps_digest(child->key, child->key_size, 0) & (slots - 1);
		while (table[at] != NULL && !same_key(table[at], child))
			at = (at + 1) & (slots - 1);
		if (table[at] != NULL)
			say_duplicate(r, map, child, table[at]);
		else
			table[at] = child;
	}
	free(table);
	return 0;
}

static int
check_keys(struct reader *r, struct ps_node *map)
{
	struct ps_node *child, *other;

	if (map->length > PS_FEW_KEYS)
		return check_many_keys(r, map);
	for (child = map->first; child != NULL; child = child->next) {
		for (other = map->first; other != child; other = other->next) {
			if (same_key(child, other)) {
				say_duplicate(r, map, child, other);
				break;
			}
		}
	}
	return 0;
}

static void
append(struct ps_node *parent, struct ps_node *child)
{
	child->next = NULL;
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->length++;
	parent->weight += child->weight;
	if (child->height + 1 > parent->height)
		parent->height = child->height + 1;
	parent->duplicate |= child->duplicate;
}

/* `<<: *defaults`: entries that the map does not give itself. */
static int
merge(struct reader *r, struct ps_node *map, const struct ps_node *from)
{
	const struct ps_node *child, *own;
	struct ps_node *copy;

	if (from->type == PS_NODE_LIST) {
		for (child = from->first; child != NULL; child = child->next) {
			int rc = child->type == PS_NODE_MAP ? merge(r, map, child) : -EPROTO;

			if (rc != 0)
				return rc;
		}
		return 0;
	}
	if (from->type != PS_NODE_MAP)
		return -EPROTO;
	for (child = from->first; child != NULL; child = child->next) {
		for (own = map->first; own != NULL && !same_key(own, child); own = own->next)
			;
		if (own != NULL)
			continue;
		r->aliased += child->weight;
		copy = ps_arena_alloc(r->arena, sizeof(*copy));
		if (copy == NULL)
			return -ENOMEM;
		*copy = *child;
		append(map, copy);
	}
	return 0;
}

static int
close_map(struct reader *r, struct ps_node *map)
{
	struct ps_node *child, *list = map->first, *merges = NULL, *next;
	int rc = 0;

	for (child = map->first; child != NULL; child = child->next)
		if (child->key_size == 2 && memcmp(child->key, "<<", 2) == 0)
			break;
	if (child != NULL) {
		map->first = map->last = NULL;
		map->length = 0;
		for (child = list; child != NULL; child = next) {
			next = child->next;
			if (child->key_size == 2 && memcmp(child->key, "<<", 2) == 0) {
				child->next = merges;
				merges = child;
			} else {
				map->weight -= child->weight;
				append(map, child);
			}
		}
		for (child = merges; child != NULL && rc == 0; child = child->next) {
			struct ps_place place = child->place;

			rc = merge(r, map, child);
			if (rc == -EPROTO)
				rc = fail(r, place,
					"merge key \"<<\" has no mapping, expected an alias of one");
			if (rc == 0 && r->aliased > PS_MAX_ALIASED)
				rc = fail(r, place, "aliases expand to more than %u nodes, expected fewer",
					PS_MAX_ALIASED);
		}
	}
	return rc != 0 ? rc : check_keys(r, map);
}

/* Puts a complete node where it belongs: document, list, or map under the key that waits. */
static int
place_node(struct reader *r, struct ps_node *node)
{
	struct ps_node *parent;

	if (r->depth == 0) {
		r->root = node;
		return 0;
	}
	parent = r->open[r->depth - 1];
	if (parent->type == PS_NODE_LIST) {
		append(parent, node);
		return 0;
	}
	if (r->key[r->depth - 1].text == NULL) { /* the node is a key */
		if (node->type != PS_NODE_SCALAR)
			return fail(r, node->place, "key is a %s, expected a name",
				    node->type == PS_NODE_MAP ? "mapping" : "list");
		r->key[r->depth - 1].text = node->text;
		r->key[r->depth - 1].size = node->size;
		r->key[r->depth - 1].place = node->place;
		return 0;
	}
	node->key = r->key[r->depth - 1].text;
	node->key_size = r->key[r->depth - 1].size;
	node->key_place = r->key[r->depth - 1].place;
	r->key[r->depth - 1].text = NULL;
	append(parent, node);
	return 0;
}

static int
add_anchor(struct reader *r, const char *name, struct ps_node *node)
{
	uint32_t i;

	if (name == NULL)
		return 0;
	for (i = 0; i < r->anchors; i++)
		if (strcmp(r->anchor[i].name, name) == 0)
			break;
	if (i == PS_MAX_ANCHORS)
		return fail(
			r, node->place, "more than %u anchors in a document, expected fewer", PS_MAX_ANCHORS);
	if (i == r->anchors)
		r->anchors++;
	r->anchor[i] = (struct anchor){name, node};
	return 0;
}

static struct ps_node *
new_node(struct reader *r, enum ps_node_type type, const yaml_event_t *event)
{
	struct ps_node *node = ps_arena_alloc(r->arena, sizeof(*node));

	if (node != NULL) {
		node->type = (uint8_t)type;
		node->weight = 1;
		node->place = place_of(r, &event->start_mark);
	}
	return node;
}

static int
on_scalar(struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	const char *tag = (const char *)event->data.scalar.tag;
	const char *anchor = (const char *)event->data.scalar.anchor;
	struct ps_node *node = new_node(r, PS_NODE_SCALAR, event);
	int rc;

	if (node == NULL)
		return -ENOMEM;
	node->size = (uint32_t)event->data.scalar.length;
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
		      (tag == NULL || strcmp(tag, YAML_STR_TAG) != 0);
	if (memchr(text, '\0', node->size) != NULL)
		return fail(r, node->place, "value holds a NUL character, expected text");
	node->text = ps_arena_copy(r->arena, text, node->size);
	if (node->text == NULL)
		return -ENOMEM;
	if (anchor != NULL) {
		anchor = ps_arena_copy(r->arena, anchor, strlen(anchor));
		if (anchor == NULL)
			return -ENOMEM;
	}
	rc = place_node(r, node);
	return rc != 0 ? rc : add_anchor(r, anchor, node);
}

static int
on_alias(struct reader *r, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	struct ps_place place = place_of(r, &event->start_mark);
	struct ps_node *node;
	uint32_t i;

	for (i = 0; i < r->anchors; i++)
		if (strcmp(r->anchor[i].name, name) == 0)
			break;
	if (i == r->anchors)
		return fail(r, place, "alias \"%s\" has no anchor, expected \"&%s\" before it", name, name);
	node = ps_arena_alloc(r->arena, sizeof(*node));
	if (node == NULL)
		return -ENOMEM;
	*node = *r->anchor[i].node;
	node->key = NULL;
	node->next = NULL;
	r->aliased += node->weight;
	if (r->aliased > PS_MAX_ALIASED)
		return fail(r, place, "aliases expand to more than %u nodes, expected fewer", PS_MAX_ALIASED);
	if (r->depth + node->height > PS_MANIFEST_MAX_DEPTH)
		return fail(
			r, place, "nested more than %u levels deep, expected fewer", PS_MANIFEST_MAX_DEPTH);
	if (r->depth > 0 && r->open[r->depth - 1]->type == PS_NODE_MAP && r->key[r->depth - 1].text == NULL)
		node->place = place;
	return place_node(r, node);
}

static int
on_open(struct reader *r, const yaml_event_t *event)
{
	bool map = event->type == YAML_MAPPING_START_EVENT;
	const char *anchor =
		(const char *)(map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor);
	struct ps_node *node = new_node(r, map ? PS_NODE_MAP : PS_NODE_LIST, event);

	if (node == NULL)
		return -ENOMEM;
	if (r->depth == PS_MANIFEST_MAX_DEPTH)
		return fail(r, node->place, "nested more than %u levels deep, expected fewer",
			PS_MANIFEST_MAX_DEPTH);
	if (anchor != NULL) {
		anchor = ps_arena_copy(r->arena, anchor, strlen(anchor));
		if (anchor == NULL)
			return -ENOMEM;
	}
	r->open[r->depth] = node;
	r->open_anchor[r->depth] = anchor;
	r->key[r->depth].text = NULL;
	r->depth++;
	return 0;
}

static int
on_close(struct reader *r)
{
	struct ps_node *node = r->open[--r->depth];
	int rc = node->type == PS_NODE_MAP ? close_map(r, node) : 0;

	if (rc == 0)
		rc = place_node(r, node);
	return rc != 0 ? rc : add_anchor(r, r->open_anchor[r->depth], node);
}

static void
start_document(struct reader *r)
{
	r->depth = 0;
	r->anchors = 0;
	r->aliased = 0;
	r->root = NULL;
	ps_arena_reset(r->arena);
}

static int
on_event(struct reader *r, const yaml_event_t *event, ps_document_fn fn, void *context)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		start_document(r);
		return 0;
	case YAML_DOCUMENT_END_EVENT:
		return r->root != NULL ? fn(r->root, context) : 0;
	case YAML_SCALAR_EVENT:
		return on_scalar(r, event);
	case YAML_ALIAS_EVENT:
		return on_alias(r, event);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return on_open(r, event);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return on_close(r);
	default:
		return 0;
	}
}

int
ps_nodes_parse(struct ps_source *source, size_t offset, size_t size, uint32_t first_line,
	struct ps_arena *arena, struct ps_diagnostics *diagnostics, ps_document_fn fn, void *context)
{
	struct reader *r = malloc(sizeof(*r));
	yaml_parser_t parser;
	yaml_event_t event;
	bool end = false;
	int rc = 0;

	if (r == NULL)
		return -ENOMEM;
	rc = ps_surrogates_join(source->text + offset, size, &r->surrogates);
	if (rc != 0 || !yaml_parser_initialize(&parser)) {
		ps_surrogates_free(&r->surrogates);
		free(r);
		return -ENOMEM;
	}
	r->source = source;
	r->arena = arena;
	r->diagnostics = diagnostics;
	r->first_line = first_line;
	start_document(r);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	if (r->surrogates.text != NULL)
		yaml_parser_set_input_string(&parser, (const unsigned char *)r->surrogates.text, r->surrogates.size);
	else
		yaml_parser_set_input_string(&parser, (const unsigned char *)source->text + offset, size);
	while (rc == 0 && !end) {
		if (!yaml_parser_parse(&parser, &event)) {
			rc = report_syntax(r, &parser);
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		rc = on_event(r, &event, fn, context);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	ps_surrogates_free(&r->surrogates);
	free(r);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object as the user wrote it: the document is parsed again from the text that the object was read from, so
 * nothing is lost that Penstock does not look at.
 */
#include <stdlib.h>
#include <string.h>

#include "control/manifest/node.h"
#include "control/manifest/set.h"

static json_t *node_json(const struct ps_node *node);

static json_t *
scalar_json(const struct ps_node *node)
{
	char *end;
	long long integer;

	switch (ps_node_meaning(node)) {
	case PS_MEANS_NULL:
		return json_null();
	case PS_MEANS_BOOLEAN:
		return json_boolean(node->text[0] == 't' || node->text[0] == 'T');
	case PS_MEANS_INTEGER:
		integer = strtoll(node->text, &end, 0);
		return *end == '\0' ? json_integer(integer) : json_stringn(node->text, node->size);
	case PS_MEANS_FLOAT:
		return json_real(strtod(node->text, NULL));
	case PS_MEANS_STRING:
		break;
	}
	return json_stringn(node->text, node->size);
}

static json_t *
children_json(const struct ps_node *node, json_t *into)
{
	const struct ps_node *child = node->first;
	uint32_t left;

	/* An alias shares its children's list: count, not the end, says how many are ours. */
	for (left = node->length; child != NULL && left != 0; child = child->next, left--) {
		json_t *value = node_json(child);

		if (node->type == PS_NODE_MAP ? json_object_set_new(into, child->key, value) != 0
					      : json_array_append_new(into, value) != 0) {
			json_decref(into);
			return NULL;
		}
	}
	return into;
}

static json_t *
node_json(const struct ps_node *node)
{
	if (node->type == PS_NODE_MAP)
		return children_json(node, json_object());
	if (node->type == PS_NODE_LIST)
		return children_json(node, json_array());
	return scalar_json(node);
}

struct wanted {
	struct ps_place place;
	json_t *json;
};

static const struct ps_node *
node_at(const struct ps_node *node, struct ps_place place)
{
	const struct ps_node *child, *found = NULL;

	if (node->type == PS_NODE_MAP && node->place.line == place.line && node->place.column == place.column)
		return node;
	/* Objects are the document itself or items of a List in it. */
	if (node->type == PS_NODE_SCALAR || node->place.line > place.line)
		return NULL;
	for (child = node->first; child != NULL && found == NULL; child = child->next)
		found = node_at(child, place);
	return found;
}

static int
find_document(struct ps_node *root, void *context)
{
	struct wanted *w = context;
	const struct ps_node *node = node_at(root, w->place);

	if (node != NULL)
		w->json = node_json(node);
	return 1; /* one document is enough */
}

/* Start of the document that holds this line: after the last "---" above it. */
static size_t
document_start(struct ps_source *source, uint32_t line, uint32_t *first_line)
{
	const char *text;

	for (; line > 1; line--) {
		text = ps_source_line(source, line);
		if (text != NULL && strncmp(text, "---", 3) == 0 && (text[3] == '\0' || text[3] == ' ' || text[3] == '\r'))
			break;
	}
	*first_line = line;
	return ps_source_line(source, line) != NULL && source->line_start != NULL ? source->line_start[line - 1] : 0;
}

json_t *
ps_object_written(const struct ps_object *object)
{
	const struct ps_entry *entry = (const struct ps_entry *)object;
	struct ps_diagnostics diagnostics = {0};
	struct ps_arena arena = {0};
	struct wanted wanted = {.place = object->place};
	uint32_t first_line = 1;
	size_t at;

	if (entry->source == NULL)
		return NULL;
	at = document_start(entry->source, object->place.line, &first_line);
	ps_nodes_parse(entry->source, at, entry->source->size - at, first_line, &arena, &diagnostics, find_document, &wanted);
	ps_diagnostics_clear(&diagnostics);
	ps_arena_free(&arena);
	if (wanted.json != NULL && !json_is_object(wanted.json)) {
		json_decref(wanted.json);
		return NULL;
	}
	return wanted.json;
}

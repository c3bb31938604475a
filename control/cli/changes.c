/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/changes.h"
#include "control/cli/table.h"

struct side {
	const char *kind;
	const char *const *fields; /* compared members */
	void (*key)(char *text, size_t size, json_t *item);
};

static void
listener_key(char *text, size_t size, json_t *item)
{
	static const struct ps_column place = {"", ".", PS_FORMAT_PLACE, false};
	char where[128];

	ps_cell(where, sizeof(where), item, &place, 0);
	snprintf(text, size, "%s/%s", where, ps_json_text(item, "proto"));
}

static void
service_key(char *text, size_t size, json_t *item)
{
	snprintf(text, size, "%s", ps_json_text(item, "name"));
}

static void
endpoint_key(char *text, size_t size, json_t *item)
{
	static const struct ps_column place = {"", ".", PS_FORMAT_PLACE, false};

	ps_cell(text, size, item, &place, 0);
}

static const char *const listener_fields[] = {"name", "service", "rejects", "source_ranges", NULL};
static const char *const service_fields[] = {
	"proto", "mode", "tcp_idle_s", "udp_idle_s", "affinity_s", "probed", NULL};
static const char *const endpoint_fields[] = {"weight", NULL};
static const struct side listeners = {"listener", listener_fields, listener_key};
static const struct side services = {"service", service_fields, service_key};
static const struct side endpoints = {"endpoint", endpoint_fields, endpoint_key};

static json_t *
by_key(const struct side *side, json_t *items)
{
	json_t *index = json_object(), *item;
	char key[512];
	size_t i;

	json_array_foreach(items, i, item)
	{
		/* given by default, so that a configuration that does not say is one where all are */
		if (json_is_false(json_object_get(item, "balanced")))
			continue;
		side->key(key, sizeof(key), item);
		json_object_set(index, key, item);
	}
	return index;
}

static void
add_change(json_t *list, const char *change, const struct side *side, const char *within, const char *name,
	json_t *details)
{
	char full[1024];

	snprintf(full, sizeof(full), "%s%s%s", within, within[0] != '\0' ? " " : "", name);
	json_array_append_new(
		list, json_pack("{s:s, s:s, s:s, s:o}", "change", change, "kind", side->kind, "name", full,
			      "details", details != NULL ? details : json_array()));
}

static void
value_text(char *text, size_t size, json_t *value)
{
	const struct ps_column whole = {"", ".", PS_FORMAT_TEXT, false};

	if (value == NULL || json_is_null(value))
		snprintf(text, size, "none");
	else if (json_is_array(value))
		snprintf(text, size, "%zu entries", json_array_size(value));
	else
		ps_cell(text, size, value, &whole, 0);
}

static json_t *
differences(const struct side *side, json_t *before, json_t *after)
{
	json_t *details = json_array();
	char old[256], new[256], line[640];

	for (size_t i = 0; side->fields[i] != NULL; i++) {
		json_t *a = json_object_get(before, side->fields[i]),
		       *b = json_object_get(after, side->fields[i]);

		if (json_equal(a, b) || ((a == NULL || json_is_null(a)) && (b == NULL || json_is_null(b))))
			continue;
		value_text(old, sizeof(old), a);
		value_text(new, sizeof(new), b);
		snprintf(line, sizeof(line), "%s: %s -> %s", side->fields[i], old, new);
		json_array_append_new(details, json_string(line));
	}
	return details;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Keys of both, sorted, each once. To be freed; the strings are the objects'. */
static const char **
all_keys(json_t *a, json_t *b, size_t *length)
{
	const char **keys = calloc(json_object_size(a) + json_object_size(b) + 1, sizeof(*keys)), *key;
	json_t *value;

	*length = 0;
	if (keys == NULL)
		return NULL;
	json_object_foreach(a, key, value) keys[(*length)++] = key;
	json_object_foreach(b, key, value)
	{
		if (json_object_get(a, key) == NULL)
			keys[(*length)++] = key;
	}
	qsort(keys, *length, sizeof(*keys), by_text);
	return keys;
}

static void
compare(json_t *list, const struct side *side, const char *within, json_t *before, json_t *after)
{
	json_t *a = by_key(side, before), *b = by_key(side, after);
	size_t length;
	const char **keys = all_keys(a, b, &length);

	for (size_t i = 0; i < length; i++) {
		json_t *old = json_object_get(a, keys[i]), *new = json_object_get(b, keys[i]), *details;

		if (old == NULL || new == NULL) {
			add_change(list, old == NULL ? "added" : "removed", side, within, keys[i], NULL);
		} else {
			details = differences(side, old, new);
			if (json_array_size(details) > 0)
				add_change(list, "changed", side, within, keys[i], details);
			else
				json_decref(details);
		}
		if (side == &services)
			compare(list, &endpoints, keys[i], json_object_get(old, "endpoints"),
				json_object_get(new, "endpoints"));
	}
	free(keys);
	json_decref(a);
	json_decref(b);
}

json_t *
ps_changes(json_t *before, json_t *after)
{
	json_t *list = json_array();

	compare(list, &listeners, "", json_object_get(before, "listeners"),
		json_object_get(after, "listeners"));
	compare(list, &services, "", json_object_get(before, "services"), json_object_get(after, "services"));
	return list;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Places in JSON objects. */
#include <stdlib.h>
#include <string.h>

#include "control/cli/table.h"

/* One path without alternatives, ending at end. Goes into the first element of "[]". */
static json_t *
walk(json_t *object, const char *path, const char *end)
{
	char key[64];

	while (object != NULL && path < end) {
		size_t length = 0;

		while (path + length < end && path[length] != '.' && path[length] != '[')
			length++;
		if (length > 0) {
			if (length >= sizeof(key))
				return NULL;
			memcpy(key, path, length);
			key[length] = '\0';
			object = json_object_get(object, key);
			path += length;
		}
		if (path < end && *path == '[') {
			object = json_array_get(object, strtoul(path + 1, NULL, 10));
			path = memchr(path, ']', (size_t)(end - path));
			if (path == NULL)
				return NULL;
			path++;
		}
		if (path < end && *path == '.')
			path++;
	}
	return object;
}

json_t *
ps_json_at(json_t *object, const char *path)
{
	for (;;) {
		const char *end = strchrnul(path, '|');
		json_t *found = walk(object, path, end);

		if (found != NULL && !json_is_null(found))
			return found;
		if (*end == '\0')
			return NULL;
		path = end + 1;
	}
}

double
ps_json_number(json_t *object, const char *path)
{
	json_t *value = ps_json_at(object, path);

	return json_is_boolean(value) ? json_is_true(value) : json_number_value(value);
}

const char *
ps_json_text(json_t *object, const char *path)
{
	const char *text = json_string_value(ps_json_at(object, path));

	return text != NULL ? text : "";
}

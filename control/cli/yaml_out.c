/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "control/cli/yaml_out.h"

/* Would a YAML reader take this plain word for something else than a string? YAML 1.1 included. */
static bool
needs_quotes(const char *text)
{
	static const char *const words[] = {
		"", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", NULL};

	for (unsigned int i = 0; words[i] != NULL; i++) {
		if (strcasecmp(text, words[i]) == 0)
			return true;
	}
	return strspn(text, "0123456789.+-_:eExXabcdfABCDFoO") == strlen(text) &&
	       strpbrk(text, "0123456789") != NULL;
}

static int
emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
	return made && yaml_emitter_emit(emitter, event) ? 0 : -EIO;
}

static int
scalar(yaml_emitter_t *emitter, const char *text, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return emit(emitter, &event,
		yaml_scalar_event_initialize(
			&event, NULL, NULL, (yaml_char_t *)text, (int)strlen(text), 1, 1, style));
}

static int
value_write(yaml_emitter_t *emitter, json_t *value)
{
	yaml_event_t event;
	const char *key;
	char number[64];
	json_t *child;
	size_t index;
	int rc;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		rc = emit(emitter, &event,
			yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
				json_object_size(value) ? YAML_BLOCK_MAPPING_STYLE
							: YAML_FLOW_MAPPING_STYLE));
		json_object_foreach(value, key, child)
		{
			if (rc == 0)
				rc = scalar(emitter, key,
					needs_quotes(key) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
							  : YAML_ANY_SCALAR_STYLE);
			if (rc == 0)
				rc = value_write(emitter, child);
		}
		return rc < 0 ? rc : emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
	case JSON_ARRAY:
		rc = emit(emitter, &event,
			yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
				json_array_size(value) ? YAML_BLOCK_SEQUENCE_STYLE
						       : YAML_FLOW_SEQUENCE_STYLE));
		json_array_foreach(value, index, child)
		{
			if (rc == 0)
				rc = value_write(emitter, child);
		}
		return rc < 0 ? rc : emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
	case JSON_STRING:
		if (strchr(json_string_value(value), '\n') != NULL)
			return scalar(emitter, json_string_value(value), YAML_LITERAL_SCALAR_STYLE);
		return scalar(emitter, json_string_value(value),
			needs_quotes(json_string_value(value)) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
							       : YAML_ANY_SCALAR_STYLE);
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return scalar(emitter, number, YAML_PLAIN_SCALAR_STYLE);
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.12g", json_real_value(value));
		return scalar(emitter, number, YAML_PLAIN_SCALAR_STYLE);
	case JSON_TRUE:
		return scalar(emitter, "true", YAML_PLAIN_SCALAR_STYLE);
	case JSON_FALSE:
		return scalar(emitter, "false", YAML_PLAIN_SCALAR_STYLE);
	default:
		return scalar(emitter, "null", YAML_PLAIN_SCALAR_STYLE);
	}
}

int
ps_yaml_write(FILE *out, json_t *value)
{
	yaml_emitter_t emitter;
	yaml_event_t event;
	int rc;

	if (!yaml_emitter_initialize(&emitter))
		return -EIO;
	yaml_emitter_set_output_file(&emitter, out);
	yaml_emitter_set_width(&emitter, -1);
	yaml_emitter_set_unicode(&emitter, 1);
	rc = emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	if (rc == 0)
		rc = emit(
			&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	if (rc == 0)
		rc = value_write(&emitter, value);
	if (rc == 0)
		rc = emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1));
	if (rc == 0)
		rc = emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
	yaml_emitter_delete(&emitter);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* An object as Kubernetes shows it: what the user wrote, with metadata completed and our status. */
#include <time.h>

#include "control/manifest/manifest.h"
#include "control/resolve/resolve.h"

static json_t *
pairs_json(const struct ps_pairs *pairs)
{
	json_t *o = json_object();
	uint32_t i;

	for (i = 0; i < pairs->length; i++)
		json_object_set_new(o, pairs->item[i].key, json_string(pairs->item[i].value));
	return o;
}

static void
complete_metadata(json_t *metadata, const struct ps_object *object)
{
	char text[32];
	struct tm tm;
	time_t created = (time_t)object->created_s;

	json_object_set_new(metadata, "name", json_string(object->name));
	if (*object->ns != '\0')
		json_object_set_new(metadata, "namespace", json_string(object->ns));
	json_object_set_new(metadata, "generation", json_integer((json_int_t)object->generation));
	if (json_object_get(metadata, "labels") == NULL && object->labels.length != 0)
		json_object_set_new(metadata, "labels", pairs_json(&object->labels));
	if (json_object_get(metadata, "annotations") == NULL && object->annotations.length != 0)
		json_object_set_new(metadata, "annotations", pairs_json(&object->annotations));
	if (object->created_s != 0 && gmtime_r(&created, &tm) != NULL && strftime(text, sizeof(text), "%FT%TZ", &tm) != 0)
		json_object_set_new(metadata, "creationTimestamp", json_string(text));
}

json_t *
ps_object_json(const struct ps_model *model, const struct ps_object *object)
{
	json_t *o = ps_object_written(object), *metadata, *status;

	if (o == NULL)
		o = json_object();
	if (o == NULL)
		return NULL;
	json_object_set_new(o, "apiVersion", json_string(object->api_version));
	json_object_set_new(o, "kind", json_string(object->kind_name));
	metadata = json_object_get(o, "metadata");
	if (!json_is_object(metadata)) {
		json_object_set_new(o, "metadata", json_object());
		metadata = json_object_get(o, "metadata");
	}
	if (metadata != NULL)
		complete_metadata(metadata, object);
	status = ps_status_json(model, object);
	if (status != NULL)
		json_object_set_new(o, "status", status);
	return o;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "control/resolve/internal.h"

const struct ps_condition *
ps_conditions_find(const struct ps_conditions *conditions, const char *type)
{
	uint32_t i;

	for (i = 0; conditions != NULL && i < conditions->length; i++)
		if (strcmp(conditions->item[i].type, type) == 0)
			return &conditions->item[i];
	return NULL;
}

bool
ps_conditions_true(const struct ps_conditions *conditions, const char *type)
{
	const struct ps_condition *c = ps_conditions_find(conditions, type);

	return c != NULL && strcmp(c->status, "True") == 0;
}

void
ps_condition_set(struct ps_resolver *r, struct ps_conditions *list, const struct ps_conditions *before,
	const struct ps_object *object, const char *type, const char *status, const char *reason, const char *fmt, ...)
{
	const struct ps_condition *old = ps_conditions_find(before, type);
	struct ps_condition *c = (struct ps_condition *)ps_conditions_find(list, type);
	int64_t transition_s = old != NULL && strcmp(old->status, status) == 0 ? old->transition_s : r->now_s;
	char *message = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&message, fmt, args) < 0) {
		message = NULL;
		r->failed = true;
	}
	va_end(args);
	if (c != NULL) {
		free(c->message);
	} else if (list->length < PS_CONDITIONS_MAX) {
		c = &list->item[list->length++];
	} else {
		free(message);
		return;
	}
	*c = (struct ps_condition){type, status, reason, message, object->generation, transition_s};
}

void
ps_condition_drop(struct ps_conditions *list, const char *type)
{
	struct ps_condition *c = (struct ps_condition *)ps_conditions_find(list, type);

	if (c == NULL)
		return;
	free(c->message);
	memmove(c, c + 1, (size_t)(&list->item[list->length] - (c + 1)) * sizeof(*c));
	list->length--;
}

void
ps_conditions_clear(struct ps_conditions *list)
{
	uint32_t i;

	for (i = 0; i < list->length; i++)
		free(list->item[i].message);
	list->length = 0;
}

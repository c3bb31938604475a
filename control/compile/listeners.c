/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners change seldom, endpoints all the time: the sections are kept from one compilation to the next, and
 * what is done each time is to number the services they lead to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/compile/internal.h"
#include "policies/listener/build.h"

void
ps_forget_listeners(struct ps_compiler *c)
{
	free(c->listeners.item);
	free(c->listeners.range);
	free(c->listeners.index);
	free(c->listeners.text);
	c->listeners = (struct cached_listeners){0};
}

/* Names and ranges that follow one another in the model are often the same piece of memory. */
static void
measure(const struct ps_model *m, struct cached_listeners *l)
{
	const struct ps_range *last = NULL;
	uint32_t i;

	l->text_size = 1;
	for (i = 0; i < m->listeners; i++) {
		const struct ps_model_listener *from = &m->listener[i];

		if (i == 0 || from->name != m->listener[i - 1].name)
			l->text_size += (uint32_t)strlen(from->name) + 1;
		if (from->ranges != 0 && from->range != last)
			l->ranges += from->ranges;
		if (from->ranges != 0)
			last = from->range;
	}
}

static void
fill(const struct ps_model *m, struct cached_listeners *l)
{
	const struct ps_range *last = NULL;
	uint32_t i, ranges = 0, first = 0, name = 0, text = 1;

	l->text[0] = '\0';
	for (i = 0; i < m->listeners; i++) {
		const struct ps_model_listener *from = &m->listener[i];

		if (i == 0 || from->name != m->listener[i - 1].name) {
			name = *from->name != '\0' ? text : 0;
			text += (uint32_t)strlen(strcpy(l->text + text, from->name)) + 1;
		}
		l->item[i] = (struct ps_listener){.addr = from->addr, .port = from->port, .proto = from->proto,
			.kind = from->kind, .service = from->service, .name = name};
		if (from->ranges == 0)
			continue;
		if (from->range != last) {
			first = ranges;
			memcpy(l->range + ranges, from->range, from->ranges * sizeof(*l->range));
			ranges += from->ranges;
			last = from->range;
		}
		l->item[i].first_range = first;
		l->item[i].ranges = from->ranges;
	}
}

static int
refresh(struct ps_compiler *c, const struct ps_model *m)
{
	struct cached_listeners *l = &c->listeners;

	if (l->item != NULL && l->revision == m->listener_revision && l->length == m->listeners)
		return 0;
	ps_forget_listeners(c);
	measure(m, l);
	l->length = m->listeners;
	l->cells = ps_listener_index_cells(m->listeners);
	l->item = malloc((m->listeners + 1) * sizeof(*l->item));
	l->range = malloc((l->ranges + 1) * sizeof(*l->range));
	l->index = malloc(l->cells * sizeof(*l->index));
	l->text = malloc(l->text_size);
	if (l->item == NULL || l->range == NULL || l->index == NULL || l->text == NULL) {
		ps_forget_listeners(c);
		return -ENOMEM;
	}
	fill(m, l);
	if (ps_listener_index_build(l->index, l->cells, l->item, l->length, NULL) != 0) {
		ps_forget_listeners(c);
		return -EINVAL;
	}
	l->revision = m->listener_revision;
	return 0;
}

int
ps_emit_listeners(struct compilation *k)
{
	const struct cached_listeners *l = &k->c->listeners;
	struct arena *a = k->arena;
	struct ps_listener *out;
	uint32_t i, text;
	void *p;
	int rc = refresh(k->c, k->m);

	if (rc != 0)
		return rc;
	text = ps_emit_strings(a, l->text, l->text_size);
	out = ps_emit_section(a, PS_SEC_LISTENER, l->length, sizeof(*out));
	for (i = 0; a->error == 0 && i < l->length; i++) {
		uint32_t service = l->item[i].service != PS_NONE ? k->emitted_index[l->item[i].service] : PS_NONE;

		out[i] = l->item[i];
		out[i].service = service;
		out[i].kind = service != PS_NONE ? l->item[i].kind : PS_LISTENER_REJECT;
		out[i].name = l->item[i].name != 0 ? text + l->item[i].name : 0;
	}
	p = ps_emit_section(a, PS_SEC_LISTENER_INDEX, l->cells, sizeof(*l->index));
	if (p != NULL)
		memcpy(p, l->index, l->cells * sizeof(*l->index));
	p = ps_emit_section(a, PS_SEC_RANGE, l->ranges, sizeof(*l->range));
	if (p != NULL)
		memcpy(p, l->range, l->ranges * sizeof(*l->range));
	return a->error;
}

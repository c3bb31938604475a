/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests: any text is read, then another one under the same name, as when a file is edited;
 * what is left must be consistent and what is said about it printable. The first byte chooses strictness and
 * where the text is cut in two.
 */
#include <stdlib.h>
#include <string.h>

#include "control/manifest/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
look_at(struct ps_manifests *set)
{
	struct ps_diagnostics list = {0};
	const struct ps_object *o;
	uint32_t errors, warnings, length, n;
	char *text = NULL;
	size_t text_size;
	json_t *json;
	FILE *f;
	int kind;

	for (kind = 0; kind < PS_KINDS; kind++) {
		n = 0;
		for (o = ps_manifests_first(set, (enum ps_kind)kind); o != NULL; o = ps_manifests_next(o)) {
			check(o->kind == (enum ps_kind)kind && o->revision != 0 && o->generation != 0);
			check(o->name != NULL && o->ns != NULL && o->place.line != 0);
			if (kind != PS_KIND_OTHER)
				check(ps_manifests_find(set, o->kind, o->ns, o->name) == o);
			n++;
		}
		check(n == ps_manifests_length(set, (enum ps_kind)kind));
	}
	ps_manifests_changes(set, &length);
	check(ps_manifests_diagnostics(set, &list) == 0);
	ps_manifests_counts(set, &errors, &warnings);
	check(errors == list.errors && warnings == list.warnings);
	f = open_memstream(&text, &text_size);
	check(f != NULL);
	ps_diagnostics_print(&list, f);
	fclose(f);
	free(text);
	json = ps_diagnostics_json(&list);
	check(json != NULL && json_array_size(json) == list.length);
	json_decref(json);
	ps_diagnostics_clear(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_manifests *set;
	const char *text = (const char *)data;
	size_t cut = 0;

	if (size == 0 || size > 65536)
		return 0;
	if (data[0] < 0x20) { /* a control byte is no text: it is for us */
		cut = (size - 1) * (data[0] & 15) / 16;
		text++;
		size--;
	}
	set = ps_manifests_new(data[0] < 0x20 && (data[0] & 16) != 0 ? PS_MANIFESTS_STRICT : 0);
	check(set != NULL);
	check(ps_manifests_add_text(set, "a.yaml", text + cut, size - cut) == 0);
	look_at(set);
	check(ps_manifests_add_text(set, "b.yaml", text, cut) == 0);
	check(ps_manifests_add_text(set, "a.yaml", text, size) == 0);
	look_at(set);
	check(ps_manifests_add_text(set, "a.yaml", text, size - cut) == 0);
	ps_manifests_changes_clear(set);
	check(ps_manifests_remove(set, "b.yaml") == 0);
	look_at(set);
	ps_manifests_free(set);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a file into the set.
 *
 * A file is cut at its document separators, and each part is parsed on its own: a syntax error
 * in one takes the others not down, and a part whose text and place have not changed is not even parsed
 * again.
 *
 * Nothing that served before is lost to a mistake: an object whose new text has an error stays as it was,
 * and while a part cannot be read at all, no object of the file is removed, as it may be in that part.
 */
#include "control/manifest/set.h"

#include <string.h>

#include "dataplane/api/digest.h"

struct reading {
	struct ps_manifests *set;
	struct ps_file *file;
	struct ps_part *part;
	struct ps_source *source;
	struct ps_loader loader;
};

void
ps_file_trouble(struct ps_manifests *set, struct ps_file *file, struct ps_place place, const char *line,
		const char *fmt, ...)
{
	va_list args;

	set->errors -= file->errors;
	set->warnings -= file->warnings;
	va_start(args, fmt);
	ps_diagnostics_clear(&file->trouble);
	ps_diagnostics_vadd(&file->trouble, PS_ERROR, file->path, place, line, NULL, fmt, args);
	va_end(args);
	file->errors = 1;
	file->warnings = 0;
	set->errors++;
}

/* Is this line a document separator? */
static bool
is_separator(const char *line, size_t size)
{
	return size >= 3 && memcmp(line, "---", 3) == 0 &&
	       (size == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

/* Nothing but blanks, a comment or a directive? */
static bool
is_preface(const char *line, size_t size)
{
	size_t i = 0;

	if (size > 0 && line[0] == '%')
		return true;
	while (i < size && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r'))
		i++;
	return i == size || line[i] == '#';
}

static int
add_part(struct ps_part **part, uint32_t *parts, uint32_t *room, size_t offset, uint32_t line)
{
	struct ps_part *p;

	if (*parts == *room) {
		*room = *room ? *room * 2 : 4;
		p = realloc(*part, *room * sizeof(*p));
		if (p == NULL)
			return -ENOMEM;
		*part = p;
	}
	p = &(*part)[(*parts)++];
	memset(p, 0, sizeof(*p));
	p->offset = offset;
	p->first_line = line;
	return 0;
}

static int
split(const struct ps_source *source, struct ps_part **part, uint32_t *parts)
{
	const char *line = source->text + ps_source_mark(source), *end = source->text + source->size, *next;
	uint32_t number = 1, room = 0, i;
	bool content = false;
	int rc;

	*part = NULL;
	*parts = 0;
	rc = add_part(part, parts, &room, (size_t)(line - source->text), 1);
	for (; rc == 0 && line < end; line = next, number++) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t size = (size_t)((newline ? newline : end) - line);

		next = newline ? newline + 1 : end;
		if (is_separator(line, size)) {
			if (content)
				rc = add_part(part, parts, &room, (size_t)(line - source->text), number);
			content = true; /* the separator itself: a second one begins another document */
		} else if (!content) {
			content = !is_preface(line, size);
		}
	}
	for (i = 0; i < *parts; i++) {
		struct ps_part *p = &(*part)[i];

		p->size = (i + 1 < *parts ? p[1].offset : source->size) - p->offset;
		p->digest = ps_digest(source->text + p->offset, p->size, 0);
	}
	return rc;
}

static void
move(struct ps_entry *entry, struct ps_part *part)
{
	LIST_REMOVE(entry, in_part);
	LIST_INSERT_HEAD(&part->entries, entry, in_part);
}

static int
note(struct ps_diagnostics *list, const struct ps_file *file, struct ps_place place, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static int
note(struct ps_diagnostics *list, const struct ps_file *file, struct ps_place place, const char *fmt, ...)
{
	va_list args;
	int rc;

	va_start(args, fmt);
	rc = ps_diagnostics_vadd(list, PS_NOTE, file->path, place, NULL, NULL, fmt, args);
	va_end(args);
	return rc;
}

static int
on_draft(struct ps_draft *draft, void *context)
{
	struct reading *r = context;
	struct ps_object *o = &draft->object;
	struct ps_entry *entry, *met;
	uint64_t hash;

	if (!draft->named) {
		r->part->unknown = true;
		return 0;
	}
	hash = ps_entry_hash(o);
	entry = ps_entry_find(r->set, o, hash, r->file, true);
	met = entry == NULL ? ps_entry_find(r->set, o, hash, r->file, false) : NULL;
	if (met != NULL && o->kind != PS_KIND_OTHER)
		return ps_diagnostics_add(&r->part->diagnostics, PS_ERROR, r->file->path, o->name_place,
			ps_source_line(r->source, o->name_place.line), NULL,
			"%s %s%s%s is defined twice in this file, expected it once (first in line %u)",
			o->kind_name, o->ns, o->ns[0] ? "/" : "", o->name, met->object.name_place.line);
	if (entry != NULL) {
		entry->pass = r->set->pass;
		move(entry, r->part);
		if (draft->errors != 0)
			return note(&r->part->diagnostics, r->file, o->place,
				"%s %s%s%s stays as it was before", o->kind_name, o->ns, o->ns[0] ? "/" : "",
				o->name);
		return ps_entry_update(r->set, entry, draft, r->source);
	}
	return draft->errors != 0 ? 0 : ps_entry_add(r->set, r->file, r->part, draft, r->source);
}

static int
on_document(struct ps_node *root, void *context)
{
	struct reading *r = context;

	return ps_load_document(&r->loader, root);
}

/* Takes over what a part with the same text in the same place gave. */
static bool
adopt(struct reading *r, struct ps_part *old, uint32_t olds)
{
	struct ps_part *from = NULL, *to = r->part;
	uint32_t low = 0, high = olds, objects = 0;
	struct ps_entry *e;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (old[middle].first_line < to->first_line)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < olds && old[low].first_line == to->first_line)
		from = &old[low];
	if (from == NULL || from->digest != to->digest || from->size != to->size ||
		from->diagnostics.errors != 0 || from->unknown)
		return false;
	LIST_FOREACH (e, &from->entries, in_part)
		objects++;
	if (objects != from->objects)
		return false; /* an earlier part defines one of them now */
	to->objects = objects;
	while ((e = LIST_FIRST(&from->entries)) != NULL) {
		e->pass = r->set->pass;
		move(e, to);
		ps_source_drop(e->source);
		e->source = ps_source_keep(r->source);
	}
	to->diagnostics = from->diagnostics;
	memset(&from->diagnostics, 0, sizeof(from->diagnostics));
	return true;
}

static void
free_parts(struct ps_manifests *set, struct ps_part *part, uint32_t parts)
{
	struct ps_entry *e;
	uint32_t i;

	for (i = 0; i < parts; i++) {
		while ((e = LIST_FIRST(&part[i].entries)) != NULL)
			ps_entry_remove(set, e);
		ps_diagnostics_clear(&part[i].diagnostics);
	}
	free(part);
}

/* What the file no longer shows goes, unless it may be in a part that cannot be read. */
static int
settle(struct reading *r, struct ps_part *old, uint32_t olds)
{
	struct ps_part *unknown = NULL;
	struct ps_entry *e;
	uint32_t i, kept = 0;

	for (i = 0; i < r->file->parts && unknown == NULL; i++)
		if (r->file->part[i].unknown)
			unknown = &r->file->part[i];
	if (unknown == NULL)
		return 0;
	for (i = 0; i < olds; i++) {
		while ((e = LIST_FIRST(&old[i].entries)) != NULL) {
			move(e, unknown);
			kept++;
		}
	}
	if (kept == 0)
		return 0;
	return note(&unknown->diagnostics, r->file, (struct ps_place){unknown->first_line, 1},
		    "%u object%s of before stay until this file can be read", kept, kept == 1 ? "" : "s");
}

static void
count(struct ps_manifests *set, struct ps_file *file)
{
	uint32_t i;

	set->errors -= file->errors;
	set->warnings -= file->warnings;
	file->errors = file->warnings = 0;
	for (i = 0; i < file->parts; i++) {
		file->errors += file->part[i].diagnostics.errors;
		file->warnings += file->part[i].diagnostics.warnings;
	}
	set->errors += file->errors;
	set->warnings += file->warnings;
}

int
ps_file_read(struct ps_manifests *set, struct ps_file *file, struct ps_source *source)
{
	struct reading r = {.set = set, .file = file, .source = source};
	struct ps_place place = {0, 0};
	const char *why = ps_source_check(source, &place);
	struct ps_part *old = file->part;
	uint32_t olds = file->parts, i;
	struct ps_entry *e;
	int rc, rc_settle;

	if (why != NULL) {
		ps_file_trouble(
			set, file, place, ps_source_line(source, place.line), "%s, expected UTF-8 YAML", why);
		return 0;
	}
	if (strspn(source->text, " \t\r\n") == source->size) {
		ps_file_trouble(set, file, place, NULL, "file is empty, expected at least one document");
		return 0;
	}
	rc = split(source, &file->part, &file->parts);
	if (rc != 0) {
		free(file->part);
		file->part = old;
		file->parts = olds;
		return rc;
	}
	ps_diagnostics_clear(&file->trouble);
	set->pass++;
	for (i = 0; i < file->parts && rc == 0; i++) {
		struct ps_part *part = &file->part[i];

		r.part = part;
		if (adopt(&r, old, olds))
			continue;
		r.loader = (struct ps_loader){
			source, &part->diagnostics, (set->flags & PS_MANIFESTS_STRICT) != 0, on_draft, &r};
		rc = ps_nodes_parse(source, part->offset, part->size, part->first_line, &set->nodes,
				    &part->diagnostics, on_document, &r);
		if (rc != 0) {
			part->unknown = true; /* after an error nobody knows what else was there */
			rc = rc == -EPROTO ? 0 : rc;
		}
		LIST_FOREACH (e, &part->entries, in_part)
			part->objects++;
	}
	for (; i < file->parts; i++)
		file->part[i].unknown = true; /* out of memory: not read */
	rc_settle = settle(&r, old, olds);
	free_parts(set, old, olds);
	count(set, file);
	return rc != 0 ? rc : rc_settle;
}

void
ps_file_free(struct ps_manifests *set, struct ps_file *file)
{
	set->pass++;
	free_parts(set, file->part, file->parts);
	set->errors -= file->errors;
	set->warnings -= file->warnings;
	ps_diagnostics_clear(&file->trouble);
	free(file->path);
	free(file);
}

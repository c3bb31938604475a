/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in the set: indexes, who shadows whom, and the list of changes. */
#include <stddef.h>
#include <string.h>

#include "control/manifest/set.h"
#include "dataplane/api/digest.h"

#define FROM_KEY(link) ((struct ps_entry *)((char *)(link)-offsetof(struct ps_entry, key)))
#define FROM_SLICE(link) ((struct ps_entry *)((char *)(link)-offsetof(struct ps_entry, slice)))

static uint64_t
hash_names(enum ps_kind kind, const char *kind_name, const char *ns, const char *name)
{
	uint64_t hash = kind;

	if (kind == PS_KIND_OTHER)
		hash = ps_digest(kind_name, strlen(kind_name), hash);
	return ps_digest(name, strlen(name), ps_digest(ns, strlen(ns), hash));
}

uint64_t
ps_entry_hash(const struct ps_object *object)
{
	return hash_names(object->kind, object->kind_name, object->ns, object->name);
}

static bool
same_object(const struct ps_object *a, const struct ps_object *b)
{
	char group_a[256], group_b[256];

	if (a->kind != b->kind || strcmp(a->name, b->name) != 0 || strcmp(a->ns, b->ns) != 0)
		return false;
	if (a->kind != PS_KIND_OTHER)
		return true;
	ps_api_group(a->api_version, group_a, sizeof(group_a));
	ps_api_group(b->api_version, group_b, sizeof(group_b));
	return strcmp(a->kind_name, b->kind_name) == 0 && strcmp(group_a, group_b) == 0;
}

/* The entry of a file for this object; fresh: only one that the current pass has not met yet. */
struct ps_entry *
ps_entry_find(struct ps_manifests *set, const struct ps_object *object, uint64_t hash,
	const struct ps_file *file, bool fresh)
{
	struct ps_link *link;

	for (link = ps_index_first(&set->keys, hash); link != NULL; link = ps_index_next(link->next, hash)) {
		struct ps_entry *e = FROM_KEY(link);

		if (e->file == file && (!fresh || e->pass != set->pass) && same_object(&e->object, object))
			return e;
	}
	return NULL;
}

/* ---- changes ---- */

void
ps_changes_free(struct ps_manifests *set)
{
	uint32_t i;

	for (i = 0; i < set->changes; i++)
		free(set->change[i].ns);
	free(set->change);
	free(set->listed);
	set->change = NULL;
	set->listed = NULL;
	set->changes = set->change_room = 0;
}

static const char *
service_of(const struct ps_object *o)
{
	return o->kind == PS_KIND_ENDPOINT_SLICE && o->slice != NULL ? o->slice->service_name : NULL;
}

static void
record(struct ps_manifests *set, enum ps_change_type type, struct ps_object *o)
{
	const char *service = service_of(o);
	size_t ns_size = strlen(o->ns) + 1, name_size = strlen(o->name) + 1;
	size_t service_size = service ? strlen(service) + 1 : 0;
	struct ps_change_record *c;

	o->revision = ++set->revision;
	set->kind_revision[o->kind] = set->revision;
	if (set->change_overflow)
		return;
	if (set->changes == set->change_room) {
		uint32_t room = set->change_room ? set->change_room * 2 : 64;

		c = room <= PS_MAX_CHANGES ? realloc(set->change, room * sizeof(*c)) : NULL;
		if (c == NULL)
			goto overflow;
		set->change = c;
		set->change_room = room;
	}
	c = &set->change[set->changes];
	c->type = type;
	c->kind = o->kind;
	c->ns = malloc(ns_size + name_size + service_size);
	if (c->ns == NULL)
		goto overflow;
	memcpy(c->ns, o->ns, ns_size);
	c->name = memcpy(c->ns + ns_size, o->name, name_size);
	c->service = service ? memcpy(c->name + name_size, service, service_size) : NULL;
	set->changes++;
	return;
overflow:
	ps_changes_free(set);
	set->change_overflow = true;
}

const struct ps_change *
ps_manifests_changes(struct ps_manifests *set, uint32_t *length)
{
	uint32_t i;

	free(set->listed);
	set->listed = NULL;
	*length = set->changes;
	if (set->changes == 0 && !set->change_overflow)
		return NULL;
	if (!set->change_overflow)
		set->listed = calloc(set->changes, sizeof(*set->listed));
	if (set->listed == NULL) {
		*length = UINT32_MAX;
		return NULL;
	}
	for (i = 0; i < set->changes; i++) {
		const struct ps_change_record *c = &set->change[i];

		set->listed[i] = (struct ps_change){
			.type = c->type,
			.kind = c->kind,
			.ns = c->ns,
			.name = c->name,
			.service = c->service,
			.object = c->type == PS_REMOVED ? NULL
							: ps_manifests_find(set, c->kind, c->ns, c->name),
		};
	}
	return set->listed;
}

void
ps_manifests_changes_clear(struct ps_manifests *set)
{
	ps_changes_free(set);
	set->change_overflow = false;
}

/* ---- who is visible ---- */

static uint64_t
slice_hash(const char *ns, const char *service)
{
	return ps_digest(service, strlen(service), ps_digest(ns, strlen(ns), PS_DIGEST_K0));
}

static void
unlink_slice(struct ps_manifests *set, struct ps_entry *e)
{
	if (e->in_slices)
		ps_index_remove(&set->slices, &e->slice);
	e->in_slices = false;
}

static int
link_slice(struct ps_manifests *set, struct ps_entry *e)
{
	const char *service = service_of(&e->object);
	int rc;

	if (service == NULL || e->in_slices)
		return 0;
	rc = ps_index_insert(&set->slices, &e->slice, slice_hash(e->object.ns, service));
	e->in_slices = rc == 0;
	return rc;
}

static void
leave_list(struct ps_manifests *set, struct ps_entry *e)
{
	if (!e->linked)
		return;
	LIST_REMOVE(e, peers);
	if (e->visible)
		set->kind_length[e->object.kind]--;
	else
		set->shadows--;
	e->linked = false;
}

static int
show(struct ps_manifests *set, struct ps_entry *e, bool visible)
{
	if (e->linked && e->visible == visible)
		return 0;
	leave_list(set, e);
	e->visible = visible;
	e->linked = true;
	if (!visible) {
		LIST_INSERT_HEAD(&set->shadowed, e, peers);
		set->shadows++;
		unlink_slice(set, e);
		return 0;
	}
	LIST_INSERT_HEAD(&set->kind[e->object.kind], e, peers);
	set->kind_length[e->object.kind]++;
	return link_slice(set, e);
}

/*
 * Decides among all entries with the key of e, e included (or not any more when it is about to go). Returns
 * the one that was visible before in *before.
 */
static struct ps_entry *
winner(struct ps_manifests *set, const struct ps_entry *e, bool without, struct ps_entry **before)
{
	struct ps_entry *best = NULL;
	struct ps_link *link;

	*before = NULL;
	for (link = ps_index_first(&set->keys, e->key.hash); link != NULL;
		link = ps_index_next(link->next, e->key.hash)) {
		struct ps_entry *other = FROM_KEY(link);

		if (!same_object(&other->object, &e->object))
			continue;
		if (other->linked && other->visible)
			*before = other;
		if (without && other == e)
			continue;
		if (best == NULL || strcmp(other->file->path, best->file->path) < 0)
			best = other;
	}
	return best;
}

int
ps_entry_add(struct ps_manifests *set, struct ps_file *file, struct ps_part *part, struct ps_draft *draft,
	     struct ps_source *source)
{
	struct ps_entry *e = calloc(1, sizeof(*e)), *best, *before;
	int rc;

	if (e == NULL)
		return -ENOMEM;
	rc = ps_index_insert(&set->keys, &e->key, ps_entry_hash(&draft->object));
	if (rc != 0) {
		free(e);
		return rc;
	}
	e->object = draft->object;
	e->arena = draft->arena;
	memset(&draft->arena, 0, sizeof(draft->arena));
	e->source = ps_source_keep(source);
	e->file = file;
	e->object.file = file->path;
	e->pass = set->pass;
	e->object.order = ++set->order;
	e->object.revision = set->revision + 1;
	if (e->object.generation == 0)
		e->object.generation = 1;
	LIST_INSERT_HEAD(&part->entries, e, in_part);
	if (e->object.kind == PS_KIND_OTHER) {
		rc = show(set, e, true);
		record(set, PS_ADDED, &e->object);
		return rc;
	}
	best = winner(set, e, false, &before);
	if (best != e)
		return show(set, e, false);
	if (before != NULL)
		show(set, before, false);
	rc = show(set, e, true);
	record(set, before != NULL ? PS_CHANGED : PS_ADDED, &e->object);
	return rc;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

int
ps_entry_update(
	struct ps_manifests *set, struct ps_entry *e, struct ps_draft *draft, struct ps_source *source)
{
	struct ps_object old = e->object;
	struct ps_arena old_arena = e->arena;
	bool moved = !same_text(service_of(&old), service_of(&draft->object));
	int rc = 0;

	if (e->visible && moved) {
		/* whoever depended on it through its former Service must hear of it */
		if (service_of(&old) != NULL)
			record(set, PS_CHANGED, &e->object);
		unlink_slice(set, e);
	}
	e->object = draft->object;
	e->arena = draft->arena;
	memset(&draft->arena, 0, sizeof(draft->arena));
	e->object.file = e->file->path;
	e->object.order = old.order;
	e->object.revision = old.revision;
	if (e->object.generation == 0)
		e->object.generation = old.generation + (old.digest != e->object.digest);
	ps_source_drop(e->source);
	e->source = ps_source_keep(source);
	if (e->visible) {
		rc = link_slice(set, e);
		record(set, PS_CHANGED, &e->object);
	}
	ps_arena_free(&old_arena);
	return rc;
}

void
ps_entry_remove(struct ps_manifests *set, struct ps_entry *e)
{
	struct ps_entry *best = NULL, *before;

	if (e->visible) {
		if (e->object.kind != PS_KIND_OTHER)
			best = winner(set, e, true, &before);
		record(set, best != NULL ? PS_CHANGED : PS_REMOVED, &e->object);
	}
	unlink_slice(set, e);
	leave_list(set, e);
	ps_index_remove(&set->keys, &e->key);
	LIST_REMOVE(e, in_part);
	if (best != NULL) {
		show(set, best, true);
		record(set, PS_CHANGED, &best->object);
	}
	ps_arena_free(&e->arena);
	ps_source_drop(e->source);
	free(e);
}

/* ---- lookups ---- */

const struct ps_object *
ps_manifests_find(const struct ps_manifests *set, enum ps_kind kind, const char *ns, const char *name)
{
	uint64_t hash = hash_names(kind, "", ns, name);
	struct ps_link *link;

	if (kind == PS_KIND_OTHER)
		return NULL;
	for (link = ps_index_first(&set->keys, hash); link != NULL; link = ps_index_next(link->next, hash)) {
		struct ps_entry *e = FROM_KEY(link);

		if (e->visible && e->object.kind == kind && strcmp(e->object.name, name) == 0 &&
		    strcmp(e->object.ns, ns) == 0)
			return &e->object;
	}
	return NULL;
}

static const struct ps_object *
matching_slice(struct ps_link *link, uint64_t hash, const char *ns, const char *service)
{
	for (link = ps_index_next(link, hash); link != NULL; link = ps_index_next(link->next, hash)) {
		struct ps_entry *e = FROM_SLICE(link);

		if (strcmp(e->object.ns, ns) == 0 && strcmp(service_of(&e->object), service) == 0)
			return &e->object;
	}
	return NULL;
}

const struct ps_object *
ps_manifests_first_slice(const struct ps_manifests *set, const char *ns, const char *service)
{
	uint64_t hash = slice_hash(ns, service);

	return matching_slice(ps_index_first(&set->slices, hash), hash, ns, service);
}

const struct ps_object *
ps_manifests_next_slice(const struct ps_object *slice)
{
	struct ps_entry *e = (struct ps_entry *)slice;

	return matching_slice(e->slice.next, e->slice.hash, e->object.ns, service_of(&e->object));
}

const struct ps_object *
ps_manifests_first(const struct ps_manifests *set, enum ps_kind kind)
{
	const struct ps_entry *e = kind < PS_KINDS ? LIST_FIRST(&set->kind[kind]) : NULL;

	return e != NULL ? &e->object : NULL;
}

const struct ps_object *
ps_manifests_next(const struct ps_object *object)
{
	const struct ps_entry *e = LIST_NEXT((const struct ps_entry *)object, peers);

	return e != NULL ? &e->object : NULL;
}

int
ps_object_diagnose(const struct ps_object *object, struct ps_diagnostics *out, enum ps_severity severity,
		   struct ps_place place, const char *fmt, ...)
{
	const struct ps_entry *e = (const struct ps_entry *)object;
	char name[600];
	va_list args;
	int rc;

	if (place.line == 0)
		place = object->name_place.line != 0 ? object->name_place : object->place;
	snprintf(name, sizeof(name), "%s %s%s%s", object->kind_name, object->ns, object->ns[0] ? "/" : "",
		object->name);
	va_start(args, fmt);
	rc = ps_diagnostics_vadd(
		out, severity, object->file, place, ps_source_line(e->source, place.line), name, fmt, args);
	va_end(args);
	return rc;
}

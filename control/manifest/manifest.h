/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's manifests: a set of files and the objects in them.
 *
 * Files are YAML or JSON (which is YAML), with any number of documents and `List`s. A file that does not
 * parse, or
 * is empty or cut short, is an error and its objects of before stay. An object with an error is left out,
 * or stays as it
 * was before when the file is refreshed; the others in the file load. Two objects of
 * one kind, namespace and name: the one in the file whose path sorts first, then the one
 * further up, counts; the other is an error.
 *
 * Reading costs what the file costs: indexes are hashes that change with the objects of one file.
 *
 * Not thread-safe; one thread owns a set. Functions return 0 or -errno; trouble with content is no
 * failure of a function but a diagnostic.
 */
#ifndef PS_MANIFEST_MANIFEST_H
#define PS_MANIFEST_MANIFEST_H

#include "control/manifest/object.h"

struct ps_manifests;

#define PS_MANIFESTS_STRICT 0x1u /* unknown fields and fields without effect are errors */

#define PS_MANIFEST_MAX_FILE (64u << 20) /* bytes; a larger file is refused */
#define PS_MANIFEST_MAX_DEPTH 64u        /* nesting */

/* NULL: out of memory. */
struct ps_manifests *ps_manifests_new(uint32_t flags);
void ps_manifests_free(struct ps_manifests *set);

/*
 * Reads a file, or every *.yaml, *.yml and *.json below a directory. Names that begin with a dot are
 * passed over (a
 * mounted ConfigMap keeps its data in such ones and links to them), links are followed, cycles are not. A
 * file already
 * in the set is refreshed; one that was below the directory and is gone is forgotten.
 *
 * -ENOENT, -EACCES ...: path itself cannot be read; a diagnostic says so too.
 */
int ps_manifests_add(struct ps_manifests *set, const char *path);

/* Text instead of a file: path is only its name in diagnostics. For stdin ("-") and tests. */
int ps_manifests_add_text(struct ps_manifests *set, const char *path, const char *text, size_t size);

/*
 * Reads one file again (or for the first time). Its objects are updated in place; nothing else is
 * looked at. -ENOENT when it is gone: then use ps_manifests_remove.
 */
int ps_manifests_refresh(struct ps_manifests *set, const char *path);

/* Forgets a file, or every file below a directory, and its objects. -ENOENT: not in the set. */
int ps_manifests_remove(struct ps_manifests *set, const char *path);

/* Would ps_manifests_add read this name when it finds it in a directory? */
bool ps_manifests_wants(const char *name);

/* Grows by one with every object that appears, changes or goes. */
uint64_t ps_manifests_revision(const struct ps_manifests *set);
/* The same for objects of one kind, e.g. to skip work when no Gateway changed. */
uint64_t ps_manifests_kind_revision(const struct ps_manifests *set, enum ps_kind kind);

/* Objects of a kind, in no promised order; NULL ends. Good while nothing is added, refreshed or removed. */
const struct ps_object *ps_manifests_first(const struct ps_manifests *set, enum ps_kind kind);
const struct ps_object *ps_manifests_next(const struct ps_object *object);
uint32_t ps_manifests_length(const struct ps_manifests *set, enum ps_kind kind);

/* NULL when there is none. ns is "" for cluster-scoped kinds. Constant time. */
const struct ps_object *ps_manifests_find(const struct ps_manifests *set, enum ps_kind kind, const char *ns,
					  const char *name);

/* The slices of one Service, by label kubernetes.io/service-name. Constant time each. */
const struct ps_object *ps_manifests_first_slice(const struct ps_manifests *set, const char *ns,
						 const char *service);
const struct ps_object *ps_manifests_next_slice(const struct ps_object *slice);

/*
 * What happened since the last ps_manifests_changes_clear. An object that changed twice may be listed
 * twice; a REMOVED
 * entry carries no object. Strings and pointers are good until the next clear.
 */
enum ps_change_type { PS_ADDED, PS_CHANGED, PS_REMOVED };

struct ps_change {
	enum ps_change_type type;
	enum ps_kind kind;
	const char *ns;
	const char *name;
	const char *service;            /* EndpointSlice: the Service it belongs to, else NULL */
	const struct ps_object *object; /* NULL when removed since */
};

/* NULL with *length UINT32_MAX: too much to list, look at everything. */
const struct ps_change *ps_manifests_changes(struct ps_manifests *set, uint32_t *length);
void ps_manifests_changes_clear(struct ps_manifests *set);

/* Diagnostics of all files (and of objects defined twice), sorted, appended to out. */
int ps_manifests_diagnostics(struct ps_manifests *set, struct ps_diagnostics *out);
/* Errors and warnings as they stand, without building the list. */
void ps_manifests_counts(const struct ps_manifests *set, uint32_t *errors, uint32_t *warnings);

/* Files in the set, in the order of their paths; index < ps_manifests_files(set). */
uint32_t ps_manifests_files(const struct ps_manifests *set);
const char *ps_manifests_file(const struct ps_manifests *set, uint32_t index);

/*
 * For later stages: adds a diagnostic about a place in an object, with file, source line and object name.
 * A place with line 0 points at the object.
 */
int ps_object_diagnose(const struct ps_object *object, struct ps_diagnostics *out, enum ps_severity severity,
		       struct ps_place place, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/*
 * The object as the user wrote it, with every field that Penstock does not look at. Read again from the text, so it costs
 * parsing one document. NULL: the text is not kept, or out of memory. The caller owns it.
 */
json_t *ps_object_written(const struct ps_object *object);

/* A Dataplane as it is when the user gives none: every field at its default. Static; never NULL. */
const struct ps_dataplane_spec *ps_dataplane_defaults(void);

/*
 * The configuration tables for readers: the fields of the Dataplane document, and the annotations of a
 * Service, with
 * type, range, unit, default and description.
 */
enum ps_reference { PS_REFERENCE_DATAPLANE, PS_REFERENCE_ANNOTATIONS, PS_REFERENCE_OBJECTS };
void ps_reference_text(enum ps_reference what, FILE *out);
void ps_reference_markdown(enum ps_reference what, FILE *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a set of manifests. */
#ifndef PS_MANIFEST_SET_H
#define PS_MANIFEST_SET_H

#include <sys/queue.h>

#include "control/manifest/index.h"
#include "control/manifest/load.h"
#include "control/manifest/manifest.h"

#define PS_MAX_CHANGES 65536u

/*
 * An object in the set. All entries are in the key index; of those with one key, the one whose
 * file sorts first is visible: in the list of its kind, and a slice in the index of slices too. The others
 * wait
 * in the list of shadowed ones.
 */
struct ps_entry {
	struct ps_object object;     /* first: the public pointer is the entry's */
	struct ps_arena arena;
	struct ps_source *source;    /* that the places speak of */
	struct ps_file *file;
	uint64_t pass;               /* of the last reading of the file that found it */
	struct ps_link key;
	struct ps_link slice;
	LIST_ENTRY(ps_entry) peers;  /* list of the kind, or of the shadowed */
	LIST_ENTRY(ps_entry) in_part;
	bool linked;                 /* in one of these lists */
	bool visible;
	bool in_slices;
};
LIST_HEAD(ps_entries, ps_entry);

/* One document of a file (with what precedes it), the unit that is parsed on its own. */
struct ps_part {
	uint64_t digest;             /* of its text */
	size_t offset, size;
	uint32_t first_line;
	bool unknown;                /* something in it has no readable name: nothing may be removed */
	struct ps_diagnostics diagnostics;
	uint32_t objects;            /* entries when it had been read */
	struct ps_entries entries;
};

struct ps_file {
	char *path;
	uint64_t pass;               /* of the last walk over its directory */
	struct ps_part *part;
	uint32_t parts;
	struct ps_diagnostics trouble; /* with the whole file; meanwhile the parts are those of before */
	uint32_t errors, warnings;   /* its share of the set's */
};

struct ps_change_record {
	enum ps_change_type type;
	enum ps_kind kind;
	char *ns;                    /* one block with name and service */
	char *name;
	char *service;
};

struct ps_manifests {
	uint32_t flags;
	struct ps_file **file;       /* sorted by path */
	uint32_t files, file_room;
	struct ps_index keys;
	struct ps_index slices;
	struct ps_entries kind[PS_KINDS];
	uint32_t kind_length[PS_KINDS];
	uint64_t kind_revision[PS_KINDS];
	struct ps_entries shadowed;
	uint32_t shadows;
	uint64_t revision, pass, order;
	uint32_t errors, warnings;   /* of files; shadowed objects come on top */
	struct ps_change_record *change;
	uint32_t changes, change_room;
	bool change_overflow;
	struct ps_change *listed;    /* what ps_manifests_changes last returned */
	struct ps_arena nodes;       /* of the document being read */
};

/* entry.c */
uint64_t ps_entry_hash(const struct ps_object *object);
struct ps_entry *ps_entry_find(struct ps_manifests *set, const struct ps_object *object, uint64_t hash,
			       const struct ps_file *file, bool fresh);
int ps_entry_add(struct ps_manifests *set, struct ps_file *file, struct ps_part *part, struct ps_draft *draft,
		 struct ps_source *source);
int ps_entry_update(struct ps_manifests *set, struct ps_entry *entry, struct ps_draft *draft,
		    struct ps_source *source);
void ps_entry_remove(struct ps_manifests *set, struct ps_entry *entry);
void ps_changes_free(struct ps_manifests *set);

/* file.c */
void ps_file_free(struct ps_manifests *set, struct ps_file *file);
int ps_file_read(struct ps_manifests *set, struct ps_file *file, struct ps_source *source);
void ps_file_trouble(struct ps_manifests *set, struct ps_file *file, struct ps_place place, const char *line,
		     const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/manifest/manifest.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "control/manifest/set.h"

#define PS_MAX_DIRECTORIES 32u /* nesting */

struct ps_manifests *
ps_manifests_new(uint32_t flags)
{
	struct ps_manifests *set = calloc(1, sizeof(*set));

	if (set != NULL)
		set->flags = flags;
	return set;
}

void
ps_manifests_free(struct ps_manifests *set)
{
	uint32_t i;

	if (set == NULL)
		return;
	set->change_overflow = true; /* nobody will ask for what goes now */
	for (i = set->files; i > 0; i--)
		ps_file_free(set, set->file[i - 1]);
	ps_changes_free(set);
	ps_arena_free(&set->nodes);
	free(set->keys.bucket);
	free(set->slices.bucket);
	free(set->file);
	free(set);
}

/* ---- files ---- */

/* Copies path without trailing and doubled slashes. */
static char *
tidy(const char *path)
{
	size_t size = strlen(path), used = 0, i;
	char *copy = malloc(size + 1);

	if (copy == NULL)
		return NULL;
	for (i = 0; i < size; i++)
		if (path[i] != '/' || used == 0 || copy[used - 1] != '/')
			copy[used++] = path[i];
	if (used > 1 && copy[used - 1] == '/')
		used--;
	copy[used] = '\0';
	return copy;
}

/* Index of the file, or where it would be inserted. */
static uint32_t
find_file(const struct ps_manifests *set, const char *path, bool *found)
{
	uint32_t low = 0, high = set->files;

	*found = false;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(set->file[middle]->path, path);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The file of this path, made when there is none. path is taken over. NULL: out of memory. */
static struct ps_file *
get_file(struct ps_manifests *set, char *path)
{
	struct ps_file *file, **room;
	bool found;
	uint32_t at;

	if (path == NULL)
		return NULL;
	at = find_file(set, path, &found);
	if (found) {
		free(path);
		return set->file[at];
	}
	if (set->files == set->file_room) {
		set->file_room = set->file_room ? set->file_room * 2 : 16;
		room = realloc(set->file, set->file_room * sizeof(*room));
		if (room == NULL) {
			set->file_room = set->files;
			free(path);
			return NULL;
		}
		set->file = room;
	}
	file = calloc(1, sizeof(*file));
	if (file == NULL) {
		free(path);
		return NULL;
	}
	file->path = path;
	memmove(&set->file[at + 1], &set->file[at], (set->files - at) * sizeof(struct ps_file *));
	set->file[at] = file;
	set->files++;
	return file;
}

static void
forget_file(struct ps_manifests *set, uint32_t at)
{
	struct ps_file *file = set->file[at];

	memmove(&set->file[at], &set->file[at + 1], (set->files - at - 1) * sizeof(struct ps_file *));
	set->files--;
	ps_file_free(set, file);
}

static int
read_file(struct ps_manifests *set, struct ps_file *file)
{
	struct ps_place nowhere = {0, 0};
	struct ps_source *source;
	int rc = ps_source_read(&source, file->path);

	if (rc == -ENOMEM)
		return rc;
	if (rc == -EFBIG)
		ps_file_trouble(set, file, nowhere, NULL, "file is too large, expected at most %u MiB",
				PS_MANIFEST_MAX_FILE >> 20);
	else if (rc == -ENOTSUP)
		ps_file_trouble(set, file, nowhere, NULL, "not a regular file, expected one");
	else if (rc != 0)
		ps_file_trouble(
			set, file, nowhere, NULL, "cannot be read (%s), expected a file", strerror(-rc));
	if (rc != 0)
		return rc;
	rc = ps_file_read(set, file, source);
	ps_source_drop(source);
	return rc;
}

bool
ps_manifests_wants(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot != NULL &&
	       (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

struct place_in_tree {
	const struct place_in_tree *parent;
	dev_t dev;
	ino_t ino;
	unsigned depth;
};

static int read_directory(struct ps_manifests *set, const char *path, const struct place_in_tree *parent);

static char *
join(const char *directory, const char *name)
{
	char *path;

	return asprintf(&path, "%s%s%s", directory, strcmp(directory, "/") == 0 ? "" : "/", name) < 0 ? NULL
												      : path;
}

static int
read_name(struct ps_manifests *set, const char *directory, const struct dirent *d,
	const struct place_in_tree *here)
{
	char *path = join(directory, d->d_name);
	struct ps_file *file;
	unsigned char type = d->d_type;
	struct stat st;
	int rc;

	if (path == NULL)
		return -ENOMEM;
	if (type == DT_LNK || type == DT_UNKNOWN) {
		/* a dangling link is somebody's half-done change */
		type = stat(path, &st) != 0 ? DT_UNKNOWN : S_ISDIR(st.st_mode) ? DT_DIR : DT_REG;
	}
	if (type == DT_DIR) {
		rc = read_directory(set, path, here);
		free(path);
		return rc;
	}
	if (type != DT_REG || !ps_manifests_wants(d->d_name)) {
		free(path);
		return 0;
	}
	file = get_file(set, path);
	if (file == NULL)
		return -ENOMEM;
	file->pass = set->pass;
	rc = read_file(set, file);
	file->pass = set->pass;
	return rc == -ENOMEM ? rc : 0; /* other trouble has its diagnostic */
}

static int
visible_name(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
read_directory(struct ps_manifests *set, const char *path, const struct place_in_tree *parent)
{
	struct place_in_tree here = {.parent = parent, .depth = parent ? parent->depth + 1 : 0};
	const struct place_in_tree *up;
	struct dirent **name = NULL;
	struct stat st;
	int names, i, rc = 0;

	if (stat(path, &st) != 0)
		return -errno;
	here.dev = st.st_dev;
	here.ino = st.st_ino;
	for (up = parent; up != NULL; up = up->parent)
		if (up->dev == here.dev && up->ino == here.ino)
			return 0;
	if (here.depth > PS_MAX_DIRECTORIES)
		return 0;
	names = scandir(path, &name, visible_name, by_name);
	if (names < 0)
		return -errno;
	for (i = 0; i < names; i++) {
		if (rc == 0)
			rc = read_name(set, path, name[i], &here);
		free(name[i]);
	}
	free(name);
	return rc;
}

/* Is path below directory? */
static bool
is_below(const char *path, const char *directory)
{
	size_t size = strlen(directory);

	if (strcmp(directory, "/") == 0)
		return path[0] == '/';
	return strncmp(path, directory, size) == 0 && path[size] == '/';
}

static int
add_directory(struct ps_manifests *set, const char *path)
{
	uint64_t before = ++set->pass;
	uint32_t i;
	int rc = read_directory(set, path, NULL);

	if (rc != 0)
		return rc;
	for (i = set->files; i > 0; i--)
		if (set->file[i - 1]->pass < before && is_below(set->file[i - 1]->path, path))
			forget_file(set, i - 1);
	return 0;
}

int
ps_manifests_add(struct ps_manifests *set, const char *path)
{
	char *name = tidy(path);
	struct ps_file *file;
	struct stat st;
	int rc;

	if (name == NULL)
		return -ENOMEM;
	if (stat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
		rc = add_directory(set, name);
		if (rc == 0 || rc == -ENOMEM) {
			free(name);
			return rc;
		}
	}
	file = get_file(set, name);
	return file != NULL ? read_file(set, file) : -ENOMEM;
}

int
ps_manifests_add_text(struct ps_manifests *set, const char *path, const char *text, size_t size)
{
	struct ps_file *file = get_file(set, tidy(path));
	struct ps_source *source;
	char *copy;
	int rc;

	if (file == NULL)
		return -ENOMEM;
	if (size > PS_MANIFEST_MAX_FILE) {
		ps_file_trouble(set, file, (struct ps_place){0, 0}, NULL,
			"file is too large, expected at most %u MiB", PS_MANIFEST_MAX_FILE >> 20);
		return -EFBIG;
	}
	copy = malloc(size + 1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, size);
	copy[size] = '\0';
	rc = ps_source_new(&source, path, copy, size);
	if (rc != 0) {
		free(copy);
		return rc;
	}
	rc = ps_file_read(set, file, source);
	ps_source_drop(source);
	return rc;
}

int
ps_manifests_refresh(struct ps_manifests *set, const char *path)
{
	char *name = tidy(path);
	struct stat st;
	struct ps_file *file;

	if (name == NULL)
		return -ENOMEM;
	if (stat(name, &st) != 0) {
		int rc = -errno;

		free(name);
		return rc;
	}
	file = get_file(set, name);
	return file != NULL ? read_file(set, file) : -ENOMEM;
}

int
ps_manifests_remove(struct ps_manifests *set, const char *path)
{
	char *name = tidy(path);
	uint32_t i;
	int rc = -ENOENT;

	if (name == NULL)
		return -ENOMEM;
	for (i = set->files; i > 0; i--) {
		if (strcmp(set->file[i - 1]->path, name) != 0 && !is_below(set->file[i - 1]->path, name))
			continue;
		forget_file(set, i - 1);
		rc = 0;
	}
	free(name);
	return rc;
}

/* ---- questions ---- */

uint64_t
ps_manifests_revision(const struct ps_manifests *set)
{
	return set->revision;
}

uint64_t
ps_manifests_kind_revision(const struct ps_manifests *set, enum ps_kind kind)
{
	return kind < PS_KINDS ? set->kind_revision[kind] : 0;
}

uint32_t
ps_manifests_length(const struct ps_manifests *set, enum ps_kind kind)
{
	return kind < PS_KINDS ? set->kind_length[kind] : 0;
}

uint32_t
ps_manifests_files(const struct ps_manifests *set)
{
	return set->files;
}

const char *
ps_manifests_file(const struct ps_manifests *set, uint32_t index)
{
	return index < set->files ? set->file[index]->path : NULL;
}

void
ps_manifests_counts(const struct ps_manifests *set, uint32_t *errors, uint32_t *warnings)
{
	*errors = set->errors + set->shadows;
	*warnings = set->warnings;
}

static int
report_shadowed(const struct ps_manifests *set, struct ps_diagnostics *out)
{
	const struct ps_object *first;
	struct ps_entry *e;
	int rc = 0;

	LIST_FOREACH (e, &set->shadowed, peers) {
		const struct ps_object *o = &e->object;

		first = ps_manifests_find(set, o->kind, o->ns, o->name);
		if (first != NULL && rc == 0)
			rc = ps_object_diagnose(o, out, PS_ERROR, o->name_place,
				"%s %s%s%s is defined in %s line %u too, expected it once; that one counts",
				o->kind_name, o->ns, o->ns[0] ? "/" : "", o->name, first->file,
				first->name_place.line);
	}
	return rc;
}

int
ps_manifests_diagnostics(struct ps_manifests *set, struct ps_diagnostics *out)
{
	uint32_t i, j;
	int rc = 0;

	for (i = 0; i < set->files && rc == 0; i++) {
		const struct ps_file *file = set->file[i];

		if (file->trouble.length != 0) {
			rc = ps_diagnostics_append(out, &file->trouble);
			continue;
		}
		for (j = 0; j < file->parts && rc == 0; j++)
			rc = ps_diagnostics_append(out, &file->part[j].diagnostics);
	}
	if (rc == 0)
		rc = report_shadowed(set, out);
	ps_diagnostics_sort(out);
	return rc;
}

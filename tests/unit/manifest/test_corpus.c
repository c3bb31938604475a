/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_corpus DIRECTORY [--write]
 *
 * tests/manifests/broken: each NNN-name.yaml gives exactly the diagnostics in NNN-name.expected. A file whose
 * first line is "# strict" is read as with --strict. --write writes what is expected, for reading over.
 * tests/manifests/good: each file gives none.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "control/manifest/manifest.h"

static char *
read_text(const char *path, size_t *size)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	long end;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (end = ftell(f)) >= 0) {
		rewind(f);
		text = malloc((size_t)end + 1);
		if (text != NULL) {
			*size = fread(text, 1, (size_t)end, f);
			text[*size] = '\0';
		}
	}
	fclose(f);
	return text;
}

static char *
diagnose(const char *name, const char *text, size_t size)
{
	uint32_t flags = strncmp(text, "# strict\n", 9) == 0 ? PS_MANIFESTS_STRICT : 0, errors, warnings;
	struct ps_manifests *set = ps_manifests_new(flags);
	struct ps_diagnostics list = {0};
	char *out = NULL;
	size_t out_size;
	FILE *f = open_memstream(&out, &out_size);

	if (set == NULL || f == NULL || ps_manifests_add_text(set, name, text, size) != 0 ||
	    ps_manifests_diagnostics(set, &list) != 0)
		abort();
	ps_manifests_counts(set, &errors, &warnings);
	if (errors != list.errors || warnings != list.warnings)
		fprintf(f, "counts differ: %u %u, listed %u %u\n", errors, warnings, list.errors,
			list.warnings);
	ps_diagnostics_print(&list, f);
	fclose(f);
	ps_diagnostics_clear(&list);
	ps_manifests_free(set);
	return out;
}

static int
is_yaml(const struct dirent *d)
{
	return ps_manifests_wants(d->d_name);
}

int
main(int argc, char **argv)
{
	bool write = argc == 3 && strcmp(argv[2], "--write") == 0;
	unsigned failed = 0, cases = 0;
	struct dirent **name;
	char path[4096], expected_path[4096];
	int pass, i, names;

	if (argc < 2) {
		fputs("usage: test_corpus DIRECTORY [--write]\n", stderr);
		return 2;
	}
	for (pass = 0; pass < 2; pass++) {
		snprintf(path, sizeof(path), "%s/%s", argv[1], pass == 0 ? "broken" : "good");
		names = scandir(path, &name, is_yaml, alphasort);
		if (names <= 0) {
			fprintf(stderr, "%s: no cases\n", path);
			return 1;
		}
		for (i = 0; i < names; i++, cases++) {
			size_t size = 0, expected_size = 0;
			char *text, *found, *expected = NULL;
			bool good;

			snprintf(path, sizeof(path), "%s/%s/%s", argv[1], pass == 0 ? "broken" : "good",
				name[i]->d_name);
			text = read_text(path, &size);
			if (text == NULL)
				abort();
			found = diagnose(name[i]->d_name, text, size);
			snprintf(expected_path, sizeof(expected_path), "%.*s.expected",
				(int)(strrchr(path, '.') - path), path);
			if (pass == 0 && write) {
				FILE *f = fopen(expected_path, "we");

				if (f == NULL)
					abort();
				fputs(found, f);
				fclose(f);
			}
			if (pass == 0)
				expected = read_text(expected_path, &expected_size);
			good = strcmp(found, expected ? expected : "") == 0 &&
			       (pass == 1 || found[0] != '\0');
			printf("%s %s\n", good ? "ok    " : "FAILED", name[i]->d_name);
			if (!good) {
				failed++;
				printf("--- expected\n%s--- found\n%s", expected ? expected : "", found);
			}
			free(text);
			free(found);
			free(expected);
			free(name[i]);
		}
		free(name);
	}
	printf("%u cases, %u failed\n", cases, failed);
	return failed != 0;
}

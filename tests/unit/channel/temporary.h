/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of a test's own, removed with its files afterwards. */
#ifndef PS_TEST_TEMPORARY_H
#define PS_TEST_TEMPORARY_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline char *
temporary_new(void)
{
	char *dir = strdup("/tmp/penstock-test-XXXXXX");

	if (dir == NULL || mkdtemp(dir) == NULL)
		abort();
	return dir;
}

static inline void
temporary_free(char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(dir);
	free(dir);
}

#endif

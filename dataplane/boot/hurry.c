/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While a gateway starts, its traffic waits; a quarter of a second of work takes a second where others want the CPUs
 * too. So a start goes before them, and every thread made meanwhile goes back to its place when packets flow.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "dataplane/boot/process.h"

#define START_NICE (-15)

static int usual;
static bool hurried;

void
ps_hurry_begin(void)
{
	errno = 0;
	usual = getpriority(PRIO_PROCESS, 0);
	if (errno != 0 || usual <= START_NICE)
		return;
	hurried = setpriority(PRIO_PROCESS, 0, START_NICE) == 0; /* without CAP_SYS_NICE: then not */
}

void
ps_hurry_end(void)
{
	DIR *tasks = hurried ? opendir("/proc/self/task") : NULL;
	const struct dirent *e;

	if (tasks == NULL)
		return;
	while ((e = readdir(tasks)) != NULL)
		if (e->d_name[0] != '.')
			setpriority(PRIO_PROCESS, (id_t)strtoul(e->d_name, NULL, 10), usual);
	closedir(tasks);
	hurried = false;
}

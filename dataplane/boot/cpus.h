/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which CPUs main and workers run on. A choice that cannot be kept is refused with a reason; one that costs
 * speed is told.
 */
#ifndef PS_BOOT_CPUS_H
#define PS_BOOT_CPUS_H

#include <sched.h>

#include "dataplane/api/snapshot.h"

struct ps_cpus {
	char lcores[8192]; /* EAL's --lcores: lcore 0 is main, lcore 1 + w is worker w */
	bool crowded;      /* more threads than CPUs: workers must sleep when idle */
	char note[256];    /* "" or what the operator should know */
};

/*
 * allowed: CPUs that the process may use. 0, or -EINVAL with a reason: a CPU that is not allowed, two
 * workers on one CPU, or more workers that poll without rest than there are CPUs. Pure.
 */
int ps_cpus_choose(struct ps_cpus *cpus, const struct ps_boot *boot, const cpu_set_t *allowed, char *why,
		   size_t why_size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/boot/cpus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "0-3,8" */
static void
print_set(const cpu_set_t *set, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int last = cpu;

		if (!CPU_ISSET(cpu, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		used += (size_t)snprintf(out + used, size - used, last > cpu ? "%s%d-%d" : "%s%d", used ? "," : "", cpu,
					 last);
		if (used >= size)
			return;
		cpu = last;
	}
}

static int
check_cpu(const char *who, uint32_t cpu, const cpu_set_t *allowed, char *why, size_t why_size)
{
	char set[256];

	if (cpu == PS_NONE || (cpu < CPU_SETSIZE && CPU_ISSET(cpu, allowed)))
		return 0;
	print_set(allowed, set, sizeof(set));
	snprintf(why, why_size, "%s: CPU %u is not among those this process may use (%s)", who, cpu, set);
	return -EINVAL;
}

int
ps_cpus_choose(struct ps_cpus *cpus, const struct ps_boot *boot, const cpu_set_t *allowed, char *why,
	       size_t why_size)
{
	uint32_t owner[CPU_SETSIZE], pinned = 0, count = (uint32_t)CPU_COUNT(allowed);
	cpu_set_t left = *allowed;
	char who[32], set[512];
	size_t used;
	int rc;

	memset(cpus, 0, sizeof(*cpus));
	memset(owner, 0xff, sizeof(owner));
	rc = check_cpu("main", boot->main_cpu, allowed, why, why_size);
	for (uint32_t w = 0; rc == 0 && w < boot->workers; w++) {
		uint32_t cpu = boot->worker_cpu[w];

		snprintf(who, sizeof(who), "worker %u", w);
		rc = check_cpu(who, cpu, allowed, why, why_size);
		if (rc != 0 || cpu == PS_NONE)
			continue;
		if (owner[cpu] != PS_NONE) {
			snprintf(why, why_size, "workers %u and %u are both on CPU %u", owner[cpu], w, cpu);
			return -EINVAL;
		}
		owner[cpu] = w;
		pinned++;
		CPU_CLR(cpu, &left);
	}
	if (rc != 0)
		return rc;
	cpus->crowded = boot->workers > count;
	if (cpus->crowded && boot->idle == PS_IDLE_POLL) {
		snprintf(why, why_size, "%u workers that poll without rest on %u CPUs", boot->workers, count);
		return -EINVAL;
	}
	if (cpus->crowded)
		snprintf(cpus->note, sizeof(cpus->note), "%u workers share %u CPUs: each gets a part of one", boot->workers,
			 count);
	else if (boot->main_cpu != PS_NONE && owner[boot->main_cpu] != PS_NONE)
		snprintf(cpus->note, sizeof(cpus->note), "main and worker %u share CPU %u: housekeeping interrupts packets",
			 owner[boot->main_cpu], boot->main_cpu);
	else if (pinned == count)
		snprintf(cpus->note, sizeof(cpus->note), "every CPU has a worker: housekeeping interrupts packets");

	/* Whoever is not pinned stays off the CPUs of pinned workers, where there are others. */
	print_set(CPU_COUNT(&left) != 0 ? &left : allowed, set, sizeof(set));
	if (boot->main_cpu != PS_NONE)
		used = (size_t)snprintf(cpus->lcores, sizeof(cpus->lcores), "0@%u", boot->main_cpu);
	else
		used = (size_t)snprintf(cpus->lcores, sizeof(cpus->lcores), "0@(%s)", set);
	for (uint32_t w = 0; w < boot->workers && used < sizeof(cpus->lcores); w++) {
		if (boot->worker_cpu[w] != PS_NONE)
			used += (size_t)snprintf(cpus->lcores + used, sizeof(cpus->lcores) - used, ",%u@%u", w + 1,
						 boot->worker_cpu[w]);
		else
			used += (size_t)snprintf(cpus->lcores + used, sizeof(cpus->lcores) - used, ",%u@(%s)", w + 1,
						 set);
	}
	if (used >= sizeof(cpus->lcores)) {
		snprintf(why, why_size, "too many CPUs to name");
		return -EINVAL;
	}
	return 0;
}

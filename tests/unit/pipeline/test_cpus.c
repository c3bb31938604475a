/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs that cannot be kept are refused, costly choices are told, lcores come out as EAL wants them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "dataplane/boot/cpus.h"

static struct ps_cpus cpus;
static char why[200];

static int
choose(uint32_t workers, uint32_t main_cpu, const uint32_t *worker_cpu, uint32_t idle, uint32_t first, uint32_t last)
{
	struct ps_boot boot = {.workers = workers, .main_cpu = main_cpu, .idle = idle};
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	for (uint32_t i = first; i <= last; i++)
		CPU_SET(i, &allowed);
	memset(boot.worker_cpu, 0xff, sizeof(boot.worker_cpu));
	for (uint32_t i = 0; worker_cpu != NULL && i < workers; i++)
		boot.worker_cpu[i] = worker_cpu[i];
	why[0] = '\0';
	return ps_cpus_choose(&cpus, &boot, &allowed, why, sizeof(why));
}

static void
lcores_come_out(void **state)
{
	assert_int_equal(choose(1, PS_NONE, NULL, PS_IDLE_AUTO, 0, 3), 0);
	assert_string_equal(cpus.lcores, "0@(0-3),1@(0-3)");
	assert_string_equal(cpus.note, "");
	assert_int_equal(choose(2, 0, (uint32_t[]){2, 3}, PS_IDLE_POLL, 0, 3), 0);
	assert_string_equal(cpus.lcores, "0@0,1@2,2@3");
	/* The unpinned stay off the pinned. */
	assert_int_equal(choose(2, PS_NONE, (uint32_t[]){2, PS_NONE}, PS_IDLE_AUTO, 0, 3), 0);
	assert_string_equal(cpus.lcores, "0@(0-1,3),1@2,2@(0-1,3)");
}

static void
impossible_is_refused(void **state)
{
	assert_int_equal(choose(1, PS_NONE, (uint32_t[]){4}, PS_IDLE_AUTO, 0, 3), -EINVAL);
	assert_string_equal(why, "worker 0: CPU 4 is not among those this process may use (0-3)");
	assert_int_equal(choose(1, 0, NULL, PS_IDLE_AUTO, 1, 3), -EINVAL);
	assert_string_equal(why, "main: CPU 0 is not among those this process may use (1-3)");
	assert_int_equal(choose(2, PS_NONE, (uint32_t[]){1, 1}, PS_IDLE_AUTO, 0, 3), -EINVAL);
	assert_string_equal(why, "workers 0 and 1 are both on CPU 1");
	assert_int_equal(choose(3, PS_NONE, NULL, PS_IDLE_POLL, 0, 1), -EINVAL);
	assert_string_equal(why, "3 workers that poll without rest on 2 CPUs");
	assert_int_equal(choose(1, PS_NONE, (uint32_t[]){4095}, PS_IDLE_AUTO, 0, 3), -EINVAL);
}

static void
costly_is_told(void **state)
{
	assert_int_equal(choose(3, PS_NONE, NULL, PS_IDLE_AUTO, 0, 1), 0);
	assert_true(cpus.crowded);
	assert_non_null(strstr(cpus.note, "share 2 CPUs"));
	assert_int_equal(choose(1, 1, (uint32_t[]){1}, PS_IDLE_AUTO, 0, 3), 0);
	assert_non_null(strstr(cpus.note, "main and worker 0 share CPU 1"));
	assert_int_equal(choose(2, PS_NONE, (uint32_t[]){0, 1}, PS_IDLE_AUTO, 0, 1), 0);
	assert_non_null(strstr(cpus.note, "every CPU has a worker"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lcores_come_out),
		cmocka_unit_test(impossible_is_refused),
		cmocka_unit_test(costly_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "perf/loadgen/run.h"

static struct ps_engine *running;

static void
stop_running(int signal_number)
{
	(void)signal_number;
	running->stop = true;
}

int
main(int argc, char **argv)
{
	struct ps_config config;
	struct ps_result *result = NULL;
	enum ps_exit_code code = PS_CODE_SETUP;
	int rc;

	rc = ps_config_parse(&config, argc, argv);
	if (rc != 0)
		return rc > 0 ? PS_CODE_OK : PS_CODE_USAGE;
	running = aligned_alloc(64, (sizeof(*running) + 63) & ~63ul);
	result = calloc(1, sizeof(*result));
	if (running == NULL || result == NULL) {
		fprintf(stderr, "penstock-loadgen: no memory\n");
		return PS_CODE_SETUP;
	}
	memset(running, 0, sizeof(*running));
	signal(SIGINT, stop_running);
	signal(SIGTERM, stop_running);
	if (ps_eal_start(&config, argv[0]) < 0)
		return PS_CODE_SETUP;
	if (ps_engine_init(running, &config) < 0) {
		fprintf(stderr, "penstock-loadgen: no memory for %u flows\n", config.flows);
		goto out;
	}
	running->hz = (double)rte_get_tsc_hz();
	running->backoff = (uint64_t)(config.backoff * running->hz);
	running->client_port = &running->port[0];
	running->backend_port = &running->port[config.ports - 1];
	if (ps_ports_start(&config, running->port, &running->pool, config.link_wait, &running->stop) < 0) {
		code = running->stop ? PS_CODE_INTERRUPTED : PS_CODE_SETUP;
		goto out;
	}
	code = ps_run(running, result);
	if (code != PS_CODE_SETUP && !(code == PS_CODE_INTERRUPTED && !result->interrupted)) {
		if (!config.quiet)
			ps_report_text(running, result);
		if (config.json != NULL && ps_report_json(running, result, code) < 0)
			code = PS_CODE_SETUP;
	}
out:
	ps_ports_stop(&config, running->port);
	ps_engine_fini(running);
	free(running);
	free(result);
	return code;
}

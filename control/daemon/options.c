/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/api/abi.h"

static const char usage[] =
	"Usage: penstockd -f PATH [-f PATH]... [OPTION]...\n"
	"\n"
	"The control plane of Penstock: reads manifests, watches them, and gives the dataplane what they mean.\n"
	"\n"
	"  -f, --filename PATH      manifests: a file, or a directory with all below it; may be repeated\n"
	"      --runtime-dir DIR    sockets and shared state; default " PS_RUNTIME_DIR "\n"
	"      --state-dir DIR      what outlives a reboot: the last valid snapshot; default " PS_STATE_DIR "\n"
	"      --adopt CONTROLLER   serve GatewayClasses of this controllerName too; may be repeated\n"
	"      --strict             treat warnings as errors: fields that change nothing yet, kinds not served\n"
	"      --admin ADDR:PORT    metrics and read-only API there, whatever the Dataplane document says; none: nowhere\n"
	"      --user USER          become this user when everything is open; default penstock if there is such a\n"
	"                           user, else nobody; root: stay\n"
	"      --log-level LEVEL    error, warning, info (default) or debug\n"
	"  -h, --help               show this help\n"
	"      --version            show the version\n"
	"\n"
	"SIGHUP reads all manifests again; SIGTERM and SIGINT stop. See penstockd(8).\n";

static int
list_add(const char ***list, uint32_t *length, const char *text)
{
	const char **grown = realloc(*list, (*length + 1) * sizeof(*grown));

	if (grown == NULL)
		return -1;
	grown[(*length)++] = text;
	*list = grown;
	return 0;
}

int
ps_options_parse(struct ps_options *o, int argc, char **argv, int *exit_code)
{
	enum { RUNTIME = 256, STATE, ADOPT, STRICT, ADMIN, USER, LEVEL, VERSION };
	static const struct option longs[] = {
		{"filename", required_argument, NULL, 'f'},   {"runtime-dir", required_argument, NULL, RUNTIME},
		{"state-dir", required_argument, NULL, STATE}, {"adopt", required_argument, NULL, ADOPT},
		{"strict", no_argument, NULL, STRICT},         {"admin", required_argument, NULL, ADMIN},
		{"user", required_argument, NULL, USER},       {"log-level", required_argument, NULL, LEVEL},
		{"help", no_argument, NULL, 'h'},              {"version", no_argument, NULL, VERSION},
		{NULL, 0, NULL, 0},
	};
	int c;

	*o = (struct ps_options){
		.runtime_dir = PS_RUNTIME_DIR, .state_dir = PS_STATE_DIR, .log_level = PS_LOG_INFO};
	*exit_code = 2;
	while ((c = getopt_long(argc, argv, "f:h", longs, NULL)) != -1) {
		switch (c) {
		case 'f':
			if (list_add(&o->path, &o->paths, optarg) != 0)
				return 1;
			break;
		case RUNTIME:
			o->runtime_dir = optarg;
			break;
		case STATE:
			o->state_dir = optarg;
			break;
		case ADOPT:
			if (list_add(&o->adopt, &o->adopts, optarg) != 0)
				return 1;
			break;
		case STRICT:
			o->strict = true;
			break;
		case ADMIN:
			o->admin = optarg;
			break;
		case USER:
			o->user = optarg;
			break;
		case LEVEL:
			if (ps_log_level_parse(optarg, &o->log_level) != 0) {
				fprintf(stderr, "penstockd: --log-level %s: expected error, warning, info or debug\n", optarg);
				return 1;
			}
			break;
		case 'h':
			fputs(usage, stdout);
			*exit_code = 0;
			return 1;
		case VERSION:
			printf("penstockd %s (ABI %u)\n", PS_VERSION, PS_ABI);
			*exit_code = 0;
			return 1;
		default:
			fprintf(stderr, "Try 'penstockd --help'.\n");
			return 1;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "penstockd: unexpected argument %s: manifests are named with -f\n", argv[optind]);
		return 1;
	}
	if (o->paths == 0) {
		fprintf(stderr, "penstockd: no manifests: name a file or directory with -f\n");
		return 1;
	}
	return 0;
}

void
ps_options_free(struct ps_options *o)
{
	free(o->path);
	free(o->adopt);
}

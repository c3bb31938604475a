/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of Penstock. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/command.h"
#include "control/cli/verbs.h"

static enum ps_cli_status
unknown_command(const char *name)
{
	const struct ps_command *near = ps_command_near(name);

	fprintf(stderr, "penstock: there is no command \"%s\"%s%s%s; try: penstock help\n", name,
		near != NULL ? ", did you mean " : "", near != NULL ? near->name : "",
		near != NULL ? "?" : "");
	return PS_CLI_USAGE;
}

/* `penstock --runtime-dir D get x` reads as `penstock get x --runtime-dir D`. Returns the command's index in
 * argv. */
static int
find_command(int argc, char **argv)
{
	int at = 1;

	while (at < argc && argv[at][0] == '-') {
		bool valued = strcmp(argv[at], "--runtime-dir") == 0 || strcmp(argv[at], "--color") == 0;

		if (!valued && strncmp(argv[at], "--runtime-dir=", 14) != 0 &&
			strncmp(argv[at], "--color=", 8) != 0)
			break;
		at += valued ? 2 : 1;
	}
	return at;
}

/* The command first, then the options that stood before it. */
static void
command_first(char **argv, int at)
{
	char *command = argv[at];

	memmove(&argv[2], &argv[1], (size_t)(at - 1) * sizeof(*argv));
	argv[1] = command;
}

int
main(int argc, char **argv)
{
	const struct ps_command *command;
	enum ps_cli_status status;
	struct ps_invocation inv;
	char why[512] = "";
	int at, rc;

	setlocale(LC_CTYPE, "");
	at = find_command(argc, argv);
	if (at >= argc) {
		ps_help_all(stderr);
		return PS_CLI_USAGE;
	}
	if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0) {
		ps_help_all(stdout);
		return PS_CLI_OK;
	}
	command = ps_command_find(strcmp(argv[at], "--version") == 0 ? "version" : argv[at]);
	if (command == NULL)
		return unknown_command(argv[at]);
	command_first(argv, at);
	rc = ps_invocation_parse(&inv, command, argc - 1, argv + 1, why, sizeof(why));
	if (rc == 1) {
		ps_help_command(stdout, command);
		status = PS_CLI_OK;
	} else if (rc < 0) {
		status = ps_usage_error(&inv, "%s", why[0] != '\0' ? why : "out of memory");
	} else {
		status = command->run(&inv);
	}
	ps_invocation_clear(&inv);
	if (fflush(stdout) != 0 || ferror(stdout))
		return PS_CLI_FAILED;
	return status;
}

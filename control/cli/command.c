/* SPDX-License-Identifier: Apache-2.0 */
/* From the command table to a parsed command line. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/command.h"

#define MAX_OPTIONS 48
#define FIRST_LONG_ONLY 256 /* getopt values of options without letter, above every char */

const struct ps_command *
ps_command_find(const char *name)
{
	for (size_t i = 0; i < ps_commands_length; i++) {
		if (strcmp(ps_commands[i].name, name) == 0)
			return &ps_commands[i];
	}
	return NULL;
}

/* Levenshtein distance, bounded words. */
static unsigned int
distance(const char *a, const char *b)
{
	unsigned int row[33];
	size_t la = strnlen(a, 32), lb = strnlen(b, 32);

	for (size_t j = 0; j <= lb; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= lb; j++) {
			unsigned int best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[lb];
}

const struct ps_command *
ps_command_near(const char *name)
{
	const struct ps_command *near = NULL;
	unsigned int least = 3;

	for (size_t i = 0; i < ps_commands_length; i++) {
		unsigned int d = ps_commands[i].hidden ? 99 : distance(name, ps_commands[i].name);

		if (d < least) {
			least = d;
			near = &ps_commands[i];
		}
	}
	return near;
}

const struct ps_option *
ps_command_option(const struct ps_command *command, size_t index)
{
	const struct ps_option *lists[] = {
		command->options, command->json ? ps_json_option : NULL, ps_global_options};

	for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
		for (const struct ps_option *o = lists[l]; o != NULL && o->name != NULL; o++) {
			if (index-- == 0)
				return o;
		}
	}
	return NULL;
}

static bool
choice_valid(const char *choices, const char *value)
{
	size_t length = strlen(value);

	for (const char *c = choices; c != NULL; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL) {
		if (strncmp(c, value, length) == 0 && (c[length] == '|' || c[length] == '\0'))
			return length > 0;
	}
	return false;
}

static int
number_parse(const struct ps_option *o, const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || *value < o->min || *value > o->max)
		return -EINVAL;
	return 0;
}

static int
value_check(const struct ps_option *o, const char *value, char *why, size_t why_size)
{
	uint64_t number;

	if (o->type == PS_OPT_CHOICE && !choice_valid(o->choices, value)) {
		snprintf(why, why_size, "--%s: \"%s\" is none of %s", o->name, value, o->choices);
		return -EINVAL;
	}
	if (o->type == PS_OPT_NUMBER && number_parse(o, value, &number) < 0) {
		snprintf(why, why_size, "--%s: \"%s\" is no number from %llu to %llu", o->name, value,
			(unsigned long long)o->min, (unsigned long long)o->max);
		return -EINVAL;
	}
	if (o->type != PS_OPT_FLAG && value[0] == '\0') {
		snprintf(why, why_size, "--%s: the value is empty", o->name);
		return -EINVAL;
	}
	return 0;
}

static int
value_add(struct ps_invocation *inv, const struct ps_option *o, const char *value)
{
	struct ps_value *values = realloc(inv->values, (inv->values_length + 1) * sizeof(*values));

	if (values == NULL)
		return -ENOMEM;
	inv->values = values;
	values[inv->values_length++] = (struct ps_value){.option = o, .value = value};
	return 0;
}

static bool
color_wanted(const struct ps_invocation *inv)
{
	const char *color = ps_opt(inv, "color"), *term = getenv("TERM");

	if (color != NULL && strcmp(color, "always") == 0)
		return true;
	if (color != NULL && strcmp(color, "never") == 0)
		return false;
	return getenv("NO_COLOR") == NULL && term != NULL && strcmp(term, "dumb") != 0 &&
	       isatty(STDOUT_FILENO);
}

int
ps_invocation_parse(struct ps_invocation *inv, const struct ps_command *command, int argc, char **argv,
	char *why, size_t why_size)
{
	struct option longs[MAX_OPTIONS + 1];
	char shorts[2 * MAX_OPTIONS + 2] = ":";
	size_t shorts_length = 1;
	const struct ps_option *o;
	int got, at, rc;

	*inv = (struct ps_invocation){.command = command, .out = stdout};
	memset(longs, 0, sizeof(longs));
	for (size_t i = 0; i < MAX_OPTIONS && (o = ps_command_option(command, i)) != NULL; i++) {
		longs[i] = (struct option){.name = o->name,
			.has_arg = o->type == PS_OPT_FLAG ? no_argument : required_argument,
			.val = FIRST_LONG_ONLY + (int)i};
		if (o->letter != 0) {
			shorts[shorts_length++] = o->letter;
			if (o->type != PS_OPT_FLAG)
				shorts[shorts_length++] = ':';
		}
	}
	shorts[shorts_length] = '\0';

	optind = 0; /* glibc: begin anew, also after another parse */
	opterr = 0;
	for (;;) {
		at = optind == 0 ? 1 : optind;
		got = getopt_long(argc, argv, shorts, longs, NULL);
		if (got == -1)
			break;
		if (got == ':') {
			snprintf(why, why_size, "%s needs a value", argv[optind - 1]);
			return -EINVAL;
		}
		if (got == '?') {
			if (optopt >= FIRST_LONG_ONLY)
				snprintf(why, why_size, "%s takes no value", argv[at < argc ? at : argc - 1]);
			else if (optopt != 0)
				snprintf(why, why_size, "unknown option -%c", optopt);
			else
				snprintf(why, why_size, "unknown option %s", argv[optind - 1]);
			return -EINVAL;
		}
		o = NULL;
		if (got >= FIRST_LONG_ONLY) {
			o = ps_command_option(command, (size_t)(got - FIRST_LONG_ONLY));
		} else {
			for (size_t i = 0; (o = ps_command_option(command, i)) != NULL && o->letter != got;
				i++)
				;
		}
		if (o == NULL)
			return -EINVAL;
		if (strcmp(o->name, "help") == 0)
			return 1;
		rc = value_check(o, optarg != NULL ? optarg : "", why, why_size);
		if (rc == 0)
			rc = value_add(inv, o, optarg != NULL ? optarg : "");
		if (rc < 0)
			return rc;
	}
	inv->arguments = argv + optind;
	inv->arguments_length = (unsigned int)(argc - optind);
	inv->color = color_wanted(inv);
	if (inv->arguments_length < command->min_arguments) {
		snprintf(why, why_size, "expected %s", command->usage);
		return -EINVAL;
	}
	if (inv->arguments_length > command->max_arguments) {
		snprintf(why, why_size, "unexpected argument \"%s\"", inv->arguments[command->max_arguments]);
		return -EINVAL;
	}
	if (command->arguments == PS_ARGS_WORD && inv->arguments_length > 0 &&
		!choice_valid(command->argument_choices, inv->arguments[0])) {
		snprintf(why, why_size, "\"%s\" is none of %s", inv->arguments[0], command->argument_choices);
		return -EINVAL;
	}
	return 0;
}

void
ps_invocation_clear(struct ps_invocation *inv)
{
	free(inv->values);
	inv->values = NULL;
	inv->values_length = 0;
}

const char *
ps_opt(const struct ps_invocation *inv, const char *name)
{
	const struct ps_option *o;

	for (size_t i = inv->values_length; i-- > 0;) {
		if (strcmp(inv->values[i].option->name, name) == 0)
			return inv->values[i].value;
	}
	for (size_t i = 0; (o = ps_command_option(inv->command, i)) != NULL; i++) {
		if (strcmp(o->name, name) == 0)
			return o->fallback;
	}
	return NULL;
}

bool
ps_opt_given(const struct ps_invocation *inv, const char *name)
{
	return ps_opt_at(inv, name, 0) != NULL;
}

uint64_t
ps_opt_number(const struct ps_invocation *inv, const char *name)
{
	const char *text = ps_opt(inv, name);

	return text != NULL ? strtoull(text, NULL, 10) : 0; /* checked when parsed */
}

const char *
ps_opt_at(const struct ps_invocation *inv, const char *name, size_t index)
{
	for (size_t i = 0; i < inv->values_length; i++) {
		if (strcmp(inv->values[i].option->name, name) == 0 && index-- == 0)
			return inv->values[i].value;
	}
	return NULL;
}

enum ps_cli_status
ps_usage_error(const struct ps_invocation *inv, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "penstock %s: ", inv->command->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry: penstock help %s\n", inv->command->name);
	return PS_CLI_USAGE;
}

enum ps_cli_status
ps_fail(const char *format, ...)
{
	va_list args;

	fputs("penstock: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return PS_CLI_FAILED;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* --help, the list of commands, and small commands about the program itself. */
#include <stdlib.h>
#include <string.h>

#include "control/cli/kinds.h"
#include "control/cli/verbs.h"
#include "control/manifest/manifest.h"

#define TEXT_WIDTH 96u

/* Paragraphs, broken between words. */
static void
wrap(FILE *out, const char *text, unsigned int indent)
{
	unsigned int at = 0;

	while (*text != '\0') {
		size_t word = strcspn(text, " \n");

		if (at > 0 && at + 1 + word > TEXT_WIDTH - indent) {
			fputc('\n', out);
			at = 0;
		}
		at += (unsigned int)fprintf(out, "%*s%.*s", at == 0 ? (int)indent : 1, "", (int)word, text) -
		      (at == 0 ? indent : 0);
		text += word;
		if (text[0] == '\n' && text[1] == '\n') {
			fputs("\n\n", out);
			at = 0;
		}
		text += strspn(text, " \n");
	}
	fputc('\n', out);
}

void
ps_help_all(FILE *out)
{
	const char *group = "";

	fprintf(out, "usage: penstock COMMAND [OPTION ...]\n\nPenstock balances TCP and UDP at line rate "
		     "from Kubernetes manifests.\n");
	for (size_t i = 0; i < ps_commands_length; i++) {
		const struct ps_command *c = &ps_commands[i];

		if (c->hidden)
			continue;
		if (strcmp(group, c->group) != 0)
			fprintf(out, "\n%s:\n", c->group);
		group = c->group;
		fprintf(out, "  %-12s%s\n", c->name, c->summary);
	}
	fprintf(out, "\nHelp on a command: penstock help COMMAND. First steps: penstock run -f manifests/\n"
		     "Exit codes: 0 done, 1 failed or found problems, 2 wrong usage, 3 not running, 4 not "
		     "found.\n");
}

static void
help_option(FILE *out, const struct ps_option *o)
{
	char left[128], letter[8] = "    ";

	if (o->letter != 0)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->value != NULL ? " " : "",
		o->value != NULL ? o->value : "");
	fprintf(out, "  %-34s%s%s", left, strlen(left) > 33 ? "\n                                    " : "",
		o->help);
	if (o->type == PS_OPT_CHOICE)
		fprintf(out, " (%s)", o->choices);
	if (o->type == PS_OPT_NUMBER)
		fprintf(out, " (%llu to %llu)", (unsigned long long)o->min, (unsigned long long)o->max);
	if (o->fallback != NULL)
		fprintf(out, "; default %s", o->fallback);
	fputc('\n', out);
}

static void
help_kinds(FILE *out)
{
	fprintf(out, "\nKinds:\n");
	for (size_t i = 0; i < ps_kind_views_length; i++)
		fprintf(out, "  %-16s%s\n", ps_kind_views[i].name, ps_kind_views[i].summary);
}

void
ps_help_command(FILE *out, const struct ps_command *command)
{
	const struct ps_option *o;

	fprintf(out, "usage: penstock %s%s%s [OPTION ...]\n\n", command->name,
		command->usage[0] != '\0' ? " " : "", command->usage);
	fprintf(out, "%c%s.\n\n", command->summary[0] - 'a' + 'A', command->summary + 1);
	wrap(out, command->text, 0);
	fprintf(out, "\nOptions:\n");
	for (size_t i = 0; (o = ps_command_option(command, i)) != NULL; i++)
		help_option(out, o);
	if (command->arguments == PS_ARGS_KIND)
		help_kinds(out);
	if (command->examples != NULL)
		fprintf(out, "\nExamples:\n");
	for (const struct ps_example *e = command->examples; e != NULL && e->line != NULL; e++)
		fprintf(out, "  %s\n      %s\n", e->line, e->does);
}

enum ps_cli_status
ps_cmd_help(const struct ps_invocation *inv)
{
	const struct ps_command *command;

	if (inv->arguments_length == 0) {
		ps_help_all(inv->out);
		return PS_CLI_OK;
	}
	command = ps_command_find(inv->arguments[0]);
	if (command == NULL)
		return ps_usage_error(inv, "there is no command \"%s\"", inv->arguments[0]);
	ps_help_command(inv->out, command);
	return PS_CLI_OK;
}

enum ps_cli_status
ps_cmd_completion(const struct ps_invocation *inv)
{
	ps_complete_bash(inv->out);
	return PS_CLI_OK;
}

enum ps_cli_status
ps_cmd_gen_man(const struct ps_invocation *inv)
{
	int rc = ps_man_write(inv->arguments[0]);

	return rc < 0 ? ps_fail("%s: %s", inv->arguments[0], strerror(-rc)) : PS_CLI_OK;
}

/* Fields whose name holds the word, with the lines below each. A field stands two columns in, what belongs to
 * it further. */
static size_t
print_matching(FILE *out, char *text, const char *word)
{
	bool within = false;
	size_t found = 0;
	char *rest, *line;

	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		if (strspn(line, " ") <= 2) {
			within = strcasestr(line, word) != NULL;
			found += within;
		}
		if (within)
			fprintf(out, "%s\n", line);
	}
	return found;
}

enum ps_cli_status
ps_cmd_fields(const struct ps_invocation *inv)
{
	void (*print)(enum ps_reference what, FILE * out) =
		ps_opt_given(inv, "markdown") ? ps_reference_markdown : ps_reference_text;
	size_t size, found = 1;
	char *text = NULL;
	FILE *memory;

	if (inv->arguments_length == 0) {
		print(PS_REFERENCE_DATAPLANE, inv->out);
		fputc('\n', inv->out);
		print(PS_REFERENCE_ANNOTATIONS, inv->out);
		return PS_CLI_OK;
	}
	memory = open_memstream(&text, &size);
	if (memory == NULL)
		return ps_fail("out of memory");
	print(PS_REFERENCE_DATAPLANE, memory);
	print(PS_REFERENCE_ANNOTATIONS, memory);
	fclose(memory);
	found = print_matching(inv->out, text, inv->arguments[0]);
	free(text);
	if (found == 0) {
		fprintf(stderr, "penstock: no field has \"%s\" in its name\n", inv->arguments[0]);
		return PS_CLI_NOT_FOUND;
	}
	return PS_CLI_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* docs/reference/commands.md, from the command table. */
#include <string.h>

#include "control/cli/kinds.h"
#include "control/cli/verbs.h"

/* In a table's cell a bar would end the cell. */
static void
put_cell(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void
put_option(FILE *out, const struct ps_option *o)
{
	fprintf(out, "| `");
	if (o->letter != 0)
		fprintf(out, "-%c`, `", o->letter);
	fprintf(out, "--%s", o->name);
	if (o->value != NULL) {
		fputc(' ', out);
		put_cell(out, o->value);
	}
	fputs("` | ", out);
	if (o->fallback != NULL)
		fprintf(out, "`%s`", o->fallback);
	fputs(" | ", out);
	put_cell(out, o->help);
	if (o->type == PS_OPT_CHOICE) {
		fputs(" (", out);
		put_cell(out, o->choices);
		fputc(')', out);
	}
	if (o->type == PS_OPT_NUMBER)
		fprintf(out, " (%llu to %llu)", (unsigned long long)o->min, (unsigned long long)o->max);
	fputs(o->repeat ? "; may be given again |\n" : " |\n", out);
}

static void
put_options(FILE *out, const struct ps_option *options)
{
	fputs("\n| option | default | |\n|---|---|---|\n", out);
	for (const struct ps_option *o = options; o->name != NULL; o++)
		put_option(out, o);
}

static void
put_command(FILE *out, const struct ps_command *c)
{
	fprintf(out, "\n## penstock %s%s%s\n\n%c%s.\n\n%s\n", c->name, c->usage[0] != '\0' ? " " : "",
		c->usage, c->summary[0] - 'a' + 'A', c->summary + 1, c->text);
	if (c->options != NULL)
		put_options(out, c->options);
	if (c->json)
		fputs("\nKnows `--json`.\n", out);
	if (strcmp(c->name, "get") == 0) {
		fputs("\n| kind | |\n|---|---|\n", out);
		for (size_t i = 0; i < ps_kind_views_length; i++)
			fprintf(out, "| `%s` | %s |\n", ps_kind_views[i].name, ps_kind_views[i].summary);
	}
	fputs("\n```\n", out);
	for (const struct ps_example *e = c->examples; e->line != NULL; e++)
		fprintf(out, "%s    # %s\n", e->line, e->does);
	fputs("```\n", out);
}

enum ps_cli_status
ps_cmd_gen_reference(const struct ps_invocation *inv)
{
	fputs("<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
	      "<!-- Generated from the table in control/cli/commands.c by `penstock gen-reference`. -->\n"
	      "# Commands\n\n"
	      "Every command has a manual page, `man penstock-COMMAND`, and `penstock help COMMAND` says the "
	      "same.\n\n"
	      "| exit code | |\n|---|---|\n"
	      "| 0 | done |\n| 1 | it failed, or it found problems |\n| 2 | the command line is wrong |\n"
	      "| 3 | no Penstock answers in the runtime directory, or no dataplane is attached |\n"
	      "| 4 | the object does not exist |\n\n"
	      "Options of every command:\n",
		inv->out);
	put_options(inv->out, ps_global_options);
	for (size_t i = 0; i < ps_commands_length; i++) {
		if (!ps_commands[i].hidden)
			put_command(inv->out, &ps_commands[i]);
	}
	return PS_CLI_OK;
}

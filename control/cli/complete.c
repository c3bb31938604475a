/* SPDX-License-Identifier: Apache-2.0 */
/* The bash completion script, from the command table. */
#include <string.h>

#include "control/cli/command.h"
#include "control/cli/kinds.h"

static void
put_spaced(FILE *out, const char *choices)
{
	for (; *choices != '\0'; choices++)
		fputc(*choices == '|' ? ' ' : *choices, out);
}

/* A case for each option that takes a value. */
static void
put_values(FILE *out, const struct ps_command *command)
{
	const struct ps_option *o;

	for (size_t i = 0; (o = ps_command_option(command, i)) != NULL; i++) {
		if (o->type == PS_OPT_FLAG)
			continue;
		fprintf(out, "\t\t--%s", o->name);
		if (o->letter != 0)
			fprintf(out, "|-%c", o->letter);
		fputs(") ", out);
		if (o->type == PS_OPT_PATH)
			fputs("COMPREPLY=($(compgen -f -- \"$word\")); compopt -o filenames 2>/dev/null",
				out);
		else if (o->type == PS_OPT_CHOICE) {
			fputs("COMPREPLY=($(compgen -W \"", out);
			put_spaced(out, o->choices);
			fputs("\" -- \"$word\"))", out);
		} else if (o->type == PS_OPT_NAME)
			fprintf(out, "COMPREPLY=($(compgen -W \"$(_penstock_names %s)\" -- \"$word\"))",
				o->kind);
		else
			fputs("COMPREPLY=()", out);
		fputs("; return;;\n", out);
	}
}

static void
put_arguments(FILE *out, const struct ps_command *command)
{
	switch (command->arguments) {
	case PS_ARGS_KIND:
		fputs("\t\tif ((position == 0)); then COMPREPLY=($(compgen -W \"$_penstock_kinds\" -- "
		      "\"$word\"))\n"
		      "\t\telse COMPREPLY=($(compgen -W \"$(_penstock_names \"$first\")\" -- \"$word\")); "
		      "fi\n",
			out);
		break;
	case PS_ARGS_DRAINABLE:
		fputs("\t\tif ((position == 0)); then COMPREPLY=($(compgen -W \"service endpoint\" -- "
		      "\"$word\"))\n"
		      "\t\telse COMPREPLY=($(compgen -W \"$(_penstock_names \"$first\")\" -- \"$word\")); "
		      "fi\n",
			out);
		break;
	case PS_ARGS_COMMAND:
		fputs("\t\tCOMPREPLY=($(compgen -W \"$_penstock_commands\" -- \"$word\"))\n", out);
		break;
	case PS_ARGS_WORD:
		fputs("\t\tCOMPREPLY=($(compgen -W \"", out);
		put_spaced(out, command->argument_choices);
		fputs("\" -- \"$word\"))\n", out);
		break;
	case PS_ARGS_PATH:
		fputs("\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n", out);
		break;
	default:
		fputs("\t\tCOMPREPLY=()\n", out);
		break;
	}
}

static void
put_command(FILE *out, const struct ps_command *command)
{
	const struct ps_option *o;

	fprintf(out, "\t%s)\n\t\tcase \"$before\" in\n", command->name);
	put_values(out, command);
	fputs("\t\tesac\n\t\tif [[ $word == -* ]]; then\n\t\t\tCOMPREPLY=($(compgen -W \"", out);
	for (size_t i = 0; (o = ps_command_option(command, i)) != NULL; i++)
		fprintf(out, "%s--%s", i > 0 ? " " : "", o->name);
	fputs("\" -- \"$word\")); return\n\t\tfi\n", out);
	put_arguments(out, command);
	fputs("\t\t;;\n", out);
}

/* Options of any command that take a value: their values are no arguments. */
static void
put_value_options(FILE *out)
{
	fputs("_penstock_valued=' ", out);
	for (size_t c = 0; c < ps_commands_length; c++) {
		const struct ps_option *o;

		for (size_t i = 0; (o = ps_command_option(&ps_commands[c], i)) != NULL; i++) {
			if (o->type == PS_OPT_FLAG)
				continue;
			fprintf(out, "--%s ", o->name);
			if (o->letter != 0)
				fprintf(out, "-%c ", o->letter);
		}
	}
	fputs("'\n", out);
}

void
ps_complete_bash(FILE *out)
{
	fputs("# bash completion of penstock; written by `penstock completion bash`\n_penstock_commands='",
		out);
	for (size_t i = 0, said = 0; i < ps_commands_length; i++) {
		if (!ps_commands[i].hidden)
			fprintf(out, "%s%s", said++ > 0 ? " " : "", ps_commands[i].name);
	}
	fputs("'\n_penstock_kinds='", out);
	for (size_t i = 0; i < ps_kind_views_length; i++)
		fprintf(out, "%s%s", i > 0 ? " " : "", ps_kind_views[i].name);
	fputs("'\n", out);
	put_value_options(out);
	fputs("_penstock_names() {\n"
	      "\t\"${COMP_WORDS[0]}\" complete-names \"$1\" $_penstock_runtime 2>/dev/null\n"
	      "}\n"
	      "_penstock() {\n"
	      "\tlocal word before command= first= position=0 i skip=0 _penstock_runtime=\n"
	      "\tif declare -F _get_comp_words_by_ref >/dev/null; then\n"
	      "\t\tlocal words cword\n"
	      "\t\t_get_comp_words_by_ref -n ':=' -w words -i cword\n"
	      "\telse\n"
	      "\t\tlocal words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD\n"
	      "\tfi\n"
	      "\tword=${words[cword]} before=${words[cword-1]}\n"
	      "\tfor ((i = 1; i < cword; i++)); do\n"
	      "\t\tif ((skip)); then skip=0; continue; fi\n"
	      "\t\tif [[ ${words[i]} == --runtime-dir ]]; then _penstock_runtime=\"--runtime-dir "
	      "${words[i+1]}\"; fi\n"
	      "\t\tif [[ ${words[i]} == -* ]]; then [[ $_penstock_valued == *\" ${words[i]} \"* ]] && "
	      "skip=1; continue; fi\n"
	      "\t\tif [[ -z $command ]]; then command=${words[i]}; continue; fi\n"
	      "\t\t((position == 0)) && first=${words[i]}\n"
	      "\t\t((position++))\n"
	      "\tdone\n"
	      "\tcase \"$command\" in\n"
	      "\t'') COMPREPLY=($(compgen -W \"$_penstock_commands\" -- \"$word\"));;\n",
		out);
	for (size_t i = 0; i < ps_commands_length; i++) {
		if (!ps_commands[i].hidden)
			put_command(out, &ps_commands[i]);
	}
	fputs("\tesac\n"
	      "}\n"
	      "_penstock_main() {\n"
	      "\t_penstock\n"
	      "\t# names hold colons, at which bash breaks words\n"
	      "\tif declare -F __ltrim_colon_completions >/dev/null; then\n"
	      "\t\t__ltrim_colon_completions \"${COMP_WORDS[COMP_CWORD]}\"\n"
	      "\tfi\n"
	      "}\n"
	      "complete -F _penstock_main penstock\n",
		out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line as data. One table (commands.c) says for each command its name, what it
 * is for, its options with type, default and help, and examples. From it come
 * parsing, --help, bash completion and the manual pages; nothing about an option
 * is written twice.
 */
#ifndef PS_CLI_COMMAND_H
#define PS_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes, the same for every command. */
enum ps_cli_status {
	PS_CLI_OK = 0,
	PS_CLI_FAILED = 1,      /* it failed, or it found problems */
	PS_CLI_USAGE = 2,       /* the command line is wrong */
	PS_CLI_NOT_RUNNING = 3, /* no Penstock answers in the runtime directory */
	PS_CLI_NOT_FOUND = 4,   /* the named object does not exist */
};

enum ps_option_type {
	PS_OPT_FLAG, /* takes no value */
	PS_OPT_TEXT,
	PS_OPT_PATH,   /* completed as a file or directory */
	PS_OPT_NUMBER, /* unsigned, within min..max */
	PS_OPT_CHOICE, /* one of `choices` */
	PS_OPT_NAME,   /* completed with live names of the command's kind */
};

struct ps_option {
	const char *name; /* without the dashes; NULL ends an array */
	char letter;      /* 0: none */
	enum ps_option_type type;
	bool repeat;          /* may be given again; otherwise the last one counts */
	const char *value;    /* what the value is called in help: "DIR" */
	const char *fallback; /* default, as it would be typed; NULL: none */
	const char *choices;  /* PS_OPT_CHOICE: "table|json" */
	uint64_t min, max;    /* PS_OPT_NUMBER */
	const char *kind;     /* PS_OPT_NAME: whose names; NULL: what the first argument says */
	const char *help;     /* one sentence, no final full stop */
};

struct ps_example {
	const char *line; /* NULL ends an array */
	const char *does;
};

/* What the arguments are, for completion and for the kind table. */
enum ps_arguments {
	PS_ARGS_NONE,
	PS_ARGS_KIND,      /* KIND [NAME] */
	PS_ARGS_DRAINABLE, /* service|endpoint NAME */
	PS_ARGS_COMMAND,   /* [COMMAND] */
	PS_ARGS_WORD,      /* one of `argument_choices` */
	PS_ARGS_PATH,
};

struct ps_invocation;

struct ps_command {
	const char *name;
	const char *group;               /* heading in `penstock help` */
	const char *usage;               /* arguments: "KIND [NAME]", "" */
	const char *summary;             /* one line */
	const char *text;                /* paragraphs, separated by an empty line */
	const struct ps_option *options; /* besides the global ones */
	const struct ps_example *examples;
	enum ps_arguments arguments;
	const char *argument_choices;
	unsigned int min_arguments, max_arguments;
	bool json; /* has --json */
	bool hidden;
	enum ps_cli_status (*run)(const struct ps_invocation *inv);
};

extern const struct ps_command ps_commands[];
extern const size_t ps_commands_length;
extern const struct ps_option ps_global_options[]; /* of every command */
extern const struct ps_option ps_json_option[];    /* of those with json set */

/* One parsed command line. Strings are argv's and environ's. Not to be shared between threads. */
struct ps_invocation {
	const struct ps_command *command;
	struct ps_value {
		const struct ps_option *option;
		const char *value; /* "" for a flag */
	} * values;
	size_t values_length;
	char **arguments;
	unsigned int arguments_length;
	FILE *out;
	bool color; /* output is for a person on a terminal */
};

const struct ps_command *ps_command_find(const char *name);

/* The command `name` resembles most, or NULL: for "did you mean". */
const struct ps_command *ps_command_near(const char *name);

/* Option index of a command in the order own, --json, global; NULL behind the last. */
const struct ps_option *ps_command_option(const struct ps_command *command, size_t index);

/*
 * Parses what follows the command's name: argv[0] is the name. Every value is checked against its
 * option's type. Returns 0, 1 when --help was asked for, or -EINVAL with one
 * sentence in why. Release with ps_invocation_clear in each case.
 */
int ps_invocation_parse(struct ps_invocation *inv, const struct ps_command *command, int argc, char **argv,
	char *why, size_t why_size);
void ps_invocation_clear(struct ps_invocation *inv);

/* Value as given, else the option's default, else NULL. A flag that is set is "". */
const char *ps_opt(const struct ps_invocation *inv, const char *name);
bool ps_opt_given(const struct ps_invocation *inv, const char *name);
uint64_t ps_opt_number(const struct ps_invocation *inv, const char *name);

/* index-th value of a repeated option, NULL behind the last. */
const char *ps_opt_at(const struct ps_invocation *inv, const char *name, size_t index);

/* Says what is wrong with the command line, on stderr, and returns PS_CLI_USAGE. */
enum ps_cli_status ps_usage_error(const struct ps_invocation *inv, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Says what failed, on stderr, and returns PS_CLI_FAILED. */
enum ps_cli_status ps_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

void ps_help_all(FILE *out);
void ps_help_command(FILE *out, const struct ps_command *command);
void ps_complete_bash(FILE *out);

/* Writes the manual pages into directory. Returns 0 or -errno. */
int ps_man_write(const char *directory);

#endif

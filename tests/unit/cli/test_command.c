/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands: that it is sound, and that what is made from it agrees. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/command.h"
#include "control/cli/verbs.h"
#include "tests/unit/cli/check.h"

#define COMMAND(name)                                                                                        \
	enum ps_cli_status name(const struct ps_invocation *inv)                                             \
	{                                                                                                    \
		return PS_CLI_OK;                                                                            \
	}
COMMAND(ps_cmd_run)
COMMAND(ps_cmd_check)
COMMAND(ps_cmd_diff)
COMMAND(ps_cmd_reload)
COMMAND(ps_cmd_drain)
COMMAND(ps_cmd_get)
COMMAND(ps_cmd_describe)
COMMAND(ps_cmd_stats)
COMMAND(ps_cmd_top)
COMMAND(ps_cmd_trace)
COMMAND(ps_cmd_explain)
COMMAND(ps_cmd_fields)
COMMAND(ps_cmd_version)
COMMAND(ps_cmd_completion)
COMMAND(ps_cmd_help)
COMMAND(ps_cmd_gen_man)
COMMAND(ps_cmd_gen_reference)
COMMAND(ps_cmd_complete_names)

static char why[512];
static struct ps_invocation inv;

/* words: separated by single spaces */
static int
parse(const char *words)
{
	static char copy[512], *argv[32];
	int argc = 0;

	ps_invocation_clear(&inv);
	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	why[0] = '\0';
	return ps_invocation_parse(&inv, ps_command_find(argv[0]), argc, argv, why, sizeof(why));
}

static void
test_table_is_sound(void **state)
{
	const struct ps_option *o, *other;

	for (size_t i = 0; i < ps_commands_length; i++) {
		const struct ps_command *c = &ps_commands[i];

		assert_ptr_equal(ps_command_find(c->name), c);
		assert_non_null(c->run);
		assert_true(strlen(c->text) > 0 && islower((unsigned char)c->summary[0]));
		assert_true(c->hidden || (c->examples != NULL && c->examples[0].line != NULL));
		for (size_t a = 0; (o = ps_command_option(c, a)) != NULL; a++) {
			assert_true((o->type == PS_OPT_FLAG) == (o->value == NULL));
			assert_true((o->type == PS_OPT_CHOICE) == (o->choices != NULL));
			assert_true(o->type != PS_OPT_NUMBER || o->max > o->min);
			assert_true(o->help[strlen(o->help) - 1] != '.');
			for (size_t b = a + 1; (other = ps_command_option(c, b)) != NULL; b++) {
				assert_string_not_equal(o->name, other->name);
				assert_true(o->letter == 0 || o->letter != other->letter);
			}
		}
		/* an example that does not parse would teach something wrong */
		for (const struct ps_example *e = c->examples; e != NULL && e->line != NULL; e++) {
			const char *at = strstr(e->line, "penstock ");
			char line[256];

			assert_non_null(at);
			snprintf(line, sizeof(line), "%.*s", (int)strcspn(at + 9, "|>&)"), at + 9);
			if (parse(line) != 0)
				fail_msg("%s: %s", e->line, why);
		}
	}
}

static void
test_values(void **state)
{
	assert_int_equal(parse("get flows --limit 5 -n infra --limit=7 -o json"), 0);
	assert_int_equal(ps_opt_number(&inv, "limit"), 7);
	assert_string_equal(ps_opt(&inv, "namespace"), "infra");
	assert_string_equal(ps_opt(&inv, "output"), "json");
	assert_true(ps_opt_given(&inv, "output"));
	assert_false(ps_opt_given(&inv, "json"));
	assert_int_equal(inv.arguments_length, 1);
	assert_string_equal(inv.arguments[0], "flows");
	assert_int_equal(parse("get flows"), 0);
	assert_int_equal(ps_opt_number(&inv, "limit"), 1000);
	assert_int_equal(parse("check -f a -f b --strict"), 0);
	assert_string_equal(ps_opt_at(&inv, "filename", 1), "b");
	assert_null(ps_opt_at(&inv, "filename", 2));
	assert_int_equal(parse("get --help"), 1);
}

static void
wrong(const char *line, const char *message)
{
	assert_int_equal(parse(line), -EINVAL);
	CONTAINS(why, message);
}

static void
test_wrong(void **state)
{
	wrong("get", "expected KIND");
	wrong("get flows a b", "unexpected argument \"b\"");
	wrong("get flows --limit 0", "no number from 1");
	wrong("get flows --limit -5", "no number");
	wrong("get flows --limit 5x", "no number");
	wrong("get flows --output xml", "is none of table|wide");
	wrong("get flows --output tab", "is none of");
	wrong("get flows --bogus", "unknown option --bogus");
	wrong("get flows -z", "unknown option -z");
	wrong("get flows --limit", "needs a value");
	wrong("get flows -A=1", "unknown option");
	wrong("get flows --json=1", "takes no value");
	wrong("completion zsh", "is none of bash");
}

static void
test_near(void **state)
{
	assert_string_equal(ps_command_near("gte")->name, "get");
	assert_string_equal(ps_command_near("explane")->name, "explain");
	assert_null(ps_command_near("frobnicate"));
}

static void
test_completion_knows_all(void **state)
{
	static char text[65536];
	char path[] = "/tmp/penstock-test-XXXXXX", command[64];
	FILE *out = fmemopen(text, sizeof(text), "w");
	const struct ps_option *o;
	int fd = mkstemp(path);

	ps_complete_bash(out);
	fclose(out);
	for (size_t i = 0; i < ps_commands_length; i++) {
		const struct ps_command *c = &ps_commands[i];

		if (c->hidden)
			continue;
		CONTAINS(text, c->name);
		for (size_t a = 0; (o = ps_command_option(c, a)) != NULL; a++)
			CONTAINS(text, o->name);
	}
	LACKS(text, "gen-man");
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	snprintf(command, sizeof(command), "bash -n %s", path);
	assert_int_equal(system(command), 0);
	unlink(path);
}

static void
test_manual_has_a_page_for_each(void **state)
{
	char directory[] = "/tmp/penstock-test-XXXXXX", path[128], command[64];

	assert_non_null(mkdtemp(directory));
	assert_int_equal(ps_man_write(directory), 0);
	for (size_t i = 0; i < ps_commands_length; i++) {
		snprintf(path, sizeof(path), "%s/penstock-%s.1", directory, ps_commands[i].name);
		assert_int_equal(access(path, R_OK) == 0, !ps_commands[i].hidden);
	}
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_sound),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_near),
		cmocka_unit_test(test_completion_knows_all),
		cmocka_unit_test(test_manual_has_a_page_for_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

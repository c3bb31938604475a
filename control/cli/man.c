/* SPDX-License-Identifier: Apache-2.0 */
/* Manual pages from the command table: penstock(1), penstock-COMMAND(1), and the two programs' own in
 * section 8. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "control/cli/command.h"
#include "control/cli/kinds.h"
#include "dataplane/api/abi.h"

/* Text of a paragraph: a leading dot or quote would be a request, a hyphen would become a dash. */
static void
put(FILE *out, const char *text)
{
	bool start = true;

	for (; *text != '\0'; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '\n' && text[1] == '\n') {
			fputs("\n.PP\n", out);
			text++;
			start = true;
			continue;
		}
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
		start = *text == '\n';
	}
}

static void
put_upper(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		fputc(toupper((unsigned char)*text), out);
}

static void
put_title(FILE *out, const char *name, int section, const char *summary)
{
	fputs(".\\\" SPDX-License-Identifier: Apache-2.0\n.TH ", out);
	put_upper(out, name);
	fprintf(out, " %d \"\" \"Penstock %s\" \"Penstock manual\"\n.nh\n.ad l\n.SH NAME\n", section,
		PS_VERSION);
	put(out, name);
	fputs(" \\- ", out);
	put(out, summary);
	fputc('\n', out);
}

static void
put_option(FILE *out, const struct ps_option *o)
{
	fputs(".TP\n", out);
	if (o->letter != 0)
		fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
	fputs("\\fB\\-\\-", out);
	put(out, o->name);
	fputs("\\fR", out);
	if (o->value != NULL) {
		fputs(" \\fI", out);
		put(out, o->value);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	put(out, o->help);
	fputs(".", out);
	if (o->type == PS_OPT_CHOICE) {
		fputs(" One of ", out);
		put(out, o->choices);
		fputs(".", out);
	}
	if (o->type == PS_OPT_NUMBER)
		fprintf(out, " A number from %llu to %llu.", (unsigned long long)o->min,
			(unsigned long long)o->max);
	if (o->fallback != NULL) {
		fputs(" Default: ", out);
		put(out, o->fallback);
		fputs(".", out);
	}
	if (o->repeat)
		fputs(" May be given again.", out);
	fputc('\n', out);
}

static void
put_exit_codes(FILE *out)
{
	fputs(".SH EXIT STATUS\n"
	      ".TP\n\\fB0\\fR\nDone.\n"
	      ".TP\n\\fB1\\fR\nIt failed, or it found problems.\n"
	      ".TP\n\\fB2\\fR\nThe command line is wrong.\n"
	      ".TP\n\\fB3\\fR\nNo Penstock answers in the runtime directory, or no dataplane is attached to "
	      "it.\n"
	      ".TP\n\\fB4\\fR\nThe object does not exist.\n",
		out);
}

static void
put_environment(FILE *out)
{
	fputs(".SH ENVIRONMENT\n"
	      ".TP\n\\fBPENSTOCK_RUNTIME_DIR\\fR\nThe runtime directory, when \\fB\\-\\-runtime\\-dir\\fR is "
	      "not given.\n"
	      ".TP\n\\fBNO_COLOR\\fR\nWhen set, output is not colored unless \\fB\\-\\-color always\\fR asks "
	      "for it.\n",
		out);
}

static void
put_files(FILE *out)
{
	fputs(".SH FILES\n"
	      ".TP\n\\fI" PS_RUNTIME_DIR "/" PS_ADMIN_SOCKET
	      "\\fR\nWhere \\fBpenstockd\\fR answers: HTTP with JSON.\n"
	      ".TP\n\\fI" PS_RUNTIME_DIR "/" PS_CONTROL_SOCKET "\\fR\nWhere the dataplane attaches.\n"
	      ".TP\n\\fI" PS_RUNTIME_DIR
	      "/dataplane.yaml\\fR\nThe Dataplane document that \\fBpenstock run\\fR made.\n"
	      ".TP\n\\fI" PS_STATE_DIR "/" PS_SNAPSHOT_FILE
	      "\\fR\nThe last configuration that the dataplane accepted.\n",
		out);
}

static FILE *
page(const char *directory, const char *name, int section)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s.%d", directory, name, section);
	return fopen(path, "we");
}

static int
finish(FILE *out)
{
	return fclose(out) == 0 ? 0 : -errno;
}

static int
write_command(const char *directory, const struct ps_command *c)
{
	const struct ps_option *o;
	char name[64];
	FILE *out;

	snprintf(name, sizeof(name), "penstock-%s", c->name);
	out = page(directory, name, 1);
	if (out == NULL)
		return -errno;
	put_title(out, name, 1, c->summary);
	fputs(".SH SYNOPSIS\n\\fBpenstock ", out);
	put(out, c->name);
	fputs("\\fR ", out);
	put(out, c->usage);
	fputs(" [\\fIOPTION\\fR ...]\n.SH DESCRIPTION\n", out);
	put(out, c->text);
	fputs("\n.SH OPTIONS\n", out);
	for (size_t i = 0; (o = ps_command_option(c, i)) != NULL; i++)
		put_option(out, o);
	if (c->arguments == PS_ARGS_KIND) {
		fputs(".SH KINDS\n", out);
		for (size_t i = 0; i < ps_kind_views_length; i++) {
			fprintf(out, ".TP\n\\fB%s\\fR\n", ps_kind_views[i].name);
			put(out, ps_kind_views[i].summary);
			fputs(".\n", out);
		}
	}
	if (c->examples != NULL)
		fputs(".SH EXAMPLES\n", out);
	for (const struct ps_example *e = c->examples; e != NULL && e->line != NULL; e++) {
		fputs(".TP\n\\fB", out);
		put(out, e->line);
		fputs("\\fR\n", out);
		put(out, e->does);
		fputs(".\n", out);
	}
	put_exit_codes(out);
	put_environment(out);
	fputs(".SH SEE ALSO\n\\fBpenstock\\fR(1), \\fBpenstockd\\fR(8), \\fBpenstock\\-dataplane\\fR(8)\n",
		out);
	return finish(out);
}

static int
write_overview(const char *directory)
{
	FILE *out = page(directory, "penstock", 1);

	if (out == NULL)
		return -errno;
	put_title(out, "penstock", 1, "run and watch the Penstock gateway");
	fputs(".SH SYNOPSIS\n\\fBpenstock\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR ...]\n.SH DESCRIPTION\n"
	      "Penstock balances TCP and UDP in userspace at line rate, from the Kubernetes manifests that a "
	      "platform team already has. "
	      "\\fBpenstock run\\fR starts it; the other commands check manifests and look at what runs. "
	      "Each command has a page of its "
	      "own.\n.SH COMMANDS\n",
		out);
	for (size_t i = 0; i < ps_commands_length; i++) {
		if (ps_commands[i].hidden)
			continue;
		fputs(".TP\n\\fBpenstock\\-", out);
		put(out, ps_commands[i].name);
		fputs("\\fR(1)\n", out);
		put(out, ps_commands[i].summary);
		fputs(".\n", out);
	}
	put_exit_codes(out);
	put_environment(out);
	put_files(out);
	fputs(".SH EXAMPLES\n.TP\n\\fBpenstock run \\-f manifests/\\fR\nServe them on ports found or made.\n"
	      ".TP\n\\fBpenstock get endpoints\\fR\nWho is up.\n"
	      ".SH SEE ALSO\n\\fBpenstockd\\fR(8), \\fBpenstock\\-dataplane\\fR(8), "
	      "\\fBpenstock\\-loadgen\\fR(1)\n",
		out);
	return finish(out);
}

struct daemon_page {
	const char *name, *summary, *synopsis, *text;
	struct ps_option options[10];
	const char *signals;
};

static const struct daemon_page daemon_pages[] = {
	{"penstockd", "the control plane of Penstock", "\\-f PATH [OPTION ...]",
		"Reads manifests, checks and resolves them, compiles them into a snapshot and hands it to "
		"the dataplane, which attaches on dataplane.sock in the runtime directory. Watches the "
		"files: a change is live within milliseconds, on all workers or none. Answers on "
		"admin.sock: see penstock(1).\n\n"
		"It may be killed and restarted at any time: the dataplane goes on with what it has, and "
		"penstockd finds endpoint state and numbering where it left them. A broken manifest is "
		"refused and named; what runs stays.",
		{{"runtime-dir", 0, PS_OPT_PATH, .value = "DIR", .fallback = PS_RUNTIME_DIR,
			 .help = "sockets and shared tables"},
			{"state-dir", 0, PS_OPT_PATH, .value = "DIR", .fallback = PS_STATE_DIR,
				.help = "what outlives a reboot"},
			{"filename", 'f', PS_OPT_PATH, true, .value = "PATH",
				.help = "manifests: a file, or a directory with all below it"},
			{"adopt", 0, PS_OPT_TEXT, true, .value = "CONTROLLER",
				.help = "serve GatewayClasses of this controllerName too"},
			{"strict", 0, PS_OPT_FLAG, .help = "treat warnings as errors"},
			{"user", 0, PS_OPT_TEXT, .value = "NAME",
				.help = "user to become when all is opened"},
			{"help", 'h', PS_OPT_FLAG, .help = "show a short help"},
			{"version", 0, PS_OPT_FLAG, .help = "show the version"}, {0}},
		".TP\n\\fBSIGHUP\\fR\nReads all manifests again.\n.TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\nEnds "
		"it; the dataplane goes on.\n"},
	{"penstock-dataplane", "the packet process of Penstock", "[OPTION ...]",
		"Opens the ports, and forwards packets on its worker cores by the snapshot that penstockd "
		"publishes. When penstockd does not answer within a second, it starts with the last valid "
		"snapshot from the state directory, and goes on trying to attach. Probes endpoints by "
		"itself, also while penstockd is down.\n\n"
		"Flow tables are in shared memory: a restarted dataplane takes them over, and no "
		"established flow is reset. Ports, cores and memory come from the Dataplane document; see "
		"penstock-fields(1).",
		{{"runtime-dir", 0, PS_OPT_PATH, .value = "DIR", .fallback = PS_RUNTIME_DIR,
			 .help = "sockets and shared tables"},
			{"state-dir", 0, PS_OPT_PATH, .value = "DIR", .fallback = PS_STATE_DIR,
				.help = "where the last snapshot is kept"},
			{"help", 'h', PS_OPT_FLAG, .help = "show a short help"},
			{"version", 0, PS_OPT_FLAG, .help = "show the version"}, {0}},
		".TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\nSends what is queued, and ends.\n"},
};

static int
write_daemon(const char *directory, const struct daemon_page *d)
{
	FILE *out = page(directory, d->name, 8);

	if (out == NULL)
		return -errno;
	put_title(out, d->name, 8, d->summary);
	fputs(".SH SYNOPSIS\n\\fB", out);
	put(out, d->name);
	fprintf(out, "\\fR %s\n.SH DESCRIPTION\n", d->synopsis);
	put(out, d->text);
	fputs("\n.SH OPTIONS\n", out);
	for (const struct ps_option *o = d->options; o->name != NULL; o++)
		put_option(out, o);
	fprintf(out, ".SH SIGNALS\n%s", d->signals);
	put_files(out);
	fputs(".SH NOTES\nBoth programs tell systemd when they are ready, see \\fBsd_notify\\fR(3).\n"
	      ".SH SEE ALSO\n\\fBpenstock\\fR(1), \\fBpenstockd\\fR(8), \\fBpenstock\\-dataplane\\fR(8)\n",
		out);
	return finish(out);
}

int
ps_man_write(const char *directory)
{
	int rc;

	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return -errno;
	rc = write_overview(directory);
	for (size_t i = 0; rc == 0 && i < ps_commands_length; i++) {
		if (!ps_commands[i].hidden)
			rc = write_command(directory, &ps_commands[i]);
	}
	for (size_t i = 0; rc == 0 && i < sizeof(daemon_pages) / sizeof(daemon_pages[0]); i++)
		rc = write_daemon(directory, &daemon_pages[i]);
	return rc;
}

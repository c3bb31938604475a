/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands. Parsing, help, completion and manual pages are made from it. */
#include "control/cli/command.h"
#include "control/cli/verbs.h"
#include "dataplane/api/abi.h"

#define TCP_UDP "tcp|udp"

const struct ps_option ps_global_options[] = {
	{"runtime-dir", 0, PS_OPT_PATH, .value = "DIR",
		.help = "runtime directory of the instance; default PENSTOCK_RUNTIME_DIR, else " PS_RUNTIME_DIR},
	{"color", 0, PS_OPT_CHOICE, .value = "WHEN", .fallback = "auto", .choices = "auto|always|never",
		.help = "color the output: auto means on a terminal, unless NO_COLOR is set"},
	{"help", 'h', PS_OPT_FLAG, .help = "show this help"},
	{0},
};

const struct ps_option ps_json_option[] = {
	{"json", 0, PS_OPT_FLAG, .help = "print JSON, with raw numbers"},
	{0},
};

/* clang-format off */
#define FILES_OPTION(text) \
	{"filename", 'f', PS_OPT_PATH, true, .value = "PATH", .help = text}
#define STRICT_OPTION \
	{"strict", 0, PS_OPT_FLAG, \
		.help = "treat warnings as errors: fields that change nothing yet, kinds not served"}
#define ADOPT_OPTION \
	{"adopt", 0, PS_OPT_TEXT, true, .value = "CONTROLLER", \
		.help = "serve GatewayClasses of this controllerName too, so that existing classes are taken over " \
			"unchanged"}
/* clang-format on */

static const struct ps_option run_options[] = {
	FILES_OPTION("manifests: a file, or a directory with all below it"),
	{"dataplane", 0, PS_OPT_PATH, .value = "FILE",
		.help = "file with the Dataplane document; without one anywhere, ports are chosen"},
	{"port", 0, PS_OPT_TEXT, true, .value = "IFACE[=ADDR/LEN,...]",
		.help = "use this interface, or PCI address, with these addresses of its own; nothing else "
			"is looked for"},
	{"gateway", 0, PS_OPT_TEXT, true, .value = "ADDR",
		.help = "next hop of the default route, with --port; one for each address family"},
	{"xdp", 0, PS_OPT_FLAG,
		.help = "open kernel interfaces by AF_XDP; default is AF_PACKET, which every driver can"},
	{"state-dir", 0, PS_OPT_PATH, .value = "DIR",
		.help = "what outlives a reboot; default " PS_STATE_DIR},
	ADOPT_OPTION,
	STRICT_OPTION,
	{"name", 0, PS_OPT_TEXT, .value = "INSTANCE",
		.help = "run beside other instances: runtime and state directories get this suffix"},
	{"user", 0, PS_OPT_TEXT, .value = "USER",
		.help = "user that penstockd becomes when it has what it needs"},
	{"detach-children", 0, PS_OPT_FLAG,
		.help = "let penstockd and the dataplane live on when this supervisor is killed"},
	{0},
};
static const struct ps_example run_examples[] = {
	{"penstock run -f manifests/", "serve them on ports found or made"},
	{"penstock run -f manifests/ --dataplane dataplane.yaml",
		"serve them on the ports that this file describes"},
	{"penstock run -f manifests/ --port eth1=192.0.2.5/24 --gateway 192.0.2.1",
		"serve them one-armed on eth1"},
	{0},
};

static const struct ps_option check_options[] = {
	FILES_OPTION("manifests: a file, or a directory with all below it"),
	STRICT_OPTION,
	ADOPT_OPTION,
	{0},
};
static const struct ps_example check_examples[] = {
	{"penstock check -f manifests/", "all errors and warnings, with the places"},
	{"penstock check --strict -f manifests/ && systemctl reload penstockd", "apply only what is clean"},
	{0},
};

static const struct ps_option diff_options[] = {
	FILES_OPTION("the new manifests: a file, or a directory with all below it"),
	ADOPT_OPTION,
	{0},
};
static const struct ps_example diff_examples[] = {
	{"penstock diff -f manifests.new/",
		"services, listeners and endpoints that would come, go or change"},
	{0},
};

/* clang-format off */
#define NAMESPACE_OPTIONS \
	{"namespace", 'n', PS_OPT_TEXT, .value = "NAMESPACE", .help = "only objects of this namespace"}, \
	{"all-namespaces", 'A', PS_OPT_FLAG, .help = "objects of all namespaces; this is the default for lists"}
/* clang-format on */

static const struct ps_option get_options[] = {
	NAMESPACE_OPTIONS,
	{"output", 'o', PS_OPT_CHOICE, .value = "FORMAT", .fallback = "table",
		.choices = "table|wide|json|yaml|name|dot", .help = "how to print; dot is for graph only"},
	{"service", 0, PS_OPT_NAME, .value = "NS/NAME[:PORT]", .kind = "services",
		.help = "flows and endpoints: only those of this service"},
	{"client", 0, PS_OPT_TEXT, .value = "ADDR[:PORT]", .help = "flows: only those of this client"},
	{"endpoint", 0, PS_OPT_TEXT, .value = "ADDR[:PORT]", .help = "flows: only those to this endpoint"},
	{"state", 0, PS_OPT_TEXT, .value = "STATE",
		.help = "flows: only those in this state, such as established"},
	{"limit", 0, PS_OPT_NUMBER, .value = "N", .fallback = "1000", .min = 1, .max = 10000000,
		.help = "flows: at most so many"},
	{"no-headers", 0, PS_OPT_FLAG, .help = "table without its heading"},
	{0},
};
static const struct ps_example get_examples[] = {
	{"penstock get services", "what is balanced, where, and how busy it is"},
	{"penstock get endpoints --service default/echo", "health of one service's endpoints"},
	{"penstock get flows --client 10.1.2.3 --limit 20", "what one client has open"},
	{"penstock get gateway prod-gateway -n infra -o yaml", "with the Gateway API's status conditions"},
	{"penstock get graph -o dot | dot -Tsvg > graph.svg", "the stages, drawn"},
	{0},
};

static const struct ps_option describe_options[] = {
	{"namespace", 'n', PS_OPT_TEXT, .value = "NAMESPACE",
		.help = "namespace of the object, when NAME has none"},
	{0},
};
static const struct ps_example describe_examples[] = {
	{"penstock describe service default/echo", "all that is known about it"},
	{"penstock describe gateway prod-gateway -n infra", "listeners, addresses, conditions"},
	{0},
};

static const struct ps_option stats_options[] = {
	{"watch", 'w', PS_OPT_FLAG, .help = "print what changed, each second, until interrupted"},
	{"interval", 'i', PS_OPT_NUMBER, .value = "SECONDS", .fallback = "1", .min = 1, .max = 3600,
		.help = "for --watch"},
	{"count", 'c', PS_OPT_NUMBER, .value = "N", .min = 1, .max = 1000000,
		.help = "with --watch: stop after so many"},
	{"reset", 0, PS_OPT_FLAG, .help = "count from zero again, for everybody who asks"},
	{0},
};
static const struct ps_example stats_examples[] = {
	{"penstock stats", "packets, flows and drops since the start or the last reset"},
	{"penstock stats --watch", "the same as rates"},
	{0},
};

static const struct ps_option top_options[] = {
	{"interval", 'i', PS_OPT_NUMBER, .value = "SECONDS", .fallback = "1", .min = 1, .max = 60,
		.help = "between samples"},
	{"once", '1', PS_OPT_FLAG, .help = "print one sample and leave; also when the output is no terminal"},
	{"services", 's', PS_OPT_NUMBER, .value = "N", .fallback = "20", .min = 0, .max = 1000,
		.help = "so many services, those with most packets first"},
	{0},
};
static const struct ps_example top_examples[] = {
	{"penstock top", "live: q leaves, p pauses, left and right go through the last minutes"},
	{"penstock top --once", "one sample over one second, as text"},
	{0},
};

static const struct ps_option trace_options[] = {
	{"count", 'c', PS_OPT_NUMBER, .value = "N", .fallback = "10", .min = 1, .max = 100000,
		.help = "packets to trace"},
	{"src", 0, PS_OPT_TEXT, .value = "ADDR[:PORT]", .help = "only packets from here"},
	{"dst", 0, PS_OPT_TEXT, .value = "ADDR[:PORT]", .help = "only packets to here"},
	{"proto", 0, PS_OPT_CHOICE, .value = "PROTO", .choices = TCP_UDP "|icmp|icmp6",
		.help = "only packets of this protocol"},
	{"hex", 0, PS_OPT_FLAG, .help = "show the first bytes of the packet too"},
	{"timeout", 0, PS_OPT_NUMBER, .value = "SECONDS", .fallback = "30", .min = 1, .max = 86400,
		.help = "leave when no packet has matched for so long"},
	{0},
};
static const struct ps_example trace_examples[] = {
	{"penstock trace -c 5 --dst 198.51.100.10:443", "the way of the next five packets to this address"},
	{"penstock trace --src 10.1.2.3 --proto udp --hex", "with their bytes"},
	{0},
};

static const struct ps_option explain_options[] = {
	{"from", 0, PS_OPT_TEXT, .value = "ADDR:PORT", .help = "the client"},
	{"to", 0, PS_OPT_TEXT, .value = "ADDR:PORT[/PROTO]",
		.help = "where it sends to; PROTO is tcp or udp, default tcp"},
	{0},
};
static const struct ps_example explain_examples[] = {
	{"penstock explain --from 10.1.2.3:4567 --to 198.51.100.10:443/tcp",
		"which listener, route and endpoint, and why"},
	{"penstock explain --from [2001:db8::1]:4567 --to [2001:db8::10]:53/udp", "IPv6"},
	{0},
};

static const struct ps_option drain_options[] = {
	{"namespace", 'n', PS_OPT_TEXT, .value = "NAMESPACE",
		.help = "namespace of the service, when NAME has none"},
	{"wait", 0, PS_OPT_FLAG, .help = "return when no flow is left"},
	{"timeout", 0, PS_OPT_NUMBER, .value = "SECONDS", .min = 1, .max = 604800,
		.help = "deadline: flows that are left then are ended"},
	{"undo", 0, PS_OPT_FLAG, .help = "let it take new flows again"},
	{0},
};
static const struct ps_example drain_examples[] = {
	{"penstock drain endpoint 10.0.0.7:8080 --wait", "established flows finish, new ones go elsewhere"},
	{"penstock drain service default/echo --timeout 300",
		"all endpoints of a service, five minutes at most"},
	{"penstock drain endpoint 10.0.0.7:8080 --undo", "back into rotation"},
	{0},
};

static const struct ps_option fields_options[] = {
	{"markdown", 0, PS_OPT_FLAG, .help = "print the reference page"},
	{0},
};
static const struct ps_example fields_examples[] = {
	{"penstock fields", "every field and annotation with type, range, unit and default"},
	{"penstock fields ports", "those whose name contains the word"},
	{0},
};

static const struct ps_example reload_examples[] = {
	{"penstock reload", "read all files again now; watched files need no reload"},
	{0},
};
static const struct ps_example version_examples[] = {
	{"penstock version", "of this program, and of the running processes"},
	{0},
};
static const struct ps_example completion_examples[] = {
	{"source <(penstock completion bash)",
		"complete commands, options, kinds and live names in this shell"},
	{"penstock completion bash > /etc/bash_completion.d/penstock", "in every shell"},
	{0},
};
static const struct ps_example help_examples[] = {
	{"penstock help get", "one command with its options and examples"},
	{0},
};

const struct ps_command ps_commands[] = {
	{.name = "run",
		.group = "Run",
		.usage = "",
		.summary = "start Penstock here, in the foreground",
		.run = ps_cmd_run,
		.options = run_options,
		.examples = run_examples,
		.text = "Starts penstockd and penstock-dataplane, restarts whichever dies, and stops both "
			"on SIGINT or SIGTERM; a second one does not wait.\n\n"
			"Without a Dataplane document it looks for ports itself: first network cards bound "
			"to vfio-pci or uio, then kernel Ethernet interfaces that are up, have carrier and "
			"no address. It never takes an interface that carries the default route, your "
			"login session or any IP address, nor one that is a member of a bridge or bond, "
			"unless --port names it. When no port has an address, it makes the TAP penstock0 "
			"between Penstock (198.18.0.2) and this machine's kernel (198.18.0.1), and routes "
			"the VIPs there, so that a client on this machine reaches them.\n\n"
			"What was chosen is printed, and written to dataplane.yaml in the runtime "
			"directory: copy it as a start for your own."},
	{.name = "check",
		.group = "Run",
		.usage = "",
		.summary = "say what is wrong with manifests",
		.run = ps_cmd_check,
		.options = check_options,
		.examples = check_examples,
		.json = true,
		.text = "Reads and resolves the manifests as penstockd would, and prints every error and "
			"warning with file, line, column, the line itself and a caret. Needs neither root "
			"nor a running Penstock. Exit code 1 when there is an error."},
	{.name = "diff",
		.group = "Run",
		.usage = "",
		.summary = "show what new manifests would change",
		.run = ps_cmd_diff,
		.options = diff_options,
		.examples = diff_examples,
		.json = true,
		.text = "Resolves the given manifests and compares the result with what is being served. "
			"Changes nothing. Exit code 1 when they differ."},
	{.name = "reload",
		.group = "Run",
		.usage = "",
		.summary = "read all manifests again now",
		.run = ps_cmd_reload,
		.examples = reload_examples,
		.json = true,
		.text = "Manifests are watched, so this is needed only where watching cannot work, as on "
			"network file systems."},
	{.name = "drain",
		.group = "Run",
		.usage = "service|endpoint NAME",
		.summary = "give no new flows to an endpoint or service",
		.run = ps_cmd_drain,
		.options = drain_options,
		.examples = drain_examples,
		.json = true,
		.arguments = PS_ARGS_DRAINABLE,
		.min_arguments = 2,
		.max_arguments = 2,
		.text = "Established flows go on until they end by themselves or until the deadline. The "
			"drain holds until it is undone, also across a restart of either process."},
	{.name = "get",
		.group = "Look",
		.usage = "KIND [NAME]",
		.summary = "list objects of a kind",
		.run = ps_cmd_get,
		.options = get_options,
		.examples = get_examples,
		.json = true,
		.arguments = PS_ARGS_KIND,
		.min_arguments = 1,
		.max_arguments = 2,
		.text = "NAME is NAME or NAMESPACE/NAME. With a name and -o yaml or json, Kubernetes kinds "
			"are printed as the object with its status."},
	{.name = "describe",
		.group = "Look",
		.usage = "KIND NAME",
		.summary = "show all about one object",
		.run = ps_cmd_describe,
		.options = describe_options,
		.examples = describe_examples,
		.json = true,
		.arguments = PS_ARGS_KIND,
		.min_arguments = 2,
		.max_arguments = 2,
		.text = "Everything known about the object, in words and aligned."},
	{.name = "stats",
		.group = "Look",
		.usage = "",
		.summary = "packets, flows, drops",
		.run = ps_cmd_stats,
		.options = stats_options,
		.examples = stats_examples,
		.json = true,
		.text = "Totals over all workers, and each way packets left the pipeline."},
	{.name = "top",
		.group = "Look",
		.usage = "",
		.summary = "watch workers and services live",
		.run = ps_cmd_top,
		.options = top_options,
		.examples = top_examples,
		.json = true,
		.text = "Per worker: packets and bits per second in and out, flows, cycles per packet and "
			"the share of time it was busy. Below: services by packets per second.\n\n"
			"Keys: q leaves, p or space pauses, left and right step through the last ten "
			"minutes of samples, end returns to now."},
	{.name = "trace",
		.group = "Look",
		.usage = "",
		.summary = "follow packets through the stages",
		.run = ps_cmd_trace,
		.options = trace_options,
		.examples = trace_examples,
		.json = true,
		.text = "Prints for each packet the stages that it passed, the cycles since it was "
			"received, and its header as it entered the stage, and the name of its exit."},
	{.name = "explain",
		.group = "Look",
		.usage = "",
		.summary = "say where a packet would go, and why",
		.run = ps_cmd_explain,
		.options = explain_options,
		.examples = explain_examples,
		.json = true,
		.text = "Asks the running configuration, tables and health included; sends no packet. Exit "
			"code 1 when the answer is that the packet would not be delivered."},
	{.name = "fields",
		.group = "Reference",
		.usage = "[WORD]",
		.summary = "fields of the Dataplane document, and annotations",
		.run = ps_cmd_fields,
		.options = fields_options,
		.examples = fields_examples,
		.max_arguments = 1,
		.arguments = PS_ARGS_NONE,
		.text = "Printed from the same table that manifests are validated with."},
	{.name = "version",
		.group = "Reference",
		.usage = "",
		.summary = "versions",
		.run = ps_cmd_version,
		.json = true,
		.examples = version_examples,
		.text = "Of this program and, when they run, of penstockd and the dataplane."},
	{.name = "completion",
		.group = "Reference",
		.usage = "bash",
		.summary = "print a shell's completion script",
		.run = ps_cmd_completion,
		.examples = completion_examples,
		.arguments = PS_ARGS_WORD,
		.argument_choices = "bash",
		.min_arguments = 1,
		.max_arguments = 1,
		.text = "The script asks the running Penstock for names."},
	{.name = "help",
		.group = "Reference",
		.usage = "[COMMAND]",
		.summary = "help on a command",
		.run = ps_cmd_help,
		.examples = help_examples,
		.arguments = PS_ARGS_COMMAND,
		.max_arguments = 1,
		.text = "Without a command: the list of commands."},
	{.name = "gen-man",
		.group = "",
		.usage = "DIR",
		.summary = "write the manual pages",
		.run = ps_cmd_gen_man,
		.hidden = true,
		.arguments = PS_ARGS_PATH,
		.min_arguments = 1,
		.max_arguments = 1,
		.text = "Used by the build."},
	{.name = "gen-reference",
		.group = "",
		.usage = "",
		.summary = "write the reference page",
		.run = ps_cmd_gen_reference,
		.hidden = true,
		.text = "Prints docs/reference/commands.md."},
	{.name = "complete-names",
		.group = "",
		.usage = "KIND",
		.summary = "names for completion",
		.run = ps_cmd_complete_names,
		.hidden = true,
		.min_arguments = 1,
		.max_arguments = 1,
		.text = "Used by the completion script."},
};
const size_t ps_commands_length = sizeof(ps_commands) / sizeof(ps_commands[0]);

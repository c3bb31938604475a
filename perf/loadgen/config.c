/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table gives the parser its options and --help its text. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "perf/loadgen/config.h"

#define PROGRAM "penstock-loadgen"

enum option_id {
	OPT_HELP = 256, OPT_VERSION, OPT_PORT, OPT_CORE, OPT_MEMORY, OPT_NO_HUGE, OPT_HUGE_DIR, OPT_EAL, OPT_FILE_PREFIX,
	OPT_VLAN, OPT_DESCRIPTORS, OPT_LINE_RATE, OPT_LINK_WAIT,
	OPT_CLIENTS, OPT_CLIENT_PORTS, OPT_TO, OPT_TO_PORT, OPT_BACKENDS, OPT_NO_RETURN, OPT_ANSWER, OPT_GATEWAY,
	OPT_GATEWAY_MAC, OPT_GUE_PORT,
	OPT_UDP, OPT_TCP, OPT_FLOWS, OPT_NEW_FLOWS, OPT_SETUP_RATE, OPT_NO_SETUP, OPT_ORDER, OPT_SIZE, OPT_RATE,
	OPT_DURATION, OPT_WARMUP, OPT_DRAIN, OPT_VERIFY, OPT_BURST, OPT_WINDOW, OPT_BACKOFF, OPT_RELAXED,
	OPT_SEARCH, OPT_TOLERANCE, OPT_RESOLUTION, OPT_LOWEST,
	OPT_LOSS_LIMIT, OPT_JSON, OPT_QUIET, OPT_EVENTS, OPT_WATCH_BACKEND,
};

struct row {
	const char *name;
	int id;
	int argument;         /* as in struct option */
	const char *value;    /* placeholder; NULL with a text: heading */
	const char *text;
};

static const struct row rows[] = {
	{NULL, 0, 0, NULL, "Ports"},
	{"port", OPT_PORT, required_argument, "DEVICE", "memif:SOCKET[,zero-copy=yes,rsize=11,...], a DPDK virtual device"
		" (net_tap0,iface=x) or a PCI address. Given twice: first clients, then backends"},
	{"core", OPT_CORE, required_argument, "CPU", "CPU to run on; default: the first allowed"},
	{"memory", OPT_MEMORY, required_argument, "MB", "memory for packet buffers; default 256"},
	{"no-huge", OPT_NO_HUGE, no_argument, "", "do without hugepages (slower)"},
	{"huge-dir", OPT_HUGE_DIR, required_argument, "DIR", "hugetlbfs mount to use"},
	{"eal", OPT_EAL, required_argument, "OPTIONS", "further EAL options, space separated"},
	{"file-prefix", OPT_FILE_PREFIX, required_argument, "NAME", "EAL file prefix; default loadgen-PID"},
	{"vlan", OPT_VLAN, required_argument, "VID[,VID]", "802.1Q tag of the client port, and of the backend port"},
	{"descriptors", OPT_DESCRIPTORS, required_argument, "N", "ring size, power of two; default 1024"},
	{"line-rate", OPT_LINE_RATE, required_argument, "RATE", "bits/s that --rate percents refer to, e.g. 25Gbit; default:"
		" the link speed"},
	{"link-wait", OPT_LINK_WAIT, required_argument, "SECONDS", "how long to wait for links; default 10"},
	{NULL, 0, 0, NULL, "Addresses (RANGE: ADDRESS, FIRST-LAST or PREFIX/LENGTH; IPv4 or IPv6)"},
	{"clients", OPT_CLIENTS, required_argument, "RANGE", "source addresses; default 198.18.0.0/24"},
	{"client-ports", OPT_CLIENT_PORTS, required_argument, "FIRST-LAST", "source ports; default 1024-65535"},
	{"to", OPT_TO, required_argument, "RANGE", "destination addresses (VIPs); required"},
	{"to-port", OPT_TO_PORT, required_argument, "PORT[-PORT]", "destination ports; default 80"},
	{"backends", OPT_BACKENDS, required_argument, "RANGE", "addresses of servers played here: what arrives there is turned"
		" round and sent back"},
	{"no-return", OPT_NO_RETURN, no_argument, "", "servers swallow what arrives (direct server return, one-way load)"},
	{"answer", OPT_ANSWER, required_argument, "RANGE", "further addresses whose ARP/ND and ping are answered, for instance"
		" a router before the clients; may be repeated"},
	{"gateway", OPT_GATEWAY, required_argument, "ADDRESS", "next hop of the clients; default: the first destination"},
	{"gateway-mac", OPT_GATEWAY_MAC, required_argument, "MAC", "MAC of the next hop; default: asked by ARP/ND"},
	{"gue-port", OPT_GUE_PORT, required_argument, "PORT", "UDP port of GUE tunnels to backends; default 6080"},
	{NULL, 0, 0, NULL, "Load"},
	{"udp", OPT_UDP, no_argument, "", "UDP datagrams (the default)"},
	{"tcp", OPT_TCP, optional_argument, "MODE", "TCP: established (handshakes first, then segments without data; the"
		" default), syn (SYNs that stay half-open; with --new-flows a flood), open (SYNs answered, handshakes completed)"},
	{"flows", OPT_FLOWS, required_argument, "N", "established flows, 1..64M; 0 with --new-flows only; default 1000"},
	{"new-flows", OPT_NEW_FLOWS, required_argument, "N", "first packets of new flows per second, besides; 'max': all"},
	{"setup-rate", OPT_SETUP_RATE, required_argument, "N", "flows opened per second before measuring; default 500k"},
	{"no-setup", OPT_NO_SETUP, no_argument, "", "measure at once: for devices that keep no flows"},
	{"order", OPT_ORDER, required_argument, "ORDER", "of flows: scatter (each once a round, far apart; default),"
		" sequential, random"},
	{"size", OPT_SIZE, required_argument, "SIZES", "bytes with FCS: 64, imix (64:7,594:4,1518:1), or SIZE:WEIGHT,...;"
		" default 64"},
	{"rate", OPT_RATE, required_argument, "RATE", "of established flows: max, 1.5Mpps, 40%, 10Gbit; default max"},
	{"duration", OPT_DURATION, required_argument, "TIME", "of the measurement, or of each trial; 10, 500ms, 2m; default 10"},
	{"warmup", OPT_WARMUP, required_argument, "TIME", "of the same load before; default 1"},
	{"drain", OPT_DRAIN, required_argument, "TIME", "silence that ends a measurement; default 100ms"},
	{"verify", OPT_VERIFY, required_argument, "N", "recompute checksums of one received packet in N; 0: never; default 64"},
	{"burst", OPT_BURST, required_argument, "N", "packets handed to a port at once, 1..64; default 64"},
	{"window", OPT_WINDOW, required_argument, "N", "packets of clients under way at once at rate max, so that a device faster"
		" than this core need not drop; 0: any number; default: 3/4 of a memif ring, 0 elsewhere"},
	{"backoff", OPT_BACKOFF, required_argument, "US", "microseconds to leave a full or empty ring alone; default 1"},
	{"relaxed", OPT_RELAXED, no_argument, "", "sleep when nothing is to do instead of polling: leaves the core to others, at"
		" the price of up to 0.1 ms of latency"},
	{NULL, 0, 0, NULL, "Throughput search (RFC 2544, 26.1)"},
	{"search", OPT_SEARCH, no_argument, "", "binary search for the highest rate without loss; --rate is the highest tried"},
	{"tolerance", OPT_TOLERANCE, required_argument, "RATIO", "loss a trial may have, 0.001 or 0.1%; default 0"},
	{"resolution", OPT_RESOLUTION, required_argument, "RATIO", "stop when the range is narrower than this; default 1%"},
	{"lowest", OPT_LOWEST, required_argument, "RATIO", "of the highest rate, below which to give up; default 1%"},
	{NULL, 0, 0, NULL, "Result"},
	{"json", OPT_JSON, optional_argument, "FILE", "write the result as JSON, to standard output without FILE"},
	{"loss-limit", OPT_LOSS_LIMIT, required_argument, "RATIO", "loss per direction that still counts as success; default"
		" 0.1%"},
	{"events", OPT_EVENTS, no_argument, "", "print \"event NAME TIME\" on standard error when a phase begins or ends, for"
		" programs that watch; TIME is CLOCK_REALTIME in ns"},
	{"watch-backend", OPT_WATCH_BACKEND, no_argument, "", "print such a line when packets begin to reach another backend"
		" than before: with one backend at a time it tells when a change became live"},
	{"quiet", OPT_QUIET, no_argument, "", "no progress and no summary on standard error"},
	{"help", OPT_HELP, no_argument, "", "this text"},
	{"version", OPT_VERSION, no_argument, "", "print the version"},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char intro[] =
	"Usage: " PROGRAM " --port DEVICE [--port DEVICE] --to RANGE [OPTION...]\n"
	"\n"
	"Plays clients, and servers when --backends is given, on one core, and counts every packet.\n";

static const char outro[] =
	"\n"
	"Examples:\n"
	"  FullNAT, both directions, 100,000 established TCP flows, as fast as it goes:\n"
	"    " PROGRAM " --port memif:/run/gw.sock --to 198.19.0.10 --clients 198.18.0.0/24 \\\n"
	"        --backends 198.19.1.1-198.19.1.16 --tcp --flows 100k\n"
	"  The rate without loss at IMIX, one port each way:\n"
	"    " PROGRAM " --port 0000:03:00.0 --port 0000:03:00.1 --to 192.0.2.10 --gateway 198.18.0.254 \\\n"
	"        --backends 198.19.1.1-198.19.1.16 --size imix --search --tolerance 0.01% --json=result.json\n"
	"  A SYN flood of a million new flows per second beside 900,000 established ones:\n"
	"    " PROGRAM " --port memif:/run/gw.sock --to 198.19.0.10 --clients 198.18.0.0/16 \\\n"
	"        --backends 198.19.1.1-198.19.1.16 --tcp=syn --flows 900k --new-flows 1M --rate 100kpps\n"
	"  A plain forwarder (testpmd macswap) that needs no ARP:\n"
	"    " PROGRAM " --port memif:/run/dut.sock --to 192.0.2.1 --gateway-mac 02:00:00:00:00:01 --no-setup\n"
	"\n"
	"Exit status: 0 success, 1 loss or wrong packets beyond the limit (or no rate passed the search),\n"
	"2 usage, 3 port, gateway or flows did not come up, 4 interrupted.\n";

static void
print_wrapped(const char *text, int indent)
{
	int column = indent;

	while (*text != '\0') {
		int length = (int)strcspn(text, " ");

		if (column + length > 100 && column > indent) {
			printf("\n%*s", indent, "");
			column = indent;
		}
		printf("%s%.*s", column == indent ? "" : " ", length, text);
		column += length + 1;
		text += length + (text[length] == ' ');
	}
	printf("\n");
}

static void
print_help(void)
{
	char left[64];
	size_t i;

	fputs(intro, stdout);
	for (i = 0; i < ROWS; i++) {
		if (rows[i].name == NULL) {
			printf("\n%s:\n", rows[i].text);
			continue;
		}
		snprintf(left, sizeof(left), "--%s%s%s%s", rows[i].name,
			rows[i].argument == optional_argument ? "[=" : rows[i].value[0] != '\0' ? " " : "", rows[i].value,
			rows[i].argument == optional_argument ? "]" : "");
		printf("  %-28s ", left);
		if (strlen(left) > 28)
			printf("\n%31s", "");
		print_wrapped(rows[i].text, 31);
	}
	fputs(outro, stdout);
}

__attribute__((format(printf, 1, 2))) static int
complain(const char *format, ...)
{
	va_list args;

	fprintf(stderr, PROGRAM ": ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (--help shows all options)\n");
	return -EINVAL;
}

static int
bad(const struct row *row, const char *value)
{
	return complain("--%s \"%s\": expected %s", row->name, value, row->value);
}

static int
parse_mac(const char *text, uint8_t mac[6])
{
	int end = 0;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5],
		       &end) == 6 && text[end] == '\0' ? 0 : -EINVAL;
}

static int
parse_count32(const char *text, uint64_t smallest, uint64_t largest, uint32_t *value)
{
	uint64_t wide;

	if (ps_count_parse(text, smallest, largest, &wide) < 0)
		return -EINVAL;
	*value = (uint32_t)wide;
	return 0;
}

static int
parse_vlan(const char *text, uint16_t vlan[PS_LOADGEN_PORTS])
{
	char *end;
	unsigned long first = strtoul(text, &end, 10), second = first;

	if (end == text)
		return -EINVAL;
	if (*end == ',')
		second = strtoul(end + 1, &end, 10);
	if (*end != '\0' || first > 4094 || second > 4094)
		return -EINVAL;
	vlan[0] = (uint16_t)first;
	vlan[1] = (uint16_t)second;
	return 0;
}

static int
parse_line_rate(const char *text, double *bits)
{
	struct ps_rate rate;

	if (ps_rate_parse(text, &rate) < 0 || rate.unit == PS_RATE_MAX || rate.unit == PS_RATE_PERCENT)
		return -EINVAL;
	*bits = rate.value;
	return 0;
}

static int
parse_tcp_mode(const char *text, enum ps_tcp_mode *mode)
{
	if (text == NULL || strcmp(text, "established") == 0)
		*mode = PS_TCP_ESTABLISHED;
	else if (strcmp(text, "syn") == 0)
		*mode = PS_TCP_MODE_SYN;
	else if (strcmp(text, "open") == 0)
		*mode = PS_TCP_MODE_OPEN;
	else
		return -EINVAL;
	return 0;
}

static int
parse_order(const char *text, enum ps_order *order)
{
	if (strcmp(text, "scatter") == 0)
		*order = PS_ORDER_SCATTER;
	else if (strcmp(text, "sequential") == 0)
		*order = PS_ORDER_SEQUENTIAL;
	else if (strcmp(text, "random") == 0)
		*order = PS_ORDER_RANDOM;
	else
		return -EINVAL;
	return 0;
}

static int
parse_new_flows(const char *text, double *rate)
{
	uint64_t count;

	if (strcmp(text, "max") == 0) {
		*rate = 1e9;
		return 0;
	}
	if (ps_count_parse(text, 1, 1000000000, &count) < 0)
		return -EINVAL;
	*rate = (double)count;
	return 0;
}

static int
parse_where(struct ps_config *c, int id, const char *value)
{
	uint32_t number;

	switch (id) {
	case OPT_PORT:
		if (c->ports == PS_LOADGEN_PORTS)
			return -EINVAL;
		c->port[c->ports++] = value;
		return 0;
	case OPT_CORE:
		if (parse_count32(value, 0, 1023, &number) < 0)
			return -EINVAL;
		c->core = (int)number;
		return 0;
	case OPT_MEMORY:
		return parse_count32(value, 64, 1 << 20, &c->memory_mb);
	case OPT_NO_HUGE:
		c->no_huge = true;
		return 0;
	case OPT_HUGE_DIR:
		c->huge_dir = value;
		return 0;
	case OPT_EAL:
		c->eal = value;
		return 0;
	case OPT_FILE_PREFIX:
		c->file_prefix = value;
		return 0;
	case OPT_VLAN:
		return parse_vlan(value, c->vlan);
	case OPT_DESCRIPTORS:
		if (parse_count32(value, 64, 16384, &c->descriptors) < 0 || (c->descriptors & (c->descriptors - 1)) != 0)
			return -EINVAL;
		return 0;
	case OPT_LINE_RATE:
		return parse_line_rate(value, &c->line_rate);
	case OPT_LINK_WAIT:
		return ps_seconds_parse(value, &c->link_wait);
	}
	return 1;
}

static int
parse_whom(struct ps_config *c, int id, const char *value)
{
	struct ps_port_range port;
	struct ps_addr_range range;

	switch (id) {
	case OPT_CLIENTS:
		return ps_addr_range_parse(value, &c->space.client);
	case OPT_CLIENT_PORTS:
		return ps_port_range_parse(value, &c->space.client_port);
	case OPT_TO:
		return ps_addr_range_parse(value, &c->space.vip);
	case OPT_TO_PORT:
		return ps_port_range_parse(value, &c->space.vip_port);
	case OPT_BACKENDS:
		return ps_addr_range_parse(value, &c->backend);
	case OPT_NO_RETURN:
		c->no_return = true;
		return 0;
	case OPT_ANSWER:
		if (c->answers == PS_LOADGEN_ANSWERS)
			return -EINVAL;
		return ps_addr_range_parse(value, &c->answer[c->answers++]);
	case OPT_GATEWAY:
		if (ps_addr_range_parse(value, &range) < 0 || range.count != 1)
			return -EINVAL;
		c->gateway = range.first;
		c->has_gateway = true;
		return 0;
	case OPT_GATEWAY_MAC:
		c->has_gateway_mac = true;
		return parse_mac(value, c->gateway_mac);
	case OPT_GUE_PORT:
		if (ps_port_range_parse(value, &port) < 0 || port.count != 1)
			return -EINVAL;
		c->gue_port = port.first;
		return 0;
	}
	return 1;
}

static int
parse_load(struct ps_config *c, int id, const char *value, const char **sizes)
{
	double us;

	switch (id) {
	case OPT_UDP:
		c->proto = IPPROTO_UDP;
		return 0;
	case OPT_TCP:
		c->proto = IPPROTO_TCP;
		return parse_tcp_mode(value, &c->tcp);
	case OPT_FLOWS:
		return parse_count32(value, 0, 64000000, &c->flows);
	case OPT_NEW_FLOWS:
		return parse_new_flows(value, &c->new_flows);
	case OPT_SETUP_RATE:
		return parse_new_flows(value, &c->setup_rate);
	case OPT_NO_SETUP:
		c->setup = false;
		return 0;
	case OPT_ORDER:
		return parse_order(value, &c->order);
	case OPT_SIZE:
		*sizes = value;
		return 0;
	case OPT_RATE:
		return ps_rate_parse(value, &c->rate);
	case OPT_DURATION:
		return ps_seconds_parse(value, &c->duration) < 0 || c->duration <= 0 ? -EINVAL : 0;
	case OPT_WARMUP:
		return ps_seconds_parse(value, &c->warmup);
	case OPT_DRAIN:
		return ps_seconds_parse(value, &c->drain);
	case OPT_VERIFY:
		return parse_count32(value, 0, 1u << 30, &c->verify);
	case OPT_BURST:
		return parse_count32(value, 1, 64, &c->burst);
	case OPT_WINDOW:
		return parse_count32(value, 0, 1u << 24, &c->window);
	case OPT_BACKOFF:
		if (ps_seconds_parse(value, &us) < 0)
			return -EINVAL;
		c->backoff = us / 1e6;
		return 0;
	case OPT_RELAXED:
		c->relaxed = true;
		return 0;
	}
	return 1;
}

static int
parse_result(struct ps_config *c, int id, const char *value)
{
	switch (id) {
	case OPT_SEARCH:
		c->search = true;
		return 0;
	case OPT_TOLERANCE:
		return ps_ratio_parse(value, &c->tolerance);
	case OPT_RESOLUTION:
		return ps_ratio_parse(value, &c->resolution);
	case OPT_LOWEST:
		return ps_ratio_parse(value, &c->lowest);
	case OPT_LOSS_LIMIT:
		return ps_ratio_parse(value, &c->loss_limit);
	case OPT_JSON:
		c->json = value != NULL ? value : "-";
		return 0;
	case OPT_QUIET:
		c->quiet = true;
		return 0;
	case OPT_EVENTS:
		c->events = true;
		return 0;
	case OPT_WATCH_BACKEND:
		c->watch_backend = true;
		return 0;
	}
	return 1;
}

static int
check(struct ps_config *c, const char *sizes)
{
	bool v6 = !ps_addr_range_is_v4(&c->space.client);
	uint16_t minimum = ps_frame_minimum(v6, c->proto, c->vlan[0] != 0);
	char why[128];

	if (c->ports == 0)
		return complain("--port is missing");
	if (c->space.vip.count == 0)
		return complain("--to is missing: which address shall be loaded?");
	if (ps_addr_range_is_v4(&c->space.vip) == v6)
		return complain("--clients and --to are of two address families");
	if (c->backend.count != 0 && ps_addr_range_is_v4(&c->backend) == v6)
		return complain("--backends and --to are of two address families");
	if (c->flows == 0 && c->new_flows == 0)
		return complain("neither --flows nor --new-flows: nothing to send");
	if (c->flows > ps_space_size(&c->space) || (c->new_flows > 0 && c->flows == ps_space_size(&c->space)))
		return complain("%u flows do not fit %lu pairs of client address and port: widen --clients", c->flows,
			(unsigned long)ps_space_size(&c->space));
	if (c->search && c->flows == 0)
		return complain("--search needs --flows");
	if (ps_sizes_parse(&c->sizes, sizes, minimum, why, sizeof(why)) < 0)
		return complain("--size: %s", why);
	if (c->window == PS_NONE)
		c->window = strstr(c->port[0], "memif") != NULL ? c->descriptors * 3 / 4 : 0;
	if (c->sizes.raised != 0)
		fprintf(stderr, PROGRAM ": note: %s over IPv%d needs %u bytes: smaller frames were raised to that\n",
			c->proto == IPPROTO_TCP ? "TCP" : "UDP", v6 ? 6 : 4, minimum);
	return 0;
}

static void
set_defaults(struct ps_config *c)
{
	static char prefix[32];

	memset(c, 0, sizeof(*c));
	snprintf(prefix, sizeof(prefix), "loadgen-%d", (int)getpid());
	c->core = -1;
	c->memory_mb = 256;
	c->file_prefix = prefix;
	c->descriptors = 1024;
	c->link_wait = 10;
	ps_addr_range_parse("198.18.0.0/24", &c->space.client);
	c->space.client_port = (struct ps_port_range){1024, 65536 - 1024};
	c->space.vip_port = (struct ps_port_range){80, 1};
	c->gue_port = 6080;
	c->proto = IPPROTO_UDP;
	c->flows = 1000;
	c->setup = true;
	c->setup_rate = 500000;
	c->duration = 10;
	c->warmup = 1;
	c->drain = 0.1;
	c->verify = 64;
	c->burst = 64;
	c->window = PS_NONE;
	c->backoff = 1e-6;
	c->resolution = c->lowest = 0.01;
	c->loss_limit = 0.001;
}

static const struct row *
find_row(int id)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		if (rows[i].id == id && rows[i].name != NULL)
			return &rows[i];
	return NULL;
}

int
ps_config_parse(struct ps_config *c, int argc, char **argv)
{
	struct option options[ROWS + 1] = {0};
	const char *sizes = "64";
	size_t i, n = 0;
	int id, rc;

	for (i = 0; i < ROWS; i++)
		if (rows[i].name != NULL)
			options[n++] = (struct option){rows[i].name, rows[i].argument, NULL, rows[i].id};
	set_defaults(c);
	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (id == '?')
			return complain("usage: see --help");
		if (id == OPT_HELP) {
			print_help();
			return 1;
		}
		if (id == OPT_VERSION) {
			printf(PROGRAM " " PS_VERSION "\n");
			return 1;
		}
		rc = parse_where(c, id, optarg);
		if (rc == 1)
			rc = parse_whom(c, id, optarg);
		if (rc == 1)
			rc = parse_load(c, id, optarg, &sizes);
		if (rc == 1)
			rc = parse_result(c, id, optarg);
		if (rc < 0)
			return bad(find_row(id), optarg != NULL ? optarg : "");
	}
	if (optind < argc)
		return complain("\"%s\": no such argument", argv[optind]);
	return check(c, sizes);
}

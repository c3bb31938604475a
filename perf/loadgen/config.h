/* SPDX-License-Identifier: Apache-2.0 */
/* What the user asked for. Filled by ps_config_parse, constant afterwards. */
#ifndef PS_LOADGEN_CONFIG_H
#define PS_LOADGEN_CONFIG_H

#include "perf/loadgen/sizes.h"
#include "perf/loadgen/space.h"
#include "perf/loadgen/units.h"

#define PS_LOADGEN_PORTS 2u
#define PS_LOADGEN_ANSWERS 8u

enum ps_order { PS_ORDER_SCATTER, PS_ORDER_SEQUENTIAL, PS_ORDER_RANDOM };
enum ps_tcp_mode {
	PS_TCP_ESTABLISHED, /* handshakes first, then segments without data */
	PS_TCP_MODE_SYN,    /* SYNs only; backends stay silent: half-open flows */
	PS_TCP_MODE_OPEN,   /* SYNs that backends answer, handshake completed */
};

struct ps_config {
	/* where */
	const char *port[PS_LOADGEN_PORTS];
	uint32_t ports;
	int core;              /* -1: the first that the process may use */
	uint32_t memory_mb;
	bool no_huge;
	const char *huge_dir;
	const char *eal;       /* further EAL options, space separated */
	const char *file_prefix;
	uint16_t vlan[PS_LOADGEN_PORTS];
	uint32_t descriptors;
	double line_rate;      /* bits/s; 0: what the port reports */
	double link_wait;      /* seconds */

	/* whom */
	struct ps_space space;
	struct ps_addr_range backend;
	struct ps_addr_range answer[PS_LOADGEN_ANSWERS]; /* further addresses whose ARP/ND is answered */
	uint32_t answers;
	struct ps_addr gateway;
	bool has_gateway;
	uint8_t gateway_mac[6];
	bool has_gateway_mac;
	bool no_return;        /* backends swallow what they get */
	uint16_t gue_port;     /* host order */

	/* what */
	uint8_t proto;
	enum ps_tcp_mode tcp;
	uint32_t flows;
	double new_flows;      /* per second; 0: established flows only */
	double setup_rate;     /* per second */
	bool setup;            /* open flows before measuring */
	enum ps_order order;
	struct ps_sizes sizes;
	struct ps_rate rate;
	double duration, warmup, drain; /* seconds */
	uint32_t verify;       /* recompute checksums of one packet in this many; 0: never */
	uint32_t burst;
	uint32_t window;       /* packets under way at rate max; 0: any number */
	double backoff;        /* seconds to stay away from a full or empty ring */
	bool relaxed;          /* sleep rather than spin */

	/* search */
	bool search;
	double tolerance, resolution, lowest;

	/* how to tell */
	double loss_limit;     /* ratio that a measurement may lose and still exit 0 */
	const char *json;      /* path, "-": standard output, NULL: none */
	bool quiet;
	bool events;
	bool watch_backend;
};

enum ps_exit_code {
	PS_CODE_OK = 0,
	PS_CODE_LOSS = 1,     /* lost or wrong packets beyond the limit, or no rate passed the search */
	PS_CODE_USAGE = 2,
	PS_CODE_SETUP = 3,    /* port, gateway or flows did not come up */
	PS_CODE_INTERRUPTED = 4,
};

/* Returns 0, 1 when there is nothing left to do (--help, --version), or -EINVAL with a message on stderr. */
int ps_config_parse(struct ps_config *c, int argc, char **argv);

#endif

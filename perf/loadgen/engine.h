/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One core that plays clients and backends at the same time, run to completion:
 *
 *   rx ── client address? ── reply: check, count, time; SYN-ACK: send the ACK
 *     ├── backend address? ── count, time, turn round (or answer a SYN), send back
 *     ├── VIP address? ─────── came back as sent (plain forwarding, L2 DSR): count, time
 *     └── else ─────────────── ARP, ND, ping: answer
 *   tx ── what backends and answers wait to send goes first; new packets of clients only
 *         when nothing waits, so that a full device pushes back on the clients
 *
 * Everything here belongs to the one thread that runs the engine.
 */
#ifndef PS_LOADGEN_ENGINE_H
#define PS_LOADGEN_ENGINE_H

#include "perf/loadgen/histogram.h"
#include "perf/loadgen/pacer.h"
#include "perf/loadgen/port.h"
#include "perf/loadgen/track.h"

#define PS_BACKENDS_SHOWN 4096u

enum ps_frame_kind { PS_FRAME_DATA, PS_FRAME_SYN, PS_FRAME_KINDS };

/* A direction through the device under test. */
struct ps_direction {
	struct ps_track track;
	struct ps_histogram latency; /* TSC cycles, of one pass through the device */
	uint64_t sent;
};
enum { PS_TO_BACKEND, PS_TO_CLIENT, PS_DIRECTIONS };

struct ps_backend_seen {
	uint64_t packets;
	uint64_t first_ns; /* CLOCK_REALTIME of its first packet, 0: none yet */
};

/* Counts of one phase. */
struct ps_tally {
	uint64_t wrong_address;  /* reply from another address or port than the flow was sent to */
	uint64_t wrong_checksum;
	uint64_t checksums_checked;
	uint64_t resets;         /* RST to a client */
	uint64_t icmp_errors;    /* ICMP errors to a client or backend */
	uint64_t unknown;        /* packets for nobody here */
	uint64_t answered;       /* ARP, ND, ping, SYN of probes */
	uint64_t handshakes;     /* SYN-ACKs that reached their client */
	uint64_t accepted;       /* ACKs of handshakes that reached their backend, and what else of TCP carries no stamp */
	uint64_t new_flows;      /* first packets of new flows sent */
	uint64_t no_buffer;
};

struct ps_engine {
	const struct ps_config *c;
	struct ps_space space;
	double hz;
	uint64_t backoff;        /* cycles */
	struct rte_mempool *pool;
	struct ps_txport *client_port, *backend_port; /* may be the same */

	struct ps_frame frame[PS_FRAME_KINDS][PS_SIZES_MAX];
	uint32_t schedule;       /* position in sizes.schedule */
	bool gateway_known;
	uint8_t gateway_mac[6];

	/* this phase */
	uint32_t window;         /* packets of clients under way at most when the rate is unlimited; 0: no limit */
	uint32_t window_base;    /* numbers before this one are over, whatever became of them */
	uint64_t window_after;   /* TSC: when nothing has come home until then, what is under way is given up */
	bool sending;            /* established flows' packets */
	struct ps_pacer pacer;
	double new_rate;
	struct ps_pacer new_pacer;
	uint32_t number;         /* of the next packet of a client */
	uint32_t phase_first;    /* number of the first packet of the phase */
	uint32_t flow, stride;   /* next flow, scattered order */
	uint64_t new_flow;       /* next new flow, counts from 0 */
	uint32_t random;
	uint32_t verify_countdown;
	struct ps_direction dir[PS_DIRECTIONS];
	struct ps_tally tally;
	uint64_t wire_tx, wire_rx; /* packets of the measurement on all ports, answers included */

	/* setting up flows: set while it goes on */
	const uint32_t *setup_flow;  /* [setup_flows]: flow of each SYN, in sending order; NULL: all in order */
	uint32_t setup_flows;
	uint32_t setup_sent;
	uint32_t setup_done;
	uint64_t *setup_bitmap;      /* [flows / 64]: the flow is open */

	uint32_t spent;              /* received packets of this burst that nobody needs any more */
	struct rte_mbuf *spent_list[64];

	uint32_t last_backend;       /* that a packet reached, PS_NONE: none yet; only with watch_backend */
	struct ps_backend_seen *backend; /* [min(backends, PS_BACKENDS_SHOWN)] */
	uint32_t *last_seen;         /* [flows]: order watch of ps_track, in the last direction that knows flows */
	volatile bool stop;
	struct ps_txport port[PS_LOADGEN_PORTS];
};

/* Everything that needs memory but no ports. */
int ps_engine_init(struct ps_engine *e, const struct ps_config *c);
void ps_engine_fini(struct ps_engine *e);
/* Templates; once the ports' addresses and the gateway's are known, and again when the latter changes. */
int ps_engine_make_frames(struct ps_engine *e);

/* The gateway's MAC became known or changed. */
void ps_engine_learn_gateway(struct ps_engine *e, const uint8_t mac[6]);
/* The address whose MAC packets of clients are sent to. */
struct ps_addr ps_engine_next_hop(const struct ps_engine *e);

/* Counts start anew; packets still under way from before are stale. */
void ps_engine_phase(struct ps_engine *e);
/* One turn: receive, answer, send. Returns true when a packet moved. */
bool ps_engine_turn(struct ps_engine *e);

/* Prints "event NAME TIME" on standard error. */
void ps_event(const char *name);

/* receive.c */
uint32_t ps_receive(struct ps_engine *e, struct ps_txport *p, uint64_t now);
/* send.c: new packets of clients into the client port's queue. */
uint32_t ps_send(struct ps_engine *e, uint64_t now);
uint64_t ps_send_wait(const struct ps_engine *e, uint64_t now);
struct rte_mbuf *ps_send_build(struct ps_engine *e, enum ps_frame_kind kind, uint32_t flow, uint32_t now);
/* answer.c: takes ownership of m, sends an answer or frees it. l3, l4: offsets of the headers. */
void ps_answer(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m);
void ps_answer_syn(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint32_t l3, uint32_t l4);
void ps_answer_syn_ack(struct ps_engine *e, struct ps_txport *p, struct rte_mbuf *m, uint32_t l3, uint32_t l4);
/* announce.c: gratuitous ARP/ND for what is played here, and the question for the gateway's address. */
void ps_announce(struct ps_engine *e);
void ps_ask_gateway(struct ps_engine *e);
bool ps_plays(const struct ps_engine *e, const struct ps_addr *addr);

/* The flow that the packet with this number opened; PS_NONE: not of this setup. */
static inline uint32_t
ps_setup_flow_of(const struct ps_engine *e, uint32_t number)
{
	uint32_t index = number - e->phase_first;

	if (e->setup_bitmap == NULL || index >= e->setup_sent)
		return PS_NONE;
	return e->setup_flow != NULL ? e->setup_flow[index] : index;
}

static inline void
ps_setup_mark(struct ps_engine *e, uint32_t number)
{
	uint32_t flow = ps_setup_flow_of(e, number);

	if (flow == PS_NONE || (e->setup_bitmap[flow / 64] & 1ull << (flow & 63)) != 0)
		return;
	e->setup_bitmap[flow / 64] |= 1ull << (flow & 63);
	e->setup_done++;
}

#endif

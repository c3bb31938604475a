/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder share.
 *
 *   caller ── input.c ──┬── handshake.c (LISTEN, SYN-SENT, cookies)
 *     │                 ├── ack.c ── sack.c, loss.c (RACK, NewReno) ── congestion.c
 *     │                 └── receive.c (reassembly)
 *     ├── socket.c                                   all of them mark a connection for
 *     └── ps_tcp_run ── timer.c (wheel) ──────────── output.c: one pass per connection
 *
 * A connection is one block of at most 512 bytes. Two kinds of small records hang on it, both from pools made
 * at creation: *pieces* (one per payload slice held: to send, received in order, received out of order) and
 * *records* (one per segment in flight, in order of sequence: when it was sent, what became of it). Links are
 * indices, 0 means none, so that blocks stay small and index 0 of each pool is never used.
 */
#ifndef PS_TCP_INTERNAL_H
#define PS_TCP_INTERNAL_H

#include <errno.h>
#include <string.h>

#include "dataplane/tcp/tcp.h"

/* Sequence numbers compare modulo 2^32 (RFC 9293 3.4); so do times in 32 bits. */
static inline bool
ps_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool
ps_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static inline uint32_t
ps_least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t
ps_most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

enum ps_tcp_timer {
	PS_TIMER_RTO, /* also SYN, FIN, and probes of a window that closed over data in flight */
	PS_TIMER_TLP,
	PS_TIMER_RACK,
	PS_TIMER_PERSIST,
	PS_TIMER_DELACK,
	PS_TIMER_KEEPALIVE,
	PS_TIMER_LINGER, /* TIME-WAIT, FIN-WAIT-2 without owner */
	PS_TIMERS
};

enum {
	F_TS = 1u << 0,          /* timestamps are in use */
	F_SACK = 1u << 1,
	F_ECN = 1u << 2,
	F_ACK_NOW = 1u << 3,
	F_OUTPUT = 1u << 4,      /* stands in the output list */
	F_READY = 1u << 5,       /* stands in the event list */
	F_ORPHAN = 1u << 6,      /* the owner has given the handle back, or never had it */
	F_FIN_QUEUED = 1u << 7,
	F_FIN_SENT = 1u << 8,    /* snd_nxt is behind our FIN */
	F_FIN_RECEIVED = 1u << 9,
	F_NODELAY = 1u << 10,
	F_ECE = 1u << 11,        /* congestion experienced: say so until CWR comes */
	F_CWR = 1u << 12,        /* tell the peer that the window was reduced */
	F_KEEPALIVE = 1u << 13,
	F_ACTIVE = 1u << 14,
	F_REORDERING = 1u << 15, /* RACK has seen reordering */
	F_TLP_AGAIN = 1u << 16,  /* the tail loss probe was a retransmission */
	F_WAITING = 1u << 17,    /* stands in its listener's accept queue */
	F_BLACK_HOLE = 1u << 18,
	F_CWND_LIMITED = 1u << 19,
	F_DSACK = 1u << 20,      /* dsack is to be reported */
	F_HASHED = 1u << 21,
	F_USER_TIMEOUT = 1u << 22, /* the option is still to be sent */
	F_NEWRENO = 1u << 23,
	F_WANT_WRITE = 1u << 24, /* a write was refused */
	F_TLP_OPEN = 1u << 25,   /* a probe is in flight, tlp_end says to where */
	F_TIME_WAIT = 1u << 26,  /* stands in the list of connections in TIME-WAIT */
	F_V4 = 1u << 27,
	F_UNDO = 1u << 28,       /* undo_* are valid */
	F_SENT_EVENT = 1u << 29, /* PS_TCP_ON_SENT is owed */
	F_HALF_OPEN = 1u << 30,  /* counted by its listener */
};

/* The last bit does not fit an enum's int. */
#define F_FIN_KNOWN (1u << 31) /* rcv_fin says where the peer's FIN lies */

enum ps_tcp_episode { PS_OPEN, PS_REDUCE, PS_RECOVERY, PS_LOSS };

struct ps_tcp_piece {
	const uint8_t *data;
	void *owner;
	uint32_t size;
	uint32_t seq;
	uint32_t next;
	uint32_t unused;
};

enum { R_SACKED = 1, R_LOST = 2, R_AGAIN = 4 /* retransmission in flight */, R_EVER = 8, R_FIN = 16, R_PROBE = 32 };

struct ps_tcp_record {
	uint32_t next;
	uint32_t seq;
	uint32_t time;   /* us, when last sent */
	uint32_t piece;  /* where its payload begins */
	uint32_t offset; /* in that piece */
	uint16_t size;
	uint8_t flags;
	uint8_t tries;
};

struct ps_tcp_range {
	uint32_t start, end;
};

struct ps_tcp_conn {
	/* First line: who it is, and what the receiving path compares. */
	struct ps_addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t hash_next;
	uint32_t flags;
	uint8_t state, snd_scale, rcv_scale, armed; /* armed: bit per timer */
	uint32_t rcv_nxt, snd_una, snd_nxt;
	uint32_t snd_wnd; /* scaled: bytes */

	/* Second line: what every segment in or out touches. */
	uint32_t rcv_adv; /* right edge promised */
	uint32_t snd_end; /* behind the last byte written */
	uint32_t cwnd;
	uint32_t snd_wl1, snd_wl2;
	uint32_t ts_recent, ts_recent_ms;
	uint32_t last_ack_sent;
	uint32_t rcv_queued; /* bytes in order, unread */
	uint32_t tx_piece, tx_offset; /* where snd_nxt lies */
	uint32_t sent_head, sent_tail;
	uint32_t rx_head, rx_tail;
	uint16_t mss; /* payload of a full segment, options taken off */
	uint8_t episode, mask; /* mask: events not yet told */

	/* Colder. */
	uint32_t tx_head, tx_tail;
	uint32_t ooo_head;
	uint32_t out_next, ready_next;
	uint32_t list_next, list_prev; /* accept queue or TIME-WAIT */
	uint32_t wheel_next, wheel_prev;
	uint32_t wheel_at; /* ms tick it hangs at, valid if wheel_slot */
	uint32_t wheel_slot; /* slot + 1, 0: not hung */
	uint32_t deadline[PS_TIMERS]; /* ms tick */
	uint32_t iss, irs, rcv_fin;
	uint32_t ts_offset;
	uint32_t max_wnd; /* largest window the peer has offered */
	uint32_t srtt8, rttvar4, rto_us, min_rtt, min_rtt_ms;
	uint32_t ssthresh, cwnd_part;
	uint32_t recovery_point;
	uint32_t sacked, lost, again; /* bytes in flight by fate */
	uint32_t prr_delivered, prr_out, prr_flight;
	uint32_t undo_cwnd, undo_ssthresh;
	uint32_t undo_una, undo_ms;
	uint32_t rack_time, rack_end, rack_rtt;
	uint32_t fack; /* behind the highest byte known to have arrived */
	uint32_t tlp_end;
	uint32_t cubic_max, cubic_k, cubic_epoch, cubic_estimate, cubic_part, cubic_prior;
	uint32_t pipe_ack, pipe_prev, round_una, round_end, unvalidated_ms, last_send_ms;
	uint32_t stall_ms; /* since when nothing was acknowledged */
	uint32_t heard_ms; /* when the last acceptable segment came */
	uint32_t user_timeout_ms, peer_timeout_ms;
	uint32_t rcv_buf, snd_buf;
	uint32_t challenge_ms;
	uint32_t lowered_ms;
	uint32_t retransmits;
	uint32_t last_end_ms;
	struct ps_tcp_range sack[4]; /* received out of order, latest first */
	struct ps_tcp_range dsack;
	uint16_t mtu, mtu_full, peer_mss, rcv_mss;
	uint16_t ooo_length;
	uint16_t undo_retransmits;
	uint8_t sacks, backoff, probes, dup_acks, dup_acks_due, error;
	uint8_t rack_extra, rack_persist; /* RFC 8985: reordering window multiplier, recoveries it lasts */
	uint8_t challenges, sacked_records;
	uint16_t listener; /* index + 1 */
	uint64_t sent_bytes, received_bytes;
	void *user;
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct ps_tcp_conn, rcv_adv) == 64, "first hot line");
_Static_assert(offsetof(struct ps_tcp_conn, tx_head) == 128, "second hot line");
_Static_assert(sizeof(struct ps_tcp_conn) <= 512, "an idle connection is at most 512 bytes");

struct ps_tcp_listener {
	struct ps_addr address;
	void *user;
	uint32_t next; /* in its bucket, or free */
	uint32_t backlog, half_open, waiting;
	uint32_t head, tail; /* accept queue */
	uint32_t ready_next;
	uint16_t port;
	bool any, used, ready;
};

#define PS_WHEEL_BITS 10u
#define PS_WHEEL_SLOTS (1u << PS_WHEEL_BITS) /* of each of the two levels */

struct ps_tcp {
	struct ps_tcp_config config;
	uint64_t now;     /* us */
	uint32_t now_ms;
	uint32_t wheel_ms; /* tick processed last */
	uint32_t *bucket;
	uint32_t bucket_mask;
	struct ps_tcp_conn *conn;
	struct ps_tcp_listener *listener;
	struct ps_tcp_piece *piece;
	struct ps_tcp_record *record;
	uint32_t conn_free, listener_free, piece_free, record_free;
	uint32_t conns, pieces, records, time_waits, orphans, half_open;
	uint32_t out_head, out_tail, ready_head, ready_tail, listen_ready;
	uint32_t time_wait_head, time_wait_tail;
	uint32_t listen_bucket[64];
	uint32_t wheel[2 * PS_WHEEL_SLOTS];
	uint32_t timers; /* connections that hang on the wheel */
	uint32_t timers_near; /* of these, on its first level */
	uint64_t cookie_at; /* when one was sent last, 0: never */
	uint32_t budget_s, budget; /* challenge ACKs and RSTs in the running second */
	uint8_t pressure_outside, pressure;
	uint8_t scale;
	uint64_t hash_seed;
	uint64_t counter[PS_TCP_REASON_COUNT];
};

static inline void
ps_note(struct ps_tcp *s, enum ps_tcp_reason reason)
{
	s->counter[reason]++;
}

static inline uint32_t
ps_index(const struct ps_tcp *s, const struct ps_tcp_conn *c)
{
	return (uint32_t)(c - s->conn);
}

static inline uint32_t
ps_flight(const struct ps_tcp_conn *c)
{
	return c->snd_nxt - c->snd_una;
}

/* What is thought to be in the network (RFC 6675 2). */
static inline uint32_t
ps_pipe(const struct ps_tcp_conn *c)
{
	uint32_t flight = ps_flight(c), gone = c->sacked + c->lost;

	return (flight > gone ? flight - gone : 0) + c->again;
}

static inline uint32_t
ps_record_end(const struct ps_tcp_record *r)
{
	return r->seq + r->size + ((r->flags & R_FIN) != 0);
}

/* Synchronised: beyond the handshake. */
static inline bool
ps_synchronised(const struct ps_tcp_conn *c)
{
	return c->state >= PS_TCP_ESTABLISHED;
}

/* hash.c */
uint64_t ps_siphash(const uint8_t key[16], const void *data, size_t size);
uint64_t ps_tuple_hash(const struct ps_tcp *s, uint32_t purpose, const struct ps_addr *local, uint16_t local_port,
		       const struct ps_addr *remote, uint16_t remote_port);
uint32_t ps_initial_sequence(const struct ps_tcp *s, const struct ps_addr *local, uint16_t local_port,
			     const struct ps_addr *remote, uint16_t remote_port);
uint32_t ps_timestamp_offset(const struct ps_tcp *s, const struct ps_addr *local, const struct ps_addr *remote,
			     uint16_t local_port, uint16_t remote_port);

/* stack.c */
struct ps_tcp_conn *ps_conn_find(const struct ps_tcp *s, const struct ps_addr *local, uint16_t local_port,
				 const struct ps_addr *remote, uint16_t remote_port);
struct ps_tcp_conn *ps_conn_new(struct ps_tcp *s, const struct ps_addr *local, uint16_t local_port,
				const struct ps_addr *remote, uint16_t remote_port);
void ps_conn_free(struct ps_tcp *s, struct ps_tcp_conn *c);
/* Ends a connection: frees it, or leaves a CLOSED handle to its owner. It may be gone afterwards. */
void ps_conn_end(struct ps_tcp *s, struct ps_tcp_conn *c, enum ps_tcp_reason reason);
void ps_conn_want_output(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_conn_tell(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t mask);
void ps_conn_time_wait(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_conn_set_mss(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_list_append(struct ps_tcp *s, uint32_t *head, uint32_t *tail, struct ps_tcp_conn *c);
void ps_list_remove(struct ps_tcp *s, uint32_t *head, uint32_t *tail, struct ps_tcp_conn *c);
uint32_t ps_piece_new(struct ps_tcp *s, const uint8_t *data, uint32_t size, void *owner, uint32_t seq);
void ps_piece_free(struct ps_tcp *s, uint32_t index);
void ps_chain_free(struct ps_tcp *s, uint32_t *head, uint32_t *tail);
void ps_update_pressure(struct ps_tcp *s);
struct ps_tcp_listener *ps_listener_find(struct ps_tcp *s, const struct ps_addr *address, uint16_t port);

/* timer.c */
void ps_timer_set(struct ps_tcp *s, struct ps_tcp_conn *c, enum ps_tcp_timer timer, uint64_t after_us);
void ps_timer_off(struct ps_tcp_conn *c, enum ps_tcp_timer timer);
void ps_timers_remove(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_timers_run(struct ps_tcp *s);
void ps_timer_rto(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_timer_keepalive(struct ps_tcp *s, struct ps_tcp_conn *c);
static inline bool
ps_timer_is_set(const struct ps_tcp_conn *c, enum ps_tcp_timer timer)
{
	return (c->armed >> timer & 1u) != 0;
}

/* option.c */
struct ps_tcp_options {
	bool has_ts, has_mss, has_scale, sack_ok, has_timeout;
	uint8_t scale, sacks;
	uint16_t mss;
	uint32_t tsval, tsecr;
	uint32_t timeout_ms;
	struct ps_tcp_range sack[4];
};
int ps_options_parse(struct ps_tcp_options *o, const struct ps_tcp_segment *segment);

/* output.c */
void ps_output(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_send_syn(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_send_ack(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_send_probe(struct ps_tcp *s, struct ps_tcp_conn *c); /* keepalive: an old sequence number */
void ps_send_reset(struct ps_tcp *s, struct ps_tcp_conn *c);
/* RST in answer to a segment of no connection, or one that a handshake refuses. */
void ps_answer_reset(struct ps_tcp *s, const struct ps_tcp_segment *in);
void ps_send_tlp(struct ps_tcp *s, struct ps_tcp_conn *c);
/* Sends a record again, at most an MSS of it; false: it could not be split, only its first part went. */
bool ps_send_again(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_record *r);
bool ps_send_new(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t size);
uint32_t ps_tcp_clock(const struct ps_tcp *s, const struct ps_tcp_conn *c);

/* handshake.c */
void ps_input_listen(struct ps_tcp *s, struct ps_tcp_listener *l, const struct ps_tcp_segment *g,
		     const struct ps_tcp_options *o, uint32_t iss_least);
void ps_input_syn_sent(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g,
		       const struct ps_tcp_options *o);
void ps_established(struct ps_tcp *s, struct ps_tcp_conn *c);
uint8_t ps_window_scale(uint32_t buffer);

/* input.c */
void ps_input_synchronised(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g,
			   const struct ps_tcp_options *o);
void ps_challenge(struct ps_tcp *s, struct ps_tcp_conn *c, enum ps_tcp_reason why);
bool ps_budget_take(struct ps_tcp *s);

/* receive.c */
/* Takes what of the payload is new and in the window. */
void ps_receive(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g);
void ps_receive_purge(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_note_dsack(struct ps_tcp_conn *c, uint32_t start, uint32_t end);
uint32_t ps_receive_edge(struct ps_tcp *s, struct ps_tcp_conn *c, bool always);

/* ack.c */
void ps_ack(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g, const struct ps_tcp_options *o);
void ps_rtt_sample(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t us);

/* sack.c */
struct ps_delivery {
	uint32_t bytes;      /* newly known to have arrived */
	uint32_t fack;       /* before this acknowledgement */
	uint32_t rtt;        /* us of the latest record never sent again, 0: none */
	bool spurious_time;  /* a record sent again arrived before its copy could */
	bool dsack;
	bool advanced;       /* by SACK */
};
void ps_record_delivered(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_record *r, const struct ps_tcp_options *o,
			 struct ps_delivery *d);
void ps_sack_process(struct ps_tcp *s, struct ps_tcp_conn *c, const struct ps_tcp_segment *g,
		     const struct ps_tcp_options *o, struct ps_delivery *d);
void ps_sack_forget(struct ps_tcp *s, struct ps_tcp_conn *c);
uint32_t ps_record_new(struct ps_tcp *s);
void ps_record_free(struct ps_tcp *s, uint32_t index);
/* Cuts a record after `size` bytes; false: no record free. */
bool ps_record_split(struct ps_tcp *s, struct ps_tcp_conn *c, struct ps_tcp_record *r, uint32_t size);

/* loss.c */
void ps_record_lost(struct ps_tcp_conn *c, struct ps_tcp_record *r);
bool ps_rack_detect(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_enter(struct ps_tcp *s, struct ps_tcp_conn *c, enum ps_tcp_episode episode);
void ps_all_lost(struct ps_tcp *s, struct ps_tcp_conn *c);

/* congestion.c */
void ps_cc_init(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_cc_ack(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t acked, uint32_t flight_before);
void ps_cc_reduce(struct ps_tcp *s, struct ps_tcp_conn *c, bool timeout);
void ps_cc_prr(struct ps_tcp *s, struct ps_tcp_conn *c, uint32_t delivered);
void ps_cc_undo(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_cc_sending(struct ps_tcp *s, struct ps_tcp_conn *c);
void ps_cc_round(struct ps_tcp *s, struct ps_tcp_conn *c);

#endif

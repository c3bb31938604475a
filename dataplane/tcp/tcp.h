/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP without I/O: segments in, segments out, time passed in, memory given. RFC 9293 and what the field has added
 * to it; which document governs what is said beside the code.
 *
 * A stack belongs to one thread. Nothing here allocates, locks, sleeps or asks for the time. One turn of the owner's
 * loop is:
 *
 *   ps_tcp_time(stack, now)            once per burst
 *   ps_tcp_input(stack, segment)       for each segment received
 *   ps_tcp_next_event(stack, &event)   until it returns false; read, write, close
 *   ps_tcp_run(stack)                  timers, then one output pass per connection that has something to send
 *
 * Ownership. A connection handle belongs to the caller from connect or accept until ps_tcp_close or ps_tcp_abort,
 * whatever happens to the connection meanwhile; afterwards it must not be used. Payload is passed by reference:
 * the library retains what it keeps and releases it when done; a slice passed to it or by it is otherwise
 * valid only during the call.
 */
#ifndef PS_TCP_TCP_H
#define PS_TCP_TCP_H

#include <sys/types.h>

#include "dataplane/tcp/reasons.h"
#include "dataplane/tcp/segment.h"

struct ps_tcp;
struct ps_tcp_conn;
struct ps_tcp_listener;

enum ps_tcp_state {
	PS_TCP_CLOSED,
	PS_TCP_LISTEN,
	PS_TCP_SYN_SENT,
	PS_TCP_SYN_RECEIVED,
	PS_TCP_ESTABLISHED,
	PS_TCP_FIN_WAIT_1,
	PS_TCP_FIN_WAIT_2,
	PS_TCP_CLOSE_WAIT,
	PS_TCP_CLOSING,
	PS_TCP_LAST_ACK,
	PS_TCP_TIME_WAIT,
	PS_TCP_STATES
};

/* Events of a connection; all but PS_TCP_ON_ACCEPT are told once per change. */
#define PS_TCP_ON_CONNECT 0x01u  /* the handshake we began is complete */
#define PS_TCP_ON_READ 0x02u     /* payload arrived */
#define PS_TCP_ON_WRITE 0x04u    /* after -EAGAIN: half of the send buffer is free again */
#define PS_TCP_ON_END 0x08u      /* the peer's FIN arrived, after all payload */
#define PS_TCP_ON_SENT 0x10u     /* everything written, and FIN if shut down, is acknowledged */
#define PS_TCP_ON_CLOSE 0x20u    /* the connection is over; ps_tcp_error says why */
#define PS_TCP_ON_ACCEPT 0x40u   /* a listener has a connection to accept */

/*
 * Memory pressure, in the order in which things are given up; each level includes those before it.
 *   RESERVE  writes are refused beyond a segment per connection: the rest is kept for what has been promised
 *   COOKIES  SYNs leave no state behind
 *   SHRINK   windows are not opened further than two segments
 *   REFUSE   no new connections
 *   DROP     out-of-order payload is dropped
 */
enum ps_tcp_pressure {
	PS_TCP_PRESSURE_NONE,
	PS_TCP_PRESSURE_RESERVE,
	PS_TCP_PRESSURE_COOKIES,
	PS_TCP_PRESSURE_SHRINK,
	PS_TCP_PRESSURE_REFUSE,
	PS_TCP_PRESSURE_DROP,
};

enum ps_tcp_congestion {
	PS_TCP_CUBIC,   /* RFC 9438 */
	PS_TCP_NEWRENO, /* RFC 5681, 6582 */
};

struct ps_tcp_config {
	uint32_t connections;     /* blocks; also those in TIME-WAIT and half-open ones need one */
	uint32_t listeners;
	uint32_t pieces;          /* buffer descriptors: one per slice held, sending and receiving */
	uint32_t records;         /* one per segment in flight */
	uint32_t receive_buffer;  /* bytes a connection may hold unread; sets the window scale */
	uint32_t send_buffer;     /* bytes a connection may hold unacknowledged */
	uint32_t mtu;             /* of the interface, IP header included */
	uint32_t initial_window;  /* segments (RFC 6928), 0: 10 */
	uint32_t orphans;         /* connections closed by their owner but not over, most */
	uint32_t ooo_pieces;      /* out-of-order pieces per connection, most */
	uint32_t rto_min_ms, rto_max_ms, rto_initial_ms;
	uint32_t delayed_ack_ms;
	uint32_t time_wait_ms;    /* twice the maximum segment lifetime */
	uint32_t fin_wait_2_ms;   /* without owner */
	uint32_t user_timeout_ms; /* 0: none but the retries */
	uint32_t keepalive_idle_ms, keepalive_interval_ms;
	uint32_t pmtu_raise_ms;   /* after this a lowered MTU is tried at full size again (RFC 8201 4: 10 minutes) */
	uint32_t challenges_per_s; /* challenge ACKs and RSTs to strangers, whole stack */
	uint8_t keepalive_probes;
	uint8_t retries, syn_retries, orphan_retries;
	uint8_t congestion;       /* enum ps_tcp_congestion */
	bool ecn, no_timestamps, no_sack, no_window_scale;
	bool always_cookies;      /* every SYN is answered statelessly */
	bool advertise_user_timeout; /* RFC 5482: sends the option and adopts the peer's */
	uint8_t secret[32];       /* random: initial sequence numbers, timestamps, cookies, hash table */
	void *ctx;                /* for the callbacks */
	/* Takes one segment; slices are valid during the call, so what is kept beyond it must be retained. */
	void (*output)(void *ctx, const struct ps_tcp_segment *segment);
	void (*retain)(void *ctx, void *owner);
	void (*release)(void *ctx, void *owner);
};

/* Sets everything but the secret and the callbacks to what a gateway wants. */
void ps_tcp_config_init(struct ps_tcp_config *config);

/* Bytes of memory, aligned to 64, that ps_tcp_create asks for. */
size_t ps_tcp_memory_size(const struct ps_tcp_config *config);

/*
 * The memory stays the caller's and must outlive the stack. now: microseconds of any monotonic clock.
 * 0; -EINVAL: a size is 0 or out of range; -ENOSPC: memory too small.
 */
int ps_tcp_create(struct ps_tcp **stack, const struct ps_tcp_config *config, void *memory, size_t size, uint64_t now);

/* Releases every buffer held and forgets all connections without a word to their peers. */
void ps_tcp_destroy(struct ps_tcp *stack);

void ps_tcp_time(struct ps_tcp *stack, uint64_t now);
void ps_tcp_input(struct ps_tcp *stack, const struct ps_tcp_segment *segment);
void ps_tcp_run(struct ps_tcp *stack);

/* Microseconds until a timer may be due (never later than the true time), UINT64_MAX: none is set. */
uint64_t ps_tcp_next_timer(const struct ps_tcp *stack);

/* The owner's own buffers are short: the level in force is the higher of this and the stack's own. */
void ps_tcp_set_pressure(struct ps_tcp *stack, enum ps_tcp_pressure level);
enum ps_tcp_pressure ps_tcp_get_pressure(const struct ps_tcp *stack);

/* A segment that was not taken (parse error, bad checksum) is counted here too. */
void ps_tcp_count(struct ps_tcp *stack, enum ps_tcp_reason reason);
const uint64_t *ps_tcp_counters(const struct ps_tcp *stack); /* PS_TCP_REASON_COUNT of them */

enum ps_tcp_icmp_kind {
	PS_TCP_ICMP_TOO_BIG,     /* mtu: of the next hop, 0 when the router did not say */
	PS_TCP_ICMP_UNREACHABLE, /* any unreachable: hard and soft are treated alike (RFC 5927 4) */
};

/* An ICMP error that quotes a segment of ours: local, remote and seq are those of the quoted segment. */
struct ps_tcp_icmp {
	struct ps_addr local, remote;
	uint16_t local_port, remote_port;
	uint32_t seq;
	uint32_t mtu;
	enum ps_tcp_icmp_kind kind;
};

void ps_tcp_input_icmp(struct ps_tcp *stack, const struct ps_tcp_icmp *icmp);

/*
 * address: all zero means any, of both families. backlog: half-open connections before cookies are used, and
 * established ones that wait for accept. 0; -EADDRINUSE; -ENOSPC.
 */
int ps_tcp_listen(struct ps_tcp *stack, struct ps_tcp_listener **listener, const struct ps_addr *address, uint16_t port,
		  uint32_t backlog, void *user);
/* Connections not yet accepted are reset; accepted ones live on. */
void ps_tcp_unlisten(struct ps_tcp *stack, struct ps_tcp_listener *listener);
/* NULL: none waits. */
struct ps_tcp_conn *ps_tcp_accept(struct ps_tcp *stack, struct ps_tcp_listener *listener, void *user);

/*
 * local_port 0: one is chosen (RFC 6056). 0; -EADDRINUSE: the 4-tuple is in use; -EADDRNOTAVAIL: no free port;
 * -ENOBUFS: no block, or memory pressure; -EINVAL.
 */
int ps_tcp_connect(struct ps_tcp *stack, struct ps_tcp_conn **conn, const struct ps_addr *local, uint16_t local_port,
		   const struct ps_addr *remote, uint16_t remote_port, void *user);

struct ps_tcp_event {
	struct ps_tcp_conn *conn;         /* or */
	struct ps_tcp_listener *listener; /* with PS_TCP_ON_ACCEPT */
	void *user;
	uint32_t mask;
};

/* False: nothing more. */
bool ps_tcp_next_event(struct ps_tcp *stack, struct ps_tcp_event *event);

/* Fills at most `length` slices with what can be read, oldest first; they stay valid until consumed. Returns how many. */
uint32_t ps_tcp_peek(const struct ps_tcp *stack, const struct ps_tcp_conn *conn, struct ps_tcp_slice *slice,
		     uint32_t length);
/* size: at most what ps_tcp_readable says. */
void ps_tcp_consume(struct ps_tcp *stack, struct ps_tcp_conn *conn, uint32_t size);
uint32_t ps_tcp_readable(const struct ps_tcp_conn *conn);
/* True: the peer has closed its direction and everything has been consumed. */
bool ps_tcp_at_end(const struct ps_tcp_conn *conn);

/*
 * Appends buffers to what is sent; returns bytes taken, perhaps only part of a slice. -EAGAIN: the send buffer is
 * full (PS_TCP_ON_WRITE follows); -ENOBUFS: memory pressure, try later; -EPIPE: shut down or over.
 */
ssize_t ps_tcp_write(struct ps_tcp *stack, struct ps_tcp_conn *conn, const struct ps_tcp_slice *slice, uint32_t slices);
/* Bytes that may be written now. */
uint32_t ps_tcp_writable(const struct ps_tcp *stack, const struct ps_tcp_conn *conn);

/* Sends FIN after what has been written; reading goes on. */
void ps_tcp_shutdown(struct ps_tcp *stack, struct ps_tcp_conn *conn);
/* Gives the handle back: sends what is queued and FIN, or RST if payload was left unread (RFC 9293 3.6.1). */
void ps_tcp_close(struct ps_tcp *stack, struct ps_tcp_conn *conn);
/* Gives the handle back and sends RST. */
void ps_tcp_abort(struct ps_tcp *stack, struct ps_tcp_conn *conn);

enum ps_tcp_option {
	PS_TCP_OPT_NODELAY,        /* 1: no Nagle (RFC 9293 3.7.4) */
	PS_TCP_OPT_KEEPALIVE,      /* 1: on (RFC 9293 3.8.4) */
	PS_TCP_OPT_USER_TIMEOUT,   /* ms, 0: retries decide */
	PS_TCP_OPT_RECEIVE_BUFFER, /* bytes; never below what has been promised */
	PS_TCP_OPT_SEND_BUFFER,
	PS_TCP_OPT_MTU,            /* of the path, as far as known */
	PS_TCP_OPT_CONGESTION,     /* enum ps_tcp_congestion */
};

/* 0 or -EINVAL. */
int ps_tcp_set(struct ps_tcp *stack, struct ps_tcp_conn *conn, enum ps_tcp_option option, uint32_t value);

void ps_tcp_set_user(struct ps_tcp_conn *conn, void *user);
void *ps_tcp_user(const struct ps_tcp_conn *conn);
enum ps_tcp_state ps_tcp_state(const struct ps_tcp_conn *conn);
/* PS_TCP_NONE, or the reason of kind "close" why it ended. */
enum ps_tcp_reason ps_tcp_error(const struct ps_tcp_conn *conn);

struct ps_tcp_info {
	struct ps_addr local, remote;
	uint16_t local_port, remote_port;
	uint8_t state;
	bool timestamps, sack, ecn, recovery;
	uint8_t send_scale, receive_scale;
	uint32_t rtt_us, rtt_var_us, rto_ms;
	uint32_t mss, mtu, cwnd, ssthresh, in_flight, pipe;
	uint32_t send_window, receive_window;
	uint32_t unsent, unacknowledged, unread;
	uint32_t retransmits;
	uint64_t bytes_sent, bytes_received;
};

void ps_tcp_describe(const struct ps_tcp *stack, const struct ps_tcp_conn *conn, struct ps_tcp_info *info);

/* What the stack holds; for status pages, and for tests that look for leaks. */
struct ps_tcp_usage {
	uint32_t connections, time_wait, orphans, half_open;
	uint32_t pieces, records;
	size_t bytes_per_connection;
};

void ps_tcp_usage(const struct ps_tcp *stack, struct ps_tcp_usage *usage);

/* Checks internal invariants of all connections; returns NULL or what is wrong. For tests: walks everything. */
const char *ps_tcp_verify(const struct ps_tcp *stack);

const char *ps_tcp_state_name(enum ps_tcp_state state);

#endif

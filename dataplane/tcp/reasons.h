/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every way a segment or a connection meets its end, and every event worth counting, has one name, declared here
 * once: it is the counter, the text and, for connections, the error that the owner is told.
 *
 * PS_TCP_REASON(NAME, kind, "description"): kind is one of
 *   drop    a segment, or part of it, was discarded
 *   answer  a segment was discarded and answered (RST, challenge ACK, ...)
 *   close   a connection ended otherwise than by FIN in both directions; what ps_tcp_error() returns
 *   event   something happened that an operator wants to see
 */
#ifndef PS_TCP_REASONS_H
#define PS_TCP_REASONS_H

#include <stdint.h>

#define PS_TCP_REASONS(R) \
	R(NONE, event, "nothing happened") \
	R(HEADER_MALFORMED, drop, "header truncated, or data offset outside the segment") \
	R(CHECKSUM, drop, "checksum is wrong") \
	R(PORT_ZERO, drop, "source or destination port is zero") \
	R(OPTION_LENGTH, drop, "an option's length is zero, one, or beyond the header") \
	R(FLAGS_INVALID, drop, "flags that no state allows: none of SYN, ACK, RST, or SYN with FIN or RST") \
	R(RST_NO_CONNECTION, drop, "RST to a connection that is not known") \
	R(NO_CONNECTION, answer, "segment of no known connection: RST sent") \
	R(RST_LIMITED, drop, "would have been answered by RST, but the rate limit is reached") \
	R(PAWS, answer, "timestamp older than the last one seen: ACK sent") \
	R(NO_TIMESTAMP, drop, "timestamps were negotiated and the segment has none") \
	R(OUT_OF_WINDOW, answer, "no part of it lies in the receive window: ACK sent") \
	R(RST_OUT_OF_WINDOW, drop, "RST outside the receive window") \
	R(RST_TIME_WAIT, drop, "RST to a connection in TIME-WAIT") \
	R(RST_CHALLENGED, answer, "RST in the window, but not at the expected sequence: challenge ACK sent") \
	R(SYN_CHALLENGED, answer, "SYN on a synchronised connection: challenge ACK sent") \
	R(ACK_TOO_NEW, answer, "acknowledges what was never sent: challenge ACK sent") \
	R(ACK_TOO_OLD, answer, "acknowledges what was acknowledged more than a window ago: challenge ACK sent") \
	R(CHALLENGE_LIMITED, drop, "would have been challenged, but the rate limit is reached") \
	R(NO_ACK, drop, "segment without ACK on a synchronised connection") \
	R(HANDSHAKE_ACK, answer, "ACK that does not fit our SYN: RST sent") \
	R(COOKIE_INVALID, answer, "ACK without connection whose SYN cookie is wrong or too old: RST sent") \
	R(BACKLOG_FULL, drop, "accept queue is full: the handshake's last ACK is ignored") \
	R(SYN_REFUSED, drop, "SYN refused: memory pressure") \
	R(CONNECTIONS_FULL, drop, "no connection block is free") \
	R(DUPLICATE_DATA, drop, "payload that had been received before") \
	R(BEYOND_WINDOW, drop, "payload to the right of the receive window cut off") \
	R(NO_PIECE, drop, "payload not kept: no buffer descriptor is free") \
	R(OOO_PRESSURE, drop, "out-of-order payload not kept: memory pressure") \
	R(OOO_LIMIT, drop, "out-of-order payload not kept: too many pieces on this connection") \
	R(OOO_PURGED, event, "out-of-order queue given up under memory pressure") \
	R(DATA_AFTER_CLOSE, answer, "payload after both directions were closed here: RST sent") \
	R(DATA_AFTER_FIN, drop, "payload to the right of the peer's FIN") \
	R(SYN_DATA, drop, "payload of a SYN not kept: the peer sends it again") \
	R(ICMP_NO_CONNECTION, drop, "ICMP error about a connection that is not known") \
	R(ICMP_SEQUENCE, drop, "ICMP error that quotes a sequence number not in flight") \
	R(ICMP_IGNORED, drop, "ICMP error that is no reason to end or change an established connection") \
	R(RESET_BY_PEER, close, "reset by peer") \
	R(REFUSED, close, "connection refused: RST in answer to our SYN") \
	R(TIMED_OUT, close, "retransmissions were not answered") \
	R(USER_TIMEOUT, close, "data stayed unacknowledged longer than the user timeout") \
	R(KEEPALIVE_TIMEOUT, close, "keepalive probes were not answered") \
	R(PERSIST_TIMEOUT, close, "window stayed closed for a connection that nobody owns any more") \
	R(ORPHAN_LIMIT, close, "too many connections without owner: this one was reset") \
	R(ORPHAN_TIMEOUT, close, "FIN-WAIT-2 without owner lasted too long") \
	R(UNREACHABLE, close, "ICMP said during the handshake that the peer cannot be reached") \
	R(ABORTED, close, "aborted by its owner") \
	R(SEGMENTS_IN, event, "segments received") \
	R(SEGMENTS_OUT, event, "segments sent") \
	R(OPENED_ACTIVE, event, "connections established by connect") \
	R(OPENED_PASSIVE, event, "connections established by listen") \
	R(RETRANSMITS, event, "segments sent again") \
	R(RTO, event, "retransmission timeouts") \
	R(FAST_RECOVERY, event, "loss episodes repaired without timeout") \
	R(TLP, event, "tail loss probes sent") \
	R(TLP_LOSS, event, "losses that a tail loss probe repaired") \
	R(RACK_TIMER, event, "reordering timers that expired") \
	R(REORDERED, event, "reordering observed") \
	R(SPURIOUS, event, "loss episodes found needless by D-SACK or timestamp and undone") \
	R(SACK_INVALID, event, "SACK blocks outside what is in flight") \
	R(SACK_RENEGED, event, "peer dropped what it had selectively acknowledged") \
	R(DSACK_SENT, event, "duplicates reported by D-SACK") \
	R(DSACK_RECEIVED, event, "duplicates that the peer reported by D-SACK") \
	R(COOKIES_SENT, event, "SYNs answered by a cookie") \
	R(COOKIES_ACCEPTED, event, "connections made from a cookie") \
	R(CHALLENGE_ACKS, event, "challenge ACKs sent") \
	R(RST_SENT, event, "RSTs sent") \
	R(WINDOW_PROBES, event, "zero-window probes sent") \
	R(KEEPALIVES, event, "keepalive probes sent") \
	R(PMTU_LOWERED, event, "path MTU lowered by packet-too-big") \
	R(PMTU_RAISED, event, "path MTU tried at its full size again") \
	R(BLACK_HOLE, event, "segment size lowered because large segments vanish") \
	R(ECN_REDUCED, event, "congestion window reduced by ECN") \
	R(ECN_MARKED, event, "segments received with congestion experienced") \
	R(ECN_SUMMED, event, "ECN given up for a connection whose SYN with it was lost") \
	R(TIME_WAIT_REUSED, event, "connections in TIME-WAIT replaced by a new SYN") \
	R(TIME_WAIT_RECYCLED, event, "connections in TIME-WAIT ended early because blocks ran out") \
	R(URGENT, event, "segments with urgent data, delivered in-line") \
	R(WINDOW_REDUCED, event, "congestion windows reduced after five minutes of little use") \
	R(PRESSURE, event, "times the memory pressure level rose")

enum ps_tcp_reason {
#define PS_TCP_REASON_ENUM(name, kind, text) PS_TCP_##name,
	PS_TCP_REASONS(PS_TCP_REASON_ENUM)
#undef PS_TCP_REASON_ENUM
	PS_TCP_REASON_COUNT
};

struct ps_tcp_reason_text {
	const char *name, *kind, *text;
};

/* One row per reason, in order of the enum. */
extern const struct ps_tcp_reason_text ps_tcp_reason_texts[PS_TCP_REASON_COUNT];

#endif

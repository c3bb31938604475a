/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a packet does to its flow's state: one table lookup for TCP and UDP alike.
 *
 *   FREE --SYN--> SYN --SYN-ACK from endpoint--> SYN_ACK --ACK from client--> ESTABLISHED
 *   ESTABLISHED --FIN--> FIN_CLIENT | FIN_ENDPOINT --FIN from the other--> CLOSING
 *   any --RST--> RESET --segment from the client that is no RST--> ESTABLISHED
 *   UDP --reply--> UDP_REPLIED
 *
 * With DSR only the client is heard: SYN --ACK from client--> ESTABLISHED --FIN--> FIN_CLIENT.
 *
 * Sequence numbers are not followed, so a RST may be forged. It is believed only as far as silence
 * confirms it: it shortens the flow's life to some seconds, and the next segment from the client undoes it
 * (a client that has been reset sends none).
 */
#ifndef PS_FLOW_TCP_STATE_H
#define PS_FLOW_TCP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/api/flow.h"

#define PS_TCP_FIN 0x01u
#define PS_TCP_SYN 0x02u
#define PS_TCP_RST 0x04u
#define PS_TCP_ACK 0x10u

/* In a table entry: the packet needs ps_flow_slow (SYNs, half-open flows). */
#define PS_STATE_SLOW 0x80u

/* [one way][direction][flags: FIN SYN RST ACK][state]; built before main. */
extern uint8_t ps_state_table[2][2][16][16];

/* flags: the TCP flags byte; 0 for UDP. */
static inline uint8_t
ps_state_after(uint8_t state, uint32_t direction, uint8_t flags, bool one_way)
{
	return ps_state_table[one_way][direction][(flags & 7u) | (flags & PS_TCP_ACK) >> 1][state & 15u];
}

/* A client's SYN that asks for a new connection. */
static inline bool
ps_tcp_is_syn(uint8_t flags)
{
	return (flags & (PS_TCP_SYN | PS_TCP_ACK | PS_TCP_RST | PS_TCP_FIN)) == PS_TCP_SYN;
}

#define PS_SYN_MS 5000u

/*
 * Sets how long flows in the states between may be silent, in ms, 0: as before. syn: half-open, from the SYN on
 * (PS_SYN_MS); fin: closed by one side (120 s); closed: closed by both or reset (5 s). Main, before workers run.
 */
void ps_state_timeouts_set(uint32_t syn_ms, uint32_t fin_ms, uint32_t closed_ms);

/*
 * How long a flow may be silent, in ms. tcp_idle_s and udp_idle_s are its service's; what ps_state_timeouts_set says
 * holds for all. UDP of a single packet: 10 s at most.
 */
uint32_t ps_state_timeout_ms(uint8_t state, uint32_t packets_in, uint32_t tcp_idle_s, uint32_t udp_idle_s);

#endif

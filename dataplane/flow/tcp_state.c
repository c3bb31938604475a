/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow/tcp_state.h"

uint8_t ps_state_table[2][2][16][16];

static uint8_t
after_fin(uint8_t state, uint32_t direction)
{
	if (direction == PS_FLOW_TO_ENDPOINT) {
		if (state == PS_FLOW_FIN_ENDPOINT || state == PS_FLOW_CLOSING)
			return PS_FLOW_CLOSING;
		return PS_FLOW_FIN_CLIENT;
	}
	if (state == PS_FLOW_FIN_CLIENT || state == PS_FLOW_CLOSING)
		return PS_FLOW_CLOSING;
	return state == PS_FLOW_ESTABLISHED ? PS_FLOW_FIN_ENDPOINT : state;
}

static uint8_t
after(uint8_t state, uint32_t direction, uint8_t flags, bool one_way)
{
	bool client = direction == PS_FLOW_TO_ENDPOINT;

	switch (state) {
	case PS_FLOW_UDP:
		return client ? PS_FLOW_UDP : PS_FLOW_UDP_REPLIED;
	case PS_FLOW_UDP_REPLIED:
	case PS_FLOW_FREE:
		return state;
	default:
		break;
	}
	if (flags & PS_TCP_RST)
		return PS_FLOW_RESET;
	if (flags & PS_TCP_SYN) /* RFC 5961 4: a SYN inside a connection is the endpoint's to judge */
		return state == PS_FLOW_SYN && !client && (flags & PS_TCP_ACK) ? PS_FLOW_SYN_ACK : state;
	switch (state) {
	case PS_FLOW_SYN:
		if (!one_way || !(flags & PS_TCP_ACK))
			return state;
		break;
	case PS_FLOW_SYN_ACK:
	case PS_FLOW_RESET:
		if (!client || !(flags & PS_TCP_ACK))
			return state;
		break;
	default:
		return flags & PS_TCP_FIN ? after_fin(state, direction) : state;
	}
	return flags & PS_TCP_FIN ? after_fin(PS_FLOW_ESTABLISHED, direction) : PS_FLOW_ESTABLISHED;
}

__attribute__((constructor)) static void
build(void)
{
	uint32_t one_way, direction, f, state;

	for (one_way = 0; one_way < 2; one_way++)
		for (direction = 0; direction < 2; direction++)
			for (f = 0; f < 16; f++)
				for (state = 0; state < 16; state++) {
					uint8_t flags = (uint8_t)((f & 7u) | (f & 8u) << 1);
					uint8_t next = after((uint8_t)state, direction, flags, one_way != 0);
					bool udp = state == PS_FLOW_UDP || state == PS_FLOW_UDP_REPLIED;
					bool half = state == PS_FLOW_SYN || state == PS_FLOW_SYN_ACK;

					if (state >= PS_FLOW_STATES)
						next = PS_FLOW_FREE;
					if (next == PS_FLOW_FREE || half || (!udp && (flags & PS_TCP_SYN)))
						next |= PS_STATE_SLOW;
					ps_state_table[one_way][direction][f][state] = next;
				}
}

static uint32_t between_ms[16] = {
	[PS_FLOW_SYN] = PS_SYN_MS,         [PS_FLOW_SYN_ACK] = PS_SYN_MS, [PS_FLOW_FIN_CLIENT] = 120000,
	[PS_FLOW_FIN_ENDPOINT] = 120000, [PS_FLOW_CLOSING] = 5000,      [PS_FLOW_RESET] = 5000,
};

void
ps_state_timeouts_set(uint32_t syn_ms, uint32_t fin_ms, uint32_t closed_ms)
{
	if (syn_ms != 0)
		between_ms[PS_FLOW_SYN] = between_ms[PS_FLOW_SYN_ACK] = syn_ms;
	if (fin_ms != 0)
		between_ms[PS_FLOW_FIN_CLIENT] = between_ms[PS_FLOW_FIN_ENDPOINT] = fin_ms;
	if (closed_ms != 0)
		between_ms[PS_FLOW_CLOSING] = between_ms[PS_FLOW_RESET] = closed_ms;
}

uint32_t
ps_state_timeout_ms(uint8_t state, uint32_t packets_in, uint32_t tcp_idle_s, uint32_t udp_idle_s)
{
	uint64_t ms;

	switch (state) {
	case PS_FLOW_ESTABLISHED:
		ms = tcp_idle_s * 1000ull;
		break;
	case PS_FLOW_UDP:
	case PS_FLOW_UDP_REPLIED:
		ms = udp_idle_s * 1000ull;
		if (state == PS_FLOW_UDP && packets_in <= 1 && ms > 10000)
			ms = 10000;
		break;
	default:
		ms = between_ms[state & 15u];
		break;
	}
	/* The clock is 32 bits wide and compared as signed: 24 days are the most. */
	return ms < INT32_MAX / 2 ? (uint32_t)ms : INT32_MAX / 2;
}

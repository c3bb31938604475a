/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP with full state: a program of segments, calls and pauses against a stack that listens and connects. Segments take
 * their sequence numbers relative to what the stack last said, so that most of them mean something. After each step
 * the library's invariants must hold; at the end every buffer must have come back.
 */
#include <stdlib.h>
#include <string.h>

#include "dataplane/tcp/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ps_tcp_segment last;
static int64_t held;
static uint8_t bytes[65536];

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
output(void *ctx, const struct ps_tcp_segment *g)
{
	uint32_t i, n = 0;

	for (i = 0; i < g->slices; i++)
		n += g->slice[i].size;
	check(n == g->size && g->options_size <= PS_TCP_OPTIONS_SIZE && g->options_size % 4 == 0);
	last = *g;
}

static void
retain(void *ctx, void *owner)
{
	held++;
}

static void
release(void *ctx, void *owner)
{
	held--;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[1 << 20] __attribute__((aligned(64)));
	struct ps_addr here = {.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}}, there = here;
	struct ps_tcp_listener *listener;
	struct ps_tcp_conn *conn = NULL;
	struct ps_tcp_config config;
	struct ps_tcp_event event;
	struct ps_tcp *s;
	uint64_t now = 1000000;

	if (size < 2)
		return 0;
	there.b[15] = 2;
	ps_tcp_config_init(&config);
	config.connections = 4;
	config.listeners = 1;
	config.pieces = 48;
	config.records = 24;
	config.receive_buffer = data[0] & 1 ? 2000 : 200000;
	config.always_cookies = (data[0] & 2) != 0;
	config.congestion = data[0] >> 2 & 1;
	config.no_sack = (data[0] & 8) != 0;
	config.no_timestamps = (data[0] & 16) != 0;
	config.advertise_user_timeout = (data[0] & 64) != 0;
	config.output = output;
	config.retain = retain;
	config.release = release;
	held = 0;
	memset(&last, 0, sizeof(last));
	check(ps_tcp_create(&s, &config, memory, sizeof(memory), now) == 0);
	check(ps_tcp_listen(s, &listener, &here, 80, 2, NULL) == 0);
	if (data[0] & 32)
		check(ps_tcp_connect(s, &conn, &here, 4000, &there, 80, NULL) == 0);
	data++;
	size--;
	while (size >= 12) {
		struct ps_tcp_slice slice = {.data = bytes, .owner = bytes};
		struct ps_tcp_segment g = {.src = there, .dst = here, .slice = &slice};
		uint32_t n = (uint32_t)data[1] << 8 | data[2], used = 12;

		switch (data[0] & 15) {
		default:
			g.src_port = data[0] & 16 ? 5001 : data[0] & 32 ? 80 : 5000;
			g.dst_port = g.src_port == 80 ? 4000 : 80;
			g.flags = data[3];
			g.seq = last.ack + (uint32_t)(int8_t)data[4] * (data[6] & 1 ? 1u : 1460u);
			g.ack = last.seq + last.size + ((last.flags & (PS_TCP_SYN | PS_TCP_FIN)) != 0) +
				(uint32_t)(int8_t)data[5] * (data[6] & 2 ? 1u : 1460u);
			g.window = (uint16_t)(data[7] << 8 | data[8]);
			g.ecn = data[6] >> 2 & 3;
			g.urgent = data[9];
			slice.size = n % 3000;
			g.size = slice.size;
			g.slices = slice.size != 0;
			g.options_size = data[10] % 41;
			if (g.options_size > size - used)
				g.options_size = (uint8_t)(size - used);
			memcpy(g.options, data + used, g.options_size);
			used += g.options_size;
			if ((data[11] & 1) && g.options_size >= 12)
				memcpy(g.options, (uint8_t[]){1, 1, 8, 10, data[7], data[8], data[9], 0, 0, 0, 0, 0}, 12);
			ps_tcp_input(s, &g);
			break;
		case 9:
			now += (uint64_t)n * n;
			ps_tcp_time(s, now);
			break;
		case 10:
			slice.size = n;
			if (conn != NULL)
				ps_tcp_write(s, conn, &slice, 1);
			break;
		case 11:
			if (conn != NULL)
				ps_tcp_consume(s, conn, n);
			break;
		case 12:
			if (conn != NULL && data[1] < 64)
				ps_tcp_shutdown(s, conn);
			else if (conn != NULL && data[1] < 128) {
				ps_tcp_close(s, conn);
				conn = NULL;
			} else if (conn != NULL && data[1] < 160) {
				ps_tcp_abort(s, conn);
				conn = NULL;
			}
			break;
		case 13:
			if (conn == NULL)
				conn = ps_tcp_accept(s, listener, NULL);
			break;
		case 14:
			if (conn != NULL)
				ps_tcp_set(s, conn, data[1] % 7, (uint32_t)data[3] << 8 | data[4]);
			ps_tcp_set_pressure(s, data[2] % 6);
			break;
		case 15: {
			struct ps_tcp_icmp icmp = {.local = last.src, .remote = last.dst, .local_port = last.src_port,
				.remote_port = last.dst_port, .seq = last.seq, .mtu = n, .kind = data[3] & 1};

			ps_tcp_input_icmp(s, &icmp);
			break;
		}
		}
		data += used;
		size -= used;
		ps_tcp_run(s);
		while (ps_tcp_next_event(s, &event))
			;
		check(ps_tcp_verify(s) == NULL);
	}
	ps_tcp_destroy(s);
	check(held == 0);
	return 0;
}

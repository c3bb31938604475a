/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crowd: 100,000 connections opened between two stacks, each asked and answered once, left idle for an hour with keepalive,
 * asked again, and closed. At the end nothing may be left: no block, piece, record or buffer.
 *
 *   sim_tcp_crowd [connections]
 */
#include "tests/sim/tcp/wire.h"

#define PORTS 25000u

int64_t buffers_live;

struct side {
	struct ps_tcp *stack;
	void *memory;
	struct ps_tcp_segment *ring;
	uint32_t head, tail, mask;
};

static struct side side[2];
static uint64_t now = 1000000;
static uint64_t payload;
static uint8_t letter[1] = {'x'};

static void
output(void *ctx, const struct ps_tcp_segment *g)
{
	struct side *to = ctx;

	if (to->tail - to->head > to->mask)
		abort();
	to->ring[to->tail++ & to->mask] = *g;
}

static void
check(bool holds, const char *what)
{
	if (!holds) {
		printf("failed: %s\n", what);
		exit(1);
	}
}

static void
say(struct side *from, struct ps_tcp_conn *c)
{
	struct buffer *b = buffer_new(1);
	struct ps_tcp_slice slice = {.data = b->data, .size = 1, .owner = b};

	b->data[0] = letter[0];
	check(ps_tcp_write(from->stack, c, &slice, 1) == 1, "write");
	buffer_release(NULL, b);
}

static void
events(struct side *s, uint32_t which)
{
	struct ps_tcp_event e;
	struct ps_tcp_conn *c;

	while (ps_tcp_next_event(s->stack, &e)) {
		if (e.mask & PS_TCP_ON_ACCEPT) {
			while ((c = ps_tcp_accept(s->stack, e.listener, NULL)) != NULL)
				ps_tcp_set(s->stack, c, PS_TCP_OPT_KEEPALIVE, 1);
			continue;
		}
		check(!(e.mask & PS_TCP_ON_CLOSE) || ps_tcp_error(e.conn) == PS_TCP_NONE,
			ps_tcp_reason_texts[ps_tcp_error(e.conn)].text);
		if (e.mask & PS_TCP_ON_READ) {
			uint32_t n = ps_tcp_readable(e.conn);

			payload += n;
			ps_tcp_consume(s->stack, e.conn, n);
			if (which == 1 && n != 0)
				say(s, e.conn);
		}
		if (which == 1 && (e.mask & PS_TCP_ON_END))
			ps_tcp_close(s->stack, e.conn);
	}
}

static void
settle(uint64_t until)
{
	uint32_t i;

	do {
		bool busy = false;
		uint64_t next = until;

		for (i = 0; i < 2; i++) {
			struct side *s = &side[i];
			uint64_t timer;

			ps_tcp_time(s->stack, now);
			while (s->head != s->tail) {
				struct ps_tcp_slice slice = {.data = letter, .size = 1, .owner = NULL};
				struct ps_tcp_segment *g = &s->ring[s->head++ & s->mask];

				g->slice = &slice;
				ps_tcp_input(s->stack, g);
				busy = true;
			}
			events(s, i);
			ps_tcp_run(s->stack);
			timer = ps_tcp_next_timer(s->stack);
			if (timer != UINT64_MAX && now + timer < next)
				next = now + timer;
		}
		now = busy || side[0].head != side[0].tail ? now + 100 : next > now ? next : now + 1;
	} while (now < until);
}

int
main(int argc, char **argv)
{
	uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000, i, j;
	struct ps_tcp_conn **conn = calloc(count, sizeof(*conn));
	struct ps_tcp_listener *listener;
	struct ps_tcp_config config;
	struct ps_tcp_usage usage;
	struct ps_addr a = {.b = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}}, b = a, any = {{0}};

	ps_tcp_config_init(&config);
	config.connections = count + 16;
	config.pieces = config.records = 65536;
	config.orphans = count;
	config.retain = buffer_retain;
	config.release = buffer_release;
	config.output = output;
	config.keepalive_idle_ms = 600000;
	for (i = 0; i < 2; i++) {
		side[i].mask = (1u << 16) - 1;
		side[i].ring = malloc(sizeof(*side[i].ring) << 16);
		config.ctx = &side[!i];
		side[i].memory = aligned_alloc(64, ps_tcp_memory_size(&config));
		check(ps_tcp_create(&side[i].stack, &config, side[i].memory, ps_tcp_memory_size(&config), now) == 0, "create");
	}
	check(ps_tcp_listen(side[1].stack, &listener, &any, 80, 100000, NULL) == 0, "listen");
	for (i = 0; i < count; i += j) {
		for (j = 0; j < 1000 && i + j < count; j++) {
			b.b[15] = (uint8_t)(2 + (i + j) / PORTS);
			check(ps_tcp_connect(side[0].stack, &conn[i + j], &a, (uint16_t)(1024 + (i + j) % PORTS), &b, 80, NULL) == 0,
				"connect");
			say(&side[0], conn[i + j]);
		}
		settle(now + 20000);
	}
	settle(now + 1000000);
	check(payload == 2ull * count, "every connection was asked and answered");
	settle(now + 3600ull * 1000000);
	ps_tcp_usage(side[1].stack, &usage);
	check(usage.connections == count && usage.pieces == 0 && usage.records == 0, "idle connections hold blocks only");
	printf("%u idle connections: %zu bytes each, %.1f MB in all\n", count, usage.bytes_per_connection,
		(double)usage.bytes_per_connection * count / 1e6);
	for (i = 0; i < count; i += j) {
		for (j = 0; j < 1000 && i + j < count; j++)
			say(&side[0], conn[i + j]);
		settle(now + 20000);
		for (j = 0; j < 1000 && i + j < count; j++)
			ps_tcp_close(side[0].stack, conn[i + j]);
		settle(now + 20000);
	}
	check(payload == 4ull * count, "every connection was asked again");
	settle(now + 130ull * 1000000);
	for (i = 0; i < 2; i++) {
		ps_tcp_usage(side[i].stack, &usage);
		check(usage.connections == 0 && usage.pieces == 0 && usage.records == 0 && usage.time_wait == 0 &&
			usage.orphans == 0 && usage.half_open == 0, "nothing is left");
		ps_tcp_destroy(side[i].stack);
		free(side[i].memory);
		free(side[i].ring);
	}
	check(buffers_live == 0, "buffers are given back");
	free(conn);
	printf("closed, nothing left\n");
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two endpoints, a wire made from a seed, and time that jumps from event to event. Each seed chooses loss, reordering,
 * duplication, delay, corruption, buffer sizes down to a few hundred bytes, a path MTU that changes on the way with or
 * without a word, options, congestion control, address family, readers that dawdle, and ways to close. Checked:
 *
 *   every byte arrives, in order and unchanged; both ends come to their end within an hour of virtual time;
 *   nobody acknowledges what was not sent, changes a byte once sent, or sends beyond the window it was given;
 *   the library's own invariants hold after every event; every buffer, piece, record and block is given back.
 *
 *   sim_tcp [-v] [first [count]]     default: 0 2000
 */
#include <unistd.h>

#include "tests/sim/tcp/wire.h"

int64_t buffers_live;

struct end {
	struct ps_tcp *stack;
	void *memory;
	struct ps_tcp_conn *conn;
	uint64_t size;    /* of what it sends */
	uint64_t written, read;
	uint64_t pattern; /* seed of what it sends */
	bool shut, ended, over, closed;
	uint32_t read_most;   /* bytes per turn */
	uint64_t read_pause;  /* us between turns */
	uint64_t read_at;
	uint32_t write_most;
	/* what the wire has seen of it */
	uint32_t isn, highest, edge; /* edge: right edge its peer has given it */
	uint8_t scale;
	bool seen, edge_seen;
};

struct world {
	uint64_t seed, random, now, order;
	struct end end[2];
	struct ps_tcp_listener *listener;
	struct packet *wire;
	uint32_t loss, reorder, duplicate, corrupt, mark; /* per 1,000 */
	uint64_t delay, jitter;
	uint32_t mtu, later_mtu;
	uint64_t mtu_at, quiet_at; /* quiet: from here on the wire behaves */
	bool tell_mtu, v6;
	uint64_t sent;
	char wrong[200];
};

static bool verbose;

static void
fail(struct world *w, const char *what)
{
	if (w->wrong[0] == '\0')
		snprintf(w->wrong, sizeof(w->wrong), "%s at %llu us", what, (unsigned long long)w->now);
}

static uint8_t
pattern(uint64_t seed, uint64_t at)
{
	uint64_t z = (seed ^ at / 8) * 0x9e3779b97f4a7c15ull;

	return (uint8_t)((z ^ z >> 29) >> (at % 8 * 8));
}

static struct ps_addr
address(bool v6, uint8_t last)
{
	struct ps_addr a = {.b = {[10] = 0xff, [11] = 0xff, [12] = 10}};

	if (v6)
		a = (struct ps_addr){.b = {0x20, 0x01, 0x0d, 0xb8}};
	a.b[15] = last;
	return a;
}

static void
put(struct world *w, struct packet *p)
{
	struct packet **link = &w->wire;

	while (*link != NULL && ((*link)->at < p->at || ((*link)->at == p->at && (*link)->order < p->order)))
		link = &(*link)->next;
	p->next = *link;
	*link = p;
}

/* What may be said about a segment by looking at the wire alone. */
static void
watch(struct world *w, uint32_t from, const struct ps_tcp_segment *g)
{
	struct end *e = &w->end[from], *peer = &w->end[!from];
	uint32_t end = g->seq + g->size + ((g->flags & PS_TCP_SYN) != 0) + ((g->flags & PS_TCP_FIN) != 0), i, n = 0;
	uint64_t at;

	if (g->flags & PS_TCP_RST)
		return;
	if (!e->seen || ((g->flags & PS_TCP_SYN) && !e->edge_seen)) {
		e->seen = true;
		e->isn = g->seq;
		e->highest = end;
	}
	if ((int32_t)(end - e->highest) > 0)
		e->highest = end;
	if ((g->flags & PS_TCP_ACK) && peer->seen && (int32_t)(g->ack - peer->highest) > 0)
		fail(w, "acknowledged what was never sent");
	if (g->size == 0)
		return;
	/* One octet beyond is a probe of a closed window. */
	if (e->edge_seen && (int32_t)(g->seq + g->size - e->edge) > 1)
		fail(w, "sent beyond the window");
	if (g->size + PS_TCP_HEADER_SIZE + g->options_size + (w->v6 ? 40 : 20) > 1500)
		fail(w, "sent more than the interface's MTU");
	at = g->seq - e->isn - 1u;
	for (i = 0; i < g->slices; i++) {
		n += g->slice[i].size;
		if (g->slice[i].data[0] != pattern(e->pattern, at))
			fail(w, "sent a byte that was not written there");
		at += g->slice[i].size;
	}
	if (n != g->size)
		fail(w, "slices do not add up");
	if (at > e->size)
		fail(w, "sent more than was written");
}

static void
show(const struct world *w, const char *what, uint32_t from, const struct ps_tcp_segment *g)
{
	if (verbose)
		printf("%10.6f %s %c %s%s%s%s%s%s seq %u..%u ack %u win %u opt %u\n", (double)w->now / 1e6, what,
			from ? 'B' : 'A', g->flags & PS_TCP_SYN ? "S" : "", g->flags & PS_TCP_FIN ? "F" : "",
			g->flags & PS_TCP_RST ? "R" : "", g->flags & PS_TCP_ACK ? "." : "",
			g->flags & PS_TCP_ECE ? "E" : "", g->flags & PS_TCP_CWR ? "W" : "",
			g->seq - w->end[from].isn, g->seq + g->size - w->end[from].isn, g->ack - w->end[!from].isn,
			g->window, g->options_size);
}

static void
send_one(struct world *w, uint32_t from, const struct ps_tcp_segment *g, bool again)
{
	uint32_t mtu = w->now >= w->mtu_at ? w->later_mtu : w->mtu, i;
	uint32_t size = g->size + PS_TCP_HEADER_SIZE + g->options_size, header;
	bool quiet = w->now >= w->quiet_at;
	struct packet *p;
	uint16_t sum;

	if (size + (w->v6 ? 40u : 20u) > mtu) {
		show(w, "too big ", from, g);
		if (w->tell_mtu && below(&w->random, 4) != 0) {
			struct ps_tcp_icmp icmp = {.local = g->src, .remote = g->dst, .local_port = g->src_port,
				.remote_port = g->dst_port, .seq = g->seq, .mtu = mtu, .kind = PS_TCP_ICMP_TOO_BIG};

			ps_tcp_input_icmp(w->end[from].stack, &icmp);
		}
		return;
	}
	if (!quiet && below(&w->random, 1000) < w->loss) {
		show(w, "lost    ", from, g);
		return;
	}
	show(w, again ? "twice   " : "sent    ", from, g);
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		abort();
	p->bytes = buffer_new(size);
	header = (uint32_t)ps_tcp_emit(g, p->bytes->data);
	for (i = 0, size = header; i < g->slices; size += g->slice[i++].size)
		memcpy(p->bytes->data + size, g->slice[i].data, g->slice[i].size);
	sum = ps_tcp_checksum(g, p->bytes->data, header);
	p->bytes->data[16] = (uint8_t)(sum >> 8);
	p->bytes->data[17] = (uint8_t)sum;
	if (!quiet && below(&w->random, 1000) < w->corrupt)
		p->bytes->data[below(&w->random, size)] ^= (uint8_t)(1u << below(&w->random, 8));
	p->src = g->src;
	p->dst = g->dst;
	p->ecn = g->ecn;
	if (p->ecn == PS_TCP_ECT0 && below(&w->random, 1000) < w->mark)
		p->ecn = PS_TCP_CE;
	p->to = !from;
	p->order = w->order++;
	p->at = w->now + w->delay + below(&w->random, (uint32_t)w->jitter + 1);
	if (!quiet && below(&w->random, 1000) < w->reorder)
		p->at += below(&w->random, (uint32_t)(w->delay * 3 + 2000));
	put(w, p);
	if (!quiet && !again && below(&w->random, 1000) < w->duplicate)
		send_one(w, from, g, true);
}

static void
output_a(void *ctx, const struct ps_tcp_segment *g)
{
	struct world *w = ctx;

	w->sent++;
	watch(w, 0, g);
	send_one(w, 0, g, false);
}

static void
output_b(void *ctx, const struct ps_tcp_segment *g)
{
	struct world *w = ctx;

	w->sent++;
	watch(w, 1, g);
	send_one(w, 1, g, false);
}

static void
deliver(struct world *w, struct packet *p)
{
	struct end *e = &w->end[p->to];
	struct ps_tcp_segment g = {.src = p->src, .dst = p->dst, .ecn = p->ecn};
	struct ps_tcp_slice slice[3];
	int header = ps_tcp_parse(&g, p->bytes->data, p->bytes->size, p->bytes->size);
	uint32_t n = 0, at, cut, i;

	if (header < 0) {
		ps_tcp_count(e->stack, PS_TCP_HEADER_MALFORMED);
		goto done;
	}
	at = (uint32_t)header;
	while (g.size != 0 && at < p->bytes->size && n < 3) {
		cut = n == 2 ? p->bytes->size - at : 1 + below(&w->random, p->bytes->size - at);
		slice[n++] = (struct ps_tcp_slice){.data = p->bytes->data + at, .size = cut, .owner = p->bytes};
		at += cut;
	}
	g.slice = slice;
	g.slices = n;
	if (ps_tcp_checksum(&g, p->bytes->data, (size_t)header) != 0) {
		ps_tcp_count(e->stack, PS_TCP_CHECKSUM);
		goto done;
	}
	show(w, "       >", !p->to, &g);
	for (i = 0; (g.flags & PS_TCP_SYN) && i + 2 < g.options_size;) {
		if (g.options[i] == 3)
			w->end[!p->to].scale = g.options[i + 2];
		i += g.options[i] == 1 ? 1 : g.options[i] == 0 ? 40 : g.options[i + 1];
	}
	if (g.flags & PS_TCP_ACK) {
		uint32_t edge = g.ack + ((uint32_t)g.window << (g.flags & PS_TCP_SYN ? 0 : w->end[!p->to].scale));

		if (!e->edge_seen || (int32_t)(edge - e->edge) > 0)
			e->edge = edge;
		e->edge_seen = true;
	}
	ps_tcp_time(e->stack, w->now);
	ps_tcp_input(e->stack, &g);
done:
	buffer_release(NULL, p->bytes);
	free(p);
}

static void
write_some(struct world *w, struct end *e)
{
	while (e->conn != NULL && !e->shut && e->written < e->size) {
		uint32_t size = 1 + below(&w->random, e->write_most), i;
		struct ps_tcp_slice slice;
		struct buffer *b;
		ssize_t n;

		if (size > e->size - e->written)
			size = (uint32_t)(e->size - e->written);
		if (ps_tcp_writable(e->stack, e->conn) == 0)
			size = 1;
		b = buffer_new(size);
		for (i = 0; i < size; i++)
			b->data[i] = pattern(e->pattern, e->written + i);
		slice = (struct ps_tcp_slice){.data = b->data, .size = size, .owner = b};
		n = ps_tcp_write(e->stack, e->conn, &slice, 1);
		buffer_release(NULL, b);
		if (n <= 0)
			break;
		e->written += (uint64_t)n;
	}
	if (e->conn != NULL && !e->shut && e->written == e->size) {
		e->shut = true;
		ps_tcp_shutdown(e->stack, e->conn);
	}
}

static void
read_some(struct world *w, struct end *e, const struct end *from)
{
	struct ps_tcp_slice slice[8];
	uint32_t n, i, j, total = 0;

	if (e->conn == NULL || w->now < e->read_at)
		return;
	while (total < e->read_most && (n = ps_tcp_peek(e->stack, e->conn, slice, 8)) != 0) {
		uint32_t taken = 0;

		for (i = 0; i < n; i++) {
			for (j = 0; j < slice[i].size && total < e->read_most; j++, total++, taken++)
				if (slice[i].data[j] != pattern(from->pattern, e->read++)) {
					fail(w, "read a byte that was not sent");
					return;
				}
		}
		ps_tcp_consume(e->stack, e->conn, taken);
	}
	if (total != 0)
		e->read_at = w->now + e->read_pause;
	if (ps_tcp_at_end(e->conn))
		e->ended = true;
}

static void
turn(struct world *w, uint32_t which)
{
	struct end *e = &w->end[which];
	struct ps_tcp_event event;
	const char *wrong;

	ps_tcp_time(e->stack, w->now);
	ps_tcp_run(e->stack);
	while (ps_tcp_next_event(e->stack, &event)) {
		if (event.mask & PS_TCP_ON_ACCEPT)
			e->conn = ps_tcp_accept(e->stack, event.listener, e);
		if (event.mask & PS_TCP_ON_CLOSE)
			e->over = true;
	}
	write_some(w, e);
	read_some(w, e, &w->end[!which]);
	if (e->conn != NULL && e->shut && e->ended) {
		if (e->read != w->end[!which].size)
			fail(w, "came to the end before all was read");
		ps_tcp_close(e->stack, e->conn);
		e->conn = NULL;
		e->closed = true;
	} else if (e->conn != NULL && e->over && ps_tcp_error(e->conn) != PS_TCP_NONE) {
		fail(w, ps_tcp_reason_texts[ps_tcp_error(e->conn)].text);
	}
	ps_tcp_run(e->stack);
	wrong = ps_tcp_verify(e->stack);
	if (wrong != NULL)
		fail(w, wrong);
}

static void
begin(struct world *w, uint32_t which, bool shared[4])
{
	struct end *e = &w->end[which];
	struct ps_tcp_config config;
	uint64_t *r = &w->random;
	uint32_t i;

	ps_tcp_config_init(&config);
	config.connections = 4;
	config.listeners = 1;
	config.pieces = 4096;
	config.records = below(r, 4) == 0 ? 16 : 1024;
	config.receive_buffer = below(r, 4) == 0 ? 300 + below(r, 3000) : 3000 + below(r, 200000);
	config.send_buffer = below(r, 4) == 0 ? 300 + below(r, 3000) : 3000 + below(r, 200000);
	config.no_timestamps = shared[0];
	config.no_sack = shared[1];
	config.no_window_scale = below(r, 6) == 0;
	config.congestion = (uint8_t)below(r, 2);
	config.always_cookies = shared[2];
	config.ecn = !shared[3];
	config.retries = config.syn_retries = 30;
	config.orphan_retries = 30;
	config.rto_max_ms = 10000;
	config.ooo_pieces = below(r, 4) == 0 ? 4 : 512;
	config.pmtu_raise_ms = 20000;
	for (i = 0; i < sizeof(config.secret); i++)
		config.secret[i] = (uint8_t)next_random(r);
	config.ctx = w;
	config.output = which ? output_b : output_a;
	config.retain = buffer_retain;
	config.release = buffer_release;
	e->memory = aligned_alloc(64, (ps_tcp_memory_size(&config) + 63) & ~63ull);
	if (ps_tcp_create(&e->stack, &config, e->memory, ps_tcp_memory_size(&config), w->now) != 0)
		abort();
	e->size = below(r, 5) == 0 ? below(r, 3) : below(r, below(r, 3) == 0 ? 200000 : 20000);
	e->pattern = next_random(r);
	e->read_most = below(r, 3) == 0 ? 1 + below(r, 3000) : 1u << 20;
	e->read_pause = below(r, 3) == 0 ? below(r, 100000) : 0;
	if (e->read_pause != 0)
		e->read_most += 100; /* else a dawdler needs longer than the hour */
	e->write_most = below(r, 3) == 0 ? 1 + below(r, 100) : 20000;
	if (e->size > 20000 && e->write_most < 1000)
		e->write_most += 1000;
}

static const char *
run(struct world *w, uint64_t seed)
{
	struct ps_addr a, b;
	bool shared[4];
	uint32_t i, steps, mild;
	struct ps_tcp_usage usage;

	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->random = seed * 0x2545f4914f6cdd1dull + 1;
	w->now = 1000000 + next_random(&w->random) % 100000000000ull;
	for (i = 0; i < 4; i++)
		shared[i] = below(&w->random, 4) == 0;
	mild = below(&w->random, 4);
	w->loss = mild == 0 ? 0 : below(&w->random, mild == 1 ? 200 : 50);
	w->reorder = below(&w->random, 3) == 0 ? below(&w->random, 300) : 0;
	w->duplicate = below(&w->random, 3) == 0 ? below(&w->random, 200) : 0;
	w->corrupt = below(&w->random, 4) == 0 ? below(&w->random, 60) : 0;
	w->mark = below(&w->random, 4) == 0 ? below(&w->random, 300) : 0;
	w->delay = below(&w->random, 2) ? 20 + below(&w->random, 1000) : below(&w->random, 100000);
	w->jitter = below(&w->random, 3) == 0 ? below(&w->random, 20000) : 0;
	w->v6 = below(&w->random, 2) != 0;
	w->mtu = w->later_mtu = 1500;
	w->mtu_at = UINT64_MAX;
	w->quiet_at = w->now + 1800ull * 1000000ull;
	if (below(&w->random, 4) == 0) {
		w->mtu_at = w->now + below(&w->random, 2000000);
		w->later_mtu = w->v6 ? 1280 + below(&w->random, 200) : 1100 + below(&w->random, 300);
		w->tell_mtu = below(&w->random, 3) != 0;
	}
	begin(w, 0, shared);
	begin(w, 1, shared);
	a = address(w->v6, 1);
	b = address(w->v6, 2);
	if (ps_tcp_listen(w->end[1].stack, &w->listener, &b, 80, 4, NULL) != 0 ||
		ps_tcp_connect(w->end[0].stack, &w->end[0].conn, &a, 0, &b, 80, NULL) != 0)
		abort();
	for (steps = 0; steps < 3000000 && w->wrong[0] == '\0'; steps++) {
		uint64_t at = UINT64_MAX, timer;

		if (w->end[0].closed && w->end[1].closed && w->wire == NULL)
			break;
		for (i = 0; i < 2; i++) {
			turn(w, i);
			timer = ps_tcp_next_timer(w->end[i].stack);
			if (timer != UINT64_MAX && w->now + timer < at)
				at = w->now + timer;
			if (w->end[i].conn != NULL && ps_tcp_readable(w->end[i].conn) != 0 && w->end[i].read_at < at)
				at = w->end[i].read_at;
		}
		if (w->wire != NULL && w->wire->at < at)
			at = w->wire->at;
		if (at == UINT64_MAX) {
			if (!w->end[0].closed || !w->end[1].closed)
				fail(w, "both ends wait for ever");
			break;
		}
		if (at > w->now)
			w->now = at;
		else
			w->now += 1;
		if (w->now > w->quiet_at + 1800ull * 1000000ull)
			fail(w, "not done after an hour");
		while (w->wire != NULL && w->wire->at <= w->now) {
			struct packet *p = w->wire;

			w->wire = p->next;
			deliver(w, p);
		}
	}
	if (w->wrong[0] == '\0' && steps == 3000000)
		fail(w, "too many steps");
	/* TIME-WAIT and lost last words: everything is gone after a while. */
	for (i = 0; i < 2 && w->wrong[0] == '\0'; i++) {
		for (steps = 0; steps < 2000; steps++) {
			struct ps_tcp_event event;
			uint64_t timer;

			ps_tcp_time(w->end[i].stack, w->now);
			ps_tcp_run(w->end[i].stack);
			while (ps_tcp_next_event(w->end[i].stack, &event))
				;
			timer = ps_tcp_next_timer(w->end[i].stack);
			if (timer == UINT64_MAX)
				break;
			w->now += timer + 1;
		}
		ps_tcp_usage(w->end[i].stack, &usage);
		if (usage.connections != 0 || usage.pieces != 0 || usage.records != 0 || usage.orphans != 0 ||
			usage.time_wait != 0 || usage.half_open != 0)
			snprintf(w->wrong, sizeof(w->wrong),
				"not given back: %u connections, %u pieces, %u records, %u orphans, %u TIME-WAIT, %u half-open",
				usage.connections, usage.pieces, usage.records, usage.orphans, usage.time_wait,
				usage.half_open);
	}
	while (w->wire != NULL) {
		struct packet *p = w->wire;

		w->wire = p->next;
		buffer_release(NULL, p->bytes);
		free(p);
	}
	for (i = 0; i < 2; i++) {
		ps_tcp_destroy(w->end[i].stack);
		free(w->end[i].memory);
	}
	if (w->wrong[0] == '\0' && buffers_live != 0)
		fail(w, "buffers leaked");
	buffers_live = 0;
	return w->wrong[0] != '\0' ? w->wrong : NULL;
}

int
main(int argc, char **argv)
{
	uint64_t first = 0, count = 2000, seed, segments = 0;
	static struct world w;
	const char *wrong;
	int option, failed = 0;

	while ((option = getopt(argc, argv, "v")) != -1)
		verbose = option == 'v';
	if (optind < argc)
		first = strtoull(argv[optind++], NULL, 10);
	if (optind < argc)
		count = strtoull(argv[optind], NULL, 10);
	for (seed = first; seed < first + count; seed++) {
		wrong = run(&w, seed);
		segments += w.sent;
		if (wrong != NULL) {
			printf("seed %llu: %s\n", (unsigned long long)seed, wrong);
			if (++failed >= 20)
				break;
		}
	}
	printf("%llu seeds, %llu segments, %d failed\n", (unsigned long long)(seed - first), (unsigned long long)segments,
		failed);
	return failed != 0;
}

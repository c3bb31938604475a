/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts: what goes in and what must come out, segment by segment, in virtual time.
 *
 *   # comment, with the document and section that demands it
 *   config NAME VALUE            before the stack is made; names of struct ps_tcp_config, and "ipv6 1"
 *   TIME COMMAND                 TIME: 0.5 (seconds since the start) or +0.5 (since the line before)
 *
 *   TIME < FLAGS seq N [ack N] [win N] [urg N] [len N] [ecn N] [port N] [<OPTIONS>]      the peer sends
 *   TIME > FLAGS seq N [ack N] [win N] [len N] [ecn N] [<OPTIONS>]           the stack sends, at this time (+-2 ms)
 *   TIME none                    until then the stack sends nothing
 *   TIME listen [BACKLOG] | connect | accept | write N | read N | shutdown | close | abort | set OPTION N
 *   TIME icmp too-big SEQ MTU | icmp unreachable SEQ | pressure N
 *   TIME state NAME | error NAME | readable N | event NAME | end | count REASON N | cwnd N | ssthresh N | mss N | free
 *
 * Flags as tcpdump writes them: S F R P . E W U, "-" for none. Sequence numbers count from the sender's own SYN, which is 0; a
 * timestamp of ours is counted from the first one seen; "win", "len", "ecn" and options are compared only where
 * the line gives them, except that a line without "len" means no payload. OPTIONS: mss N, sackOK, wscale N, ts VAL ECR (or
 * "ts * *"), sack N:N ..., nop, eol, uto N, raw HEX. In "<" lines they are written in the order given and padded.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dataplane/tcp/tcp.h"

#define QUEUE 512

struct sent {
	struct ps_tcp_segment g;
	uint64_t at;
};

struct script {
	struct ps_tcp_config config;
	bool v6;
	struct ps_tcp *stack;
	void *memory;
	struct ps_tcp_listener *listener;
	struct ps_tcp_conn *conn;
	uint64_t start, now, line_at;
	struct sent sent[QUEUE];
	uint32_t head, tail;
	uint32_t peer_isn, our_isn, our_ts;
	bool isn_seen, ts_seen;
	uint16_t our_port, peer_port;
	uint32_t events;
	uint64_t written;
	uint64_t baseline[PS_TCP_REASON_COUNT];
	int line;
	char why[400];
};

static uint8_t bytes[1 << 20];
static int64_t held;

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

static struct ps_addr
address(const struct script *x, uint8_t last)
{
	struct ps_addr a = {.b = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2}};

	if (x->v6)
		a = (struct ps_addr){.b = {0x20, 0x01, 0x0d, 0xb8}};
	a.b[15] = last;
	return a;
}

static void
output(void *ctx, const struct ps_tcp_segment *g)
{
	struct script *x = ctx;

	if (x->tail - x->head < QUEUE) {
		x->sent[x->tail % QUEUE].g = *g;
		x->sent[x->tail % QUEUE].g.slice = NULL;
		x->sent[x->tail++ % QUEUE].at = x->now;
	}
}

static int
fail(struct script *x, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int
fail(struct script *x, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (x->why[0] == '\0')
		vsnprintf(x->why, sizeof(x->why), format, list);
	va_end(list);
	return -1;
}

static uint32_t
load(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Options as a script writes them. */
static void
tell_options(const struct script *x, const struct ps_tcp_segment *g, char *text, size_t size)
{
	uint32_t i = 0, j;
	size_t n = 0;

	text[0] = '\0';
	while (i < g->options_size && n + 60 < size) {
		const uint8_t *p = g->options + i;
		const char *comma = n != 0 ? "," : "";

		if (p[0] <= 1) {
			i++;
			continue;
		}
		if (p[0] == 2)
			n += (size_t)snprintf(text + n, size - n, "%smss %u", comma, p[2] << 8 | p[3]);
		else if (p[0] == 3)
			n += (size_t)snprintf(text + n, size - n, "%swscale %u", comma, p[2]);
		else if (p[0] == 4)
			n += (size_t)snprintf(text + n, size - n, "%ssackOK", comma);
		else if (p[0] == 8)
			n += (size_t)snprintf(text + n, size - n, "%sts %u %u", comma, load(p + 2) - x->our_ts, load(p + 6));
		else if (p[0] == 28)
			n += (size_t)snprintf(text + n, size - n, "%suto %u", comma, p[2] << 8 | p[3]);
		else if (p[0] == 5)
			for (j = 2; j + 8 <= p[1]; j += 8)
				n += (size_t)snprintf(text + n, size - n, "%s%u:%u", j == 2 ? (n ? ",sack " : "sack ") : " ",
					load(p + j) - x->peer_isn, load(p + j + 4) - x->peer_isn);
		i += p[1] < 2 ? 40u : p[1];
	}
}

static void
tell_segment(const struct script *x, const struct sent *s, char *text, size_t size)
{
	static const char letters[] = "FSRP.UEW";
	char flags[9], options[200];
	uint32_t i, n = 0;

	for (i = 0; i < 8; i++)
		if (s->g.flags & 1u << i)
			flags[n++] = letters[i];
	flags[n] = '\0';
	tell_options(x, &s->g, options, sizeof(options));
	snprintf(text, size, "%.3f > %s seq %u ack %u win %u len %u ecn %u <%s>", (double)(s->at - x->start) / 1e6, flags,
		s->g.seq - x->our_isn, s->g.flags & PS_TCP_ACK ? s->g.ack - x->peer_isn : 0, s->g.window, s->g.size, s->g.ecn,
		options);
}

static void
run_events(struct script *x)
{
	struct ps_tcp_event event;

	while (ps_tcp_next_event(x->stack, &event))
		x->events |= event.mask;
}

static void
advance(struct script *x, uint64_t to)
{
	const char *wrong;

	while (x->now < to) {
		uint64_t timer = ps_tcp_next_timer(x->stack);
		uint64_t step = to - x->now;

		if (timer < step)
			step = timer + 1;
		x->now += step;
		ps_tcp_time(x->stack, x->now);
		ps_tcp_run(x->stack);
		run_events(x);
	}
	ps_tcp_time(x->stack, x->now);
	ps_tcp_run(x->stack);
	run_events(x);
	wrong = ps_tcp_verify(x->stack);
	if (wrong != NULL)
		fail(x, "invariant: %s", wrong);
}

static void
note_ours(struct script *x, const struct ps_tcp_segment *g)
{
	uint32_t i;

	if ((g->flags & PS_TCP_SYN) != 0) {
		x->isn_seen = true;
		x->our_isn = g->seq;
		x->our_port = g->src_port;
	}
	for (i = 0; i + 9 < g->options_size && !x->ts_seen;) {
		if (g->options[i] <= 1) {
			i++;
			continue;
		}
		if (g->options[i] == 8) {
			x->ts_seen = true;
			x->our_ts = load(g->options + i + 2) - (uint32_t)((x->now - x->start) / 1000u);
		}
		i += g->options[i + 1];
	}
}

static uint8_t
flags_of(const char *text)
{
	static const char letters[] = "FSRP.UEW";
	uint8_t flags = 0;

	for (; *text; text++)
		if (strchr(letters, *text) != NULL)
			flags |= (uint8_t)(1u << (strchr(letters, *text) - letters));
	return flags;
}

static void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static int
build_options(struct script *x, struct ps_tcp_segment *g, char *text)
{
	char *save = NULL, *item, *s2;
	uint8_t *p = g->options;
	size_t n = 0;

	for (item = strtok_r(text, ",", &save); item != NULL; item = strtok_r(NULL, ",", &save)) {
		char *word = strtok_r(item, " ", &s2), *a = strtok_r(NULL, " ", &s2), *b;

		if (word == NULL || n > 38)
			return fail(x, "too many options");
		if (!strcmp(word, "nop")) {
			p[n++] = 1;
		} else if (!strcmp(word, "eol")) {
			p[n++] = 0;
		} else if (!strcmp(word, "mss") && a) {
			memcpy(p + n, (uint8_t[]){2, 4, (uint8_t)(atoi(a) >> 8), (uint8_t)atoi(a)}, 4);
			n += 4;
		} else if (!strcmp(word, "wscale") && a) {
			memcpy(p + n, (uint8_t[]){3, 3, (uint8_t)atoi(a)}, 3);
			n += 3;
		} else if (!strcmp(word, "sackOK")) {
			memcpy(p + n, (uint8_t[]){4, 2}, 2);
			n += 2;
		} else if (!strcmp(word, "uto") && a) {
			memcpy(p + n, (uint8_t[]){28, 4, (uint8_t)(atoi(a) >> 8), (uint8_t)atoi(a)}, 4);
			n += 4;
		} else if (!strcmp(word, "ts") && a && (b = strtok_r(NULL, " ", &s2)) && n <= 30) {
			p[n] = 8;
			p[n + 1] = 10;
			put32(p + n + 2, (uint32_t)strtoul(a, NULL, 10));
			put32(p + n + 6, b[0] == '*' ? x->our_ts + (uint32_t)((x->now - x->start) / 1000u)
				: !strcmp(b, "0") ? 0 : x->our_ts + (uint32_t)strtoul(b, NULL, 10));
			n += 10;
		} else if (!strcmp(word, "sack")) {
			size_t from = n;

			p[n++] = 5;
			p[n++] = 0;
			for (; a != NULL && n <= 32; a = strtok_r(NULL, " ", &s2), n += 8) {
				put32(p + n, x->our_isn + (uint32_t)strtoul(a, &b, 10));
				put32(p + n + 4, x->our_isn + (uint32_t)strtoul(b + 1, NULL, 10));
			}
			p[from + 1] = (uint8_t)(n - from);
		} else if (!strcmp(word, "raw") && a) {
			for (; a[0] && a[1] && n < 40; a += 2) {
				char pair[3] = {a[0], a[1], 0};

				p[n++] = (uint8_t)strtoul(pair, NULL, 16);
			}
		} else {
			return fail(x, "unknown option %s", word);
		}
	}
	while (n % 4 != 0)
		p[n++] = 1;
	g->options_size = (uint8_t)n;
	return 0;
}

/* The words after the flags of a segment line. have: which were given. */
struct words {
	uint32_t seq, ack, win, len, ecn, urg, port;
	bool has_ack, has_win, has_ecn, has_options;
	char *options;
};

static int
read_words(struct script *x, char *text, struct words *w)
{
	char *open = strchr(text, '<'), *close, *save = NULL, *word, *value;

	memset(w, 0, sizeof(*w));
	if (open != NULL) {
		close = strchr(open, '>');
		if (close == NULL)
			return fail(x, "options do not end");
		*open = *close = '\0';
		w->options = open + 1;
		w->has_options = true;
	}
	for (word = strtok_r(text, " \t", &save); word != NULL; word = strtok_r(NULL, " \t", &save)) {
		uint32_t n;

		value = strtok_r(NULL, " \t", &save);
		if (value == NULL)
			return fail(x, "%s wants a number", word);
		n = (uint32_t)strtoll(value, NULL, 10);
		if (!strcmp(word, "seq")) {
			w->seq = n;
		} else if (!strcmp(word, "ack")) {
			w->ack = n;
			w->has_ack = true;
		} else if (!strcmp(word, "win")) {
			w->win = n;
			w->has_win = true;
		} else if (!strcmp(word, "len")) {
			w->len = n;
		} else if (!strcmp(word, "ecn")) {
			w->ecn = n;
			w->has_ecn = true;
		} else if (!strcmp(word, "urg")) {
			w->urg = n;
		} else if (!strcmp(word, "port")) {
			w->port = n;
		} else {
			return fail(x, "unknown word %s", word);
		}
	}
	return 0;
}

static int
inject(struct script *x, char *flags, char *rest)
{
	struct ps_tcp_slice slice[2];
	struct ps_tcp_segment g = {.src = address(x, 2), .dst = address(x, 1), .slice = slice};
	struct words w;
	char text[300];

	if (read_words(x, rest, &w) != 0)
		return -1;
	g.flags = flags_of(flags);
	g.src_port = (uint16_t)(w.port != 0 ? w.port : x->peer_port);
	g.dst_port = x->our_port;
	g.seq = x->peer_isn + w.seq;
	g.ack = g.flags & PS_TCP_ACK ? x->our_isn + w.ack : 0;
	g.window = (uint16_t)(w.has_win ? w.win : 65535);
	g.urgent = (uint16_t)w.urg;
	g.ecn = (uint8_t)w.ecn;
	if (w.len > 65536)
		return fail(x, "payload too long");
	g.size = w.len;
	if (w.len == 1) {
		slice[0] = (struct ps_tcp_slice){.data = bytes, .size = 1, .owner = bytes};
		g.slices = 1;
	} else if (w.len > 1) {
		slice[0] = (struct ps_tcp_slice){.data = bytes, .size = w.len / 2, .owner = bytes};
		slice[1] = (struct ps_tcp_slice){.data = bytes, .size = w.len - w.len / 2, .owner = bytes};
		g.slices = 2;
	}
	if (w.has_options) {
		snprintf(text, sizeof(text), "%s", w.options);
		if (build_options(x, &g, text) != 0)
			return -1;
	}
	ps_tcp_input(x->stack, &g);
	advance(x, x->now);
	return 0;
}

/* "a 1,b 2" without spaces at the ends and with '*' standing for any word. */
static bool
options_match(const char *want, const char *got)
{
	while (*want == ' ')
		want++;
	while (*want != '\0' || *got != '\0') {
		if (*want == '*') {
			while (*got != '\0' && *got != ' ' && *got != ',')
				got++;
			want++;
			continue;
		}
		if (*want != *got)
			return *got == '\0' && want[strspn(want, " ")] == '\0';
		want++;
		got++;
	}
	return true;
}

static int
expect(struct script *x, uint64_t at, bool any_time, char *flags, char *rest)
{
	char got[400], options[200];
	struct words w;
	struct sent *s;
	uint64_t limit = any_time ? x->now + 150000000ull : at + 2000;

	while (x->head == x->tail && x->now < limit) {
		uint64_t timer = ps_tcp_next_timer(x->stack);

		advance(x, timer < limit - x->now ? x->now + timer + 1 : limit);
	}
	if (x->head == x->tail)
		return fail(x, "nothing was sent");
	s = &x->sent[x->head++ % QUEUE];
	note_ours(x, &s->g);
	tell_segment(x, s, got, sizeof(got));
	if (read_words(x, rest, &w) != 0)
		return -1;
	if (!any_time && (s->at > at + 2000 || s->at + 2000 < at))
		return fail(x, "wrong time, got: %s", got);
	if (s->g.flags != flags_of(flags))
		return fail(x, "wrong flags, got: %s", got);
	if (s->g.seq - x->our_isn != w.seq && !(s->g.flags & PS_TCP_RST && !x->isn_seen && s->g.seq == w.seq))
		return fail(x, "wrong seq, got: %s", got);
	if (w.has_ack && s->g.ack - x->peer_isn != w.ack)
		return fail(x, "wrong ack, got: %s", got);
	if (w.has_win && s->g.window != w.win)
		return fail(x, "wrong window, got: %s", got);
	if (s->g.size != w.len)
		return fail(x, "wrong length, got: %s", got);
	if (w.has_ecn && s->g.ecn != w.ecn)
		return fail(x, "wrong ECN, got: %s", got);
	if (w.has_options) {
		tell_options(x, &s->g, options, sizeof(options));
		if (!options_match(w.options, options))
			return fail(x, "wrong options, got: %s", got);
	}
	x->line_at = any_time ? s->at : at;
	if (x->now < x->line_at)
		advance(x, x->line_at);
	return 0;
}

static int
start(struct script *x)
{
	size_t size;

	if (x->stack != NULL)
		return 0;
	x->config.ctx = x;
	x->config.output = output;
	x->config.retain = retain;
	x->config.release = release;
	size = (ps_tcp_memory_size(&x->config) + 63) & ~(size_t)63;
	x->memory = aligned_alloc(64, size);
	x->start = x->now = x->line_at = 1000000000ull;
	if (ps_tcp_create(&x->stack, &x->config, x->memory, size, x->now) != 0)
		return fail(x, "configuration refused");
	return 0;
}

static const struct {
	const char *name;
	size_t offset, size;
} fields[] = {
#define FIELD(f) {#f, offsetof(struct ps_tcp_config, f), sizeof(((struct ps_tcp_config *)0)->f)}
	FIELD(connections), FIELD(pieces), FIELD(records), FIELD(receive_buffer), FIELD(send_buffer), FIELD(mtu),
	FIELD(initial_window), FIELD(orphans), FIELD(ooo_pieces), FIELD(rto_min_ms), FIELD(rto_max_ms),
	FIELD(rto_initial_ms), FIELD(delayed_ack_ms), FIELD(time_wait_ms), FIELD(fin_wait_2_ms), FIELD(user_timeout_ms),
	FIELD(keepalive_idle_ms), FIELD(keepalive_interval_ms), FIELD(pmtu_raise_ms), FIELD(challenges_per_s),
	FIELD(keepalive_probes), FIELD(retries), FIELD(syn_retries), FIELD(orphan_retries), FIELD(congestion), FIELD(ecn),
	FIELD(no_timestamps), FIELD(no_sack), FIELD(no_window_scale), FIELD(always_cookies), FIELD(advertise_user_timeout),
};

static int
configure(struct script *x, const char *name, uint32_t value)
{
	uint32_t i;

	if (!strcmp(name, "ipv6")) {
		x->v6 = value != 0;
		return 0;
	}
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (fields[i].size == 4)
			memcpy((char *)&x->config + fields[i].offset, &value, 4);
		else
			*((uint8_t *)&x->config + fields[i].offset) = (uint8_t)value;
		return 0;
	}
	return fail(x, "unknown setting %s", name);
}

static int
command(struct script *x, const char *name, char *rest)
{
	static const char *const options[] = {
		"nodelay", "keepalive", "user_timeout", "receive_buffer", "send_buffer", "mtu", "congestion"};
	static const char *const events[] = {"connect", "read", "write", "end", "sent", "close", "accept"};
	struct ps_addr here = address(x, 1), there = address(x, 2);
	char *save = NULL, *a = strtok_r(rest, " \t", &save), *b = strtok_r(NULL, " \t", &save);
	char *third = strtok_r(NULL, " \t", &save);
	uint32_t n = a != NULL ? (uint32_t)strtoul(a, NULL, 10) : 0, i;
	struct ps_tcp_info info;

	if (x->conn != NULL)
		ps_tcp_describe(x->stack, x->conn, &info);
	if (!strcmp(name, "listen")) {
		if (ps_tcp_listen(x->stack, &x->listener, &here, 80, a ? n : 8, NULL) != 0)
			return fail(x, "cannot listen");
		x->our_port = 80;
	} else if (!strcmp(name, "unlisten")) {
		ps_tcp_unlisten(x->stack, x->listener);
	} else if (!strcmp(name, "connect")) {
		int rc = ps_tcp_connect(x->stack, &x->conn, &here, 4000, &there, x->peer_port, NULL);

		if (rc != 0 && !(a != NULL && !strcmp(a, "refused")))
			return fail(x, "cannot connect: %s", strerror(-rc));
		if (rc == 0 && a != NULL)
			return fail(x, "connect was not refused");
	} else if (!strcmp(name, "accept")) {
		x->conn = ps_tcp_accept(x->stack, x->listener, x);
		if ((x->conn == NULL) != (a != NULL && !strcmp(a, "none")))
			return fail(x, x->conn ? "there was a connection" : "no connection to accept");
		if (x->conn != NULL && a != NULL && !strcmp(a, "nodelay"))
			ps_tcp_set(x->stack, x->conn, PS_TCP_OPT_NODELAY, 1);
	} else if (!strcmp(name, "write")) {
		struct ps_tcp_slice slice = {.data = bytes, .size = n, .owner = bytes};
		ssize_t want = b != NULL ? strtol(b, NULL, 10) : (ssize_t)n, got = ps_tcp_write(x->stack, x->conn, &slice, 1);

		if (b != NULL && !strcmp(b, "refused") ? got > 0 : got != want)
			return fail(x, "write returned %zd", got);
	} else if (!strcmp(name, "read")) {
		if (ps_tcp_readable(x->conn) < n)
			return fail(x, "only %u can be read", ps_tcp_readable(x->conn));
		ps_tcp_consume(x->stack, x->conn, n);
	} else if (!strcmp(name, "shutdown")) {
		ps_tcp_shutdown(x->stack, x->conn);
	} else if (!strcmp(name, "close")) {
		ps_tcp_close(x->stack, x->conn);
		x->conn = NULL;
	} else if (!strcmp(name, "abort")) {
		ps_tcp_abort(x->stack, x->conn);
		x->conn = NULL;
	} else if (!strcmp(name, "set") && b != NULL) {
		for (i = 0; i < 7 && strcmp(options[i], a) != 0; i++)
			;
		if (i == 7 || ps_tcp_set(x->stack, x->conn, i, (uint32_t)strtoul(b, NULL, 10)) != 0)
			return fail(x, "cannot set %s", a);
	} else if (!strcmp(name, "icmp") && b != NULL) {
		struct ps_tcp_icmp icmp = {.local = here, .remote = there, .local_port = x->our_port,
			.remote_port = x->peer_port, .seq = x->our_isn + (uint32_t)strtoul(b, NULL, 10)};

		icmp.kind = !strcmp(a, "too-big") ? PS_TCP_ICMP_TOO_BIG : PS_TCP_ICMP_UNREACHABLE;
		icmp.mtu = third != NULL ? (uint32_t)strtoul(third, NULL, 10) : 0;
		ps_tcp_input_icmp(x->stack, &icmp);
	} else if (!strcmp(name, "pressure")) {
		ps_tcp_set_pressure(x->stack, n);
	} else if (!strcmp(name, "state")) {
		if (x->conn == NULL || strcmp(ps_tcp_state_name(ps_tcp_state(x->conn)), a) != 0)
			return fail(x, "state is %s", x->conn ? ps_tcp_state_name(ps_tcp_state(x->conn)) : "none");
	} else if (!strcmp(name, "error")) {
		if (strcmp(ps_tcp_reason_texts[ps_tcp_error(x->conn)].name, a) != 0)
			return fail(x, "error is %s", ps_tcp_reason_texts[ps_tcp_error(x->conn)].name);
	} else if (!strcmp(name, "readable")) {
		if (ps_tcp_readable(x->conn) != n)
			return fail(x, "%u can be read", ps_tcp_readable(x->conn));
	} else if (!strcmp(name, "writable")) {
		if (ps_tcp_writable(x->stack, x->conn) != n)
			return fail(x, "%u can be written", ps_tcp_writable(x->stack, x->conn));
	} else if (!strcmp(name, "end")) {
		if (!ps_tcp_at_end(x->conn))
			return fail(x, "not at the end");
	} else if (!strcmp(name, "event")) {
		for (i = 0; i < 7 && strcmp(events[i], a) != 0; i++)
			;
		if (i == 7 || !(x->events & 1u << i))
			return fail(x, "no event %s", a);
		x->events &= ~(1u << i);
	} else if (!strcmp(name, "count") && b != NULL) {
		for (i = 0; i < PS_TCP_REASON_COUNT && strcmp(ps_tcp_reason_texts[i].name, a) != 0; i++)
			;
		if (i == PS_TCP_REASON_COUNT || ps_tcp_counters(x->stack)[i] != strtoull(b, NULL, 10))
			return fail(x, "%s is %llu", a,
				i < PS_TCP_REASON_COUNT ? (unsigned long long)ps_tcp_counters(x->stack)[i] : 0);
	} else if (!strcmp(name, "cwnd")) {
		if (info.cwnd != n)
			return fail(x, "cwnd is %u", info.cwnd);
	} else if (!strcmp(name, "ssthresh")) {
		if (info.ssthresh != n)
			return fail(x, "ssthresh is %u", info.ssthresh);
	} else if (!strcmp(name, "mss")) {
		if (info.mss != n)
			return fail(x, "mss is %u", info.mss);
	} else if (!strcmp(name, "rto")) {
		if (info.rto_ms + 1 < n || info.rto_ms > n + 1)
			return fail(x, "rto is %u", info.rto_ms);
	} else if (!strcmp(name, "free")) {
		struct ps_tcp_usage usage;

		ps_tcp_usage(x->stack, &usage);
		if (usage.connections != 0 || usage.pieces != 0 || usage.records != 0)
			return fail(x, "%u connections, %u pieces, %u records are held", usage.connections, usage.pieces,
				usage.records);
	} else if (strcmp(name, "none") != 0) {
		return fail(x, "unknown command %s", name);
	}
	advance(x, x->now);
	return 0;
}

static int
one_line(struct script *x, char *line)
{
	char *comment = strchr(line, '#'), *save = NULL, *time, *what, *rest, *end;
	bool any_time;
	uint64_t at;
	double seconds;

	if (comment != NULL)
		*comment = '\0';
	line[strcspn(line, "\n")] = '\0';
	time = strtok_r(line, " \t", &save);
	if (time == NULL)
		return 0;
	if (!strcmp(time, "config")) {
		char *name = strtok_r(NULL, " \t", &save), *value = strtok_r(NULL, " \t", &save);

		return value == NULL ? fail(x, "config NAME VALUE") : configure(x, name, (uint32_t)strtoul(value, NULL, 10));
	}
	if (start(x) != 0)
		return -1;
	what = strtok_r(NULL, " \t", &save);
	if (what == NULL)
		return fail(x, "a time and a command");
	any_time = !strcmp(time, "*");
	seconds = any_time ? 0 : strtod(time[0] == '+' ? time + 1 : time, &end);
	if (!any_time && *end != '\0')
		return fail(x, "%s is no time", time);
	at = (time[0] == '+' ? x->line_at : x->start) + (uint64_t)(seconds * 1e6 + 0.5);
	if (!strcmp(what, ">")) {
		char *flags = strtok_r(NULL, " \t", &save);

		rest = save;
		return expect(x, at, any_time, flags, rest);
	}
	if (at > x->now)
		advance(x, at);
	x->line_at = at;
	if (x->head != x->tail) {
		char got[400];

		tell_segment(x, &x->sent[x->head % QUEUE], got, sizeof(got));
		return fail(x, "unexpected: %s", got);
	}
	if (!strcmp(what, "<")) {
		char *flags = strtok_r(NULL, " \t", &save);

		rest = save;
		return inject(x, flags, rest);
	}
	return command(x, what, save);
}

static int
run(const char *path)
{
	static struct script x;
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct ps_tcp_usage usage;
	char line[400];
	FILE *f = fopen(path, "r");
	bool cited = false;
	uint32_t i;

	memset(&x, 0, sizeof(x));
	held = 0;
	ps_tcp_config_init(&x.config);
	x.config.connections = 8;
	x.config.listeners = 2;
	x.config.pieces = 4096;
	x.config.records = 1024;
	x.config.receive_buffer = 65535;
	x.config.ecn = false;
	x.config.no_timestamps = false;
	x.config.delayed_ack_ms = 40;
	for (i = 0; i < 32; i++)
		x.config.secret[i] = (uint8_t)(i * 7 + 1);
	x.peer_isn = 1000000;
	x.peer_port = 5000;
	x.our_port = 4000;
	if (f == NULL) {
		printf("FAIL %s: %s\n", name, strerror(errno));
		return 1;
	}
	while (fgets(line, sizeof(line), f) != NULL && x.why[0] == '\0') {
		x.line++;
		cited = cited || strstr(line, "RFC") != NULL;
		one_line(&x, line);
	}
	fclose(f);
	if (x.why[0] == '\0' && x.stack != NULL && x.head != x.tail) {
		tell_segment(&x, &x.sent[x.head % QUEUE], line, sizeof(line));
		fail(&x, "unexpected at the end: %s", line);
	}
	if (x.why[0] == '\0' && !cited)
		fail(&x, "cites no RFC");
	ps_tcp_destroy(x.stack);
	if (x.why[0] == '\0' && x.stack != NULL) {
		ps_tcp_usage(x.stack, &usage);
		if (held != 0 || usage.pieces != 0)
			fail(&x, "%lld buffers leaked", (long long)held);
	}
	free(x.memory);
	if (x.why[0] != '\0')
		printf("FAIL %s:%d: %s\n", name, x.line, x.why);
	else
		printf("ok   %s\n", name);
	return x.why[0] != '\0';
}

int
main(int argc, char **argv)
{
	int i, failed = 0;

	for (i = 1; i < argc; i++)
		failed += run(argv[i]);
	printf("%d scripts, %d failed\n", argc - 1, failed);
	return failed != 0;
}

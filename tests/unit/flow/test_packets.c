/* SPDX-License-Identifier: Apache-2.0 */
/* Packets through the flow stages' decisions: byte by byte against fixtures, and what becomes of flows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "bed.h"
#include "dataplane/flow/icmp_translate.h"
#include "dataplane/flow/snat.h"

struct step {
	const char *what;
	const char *arrive, *leave; /* hex */
	uint32_t port;
	uint8_t flags;              /* PS_META_F_ */
};

struct scenario {
	const char *name;
	uint16_t service_flags;
	uint32_t steps;
	struct step step[6];
};

#include "fixtures.h"

static uint32_t
bytes_of(const char *hex, uint8_t *out)
{
	uint32_t n = 0;
	char pair[3] = {0};

	for (; hex[0] != '\0'; hex += 2) {
		pair[0] = hex[0];
		pair[1] = hex[1];
		out[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

static void
show(const char *title, const uint8_t *p, uint32_t n)
{
	uint32_t i;

	print_message("%s:", title);
	for (i = 0; i < n; i++)
		print_message("%s%02x", i % 16 == 0 ? "\n  " : " ", p[i]);
	print_message("\n");
}

static uint32_t
through(struct bed *b, struct rte_mbuf *m)
{
	uint8_t proto = ps_meta(m)->proto;

	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6 ? ps_icmp_translate(&b->w, m) : bed_run(b, m);
}

static void
run_step(struct bed *b, const char *name, const struct step *s)
{
	static uint8_t arrive[4096], leave[4096];
	uint32_t in = bytes_of(s->arrive, arrive), out = bytes_of(s->leave, leave), edge;
	struct rte_mbuf *m = bed_load(b, arrive, in);
	const uint8_t *got;

	ps_meta(m)->flags |= s->flags;
	edge = through(b, m);
	got = rte_pktmbuf_mtod(m, const uint8_t *);
	if (edge == PS_FLOW_EDGE_IP_OUTPUT) {
		/* No next hop kept: ip_output writes the Ethernet header. */
		assert_int_equal(ps_meta(m)->l3, 14);
		memcpy(rte_pktmbuf_mtod(m, uint8_t *), leave, 14);
	} else if (edge != PS_FLOW_EDGE_PORT + s->port) {
		print_message("%s, %s: edge %u, exit %u\n", name, s->what, edge, ps_meta(m)->exit);
		fail();
	}
	if (m->data_len != out || m->pkt_len != out || memcmp(got, leave, out) != 0) {
		print_message("%s, %s:\n", name, s->what);
		show("arrived", arrive, in);
		show("left", got, m->data_len);
		show("should have left", leave, out);
		fail();
	}
}

static void
test_fixtures(void **state)
{
	uint32_t i, k;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		struct bed_options o = {.service_flags = scenarios[i].service_flags};
		struct bed *b = bed_new(&o);

		for (k = 0; k < scenarios[i].steps; k++)
			run_step(b, scenarios[i].name, &scenarios[i].step[k]);
		assert_null(ps_flow_table_check(b->w.flow4));
		assert_null(ps_flow_table_check(b->w.flow6));
		bed_free(b);
	}
}

/* A TCP or UDP packet of `size` bytes of payload, checksums right. */
struct packet {
	bool v6, from_endpoint, no_df;
	uint8_t proto, tcp_flags, ttl, mode;
	uint16_t src_port, dst_port;
	uint32_t payload;
	uint8_t client; /* last byte of the client's address, 0: 1 */
};

static struct rte_mbuf *
make(struct bed *b, const struct packet *p)
{
	static uint8_t frame[12000];
	uint8_t *ip = frame + 14, *l4;
	uint32_t header = p->v6 ? 40 : 20, l4_header = p->proto == IPPROTO_TCP ? 20 : 8;
	uint32_t size = header + l4_header + p->payload;
	static const uint8_t c6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1}, v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0xff, [15] = 0x10};
	static const uint8_t e6[16] = {0xfd, 0, 0, 2, [15] = 5}, s6[16] = {0xfd, 0, 0, 2, [14] = 1};
	static const uint8_t c4[4] = {10, 1, 0, 1}, v4[4] = {192, 0, 2, 10}, e4[4] = {10, 2, 0, 5}, s4[4] = {10, 2, 0, 100};
	struct rte_mbuf *m;
	uint16_t checksum;

	memset(frame, 0, sizeof(frame));
	if (p->v6) {
		ip[0] = 0x60;
		ip[4] = (uint8_t)((size - 40) >> 8);
		ip[5] = (uint8_t)(size - 40);
		ip[6] = p->proto;
		ip[7] = p->ttl != 0 ? p->ttl : 64;
		memcpy(ip + 8, p->from_endpoint ? e6 : c6, 16);
		memcpy(ip + 24, p->from_endpoint ? s6 : v6, 16);
		if (p->client != 0)
			ip[p->from_endpoint ? 39 : 23] = p->client;
	} else {
		ip[0] = 0x45;
		ip[2] = (uint8_t)(size >> 8);
		ip[3] = (uint8_t)size;
		ip[6] = p->no_df ? 0 : 0x40;
		ip[8] = p->ttl != 0 ? p->ttl : 64;
		ip[9] = p->proto;
		memcpy(ip + 12, p->from_endpoint ? e4 : c4, 4);
		memcpy(ip + 16, p->from_endpoint ? s4 : v4, 4);
		if (p->client != 0)
			ip[15] = p->client;
		checksum = (uint16_t)~ps_sum_fold(ps_sum(ip, 20));
		memcpy(ip + 10, &checksum, 2);
	}
	l4 = ip + header;
	l4[0] = (uint8_t)(p->src_port >> 8);
	l4[1] = (uint8_t)p->src_port;
	l4[2] = (uint8_t)(p->dst_port >> 8);
	l4[3] = (uint8_t)p->dst_port;
	if (p->proto == IPPROTO_TCP) {
		l4[12] = 0x50;
		l4[13] = p->tcp_flags;
	} else {
		l4[4] = (uint8_t)((8 + p->payload) >> 8);
		l4[5] = (uint8_t)(8 + p->payload);
	}
	checksum = (uint16_t)~ps_sum_fold(ps_sum_pseudo(ip + (p->v6 ? 8 : 12), p->v6, p->proto, size - header) +
					  ps_sum(l4, size - header));
	memcpy(l4 + (p->proto == IPPROTO_TCP ? 16 : 6), &checksum, 2);
	m = bed_load(b, frame, 14 + size);
	return m;
}

static uint32_t
pass(struct bed *b, struct packet p)
{
	if (p.proto == 0)
		p.proto = IPPROTO_TCP;
	if (p.src_port == 0)
		p.src_port = p.from_endpoint ? 8080 : 40000;
	if (p.dst_port == 0)
		p.dst_port = p.from_endpoint ? 20000 : (uint16_t)(80 + p.mode);
	return bed_run(b, make(b, &p));
}

static enum ps_exit
why(const struct bed *b)
{
	return (enum ps_exit)ps_meta((struct rte_mbuf *)(uintptr_t)&b->packet.m)->exit;
}

static struct ps_flow *
only_flow(struct bed *b)
{
	uint32_t i;

	for (i = 0; i < b->w.flow4->capacity; i++)
		if (ps_flow_state(ps_flow_at(b->w.flow4, i)) != PS_FLOW_FREE)
			return ps_flow_at(b->w.flow4, i);
	return NULL;
}

#define IN (PS_FLOW_EDGE_PORT + 1)
#define OUT (PS_FLOW_EDGE_PORT + 0)

static void
test_tcp_life(void **state)
{
	struct bed *b = bed_new(NULL);
	struct ps_service_counters *c = &b->service_row[bed_service(6, PS_MODE_FULLNAT, false)];

	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), IN);
	assert_int_equal(ps_flow_state(only_flow(b)), PS_FLOW_SYN);
	assert_int_equal(ps_snat_in_use(b->w.snat), 1);
	assert_int_equal(c->flows_active, 1);
	assert_int_equal(pass(b, (struct packet){.from_endpoint = true, .tcp_flags = 0x12}), OUT);
	assert_int_equal(ps_flow_state(only_flow(b)), PS_FLOW_SYN_ACK);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x10}), IN);
	assert_int_equal(ps_flow_state(only_flow(b)), PS_FLOW_ESTABLISHED);
	bed_sleep(b, 600000);
	assert_int_equal(ps_flow_state(only_flow(b)), PS_FLOW_ESTABLISHED);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x18, .payload = 100}), IN);
	bed_sleep(b, 600000);
	assert_non_null(only_flow(b));
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x11}), IN);
	assert_int_equal(pass(b, (struct packet){.from_endpoint = true, .tcp_flags = 0x11}), OUT);
	assert_int_equal(ps_flow_state(only_flow(b)), PS_FLOW_CLOSING);
	/* A new connection from the same port before the old one is forgotten. The only SNAT port is given back first. */
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), IN);
	assert_int_equal(ps_flow_state(only_flow(b)), PS_FLOW_SYN);
	assert_int_equal(ps_snat_in_use(b->w.snat), 1);
	bed_sleep(b, 20000);
	assert_null(only_flow(b));
	assert_int_equal(ps_snat_in_use(b->w.snat), 0);
	assert_int_equal(c->flows_active, 0);
	assert_int_equal(c->flows_created, 2);
	assert_int_equal(c->packets_in, 5);
	assert_int_equal(c->packets_out, 2);
	assert_int_equal(c->bytes_in, 5 * 40 + 100);
	/* Later segment of nobody's connection */
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x10}), PS_FLOW_EDGE_ANSWER);
	assert_int_equal(why(b), PS_EXIT_RST_NO_FLOW);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x04}), PS_FLOW_EDGE_DROP);
	assert_int_equal(pass(b, (struct packet){.from_endpoint = true, .tcp_flags = 0x10}), PS_FLOW_EDGE_DROP);
	assert_int_equal(why(b), PS_EXIT_NO_FLOW);
	assert_null(ps_flow_table_check(b->w.flow4));
	bed_free(b);
}

static void
test_midstream(void **state)
{
	struct bed *b = bed_new(NULL);

	/* Another gateway's flow: DSR goes on, on probation until it has shown twice that it is alive. */
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x10, .mode = PS_MODE_IPIP}), IN);
	assert_true(ps_flow_half_open(ps_flow_state(only_flow(b))));
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x10, .mode = PS_MODE_IPIP}), IN);
	assert_int_equal(ps_flow_state(only_flow(b)), PS_FLOW_ESTABLISHED);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x04, .mode = PS_MODE_DNAT}), PS_FLOW_EDGE_DROP);
	bed_free(b);
}

static void
test_elsewhere(void **state)
{
	struct bed *b = bed_new(NULL);

	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2, .dst_port = 99}), PS_FLOW_EDGE_PUNT);
	assert_int_equal(why(b), PS_EXIT_NO_LISTENER);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2, .ttl = 1}), PS_FLOW_EDGE_ANSWER);
	assert_int_equal(why(b), PS_EXIT_TTL_EXPIRED);
	b->listener[0].ranges = 1;
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), PS_FLOW_EDGE_DROP);
	assert_int_equal(why(b), PS_EXIT_SOURCE_DENIED);
	b->listener[0].ranges = 0;
	b->w.view = NULL;
	assert_int_equal(ps_flow_forward(&b->w, &b->packet.m, 0, true), PS_FLOW_EDGE_DROP);
	assert_int_equal(why(b), PS_EXIT_NO_SNAPSHOT);
	bed_free(b);
}

static void
test_mtu(void **state)
{
	struct bed *b = bed_new(NULL);

	assert_int_equal(pass(b, (struct packet){.proto = 17, .payload = 1472}), IN);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .payload = 1473}), PS_FLOW_EDGE_ANSWER);
	assert_int_equal(why(b), PS_EXIT_TOO_BIG);
	assert_int_equal(ps_meta(&b->packet.m)->hash, 1500);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .payload = 1473, .no_df = true}), PS_FLOW_EDGE_IP_OUTPUT);
	assert_int_equal(ps_meta(&b->packet.m)->adjacency, 2);
	assert_true(bed_sound(&b->packet.m));
	assert_int_equal(pass(b, (struct packet){.proto = 17, .payload = 1452, .mode = PS_MODE_IPIP}), IN);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .payload = 1453, .mode = PS_MODE_IPIP}), PS_FLOW_EDGE_ANSWER);
	assert_int_equal(ps_meta(&b->packet.m)->hash, 1480);
	assert_int_equal(pass(b, (struct packet){.v6 = true, .proto = 17, .payload = 1404, .mode = PS_MODE_GUE}), IN);
	assert_int_equal(pass(b, (struct packet){.v6 = true, .proto = 17, .payload = 1405, .mode = PS_MODE_GUE}), PS_FLOW_EDGE_ANSWER);
	assert_int_equal(ps_meta(&b->packet.m)->hash, 1452);
	bed_free(b);
}

static void
test_next_hops(void **state)
{
	struct bed *b = bed_new(NULL);

	atomic_store(&b->adjacency[2].state, PS_ADJ_INCOMPLETE);
	assert_int_equal(pass(b, (struct packet){.proto = 17}), PS_FLOW_EDGE_IP_OUTPUT);
	assert_int_equal(ps_meta(&b->packet.m)->adjacency, 2);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_L2}), PS_FLOW_EDGE_DROP);
	assert_int_equal(why(b), PS_EXIT_NEIGHBOUR_QUEUE_FULL);
	atomic_store(&b->adjacency[2].state, PS_ADJ_FAILED);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_L2}), PS_FLOW_EDGE_ANSWER);
	assert_int_equal(why(b), PS_EXIT_UNREACH_NO_NEIGHBOUR);
	atomic_store(&b->adjacency[2].state, PS_ADJ_RESOLVED);
	assert_int_equal(pass(b, (struct packet){.proto = 17}), IN);
	/* New routes: looked up again once, then fast. */
	b->view.route_generation++;
	only_flow(b)->adjacency[0] = 3;
	assert_int_equal(pass(b, (struct packet){.proto = 17}), IN);
	assert_int_equal(only_flow(b)->adjacency[0], 2);
	/* A tag on the way out, none on the way in. */
	b->adjacency[2].header_size = 18;
	memcpy(b->adjacency[2].header8 + 4, "\x81\x00\x00\x64", 4);
	assert_int_equal(pass(b, (struct packet){.proto = 17}), IN);
	assert_int_equal(b->packet.m.data_len, 14 + 4 + 28);
	assert_int_equal(b->packet.m.pkt_len, 14 + 4 + 28);
	assert_int_equal(rte_pktmbuf_mtod(&b->packet.m, uint8_t *)[16], 0x08);
	assert_true(bed_sound(&b->packet.m));
	bed_free(b);
}

static void
set_verdict(struct bed *b, uint32_t slot, uint32_t generation, uint32_t flags, bool down)
{
	atomic_store(&b->verdict[slot].word,
		     PS_CTL(generation, 255, flags) | (down ? (uint64_t)PS_HEALTH(generation, PS_HEALTH_DOWN) << 32 : 0));
}

static void
test_endpoint_dies(void **state)
{
	struct bed_options o = {.endpoints = 2, .port_first = 20000, .port_last = 20100};
	struct bed *b = bed_new(&o);
	uint32_t slot, first = bed_service(17, PS_MODE_IPIP, false) * BED_ENDPOINTS;

	/* UDP moves on when its endpoint goes down, and stays where it is when all are. */
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_IPIP}), IN);
	slot = only_flow(b)->endpoint_slot;
	set_verdict(b, slot, 7, PS_CTL_IN_USE, true);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_IPIP}), IN);
	assert_int_equal(only_flow(b)->endpoint_slot, first + 1 - (slot - first));
	set_verdict(b, only_flow(b)->endpoint_slot, 7, PS_CTL_IN_USE, true);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_IPIP}), IN);
	bed_sleep(b, 60000);
	assert_null(only_flow(b));
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_IPIP}), PS_FLOW_EDGE_ANSWER);
	assert_int_equal(why(b), PS_EXIT_UNREACH_NO_ENDPOINT);

	/* TCP: a retransmitted SYN moves on, an established connection stays through down and drain, and ends by kill. */
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), IN);
	slot = only_flow(b)->endpoint_slot;
	set_verdict(b, slot, 7, PS_CTL_IN_USE, true);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), IN);
	assert_int_not_equal(only_flow(b)->endpoint_slot, slot);
	set_verdict(b, slot, 7, PS_CTL_IN_USE, false);
	slot = only_flow(b)->endpoint_slot;
	{
		struct ps_flow4 *f = (struct ps_flow4 *)only_flow(b);
		struct packet reply = {.from_endpoint = true, .tcp_flags = 0x12,
				       .dst_port = ntohs(f->key[1].dst_port)};
		uint8_t last = (uint8_t)(ntohl(f->key[1].src) & 255);

		reply.client = last;
		assert_int_equal(pass(b, reply), OUT);
	}
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x10}), IN);
	set_verdict(b, slot, 7, PS_CTL_IN_USE | PS_CTL_DRAIN, true);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x10}), IN);
	set_verdict(b, slot, 7, PS_CTL_IN_USE | PS_CTL_DRAIN | PS_CTL_KILL, false);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x10}), PS_FLOW_EDGE_ANSWER);
	assert_int_equal(why(b), PS_EXIT_RST_NO_FLOW);
	assert_null(only_flow(b));
	/* Its slot given to another endpoint: same as killed. */
	set_verdict(b, slot, 7, PS_CTL_IN_USE, false);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), IN);
	slot = only_flow(b)->endpoint_slot;
	set_verdict(b, slot, 8, PS_CTL_IN_USE, false);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), IN);
	assert_int_not_equal(only_flow(b)->endpoint_slot, slot);
	assert_null(ps_flow_table_check(b->w.flow4));
	bed_free(b);
}

static void
test_no_endpoint(void **state)
{
	struct bed *b = bed_new(NULL);

	set_verdict(b, 0, 7, PS_CTL_IN_USE, true);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), PS_FLOW_EDGE_ANSWER);
	assert_int_equal(why(b), PS_EXIT_RST_NO_ENDPOINT);
	assert_int_equal(b->service_row[0].rejected, 1);
	b->service[0].flags |= PS_SERVICE_F_EMPTY_DROP;
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), PS_FLOW_EDGE_DROP);
	assert_int_equal(why(b), PS_EXIT_NO_ENDPOINT);
	b->service[0].flags = PS_SERVICE_F_ALL_DOWN_OPEN;
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2}), IN);
	b->service[0].table = PS_NONE;
	b->service[0].balanced = 0;
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2, .src_port = 41000}), PS_FLOW_EDGE_ANSWER);
	bed_free(b);
}

static void
test_exhaustion(void **state)
{
	struct bed_options o = {.capacity = 8, .port_first = 20000, .port_last = 20003};
	struct bed *b = bed_new(&o);
	uint16_t port;

	for (port = 1; port <= 4; port++)
		assert_int_equal(pass(b, (struct packet){.proto = 17, .src_port = port}), IN);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .src_port = 5}), PS_FLOW_EDGE_DROP);
	assert_int_equal(why(b), PS_EXIT_SNAT_EXHAUSTED);
	assert_int_equal(ps_snat_in_use(b->w.snat), 4);
	/* Two half-open flows, then UDP until the table is full: the half-open ones give way, then nothing does. */
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2, .src_port = 10}), IN);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2, .src_port = 11}), IN);
	for (port = 20; port < 24; port++)
		assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_IPIP, .src_port = port}), IN);
	assert_int_equal(b->counters.flow_v4.evicted + b->w.flow4->counters->evicted, 2);
	assert_int_equal(b->w.flow4->counters->stateless, 0);
	assert_int_equal(ps_snat_in_use(b->w.snat), 4);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_IPIP, .src_port = 30}), IN);
	assert_true(bed_sound(&b->packet.m));
	assert_int_equal(b->w.flow4->counters->stateless, 1);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 2, .src_port = 12}), PS_FLOW_EDGE_DROP);
	assert_int_equal(why(b), PS_EXIT_FLOW_TABLE_FULL);
	assert_int_equal(b->w.flow4->counters->refused, 1);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_DNAT, .src_port = 12}), PS_FLOW_EDGE_DROP);
	assert_int_equal(b->w.flow4->counters->refused, 2);
	assert_null(ps_flow_table_check(b->w.flow4));
	bed_free(b);
}

static void
test_dnat_twins(void **state)
{
	struct bed *b = bed_new(NULL);
	struct ps_listener *l = &b->listener[bed_service(17, PS_MODE_DNAT, false)];
	struct ps_service *s = &b->service[bed_service(17, PS_MODE_L2, false)];

	/* Two listeners of one endpoint: make the L2 service a DNAT one to the same place. */
	s->mode = PS_MODE_DNAT;
	b->endpoint[s->first_endpoint].port = htons(8080);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_DNAT}), IN);
	assert_int_equal(pass(b, (struct packet){.proto = 17, .mode = PS_MODE_L2}), IN);
	assert_int_equal(b->w.flow4->counters->active, 1);
	assert_null(ps_flow_table_check(b->w.flow4));
	assert_int_equal(l->proto, 17);
	bed_free(b);
}

static void
test_handover(void **state)
{
	struct bed *b = bed_new(NULL), *other = bed_new(NULL);
	struct ps_flow_table *peer4[2] = {b->w.flow4, other->w.flow4};

	b->w.workers = 2;
	b->w.peer_flow4 = peer4;
	/* A reply to a port of the other worker. */
	assert_int_equal(pass(b, (struct packet){.from_endpoint = true, .tcp_flags = 0x10, .dst_port = 20001}), PS_FLOW_EDGE_HANDOFF);
	assert_int_equal(ps_meta(&b->packet.m)->owner, 1);
	assert_int_equal(b->counters.snat_miss, 1);
	/* A segment of a flow that the other worker has. */
	assert_int_equal(pass(other, (struct packet){.tcp_flags = 2}), IN);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x10}), PS_FLOW_EDGE_HANDOFF);
	assert_int_equal(ps_meta(&b->packet.m)->owner, 1);
	assert_int_equal(pass(b, (struct packet){.tcp_flags = 0x10, .src_port = 40001}), PS_FLOW_EDGE_ANSWER);
	bed_free(b);
	bed_free(other);
}

static int
odd_tens(const struct ps_port_device *port, bool v6, const void *src, const void *dst, uint16_t src_port,
	 uint16_t dst_port, uint8_t proto)
{
	assert_memory_equal(src, "\x0a\x02\x00\x05", 4);
	assert_memory_equal(dst, "\x0a\x02\x00\x64", 4);
	assert_int_equal(src_port, htons(8080));
	return ntohs(dst_port) / 10 % 2 ? 3 : 4;
}

/* Two workers, queue q is worker q % 2's: ports whose replies go to queue 4 are worker 0's. */
static void
test_steering(void **state)
{
	struct bed_options o = {.port_first = 20000, .port_last = 29999};
	struct bed *b = bed_new(&o);
	uint32_t i;

	ps_snat_free(b->w.snat);
	assert_int_equal(ps_snat_new(&b->w.snat, 0, 2, 4, 64, 5), 0);
	assert_int_equal(ps_snat_configure(b->w.snat, b->snat_address, 2), 0);
	b->w.workers = 2;
	b->w.rx_queue = odd_tens;
	b->w.rss_port[1] = (const struct ps_port_device *)b;
	for (i = 0; i < 50; i++)
		assert_int_equal(pass(b, (struct packet){.proto = 17, .src_port = (uint16_t)(100 + i)}), IN);
	for (i = 0; i < 64; i++) {
		const struct ps_flow4 *f = ps_flow4_at(b->w.flow4, i);

		if (ps_flow_state(&f->head) == PS_FLOW_FREE)
			continue;
		assert_int_equal(ntohs(f->key[1].dst_port) % 2, 0);
		assert_int_equal(ntohs(f->key[1].dst_port) / 10 % 2, 0);
	}
	bed_free(b);
}

static void
test_fragments(void **state)
{
	struct bed *b = bed_new(NULL);
	struct packet p = {.proto = 17, .src_port = 40000, .dst_port = 80, .payload = 64};
	struct rte_mbuf *m = make(b, &p);
	uint8_t *ip;
	uint32_t ports;

	memcpy(&ports, rte_pktmbuf_mtod_offset(m, uint8_t *, 34), 4);
	ps_meta(m)->flags |= PS_META_F_FRAGMENT;
	assert_int_equal(ps_flow_forward(&b->w, m, ports, true), IN);
	/* The later one: addresses and header checksum change, not one byte of its data. */
	m = make(b, &p);
	ps_meta(m)->flags |= PS_META_F_FRAGMENT;
	memset(rte_pktmbuf_mtod_offset(m, uint8_t *, 34), 0xee, 72);
	assert_int_equal(ps_flow_forward(&b->w, m, ports, false), IN);
	ip = rte_pktmbuf_mtod_offset(m, uint8_t *, 14);
	assert_int_equal(ps_sum_fold(ps_sum(ip, 20)), 0xffff);
	assert_memory_equal(ip + 12, "\x0a\x02\x00\x64\x0a\x02\x00\x05", 8);
	for (uint32_t i = 20; i < 92; i++)
		assert_int_equal(ip[i], 0xee);
	bed_free(b);
}

static void
test_affinity(void **state)
{
	struct bed_options o = {.endpoints = 4, .service_flags = PS_SERVICE_F_AFFINITY, .port_first = 20000, .port_last = 20100};
	struct bed *b = bed_new(&o);
	uint32_t first = UINT32_MAX, i, client;

	/* Without any memory of it, one client still goes to one endpoint; clients spread. */
	for (i = 0; i < 20; i++) {
		uint32_t k;

		assert_int_equal(pass(b, (struct packet){.proto = 17, .src_port = (uint16_t)(1000 + i)}), IN);
		for (k = 0; k < 64; k++) {
			const struct ps_flow *f = ps_flow_at(b->w.flow4, k);

			if (ps_flow_state(f) == PS_FLOW_FREE)
				continue;
			if (first == UINT32_MAX)
				first = f->endpoint_slot;
			assert_int_equal(f->endpoint_slot, first);
		}
	}
	for (client = 2; client < 30; client++)
		pass(b, (struct packet){.proto = 17, .client = (uint8_t)client});
	for (i = 0; i < 4; i++)
		assert_true(b->endpoint_row[(first & ~3u) + i].flows_created != 0);
	bed_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),      cmocka_unit_test(test_tcp_life),
		cmocka_unit_test(test_midstream),     cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_mtu),           cmocka_unit_test(test_next_hops),
		cmocka_unit_test(test_endpoint_dies), cmocka_unit_test(test_no_endpoint),
		cmocka_unit_test(test_exhaustion),    cmocka_unit_test(test_dnat_twins),
		cmocka_unit_test(test_handover),      cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_affinity),
		cmocka_unit_test(test_steering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Probes in virtual time against endpoints that are played here. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "dataplane/net/icmp.h"
#include "dataplane/net/local.h"
#include "dataplane/net/probe.h"
#include "tests/unit/net/wire.h"

#define SLOTS 8192u

static uint8_t *state_file;
static struct ps_probes *probes;
static struct arena arena;
static uint64_t now_us;
static struct {
	uint8_t bytes[128];
	uint32_t size;
} sent[8192];
static uint32_t sends;
static int route_rc;
static uint32_t events;
static struct {
	uint32_t slot;
	bool down;
	enum ps_health_reason reason;
} event[64];

static int
route(void *arg, const struct ps_addr *dst, struct ps_addr *src)
{
	*src = ps_addr_is_v4(dst) ? addr("10.0.0.1") : addr("2001:db8::1");
	return route_rc;
}

static int
send_packet(void *arg, const void *packet, uint32_t size)
{
	assert_true(sends < 8192 && size <= 128);
	sent[sends].size = size;
	memcpy(sent[sends++].bytes, packet, size);
	return 0;
}

static void
on_event(void *arg, uint32_t slot, bool down, enum ps_health_reason reason)
{
	event[events].slot = slot;
	event[events].down = down;
	event[events++ % 64].reason = reason;
}

static const struct ps_probe_ops ops = {.route = route, .send = send_packet, .event = on_event};

/* One service with a probe of this kind and endpoints 10.0.1.1, .2, ... in slots 0, 1, ... */
static struct ps_snapshot *
configuration(uint8_t kind, uint32_t endpoints, const char *first, uint16_t generation)
{
	struct ps_probe probe = {.kind = kind, .rise = 2, .fall = 3, .interval_ms = 1000, .timeout_ms = 300};
	struct ps_service service = {.endpoints = endpoints, .balanced = endpoints, .probe = 0};
	struct ps_snapshot *s = arena_start(&arena);
	struct ps_endpoint *e;
	uint32_t i;

	arena_section(&arena, PS_SEC_PROBE, &probe, 1, sizeof(probe));
	arena_section(&arena, PS_SEC_SERVICE, &service, 1, sizeof(service));
	e = calloc(endpoints, sizeof(*e));
	for (i = 0; i < endpoints; i++) {
		e[i] = (struct ps_endpoint){
			.addr = addr(first), .slot = i, .slot_generation = generation, .port = htons(8080)};
		e[i].addr.b[14] = (uint8_t)(e[i].addr.b[14] + i / 250);
		e[i].addr.b[15] = (uint8_t)(e[i].addr.b[15] + i % 250);
	}
	arena_section(&arena, PS_SEC_ENDPOINT, e, endpoints, sizeof(*e));
	free(e);
	return s;
}

static int
setup(void **state)
{
	struct ps_state_header *h;

	state_file = aligned_alloc(4096, (ps_state_size(SLOTS) + 4095) & ~4095ull);
	memset(state_file, 0, ps_state_size(SLOTS));
	h = (struct ps_state_header *)state_file;
	h->slots = SLOTS;
	now_us = 1000000;
	sends = events = 0;
	route_rc = 0;
	return ps_probes_new(&probes, &ops, state_file, 42);
}

static int
teardown(void **state)
{
	ps_probes_free(probes);
	free(state_file);
	return 0;
}

static uint32_t
health(uint32_t slot)
{
	return (uint32_t)(ps_state_verdicts(state_file)[slot].word >> 32);
}

static void
load(const struct ps_snapshot *s)
{
	assert_int_equal(ps_probes_load(probes, s, now_us, now_us * 1000), 0);
}

static void
pass(uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i += 10) {
		now_us += 10000;
		ps_probes_tick(probes, now_us, now_us * 1000);
	}
}

/* What the endpoint says to the last packet sent. flags: of TCP */
static bool
tcp_answer(uint8_t flags)
{
	uint8_t p[40], *last = sent[sends - 1].bytes;
	uint32_t seq;
	uint16_t check;

	wire(p, "4500 0028 0000 4000 4006 0000 00000000 00000000 0000 0000 00000000 00000000 5000 0000 0000 0000");
	memcpy(p + 12, last + 16, 4);
	memcpy(p + 16, last + 12, 4);
	memcpy(p + 20, last + 22, 2);
	memcpy(p + 22, last + 20, 2);
	memcpy(&seq, last + 24, 4);
	seq = htonl(ntohl(seq) + 1);
	memcpy(p + 28, &seq, 4);
	p[33] = flags;
	check = ps_checksum_finish(ps_checksum_add(ps_checksum_pseudo4(p + 12, p + 16, 6, 20), p + 20, 20));
	memcpy(p + 36, &check, 2);
	now_us += 1500;
	return ps_probes_input(probes, p, 40, now_us, now_us * 1000);
}

#define SYN_ACK 0x12
#define RST_ACK 0x14

static bool
icmp_about_last(uint8_t code)
{
	uint8_t p[28 + 128] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1};
	const uint8_t *last = sent[sends - 1].bytes;

	memcpy(p + 12, last + 16, 4);
	memcpy(p + 16, last + 12, 4);
	p[20] = 3;
	p[21] = code;
	memcpy(p + 28, last, sent[sends - 1].size);
	return ps_probes_input(probes, p, 28 + sent[sends - 1].size, now_us, now_us * 1000);
}

static void
tcp_packets(void **state)
{
	const uint8_t *p = sent[0].bytes;

	load(configuration(PS_PROBE_TCP, 1, "10.0.1.1", 7));
	pass(10);
	assert_int_equal(sends, 1);
	assert_int_equal(sent[0].size, 44);
	assert_wire(p, 10, "4500 002c 0000 4000 4006");
	assert_wire(p + 12, 8, "0a000001 0a000101");
	assert_in_range(p[20] << 8 | p[21], PS_PROBE_PORT_FIRST, PS_PROBE_PORT_LAST);
	assert_int_equal(p[22] << 8 | p[23], 8080);
	assert_wire(p + 28, 8, "00000000 6002 0400");
	assert_wire(p + 38, 6, "0000 02040218");
	assert_int_equal(ps_checksum_finish(ps_checksum_add(0, p, 20)), 0);
	assert_int_equal(ps_checksum_finish(ps_checksum_add(ps_checksum_pseudo4(p + 12, p + 16, 6, 24), p + 20, 24)), 0);
	/* SYN-ACK: success, and the endpoint's half-open connection is taken back */
	assert_true(tcp_answer(SYN_ACK));
	assert_int_equal(sends, 2);
	assert_int_equal(sent[1].size, 40);
	assert_int_equal(sent[1].bytes[33], 4);
	assert_int_equal(sent[1].bytes[27], (uint8_t)(sent[0].bytes[27] + 1));
	assert_int_equal(health(0), PS_HEALTH(7, PS_HEALTH_JUDGED));
	assert_int_equal(ps_state_endpoints(state_file)[0].rtt_us, 1500);
	assert_int_equal(ps_state_endpoints(state_file)[0].reason, PS_REASON_OK);
}

static void
tcp_goes_down_and_up(void **state)
{
	load(configuration(PS_PROBE_TCP, 1, "10.0.1.1", 1));
	pass(10);
	assert_int_equal(health(0), PS_HEALTH(1, 0));
	for (int i = 0; i < 2; i++) {
		assert_true(tcp_answer(RST_ACK));
		assert_int_equal(health(0), PS_HEALTH(1, 0)); /* up until judged */
		pass(1000);
	}
	assert_true(tcp_answer(RST_ACK));
	assert_int_equal(health(0), PS_HEALTH(1, PS_HEALTH_DOWN | PS_HEALTH_JUDGED));
	assert_int_equal(events, 1);
	assert_int_equal(event[0].reason, PS_REASON_REFUSED);
	assert_true(event[0].down);
	assert_int_equal(ps_state_endpoints(state_file)[0].failures, 3);
	pass(1000);
	assert_true(tcp_answer(SYN_ACK));
	assert_int_equal(events, 1);
	pass(1000);
	assert_true(tcp_answer(SYN_ACK));
	assert_int_equal(events, 2);
	assert_false(event[1].down);
	assert_int_equal(health(0), PS_HEALTH(1, PS_HEALTH_JUDGED));
	assert_int_equal(ps_state_endpoints(state_file)[0].probes, 5);
	assert_int_equal(ps_state_endpoints(state_file)[0].probe_failures, 3);
	/* one failure among successes changes nothing */
	pass(1000);
	assert_true(icmp_about_last(1));
	pass(1000);
	tcp_answer(SYN_ACK);
	assert_int_equal(events, 2);
}

static void
silence(void **state)
{
	load(configuration(PS_PROBE_TCP, 1, "10.0.1.1", 1));
	pass(2200);
	assert_int_equal(events, 0);
	pass(200);
	assert_int_equal(sends, 3);
	assert_int_equal(events, 1);
	assert_int_equal(event[0].reason, PS_REASON_TIMEOUT);
	/* too late is not an answer */
	assert_true(tcp_answer(SYN_ACK));
	assert_int_equal(ps_state_endpoints(state_file)[0].successes, 0);
	assert_int_equal(ps_probes_stats(probes)->late, 1);
}

static void
forged(void **state)
{
	load(configuration(PS_PROBE_TCP, 1, "10.0.1.1", 1));
	pass(10);
	sent[0].bytes[24] ^= 1; /* another sequence number */
	assert_false(tcp_answer(SYN_ACK));
	sent[0].bytes[24] ^= 1;
	sent[0].bytes[21] ^= 1; /* another port */
	assert_false(tcp_answer(SYN_ACK));
	sent[0].bytes[21] ^= 1;
	sent[0].bytes[19] ^= 1; /* another host */
	assert_false(tcp_answer(SYN_ACK));
	sent[0].bytes[19] ^= 1;
	assert_false(tcp_answer(0x10)); /* neither SYN nor RST */
	assert_true(tcp_answer(SYN_ACK));
	assert_false(ps_probes_input(probes, "\x45", 1, now_us, 0));
}

static void
no_way(void **state)
{
	load(configuration(PS_PROBE_TCP, 1, "10.0.1.1", 1));
	route_rc = -ENETUNREACH;
	pass(2100);
	assert_int_equal(sends, 0);
	assert_int_equal(events, 1);
	assert_int_equal(event[0].reason, PS_REASON_NO_ROUTE);
	route_rc = -EHOSTUNREACH;
	pass(1000);
	assert_int_equal(ps_state_endpoints(state_file)[0].reason, PS_REASON_NO_NEIGHBOUR);
}

static void
udp(void **state)
{
	load(configuration(PS_PROBE_UDP, 1, "10.0.1.1", 1));
	pass(10);
	assert_int_equal(sent[0].size, 28);
	assert_wire(sent[0].bytes + 22, 4, "1f90 0008");
	pass(5000); /* silence is fine */
	assert_int_equal(events, 0);
	assert_int_equal(health(0), PS_HEALTH(1, PS_HEALTH_JUDGED));
	while (events == 0) {
		uint32_t before = sends;

		pass(10);
		if (sends > before)
			assert_true(icmp_about_last(3));
		assert_true(now_us < 20000000);
	}
	assert_true(event[0].down);
	assert_int_equal(event[0].reason, PS_REASON_REFUSED);
}

static void
echo_v6(void **state)
{
	uint8_t p[128];

	load(configuration(PS_PROBE_ICMP, 1, "2001:db8::7", 1));
	pass(10);
	assert_int_equal(sent[0].size, 52);
	memcpy(p, sent[0].bytes, 52);
	assert_int_equal(ps_checksum_finish(ps_checksum_add(ps_checksum_pseudo6(p + 8, p + 24, 58, 12), p + 40, 12)), 0);
	memcpy(p + 8, sent[0].bytes + 24, 16);
	memcpy(p + 24, sent[0].bytes + 8, 16);
	p[40] = 129;
	assert_true(ps_probes_input(probes, p, 52, now_us + 100, 0));
	assert_int_equal(health(0), PS_HEALTH(1, PS_HEALTH_JUDGED));
	p[51] ^= 1;
	assert_false(ps_probes_input(probes, p, 52, now_us + 100, 0));
}

static void
equal_endpoints_are_probed_once(void **state)
{
	struct ps_snapshot *s = configuration(PS_PROBE_TCP, 3, "10.0.1.1", 1);
	struct ps_endpoint *e = (struct ps_endpoint *)(uintptr_t)ps_snapshot_item(s, PS_SEC_ENDPOINT, 0);

	e[1].addr = e[0].addr;
	load(s);
	assert_int_equal(ps_probes_stats(probes)->targets, 2);
	route_rc = -ENETUNREACH;
	pass(2600);
	assert_int_equal(events, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(health(i), PS_HEALTH(1, PS_HEALTH_DOWN | PS_HEALTH_JUDGED));
}

static void
verdicts_survive(void **state)
{
	load(configuration(PS_PROBE_TCP, 2, "10.0.1.1", 1));
	pass(2400);
	assert_int_equal(events, 2);
	/* a new snapshot: the same target keeps its history */
	load(configuration(PS_PROBE_TCP, 1, "10.0.1.1", 1));
	assert_int_equal(health(0), PS_HEALTH(1, PS_HEALTH_DOWN | PS_HEALTH_JUDGED));
	/* another process takes the verdict from the table: two successes until it is up */
	ps_probes_free(probes);
	assert_int_equal(ps_probes_new(&probes, &ops, state_file, 43), 0);
	load(configuration(PS_PROBE_TCP, 1, "10.0.1.1", 1));
	assert_int_equal(health(0), PS_HEALTH(1, PS_HEALTH_DOWN | PS_HEALTH_JUDGED));
	sends = 0;
	pass(10);
	assert_true(tcp_answer(SYN_ACK));
	assert_int_equal(health(0), PS_HEALTH(1, PS_HEALTH_DOWN | PS_HEALTH_JUDGED));
	pass(1000);
	assert_true(tcp_answer(SYN_ACK));
	assert_int_equal(health(0), PS_HEALTH(1, PS_HEALTH_JUDGED));
	/* a successor in the slot begins as up and without history, and control's half is untouched */
	atomic_store(&ps_state_verdicts(state_file)[0].word,
		     (uint64_t)PS_HEALTH(1, PS_HEALTH_DOWN | PS_HEALTH_JUDGED) << 32 | 0xabcdef);
	load(configuration(PS_PROBE_TCP, 1, "10.0.7.1", 2));
	assert_int_equal(health(0), PS_HEALTH(2, 0));
	assert_int_equal((uint32_t)ps_state_verdicts(state_file)[0].word, 0xabcdef);
	assert_int_equal(ps_state_endpoints(state_file)[0].probes, 0);
}

static void
many_do_not_burst(void **state)
{
	uint32_t most = 0, before;

	load(configuration(PS_PROBE_TCP, 2000, "10.0.1.1", 1));
	assert_int_equal(ps_probes_stats(probes)->targets, 2000);
	for (uint32_t i = 0; i < 100; i++) {
		before = sends;
		pass(10);
		most = sends - before > most ? sends - before : most;
	}
	assert_int_equal(sends, 2000); /* all once within the interval */
	assert_true(most <= 64);
	for (uint32_t i = 0; i < 100; i++) {
		before = sends;
		pass(10);
		assert_true(sends - before <= 64);
	}
	assert_in_range(sends, 3900, 4000);
}

static void
jitter_spreads(void **state)
{
	struct ps_snapshot *s = configuration(PS_PROBE_TCP, 1, "10.0.1.1", 1);
	struct ps_probe *probe = (struct ps_probe *)(uintptr_t)ps_snapshot_item(s, PS_SEC_PROBE, 0);
	uint64_t last = 0, least = UINT64_MAX, most = 0;

	probe->jitter = 20;
	load(s);
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t before = sends;

		while (sends == before)
			pass(10);
		if (last != 0) {
			least = now_us - last < least ? now_us - last : least;
			most = now_us - last > most ? now_us - last : most;
		}
		last = now_us;
		sends = before = 1;
		if (i % 4 == 0)
			sends = 0;
	}
	assert_true(least >= 790000 && least < 850000);
	assert_true(most <= 1220000 && most > 1150000);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(tcp_packets), T(tcp_goes_down_and_up), T(silence), T(forged), T(no_way), T(udp), T(echo_v6),
		T(equal_endpoints_are_probed_once), T(verdicts_survive), T(many_do_not_burst), T(jitter_spreads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

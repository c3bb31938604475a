/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbours, ARP, ND and announcements in virtual time; every frame sent is looked at. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "dataplane/net/fib.h"
#include "dataplane/net/icmp.h"
#include "dataplane/net/local.h"
#include "dataplane/net/net.h"
#include "tests/unit/net/wire.h"

#define FRAMES 4096u

static struct {
	uint32_t iface, size;
	uint8_t bytes[128];
} sent[FRAMES];
static uint32_t frames;
static struct {
	void *packet;
	uint16_t adjacency;
	int why; /* -1: forwarded */
} ended[64];
static uint32_t ends;

static struct ps_adjacency *adjacency;
static struct ps_net *net;
static struct ps_view view;
static struct arena arena;
static uint64_t now;
static char why[200];

static int
send_frame(void *arg, uint32_t iface, const void *frame, uint32_t size)
{
	assert_true(frames < FRAMES && size <= sizeof(sent[0].bytes));
	sent[frames].iface = iface;
	sent[frames].size = size;
	memcpy(sent[frames++].bytes, frame, size);
	return 0;
}

static int
send_ip(void *arg, const void *packet, uint32_t size)
{
	return 0;
}

static void
forward(void *arg, void *packet, uint16_t index)
{
	ended[ends].packet = packet;
	ended[ends].adjacency = index;
	ended[ends++].why = -1;
}

static void
drop(void *arg, void *packet, enum ps_exit exit_)
{
	ended[ends].packet = packet;
	ended[ends++].why = (int)exit_;
}

/* iface 0: port 0 untagged, 10.0.0.1/24 and 2001:db8::1/64; iface 1: port 1 VLAN 100, 192.168.1.1/24 */
static struct ps_snapshot *
configuration(bool more)
{
	struct ps_iface ifaces[] = {{.port = 0, .mtu = 1500}, {.port = 1, .vlan = 100, .mtu = 1400}};
	struct ps_address addresses[] = {
		{.addr = addr("10.0.0.1"), .iface = 0, .prefix_length = 24},
		{.addr = addr("2001:db8::1"), .iface = 0, .prefix_length = 64},
		{.addr = addr("192.168.1.1"), .iface = 1, .prefix_length = 24},
	};
	struct ps_route routes[] = {
		{.prefix = addr("0.0.0.0"), .via = addr("10.0.0.254"), .iface = PS_NONE, .prefix_length = 0},
		{.prefix = addr("172.16.0.0"), .via = addr("192.168.1.9"), .iface = PS_NONE, .prefix_length = 12},
	};
	struct ps_vip vips[] = {
		{.addr = addr("10.0.0.100"), .flags = PS_VIP_F_ANNOUNCE | PS_VIP_F_PING},
		{.addr = addr("203.0.113.5"), .flags = PS_VIP_F_ANNOUNCE},
		{.addr = addr("10.0.0.101"), .flags = 0},
		{.addr = addr("2001:db8::100"), .flags = PS_VIP_F_ANNOUNCE},
		{.addr = addr("10.0.0.102"), .flags = PS_VIP_F_ANNOUNCE},
	};
	struct ps_snat_address snat[] = {{.addr = addr("192.168.1.50"), .port_first = 2000, .port_last = 3000}};
	struct ps_snapshot *s = arena_start(&arena);

	arena_section(&arena, PS_SEC_IFACE, ifaces, 2, sizeof(ifaces[0]));
	arena_section(&arena, PS_SEC_ADDRESS, addresses, 3, sizeof(addresses[0]));
	arena_section(&arena, PS_SEC_ROUTE, routes, 2, sizeof(routes[0]));
	arena_section(&arena, PS_SEC_VIP, vips, more ? 5 : 4, sizeof(vips[0]));
	arena_section(&arena, PS_SEC_SNAT_ADDRESS, snat, 1, sizeof(snat[0]));
	return s;
}

static int
setup(void **state)
{
	static const struct ps_net_port ports[] = {{{2, 0, 0, 0, 0, 0x10}}, {{2, 0, 0, 0, 0, 0x20}}};
	struct ps_net_config config = {
		.ops = {.send_frame = send_frame, .send_ip = send_ip, .forward = forward, .drop = drop},
		.adjacencies = 512,
		.neighbours = 16,
		.routes = 100,
		.ports = 2,
		.port = ports,
		.random = 1,
	};

	adjacency = aligned_alloc(64, 512 * sizeof(*adjacency));
	memset((void *)adjacency, 0, 512 * sizeof(*adjacency));
	config.adjacency = adjacency;
	assert_int_equal(ps_net_new(&net, &config), 0);
	now = 1000;
	frames = ends = 0;
	view = (struct ps_view){.snapshot = configuration(false)};
	assert_int_equal(ps_net_view(net, &view, why, sizeof(why)), 0);
	ps_net_view_live(net, &view, now);
	return 0;
}

static int
teardown(void **state)
{
	ps_net_view_release(net, &view);
	ps_net_free(net);
	free((void *)adjacency);
	return 0;
}

static void
input(uint32_t iface, const char *hex)
{
	uint8_t frame[512];

	ps_net_input(net, iface, frame, wire(frame, hex), now);
}

static void
pass(uint64_t ms)
{
	uint64_t until = now + ms;

	while (now < until) {
		now += 50;
		ps_net_tick(net, now);
	}
}

static bool
was_sent(uint32_t iface, const char *hex)
{
	uint8_t frame[512];
	uint32_t size = wire(frame, hex), i;

	for (i = 0; i < frames; i++)
		if (sent[i].iface == iface && sent[i].size == size && memcmp(sent[i].bytes, frame, size) == 0)
			return true;
	return false;
}

static uint16_t
route4(const char *text)
{
	struct ps_addr a = addr(text);

	return ps_fib_lookup4(view.fib, ps_addr_v4(&a));
}

#define ASK_GATEWAY "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 0a000001 000000000000 0a0000fe"
#define GATEWAY_SAYS "020000000010 0a0000000001 0806 0001 0800 06 04 0002 0a0000000001 0a0000fe 020000000010 0a000001"

static void
gateways_are_asked_at_once(void **state)
{
	assert_true(was_sent(0, ASK_GATEWAY));
	/* the other through its VLAN */
	assert_true(was_sent(1, "ffffffffffff 020000000020 8100 0064 0806 0001 0800 06 04 0001"
				"020000000020 c0a80101 000000000000 c0a80109"));
	assert_int_equal(adjacency[route4("8.8.8.8")].state, PS_ADJ_INCOMPLETE);
	input(0, GATEWAY_SAYS);
	assert_int_equal(adjacency[route4("8.8.8.8")].state, PS_ADJ_RESOLVED);
	assert_int_equal(adjacency[route4("172.17.0.1")].state, PS_ADJ_INCOMPLETE);
	assert_int_equal(adjacency[route4("172.17.0.1")].mtu, 1400);
	assert_int_equal(adjacency[route4("10.0.0.7")].state, PS_ADJ_GLEAN);
}

static void
header_is_written(void **state)
{
	uint8_t frame[64] = {0};
	uint8_t size;

	input(0, GATEWAY_SAYS);
	size = ps_adjacency_write(&adjacency[route4("8.8.8.8")], frame + 20, htons(0x0800));
	assert_int_equal(size, 14);
	assert_wire(frame + 20 - size, size, "0a0000000001 020000000010 0800");
	assert_int_equal(adjacency[route4("8.8.8.8")].used, 1);
	input(1, "020000000020 0a0000000009 8100 0064 0806 0001 0800 06 04 0002 0a0000000009 c0a80109"
		 "020000000020 c0a80101");
	size = ps_adjacency_write(&adjacency[route4("172.17.0.1")], frame + 20, htons(0x86dd));
	assert_int_equal(size, 18);
	assert_wire(frame + 20 - size, size, "0a0000000009 020000000020 8100 0064 86dd");
}

static void
arp_is_answered(void **state)
{
	/* an interface address */
	frames = 0;
	input(0, "ffffffffffff 0a0000000007 0806 0001 0800 06 04 0001 0a0000000007 0a000007 000000000000 0a000001");
	assert_int_equal(frames, 1);
	assert_wire(sent[0].bytes, sent[0].size,
		    "0a0000000007 020000000010 0806 0001 0800 06 04 0002 020000000010 0a000001 0a0000000007 0a000007");
	/* who asks is known from then on */
	assert_int_equal(adjacency[route4("10.0.0.7")].state, PS_ADJ_RESOLVED);
	/* a VIP on the interface whose prefix holds it, a foreign VIP anywhere, not what is not announced */
	frames = 0;
	input(0, "ffffffffffff 0a0000000007 0806 0001 0800 06 04 0001 0a0000000007 0a000007 000000000000 0a000064");
	assert_int_equal(frames, 1);
	input(0, "ffffffffffff 0a0000000007 0806 0001 0800 06 04 0001 0a0000000007 0a000007 000000000000 cb007105");
	assert_int_equal(frames, 2);
	input(0, "ffffffffffff 0a0000000007 0806 0001 0800 06 04 0001 0a0000000007 0a000007 000000000000 0a000065");
	assert_int_equal(frames, 2);
	/* a VIP or SNAT address of another interface's prefix is not answered here */
	input(0, "ffffffffffff 0a0000000007 0806 0001 0800 06 04 0001 0a0000000007 0a000007 000000000000 c0a80132");
	input(0, "ffffffffffff 0a0000000007 0806 0001 0800 06 04 0001 0a0000000007 0a000007 000000000000 c0a80101");
	assert_int_equal(frames, 2);
	/* the SNAT address on its own, with the tag */
	input(1, "ffffffffffff 0a0000000008 8100 0064 0806 0001 0800 06 04 0001 0a0000000008 c0a80108 000000000000"
		 "c0a80132");
	assert_int_equal(frames, 3);
	assert_wire(sent[2].bytes, sent[2].size,
		    "0a0000000008 020000000020 8100 0064 0806 0001 0800 06 04 0002 020000000020 c0a80132"
		    "0a0000000008 c0a80108");
	/* a probe (RFC 5227) is answered, and makes no neighbour */
	frames = 0;
	input(0, "ffffffffffff 0a000000000b 0806 0001 0800 06 04 0001 0a000000000b 00000000 000000000000 0a000001");
	assert_int_equal(frames, 1);
}

static void
arp_refused(void **state)
{
	const struct ps_net_stats *stats = ps_net_stats(net);
	uint64_t conflicts = stats->conflicts, malformed = stats->malformed;

	frames = 0;
	/* too short, wrong hardware, group sender */
	input(0, "ffffffffffff 0a0000000007 0806 0001 0800 06 04 0001 0a0000000007 0a000007 000000000000 0a00");
	input(0, "ffffffffffff 0a0000000007 0806 0006 0800 06 04 0001 0a0000000007 0a000007 000000000000 0a000001");
	input(0, "ffffffffffff 0a0000000007 0806 0001 0800 06 04 0001 0b0000000007 0a000007 000000000000 0a000001");
	assert_int_equal(stats->malformed, malformed + 3);
	assert_int_equal(frames, 0);
	/* our own frame come back is no conflict; somebody else's claim is, and is defended once in a while */
	input(0, "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 0a000001 000000000000 0a000001");
	assert_int_equal(stats->conflicts, conflicts);
	input(0, "ffffffffffff 0a0000000066 0806 0001 0800 06 04 0001 0a0000000066 0a000001 000000000000 0a000001");
	input(0, "ffffffffffff 0a0000000066 0806 0001 0800 06 04 0001 0a0000000066 0a000001 000000000000 0a000001");
	assert_int_equal(stats->conflicts, conflicts + 2);
	assert_int_equal(frames, 1);
	/* a reply from somebody never asked for makes no neighbour */
	input(0, "020000000010 0a0000000031 0806 0001 0800 06 04 0002 0a0000000031 0a000031 020000000010 0a000001");
	assert_int_equal(adjacency[route4("10.0.0.49")].state, PS_ADJ_GLEAN);
}

static void
packets_wait_for_a_neighbour(void **state)
{
	struct ps_addr dst = addr("10.0.0.9");
	int packet[6];
	uint16_t glean = route4("10.0.0.9"), own;

	frames = 0;
	for (int i = 0; i < 6; i++)
		ps_net_resolve(net, &packet[i], glean, &dst, now);
	assert_int_equal(frames, 1); /* one request for all of them */
	assert_true(was_sent(0, "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 0a000001"
				"000000000000 0a000009"));
	assert_int_equal(ends, 2); /* four are held, the oldest go */
	assert_ptr_equal(ended[0].packet, &packet[0]);
	assert_int_equal(ended[0].why, PS_EXIT_NEIGHBOUR_QUEUE_FULL);
	own = route4("10.0.0.9");
	assert_int_not_equal(own, glean);
	ends = 0;
	input(0, "020000000010 0a0000000009 0806 0001 0800 06 04 0002 0a0000000009 0a000009 020000000010 0a000001");
	assert_int_equal(ends, 4);
	assert_ptr_equal(ended[0].packet, &packet[2]);
	assert_ptr_equal(ended[3].packet, &packet[5]);
	assert_int_equal(ended[0].adjacency, own);
	assert_int_equal(ended[0].why, -1);
	assert_int_equal(adjacency[own].state, PS_ADJ_RESOLVED);
	/* by now it goes straight back */
	ends = 0;
	ps_net_resolve(net, &packet[0], glean, &dst, now);
	assert_int_equal(ends, 1);
	assert_int_equal(ended[0].adjacency, own);
}

static void
silence_is_failure(void **state)
{
	struct ps_addr dst = addr("10.0.0.9");
	uint16_t glean = route4("10.0.0.9"), own;
	int packet;

	pass(3000); /* announcements and gateways out of the way */
	frames = ends = 0;
	ps_net_resolve(net, &packet, glean, &dst, now);
	own = route4("10.0.0.9");
	pass(2900);
	assert_int_equal(adjacency[own].state, PS_ADJ_INCOMPLETE);
	assert_int_equal(ends, 0);
	pass(300);
	assert_int_equal(adjacency[own].state, PS_ADJ_FAILED);
	assert_int_equal(ends, 1);
	assert_int_equal(ended[0].why, -1); /* the worker tells the sender */
	assert_int_equal(ended[0].adjacency, own);
	/* not asked again at once, but after a while */
	pass(3100);
	assert_int_equal(adjacency[own].state, PS_ADJ_INCOMPLETE);
	frames = 0;
	ps_net_resolve(net, &packet, own, &dst, now);
	assert_int_equal(frames, 1);
	/* and when it speaks up, it is back */
	input(0, "020000000010 0a0000000009 0806 0001 0800 06 04 0002 0a0000000009 0a000009 020000000010 0a000001");
	assert_int_equal(adjacency[own].state, PS_ADJ_RESOLVED);
}

static void
neighbours_in_use_are_refreshed(void **state)
{
	uint16_t gateway, used, unused;
	uint32_t asked = 0, i;

	input(0, GATEWAY_SAYS);
	input(0, "ffffffffffff 0a0000000007 0806 0001 0800 06 04 0001 0a0000000007 0a000007 000000000000 0a000001");
	input(0, "ffffffffffff 0a0000000008 0806 0001 0800 06 04 0001 0a0000000008 0a000008 000000000000 0a000001");
	gateway = route4("8.8.8.8");
	used = route4("10.0.0.7");
	unused = route4("10.0.0.8");
	for (i = 0; i < 50; i++) {
		frames = 0;
		adjacency[used].used = 1;
		pass(1000);
		for (uint32_t k = 0; k < frames; k++) {
			/* asked by unicast, and answered */
			if (memcmp(sent[k].bytes, "\x0a\0\0\0\0\x07", 6) == 0) {
				asked++;
				input(0, "020000000010 0a0000000007 0806 0001 0800 06 04 0002 0a0000000007 0a000007"
					 "020000000010 0a000001");
			}
			if (memcmp(sent[k].bytes, "\x0a\0\0\0\0\x01", 6) == 0)
				input(0, GATEWAY_SAYS);
			assert_true(memcmp(sent[k].bytes, "\x0a\0\0\0\0\x08", 6) != 0);
		}
		assert_int_equal(adjacency[used].state, PS_ADJ_RESOLVED);
		assert_int_equal(adjacency[gateway].state, PS_ADJ_RESOLVED);
	}
	assert_true(asked >= 1 && asked <= 4);
	/* the unused one goes stale, then is forgotten */
	assert_int_equal(route4("10.0.0.8"), unused);
	for (i = 0; i < 620; i++) {
		frames = 0;
		pass(1000);
	}
	assert_int_equal(adjacency[unused].state, PS_ADJ_FREE);
	assert_int_equal(adjacency[route4("10.0.0.8")].state, PS_ADJ_GLEAN);
	/* the gateway, silent by now, has failed; it is asked for ever */
	assert_int_equal(adjacency[gateway].state, PS_ADJ_FAILED);
	frames = 0;
	pass(4000);
	assert_true(was_sent(0, ASK_GATEWAY));
	input(0, GATEWAY_SAYS);
	assert_int_equal(adjacency[gateway].state, PS_ADJ_RESOLVED);
}

static void
a_moved_neighbour_is_followed(void **state)
{
	uint8_t frame[32];
	uint16_t index;

	input(0, GATEWAY_SAYS);
	index = route4("8.8.8.8");
	/* gratuitous ARP of the router that took over */
	input(0, "ffffffffffff 0a00000000aa 0806 0001 0800 06 04 0001 0a00000000aa 0a0000fe 000000000000 0a0000fe");
	ps_adjacency_write(&adjacency[index], frame + 14, htons(0x0800));
	assert_wire(frame, 14, "0a00000000aa 020000000010 0800");
}

static void
table_is_bounded(void **state)
{
	struct ps_addr dst = addr("10.0.0.0");
	uint16_t glean = route4("10.0.0.9"), i;
	int packet[64];

	/* two gateways are in; fourteen fit, then nothing that answers may be replaced */
	for (i = 10; i < 24; i++) {
		dst.b[15] = (uint8_t)i;
		ps_net_resolve(net, &packet[i], glean, &dst, now);
	}
	assert_int_equal(ends, 0);
	dst.b[15] = 24;
	ps_net_resolve(net, &packet[24], glean, &dst, now);
	assert_int_equal(ends, 1);
	assert_int_equal(ended[0].why, PS_EXIT_NEIGHBOUR_TABLE_FULL);
	assert_int_equal(ps_net_stats(net)->table_full, 1);
	/* when they have failed, they make room */
	pass(3200);
	ends = 0;
	ps_net_resolve(net, &packet[24], glean, &dst, now);
	assert_int_equal(ends, 0);
	assert_int_equal(adjacency[route4("10.0.0.24")].state, PS_ADJ_INCOMPLETE);
}

/* An index that was given back is used again only after flows have been told, by a new route generation. */
static void
indices_rest(void **state)
{
	struct ps_addr dst = addr("10.0.0.0");
	uint16_t glean = route4("10.0.0.9"), i;
	uint8_t generation = view.route_generation;
	struct ps_view next;
	uint32_t round;
	int packet;

	for (round = 0; round < 60 && !ps_net_wants_view(net); round++) {
		for (i = 1; i < 200; i++) {
			dst.b[15] = (uint8_t)(1 + (i + round * 14) % 199);
			ends = 0;
			ps_net_resolve(net, &packet, glean, &dst, now);
		}
		pass(6500);
		frames = ends = 0;
	}
	assert_true(ps_net_wants_view(net));
	next = (struct ps_view){.snapshot = view.snapshot};
	assert_int_equal(ps_net_view(net, &next, why, sizeof(why)), 0);
	assert_int_not_equal(next.route_generation, generation);
	ps_net_view_live(net, &next, now);
	ps_net_view_release(net, &view);
	view = next;
	assert_false(ps_net_wants_view(net));
	/* it goes on for ever that way */
	for (round = 0; round < 200; round++) {
		dst.b[15] = (uint8_t)(1 + round);
		ends = frames = 0;
		ps_net_resolve(net, &packet, route4("10.0.0.9"), &dst, now);
		pass(3500);
		if (ps_net_wants_view(net)) {
			next = (struct ps_view){.snapshot = view.snapshot};
			assert_int_equal(ps_net_view(net, &next, why, sizeof(why)), 0);
			ps_net_view_live(net, &next, now);
			ps_net_view_release(net, &view);
			view = next;
		}
		assert_int_equal(ends, 1);
		assert_int_equal(ended[0].why, -1);
	}
}

static void
views_share(void **state)
{
	struct ps_view next = {.snapshot = view.snapshot};
	uint32_t before;

	assert_int_equal(ps_net_view(net, &next, why, sizeof(why)), 0);
	assert_ptr_equal(next.fib, view.fib);
	assert_ptr_equal(next.local, view.local);
	assert_int_equal(next.route_generation, view.route_generation);
	ps_net_view_release(net, &next);
	/* a new VIP: another local set, the same FIB, and it is announced */
	pass(5000);
	frames = 0;
	next = (struct ps_view){.snapshot = configuration(true)};
	assert_int_equal(ps_net_view(net, &next, why, sizeof(why)), 0);
	assert_ptr_equal(next.fib, view.fib);
	assert_ptr_not_equal(next.local, view.local);
	ps_net_view_live(net, &next, now);
	pass(100);
	assert_true(was_sent(0, "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 0a000066"
				"000000000000 0a000066"));
	for (uint32_t i = 0; i < frames; i++) /* and nothing else is */
		assert_true(memcmp(sent[i].bytes + 28, "\x0a\0\0\x64", 4) != 0);
	before = frames;
	pass(4000);
	assert_true(frames >= before + 2);
	ps_net_view_release(net, &view);
	view = next;
}

static void
everything_is_announced(void **state)
{
	pass(100);
	assert_true(was_sent(0, "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 0a000001"
				"000000000000 0a000001"));
	assert_true(was_sent(0, "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 0a000064"
				"000000000000 0a000064"));
	assert_false(was_sent(0, "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 0a000065"
				 "000000000000 0a000065"));
	/* 203.0.113.5 is in nobody's prefix: everywhere */
	assert_true(was_sent(0, "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 cb007105"
				"000000000000 cb007105"));
	assert_true(was_sent(1, "ffffffffffff 020000000020 8100 0064 0806 0001 0800 06 04 0001 020000000020 cb007105"
				"000000000000 cb007105"));
	/* the SNAT address on its own link alone */
	assert_true(was_sent(1, "ffffffffffff 020000000020 8100 0064 0806 0001 0800 06 04 0001 020000000020 c0a80132"
				"000000000000 c0a80132"));
	/* unsolicited advertisement of the IPv6 VIP, override set */
	assert_true(was_sent(0, "333300000001 020000000010 86dd 60000000 0020 3a ff"
				"fe80000000000000 0000 00ff fe00 0010 ff020000000000000000000000000001"
				"8800 a845 a0000000 20010db8000000000000000000000100 0201 020000000010"));
	pass(5000);
	frames = 0;
	pass(3000);
	for (uint32_t i = 0; i < frames; i++)
		assert_true(memcmp(sent[i].bytes + 28, sent[i].bytes + 38, 4) != 0);
	/* on link up, and on command, again */
	ps_net_link(net, 0, true, now);
	pass(100);
	assert_true(was_sent(0, "ffffffffffff 020000000010 0806 0001 0800 06 04 0001 020000000010 0a000001"
				"000000000000 0a000001"));
	pass(5000);
	frames = 0;
	ps_net_announce(net, now);
	pass(100);
	assert_true(was_sent(1, "ffffffffffff 020000000020 8100 0064 0806 0001 0800 06 04 0001 020000000020 c0a80132"
				"000000000000 c0a80132"));
}

#include "tests/unit/net/nd_fixtures.h"

static void
nd_is_answered(void **state)
{
	struct ps_addr host = addr("2001:db8::7");

	frames = 0;
	input(0, NS_FOR_IFACE);
	assert_int_equal(frames, 1);
	assert_wire(sent[0].bytes, sent[0].size, NA_FOR_IFACE);
	assert_int_equal(adjacency[ps_fib_lookup6(view.fib, host.b)].state, PS_ADJ_RESOLVED);
	/* duplicate address detection by another: told to all nodes */
	frames = 0;
	input(0, NS_DAD);
	assert_int_equal(frames, 1);
	assert_wire(sent[0].bytes, sent[0].size, NA_DAD);
	assert_int_equal(ps_net_stats(net)->conflicts, 1);
	/* link-local address of ours */
	frames = 0;
	input(0, NS_FOR_LINK_LOCAL);
	assert_int_equal(frames, 1);
	/* not ours */
	input(0, NS_FOR_OTHER);
	assert_int_equal(frames, 1);
	/* router solicitation: not for us */
	input(0, ROUTER_SOLICIT);
	assert_int_equal(frames, 1);
}

static void
nd_refused(void **state)
{
	const struct ps_net_stats *stats = ps_net_stats(net);
	uint64_t malformed = stats->malformed;

	frames = 0;
	input(0, NS_HOP_LIMIT);
	input(0, NS_BAD_CHECKSUM);
	input(0, NS_DAD_WITH_OPTION);
	input(0, NS_OPTION_ZERO);
	input(0, NA_SOLICITED_TO_GROUP);
	assert_int_equal(stats->malformed, malformed + 5);
	assert_int_equal(frames, 0);
}

static void
nd_resolves(void **state)
{
	struct ps_addr dst = addr("2001:db8::9");
	uint16_t index;
	int packet;

	frames = ends = 0;
	ps_net_resolve(net, &packet, ps_fib_lookup6(view.fib, dst.b), &dst, now);
	assert_int_equal(frames, 1);
	assert_wire(sent[0].bytes, sent[0].size, NS_SENT);
	/* an unsolicited advertisement of somebody nobody asked for makes no entry */
	input(0, NA_UNSOLICITED_OTHER);
	assert_int_equal(ends, 0);
	input(0, NA_ANSWER);
	assert_int_equal(ends, 1);
	assert_int_equal(ended[0].why, -1);
	index = ps_fib_lookup6(view.fib, dst.b);
	assert_int_equal(adjacency[index].state, PS_ADJ_RESOLVED);
	assert_int_equal(ended[0].adjacency, index);
	/* without override, another MAC changes nothing */
	input(0, NA_NO_OVERRIDE);
	assert_int_equal((uint8_t)adjacency[index].header0, 0x0a);
	assert_int_equal((uint8_t)(adjacency[index].header0 >> 40), 0x09);
}

static void
local_set(void **state)
{
	struct ps_addr a = addr("10.0.0.1");
	struct ps_addr link_local = addr("fe80::ff:fe00:10");

	assert_int_equal(ps_local_find(view.local, &a), PS_LOCAL_IFACE | PS_LOCAL_PING);
	a = addr("10.0.0.100");
	assert_int_equal(ps_local_find(view.local, &a), PS_LOCAL_VIP | PS_LOCAL_PING | PS_LOCAL_ANNOUNCE);
	a = addr("10.0.0.101");
	assert_int_equal(ps_local_find(view.local, &a), PS_LOCAL_VIP);
	a = addr("192.168.1.50");
	assert_int_equal(ps_local_find(view.local, &a), PS_LOCAL_SNAT);
	assert_int_equal(ps_local_find(view.local, &link_local), PS_LOCAL_IFACE | PS_LOCAL_PING);
	a = addr("10.0.0.2");
	assert_int_equal(ps_local_find(view.local, &a), 0);
	a = addr("192.168.1.1");
	assert_true(ps_addr_equal(ps_local_iface(view.local, 1, false), &a));
	assert_null(ps_local_iface(view.local, 7, false));
	assert_true(ps_net_source(net, 0, &link_local, &a));
	assert_true(ps_addr_equal(&a, &link_local));
}

static void
bad_routes(void **state)
{
	struct ps_route route = {.prefix = addr("9.0.0.0"), .via = addr("11.0.0.1"), .iface = PS_NONE, .prefix_length = 8};
	struct ps_view next = {.snapshot = view.snapshot};

	arena_section(&arena, PS_SEC_ROUTE, &route, 1, sizeof(route));
	assert_int_equal(ps_net_view(net, &next, why, sizeof(why)), -ENETUNREACH);
	assert_string_equal(why, "route 0: its next hop is on no connected prefix");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(gateways_are_asked_at_once), T(header_is_written), T(arp_is_answered), T(arp_refused),
		T(packets_wait_for_a_neighbour), T(silence_is_failure), T(neighbours_in_use_are_refreshed),
		T(a_moved_neighbour_is_followed), T(table_is_bounded), T(indices_rest), T(views_share),
		T(everything_is_announced), T(nd_is_answered), T(nd_refused), T(nd_resolves), T(local_set),
		T(bad_routes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

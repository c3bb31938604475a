/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, byte by byte, and where classify sends them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/pipeline/classify.h"
#include "dataplane/pipeline/owner.h"
#include "tests/unit/pipeline/frames.h"

#define ETH "020000000001 02000000000a 0800"
#define ETH6 "020000000001 02000000000a 86dd"
/* 198.51.100.7 -> 203.0.113.1 */
#define ADDRS "c6336407 cb007101"
#define TCP "d431 0050 00000001 00000000 5002 ffff 0000 0000"
#define UDP4 "d431 0035 000c 0000 01020304"
#define ADDRS6 "20010db8000000000000000000000007 20010db8000000000000000000000001"

struct expect {
	const char *what;
	const char *frame;
	int edge;
	int exit; /* -1: none */
	int l3, l4, proto, flags, iface;
	int keep_checksum; /* the header checksum is part of the frame */
	int size; /* of the packet afterwards; 0: do not look */
};

#define SENT(what_, frame_, edge_, l3_, l4_, proto_, flags_) \
	{.what = what_, .frame = frame_, .edge = edge_, .exit = -1, .l3 = l3_, .l4 = l4_, .proto = proto_, .flags = flags_}
#define DROPPED(what_, frame_, exit_) {.what = what_, .frame = frame_, .edge = PS_CLASSIFY_DROP, .exit = exit_}

static const struct expect cases[] = {
	SENT("tcp", ETH "45000028 0001 4000 40 06 0000" ADDRS TCP, PS_CLASSIFY_FLOW4, 14, 20, IPPROTO_TCP, 0),
	SENT("short udp", ETH "45000020 0001 0000 40 11 0000" ADDRS UDP4, PS_CLASSIFY_FLOW4, 14, 20, IPPROTO_UDP, 0),
	{.what = "padding goes", .frame = ETH "45000020 0001 0000 40 11 0000" ADDRS UDP4 "0000000000000000000000000000",
	 .edge = PS_CLASSIFY_FLOW4, .exit = -1, .l3 = 14, .l4 = 20, .proto = IPPROTO_UDP, .size = 46},
	{.what = "padding goes, minimum frame",
	 .frame = ETH "45000020 0001 0000 40 11 0000" ADDRS UDP4 "0000000000000000000000000000",
	 .edge = PS_CLASSIFY_FLOW4, .exit = -1, .l3 = 14, .l4 = 20, .proto = IPPROTO_UDP, .size = 46},
	{.what = "vlan", .frame = "020000000001 02000000000a 8100 2064 0800 45000028 0001 4000 40 06 0000" ADDRS TCP,
	 .edge = PS_CLASSIFY_FLOW4, .exit = -1, .l3 = 18, .l4 = 20, .proto = IPPROTO_TCP, .iface = 1},
	{.what = "priority tag", .frame = "020000000001 02000000000a 8100 2000 0800 45000028 0001 4000 40 06 0000" ADDRS TCP,
	 .edge = PS_CLASSIFY_FLOW4, .exit = -1, .l3 = 18, .l4 = 20, .proto = IPPROTO_TCP, .iface = 0},
	DROPPED("unknown vlan", "020000000001 02000000000a 8100 0065 0800 45000028 0001 4000 40 06 0000" ADDRS TCP,
		PS_EXIT_VLAN_UNKNOWN),
	DROPPED("other mac", "020000000002 02000000000a 0800 45000028 0001 4000 40 06 0000" ADDRS TCP,
		PS_EXIT_NOT_FOR_US_L2),
	DROPPED("ip to broadcast", "ffffffffffff 02000000000a 0800 45000028 0001 4000 40 06 0000" ADDRS TCP,
		PS_EXIT_NOT_FOR_US_L2),
	SENT("options", ETH "4600002c 0001 4000 40 06 0000" ADDRS "01010100" TCP, PS_CLASSIFY_FLOW4, 14, 24, IPPROTO_TCP, 0),
	DROPPED("source route", ETH "4700 0030 0001 4000 40 06 0000" ADDRS "8307040a00000100" TCP, PS_EXIT_IP_OPTIONS),
	DROPPED("option beyond header", ETH "4600002c 0001 4000 40 06 0000" ADDRS "44090000" TCP, PS_EXIT_IP_OPTIONS),
	DROPPED("version 5", ETH "55000028 0001 4000 40 06 0000" ADDRS TCP, PS_EXIT_IP_MALFORMED),
	DROPPED("header of 16", ETH "44000028 0001 4000 40 06 0000" ADDRS TCP, PS_EXIT_IP_MALFORMED),
	DROPPED("longer than frame", ETH "45000029 0001 4000 40 06 0000" ADDRS TCP, PS_EXIT_IP_MALFORMED),
	DROPPED("total below header", ETH "45000013 0001 4000 40 06 0000" ADDRS TCP, PS_EXIT_IP_MALFORMED),
	DROPPED("cut header", ETH "45000028 0001", PS_EXIT_IP_MALFORMED),
	DROPPED("cut ethernet", "0200000000", PS_EXIT_ETHERTYPE_UNKNOWN),
	{.what = "checksum", .frame = ETH "45000028 0001 4000 40 06 1234" ADDRS TCP, .edge = PS_CLASSIFY_DROP,
	 .exit = PS_EXIT_IP_CHECKSUM, .keep_checksum = 1},
	DROPPED("source loopback", ETH "45000028 0001 4000 40 06 0000 7f000001 cb007101" TCP, PS_EXIT_IP_MARTIAN),
	DROPPED("source multicast", ETH "45000028 0001 4000 40 06 0000 e0000001 cb007101" TCP, PS_EXIT_IP_MARTIAN),
	DROPPED("source broadcast", ETH "45000028 0001 4000 40 06 0000 ffffffff cb007101" TCP, PS_EXIT_IP_MARTIAN),
	DROPPED("source zero", ETH "45000028 0001 4000 40 06 0000 00000000 cb007101" TCP, PS_EXIT_IP_MARTIAN),
	DROPPED("to multicast", ETH "45000028 0001 4000 40 06 0000 c6336407 e0000001" TCP, PS_EXIT_NOT_FORWARDED),
	DROPPED("tcp offset 4", ETH "45000028 0001 4000 40 06 0000" ADDRS "d431 0050 00000001 00000000 4002 ffff 0000 0000",
		PS_EXIT_L4_MALFORMED),
	DROPPED("tcp offset beyond", ETH "45000028 0001 4000 40 06 0000" ADDRS "d431 0050 00000001 00000000 6002 ffff 0000 0000",
		PS_EXIT_L4_MALFORMED),
	DROPPED("tcp cut", ETH "45000026 0001 4000 40 06 0000" ADDRS "d431 0050 00000001 00000000 5002 ffff 0000",
		PS_EXIT_L4_MALFORMED),
	DROPPED("udp length 7", ETH "4500001c 0001 4000 40 11 0000" ADDRS "d431 0035 0007 0000", PS_EXIT_L4_MALFORMED),
	DROPPED("udp longer than ip", ETH "4500001c 0001 4000 40 11 0000" ADDRS "d431 0035 0009 0000", PS_EXIT_L4_MALFORMED),
	SENT("first fragment", ETH "45000020 0001 2000 40 11 0000" ADDRS UDP4, PS_CLASSIFY_FRAGMENT, 14, 20, IPPROTO_UDP,
	     PS_META_F_FRAGMENT),
	SENT("later fragment", ETH "45000020 0001 0005 40 11 0000" ADDRS UDP4, PS_CLASSIFY_FRAGMENT, 14, 0, IPPROTO_UDP,
	     PS_META_F_FRAGMENT),
	SENT("icmp", ETH "4500001c 0001 0000 40 01 0000" ADDRS "0800 f7fe 0001 0000", PS_CLASSIFY_ICMP, 14, 20, IPPROTO_ICMP, 0),
	DROPPED("icmp cut", ETH "4500001a 0001 0000 40 01 0000" ADDRS "0800 f7fe 0001", PS_EXIT_ICMP_MALFORMED),
	{.what = "ospf to us", .frame = ETH "4500001c 0001 0000 40 59 0000" ADDRS "0800 f7fe 0001 0000",
	 .edge = PS_CLASSIFY_PUNT, .exit = PS_EXIT_NO_LISTENER, .l3 = 14, .l4 = 20, .proto = 0x59},
	DROPPED("gre through us", ETH "4500001c 0001 0000 40 2f 0000 c6336407 08080808 0800 f7fe 0001 0000",
		PS_EXIT_NOT_FORWARDED),
	{.what = "arp", .frame = "ffffffffffff 02000000000a 0806 0001 0800 06 04 0001 02000000000a c6336407 000000000000 cb007101",
	 .edge = PS_CLASSIFY_TO_MAIN, .exit = PS_EXIT_TO_MAIN, .l3 = 14},
	DROPPED("cut arp", "ffffffffffff 02000000000a 0806 0001 0800 06 04", PS_EXIT_IP_MALFORMED),
	DROPPED("lldp", "020000000001 02000000000a 88cc 0102030405060708", PS_EXIT_ETHERTYPE_UNKNOWN),
	SENT("tcp6", ETH6 "60000000 0014 06 40" ADDRS6 TCP, PS_CLASSIFY_FLOW6, 14, 40, IPPROTO_TCP, PS_META_F_V6),
	{.what = "padding goes 6", .frame = ETH6 "60000000 000c 11 40" ADDRS6 UDP4 "00000000", .edge = PS_CLASSIFY_FLOW6, .exit = -1,
	 .l3 = 14, .l4 = 40, .proto = IPPROTO_UDP, .flags = PS_META_F_V6, .size = 66},
	{.what = "vlan 6", .frame = "020000000001 02000000000a 8100 0064 86dd 60000000 0014 06 40" ADDRS6 TCP,
	 .edge = PS_CLASSIFY_FLOW6, .exit = -1, .l3 = 18, .l4 = 40, .proto = IPPROTO_TCP, .flags = PS_META_F_V6, .iface = 1},
	DROPPED("other mac 6", "020000000002 02000000000a 86dd 60000000 0014 06 40" ADDRS6 TCP, PS_EXIT_NOT_FOR_US_L2),
	DROPPED("version 4 in 6", ETH6 "40000000 0014 06 40" ADDRS6 TCP, PS_EXIT_IP_MALFORMED),
	DROPPED("tcp6 offset 4", ETH6 "60000000 0014 06 40" ADDRS6 "d431 0050 00000001 00000000 4002 ffff 0000 0000",
		PS_EXIT_L4_MALFORMED),
	DROPPED("udp6 longer than ip", ETH6 "60000000 0008 11 40" ADDRS6 "d431 0035 0009 0000", PS_EXIT_L4_MALFORMED),
	DROPPED("tcp6 to a group", ETH6 "60000000 0014 06 40 20010db8000000000000000000000007 ff020000000000000000000000000001" TCP,
		PS_EXIT_NOT_FORWARDED),
	SENT("udp6 after options", ETH6 "60000000 0014 3c 40" ADDRS6 "11 00 010400000000" UDP4, PS_CLASSIFY_FLOW6, 14, 48,
	     IPPROTO_UDP, PS_META_F_V6),
	SENT("hop by hop", ETH6 "60000000 0014 00 40" ADDRS6 "11 00 010400000000" UDP4, PS_CLASSIFY_FLOW6, 14, 48, IPPROTO_UDP,
	     PS_META_F_V6),
	DROPPED("hop by hop later", ETH6 "60000000 001c 3c 40" ADDRS6 "00 00 010400000000 11 00 010400000000" UDP4,
		PS_EXIT_IP_OPTIONS),
	DROPPED("routing header with segments", ETH6 "60000000 001c 2b 40" ADDRS6 "11 00 00 01 00000000" UDP4
						     "0000000000000000",
		PS_EXIT_IP_OPTIONS),
	DROPPED("extension beyond packet", ETH6 "60000000 000c 3c 40" ADDRS6 "11 04 010400000000 00000000", PS_EXIT_IP_OPTIONS),
	SENT("first fragment 6", ETH6 "60000000 0014 2c 40" ADDRS6 "11 00 0001 00000001" UDP4, PS_CLASSIFY_FRAGMENT, 14, 48,
	     IPPROTO_UDP, PS_META_F_V6 | PS_META_F_FRAGMENT),
	SENT("later fragment 6", ETH6 "60000000 0014 2c 40" ADDRS6 "11 00 0008 00000001" UDP4, PS_CLASSIFY_FRAGMENT, 14, 0,
	     IPPROTO_UDP, PS_META_F_V6 | PS_META_F_FRAGMENT),
	SENT("atomic fragment", ETH6 "60000000 0014 2c 40" ADDRS6 "11 00 0000 00000001" UDP4, PS_CLASSIFY_FLOW6, 14, 48,
	     IPPROTO_UDP, PS_META_F_V6),
	SENT("echo 6", ETH6 "60000000 0008 3a 40" ADDRS6 "8000 0000 0001 0000", PS_CLASSIFY_ICMP, 14, 40, IPPROTO_ICMPV6,
	     PS_META_F_V6),
	{.what = "neighbour solicitation",
	 .frame = "3333ff000001 02000000000a 86dd 60000000 0018 3a ff 20010db8000000000000000000000007"
		  "ff0200000000000000000001ff000001 8700 0000 00000000 20010db8000000000000000000000001",
	 .edge = PS_CLASSIFY_TO_MAIN, .exit = PS_EXIT_TO_MAIN, .l3 = 14, .l4 = 40, .proto = IPPROTO_ICMPV6,
	 .flags = PS_META_F_V6},
	{.what = "address detection",
	 .frame = "3333ff000001 02000000000a 86dd 60000000 0018 3a ff 00000000000000000000000000000000"
		  "ff0200000000000000000001ff000001 8700 0000 00000000 20010db8000000000000000000000001",
	 .edge = PS_CLASSIFY_TO_MAIN, .exit = PS_EXIT_TO_MAIN, .l3 = 14, .l4 = 40, .proto = IPPROTO_ICMPV6,
	 .flags = PS_META_F_V6},
	DROPPED("echo to a group", "333300000001 02000000000a 86dd 60000000 0008 3a 40 20010db8000000000000000000000007"
				   "ff020000000000000000000000000001 8000 0000 0001 0000",
		PS_EXIT_NOT_FOR_US_L2),
	DROPPED("source ::1", ETH6 "60000000 0014 06 40 00000000000000000000000000000001"
				   "20010db8000000000000000000000001" TCP,
		PS_EXIT_IP_MARTIAN),
	DROPPED("source unspecified", ETH6 "60000000 0014 06 40 00000000000000000000000000000000"
					   "20010db8000000000000000000000001" TCP,
		PS_EXIT_IP_MARTIAN),
	DROPPED("ipv6 longer than frame", ETH6 "60000000 0015 06 40" ADDRS6 TCP, PS_EXIT_IP_MALFORMED),
};

static void
frames_go_where_they_belong(void **state)
{
	uint8_t bytes[FRAME_ROOM];

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		const struct expect *x = &cases[i];
		struct ps_worker *w = frame_worker();
		uint32_t size = frame_hex(bytes, x->frame);
		uint32_t l3 = bytes[12] == 0x81 ? 18 : 14;
		const struct ps_meta *meta;
		struct rte_mbuf *m;
		rte_edge_t edge;

		if (!x->keep_checksum && size >= l3 + 20 && bytes[l3 - 2] == 8 && bytes[l3 - 1] == 0 &&
		    (bytes[l3] & 15u) * 4 + l3 <= size)
			frame_ipv4_checksum(bytes + l3);
		m = frame_mbuf(bytes, size);
		meta = ps_meta(m);
		edge = ps_classify_packet(w, m);
		if (edge != x->edge || (x->exit >= 0 && meta->exit != x->exit))
			fail_msg("%s: edge %u, exit %s", x->what, edge, ps_exit_info[meta->exit].name);
		if (edge == PS_CLASSIFY_DROP)
			continue;
		if (meta->l3 != x->l3 || meta->l4 != x->l4 || meta->proto != x->proto || meta->flags != x->flags ||
		    meta->iface != x->iface || (x->size != 0 && m->pkt_len != (uint32_t)x->size))
			fail_msg("%s: l3 %u l4 %u proto %u flags %x iface %u size %u", x->what, meta->l3, meta->l4, meta->proto,
				 meta->flags, meta->iface, m->pkt_len);
	}
}

static void
owners_agree(void **state)
{
	struct ps_worker *w = frame_worker();
	struct ps_addr client = ps_addr_from_v4(RTE_BE32(0xc6336407)), vip = ps_addr_from_v4(RTE_BE32(0xcb007101));
	struct ps_addr snat = ps_addr_from_v4(RTE_BE32(0xc0000201)), endpoint = ps_addr_from_v4(RTE_BE32(0x0a000001));
	uint32_t seen = 0;

	w->workers = 4;
	for (uint32_t i = 0; i < 1000; i++) {
		uint16_t port = rte_cpu_to_be_16((uint16_t)(2000 + i)), out;

		out = ps_owner_of(w, &client, port, &vip, RTE_BE16(80), IPPROTO_TCP);
		assert_in_range(out, 0, 3);
		seen |= 1u << out;
		/* DNAT: the reply carries the client as destination. */
		assert_int_equal(ps_owner_of(w, &endpoint, RTE_BE16(8080), &client, port, IPPROTO_TCP), out);
		/* FullNAT: the port names its worker. */
		assert_int_equal(ps_owner_of(w, &endpoint, RTE_BE16(8080), &snat, port, IPPROTO_TCP), (2000 + i) % 4);
	}
	assert_int_equal(seen, 15);
}

static void
icmp_error_belongs_to_its_flow(void **state)
{
	/* From a router: what 192.0.2.1:2001 sent to 10.0.0.1:8080 did not arrive. */
	static const char frame[] = ETH "45000038 0001 0000 40 01 0000 0a0000fe c0000201 0301 0000 00000000"
				    "45000028 0001 4000 3f 06 0000 c0000201 0a000001 07d1 1f90 00000000";
	struct ps_worker *w = frame_worker();
	uint8_t bytes[FRAME_ROOM];
	uint32_t size = frame_hex(bytes, frame);
	struct rte_mbuf *m;

	w->workers = 4;
	w->port_spread[0] = 1;
	frame_ipv4_checksum(bytes + 14);
	m = frame_mbuf(bytes, size);
	assert_int_equal(ps_classify_packet(w, m), PS_CLASSIFY_HANDOFF);
	assert_int_equal(ps_meta(m)->owner, 2001 % 4);
	/* Once handed over, it stays. */
	m = frame_mbuf(bytes, size);
	ps_meta(m)->flags = PS_META_F_HANDED;
	assert_int_equal(ps_classify_packet(w, m), PS_CLASSIFY_ICMP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_where_they_belong),
		cmocka_unit_test(owners_agree),
		cmocka_unit_test(icmp_error_belongs_to_its_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

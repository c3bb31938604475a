/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "perf/loadgen/frame.h"
#include "perf/loadgen/sizes.h"

#define ETHER_SIZE 14u
#define VLAN_SIZE 4u
#define TTL 64

static size_t
l4_header_size(uint8_t proto, uint8_t tcp_flags)
{
	if (proto == IPPROTO_UDP)
		return 8;
	return (tcp_flags & PS_TCP_SYN) != 0 ? 24 : 20; /* a SYN offers its MSS */
}

static size_t
header_size(bool v6, uint8_t proto, uint8_t tcp_flags, bool vlan)
{
	return ETHER_SIZE + (vlan ? VLAN_SIZE : 0) + (v6 ? 40 : 20) + l4_header_size(proto, tcp_flags);
}

uint16_t
ps_frame_minimum(bool v6, uint8_t proto, bool vlan)
{
	/* SYNs and other segments share one minimum, so that a mix means the same in every phase */
	size_t size = header_size(v6, proto, proto == IPPROTO_TCP ? PS_TCP_SYN : 0, vlan);

	if (proto == IPPROTO_UDP)
		size += PS_STAMP_SIZE;
	size += PS_FRAME_FCS;
	return (uint16_t)(size < 64 ? 64 : size);
}

static void
put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void
write_ether(struct ps_frame *f, const struct ps_frame_spec *spec)
{
	uint8_t *p = f->bytes;

	memcpy(p, spec->dst_mac, 6);
	memcpy(p + 6, spec->src_mac, 6);
	p += 12;
	if (spec->vlan != 0) {
		put16(p, 0x8100);
		put16(p + 2, spec->vlan);
		p += VLAN_SIZE;
	}
	put16(p, f->v6 ? 0x86dd : 0x0800);
}

/* A TCP segment of the smallest frame carries no data: the bytes up to 60 are Ethernet padding. */
static uint16_t
l4_size_of(const struct ps_frame *f, const struct ps_frame_spec *spec)
{
	if (spec->proto == IPPROTO_TCP && spec->size == ps_frame_minimum(f->v6, spec->proto, spec->vlan != 0))
		return (uint16_t)l4_header_size(spec->proto, spec->tcp_flags);
	return (uint16_t)(f->length - f->l4);
}

static void
write_ip(struct ps_frame *f, const struct ps_frame_spec *spec, uint16_t l4_size)
{
	uint8_t *p = f->bytes + f->l3;

	if (f->v6) {
		p[0] = 0x60;
		put16(p + 4, l4_size);
		p[6] = spec->proto;
		p[7] = TTL;
		memcpy(p + 8, spec->src.b, 12);
		memcpy(p + 24, spec->dst.b, 12);
		return;
	}
	p[0] = 0x45;
	put16(p + 2, (uint16_t)(20 + l4_size));
	put16(p + 6, 0x4000);
	p[8] = TTL;
	p[9] = spec->proto;
	f->sum_l3 = ps_sum(p, 20, 0);
}

static void
write_l4(struct ps_frame *f, const struct ps_frame_spec *spec, uint16_t l4_size)
{
	static const uint8_t mss[4] = {2, 4, 0x05, 0xa0}; /* 1440: fits IPv6 */
	const uint16_t window = PS_STAMP_WINDOW;
	const uint32_t magic = PS_STAMP_MAGIC;
	uint8_t *l4 = f->bytes + f->l4, *l3 = f->bytes + f->l3;

	if (spec->proto == IPPROTO_UDP) {
		put16(l4 + 4, l4_size);
		memcpy(l4 + 8, &magic, 4);
		f->l4_checksum = (uint8_t)(f->l4 + 6);
		f->number = (uint8_t)(f->l4 + 12);
		f->time = (uint8_t)(f->l4 + 16);
	} else {
		l4[12] = (uint8_t)(l4_header_size(spec->proto, spec->tcp_flags) / 4 << 4);
		l4[13] = spec->tcp_flags;
		memcpy(l4 + 14, &window, 2);
		if ((spec->tcp_flags & PS_TCP_SYN) != 0)
			memcpy(l4 + 20, mss, sizeof(mss));
		f->l4_checksum = (uint8_t)(f->l4 + 16);
		f->time = (uint8_t)(f->l4 + 4);
		f->number = (uint8_t)(f->l4 + 8);
	}
	if (f->v6)
		f->sum_l4 = ps_sum_pseudo(l3 + 8, l3 + 24, 16, spec->proto, l4_size);
	else
		f->sum_l4 = ps_sum_pseudo(l3 + 12, l3 + 16, 4, spec->proto, l4_size);
	f->sum_l4 = ps_sum(l4, l4_size, f->sum_l4);
}

int
ps_frame_init(struct ps_frame *f, const struct ps_frame_spec *spec)
{
	uint16_t l4_size;

	memset(f, 0, sizeof(*f));
	f->v6 = !ps_addr_is_v4(&spec->src);
	if (f->v6 == ps_addr_is_v4(&spec->dst) || spec->size > PS_FRAME_LARGEST ||
		spec->size < ps_frame_minimum(f->v6, spec->proto, spec->vlan != 0))
		return -EINVAL;
	f->length = (uint16_t)(spec->size - PS_FRAME_FCS);
	f->bytes = aligned_alloc(64, (f->length + 63u) & ~63u);
	if (f->bytes == NULL)
		return -ENOMEM;
	memset(f->bytes, 0, (f->length + 63u) & ~63u);
	f->proto = spec->proto;
	f->l3 = (uint8_t)(ETHER_SIZE + (spec->vlan != 0 ? VLAN_SIZE : 0));
	f->l4 = (uint8_t)(f->l3 + (f->v6 ? 40 : 20));
	f->src_low = (uint8_t)(f->l3 + (f->v6 ? 20 : 12));
	f->dst_low = (uint8_t)(f->l3 + (f->v6 ? 36 : 16));
	l4_size = l4_size_of(f, spec);
	write_ether(f, spec);
	write_ip(f, spec, l4_size);
	write_l4(f, spec, l4_size);
	return 0;
}

void
ps_frame_fini(struct ps_frame *f)
{
	free(f->bytes);
	f->bytes = NULL;
}

bool
ps_frame_checksums_ok(const uint8_t *l3, size_t left)
{
	bool v6 = (l3[0] >> 4) == 6;
	size_t l3_size = v6 ? 40 : (size_t)(l3[0] & 15) * 4, l4_size;
	uint8_t proto = v6 ? l3[6] : l3[9];
	const uint8_t *l4 = l3 + l3_size;
	uint64_t sum;

	if (left < l3_size || (proto != IPPROTO_TCP && proto != IPPROTO_UDP))
		return false;
	l4_size = v6 ? (size_t)(l3[4] << 8 | l3[5]) : (size_t)(l3[2] << 8 | l3[3]) - l3_size;
	if (l4_size > left - l3_size || l4_size < (proto == IPPROTO_TCP ? 20u : 8u))
		return false;
	if (!v6 && ps_sum_fold(ps_sum(l3, l3_size, 0)) != 0xffff)
		return false;
	if (proto == IPPROTO_UDP && l4[6] == 0 && l4[7] == 0)
		return !v6; /* IPv4: the sender computed none */
	sum = v6 ? ps_sum_pseudo(l3 + 8, l3 + 24, 16, proto, (uint32_t)l4_size) :
		   ps_sum_pseudo(l3 + 12, l3 + 16, 4, proto, (uint32_t)l4_size);
	return ps_sum_fold(ps_sum(l4, l4_size, sum)) == 0xffff;
}

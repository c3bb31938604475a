/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames are built from templates: a template is the whole frame with the fields that vary (source,
 * destination, IP id, stamp) left zero and the checksums of the rest summed up. A packet is then one copy and a
 * handful of stores, its checksums two folds.
 *
 * The stamp tells when and as which number a packet was sent. It must survive address and port
 * translation, and fit 64 bytes:
 *
 *   TCP   time in the sequence number, number in the acknowledgement number, window = PS_STAMP_WINDOW
 *   UDP   first 12 bytes of payload: PS_STAMP_MAGIC, number, time
 *
 * A balancer that checks TCP sequence numbers would refuse such segments; those are loaded with UDP.
 * Numbers are in host order: only this program reads them.
 */
#ifndef PS_LOADGEN_FRAME_H
#define PS_LOADGEN_FRAME_H

#include <netinet/in.h>
#include <stdbool.h>

#include "perf/loadgen/checksum.h"
#include "perf/loadgen/range.h"

#define PS_STAMP_MAGIC 0x47504f4cu
#define PS_STAMP_WINDOW 0x4c50u /* as it lies in memory */
#define PS_STAMP_SIZE 12u

#define PS_TCP_FIN 0x01u
#define PS_TCP_SYN 0x02u
#define PS_TCP_RST 0x04u
#define PS_TCP_ACK 0x10u

struct ps_frame_spec {
	uint8_t dst_mac[6], src_mac[6];
	uint16_t vlan;      /* VID, 0: untagged */
	uint8_t proto;      /* IPPROTO_TCP or IPPROTO_UDP */
	uint8_t tcp_flags;
	uint16_t size;      /* bytes with FCS */
	struct ps_addr src, dst; /* the last 32 bits come from the tuple */
};

/* What varies. Network order. */
struct ps_tuple {
	uint32_t src_low, dst_low;
	uint16_t src_port, dst_port;
};

struct ps_frame {
	uint8_t *bytes;      /* owned; room for `length` rounded up to 64 */
	uint16_t length;     /* bytes in the buffer, without FCS */
	uint8_t l3, l4;      /* offsets from the start of the frame */
	uint8_t proto;
	bool v6;
	uint8_t src_low, dst_low;  /* offsets */
	uint8_t number, time;      /* offsets of the stamp */
	uint8_t l4_checksum;       /* offset */
	uint64_t sum_l3, sum_l4;   /* of everything that does not vary */
};

/* Smallest frame, with FCS, that carries the headers and a stamp. Never below 64. */
uint16_t ps_frame_minimum(bool v6, uint8_t proto, bool vlan);

/* 0; -EINVAL when size is below the minimum or addresses are of two families; -ENOMEM. */
int ps_frame_init(struct ps_frame *f, const struct ps_frame_spec *spec);
void ps_frame_fini(struct ps_frame *f);

/*
 * Recomputes the IPv4 header checksum and that of TCP or UDP at l3; true when both are right. left: bytes from l3 to
 * the end of the frame. Only for unfragmented TCP and UDP without IPv6 extension headers.
 */
bool ps_frame_checksums_ok(const uint8_t *l3, size_t left);

/* Writes the frame to `to`, which has room for length rounded up to 64 bytes. */
static inline void
ps_frame_write(const struct ps_frame *f, uint8_t *to, const struct ps_tuple *t, uint32_t number, uint32_t time)
{
	uint64_t l4 = f->sum_l4 + t->src_low + t->dst_low + t->src_port + t->dst_port + number + time;
	uint16_t id = (uint16_t)number, checksum;

	if (__builtin_expect(f->length <= 64, 1))
		memcpy(to, f->bytes, 64);
	else
		memcpy(to, f->bytes, f->length);
	memcpy(to + f->src_low, &t->src_low, 4);
	memcpy(to + f->dst_low, &t->dst_low, 4);
	memcpy(to + f->l4, &t->src_port, 2);
	memcpy(to + f->l4 + 2, &t->dst_port, 2);
	memcpy(to + f->number, &number, 4);
	memcpy(to + f->time, &time, 4);
	checksum = (uint16_t)~ps_sum_fold(l4);
	if (checksum == 0 && f->proto == IPPROTO_UDP)
		checksum = 0xffff;
	memcpy(to + f->l4_checksum, &checksum, 2);
	if (!f->v6) {
		memcpy(to + f->l3 + 4, &id, 2);
		checksum = (uint16_t)~ps_sum_fold(f->sum_l3 + t->src_low + t->dst_low + id);
		memcpy(to + f->l3 + 10, &checksum, 2);
	}
}

#endif

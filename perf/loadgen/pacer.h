/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many packets are due now. The schedule is absolute (packet k is due at start + k / rate), so
 * rounding never accumulates. When the caller has fallen behind by more than `debt` packets, the excess is
 * forgiven and counted: catching up by a huge burst would measure the burst, not the rate.
 */
#ifndef PS_LOADGEN_PACER_H
#define PS_LOADGEN_PACER_H

#include <stdint.h>

struct ps_pacer {
	uint64_t start;     /* TSC of packet 0 */
	double per_cycle;   /* packets per TSC cycle; 0: no limit */
	uint64_t granted;   /* packets handed out, plus those forgiven */
	uint64_t forgiven;
	uint32_t debt;
};

/* pps 0: as many as the ring takes. hz: TSC cycles per second. */
static inline void
ps_pacer_start(struct ps_pacer *p, double pps, double hz, uint64_t now)
{
	p->start = now;
	p->per_cycle = pps / hz;
	p->granted = 0;
	p->forgiven = 0;
	/* 0.5 ms of packets: longer than any burst, shorter than a ring at usual rates */
	p->debt = (uint32_t)(pps / 2000.0);
	if (p->debt < 64)
		p->debt = 64;
}

/* Packets due at `now`, at most `limit`. The caller takes what it can by ps_pacer_take. */
static inline uint32_t
ps_pacer_due(struct ps_pacer *p, uint64_t now, uint32_t limit)
{
	uint64_t target, due;

	if (p->per_cycle == 0.0)
		return limit;
	target = (uint64_t)((double)(now - p->start) * p->per_cycle) + 1;
	if (target <= p->granted)
		return 0;
	due = target - p->granted;
	if (due > p->debt) {
		p->forgiven += due - p->debt;
		p->granted += due - p->debt;
		due = p->debt;
	}
	return due < limit ? (uint32_t)due : limit;
}

static inline void
ps_pacer_take(struct ps_pacer *p, uint32_t packets)
{
	p->granted += packets;
}

/* Cycles until the next packet is due; 0: now. */
static inline uint64_t
ps_pacer_wait(const struct ps_pacer *p, uint64_t now)
{
	double at;

	if (p->per_cycle == 0.0)
		return 0;
	at = (double)p->granted / p->per_cycle;
	return at > (double)(now - p->start) ? (uint64_t)(at - (double)(now - p->start)) : 0;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared table of desired and observed endpoint state. It is a file in the runtime
 * directory (tmpfs), mapped read-write by both processes, and survives both: a restarted
 * process finds every verdict where it left it. Versioned by its header; a file
 * of another ABI, size or boot is replaced by penstockd, never by the dataplane.
 *
 * Each field has exactly one writer. The two 32-bit halves of a verdict share one
 * 8-byte word, so a worker reads both with one load that cannot tear:
 *
 *        63            32 31                    0
 *       +----------------+-----------------------+
 *       | health         | control               |
 *       +----------------+-----------------------+
 *         dataplane main    penstockd
 *
 * control = generation:16 | scale:8 | flags:8. A slot's generation advances when
 * it is freed, so that a flow that remembers (slot, generation) can tell its
 * endpoint from a successor in the same slot.
 */
#ifndef PS_API_STATE_H
#define PS_API_STATE_H

#include <stdatomic.h>

#include "dataplane/api/abi.h"

#define PS_STATE_MAGIC 0x3154415453534e50ull /* "PNSSTAT1" */

/* control half. control: writes; dataplane main and workers: read */
#define PS_CTL_IN_USE 0x1u   /* slot is assigned */
#define PS_CTL_DRAIN 0x2u    /* takes no new flow; established flows go on */
#define PS_CTL_KILL 0x4u     /* drain deadline passed: established flows end too */
#define PS_CTL_OPERATOR 0x8u /* the drain was asked for by the operator: manifests do not end it */
#define PS_CTL_FLAGS(c) ((c) & 0xffu)
#define PS_CTL_SCALE(c) (((c) >> 8) & 0xffu) /* share of the endpoint's weight that new flows use: 0..255, 255 = all */
#define PS_CTL_GENERATION(c) ((uint16_t)((c) >> 16))
#define PS_CTL(gen, scale, flags) (((uint32_t)(gen) << 16) | ((uint32_t)(scale) << 8) | (flags))

/* health half. dataplane main: writes; workers, control: read */
#define PS_HEALTH_DOWN 0x1u      /* judged down: takes no new flow */
#define PS_HEALTH_JUDGED 0x2u    /* at least one verdict was reached */
#define PS_HEALTH_GENERATION(h) ((uint16_t)((h) >> 16)) /* of the slot it judges; another one: void, counts as up */
#define PS_HEALTH(gen, flags) (((uint32_t)(gen) << 16) | (flags))

struct ps_state_verdict {
	_Atomic uint64_t word;
};

enum ps_health_reason {
	PS_REASON_NONE,          /* not probed yet */
	PS_REASON_OK,            /* probe answered */
	PS_REASON_TIMEOUT,       /* no answer in time */
	PS_REASON_REFUSED,       /* TCP RST, or ICMP port unreachable */
	PS_REASON_UNREACHABLE,   /* other ICMP destination unreachable */
	PS_REASON_NO_NEIGHBOUR,  /* next hop does not resolve */
	PS_REASON_NO_ROUTE,
	PS_REASONS
};

/* Cold part. */
struct ps_state_endpoint {
	/* control: writes, when the slot is assigned, before PS_CTL_IN_USE is stored (release) */
	uint64_t id;             /* ps_endpoint.id; how a restarted penstockd finds its slots again */
	uint64_t drain_until_ns; /* CLOCK_REALTIME; 0: no deadline */
	/* dataplane main: writes */
	_Atomic uint64_t since_ns;      /* CLOCK_REALTIME of the last change of PS_HEALTH_DOWN */
	_Atomic uint64_t last_probe_ns; /* CLOCK_REALTIME */
	_Atomic uint32_t rtt_us;        /* of the last answered probe */
	_Atomic uint16_t successes;     /* in a row */
	_Atomic uint16_t failures;      /* in a row */
	_Atomic uint32_t reason;        /* enum ps_health_reason of the last probe */
	uint32_t pad0;
	_Atomic uint64_t probes;
	_Atomic uint64_t probe_failures;
};
PS_SIZE_IS(struct ps_state_endpoint, 64);

struct ps_state_header {
	uint64_t magic;
	uint32_t abi;
	uint32_t slots;          /* verdicts, and cold records */
	uint64_t size;           /* bytes of the file */
	uint64_t boot_id;        /* of the machine's boot: state of another boot is void */
	_Atomic uint64_t generation; /* control: writes: last snapshot generation published */
	uint64_t pad[3];
};
PS_SIZE_IS(struct ps_state_header, 64);

/* file: header (4096 bytes) | verdicts[slots] (to a multiple of 4096) | cold[slots] */
#define PS_STATE_HEADER_SIZE 4096u

static inline uint64_t
ps_state_cold_offset(uint32_t slots)
{
	return PS_STATE_HEADER_SIZE + (((uint64_t)slots * 8 + 4095) & ~4095ull);
}

static inline uint64_t
ps_state_size(uint32_t slots)
{
	return ps_state_cold_offset(slots) + (uint64_t)slots * sizeof(struct ps_state_endpoint);
}

static inline struct ps_state_verdict *
ps_state_verdicts(void *base)
{
	return (struct ps_state_verdict *)((uint8_t *)base + PS_STATE_HEADER_SIZE);
}

static inline struct ps_state_endpoint *
ps_state_endpoints(void *base)
{
	const struct ps_state_header *h = base;

	return (struct ps_state_endpoint *)((uint8_t *)base + ps_state_cold_offset(h->slots));
}

/* May a new flow go to the endpoint with this verdict, by health and drain alone? */
static inline bool
ps_verdict_accepts(uint64_t word, uint16_t generation)
{
	uint32_t control = (uint32_t)word, health = (uint32_t)(word >> 32);

	if (PS_CTL_GENERATION(control) != generation ||
	    (PS_CTL_FLAGS(control) & (PS_CTL_IN_USE | PS_CTL_DRAIN | PS_CTL_KILL)) != PS_CTL_IN_USE)
		return false;
	return !(health & PS_HEALTH_DOWN) || PS_HEALTH_GENERATION(health) != generation;
}

/* May an established flow go on? */
static inline bool
ps_verdict_alive(uint64_t word, uint16_t generation)
{
	uint32_t control = (uint32_t)word;

	return PS_CTL_GENERATION(control) == generation && !(control & PS_CTL_KILL);
}

#endif

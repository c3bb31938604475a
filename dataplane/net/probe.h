/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health probes: sent by the housekeeping core, judged there, verdicts written into the
 * health half of the shared state table. They need no penstockd.
 *
 * Endpoints with the same address, port and probe are one target, probed once. A TCP
 * probe sends a SYN from an interface address, takes SYN-ACK for success (and answers RST) and RST for
 * failure; an ICMP probe is an echo; a UDP probe is an empty datagram, for which an ICMP port
 * unreachable is failure and anything else, silence included, is success. DSR endpoints
 * are probed at their own address.
 *
 * An endpoint that was never judged counts as up; its first probe leaves at once (spread over
 * the interval when many appear together), and takes `fall` failures to go down.
 *
 * Pure core: time in microseconds (monotonic) and nanoseconds (realtime, for display) comes in with each
 * call; packets leave through ops. Thread: main only.
 */
#ifndef PS_NET_PROBE_H
#define PS_NET_PROBE_H

#include "dataplane/api/snapshot.h"
#include "dataplane/api/state.h"

struct ps_probes;

/* ICMP identifier of echo probes, host order: icmp_input gives replies with it to main. */
#define PS_PROBE_ICMP_ID 0x5053u

/* slot, the new verdict, and why. */
typedef void (*ps_probe_event_fn)(void *arg, uint32_t slot, bool down, enum ps_health_reason reason);

struct ps_probe_ops {
	void *arg;
	/*
	 * How dst is reached: source address, and whether its next hop resolves. Returns 0; -ENETUNREACH: no route
	 * or no source address; -EHOSTUNREACH: next hop does not answer. Starts resolving when needed.
	 */
	int (*route)(void *arg, const struct ps_addr *dst, struct ps_addr *src);
	/* Sends a packet that begins with its IP header. 0 or -errno. */
	int (*send)(void *arg, const void *packet, uint32_t size);
	ps_probe_event_fn event; /* may be NULL */
	void *event_arg;
};

struct ps_probe_stats {
	uint64_t targets, sent, answered, failed, late, unexpected, unsent;
};

int ps_probes_new(struct ps_probes **probes, const struct ps_probe_ops *ops, void *state, uint32_t random);
void ps_probes_free(struct ps_probes *probes);

/*
 * Takes the targets of a snapshot (validated; must stay mapped until the next call or free). Targets that stay
 * keep their history; new ones take a verdict that the state table still holds. 0 or -ENOMEM (old targets stay).
 */
int ps_probes_load(struct ps_probes *probes, const struct ps_snapshot *snapshot, uint64_t now_us, uint64_t real_ns);

/* Sends what is due and judges timeouts. Bounded work per call; call at least every 10 ms. */
void ps_probes_tick(struct ps_probes *probes, uint64_t now_us, uint64_t real_ns);

/*
 * A packet from the IP header on that may answer a probe: TCP, UDP, ICMP echo reply, ICMP error. Returns true when
 * it belonged to a probe.
 */
bool ps_probes_input(struct ps_probes *probes, const void *packet, uint32_t size, uint64_t now_us,
		     uint64_t real_ns);

const struct ps_probe_stats *ps_probes_stats(const struct ps_probes *probes);

#endif

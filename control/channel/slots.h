/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slots: small integers that stay with a service or an endpoint through all generations of
 * the configuration and through restarts of penstockd. Flows, counters and
 * health refer to them, so a slot given to somebody else too early would join strangers.
 *
 * Two files in the runtime directory (tmpfs) keep them:
 *
 *   state   shared with the dataplane, see dataplane/api/state.h: verdicts and endpoint ids
 *   slots   penstockd's own: service ids and drains, and per endpoint slot what state.h has no
 *           room for (its service, address, name, drain time)
 *
 * The life of an endpoint slot:
 *
 *   free -> in use -> draining (takes no new flow, deadline) -> killed (flows end)
 *     ^        ^__________|____________________________|            |
 *     |         named again                                         | PS_SLOT_GRACE_S
 *     +---------------- generation advanced ------------------------+
 *
 * A compilation is a round: ps_slots_begin(), one ps_slots_endpoint()/ps_slots_service() or
 * ps_slots_keep_*() for each thing that the snapshot names, and then, when the snapshot is live,
 * ps_slots_commit(): whatever the round did not name begins to drain. A round that comes to
 * nothing is simply followed by another begin.
 *
 * Thread: one, penstockd's main. The files' readers are described in state.h.
 */
#ifndef PS_CHANNEL_SLOTS_H
#define PS_CHANNEL_SLOTS_H

#include "dataplane/api/state.h"

/* A killed endpoint's slot is given to nobody for so long, so that every worker has noticed. */
#define PS_SLOT_GRACE_S 20u
/* Drain time where nothing names another. */
#define PS_SLOT_DRAIN_DEFAULT_S 300u

struct ps_slots;

/*
 * Opens or creates both files below runtime_dir. Slots of a previous life are kept when magic, ABI
 * and boot agree; when the number of slots differs the rows are carried over into new
 * files (more slots; fewer only as far as those in use fit, else -ENOSPC).
 * Returns 0 or -errno with a reason in why.
 */
int ps_slots_open(struct ps_slots **slots, const char *runtime_dir, uint32_t endpoint_slots,
		  uint32_t service_slots, char *why, size_t why_size);

/* Unmaps; the files stay. NULL is fine. */
void ps_slots_close(struct ps_slots *slots);

/* Begins a round: nothing is named yet. */
void ps_slots_begin(struct ps_slots *slots);

struct ps_slot_endpoint {
	uint64_t id;         /* ps_endpoint.id */
	uint64_t service_id; /* ps_service.id */
	struct ps_addr addr;
	uint16_t port;       /* network order */
	uint8_t proto;
	bool draining;       /* listed as terminating: its drain time runs already */
	uint32_t drain_s;    /* seconds that established flows get once it is draining; 0: end at once */
	const char *name;    /* pod "ns/name", or "" ; copied */
};

/*
 * Names an endpoint: finds its slot or assigns one. An endpoint that was draining because it had been
 * removed is undrained; a drain by the operator stays. Returns 0, or -ENOSPC when all
 * slots are taken (the endpoint is left out; others are unaffected).
 */
int ps_slots_endpoint(struct ps_slots *slots, const struct ps_slot_endpoint *endpoint,
		      uint32_t *slot, uint16_t *generation);

/* Names a service. Returns 0, -ENOSPC. */
int ps_slots_service(struct ps_slots *slots, uint64_t id, const char *name, uint32_t *slot);

/*
 * The same for something that the round before named with equal content, when the caller remembers the
 * slot: one store. slot must come from this ps_slots.
 */
void ps_slots_keep_endpoint(struct ps_slots *slots, uint32_t slot);
void ps_slots_keep_service(struct ps_slots *slots, uint32_t slot);

/*
 * The round is live: endpoints that it did not name begin to drain, service slots without endpoints and not
 * named are freed in time. now_ns: CLOCK_REALTIME.
 */
void ps_slots_commit(struct ps_slots *slots, uint64_t now_ns);

/*
 * Carries deadlines out: drained endpoints whose time has passed are killed, killed ones are freed after
 * PS_SLOT_GRACE_S with a new generation, services that nothing refers to are freed. Call it every second.
 * Returns how many slots changed.
 */
uint32_t ps_slots_tick(struct ps_slots *slots, uint64_t now_ns);

/* The operator's hand. until_ns: CLOCK_REALTIME deadline of established flows, 0: none. -ENOENT: not in use. */
int ps_slots_drain(struct ps_slots *slots, uint32_t slot, uint64_t until_ns);
int ps_slots_undrain(struct ps_slots *slots, uint32_t slot);
/* Share of its weight that new flows use, 0..255 of 255. */
int ps_slots_scale(struct ps_slots *slots, uint32_t slot, uint8_t scale);
/* All endpoints of a service, and those that it gets later. -ENOENT: no such service. */
int ps_slots_drain_service(struct ps_slots *slots, uint64_t service_id, uint64_t until_ns);
int ps_slots_undrain_service(struct ps_slots *slots, uint64_t service_id);

/* What is known of a slot. name points into the file and is valid until the slot is freed. */
struct ps_slot_info {
	uint64_t id, service_id;
	struct ps_addr addr;
	uint16_t port; /* network order */
	uint8_t proto;
	bool removed;  /* no longer in the manifests */
	uint16_t generation;
	uint32_t control, health; /* the halves of the verdict */
	uint64_t drain_until_ns;
	uint64_t since_ns, last_probe_ns;
	uint32_t rtt_us, reason;
	uint16_t successes, failures;
	uint64_t probes, probe_failures;
	const char *name;
};

/* Returns 0, -ENOENT when the slot is not in use. */
int ps_slots_info(const struct ps_slots *slots, uint32_t slot, struct ps_slot_info *info);
/* The slot of an endpoint or service id; PS_NONE: none. */
uint32_t ps_slots_find_endpoint(const struct ps_slots *slots, uint64_t id);
uint32_t ps_slots_find_service(const struct ps_slots *slots, uint64_t id);
/* "" when the slot is free. */
const char *ps_slots_service_name(const struct ps_slots *slots, uint32_t slot);
bool ps_slots_service_drained(const struct ps_slots *slots, uint32_t slot);

/* The state table, [endpoint_slots]; for the lookups of policies/. */
const struct ps_state_verdict *ps_slots_verdicts(const struct ps_slots *slots);

struct ps_slots_usage {
	uint32_t endpoint_slots, endpoints, draining, killed;
	uint32_t service_slots, services;
};
void ps_slots_usage(const struct ps_slots *slots, struct ps_slots_usage *usage);

/* Last generation published, in the state header: publication continues from it after a restart. */
uint64_t ps_slots_generation(const struct ps_slots *slots);
void ps_slots_set_generation(struct ps_slots *slots, uint64_t generation);

#endif

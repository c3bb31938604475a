/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets lie in one array; event_us says beside it when each has something to do next, so that a tick reads a
 * few cache lines for thousands of targets. A hash by (address, port, kind) finds the target that an answer
 * belongs to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/api/digest.h"
#include "dataplane/net/local.h"
#include "dataplane/net/probe.h"
#include "dataplane/net/probe_packet.h"

#define SENDS_PER_TICK 128u
#define SPREAD_PER_MS 4u /* new targets begin at this rate, or within their interval if that is longer */
#define PROBE_PORTS (PS_PROBE_PORT_LAST - PS_PROBE_PORT_FIRST + 1)

struct target {
	struct ps_addr addr;
	struct ps_probe probe; /* id and pad are 0: equal probes are equal bytes */
	uint16_t port;         /* network order; 0 for ICMP */
	uint16_t src_port;     /* of the probe under way; network order */
	uint32_t next;         /* in the bucket */
	uint32_t first_slot, slots;
	uint32_t cookie;
	struct ps_addr source;
	uint64_t sent_us;
	bool waiting;
	bool down, judged;
	uint16_t successes, failures;
	uint32_t reason;
};

struct slot {
	uint32_t slot;
	uint16_t generation;
};

struct ps_probes {
	struct ps_probe_ops ops;
	void *state;
	uint32_t state_slots;
	uint32_t random;
	uint32_t length;
	struct target *target;
	uint64_t *event_us; /* when to send, or when to give up waiting */
	struct slot *slot;
	uint32_t mask;
	uint32_t *bucket;
	uint32_t cursor;
	struct ps_probe_stats stats;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the health half is the second half of the word");

static uint32_t
random_next(struct ps_probes *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 17;
	p->random ^= p->random << 5;
	return p->random;
}

int
ps_probes_new(struct ps_probes **out, const struct ps_probe_ops *ops, void *state, uint32_t random)
{
	struct ps_probes *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->ops = *ops;
	p->state = state;
	p->state_slots = ((const struct ps_state_header *)state)->slots;
	p->random = random | 1;
	*out = p;
	return 0;
}

static void
free_targets(struct ps_probes *p)
{
	free(p->target);
	free(p->event_us);
	free(p->slot);
	free(p->bucket);
}

void
ps_probes_free(struct ps_probes *p)
{
	if (p == NULL)
		return;
	free_targets(p);
	free(p);
}

static _Atomic uint32_t *
health_of(const struct ps_probes *p, uint32_t slot)
{
	return (_Atomic uint32_t *)&ps_state_verdicts(p->state)[slot].word + 1;
}

static struct ps_state_endpoint *
cold_of(const struct ps_probes *p, uint32_t slot)
{
	return (struct ps_state_endpoint *)((uint8_t *)p->state + ps_state_cold_offset(p->state_slots)) + slot;
}

static void
write_verdict(struct ps_probes *p, const struct slot *s, bool down, bool judged)
{
	uint32_t flags = (down ? PS_HEALTH_DOWN : 0) | (judged ? PS_HEALTH_JUDGED : 0);

	atomic_store_explicit(health_of(p, s->slot), PS_HEALTH(s->generation, flags), memory_order_release);
}

static uint32_t
hash_of(const struct ps_addr *addr, uint16_t port, uint8_t kind)
{
	return (uint32_t)ps_digest(addr, sizeof(*addr), (uint64_t)kind << 16 | port);
}

static uint32_t
find(const struct ps_probes *p, const struct ps_addr *addr, uint16_t port, const struct ps_probe *probe)
{
	uint32_t i;

	if (p->length == 0)
		return PS_NONE;
	for (i = p->bucket[hash_of(addr, port, probe->kind) & p->mask]; i != PS_NONE; i = p->target[i].next)
		if (ps_addr_equal(&p->target[i].addr, addr) && p->target[i].port == port &&
		    memcmp(&p->target[i].probe, probe, sizeof(*probe)) == 0)
			return i;
	return PS_NONE;
}

/* The slot has an occupant that was never judged: what is written there is about another. */
static void
reset_cold(struct ps_probes *p, uint32_t slot)
{
	struct ps_state_endpoint *c = cold_of(p, slot);

	atomic_store_explicit(&c->since_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&c->last_probe_ns, 0, memory_order_relaxed);
	atomic_store_explicit(&c->rtt_us, 0, memory_order_relaxed);
	atomic_store_explicit(&c->successes, 0, memory_order_relaxed);
	atomic_store_explicit(&c->failures, 0, memory_order_relaxed);
	atomic_store_explicit(&c->reason, PS_REASON_NONE, memory_order_relaxed);
	atomic_store_explicit(&c->probes, 0, memory_order_relaxed);
	atomic_store_explicit(&c->probe_failures, 0, memory_order_relaxed);
}

struct wanted {
	uint32_t target;
	struct slot slot;
};

static int
by_target(const void *pa, const void *pb)
{
	const struct wanted *a = pa, *b = pb;

	return (a->target > b->target) - (a->target < b->target);
}

/* Targets of the snapshot into the empty lists of p, and which slot wants which. */
static uint32_t
collect(struct ps_probes *p, const struct ps_snapshot *s, struct wanted *wanted)
{
	uint32_t services = ps_snapshot_length(s, PS_SEC_SERVICE), used = 0, i, k;

	for (i = 0; i < services; i++) {
		const struct ps_service *service = ps_snapshot_item(s, PS_SEC_SERVICE, i);
		struct ps_probe probe = {0};

		if (service->probe == PS_NONE)
			continue;
		probe = *(const struct ps_probe *)ps_snapshot_item(s, PS_SEC_PROBE, service->probe);
		probe.id = 0;
		probe.pad = 0;
		if (probe.kind == PS_PROBE_NONE)
			continue;
		for (k = 0; k < service->endpoints; k++) {
			const struct ps_endpoint *e = ps_snapshot_item(s, PS_SEC_ENDPOINT, service->first_endpoint + k);
			uint16_t port = probe.kind == PS_PROBE_ICMP ? 0 : probe.port != 0 ? probe.port : e->port;
			uint32_t index, *bucket;

			if (e->slot == PS_NONE || e->slot >= p->state_slots || (e->flags & PS_ENDPOINT_F_REJECT))
				continue;
			index = find(p, &e->addr, port, &probe);
			if (index == PS_NONE) {
				index = p->length++;
				bucket = &p->bucket[hash_of(&e->addr, port, probe.kind) & p->mask];
				p->target[index] = (struct target){.addr = e->addr, .probe = probe, .port = port, .next = *bucket};
				*bucket = index;
			}
			wanted[used].target = index;
			wanted[used++].slot = (struct slot){e->slot, e->slot_generation};
		}
	}
	return used;
}

/* Gives each target its slots, which lie one behind the other. */
static void
distribute(struct ps_probes *p, struct wanted *wanted, uint32_t length)
{
	uint32_t i;

	if (length > 1)
		qsort(wanted, length, sizeof(*wanted), by_target);
	for (i = 0; i < length; i++) {
		struct target *t = &p->target[wanted[i].target];

		if (t->slots++ == 0)
			t->first_slot = i;
		p->slot[i] = wanted[i].slot;
	}
}

static bool
same_slot_before(const struct ps_probes *old, const struct target *before, const struct slot *s)
{
	uint32_t i;

	for (i = 0; before != NULL && i < before->slots; i++)
		if (old->slot[before->first_slot + i].slot == s->slot &&
		    old->slot[before->first_slot + i].generation == s->generation)
			return true;
	return false;
}

/* History from the old targets, or from the state table. Returns whether the target is new. */
static bool
inherit(struct ps_probes *p, const struct ps_probes *old, uint32_t index)
{
	struct target *t = &p->target[index];
	uint32_t before = find(old, &t->addr, t->port, &t->probe), i;
	const struct target *b = before != PS_NONE ? &old->target[before] : NULL;

	if (b != NULL) {
		struct target kept = *b;

		kept.next = t->next;
		kept.first_slot = t->first_slot;
		kept.slots = t->slots;
		*t = kept;
		p->event_us[index] = old->event_us[before];
	}
	for (i = 0; i < t->slots; i++) {
		struct slot *s = &p->slot[t->first_slot + i];
		uint32_t health = atomic_load_explicit(health_of(p, s->slot), memory_order_relaxed);

		if (same_slot_before(old, b, s))
			continue;
		if (PS_HEALTH_GENERATION(health) != s->generation) {
			reset_cold(p, s->slot);
			write_verdict(p, s, t->down, t->judged);
		} else if (b == NULL && (health & PS_HEALTH_JUDGED)) {
			/* A verdict of the process before us */
			t->judged = true;
			t->down = (health & PS_HEALTH_DOWN) != 0;
		} else if (t->judged) {
			write_verdict(p, s, t->down, true);
		}
	}
	return b == NULL;
}

static uint32_t
probed_endpoints(const struct ps_snapshot *s)
{
	uint32_t i, length = 0;

	for (i = 0; i < ps_snapshot_length(s, PS_SEC_SERVICE); i++) {
		const struct ps_service *service = ps_snapshot_item(s, PS_SEC_SERVICE, i);

		length += service->probe != PS_NONE ? service->endpoints : 0;
	}
	return length;
}

int
ps_probes_load(struct ps_probes *p, const struct ps_snapshot *s, uint64_t now_us, uint64_t real_ns)
{
	uint32_t endpoints, size = 64, used, i, fresh = 0;
	struct ps_probes old;
	struct wanted *wanted;

	/* A private copy: the other side can write the header. Taken anew, because a larger table may lie there now. */
	p->state_slots = ((const struct ps_state_header *)p->state)->slots;
	old = *p;
	endpoints = probed_endpoints(s);
	wanted = calloc(endpoints + 1, sizeof(*wanted));
	while (size < endpoints)
		size *= 2;
	p->length = 0;
	p->cursor = 0;
	p->mask = size - 1;
	p->target = calloc(endpoints + 1, sizeof(*p->target));
	p->event_us = calloc(endpoints + 1, sizeof(*p->event_us));
	p->slot = calloc(endpoints + 1, sizeof(*p->slot));
	p->bucket = malloc(size * sizeof(*p->bucket));
	if (wanted == NULL || p->target == NULL || p->event_us == NULL || p->slot == NULL || p->bucket == NULL) {
		free_targets(p);
		free(wanted);
		*p = old;
		return -ENOMEM;
	}
	memset(p->bucket, 0xff, size * sizeof(*p->bucket));
	/* find() in collect looks at length to know that buckets are there. */
	p->length = 0;
	used = collect(p, s, wanted);
	distribute(p, wanted, used);
	free(wanted);
	for (i = 0; i < p->length; i++) {
		struct target *t;
		uint64_t paced, within;

		if (!inherit(p, &old, i))
			continue;
		t = &p->target[i];
		paced = (uint64_t)fresh * 1000 / SPREAD_PER_MS;
		within = (uint64_t)t->probe.interval_ms * 1000 * fresh / p->length;
		p->event_us[i] = now_us + (paced < within ? paced : within);
		fresh++;
	}
	p->stats.targets = p->length;
	free_targets(&old);
	return 0;
}

/* When the next probe is due, counted from the last one. */
static uint64_t
next_due(struct ps_probes *p, const struct target *t, uint64_t now_us)
{
	uint64_t interval = (uint64_t)t->probe.interval_ms * 1000, span = interval * t->probe.jitter / 100, due;

	due = t->sent_us + interval;
	if (span != 0)
		due = due - span + (((uint64_t)random_next(p) * 2 * span) >> 32);
	return due > now_us ? due : now_us;
}

static void
judge(struct ps_probes *p, uint32_t index, enum ps_health_reason reason, uint32_t rtt_us, uint64_t now_us,
      uint64_t real_ns)
{
	struct target *t = &p->target[index];
	bool ok = reason == PS_REASON_OK, changed = false, first;
	uint32_t i;

	t->waiting = false;
	t->reason = reason;
	p->event_us[index] = next_due(p, t, now_us);
	if (ok) {
		p->stats.answered++;
		t->successes += t->successes < UINT16_MAX;
		t->failures = 0;
		changed = t->down && t->successes >= t->probe.rise;
	} else {
		p->stats.failed++;
		t->failures += t->failures < UINT16_MAX;
		t->successes = 0;
		changed = !t->down && t->failures >= t->probe.fall;
	}
	/* The first success is a verdict as well: it confirms what was assumed. */
	first = !t->judged && (ok || changed);
	t->down ^= changed;
	t->judged |= first;
	for (i = 0; i < t->slots; i++) {
		const struct slot *s = &p->slot[t->first_slot + i];
		struct ps_state_endpoint *c = cold_of(p, s->slot);

		if (changed || first) {
			atomic_store_explicit(&c->since_ns, real_ns, memory_order_relaxed);
			write_verdict(p, s, t->down, t->judged);
		}
		atomic_store_explicit(&c->last_probe_ns, real_ns, memory_order_relaxed);
		if (ok && rtt_us != 0)
			atomic_store_explicit(&c->rtt_us, rtt_us, memory_order_relaxed);
		atomic_store_explicit(&c->successes, t->successes, memory_order_relaxed);
		atomic_store_explicit(&c->failures, t->failures, memory_order_relaxed);
		atomic_store_explicit(&c->reason, reason, memory_order_relaxed);
		atomic_fetch_add_explicit(&c->probes, 1, memory_order_relaxed);
		if (!ok)
			atomic_fetch_add_explicit(&c->probe_failures, 1, memory_order_relaxed);
		if (changed && p->ops.event != NULL)
			p->ops.event(p->ops.event_arg, s->slot, t->down, reason);
	}
}

static void
send_packet(struct ps_probes *p, const struct target *t, bool reset)
{
	struct ps_probe_packet packet = {.kind = t->probe.kind,
					 .reset = reset,
					 .src = t->source,
					 .dst = t->addr,
					 .src_port = t->src_port,
					 .dst_port = t->port,
					 .cookie = t->cookie};
	uint8_t bytes[PS_PROBE_PACKET_MAX];

	if (p->ops.send(p->ops.arg, bytes, ps_probe_build(&packet, bytes)) < 0)
		p->stats.unsent++;
}

static void
send_probe(struct ps_probes *p, uint32_t index, uint64_t now_us, uint64_t real_ns)
{
	struct target *t = &p->target[index];
	int rc;

	t->sent_us = now_us;
	t->cookie = random_next(p);
	t->src_port = t->probe.kind == PS_PROBE_ICMP
			      ? 0
			      : htons((uint16_t)(PS_PROBE_PORT_FIRST + random_next(p) % PROBE_PORTS));
	rc = p->ops.route(p->ops.arg, &t->addr, &t->source);
	if (rc < 0) {
		judge(p, index, rc == -EHOSTUNREACH ? PS_REASON_NO_NEIGHBOUR : PS_REASON_NO_ROUTE, 0, now_us, real_ns);
		return;
	}
	t->waiting = true;
	p->event_us[index] = now_us + (uint64_t)t->probe.timeout_ms * 1000;
	p->stats.sent++;
	send_packet(p, t, false);
}

static void
give_up(struct ps_probes *p, uint32_t index, uint64_t now_us, uint64_t real_ns)
{
	struct target *t = &p->target[index];
	struct ps_addr source;

	/* UDP: nobody said no */
	if (t->probe.kind == PS_PROBE_UDP && p->ops.route(p->ops.arg, &t->addr, &source) == 0)
		judge(p, index, PS_REASON_OK, 0, now_us, real_ns);
	else if (p->ops.route(p->ops.arg, &t->addr, &source) == -EHOSTUNREACH)
		judge(p, index, PS_REASON_NO_NEIGHBOUR, 0, now_us, real_ns);
	else
		judge(p, index, PS_REASON_TIMEOUT, 0, now_us, real_ns);
}

void
ps_probes_tick(struct ps_probes *p, uint64_t now_us, uint64_t real_ns)
{
	uint32_t seen, sent = 0, index;

	for (seen = 0; seen < p->length && sent < SENDS_PER_TICK; seen++) {
		index = p->cursor;
		p->cursor = p->cursor + 1 < p->length ? p->cursor + 1 : 0;
		if (p->event_us[index] > now_us)
			continue;
		if (p->target[index].waiting)
			give_up(p, index, now_us, real_ns);
		/* Judging may have found that the next one is due. */
		if (!p->target[index].waiting && p->event_us[index] <= now_us) {
			send_probe(p, index, now_us, real_ns);
			sent++;
		}
	}
}

static bool
matches(const struct target *t, const struct ps_probe_answer *a)
{
	return t->probe.kind == a->kind && t->port == a->remote_port && t->src_port == a->local_port &&
	       ps_addr_equal(&t->addr, &a->remote) && (!a->has_cookie || t->cookie == a->cookie);
}

bool
ps_probes_input(struct ps_probes *p, const void *packet, uint32_t size, uint64_t now_us, uint64_t real_ns)
{
	static const enum ps_health_reason reasons[] = {
		[PS_ANSWER_SYN_ACK] = PS_REASON_OK,
		[PS_ANSWER_RST] = PS_REASON_REFUSED,
		[PS_ANSWER_UDP] = PS_REASON_OK,
		[PS_ANSWER_ECHO] = PS_REASON_OK,
		[PS_ANSWER_PORT_UNREACHABLE] = PS_REASON_REFUSED,
		[PS_ANSWER_UNREACHABLE] = PS_REASON_UNREACHABLE,
	};
	struct ps_probe_answer a;
	uint32_t i;

	if (!ps_probe_parse(packet, size, &a)) {
		p->stats.unexpected++;
		return false;
	}
	if (p->length == 0)
		return false;
	for (i = p->bucket[hash_of(&a.remote, a.remote_port, a.kind) & p->mask]; i != PS_NONE; i = p->target[i].next)
		if (matches(&p->target[i], &a))
			break;
	if (i == PS_NONE) {
		p->stats.unexpected++;
		return false;
	}
	if (a.type == PS_ANSWER_SYN_ACK)
		send_packet(p, &p->target[i], true);
	if (!p->target[i].waiting) {
		p->stats.late++;
		return true;
	}
	judge(p, i, reasons[a.type], (uint32_t)(now_us - p->target[i].sent_us), now_us, real_ns);
	return true;
}

const struct ps_probe_stats *
ps_probes_stats(const struct ps_probes *p)
{
	return &p->stats;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ends of a channel's rings. Both processes include this; neither calls rte_ring's own
 * functions on shared memory, because those read size, mask and both heads from
 * bytes that the peer can write.
 *
 * What a side trusts is private to it: size and mask are constants of the contract, and its own
 * position is kept in its view and only ever written to shared memory. The one value read
 * from the peer is the peer's tail, and it is plausible only within [position,
 * position + capacity]; anything else means a broken peer (-EPROTO), after which the
 * owner of the view detaches.
 *
 *            producer                               consumer
 *   position (private)                      position (private)
 *   cons.tail  --acquire--  C  --release--  cons.tail = position
 *   prod.tail = position  --release--  P  --acquire--  prod.tail
 *
 * The images keep the layout of struct rte_ring (DPDK 22.11), so that a debugger or
 * rte_ring_dump() can look at them.
 *
 * Thread: a view belongs to one thread; the two ends run at the same time.
 */
#ifndef PS_API_CHANNEL_RING_H
#define PS_API_CHANNEL_RING_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_ring_core.h>

#include "dataplane/api/channel.h"

_Static_assert(sizeof(struct rte_ring) == PS_CHANNEL_RING_HEADER, "struct rte_ring differs from the contract");
_Static_assert((PS_COMMAND_SLOTS & (PS_COMMAND_SLOTS - 1)) == 0, "ring sizes are powers of two");
_Static_assert((PS_EVENT_SLOTS & (PS_EVENT_SLOTS - 1)) == 0, "ring sizes are powers of two");

#define PS_CHANNEL_SEALS (F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* One end of one ring. */
struct ps_ring_view {
	struct rte_ring *ring;      /* shared image: only the tails are used */
	uint8_t *element;           /* shared, [size] of PS_MESSAGE_SIZE bytes */
	_Atomic uint64_t *overflow; /* shared, the producer adds: messages that found the ring full */
	uint32_t size, mask;        /* elements; private copies */
	uint32_t position;          /* private: next element to fill or to take */
};

/* One side of a channel: commands go to the dataplane, events come from it. */
struct ps_channel_view {
	struct ps_channel *shared; /* NULL: detached */
	uint64_t epoch;
	struct ps_ring_view commands;
	struct ps_ring_view events;
};

static inline void
ps_ring_image_format(void *image, const char *name, uint32_t size)
{
	struct rte_ring *r = image;

	memset(r, 0, sizeof(*r));
	snprintf(r->name, sizeof(r->name), "%s", name);
	r->flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
	r->size = size;
	r->mask = size - 1;
	r->capacity = size - 1;
	r->prod.sync_type = RTE_RING_SYNC_ST;
	r->cons.sync_type = RTE_RING_SYNC_ST;
}

static inline void
ps_ring_view_init(struct ps_ring_view *v, void *base, uint32_t offset, uint32_t size,
		  _Atomic uint64_t *overflow)
{
	v->ring = (struct rte_ring *)((uint8_t *)base + offset);
	v->element = (uint8_t *)base + offset + PS_CHANNEL_RING_HEADER;
	v->overflow = overflow;
	v->size = size;
	v->mask = size - 1;
	v->position = 0;
}

static inline void
ps_channel_view_init(struct ps_channel_view *c, void *base, uint64_t epoch)
{
	c->shared = base;
	c->epoch = epoch;
	ps_ring_view_init(&c->commands, base, PS_CHANNEL_COMMAND_OFFSET, PS_COMMAND_SLOTS,
			  &c->shared->command_overflow);
	ps_ring_view_init(&c->events, base, PS_CHANNEL_EVENT_OFFSET, PS_EVENT_SLOTS,
			  &c->shared->event_overflow);
}

/* Creator: fills PS_CHANNEL_SIZE zeroed bytes at base with an empty channel, and c with its view. */
static inline void
ps_channel_format(struct ps_channel_view *c, void *base, uint64_t epoch)
{
	struct ps_channel *s = base;

	ps_ring_image_format((uint8_t *)base + PS_CHANNEL_COMMAND_OFFSET, "commands", PS_COMMAND_SLOTS);
	ps_ring_image_format((uint8_t *)base + PS_CHANNEL_EVENT_OFFSET, "events", PS_EVENT_SLOTS);
	s->magic = PS_CHANNEL_MAGIC;
	s->abi = PS_ABI;
	s->epoch = epoch;
	ps_channel_view_init(c, base, epoch);
}

/*
 * The attaching side: checks seals, size, magic, ABI and epoch of the ring memfd and maps it. Both
 * rings of a fresh channel are empty, which is checked as well. fd stays the caller's.
 * Returns 0; -EPROTO (other ABI or epoch), -EINVAL, or the -errno of mmap, with a reason in why.
 */
static inline int
ps_channel_attach(struct ps_channel_view *c, int fd, uint64_t epoch, char *why, size_t why_size)
{
	int seals = fcntl(fd, F_GET_SEALS);
	const struct rte_ring *commands, *events;
	struct ps_channel *s;
	struct stat st;
	int rc;

	if (seals < 0 || (seals & PS_CHANNEL_SEALS) != PS_CHANNEL_SEALS) {
		snprintf(why, why_size, "channel memory is not sealed against resizing");
		return -EINVAL;
	}
	if (fstat(fd, &st) != 0 || st.st_size != (off_t)PS_CHANNEL_SIZE) {
		snprintf(why, why_size, "channel memory is not %u bytes", PS_CHANNEL_SIZE);
		return -EINVAL;
	}
	s = mmap(NULL, PS_CHANNEL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED) {
		rc = -errno;
		snprintf(why, why_size, "channel memory cannot be mapped: %s", strerror(-rc));
		return rc;
	}
	commands = (const void *)((uint8_t *)s + PS_CHANNEL_COMMAND_OFFSET);
	events = (const void *)((uint8_t *)s + PS_CHANNEL_EVENT_OFFSET);
	rc = -EINVAL;
	if (s->magic != PS_CHANNEL_MAGIC) {
		snprintf(why, why_size, "channel memory has no channel in it");
	} else if (s->abi != PS_ABI || s->epoch != epoch) {
		snprintf(why, why_size, "channel has ABI %u and epoch %llx, expected %u and %llx", s->abi,
			(unsigned long long)s->epoch, PS_ABI, (unsigned long long)epoch);
		rc = -EPROTO;
	} else if (commands->cons.tail != 0 || events->prod.tail != 0 || events->cons.tail != 0) {
		snprintf(why, why_size, "channel has been used before");
	} else {
		ps_channel_view_init(c, s, epoch);
		return 0;
	}
	munmap(s, PS_CHANNEL_SIZE);
	return rc;
}

/* Unmaps; a detached view may be detached again. */
static inline void
ps_channel_detach(struct ps_channel_view *c)
{
	if (c->shared != NULL)
		munmap(c->shared, PS_CHANNEL_SIZE);
	c->shared = NULL;
}

/*
 * Producer. Copies the message into the ring. Returns 0; -ENOBUFS when the ring is full (counted in
 * the channel's overflow, never waited for); -EPROTO when the consumer's tail makes no sense.
 */
static inline int
ps_ring_send(struct ps_ring_view *v, const struct ps_message *m)
{
	/* Pairs with C: the consumer's copy out of an element happens before we overwrite it. */
	uint32_t taken = __atomic_load_n(&v->ring->cons.tail, __ATOMIC_ACQUIRE);
	uint32_t used = v->position - taken;

	if (used > v->mask)
		return -EPROTO;
	if (used == v->mask) {
		atomic_fetch_add_explicit(v->overflow, 1, memory_order_relaxed);
		return -ENOBUFS;
	}
	memcpy(v->element + (size_t)(v->position & v->mask) * PS_MESSAGE_SIZE, m, PS_MESSAGE_SIZE);
	v->position++;
	__atomic_store_n(&v->ring->prod.head, v->position, __ATOMIC_RELAXED);
	/* P: publishes the element; pairs with the acquire in ps_ring_receive. */
	__atomic_store_n(&v->ring->prod.tail, v->position, __ATOMIC_RELEASE);
	return 0;
}

/*
 * Consumer. Returns 1 with the next message copied to m (a private copy: the peer cannot
 * change it any more), 0 when the ring is empty, -EPROTO when the producer's tail makes no sense.
 */
static inline int
ps_ring_receive(struct ps_ring_view *v, struct ps_message *m)
{
	/* Pairs with P: what the producer wrote into the element is visible here. */
	uint32_t filled = __atomic_load_n(&v->ring->prod.tail, __ATOMIC_ACQUIRE);
	uint32_t waiting = filled - v->position;

	if (waiting == 0)
		return 0;
	if (waiting > v->mask)
		return -EPROTO;
	memcpy(m, v->element + (size_t)(v->position & v->mask) * PS_MESSAGE_SIZE, PS_MESSAGE_SIZE);
	v->position++;
	__atomic_store_n(&v->ring->cons.head, v->position, __ATOMIC_RELAXED);
	/* C: gives the element back; pairs with the acquire in ps_ring_send. */
	__atomic_store_n(&v->ring->cons.tail, v->position, __ATOMIC_RELEASE);
	return 1;
}

/* Nothing to take right now. A hint that costs one memory read; ps_ring_receive decides. */
static inline bool
ps_ring_empty(const struct ps_ring_view *v)
{
	return __atomic_load_n(&v->ring->prod.tail, __ATOMIC_RELAXED) == v->position;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams lie in one array; a chained hash finds them, and a list in order of arrival expires them, so
 * that expiry looks only at what is old.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/net/frag.h"

#define DATAGRAM_MAX 65535u
/* RFC 1858 3: TCP ports and flags (14 bytes) must be in the first fragment. UDP: ports; ICMP echo: identifier. */
#define TCP_FIRST_MIN 14u
#define L4_FIRST_MIN 8u

struct datagram {
	struct ps_frag_key key;
	uint32_t next;            /* in the bucket, or on the free list */
	uint32_t older, newer;    /* by arrival */
	uint32_t since_ms;
	uint32_t new_id;
	uint32_t end;             /* bytes of the datagram, once the last fragment was seen; else 0 */
	uint32_t seen;            /* bytes of all pieces; equal to end: complete */
	uint16_t src_port, dst_port;
	uint8_t l4_proto;
	bool decided;             /* first fragment seen */
	bool poisoned;
	uint8_t held;
	uint8_t pieces;
	struct {
		uint16_t start, size; /* bytes; start is a multiple of 8 */
	} piece[PS_FRAG_PIECES_MAX];
	void *packet[PS_FRAG_HELD_MAX];
};

struct ps_frag_table {
	ps_frag_drop_fn drop;
	void *arg;
	uint32_t capacity, active, free;
	uint32_t oldest, newest;
	uint32_t held, held_max;  /* packets, in all datagrams */
	uint32_t id, id_step;
	uint32_t mask;
	uint32_t *bucket;
	struct datagram datagram[];
};

int
ps_frag_new(struct ps_frag_table **out, uint32_t capacity, uint32_t worker, uint32_t workers,
	    uint32_t random, ps_frag_drop_fn drop, void *arg)
{
	struct ps_frag_table *t;
	uint32_t i;

	if (capacity == 0)
		capacity = 1;
	t = calloc(1, sizeof(*t) + (size_t)capacity * sizeof(t->datagram[0]));
	if (t == NULL)
		return -ENOMEM;
	for (t->mask = 64; t->mask < capacity; t->mask *= 2)
		;
	t->bucket = malloc(t->mask * sizeof(*t->bucket));
	if (t->bucket == NULL) {
		free(t);
		return -ENOMEM;
	}
	memset(t->bucket, 0xff, t->mask * sizeof(*t->bucket));
	t->mask--;
	t->drop = drop;
	t->arg = arg;
	t->capacity = capacity;
	t->oldest = t->newest = PS_NONE;
	t->held_max = capacity;
	/* Identifications that no other worker uses: equal to the worker's index modulo their number. */
	t->id_step = workers;
	t->id = (random / workers) * workers + worker;
	for (i = 0; i < capacity; i++)
		t->datagram[i].next = i + 1 < capacity ? i + 1 : PS_NONE;
	*out = t;
	return 0;
}

static void
remove_datagram(struct ps_frag_table *t, uint32_t index, enum ps_exit why)
{
	struct datagram *d = &t->datagram[index];
	uint32_t *link = &t->bucket[ps_digest(&d->key, sizeof(d->key), 0) & t->mask];

	while (*link != index)
		link = &t->datagram[*link].next;
	*link = d->next;
	if (d->older != PS_NONE)
		t->datagram[d->older].newer = d->newer;
	else
		t->oldest = d->newer;
	if (d->newer != PS_NONE)
		t->datagram[d->newer].older = d->older;
	else
		t->newest = d->older;
	while (d->held > 0) {
		t->held--;
		t->drop(t->arg, d->packet[--d->held], why);
	}
	d->next = t->free;
	t->free = index;
	t->active--;
}

void
ps_frag_free(struct ps_frag_table *t)
{
	if (t == NULL)
		return;
	while (t->oldest != PS_NONE)
		remove_datagram(t, t->oldest, PS_EXIT_FRAGMENT_TIMEOUT);
	free(t->bucket);
	free(t);
}

void
ps_frag_expire(struct ps_frag_table *t, uint32_t now_ms)
{
	while (t->oldest != PS_NONE && now_ms - t->datagram[t->oldest].since_ms >= PS_FRAG_TIMEOUT_MS)
		remove_datagram(t, t->oldest, PS_EXIT_FRAGMENT_TIMEOUT);
}

uint32_t
ps_frag_active(const struct ps_frag_table *t)
{
	return t->active;
}

static uint32_t
find_or_add(struct ps_frag_table *t, const struct ps_frag_key *key, uint32_t now_ms)
{
	uint32_t *bucket = &t->bucket[ps_digest(key, sizeof(*key), 0) & t->mask], index;
	struct datagram *d;

	for (index = *bucket; index != PS_NONE; index = t->datagram[index].next)
		if (memcmp(&t->datagram[index].key, key, sizeof(*key)) == 0)
			return index;
	index = t->free;
	if (index == PS_NONE)
		return PS_NONE;
	d = &t->datagram[index];
	t->free = d->next;
	t->active++;
	memset(d, 0, offsetof(struct datagram, piece));
	d->key = *key;
	d->since_ms = now_ms;
	t->id += t->id_step;
	/* 0 is what atomic datagrams carry; leave it to them. */
	if ((t->id & 0xffff) == 0)
		t->id += t->id_step;
	d->new_id = t->id;
	d->next = *bucket;
	*bucket = index;
	d->older = t->newest;
	d->newer = PS_NONE;
	if (t->newest != PS_NONE)
		t->datagram[t->newest].newer = index;
	else
		t->oldest = index;
	t->newest = index;
	return index;
}

enum piece_verdict { PIECE_NEW, PIECE_DUPLICATE, PIECE_BAD };

static enum piece_verdict
add_piece(struct datagram *d, const struct ps_frag *f)
{
	uint32_t end = f->offset + f->size, i;

	if (f->size == 0 || end > DATAGRAM_MAX || (f->more && f->size % 8 != 0))
		return PIECE_BAD;
	for (i = 0; i < d->pieces; i++) {
		uint32_t start = d->piece[i].start, stop = start + d->piece[i].size;

		if (start == f->offset && stop == end)
			return PIECE_DUPLICATE;
		if (f->offset < stop && start < end)
			return PIECE_BAD;
		/* Something behind what claims to be the last one */
		if (!f->more && start >= end)
			return PIECE_BAD;
	}
	if (d->end != 0 && (end > d->end || (!f->more && end != d->end)))
		return PIECE_BAD;
	if (d->pieces == PS_FRAG_PIECES_MAX)
		return PIECE_BAD;
	if (!f->more)
		d->end = end;
	d->seen += f->size;
	d->piece[d->pieces].start = (uint16_t)f->offset;
	d->piece[d->pieces++].size = (uint16_t)f->size;
	return PIECE_NEW;
}

static bool
first_is_whole(const struct ps_frag *f)
{
	if (f->l4_proto == IPPROTO_TCP)
		return f->size >= TCP_FIRST_MIN && f->l4_size >= TCP_FIRST_MIN;
	return f->l4_size >= L4_FIRST_MIN;
}

static enum ps_frag_verdict
drop_for(struct ps_frag_answer *answer, enum ps_exit why)
{
	answer->why = why;
	return PS_FRAG_DROP;
}

/* Nothing of this datagram goes on; the entry stays until its time, so that later pieces die too. */
static enum ps_frag_verdict
poison(struct ps_frag_table *t, struct datagram *d, struct ps_frag_answer *answer)
{
	d->poisoned = true;
	while (d->held > 0) {
		t->held--;
		t->drop(t->arg, d->packet[--d->held], PS_EXIT_FRAGMENT_MALFORMED);
	}
	return drop_for(answer, PS_EXIT_FRAGMENT_MALFORMED);
}

enum ps_frag_verdict
ps_frag_input(struct ps_frag_table *t, const struct ps_frag *f, void *packet, uint32_t now_ms,
	      struct ps_frag_answer *answer)
{
	struct datagram *d;
	uint32_t index;

	ps_frag_expire(t, now_ms);
	index = find_or_add(t, &f->key, now_ms);
	if (index == PS_NONE)
		return drop_for(answer, PS_EXIT_FRAGMENT_TABLE_FULL);
	d = &t->datagram[index];
	if (d->poisoned)
		return drop_for(answer, PS_EXIT_FRAGMENT_MALFORMED);
	switch (add_piece(d, f)) {
	case PIECE_DUPLICATE:
		return drop_for(answer, PS_EXIT_FRAGMENT_MALFORMED);
	case PIECE_BAD:
		return poison(t, d, answer);
	case PIECE_NEW:
		break;
	}
	if (f->offset == 0) {
		if (!first_is_whole(f))
			return poison(t, d, answer);
		d->decided = true;
		d->src_port = f->src_port;
		d->dst_port = f->dst_port;
		d->l4_proto = f->l4_proto;
	} else if (f->key.proto == IPPROTO_TCP && f->offset < 16) {
		/* RFC 1858 3.2, RFC 3128: it would overwrite the flags */
		return poison(t, d, answer);
	}
	if (!d->decided) {
		if (d->held == PS_FRAG_HELD_MAX || t->held >= t->held_max) {
			/* It was seen, but will never arrive; a copy may still. */
			d->pieces--;
			d->seen -= f->size;
			if (!f->more)
				d->end = 0;
			return drop_for(answer, PS_EXIT_FRAGMENT_TABLE_FULL);
		}
		d->packet[d->held++] = packet;
		t->held++;
		return PS_FRAG_HELD;
	}
	answer->why = PS_EXIT_TX;
	answer->src_port = d->src_port;
	answer->dst_port = d->dst_port;
	answer->l4_proto = d->l4_proto;
	answer->new_id = d->new_id;
	answer->datagram = index;
	return PS_FRAG_FORWARD;
}

void *
ps_frag_take_held(struct ps_frag_table *t, uint32_t index)
{
	struct datagram *d = &t->datagram[index];
	void *packet;

	if (d->held == 0) {
		/* Complete: its identification may come again before the timeout. */
		if (d->end != 0 && d->seen == d->end)
			remove_datagram(t, index, PS_EXIT_FRAGMENT_TIMEOUT);
		return NULL;
	}
	packet = d->packet[0];
	d->held--;
	t->held--;
	memmove(d->packet, d->packet + 1, d->held * sizeof(d->packet[0]));
	return packet;
}

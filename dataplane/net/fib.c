/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trie with a first stride of 16 bits and further ones of 8, leaves pushed down: every step is
 * one load, and there are at most three for IPv4, seven for an IPv6 /64.
 *
 *   root[65536] ──> node[256] ──> node[256] ...
 *   cell: adjacency index, or NODE | number of the next node
 *
 * Prefixes are inserted shortest first, so that an insertion overwrites leaves only.
 */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/net/fib_build.h"

#define NODE 0x80000000u
#define ROOT_BITS 16u
#define ROOT_CELLS (1u << ROOT_BITS)
#define NODE_CELLS 256u

struct trie {
	uint32_t *root;
	uint32_t (*node)[NODE_CELLS];
	uint32_t nodes, room;
};

struct ps_fib {
	struct trie v4, v6;
	const struct ps_adjacency *adjacency;
	const struct ps_hosts *hosts;
	uint32_t ifaces;
	uint16_t glean[PS_MAX_IFACES];
};

static inline uint16_t
trie_lookup(const struct trie *t, const uint8_t *key)
{
	uint32_t cell = t->root[(uint32_t)key[0] << 8 | key[1]];

	for (key += 2; cell & NODE; key++)
		cell = t->node[cell & ~NODE][*key];
	return (uint16_t)cell;
}

/* A destination on link goes to its own adjacency once main has made one. */
static inline uint16_t
host_of(const struct ps_fib *fib, uint16_t index, const struct ps_addr *dst)
{
	const struct ps_adjacency *a = &fib->adjacency[index];
	uint16_t host;

	if (index == 0 || atomic_load_explicit(&a->state, memory_order_relaxed) != PS_ADJ_GLEAN)
		return index;
	host = ps_hosts_find(fib->hosts, a->port, a->vlan, dst);
	return host != 0 ? host : index;
}

uint16_t
ps_fib_lookup4(const struct ps_fib *fib, uint32_t dst_be)
{
	struct ps_addr dst = ps_addr_from_v4(dst_be);

	return host_of(fib, trie_lookup(&fib->v4, dst.b + 12), &dst);
}

uint16_t
ps_fib_lookup6(const struct ps_fib *fib, const uint8_t dst[16])
{
	struct ps_addr addr;

	memcpy(addr.b, dst, sizeof(addr.b));
	return host_of(fib, trie_lookup(&fib->v6, dst), &addr);
}

uint16_t
ps_fib_link(const struct ps_fib *fib, uint32_t iface, const struct ps_addr *dst)
{
	return iface < fib->ifaces ? host_of(fib, fib->glean[iface], dst) : 0;
}

static int
trie_init(struct trie *t)
{
	t->root = calloc(ROOT_CELLS, sizeof(*t->root));
	return t->root == NULL ? -ENOMEM : 0;
}

/* The node behind a cell, made when the cell is a leaf. Returns its number or -ENOMEM. */
static int64_t
trie_descend(struct trie *t, uint32_t *cell)
{
	uint32_t i, leaf = *cell;

	if (leaf & NODE)
		return leaf & ~NODE;
	if (t->nodes == t->room) {
		uint32_t room = t->room ? t->room * 2 : 16;
		void *grown = realloc(t->node, room * sizeof(*t->node));

		if (grown == NULL)
			return -ENOMEM;
		/* cell may lie in the array that has just moved */
		if ((uint8_t *)cell >= (uint8_t *)t->node && (uint8_t *)cell < (uint8_t *)(t->node + t->nodes))
			cell = (uint32_t *)((uint8_t *)grown + ((uint8_t *)cell - (uint8_t *)t->node));
		t->node = grown;
		t->room = room;
	}
	for (i = 0; i < NODE_CELLS; i++)
		t->node[t->nodes][i] = leaf;
	*cell = NODE | t->nodes;
	return t->nodes++;
}

static int
trie_insert(struct trie *t, const uint8_t *key, uint32_t length, uint16_t value)
{
	uint32_t index = (uint32_t)key[0] << 8 | key[1], depth = ROOT_BITS, span, i;
	uint32_t *cells = t->root;

	for (key += 2; length > depth; key++, depth += 8) {
		int64_t node = trie_descend(t, &cells[index]);

		if (node < 0)
			return (int)node;
		cells = t->node[node];
		index = *key;
	}
	span = 1u << (depth - length);
	index &= ~(span - 1);
	for (i = 0; i < span; i++)
		cells[index + i] = value;
	return 0;
}

static int
compare_prefix(const struct ps_fib_entry *a, const struct ps_fib_entry *b)
{
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	if (a->v6 != b->v6)
		return a->v6 ? 1 : -1;
	return memcmp(a->prefix.b, b->prefix.b, sizeof(a->prefix.b));
}

static int
shorter_first(const void *pa, const void *pb)
{
	const struct ps_fib_entry *a = pa, *b = pb;
	int rc = compare_prefix(a, b);

	return rc != 0 ? rc : (a->order > b->order) - (a->order < b->order);
}

int
ps_fib_build(struct ps_fib **out, struct ps_fib_entry *entries, uint32_t length,
	     const struct ps_adjacency *adjacency, const struct ps_hosts *hosts,
	     const uint16_t *glean, uint32_t ifaces)
{
	struct ps_fib *fib = calloc(1, sizeof(*fib));
	int rc = -ENOMEM;
	uint32_t i;

	if (fib == NULL)
		return -ENOMEM;
	if (trie_init(&fib->v4) < 0 || trie_init(&fib->v6) < 0)
		goto fail;
	fib->adjacency = adjacency;
	fib->hosts = hosts;
	fib->ifaces = ifaces;
	for (i = 0; i < ifaces; i++)
		fib->glean[i] = glean[i];
	for (i = 0; i < length; i++)
		entries[i].order = i;
	if (length > 1)
		qsort(entries, length, sizeof(*entries), shorter_first);
	for (i = 0; i < length; i++) {
		const struct ps_fib_entry *e = &entries[i];

		if (i > 0 && compare_prefix(e, e - 1) == 0)
			continue;
		if (e->length > (e->v6 ? 128 : 32)) {
			rc = -EINVAL;
			goto fail;
		}
		rc = e->v6 ? trie_insert(&fib->v6, e->prefix.b, e->length, e->adjacency)
			   : trie_insert(&fib->v4, e->prefix.b + 12, e->length, e->adjacency);
		if (rc < 0)
			goto fail;
	}
	*out = fib;
	return 0;
fail:
	ps_fib_free(fib);
	return rc;
}

void
ps_fib_free(struct ps_fib *fib)
{
	if (fib == NULL)
		return;
	free(fib->v4.root);
	free(fib->v4.node);
	free(fib->v6.root);
	free(fib->v6.node);
	free(fib);
}

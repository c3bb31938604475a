/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash over links that live in what is indexed. Several things may have one hash; who asks compares.
 * Grows by doubling, never shrinks. Not thread-safe.
 */
#ifndef PS_MANIFEST_INDEX_H
#define PS_MANIFEST_INDEX_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

struct ps_link {
	struct ps_link *next;
	uint64_t hash;
};

struct ps_index {
	struct ps_link **bucket;
	uint32_t buckets; /* power of two, or 0 */
	uint32_t length;
};

static inline struct ps_link *
ps_index_next(struct ps_link *link, uint64_t hash)
{
	while (link != NULL && link->hash != hash)
		link = link->next;
	return link;
}

/* First link with this hash; go on with ps_index_next(link->next, hash). */
static inline struct ps_link *
ps_index_first(const struct ps_index *index, uint64_t hash)
{
	return index->buckets == 0 ? NULL : ps_index_next(index->bucket[hash & (index->buckets - 1)], hash);
}

static inline int
ps_index_grow(struct ps_index *index)
{
	uint32_t buckets = index->buckets ? index->buckets * 2 : 64, i;
	struct ps_link **bucket = calloc(buckets, sizeof(struct ps_link *)), *link, *next;

	if (bucket == NULL)
		return -ENOMEM;
	for (i = 0; i < index->buckets; i++) {
		for (link = index->bucket[i]; link != NULL; link = next) {
			next = link->next;
			link->next = bucket[link->hash & (buckets - 1)];
			bucket[link->hash & (buckets - 1)] = link;
		}
	}
	free(index->bucket);
	index->bucket = bucket;
	index->buckets = buckets;
	return 0;
}

static inline int
ps_index_insert(struct ps_index *index, struct ps_link *link, uint64_t hash)
{
	struct ps_link **head;

	if (index->length >= index->buckets && ps_index_grow(index) != 0 && index->buckets == 0)
		return -ENOMEM;
	head = &index->bucket[hash & (index->buckets - 1)];
	link->hash = hash;
	link->next = *head;
	*head = link;
	index->length++;
	return 0;
}

static inline void
ps_index_remove(struct ps_index *index, struct ps_link *link)
{
	struct ps_link **at = &index->bucket[link->hash & (index->buckets - 1)];

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	index->length--;
}

#endif

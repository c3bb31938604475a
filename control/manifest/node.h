/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document as a tree of nodes that know their place. Libyaml's events become nodes, with
 * anchors, aliases and merge keys carried out; what a scalar means is left to the
 * one who asks for it.
 *
 *   spec:            map "spec"
 *     ports:           list "ports"  --first--> map --next--> map
 *     - port: 80                                 |
 *     - port: 81                                 first: scalar "80", key "port"
 */
#ifndef PS_MANIFEST_NODE_H
#define PS_MANIFEST_NODE_H

#include "control/manifest/arena.h"
#include "control/manifest/source.h"

enum ps_node_type { PS_NODE_SCALAR, PS_NODE_MAP, PS_NODE_LIST };

struct ps_node {
	struct ps_node *next;         /* in its map or list */
	struct ps_node *first, *last; /* its own children; an alias shares those of its anchor */
	const char *key;              /* of a map's child, else NULL */
	const char *text;             /* of a scalar, NUL-terminated */
	uint32_t key_size;
	uint32_t size;                /* bytes of text */
	uint32_t length;              /* children */
	uint32_t weight;              /* nodes below and including this one, aliases expanded */
	struct ps_place key_place;    /* line 0: no key */
	struct ps_place place;
	uint8_t type;                 /* enum ps_node_type */
	uint8_t height;               /* levels below, 0 for a scalar */
	bool plain;                   /* scalar without quotes: may be null, a number or a boolean */
	bool duplicate;               /* a map here or below has a key twice; said already */
};

/* What a plain scalar stands for. */
enum ps_meaning { PS_MEANS_NULL, PS_MEANS_BOOLEAN, PS_MEANS_INTEGER, PS_MEANS_FLOAT, PS_MEANS_STRING };
enum ps_meaning ps_node_meaning(const struct ps_node *node);

/* Child of a map; NULL when absent or null (node may be NULL or no map). */
const struct ps_node *ps_node_get(const struct ps_node *node, const char *key);

/* Hash of what the tree says, whatever its places. */
uint64_t ps_node_digest(const struct ps_node *node, uint64_t seed);

/* Called for each document of a stream; root is good until it returns. Another return than 0 stops. */
typedef int (*ps_document_fn)(struct ps_node *root, void *context);

/*
 * Parses the size bytes at offset of source, whose first line has the number first_line. Errors are added
 * to diagnostics. Memory comes from arena, which is reset between documents.
 *
 * Returns 0; -EPROTO: syntax error, the documents before it have been given out; -ENOMEM; or what fn
 * returned.
 */
int ps_nodes_parse(struct ps_source *source, size_t offset, size_t size, uint32_t first_line,
		   struct ps_arena *arena, struct ps_diagnostics *diagnostics, ps_document_fn fn,
		   void *context);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* From a document's node tree to objects: head, kind, content. */
#ifndef PS_MANIFEST_LOAD_H
#define PS_MANIFEST_LOAD_H

#include "control/manifest/schema.h"

/* One object as read from a document, before it joins the set. */
struct ps_draft {
	struct ps_object object; /* strings and content in arena */
	struct ps_arena arena;   /* whoever takes the draft takes this */
	uint32_t errors;         /* 0: good */
	bool named;              /* kind, namespace and name are known, though it may have errors */
};

/* Called for each object; may take draft->arena (then it sets it to zero). Not 0 stops. */
typedef int (*ps_draft_fn)(struct ps_draft *draft, void *context);

struct ps_loader {
	struct ps_source *source;
	struct ps_diagnostics *diagnostics;
	bool strict;
	ps_draft_fn fn;
	void *context;
};

/*
 * A document: one object, a list of them, or nothing. Returns 0, -ENOMEM or what fn returned; a document that
 * is no object at all is given to fn as a draft with errors and no name.
 */
int ps_load_document(const struct ps_loader *loader, const struct ps_node *root);

#endif

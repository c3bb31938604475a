/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests that the command line names, read and resolved in this process. */
#ifndef PS_CLI_LOAD_H
#define PS_CLI_LOAD_H

#include "control/cli/command.h"
#include "control/resolve/resolve.h"

struct ps_loaded {
	struct ps_manifests *set;
	struct ps_resolver *resolver;
	const struct ps_model *model;      /* the resolver's */
	struct ps_diagnostics diagnostics; /* of reading and resolving, sorted */
};

/* By the options --filename, --strict, --adopt of the invocation. 0 or -ENOMEM; clear in both cases. */
int ps_loaded_make(struct ps_loaded *l, const struct ps_invocation *inv);
void ps_loaded_clear(struct ps_loaded *l);

#endif

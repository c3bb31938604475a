/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that `get` and `describe` know, as data: names, where the admin API has them, columns. */
#ifndef PS_CLI_KINDS_H
#define PS_CLI_KINDS_H

#include "control/cli/table.h"

struct ps_kind_view {
	const char *name;    /* plural, as in the admin API's path */
	const char *aliases; /* "service|svc" */
	const char *summary;
	const struct ps_column *columns;
	size_t columns_length;
	const char *key; /* path of what `-o name` prints, besides namespace */
	bool kubernetes; /* single objects can be asked for, with status */
	bool namespaced;
	bool single;                    /* no list: one object */
	void (*derive)(json_t *answer); /* adds computed members to the items, for tables; NULL: none */
};

extern const struct ps_kind_view ps_kind_views[];
extern const size_t ps_kind_views_length;

/* By name or alias; NULL. */
const struct ps_kind_view *ps_kind_view_find(const char *name);

/* "gateways, routes, ..." for messages; static. */
const char *ps_kind_view_names(void);

/* Does the item bear this name? NAME, NS/NAME, or ADDR:PORT; services also without their port. */
bool ps_item_is(const struct ps_kind_view *view, json_t *item, const char *ns, const char *name);

#endif

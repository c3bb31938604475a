/* SPDX-License-Identifier: Apache-2.0 */
/* What commands that ask the running Penstock have in common. */
#ifndef PS_CLI_GET_H
#define PS_CLI_GET_H

#include "control/cli/client.h"
#include "control/cli/command.h"
#include "control/cli/kinds.h"
#include "control/cli/table.h"

/* Client for the invocation's runtime directory; NULL after having said why. */
struct ps_client *ps_client_open(const struct ps_invocation *inv);

/* Says what went wrong and turns the client's -errno into an exit code. */
enum ps_cli_status ps_client_status(const struct ps_client *c, int rc);

void ps_print_json(FILE *out, json_t *value);

/* From the invocation's options and the terminal. */
struct ps_table_style ps_style(const struct ps_invocation *inv);

/* Splits [NS/]NAME; --namespace counts when the name has none, else "default". name points into text. */
void ps_name_split(
	const struct ps_invocation *inv, const char *text, char *ns, size_t ns_size, const char **name);

/* One object as Kubernetes shows it. Routes are looked for under both their kinds. As ps_client_get. */
int ps_object_fetch(struct ps_client *c, const struct ps_kind_view *view, const char *ns, const char *name,
	json_t **object);

/* The list, filtered by those of the invocation's options that the kind understands. As ps_client_get. */
int ps_list_fetch(struct ps_client *c, const struct ps_invocation *inv, const struct ps_kind_view *view,
	json_t **answer);

/* Drops items of other names and namespaces; either may be NULL. Returns how many are left. */
size_t ps_items_keep(const struct ps_kind_view *view, json_t *items, const char *ns, const char *name);

#endif

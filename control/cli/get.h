/* SPDX-License-Identifier: Apache-2.0 */
/* What commands that ask the running Penstock have in common. */
#ifndef PS_CLI_GET_H
#define PS_CLI_GET_H

#include "control/cli/client.h"
#include "control/cli/command.h"
#include "control/cli/table.h"

/* Client for the invocation's runtime directory; NULL after having said why. */
struct ps_client *ps_client_open(const struct ps_invocation *inv);

/* Says what went wrong and turns the client's -errno into an exit code. */
enum ps_cli_status ps_client_status(const struct ps_client *c, int rc);

void ps_print_json(FILE *out, json_t *value);

/* From the invocation's options and the terminal. */
struct ps_table_style ps_style(const struct ps_invocation *inv);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The commands' functions; each prints its own errors and returns the program's exit code. */
#ifndef PS_CLI_VERBS_H
#define PS_CLI_VERBS_H

#include "control/cli/command.h"

enum ps_cli_status ps_cmd_run(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_check(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_diff(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_reload(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_drain(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_get(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_describe(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_stats(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_top(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_trace(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_explain(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_fields(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_version(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_completion(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_help(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_gen_man(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_gen_reference(const struct ps_invocation *inv);
enum ps_cli_status ps_cmd_complete_names(const struct ps_invocation *inv);

#endif

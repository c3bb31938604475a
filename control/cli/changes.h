/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two configurations of the shape of the admin API's /v1/config. Pure. */
#ifndef PS_CLI_CHANGES_H
#define PS_CLI_CHANGES_H

#include <jansson.h>

/*
 * [{"change": "added"|"removed"|"changed", "kind": "listener"|"service"|"endpoint", "name", "details":
 * ["mode: fullnat -> dnat"]}], listeners first, then services each with its endpoints, by name. Endpoints
 * that only drain are not compared: they leave by themselves.
 */
json_t *ps_changes(json_t *before, json_t *after);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values written as YAML. */
#ifndef PS_CLI_YAML_OUT_H
#define PS_CLI_YAML_OUT_H

#include <jansson.h>
#include <stdio.h>

/* One document in block style. Returns 0 or -EIO. */
int ps_yaml_write(FILE *out, json_t *value);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The two halves of GET /metrics. */
#ifndef PS_DAEMON_METRICS_H
#define PS_DAEMON_METRICS_H

#include "control/daemon/exposition.h"
#include "control/daemon/request.h"

/* Adds services and endpoints in turns of the event loop, and answers. exposition->out is given away. */
void ps_metrics_many(struct ps_request *request, struct ps_exposition *exposition);

#endif

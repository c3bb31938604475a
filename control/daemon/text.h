/* SPDX-License-Identifier: Apache-2.0 */
/* How penstockd writes addresses, times and enumerations; and reads addresses. Pure. */
#ifndef PS_DAEMON_TEXT_H
#define PS_DAEMON_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "dataplane/api/abi.h"

#define PS_ADDRESS_TEXT 64 /* bytes, enough for every address with its port */

/* "10.0.0.1", "2001:db8::1". Returns text. */
const char *ps_ip_text(char *text, size_t size, const struct ps_addr *addr);
/* "10.0.0.1:80", "[2001:db8::1]:80". port in network order. Returns text. */
const char *ps_address_text(char *text, size_t size, const struct ps_addr *addr, uint16_t port);

/* "ADDR", "ADDR:PORT" or "[ADDR]:PORT"; *port (network order) is 0 when not given. 0 or -EINVAL. */
int ps_address_parse(const char *text, struct ps_addr *addr, uint16_t *port);

/* RFC 3339, UTC, milliseconds; JSON null for 0. ns: CLOCK_REALTIME. */
json_t *ps_time_json(uint64_t ns);

const char *ps_reason_name(uint32_t reason);     /* enum ps_health_reason: "no-neighbour" */
const char *ps_mode_name(uint32_t mode);         /* enum ps_mode: "fullnat" */
const char *ps_proto_name(uint8_t proto);        /* "tcp", "udp", "icmp", "icmp6", "other" */
int ps_proto_parse(const char *text, uint8_t *proto); /* -EINVAL */
const char *ps_flow_state_name(uint32_t state);  /* enum ps_flow_state: "fin-client" */
int ps_flow_state_parse(const char *text);       /* -EINVAL */
const char *ps_port_kind_name(uint32_t kind);    /* enum ps_port_kind: "afPacket" */

/*
 * Does a filter "NS/NAME", "NS/NAME:PORT" or a whole name select the service called name? A filter selects every
 * name that continues it with ':' or '/'. NULL selects all.
 */
bool ps_service_selected(const char *filter, const char *name);

#endif

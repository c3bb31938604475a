/* SPDX-License-Identifier: Apache-2.0 */
/* The first bytes of a frame in one line, for `penstock trace`. Pure. */
#ifndef PS_CLI_DECODE_H
#define PS_CLI_DECODE_H

#include <stddef.h>
#include <stdint.h>

/*
 * "02:..:01 > 02:..:02 IPv4 10.1.2.3:4567 > 198.51.100.10:443 TCP [S] ttl 64", tunnels and the packet inside
 * ICMP errors included. Reads nothing beyond size bytes; what is missing ends with "...". Returns text.
 */
char *ps_decode_frame(const uint8_t *frame, size_t size, char *text, size_t text_size);

/* Hexadecimal digits into bytes. Returns how many. */
size_t ps_decode_hex(const char *hex, uint8_t *bytes, size_t size);

#endif

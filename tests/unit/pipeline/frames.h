/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and a worker without EAL, for tests of single stages. */
#ifndef TESTS_PIPELINE_FRAMES_H
#define TESTS_PIPELINE_FRAMES_H

#include "dataplane/pipeline/worker.h"

#define FRAME_ROOM 2048u

/* An mbuf of one segment in static memory; valid until the next call. size bytes at frame. */
struct rte_mbuf *frame_mbuf(const void *frame, uint32_t size);

/* A worker with one port (MAC 02:00:00:00:00:01), untagged interface 0 and VLAN 100 as interface 1. */
struct ps_worker *frame_worker(void);

/* Bytes from hex digits; blanks are skipped. Returns their number. */
uint32_t frame_hex(uint8_t *out, const char *hex);

/* Right IPv4 header checksum at ip. */
void frame_ipv4_checksum(uint8_t *ip);

#endif

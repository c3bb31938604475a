/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of segments received (RFC 9293 3.2). A length that leads nowhere condemns the segment; a known option
 * of a length that is not its own is passed over, as an unknown one is.
 */
#include "dataplane/tcp/internal.h"

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int
ps_options_parse(struct ps_tcp_options *o, const struct ps_tcp_segment *g)
{
	const uint8_t *p = g->options;
	uint32_t at = 0, i, size, end = ps_least(g->options_size, PS_TCP_OPTIONS_SIZE);
	bool syn = (g->flags & PS_TCP_SYN) != 0;

	memset(o, 0, sizeof(*o));
	while (at < end) {
		if (p[at] == 0)
			return 0;
		if (p[at] == 1) {
			at++;
			continue;
		}
		if (at + 1 >= end || p[at + 1] < 2 || at + p[at + 1] > end)
			return -EBADMSG;
		size = p[at + 1];
		switch (p[at]) {
		case 2:
			if (size == 4 && syn) {
				o->has_mss = true;
				o->mss = (uint16_t)(p[at + 2] << 8 | p[at + 3]);
			}
			break;
		case 3: /* RFC 7323 2.3: more than 14 means 14 */
			if (size == 3 && syn) {
				o->has_scale = true;
				o->scale = (uint8_t)ps_least(p[at + 2], 14);
			}
			break;
		case 4:
			if (size == 2 && syn)
				o->sack_ok = true;
			break;
		case 5:
			if (!syn && size >= 10 && size <= 34 && (size - 2) % 8 == 0) {
				o->sacks = (uint8_t)((size - 2) / 8);
				for (i = 0; i < o->sacks; i++) {
					o->sack[i].start = get32(p + at + 2 + 8 * i);
					o->sack[i].end = get32(p + at + 6 + 8 * i);
				}
			}
			break;
		case 8:
			if (size == 10) {
				o->has_ts = true;
				o->tsval = get32(p + at + 2);
				o->tsecr = get32(p + at + 6);
			}
			break;
		case 28: /* RFC 5482 3: granularity bit, then minutes or seconds; 0 is reserved */
			if (size == 4) {
				i = (uint32_t)(p[at + 2] << 8 | p[at + 3]);
				o->timeout_ms = (i & 0x7fffu) * (i & 0x8000u ? 60000u : 1000u);
				o->has_timeout = o->timeout_ms != 0;
			}
			break;
		default:
			break;
		}
		at += size;
	}
	return 0;
}

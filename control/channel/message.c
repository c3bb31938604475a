/* SPDX-License-Identifier: Apache-2.0 */
/* What penstockd accepts from a dataplane, byte by byte. Pure functions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/channel/attach.h"

int
ps_event_check(struct ps_message *e, char *why, size_t why_size)
{
	switch (e->type) {
	case PS_EVENT_APPLIED:
	case PS_EVENT_REJECTED:
		e->applied.text[sizeof(e->applied.text) - 1] = '\0';
		if (e->applied.generation == 0) {
			snprintf(why, why_size, "answer about generation 0");
			return -EPROTO;
		}
		return 0;
	case PS_EVENT_HEALTH:
		if (e->health.slot == PS_NONE || e->health.down > 1) {
			snprintf(why, why_size, "health event about slot %u, down %u", e->health.slot,
				e->health.down);
			return -EPROTO;
		}
		return 0;
	case PS_EVENT_TRACE:
		e->step.stage[sizeof(e->step.stage) - 1] = '\0';
		if (e->step.head_size > sizeof(e->step.head)) {
			snprintf(why, why_size, "trace step with %u bytes of frame, at most %zu fit",
				e->step.head_size, sizeof(e->step.head));
			return -EPROTO;
		}
		return 0;
	case PS_EVENT_REPLY:
	case PS_EVENT_LOG:
		e->text[sizeof(e->text) - 1] = '\0';
		return 0;
	default:
		snprintf(why, why_size, "event of unknown type %u", e->type);
		return -EPROTO;
	}
}

int
ps_hello_check(const void *bytes, size_t size, struct ps_socket_message *hello, char *why, size_t why_size)
{
	if (size != sizeof(*hello)) {
		snprintf(why, why_size, "message of %zu bytes, expected %zu", size, sizeof(*hello));
		return -EPROTO;
	}
	memcpy(hello, bytes, sizeof(*hello));
	hello->text[sizeof(hello->text) - 1] = '\0';
	/* ABI before type: another ABI may number its types otherwise. */
	if (hello->abi != PS_ABI) {
		snprintf(why, why_size, "dataplane speaks ABI %u, this penstockd speaks %u: run both of one release",
			hello->abi, PS_ABI);
		return -EPROTO;
	}
	if (hello->type != PS_SOCKET_HELLO && hello->type != PS_SOCKET_NUDGE) {
		snprintf(why, why_size, "message of type %u, expected HELLO or NUDGE", hello->type);
		return -EPROTO;
	}
	return 0;
}

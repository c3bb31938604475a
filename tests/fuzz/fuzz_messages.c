/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from a peer that wants to be believed. The first byte chooses what the rest is:
 *   0  one event from the ring          1  one message from the socket
 *   2  a channel memfd's first bytes, written by the peer while both ends use it
 *   3  the head of a counters file      4  the head of a flow file, then records
 *   5  the head of a state file         6  the head of a slot file
 * Whatever is accepted is used as penstockd uses it.
 */
#include <stdlib.h>

#include "control/channel/attach.h"
#include "control/channel/slot_file.h"
#include "control/daemon/counters_map.h"
#include "control/daemon/flows_map.h"
#include "dataplane/api/channel_ring.h"

static volatile uint64_t sink;

static void
one_event(const uint8_t *data, size_t size)
{
	struct ps_message m = {0};
	char why[128];
	uint32_t i;

	memcpy(&m, data, size < sizeof(m) ? size : sizeof(m));
	if (ps_event_check(&m, why, sizeof(why)) != 0)
		return;
	switch (m.type) {
	case PS_EVENT_TRACE:
		for (i = 0; i < m.step.head_size; i++)
			sink += m.step.head[i];
		sink += strlen(m.step.stage);
		break;
	case PS_EVENT_APPLIED:
	case PS_EVENT_REJECTED:
		sink += strlen(m.applied.text);
		break;
	case PS_EVENT_REPLY:
	case PS_EVENT_LOG:
		sink += strlen(m.text);
		break;
	default:
		break;
	}
}

static void
one_socket_message(const uint8_t *data, size_t size)
{
	struct ps_socket_message m;
	char why[128];

	if (ps_hello_check(data, size, &m, why, sizeof(why)) == 0)
		sink += strlen(m.text) + m.value;
}

/* Four bytes each: where (of the two ring headers), and what; after each, both ends send and receive. */
static void
hostile_channel(const uint8_t *data, size_t size)
{
	static uint8_t *memory;
	struct ps_channel_view a, b;
	struct ps_message m = {.type = PS_EVENT_LOG};
	int rc;

	if (memory == NULL) {
		memory = aligned_alloc(4096, PS_CHANNEL_SIZE);
		if (memory == NULL)
			abort();
		memset(memory, 0, PS_CHANNEL_SIZE);
	}
	ps_channel_format(&a, memory, 7);
	ps_channel_view_init(&b, memory, 7);
	for (; size >= 4; data += 4, size -= 4) {
		uint32_t ring = data[0] & 1 ? PS_CHANNEL_COMMAND_OFFSET : PS_CHANNEL_EVENT_OFFSET;
		uint32_t at = ((uint32_t)data[1] << 2) % PS_CHANNEL_RING_HEADER;
		uint32_t value = data[2] | (uint32_t)data[3] << 8;

		if (data[0] & 2)
			value = 0u - value;
		if (data[0] & 4)
			memcpy(memory + ring + at, &value, sizeof(value));
		rc = ps_ring_send(&a.commands, &m);
		if (rc != 0 && rc != -ENOBUFS && rc != -EPROTO)
			abort();
		rc = ps_ring_receive(&b.commands, &m);
		if (rc != 0 && rc != 1 && rc != -EPROTO)
			abort();
		ps_ring_send(&b.events, &m);
		ps_ring_receive(&a.events, &m);
		m.type = PS_EVENT_LOG;
	}
}

/* size bytes at the head of a zeroed area of `whole` bytes. */
static void *
area(const uint8_t *data, size_t size, size_t whole)
{
	uint8_t *p = aligned_alloc(64, (whole + 63) & ~(size_t)63);

	if (p == NULL)
		abort();
	memset(p, 0, whole);
	memcpy(p, data, size < whole ? size : whole);
	return p;
}

static void
counters(const uint8_t *data, size_t size)
{
	size_t whole = PS_COUNTERS_HEADER_SIZE + 65536;
	struct ps_counters *c = area(data, size, whole);
	struct ps_counters_map m = {0};

	c->magic = PS_COUNTERS_MAGIC;
	c->abi = PS_ABI;
	c->size = whole;
	if (ps_counters_validate(c, whole) == 0) {
		m.shared = c;
		m.workers = c->workers;
		m.service_slots = c->service_slots;
		m.endpoint_slots = c->endpoint_slots;
		m.service = (const void *)((const uint8_t *)c + c->service_offset);
		m.endpoint = (const void *)((const uint8_t *)c + c->endpoint_offset);
		if (m.service_slots != 0)
			sink += ps_counters_service(&m, m.service_slots - 1).rejected;
		if (m.endpoint_slots != 0)
			sink += ps_counters_endpoint(&m, m.endpoint_slots - 1).packets_out;
	}
	free(c);
}

static void
flows(const uint8_t *data, size_t size)
{
	size_t whole = 4096 + 32 * sizeof(struct ps_flow6);
	uint32_t family = size != 0 && (data[0] & 1) ? 6 : 4, i;
	struct ps_flows_header *h = area(data, size, whole);
	struct ps_flow_copy copy;
	struct ps_flows_map m;

	h->magic = PS_FLOWS_MAGIC;
	h->abi = PS_ABI;
	h->family = family;
	h->record_size = family == 4 ? sizeof(struct ps_flow4) : sizeof(struct ps_flow6);
	if (ps_flows_validate(h, whole, family) == 0) {
		m = (struct ps_flows_map){.base = (const uint8_t *)h, .size = whole, .records = (const uint8_t *)h + h->records_offset,
			.capacity = h->capacity, .record_size = h->record_size, .v6 = family == 6};
		for (i = 0; i < m.capacity; i++)
			if (ps_flow_read(&m, i, &copy))
				sink += copy.client_port + copy.head.service_slot;
	}
	free(h);
}

static void
state(const uint8_t *data, size_t size)
{
	size_t whole = PS_STATE_HEADER_SIZE + 4096 + 16 * sizeof(struct ps_state_endpoint);
	struct ps_state_header *h = area(data, size, whole);
	char why[160];
	uint32_t i;

	h->magic = PS_STATE_MAGIC;
	h->abi = PS_ABI;
	if (ps_state_validate(h, whole, h->boot_id, why, sizeof(why)) == 0)
		for (i = 0; i < h->slots; i++)
			sink += ps_state_verdicts(h)[i].word + ps_state_endpoints(h)[i].id;
	free(h);
}

static void
slots(const uint8_t *data, size_t size)
{
	size_t whole = ps_slots_size(8, 4);
	struct ps_slots_header *h = area(data, size, whole);
	char why[160];
	uint32_t i;

	h->magic = PS_SLOTS_MAGIC;
	h->abi = PS_ABI;
	if (ps_slots_validate(h, whole, h->boot_id, why, sizeof(why)) == 0) {
		for (i = 0; i < h->endpoint_slots; i++)
			sink += ps_slots_rows(h)[i].service_id;
		for (i = 0; i < h->service_slots; i++)
			sink += ps_slots_services(h)[i].id;
	}
	free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const uint8_t *, size_t) = {
		one_event, one_socket_message, hostile_channel, counters, flows, state, slots};

	if (size != 0)
		targets[data[0] % (sizeof(targets) / sizeof(*targets))](data + 1, size - 1);
	return 0;
}

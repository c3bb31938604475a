/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots from a peer that wants to be believed. The first byte chooses: the rest is an arena of its own, or a list
 * of patches (position, width, value) to a valid one. Size and digest are put right, and whatever is accepted is
 * read as workers read it.
 */
#include <stdlib.h>
#include <string.h>

#include "policies/listener/lookup.h"
#include "policies/maglev/lookup.h"
#include "tests/support/arena.h"

static struct arena_image valid;
static volatile uint64_t sink;

static void
make_valid(void)
{
	struct arena a;
	struct ps_listener *l;
	struct ps_range *r;

	arena_init(&a);
	arena_port(&a, "wan", PS_PORT_NULL, "", "192.0.2.1", 24);
	arena_service(&a, "203.0.113.1", 80, 6, "198.51.100.10", 3, 8080);
	arena_service(&a, "2001:db8::1", 53, 17, "2001:db8:1::10", 2, 53);
	r = arena_add(&a, PS_SEC_RANGE);
	r->first = arena_addr("10.0.0.0");
	r->last = arena_addr("10.0.0.9");
	l = (struct ps_listener *)a.section[PS_SEC_LISTENER];
	l[0].ranges = 1;
	arena_finish(&a, &valid, 3);
	arena_free(&a);
}

static void
use(const struct ps_snapshot *s, const void *const *blob)
{
	const struct ps_listener *listener = ps_snapshot_item(s, PS_SEC_LISTENER, 0);
	const struct ps_service *service = ps_snapshot_item(s, PS_SEC_SERVICE, 0);
	const struct ps_endpoint *endpoint = ps_snapshot_item(s, PS_SEC_ENDPOINT, 0);
	const struct ps_table *table = ps_snapshot_item(s, PS_SEC_TABLE, 0);
	const struct ps_range *range = ps_snapshot_item(s, PS_SEC_RANGE, 0);
	const uint32_t *index = ps_snapshot_item(s, PS_SEC_LISTENER_INDEX, 0);
	struct ps_state_verdict *verdict = calloc(s->max_endpoint_slot + 1, sizeof(*verdict));

	for (uint32_t i = 0; verdict != NULL && i < ps_snapshot_length(s, PS_SEC_LISTENER); i++) {
		const struct ps_listener *l = &listener[i];
		uint32_t found = ps_listener_find(listener, index, ps_snapshot_length(s, PS_SEC_LISTENER_INDEX) - 1,
						  &l->addr, l->port, l->proto);
		const struct ps_service *sv;

		if (found != i)
			abort();
		sink += strlen(ps_snapshot_string(s, l->name)) + ps_listener_admits(l, range, &l->addr);
		if (l->service == PS_NONE)
			continue;
		sv = &service[l->service];
		sink += strlen(ps_snapshot_string(s, sv->name));
		for (uint32_t e = 0; e < sv->endpoints; e++)
			sink += strlen(ps_snapshot_string(s, endpoint[sv->first_endpoint + e].name));
		if (sv->table == PS_NONE)
			continue;
		const struct ps_table *t = &table[sv->table];
		const uint16_t *entries = (const uint16_t *)((const uint8_t *)blob[t->blob] + t->offset);

		if (ps_table_validate(entries, t->size, t->endpoints))
			sink += ps_maglev_choose(entries, t->size, endpoint + sv->first_endpoint, sv->balanced, verdict,
						 sv->flags, s->digest);
	}
	free(verdict);
}

static void
patch(struct arena_image *image, const uint8_t *data, size_t size)
{
	for (; size >= 12; data += 12, size -= 12) {
		uint32_t at;
		uint8_t width = data[11] % 8 + 1;

		memcpy(&at, data, sizeof(at));
		at %= (uint32_t)image->size;
		if (at + width <= image->size)
			memcpy(image->bytes + at, data + 4, width);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena_image image = {.blob = valid.blob, .blob_size = valid.blob_size};
	const void *blob[1];
	struct ps_snapshot *s;
	char why[128];

	if (valid.bytes == NULL)
		make_valid();
	image.blob = valid.blob;
	image.blob_size = valid.blob_size;
	if (size < 1)
		return 0;
	image.size = data[0] & 1 ? size - 1 : valid.size;
	if (posix_memalign((void **)&image.bytes, 64, image.size + 1) != 0)
		return 0;
	if (data[0] & 1) {
		memcpy(image.bytes, data + 1, size - 1);
	} else {
		memcpy(image.bytes, valid.bytes, valid.size);
		patch(&image, data + 1, size - 1);
	}
	if (image.size >= PS_SNAPSHOT_HEADER_SIZE) {
		s = (struct ps_snapshot *)image.bytes;
		s->size = image.size;
		arena_seal(&image);
		blob[0] = image.blob;
		if (arena_validate(&image, why, sizeof(why)) == 0)
			use(s, blob);
	} else {
		arena_validate(&image, why, sizeof(why));
	}
	ps_blob_validate(data, size, why, sizeof(why));
	free(image.bytes);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small things that every pass needs: memory, age, addresses, grants.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/resolve/internal.h"
#include "dataplane/api/digest.h"
#include "policies/listener/lookup.h"

void *
ps_take(struct ps_resolver *r, struct ps_arena *arena, size_t size)
{
	void *p = ps_arena_alloc(arena, size != 0 ? size : 1);

	if (p == NULL)
		r->failed = true;
	return p;
}

char *
ps_take_text(struct ps_resolver *r, struct ps_arena *arena, const char *fmt, ...)
{
	char buffer[1024], *copy;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(buffer, sizeof(buffer), fmt, args);
	va_end(args);
	if (n >= (int)sizeof(buffer))
		n = (int)sizeof(buffer) - 1;
	copy = n >= 0 ? ps_arena_copy(arena, buffer, (size_t)n) : NULL;
	if (copy == NULL)
		r->failed = true;
	return copy != NULL ? copy : (char *)"";
}

void
ps_without_effect(struct ps_resolver *r, struct ps_diagnostics *out, const struct ps_object *object,
	struct ps_place place, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (ps_object_diagnose(object, out, r->flags & PS_RESOLVE_STRICT ? PS_ERROR : PS_WARNING, place, "%s", text) != 0)
		r->failed = true;
}

/*
 * Gateway API: the oldest by creationTimestamp wins, then the first by namespace/name. Objects from files
 * often have no timestamp; those that came later are younger, so that adding an object never takes from one that is served.
 */
int
ps_object_age(const struct ps_object *a, const struct ps_object *b)
{
	int64_t x = a->created_s != 0 ? a->created_s : INT64_MAX, y = b->created_s != 0 ? b->created_s : INT64_MAX;
	int rc;

	if (a == b)
		return 0;
	if (x != y)
		return x < y ? -1 : 1;
	if (x == INT64_MAX && a->order != b->order)
		return a->order < b->order ? -1 : 1;
	rc = strcmp(a->ns, b->ns);
	if (rc == 0)
		rc = strcmp(a->name, b->name);
	if (rc == 0)
		rc = (int)a->kind - (int)b->kind;
	return rc;
}

uint64_t
ps_name_key(const char *ns, const char *name)
{
	return ps_digest(name, strlen(name), ps_digest(ns, strlen(ns), 0));
}

const char *
ps_addr_text(const struct ps_addr *addr, char text[static 48])
{
	if (ps_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->b + 12, text, 48);
	else
		inet_ntop(AF_INET6, addr->b, text, 48);
	return text;
}

bool
ps_addr_is_zero(const struct ps_addr *addr)
{
	static const struct ps_addr zero;

	return ps_addr_equal(addr, &zero);
}

bool
ps_addr_is_servable(const struct ps_addr *addr)
{
	const uint8_t *b = addr->b;

	if (ps_addr_is_v4(addr))
		return b[12] != 0 && b[12] != 127 && b[12] < 224 && !(b[12] == 169 && b[13] == 254);
	if (b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80))
		return false;
	return ps_digest_load(b) != 0 || ps_digest_load(b + 8) >> 56 > 1;
}

bool
ps_is_interface_address(const struct ps_model *model, const struct ps_addr *addr)
{
	uint32_t i;

	for (i = 0; i < model->addresses; i++)
		if (ps_addr_equal(&model->address[i].addr, addr))
			return true;
	return false;
}

bool
ps_has_gateway_addresses(const struct ps_dataplane_spec *spec, bool v6)
{
	uint32_t i;

	for (i = 0; i < spec->gateway_addresses.length; i++)
		if (ps_addr_is_v4(&spec->gateway_addresses.item[i].first) != v6)
			return true;
	return false;
}

bool
ps_in_gateway_addresses(const struct ps_dataplane_spec *spec, const struct ps_addr *addr)
{
	uint32_t i;

	for (i = 0; i < spec->gateway_addresses.length; i++) {
		const struct ps_ip_range *range = &spec->gateway_addresses.item[i];

		if (ps_addr_compare(addr, &range->first) >= 0 && ps_addr_compare(addr, &range->last) <= 0)
			return true;
	}
	return false;
}

static uint64_t
addr_low(const struct ps_addr *addr)
{
	return be64toh(ps_digest_load(addr->b + 8));
}

/* Addresses of a range, at most 2^32. */
static uint64_t
range_size(const struct ps_ip_range *range)
{
	uint64_t size;

	if (ps_digest_load(range->first.b) != ps_digest_load(range->last.b))
		return 1ull << 32;
	size = addr_low(&range->last) - addr_low(&range->first);
	return size < 1ull << 32 ? size + 1 : 1ull << 32;
}

int
ps_pool_assign(struct ps_resolver *r, uint64_t key, bool v6, struct ps_addr *addr)
{
	const struct ps_dataplane_spec *spec = r->model.spec;
	uint64_t total = 0, at, tries, low;
	uint32_t i;

	for (i = 0; i < spec->gateway_addresses.length; i++)
		if (ps_addr_is_v4(&spec->gateway_addresses.item[i].first) != v6)
			total += range_size(&spec->gateway_addresses.item[i]);
	if (total == 0)
		return -ENOSPC;
	at = ps_mix64(key ^ PS_DIGEST_K0, PS_DIGEST_K2) % total;
	for (tries = 0; tries < total && tries < 1u << 16; tries++, at = at + 1 == total ? 0 : at + 1) {
		uint64_t offset = at, id;

		for (i = 0;; i++) {
			if (ps_addr_is_v4(&spec->gateway_addresses.item[i].first) == v6)
				continue;
			if (offset < range_size(&spec->gateway_addresses.item[i]))
				break;
			offset -= range_size(&spec->gateway_addresses.item[i]);
		}
		*addr = spec->gateway_addresses.item[i].first;
		low = htobe64(addr_low(addr) + offset);
		memcpy(addr->b + 8, &low, 8);
		id = ps_digest(addr->b, 16, 0);
		if (!ps_addr_is_servable(addr) || ps_is_interface_address(&r->model, addr) ||
			ps_map_get(&r->pool_taken, id) != NULL)
			continue;
		if (ps_map_put(&r->pool_taken, id, r) != 0) {
			r->failed = true;
			return -ENOMEM;
		}
		return 0;
	}
	return -ENOSPC;
}

static bool
text_is(const struct ps_text *t, const char *s)
{
	return strcmp(t->s != NULL ? t->s : "", s) == 0;
}

bool
ps_grant_permits(const struct ps_manifests *set, const char *from_group, const char *from_kind, const char *from_ns,
	const char *to_group, const char *to_kind, const char *to_ns, const char *to_name)
{
	const struct ps_object *o;
	uint32_t i, j;

	if (strcmp(from_ns, to_ns) == 0)
		return true;
	for (o = ps_manifests_first(set, PS_KIND_REFERENCE_GRANT); o != NULL; o = ps_manifests_next(o)) {
		const struct ps_grant_spec *grant = o->grant;
		bool from = false;

		if (strcmp(o->ns, to_ns) != 0)
			continue;
		for (i = 0; i < grant->from.length && !from; i++)
			from = text_is(&grant->from.item[i].group, from_group) &&
			       text_is(&grant->from.item[i].kind, from_kind) && text_is(&grant->from.item[i].ns, from_ns);
		for (j = 0; j < grant->to.length && from; j++)
			if (text_is(&grant->to.item[j].group, to_group) && text_is(&grant->to.item[j].kind, to_kind) &&
				(grant->to.item[j].name.s == NULL || text_is(&grant->to.item[j].name, to_name)))
				return true;
	}
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of tables, endpoints, services, listeners and the listener index. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "dataplane/api/validate_internal.h"
#include "policies/listener/lookup.h"

static int
check_tables(const struct ps_check *c)
{
	const struct ps_table *table = PS_CHECK_ITEMS(c, PS_SEC_TABLE);

	for (uint32_t i = 0; i < c->length[PS_SEC_TABLE]; i++) {
		const struct ps_table *t = &table[i];
		uint64_t bytes = (uint64_t)t->size * sizeof(uint16_t), room;

		if (t->blob >= c->length[PS_SEC_BLOB])
			return ps_check_refuse(c, EINVAL, "table %u: blob %u beyond %u", i, t->blob, c->length[PS_SEC_BLOB]);
		room = c->blob_size[t->blob];
		if (t->offset % 64 != 0 || t->offset < sizeof(struct ps_blob) || t->offset > room ||
		    bytes > room - t->offset)
			return ps_check_refuse(c, EINVAL, "table %u: %u entries at %llu leave blob %u of %llu bytes", i,
				      t->size, (unsigned long long)t->offset, t->blob, (unsigned long long)room);
		if (t->endpoints == 0 || t->endpoints > UINT16_MAX || t->size < t->endpoints)
			return ps_check_refuse(c, EINVAL, "table %u: %u entries for %u endpoints", i, t->size,
				      t->endpoints);
	}
	return 0;
}

static int
check_endpoints(const struct ps_check *c)
{
	const struct ps_endpoint *endpoint = PS_CHECK_ITEMS(c, PS_SEC_ENDPOINT);
	uint32_t slots = c->s->max_endpoint_slot;

	for (uint32_t i = 0; i < c->length[PS_SEC_ENDPOINT]; i++) {
		const struct ps_endpoint *e = &endpoint[i];

		if (e->flags & ~(PS_ENDPOINT_F_DRAINING | PS_ENDPOINT_F_REJECT))
			return ps_check_refuse(c, EINVAL, "endpoint %u: unknown flags %x", i, e->flags);
		if (!ps_check_string(c, e->name))
			return ps_check_refuse(c, EINVAL, "endpoint %u: string outside the string section", i);
		if (e->flags & PS_ENDPOINT_F_REJECT) {
			if (e->slot != PS_NONE && e->slot >= slots)
				return ps_check_refuse(c, EINVAL, "endpoint %u: slot %u beyond %u", i, e->slot, slots);
			continue;
		}
		if (e->slot >= slots)
			return ps_check_refuse(c, EINVAL, "endpoint %u: slot %u beyond %u", i, e->slot, slots);
		if (e->port == 0)
			return ps_check_refuse(c, EINVAL, "endpoint %u: port 0", i);
		if (ps_check_addr_zero(&e->addr))
			return ps_check_refuse(c, EINVAL, "endpoint %u: unspecified address", i);
	}
	return 0;
}

/* The endpoints of one service: weights, and one address family. */
static int
check_service_endpoints(const struct ps_check *c, uint32_t i, const struct ps_service *sv)
{
	const struct ps_endpoint *endpoint = PS_CHECK_ITEMS(c, PS_SEC_ENDPOINT);
	int family = -1;

	endpoint += sv->first_endpoint;
	for (uint32_t e = 0; e < sv->endpoints; e++) {
		if (e < sv->balanced && endpoint[e].weight == 0)
			return ps_check_refuse(c, EINVAL, "service %u: endpoint %u is balanced with weight 0", i, e);
		if (endpoint[e].flags & PS_ENDPOINT_F_REJECT)
			continue;
		if (family < 0)
			family = ps_addr_is_v4(&endpoint[e].addr);
		else if (family != ps_addr_is_v4(&endpoint[e].addr))
			return ps_check_refuse(c, EINVAL, "service %u: endpoint %u is of another family than those before",
				      i, e);
	}
	return 0;
}

static int
check_services(const struct ps_check *c)
{
	const uint16_t known =
		PS_SERVICE_F_AFFINITY | PS_SERVICE_F_TOA | PS_SERVICE_F_EMPTY_DROP | PS_SERVICE_F_ALL_DOWN_OPEN;
	const struct ps_service *service = PS_CHECK_ITEMS(c, PS_SEC_SERVICE);
	const struct ps_table *table = PS_CHECK_ITEMS(c, PS_SEC_TABLE);
	uint64_t taken[PS_CHECK_SERVICE_SLOTS / 64]; /* 128 KiB: only main and penstockd's loop come here */
	uint32_t slots = c->s->max_service_slot;
	int rc;

	memset(taken, 0, ((size_t)slots + 63) / 64 * 8);
	for (uint32_t i = 0; i < c->length[PS_SEC_SERVICE]; i++) {
		const struct ps_service *sv = &service[i];

		if (!ps_check_string(c, sv->name))
			return ps_check_refuse(c, EINVAL, "service %u: string outside the string section", i);
		if (sv->slot >= slots)
			return ps_check_refuse(c, EINVAL, "service %u: slot %u beyond %u", i, sv->slot, slots);
		if (taken[sv->slot / 64] & (1ull << (sv->slot % 64)))
			return ps_check_refuse(c, EINVAL, "service %u: slot %u is taken twice", i, sv->slot);
		taken[sv->slot / 64] |= 1ull << (sv->slot % 64);
		if (!ps_check_run(sv->first_endpoint, sv->endpoints, c->length[PS_SEC_ENDPOINT]))
			return ps_check_refuse(c, EINVAL, "service %u: endpoints %u+%u beyond %u", i, sv->first_endpoint,
				      sv->endpoints, c->length[PS_SEC_ENDPOINT]);
		if (sv->balanced > sv->endpoints)
			return ps_check_refuse(c, EINVAL, "service %u: %u of %u endpoints balanced", i, sv->balanced,
				      sv->endpoints);
		if (sv->balanced == 0 ? sv->table != PS_NONE : sv->table >= c->length[PS_SEC_TABLE])
			return ps_check_refuse(c, EINVAL, "service %u: table %u with %u balanced endpoints and %u tables", i,
				      sv->table, sv->balanced, c->length[PS_SEC_TABLE]);
		if (sv->balanced != 0 && table[sv->table].endpoints != sv->balanced)
			return ps_check_refuse(c, EINVAL, "service %u: table %u is for %u endpoints, not %u", i, sv->table,
				      table[sv->table].endpoints, sv->balanced);
		if (sv->mode >= PS_MODES)
			return ps_check_refuse(c, EINVAL, "service %u: unknown mode %u", i, sv->mode);
		if (sv->mode == PS_MODE_FULLNAT ? sv->snat_pool >= c->length[PS_SEC_SNAT_POOL]
						: sv->snat_pool != PS_NONE)
			return ps_check_refuse(c, EINVAL, "service %u: snat pool %u, mode %u, %u pools", i, sv->snat_pool,
				      sv->mode, c->length[PS_SEC_SNAT_POOL]);
		if (sv->probe != PS_NONE && sv->probe >= c->length[PS_SEC_PROBE])
			return ps_check_refuse(c, EINVAL, "service %u: probe %u beyond %u", i, sv->probe,
				      c->length[PS_SEC_PROBE]);
		if (sv->proto != IPPROTO_TCP && sv->proto != IPPROTO_UDP)
			return ps_check_refuse(c, EINVAL, "service %u: protocol %u", i, sv->proto);
		if (sv->flags & ~known)
			return ps_check_refuse(c, EINVAL, "service %u: unknown flags %x", i, sv->flags & ~known);
		if (sv->mode == PS_MODE_GUE && sv->gue_port == 0)
			return ps_check_refuse(c, EINVAL, "service %u: GUE to port 0", i);
		rc = check_service_endpoints(c, i, sv);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
check_listener_ranges(const struct ps_check *c, uint32_t i, const struct ps_listener *l)
{
	const struct ps_range *range = PS_CHECK_ITEMS(c, PS_SEC_RANGE);

	if (!ps_check_run(l->first_range, l->ranges, c->length[PS_SEC_RANGE]))
		return ps_check_refuse(c, EINVAL, "listener %u: ranges %u+%u beyond %u", i, l->first_range, l->ranges,
			      c->length[PS_SEC_RANGE]);
	range += l->first_range;
	for (uint32_t r = 0; r < l->ranges; r++) {
		if (memcmp(&range[r].first, &range[r].last, sizeof(struct ps_addr)) > 0 ||
		    ps_addr_is_v4(&range[r].first) != ps_addr_is_v4(&range[r].last))
			return ps_check_refuse(c, EINVAL, "listener %u: range %u ends before it begins", i, r);
		if (r != 0 && memcmp(&range[r - 1].last, &range[r].first, sizeof(struct ps_addr)) >= 0)
			return ps_check_refuse(c, EINVAL, "listener %u: range %u is not sorted after the one before", i, r);
	}
	return 0;
}

static int
check_listeners(const struct ps_check *c)
{
	const struct ps_listener *listener = PS_CHECK_ITEMS(c, PS_SEC_LISTENER);
	const struct ps_service *service = PS_CHECK_ITEMS(c, PS_SEC_SERVICE);
	const struct ps_endpoint *endpoint = PS_CHECK_ITEMS(c, PS_SEC_ENDPOINT);
	int rc;

	for (uint32_t i = 0; i < c->length[PS_SEC_LISTENER]; i++) {
		const struct ps_listener *l = &listener[i];

		if (!ps_check_string(c, l->name))
			return ps_check_refuse(c, EINVAL, "listener %u: string outside the string section", i);
		if (l->proto != IPPROTO_TCP && l->proto != IPPROTO_UDP)
			return ps_check_refuse(c, EINVAL, "listener %u: protocol %u", i, l->proto);
		if (l->port == 0)
			return ps_check_refuse(c, EINVAL, "listener %u: port 0", i);
		if (l->kind > PS_LISTENER_REJECT)
			return ps_check_refuse(c, EINVAL, "listener %u: unknown kind %u", i, l->kind);
		rc = check_listener_ranges(c, i, l);
		if (rc != 0)
			return rc;
		if (l->service == PS_NONE && l->kind == PS_LISTENER_REJECT)
			continue;
		if (l->service >= c->length[PS_SEC_SERVICE])
			return ps_check_refuse(c, EINVAL, "listener %u: service %u beyond %u", i, l->service,
				      c->length[PS_SEC_SERVICE]);
		if (service[l->service].proto != l->proto)
			return ps_check_refuse(c, EINVAL, "listener %u: its service %u has another protocol", i,
				      l->service);
		for (uint32_t e = 0; e < service[l->service].endpoints; e++) {
			const struct ps_endpoint *ep = &endpoint[service[l->service].first_endpoint + e];

			if (ep->flags & PS_ENDPOINT_F_REJECT)
				continue;
			if (ps_addr_is_v4(&ep->addr) != ps_addr_is_v4(&l->addr))
				return ps_check_refuse(c, EINVAL, "listener %u: endpoints of the other family", i);
			break; /* the service's endpoints are all of one family */
		}
	}
	return 0;
}

/* Every cell in range, an empty one to end a probe, and every listener found at its own key. */
static int
check_listener_index(const struct ps_check *c)
{
	const struct ps_listener *listener = PS_CHECK_ITEMS(c, PS_SEC_LISTENER);
	const uint32_t *index = PS_CHECK_ITEMS(c, PS_SEC_LISTENER_INDEX);
	uint32_t cells = c->length[PS_SEC_LISTENER_INDEX], listeners = c->length[PS_SEC_LISTENER];

	if (!ps_listener_index_valid(index, cells, listeners) || cells <= listeners)
		return ps_check_refuse(c, EINVAL, "listener index: %u cells for %u listeners, or one out of range", cells,
			      listeners);
	for (uint32_t i = 0; i < listeners; i++) {
		const struct ps_listener *l = &listener[i];

		if (ps_listener_find(listener, index, cells - 1, &l->addr, l->port, l->proto) != i)
			return ps_check_refuse(c, EINVAL, "listener %u: not found through the index", i);
	}
	return 0;
}

int
ps_check_balancing(const struct ps_check *c)
{
	int rc = check_tables(c);

	if (rc == 0)
		rc = check_endpoints(c);
	if (rc == 0)
		rc = check_services(c);
	if (rc == 0)
		rc = check_listeners(c);
	if (rc == 0)
		rc = check_listener_index(c);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/api/digest.h"
#include "dataplane/net/local_build.h"

struct entry {
	struct ps_addr addr;
	uint32_t flags; /* 0: free */
	uint32_t pad;
};

struct ps_local_set {
	uint32_t mask;
	uint32_t ifaces;
	struct {
		struct ps_addr v4, v6;
		bool has_v4, has_v6;
	} *iface;
	struct entry entry[];
};

static inline uint32_t
hash_of(const struct ps_addr *addr)
{
	uint64_t h = ps_mix64(ps_digest_load(addr->b) ^ PS_DIGEST_K0, ps_digest_load(addr->b + 8) ^ PS_DIGEST_K1);

	return (uint32_t)(h ^ (h >> 32));
}

uint32_t
ps_local_find(const struct ps_local_set *set, const struct ps_addr *addr)
{
	uint32_t i = hash_of(addr) & set->mask;

	for (; set->entry[i].flags != 0; i = (i + 1) & set->mask)
		if (ps_addr_equal(&set->entry[i].addr, addr))
			return set->entry[i].flags;
	return 0;
}

const struct ps_addr *
ps_local_iface(const struct ps_local_set *set, uint32_t iface, bool v6)
{
	if (iface >= set->ifaces)
		return NULL;
	if (v6)
		return set->iface[iface].has_v6 ? &set->iface[iface].v6 : NULL;
	return set->iface[iface].has_v4 ? &set->iface[iface].v4 : NULL;
}

static void
add(struct ps_local_set *set, const struct ps_addr *addr, uint32_t flags)
{
	uint32_t i = hash_of(addr) & set->mask;

	while (set->entry[i].flags != 0 && !ps_addr_equal(&set->entry[i].addr, addr))
		i = (i + 1) & set->mask;
	set->entry[i].addr = *addr;
	set->entry[i].flags |= flags;
}

int
ps_local_build(struct ps_local_set **out, const struct ps_snapshot *s, const struct ps_addr *link_local)
{
	static const struct ps_addr zero;
	uint32_t addresses = ps_snapshot_length(s, PS_SEC_ADDRESS), vips = ps_snapshot_length(s, PS_SEC_VIP);
	uint32_t snats = ps_snapshot_length(s, PS_SEC_SNAT_ADDRESS), ifaces = ps_snapshot_length(s, PS_SEC_IFACE);
	uint32_t size = 16, i;
	struct ps_local_set *set;

	while (size < 2 * (addresses + vips + snats + ifaces))
		size *= 2;
	set = calloc(1, sizeof(*set) + size * sizeof(set->entry[0]));
	if (set == NULL)
		return -ENOMEM;
	set->mask = size - 1;
	set->ifaces = ifaces;
	set->iface = calloc(ifaces ? ifaces : 1, sizeof(*set->iface));
	if (set->iface == NULL) {
		free(set);
		return -ENOMEM;
	}
	for (i = 0; i < addresses; i++) {
		const struct ps_address *a = ps_snapshot_item(s, PS_SEC_ADDRESS, i);

		add(set, &a->addr, PS_LOCAL_IFACE | PS_LOCAL_PING);
		if (ps_addr_is_v4(&a->addr)) {
			if (!set->iface[a->iface].has_v4)
				set->iface[a->iface].v4 = a->addr;
			set->iface[a->iface].has_v4 = true;
		} else if (!set->iface[a->iface].has_v6) {
			set->iface[a->iface].v6 = a->addr;
			set->iface[a->iface].has_v6 = true;
		}
	}
	for (i = 0; i < ifaces; i++) {
		if (ps_addr_equal(&link_local[i], &zero))
			continue;
		add(set, &link_local[i], PS_LOCAL_IFACE | PS_LOCAL_PING);
		if (!set->iface[i].has_v6) {
			set->iface[i].v6 = link_local[i];
			set->iface[i].has_v6 = true;
		}
	}
	for (i = 0; i < vips; i++) {
		const struct ps_vip *v = ps_snapshot_item(s, PS_SEC_VIP, i);

		add(set, &v->addr, PS_LOCAL_VIP | (v->flags & PS_VIP_F_PING ? PS_LOCAL_PING : 0) |
			(v->flags & PS_VIP_F_ANNOUNCE ? PS_LOCAL_ANNOUNCE : 0));
	}
	for (i = 0; i < snats; i++) {
		const struct ps_snat_address *a = ps_snapshot_item(s, PS_SEC_SNAT_ADDRESS, i);

		add(set, &a->addr, PS_LOCAL_SNAT);
	}
	*out = set;
	return 0;
}

void
ps_local_free(struct ps_local_set *set)
{
	if (set == NULL)
		return;
	free(set->iface);
	free(set);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pipeline/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/flow/flow.h"
#include "dataplane/net/net_main.h"
#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/state_map.h"

struct vlan_pair {
	uint16_t vid, iface;
};

/* A view with what it is made of. */
struct view_box {
	struct ps_view view;
	struct ps_loaded loaded;
	struct ps_state_table *state;
	const uint16_t **entries;
	uint32_t *service_of_slot;
	struct vlan_pair *vlans;
	bool in_net; /* net holds something for it */
};

static struct view_box *live;

static int
vlan_order(const void *a, const void *b)
{
	const struct vlan_pair *x = a, *y = b;

	return x->vid - y->vid;
}

/* Per port: the untagged interface, and pairs sorted by VID. */
static int
index_ifaces(struct view_box *box)
{
	struct ps_view *v = &box->view;
	struct vlan_pair *next;

	box->vlans = calloc(v->ifaces + 1, sizeof(*box->vlans));
	if (box->vlans == NULL)
		return -ENOMEM;
	next = box->vlans;
	for (uint32_t p = 0; p < PS_MAX_PORTS; p++) {
		struct vlan_pair *first = next;

		v->port[p].untagged = UINT16_MAX;
		for (uint32_t i = 0; i < v->ifaces; i++) {
			if (v->iface[i].port != p)
				continue;
			if (v->iface[i].vlan == 0)
				v->port[p].untagged = (uint16_t)i;
			else
				*next++ = (struct vlan_pair){v->iface[i].vlan, (uint16_t)i};
		}
		v->port[p].vlans = (uint16_t)(next - first);
		v->port[p].vlan = (const void *)first;
		qsort(first, (size_t)(next - first), sizeof(*first), vlan_order);
	}
	return 0;
}

static void
free_box(struct view_box *box)
{
	if (box == NULL)
		return;
	if (box->in_net)
		ps_net_view_release(ps_net_main_net(ps_dataplane.net), &box->view);
	ps_state_map_put(box->state);
	free(box->vlans);
	free(box->entries);
	free(box->service_of_slot);
	ps_unload(&box->loaded);
	free(box);
}

static int
build(struct view_box *box, char *why, size_t why_size)
{
	const struct ps_snapshot *s = box->loaded.snapshot;
	uint32_t tables = ps_snapshot_length(s, PS_SEC_TABLE), slots = ps_dataplane.boot.service_slots;
	struct ps_view *v = &box->view;
	uint64_t size;
	int rc;

	v->snapshot = s;
	v->generation = s->generation;
	v->hash_seed = s->hash_seed;
	v->listener = ps_snapshot_item(s, PS_SEC_LISTENER, 0);
	v->listener_index = ps_snapshot_item(s, PS_SEC_LISTENER_INDEX, 0);
	v->listener_index_mask = ps_snapshot_length(s, PS_SEC_LISTENER_INDEX) - 1;
	v->service = ps_snapshot_item(s, PS_SEC_SERVICE, 0);
	v->endpoint = ps_snapshot_item(s, PS_SEC_ENDPOINT, 0);
	v->range = ps_snapshot_item(s, PS_SEC_RANGE, 0);
	v->table = ps_snapshot_item(s, PS_SEC_TABLE, 0);
	v->iface = ps_snapshot_item(s, PS_SEC_IFACE, 0);
	v->ifaces = ps_snapshot_length(s, PS_SEC_IFACE);
	v->snat_pool = ps_snapshot_item(s, PS_SEC_SNAT_POOL, 0);
	v->snat_address = ps_snapshot_item(s, PS_SEC_SNAT_ADDRESS, 0);

	box->entries = calloc(tables + 1, sizeof(*box->entries));
	box->service_of_slot = malloc((slots + 1) * sizeof(*box->service_of_slot));
	if (box->entries == NULL || box->service_of_slot == NULL || index_ifaces(box) != 0) {
		snprintf(why, why_size, "no memory for a view");
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < tables; i++)
		box->entries[i] = (const void *)((const uint8_t *)ps_held_blob_bytes(
							 box->loaded.blob[v->table[i].blob], &size) +
						 v->table[i].offset);
	v->table_entries = box->entries;
	memset(box->service_of_slot, 0xff, slots * sizeof(*box->service_of_slot));
	for (uint32_t i = 0; i < ps_snapshot_length(s, PS_SEC_SERVICE); i++)
		box->service_of_slot[v->service[i].slot] = i;
	v->service_of_slot = box->service_of_slot;

	box->state = ps_state_map_get(s, why, why_size);
	if (box->state == NULL)
		return -EOVERFLOW;
	v->verdict = ps_state_verdicts(box->state->base);
	rc = ps_net_view(ps_net_main_net(ps_dataplane.net), v, why, why_size);
	if (rc != 0)
		return rc;
	box->in_net = true;
	if (ps_dataplane.flows != NULL) {
		rc = ps_flows_view(ps_dataplane.flows, v);
		if (rc != 0)
			snprintf(why, why_size, "no memory for the SNAT addresses");
	}
	return rc;
}

/* Swaps the pointer and returns when every worker has loaded the new one; says when that was. */
static uint64_t
swap(struct view_box *box)
{
	struct timespec t;
	uint64_t token;

	/* release: the view's content is visible to who sees the pointer; pairs with the acquire in ps_worker_run */
	atomic_store_explicit(&ps_dataplane.view, &box->view, memory_order_release);
	token = rte_rcu_qsbr_start(ps_dataplane.qsbr);
	/* A worker may share this CPU: giving it up beats spinning. */
	while (rte_rcu_qsbr_check(ps_dataplane.qsbr, token, false) == 0)
		usleep(5);
	clock_gettime(CLOCK_MONOTONIC, &t);
	ps_state_map_live(box->state);
	ps_net_main_live(ps_dataplane.net, &box->view);
	if (ps_dataplane.flows != NULL)
		ps_flows_view_live(ps_dataplane.flows);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static int
check_fits(const struct ps_snapshot *s, char *why, size_t why_size)
{
	const struct ps_boot *boot = &ps_dataplane.boot;

	if (ps_ports_digest(s) != ps_dataplane.boot_ports)
		snprintf(why, why_size, "ports differ from those of the running dataplane: restart it");
	else if (s->max_service_slot > boot->service_slots)
		snprintf(why, why_size, "service slots up to %u, but the running dataplane has %u: restart it",
			 s->max_service_slot, boot->service_slots);
	else if (s->max_endpoint_slot > boot->endpoint_slots)
		snprintf(why, why_size, "endpoint slots up to %u, but the running dataplane has %u: restart it",
			 s->max_endpoint_slot, boot->endpoint_slots);
	else
		return 0;
	return -EOVERFLOW;
}

int
ps_apply(struct ps_loaded *loaded, struct ps_applied *applied, char *why, size_t why_size)
{
	const struct ps_snapshot *s = loaded->snapshot;
	struct view_box *box = NULL, *old = live;
	int rc;

	applied->generation = s->generation;
	applied->restart_needed = s->boot_digest != ps_dataplane.boot_digest;
	rc = check_fits(s, why, why_size);
	if (rc != 0)
		goto fail;
	box = calloc(1, sizeof(*box));
	if (box == NULL) {
		snprintf(why, why_size, "no memory for a view");
		rc = -ENOMEM;
		goto fail;
	}
	box->loaded = *loaded;
	*loaded = (struct ps_loaded){0};
	rc = build(box, why, why_size);
	if (rc != 0)
		goto fail;
	applied->live_ns = swap(box);
	live = box;
	free_box(old);
	ps_blobs_sweep(ps_dataplane.blobs);
	return 0;
fail:
	free_box(box);
	ps_unload(loaded);
	return rc;
}

void
ps_apply_again(void)
{
	struct view_box *old = live, *box;
	char why[128];

	if (old == NULL)
		return;
	box = calloc(1, sizeof(*box));
	if (box == NULL)
		return;
	box->loaded = old->loaded;
	if (build(box, why, sizeof(why)) != 0) {
		box->loaded = (struct ps_loaded){0};
		free_box(box);
		return;
	}
	swap(box);
	live = box;
	old->loaded = (struct ps_loaded){0};
	free_box(old);
}

void
ps_apply_end(void)
{
	atomic_store_explicit(&ps_dataplane.view, NULL, memory_order_relaxed);
	free_box(live);
	live = NULL;
}

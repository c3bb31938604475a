/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of all workers: found, checked, taken over or moved into new ones, and handed to their workers.
 *
 *   same workers and capacity as before   each file is adopted in place: its records stay where they are
 *   otherwise                             new files are made beside the old ones, records are copied to their new
 *                                         owners, and the new files renamed over the old; a crash before that leaves the old
 *
 * The owner of a FullNAT flow is the owner of its port, because replies go there; of any other flow the worker
 * that its client's packets are handed to (pipeline/owner.h). Where packets from the client arrive elsewhere, that worker finds the owner by looking into
 * its peers' tables (create.c) and hands them over.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/flow/affinity.h"
#include "dataplane/flow/flow.h"
#include "dataplane/flow/forward.h"
#include "dataplane/flow/snat.h"
#include "dataplane/flow/store.h"
#include "dataplane/flow/tcp_state.h"
#include "dataplane/pipeline/owner.h"

#define DEFAULT_GROUPS 16u

struct family {
	bool v6;
	uint32_t capacity;
	struct ps_flow_file file[PS_MAX_WORKERS];
	void *buckets[PS_MAX_WORKERS];
	struct ps_flow_table *table[PS_MAX_WORKERS];
};

struct ps_flows {
	uint32_t workers, endpoint_slots, service_slots;
	uint32_t now_ms, young_ms;
	uint64_t restored;
	struct family family[2];
	struct ps_snat *snat[PS_MAX_WORKERS];
	void *affinity_memory;
	uint64_t affinity_size;
	struct ps_affinity *affinity;
};

struct taking_over {
	struct ps_flows *flows;
	uint32_t worker;
	bool v6;
};

static void
tuple_words(const struct ps_flow *f, bool v6, struct ps_addr *endpoint, struct ps_addr *local, uint16_t port[2])
{
	if (v6) {
		const struct ps_flow_key6 *k = &((const struct ps_flow6 *)f)->key[PS_FLOW_TO_CLIENT];

		memcpy(endpoint->b, k->src, 16);
		memcpy(local->b, k->dst, 16);
		port[0] = k->src_port;
		port[1] = k->dst_port;
	} else {
		const struct ps_flow_key4 *k = &((const struct ps_flow4 *)f)->key[PS_FLOW_TO_CLIENT];

		*endpoint = ps_addr_from_v4(k->src);
		*local = ps_addr_from_v4(k->dst);
		port[0] = k->src_port;
		port[1] = k->dst_port;
	}
}

/* A record by itself: could this process have written it? */
static bool
plausible(const struct ps_flows *flows, const struct ps_flow *f)
{
	uint8_t state = ps_flow_state(f);
	bool udp = state == PS_FLOW_UDP || state == PS_FLOW_UDP_REPLIED;

	return state != PS_FLOW_FREE && state < PS_FLOW_STATES && f->mode < PS_MODES &&
	       f->proto == (udp ? IPPROTO_UDP : IPPROTO_TCP) && f->endpoint_slot < flows->endpoint_slots &&
	       f->service_slot < flows->service_slots;
}

/* Takes what a restored flow holds, and forgets what belonged to the old process. */
static bool
accept_flow(void *arg, struct ps_flow *f)
{
	const struct taking_over *o = arg;
	struct ps_flows *flows = o->flows;
	struct ps_addr endpoint, local;
	uint16_t port[2];
	int rc;

	if (!plausible(flows, f))
		return false;
	if (f->mode == PS_MODE_FULLNAT) {
		tuple_words(f, o->v6, &endpoint, &local, port);
		rc = ps_snat_restore(flows->snat[o->worker], &local, port[1],
				     ps_snat_tuple(&endpoint, port[0], f->proto));
		/* An address that is no longer configured: the flow keeps it while it lives. */
		if (rc != 0 && rc != -ENOENT)
			return false;
	}
	f->adjacency[0] = f->adjacency[1] = 0;
	f->route_generation = 0;
	if ((int32_t)(flows->now_ms - f->last_seen_ms) < 0)
		f->last_seen_ms = flows->now_ms;
	ps_flow_deltas(f, o->v6);
	return true;
}

static uint32_t
owner_of(const struct ps_flows *flows, const struct ps_flow *f, bool v6)
{
	struct ps_addr endpoint, local, client;
	uint16_t port[2];

	if (f->mode == PS_MODE_FULLNAT) {
		tuple_words(f, v6, &endpoint, &local, port);
		return ps_snat_owner(port[1], flows->workers);
	}
	client = v6 ? (struct ps_addr){{0}} : ps_addr_from_v4(((const struct ps_flow4 *)f)->key[0].src);
	if (v6)
		memcpy(client.b, ((const struct ps_flow6 *)f)->key[0].src, 16);
	return ps_owner_of_client(&client,
				  v6 ? ((const struct ps_flow6 *)f)->key[0].src_port
				     : ((const struct ps_flow4 *)f)->key[0].src_port,
				  f->proto, flows->workers);
}

/* Copies the flows of one old file to the tables that own them now. */
static void
migrate(struct ps_flows *flows, struct family *fam, const struct ps_flow_file *old)
{
	const struct ps_flows_header *h = old->base;
	const uint8_t *records = ps_flow_file_records(old);
	uint32_t i;

	for (i = 0; i < h->capacity; i++) {
		const struct ps_flow *from = (const struct ps_flow *)(records + (uint64_t)i * h->record_size);
		struct taking_over o = {.flows = flows, .v6 = fam->v6};
		struct ps_flow_table *t;
		struct ps_flow *f;
		uint32_t index;
		uint8_t state;

		if (!plausible(flows, from))
			continue;
		o.worker = owner_of(flows, from, fam->v6);
		t = fam->table[o.worker];
		index = ps_flow_table_take(t);
		if (index == PS_NONE)
			continue; /* the new tables are smaller: what does not fit is lost */
		f = ps_flow_at(t, index);
		state = ps_flow_state(from);
		memcpy((uint8_t *)f, (const uint8_t *)from, h->record_size);
		if (accept_flow(&o, f)) {
			atomic_store_explicit(&f->state, PS_FLOW_FREE, memory_order_relaxed);
			if (ps_flow_table_link(t, index, state, ps_flow_two_way(f->mode),
					       flows->now_ms + index % (PS_WHEEL_SLOTS * PS_WHEEL_MS)) == 0) {
				t->counters->created--; /* not new */
				t->counters->restored++;
				flows->restored++;
				continue;
			}
		}
		atomic_store_explicit(&f->state, PS_FLOW_FREE, memory_order_relaxed);
		ps_flow_table_put_back(t, index);
	}
}

static int
open_table(struct ps_flows *flows, struct family *fam, uint32_t worker, bool adopt, uint64_t seed)
{
	struct taking_over o = {.flows = flows, .worker = worker, .v6 = fam->v6};
	uint64_t size = (uint64_t)ps_flow_table_buckets(fam->capacity) * sizeof(struct ps_flow_bucket);
	struct ps_flow_table_config config = {
		.v6 = fam->v6, .capacity = fam->capacity, .seed = seed, .now_ms = flows->now_ms, .young_ms = flows->young_ms,
		.restore = adopt,
		.records = ps_flow_file_records(&fam->file[worker]),
	};
	int rc;

	config.buckets = fam->buckets[worker] = ps_private_memory(size);
	if (config.buckets == NULL)
		return -ENOMEM;
	rc = ps_flow_table_new(&fam->table[worker], &config);
	if (rc == 0 && adopt)
		flows->restored += ps_flow_table_restore(fam->table[worker], flows->now_ms, accept_flow, &o);
	((struct ps_flows_header *)fam->file[worker].base)->owner_pid = (uint32_t)getpid();
	return rc;
}

static int
open_family(struct ps_flows *flows, struct family *fam, const struct ps_flows_config *c, const char *hugetlbfs,
	    char *why, size_t why_size)
{
	struct ps_flow_file old[PS_MAX_WORKERS];
	uint32_t family = fam->v6 ? 6 : 4, i;
	bool same = true, any = false;
	uint64_t seed;
	int rc = 0;

	for (i = 0; i < PS_MAX_WORKERS; i++)
		old[i].fd = -1;
	for (i = 0; i < PS_MAX_WORKERS; i++) {
		const struct ps_flows_header *h;

		rc = ps_flow_file_open(&old[i], c->runtime_dir, family, i, c->boot_id);
		if (rc == -EBUSY) {
			snprintf(why, why_size, "%s/%s-%u-%u: another process has it", c->runtime_dir, PS_FLOWS_FILE,
				 family, i);
			goto out;
		}
		if (rc != 0)
			continue;
		any = true;
		h = old[i].base;
		if (h->workers != flows->workers || h->capacity != fam->capacity || i >= flows->workers)
			same = false;
	}
	for (i = 0; i < flows->workers; i++) {
		bool adopt = any && same && old[i].fd >= 0;
		struct ps_flows_header h = {
			.family = family, .worker = i, .workers = flows->workers, .capacity = fam->capacity,
			.record_size = fam->v6 ? 128 : 64, .boot_id = c->boot_id,
		};

		if (adopt) {
			fam->file[i] = old[i];
			old[i].fd = -1;
			old[i].base = NULL;
			rc = 0;
		} else {
			rc = ps_flow_file_make(&fam->file[i], c->runtime_dir, hugetlbfs, c->instance, &h);
		}
		if (rc == 0 && getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
			rc = -EIO;
		if (rc == 0)
			rc = open_table(flows, fam, i, adopt, seed);
		if (rc == 0 && !adopt && !(any && !same))
			rc = ps_flow_file_publish(&fam->file[i]);
		if (rc != 0) {
			snprintf(why, why_size, "%s/%s-%u-%u: %s", c->runtime_dir, PS_FLOWS_FILE, family, i,
				 strerror(-rc));
			goto out;
		}
	}
	if (any && !same) {
		for (i = 0; i < PS_MAX_WORKERS; i++)
			if (old[i].fd >= 0)
				migrate(flows, fam, &old[i]);
		for (i = 0; i < flows->workers && rc == 0; i++)
			rc = ps_flow_file_publish(&fam->file[i]);
		for (i = flows->workers; i < PS_MAX_WORKERS && rc == 0; i++)
			ps_flow_file_remove(c->runtime_dir, family, i);
		if (rc != 0)
			snprintf(why, why_size, "%s: %s", c->runtime_dir, strerror(-rc));
	}
out:
	for (i = 0; i < PS_MAX_WORKERS; i++)
		ps_flow_file_close(&old[i]);
	return rc;
}

static int
open_affinity(struct ps_flows *flows, const struct ps_flows_config *c, char *why, size_t why_size)
{
	char path[256];
	int fd, rc = 0;

	flows->affinity_size = ps_affinity_size(c->affinity);
	snprintf(path, sizeof(path), "%s/%s", c->runtime_dir, PS_AFFINITY_FILE);
	fd = ps_own_file_open(path);
	if (fd < 0) {
		rc = fd;
		goto out;
	}
	if (ftruncate(fd, (off_t)flows->affinity_size) != 0 ||
	    (fallocate(fd, 0, 0, (off_t)flows->affinity_size) != 0 && errno != EOPNOTSUPP)) {
		rc = -errno;
		goto out;
	}
	flows->affinity_memory =
		mmap(NULL, flows->affinity_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (flows->affinity_memory == MAP_FAILED) {
		rc = -errno;
		flows->affinity_memory = NULL;
		goto out;
	}
	flows->affinity = ps_affinity_attach(flows->affinity_memory, c->affinity, c->boot_id);
out:
	if (rc != 0)
		snprintf(why, why_size, "%s: %s", path, strerror(-rc));
	if (fd >= 0)
		close(fd);
	return rc;
}

static int
configure_snat(struct ps_flows *flows, const struct ps_snapshot *s)
{
	uint32_t i;
	int rc = 0;

	for (i = 0; i < flows->workers && rc == 0; i++)
		rc = ps_snat_configure(flows->snat[i], ps_snapshot_item(s, PS_SEC_SNAT_ADDRESS, 0),
				       ps_snapshot_length(s, PS_SEC_SNAT_ADDRESS));
	return rc;
}

int
ps_flows_open(struct ps_flows **out, const struct ps_flows_config *c, const struct ps_snapshot *snapshot, char *why,
	      size_t why_size)
{
	struct ps_flows *flows = calloc(1, sizeof(*flows));
	char hugetlbfs[192];
	const char *huge = NULL;
	uint64_t bytes, random;
	uint32_t i;
	int rc;

	if (flows == NULL) {
		snprintf(why, why_size, "out of memory");
		return -ENOMEM;
	}
	flows->workers = c->workers;
	flows->endpoint_slots = c->endpoint_slots;
	flows->service_slots = c->service_slots;
	flows->now_ms = c->now_ms;
	flows->young_ms = c->tcp_syn_ms;
	ps_state_timeouts_set(c->tcp_syn_ms, c->tcp_fin_ms, c->tcp_closed_ms);
	flows->family[0] = (struct family){.capacity = c->flows_v4};
	flows->family[1] = (struct family){.v6 = true, .capacity = c->flows_v6};
	for (i = 0; i < PS_MAX_WORKERS; i++)
		flows->family[0].file[i].fd = flows->family[1].file[i].fd = -1;
	for (i = 0; i < c->workers; i++) {
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			random = c->now_ms;
		rc = ps_snat_new(&flows->snat[i], i, c->workers, c->snat_groups != 0 ? c->snat_groups : DEFAULT_GROUPS,
				 2u * c->endpoint_slots, random);
		if (rc != 0) {
			snprintf(why, why_size, "source ports of worker %u: %s", i, strerror(-rc));
			goto fail;
		}
	}
	if (snapshot != NULL) {
		rc = configure_snat(flows, snapshot);
		if (rc != 0) {
			snprintf(why, why_size, "source ports: %s", strerror(-rc));
			goto fail;
		}
	}
	bytes = (uint64_t)c->workers * ((uint64_t)c->flows_v4 * 64u + (uint64_t)c->flows_v6 * 128u + (4u << 20));
	if (c->hugepages != PS_HUGEPAGES_OFF && ps_hugetlbfs_find(bytes, hugetlbfs, sizeof(hugetlbfs)) == 0)
		huge = hugetlbfs;
	rc = open_family(flows, &flows->family[0], c, huge, why, why_size);
	if (rc == 0)
		rc = open_family(flows, &flows->family[1], c, huge, why, why_size);
	if (rc == 0)
		rc = open_affinity(flows, c, why, why_size);
	if (rc != 0)
		goto fail;
	*out = flows;
	return 0;
fail:
	ps_flows_close(flows);
	return rc;
}

void
ps_flows_close(struct ps_flows *flows)
{
	uint32_t i, k;

	if (flows == NULL)
		return;
	for (i = 0; i < flows->workers; i++) {
		for (k = 0; k < 2; k++) {
			struct family *fam = &flows->family[k];
			uint64_t size = (uint64_t)ps_flow_table_buckets(fam->capacity) * sizeof(struct ps_flow_bucket);

			ps_flow_table_free(fam->table[i]);
			ps_flow_file_close(&fam->file[i]);
			if (fam->buckets[i] != NULL)
				munmap(fam->buckets[i], (size + (2u << 20) - 1) & ~(uint64_t)((2u << 20) - 1));
		}
		ps_snat_free(flows->snat[i]);
	}
	if (flows->affinity_memory != NULL)
		munmap(flows->affinity_memory, flows->affinity_size);
	free(flows);
}

bool
ps_flows_in_hugepages(const struct ps_flows *flows)
{
	uint32_t i;

	for (i = 0; i < flows->workers; i++)
		if (!flows->family[0].file[i].hugepages || !flows->family[1].file[i].hugepages)
			return false;
	return true;
}

uint64_t
ps_flows_restored(const struct ps_flows *flows)
{
	return flows->restored;
}

static void
count_active(const struct ps_flow_table *t, struct ps_worker *w)
{
	uint32_t i;

	for (i = 0; i < t->capacity && t->counters->active != 0; i++) {
		const struct ps_flow *f = ps_flow_at(t, i);

		if (ps_flow_state(f) == PS_FLOW_FREE)
			continue;
		w->service[f->service_slot].flows_active++;
		w->endpoint[f->endpoint_slot].flows_active++;
	}
}

static void
attach_table(struct ps_flow_table *t, struct ps_flow_counters *c, struct ps_worker *w)
{
	*c = *t->counters;
	t->counters = c;
	count_active(t, w);
}

void
ps_flows_attach(struct ps_flows *flows, struct ps_worker *w)
{
	w->flow4 = flows->family[0].table[w->index];
	w->flow6 = flows->family[1].table[w->index];
	attach_table(w->flow4, &w->counters->flow_v4, w);
	attach_table(w->flow6, &w->counters->flow_v6, w);
	w->snat = flows->snat[w->index];
	w->affinity = flows->affinity;
	w->peer_flow4 = flows->family[0].table;
	w->peer_flow6 = flows->family[1].table;
}

int
ps_flows_view(struct ps_flows *flows, const struct ps_view *view)
{
	return configure_snat(flows, view->snapshot);
}

void
ps_flows_view_live(struct ps_flows *flows)
{
	uint32_t i;

	for (i = 0; i < flows->workers; i++)
		ps_snat_reclaim(flows->snat[i]);
}

int
ps_flows_flush(struct ps_flows *flows, uint32_t endpoint_slot, uint32_t service_slot)
{
	uint32_t i, k;

	for (i = 0; i < flows->workers; i++)
		for (k = 0; k < 2; k++)
			if (!ps_flow_table_can_flush(flows->family[k].table[i]))
				return -EBUSY;
	for (i = 0; i < flows->workers; i++)
		for (k = 0; k < 2; k++)
			ps_flow_table_flush(flows->family[k].table[i], endpoint_slot, service_slot);
	return 0;
}

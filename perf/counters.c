/* SPDX-License-Identifier: Apache-2.0 */
/*
 * penstock-counters: the dataplane's counters as one JSON document, read from the file itself. For measurements:
 * it needs no penstockd, disturbs no worker, and costs the packets nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "dataplane/api/counters.h"

static void
set(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new(o, key, json_integer((json_int_t)value));
}

static json_t *
flows_json(const struct ps_flow_counters *f)
{
	json_t *o = json_object();

	set(o, "active", f->active);
	set(o, "capacity", f->capacity);
	set(o, "created", f->created);
	set(o, "expired", f->expired);
	set(o, "evicted", f->evicted);
	set(o, "refused", f->refused);
	set(o, "stateless", f->stateless);
	set(o, "restored", f->restored);
	return o;
}

static json_t *
exits_json(const uint64_t *exit)
{
	json_t *o = json_object();
	uint32_t i;

	for (i = 0; i < PS_EXIT_COUNT; i++)
		if (exit[i] != 0)
			set(o, ps_exit_info[i].name, exit[i]);
	return o;
}

static json_t *
nodes_json(const struct ps_counters *c, const struct ps_worker_counters *w)
{
	json_t *o = json_object(), *node;
	char name[PS_NODE_NAME + 1];
	uint32_t i;

	for (i = 0; i < c->nodes && i < PS_MAX_NODES; i++) {
		if (w->node[i].calls == 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)PS_NODE_NAME, c->node[i].name);
		node = json_object();
		set(node, "calls", w->node[i].calls);
		set(node, "packets", w->node[i].packets);
		set(node, "cycles", w->node[i].cycles);
		json_object_set_new(o, name, node);
	}
	return o;
}

static json_t *
worker_json(const struct ps_counters *c, const struct ps_worker_counters *w)
{
	json_t *o = json_object();

	set(o, "cpu", w->cpu);
	set(o, "tid", w->tid);
	set(o, "state", w->state);
	set(o, "generation", w->generation);
	set(o, "cycles", w->cycles);
	set(o, "busy_cycles", w->busy_cycles);
	set(o, "loops", w->loops);
	set(o, "empty_loops", w->empty_loops);
	set(o, "rx_packets", w->rx_packets);
	set(o, "rx_bytes", w->rx_bytes);
	set(o, "tx_packets", w->tx_packets);
	set(o, "tx_bytes", w->tx_bytes);
	set(o, "handoff_out", w->handoff_out);
	set(o, "handoff_in", w->handoff_in);
	set(o, "snat_ports_in_use", w->snat_ports_in_use);
	set(o, "snat_miss", w->snat_miss);
	json_object_set_new(o, "flows_ipv4", flows_json(&w->flow_v4));
	json_object_set_new(o, "flows_ipv6", flows_json(&w->flow_v6));
	json_object_set_new(o, "exits", exits_json(w->exit));
	json_object_set_new(o, "stages", nodes_json(c, w));
	return o;
}

static json_t *
counters_json(const struct ps_counters *c)
{
	const struct ps_worker_counters *w = (const void *)((const uint8_t *)c + c->worker_offset);
	json_t *root = json_object(), *workers = json_array();
	uint32_t i;

	set(root, "pid", c->pid);
	set(root, "epoch", c->epoch);
	set(root, "tsc_hz", c->tsc_hz);
	set(root, "generation", c->generation);
	set(root, "snapshots_applied", c->snapshots_applied);
	set(root, "snapshots_rejected", c->snapshots_rejected);
	set(root, "hugepages", c->hugepages);
	set(root, "flows_hugepages", c->flows_hugepages);
	set(root, "buffers_free", c->mbufs_free);
	set(root, "buffers_total", c->mbufs_total);
	set(root, "neighbours", c->neighbours);
	for (i = 0; i < c->workers; i++)
		json_array_append_new(workers, worker_json(c, &w[i]));
	json_object_set_new(root, "workers", workers);
	json_object_set_new(root, "main_exits", exits_json(c->main_exit));
	return root;
}

/* The file may be of another version, or be made anew under our eyes. */
static const char *
refuse(const struct ps_counters *c, uint64_t size)
{
	if (size < PS_COUNTERS_HEADER_SIZE || c->magic != PS_COUNTERS_MAGIC)
		return "not a counters file";
	if (c->abi != PS_ABI)
		return "of another version";
	if (c->workers > PS_MAX_WORKERS || c->worker_offset % 64 != 0 || c->worker_offset > size ||
		c->workers * sizeof(struct ps_worker_counters) > size - c->worker_offset)
		return "damaged";
	return NULL;
}

int
main(int argc, char **argv)
{
	const char *path = NULL, *why;
	const struct ps_counters *c;
	json_t *root;
	struct stat st;
	int i, fd;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			printf("Usage: penstock-counters [--json] [FILE]\n\nPrints the counters of a running dataplane as JSON.\n"
			       "FILE defaults to " PS_RUNTIME_DIR "/" PS_COUNTERS_FILE ".\n");
			return 0;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("penstock-counters " PS_VERSION "\n");
			return 0;
		}
		if (strcmp(argv[i], "--json") == 0)
			continue;
		if (argv[i][0] == '-' || path != NULL) {
			fprintf(stderr, "penstock-counters: \"%s\": no such argument (--help shows all)\n", argv[i]);
			return 2;
		}
		path = argv[i];
	}
	if (path == NULL)
		path = PS_RUNTIME_DIR "/" PS_COUNTERS_FILE;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		fprintf(stderr, "penstock-counters: %s: %s\n", path, strerror(errno));
		return 1;
	}
	c = st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	why = c == MAP_FAILED ? "cannot be mapped" : refuse(c, (uint64_t)st.st_size);
	if (why != NULL) {
		fprintf(stderr, "penstock-counters: %s: %s\n", path, why);
		return 1;
	}
	root = counters_json(c);
	json_dumpf(root, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(root);
	return 0;
}

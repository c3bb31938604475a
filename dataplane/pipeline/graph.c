/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From registered stages to one graph per worker. Source nodes are cloned per worker, port and
 * queue, port_tx per port; everything else is one node that each graph instantiates for itself.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_graph.h>

#include "dataplane/pipeline/dataplane.h"
#include "dataplane/pipeline/stage.h"

#define MAX_SOURCES (3 * PS_MAX_PORTS + 64)
/* Room for a stream: bursts of all sources together stay within 256; fragments and answers may exceed it. */
#define STREAM_SIZE 1024

static struct ps_stage *stages;

void
ps_stage_register(struct ps_stage *stage)
{
	stage->node->parent_id = RTE_NODE_ID_INVALID; /* not a clone */
	stage->node->id = __rte_node_register(stage->node);
	stage->next = stages;
	stages = stage;
}

int
ps_stage_init(const struct rte_graph *graph, struct rte_node *node)
{
	const char *index = strrchr(graph->name, '-');
	const struct ps_worker *w;

	if (index == NULL)
		return -EINVAL;
	w = ps_dataplane.worker[strtoul(index + 1, NULL, 10) % PS_MAX_WORKERS];
	memcpy(node->ctx, &w, sizeof(w));
	return w != NULL ? 0 : -EINVAL;
}

static int
clone_node(const char *parent, const char *name)
{
	rte_node_t id = rte_node_from_name(parent);
	char full[RTE_NODE_NAMESIZE];

	snprintf(full, sizeof(full), "%s-%s", parent, name);
	if (id == RTE_NODE_ID_INVALID)
		return -ENOENT;
	if (rte_node_from_name(full) != RTE_NODE_ID_INVALID)
		return 0;
	return rte_node_clone(id, name) == RTE_NODE_ID_INVALID ? -rte_errno : 0;
}

/* port_tx-<p>, and for every stage that sends one edge to each. */
static int
add_transmit_nodes(char *why, size_t why_size)
{
	char name[PS_MAX_PORTS][RTE_NODE_NAMESIZE];
	const char *names[PS_MAX_PORTS];
	uint32_t ports = ps_dataplane.ports;
	int rc;

	for (uint32_t p = 0; p < ports; p++) {
		snprintf(name[p], sizeof(name[p]), "%u", p);
		rc = clone_node("port_tx", name[p]);
		if (rc != 0) {
			snprintf(why, why_size, "graph: port_tx-%u: %s", p, strerror(-rc));
			return rc;
		}
		snprintf(name[p], sizeof(name[p]), "port_tx-%u", p);
		names[p] = name[p];
	}
	for (struct ps_stage *s = stages; s != NULL && ports != 0; s = s->next) {
		rte_node_t id;

		if (!(s->flags & PS_STAGE_SENDS))
			continue;
		id = rte_node_from_name(s->node->name);
		if (id == RTE_NODE_ID_INVALID ||
		    rte_node_edge_update(id, RTE_EDGE_ID_INVALID, names, (uint16_t)ports) != ports) {
			snprintf(why, why_size, "graph: no edges from %s to the ports", s->node->name);
			return -ENOMEM;
		}
	}
	return 0;
}

struct sources {
	uint32_t length;
	char name[MAX_SOURCES][RTE_NODE_NAMESIZE];
	const char *names[MAX_SOURCES];
};

static int
add_source(struct sources *s, const char *parent, const char *name)
{
	int rc = 0;

	if (s->length == MAX_SOURCES)
		return -ENOSPC;
	if (name != NULL)
		rc = clone_node(parent, name);
	snprintf(s->name[s->length], sizeof(s->name[0]), name != NULL ? "%s-%s" : "%s", parent, name);
	s->names[s->length] = s->name[s->length];
	s->length++;
	return rc;
}

static int
list_sources(struct sources *s, uint32_t worker)
{
	char name[RTE_NODE_NAMESIZE / 2];
	int rc;

	s->length = 0;
	rc = add_source(s, "inbox", NULL);
	for (uint32_t p = 0; rc == 0 && p < ps_dataplane.ports; p++) {
		const struct ps_dataplane_port *port = &ps_dataplane.port[p];

		for (uint32_t q = worker; rc == 0 && q < port->device.rx_queues; q += ps_dataplane.workers) {
			snprintf(name, sizeof(name), "%u-%u-%u", worker, p, q);
			rc = add_source(s, "port_rx", name);
		}
		snprintf(name, sizeof(name), "%u-%u", worker, p);
		if (rc == 0 && port->share[worker] != NULL)
			rc = add_source(s, "tx_share", name);
		if (rc == 0 && port->device.punt_id != PS_PORT_ID_NONE && worker == 0)
			rc = add_source(s, "punt_rx", name);
	}
	return rc;
}

static void
presize_streams(struct rte_graph *graph)
{
	struct rte_node *node;
	rte_graph_off_t off = graph->nodes_start;

	for (rte_node_t i = 0; i < graph->nb_nodes; i++, off = node->next) {
		node = RTE_PTR_ADD(graph, off);
		__rte_node_stream_alloc_size(graph, node, STREAM_SIZE);
	}
}

static int
build_worker(uint32_t worker, char *why, size_t why_size)
{
	static struct sources sources;
	struct rte_graph_param param = {.socket_id = SOCKET_ID_ANY};
	char name[RTE_GRAPH_NAMESIZE];
	int rc = list_sources(&sources, worker);

	if (rc != 0) {
		snprintf(why, why_size, "graph: worker %u: %s", worker, strerror(-rc));
		return rc;
	}
	param.nb_node_patterns = (uint16_t)sources.length;
	param.node_patterns = sources.names;
	ps_dataplane.worker[worker]->sources = sources.length;
	snprintf(name, sizeof(name), "worker-%u", worker);
	if (rte_graph_create(name, &param) == RTE_GRAPH_ID_INVALID) {
		snprintf(why, why_size, "graph: worker %u: %s", worker, rte_strerror(rte_errno));
		return rte_errno != 0 ? -rte_errno : -EINVAL;
	}
	ps_dataplane.worker[worker]->graph = rte_graph_lookup(name);
	if (ps_dataplane.worker[worker]->graph == NULL)
		return -ENOENT;
	presize_streams(ps_dataplane.worker[worker]->graph);
	return 0;
}

int
ps_graph_build(char *why, size_t why_size)
{
	int rc = add_transmit_nodes(why, why_size);

	for (uint32_t w = 0; rc == 0 && w < ps_dataplane.workers; w++)
		rc = build_worker(w, why, why_size);
	return rc;
}

/*
 * Rows of the topology are stages, not clones of one worker: sources of all workers and queues share the
 * row of their parent, so that rows of different workers can be added up.
 */
static void
row_name(const struct rte_node *node, char name[PS_NODE_NAME])
{
	if (strncmp(node->name, "port_rx-", 8) == 0) {
		unsigned int worker, port, queue;

		if (sscanf(node->name, "port_rx-%u-%u-%u", &worker, &port, &queue) == 3) {
			snprintf(name, PS_NODE_NAME, "port_rx-%u", port);
			return;
		}
	}
	if (strncmp(node->name, "tx_share-", 9) == 0 || strncmp(node->name, "punt_rx-", 8) == 0) {
		const char *port = strrchr(node->name, '-');

		snprintf(name, PS_NODE_NAME, "%.8s%.8s", node->name[0] == 't' ? "tx_share" : "punt_rx", port);
		return;
	}
	snprintf(name, PS_NODE_NAME, "%.*s", (int)PS_NODE_NAME - 1, node->name);
}

static uint32_t
find_row(const struct ps_counters *c, const char *name)
{
	for (uint32_t i = 0; i < c->nodes; i++)
		if (strncmp(c->node[i].name, name, PS_NODE_NAME) == 0)
			return i;
	return PS_NONE;
}

#define FOREACH_NODE(node, graph)                                                                        \
	for (rte_node_t node##_i = 0, node##_off = (graph)->nodes_start;                                 \
	     node##_i < (graph)->nb_nodes && ((node) = RTE_PTR_ADD((graph), node##_off)) != NULL;        \
	     node##_i++, node##_off = (node)->next)

static void
describe_edges(struct ps_counters *c, const struct rte_node *node)
{
	char name[PS_NODE_NAME];
	struct ps_node_status *row;
	uint32_t i, target;

	row_name(node, name);
	i = find_row(c, name);
	if (i == PS_NONE)
		return;
	row = &c->node[i];
	for (rte_edge_t e = 0; e < node->nb_edges && row->edges < PS_MAX_EDGES; e++) {
		bool known = false;

		row_name(node->nodes[e], name);
		target = find_row(c, name);
		for (uint32_t k = 0; k < row->edges; k++)
			known |= row->edge[k] == target;
		if (target != PS_NONE && !known)
			row->edge[row->edges++] = (uint16_t)target;
	}
}

void
ps_graph_describe(struct ps_counters *c)
{
	struct rte_node *node;
	char name[PS_NODE_NAME];

	for (uint32_t w = 0; w < ps_dataplane.workers; w++) {
		FOREACH_NODE(node, ps_dataplane.worker[w]->graph)
		{
			row_name(node, name);
			if (find_row(c, name) == PS_NONE && c->nodes < PS_MAX_NODES) {
				memcpy(c->node[c->nodes].name, name, PS_NODE_NAME);
				c->nodes++;
			}
		}
	}
	for (uint32_t w = 0; w < ps_dataplane.workers; w++)
		FOREACH_NODE(node, ps_dataplane.worker[w]->graph)
			describe_edges(c, node);
}

void
ps_graph_count(const struct ps_worker *w, const struct ps_counters *c)
{
	struct ps_node_counters sum[PS_MAX_NODES] = {0};
	struct rte_node *node;
	char name[PS_NODE_NAME];

	FOREACH_NODE(node, w->graph)
	{
		uint32_t i;

		row_name(node, name);
		i = find_row(c, name);
		if (i == PS_NONE)
			continue;
		sum[i].calls += node->total_calls;
		sum[i].packets += node->total_objs;
		sum[i].cycles += node->total_cycles;
	}
	memcpy(w->counters->node, sum, sizeof(sum));
}

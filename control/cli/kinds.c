/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "control/cli/kinds.h"

#define COLUMNS(array) array, sizeof(array) / sizeof(array[0])

static const struct ps_column class_columns[] = {
	{"NAME", "name", PS_FORMAT_TEXT, false},
	{"CONTROLLER", "controller", PS_FORMAT_TEXT, false},
	{"ACCEPTED", "accepted", PS_FORMAT_STATE, false},
};

static const struct ps_column gateway_columns[] = {
	{"NAMESPACE", "namespace", PS_FORMAT_TEXT, false},
	{"NAME", "name", PS_FORMAT_TEXT, false},
	{"CLASS", "class", PS_FORMAT_TEXT, false},
	{"ADDRESSES", "addresses[]", PS_FORMAT_TEXT, false},
	{"ACCEPTED", "accepted", PS_FORMAT_STATE, false},
	{"PROGRAMMED", "programmed", PS_FORMAT_STATE, false},
	{"LISTENERS", "listeners[].name", PS_FORMAT_TEXT, false},
	{"PORTS", "listeners[].port", PS_FORMAT_TEXT, false},
	{"ROUTES", "listeners[].attached_routes", PS_FORMAT_TEXT, false},
	{"REASONS", "listeners[].reason", PS_FORMAT_TEXT, true},
};

static const struct ps_column route_columns[] = {
	{"KIND", "kind", PS_FORMAT_TEXT, false},
	{"NAMESPACE", "namespace", PS_FORMAT_TEXT, false},
	{"NAME", "name", PS_FORMAT_TEXT, false},
	{"PARENTS", "parents[].gateway", PS_FORMAT_TEXT, false},
	{"SECTIONS", "parents[].section", PS_FORMAT_TEXT, true},
	{"RULES", "rules", PS_FORMAT_TEXT, false},
	{"ACCEPTED", "accepted", PS_FORMAT_STATE, false},
	{"RESOLVED", "resolved_refs", PS_FORMAT_STATE, false},
	{"REASON", "parents[].reason", PS_FORMAT_TEXT, false},
};

static const struct ps_column service_columns[] = {
	{"NAME", "name", PS_FORMAT_TEXT, false},
	{"PROTO", "proto", PS_FORMAT_TEXT, false},
	{"FAMILY", "family", PS_FORMAT_TEXT, true},
	{"MODE", "mode", PS_FORMAT_TEXT, false},
	{"LISTENERS", "listeners[]", PS_FORMAT_PLACE, false},
	{"UP", "up", PS_FORMAT_COUNT, false},
	{"ENDPOINTS", "endpoints", PS_FORMAT_COUNT, false},
	{"DRAINING", "draining", PS_FORMAT_COUNT, true},
	{"FLOWS", "flows_active", PS_FORMAT_COUNT, false},
	{"CREATED", "flows_created", PS_FORMAT_COUNT, true},
	{"PKTS-IN", "packets_in", PS_FORMAT_COUNT, false},
	{"PKTS-OUT", "packets_out", PS_FORMAT_COUNT, false},
	{"BYTES-IN", "bytes_in", PS_FORMAT_BYTES, true},
	{"BYTES-OUT", "bytes_out", PS_FORMAT_BYTES, true},
	{"REFUSED", "refused", PS_FORMAT_COUNT, false},
	{"REJECTED", "rejected", PS_FORMAT_COUNT, true},
	{"OBJECT", "object", PS_FORMAT_TEXT, true},
};

static const struct ps_column endpoint_columns[] = {
	{"SERVICE", "service", PS_FORMAT_TEXT, false},
	{"ENDPOINT", ".", PS_FORMAT_PLACE, false},
	{"PROTO", "proto", PS_FORMAT_TEXT, true},
	{"NAME", "name", PS_FORMAT_TEXT, true},
	{"STATE", "state", PS_FORMAT_STATE, false},
	{"REASON", "reason", PS_FORMAT_TEXT, false},
	{"SINCE", "since", PS_FORMAT_SINCE, false},
	{"RTT", "rtt_us", PS_FORMAT_MICROS, false},
	{"WEIGHT", "weight", PS_FORMAT_COUNT, false},
	{"SCALE", "scale", PS_FORMAT_COUNT, true},
	{"FLOWS", "flows_active", PS_FORMAT_COUNT, false},
	{"CREATED", "flows_created", PS_FORMAT_COUNT, false},
	{"DRAINED-BY", "draining_by", PS_FORMAT_TEXT, true},
	{"PROBED", "last_probe", PS_FORMAT_SINCE, true},
	{"PROBES", "probes", PS_FORMAT_COUNT, true},
	{"FAILED", "probe_failures", PS_FORMAT_COUNT, true},
	{"PKTS-IN", "packets_in", PS_FORMAT_COUNT, true},
	{"PKTS-OUT", "packets_out", PS_FORMAT_COUNT, true},
	{"NODE", "node", PS_FORMAT_TEXT, true},
	{"ZONE", "zone", PS_FORMAT_TEXT, true},
	{"SLOT", "slot", PS_FORMAT_TEXT, true},
};

static const struct ps_column flow_columns[] = {
	{"WORKER", "worker", PS_FORMAT_TEXT, true},
	{"PROTO", "proto", PS_FORMAT_TEXT, false},
	{"STATE", "state", PS_FORMAT_STATE, false},
	{"CLIENT", "client", PS_FORMAT_TEXT, false},
	{"VIP", "vip", PS_FORMAT_TEXT, false},
	{"ENDPOINT", "endpoint", PS_FORMAT_TEXT, false},
	{"LOCAL", "local", PS_FORMAT_TEXT, false},
	{"MODE", "mode", PS_FORMAT_TEXT, true},
	{"SERVICE", "service", PS_FORMAT_TEXT, true},
	{"IDLE", "idle_s", PS_FORMAT_AGE, false},
	{"TO-ENDPOINT", "packets_to_endpoint", PS_FORMAT_COUNT, false},
	{"TO-CLIENT", "packets_to_client", PS_FORMAT_COUNT, false},
};

static const struct ps_column port_columns[] = {
	{"NAME", "name", PS_FORMAT_TEXT, false},
	{"KIND", "kind", PS_FORMAT_TEXT, true},
	{"DRIVER", "driver", PS_FORMAT_TEXT, false},
	{"DEVICE", "device", PS_FORMAT_TEXT, false},
	{"MAC", "mac", PS_FORMAT_TEXT, false},
	{"LINK", "link", PS_FORMAT_STATE, false},
	{"SPEED", "speed_bps", PS_FORMAT_BITS, false},
	{"MTU", "mtu", PS_FORMAT_TEXT, false},
	{"QUEUES", "rx_queues", PS_FORMAT_TEXT, false},
	{"NUMA", "numa_node", PS_FORMAT_TEXT, true},
	{"RX-PKTS", "rx_packets", PS_FORMAT_COUNT, false},
	{"RX-BYTES", "rx_bytes", PS_FORMAT_BYTES, false},
	{"TX-PKTS", "tx_packets", PS_FORMAT_COUNT, false},
	{"TX-BYTES", "tx_bytes", PS_FORMAT_BYTES, false},
	{"MISSED", "rx_missed", PS_FORMAT_COUNT, false},
	{"RX-ERRORS", "rx_errors", PS_FORMAT_COUNT, true},
	{"NO-BUFFER", "rx_nombuf", PS_FORMAT_COUNT, true},
	{"TX-ERRORS", "tx_errors", PS_FORMAT_COUNT, true},
	{"CAN", "can[]", PS_FORMAT_TEXT, true},
	{"RECHECKSUMS", "distrusts_checksum", PS_FORMAT_YES, true},
	{"SOFTWARE-SPREAD", "spreads_in_software", PS_FORMAT_YES, true},
	{"SHARED-TX", "shares_tx_queues", PS_FORMAT_YES, true},
};

static const struct ps_column worker_columns[] = {
	{"WORKER", "worker", PS_FORMAT_TEXT, false},
	{"CPU", "cpu", PS_FORMAT_TEXT, false},
	{"STATE", "state", PS_FORMAT_STATE, false},
	{"BUSY", "busy", PS_FORMAT_SHARE, false},
	{"CYCLES/PKT", "cycles_per_packet", PS_FORMAT_FIXED, false},
	{"RX-PKTS", "rx_packets", PS_FORMAT_COUNT, false},
	{"RX-BYTES", "rx_bytes", PS_FORMAT_BYTES, true},
	{"TX-PKTS", "tx_packets", PS_FORMAT_COUNT, false},
	{"TX-BYTES", "tx_bytes", PS_FORMAT_BYTES, true},
	{"FLOWS-V4", "flow_v4.active", PS_FORMAT_COUNT, false},
	{"OF", "flow_v4.capacity", PS_FORMAT_COUNT, false},
	{"FLOWS-V6", "flow_v6.active", PS_FORMAT_COUNT, false},
	{"OF", "flow_v6.capacity", PS_FORMAT_COUNT, false},
	{"HANDED-IN", "handoff_in", PS_FORMAT_COUNT, false},
	{"HANDED-OUT", "handoff_out", PS_FORMAT_COUNT, false},
	{"SNAT-PORTS", "snat_ports_in_use", PS_FORMAT_COUNT, false},
	{"SNAT-MISS", "snat_miss", PS_FORMAT_COUNT, true},
	{"EVICTED", "flows_evicted", PS_FORMAT_COUNT, true},
	{"REFUSED", "flows_refused", PS_FORMAT_COUNT, true},
	{"RESTORED", "flows_restored", PS_FORMAT_COUNT, true},
	{"GENERATION", "generation", PS_FORMAT_TEXT, true},
};

static const struct ps_column drop_columns[] = {
	{"NAME", "name", PS_FORMAT_TEXT, false},
	{"KIND", "kind", PS_FORMAT_TEXT, false},
	{"PACKETS", "packets", PS_FORMAT_COUNT, false},
	{"PER-WORKER", "workers[]", PS_FORMAT_TEXT, true},
	{"MEANING", "description", PS_FORMAT_TEXT, false},
};

static const struct ps_column graph_columns[] = {
	{"STAGE", "name", PS_FORMAT_TEXT, false},
	{"PACKETS", "packets", PS_FORMAT_COUNT, false},
	{"CALLS", "calls", PS_FORMAT_COUNT, false},
	{"PKTS/CALL", "packets_per_call", PS_FORMAT_FIXED, false},
	{"CYCLES/PKT", "cycles_per_packet", PS_FORMAT_FIXED, false},
	{"CYCLES", "cycles", PS_FORMAT_COUNT, true},
	{"NEXT", "edges[]", PS_FORMAT_TEXT, false},
};

static const struct ps_column neighbour_columns[] = {
	{"ADDRESS", "address", PS_FORMAT_TEXT, false},
	{"MAC", "mac", PS_FORMAT_TEXT, false},
	{"INTERFACE", "interface", PS_FORMAT_TEXT, false},
	{"STATE", "state", PS_FORMAT_STATE, false},
	{"AGE", "age_s", PS_FORMAT_AGE, false},
};

static const struct ps_column object_columns[] = {
	{"KIND", "kind", PS_FORMAT_TEXT, false},
	{"NAMESPACE", "namespace", PS_FORMAT_TEXT, false},
	{"NAME", "name", PS_FORMAT_TEXT, false},
	{"SERVED", "served", PS_FORMAT_YES, false},
	{"FILE", "file", PS_FORMAT_TEXT, false},
	{"LINE", "line", PS_FORMAT_TEXT, false},
	{"APIVERSION", "api_version", PS_FORMAT_TEXT, true},
	{"GENERATION", "generation", PS_FORMAT_TEXT, true},
};

static const struct ps_column status_columns[] = {
	{"READY", "ready", PS_FORMAT_STATE, false},
	{"GENERATION", "generation", PS_FORMAT_TEXT, false},
	{"APPLIED", "generation_applied", PS_FORMAT_TEXT, false},
	{"LAST", "last_publication.state", PS_FORMAT_STATE, false},
	{"TOOK-MS", "last_publication.total_ms", PS_FORMAT_FIXED, false},
	{"SERVICES", "services", PS_FORMAT_COUNT, false},
	{"LISTENERS", "listeners", PS_FORMAT_COUNT, false},
	{"ENDPOINTS", "endpoints", PS_FORMAT_COUNT, false},
	{"ERRORS", "manifests.errors", PS_FORMAT_COUNT, false},
	{"WARNINGS", "manifests.warnings", PS_FORMAT_COUNT, false},
	{"DATAPLANE", "dataplane.pid", PS_FORMAT_TEXT, false},
	{"WORKERS", "dataplane.workers", PS_FORMAT_COUNT, false},
	{"HUGEPAGES", "dataplane.hugepages", PS_FORMAT_YES, true},
	{"FILES", "manifests.files", PS_FORMAT_COUNT, true},
	{"OBJECTS", "manifests.objects", PS_FORMAT_COUNT, true},
	{"VIPS", "vips", PS_FORMAT_COUNT, true},
	{"REFUSED", "last_rejection.reason", PS_FORMAT_TEXT, true},
	{"RESTART-NEEDED", "restart_needed", PS_FORMAT_YES, true},
};

static void
set_number(json_t *item, const char *name, double value)
{
	json_object_set_new(item, name, json_real(value));
}

static double
ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static void
derive_workers(json_t *answer)
{
	json_t *w;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, w)
	{
		set_number(w, "busy", ratio(ps_json_number(w, "busy_cycles"), ps_json_number(w, "cycles")));
		set_number(w, "cycles_per_packet",
			ratio(ps_json_number(w, "busy_cycles"), ps_json_number(w, "rx_packets")));
		set_number(w, "flows_evicted",
			ps_json_number(w, "flow_v4.evicted") + ps_json_number(w, "flow_v6.evicted"));
		set_number(w, "flows_refused",
			ps_json_number(w, "flow_v4.refused") + ps_json_number(w, "flow_v6.refused"));
		set_number(w, "flows_restored",
			ps_json_number(w, "flow_v4.restored") + ps_json_number(w, "flow_v6.restored"));
	}
}

static void
derive_flows(json_t *answer)
{
	json_t *f;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, f)
		set_number(f, "idle_s", ps_json_number(f, "idle_ms") / 1000);
}

static void
derive_ports(json_t *answer)
{
	json_t *p;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, p)
	{
		double mbps = ps_json_number(p, "speed_mbps");

		json_object_set_new(
			p, "link", json_string(json_is_true(json_object_get(p, "link_up")) ? "up" : "down"));
		if (mbps > 0 && mbps < UINT32_MAX)
			set_number(p, "speed_bps", mbps * 1e6);
	}
}

static void
derive_graph(json_t *answer)
{
	json_t *n;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, n) set_number(
		n, "packets_per_call", ratio(ps_json_number(n, "packets"), ps_json_number(n, "calls")));
}

const struct ps_kind_view ps_kind_views[] = {
	{"gateways", "gateway|gw", "Gateways, their addresses and listeners", COLUMNS(gateway_columns),
		"name", true, true, false, NULL},
	{"routes", "route", "TCPRoutes and UDPRoutes", COLUMNS(route_columns), "name", true, true, false,
		NULL},
	{"tcproutes", "tcproute", "TCPRoutes", COLUMNS(route_columns), "name", true, true, false, NULL},
	{"udproutes", "udproute", "UDPRoutes", COLUMNS(route_columns), "name", true, true, false, NULL},
	{"services", "service|svc", "what is balanced: ports of Services and rules of routes",
		COLUMNS(service_columns), "name", true, true, false, NULL},
	{"endpoints", "endpoint|ep", "endpoints: health, drain, flows", COLUMNS(endpoint_columns), ".", false,
		false, false, NULL},
	{"flows", "flow", "flows that are open now", COLUMNS(flow_columns), "client", false, false, false,
		derive_flows},
	{"ports", "port", "ports: link, queues, what the device can, packets", COLUMNS(port_columns), "name",
		false, false, false, derive_ports},
	{"workers", "worker", "workers: load, flows, hand-overs", COLUMNS(worker_columns), "worker", false,
		false, false, derive_workers},
	{"drops", "drop|exits", "every way packets left the pipeline", COLUMNS(drop_columns), "name", false,
		false, false, NULL},
	{"graph", "stages", "stages: packets and cycles", COLUMNS(graph_columns), "name", false, false, false,
		derive_graph},
	{"neighbours", "neighbour|neighbors|neighbor", "next hops", COLUMNS(neighbour_columns), "address",
		false, false, false, NULL},
	{"gatewayclasses", "gatewayclass|gc", "GatewayClasses", COLUMNS(class_columns), "name", true, false,
		false, NULL},
	{"objects", "object", "all objects in the manifests, served or not", COLUMNS(object_columns), "name",
		false, true, false, NULL},
	{"status", "", "the running Penstock as a whole", COLUMNS(status_columns), "pid", false, false, true,
		NULL},
};
const size_t ps_kind_views_length = sizeof(ps_kind_views) / sizeof(ps_kind_views[0]);

const struct ps_kind_view *
ps_kind_view_find(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < ps_kind_views_length; i++) {
		const char *at = ps_kind_views[i].aliases;

		if (strcmp(ps_kind_views[i].name, name) == 0)
			return &ps_kind_views[i];
		while (*at != '\0') {
			size_t part = strcspn(at, "|");

			if (part == length && strncmp(at, name, length) == 0)
				return &ps_kind_views[i];
			at += part + (at[part] == '|');
		}
	}
	return NULL;
}

const char *
ps_kind_view_names(void)
{
	static char names[512];
	size_t at = 0;

	for (size_t i = 0; at == 0 || i < ps_kind_views_length; i++)
		at += (size_t)snprintf(
			names + at, sizeof(names) - at, "%s%s", i > 0 ? ", " : "", ps_kind_views[i].name);
	return names;
}

bool
ps_item_is(const struct ps_kind_view *view, json_t *item, const char *ns, const char *name)
{
	const struct ps_column key = {"", view->key, PS_FORMAT_PLACE, false};
	const char *slash = strchr(name, '/'), *item_ns = ps_json_text(item, "namespace");
	char text[256], qualified[384];
	size_t length = strlen(name);

	ps_cell(text, sizeof(text), item, &key, 0);
	if (ns != NULL && item_ns[0] != '\0' && strcmp(ns, item_ns) != 0)
		return false;
	if (strcmp(text, name) == 0)
		return true;
	if (strcmp(view->name, "endpoints") == 0)
		return strcmp(ps_json_text(item, "address"), name) == 0 ||
		       strcmp(ps_json_text(item, "name"), name) == 0;
	if (strcmp(view->name, "services") == 0) {
		/* "ns/name:port" also answers to "ns/name", "name" and "name:port" */
		const char *plain = slash == NULL && strchr(text, '/') != NULL ? strchr(text, '/') + 1 : text;

		return strncmp(plain, name, length) == 0 &&
		       (plain[length] == '\0' || plain[length] == ':' || plain[length] == '/');
	}
	snprintf(qualified, sizeof(qualified), "%s/%s", item_ns, text);
	return slash != NULL && strcmp(qualified, name) == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock diff`: manifests as resolved here, against the configuration that runs. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/changes.h"
#include "control/cli/get.h"
#include "control/cli/load.h"
#include "control/cli/verbs.h"

static void
address_text(char text[INET6_ADDRSTRLEN], const struct ps_addr *a)
{
	if (ps_addr_is_v4(a))
		inet_ntop(AF_INET, a->b + 12, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, a->b, text, INET6_ADDRSTRLEN);
}

static const char *
proto_name(uint8_t proto)
{
	return proto == IPPROTO_TCP ? "tcp" : "udp";
}

static json_t *
endpoints_json(const struct ps_model_service *s)
{
	json_t *list = json_array();
	char address[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < s->endpoints; i++) {
		const struct ps_model_endpoint *e = &s->endpoint[i];

		address_text(address, &e->addr);
		json_array_append_new(list,
			json_pack("{s:s, s:i, s:i, s:b}", "address", address, "port", (int)ntohs(e->port),
				"weight", (int)e->weight, "balanced", (int)(i < s->balanced)));
	}
	return list;
}

static json_t *
ranges_json(const struct ps_model_listener *l)
{
	json_t *list = json_array();
	char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < l->ranges; i++) {
		address_text(first, &l->range[i].first);
		address_text(last, &l->range[i].last);
		json_array_append_new(list, json_pack("{s:s, s:s}", "first", first, "last", last));
	}
	return list;
}

/* The model in the shape of /v1/config. */
static json_t *
config_of(const struct ps_model *m)
{
	static const char *const modes[PS_MODES] = {
		[PS_MODE_FULLNAT] = "fullnat",
		[PS_MODE_DNAT] = "dnat",
		[PS_MODE_IPIP] = "dsr-ipip",
		[PS_MODE_GUE] = "dsr-gue",
		[PS_MODE_L2] = "dsr-l2",
	};
	json_t *listeners = json_array(), *services = json_array();
	char address[INET6_ADDRSTRLEN];

	for (uint32_t i = 0; i < m->listeners; i++) {
		const struct ps_model_listener *l = &m->listener[i];

		address_text(address, &l->addr);
		json_array_append_new(listeners,
			json_pack("{s:s, s:s, s:i, s:s, s:s?, s:b, s:o}", "name", l->name, "address", address,
				"port", (int)ntohs(l->port), "proto", proto_name(l->proto), "service",
				l->service == PS_NONE ? NULL : m->service[l->service]->name, "rejects",
				l->kind == PS_LISTENER_REJECT, "source_ranges", ranges_json(l)));
	}
	for (uint32_t i = 0; i < m->services; i++) {
		const struct ps_model_service *s = m->service[i];

		json_array_append_new(services,
			json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:b, s:o}", "name", s->name, "proto",
				proto_name(s->proto), "mode", s->mode < PS_MODES ? modes[s->mode] : "unknown",
				"tcp_idle_s", (int)s->tcp_idle_s, "udp_idle_s", (int)s->udp_idle_s,
				"affinity_s", (int)(s->flags & PS_SERVICE_F_AFFINITY ? s->affinity_s : 0),
				"probed", s->probe.kind != PS_PROBE_NONE, "endpoints", endpoints_json(s)));
	}
	return json_pack("{s:o, s:o}", "listeners", listeners, "services", services);
}

static void
print_changes(const struct ps_invocation *inv, json_t *changes)
{
	json_t *c, *detail;
	size_t index, d, counts[3] = {0};

	json_array_foreach(changes, index, c)
	{
		const char *change = ps_json_text(c, "change");
		int which = strcmp(change, "added") == 0 ? 0 : strcmp(change, "removed") == 0 ? 1 : 2;
		static const char *const colors[] = {"\033[32m", "\033[31m", "\033[33m"};

		counts[which]++;
		fprintf(inv->out, "%s%c %s %s%s\n", inv->color ? colors[which] : "", "+-~"[which],
			ps_json_text(c, "kind"), ps_json_text(c, "name"), inv -> color ? "\033[0m" : "");
		json_array_foreach(json_object_get(c, "details"), d, detail)
			fprintf(inv->out, "    %s\n", json_string_value(detail));
	}
	if (json_array_size(changes) == 0)
		fprintf(inv->out, "no difference\n");
	else
		fprintf(inv->out, "%zu added, %zu removed, %zu changed\n", counts[0], counts[1], counts[2]);
}

enum ps_cli_status
ps_cmd_diff(const struct ps_invocation *inv)
{
	struct ps_client *c;
	enum ps_cli_status status;
	struct ps_loaded l;
	json_t *running, *wanted, *changes;
	int rc;

	if (!ps_opt_given(inv, "filename"))
		return ps_usage_error(inv, "no manifests given: expected -f PATH");
	c = ps_client_open(inv);
	if (c == NULL)
		return PS_CLI_FAILED;
	rc = ps_client_get(c, "/v1/config", &running);
	if (rc < 0) {
		status = ps_client_status(c, rc);
		ps_client_free(c);
		return status;
	}
	if (ps_loaded_make(&l, inv) < 0) {
		status = ps_fail("out of memory");
	} else {
		if (l.diagnostics.errors > 0)
			fprintf(stderr,
				"penstock: the new manifests have %u errors: penstock check says where; what "
				"is broken is left out here\n",
				l.diagnostics.errors);
		wanted = config_of(l.model);
		changes = ps_changes(running, wanted);
		if (ps_opt_given(inv, "json"))
			ps_print_json(inv->out, changes);
		else
			print_changes(inv, changes);
		status = json_array_size(changes) > 0 ? PS_CLI_FAILED : PS_CLI_OK;
		json_decref(wanted);
		json_decref(changes);
	}
	ps_loaded_clear(&l);
	json_decref(running);
	ps_client_free(c);
	return status;
}

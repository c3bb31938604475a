/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/status */
#include <string.h>
#include <unistd.h>

#include "control/daemon/request.h"

#define DIAGNOSTICS_MAX 200u

static json_t *
milliseconds(uint64_t ns)
{
	return json_real((double)(ns / 1000) / 1000.0);
}

static const char *
publication_name(enum ps_publication_state state)
{
	static const char *const names[] = {[PS_PUBLICATION_NONE] = "none", [PS_PUBLICATION_WAITING] = "waiting",
		[PS_PUBLICATION_PENDING] = "pending", [PS_PUBLICATION_APPLIED] = "applied",
		[PS_PUBLICATION_REJECTED] = "rejected", [PS_PUBLICATION_UNANSWERED] = "unanswered"};

	return names[state];
}

static json_t *
publication_json(const struct ps_publication *p)
{
	if (p->state == PS_PUBLICATION_NONE)
		return json_null();
	return json_pack("{s:I, s:s, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:i, s:i}",
		"generation", (json_int_t)p->generation, "state", publication_name(p->state),
		"reason", p->reason[0] != '\0' ? p->reason : NULL, "time", ps_time_json(p->time_ns),
		"parse_ms", milliseconds(p->parse_ns), "resolve_ms", milliseconds(p->resolve_ns),
		"compile_ms", milliseconds(p->compile_ns), "publish_ms", milliseconds(p->publish_ns),
		"apply_ms", milliseconds(p->apply_ns), "answer_ms", milliseconds(p->answer_ns),
		"total_ms", milliseconds(p->total_ns), "size", (json_int_t)p->size, "blobs", (int)p->blobs,
		"tables_built", (int)p->tables_built, "tables_reused", (int)p->tables_reused);
}

/* Errors first, then warnings, as many as are useful; rejection and trouble of our own come as errors without a file. */
static json_t *
diagnostics_json(struct ps_daemon *d)
{
	struct ps_diagnostics all = {0}, chosen = {0};
	static const struct ps_place nowhere = {0};
	enum ps_severity severity;
	json_t *json;
	uint32_t i;
	int round;

	if (d->trouble[0] != '\0')
		ps_diagnostics_add(&chosen, PS_ERROR, "", nowhere, NULL, NULL, "%s", d->trouble);
	ps_manifests_diagnostics(d->manifests, &all);
	if (d->model != NULL)
		ps_diagnostics_append(&all, &d->model->diagnostics);
	ps_diagnostics_sort(&all);
	for (round = 0; round < 2; round++) {
		severity = round == 0 ? PS_ERROR : PS_WARNING;
		for (i = 0; i < all.length && chosen.length < DIAGNOSTICS_MAX; i++) {
			const struct ps_diagnostic *g = &all.item[i];

			if (g->severity == severity)
				ps_diagnostics_add(&chosen, g->severity, g->file, g->place, g->line, g->object, "%s", g->message);
		}
	}
	json = ps_diagnostics_json(&chosen);
	for (i = 0; i < chosen.length && i < json_array_size(json); i++) {
		const struct ps_diagnostic *g = &chosen.item[i];

		/* As compilers write it, so that terminals and editors can jump there. */
		if (g->file[0] != '\0')
			json_object_set_new(json_array_get(json, i), "place",
				json_sprintf("%s:%u:%u", g->file, g->place.line, g->place.column));
	}
	ps_diagnostics_clear(&all);
	ps_diagnostics_clear(&chosen);
	return json;
}

static json_t *
manifests_json(struct ps_daemon *d)
{
	json_t *paths = json_array();
	uint32_t errors, warnings, objects = 0, i;
	int kind;

	for (i = 0; i < d->options.paths; i++)
		json_array_append_new(paths, json_string(d->options.path[i]));
	for (kind = 0; kind < PS_KINDS; kind++)
		objects += ps_manifests_length(d->manifests, (enum ps_kind)kind);
	ps_manifests_counts(d->manifests, &errors, &warnings);
	if (d->model != NULL) {
		errors += d->model->diagnostics.errors;
		warnings += d->model->diagnostics.warnings;
	}
	return json_pack("{s:o, s:i, s:i, s:i, s:i, s:b, s:o}", "paths", paths, "files", (int)ps_watch_files(d->watch),
		"objects", (int)objects, "errors", (int)errors, "warnings", (int)warnings, "watching",
		(int)ps_watch_works(d->watch), "last_reload", ps_time_json(d->reload_ns));
}

static json_t *
dataplane_json(struct ps_daemon *d, const struct ps_attach_stats *attach)
{
	json_t *o = json_pack("{s:b, s:o, s:o}", "attached", (int)attach->attached, "pid",
		attach->attached ? json_integer(attach->pid) : json_null(), "since",
		ps_time_json(attach->attached ? attach->attached_ns : 0));
	const struct ps_counters *c = d->counters.shared;
	char rejection[sizeof(c->last_rejection)];

	if (o == NULL || !ps_counters_refresh(&d->counters))
		return o;
	c = d->counters.shared;
	memcpy(rejection, c->last_rejection, sizeof(rejection));
	rejection[sizeof(rejection) - 1] = '\0';
	if (!json_is_integer(json_object_get(o, "pid")))
		json_object_set_new(o, "pid", json_integer(c->pid));
	json_object_set_new(o, "epoch", json_integer((json_int_t)c->epoch));
	json_object_set_new(o, "started", ps_time_json(c->started_ns));
	json_object_set_new(o, "updated", ps_time_json(c->updated_ns));
	json_object_set_new(o, "generation", json_integer((json_int_t)c->generation));
	json_object_set_new(o, "workers", json_integer(d->counters.workers));
	json_object_set_new(o, "ports", json_integer(d->counters.ports));
	json_object_set_new(o, "hugepages", json_boolean(c->hugepages));
	json_object_set_new(o, "flows_hugepages", json_boolean(c->flows_hugepages));
	json_object_set_new(o, "mbufs_free", json_integer((json_int_t)c->mbufs_free));
	json_object_set_new(o, "mbufs_total", json_integer((json_int_t)c->mbufs_total));
	json_object_set_new(o, "messages_rejected", json_integer((json_int_t)c->messages_rejected));
	json_object_set_new(o, "snapshots_applied", json_integer((json_int_t)c->snapshots_applied));
	json_object_set_new(o, "snapshots_rejected", json_integer((json_int_t)c->snapshots_rejected));
	json_object_set_new(o, "last_rejection", json_string(rejection));
	return o;
}

static json_t *
slots_json(const struct ps_daemon *d)
{
	struct ps_slots_usage u = {0};

	if (d->slots == NULL)
		return json_null();
	ps_slots_usage(d->slots, &u);
	return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "endpoints", (int)u.endpoints, "endpoint_slots",
		(int)u.endpoint_slots, "draining", (int)u.draining, "killed", (int)u.killed, "services", (int)u.services,
		"service_slots", (int)u.service_slots);
}

static json_t *
disk_json(struct ps_daemon *d)
{
	struct ps_saver_status s;

	ps_saver_status(d->saver, &s);
	return json_pack("{s:I, s:o, s:o}", "generation", (json_int_t)s.generation, "time", ps_time_json(s.time_ns), "error",
		s.error == 0 ? json_null() : json_string(strerror(s.error)));
}

static json_t *
rejection_json(const struct ps_rejection *r)
{
	if (r->generation == 0)
		return json_null();
	return json_pack("{s:I, s:o, s:s}", "generation", (json_int_t)r->generation, "time", ps_time_json(r->time_ns), "reason",
		r->reason);
}

void
ps_get_status(struct ps_request *r)
{
	struct ps_daemon *d = r->daemon;
	const struct ps_snapshot *snapshot = d->latest == NULL ? NULL : d->latest->compiled->snapshot;
	uint64_t applied = d->applied == NULL ? 0 : d->applied->compiled->generation;
	struct ps_attach_stats attach;
	json_t *o;

	ps_attach_stats(d->attach, &attach);
	o = json_pack("{s:s, s:i, s:i, s:o, s:I, s:b, s:I, s:I, s:o, s:i, s:i, s:i, s:i}", "version", PS_VERSION, "abi",
		(int)PS_ABI, "pid", (int)getpid(), "started", ps_time_json(d->started_ns), "time_ns",
		(json_int_t)ps_realtime_ns(), "ready", (int)(attach.attached && applied != 0 && attach.attached_ns <= d->applied_ns),
		"generation", (json_int_t)(d->latest == NULL ? 0 : d->latest->compiled->generation), "generation_applied",
		(json_int_t)applied, "manifests", manifests_json(d), "services",
		(int)(snapshot == NULL ? 0 : ps_snapshot_length(snapshot, PS_SEC_SERVICE)), "listeners",
		(int)(snapshot == NULL ? 0 : ps_snapshot_length(snapshot, PS_SEC_LISTENER)), "endpoints",
		(int)(snapshot == NULL ? 0 : ps_snapshot_length(snapshot, PS_SEC_ENDPOINT)), "vips",
		(int)(snapshot == NULL ? 0 : ps_snapshot_length(snapshot, PS_SEC_VIP)));
	if (o != NULL) {
		json_object_set_new(o, "diagnostics", diagnostics_json(d));
		json_object_set_new(o, "last_publication", publication_json(&d->publication));
		json_object_set_new(o, "last_rejection", rejection_json(&d->rejection));
		json_object_set_new(o, "publications",
			json_pack("{s:I, s:I, s:I}", "applied", (json_int_t)d->publications_applied, "rejected",
				(json_int_t)d->publications_rejected, "unanswered", (json_int_t)d->publications_unanswered));
		json_object_set_new(o, "restart_needed", json_boolean(d->restart_needed));
		json_object_set_new(o, "dataplane", dataplane_json(d, &attach));
		json_object_set_new(o, "channel",
			json_pack("{s:I, s:I, s:I, s:I, s:I}", "attaches", (json_int_t)attach.attaches, "refused",
				(json_int_t)attach.refused, "messages_rejected", (json_int_t)attach.messages_rejected,
				"command_overflow", (json_int_t)attach.command_overflow, "event_overflow",
				(json_int_t)attach.event_overflow));
		json_object_set_new(o, "slots", slots_json(d));
		json_object_set_new(o, "disk_snapshot", disk_json(d));
	}
	ps_reply_json(r, HTTP_OK, o);
}

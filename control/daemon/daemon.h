/* SPDX-License-Identifier: Apache-2.0 */
/*
 * penstockd: one thread, one event base. Files of this folder share struct ps_daemon; each says
 * which of its fields it owns.
 *
 *   watch -> manifests -> resolver -> model -> compiler -> release -> attach -> dataplane
 *                                                             `-> saver (thread) -> disk
 *   admin (HTTP) reads all of it.
 */
#ifndef PS_DAEMON_DAEMON_H
#define PS_DAEMON_DAEMON_H

#include <event2/event.h>
#include <stdbool.h>

#include "control/channel/attach.h"
#include "control/channel/slots.h"
#include "control/compile/compile.h"
#include "control/daemon/counters_map.h"
#include "control/daemon/log.h"
#include "control/daemon/options.h"
#include "control/daemon/save.h"
#include "control/daemon/watch.h"
#include "control/manifest/manifest.h"
#include "control/resolve/resolve.h"

enum ps_publication_state {
	PS_PUBLICATION_NONE,
	PS_PUBLICATION_WAITING, /* no dataplane is attached */
	PS_PUBLICATION_PENDING,
	PS_PUBLICATION_APPLIED,
	PS_PUBLICATION_REJECTED,
	PS_PUBLICATION_UNANSWERED,
};

/* How long the last publication took, in ns; see docs/reference/admin-api.md. */
struct ps_publication {
	enum ps_publication_state state;
	uint64_t generation;
	uint64_t time_ns;    /* CLOCK_REALTIME of the answer, or of the publication while there is none */
	uint64_t noticed_ns; /* CLOCK_MONOTONIC */
	uint64_t sent_ns;    /* CLOCK_MONOTONIC */
	uint64_t parse_ns, resolve_ns, compile_ns, publish_ns, apply_ns, answer_ns, total_ns;
	uint64_t size;
	uint32_t blobs, tables_built, tables_reused;
	char reason[208];
};

struct ps_rejection {
	uint64_t generation; /* 0: none */
	uint64_t time_ns;
	char reason[208];
};

struct ps_admin;
struct ps_baseline;

struct ps_daemon {
	struct ps_options options;
	struct event_base *base;
	struct event *signals[4];
	struct event *tick;
	struct event *watchdog;
	uint64_t started_ns; /* CLOCK_REALTIME */

	/* publish.c */
	struct ps_manifests *manifests;
	struct ps_resolver *resolver;
	struct ps_compiler *compiler;
	struct ps_slots *slots;         /* NULL until the first model says how many */
	uint32_t endpoint_slots, service_slots; /* of slots */
	struct ps_watch *watch;
	struct ps_attach *attach;
	const struct ps_model *model;   /* of the manifests as they are now; NULL: out of memory */
	uint64_t compiled_revision;     /* of the model that `latest` was made from */
	struct ps_release *latest;      /* last compiled; NULL: none */
	struct ps_release *applied;     /* last that the attached dataplane said is live; NULL: none */
	uint64_t applied_ns;            /* CLOCK_REALTIME of the last answer that a snapshot is live */
	struct ps_publication publication;
	struct ps_rejection rejection;
	uint64_t publications_applied, publications_rejected, publications_unanswered;
	bool dataplane_starts;          /* attached before it runs anything: its first answer takes longer */
	struct event *answer_timer, *soon;
	uint64_t noticed_ns, parse_ns, resolve_ns; /* of changes not yet published; noticed_ns 0: none */
	uint64_t compile_started_ns;
	uint64_t reload_ns;             /* CLOCK_REALTIME of the last full reading */
	bool restart_needed;
	char trouble[256];              /* why nothing can be published; "" usually */

	struct ps_saver *saver;
	struct ps_counters_map counters;
	struct ps_baseline *baseline;
	struct ps_admin *admin;
};

uint64_t ps_realtime_ns(void);
uint64_t ps_monotonic_ns(void);

/* publish.c */
int ps_publish_open(struct ps_daemon *d, char *why, size_t why_size);
void ps_publish_close(struct ps_daemon *d);
/* Reads all manifests again, changed or not, and publishes. */
void ps_publish_reload(struct ps_daemon *d);
/* Publishes what the model says, when it differs from what was compiled, or always when forced. */
void ps_publish_now(struct ps_daemon *d, bool force);
/* Callbacks of attach that concern publication. */
void ps_publish_attached(struct ps_daemon *d, uint32_t pid, uint64_t generation);
void ps_publish_detached(struct ps_daemon *d, const char *why);
void ps_publish_answer(struct ps_daemon *d, const struct ps_message *event);
/* The snapshot that explanations are given from; NULL: none yet. */
const struct ps_compiled *ps_publish_running(const struct ps_daemon *d);

#endif

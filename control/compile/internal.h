/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PS_COMPILE_INTERNAL_H
#define PS_COMPILE_INTERNAL_H

#include "control/compile/compile.h"
#include "policies/maglev/build.h"

/* ---- memfd.c ---- */

/* A sealed memfd with these bytes. Returns the descriptor or -errno. */
int ps_memfd_sealed(const char *name, const void *bytes, uint64_t size);
/*
 * The same in two steps. Getting pages costs several times what filling them does, and can be done before anybody
 * waits: a memfd that has pages for size bytes (descriptor or -errno), and its bytes, exact length and seals (0 or
 * -errno; the descriptor stays the caller's).
 */
int ps_memfd_room(const char *name, uint64_t size);
int ps_memfd_seal(int fd, const void *bytes, uint64_t size);

/* ---- packs.c: sealed memfds that hold many tables ---- */

struct pack {
	uint64_t digest, size;
	int fd;
	void *bytes;         /* mapped read-only */
	uint64_t live;       /* bytes of tables in use, counted anew by each compilation */
	uint32_t references; /* compiler and compilations */
	uint32_t index;      /* in the BLOB section of the compilation being made */
};

struct table {
	uint64_t digest;
	struct pack *pack;   /* NULL: waits in the compiler's new pack */
	uint64_t offset;     /* in pack, or in the new one */
	uint32_t size;       /* entries */
	uint32_t endpoints;
	uint64_t round;      /* last used in */
	uint32_t index;      /* in the TABLE section of the compilation being made */
};

struct packs {
	struct table **cell; /* hash by digest */
	uint32_t cells, tables;
	struct pack **pack;
	uint32_t length, capacity;
	uint8_t *fresh;      /* bytes of the pack being made, header first */
	uint64_t fresh_size, fresh_capacity;
	uint64_t round;
	uint32_t built, reused;
};

void ps_packs_free(struct packs *packs);
void ps_packs_begin(struct packs *packs);
/* The table over these endpoints, found or built. 0, -ENOMEM, or what ps_maglev_build says. */
int ps_packs_table(struct packs *packs, const struct ps_maglev_endpoint *endpoint, uint32_t endpoints,
		   struct table **table);
/* Marks a table of an earlier round as used in this one. */
void ps_packs_keep(struct packs *packs, struct table *table);
/* Writes the new pack, forgets tables and packs without use, merges small packs. After it, every used table has a pack. */
int ps_packs_end(struct packs *packs);
void ps_pack_release(struct pack *pack);

/* ---- the arena ---- */

struct arena {
	uint8_t *bytes;
	uint64_t size, capacity;
	struct ps_section section[PS_SECTIONS];
	char *string;
	uint32_t string_size, string_capacity;
	int error;
};

/* ---- the compiler ---- */

/*
 * What a compilation remembers of a service for the next one: its record, as far as it does not depend on what
 * stands before it in the snapshot. A service that did not change is compiled from here alone; its model is
 * looked at for id and revision only, because every further cache line is multiplied by thousands of services.
 */
struct cached {
	uint64_t id, revision;
	struct ps_service record;     /* name, first_endpoint, table and probe: filled in each time */
	struct ps_probe probe;
	struct ps_endpoint *endpoint; /* [record.endpoints], name: offset into text */
	char *text;                   /* behind the endpoints: names, NUL-terminated; the service's own first */
	uint32_t text_size;
	uint16_t left_out;            /* endpoints without slot */
	bool named;                   /* has a service slot */
	struct table *table;          /* NULL: nothing is balanced */
};

/* Listeners with all that belongs to them, as of one listener_revision; service: index into the model. */
struct cached_listeners {
	uint64_t revision;
	struct ps_listener *item; /* name: offset into text */
	struct ps_range *range;
	uint32_t *index;
	char *text;
	uint32_t length, ranges, cells, text_size;
};

struct ps_compiler {
	struct packs packs;
	struct cached *cached; /* in the order of the model's services */
	uint32_t length;
	uint64_t listener_revision;
	struct cached_listeners listeners;
	const struct ps_slots *slots; /* that the cache speaks of */
	struct arena arena;           /* its memory is kept: fresh pages cost more than what is written to them */
	int spare;                    /* memfd with room for the next snapshot, -1: none */
};

/* ---- sections.c ---- */

/* Memory for so many bytes in all. 0, -ENOMEM, -EFBIG. */
int ps_emit_reserve(struct arena *arena, uint64_t size);
/* Room for items of a section, zeroed; NULL with arena->error set. Sections are made one after another. */
void *ps_emit_section(struct arena *arena, enum ps_section_id id, uint32_t length, uint32_t item_size);
/* Offset of a string in the STRING section, which is written last. "" is 0. */
uint32_t ps_emit_string(struct arena *arena, const char *s);
/* Offset of size bytes of strings. */
uint32_t ps_emit_strings(struct arena *arena, const char *bytes, uint32_t size);

struct emitted {
	uint32_t max_service_slot, max_endpoint_slot;
	uint32_t endpoints_left_out, services_left_out;
	uint64_t boot_digest;
};

struct compilation {
	struct ps_compiler *c;
	const struct ps_model *m;
	struct ps_slots *slots;
	struct arena *arena;
	struct emitted out;
	uint32_t next_slot, next_service_slot; /* without slots */
	uint32_t *emitted_index;               /* of model service i; PS_NONE: left out */
};

/* The sections that follow from the Dataplane document. */
void ps_emit_dataplane(struct arena *arena, const struct ps_model *model, struct emitted *out);

/* ---- services.c ---- */

/* First half: slots and tables of every service; what did not change is kept as it is. */
int ps_prepare_services(struct compilation *compilation);
/* Second half: SERVICE, ENDPOINT, PROBE and TABLE. */
int ps_emit_services(struct compilation *compilation);
void ps_forget_services(struct ps_compiler *compiler);

/* ---- listeners.c ---- */

/* LISTENER, LISTENER_INDEX and RANGE. After the services. */
int ps_emit_listeners(struct compilation *compilation);
void ps_forget_listeners(struct ps_compiler *compiler);

#endif

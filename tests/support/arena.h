/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds snapshots by hand, for tests that must be able to build wrong ones too. The compiler has its own
 * builder; that both agree on the layout is part of what tests show.
 *
 * Out of memory aborts.
 */
#ifndef TESTS_SUPPORT_ARENA_H
#define TESTS_SUPPORT_ARENA_H

#include "dataplane/api/snapshot.h"

struct arena {
	uint8_t *section[PS_SECTIONS];
	uint32_t length[PS_SECTIONS];
	uint8_t *blob; /* one blob, without header until finished */
	uint64_t blob_size;
};

/* A finished snapshot with its one blob. */
struct arena_image {
	uint8_t *bytes; /* 64-byte aligned */
	uint64_t size;
	uint8_t *blob; /* NULL: none */
	uint64_t blob_size;
};

void arena_init(struct arena *a); /* with a boot record of one worker and small tables */
void arena_free(struct arena *a);

/* Appends a zeroed item and returns it; valid until the section's next addition. */
void *arena_add(struct arena *a, enum ps_section_id id);
uint32_t arena_string(struct arena *a, const char *text);
struct ps_boot *arena_boot(struct arena *a);

/* A Maglev table over `endpoints` endpoints, in turn. Returns its index. */
uint32_t arena_table(struct arena *a, uint32_t endpoints);

/*
 * A port of this kind with one untagged interface and address "10.0.0.1", prefix 24. Returns the index of the interface.
 */
uint32_t arena_port(struct arena *a, const char *name, enum ps_port_kind kind, const char *device,
		    const char *address, uint8_t prefix_length);

/* FullNAT service on vip:port with `endpoints` addresses counting up from first, all on endpoint_port. Returns its index. */
uint32_t arena_service(struct arena *a, const char *vip, uint16_t port, uint8_t proto, const char *first,
		       uint32_t endpoints, uint16_t endpoint_port);

/* Fills index, header and digests. */
void arena_finish(struct arena *a, struct arena_image *image, uint64_t generation);
/* Computes the snapshot's digest again, after a test has changed it. */
void arena_seal(struct arena_image *image);
void arena_image_free(struct arena_image *image);

/* Sealed memfds, as penstockd would hand them over. */
int arena_memfd(const void *bytes, uint64_t size);

int arena_validate(const struct arena_image *image, char *why, size_t why_size);

struct ps_addr arena_addr(const char *text);

#endif

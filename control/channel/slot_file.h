/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of fixed-size rows in the runtime directory that outlive penstockd: created beside
 * and renamed into place, validated when found, mapped read-write.
 *
 * Thread: penstockd's main.
 */
#ifndef PS_CHANNEL_SLOT_FILE_H
#define PS_CHANNEL_SLOT_FILE_H

#include "dataplane/api/state.h"

/*
 * penstockd's own companion of the state table: what state.h has no room for. No other process reads
 * it.
 *
 *   header (4096) | endpoint rows[endpoint_slots] | service rows[service_slots]
 */
#define PS_SLOTS_FILE "slots"
#define PS_SLOTS_MAGIC 0x31544f4c53534e50ull /* "PNSSLOT1" */
#define PS_SLOTS_HEADER_SIZE 4096u

struct ps_slots_header {
	uint64_t magic;
	uint32_t abi;
	uint32_t endpoint_slots;
	uint32_t service_slots;
	uint32_t pad;
	uint64_t size; /* bytes of the file */
	uint64_t boot_id;
	uint64_t pad1[3];
};
PS_SIZE_IS(struct ps_slots_header, 64);

#define PS_SLOT_F_REMOVED 0x1u /* not named by the last live round: draining to its end */

/* Valid while the state table says that the slot is in use. */
struct ps_slot_row {
	uint64_t service_id;
	struct ps_addr addr;
	uint32_t drain_s;
	uint16_t port; /* network order */
	uint8_t proto;
	uint8_t flags; /* PS_SLOT_F_ */
	char name[96];
};
PS_SIZE_IS(struct ps_slot_row, 128);

#define PS_SERVICE_SLOT_F_DRAINED 0x1u /* by the operator: endpoints that come are drained as well */

struct ps_service_row {
	uint64_t id; /* 0: free. Stored last */
	uint64_t unnamed_since_ns; /* CLOCK_REALTIME; 0: named by the last live round */
	uint32_t flags;
	uint32_t pad;
	char name[104];
};
PS_SIZE_IS(struct ps_service_row, 128);

/* A mapped file. */
struct ps_slot_file {
	void *base; /* NULL: not open */
	uint64_t size;
};

/* Does base (size bytes) hold a state table of this ABI and boot? Checks the header against the size. */
int ps_state_validate(const void *base, uint64_t size, uint64_t boot_id, char *why, size_t why_size);
int ps_slots_validate(const void *base, uint64_t size, uint64_t boot_id, char *why, size_t why_size);

/* Maps the file, read-write. Returns 0; -ENOENT; -EINVAL (not a regular file, or empty); another -errno. */
int ps_slot_file_map(struct ps_slot_file *file, const char *path);

/*
 * Makes a zeroed file of size bytes at "<path>.new" and maps it; ps_slot_file_install renames
 * it to path, once its content is there.
 */
int ps_slot_file_create(struct ps_slot_file *file, const char *path, uint64_t size);
int ps_slot_file_install(const char *path);

void ps_slot_file_unmap(struct ps_slot_file *file);

/* Writes an empty table of so many slots into zeroed memory. */
void ps_state_format(void *base, uint32_t slots, uint64_t boot_id);
void ps_slots_format(void *base, uint32_t endpoint_slots, uint32_t service_slots, uint64_t boot_id);

static inline uint64_t
ps_slots_size(uint32_t endpoint_slots, uint32_t service_slots)
{
	return PS_SLOTS_HEADER_SIZE + (uint64_t)endpoint_slots * sizeof(struct ps_slot_row) +
	       (uint64_t)service_slots * sizeof(struct ps_service_row);
}

static inline struct ps_slot_row *
ps_slots_rows(void *base)
{
	return (struct ps_slot_row *)((uint8_t *)base + PS_SLOTS_HEADER_SIZE);
}

static inline struct ps_service_row *
ps_slots_services(void *base)
{
	const struct ps_slots_header *h = base;

	return (struct ps_service_row *)(ps_slots_rows(base) + h->endpoint_slots);
}

#endif

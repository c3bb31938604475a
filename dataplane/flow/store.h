/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that outlive the process: where they lie, who has them, what they hold. POSIX only.
 *
 * A flow file lies in a hugetlbfs when one is mounted that has room (<mount>/penstock-<instance>-flows-4-0), with a symbolic
 * link in the runtime directory; otherwise in the runtime directory itself. Its owner holds flock(LOCK_EX),
 * which the kernel gives up however the owner ends.
 */
#ifndef PS_FLOW_STORE_H
#define PS_FLOW_STORE_H

#include <stdio.h>

#include "dataplane/api/flow.h"

struct ps_flow_file {
	int fd;            /* -1: closed */
	bool hugepages;
	uint64_t size;     /* bytes mapped */
	void *base;        /* struct ps_flows_header */
	char path[256];    /* in the runtime directory */
};

static inline void *
ps_flow_file_records(const struct ps_flow_file *f)
{
	return (uint8_t *)f->base + 4096;
}

/* Opens, locks, maps and checks an existing file. 0, -ENOENT, -EBUSY (somebody holds it), -EPROTO (not usable: other boot, ABI, damaged). */
int ps_flow_file_open(struct ps_flow_file *f, const char *runtime_dir, uint32_t family, uint32_t worker, uint64_t boot_id);

/*
 * Makes a file beside the real one ("<name>.new") with zeroed records, locked and mapped; ps_flow_file_publish renames
 * it into place. hugetlbfs: where to try first, NULL: only the runtime directory.
 */
int ps_flow_file_make(struct ps_flow_file *f, const char *runtime_dir, const char *hugetlbfs, const char *instance,
		      const struct ps_flows_header *header);
int ps_flow_file_publish(struct ps_flow_file *f);

/* Removes the file of this worker and family, and what its link points to. */
void ps_flow_file_remove(const char *runtime_dir, uint32_t family, uint32_t worker);
void ps_flow_file_close(struct ps_flow_file *f);

/*
 * A descriptor of the regular file at path, of this user alone, made when there is none; whatever else stood there is removed
 * first. Never through a link. -errno.
 */
int ps_own_file_open(const char *path);

/* A mounted hugetlbfs with at least `size` bytes of free pages. 0, or -ENOENT. */
int ps_hugetlbfs_find(uint64_t size, char *path, size_t path_size);

/* Private zeroed memory, in huge pages where the kernel gives them. NULL: none. */
void *ps_private_memory(uint64_t size);

#endif

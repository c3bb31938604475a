/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What penstockd may do once its sockets and files are open: it is another user, can gain nothing
 * by exec, and keeps one capability, CAP_DAC_READ_SEARCH, so that manifests and Secrets
 * that only root may read are still read when they change. It is not dumpable: no core file and no ptrace by its
 * own user, because key material will pass through it.
 */
#ifndef PS_DAEMON_PRIVILEGES_H
#define PS_DAEMON_PRIVILEGES_H

#include <stddef.h>
#include <sys/types.h>

struct ps_identity {
	uid_t uid;
	gid_t gid;
	char name[64];
};

/*
 * Who to become: user, or penstock, or nobody when NULL; ourselves when not started as root. -ENOENT: no such
 * user, with a reason in why.
 */
int ps_identity_find(struct ps_identity *identity, const char *user, char *why, size_t why_size);

/*
 * Becomes that user. Call before any thread is started: capabilities are per thread. Does nothing but lock
 * itself down when not started as root. Returns 0 or -errno with a reason; after an error the caller leaves.
 */
int ps_privileges_drop(const struct ps_identity *identity, char *why, size_t why_size);

#endif

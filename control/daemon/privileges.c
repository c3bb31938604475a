/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "control/daemon/log.h"

int
ps_identity_find(struct ps_identity *id, const char *user, char *why, size_t why_size)
{
	const struct passwd *pw = NULL;

	if (geteuid() != 0) {
		pw = getpwuid(geteuid());
		id->uid = geteuid();
		id->gid = getegid();
		snprintf(id->name, sizeof(id->name), "%s", pw == NULL ? "" : pw->pw_name);
		if (user != NULL && strcmp(user, id->name) != 0) {
			snprintf(why, why_size, "only root can become %s", user);
			return -EPERM;
		}
		return 0;
	}
	if (user != NULL) {
		pw = getpwnam(user);
	} else {
		pw = getpwnam("penstock");
		if (pw == NULL)
			pw = getpwnam("nobody");
	}
	if (pw == NULL) {
		snprintf(why, why_size, "there is no user %s", user == NULL ? "penstock or nobody" : user);
		return -ENOENT;
	}
	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
	snprintf(id->name, sizeof(id->name), "%s", pw->pw_name);
	return 0;
}

/* Keeps the capability to read, in our sets and in the bounding set, and no other. */
static int
capabilities_keep(bool *kept)
{
	const cap_value_t read_search = CAP_DAC_READ_SEARCH;
	cap_flag_value_t had = CAP_CLEAR;
	cap_t caps = cap_get_proc();
	int rc = 0;

	if (caps == NULL)
		return -errno;
	cap_get_flag(caps, read_search, CAP_PERMITTED, &had);
	*kept = had == CAP_SET;
	if (cap_clear(caps) != 0 ||
	    (*kept && (cap_set_flag(caps, CAP_PERMITTED, 1, &read_search, CAP_SET) != 0 ||
			      cap_set_flag(caps, CAP_EFFECTIVE, 1, &read_search, CAP_SET) != 0)) ||
	    cap_set_proc(caps) != 0)
		rc = -errno;
	cap_free(caps);
	return rc;
}

int
ps_privileges_drop(const struct ps_identity *id, char *why, size_t why_size)
{
	bool kept = false;
	int rc = 0;

	if (geteuid() == 0 && id->uid != 0) {
		cap_value_t cap;

		/* Needs CAP_SETPCAP, which goes away below. Where it is missing the set is limited already. */
		for (cap = 0; cap <= cap_max_bits(); cap++)
			if (cap != CAP_DAC_READ_SEARCH)
				cap_drop_bound(cap);
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
		    setresgid(id->gid, id->gid, id->gid) != 0 || setresuid(id->uid, id->uid, id->uid) != 0) {
			rc = -errno;
			snprintf(why, why_size, "cannot become user %s: %s", id->name, strerror(-rc));
			return rc;
		}
		rc = capabilities_keep(&kept);
		if (rc != 0) {
			snprintf(why, why_size, "capabilities cannot be given up: %s", strerror(-rc));
			return rc;
		}
		if (!kept)
			ps_log(PS_LOG_WARNING, "CAP_DAC_READ_SEARCH is not to be had: files that user %s may not read "
					       "cannot be read again when they change", id->name);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
		rc = -errno;
		snprintf(why, why_size, "privileges cannot be locked: %s", strerror(-rc));
	}
	return rc;
}

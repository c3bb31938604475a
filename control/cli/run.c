/* SPDX-License-Identifier: Apache-2.0 */
/* `penstock run`: choose ports when nobody has, then keep both processes running. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "control/cli/client.h"
#include "control/cli/keeper.h"
#include "control/cli/plan.h"
#include "control/cli/supervisor.h"
#include "control/cli/taps.h"
#include "control/cli/verbs.h"
#include "control/cli/watcher.h"
#include "control/manifest/manifest.h"
#include "dataplane/api/abi.h"

#define ARGUMENTS 512u

struct run {
	const struct ps_invocation *inv;
	char runtime_dir[80]; /* a socket's path must fit below it */
	char state_dir[PATH_MAX];
	char document[PATH_MAX];
	char dataplane_socket[PATH_MAX];
	char program[2][PATH_MAX]; /* penstockd, penstock-dataplane */
	char *argv[2][ARGUMENTS];
	char hint[128];
	int lock;
	int keeper;
	struct ps_plan plan;
	bool planned;
	struct ps_hostnet *hostnet;
	struct ps_taps taps; /* gone when we go: the one made here, and those that the dataplane will make */
	struct ps_watcher *watcher;
};

static int
make_directory(const char *path)
{
	char partial[PATH_MAX];

	snprintf(partial, sizeof(partial), "%s", path);
	for (char *at = partial + 1; *at != '\0'; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(partial, 0755) < 0 && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return mkdir(partial, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static enum ps_cli_status
directories(struct run *r)
{
	const char *name = ps_opt(r->inv, "name"), *state = ps_opt(r->inv, "state-dir");
	const char *runtime = ps_runtime_dir(ps_opt(r->inv, "runtime-dir"));
	bool named_runtime = ps_opt_given(r->inv, "runtime-dir") || getenv("PENSTOCK_RUNTIME_DIR") != NULL;
	int length, rc;

	if (name != NULL &&
		(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name) || strlen(name) > 16))
		return ps_usage_error(r->inv, "--name %s: expected up to 16 of a-z, 0-9 and -", name);
	length = snprintf(r->runtime_dir, sizeof(r->runtime_dir), "%s%s%s", runtime,
		name != NULL && !named_runtime ? "-" : "", name != NULL && !named_runtime ? name : "");
	if (length >= (int)sizeof(r->runtime_dir))
		return ps_usage_error(r->inv,
			"the path of the runtime directory is too long for the sockets in it: %s", runtime);
	snprintf(r->state_dir, sizeof(r->state_dir), "%s%s%s", state != NULL ? state : PS_STATE_DIR,
		name != NULL && state == NULL ? "-" : "", name != NULL && state == NULL ? name : "");
	rc = make_directory(r->runtime_dir);
	if (rc < 0)
		return ps_fail("cannot make the runtime directory %s: %s", r->runtime_dir, strerror(-rc));
	rc = make_directory(r->state_dir);
	if (rc < 0)
		return ps_fail("cannot make the state directory %s: %s", r->state_dir, strerror(-rc));
	snprintf(r->document, sizeof(r->document), "%s/dataplane.yaml", r->runtime_dir);
	snprintf(
		r->dataplane_socket, sizeof(r->dataplane_socket), "%s/%s", r->runtime_dir, PS_CONTROL_SOCKET);
	if (strcmp(r->runtime_dir, PS_RUNTIME_DIR) != 0)
		snprintf(r->hint, sizeof(r->hint), " --runtime-dir %s", r->runtime_dir);
	return PS_CLI_OK;
}

/* One supervisor for a runtime directory. The lock goes with the process. */
static enum ps_cli_status
take_lock(struct run *r)
{
	char path[PATH_MAX], pid[32] = "";
	ssize_t got;

	snprintf(path, sizeof(path), "%s/run.lock", r->runtime_dir);
	r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (r->lock < 0)
		return ps_fail("%s: %s", path, strerror(errno));
	if (flock(r->lock, LOCK_EX | LOCK_NB) < 0) {
		got = read(r->lock, pid, sizeof(pid) - 1);
		pid[got > 0 ? strcspn(pid, "\n") : 0] = '\0';
		return ps_fail("another `penstock run`%s%s uses %s: stop it, or give this one another --name",
			pid[0] != '\0' ? ", process " : "", pid, r->runtime_dir);
	}
	if (ftruncate(r->lock, 0) < 0 || dprintf(r->lock, "%d\n", (int)getpid()) < 0)
		return ps_fail("%s: %s", path, strerror(errno));
	return PS_CLI_OK;
}

/*
 * Beside this program; where packages put helpers; where a build tree has them; in PATH.
 */
static enum ps_cli_status
find_program(struct run *r, int which, const char *name)
{
	static const char *const places[] = {"%s/%s", "%s/../libexec/penstock/%s", "%s/../lib/penstock/%s",
		"%s/../sbin/%s", "%s/../daemon/%s", "%s/../../dataplane/%s", "%s/../../dataplane/boot/%s",
		"%s/../../dataplane/pipeline/%s"};
	char own[PATH_MAX], *directory;
	const char *path = getenv("PATH");
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);

	if (length > 0) {
		own[length] = '\0';
		directory = dirname(own);
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(r->program[which], PATH_MAX, places[i], directory, name);
			if (access(r->program[which], X_OK) == 0)
				return PS_CLI_OK;
		}
	}
	while (path != NULL && *path != '\0') {
		size_t part = strcspn(path, ":");

		snprintf(r->program[which], PATH_MAX, "%.*s/%s", (int)part, path, name);
		if (part > 0 && access(r->program[which], X_OK) == 0)
			return PS_CLI_OK;
		path += part + (path[part] == ':');
	}
	return ps_fail("%s is neither beside this program nor in PATH", name);
}

/*
 * Is there a Dataplane document? Reads everything once, as penstockd will again. A broken one must not
 * be taken for none: then ports would be chosen that the user did not want.
 */
static enum ps_cli_status
look_for_document(struct run *r, bool *found)
{
	struct ps_manifests *set = ps_manifests_new(0);
	struct ps_diagnostics list = {0};
	const char *path;
	bool broken = false;

	*found = false;
	if (set == NULL)
		return ps_fail("out of memory");
	for (size_t i = 0; (path = ps_opt_at(r->inv, "filename", i)) != NULL; i++) {
		int rc = ps_manifests_add(set, path);

		if (rc < 0) {
			ps_manifests_free(set);
			return ps_fail("%s: %s", path, strerror(-rc));
		}
	}
	path = ps_opt(r->inv, "dataplane");
	if (path != NULL) {
		int rc = ps_manifests_add(set, path);

		if (rc < 0) {
			ps_manifests_free(set);
			return ps_fail("%s: %s", path, strerror(-rc));
		}
	}
	*found = ps_manifests_length(set, PS_KIND_DATAPLANE) > 0;
	for (const struct ps_object *o = ps_manifests_first(set, PS_KIND_DATAPLANE); o != NULL; o = ps_manifests_next(o))
		ps_taps_of_document(&r->taps, o->dataplane);
	if (!*found && ps_manifests_diagnostics(set, &list) == 0) {
		for (uint32_t i = 0; i < list.length; i++) {
			const struct ps_diagnostic *d = &list.item[i];
			bool about = (d->object != NULL && strncmp(d->object, "Dataplane", 9) == 0) ||
				     (path != NULL && strcmp(d->file, path) == 0);

			broken = broken || (d->severity == PS_ERROR && about);
		}
	}
	if (broken)
		ps_diagnostics_print(&list, stderr);
	ps_diagnostics_clear(&list);
	ps_manifests_free(set);
	if (broken)
		return ps_fail("the Dataplane document has errors: nothing is started");
	if (!*found && path != NULL)
		return ps_fail("%s holds no Dataplane document", path);
	return PS_CLI_OK;
}

static enum ps_cli_status
gather_input(struct run *r, struct ps_plan_input *input, struct ps_plan_named *named)
{
	struct ps_port_facts *facts;
	const char *text;
	char why[256];
	int rc;

	for (size_t i = 0; (text = ps_opt_at(r->inv, "port", i)) != NULL; i++) {
		if (i == PS_MAX_PORTS - 1)
			return ps_usage_error(r->inv, "more than %u ports", PS_MAX_PORTS - 1);
		if (ps_plan_named_parse(&named[i], text, why, sizeof(why)) < 0)
			return ps_usage_error(r->inv, "%s", why);
		input->named_length = i + 1;
	}
	for (size_t i = 0; (text = ps_opt_at(r->inv, "gateway", i)) != NULL; i++) {
		int family = strchr(text, ':') != NULL;

		if (input->gateway[family] != NULL)
			return ps_usage_error(r->inv, "--gateway: two of the same address family");
		input->gateway[family] = text;
	}
	rc = ps_ports_gather(&facts, &input->facts_length);
	if (rc < 0)
		return ps_fail("cannot list network interfaces: %s", strerror(-rc));
	input->facts = facts;
	input->named = named;
	input->instance = ps_opt(r->inv, "name");
	input->xdp = ps_opt_given(r->inv, "xdp");
	input->in_namespace = ps_ports_in_namespace();
	input->ipv6 = ps_hostnet_has_ipv6();
	return PS_CLI_OK;
}

static enum ps_cli_status
choose_ports(struct run *r)
{
	struct ps_plan_named *named = calloc(PS_MAX_PORTS, sizeof(*named));
	struct ps_plan_input input = {0};
	enum ps_cli_status status;
	char why[256];
	FILE *file;

	if (named == NULL)
		return ps_fail("out of memory");
	status = gather_input(r, &input, named);
	if (status == PS_CLI_OK && geteuid() != 0)
		status = ps_fail("opening ports needs root: run it with sudo, or give a Dataplane document "
				 "whose ports need none");
	if (status == PS_CLI_OK) {
		fprintf(stderr, "penstock: no Dataplane document, so ports are chosen:\n");
		if (ps_plan_make(&r->plan, &input, stderr, why, sizeof(why)) < 0)
			status = ps_fail("%s", why);
	}
	free((void *)input.facts);
	free(named);
	if (status != PS_CLI_OK)
		return status;
	r->planned = true;
	/* The directory is penstockd's user's: what stands there is replaced, not written through. */
	unlink(r->document);
	file = fopen(r->document, "wxe");
	if (file == NULL)
		return ps_fail("%s: %s", r->document, strerror(errno));
	ps_plan_write(&r->plan, file);
	if (fclose(file) != 0)
		return ps_fail("%s: %s", r->document, strerror(errno));
	fprintf(stderr, "penstock: written down in %s\n", r->document);
	return PS_CLI_OK;
}

static bool
forwards(const char *path)
{
	char value = '0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, &value, 1) != 1)
			value = '0';
		close(fd);
	}
	return value == '1';
}

static enum ps_cli_status
make_tap(struct run *r)
{
	const struct ps_plan *plan = &r->plan;
	int rc = ps_hostnet_tap_make(plan->tap_name);

	if (rc < 0)
		return ps_fail("cannot make the TAP %s: %s", plan->tap_name,
			rc == -EEXIST ? "an interface of this name is something else" : strerror(-rc));
	ps_taps_add(&r->taps, plan->tap_name);
	r->hostnet = ps_hostnet_new(plan->tap_name, plan->kernel4, plan->gateway4,
		plan->kernel6[0] ? plan->kernel6 : NULL, plan->gateway6[0] ? plan->gateway6 : NULL);
	if (r->hostnet == NULL)
		return ps_fail("out of memory");
	rc = ps_hostnet_apply(r->hostnet, NULL, 0, NULL);
	if (rc < 0)
		return ps_fail("cannot give %s its addresses: %s", plan->tap_name, strerror(-rc));
	if (!forwards("/proc/sys/net/ipv4/ip_forward"))
		fprintf(stderr, "penstock: backends on this machine are reached; for those beyond it, the "
				"kernel must forward: sysctl net.ipv4.ip_forward=1, and nftables or "
				"iptables must masquerade 198.18.0.0/15\n");
	return PS_CLI_OK;
}

static int
push(struct run *r, int which, unsigned int *length, const char *text)
{
	if (*length + 1 >= ARGUMENTS)
		return -E2BIG;
	r->argv[which][(*length)++] = (char *)text;
	return 0;
}

static enum ps_cli_status
build_arguments(struct run *r)
{
	const struct ps_invocation *inv = r->inv;
	const char *value, *dataplane = ps_opt(inv, "dataplane");
	int rc = 0;

	for (int which = 0; which < 2; which++) {
		unsigned int length = 0;

		rc |= push(r, which, &length, r->program[which]);
		rc |= push(r, which, &length, "--runtime-dir");
		rc |= push(r, which, &length, r->runtime_dir);
		rc |= push(r, which, &length, "--state-dir");
		rc |= push(r, which, &length, r->state_dir);
		if (which == 1)
			break;
		for (size_t i = 0; (value = ps_opt_at(inv, "filename", i)) != NULL; i++) {
			rc |= push(r, which, &length, "-f");
			rc |= push(r, which, &length, value);
		}
		if (dataplane != NULL || r->planned) {
			rc |= push(r, which, &length, "-f");
			rc |= push(r, which, &length, dataplane != NULL ? dataplane : r->document);
		}
		for (size_t i = 0; (value = ps_opt_at(inv, "adopt", i)) != NULL; i++) {
			rc |= push(r, which, &length, "--adopt");
			rc |= push(r, which, &length, value);
		}
		if (ps_opt_given(inv, "strict"))
			rc |= push(r, which, &length, "--strict");
		if ((value = ps_opt(inv, "user")) != NULL) {
			rc |= push(r, which, &length, "--user");
			rc |= push(r, which, &length, value);
		}
	}
	return rc == 0 ? PS_CLI_OK : ps_usage_error(inv, "too many options");
}

static enum ps_cli_status
check_user(const struct ps_invocation *inv, const struct run *r)
{
	const char *user = ps_opt(inv, "user");
	const struct passwd *entry = user != NULL ? getpwnam(user) : NULL;

	if (user == NULL)
		return PS_CLI_OK;
	if (entry == NULL)
		return ps_usage_error(inv, "--user %s: there is no such user", user);
	if (geteuid() == 0 && (chown(r->state_dir, entry->pw_uid, entry->pw_gid) < 0 ||
				      chown(r->runtime_dir, entry->pw_uid, entry->pw_gid) < 0))
		return ps_fail("cannot give the directories to %s: %s", user, strerror(errno));
	return PS_CLI_OK;
}

/*
 * Flow tables outlive the dataplane on purpose, in memory or in hugepages. Who stops the whole gateway gets
 * the memory back. In a hugetlbfs, the runtime directory has a link to the file.
 */
static void
forget_flows(const char *runtime_dir)
{
	char pattern[PATH_MAX], target[PATH_MAX];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/%s-*", runtime_dir, PS_FLOWS_FILE);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		ssize_t n = readlink(found.gl_pathv[i], target, sizeof(target) - 1);

		if (n > 0) {
			target[n] = '\0';
			unlink(target);
		}
		unlink(found.gl_pathv[i]);
	}
	globfree(&found);
}

static enum ps_cli_status
supervise(struct run *r)
{
	struct ps_supervisor *s =
		ps_supervisor_new(r->runtime_dir, r->keeper, ps_opt_given(r->inv, "detach-children"));
	int rc;

	if (s == NULL)
		return ps_fail("cannot supervise: %s", strerror(errno));
	unlink(r->dataplane_socket); /* of a life before: its appearance is what the dataplane's start waits
					for */
	r->watcher = ps_watcher_start(r->runtime_dir, r->hint, r->hostnet);
	rc = r->watcher == NULL ? -errno : 0;
	if (rc == 0)
		rc = ps_supervisor_add(
			s, &(struct ps_supervised){
				   .name = "penstockd", .argv = r->argv[0], .appears = r->dataplane_socket});
	if (rc == 0)
		rc = ps_supervisor_add(s, &(struct ps_supervised){.name = "dataplane", .argv = r->argv[1]});
	if (rc == 0)
		rc = ps_supervisor_run(s);
	ps_watcher_stop(r->watcher);
	ps_supervisor_free(s);
	forget_flows(r->runtime_dir);
	if (rc < 0)
		return ps_fail("cannot supervise: %s", strerror(-rc));
	return rc == 0 ? PS_CLI_OK : PS_CLI_FAILED;
}

static enum ps_cli_status
start(struct run *r)
{
	enum ps_cli_status status;
	bool document = true;

	status = find_program(r, 0, "penstockd");
	if (status == PS_CLI_OK)
		status = find_program(r, 1, "penstock-dataplane");
	if (status == PS_CLI_OK)
		status = directories(r);
	if (status == PS_CLI_OK)
		status = take_lock(r);
	if (status == PS_CLI_OK)
		status = check_user(r->inv, r);
	if (status == PS_CLI_OK)
		status = look_for_document(r, &document);
	if (status == PS_CLI_OK && document &&
		(ps_opt_given(r->inv, "port") || ps_opt_given(r->inv, "gateway") ||
			ps_opt_given(r->inv, "xdp")))
		status = ps_usage_error(r->inv, "--port, --gateway and --xdp are for when there is no "
						"Dataplane document, and there is one");
	if (status == PS_CLI_OK && !document)
		status = choose_ports(r);
	if (status != PS_CLI_OK)
		return status;
	ps_plan_say_hugepages(stderr, "");
	r->keeper = ps_opt_given(r->inv, "detach-children") ? -1 : ps_keeper_start();
	if (r->planned && r->plan.tap)
		status = make_tap(r);
	if (status == PS_CLI_OK)
		status = build_arguments(r);
	/* Programs that live on keep their interfaces. */
	if (ps_opt_given(r->inv, "detach-children"))
		r->taps.length = r->planned && r->plan.tap;
	ps_keeper_taps(r->keeper, &r->taps);
	if (status == PS_CLI_OK)
		status = supervise(r);
	return status;
}

enum ps_cli_status
ps_cmd_run(const struct ps_invocation *inv)
{
	struct run *r = calloc(1, sizeof(*r));
	enum ps_cli_status status;

	if (!ps_opt_given(inv, "filename")) {
		free(r);
		return ps_usage_error(inv, "no manifests given: expected -f PATH");
	}
	if (r == NULL)
		return ps_fail("out of memory");
	r->inv = inv;
	r->lock = r->keeper = -1;
	setvbuf(stderr, NULL, _IOLBF, 4096); /* whole lines: two threads write them */
	curl_global_init(CURL_GLOBAL_NOTHING);
	status = start(r);
	ps_hostnet_free(r->hostnet);
	ps_taps_remove(&r->taps); /* their addresses and routes go with them */
	ps_keeper_release(r->keeper);
	if (r->lock >= 0)
		close(r->lock);
	free(r);
	return status;
}

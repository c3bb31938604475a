/* SPDX-License-Identifier: Apache-2.0 */
/*
 * penstockd as a process, with a dataplane without packets: attach, change, error, rejection, kill -9 and restart, stop.
 * The program is the first argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <signal.h>
#include <sys/wait.h>

#include "dataplane/api/counters.h"
#include "tests/unit/daemon/fake_dataplane.h"

static const char *program;

struct fixture {
	char dir[32], manifests[48], runtime[48], state[48], socket[80], admin[80];
	pid_t pid;
	struct fake fake;
};

static void
start(struct fixture *x)
{
	x->pid = fork();
	assert_true(x->pid >= 0);
	if (x->pid == 0) {
		/* Under a sanitizer: the leak checker needs ptrace, which a process that is not dumpable refuses. */
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(126);
		execl(program, program, "-f", x->manifests, "--runtime-dir", x->runtime, "--state-dir", x->state, "--admin", "none",
			(char *)NULL);
		_exit(127);
	}
}

static void
service_write(struct fixture *x, const char *name, const char *port, const char *const *endpoints)
{
	char path[256], beside[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.yaml", x->manifests, name);
	snprintf(beside, sizeof(beside), "%s/.%s.tmp", x->manifests, name);
	f = fopen(beside, "w");
	fprintf(f,
		"apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec:\n  clusterIP: 10.99.0.1\n  ports: [{name: p, port: %s}]\n"
		"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		"metadata: {name: %s-a, labels: {kubernetes.io/service-name: %s}}\naddressType: IPv4\nendpoints:\n",
		name, port, name, name);
	for (; *endpoints != NULL; endpoints++)
		fprintf(f, "- addresses: [%s]\n", *endpoints);
	fprintf(f, "ports: [{name: p, port: 8080}]\n");
	fclose(f);
	assert_int_equal(rename(beside, path), 0);
}

/* The body of an answer of the admin socket, until the next call; NULL when nobody answers. */
static const char *
get_text(struct fixture *x, const char *method, const char *path)
{
	static char text[1 << 20];
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t n = 0;
	ssize_t got;
	char *body;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.100s", x->admin);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0) {
		close(fd);
		return NULL;
	}
	dprintf(fd, "%s %s HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n", method, path);
	while ((got = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)got;
	close(fd);
	text[n] = '\0';
	body = strstr(text, "\r\n\r\n");
	return body == NULL ? NULL : body + 4;
}

static json_t *
get(struct fixture *x, const char *method, const char *path)
{
	const char *text = get_text(x, method, path);

	return text == NULL ? NULL : json_loads(text, 0, NULL);
}

static void
wait_for_attach(struct fixture *x, uint64_t running)
{
	char why[200] = "";
	int i, rc = -1;

	for (i = 0; i < 200 && rc != 0; i++) {
		rc = fake_connect(&x->fake, x->socket);
		if (rc == 0)
			rc = fake_attach(&x->fake, running, why, sizeof(why));
		if (rc != 0)
			usleep(20000);
	}
	if (rc != 0)
		fail_msg("cannot attach: %s", why);
}

/* Takes the next snapshot, validates and answers it; returns its generation. */
static uint64_t
next_snapshot(struct fixture *x, bool apply)
{
	struct ps_socket_message m;
	char why[256];
	int fd, rc;

	while ((rc = fake_receive(&x->fake, &m, &fd, 3000)) == 1) {
		if (m.type == PS_SOCKET_BLOB) {
			struct fake_blob *b = &x->fake.blob[x->fake.blobs++];

			b->digest = m.value;
			b->bytes = fake_map(fd, &b->size);
			assert_non_null(b->bytes);
			assert_int_equal(ps_blob_validate(b->bytes, b->size, why, sizeof(why)), 0);
		}
		if (m.type == PS_SOCKET_SNAPSHOT) {
			x->fake.received_ns = fake_now();
			if (fake_validate(&x->fake, fd, why, sizeof(why)) != 0)
				fail_msg("%s", why);
			close(fd);
			fake_answer(&x->fake, apply, m.value, apply ? "" : "told to reject");
			return m.value;
		}
		if (fd >= 0)
			close(fd);
	}
	fail_msg("no snapshot came: %d", rc);
	return 0;
}

static const struct ps_endpoint *
endpoint_at(const struct fixture *x, const char *address)
{
	struct ps_addr want;
	uint32_t i, v4;

	v4 = 0;
	assert_int_equal(sscanf(address, "10.77.0.%u", &v4), 1);
	want = ps_addr_from_v4(__builtin_bswap32(0x0a4d0000u + v4));
	for (i = 0; i < ps_snapshot_length(x->fake.snapshot, PS_SEC_ENDPOINT); i++) {
		const struct ps_endpoint *e = ps_snapshot_item(x->fake.snapshot, PS_SEC_ENDPOINT, i);

		if (ps_addr_equal(&e->addr, &want))
			return e;
	}
	return NULL;
}

static void
await(struct fixture *x, const char *path, const char *text)
{
	char *all = NULL;
	json_t *o;
	int i;

	for (i = 0; i < 150; i++) {
		o = get(x, "GET", path);
		free(all);
		all = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);
		json_decref(o);
		if (all != NULL && strstr(all, text) != NULL) {
			free(all);
			return;
		}
		usleep(20000);
	}
	fail_msg("%s does not say %s but %s", path, text, all);
}

static int
setup(void **state)
{
	static const char *const two[] = {"10.77.0.11", "10.77.0.12", NULL};
	struct fixture *x = calloc(1, sizeof(*x));

	strcpy(x->dir, "/tmp/penstockd-test-XXXXXX");
	if (mkdtemp(x->dir) == NULL)
		return -1;
	chmod(x->dir, 0755);
	snprintf(x->manifests, sizeof(x->manifests), "%s/m", x->dir);
	snprintf(x->runtime, sizeof(x->runtime), "%s/run", x->dir);
	snprintf(x->state, sizeof(x->state), "%s/state", x->dir);
	snprintf(x->socket, sizeof(x->socket), "%s/" PS_CONTROL_SOCKET, x->runtime);
	snprintf(x->admin, sizeof(x->admin), "%s/" PS_ADMIN_SOCKET, x->runtime);
	mkdir(x->manifests, 0755);
	service_write(x, "web", "80", two);
	start(x);
	*state = x;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *x = *state;
	char command[256];

	if (x->pid > 0) {
		kill(x->pid, SIGKILL);
		waitpid(x->pid, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -rf %s", x->dir);
	if (system(command) != 0)
		return -1;
	free(x);
	return 0;
}

static void
changes_errors_rejections(void **state)
{
	static const char *const three[] = {"10.77.0.11", "10.77.0.12", "10.77.0.13", NULL};
	struct fixture *x = *state;
	uint64_t first, next, noticed;

	wait_for_attach(x, 0);
	first = next_snapshot(x, true);
	assert_int_equal(ps_snapshot_length(x->fake.snapshot, PS_SEC_ENDPOINT), 2);
	await(x, "/v1/status", "\"ready\":true");
	await(x, "/v1/status", "\"disk_snapshot\":{\"generation\":1");

	noticed = fake_now();
	service_write(x, "web", "80", three);
	next = next_snapshot(x, true);
	assert_int_equal(next, first + 1);
	assert_int_equal(ps_snapshot_length(x->fake.snapshot, PS_SEC_ENDPOINT), 3);
	print_message("rename to validated snapshot: %.2f ms\n", (double)(fake_now() - noticed) / 1e6);

	/* A bad object: said where it is; what was good stays. */
	service_write(x, "web", "99999", three);
	await(x, "/v1/status", "web.yaml:");
	await(x, "/v1/services", "default/web:80");
	service_write(x, "web", "80", three);
	await(x, "/v1/status", "\"errors\":0");

	service_write(x, "web", "81", three);
	next_snapshot(x, false);
	await(x, "/v1/status", "told to reject");
	await(x, "/v1/status", "\"generation_applied\":2");
	service_write(x, "web", "82", three);
	next_snapshot(x, true);
	await(x, "/v1/status", "\"last_rejection\":null");
	json_decref(get(x, "POST", "/v1/drain?endpoint=10.77.0.13:8080"));
	await(x, "/v1/endpoints?endpoint=10.77.0.13", "\"draining_by\":\"operator\"");
	fake_disconnect(&x->fake);
}

static void
killed_and_restarted(void **state)
{
	static const char *const without_first[] = {"10.77.0.12", "10.77.0.13", NULL};
	struct fixture *x = *state;
	uint32_t slot;
	uint16_t generation;
	uint64_t first;

	wait_for_attach(x, 0);
	first = next_snapshot(x, true);
	slot = endpoint_at(x, "10.77.0.12")->slot;
	generation = endpoint_at(x, "10.77.0.12")->slot_generation;
	await(x, "/v1/status", "\"ready\":true");
	kill(x->pid, SIGKILL);
	waitpid(x->pid, NULL, 0);
	fake_disconnect(&x->fake);
	service_write(x, "web", "80", without_first); /* while it is down */
	start(x);
	wait_for_attach(x, first);
	assert_true(next_snapshot(x, true) > first);
	assert_int_equal(endpoint_at(x, "10.77.0.12")->slot, slot);
	assert_int_equal(endpoint_at(x, "10.77.0.12")->slot_generation, generation);
	assert_null(endpoint_at(x, "10.77.0.11"));
	await(x, "/v1/endpoints?endpoint=10.77.0.11", "\"draining_by\":\"removed\"");
	fake_disconnect(&x->fake);
}

/* Counters of a dataplane with one worker, port and stage, so that every family of metrics has a reason to appear. */
static void
counters_write(const struct fixture *x)
{
	uint64_t size = PS_COUNTERS_HEADER_SIZE + ((sizeof(struct ps_worker_counters) + 4095) & ~4095ull);
	struct ps_counters *c = calloc(1, size);
	char path[128], beside[136];
	FILE *f;

	*c = (struct ps_counters){.magic = PS_COUNTERS_MAGIC, .abi = PS_ABI, .workers = 1, .ports = 1, .nodes = 1, .size = size,
		.tsc_hz = 1000000000, .worker_offset = PS_COUNTERS_HEADER_SIZE, .service_offset = size, .endpoint_offset = size};
	strcpy(c->node[0].name, "classify");
	strcpy(c->port[0].name, "wan");
	snprintf(path, sizeof(path), "%s/" PS_COUNTERS_FILE, x->runtime);
	snprintf(beside, sizeof(beside), "%s.new", path);
	f = fopen(beside, "w");
	assert_int_equal(fwrite(c, size, 1, f), 1);
	fclose(f);
	chmod(beside, 0644);
	assert_int_equal(rename(beside, path), 0);
	free(c);
}

static char *
file_text(const char *path)
{
	char *text = calloc(1, 1 << 18);
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	if (fread(text, 1, (1 << 18) - 1, f) == 0)
		fail_msg("%s is empty", path);
	fclose(f);
	return text;
}

/* The reference page names each family that is exposed with its type and meaning, and no other. */
static void
metrics_are_documented(void **state)
{
	struct fixture *x = *state;
	char *page = file_text(PS_METRICS_PAGE), *line, *rest, row[512], name[128], type[16], help[300] = "";
	uint32_t families = 0, rows = 0;
	const char *p, *text;

	wait_for_attach(x, 0);
	next_snapshot(x, true);
	counters_write(x);
	text = get_text(x, "GET", "/metrics");
	assert_non_null(text);
	for (rest = strdup(text), p = rest; (line = strsep(&rest, "\n")) != NULL;) {
		if (sscanf(line, "# HELP %*s %299[^\n]", help) == 1)
			continue;
		if (sscanf(line, "# TYPE %127s %15s", name, type) != 2)
			continue;
		families++;
		snprintf(row, sizeof(row), "| `%s` | %s | ", name, type);
		if (strstr(page, row) == NULL || strstr(page, help) == NULL)
			fail_msg("%s is not documented as '%s ... %s'", name, row, help);
	}
	free((void *)(uintptr_t)p);
	for (p = page; (p = strstr(p, "| `penstock_")) != NULL; p++)
		rows++;
	assert_int_equal(rows, families);
	free(page);
	fake_disconnect(&x->fake);
}

static uint32_t
count(const char *text, const char *what)
{
	uint32_t n = 0;

	for (; (text = strstr(text, what)) != NULL; text++)
		n++;
	return n;
}

/* Answers about hundreds of services come in pieces, and metrics have as many series as the document says. */
static void
many_services_are_answered_in_bounds(void **state)
{
	struct fixture *x = *state;
	json_t *config, *list;
	const char *text;
	char path[256];
	uint32_t i;
	FILE *f;

	wait_for_attach(x, 0);
	next_snapshot(x, true);
	snprintf(path, sizeof(path), "%s/many.yaml", x->manifests);
	f = fopen(path, "w");
	fprintf(f, "apiVersion: penstock.dev/v1alpha1\nkind: Dataplane\nmetadata: {name: d}\nspec: {metrics: {services: 20, endpoints: 10}}\n");
	for (i = 0; i < 600; i++)
		fprintf(f,
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: m%u}\nspec: {clusterIP: 10.98.%u.%u, ports: [{port: 80}]}\n"
			"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\nports: [{port: 80}]\n"
			"metadata: {name: m%u-a, labels: {kubernetes.io/service-name: m%u}}\nendpoints: [{addresses: [10.78.%u.%u]}]\n",
			i, i / 200, i % 200 + 1, i, i, i / 200, i % 200 + 1);
	fclose(f);
	next_snapshot(x, true);
	config = get(x, "GET", "/v1/config");
	assert_non_null(config);
	assert_int_equal(json_array_size(json_object_get(config, "listeners")), 601);
	list = json_object_get(config, "services");
	assert_int_equal(json_array_size(list), 601);
	assert_non_null(json_object_get(json_array_get(list, 600), "endpoints"));
	assert_true(json_integer_value(json_object_get(config, "generation")) > 0);
	json_decref(config);
	config = get(x, "GET", "/v1/config?service=default/m7:80");
	assert_int_equal(json_array_size(json_object_get(config, "services")), 1);
	json_decref(config);

	text = get_text(x, "GET", "/metrics");
	assert_non_null(text);
	assert_int_equal(count(text, "penstock_service_flows{"), 20);
	assert_int_equal(count(text, "penstock_service_packets_total{"), 40);
	assert_int_equal(count(text, "penstock_endpoint_up{"), 10);
	assert_int_equal(count(text, "# TYPE penstock_endpoint_up "), 1);
	assert_non_null(strstr(text, "penstock_metrics_left_out{kind=\"service\"} 581\n"));
	fake_disconnect(&x->fake);
}

static void
stops_cleanly(void **state)
{
	struct fixture *x = *state;
	int status = -1;

	wait_for_attach(x, 0);
	next_snapshot(x, true);
	kill(x->pid, SIGTERM);
	assert_int_equal(waitpid(x->pid, &status, 0), x->pid);
	x->pid = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(access(x->socket, F_OK), -1);
	assert_int_equal(access(x->admin, F_OK), -1);
	fake_disconnect(&x->fake);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(changes_errors_rejections, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_and_restarted, setup, teardown),
		cmocka_unit_test_setup_teardown(metrics_are_documented, setup, teardown),
		cmocka_unit_test_setup_teardown(many_services_are_answered_in_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(stops_cleanly, setup, teardown),
	};

	if (argc < 2)
		return 77;
	program = argv[1];
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and flow files that penstockd reads but did not write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include "control/daemon/counters_map.h"
#include "control/daemon/flows_map.h"
#include "tests/unit/channel/temporary.h"

static uint64_t
page(uint64_t n)
{
	return (n + 4095) & ~4095ull;
}

static struct ps_counters *
counters_make(uint32_t workers, uint32_t services, uint32_t endpoints, uint64_t *size)
{
	uint64_t w = PS_COUNTERS_HEADER_SIZE, s = w + page(workers * sizeof(struct ps_worker_counters));
	uint64_t e = s + page((uint64_t)workers * services * sizeof(struct ps_service_counters));
	struct ps_counters *c;

	*size = e + page((uint64_t)workers * endpoints * sizeof(struct ps_endpoint_counters));
	c = calloc(1, *size);
	c->magic = PS_COUNTERS_MAGIC;
	c->abi = PS_ABI;
	c->workers = workers;
	c->size = *size;
	c->service_slots = services;
	c->endpoint_slots = endpoints;
	c->worker_offset = w;
	c->service_offset = s;
	c->endpoint_offset = e;
	c->tsc_hz = 1000000000;
	return c;
}

static void
write_file(const char *dir, const char *name, const void *bytes, size_t size)
{
	char path[256], beside[260];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(beside, sizeof(beside), "%s.new", path);
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
	assert_int_equal(rename(beside, path), 0);
}

static void
counters_sum(void **state)
{
	char *dir = temporary_new();
	struct ps_counters_map m;
	struct ps_counters *c;
	uint64_t size;

	assert_int_equal(ps_counters_open(&m, dir), 0);
	assert_false(ps_counters_refresh(&m));
	c = counters_make(2, 8, 16, &size);
	((struct ps_service_counters *)((uint8_t *)c + c->service_offset))[3].packets_in = 5;
	((struct ps_service_counters *)((uint8_t *)c + c->service_offset))[8 + 3].packets_in = 7;
	((struct ps_endpoint_counters *)((uint8_t *)c + c->endpoint_offset))[16 + 15].flows_active = 9;
	c->epoch = 1;
	write_file(dir, PS_COUNTERS_FILE, c, size);
	assert_true(ps_counters_refresh(&m));
	assert_int_equal(ps_counters_service(&m, 3).packets_in, 12);
	assert_int_equal(ps_counters_service(&m, 8).packets_in, 0);
	assert_int_equal(ps_counters_endpoint(&m, 15).flows_active, 9);
	assert_int_equal(ps_counters_endpoint(&m, PS_NONE).flows_active, 0);
	/* A restarted dataplane puts another file in its place. */
	c->epoch = 2;
	write_file(dir, PS_COUNTERS_FILE, c, size);
	assert_true(ps_counters_refresh(&m));
	assert_int_equal(m.epoch, 2);
	c->magic++;
	write_file(dir, PS_COUNTERS_FILE, c, size);
	assert_false(ps_counters_refresh(&m));
	free(c);
	ps_counters_close(&m);
	temporary_free(dir);
}

static void
counters_are_checked(void **state)
{
	uint64_t size;
	struct ps_counters *c = counters_make(2, 8, 16, &size), good = *c;

	assert_int_equal(ps_counters_validate(c, size), 0);
	assert_int_equal(ps_counters_validate(c, size - 4096), -EINVAL);
	assert_int_equal(ps_counters_validate(c, 8), -EINVAL);
#define SPOILED(statement, rc)                                                \
	do {                                                                  \
		statement;                                                    \
		assert_int_equal(ps_counters_validate(c, size), rc);          \
		memcpy(c, &good, offsetof(struct ps_counters, last_rejection)); \
	} while (0)
	SPOILED(c->abi++, -EPROTO);
	SPOILED(c->workers = PS_MAX_WORKERS + 1, -EINVAL);
	SPOILED(c->workers = 60, -EINVAL);
	SPOILED(c->ports = PS_MAX_PORTS + 1, -EINVAL);
	SPOILED(c->worker_offset = size, -EINVAL);
	SPOILED(c->worker_offset = 0, -EINVAL);
	SPOILED(c->worker_offset += 8, -EINVAL);
	SPOILED(c->service_offset = UINT64_MAX - 63, -EINVAL);
	SPOILED(c->service_slots = UINT32_MAX, -EINVAL);
	SPOILED(c->endpoint_slots = 1u << 24, -EINVAL);
	SPOILED(c->endpoint_offset = size - 64, -EINVAL);
	free(c);
}

static void
flows_are_read(void **state)
{
	struct {
		struct ps_flows_header h;
		uint8_t pad[4096 - sizeof(struct ps_flows_header)];
		struct ps_flow4 f[4];
	} *file = calloc(1, sizeof(*file));
	char *dir = temporary_new();
	struct ps_flow_copy copy;
	struct ps_flows_map m;

	file->h = (struct ps_flows_header){.magic = PS_FLOWS_MAGIC, .abi = PS_ABI, .family = 4, .capacity = 4, .record_size = 64,
		.size = sizeof(*file), .records_offset = 4096};
	file->f[1].key[0] = (struct ps_flow_key4){inet_addr("10.1.2.3"), inet_addr("198.51.100.1"), htons(4567), htons(80)};
	file->f[1].key[1] = (struct ps_flow_key4){inet_addr("10.0.0.7"), inet_addr("10.77.0.2"), htons(8080), htons(1300)};
	file->f[1].head.state = PS_FLOW_ESTABLISHED;
	file->f[1].head.last_seen_ms = 1000;
	file->f[2].head.state = 200; /* no such state */
	assert_int_equal(ps_flows_map(&m, dir, 4, 0), -ENOENT);
	write_file(dir, "flows-4-0", file, sizeof(*file));
	assert_int_equal(ps_flows_map(&m, dir, 4, 0), 0);
	assert_int_equal(m.capacity, 4);
	assert_false(ps_flow_read(&m, 0, &copy));
	assert_true(ps_flow_read(&m, 1, &copy));
	assert_false(ps_flow_read(&m, 2, &copy));
	assert_int_equal(copy.client_port, htons(4567));
	assert_int_equal(ps_addr_v4(&copy.endpoint), inet_addr("10.0.0.7"));
	assert_int_equal(ps_flow_idle_ms(&copy, 1500), 500);
	assert_int_equal(ps_flow_idle_ms(&copy, 999), 0);
	ps_flows_unmap(&m);
	assert_int_equal(ps_flows_validate(file, sizeof(*file), 6), -EINVAL);
	file->h.capacity = 5;
	assert_int_equal(ps_flows_validate(file, sizeof(*file), 4), -EINVAL);
	file->h.capacity = UINT32_MAX;
	assert_int_equal(ps_flows_validate(file, sizeof(*file), 4), -EINVAL);
	file->h.capacity = 4;
	file->h.records_offset = UINT64_MAX - 63;
	assert_int_equal(ps_flows_validate(file, sizeof(*file), 4), -EINVAL);
	file->h.records_offset = 4096;
	file->h.abi++;
	assert_int_equal(ps_flows_validate(file, sizeof(*file), 4), -EPROTO);
	free(file);
	temporary_free(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_sum), cmocka_unit_test(counters_are_checked), cmocka_unit_test(flows_are_read)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

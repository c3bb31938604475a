/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cycles per packet of the flow stage's own work: lookup, checks, rewrite, Ethernet header, on mbufs in memory.
 *
 *   bench_flow [flows] [seconds]     without arguments: 1,000, 100,000 and 1,000,000, a short run each, and new flows
 *
 * New flows: every packet makes one, with SNAT port, while as many end; the table of 1,250,000 is about 90 % full. Time is
 * virtual: a thousand packets per millisecond.
 *
 * The mbufs of a burst are few, as from a driver's cache, and warm, as they are after classify; records and buckets are as
 * warm as so many flows let them be. Both directions of a FullNAT flow take turns at random.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <x86intrin.h>

#include "bed.h"
#include "dataplane/flow/store.h"
#include "dataplane/flow/snat.h"
#include "dataplane/pipeline/stage.h"

#define BURST 256u
#define MBUF 2304u

static uint64_t random_state = 88172645463325252ull;

static uint32_t
draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Packets to come: drawn beforehand, so that writing them touches no record. */
#define STREAM (1u << 20)
static struct ps_flow_key4 *stream;
static uint32_t stream_at;

static void
write_packet(struct rte_mbuf *m)
{
	const struct ps_flow_key4 *key = &stream[stream_at++ % STREAM];
	struct ps_meta *meta = ps_meta(m);
	uint8_t *p;

	m->data_off = 128;
	m->data_len = 60;
	m->pkt_len = 60;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	memset(meta, 0, sizeof(*meta));
	meta->l3 = 14;
	meta->l4 = 20;
	meta->proto = 17;
	p[14] = 0x45;
	p[16] = 0;
	p[17] = 46;
	p[22] = 64;
	p[23] = 17;
	memcpy(p + 26, key, 12);
}

static uint64_t
burst(struct bed *b, struct rte_mbuf **m, uint32_t n)
{
	struct ps_flow_item item[PS_STAGE_CHUNK];
	uint64_t start = __rdtsc();
	uint32_t base, i, edges = 0;

	for (base = 0; base < n; base += PS_STAGE_CHUNK) {
		for (i = 0; i < PS_STAGE_CHUNK; i++)
			ps_flow_prepare(&b->w, m[base + i], &item[i], false);
		for (i = 0; i < PS_STAGE_CHUNK; i++)
			ps_flow_probe(&b->w, &item[i], false);
		for (i = 0; i < PS_STAGE_CHUNK; i++)
			edges += ps_flow_decide(&b->w, m[base + i], &item[i], false) >= PS_FLOW_EDGE_PORT;
	}
	start = __rdtsc() - start;
	if (edges != n)
		printf("only %u of %u took the fast way\n", edges, n);
	return start;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
run(uint32_t flows, uint8_t mode, double length)
{
	struct bed_options o = {.capacity = 64, .endpoints = 4, .port_first = 1280, .port_last = 65535};
	struct bed *b = bed_new(&o);
	struct ps_flow_table_config c = {.capacity = flows + flows / 8, .seed = 4711, .now_ms = b->w.now_ms};
	uint8_t *memory = ps_private_memory((uint64_t)BURST * MBUF);
	struct rte_mbuf *m[BURST];
	double sample[2000], begun;
	uint32_t i, samples = 0, cut;

	ps_flow_table_free(b->w.flow4);
	c.records = ps_private_memory((uint64_t)c.capacity * 64);
	c.buckets = ps_private_memory((uint64_t)ps_flow_table_buckets(c.capacity) * 64);
	ps_flow_table_new(&b->w.flow4, &c);
	for (i = 0; i < flows; i++) {
		uint32_t index = ps_flow_table_take(b->w.flow4);
		struct ps_flow4 *f = ps_flow4_at(b->w.flow4, index);

		f->head.endpoint_slot = i % 4;
		f->head.endpoint_generation = 7;
		f->head.mode = mode;
		f->head.proto = 17;
		f->head.route_generation = 3;
		f->head.adjacency[0] = 2;
		f->head.adjacency[1] = 1;
		f->key[0] = (struct ps_flow_key4){0x0000010a + (i << 8), 0x0a0200c0, (uint16_t)draw(), 80};
		f->key[1] = (struct ps_flow_key4){0x0500020a + (i % 4), 0x6400020a + (i / 60000), 8080, (uint16_t)i};
		ps_flow_deltas(&f->head, false);
		ps_flow_table_link(b->w.flow4, index, PS_FLOW_UDP_REPLIED, ps_flow_two_way(mode), b->w.now_ms + 8000);
	}
	stream = ps_private_memory((uint64_t)STREAM * sizeof(*stream));
	for (i = 0; i < STREAM; i++)
		stream[i] = ps_flow4_at(b->w.flow4, draw() % flows)->key[ps_flow_two_way(mode) ? draw() & 1 : 0];
	for (i = 0; i < BURST; i++) {
		m[i] = (struct rte_mbuf *)(memory + (size_t)i * MBUF);
		m[i]->buf_addr = m[i] + 1;
		m[i]->buf_len = 2176;
		m[i]->nb_segs = 1;
	}
	for (begun = seconds(); seconds() - begun < length && samples < 2000;) {
		uint64_t cycles = 0;

		for (cut = 0; cut < 16; cut++) {
			for (i = 0; i < BURST; i++)
				write_packet(m[i]);
			cycles += burst(b, m, BURST);
		}
		sample[samples++] = (double)cycles / (16.0 * BURST);
	}
	qsort(sample, samples, sizeof(sample[0]), compare);
	printf("%8u flows, %s: %5.1f cycles per packet (median of %u; 10%%: %.1f, 90%%: %.1f)\n", flows,
	       mode == PS_MODE_FULLNAT ? "FullNAT" : mode == PS_MODE_IPIP ? "IPIP" : "GUE",
	       sample[samples / 2], samples, sample[samples / 10], sample[samples * 9 / 10]);
	munmap(memory, (uint64_t)BURST * MBUF);
}

#define POOL 8u

static void
run_new(double length)
{
	struct bed_options o = {.capacity = 64, .endpoints = 4, .port_first = 1280, .port_last = 65535};
	struct bed *b = bed_new(&o);
	struct ps_flow_table_config c = {.capacity = 1250000, .seed = 4711, .now_ms = b->w.now_ms};
	uint8_t *memory = ps_private_memory((uint64_t)BURST * MBUF);
	struct ps_snat_address pool[POOL];
	struct rte_mbuf *m[BURST];
	static double sample[100000];
	uint64_t packets = 0, lost = 0;
	uint32_t i, next = 0, samples = 0;
	double begun;

	ps_flow_table_free(b->w.flow4);
	c.records = ps_private_memory((uint64_t)c.capacity * 64);
	c.buckets = ps_private_memory((uint64_t)ps_flow_table_buckets(c.capacity) * 64);
	ps_flow_table_new(&b->w.flow4, &c);
	for (i = 0; i < POOL; i++)
		pool[i] = (struct ps_snat_address){.addr = ps_addr_from_v4(__builtin_bswap32(0x0a020064u + i)),
						   .port_first = 1280, .port_last = 65535};
	ps_snat_configure(b->w.snat, pool, POOL);
	b->view.snat_address = pool;
	b->pool.addresses = POOL;
	b->service[bed_service(17, PS_MODE_FULLNAT, false)].udp_idle_s = 1;
	for (i = 0; i < BURST; i++) {
		m[i] = (struct rte_mbuf *)(memory + (size_t)i * MBUF);
		m[i]->buf_addr = m[i] + 1;
		m[i]->buf_len = 2176;
		m[i]->nb_segs = 1;
	}
	stream_at = 0;
	stream = ps_private_memory((uint64_t)STREAM * sizeof(*stream));
	for (begun = seconds(); seconds() - begun < length || packets < 4000000;) {
		struct ps_flow_item item[PS_STAGE_CHUNK];
		uint64_t start;
		uint32_t base;

		for (i = 0; i < BURST; i++, next++) {
			stream[stream_at % STREAM] =
				(struct ps_flow_key4){0x0000010a + (next / 50000 << 16), 0x0a0200c0, (uint16_t)(next % 50000), 0x5000};
			write_packet(m[i]);
		}
		b->w.now_ms = 1000000 + (uint32_t)(packets / 1000);
		b->w.moved = BURST;
		start = __rdtsc();
		for (base = 0; base < BURST; base += PS_STAGE_CHUNK) {
			for (i = 0; i < PS_STAGE_CHUNK; i++)
				ps_flow_prepare(&b->w, m[base + i], &item[i], false);
			for (i = 0; i < PS_STAGE_CHUNK; i++)
				ps_flow_probe(&b->w, &item[i], false);
			for (i = 0; i < PS_STAGE_CHUNK; i++) {
				const uint8_t *l3 = rte_pktmbuf_mtod_offset(m[base + i], const uint8_t *, 14);
				uint32_t ports;

				memcpy(&ports, l3 + 20, 4);
				if (ps_flow_decide(&b->w, m[base + i], &item[i], false) == PS_FLOW_EDGE_NEW)
					lost += ps_flow_forward(&b->w, m[base + i], ports, true) < PS_FLOW_EDGE_PORT;
			}
		}
		ps_flow_tick(&b->w);
		if (packets >= 2000000 && samples < 100000)
			sample[samples++] = (double)(__rdtsc() - start) / BURST;
		packets += BURST;
	}
	qsort(sample, samples, sizeof(sample[0]), compare);
	printf("new flows: %.0f cycles each, its end included (median; 10%%: %.0f, 90%%: %.0f); %.0f %% full, %llu lost, %llu made, %llu ended; %s\n",
	       sample[samples / 2], sample[samples / 10], sample[samples * 9 / 10], 100.0 * (double)b->w.flow4->counters->active / c.capacity,
	       (unsigned long long)lost, (unsigned long long)b->w.flow4->counters->created,
	       (unsigned long long)b->w.flow4->counters->expired,
	       ps_flow_table_check(b->w.flow4) != NULL ? ps_flow_table_check(b->w.flow4) : "table sound");
}

int
main(int argc, char **argv)
{
	double length = argc > 2 ? atof(argv[2]) : 0.5;

	if (argc > 1) {
		run((uint32_t)atoi(argv[1]), PS_MODE_FULLNAT, length);
		return 0;
	}
	run(1000, PS_MODE_FULLNAT, length);
	run(100000, PS_MODE_FULLNAT, length);
	run(1000000, PS_MODE_FULLNAT, length);
	run(1000, PS_MODE_IPIP, length);
	run(100000, PS_MODE_IPIP, length);
	run(1000, PS_MODE_GUE, length);
	run_new(length);
	return 0;
}

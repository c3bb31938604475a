/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EAL start, ports, and the queue of packets that a port has not taken yet. Rings shared with the device
 * under test (memif, virtio) are left alone for a while after they were found full or empty: polling them
 * hard makes their cache lines bounce and halves the speed of the other side.
 */
#ifndef PS_LOADGEN_PORT_H
#define PS_LOADGEN_PORT_H

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "perf/loadgen/config.h"

#define PS_TXQ_SLOTS 16384u

struct ps_txport {
	uint16_t id;
	uint16_t vlan;       /* VID, 0: untagged */
	uint8_t mac[6];
	uint64_t tx_after;   /* TSC: do not touch the ring before */
	uint64_t rx_after;
	uint32_t head, tail; /* of queue[]: packets waiting are [head, tail) */
	uint64_t sent, sent_bytes;
	uint64_t received, received_bytes;
	uint64_t full;       /* times the ring took less than offered */
	uint64_t dropped;    /* queue full */
	struct rte_mbuf *queue[PS_TXQ_SLOTS];
};

/* Starts EAL for the configuration. 0, or -errno with a message on stderr. */
int ps_eal_start(const struct ps_config *c, const char *program);

/* The pool, and all ports started; waits up to wait_s for links. stop: set to give up. 0 or -errno, with a message. */
int ps_ports_start(const struct ps_config *c, struct ps_txport *port, struct rte_mempool **pool, double wait_s,
		   volatile bool *stop);
void ps_ports_stop(const struct ps_config *c, struct ps_txport *port);

/* bits/s of the port, as configured or as the device says. */
double ps_port_line_rate(const struct ps_config *c, const struct ps_txport *port);

static inline uint32_t
ps_txq_waiting(const struct ps_txport *p)
{
	return p->tail - p->head;
}

void ps_txq_make_room(struct ps_txport *p);

/* Takes ownership of m. */
static inline void
ps_txq_add(struct ps_txport *p, struct rte_mbuf *m)
{
	if (unlikely(p->tail == PS_TXQ_SLOTS))
		ps_txq_make_room(p);
	if (unlikely(p->tail == PS_TXQ_SLOTS)) {
		p->dropped++;
		rte_pktmbuf_free(m);
		return;
	}
	p->queue[p->tail++] = m;
}

/* Offers what waits to the ring. Returns packets taken. */
static inline uint32_t
ps_txq_flush(struct ps_txport *p, uint64_t now, uint32_t burst, uint64_t backoff)
{
	uint32_t taken = 0;

	if (now < p->tx_after)
		return 0;
	while (p->head != p->tail) {
		uint16_t want = (uint16_t)RTE_MIN(p->tail - p->head, burst), n, i;
		uint64_t bytes = 0;

		for (i = 0; i < want; i++)
			bytes += p->queue[p->head + i]->pkt_len;
		n = rte_eth_tx_burst(p->id, 0, p->queue + p->head, want);
		if (n < want) {
			for (i = n; i < want; i++)
				bytes -= p->queue[p->head + i]->pkt_len;
			p->full++;
			p->tx_after = now + backoff;
		}
		p->sent_bytes += bytes;
		p->head += n;
		taken += n;
		if (n < want)
			break;
	}
	if (p->head == p->tail)
		p->head = p->tail = 0;
	p->sent += taken;
	return taken;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/baseline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon/daemon.h"

uint64_t
ps_exit_total(const struct ps_counters_map *m, uint32_t exit)
{
	uint64_t sum = m->shared->main_exit[exit];
	uint32_t w;

	for (w = 0; w < m->workers; w++)
		sum += m->worker[w].exit[exit];
	return sum;
}

void
ps_totals_sum(const struct ps_counters_map *m, struct ps_totals *t)
{
	uint32_t w, i;

	memset(t, 0, sizeof(*t));
	for (w = 0; w < m->workers; w++) {
		const struct ps_worker_counters *c = &m->worker[w];

		t->rx_packets += c->rx_packets;
		t->rx_bytes += c->rx_bytes;
		t->tx_packets += c->tx_packets;
		t->tx_bytes += c->tx_bytes;
		t->handoffs += c->handoff_out;
		t->snat_miss += c->snat_miss;
		t->cycles += c->cycles;
		t->busy_cycles += c->busy_cycles;
		t->flows_active += c->flow_v4.active + c->flow_v6.active;
		t->flows_capacity += c->flow_v4.capacity + c->flow_v6.capacity;
		t->flows_created += c->flow_v4.created + c->flow_v6.created;
		t->flows_expired += c->flow_v4.expired + c->flow_v6.expired;
		t->flows_evicted += c->flow_v4.evicted + c->flow_v6.evicted;
		t->flows_refused += c->flow_v4.refused + c->flow_v6.refused;
	}
	for (i = 0; i < PS_EXIT_COUNT; i++)
		t->exit[i] = ps_exit_total(m, i);
}

void
ps_totals_subtract(struct ps_totals *t, const struct ps_totals *base)
{
	uint32_t i;

	t->rx_packets -= base->rx_packets;
	t->rx_bytes -= base->rx_bytes;
	t->tx_packets -= base->tx_packets;
	t->tx_bytes -= base->tx_bytes;
	t->handoffs -= base->handoffs;
	t->snat_miss -= base->snat_miss;
	t->cycles -= base->cycles;
	t->busy_cycles -= base->busy_cycles;
	t->flows_created -= base->flows_created;
	t->flows_expired -= base->flows_expired;
	t->flows_evicted -= base->flows_evicted;
	t->flows_refused -= base->flows_refused;
	for (i = 0; i < PS_EXIT_COUNT; i++)
		t->exit[i] -= base->exit[i];
}

const struct ps_baseline *
ps_baseline_get(struct ps_daemon *d)
{
	return d->baseline != NULL && d->baseline->epoch == d->counters.epoch ? d->baseline : NULL;
}

int
ps_baseline_take(struct ps_daemon *d)
{
	struct ps_baseline *b = calloc(1, sizeof(*b));
	uint32_t w, i;

	if (b == NULL)
		return -ENOMEM;
	b->epoch = d->counters.epoch;
	b->time_ns = ps_realtime_ns();
	ps_totals_sum(&d->counters, &b->totals);
	for (w = 0; w < d->counters.workers; w++)
		for (i = 0; i < PS_EXIT_COUNT; i++)
			b->exit[w][i] = d->counters.worker[w].exit[i];
	free(d->baseline);
	d->baseline = b;
	return 0;
}

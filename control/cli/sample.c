/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/cli/sample.h"
#include "control/cli/table.h"

int
ps_look_take(struct ps_look *look, struct ps_client *c)
{
	struct timespec ts;
	int rc;

	memset(look, 0, sizeof(*look));
	rc = ps_client_get(c, "/v1/workers", &look->workers);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	look->time_s = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	if (rc == 0)
		rc = ps_client_get(c, "/v1/services", &look->services);
	if (rc < 0)
		ps_look_clear(look);
	return rc;
}

void
ps_look_clear(struct ps_look *look)
{
	json_decref(look->workers);
	json_decref(look->services);
	memset(look, 0, sizeof(*look));
}

static double
rate(json_t *before, json_t *after, const char *key, double seconds)
{
	double difference = ps_json_number(after, key) - ps_json_number(before, key);

	return difference > 0 ? difference / seconds : 0;
}

static void
set(json_t *object, const char *key, double value)
{
	json_object_set_new(object, key, json_real(value));
}

static void
add_to(json_t *total, json_t *one, const char *key)
{
	set(total, key, ps_json_number(total, key) + ps_json_number(one, key));
}

static json_t *
worker_rates(json_t *before, json_t *after, double seconds)
{
	double packets = ps_json_number(after, "rx_packets") - ps_json_number(before, "rx_packets");
	double cycles = ps_json_number(after, "cycles") - ps_json_number(before, "cycles");
	double busy = ps_json_number(after, "busy_cycles") - ps_json_number(before, "busy_cycles");
	json_t *w = json_object();

	json_object_set(w, "worker", json_object_get(after, "worker"));
	json_object_set(w, "cpu", json_object_get(after, "cpu"));
	json_object_set(w, "state", json_object_get(after, "state"));
	set(w, "rx_pps", rate(before, after, "rx_packets", seconds));
	set(w, "tx_pps", rate(before, after, "tx_packets", seconds));
	set(w, "rx_bps", 8 * rate(before, after, "rx_bytes", seconds));
	set(w, "tx_bps", 8 * rate(before, after, "tx_bytes", seconds));
	set(w, "flows", ps_json_number(after, "flow_v4.active") + ps_json_number(after, "flow_v6.active"));
	set(w, "new",
		rate(before, after, "flow_v4.created", seconds) +
			rate(before, after, "flow_v6.created", seconds));
	set(w, "handed", rate(before, after, "handoff_out", seconds));
	set(w, "busy", cycles > 0 && busy > 0 ? busy / cycles : 0);
	if (packets > 0)
		set(w, "cycles_per_packet", busy / packets);
	return w;
}

static json_t *
service_rates(json_t *before, json_t *after, double seconds)
{
	json_t *s = json_object();

	json_object_set(s, "name", json_object_get(after, "name"));
	json_object_set(s, "proto", json_object_get(after, "proto"));
	json_object_set(s, "mode", json_object_get(after, "mode"));
	json_object_set(s, "up", json_object_get(after, "up"));
	json_object_set(s, "endpoints", json_object_get(after, "endpoints"));
	set(s, "pps_in", rate(before, after, "packets_in", seconds));
	set(s, "pps_out", rate(before, after, "packets_out", seconds));
	set(s, "bps_in", 8 * rate(before, after, "bytes_in", seconds));
	set(s, "bps_out", 8 * rate(before, after, "bytes_out", seconds));
	set(s, "flows", ps_json_number(after, "flows_active"));
	set(s, "new", rate(before, after, "flows_created", seconds));
	set(s, "refused", rate(before, after, "refused", seconds) + rate(before, after, "rejected", seconds));
	return s;
}

static int
by_packets(const void *a, const void *b)
{
	json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	double px = ps_json_number(x, "pps_in") + ps_json_number(x, "pps_out");
	double py = ps_json_number(y, "pps_in") + ps_json_number(y, "pps_out");

	if (px != py)
		return px < py ? 1 : -1;
	return strcmp(ps_json_text(x, "name"), ps_json_text(y, "name"));
}

/* Services by name; the names are unique. */
static json_t *
index_services(json_t *items)
{
	json_t *index = json_object(), *item;
	size_t i;

	json_array_foreach(items, i, item) json_object_set(index, ps_json_text(item, "name"), item);
	return index;
}

static json_t *
busiest_services(const struct ps_look *before, const struct ps_look *after, double seconds, size_t limit)
{
	json_t *known = index_services(json_object_get(before->services, "items")), *item,
	       *list = json_array();
	json_t *items = json_object_get(after->services, "items"), **rates;
	size_t i, length = json_array_size(items);

	rates = calloc(length + 1, sizeof(*rates));
	for (i = 0; rates != NULL && i < length; i++) {
		item = json_array_get(items, i);
		/* one that has just come counts from itself: from zero it would show its whole life as a rate
		 */
		json_t *past = json_object_get(known, ps_json_text(item, "name"));

		rates[i] = service_rates(past != NULL ? past : item, item, seconds);
	}
	if (rates != NULL)
		qsort(rates, length, sizeof(*rates), by_packets);
	for (i = 0; rates != NULL && i < length; i++) {
		if (i < limit)
			json_array_append_new(list, rates[i]);
		else
			json_decref(rates[i]);
	}
	free(rates);
	json_decref(known);
	return list;
}

json_t *
ps_sample_make(const struct ps_look *before, const struct ps_look *after, size_t services)
{
	static const char *const summed[] = {
		"rx_pps", "tx_pps", "rx_bps", "tx_bps", "flows", "new", "handed", "busy"};
	double ns = ps_json_number(after->workers, "time_ns") - ps_json_number(before->workers, "time_ns");
	double seconds = ns > 0 ? ns / 1e9 : after->time_s - before->time_s, cycles = 0, packets = 0;
	json_t *old = json_object_get(before->workers, "items"),
	       *items = json_object_get(after->workers, "items");
	json_t *sample, *list, *total, *w;
	size_t index;

	if (seconds <= 0 ||
		ps_json_number(before->workers, "epoch") != ps_json_number(after->workers, "epoch") ||
		json_array_size(old) != json_array_size(items))
		return NULL;
	list = json_array();
	total = json_object();
	json_array_foreach(items, index, w)
	{
		json_t *past = json_array_get(old, index), *rates = worker_rates(past, w, seconds);

		json_array_append_new(list, rates);
		for (size_t i = 0; i < sizeof(summed) / sizeof(summed[0]); i++)
			add_to(total, rates, summed[i]);
		cycles += ps_json_number(w, "busy_cycles") - ps_json_number(past, "busy_cycles");
		packets += ps_json_number(w, "rx_packets") - ps_json_number(past, "rx_packets");
	}
	json_object_set_new(total, "worker", json_string("all"));
	if (packets > 0)
		set(total, "cycles_per_packet", cycles / packets);
	if (json_array_size(items) > 0)
		set(total, "busy", ps_json_number(total, "busy") / (double)json_array_size(items));
	sample = json_pack("{s:f, s:o, s:o, s:o}", "seconds", seconds, "workers", list, "total", total,
		"services", busiest_services(before, after, seconds, services));
	json_object_set(sample, "time_ns", json_object_get(after->workers, "time_ns"));
	return sample;
}

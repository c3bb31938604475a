/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/arena.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/api/digest.h"
#include "policies/listener/build.h"
#include "policies/maglev/build.h"

static const uint32_t item_size[PS_SECTIONS] = {
	[PS_SEC_STRING] = 1,
	[PS_SEC_BOOT] = sizeof(struct ps_boot),
	[PS_SEC_PORT] = sizeof(struct ps_port),
	[PS_SEC_IFACE] = sizeof(struct ps_iface),
	[PS_SEC_ADDRESS] = sizeof(struct ps_address),
	[PS_SEC_ROUTE] = sizeof(struct ps_route),
	[PS_SEC_VIP] = sizeof(struct ps_vip),
	[PS_SEC_LISTENER] = sizeof(struct ps_listener),
	[PS_SEC_LISTENER_INDEX] = sizeof(uint32_t),
	[PS_SEC_SERVICE] = sizeof(struct ps_service),
	[PS_SEC_ENDPOINT] = sizeof(struct ps_endpoint),
	[PS_SEC_RANGE] = sizeof(struct ps_range),
	[PS_SEC_TABLE] = sizeof(struct ps_table),
	[PS_SEC_BLOB] = sizeof(struct ps_blob_ref),
	[PS_SEC_SNAT_POOL] = sizeof(struct ps_snat_pool),
	[PS_SEC_SNAT_ADDRESS] = sizeof(struct ps_snat_address),
	[PS_SEC_PROBE] = sizeof(struct ps_probe),
};

static void *
grow(void *p, size_t size)
{
	p = realloc(p, size);
	if (p == NULL)
		abort();
	return p;
}

void *
arena_add(struct arena *a, enum ps_section_id id)
{
	uint32_t i = a->length[id], room = 16;
	uint8_t *item;

	/* Doubling by powers of two, so that big tests stay linear. */
	while (room <= i)
		room *= 2;
	if (i == 0 || i == room / 2)
		a->section[id] = grow(a->section[id], (size_t)room * item_size[id]);
	item = a->section[id] + (size_t)i * item_size[id];
	memset(item, 0, item_size[id]);
	a->length[id]++;
	return item;
}

uint32_t
arena_string(struct arena *a, const char *text)
{
	uint32_t at = a->length[PS_SEC_STRING];

	if (*text == '\0')
		return 0;
	for (;; text++) {
		*(char *)arena_add(a, PS_SEC_STRING) = *text;
		if (*text == '\0')
			return at;
	}
}

struct ps_boot *
arena_boot(struct arena *a)
{
	return (struct ps_boot *)a->section[PS_SEC_BOOT];
}

void
arena_init(struct arena *a)
{
	struct ps_boot *b;

	memset(a, 0, sizeof(*a));
	arena_add(a, PS_SEC_STRING);
	b = arena_add(a, PS_SEC_BOOT);
	b->workers = 1;
	b->main_cpu = PS_NONE;
	memset(b->worker_cpu, 0xff, sizeof(b->worker_cpu));
	b->hugepages = PS_HUGEPAGES_OFF;
	b->mbuf_size = 2048;
	b->rx_descriptors = b->tx_descriptors = 512;
	b->flows_v4 = b->flows_v6 = 4096;
	b->fragments = 256;
	b->neighbours = 256;
	b->routes = 1024;
	b->affinity = 1024;
	b->service_slots = 16384;
	b->endpoint_slots = 65536;
	b->snat_groups = 16;
	b->instance_name = arena_string(a, "test");
	((struct ps_snat_pool *)arena_add(a, PS_SEC_SNAT_POOL))->name = arena_string(a, "default");
}

void
arena_free(struct arena *a)
{
	for (uint32_t i = 0; i < PS_SECTIONS; i++)
		free(a->section[i]);
	free(a->blob);
	memset(a, 0, sizeof(*a));
}

struct ps_addr
arena_addr(const char *text)
{
	struct ps_addr a = {{0}};
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return ps_addr_from_v4(v4);
	if (inet_pton(AF_INET6, text, a.b) != 1)
		abort();
	return a;
}

uint32_t
arena_port(struct arena *a, const char *name, enum ps_port_kind kind, const char *device, const char *address,
	   uint8_t prefix_length)
{
	uint32_t port = a->length[PS_SEC_PORT], iface = a->length[PS_SEC_IFACE];
	struct ps_port *p = arena_add(a, PS_SEC_PORT);
	struct ps_iface *f = arena_add(a, PS_SEC_IFACE);
	struct ps_address *ad = arena_add(a, PS_SEC_ADDRESS);
	struct ps_snat_address *s = arena_add(a, PS_SEC_SNAT_ADDRESS);
	struct ps_snat_pool *pool = (struct ps_snat_pool *)a->section[PS_SEC_SNAT_POOL];

	p->name = arena_string(a, name);
	p->device = arena_string(a, device);
	p->kind = (uint16_t)kind;
	p->mtu = 1500;
	f->name = p->name;
	f->port = port;
	f->mtu = 1500;
	ad->addr = arena_addr(address);
	ad->iface = iface;
	ad->prefix_length = prefix_length;
	s->addr = ad->addr;
	s->port_first = 1280;
	s->port_last = 65535;
	s->slot = a->length[PS_SEC_SNAT_ADDRESS] - 1;
	pool->addresses++;
	return iface;
}

uint32_t
arena_table(struct arena *a, uint32_t endpoints)
{
	struct ps_maglev_endpoint *e = calloc(endpoints, sizeof(*e));
	uint32_t index = a->length[PS_SEC_TABLE], size;
	struct ps_table *t = arena_add(a, PS_SEC_TABLE);
	uint64_t offset = (a->blob_size + 63) & ~63ull;

	if (e == NULL)
		abort();
	for (uint32_t i = 0; i < endpoints; i++)
		e[i] = (struct ps_maglev_endpoint){.id = ps_mix64(index + 1, i + 1), .weight = 1};
	size = ps_maglev_size(e, endpoints);
	if (offset == 0)
		offset = sizeof(struct ps_blob);
	a->blob = grow(a->blob, offset + size * 2ull);
	memset(a->blob + a->blob_size, 0, offset - a->blob_size);
	if (ps_maglev_build((uint16_t *)(a->blob + offset), size, e, endpoints) != 0)
		abort();
	a->blob_size = offset + size * 2ull;
	t->digest = ps_maglev_digest(e, endpoints, size);
	t->offset = offset;
	t->size = size;
	t->endpoints = endpoints;
	free(e);
	return index;
}

uint32_t
arena_service(struct arena *a, const char *vip, uint16_t port, uint8_t proto, const char *first, uint32_t endpoints,
	      uint16_t endpoint_port)
{
	uint32_t index = a->length[PS_SEC_SERVICE], first_endpoint = a->length[PS_SEC_ENDPOINT];
	struct ps_addr addr = arena_addr(vip), ep = arena_addr(first);
	struct ps_service *sv;
	struct ps_listener *l;
	bool known = false;
	char name[64];

	for (uint32_t i = 0; i < a->length[PS_SEC_VIP]; i++)
		known |= ps_addr_equal(&((struct ps_vip *)a->section[PS_SEC_VIP])[i].addr, &addr);
	if (!known)
		*(struct ps_vip *)arena_add(a, PS_SEC_VIP) =
			(struct ps_vip){.addr = addr, .flags = PS_VIP_F_ANNOUNCE | PS_VIP_F_PING};
	for (uint32_t i = 0; i < endpoints; i++) {
		struct ps_endpoint *e = arena_add(a, PS_SEC_ENDPOINT);

		e->addr = ep;
		e->port = htons(endpoint_port);
		e->id = ps_mix64(index + 1, i + 1);
		e->slot = a->length[PS_SEC_ENDPOINT] - 1;
		e->weight = 1;
		for (int b = 15; b >= 0 && ++ep.b[b] == 0; b--)
			;
	}
	snprintf(name, sizeof(name), "test/service-%u", index);
	sv = arena_add(a, PS_SEC_SERVICE);
	sv->id = ps_mix64(index + 1, 77);
	sv->slot = index;
	sv->name = arena_string(a, name);
	sv->first_endpoint = first_endpoint;
	sv->endpoints = sv->balanced = endpoints;
	sv->table = endpoints != 0 ? arena_table(a, endpoints) : PS_NONE;
	sv->probe = PS_NONE;
	sv->mode = PS_MODE_FULLNAT;
	sv->proto = proto;
	sv->tcp_idle_s = 3600;
	sv->udp_idle_s = 60;
	l = arena_add(a, PS_SEC_LISTENER);
	l->addr = addr;
	l->port = htons(port);
	l->proto = proto;
	l->service = index;
	l->name = sv->name;
	return index;
}

static void
finish_blob(struct arena *a, struct arena_image *image)
{
	struct ps_blob *b = (struct ps_blob *)a->blob;
	struct ps_blob_ref *ref;

	if (b == NULL)
		return;
	memset(b, 0, sizeof(*b));
	b->magic = PS_BLOB_MAGIC;
	b->abi = PS_ABI;
	b->size = a->blob_size;
	b->digest = ps_digest(a->blob + sizeof(*b), a->blob_size - sizeof(*b), 0);
	a->length[PS_SEC_BLOB] = 0;
	ref = arena_add(a, PS_SEC_BLOB);
	ref->digest = b->digest;
	ref->size = b->size;
	image->blob = grow(NULL, a->blob_size);
	memcpy(image->blob, a->blob, a->blob_size);
	image->blob_size = a->blob_size;
}

void
arena_seal(struct arena_image *image)
{
	struct ps_snapshot *s = (struct ps_snapshot *)image->bytes;

	s->digest = ps_digest(image->bytes + PS_SNAPSHOT_HEADER_SIZE, image->size - PS_SNAPSHOT_HEADER_SIZE,
			      s->generation);
}

void
arena_finish(struct arena *a, struct arena_image *image, uint64_t generation)
{
	uint32_t cells = ps_listener_index_cells(a->length[PS_SEC_LISTENER]);
	uint64_t at = PS_SNAPSHOT_HEADER_SIZE, offset[PS_SECTIONS];
	struct ps_snapshot *s;

	memset(image, 0, sizeof(*image));
	finish_blob(a, image);
	a->length[PS_SEC_LISTENER_INDEX] = 0;
	for (uint32_t i = 0; i < cells; i++)
		arena_add(a, PS_SEC_LISTENER_INDEX);
	if (ps_listener_index_build((uint32_t *)a->section[PS_SEC_LISTENER_INDEX], cells,
				    (struct ps_listener *)a->section[PS_SEC_LISTENER], a->length[PS_SEC_LISTENER],
				    NULL) != 0)
		abort();
	for (uint32_t i = 0; i < PS_SECTIONS; i++) {
		offset[i] = at;
		at = (at + (uint64_t)a->length[i] * item_size[i] + 63) & ~63ull;
	}
	image->size = at;
	if (posix_memalign((void **)&image->bytes, 64, at) != 0)
		abort();
	memset(image->bytes, 0, at);
	s = (struct ps_snapshot *)image->bytes;
	s->magic = PS_SNAPSHOT_MAGIC;
	s->abi = PS_ABI;
	s->header_size = PS_SNAPSHOT_HEADER_SIZE;
	s->size = at;
	s->generation = generation;
	s->hash_seed = 42;
	s->max_service_slot = a->length[PS_SEC_SERVICE];
	s->max_endpoint_slot = a->length[PS_SEC_ENDPOINT];
	s->sections = PS_SECTIONS;
	for (uint32_t i = 0; i < PS_SECTIONS; i++) {
		s->section[i] = (struct ps_section){
			.offset = offset[i], .length = a->length[i], .item_size = item_size[i]};
		if (a->length[i] != 0)
			memcpy(image->bytes + offset[i], a->section[i], (size_t)a->length[i] * item_size[i]);
	}
	s->boot_digest = ps_digest(a->section[PS_SEC_BOOT], sizeof(struct ps_boot), 0);
	arena_seal(image);
}

void
arena_image_free(struct arena_image *image)
{
	free(image->bytes);
	free(image->blob);
	memset(image, 0, sizeof(*image));
}

int
arena_memfd(const void *bytes, uint64_t size)
{
	int fd = memfd_create("arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		abort();
	return fd;
}

int
arena_validate(const struct arena_image *image, char *why, size_t why_size)
{
	const void *blob[1] = {image->blob};

	return ps_snapshot_validate(image->bytes, image->size, blob, &image->blob_size, image->blob != NULL, why,
				    why_size);
}

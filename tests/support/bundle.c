/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a snapshot bundle from its arguments, so that a dataplane can be run alone, without manifests and penstockd:
 *
 *   bundle FILE ITEM...
 *   port=NAME,KIND,DEVICE,ADDRESS,PREFIX[,QUEUES[,OUTPUT]]   kind: a number of enum ps_port_kind, or null, pcap, tap, af_packet, memif
 *   service=VIP,PORT,tcp|udp,FIRST,COUNT,PORT[,MODE]         mode: a number of enum ps_mode
 *   route=PREFIX,LENGTH,VIA
 *   workers=N  cpu=WORKER,CPU  main_cpu=CPU  idle=N  flows=N  mbufs=N  hugepages=N  probe=MS  generation=N
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/api/digest.h"
#include "tests/support/arena.h"

#define FIELDS 8

static const char *const kinds[PS_PORT_KINDS] = {
	[PS_PORT_PCI] = "pci",     [PS_PORT_AF_XDP] = "af_xdp",           [PS_PORT_AF_PACKET] = "af_packet",
	[PS_PORT_TAP] = "tap",     [PS_PORT_MEMIF] = "memif",             [PS_PORT_VIRTIO_USER] = "virtio_user",
	[PS_PORT_VHOST] = "vhost", [PS_PORT_NULL] = "null",               [PS_PORT_PCAP] = "pcap",
};

static uint32_t
split(char *text, char *field[FIELDS])
{
	uint32_t n = 0;

	for (char *p = text; p != NULL && n < FIELDS; n++) {
		field[n] = p;
		p = strchr(p, ',');
		if (p != NULL)
			*p++ = '\0';
	}
	for (uint32_t i = n; i < FIELDS; i++)
		field[i] = (char *)"";
	return n;
}

static void
add_port(struct arena *a, char *field[FIELDS])
{
	enum ps_port_kind kind = PS_PORT_KINDS;
	struct ps_port *port;

	for (uint32_t k = 0; k < PS_PORT_KINDS; k++)
		if (strcmp(field[1], kinds[k]) == 0)
			kind = (enum ps_port_kind)k;
	if (kind == PS_PORT_KINDS) {
		fprintf(stderr, "bundle: unknown kind %s\n", field[1]);
		exit(2);
	}
	arena_port(a, field[0], kind, field[2], field[3], (uint8_t)atoi(field[4]));
	port = (struct ps_port *)a->section[PS_SEC_PORT] + a->length[PS_SEC_PORT] - 1;
	port->queues = (uint16_t)atoi(field[5]);
	port->output = arena_string(a, field[6]);
	if (kind == PS_PORT_MEMIF)
		port->flags = PS_PORT_F_MEMIF_SERVER | PS_PORT_F_TRUST_CHECKSUM;
}

static void
add_service(struct arena *a, char *field[FIELDS], uint32_t probe)
{
	uint8_t proto = strcmp(field[2], "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	uint32_t i = arena_service(a, field[0], (uint16_t)atoi(field[1]), proto, field[3], (uint32_t)atoi(field[4]),
				   (uint16_t)atoi(field[5]));
	struct ps_service *sv = (struct ps_service *)a->section[PS_SEC_SERVICE] + i;

	sv->mode = (uint8_t)atoi(field[6]);
	if (sv->mode != PS_MODE_FULLNAT)
		sv->snat_pool = PS_NONE;
	sv->gue_port = htons(6080);
	sv->probe = probe;
}

static void
add_item(struct arena *a, char *item, uint64_t *generation, uint32_t *probe)
{
	struct ps_boot *b = arena_boot(a);
	char *value = strchr(item, '='), *field[FIELDS];

	if (value == NULL)
		exit(2);
	*value++ = '\0';
	split(value, field);
	if (strcmp(item, "port") == 0) {
		add_port(a, field);
	} else if (strcmp(item, "service") == 0) {
		add_service(a, field, *probe);
	} else if (strcmp(item, "route") == 0) {
		struct ps_route *r = arena_add(a, PS_SEC_ROUTE);

		r->prefix = arena_addr(field[0]);
		r->prefix_length = (uint8_t)atoi(field[1]);
		r->via = arena_addr(field[2]);
		r->iface = PS_NONE;
	} else if (strcmp(item, "workers") == 0) {
		b->workers = (uint32_t)atoi(value);
	} else if (strcmp(item, "cpu") == 0) {
		b->worker_cpu[atoi(field[0]) % PS_MAX_WORKERS] = (uint32_t)atoi(field[1]);
	} else if (strcmp(item, "main_cpu") == 0) {
		b->main_cpu = (uint32_t)atoi(value);
	} else if (strcmp(item, "idle") == 0) {
		b->idle = (uint32_t)atoi(value);
	} else if (strcmp(item, "flows") == 0) {
		b->flows_v4 = b->flows_v6 = (uint32_t)atoi(value);
	} else if (strcmp(item, "mbufs") == 0) {
		b->mbufs = (uint32_t)atoi(value);
	} else if (strcmp(item, "hugepages") == 0) {
		b->hugepages = (uint32_t)atoi(value);
	} else if (strcmp(item, "generation") == 0) {
		*generation = strtoull(value, NULL, 10);
	} else if (strcmp(item, "probe") == 0) {
		struct ps_probe *p = arena_add(a, PS_SEC_PROBE);

		*p = (struct ps_probe){.kind = PS_PROBE_TCP, .rise = 2, .fall = 2, .jitter = 10,
				       .interval_ms = (uint32_t)atoi(value), .timeout_ms = (uint32_t)atoi(value) / 2, .id = 1};
		*probe = a->length[PS_SEC_PROBE] - 1;
	} else {
		fprintf(stderr, "bundle: what is %s?\n", item);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	uint64_t generation = 1, blob_at, size;
	struct arena_image image;
	uint32_t probe = PS_NONE;
	struct ps_bundle *b;
	struct arena a;
	char why[200];
	uint8_t *file;
	int fd;

	if (argc < 3) {
		fprintf(stderr, "usage: bundle FILE ITEM...\n");
		return 2;
	}
	arena_init(&a);
	for (int i = 2; i < argc; i++)
		add_item(&a, argv[i], &generation, &probe);
	arena_finish(&a, &image, generation);
	arena_free(&a);
	if (arena_validate(&image, why, sizeof(why)) != 0) {
		fprintf(stderr, "bundle: %s\n", why);
		return 1;
	}
	blob_at = (sizeof(*b) + image.size + 63) & ~63ull;
	size = blob_at + image.blob_size;
	file = calloc(1, size);
	if (file == NULL)
		return 1;
	memcpy(file + sizeof(*b), image.bytes, image.size);
	if (image.blob != NULL)
		memcpy(file + blob_at, image.blob, image.blob_size);
	b = (struct ps_bundle *)file;
	b->magic = PS_BUNDLE_MAGIC;
	b->abi = PS_ABI;
	b->blobs = image.blob != NULL;
	b->size = size;
	b->snapshot_size = image.size;
	b->digest = ps_digest(file + sizeof(*b), size - sizeof(*b), 0);
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, file, size) != (ssize_t)size) {
		perror(argv[1]);
		return 1;
	}
	close(fd);
	free(file);
	arena_image_free(&image);
	return 0;
}

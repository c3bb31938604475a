/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compilation has two halves. The first gives every service and endpoint its slot and every balanced set its
 * table; services that did not change since the compilation before are one comparison each. The second lays
 * everything out in one arena, which costs what copying it costs.
 */
#include "control/compile/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/compile/internal.h"
#include "dataplane/api/digest.h"

#define SNAPSHOT_NAME "penstock-snapshot"
#define SPARE_MAX (64ull << 20) /* bytes held ready for the next snapshot */

struct ps_compiler *
ps_compiler_new(void)
{
	struct ps_compiler *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->spare = -1;
	return c;
}

void
ps_compiler_free(struct ps_compiler *c)
{
	if (c == NULL)
		return;
	ps_forget_services(c);
	ps_forget_listeners(c);
	if (c->spare >= 0)
		close(c->spare);
	free(c->arena.bytes);
	free(c->arena.string);
	ps_packs_free(&c->packs);
	free(c);
}

static int
emit(struct compilation *k)
{
	const struct ps_model *m = k->m;
	struct arena *a = k->arena;
	struct packs *packs = &k->c->packs;
	struct ps_blob_ref *blob;
	uint32_t i;
	void *p;
	int rc;

	a->string_size = 0;
	a->error = ps_emit_reserve(a, PS_SNAPSHOT_HEADER_SIZE);
	a->size = PS_SNAPSHOT_HEADER_SIZE;
	ps_emit_strings(a, "", 1);
	for (i = 0; i < packs->length; i++)
		packs->pack[i]->index = i;
	ps_emit_dataplane(a, m, &k->out);
	p = ps_emit_section(a, PS_SEC_VIP, m->vips, sizeof(*m->vip));
	if (p != NULL && m->vips != 0)
		memcpy(p, m->vip, m->vips * sizeof(*m->vip));
	rc = a->error;
	if (rc == 0)
		rc = ps_emit_services(k);
	if (rc == 0)
		rc = ps_emit_listeners(k);
	if (rc != 0)
		return rc;
	blob = ps_emit_section(a, PS_SEC_BLOB, packs->length, sizeof(*blob));
	for (i = 0; blob != NULL && i < packs->length; i++)
		blob[i] = (struct ps_blob_ref){packs->pack[i]->digest, packs->pack[i]->size};
	p = ps_emit_section(a, PS_SEC_STRING, a->string_size, 1);
	if (p != NULL)
		memcpy(p, a->string, a->string_size);
	return a->error;
}

static void
write_header(struct compilation *k, uint64_t generation, uint64_t now_ns)
{
	struct arena *a = k->arena;
	struct ps_snapshot *s = (struct ps_snapshot *)(void *)a->bytes;

	memset(s, 0, PS_SNAPSHOT_HEADER_SIZE);
	s->magic = PS_SNAPSHOT_MAGIC;
	s->abi = PS_ABI;
	s->header_size = PS_SNAPSHOT_HEADER_SIZE;
	s->size = a->size;
	s->generation = generation;
	s->digest = ps_digest(a->bytes + PS_SNAPSHOT_HEADER_SIZE, a->size - PS_SNAPSHOT_HEADER_SIZE, generation);
	s->boot_digest = k->out.boot_digest;
	s->built_ns = now_ns;
	s->hash_seed = k->m->hash_seed;
	s->max_service_slot = k->out.max_service_slot;
	s->max_endpoint_slot = k->out.max_endpoint_slot;
	s->sections = PS_SECTIONS;
	memcpy(s->section, a->section, sizeof(a->section));
}

/* ---- the result ---- */

struct result {
	struct ps_compiled compiled; /* first: what the caller sees */
	struct pack **pack;
};

static int
finish(struct compilation *k, struct ps_compiled **compiled)
{
	struct packs *packs = &k->c->packs;
	const struct arena *a = k->arena;
	struct result *r = calloc(1, sizeof(*r));
	const void *bytes;
	uint32_t i;
	int fd, rc = -ENOMEM;

	if (r == NULL)
		return -ENOMEM;
	r->compiled.fd = -1;
	r->pack = calloc(packs->length + 1, sizeof(*r->pack));
	r->compiled.blob = calloc(packs->length + 1, sizeof(*r->compiled.blob));
	if (r->pack == NULL || r->compiled.blob == NULL)
		goto fail;
	fd = r->compiled.fd = k->c->spare >= 0 ? k->c->spare : ps_memfd_room(SNAPSHOT_NAME, 0);
	k->c->spare = -1;
	rc = fd < 0 ? fd : ps_memfd_seal(fd, a->bytes, a->size);
	if (rc != 0)
		goto fail;
	/* Read by few, and seldom: not populated. */
	bytes = mmap(NULL, a->size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		rc = -errno;
		goto fail;
	}
	for (i = 0; i < packs->length; i++) {
		struct pack *pack = packs->pack[i];

		pack->references++;
		r->pack[i] = pack;
		r->compiled.blob[i] = (struct ps_compiled_blob){pack->digest, pack->size, pack->fd, pack->bytes};
	}
	r->compiled.blobs = packs->length;
	r->compiled.size = a->size;
	r->compiled.snapshot = bytes;
	r->compiled.generation = r->compiled.snapshot->generation;
	r->compiled.tables_built = packs->built;
	r->compiled.tables_reused = packs->reused;
	r->compiled.endpoints_left_out = k->out.endpoints_left_out;
	r->compiled.services_left_out = k->out.services_left_out;
	*compiled = &r->compiled;
	return 0;
fail:
	if (r->compiled.fd >= 0)
		close(r->compiled.fd);
	free(r->pack);
	free(r->compiled.blob);
	free(r);
	return rc;
}

void
ps_compiler_prepare(struct ps_compiler *c)
{
	uint64_t room = c->arena.size + c->arena.size / 16;

	if (c->spare < 0 && c->arena.size != 0 && room <= SPARE_MAX)
		c->spare = ps_memfd_room(SNAPSHOT_NAME, room);
}

int
ps_compile(struct ps_compiler *c, const struct ps_model *model, struct ps_slots *slots, uint64_t generation,
	uint64_t now_ns, struct ps_compiled **compiled)
{
	struct compilation k = {.c = c, .m = model, .slots = slots, .arena = &c->arena};
	int rc;

	*compiled = NULL;
	k.emitted_index = malloc((model->services + 1) * sizeof(*k.emitted_index));
	rc = k.emitted_index != NULL ? ps_prepare_services(&k) : -ENOMEM;
	if (rc == 0)
		rc = emit(&k);
	if (rc == 0) {
		write_header(&k, generation, now_ns);
		rc = finish(&k, compiled);
	}
	if (rc != 0) {
		/* Half a round: every service is named anew next time, and every table built. */
		c->slots = NULL;
		ps_packs_free(&c->packs);
	}
	free(k.emitted_index);
	return rc;
}

void
ps_compiled_free(struct ps_compiled *compiled)
{
	struct result *r = (struct result *)compiled;
	uint32_t i;

	if (r == NULL)
		return;
	for (i = 0; i < r->compiled.blobs; i++)
		ps_pack_release(r->pack[i]);
	munmap((void *)(uintptr_t)r->compiled.snapshot, r->compiled.size);
	close(r->compiled.fd);
	free(r->compiled.blob);
	free(r->pack);
	free(r);
}

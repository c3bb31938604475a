/* SPDX-License-Identifier: Apache-2.0 */
/* From a port's configuration to ethdev name and devargs. Pure. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/api/digest.h"
#include "drivers/port/family.h"

static const struct ps_port_family *const families[PS_PORT_KINDS] = {
	[PS_PORT_PCI] = &ps_port_pci,
	[PS_PORT_AF_XDP] = &ps_port_af_xdp,
	[PS_PORT_AF_PACKET] = &ps_port_af_packet,
	[PS_PORT_TAP] = &ps_port_tap,
	[PS_PORT_MEMIF] = &ps_port_memif,
	[PS_PORT_VIRTIO_USER] = &ps_port_virtio_user,
	[PS_PORT_VHOST] = &ps_port_vhost,
	[PS_PORT_NULL] = &ps_port_null,
	[PS_PORT_PCAP] = &ps_port_pcap,
};

const struct ps_port_family *
ps_port_family_of(enum ps_port_kind kind)
{
	return kind < PS_PORT_KINDS ? families[kind] : NULL;
}

const char *
ps_port_kind_name(enum ps_port_kind kind)
{
	const struct ps_port_family *f = ps_port_family_of(kind);

	return f != NULL ? f->kind : NULL;
}

void
ps_port_arg(struct ps_port_args *args, const char *key, const char *format, ...)
{
	char value[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value)) {
		args->overflow = true;
		return;
	}
	n = snprintf(args->text + args->length, args->size - args->length, "%s%s%s%s", args->length ? "," : "", key,
		     *key ? "=" : "", value);
	if (n < 0 || (size_t)n >= args->size - args->length)
		args->overflow = true;
	else
		args->length += (size_t)n;
}

bool
ps_port_option_given(const struct ps_port_spec *spec, const char *key)
{
	size_t size = strlen(key);
	const char *p = spec->options;

	while (p != NULL && *p != '\0') {
		if (strncmp(p, key, size) == 0 && (p[size] == '=' || p[size] == ',' || p[size] == '\0'))
			return true;
		p = strchr(p, ',');
		if (p != NULL)
			p++;
	}
	return false;
}

uint16_t
ps_port_queues(const struct ps_port_spec *spec, const struct ps_port_config *config)
{
	const struct ps_port_family *f = ps_port_family_of(spec->kind);
	uint16_t queues = spec->queues != 0 ? spec->queues : config->workers;

	if (f->max_queues != 0 && queues > f->max_queues)
		queues = f->max_queues;
	return queues != 0 ? queues : 1;
}

void
ps_port_stable_mac(const struct ps_port_spec *spec, uint32_t which, uint8_t mac[6])
{
	uint64_t h = ps_digest(spec->name, strlen(spec->name), spec->kind * 16u + which);

	h = ps_digest(spec->device, strlen(spec->device), h ^ spec->memif_id);
	h = ps_mix64(h ^ (spec->flags & PS_PORT_F_MEMIF_SERVER), PS_DIGEST_K1);
	memcpy(mac, &h, 6);
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
}

/* A device string becomes part of a comma-separated list. */
static bool
usable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s == ',' || *s == '=' || *s == '[' || *s == ']' || (unsigned char)*s < ' ')
			return false;
	return true;
}

int
ps_port_devargs(const struct ps_port_spec *spec, const struct ps_port_config *config,
		char *name, size_t name_size, char *text, size_t text_size, char *why, size_t why_size)
{
	const struct ps_port_family *f = ps_port_family_of(spec->kind);
	struct ps_port_args args = {.text = text, .size = text_size};
	int rc, n;

	if (f == NULL || text_size == 0) {
		snprintf(why, why_size, "port kind %u is not known", (unsigned int)spec->kind);
		return -EINVAL;
	}
	text[0] = '\0';
	if (spec->device[0] == '\0' && spec->kind != PS_PORT_NULL &&
	    !(spec->kind == PS_PORT_PCAP && spec->output[0] != '\0')) {
		snprintf(why, why_size, "port %s: kind %s needs a device", spec->name, f->kind);
		return -EINVAL;
	}
	if (!usable(spec->device) || !usable(spec->output)) {
		snprintf(why, why_size, "port %s: a device may hold neither , nor = nor brackets", spec->name);
		return -EINVAL;
	}
	if ((f->quirks & (PS_QUIRK_KERNEL_IFACE)) && strlen(spec->device) > 15) {
		snprintf(why, why_size, "port %s: \"%s\" is too long for an interface name, at most 15 characters",
			 spec->name, spec->device);
		return -EINVAL;
	}
	if ((spec->flags & PS_PORT_F_ZERO_COPY) && spec->kind != PS_PORT_MEMIF && spec->kind != PS_PORT_AF_XDP) {
		snprintf(why, why_size, "port %s: kind %s has no zero-copy mode", spec->name, f->kind);
		return -ENOTSUP;
	}
	if (f->prefix != NULL)
		n = snprintf(name, name_size, "%s%u", f->prefix, spec->index);
	else
		n = snprintf(name, name_size, "%s", spec->device);
	if (n < 0 || (size_t)n >= name_size)
		goto too_long;
	if (f->devargs != NULL) {
		rc = f->devargs(spec, config, ps_port_queues(spec, config), &args, why, why_size);
		if (rc < 0)
			return rc;
	}
	if (spec->options[0] != '\0')
		ps_port_arg(&args, "", "%s", spec->options);
	if (args.overflow)
		goto too_long;
	return 0;
too_long:
	snprintf(why, why_size, "port %s: name or options are too long", spec->name);
	return -ENAMETOOLONG;
}

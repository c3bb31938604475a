/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/decode.h"

#define GUE_PORT 6080 /* the port registered for GUE */
#define DEPTH_MAX 3   /* packets inside packets */

struct writer {
	char *text;
	size_t size, at;
};

__attribute__((format(printf, 2, 3))) static void
put(struct writer *w, const char *format, ...)
{
	va_list args;
	int length;

	if (w->at >= w->size)
		return;
	va_start(args, format);
	length = vsnprintf(w->text + w->at, w->size - w->at, format, args);
	va_end(args);
	w->at += length > 0 ? (size_t)length : 0;
}

static uint16_t
be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_ip(struct writer *w, const uint8_t *p, size_t size, int depth);

static void
put_mac(struct writer *w, const uint8_t *p)
{
	put(w, "%02x:%02x:%02x:%02x:%02x:%02x", p[0], p[1], p[2], p[3], p[4], p[5]);
}

static void
put_place(struct writer *w, int family, const uint8_t *address, const uint8_t *port)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, address, text, sizeof(text));
	if (port == NULL)
		put(w, "%s", text);
	else
		put(w, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, be16(port));
}

static void
put_tcp(struct writer *w, const uint8_t *p, size_t size)
{
	static const char letters[] = "FSRPAUEC";

	put(w, " TCP");
	if (size < 14)
		return;
	put(w, " [");
	for (int bit = 0; bit < 8; bit++) {
		if (p[13] & (1 << bit))
			put(w, "%c", letters[bit]);
	}
	put(w, "] seq %u", (unsigned int)be16(p + 4) << 16 | be16(p + 6));
	if (p[13] & 0x10)
		put(w, " ack %u", (unsigned int)be16(p + 8) << 16 | be16(p + 10));
}

static void
put_icmp(struct writer *w, const uint8_t *p, size_t size, bool v6, int depth)
{
	bool error;

	put(w, v6 ? " ICMPv6" : " ICMP");
	if (size < 8)
		return;
	error = v6 ? p[0] >= 1 && p[0] <= 4 : p[0] == 3 || p[0] == 5 || p[0] == 11 || p[0] == 12;
	if (p[0] == (v6 ? 128 : 8))
		put(w, " echo request %u.%u", be16(p + 4), be16(p + 6));
	else if (p[0] == (v6 ? 129 : 0))
		put(w, " echo reply %u.%u", be16(p + 4), be16(p + 6));
	else if (v6 && p[0] == 135)
		put(w, " neighbour solicitation");
	else if (v6 && p[0] == 136)
		put(w, " neighbour advertisement");
	else if (v6 && p[0] == 2)
		put(w, " packet too big, MTU %u", (unsigned int)be16(p + 4) << 16 | be16(p + 6));
	else if (!v6 && p[0] == 3 && p[1] == 4)
		put(w, " fragmentation needed, MTU %u", be16(p + 6));
	else
		put(w, " type %u code %u", p[0], p[1]);
	if (error && depth < DEPTH_MAX) {
		put(w, " about (");
		put_ip(w, p + 8, size - 8, depth + 1);
		put(w, ")");
	}
}

/* What follows the IP header; source and destination are printed here because ports belong to them. */
static void
put_l4(struct writer *w, int family, const uint8_t *src, const uint8_t *dst, uint8_t proto, const uint8_t *p,
	size_t size, bool later_fragment, int depth)
{
	bool ports = (proto == IPPROTO_TCP || proto == IPPROTO_UDP) && size >= 4 && !later_fragment;

	put_place(w, family, src, ports ? p : NULL);
	put(w, " > ");
	put_place(w, family, dst, ports ? p + 2 : NULL);
	if (later_fragment)
		put(w, " protocol %u", proto);
	else if (proto == IPPROTO_TCP)
		put_tcp(w, p, size);
	else if (proto == IPPROTO_UDP)
		put(w, " UDP");
	else if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		put_icmp(w, p, size, proto == IPPROTO_ICMPV6, depth);
	else if (proto != IPPROTO_IPIP && proto != IPPROTO_IPV6)
		put(w, " protocol %u", proto);
	if (later_fragment || depth >= DEPTH_MAX)
		return;
	if (proto == IPPROTO_IPIP || proto == IPPROTO_IPV6) {
		put(w, " carries ");
		put_ip(w, p, size, depth + 1);
	} else if (proto == IPPROTO_UDP && size > 8 && be16(p + 2) == GUE_PORT) {
		put(w, " GUE carries ");
		put_ip(w, p + 8, size - 8, depth + 1);
	}
}

static void
put_ip4(struct writer *w, const uint8_t *p, size_t size, int depth)
{
	size_t header = (size_t)(p[0] & 15) * 4;
	uint16_t fragment;

	if (size < 20 || header < 20) {
		put(w, "IPv4 ...");
		return;
	}
	fragment = be16(p + 6);
	put(w, "IPv4 ");
	put_l4(w, AF_INET, p + 12, p + 16, p[9], size > header ? p + header : p,
		size > header ? size - header : 0, (fragment & 0x1fff) != 0, depth);
	put(w, " ttl %u", p[8]);
	if (fragment & 0x3fff)
		put(w, " fragment id %u offset %u%s", be16(p + 4), (fragment & 0x1fffu) * 8,
			fragment & 0x2000 ? " more" : "");
}

static void
put_ip6(struct writer *w, const uint8_t *p, size_t size, int depth)
{
	uint8_t proto;
	size_t at = 40;
	uint16_t offset = 0;
	bool fragment = false;

	if (size < 40) {
		put(w, "IPv6 ...");
		return;
	}
	proto = p[6];
	/* hop-by-hop, routing, fragment, destination options: RFC 8200 4.1 */
	for (int hops = 0; hops < 8 && at + 8 <= size; hops++) {
		uint8_t next = p[at];

		if (proto == 44) {
			fragment = true;
			offset = be16(p + at + 2);
			at += 8;
		} else if (proto == 0 || proto == 43 || proto == 60) {
			at += ((size_t)p[at + 1] + 1) * 8;
		} else {
			break;
		}
		proto = next;
	}
	put(w, "IPv6 ");
	put_l4(w, AF_INET6, p + 8, p + 24, proto, size > at ? p + at : p, size > at ? size - at : 0,
		(offset & 0xfff8) != 0, depth);
	put(w, " hops %u", p[7]);
	if (fragment)
		put(w, " fragment offset %u%s", offset & 0xfff8u, offset & 1 ? " more" : "");
}

static void
put_ip(struct writer *w, const uint8_t *p, size_t size, int depth)
{
	if (size == 0)
		put(w, "...");
	else if (p[0] >> 4 == 4)
		put_ip4(w, p, size, depth);
	else if (p[0] >> 4 == 6)
		put_ip6(w, p, size, depth);
	else
		put(w, "IP version %u", p[0] >> 4);
}

char *
ps_decode_frame(const uint8_t *frame, size_t size, char *text, size_t text_size)
{
	struct writer w = {.text = text, .size = text_size};
	size_t at = 14;
	uint16_t type;

	text[0] = '\0';
	if (size < 14) {
		put(&w, "...");
		return text;
	}
	put_mac(&w, frame + 6);
	put(&w, " > ");
	put_mac(&w, frame);
	put(&w, " ");
	type = be16(frame + 12);
	while ((type == 0x8100 || type == 0x88a8) && size >= at + 4) {
		put(&w, "vlan %u ", be16(frame + at) & 0xfff);
		type = be16(frame + at + 2);
		at += 4;
	}
	if (type == 0x0800 || type == 0x86dd) {
		put_ip(&w, frame + at, size - at, 0);
	} else if (type == 0x0806 && size >= at + 28) {
		put(&w, "ARP %s ", be16(frame + at + 6) == 1 ? "who has" : "reply");
		put_place(&w, AF_INET, frame + at + (be16(frame + at + 6) == 1 ? 24 : 14), NULL);
		put(&w, " %s ", be16(frame + at + 6) == 1 ? "tell" : "is at");
		if (be16(frame + at + 6) == 1)
			put_place(&w, AF_INET, frame + at + 14, NULL);
		else
			put_mac(&w, frame + at + 8);
	} else {
		put(&w, "type 0x%04x", type);
	}
	return text;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

size_t
ps_decode_hex(const char *hex, uint8_t *bytes, size_t size)
{
	size_t length = 0;

	while (length < size && hex[0] != '\0' && digit(hex[0]) >= 0 && digit(hex[1]) >= 0) {
		bytes[length++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
		hex += 2;
	}
	return length;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "control/daemon/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/api/flow.h"
#include "dataplane/api/snapshot.h"
#include "dataplane/api/state.h"

#define NAME_OF(table, index) ((index) < sizeof(table) / sizeof(*(table)) ? (table)[index] : "unknown")

const char *
ps_ip_text(char *text, size_t size, const struct ps_addr *a)
{
	if (ps_addr_is_v4(a))
		inet_ntop(AF_INET, a->b + 12, text, (socklen_t)size);
	else
		inet_ntop(AF_INET6, a->b, text, (socklen_t)size);
	return text;
}

const char *
ps_address_text(char *text, size_t size, const struct ps_addr *a, uint16_t port)
{
	char ip[INET6_ADDRSTRLEN];

	ps_ip_text(ip, sizeof(ip), a);
	snprintf(text, size, ps_addr_is_v4(a) ? "%s:%u" : "[%s]:%u", ip, ntohs(port));
	return text;
}

static int
port_parse(const char *text, uint16_t *port)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || v > 65535)
		return -EINVAL;
	*port = htons((uint16_t)v);
	return 0;
}

int
ps_address_parse(const char *text, struct ps_addr *addr, uint16_t *port)
{
	char ip[INET6_ADDRSTRLEN + 1];
	const char *colon = strrchr(text, ':'), *end;
	uint32_t v4;
	size_t n;

	*port = 0;
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (end == NULL || (size_t)(end - text) > sizeof(ip))
			return -EINVAL;
		n = (size_t)(end - text) - 1;
		if (n >= sizeof(ip))
			return -EINVAL;
		memcpy(ip, text + 1, n);
		ip[n] = '\0';
		if (inet_pton(AF_INET6, ip, addr->b) != 1 || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		return end[1] == ':' ? port_parse(end + 2, port) : 0;
	}
	if (colon != NULL && strchr(text, ':') != colon) /* two colons: IPv6 without port */
		return inet_pton(AF_INET6, text, addr->b) == 1 ? 0 : -EINVAL;
	n = colon == NULL ? strlen(text) : (size_t)(colon - text);
	if (n >= sizeof(ip))
		return -EINVAL;
	memcpy(ip, text, n);
	ip[n] = '\0';
	if (inet_pton(AF_INET, ip, &v4) != 1)
		return -EINVAL;
	*addr = ps_addr_from_v4(v4);
	return colon == NULL ? 0 : port_parse(colon + 1, port);
}

json_t *
ps_time_json(uint64_t ns)
{
	time_t s = (time_t)(ns / 1000000000ull);
	char text[40];
	struct tm tm;
	size_t n;

	if (ns == 0 || gmtime_r(&s, &tm) == NULL)
		return json_null();
	n = strftime(text, sizeof(text), "%FT%T", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03uZ", (unsigned int)(ns / 1000000ull % 1000));
	return json_string(text);
}

const char *
ps_reason_name(uint32_t reason)
{
	static const char *const names[] = {[PS_REASON_NONE] = "none", [PS_REASON_OK] = "ok",
		[PS_REASON_TIMEOUT] = "timeout", [PS_REASON_REFUSED] = "refused",
		[PS_REASON_UNREACHABLE] = "unreachable", [PS_REASON_NO_NEIGHBOUR] = "no-neighbour",
		[PS_REASON_NO_ROUTE] = "no-route"};

	_Static_assert(sizeof(names) / sizeof(*names) == PS_REASONS, "a reason has no name");
	return NAME_OF(names, reason);
}

const char *
ps_mode_name(uint32_t mode)
{
	static const char *const names[] = {[PS_MODE_FULLNAT] = "fullnat", [PS_MODE_DNAT] = "dnat",
		[PS_MODE_IPIP] = "dsr-ipip", [PS_MODE_GUE] = "dsr-gue", [PS_MODE_L2] = "dsr-l2"};

	_Static_assert(sizeof(names) / sizeof(*names) == PS_MODES, "a mode has no name");
	return NAME_OF(names, mode);
}

const char *
ps_proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmp6";
	default:
		return "other";
	}
}

int
ps_proto_parse(const char *text, uint8_t *proto)
{
	static const uint8_t known[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};
	size_t i;

	for (i = 0; i < sizeof(known); i++) {
		if (strcasecmp(text, ps_proto_name(known[i])) == 0) {
			*proto = known[i];
			return 0;
		}
	}
	return -EINVAL;
}

static const char *const flow_states[] = {[PS_FLOW_FREE] = "free", [PS_FLOW_SYN] = "syn",
	[PS_FLOW_ESTABLISHED] = "established", [PS_FLOW_FIN_CLIENT] = "fin-client",
	[PS_FLOW_FIN_ENDPOINT] = "fin-endpoint", [PS_FLOW_CLOSING] = "closing", [PS_FLOW_RESET] = "reset",
	[PS_FLOW_UDP] = "udp", [PS_FLOW_UDP_REPLIED] = "udp-replied", [PS_FLOW_SYN_ACK] = "syn-ack"};
_Static_assert(sizeof(flow_states) / sizeof(*flow_states) == PS_FLOW_STATES, "a flow state has no name");

const char *
ps_flow_state_name(uint32_t state)
{
	return NAME_OF(flow_states, state);
}

int
ps_flow_state_parse(const char *text)
{
	int i;

	for (i = PS_FLOW_FREE + 1; i < PS_FLOW_STATES; i++)
		if (strcasecmp(text, flow_states[i]) == 0)
			return i;
	return -EINVAL;
}

const char *
ps_port_kind_name(uint32_t kind)
{
	static const char *const names[] = {[PS_PORT_PCI] = "pci", [PS_PORT_AF_XDP] = "afXdp",
		[PS_PORT_AF_PACKET] = "afPacket", [PS_PORT_TAP] = "tap", [PS_PORT_MEMIF] = "memif",
		[PS_PORT_VIRTIO_USER] = "virtioUser", [PS_PORT_VHOST] = "vhost", [PS_PORT_NULL] = "null",
		[PS_PORT_PCAP] = "pcap"};

	_Static_assert(sizeof(names) / sizeof(*names) == PS_PORT_KINDS, "a port kind has no name");
	return NAME_OF(names, kind);
}

bool
ps_service_selected(const char *filter, const char *name)
{
	size_t n;

	if (filter == NULL)
		return true;
	n = strlen(filter);
	return strncmp(filter, name, n) == 0 && (name[n] == '\0' || name[n] == ':' || name[n] == '/');
}

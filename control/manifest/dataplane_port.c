/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and routes of a Dataplane document. */
#include <string.h>

#include "control/manifest/schema.h"
#include "dataplane/api/snapshot.h"

static const struct ps_enum_name role_name[] = {
	{"server", PS_MEMIF_SERVER}, {"client", PS_MEMIF_CLIENT}, {NULL}};

/* ---- ports ---- */

static const struct ps_field memif_field[] = {
	{.name = "socket", PS_IN(ps_dataplane_port, memif, socket), .type = PS_T_TEXT, .required = true,
	 .format = &ps_format_path, .help = "Path of the control socket."},
	{.name = "id", PS_IN(ps_dataplane_port, memif, id), .type = PS_T_INTEGER, .min = 0, .max = 65535,
	 .fallback = "0", .help = "Interface number on the socket; both sides use the same."},
	{.name = "role", PS_IN(ps_dataplane_port, memif, role), .type = PS_T_ENUM, .names = role_name,
	 .fallback = "server", .help = "Who listens on the socket."},
	{.name = "zeroCopy", PS_IN(ps_dataplane_port, memif, zero_copy), .type = PS_T_BOOLEAN,
	 .fallback = "false", .help = "Share packet buffers with the peer (role client only)."},
	{.name = "secret", PS_IN(ps_dataplane_port, memif, secret), .type = PS_T_TEXT,
	 .format = &ps_format_secret, .help = "Secret that both sides must know."},
};
static const struct ps_schema memif = {.name = "memif", PS_FIELDS(memif_field)};

static const struct ps_field pcap_field[] = {
	{.name = "input", PS_IN(ps_dataplane_port, pcap, input), .type = PS_T_TEXT, .format = &ps_format_path,
	 .help = "File whose packets are received."},
	{.name = "output", PS_IN(ps_dataplane_port, pcap, output), .type = PS_T_TEXT,
	 .format = &ps_format_path, .help = "File that takes the packets sent."},
	{.name = "loop", PS_IN(ps_dataplane_port, pcap, loop), .type = PS_T_BOOLEAN, .fallback = "false",
	 .help = "Begin again at the end of input."},
};

static void
check_pcap(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	(void)target;
	if (ps_node_get(node, "input") == NULL && ps_node_get(node, "output") == NULL)
		ps_decode_error(d, node->place, "pcap names no file, expected \"input\", \"output\" or both");
}
static const struct ps_schema pcap = {.name = "pcap", PS_FIELDS(pcap_field), .check = check_pcap};

static const struct ps_field vlan_field[] = {
	{.name = "id", PS_AT(ps_dataplane_vlan, id), .type = PS_T_INTEGER, .required = true, .min = 1,
	 .max = 4094, .help = "802.1Q VLAN number. The interface is named PORT.ID."},
	{.name = "mtu", PS_AT(ps_dataplane_vlan, mtu), .type = PS_T_INTEGER, .min = 576, .max = 9600,
	 .unit = "bytes", .help = "Largest IP packet; absent: the port's."},
	{.name = "addresses", PS_AT(ps_dataplane_vlan, addresses), PS_LIST_OF(PS_T_PREFIX), .max_items = 64,
	 .help = "Own addresses with the length of their prefix, which is on link."},
};
static const struct ps_schema vlan = {
	.name = "vlan", PS_FIELDS(vlan_field), .size = sizeof(struct ps_dataplane_vlan)};

static const struct ps_field port_field[] = {
	{.name = "name", PS_AT(ps_dataplane_port, name), .type = PS_T_TEXT, .required = true, .unique = true,
	 .format = &ps_format_port, .help = "Name of the port, and of its interface."},
	{.name = "pci", PS_AT(ps_dataplane_port, pci), .type = PS_T_TEXT, .format = &ps_format_pci,
	 .help = "Device: a NIC by its PCI address, bound to vfio-pci (or a bifurcated driver)."},
	{.name = "afXdp", PS_AT(ps_dataplane_port, af_xdp), .type = PS_T_TEXT, .format = &ps_format_netdev,
	 .help = "Device: a kernel interface through AF_XDP."},
	{.name = "afPacket", PS_AT(ps_dataplane_port, af_packet), .type = PS_T_TEXT,
	 .format = &ps_format_netdev, .help = "Device: a kernel interface through AF_PACKET."},
	{.name = "tap", PS_AT(ps_dataplane_port, tap), .type = PS_T_TEXT, .format = &ps_format_netdev,
	 .help = "Device: a TAP interface that is made with this name."},
	{.name = "memif", PS_AT(ps_dataplane_port, memif), .type = PS_T_OBJECT, .sub = &memif,
	 .help = "Device: shared memory with another process."},
	{.name = "virtioUser", PS_AT(ps_dataplane_port, virtio_user), .type = PS_T_TEXT,
	 .format = &ps_format_path,
	 .help = "Device: virtio towards this vhost-user socket, or /dev/vhost-net."},
	{.name = "vhost", PS_AT(ps_dataplane_port, vhost), .type = PS_T_TEXT, .format = &ps_format_path,
	 .help = "Device: vhost-user socket for a virtual machine."},
	{.name = "null", PS_AT(ps_dataplane_port, null), .type = PS_T_BOOLEAN,
	 .help = "Device (true): receives nothing, swallows everything."},
	{.name = "pcap", PS_AT(ps_dataplane_port, pcap), .type = PS_T_OBJECT, .sub = &pcap,
	 .help = "Device: packet capture files."},
	{.name = "queues", PS_AT(ps_dataplane_port, queues), .type = PS_T_INTEGER, .min = 0,
	 .max = PS_MAX_WORKERS, .fallback = "0", .unit = "queues",
	 .help = "Receive queues; 0: one per worker where the device can."},
	{.name = "mtu", PS_AT(ps_dataplane_port, mtu), .type = PS_T_INTEGER, .min = 576, .max = 9600,
	 .fallback = "1500", .unit = "bytes", .help = "Largest IP packet. IPv6 needs 1280."},
	{.name = "mac", PS_AT(ps_dataplane_port, mac), .type = PS_T_MAC,
	 .help = "MAC address; absent: the device's own."},
	{.name = "promiscuous", PS_AT(ps_dataplane_port, promiscuous), .type = PS_T_BOOLEAN,
	 .fallback = "false", .help = "Receive frames for other MAC addresses too."},
	{.name = "punt", PS_AT(ps_dataplane_port, punt), .type = PS_T_BOOLEAN, .fallback = "false",
	 .help = "Give packets to own addresses that no listener wants to the kernel, through a TAP with "
		 "the port's name."},
	{.name = "trustChecksums", PS_AT(ps_dataplane_port, trust_checksums), .type = PS_T_BOOLEAN,
	 .fallback = "false",
	 .help = "Software devices: peers always fill in TCP and UDP checksums, so that they need not be "
		 "recomputed."},
	{.name = "options", PS_AT(ps_dataplane_port, options), .type = PS_T_TEXT, .min = 0, .max = 255,
	 .help = "Further DPDK device arguments, comma separated."},
	{.name = "addresses", PS_AT(ps_dataplane_port, addresses), PS_LIST_OF(PS_T_PREFIX), .max_items = 64,
	 .help = "Own addresses with the length of their prefix, which is on link."},
	{.name = "vlans", PS_AT(ps_dataplane_port, vlans), PS_LIST_OF(PS_T_OBJECT),
	 .max_items = PS_MAX_IFACES, .sub = &vlan,
	 .help = "VLANs on the port, each an interface of its own."},
};

/* The order of enum ps_port_kind. */
static const char *const device_name[PS_PORT_KINDS] = {
	"pci", "afXdp", "afPacket", "tap", "memif", "virtioUser", "vhost", "null", "pcap",
};

static void
check_interface_addresses(struct ps_decoder *d, const struct ps_prefix *item, uint32_t length, int64_t mtu)
{
	const char *trouble;
	uint32_t i;

	for (i = 0; i < length; i++) {
		if (item[i].place.line == 0)
			continue;
		trouble = ps_address_trouble(&item[i].addr);
		if (trouble != NULL && strcmp(trouble, "a link-local address") != 0)
			ps_decode_error(d, item[i].place, "addresses[%u] is %s, expected a unicast address",
				i, trouble);
		if (item[i].v6 && mtu < 1280)
			ps_decode_error(d, item[i].place,
				"addresses[%u] is an IPv6 address where the MTU is %d, expected an MTU of at "
				"least 1280",
				i, (int)mtu);
	}
}

static void
check_port(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_dataplane_port *p = target;
	const struct ps_node *first = NULL, *child;
	uint32_t i, j, kind;

	p->device_kind = PS_PORT_KINDS;
	for (kind = 0; kind < PS_PORT_KINDS; kind++) {
		child = ps_node_get(node, device_name[kind]);
		if (child == NULL)
			continue;
		if (first != NULL)
			ps_decode_error(d, child->key_place, "port has two devices, %s and %s, expected one",
				first->key, child->key);
		else
			p->device_kind = kind;
		first = first != NULL ? first : child;
	}
	if (first == NULL)
		ps_decode_error(d, node->place,
			"port has no device, expected one of pci, afXdp, afPacket, tap, memif, virtioUser, "
			"vhost, "
			"null, pcap");
	if (p->device_kind == PS_PORT_NULL && p->null.place.line != 0 && p->null.v == 0)
		ps_decode_error(d, p->null.place, "null is false, expected true, or another device instead");
	if (p->memif.zero_copy.v != 0 && p->memif.role.v == PS_MEMIF_SERVER)
		ps_decode_error(d, p->memif.zero_copy.place,
			"zeroCopy is true with role server, expected role client");
	check_interface_addresses(d, p->addresses.item, p->addresses.length, p->mtu.v);
	for (i = 0; i < p->vlans.length; i++) {
		struct ps_dataplane_vlan *v = &p->vlans.item[i];

		if (v->mtu.place.line != 0 && v->mtu.v > p->mtu.v)
			ps_decode_error(d, v->mtu.place, "mtu is %d, expected at most the port's %d",
				(int)v->mtu.v, (int)p->mtu.v);
		check_interface_addresses(
			d, v->addresses.item, v->addresses.length, v->mtu.v ? v->mtu.v : p->mtu.v);
		for (j = 0; j < i && v->id.place.line != 0; j++)
			if (p->vlans.item[j].id.v == v->id.v)
				ps_decode_error(d, v->id.place,
					"id %d is given to two vlans, expected each once (first in line %u)",
					(int)v->id.v, p->vlans.item[j].id.place.line);
	}
}

const struct ps_schema ps_dataplane_port_schema = {
	.name = "port", PS_FIELDS(port_field), .size = sizeof(struct ps_dataplane_port), .check = check_port};

/* ---- routes ---- */

static const struct ps_field route_field[] = {
	{.name = "to", PS_AT(ps_dataplane_route, to), .type = PS_T_ROUTE, .required = true,
	 .help = "Destination; default: everything, of the family of via."},
	{.name = "via", PS_AT(ps_dataplane_route, via), .type = PS_T_IP,
	 .help = "Next hop; absent: the destination is on link."},
	{.name = "interface", PS_AT(ps_dataplane_route, iface), .type = PS_T_TEXT, .format = &ps_format_iface,
	 .help = "Port, or PORT.VLAN; needed without via, and with a link-local one."},
};

static void
clear_host_bits(struct ps_prefix *prefix)
{
	unsigned i;

	for (i = (prefix->v6 ? 0u : 96u) + prefix->length; i < 128; i++)
		prefix->addr.b[i >> 3] &= (uint8_t)~(0x80u >> (i & 7));
}

static void
check_route(struct ps_decoder *d, const struct ps_node *node, void *target)
{
	struct ps_dataplane_route *r = target;
	bool via = r->via.place.line != 0, via_v6 = via && !ps_addr_is_v4(&r->via.addr);
	const char *trouble = via ? ps_address_trouble(&r->via.addr) : NULL;

	if (trouble != NULL && strcmp(trouble, "a link-local address") != 0)
		ps_decode_error(d, r->via.place, "via is %s, expected a unicast address", trouble);
	if (ps_node_get(node, "via") == NULL && ps_node_get(node, "interface") == NULL)
		ps_decode_error(
			d, node->place, "route has neither \"via\" nor \"interface\", expected one or both");
	else if (trouble != NULL && r->iface.s == NULL)
		ps_decode_error(d, r->via.place,
			"via is a link-local address without interface, expected \"interface\" too");
	if (r->to.place.line == 0)
		return;
	if (r->to.length == UINT8_MAX) {
		if (!via)
			ps_decode_error(
				d, r->to.place, "to is default without via, expected 0.0.0.0/0 or ::/0");
		r->to.v6 = via_v6;
		r->to.length = 0;
		if (!via_v6)
			r->to.addr = ps_addr_from_v4(0);
	} else if (via && via_v6 != r->to.v6) {
		ps_decode_error(d, r->via.place, "via is an %s address, expected one of the family of \"to\"",
				via_v6 ? "IPv6" : "IPv4");
	}
	clear_host_bits(&r->to);
}

const struct ps_schema ps_dataplane_route_schema = {.name = "route",
	PS_FIELDS(route_field),
	.size = sizeof(struct ps_dataplane_route),
	.check = check_route};

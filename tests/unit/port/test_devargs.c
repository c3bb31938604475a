/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/port/family.h"

static struct ps_port_config config = {
	.workers = 2, .rx_descriptors = 1024, .tx_descriptors = 512, .mbuf_size = 2048, .hugepages = false};
static char name[64], args[PS_PORT_DEVARGS_SIZE], why[256];

static struct ps_port_spec
spec(enum ps_port_kind kind, const char *device)
{
	return (struct ps_port_spec){
		.index = 3, .kind = kind, .name = "wan", .device = device, .output = "", .options = "", .mtu = 1500};
}

static int
devargs(const struct ps_port_spec *s)
{
	return ps_port_devargs(s, &config, name, sizeof(name), args, sizeof(args), why, sizeof(why));
}

#define EXPECT(s, expected_name, expected_args)               \
	do {                                                  \
		assert_int_equal(devargs(&(s)), 0);           \
		assert_string_equal(name, expected_name);     \
		assert_string_equal(args, expected_args);     \
	} while (0)

#define REFUSED(s, rc, text)                                  \
	do {                                                  \
		assert_int_equal(devargs(&(s)), rc);          \
		assert_string_equal(why, text);               \
	} while (0)

static void
each_family(void **state)
{
	struct ps_port_spec s = spec(PS_PORT_PCI, "0000:81:00.1");

	EXPECT(s, "0000:81:00.1", "");
	s.options = "representor=0";
	EXPECT(s, "0000:81:00.1", "representor=0");
	s = spec(PS_PORT_AF_XDP, "eth1");
	EXPECT(s, "net_af_xdp3", "iface=eth1,start_queue=0,queue_count=2,force_copy=1");
	s.flags = PS_PORT_F_ZERO_COPY;
	EXPECT(s, "net_af_xdp3", "iface=eth1,start_queue=0,queue_count=2");
	s = spec(PS_PORT_AF_PACKET, "eth1");
	EXPECT(s, "net_af_packet3", "iface=eth1,qpairs=2,framesz=2048,blocksz=4096,framecnt=1024,qdisc_bypass=1");
	s.queues = 1;
	s.options = "qdisc_bypass=0";
	EXPECT(s, "net_af_packet3", "iface=eth1,qpairs=1,framesz=2048,blocksz=4096,framecnt=1024,qdisc_bypass=0");
	s = spec(PS_PORT_TAP, "tap7");
	assert_int_equal(devargs(&s), 0);
	assert_memory_equal(args, "iface=tap7,mac=", 15);
	assert_non_null(strstr(args, ",persist=1"));
	s = spec(PS_PORT_NULL, "");
	EXPECT(s, "net_null3", "no-rx=1");
	s.options = "no-rx=0,size=128";
	EXPECT(s, "net_null3", "no-rx=0,size=128");
	s = spec(PS_PORT_PCAP, "in.pcap");
	s.output = "out.pcap";
	s.flags = PS_PORT_F_REPLAY_LOOP;
	EXPECT(s, "net_pcap3", "rx_pcap=in.pcap,tx_pcap=out.pcap,infinite_rx=1");
	s = spec(PS_PORT_VHOST, "/run/vm.sock");
	EXPECT(s, "net_vhost3", "iface=/run/vm.sock,queues=2,tso=0");
	s = spec(PS_PORT_VIRTIO_USER, "/dev/vhost-net");
	memcpy(s.mac, "\x02\0\0\0\0\x05", 6);
	EXPECT(s, "net_virtio_user3",
	       "path=/dev/vhost-net,queues=2,queue_size=1024,iface=wan,mac=02:00:00:00:00:05");
}

static void
memif(void **state)
{
	struct ps_port_spec s = spec(PS_PORT_MEMIF, "/run/m.sock");

	memcpy(s.mac, "\x02\0\0\0\0\x05", 6);
	s.memif_id = 9;
	EXPECT(s, "net_memif3",
	       "role=client,id=9,socket=/run/m.sock,socket-abstract=no,rsize=10,bsize=2048,mac=02:00:00:00:00:05");
	s.flags = PS_PORT_F_MEMIF_SERVER;
	s.options = "rsize=12";
	EXPECT(s, "net_memif3",
	       "role=server,id=9,socket=/run/m.sock,socket-abstract=no,bsize=2048,mac=02:00:00:00:00:05,rsize=12");
	s.flags |= PS_PORT_F_ZERO_COPY;
	REFUSED(s, -ENOTSUP, "port wan: only the client of a memif can do zero-copy");
	s.flags = PS_PORT_F_ZERO_COPY;
	REFUSED(s, -ENOTSUP, "port wan: zero-copy memif needs packet buffers in hugepages");
	config.hugepages = true;
	assert_int_equal(devargs(&s), 0);
	assert_non_null(strstr(args, ",zero-copy=yes,"));
	config.hugepages = false;
	s = spec(PS_PORT_MEMIF,
		 "/a-path-that-is-much-too-long-for-a-unix-socket-address-and-goes-on-and-on-and-on-and-on-and-on-until-it-ends");
	REFUSED(s, -EINVAL, "port wan: socket path is longer than 107 characters");
}

static void
refusals(void **state)
{
	struct ps_port_spec s = spec(PS_PORT_AF_PACKET, "");

	REFUSED(s, -EINVAL, "port wan: kind af_packet needs a device");
	s = spec(PS_PORT_AF_PACKET, "eth0,qpairs=9");
	REFUSED(s, -EINVAL, "port wan: a device may hold neither , nor = nor brackets");
	s = spec(PS_PORT_TAP, "interface-name-too-long");
	REFUSED(s, -EINVAL, "port wan: \"interface-name-too-long\" is too long for an interface name, at most 15 characters");
	s = spec(PS_PORT_AF_PACKET, "eth0");
	s.flags = PS_PORT_F_ZERO_COPY;
	REFUSED(s, -ENOTSUP, "port wan: kind af_packet has no zero-copy mode");
	s = spec(PS_PORT_PCAP, "");
	s.output = "out.pcap";
	assert_int_equal(devargs(&s), 0);
	s.flags = PS_PORT_F_REPLAY_LOOP;
	REFUSED(s, -EINVAL, "port wan: nothing to replay without a file to read");
	s = spec((enum ps_port_kind)77, "x");
	REFUSED(s, -EINVAL, "port kind 77 is not known");
	s = spec(PS_PORT_MEMIF, "/run/m.sock");
	s.options = "secret=0123456789012345678901234567890123456789";
	assert_int_equal(ps_port_devargs(&s, &config, name, sizeof(name), args, 64, why, sizeof(why)), -ENAMETOOLONG);
	assert_null(ps_port_kind_name((enum ps_port_kind)77));
	assert_string_equal(ps_port_kind_name(PS_PORT_VIRTIO_USER), "virtio-user");
}

static uint32_t
number(const char *key)
{
	const char *at = strstr(args, key);

	assert_non_null(at);
	return (uint32_t)strtoul(at + strlen(key), NULL, 10);
}

/* The driver's layout: whole frames in whole pages, and a frame that holds the packet and fits a buffer. */
static void
af_packet_frames(void **state)
{
	struct ps_port_spec s = spec(PS_PORT_AF_PACKET, "eth0");
	uint32_t frame, block, frames, last = ps_port_af_packet.max_mtu(&config);

	for (config.mbuf_size = 2048; config.mbuf_size <= 16384; config.mbuf_size = (uint16_t)(config.mbuf_size + 1024)) {
		last = ps_port_af_packet.max_mtu(&config);
		for (s.mtu = 1280; s.mtu <= last; s.mtu += 61) {
			assert_int_equal(devargs(&s), 0);
			frame = number("framesz=");
			block = number("blocksz=");
			frames = number("framecnt=");
			assert_int_equal(block % 4096, 0);
			assert_int_equal(block % frame, 0);
			assert_int_equal(frames % (block / frame), 0);
			assert_true(frame - 80 >= s.mtu + 18);
			assert_true(frame - 32 <= config.mbuf_size);
		}
		s.mtu = last + 1;
		assert_int_equal(devargs(&s), -EINVAL);
	}
	config.mbuf_size = 2048;
}

static void
macs_are_stable(void **state)
{
	struct ps_port_spec s = spec(PS_PORT_MEMIF, "/run/m.sock");
	uint8_t a[6], b[6];

	ps_port_stable_mac(&s, 0, a);
	ps_port_stable_mac(&s, 0, b);
	assert_memory_equal(a, b, 6);
	assert_int_equal(a[0] & 3, 2); /* local, not a group */
	s.flags = PS_PORT_F_MEMIF_SERVER; /* the other end of the same socket */
	ps_port_stable_mac(&s, 0, b);
	assert_memory_not_equal(a, b, 6);
	ps_port_stable_mac(&s, 1, a);
	assert_memory_not_equal(a, b, 6);
}

static void
queues(void **state)
{
	struct ps_port_spec s = spec(PS_PORT_AF_PACKET, "eth0");

	assert_int_equal(ps_port_queues(&s, &config), 2);
	s.queues = 5;
	assert_int_equal(ps_port_queues(&s, &config), 5);
	s.queues = 40;
	assert_int_equal(ps_port_queues(&s, &config), 16);
	s.kind = PS_PORT_PCAP;
	assert_int_equal(ps_port_queues(&s, &config), 1);
}

static void
socket_files_of_the_dead(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char directory[] = "/tmp/penstock-test-XXXXXX";
	int fd;

	assert_non_null(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", directory);
	assert_int_equal(ps_unix_socket_clear(address.sun_path), 0);
	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_STREAM) {
		fd = socket(AF_UNIX, type, 0);
		assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
		assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(ps_unix_socket_clear(address.sun_path), -EADDRINUSE);
		close(fd);
		assert_int_equal(access(address.sun_path, F_OK), 0);
		assert_int_equal(ps_unix_socket_clear(address.sun_path), 0);
		assert_int_equal(access(address.sun_path, F_OK), -1);
	}
	/* never anything else than a socket */
	assert_int_equal(ps_unix_socket_clear(directory), -EEXIST);
	rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_family),	    cmocka_unit_test(memif),	       cmocka_unit_test(refusals),
		cmocka_unit_test(af_packet_frames), cmocka_unit_test(macs_are_stable), cmocka_unit_test(queues),
		cmocka_unit_test(socket_files_of_the_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

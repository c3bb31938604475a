/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dataplane that moves no packet: attaches to penstockd, validates what it is given, answers, and prints a line
 * for each snapshot. For trying penstockd out and measuring it.
 *
 *   fake-dataplane SOCKET [reject|silent]
 */
#include <signal.h>

#include "tests/unit/daemon/fake_dataplane.h"

static void
print_snapshot(const struct fake *f)
{
	const struct ps_snapshot *s = f->snapshot;

	printf("generation %llu: %llu bytes, %u listeners, %u services, %u endpoints, %u new blobs, at %llu.%06llu\n",
		(unsigned long long)f->generation, (unsigned long long)s->size, ps_snapshot_length(s, PS_SEC_LISTENER),
		ps_snapshot_length(s, PS_SEC_SERVICE), ps_snapshot_length(s, PS_SEC_ENDPOINT), f->blobs_received,
		(unsigned long long)(f->received_ns / 1000000000ull), (unsigned long long)(f->received_ns / 1000 % 1000000ull));
	fflush(stdout);
}

/* Three steps of each packet asked for. */
static void
trace(struct fake *f, const struct ps_trace_filter *filter)
{
	static const char *const stages[] = {"port_rx", "classify", "TX"};
	uint32_t packet, step;

	for (packet = 0; packet < filter->count && packet < 1000; packet++) {
		for (step = 0; step < 3; step++) {
			struct ps_message e = {.type = PS_EVENT_TRACE};

			e.step = (struct ps_trace_step){.packet = packet, .step = step, .length = 64, .head_size = 4,
				.final = step == 2, .head = {0xde, 0xad, 0xbe, 0xef}, .cycles = 100ull * step};
			snprintf(e.step.stage, sizeof(e.step.stage), "%s", stages[step]);
			ps_ring_send(&f->channel.events, &e);
		}
	}
	fake_say(f, PS_SOCKET_NUDGE, 0);
}

int
main(int argc, char **argv)
{
	static struct fake f;
	struct ps_socket_message m;
	struct ps_message command;
	bool reject = argc > 2 && strcmp(argv[2], "reject") == 0, silent = argc > 2 && strcmp(argv[2], "silent") == 0;
	char why[256] = "";
	int fd, rc;

	if (argc < 2)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	if (fake_connect(&f, argv[1]) != 0 || fake_attach(&f, 0, why, sizeof(why)) != 0) {
		fprintf(stderr, "cannot attach: %s\n", why);
		return 1;
	}
	for (;;) {
		rc = fake_receive(&f, &m, &fd, -1);
		if (rc <= 0)
			break;
		switch (m.type) {
		case PS_SOCKET_BLOB:
			f.received_ns = fake_now();
			if (f.blobs < FAKE_BLOBS) {
				struct fake_blob *b = &f.blob[f.blobs];

				b->digest = m.value;
				b->bytes = fake_map(fd, &b->size);
				if (b->bytes != NULL && ps_blob_validate(b->bytes, b->size, why, sizeof(why)) == 0)
					f.blobs++;
			}
			f.blobs_received++;
			break;
		case PS_SOCKET_SNAPSHOT:
			f.received_ns = fake_now();
			rc = reject ? -EINVAL : fake_validate(&f, fd, why, sizeof(why));
			if (reject)
				snprintf(why, sizeof(why), "told to reject");
			if (rc == 0) {
				f.generation = m.value;
				print_snapshot(&f);
			} else {
				printf("generation %llu rejected: %s\n", (unsigned long long)m.value, why);
				fflush(stdout);
			}
			if (!silent)
				fake_answer(&f, rc == 0, m.value, rc == 0 ? "" : why);
			f.blobs_received = 0;
			break;
		case PS_SOCKET_NUDGE:
			while (ps_ring_receive(&f.channel.commands, &command) > 0) {
				struct ps_message reply = {.type = PS_EVENT_REPLY, .id = command.id};

				printf("command %u\n", command.type);
				fflush(stdout);
				if (command.type == PS_CMD_TRACE)
					trace(&f, &command.trace);
				ps_ring_send(&f.channel.events, &reply);
			}
			fake_say(&f, PS_SOCKET_NUDGE, 0);
			break;
		default:
			break;
		}
		if (fd >= 0)
			close(fd);
	}
	printf("penstockd is gone\n");
	return 0;
}

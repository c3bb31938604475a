/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/backoff.h"
#include "control/cli/keeper.h"
#include "control/cli/supervisor.h"

#define PROGRAMS 4
#define STOP_GRACE_S 10      /* between SIGTERM and SIGKILL */
#define NEXT_START_MS 20     /* how often to look whether the next program may start */
#define NEXT_START_TRIES 100 /* then it starts all the same */
#define FIRST_STARTS 3       /* a program that has never been ready is started so often */
#define LINE_MAX_SIZE 65536u
#define SUPERVISOR_NICE (-10)

struct program {
	struct ps_supervisor *supervisor;
	struct ps_supervised what;
	struct ps_backoff backoff;
	struct event *restart;
	struct bufferevent *output;
	pid_t pid; /* 0: not running */
	int pidfd;
	uint64_t started_ms;
	bool ready;
	bool begun;     /* started for the first time */
	bool was_ready; /* in this or an earlier life */
};

struct ps_supervisor {
	struct event_base *base;
	struct program program[PROGRAMS];
	int length;
	int keeper;
	bool detach;
	bool stopping, forced, failed;
	int usual; /* nice value of the programs */
	int tries;
	int notify;
	char notify_path[108];
	struct event *signals[4], *notified, *next, *deadline;
	char **environment; /* of the programs: ours, with their own NOTIFY_SOCKET */
	char notify_variable[128];
};

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static struct timeval
after_ms(uint64_t ms)
{
	return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

static void start_program(struct program *p);
static void stop(struct ps_supervisor *s);
static void stop_next(struct ps_supervisor *s);

/* A line that names its program, as their logs do, is not named again. */
static void
forward(const struct program *p, const char *line, size_t length)
{
	bool named = memmem(line, length < 64 ? length : 64, "penstock", 8) != NULL;

	fprintf(stderr, "%s%s%.*s\n", named ? "" : p->what.name, named ? "" : ": ", (int)length, line);
}

/* Whole lines, or what there is when `all`. */
static void
forward_lines(struct program *p, bool all)
{
	struct evbuffer *input = bufferevent_get_input(p->output);
	size_t length;
	char *line;

	while ((line = evbuffer_readln(input, &length, EVBUFFER_EOL_ANY)) != NULL) {
		forward(p, line, length);
		free(line);
	}
	if ((all || evbuffer_get_length(input) > LINE_MAX_SIZE) && evbuffer_get_length(input) > 0) {
		forward(p, (const char *)evbuffer_pullup(input, -1), evbuffer_get_length(input));
		evbuffer_drain(input, evbuffer_get_length(input));
	}
}

static void
on_output(struct bufferevent *output, void *arg)
{
	forward_lines(arg, false);
}

static void
on_output_end(struct bufferevent *output, short what, void *arg)
{
	struct program *p = arg;

	forward_lines(p, true);
	bufferevent_free(p->output);
	p->output = NULL;
}

/* In the new process. Only async-signal-safe work: no thread is here, but locks of others may be. */
static void
become(struct program *p, int output, pid_t parent)
{
	struct ps_supervisor *s = p->supervisor;
	sigset_t none;

	setpgid(0, 0); /* the terminal's Ctrl-C is for the supervisor, which stops us in order */
	if (!s->detach) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
	}
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	output = open("/dev/null", O_RDONLY);
	if (output >= 0)
		dup2(output, STDIN_FILENO);
	close_range(3, ~0u, 0);
	setpriority(PRIO_PROCESS, 0, s->usual);
	execve(p->what.argv[0], p->what.argv, s->environment);
	dprintf(STDERR_FILENO, "cannot start %s: %s\n", p->what.argv[0], strerror(errno));
	_exit(127);
}

static void
start_program(struct program *p)
{
	struct ps_supervisor *s = p->supervisor;
	struct timeval soon = after_ms(PS_BACKOFF_MAX_MS);
	int ends[2];
	pid_t pid, parent = getpid();

	p->begun = true;
	p->started_ms = now_ms();
	if (pipe2(ends, O_CLOEXEC) < 0) {
		fprintf(stderr, "penstock: cannot start %s: %s\n", p->what.name, strerror(errno));
		event_add(p->restart, &soon);
		return;
	}
	pid = fork();
	if (pid == 0)
		become(p, ends[1], parent);
	close(ends[1]);
	if (pid < 0) {
		fprintf(stderr, "penstock: cannot start %s: %s\n", p->what.name, strerror(errno));
		close(ends[0]);
		event_add(p->restart, &soon);
		return;
	}
	setpgid(pid, pid);
	p->pid = pid;
	p->ready = false;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (!s->detach)
		ps_keeper_watch(s->keeper, (int)(p - s->program), p->pidfd);
	if (p->output != NULL)
		on_output_end(p->output, 0, p);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	p->output = bufferevent_socket_new(s->base, ends[0], BEV_OPT_CLOSE_ON_FREE);
	if (p->output != NULL) {
		bufferevent_setcb(p->output, on_output, NULL, on_output_end, p);
		bufferevent_enable(p->output, EV_READ);
	}
}

static void
on_restart(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	if (p->pid == 0 && !p->supervisor->stopping)
		start_program(p);
}

static void
describe_end(char *text, size_t size, int status)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		snprintf(text, size, "exited with code %d", WEXITSTATUS(status));
}

static void
on_death(struct program *p, int status)
{
	struct ps_supervisor *s = p->supervisor;
	uint64_t now = now_ms();
	double lived = (double)(now - p->started_ms) / 1000;
	struct timeval wait;
	char how[64];
	uint32_t delay;
	pid_t pid = p->pid;

	p->pid = 0;
	p->ready = false;
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pidfd = -1;
	if (!s->detach)
		ps_keeper_watch(s->keeper, (int)(p - s->program), -1);
	if (p->output != NULL)
		forward_lines(p, false);
	describe_end(how, sizeof(how), status);
	if (s->stopping) {
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fprintf(stderr, "penstock: %s %s while stopping\n", p->what.name, how);
		s->forced = s->forced || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		stop_next(s);
		return;
	}
	delay = ps_backoff_died(&p->backoff, p->started_ms, now);
	if (!p->was_ready && p->backoff.short_lives >= FIRST_STARTS) {
		fprintf(stderr, "penstock: %s does not start: it %s %u times; why, it said above\n", p->what.name, how,
			p->backoff.short_lives);
		s->failed = true;
		stop(s);
		return;
	}
	if (delay == 0) {
		fprintf(stderr, "penstock: %s (pid %d) %s after %.1f s; restarting it\n", p->what.name,
			(int)pid, how, lived);
		start_program(p);
		return;
	}
	fprintf(stderr, "penstock: %s (pid %d) %s after %.1f s, %u times in a row now; next try in %u ms\n",
		p->what.name, (int)pid, how, lived, p->backoff.short_lives, delay);
	sd_notifyf(0, "STATUS=%s %s again and again; see the log", p->what.name, how);
	wait = after_ms(delay);
	event_add(p->restart, &wait);
}

static void
on_child(evutil_socket_t number, short what, void *arg)
{
	struct ps_supervisor *s = arg;
	int status;

	for (int i = 0; i < s->length; i++) {
		struct program *p = &s->program[i];

		if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid)
			on_death(p, status);
	}
}

/* The last program that still runs is told to stop; when none does, the loop ends. */
static void
stop_next(struct ps_supervisor *s)
{
	struct timeval grace = {.tv_sec = STOP_GRACE_S};

	for (int i = s->length; i-- > 0;) {
		if (s->program[i].pid > 0) {
			kill(s->program[i].pid, SIGTERM);
			event_add(s->deadline, &grace);
			return;
		}
	}
	event_base_loopbreak(s->base);
}

static void
stop(struct ps_supervisor *s)
{
	s->stopping = true;
	sd_notify(0, "STOPPING=1");
	event_del(s->next);
	for (int i = 0; i < s->length; i++)
		event_del(s->program[i].restart);
	stop_next(s);
}

static void
kill_all(struct ps_supervisor *s)
{
	for (int i = 0; i < s->length; i++) {
		if (s->program[i].pid > 0)
			kill(s->program[i].pid, SIGKILL);
	}
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct ps_supervisor *s = arg;

	for (int i = s->length; i-- > 0;) {
		if (s->program[i].pid > 0) {
			fprintf(stderr, "penstock: %s does not stop within %d s; killing it\n",
				s->program[i].what.name, STOP_GRACE_S);
			kill(s->program[i].pid, SIGKILL);
			return;
		}
	}
}

static void
on_stop(evutil_socket_t number, short what, void *arg)
{
	struct ps_supervisor *s = arg;

	if (s->stopping) {
		fprintf(stderr, "penstock: killing what still runs\n");
		s->forced = true;
		kill_all(s);
		return;
	}
	fprintf(stderr, "penstock: stopping on SIG%s; once more to not wait\n", sigabbrev_np((int)number));
	stop(s);
}

static void
check_ready(struct ps_supervisor *s)
{
	for (int i = 0; i < s->length; i++) {
		if (!s->program[i].ready)
			return;
	}
	sd_notify(0, "READY=1\nSTATUS=running");
}

/* The programs' sd_notify comes here; who sent it is what the kernel says. */
static void
on_notified(evutil_socket_t fd, short what, void *arg)
{
	struct ps_supervisor *s = arg;
	char text[2048], control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	struct ucred sender = {0};

	if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
		return;
	memcpy(&sender, CMSG_DATA(c), sizeof(sender));
	text[got] = '\0';
	if (strncmp(text, "READY=1", 7) != 0 && strstr(text, "\nREADY=1") == NULL)
		return;
	for (int i = 0; i < s->length; i++) {
		if (s->program[i].pid == sender.pid)
			s->program[i].ready = s->program[i].was_ready = true;
	}
	check_ready(s);
}

/* Starts the next program when the one before it is ready or its file is there. */
static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	struct ps_supervisor *s = arg;
	struct timeval soon = after_ms(NEXT_START_MS);

	for (int i = 0; i < s->length; i++) {
		const struct program *before = i > 0 ? &s->program[i - 1] : NULL;

		if (s->program[i].begun)
			continue;
		if (before == NULL || before->ready || before->what.appears == NULL ||
			access(before->what.appears, F_OK) == 0 || ++s->tries > NEXT_START_TRIES) {
			start_program(&s->program[i]);
			s->tries = 0;
		}
		event_add(s->next, &soon);
		return;
	}
}

static int
notify_open(struct ps_supervisor *s, const char *runtime_dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int on = 1, rc;

	if ((size_t)snprintf(s->notify_path, sizeof(s->notify_path), "%s/notify.sock", runtime_dir) >=
		sizeof(address.sun_path))
		return -ENAMETOOLONG;
	snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", s->notify_path);
	unlink(s->notify_path);
	s->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* penstockd writes to it after it has changed its user; the sender is checked by pid */
	mask = umask(0111);
	rc = s->notify < 0 || bind(s->notify, (struct sockaddr *)&address, sizeof(address)) < 0 ||
			     setsockopt(s->notify, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0
		     ? -errno
		     : 0;
	umask(mask);
	return rc;
}

static int
environment_make(struct ps_supervisor *s)
{
	size_t length = 0, kept = 0;

	while (environ[length] != NULL)
		length++;
	s->environment = calloc(length + 2, sizeof(*s->environment));
	if (s->environment == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < length; i++) {
		if (strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0 &&
			strncmp(environ[i], "WATCHDOG_", 9) != 0)
			s->environment[kept++] = environ[i];
	}
	snprintf(s->notify_variable, sizeof(s->notify_variable), "NOTIFY_SOCKET=%s", s->notify_path);
	s->environment[kept] = s->notify_variable;
	return 0;
}

struct ps_supervisor *
ps_supervisor_new(const char *runtime_dir, int keeper, bool detach)
{
	static const int numbers[] = {SIGCHLD, SIGINT, SIGTERM, SIGHUP};
	struct ps_supervisor *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return NULL;
	s->keeper = keeper;
	s->detach = detach;
	rc = notify_open(s, runtime_dir);
	if (rc == 0)
		rc = environment_make(s);
	if (rc < 0) {
		ps_supervisor_free(s);
		errno = -rc;
		return NULL;
	}
	s->base = event_base_new();
	for (int i = 0; s->base != NULL && i < 4; i++) {
		s->signals[i] = evsignal_new(s->base, numbers[i], i == 0 ? on_child : on_stop, s);
		evsignal_add(s->signals[i], NULL);
	}
	if (s->base != NULL) {
		s->notified = event_new(s->base, s->notify, EV_READ | EV_PERSIST, on_notified, s);
		s->next = evtimer_new(s->base, on_next, s);
		s->deadline = evtimer_new(s->base, on_deadline, s);
	}
	if (s->notified == NULL || s->next == NULL || s->deadline == NULL || s->signals[3] == NULL) {
		ps_supervisor_free(s);
		errno = ENOMEM;
		return NULL;
	}
	event_add(s->notified, NULL);
	return s;
}

static void
event_free_if(struct event *event)
{
	if (event != NULL)
		event_free(event);
}

void
ps_supervisor_free(struct ps_supervisor *s)
{
	if (s == NULL)
		return;
	for (int i = 0; i < s->length; i++) {
		if (s->program[i].output != NULL)
			on_output_end(s->program[i].output, 0, &s->program[i]);
		event_free_if(s->program[i].restart);
	}
	for (int i = 0; i < 4; i++)
		event_free_if(s->signals[i]);
	event_free_if(s->notified);
	event_free_if(s->next);
	event_free_if(s->deadline);
	if (s->base != NULL)
		event_base_free(s->base);
	if (s->notify > 0) {
		close(s->notify);
		unlink(s->notify_path);
	}
	free(s->environment);
	free(s);
}

int
ps_supervisor_add(struct ps_supervisor *s, const struct ps_supervised *program)
{
	struct program *p;

	if (s->length == PROGRAMS)
		return -ENOSPC;
	p = &s->program[s->length];
	*p = (struct program){.supervisor = s, .what = *program, .pidfd = -1};
	p->restart = evtimer_new(s->base, on_restart, p);
	if (p->restart == NULL)
		return -ENOMEM;
	s->length++;
	return 0;
}

int
ps_supervisor_run(struct ps_supervisor *s)
{
	/* It sleeps until a program has died; then packets wait for it. The programs have the priority it was started with. */
	s->usual = getpriority(PRIO_PROCESS, 0);
	if (s->usual > SUPERVISOR_NICE)
		setpriority(PRIO_PROCESS, 0, SUPERVISOR_NICE);
	on_next(-1, 0, s);
	event_base_dispatch(s->base);
	return s->forced || s->failed ? 1 : 0;
}

# SPDX-License-Identifier: Apache-2.0
"""What is borrowed from the machine: cores, hugepages, a hugetlbfs mount, a directory. All of it is given back."""
import atexit
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

AUTOGROUP = "/proc/self/autogroup"
HUGEPAGES = "/proc/sys/vm/nr_hugepages"


class MachineError(Exception):
    """The machine cannot carry the measurement; the text says what to do."""


def read_text(path):
    with open(path, encoding="ascii", errors="replace") as f:
        return f.read()


def meminfo(key):
    for line in read_text("/proc/meminfo").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def set_autogroup(nice):
    """The kernel shares CPUs among sessions first (sched(7), autogroup); returns what it was, None: no such thing."""
    if nice is None:
        return None
    try:
        before = int(read_text(AUTOGROUP).split()[-1])
        with open(AUTOGROUP, "w", encoding="ascii") as f:
            f.write(str(nice))
        return before
    except (OSError, ValueError, IndexError):
        return None


class Machine:
    """Context manager. Children started through it are stopped, in reverse order, before anything else is undone."""

    def __init__(self, worker_cpu, load_cpu, hugepages_mb):
        self.worker_cpu, self.load_cpu = worker_cpu, load_cpu
        self.wanted_mb = hugepages_mb
        self.children = []
        self.pages_before = None
        self.mounted = None
        self.directory = None
        self.huge_dir = None
        self.closed = False
        self.nice_before = self.autogroup_before = None

    def __enter__(self):
        if os.geteuid() != 0:
            raise MachineError("measuring needs root: hugepages, pinning and shared memory")
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            raise MachineError("measuring needs two CPUs, one for the worker and one for the generator")
        if self.worker_cpu is None:
            self.worker_cpu = cpus[0]
        if self.load_cpu is None:
            self.load_cpu = next(c for c in cpus if c != self.worker_cpu)
        for cpu in (self.worker_cpu, self.load_cpu):
            if cpu not in cpus:
                raise MachineError(f"CPU {cpu} is not among those this process may use")
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(130))
        # everything but the worker shares the generator's core: a pre-empted worker would count foreign cycles as its own
        os.sched_setaffinity(0, {self.load_cpu})
        # and no other program of the machine gets in between while something is measured; children inherit it
        self.nice_before = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        self.autogroup_before = set_autogroup(-20)
        # in memory, as /run is: tables shared between processes must not be written back to a disk
        self.directory = tempfile.mkdtemp(prefix="penstock-bench-", dir="/dev/shm" if os.path.ismount("/dev/shm") else None)
        try:
            self.reserve_hugepages()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def reserve_hugepages(self):
        page_kb = meminfo("Hugepagesize")
        if page_kb == 0:
            raise MachineError("this kernel has no hugepages")
        before = int(read_text(HUGEPAGES))
        need = self.wanted_mb * 1024 // page_kb
        free = meminfo("HugePages_Free")
        if free < need:
            self.pages_before = before
            with open(HUGEPAGES, "w", encoding="ascii") as f:
                f.write(str(before + need - free))
            if meminfo("HugePages_Free") < need:
                raise MachineError(f"{self.wanted_mb} MB of hugepages are not to be had: {meminfo('HugePages_Free')} of "
                                   f"{need} pages (free memory, or set {HUGEPAGES} at boot)")
        self.huge_dir = os.path.join(self.directory, "huge")
        os.mkdir(self.huge_dir)
        subprocess.run(["mount", "-t", "hugetlbfs", "-o", f"pagesize={page_kb}K,mode=0700", "penstock-bench",
                        self.huge_dir], check=True)
        self.mounted = self.huge_dir

    def new_directory(self, name):
        path = os.path.join(self.directory, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def start(self, command, cpu=None, **kwargs):
        """Starts a child in a process group of its own, so that Ctrl-C reaches it through us only."""
        def prepare():
            os.setpgid(0, 0)
            if cpu is not None:
                os.sched_setaffinity(0, cpu if isinstance(cpu, set) else {cpu})
        child = subprocess.Popen(command, preexec_fn=prepare, **kwargs)
        self.children.append(child)
        return child

    def stop(self, child, timeout=10):
        if child.poll() is None:
            child.send_signal(signal.SIGCONT)
            child.send_signal(signal.SIGINT)
            try:
                child.wait(timeout)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass
        if child in self.children:
            self.children.remove(child)

    def close(self):
        if self.closed:
            return
        self.closed = True
        for child in reversed(list(self.children)):
            self.stop(child, timeout=5)
        if self.nice_before is not None:
            os.setpriority(os.PRIO_PROCESS, 0, self.nice_before)
            set_autogroup(self.autogroup_before)
        # flow tables outlive the dataplane on purpose, and lie in whichever hugetlbfs it found
        for path in glob.glob(os.path.join(self.directory or "/nonexistent", "*-run", "flows-*")):
            if os.path.islink(path) and os.path.exists(path):
                os.unlink(os.path.realpath(path))
        if self.mounted is not None:
            for path in glob.glob(os.path.join(self.mounted, "*")):
                os.unlink(path) if not os.path.isdir(path) else shutil.rmtree(path, ignore_errors=True)
            subprocess.run(["umount", self.mounted], check=False)
        if self.pages_before is not None:
            with open(HUGEPAGES, "w", encoding="ascii") as f:
                f.write(str(self.pages_before))
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)


class Presence:
    """How much of a time a thread really ran: other work on its CPU, and the hypervisor, take cycles that count as its own."""

    def __init__(self, pid, tid, cpu):
        self.path, self.cpu = f"/proc/{pid}/task/{tid}/schedstat", cpu
        self.ran, self.stolen, self.at = self.read()

    def read(self):
        stolen = 0
        for line in read_text("/proc/stat").splitlines():
            words = line.split()
            if words[0] == f"cpu{self.cpu}":
                stolen = int(words[8]) * 10_000_000
        return int(read_text(self.path).split()[0]), stolen, time.monotonic_ns()

    def share(self):
        ran, stolen, at = self.read()
        return max(0.0, min(1.0, (ran - self.ran - (stolen - self.stolen)) / max(at - self.at, 1)))


def thread_named(pid, prefix):
    for path in glob.glob(f"/proc/{pid}/task/*/comm"):
        if read_text(path).startswith(prefix):
            return int(path.split("/")[4])
    raise MachineError(f"process {pid} has no thread named {prefix}")


def describe():
    """The machine in a few words, for the report."""
    model = "unknown CPU"
    for line in read_text("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    hypervisor = any("hypervisor" in line for line in read_text("/proc/cpuinfo").splitlines() if line.startswith("flags"))
    return {"cpu": model, "cpus": os.cpu_count(), "memory_mb": meminfo("MemTotal") // 1024,
            "kernel": os.uname().release, "virtual": hypervisor, "load_average": os.getloadavg()[0]}

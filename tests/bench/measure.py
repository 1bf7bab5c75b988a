# SPDX-License-Identifier: ISC
"""What a load costs: the processor time and the memory of processes, from /proc;
wrk; strace; the time to start a program."""

import json
import os
import re
import signal
import statistics
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TICK = 1e6 / os.sysconf("SC_CLK_TCK")  # microseconds


def processes():
    """{id: (id of the parent, name, microseconds of its processor time, with
    those of the children that it has waited for)}"""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="latin-1") as file:
                name, rest = file.read().partition("(")[2].rpartition(
                    ") ")[::2]
        except OSError:
            continue
        fields = rest.split()
        found[int(entry)] = (int(fields[1]), name,
                             sum(map(int, fields[11:15])) * TICK)
    return found


def with_children(roots, found):
    """The ids of these processes and of all below them."""
    wanted, more = set(), set(roots) & set(found)
    while more:
        wanted |= more
        more = {pid for pid, row in found.items()
                if row[0] in wanted and pid not in wanted}
    return wanted


def processor_time(roots):
    """{name: microseconds} of these processes and of all below them."""
    found, spent = processes(), {}
    for pid in with_children(roots, found):
        _, name, used = found[pid]
        spent[name] = spent.get(name, 0) + used
    return spent


def busy_time():
    """Microseconds that all processors were busy since the start."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:]]
    return (sum(fields[:3]) + sum(fields[5:8])) * TICK


def memory(pid):
    """KiB of the process; pages that n processes share count 1/n."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Pss:\s+(\d+)", file.read(), re.M)[1])


class MemoryPeak:
    """The largest memory(pid) in the block, looked at ten times a second."""

    def __init__(self, pid):
        self.pid, self.kib = pid, 0
        self.end = threading.Event()
        self.thread = threading.Thread(target=self._look)

    def _look(self):
        while not self.end.wait(0.1):
            self.kib = max(self.kib, memory(self.pid))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.end.set()
        self.thread.join(5)


def wrk(target, cookies, connections, seconds):
    """Load a target (targets.Target). Returns what load.lua prints."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
         "-s", os.path.join(HERE, "load.lua"), target.url, "--",
         target.method, target.body_file, cookies],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=seconds + 60, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["answers"] > 0, done.stdout
    return result


def load(target, cookies, connections, seconds):
    """wrk(), and the processor time per answer in microseconds: of all processes
    of the target, and of each name among them."""
    everybody = busy_time() - sum(processor_time([os.getpid()]).values())
    before, start = processor_time(target.roots()), time.monotonic()
    result = wrk(target, cookies, connections, seconds)
    spent = processor_time(target.roots())
    others = (busy_time() - sum(processor_time([os.getpid()]).values())
              - everybody)
    each = {name: (used - before.get(name, 0)) / result["answers"]
            for name, used in spent.items()}
    return {**result, "each": each, "tree": sum(each.values()),
            "own": each.get(target.program, 0),
            "rate": result["answers"] / result["seconds"],
            "others": max(0, others) / 1e6 / (time.monotonic() - start)}


def system_calls(target, cookies, connections, seconds, folder):
    """{name of the system call: how many for each answer} of the program."""
    table = os.path.join(folder, "strace")
    tracer = subprocess.Popen(
        ["strace", "-f", "-c", "-o", table, "-p", str(target.program_pid())],
        stderr=subprocess.PIPE, text=True)
    try:
        line = tracer.stderr.readline()
        if "attached" not in line:
            raise RuntimeError(f"{line.strip()} (is root, or "
                               "kernel.yama.ptrace_scope=0, needed?)")
        answers = wrk(target, cookies, connections, seconds)["answers"]
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)
    with open(table, encoding="ascii") as file:
        rows = [line.split() for line in file]
    return {row[-1]: int(row[3]) / answers for row in rows
            if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}


def start_time(path, environment):
    """Microseconds of processor time of one run of a program, as plain CGI."""
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        pid = os.posix_spawn(path, [path], environment, file_actions=[
            (os.POSIX_SPAWN_DUP2, nothing, fd) for fd in (0, 1, 2)])
        _, status, used = os.wait4(pid, 0)
    finally:
        os.close(nothing)
    assert os.waitstatus_to_exitcode(status) == 0, (path, status)
    return (used.ru_utime + used.ru_stime) * 1e6


def start_times(programs, environment, rounds):
    """{path: median} of start_time(), in alternating rounds."""
    times = {path: [] for path in programs}
    for _ in range(rounds):
        for path in programs:
            times[path].append(start_time(path, environment))
    return {path: statistics.median(values) for path, values in times.items()}

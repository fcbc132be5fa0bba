#!/usr/bin/env python3
"""roll.py PID: replaces the workers of a running gunicorn one by one, each proven before the next.

Printed by `rota hooks gunicorn-roll > roll.py`. PID is gunicorn's master, or the path of its pid file. Needs Linux, python3
>= 3.9 and the rights of the master's user; gunicorn must run with gunicorn_rota.py (`rota hooks gunicorn`).
Switch the release first (the link that the workers follow), then run this. A spare worker is started; when it has proven
itself, the oldest one is told to end; and so on until every worker is new. At no time do fewer serve than before.

Exit codes:
  0   done: every worker is new, ready, and runs the release that was expected
  1   BROKEN: a new worker could not serve; the old release alone serves again (--rollback-link)
  2   BROKEN, or stopped by a signal, and not put back: the last lines say which worker runs what
  64  refused, for instance because the app is preloaded; nothing was touched
  75  another roll of this gunicorn is under way; nothing was touched
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import secrets
import signal
import socket
import sys
import time
from dataclasses import dataclass, field

EXIT_DONE, EXIT_RESTORED, EXIT_BROKEN, EXIT_REFUSED, EXIT_BUSY = 0, 1, 2, 64, 75
POLL = 0.03  # seconds
REACTS_WITHIN = 15.0  # seconds in which a master must obey a signal
LONGEST_LINE = 4000  # characters
SAME_FOR = 1.0  # seconds that the workers must be the same at the end
FORGOTTEN_AFTER = 60.0  # seconds beyond a boot after which workers forget a roll that was killed
TICKS = os.sysconf("SC_CLK_TCK")
KNOWN_CLASSES = ("sync", "gthread", "gevent", "tornado")


class Refused(Exception):
    """Nothing was touched."""


class Busy(Exception):
    pass


class Stopped(Exception):
    pass


class Broken(Exception):
    def __init__(self, reason, error=""):
        super().__init__(reason)
        self.reason, self.error = reason, error


# What /proc says.


def stat_of(pid):
    """The parent and the start ticks of a process that runs, else None. A zombie does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else (int(fields[1]), int(fields[19]))


def children_of(parent):
    """Pids and start ticks, oldest first."""
    found = []
    for name in os.listdir("/proc"):
        stat = stat_of(name) if name.isdigit() else None
        if stat and stat[0] == parent:
            found.append((stat[1], int(name)))
    return [(pid, ticks) for ticks, pid in sorted(found)]


def open_files_of(pid, prefix):
    """The paths, in /proc, of temporary files that the process holds open and that are gone from their folder."""
    folder, found = f"/proc/{pid}/fd", []
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except FileNotFoundError:
            continue  # closed just now
        if os.path.basename(target).startswith(prefix) and target.endswith(" (deleted)"):
            found.append(f"{folder}/{name}")
    return found


def seconds_since(ticks):
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / TICKS


def pid_inside(pid):
    """The pid as the process itself knows it: another one where it runs in a container."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            return re.search(r"^NSpid:.*?(\d+)$", file.read(), re.MULTILINE).group(1)
    except (OSError, AttributeError):
        return str(pid)


def beats(path):
    """Whether a worker is in its loop, by the file with which it tells gunicorn's master that it lives."""
    try:
        found = os.stat(path)
    except OSError:
        return False
    # gunicorn < 22 changes the mode, from 0600 to 0 or 1; since then the time, to a clock that starts with the machine.
    return found.st_mode & 0o777 in (0, 1) or found.st_mtime < time.time() / 2


class Board:
    """The file that the hook's master and workers share; see gunicorn_rota.py."""

    def __init__(self, path):
        self.file = open(path, "r+b", buffering=0)

    def read(self):
        try:
            return json.loads(os.pread(self.file.fileno(), 1 << 24, 0) or b"{}")
        except ValueError:
            return {}

    def change(self, **values):
        fd = self.file.fileno()
        given_up = time.monotonic() + 2
        while True:
            try:
                fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > given_up:
                    break  # whoever holds it is frozen
                time.sleep(0.005)
        try:
            data = json.dumps({**self.read(), **values}).encode()
            os.pwrite(fd, data, 0)
            os.ftruncate(fd, len(data))
        finally:
            fcntl.lockf(fd, fcntl.LOCK_UN)


# gunicorn, as it is seen and told.


@dataclass
class Worker:
    pid: int
    ticks: int
    state: str  # booting, ready, failed
    inner: str  # its pid as it knows it
    entry: dict = field(default_factory=dict)  # what it told; empty without the hook

    @property
    def id(self):
        return (self.pid, self.ticks)  # a pid alone may be used again

    @property
    def release(self):
        return self.entry.get("release")

    @property
    def ready(self):
        return self.state == "ready"


class Gunicorn:
    """A master and its workers. `told` is how many it was told to have, for masters without a board."""

    def __init__(self, pid, notice):
        stat = stat_of(pid)
        if not stat:
            raise Refused(f"no process {pid} runs")
        self.pid, self.ticks, self.notice = pid, stat[1], notice
        os.kill(pid, 0)  # may this process do that?
        self.files = {}  # of workers: id -> heartbeat
        self.board = self.find_board() if notice == "state" else None
        self.told = None

    def find_board(self):
        paths = open_files_of(self.pid, "rota-board-")
        if paths:
            return Board(paths[0])
        raise Refused(
            f"process {self.pid} is no gunicorn that runs with gunicorn_rota.py: print it with `rota hooks gunicorn`, "
            "start gunicorn with -c gunicorn_rota.py once, and see its first lines; or, for other hooks, --notice udp"
        )

    def runs(self):
        stat = stat_of(self.pid)
        return bool(stat) and stat[1] == self.ticks

    def about(self):
        return self.board.read().get("master", {}) if self.board else {}

    def look(self):
        """The workers that run now, oldest first."""
        told = self.board.read().get("workers", {}) if self.board else {}
        workers = []
        for pid, ticks in children_of(self.pid):
            inner = pid_inside(pid)
            entry = told.get(inner, {})
            if entry.get("ticks") != ticks:
                entry = {}
            heartbeat = self.heartbeat_of(pid, ticks)
            if not entry and not heartbeat:
                continue  # no worker: another master after USR2, or some child of a hook
            state = entry.get("state", "booting")
            if not self.board and (pid, ticks) in self.files and beats(heartbeat):
                state = "ready"
            workers.append(Worker(pid, ticks, state, inner, entry))
        return workers

    def heartbeat_of(self, pid, ticks):
        if (pid, ticks) in self.files:
            return self.files[pid, ticks]
        found = open_files_of(pid, "wgunicorn-")
        if len(found) == 1:  # right after the fork it has those of its siblings too
            self.files[pid, ticks] = found[0]
        return found[0] if found else None

    def wanted(self):
        """How many workers the master wants."""
        if self.board:
            return self.about().get("workers", 0)
        if self.told is None:
            self.told = len(self.look())
        return self.told

    def add(self):
        self.change_by(signal.SIGTTIN, 1)

    def remove_oldest(self):
        self.change_by(signal.SIGTTOU, -1)

    def change_by(self, number, step):
        """One at a time, each seen to be obeyed: signals merge."""
        before = self.wanted()
        self.kill(self.pid, number)
        if not self.board:
            self.told += step  # the caller waits until so many run
            return
        name = signal.Signals(number).name
        wait_until(lambda: self.wanted() == before + step, REACTS_WITHIN, f"the master does not obey {name}", self)

    def kill(self, pid, number):
        if not self.runs():
            raise Broken(MASTER_ENDED)
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def error_of(self, worker):
        """What a worker that has ended told at last."""
        if not self.board:
            return ""
        entry = self.board.read().get("workers", {}).get(worker.inner, {})
        return entry.get("error", "") if entry.get("ticks") == worker.ticks else ""


MASTER_ENDED = (
    "gunicorn's master has ended, and all of its workers with it (it does when a worker exits with 3 or 4, "
    "as one does that can't load the app while no other serves)"
)


def wait_until(is_so, within, otherwise, gunicorn):
    given_up = time.monotonic() + within
    while not is_so():
        if not gunicorn.runs():
            raise Broken(MASTER_ENDED)
        if time.monotonic() > given_up:
            raise Broken(f"{otherwise} within {within:g} s")
        time.sleep(POLL)


# Telling whoever started this.


class Voice:
    """Lines for people, or one JSON object a line. A reader that has gone changes nothing."""

    def __init__(self, as_json):
        self.as_json, self.began = as_json, time.monotonic()

    def say(self, event, text, **values):
        seconds = round(time.monotonic() - self.began, 2)
        line = f"{seconds:7.2f} s  {text}"
        if self.as_json:
            line = self.object({"event": event, "seconds": seconds, "text": text, **values})
        self.print(line)

    def object(self, values):
        """Not longer than a reader takes a line for one: of an error its end is told."""
        line = json.dumps(values)
        while len(line) > LONGEST_LINE and values.get("error"):
            values["error"] = values["error"][len(values["error"]) // 8 + 1 :].partition("\n")[2]
            line = json.dumps(values)
        return line

    def print(self, text):
        try:
            print(text, flush=True)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def warn(self, text):
        self.say("warning", f"warning: {text}")


class Datagrams:
    """The classic notice: whoever sends `200 OK` to this UDP port. It names no worker, and anybody can send it."""

    def __init__(self, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        try:
            self.socket.bind(("127.0.0.1", port))
        except OSError as error:
            raise Busy(f"UDP port {port} is taken, perhaps by another roll: {error.strerror}") from None
        self.good = 0

    def forget(self):
        self.receive()
        self.good = 0

    def receive(self):
        while True:
            try:
                text = self.socket.recv(4096).decode("utf-8", "replace").strip()
            except OSError:
                return
            if not text.startswith("200"):
                raise Broken("a worker told that it is not well", text)
            self.good += 1


# The roll.


class Roll:
    def __init__(self, gunicorn, options, voice):
        self.gunicorn, self.options, self.voice = gunicorn, options, voice
        self.datagrams = Datagrams(options.udp_port) if options.notice == "udp" else None
        self.link, self.old = options.rollback_link or (None, None)
        self.old_release = os.path.realpath(os.path.join(os.path.dirname(self.link), self.old)) if self.link else None
        self.expected = self.expected_release()
        self.nonce = secrets.token_hex(8)
        self.before = set()  # ids of the workers from before the roll
        self.known = {}  # id -> Worker as last seen
        self.leaving = {}  # id -> when it was told to end
        self.replaced = set()  # those of them in whose place the master starts another
        self.moved = time.monotonic()  # when anything was last seen to change
        self.stopping = False
        self.drain_within = 0.0  # seconds; from `prepare` on
        self.told_until = 0.0  # when workers forget that a roll is on
        self.count = 0  # of workers, as they were and shall be

    def expected_release(self):
        folder = self.options.expect_release or self.link
        return os.path.realpath(folder) if folder and self.gunicorn.board else None

    # Before anything is touched.

    def prepare(self):
        """Refuses what can't work, and says what may be lost."""
        about, options = self.gunicorn.about(), self.options
        if about.get("preload") or (not self.gunicorn.board and self.preloads_by_its_command()):
            raise Refused(
                "the app is preloaded (preload_app): the master keeps the code that it imported, so new workers would "
                "run the old release. Take the node out of rotation and restart gunicorn, or run it without preload"
            )
        if not self.gunicorn.board and (options.expect_release or options.status_path):
            raise Refused(f"with --notice {options.notice} nobody tells which release a worker runs; see --notice state")
        workers = self.gunicorn.look()
        if not workers:
            raise Refused(f"process {self.gunicorn.pid} has no workers of gunicorn")
        left = self.gunicorn.board.read().get("roll") or {} if self.gunicorn.board else {}
        self.count = left.get("count") or self.gunicorn.wanted()
        self.drain_within = options.drain_within or max(about.get("timeout") or 30, about.get("graceful_timeout") or 30) + 5
        if left:
            self.voice.warn(f"an earlier roll did not end well; going on to {self.count} workers, all new")
        self.before = {worker.id for worker in workers}
        self.warn_of(about)
        self.say_begin(workers, about)

    def preloads_by_its_command(self):
        with open(f"/proc/{self.gunicorn.pid}/cmdline", "rb") as file:
            return b"--preload" in file.read().split(b"\0")

    def warn_of(self, about):
        timeout, kind = about.get("timeout"), about.get("class", "")
        if timeout and timeout < self.options.boot_within:
            self.voice.warn(
                f"gunicorn's --timeout is {timeout} s: it may kill a worker that boots longer, "
                f"before its {self.options.boot_within:g} s are over"
            )
        if kind and kind.rpartition(".")[2] not in KNOWN_CLASSES:
            self.voice.warn(f"nothing is known about workers of class {kind}: they may cut off requests as they end")
        if self.datagrams:
            self.voice.warn(
                "notice: udp. A datagram names no worker, is lost when it comes too early, and can be sent by anybody; a "
                "release that can't be loaded ends this gunicorn. gunicorn_rota.py has none of that"
            )
        elif not self.gunicorn.board:
            self.voice.warn(
                "notice: none. A worker counts as ready when it accepts; nobody asks it whether it is well, "
                "and a release that can't be loaded ends this gunicorn"
            )

    def say_begin(self, workers, about):
        releases = sorted({worker.release or "unknown" for worker in workers})
        self.voice.say(
            "roll",
            f"{self.count} workers ({about.get('class') or 'class unknown'}) of gunicorn {self.gunicorn.pid}, "
            f"now running {', '.join(releases)}",
            count=self.count,
            surge=self.options.surge,
            releases=releases,
            expected=self.expected,
        )

    # What is seen.

    def is_new(self, worker):
        if self.gunicorn.board:
            return worker.entry.get("nonce") == self.nonce
        return worker.id not in self.before

    def look(self):
        """The workers now. Raises Broken for a new one that can't serve."""
        if not self.gunicorn.runs():
            raise Broken(MASTER_ENDED)
        self.go_on_announcing()
        workers = self.gunicorn.look()
        if self.datagrams:
            self.datagrams.receive()
            for worker in workers:
                if worker.id not in self.before and not self.was_ready(worker) and not self.datagrams.good:
                    worker.state = "booting"
        known, self.known = self.known, {worker.id: worker for worker in workers}
        for worker in workers:
            self.say_change(known.get(worker.id), worker)
            self.judge(worker)
        for gone in known.values():
            if gone.id not in self.known:
                self.judge_gone(gone)
        self.leaving = {key: since for key, since in self.leaving.items() if key in self.known}
        self.judge_pace(known)
        return workers

    def judge_pace(self, known):
        """Boots and last requests have limits of their own; this is for a master that does not do what it is told."""
        if {(key, one.state) for key, one in known.items()} != {(key, one.state) for key, one in self.known.items()}:
            self.moved = time.monotonic()
        limit = self.options.boot_within + self.drain_within + REACTS_WITHIN
        if time.monotonic() - self.moved > limit:
            raise Broken(f"nothing has changed for {limit:.0f} s: gunicorn wants {self.gunicorn.wanted()} workers")

    def was_ready(self, worker):
        return worker.id in self.known and self.known[worker.id].ready

    def judge(self, worker):
        if not self.is_new(worker):
            return
        if worker.state == "failed":
            raise Broken(f"worker {worker.pid} can't serve", worker.entry.get("error", ""))
        if worker.ready and not is_within(worker.release, self.expected):
            raise Broken(
                f"worker {worker.pid} is new and runs {worker.release}, not {self.expected}: it does not follow the link. "
                "gunicorn must be started with --chdir and the link's path, not in the folder behind the link"
            )
        booting = seconds_since(worker.ticks)
        if not worker.ready and booting > self.options.boot_within:
            raise Broken(f"worker {worker.pid} is not ready {booting:.0f} s after its start")

    def judge_gone(self, worker):
        if self.is_new(worker) and not worker.ready and worker.id not in self.leaving:
            error = self.gunicorn.error_of(worker)
            raise Broken(f"worker {worker.pid} ended while it booted{'' if error else '; see the log of gunicorn'}", error)
        self.voice.say("worker", f"worker {worker.pid} has ended", pid=worker.pid, state="gone")

    def say_change(self, before, worker):
        if before and before.state == worker.state:
            return
        if not before and worker.id in self.before:
            return
        since = seconds_since(worker.ticks)
        values = {name: worker.entry[name] for name in ("release", "status", "error") if worker.entry.get(name)}
        runs = f", runs {worker.release}" if worker.ready and worker.release else ""
        self.voice.say(
            "worker",
            f"worker {worker.pid} {worker.state} {since:.1f} s after its start{runs}",
            pid=worker.pid,
            state=worker.state,
            since=round(since, 2),
            new=self.is_new(worker),
            **values,
        )

    # Forward.

    def announce(self, **more):
        """Tells new workers that a roll is on. After the switch of the release: from here on new means new code."""
        if self.gunicorn.board:
            self.told_until = time.monotonic() + self.options.boot_within + FORGOTTEN_AFTER
            roll = {"nonce": self.nonce, "count": self.count, "until": self.told_until, "enforce": True}
            self.gunicorn.board.change(roll={**roll, "status_path": self.options.status_path, **more})

    def go_on_announcing(self):
        """A roll that was killed is forgotten by itself; one that lasts must not be."""
        if self.told_until and self.told_until - time.monotonic() < self.options.boot_within + FORGOTTEN_AFTER / 2:
            self.announce(enforce=self.gunicorn.board.read().get("roll", {}).get("enforce", True))

    def forward(self):
        self.announce()
        for worker in self.gunicorn.look():
            if worker.state == "failed":
                self.gunicorn.kill(worker.pid, signal.SIGKILL)  # it waits aside, since an earlier roll perhaps
        while True:
            workers = self.look()
            serving = [worker for worker in workers if worker.id not in self.leaving]
            stale = [worker for worker in serving if not self.is_new(worker)]
            if self.is_over(workers, stale):
                return
            self.step_forward(workers, serving, stale)
            self.judge_leaving()
            time.sleep(POLL)

    def is_over(self, workers, stale):
        if self.leaving or not all(worker.ready for worker in workers):
            return False
        if not len(workers) == self.gunicorn.wanted() == self.count:
            return False
        if stale and self.stopping:
            raise Stopped
        return not stale

    def step_forward(self, workers, serving, stale):
        """One signal, or none. Never fewer ready ones than at the start, never more than the surge beyond it."""
        wanted = self.gunicorn.wanted()
        if len(workers) - wanted != len(self.leaving.keys() - self.replaced):
            return  # the master has still to do what it was told
        ready = [worker for worker in serving if worker.ready]
        all_ready = len(ready) == len(serving)
        ready_stale = [worker for worker in stale if worker.ready]
        if len(ready) > self.count and len(stale) > wanted - self.count and ready_stale and not self.stopping:
            # The master starts another in its place as soon as it has ended. One that boots might miss the signal.
            self.replaced.add(ready_stale[0].id)
            self.leave(ready_stale[0])
            self.gunicorn.kill(ready_stale[0].pid, signal.SIGTERM)
        elif wanted > self.count and len(ready) > self.count and (stale or all_ready):
            if self.replaced & self.leaving.keys():
                return  # it takes the oldest: that is one which was told already, and still has a request
            # New ones are younger than all others.
            self.leave(serving[0])
            self.gunicorn.remove_oldest()
        elif not self.leaving and not self.stopping and wanted < self.count + min(self.options.surge, len(stale)):
            if self.datagrams:
                self.datagrams.forget()
            self.announce()
            self.gunicorn.add()

    def leave(self, worker):
        self.leaving[worker.id] = time.monotonic()
        self.voice.say("worker", f"worker {worker.pid} is told to end", pid=worker.pid, state="leaving")

    def judge_leaving(self):
        for (pid, _), since in self.leaving.items():
            if time.monotonic() - since > self.drain_within:
                raise Broken(f"worker {pid} still has requests {self.drain_within:g} s after it was told to end")

    def hup(self):
        """All at once, by the master's own reload."""
        self.announce()
        self.gunicorn.kill(self.gunicorn.pid, signal.SIGHUP)
        first = time.monotonic() + REACTS_WITHIN
        while True:
            workers = self.look()
            new = [worker for worker in workers if self.is_new(worker)]
            if not new and time.monotonic() > first:
                raise Broken(f"no new worker {REACTS_WITHIN:g} s after SIGHUP")
            self.leaving = {
                worker.id: self.leaving.get(worker.id, time.monotonic())
                for worker in workers
                if new and not self.is_new(worker)
            }
            self.judge_leaving()
            # The configuration is read anew, and may want another number.
            count = self.gunicorn.about().get("workers") or self.count
            if new and len(new) == len(workers) == count and all(worker.ready for worker in new):
                self.count = count
                return
            time.sleep(POLL)

    def verify(self, is_good):
        """Every worker is good, as many as before, and the same ones for a while; recycled ones are waited for."""
        given_up = time.monotonic() + self.options.boot_within + 10
        since, same = time.monotonic(), None
        while True:
            workers = self.look()
            ids = {worker.id for worker in workers}
            if ids != same or len(workers) != self.count or not all(is_good(worker) for worker in workers):
                since, same = time.monotonic(), ids
            if time.monotonic() - since >= SAME_FOR:
                return
            if time.monotonic() > given_up:
                raise Broken("the workers do not stay: some end again and again; see the log of gunicorn")
            time.sleep(POLL)

    # Back.

    def restore(self):
        """Puts the old release back, alone. True when it serves so."""
        self.voice.say("restore", f"putting {self.link} back to {self.old}", link=self.link, release=self.old)
        point(self.link, self.old)
        if not self.gunicorn.runs():
            return False
        self.nonce = secrets.token_hex(8)
        self.expected, self.leaving = None, {}
        # It served before; whether it is well now is told, and decides nothing.
        self.announce(enforce=False)
        workers = self.gunicorn.look()
        self.known = {worker.id: worker for worker in workers if worker.ready}
        dead = {worker.id for worker in workers if not worker.ready}
        for pid, _ in dead:
            self.gunicorn.kill(pid, signal.SIGKILL)  # it takes no requests
        wait_until(lambda: not dead & {one.id for one in self.gunicorn.look()}, 10, "killed workers do not end", self.gunicorn)
        renewed = {worker.id for worker in workers if worker.ready and self.is_renewed(worker)}
        spares = max(1, len(renewed))
        while not self.is_restored(renewed):
            self.step_back(renewed, spares)
            self.judge_leaving()
            time.sleep(POLL)
        self.verify(lambda worker: worker.ready and worker.id not in renewed)
        return self.old_is_well()

    def is_renewed(self, worker):
        if self.gunicorn.board:
            return not is_within(worker.release, self.old_release)
        return worker.id not in self.before

    def is_restored(self, renewed):
        workers = self.look()
        is_settled = len(workers) == self.gunicorn.wanted() == self.count
        return is_settled and all(worker.ready and worker.id not in renewed for worker in workers)

    def step_back(self, renewed, spares):
        """One signal, or none. Those of the failed release are told to end; the master starts others in their place."""
        workers, wanted = self.known.values(), self.gunicorn.wanted()
        if len(workers) != wanted:
            return
        bad = [worker for worker in workers if worker.id in renewed and worker.id not in self.leaving]
        ready = [worker for worker in workers if worker.ready and worker.id not in self.leaving]
        if bad and len(ready) > self.count:
            self.leave(bad[0])
            self.gunicorn.kill(bad[0].pid, signal.SIGTERM)
        elif bad and wanted < self.count + spares:
            self.gunicorn.add()
        elif not bad and not self.leaving and wanted > self.count and len(ready) == len(workers):
            self.leave(min(workers, key=lambda worker: (worker.ticks, worker.pid)))
            self.gunicorn.remove_oldest()
        elif wanted < self.count and not self.leaving:
            self.gunicorn.add()

    def old_is_well(self):
        sick = [worker for worker in self.gunicorn.look() if worker.entry.get("status", 200) != 200]
        for worker in sick:
            self.voice.warn(f"worker {worker.pid} of the old release answers {worker.entry['status']} to the status question")
        return not sick

    # All of it.

    def run(self):
        self.prepare()
        try:
            if self.options.hup:
                self.hup()
            else:
                self.forward()
            self.verify(lambda worker: worker.ready and self.is_new(worker))
        except Stopped:
            return self.end(EXIT_BROKEN, "stopped by a signal, between two workers; run it again to go on")
        except Broken as broken:
            return self.broken(broken)
        except OSError as error:  # from here on something was touched: this is no refusal any more
            return self.broken(Broken(f"the node does not let the roll go on: {error}"))
        return self.end(EXIT_DONE, f"done: all {self.count} workers are new{self.running_what()}")

    def running_what(self):
        releases = {worker.release for worker in self.gunicorn.look() if worker.release}
        return f" and run {', '.join(sorted(releases))}" if releases else ""

    def broken(self, broken):
        self.voice.say("broken", f"BROKEN: {broken.reason}", reason=broken.reason, error=broken.error)
        if not self.voice.as_json and broken.error:
            self.voice.print("\n".join(f"           {line}" for line in broken.error.strip().splitlines()))
        if not self.link:
            text = "put the old release back and run this again" if self.gunicorn.runs() else "start gunicorn again"
            return self.end(EXIT_BROKEN, f"BROKEN, and left as it is: {text}", keeps=True)
        try:
            if self.restore():
                return self.end(EXIT_RESTORED, f"BROKEN: {broken.reason}; {self.old} alone serves again")
            text = "the old release is not well" if self.gunicorn.runs() else "gunicorn does not run; the link is back"
        except (Broken, OSError) as error:
            text = str(error)
        return self.end(EXIT_BROKEN, f"BROKEN, and not put back: {text}", keeps=True)

    def end(self, code, text, keeps=False):
        """Leaves nothing but, where it broke, the rule that workers must be well: they would serve when started again."""
        workers = self.gunicorn.look() if self.gunicorn.runs() else []
        if self.gunicorn.board and self.gunicorn.runs():
            if keeps:
                self.announce(until=time.monotonic() + 10 * 365 * 86400)
            else:
                self.gunicorn.board.change(roll=None)
        if code != EXIT_DONE:
            for worker in workers:
                self.voice.say("left", left_as(worker), pid=worker.pid, state=worker.state, release=worker.release)
        self.voice.say("end", text, exit=code, workers=[worker.pid for worker in workers])
        return code


def left_as(worker):
    return f"left: worker {worker.pid} {worker.state}, runs {worker.release or 'an unknown release'}"


def is_within(release, folder):
    return folder is None or (release is not None and (release + "/").startswith(folder.rstrip("/") + "/"))


def point(link, target):
    """By rename, so that there is no moment without the link."""
    new = f"{link}.{os.getpid()}"
    os.symlink(target, new)
    os.replace(new, link)


# The command line.


def main(words):
    options = parse(words)
    voice = Voice(options.json)
    # It must not end with the connection that started it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        gunicorn = Gunicorn(pid_from(options.pid), options.notice)
        if options.status:
            return show(gunicorn, voice)
        with only_one_of(gunicorn):
            roll = Roll(gunicorn, options, voice)
            stop_on_signals(roll)
            return roll.run()
    except PermissionError as error:
        return refuse(voice, f"this needs the rights of gunicorn's user: {error}")
    except Refused as refused:
        return refuse(voice, str(refused))
    except Busy as busy:
        voice.say("end", f"busy: {busy}; nothing was touched", exit=EXIT_BUSY)
        return EXIT_BUSY


def refuse(voice, text):
    voice.say("end", f"refused: {text}; nothing was touched", exit=EXIT_REFUSED)
    return EXIT_REFUSED


def show(gunicorn, voice):
    for worker in gunicorn.look():
        voice.say("left", left_as(worker).removeprefix("left: "), pid=worker.pid, state=worker.state, release=worker.release)
    return EXIT_DONE


@contextlib.contextmanager
def only_one_of(gunicorn):
    """Held as long as this process lives, on the master's own folder in /proc: nothing is left behind."""
    folder = os.open(f"/proc/{gunicorn.pid}", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise Busy(f"another roll of gunicorn {gunicorn.pid} is under way") from None
    try:
        yield
    finally:
        os.close(folder)


def stop_on_signals(roll):
    """Once: no other worker is begun. Twice: at once; a later roll finds what was left."""

    def stop(number, frame):
        if roll.stopping:
            os._exit(EXIT_BROKEN)
        roll.stopping = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def pid_from(word):
    try:
        text = word if word.isdigit() else open(word, encoding="ascii").read()
        return int(text)
    except (OSError, ValueError) as error:
        raise Refused(f"there is no pid in {word}: {error}") from None


def parse(words):
    parser = argparse.ArgumentParser(
        prog="roll.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("pid", metavar="PID", help="of gunicorn's master, or the path of its pid file")
    add("--surge", type=int, default=1, metavar="N", help="so many workers at once, so many more processes; 1")
    add("--boot-within", type=float, default=None, metavar="SECONDS", help="for a worker, from its start; 120, udp: 60")
    add("--drain-within", type=float, default=None, metavar="SECONDS", help="for a worker's last requests; gunicorn's own limit + 5")
    add("--expect-release", metavar="DIR", help="what new workers must run; else where the link of --rollback-link leads")
    add("--rollback-link", type=link_and_old, metavar="LINK=OLD", help="when BROKEN, LINK is pointed at OLD, and OLD alone serves")
    add("--status-path", metavar="PATH", help="what is asked in a worker, instead of what the hook was told")
    add("--hup", action="store_true", help="all at once by SIGHUP: nobody serves for as long as a worker boots")
    add("--notice", choices=("state", "udp", "none"), default="state", help="how a worker tells that it is ready; state")
    add("--udp-port", type=int, default=4012, metavar="PORT", help="for --notice udp; 4012")
    add("--json", action="store_true", help="one JSON object a line")
    add("--status", action="store_true", help="only show the workers and what they run")
    try:
        options = parser.parse_args(words)
        complete(options, parser)
    except SystemExit as end:
        sys.exit(EXIT_REFUSED if end.code else 0)
    return options


def complete(options, parser):
    if options.surge < 1:
        parser.error("--surge must be at least 1")
    if options.notice != "state" and options.surge > 1:
        parser.error("--surge needs --notice state: nobody tells which of several is ready")
    if options.notice != "state" and options.hup:
        parser.error("--hup needs --notice state: nothing else shows that the app is not preloaded")
    if options.boot_within is None:
        options.boot_within = 60.0 if options.notice == "udp" else 120.0


def link_and_old(word):
    link, _, old = word.partition("=")
    if not os.path.islink(link) or not old:
        raise argparse.ArgumentTypeError(f"{word!r} is not LINK=OLD with a LINK that is one")
    if not os.path.isdir(os.path.join(os.path.dirname(link), old)):
        raise argparse.ArgumentTypeError(f"{old!r} is not a folder")
    if os.path.realpath(link) == os.path.realpath(os.path.join(os.path.dirname(link), old)):
        raise argparse.ArgumentTypeError(f"{link} leads to {old} already: switch it to the new release first")
    return link, old


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

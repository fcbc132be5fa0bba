#!/usr/bin/env python3
"""roll.py --stats SOCKET: replaces the workers of a running uWSGI one by one, each proven before the next.

Printed by `rota hooks uwsgi-roll > roll.py`. SOCKET is uWSGI's `stats`: a path, or HOST:PORT. Needs Linux, python3 >= 3.9 and
the rights of uWSGI's user, or root; uWSGI must run with uwsgi_rota.py (`rota hooks uwsgi`), else --notice none.
Switch the release first (the link that the workers follow), then run this. One worker is told to end (HUP: it finishes its
request); when the one in its place has proven itself, the next; and so on until every worker is new. So one fewer serves
meanwhile. None fewer where uWSGI keeps a place free (processes = 5, cheaper = 4, cheaper-algo = manual) and --fifo is given.

  --how workers  as said; it can stop after any worker
  --how chain    uWSGI's own chain reload (--fifo, or --touch its touch-chain-reload), watched; it can't be stopped
  --how reload   uWSGI is loaded anew as a whole (--fifo): nobody serves for as long as a boot takes; one worker tries it first

Exit codes:
  0   done: every worker is new, ready, and runs the release that was expected
  1   BROKEN: a new worker could not serve; the old release alone serves again (--rollback-link)
  2   BROKEN, or stopped by a signal, and not put back: the last lines say which worker runs what
  64  refused, for instance because uWSGI runs without lazy-apps; nothing was touched
  75  another roll of this uWSGI is under way; nothing was touched
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
import stat
import sys
import time
from dataclasses import dataclass, field

EXIT_DONE, EXIT_RESTORED, EXIT_BROKEN, EXIT_REFUSED, EXIT_BUSY = 0, 1, 2, 64, 75
POLL = 0.05  # seconds
REACTS_WITHIN = 15.0  # seconds in which a master must do what it was told
LONGEST_LINE = 4000  # characters
STAYS_FOR = 1.0  # seconds that each worker must have been ready at the end
IDLE_WITHIN = 2.0  # seconds that the last old worker is given to be idle for a moment; else it is replaced too
CHAIN_ENDS = 2.5  # seconds after which a master has seen that its chain is over; it looks once a second
TICKS = os.sysconf("SC_CLK_TCK")


class Refused(Exception):
    """Nothing was touched."""


class Busy(Exception):
    pass


class Stopped(Exception):
    pass


class Silent(Exception):
    """The stats server gives no answer."""


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


def open_files_of(pid):
    """What the process holds open: the path in /proc, and the file's own."""
    folder, found = f"/proc/{pid}/fd", []
    for name in os.listdir(folder):
        try:
            found.append((f"{folder}/{name}", os.readlink(f"{folder}/{name}")))
        except FileNotFoundError:
            continue  # closed just now
    return found


def seconds_since(ticks):
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / TICKS


class Board:
    """The file that the guard's master and workers share; see uwsgi_rota.py."""

    def __init__(self, path):
        self.file = open(path, "r+b", buffering=0)
        self.number = os.fstat(self.file.fileno()).st_ino

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


# uWSGI, as it is seen and told.


@dataclass
class Worker:
    place: int  # its number in uWSGI
    pid: int
    ticks: int
    state: str  # booting, ready, failed
    busy: bool = False
    entry: dict = field(default_factory=dict)  # what it told; empty without the guard

    @property
    def id(self):
        return (self.pid, self.ticks)  # a pid alone may be used again

    @property
    def release(self):
        return self.entry.get("release")

    @property
    def ready(self):
        return self.state == "ready"


class Uwsgi:
    """A master and its workers, by its stats server."""

    def __init__(self, options):
        self.address, self.fifo = options.stats, options.fifo
        try:
            stats = self.ask()
        except Silent as silent:
            raise Refused(str(silent)) from None
        self.pid = stats.get("pid", 0)
        found = stat_of(self.pid)
        pids = [worker["pid"] for worker in stats.get("workers", []) if worker.get("pid")]
        if not found or not any((stat_of(pid) or (0,))[0] == self.pid for pid in pids):
            raise Refused(
                f"process {self.pid}, which {self.address} tells of, has no such workers here: run this where uWSGI runs, in its container"
            )
        self.ticks = found[1]
        os.kill(self.pid, 0)  # may this process do that?
        self.places, self.wanted = len(stats["workers"]), len(pids)  # for workers; and how many of them uWSGI keeps
        self.board = self.find_board() if options.notice == "state" else None
        self.seen = []  # the workers as they were told last

    def ask(self):
        """What the stats server says."""
        try:
            with self.connect() as connection:
                data = b"".join(iter(lambda: connection.recv(1 << 16), b""))
            return json.loads(data)
        except (OSError, ValueError) as error:
            raise Silent(f"no stats server of uWSGI (without stats-http) answers at {self.address}: {error}") from None

    def connect(self):
        host, _, port = self.address.rpartition(":")
        path = re.sub("^@", "\0", self.address)
        if "/" not in path and port.isdigit():
            return socket.create_connection((host or "127.0.0.1", int(port)), 5)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(5)
            connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection

    def find_board(self):
        paths = [path for path, target in open_files_of(self.pid) if is_board(target)]
        if paths:
            return Board(paths[0])
        raise Refused(
            f"uWSGI {self.pid} runs without uwsgi_rota.py: print it with `rota hooks uwsgi`, see its first lines, and restart "
            "uWSGI once; or go by the stats server alone, which is weaker: --notice none"
        )

    def runs(self):
        found = stat_of(self.pid)
        return bool(found) and found[1] == self.ticks

    def about(self):
        return self.board.read().get("master", {}) if self.board else {}

    def look(self):
        """The workers that run now, in the order of their places."""
        try:
            stats = self.ask()
        except Silent:
            if not self.runs():
                raise Broken(MASTER_ENDED) from None
            return [worker for worker in self.seen if (stat_of(worker.pid) or (0, 0))[1] == worker.ticks]
        page = self.board.read() if self.board else {}
        told = page.get("workers", {})
        preloaded = {} if page.get("master", {}).get("lazy") else told.get(str(self.pid), {})
        self.seen = []
        self.wanted = sum(one.get("status") != "cheap" for one in stats["workers"])
        for place, one in enumerate(stats["workers"], 1):
            found = stat_of(one["pid"]) if one["pid"] > 0 else None
            if not found or found[0] != self.pid:
                continue  # it has ended; or nobody is in that place
            entry = told.get(str(one["pid"]), {})
            entry = entry if entry.get("ticks") == found[1] else preloaded
            worker = Worker(place, one["pid"], found[1], "booting", one.get("status") == "busy", entry)
            worker.state = self.state_of(one, entry)
            self.seen.append(worker)
        return self.seen

    def state_of(self, one, entry):
        if self.board and entry.get("state") != "ready":
            return entry.get("state", "booting")
        if not one["accepting"]:
            return "booting"
        if one["apps"]:
            return "ready"
        return "booting" if self.board else "failed"

    def tell(self, letter):
        """By the master's fifo."""
        fd = os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(fd, letter.encode())
        finally:
            os.close(fd)

    def kill(self, pid, number):
        if not self.runs():
            raise Broken(MASTER_ENDED)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def error_of(self, worker):
        """What a worker that has ended told at last."""
        if not self.board:
            return ""
        entry = self.board.read().get("workers", {}).get(str(worker.pid), {})
        return entry.get("error", "") if entry.get("ticks") == worker.ticks else ""


MASTER_ENDED = "uWSGI's master has ended, and all of its workers with it (with need-app it does when an app can't be loaded)"


def is_board(target):
    return os.path.basename(target).startswith("rota-board-") and target.endswith(" (deleted)")


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


# The roll.


class Roll:
    def __init__(self, uwsgi, options, voice):
        self.uwsgi, self.options, self.voice = uwsgi, options, voice
        self.link, self.old = options.rollback_link or (None, None)
        self.old_release = os.path.realpath(os.path.join(os.path.dirname(self.link), self.old)) if self.link else None
        folder = options.expect_release or self.link
        self.expected = os.path.realpath(folder) if folder and uwsgi.board else None
        self.nonce = secrets.token_hex(8)
        self.before = set()  # ids of the workers from before the roll
        self.renewed = set()  # ids of those that are to be put back
        self.known = {}  # id -> Worker as last seen
        self.leaving = {}  # id -> when it was told to end
        self.ready_since = {}  # id -> when it was first seen so
        self.moved = time.monotonic()  # when anything was last seen to change
        self.stopping = self.spare = self.chaining = self.reloaded = False
        self.drain_within = options.drain_within
        self.told_until = 0.0  # when workers forget that a roll is on
        self.count = self.wanted = 0  # workers: as many as there were and shall be; and as many as there shall be now

    # Before anything is touched.

    def prepare(self):
        """Refuses what can't work, and says what may be lost."""
        uwsgi, options, about = self.uwsgi, self.options, self.uwsgi.about()
        workers = uwsgi.look()
        left = uwsgi.board.read().get("roll") or {} if uwsgi.board else {}
        self.count = left.get("count") or uwsgi.wanted
        self.wanted = uwsgi.wanted
        if not workers:
            raise Refused(f"uWSGI {uwsgi.pid} has no workers")
        self.refuse_what_cannot_work(about)
        self.spare = self.has_spare(about)
        if self.drain_within is None:
            self.drain_within = about.get("mercy", 60) + 5
        if left:
            self.voice.warn("an earlier roll did not end well; going on until all workers are new")
        if self.wanted > self.count and not self.spare:
            self.voice.warn("its spare worker stays: give --fifo to have it ended")
        self.before = {worker.id for worker in workers}
        self.warn_of(about, workers)
        releases = sorted({worker.release or "unknown" for worker in workers})
        self.voice.say(
            "roll",
            f"{self.count} workers of uWSGI {uwsgi.pid}, now running {', '.join(releases)}; "
            f"{options.how}{', with a spare one' if self.spare else ''}",
            count=self.count,
            surge=1,
            how=options.how,
            spare=self.spare,
            releases=releases,
            expected=self.expected,
        )

    def refuse_what_cannot_work(self, about):
        options, board = self.options, self.uwsgi.board
        if board and not about.get("lazy") and options.how != "reload":
            raise Refused(
                "uWSGI runs without lazy-apps: the master keeps the code that it loaded, so new workers would run the old release. "
                "Set lazy-apps = true and restart uWSGI once; or --how reload, with the node out of rotation"
            )
        if not board and (options.expect_release or options.status_path):
            raise Refused("with --notice none nobody tells which release a worker runs; see --notice state")
        if self.uwsgi.fifo:
            self.refuse_other_fifo(self.uwsgi.fifo)

    def refuse_other_fifo(self, path):
        try:
            is_fifo = stat.S_ISFIFO(os.stat(path).st_mode)
        except OSError as error:
            raise Refused(f"there is no fifo {path}: {error.strerror}; see uWSGI's master-fifo") from None
        if not is_fifo:
            raise Refused(f"{path} is no fifo; see uWSGI's master-fifo")
        with contextlib.suppress(PermissionError):
            if os.path.realpath(path) not in [target for _, target in open_files_of(self.uwsgi.pid)]:
                raise Refused(f"{path} is not read by uWSGI {self.uwsgi.pid}; see its master-fifo")

    def has_spare(self, about):
        if self.options.how != "workers":
            return False
        lacks = None
        if not self.uwsgi.fifo:
            lacks = "--fifo is not given"
        elif self.uwsgi.board and not about.get("spare"):
            lacks = "uWSGI's cheaper-algo is not manual, so that it changes the number of workers by itself"
        elif not self.uwsgi.board and not self.options.spare:
            lacks = "nobody tells how uWSGI is set"
        elif self.uwsgi.places <= self.count:
            lacks = "all of uWSGI's places are taken; processes = 5, cheaper = 4, cheaper-initial = 4 keep one free"
        if lacks and self.options.spare:
            raise Refused(f"there is no spare worker: {lacks}")
        return not lacks

    def warn_of(self, about, workers):
        if self.uwsgi.board and not about.get("lazy"):
            self.voice.warn(
                "without lazy-apps no worker can try the release first: one that can't be loaded answers 500 until it is put back"
            )
        if not self.uwsgi.board:
            self.voice.warn(
                "notice: none. A worker counts as ready when it accepts and has an app; nobody asks it whether it is well, nor "
                "which release it runs (without lazy-apps, and with chdir and a relative module, it is the old one). One that can't "
                "load its app answers 500 until it is ended, and with need-app it ends uWSGI"
            )
            self.warn_of_old_folders(workers)
        if len(workers) == 1 and not self.spare:
            self.voice.warn("there is one worker, and no spare: nobody serves while it boots; requests wait in the socket's queue")

    def warn_of_old_folders(self, workers):
        if not self.old_release:
            return
        with contextlib.suppress(OSError):
            if is_within(os.readlink(f"/proc/{workers[0].pid}/cwd"), self.old_release):
                self.voice.warn(f"workers work in {self.old_release}, the folder behind the link: a relative module stays the old one")

    # What is seen.

    def is_new(self, worker):
        if worker.id in self.before:
            return False
        # uWSGI loaded anew has a new board, and workers that began before this could write there.
        return not self.uwsgi.board or self.reloaded or worker.entry.get("nonce") == self.nonce

    def look(self):
        """The workers now. Raises Broken for a new one that can't serve."""
        if not self.uwsgi.runs():
            raise Broken(MASTER_ENDED)
        self.go_on_announcing()
        workers = self.uwsgi.look()
        self.follow_count()
        known, self.known = self.known, {worker.id: worker for worker in workers}
        for worker in workers:
            self.say_change(known.get(worker.id), worker)
            self.judge(worker)
        for gone in known.values():
            if gone.id not in self.known:
                self.judge_gone(gone)
        self.leaving = {key: since for key, since in self.leaving.items() if key in self.known}
        now = time.monotonic()
        self.ready_since = {worker.id: self.ready_since.get(worker.id, now) for worker in workers if worker.ready}
        self.judge_pace(known)
        return workers

    def follow_count(self):
        """Without a spare it is for uWSGI to say how many there are: its cheaper may change that at any time."""
        if not self.spare:
            self.count = self.wanted = self.uwsgi.wanted

    def judge_pace(self, known):
        """Boots and last requests have limits of their own; this is for a master that does not do what it is told."""
        if {(key, one.state) for key, one in known.items()} != {(key, one.state) for key, one in self.known.items()}:
            self.moved = time.monotonic()
        limit = REACTS_WITHIN
        if self.leaving or self.chaining or self.wanted < len(self.known):
            limit += self.drain_within
        if self.chaining or not self.known or not all(worker.ready for worker in self.known.values()):
            limit += self.options.boot_within
        if time.monotonic() - self.moved > limit:
            old = [worker for worker in self.known.values() if worker.id in self.before]
            where = f": the chain is stuck at worker {old[0].place}, and can't be stopped" if self.chaining and old else ""
            raise Broken(f"nothing has changed for {limit:.0f} s; there are {len(self.known)} workers{where}")

    def stuck(self, worker):
        return f"; the chain is stuck at worker {worker.place}, and can't be stopped" if self.chaining else ""

    def judge(self, worker):
        if not self.is_new(worker):
            return
        if worker.state == "failed":
            error = worker.entry.get("error", "") or "it accepts, but has no app, so that it answers 500; see the log of uWSGI"
            raise Broken(f"worker {worker.place} ({worker.pid}) can't serve{self.stuck(worker)}", error)
        if worker.ready and not is_within(worker.release, self.expected):
            raise Broken(
                f"worker {worker.place} ({worker.pid}) is new and runs {worker.release}, not {self.expected}: it does not follow the link. "
                "uWSGI must be given the link's path (UWSGI_ROTA_APP, pythonpath or chdir), not be started in the folder behind the link"
            )
        booting = seconds_since(worker.ticks)
        if not worker.ready and booting > self.options.boot_within:
            raise Broken(f"worker {worker.place} ({worker.pid}) is not ready {booting:.0f} s after its start{self.stuck(worker)}")

    def judge_gone(self, worker):
        if not worker.ready and worker.id not in self.before and worker.id not in self.leaving:
            error = self.uwsgi.error_of(worker)
            reason = f"worker {worker.place} ({worker.pid}) ended while it booted{'' if error else '; see the log of uWSGI'}"
            raise Broken(f"{reason}{self.stuck(worker)}", error)
        self.voice.say("worker", f"worker {worker.place} ({worker.pid}) has ended", pid=worker.pid, state="gone")

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
            f"worker {worker.place} ({worker.pid}) {worker.state} {since:.1f} s after its start{runs}",
            pid=worker.pid,
            state=worker.state,
            since=round(since, 2),
            new=self.is_new(worker),
            **values,
        )

    # Forward.

    def announce(self, enforce=True, until=None):
        """Tells new workers that a roll is on. After the switch of the release: from here on new means new code."""
        if not self.uwsgi.board:
            return
        self.told_until = until or time.monotonic() + self.options.boot_within + 60
        roll = {"nonce": self.nonce, "count": self.count, "until": self.told_until, "enforce": enforce}
        self.uwsgi.board.change(roll={**roll, "status_path": self.options.status_path})

    def go_on_announcing(self):
        """It is forgotten by itself, so that a roll that was killed does not rule for ever."""
        if self.told_until and not self.reloaded and self.told_until - time.monotonic() < self.options.boot_within + 30:
            self.announce(self.uwsgi.board.read().get("roll", {}).get("enforce", True))

    def forward(self):
        """One after the other, by HUP; each step is found anew in what runs."""
        self.announce()
        while True:
            workers = self.look()
            stale = [worker for worker in workers if not self.is_new(worker)]
            if self.is_settled(workers):
                if len(workers) == self.count and (self.stopping or not stale):
                    return self.is_over(stale)
                self.step(workers, stale)
            self.judge_leaving()
            time.sleep(POLL)

    def is_over(self, stale):
        if stale:
            raise Stopped

    def is_settled(self, workers):
        """Whether what was told is done. One that was ill before is nobody to wait for."""
        done = all(worker.ready or worker.id in self.before for worker in workers)
        return done and not self.leaving and len(workers) == self.wanted == self.uwsgi.wanted

    def step(self, workers, stale):
        ill = [worker for worker in stale if not worker.ready]
        if ill:
            self.uwsgi.kill(ill[0].pid, signal.SIGKILL)  # it serves nothing; since an earlier roll perhaps
            self.leaving[ill[0].id] = time.monotonic()
        elif self.spare and stale and not self.stopping and len(workers) <= self.count:
            self.change_by("+", 1)
        elif len(workers) > self.count and (len(stale) <= 1 or self.stopping):
            # uWSGI takes the oldest of those that are idle.
            if not any(worker.busy for worker in stale):
                self.change_by("-", -1)
            elif time.monotonic() - self.moved > IDLE_WITHIN:
                self.hup(stale[0])
        elif not self.stopping:
            self.hup(stale[0])

    def change_by(self, letter, step):
        self.uwsgi.tell(letter)
        self.wanted += step
        self.moved = time.monotonic()

    def hup(self, worker):
        self.leaving[worker.id] = self.moved = time.monotonic()
        text = f"worker {worker.place} ({worker.pid}) is told to end"
        self.voice.say("worker", text, pid=worker.pid, state="leaving")
        self.uwsgi.kill(worker.pid, signal.SIGHUP)

    def judge_leaving(self):
        for key, since in self.leaving.items():
            if time.monotonic() - since > self.drain_within:
                worker = self.known[key]
                raise Broken(
                    f"worker {worker.place} ({worker.pid}) still has requests {self.drain_within:g} s after it was told to end"
                )

    def chain(self):
        """By uWSGI's own chain reload, from the first place to the last."""
        self.announce()
        if self.options.touch:
            # uWSGI sees whole seconds.
            later = max(time.time(), os.stat(self.options.touch).st_mtime + 1)
            os.utime(self.options.touch, (later, later))
        else:
            self.uwsgi.tell("c")
        self.chaining, self.moved = True, time.monotonic()
        self.until_all_new()
        self.chaining = False

    def until_all_new(self):
        while True:
            workers = self.look()
            if workers and all(worker.ready and self.is_new(worker) for worker in workers):
                if len(workers) == self.count:
                    return
            time.sleep(POLL)

    def reload(self):
        """As a whole. One worker loads the release first, so that one that can't be loaded takes nothing over."""
        if self.uwsgi.about().get("lazy"):
            self.announce()
            self.look()
            self.hup(next(iter(self.known.values())))
            while not self.is_settled(self.look()):
                self.judge_leaving()
                time.sleep(POLL)
        self.reload_all()
        self.until_all_new()

    def reload_all(self):
        workers = self.uwsgi.look()
        self.before |= {worker.id for worker in workers}
        self.leaving = {worker.id: time.monotonic() for worker in workers}
        if self.uwsgi.board:
            self.uwsgi.board.change(roll=None)
        self.uwsgi.tell("r")
        given_up = time.monotonic() + self.drain_within + REACTS_WITHIN
        while any(stat_of(pid) for pid, _ in self.before):
            if time.monotonic() > given_up:
                raise Broken("uWSGI does not end its workers to load anew")
            time.sleep(POLL)
        self.known, self.leaving, self.reloaded, self.uwsgi.seen = {}, {}, True, []
        self.moved = time.monotonic()
        self.find_new_board(given_up + self.options.boot_within)

    def find_new_board(self, given_up):
        """It comes with the program that is loaded anew; until then the old one is there, and tells of what was."""
        old = self.uwsgi.board
        while old:
            try:
                self.uwsgi.ask()
                self.uwsgi.board = self.uwsgi.find_board()
                if self.uwsgi.board.number != old.number:
                    return
                error = "it still ends"
            except (Silent, Refused, OSError) as silent:
                error = silent
            if not self.uwsgi.runs():
                raise Broken(MASTER_ENDED)
            if time.monotonic() > given_up:
                raise Broken(f"uWSGI has not come back: {error}")
            time.sleep(POLL)

    def verify(self, is_good):
        """Every worker is good, as many as before, and for a while already; recycled ones are waited for."""
        given_up = time.monotonic() + self.options.boot_within + 10
        while True:
            workers = self.look()
            if len(workers) == self.count and all(is_good(worker) for worker in workers):
                if time.monotonic() - max(self.ready_since.values()) >= STAYS_FOR:
                    return
            if time.monotonic() > given_up:
                raise Broken("the workers do not stay: some end again and again; see the log of uWSGI")
            time.sleep(POLL)

    # Back.

    def restore(self):
        """Puts the old release back, alone. True when it serves so."""
        self.voice.say("restore", f"putting {self.link} back to {self.old}", link=self.link, release=self.old)
        point(self.link, self.old)
        if not self.uwsgi.runs():
            return False
        self.nonce = secrets.token_hex(8)
        self.expected = None
        self.leaving = {key: time.monotonic() for key in self.leaving}
        chaining, self.chaining = self.chaining, False
        # It served before; whether it is well now is told, and decides nothing.
        self.announce(enforce=False)
        if self.reloaded:
            self.reload_all()
            self.until_all_new()
        else:
            self.put_back(chaining)
        self.verify(lambda worker: worker.ready and worker.id not in self.renewed and self.may_be_old(worker))
        return self.old_is_well()

    def put_back(self, chaining):
        workers = self.uwsgi.look()
        self.renewed = {worker.id for worker in workers if worker.ready and self.is_renewed(worker)}
        # What ends from now on is no fault: the next in its place has the old release.
        old, self.before = self.before, self.before | {worker.id for worker in workers}
        self.known = {worker.id: worker for worker in workers}
        for worker in workers:
            if not worker.ready:
                self.uwsgi.kill(worker.pid, signal.SIGKILL)  # it serves nothing
                self.leaving[worker.id] = self.moved = time.monotonic()
        if chaining:
            self.until_chain_ends(old)
        while True:
            workers = self.look()
            bad = [worker for worker in workers if worker.id in self.renewed]
            if self.is_settled(workers):
                if bad:
                    self.hup(bad[0])
                elif len(workers) > self.count:
                    self.change_by("-", -1)
                else:
                    return
            self.judge_leaving()
            time.sleep(POLL)

    def until_chain_ends(self, old):
        """It goes on by itself, with the old release; to act beside it would take another worker away."""
        ended = time.monotonic()
        self.chaining = True
        while time.monotonic() - ended < CHAIN_ENDS:
            workers = self.look()
            if any(worker.id in old or not worker.ready for worker in workers) or len(workers) < self.count:
                ended = time.monotonic()
            time.sleep(POLL)
        self.chaining = False

    def is_renewed(self, worker):
        return not self.may_be_old(worker) if self.uwsgi.board else worker.id not in self.before

    def may_be_old(self, worker):
        return not self.uwsgi.board or is_within(worker.release, self.old_release)

    def old_is_well(self):
        sick = [worker for worker in self.uwsgi.look() if worker.entry.get("status", 200) != 200]
        for worker in sick:
            self.voice.warn(f"worker {worker.place} of the old release answers {worker.entry['status']} to the status question")
        return not sick

    # All of it.

    def run(self):
        self.prepare()
        try:
            {"workers": self.forward, "chain": self.chain, "reload": self.reload}[self.options.how]()
            self.verify(lambda worker: worker.ready and self.is_new(worker))
        except Stopped:
            return self.end(EXIT_BROKEN, "stopped by a signal, between two workers; run it again to go on")
        except (Broken, OSError) as broken:
            return self.broken(broken if isinstance(broken, Broken) else Broken(str(broken)))
        return self.end(EXIT_DONE, f"done: all {self.count} workers are new{self.running_what()}")

    def left(self):
        try:
            return self.uwsgi.look() if self.uwsgi.runs() else []
        except Broken:
            return []  # it ends just now

    def running_what(self):
        releases = {worker.release for worker in self.left() if worker.release}
        return f" and run {', '.join(sorted(releases))}" if releases else ""

    def broken(self, broken):
        self.voice.say("broken", f"BROKEN: {broken.reason}", reason=broken.reason, error=broken.error)
        if not self.voice.as_json and broken.error:
            self.voice.print("\n".join(f"           {line}" for line in broken.error.strip().splitlines()))
        if not self.link:
            text = "put the old release back and run this again" if self.uwsgi.runs() else "start uWSGI again"
            return self.end(EXIT_BROKEN, f"BROKEN, and left as it is: {text}", keeps=True)
        try:
            if self.restore():
                return self.end(EXIT_RESTORED, f"BROKEN: {broken.reason}; {self.old} alone serves again")
            text = "the old release is not well" if self.uwsgi.runs() else "uWSGI does not run; the link is back"
        except (Broken, OSError) as error:
            text = str(error)
        return self.end(EXIT_BROKEN, f"BROKEN, and not put back: {text}", keeps=True)

    def end(self, code, text, keeps=False):
        """Leaves nothing but, where it broke, the rule that workers must be well: they would serve when started again."""
        workers = self.left()
        if self.uwsgi.board and self.uwsgi.runs():
            if keeps:
                self.announce(until=time.monotonic() + 10 * 365 * 86400)
            else:
                self.uwsgi.board.change(roll=None)
        if code != EXIT_DONE:
            for worker in workers:
                self.voice.say("left", left_as(worker), pid=worker.pid, state=worker.state, release=worker.release)
        self.voice.say("end", text, exit=code, workers=[worker.pid for worker in workers])
        return code


def left_as(worker):
    return f"left: worker {worker.place} ({worker.pid}) {worker.state}, runs {worker.release or 'an unknown release'}"


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
    if options.master:
        return print_master(options)
    try:
        uwsgi = Uwsgi(options)
        if options.status:
            return show(uwsgi, voice)
        with only_one_of(uwsgi):
            roll = Roll(uwsgi, options, voice)
            stop_on_signals(roll)
            return roll.run()
    except PermissionError as error:
        return refuse(voice, f"this needs the rights of uWSGI's user, or root's where uWSGI has uid =: {error}")
    except (Refused, Broken) as refused:
        return refuse(voice, str(refused))
    except Busy as busy:
        voice.say("end", f"busy: {busy}; nothing was touched", exit=EXIT_BUSY)
        return EXIT_BUSY


def print_master(options):
    """Nothing where there is none."""
    try:
        uwsgi = Uwsgi(options)
    except Refused:
        return EXIT_REFUSED
    except PermissionError as error:
        sys.exit(f"this needs the rights of uWSGI's user, or root's where uWSGI has uid =: {error}")
    print(uwsgi.pid, uwsgi.ticks)
    return EXIT_DONE


def refuse(voice, text):
    voice.say("end", f"refused: {text}; nothing was touched", exit=EXIT_REFUSED)
    return EXIT_REFUSED


def show(uwsgi, voice):
    for worker in uwsgi.look():
        voice.say("left", left_as(worker).removeprefix("left: "), pid=worker.pid, state=worker.state, release=worker.release)
    return EXIT_DONE


@contextlib.contextmanager
def only_one_of(uwsgi):
    """Held as long as this process lives, on the master's own folder in /proc: nothing is left behind."""
    folder = os.open(f"/proc/{uwsgi.pid}", os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        raise Busy(f"another roll of uWSGI {uwsgi.pid} is under way") from None
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


def parse(words):
    parser = argparse.ArgumentParser(
        prog="roll.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--stats", required=True, metavar="SOCKET", help="uWSGI's stats: a path, or HOST:PORT")
    add("--how", choices=("workers", "chain", "reload"), default="workers", help="see above; workers")
    add("--fifo", metavar="PATH", help="uWSGI's master-fifo; for chain, reload and a spare worker")
    add("--touch", metavar="PATH", help="uWSGI's touch-chain-reload; for chain, instead of --fifo")
    add("--spare", action="store_true", help="refuse where no place is free for a spare worker; one that is free is used anyway")
    add("--boot-within", type=float, default=120.0, metavar="SECONDS", help="for a worker, from its start; 120")
    add("--drain-within", type=float, metavar="SECONDS", help="for a worker's last requests; uWSGI's worker-reload-mercy + 5")
    add("--expect-release", metavar="DIR", help="what new workers must run; else where the link of --rollback-link leads")
    add("--rollback-link", type=link_and_old, metavar="LINK=OLD", help="when BROKEN, LINK is pointed at OLD, and OLD alone serves")
    add("--status-path", metavar="PATH", help="what is asked in a worker, instead of what the guard was told")
    add("--notice", choices=("state", "none"), default="state", help="what a worker tells: by the guard, or nothing; state")
    add("--json", action="store_true", help="one JSON object a line")
    add("--status", action="store_true", help="only show the workers and what they run")
    add("--master", action="store_true", help="only print the master's pid, and when it started")
    try:
        options = parser.parse_args(words)
        complete(options, parser)
    except SystemExit as end:
        sys.exit(EXIT_REFUSED if end.code else 0)
    return options


def complete(options, parser):
    if options.touch and options.how != "chain":
        parser.error("--touch is for --how chain")
    if options.how == "chain" and not (options.fifo or options.touch):
        parser.error("--how chain needs --fifo, or --touch")
    if options.how == "reload" and not options.fifo:
        parser.error("--how reload needs --fifo")
    if options.spare and (options.how != "workers" or not options.fifo):
        parser.error("--spare is for --how workers, and needs --fifo")
    if options.touch and not os.path.isfile(options.touch):
        parser.error(f"{options.touch} is no file: uWSGI watches only one that is there")
    if options.master:
        options.notice = "none"


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

"""uwsgi_rota: lets uWSGI's workers be replaced one by one, each proven before the next.

Printed by `rota hooks uwsgi > uwsgi_rota.py`. Python >= 3.9 on Linux, uWSGI >= 2.0.20; needs no package. With it
  - a new worker asks the app's own /_status, inside the worker and before it takes any request, and tells the answer;
  - a worker whose app does not load waits aside, instead of answering 500 or ending uWSGI, while another worker serves;
  - every worker tells which release it runs: the folder, links followed, that its app was found in;
  - `chdir` is gone through again by each worker, so that it follows a link in it.
`python3 roll.py --stats ...` (printed by `rota hooks uwsgi-roll`) or rota does the rolling, and reads what the workers tell.

To install it, in uWSGI's configuration, in place of your own wsgi-file or module; then restart uWSGI once:
  shared-import = /etc/uwsgi_rota.py              ; once, in the master: here workers tell their state
  wsgi-file = /etc/uwsgi_rota.py                  ; in each worker: loads your app, and proves it
  env = UWSGI_ROTA_APP=/srv/app/current/wsgi.py   ; your app: a file, or package.module; :name where it is not `application`
  lazy-apps = true                                ; each worker loads the app itself: without that, only what is running can run
  master = true
  stats = /run/app.stats.sock
  master-fifo = /run/app.fifo                     ; for how: chain, how: reload, and a spare worker

Settings, from the environment of uWSGI (env = ...):
  UWSGI_ROTA_APP            what is loaded
  UWSGI_ROTA_STATUS         the path that is asked, /_status; empty: nothing is asked
  UWSGI_ROTA_HOST           the Host header, localhost (Django's ALLOWED_HOSTS must have it)
  UWSGI_ROTA_SCHEME         http, or https for an app that redirects
  UWSGI_ROTA_STATUS_WITHIN  seconds that the answer may take, 5
  UWSGI_ROTA_ENFORCE        roll: an answer other than 200 keeps a worker from serving only while a roll is on (so the
                            app starts while, say, its database is down); always: whenever another worker serves
  UWSGI_ROTA_PARK           seconds that a worker that can't serve waits aside, 60; then uWSGI tries another one

How they tell: the master holds one unlinked temporary file, the board, which its workers inherit and roll.py finds in
/proc/PID/fd. Nothing is left behind on the disk, and nobody else can write there but the app's user and root.
"""

import fcntl
import importlib
import importlib.machinery
import importlib.util
import json
import os
import re
import signal
import sys
import tempfile
import time
import traceback
from wsgiref.util import setup_testing_defaults

EXIT_PARKED = 75  # any but those that uWSGI gives a meaning
ERROR_LIMIT = 4000  # characters of a traceback, its end
ANSWER_LIMIT = 64 * 1024  # bytes that are read of the answer
FAILED_KEPT = 60.0  # seconds that the error of a worker that ended stays on the board


def log(text):
    print(f"uwsgi_rota: {text}", file=sys.stderr, flush=True)


# The board.


class Board:
    """One JSON object that the master, its workers and roll.py read and change: {master, workers: {pid: ...}, roll}."""

    def __init__(self):
        self.fd, path = tempfile.mkstemp(prefix="rota-board-")
        os.unlink(path)

    def read(self):
        try:
            return json.loads(os.pread(self.fd, os.fstat(self.fd).st_size, 0) or b"{}")
        except ValueError:
            return {}  # somebody was killed while writing

    def change(self, edit):
        self.lock()
        try:
            page = self.read()
            edit(page)
            data = json.dumps(page).encode()
            os.pwrite(self.fd, data, 0)
            os.ftruncate(self.fd, len(data))
        finally:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)

    def lock(self):
        given_up = time.monotonic() + 1
        while True:
            try:
                return fcntl.lockf(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > given_up:
                    return None  # whoever holds it is frozen: a boot must not hang on that
                time.sleep(0.005)


def start_ticks(pid):
    """When the process started, in ticks since the machine did; None when it has ended. With the pid it is unique."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def option(name):
    """As uWSGI was given it; None without."""
    value = uwsgi.opt.get(name)
    if isinstance(value, list):
        value = value[-1]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def begin_board():
    """In the master, before it has workers."""
    board = Board()
    about = {
        "lazy": True,
        "spare": option("cheaper-algo") == "manual",
        "mercy": int(option("worker-reload-mercy") or option("reload-mercy") or 60),
    }
    board.change(lambda page: page.update(master=about))
    uwsgi.rota_board = board


# One worker's boot.


class NotWell(Exception):
    """The app answered, but not as it must."""


class TimedOut(BaseException):  # an app's `except Exception` must not catch it
    pass


class Watch:
    """Follows one worker from its start to the moment when it may serve, and tells the board."""

    def __init__(self, board):
        self.board = board
        self.pid, self.ticks = os.getpid(), start_ticks("self")
        self.began = time.monotonic()
        self.roll = self.roll_now()
        self.entry = {"ticks": self.ticks, "nonce": (self.roll or {}).get("nonce")}

    def load(self):
        """The app. Raises where it can't be loaded and nobody else serves; waits aside, and never returns, where somebody does."""
        try:
            self.say("booting", preloaded=uwsgi.worker_id() == 0)
            follow_chdir()
            place, name = app_to_load()
            self.entry["release"] = release_before(place)
            app = load_app(place, name)
            self.entry["release"] = self.entry["release"] or release_of(app)
            self.prove(app)
        except BaseException as error:
            self.fail(error)
            raise
        self.say("ready", seconds=round(time.monotonic() - self.began, 3))
        return app

    def say(self, state, **more):
        self.entry.update(state=state, at=time.monotonic(), **more)

        def edit(page):
            workers = {pid: entry for pid, entry in page.get("workers", {}).items() if is_news(pid, entry)}
            page["workers"] = {**workers, str(self.pid): self.entry}
            if self.entry["preloaded"]:
                page["master"]["lazy"] = False

        if self.board:
            try:
                self.board.change(edit)
            except OSError as error:
                log(f"the board can't be written: {error}")

    def roll_now(self):
        """What roll.py wants of new workers, while it is at work."""
        roll = self.board.read().get("roll") if self.board else None
        return roll if roll and roll.get("until", 0) > time.monotonic() else None

    def prove(self, app):
        """Asks the app how it is. Raises where the answer must keep the worker from serving."""
        path = (self.roll or {}).get("status_path") or os.environ.get("UWSGI_ROTA_STATUS", "/_status")
        if not path:
            return
        enforced = (self.roll or {}).get("enforce") or os.environ.get("UWSGI_ROTA_ENFORCE") == "always" and self.is_needed()
        try:
            self.entry["status"], answer = ask(app, path)
            if self.entry["status"] != 200:
                raise NotWell(f"{path} answers {self.entry['status']} in the worker: {answer[:500]}")
        except (Exception, TimedOut, SystemExit) as error:
            if not isinstance(error, NotWell):
                self.entry["status"] = 0
            if enforced and isinstance(error, TimedOut):
                raise NotWell(str(error)) from None
            if enforced:
                raise
            log(f"{self.pid} is not well, and serves: {error}")

    def fail(self, error):
        """Tells why, and waits aside where others serve. Returns where nobody does: then uWSGI goes its own way."""
        text = str(error) if isinstance(error, NotWell) else traceback.format_exc()[-ERROR_LIMIT:]
        log(f"worker {uwsgi.worker_id()} can't serve: {text}")
        self.say("failed", error=text)
        if not self.is_needed():
            return
        given_up = time.monotonic() + float(os.environ.get("UWSGI_ROTA_PARK", "60"))
        # uWSGI's own signals end it at any time.
        while time.monotonic() < given_up and self.is_needed():
            time.sleep(0.2)
        os._exit(EXIT_PARKED)

    def is_needed(self):
        """Whether this worker must keep aside: roll.py wants it, or somebody serves."""
        return bool(self.roll_now()) or self.others_serve()

    def others_serve(self):
        workers = self.board.read().get("workers", {}) if self.board else {}
        return any(
            entry.get("state") == "ready" and pid != str(self.pid) and start_ticks(pid) == entry["ticks"]
            for pid, entry in workers.items()
        )


def is_news(pid, entry):
    if start_ticks(pid) == entry.get("ticks"):
        return True
    return entry.get("state") == "failed" and time.monotonic() - entry.get("at", 0) < FAILED_KEPT


# The app, and which release it is. A path through a link that is followed later names a release that does not run.


def follow_chdir():
    """Through the link, which may have moved since the master started."""
    importlib.invalidate_caches()
    folder = option("chdir") or ""
    if os.path.isabs(folder) and not option("chdir2"):
        try:
            os.chdir(folder)
        except OSError as error:
            log(f"chdir {folder}: {error}")


def app_to_load():
    """A module, or a file, links in its path followed once and for all; and the app's name in it."""
    place, _, name = os.environ.get("UWSGI_ROTA_APP", "").partition(":")
    if not place:
        raise NotWell("env = UWSGI_ROTA_APP=... is missing in uWSGI's configuration: it names the app's file or module")
    return os.path.realpath(place) if is_file(place) else place, name or "application"


def is_file(place):
    return "/" in place or place.endswith((".py", ".wsgi"))


def release_before(place):
    """The folder that the app will be found in, links followed; None where that can't be said yet."""
    if is_file(place):
        return os.path.dirname(place)
    try:
        found = importlib.util.find_spec(place.split(".")[0])
        folder = os.path.dirname(os.path.realpath(found.origin))
        return os.path.dirname(folder) if found.submodule_search_locations else folder
    except Exception:
        return None


def release_of(app):
    module = sys.modules.get(getattr(app, "__module__", None) or "")
    path = getattr(module, "__file__", None)
    return os.path.dirname(os.path.realpath(path)) if path else None


def load_app(place, name):
    app = load_file(place) if is_file(place) else importlib.import_module(place)
    for part in name.removesuffix("()").split("."):
        app = getattr(app, part)
    return app() if name.endswith("()") else app


def load_file(path):
    if os.path.dirname(path) not in sys.path:
        sys.path.insert(0, os.path.dirname(path))
    name = f"uwsgi_file_{re.sub('[^A-Za-z0-9]', '_', path)}"
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    sys.modules[name] = module
    loader.exec_module(module)
    return module


# Asking the app.


def ask(app, path):
    """The status and the beginning of the answer. Raises whatever the app does, and TimedOut."""
    seconds = float(os.environ.get("UWSGI_ROTA_STATUS_WITHIN", "5"))
    with time_limit(seconds, f"{path} did not answer within {seconds:g} s in the worker"):
        return ask_wsgi(app, path)


def ask_wsgi(app, path):
    told = {}

    def start_response(status, headers, exc_info=None):
        told["status"] = int(status.split()[0])
        return parts.append  # the old way to answer

    parts = []
    result = app(environ_of(path), start_response)
    try:
        for part in result:  # only now do generators start
            parts.append(part)
            if sum(map(len, parts)) > ANSWER_LIMIT:
                break
    finally:
        if hasattr(result, "close"):
            result.close()
    return told["status"], b"".join(parts).decode("utf-8", "replace")


def environ_of(path):
    path, _, query = path.partition("?")
    environ = {
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": os.environ.get("UWSGI_ROTA_HOST", "localhost"),
        "wsgi.url_scheme": os.environ.get("UWSGI_ROTA_SCHEME", "http"),
        "HTTP_X_FORWARDED_PROTO": os.environ.get("UWSGI_ROTA_SCHEME", "http"),
        "HTTP_USER_AGENT": "rota",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_URI": path,
    }
    setup_testing_defaults(environ)
    environ["SERVER_NAME"] = environ["HTTP_HOST"].partition(":")[0]
    return environ


class time_limit:
    """Raises TimedOut in what runs too long. A loop inside C code is left to roll.py's own limit."""

    def __init__(self, seconds, message):
        self.seconds, self.error = seconds, TimedOut(message)

    def __enter__(self):
        self.before = signal.signal(signal.SIGALRM, self.ring)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before or signal.SIG_DFL)

    def ring(self, sig, frame):
        raise self.error


# uWSGI runs this file twice: by shared-import, and by wsgi-file, which comes later and is for the worker.


def run():
    board = getattr(uwsgi, "rota_board", None)
    if board is None and uwsgi.worker_id() == 0:
        try:
            return begin_board()
        except Exception as error:
            return log(f"there will be no board, so no roll: {error}")
    if board is None:
        log("shared-import = (this file) is missing in uWSGI's configuration: roll.py will not see this worker")
    globals()[option("callable") or "application"] = Watch(board).load()
    return None


try:
    import uwsgi
except ImportError:
    uwsgi = None

if uwsgi:
    run()

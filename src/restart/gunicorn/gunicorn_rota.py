"""gunicorn_rota: hooks that let gunicorn's workers be replaced one by one, each proven before the next.

Printed by `rota hooks gunicorn > gunicorn_rota.py`. Python >= 3.9 on Linux, gunicorn >= 20; needs no package. With it
  - a new worker asks the app's own /_status, inside the worker and before it takes any request, and tells the answer;
  - a worker whose app does not load waits aside, instead of ending the whole gunicorn, while another worker serves;
  - every worker tells which release it runs: the folder, links followed, that its app was found in;
  - gthread and tornado workers end without cutting off clients that keep their connections.
`python3 roll.py PID` (printed by `rota hooks gunicorn-roll`) or rota does the rolling, and reads what the workers tell.

To install it, one of:
  1. No configuration file so far:         gunicorn -c /etc/gunicorn_rota.py ...
  2. One that stays as it is:              GUNICORN_ROTA_CONF=/etc/gunicorn.conf.py gunicorn -c /etc/gunicorn_rota.py ...
  3. One that can be changed, at its end:  import sys; sys.path.insert(0, "/etc"); import gunicorn_rota
                                           gunicorn_rota.install(globals())
     or, where it defines none of pre_fork, post_fork, nworkers_changed:  from gunicorn_rota import *
In 2 and 3 (install) the hooks of that file are kept: they run right after those here. Then restart gunicorn once.

Settings, from the environment of gunicorn:
  GUNICORN_ROTA_STATUS         the path that is asked, /_status; empty: nothing is asked
  GUNICORN_ROTA_HOST           the Host header, localhost (Django's ALLOWED_HOSTS must have it)
  GUNICORN_ROTA_SCHEME         http, or https for an app that redirects
  GUNICORN_ROTA_STATUS_WITHIN  seconds that the answer may take, 5
  GUNICORN_ROTA_ENFORCE        roll: an answer other than 200 keeps a worker from serving only while a roll is on (so the
                               app starts while, say, its database is down); always: at every start
  GUNICORN_ROTA_PARK           seconds that a worker that can't serve waits aside, 60; then gunicorn tries another one

How they tell: the master holds one unlinked temporary file, the board, which its workers inherit and roll.py finds in
/proc/PID/fd. Nothing is left behind on the disk, and nobody else can write there but the app's user and root.
"""

import fcntl
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from wsgiref.util import setup_testing_defaults

__all__ = ["pre_fork", "post_fork", "nworkers_changed"]

EXIT_PARKED = 75  # any but 3 and 4, which end the master
ERROR_LIMIT = 4000  # characters of a traceback, its end
ANSWER_LIMIT = 64 * 1024  # bytes that are read of the answer
FAILED_KEPT = 60.0  # seconds that the error of a worker that ended stays on the board
NO_WSGI = ("uvicorn.", "uvicorn_worker.")  # worker classes whose apps can't be asked as WSGI


# The hooks. They never raise: gunicorn would end for it.


def nworkers_changed(server, new_value, old_value):
    quietly(server, note_master, server, new_value)


def pre_fork(server, worker):
    quietly(server, board_of, server)  # before the first fork, so that all workers share it


def post_fork(server, worker):
    quietly(server, take_over, server, worker)


def install(settings):
    """Puts the hooks into a configuration file's globals(). Those that it defines itself run right after them."""
    for own in (nworkers_changed, pre_fork, post_fork):
        theirs = settings.get(own.__name__)
        settings[own.__name__] = own if theirs in (None, own) else one_after_other(own, theirs)


def one_after_other(first, second):
    # gunicorn counts a hook's arguments, so *args would be refused.
    if first is nworkers_changed:
        return lambda server, new, old: (first(server, new, old), second(server, new, old))
    return lambda server, worker: (first(server, worker), second(server, worker))


def quietly(server, act, *args):
    try:
        act(*args)
    except Exception:
        try:
            server.log.exception("gunicorn_rota: a hook failed; gunicorn goes on without it")
        except Exception:
            pass


def note_master(server, count):
    cfg = server.cfg
    about = {
        "workers": count,
        "preload": bool(cfg.preload_app),
        "timeout": cfg.timeout,
        "graceful_timeout": cfg.graceful_timeout,
        "class": cfg.worker_class_str,
        "max_requests": cfg.max_requests,
    }
    board_of(server).change(lambda page: page.update(master=about))


def take_over(server, worker):
    """In the worker, right after the fork."""
    importlib.invalidate_caches()
    try:
        os.chdir(worker.cfg.chdir)  # through the link, which may have moved since the master started
    except OSError:
        pass
    Watch(board_of(server), worker).begin()


# The board.


def board_of(server):
    if not hasattr(server, "rota_board"):
        server.rota_board = Board(server.cfg.worker_tmp_dir)
    return server.rota_board


class Board:
    """One JSON object that the master, its workers and roll.py read and change: {master, workers: {pid: ...}, roll}."""

    def __init__(self, folder=None):
        self.fd, path = tempfile.mkstemp(prefix="rota-board-", dir=folder)
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


# One worker's boot.


class NotWell(Exception):
    """The app answered, but not as it must."""


class TimedOut(BaseException):  # an app's `except Exception` must not catch it
    pass


class Watch:
    """Follows one worker from its fork to the moment when it serves, and tells the board."""

    def __init__(self, board, worker):
        self.board, self.worker = board, worker
        self.pid, self.ticks = os.getpid(), start_ticks("self")
        self.forked = time.monotonic()
        self.serving = self.leaving = False
        self.roll = self.roll_now()
        self.entry = {"ticks": self.ticks, "age": worker.age, "nonce": (self.roll or {}).get("nonce")}

    def begin(self):
        self.say("booting")
        worker = self.worker
        init_process, run = worker.init_process, worker.run
        handle_quit, handle_abort = worker.handle_quit, worker.handle_abort

        def guarded_init_process():
            try:
                self.entry["release"] = release_before(worker)
                init_process()
            except BaseException as error:
                if self.serving or self.leaving:
                    raise
                self.fail(error)
                raise

        def proven_run():
            # Told to end while it booted. tornado's run() would forget that.
            if not worker.alive:
                return
            self.prove()
            if not worker.alive:
                return
            drain = DRAINS.get(worker_kind(worker))
            if drain:
                drain(worker)
            self.serving = True
            worker.notify()
            self.say("ready", seconds=round(time.monotonic() - self.forked, 3))
            run()

        def quit_on_purpose(sig, frame):
            self.leaving = True
            handle_quit(sig, frame)

        def abort(sig, frame):
            if not self.serving:
                self.leaving = True
                error = f"the worker was still booting after gunicorn's --timeout of {worker.cfg.timeout} s"
                self.try_to(self.say, "failed", error=error)
            handle_abort(sig, frame)

        # On the object, not the class: gunicorn looks them up when it needs them, after this.
        worker.init_process, worker.run = guarded_init_process, proven_run
        worker.handle_quit, worker.handle_abort = quit_on_purpose, abort

    def say(self, state, **more):
        self.entry.update(state=state, at=time.monotonic(), **more)

        def edit(page):
            workers = {pid: entry for pid, entry in page.get("workers", {}).items() if is_news(pid, entry)}
            page["workers"] = {**workers, str(self.pid): self.entry}

        self.board.change(edit)

    def try_to(self, act, *args, **kwargs):
        try:
            return act(*args, **kwargs)
        except Exception:
            self.worker.log.exception("gunicorn_rota: %s failed", act.__name__)
            return None

    def roll_now(self):
        """What roll.py wants of new workers, while it is at work."""
        roll = self.board.read().get("roll")
        return roll if roll and roll.get("until", 0) > time.monotonic() else None

    def prove(self):
        """Asks the app how it is. Raises where the answer must keep the worker from serving."""
        self.entry["release"] = self.try_to(release_of, self.worker, self.entry.get("release"))
        roll = self.roll or {}
        path = roll.get("status_path") or os.environ.get("GUNICORN_ROTA_STATUS", "/_status")
        if not path or type(self.worker).__module__.startswith(NO_WSGI):
            return
        enforced = roll.get("enforce") or os.environ.get("GUNICORN_ROTA_ENFORCE") == "always"
        try:
            self.entry["status"], answer = ask(self.worker, path)
            if self.entry["status"] != 200:
                raise NotWell(f"{path} answers {self.entry['status']} in the worker: {answer[:500]}")
        except (Exception, TimedOut, SystemExit) as error:
            if not isinstance(error, NotWell):
                self.entry["status"] = 0
            if enforced and isinstance(error, TimedOut):
                raise NotWell(str(error)) from None
            if enforced:
                raise
            self.worker.log.warning("gunicorn_rota: %s is not well, and serves: %s", self.pid, error)

    def fail(self, error):
        """Tells why, and waits aside where others serve. Returns where nobody does: then gunicorn may as well end."""
        text = str(error) if isinstance(error, NotWell) else traceback.format_exc()[-ERROR_LIMIT:]
        self.worker.log.error("gunicorn_rota: this worker can't serve: %s", text)
        self.try_to(self.say, "failed", error=text)
        try:
            if self.others_serve():
                self.park()
        finally:
            if not self.worker.alive:
                os._exit(EXIT_PARKED)

    def park(self):
        given_up = time.monotonic() + float(os.environ.get("GUNICORN_ROTA_PARK", "60"))
        try:
            while self.worker.alive and time.monotonic() < given_up and self.is_needed():
                self.worker.notify()
                time.sleep(0.2)
        finally:
            if self.is_needed():
                os._exit(EXIT_PARKED)

    def is_needed(self):
        """Whether to keep the master from ending: roll.py wants it, or somebody serves."""
        return bool(self.roll_now()) or self.others_serve()

    def others_serve(self):
        workers = self.board.read().get("workers", {})
        return any(
            entry.get("state") == "ready" and pid != str(self.pid) and start_ticks(pid) == entry["ticks"]
            for pid, entry in workers.items()
        )


def is_news(pid, entry):
    if start_ticks(pid) == entry.get("ticks"):
        return True
    return entry.get("state") == "failed" and time.monotonic() - entry.get("at", 0) < FAILED_KEPT


# Which release it is. A path through a link that is followed later names a release that does not run.


def release_before(worker):
    """The folder that the app will be found in, links followed; None where that can't be said yet."""
    try:
        spec = importlib.util.find_spec(module_of(worker).split(".")[0])
        return folder_of(spec.origin, bool(spec.submodule_search_locations))
    except Exception:
        return None


def release_of(worker, before):
    if before:
        return before
    module = sys.modules.get(getattr(worker.wsgi, "__module__", None) or "")
    top = sys.modules.get(module.__name__.split(".")[0]) if module else None
    if getattr(top, "__file__", None):
        return folder_of(top.__file__, hasattr(top, "__path__"))
    return os.path.realpath(worker.cfg.chdir)


def module_of(worker):
    return (getattr(worker.app, "app_uri", None) or "").partition(":")[0]


def folder_of(path, is_package):
    folder = os.path.dirname(os.path.realpath(path))
    return os.path.dirname(folder) if is_package else folder


# Asking the app.


def ask(worker, path):
    """The status and the beginning of the answer. Raises whatever the app does, and TimedOut."""
    seconds = float(os.environ.get("GUNICORN_ROTA_STATUS_WITHIN", "5"))
    if is_tornado_app(worker.wsgi):
        return ask_tornado(worker.wsgi, path, seconds)
    with time_limit(worker, seconds, f"{path} did not answer within {seconds:g} s in the worker"):
        return ask_wsgi(worker.wsgi, path)


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
        "HTTP_HOST": os.environ.get("GUNICORN_ROTA_HOST", "localhost"),
        "wsgi.url_scheme": os.environ.get("GUNICORN_ROTA_SCHEME", "http"),
        "HTTP_X_FORWARDED_PROTO": os.environ.get("GUNICORN_ROTA_SCHEME", "http"),
        "HTTP_USER_AGENT": "rota",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "0",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "RAW_URI": path,
    }
    setup_testing_defaults(environ)
    environ["SERVER_NAME"] = environ["HTTP_HOST"].partition(":")[0]
    return environ


class time_limit:
    """Raises TimedOut in what runs too long. A loop inside C code is left to roll.py's own limit."""

    def __init__(self, worker, seconds, message):
        self.seconds, self.error, self.timeout = seconds, TimedOut(message), None
        if worker_kind(worker) == "gevent":
            import gevent  # waiting greenlets hear no alarm

            self.timeout = gevent.Timeout(seconds, self.error)

    def __enter__(self):
        if self.timeout:
            return self.timeout.start()
        self.before = signal.signal(signal.SIGALRM, self.ring)
        return signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_):
        if self.timeout:
            return self.timeout.close()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)
        return None

    def ring(self, sig, frame):
        raise self.error


def is_tornado_app(app):
    web = sys.modules.get("tornado.web")
    return bool(web) and isinstance(app, web.Application)


def ask_tornado(app, path, seconds):
    """Over a socket of its own: such an app answers nothing but HTTP, and in the loop."""
    from tornado import httpclient, httpserver, ioloop, netutil

    sockets = netutil.bind_sockets(0, "127.0.0.1")
    server = httpserver.HTTPServer(app)
    server.add_sockets(sockets)
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}{path}"
    headers = {"Host": os.environ.get("GUNICORN_ROTA_HOST", "localhost"), "Connection": "close"}

    async def fetch():
        client = httpclient.AsyncHTTPClient(force_instance=True)
        try:
            answer = await client.fetch(
                url, headers=headers, request_timeout=seconds, follow_redirects=False, raise_error=False
            )
        finally:
            client.close()
            server.stop()
        return answer.code, (answer.body or b"")[:ANSWER_LIMIT].decode("utf-8", "replace")

    return ioloop.IOLoop.current().run_sync(fetch)


# Ending without cutting off clients that keep their connections. sync never keeps one, and gevent ends well by itself.


def worker_kind(worker):
    names = [cls.__module__ for cls in type(worker).__mro__]
    for kind, module in (("gthread", "gthread"), ("tornado", "gtornado"), ("gevent", "ggevent")):
        if f"gunicorn.workers.{module}" in names:
            return kind
    return "other"


def is_first(times):
    """The master repeats TERM, at once too: one handler may begin in the middle of another, so this is one step."""
    mine = object()
    return times.setdefault("first", mine) is mine


def drain_gthread(worker):
    """On TERM: accept nothing more, answer what comes on kept connections with `Connection: close`, end when none is left."""
    if not all(hasattr(worker, name) for name in ("poller", "futures", "nr_conns", "max_keepalived", "PIPE", "sockets")):
        return
    stop_at_once, notify = worker.handle_exit, worker.notify
    times = {}  # "limit": when it must end; "quiet": since when nothing is open

    def drain(sig, frame):
        if not is_first(times):
            return
        times["limit"] = time.monotonic() + max(worker.cfg.graceful_timeout - 2, 1)
        try:
            for listener in worker.sockets:
                worker.poller.unregister(listener)
            # More are kept than may be, so each answer says that its connection is closed. `keepalive = 0` would say so too,
            # but also close at once those whose last answer, begun before, promised to keep them.
            worker.max_keepalived = 0
            select = worker.poller.select
            worker.poller.select = lambda timeout=None: select(0.05)
        except Exception:
            stop_at_once(sig, frame)

    def notify_or_end():
        notify()
        if "limit" not in times:
            return
        now = time.monotonic()
        # One entry is the pipe's.
        if len(worker.poller.get_map()) > 1 or not all(future.done() for future in list(worker.futures)):
            times.pop("quiet", None)
        # For a moment a connection is in neither, on its way from its answer to the kept ones; nr_conns has it still, but
        # several threads change that, so it may be wrong for ever.
        enough = 0.15 if worker.nr_conns <= 0 else 2
        if now - times.setdefault("quiet", now) > enough or now > times["limit"]:
            worker.alive = False

    # Signals write there; without it the loop would sleep on for a second.
    worker.poller.register(worker.PIPE[0], 1, lambda _: os.read(worker.PIPE[0], 64))
    worker.notify = notify_or_end
    worker.handle_exit = drain
    signal.signal(signal.SIGTERM, drain)
    signal.siginterrupt(signal.SIGTERM, False)


def drain_tornado(worker):
    """As for gthread. Connections that stay idle are given gunicorn's --keep-alive, then closed."""
    stop_at_once = worker.handle_exit
    times = {}

    def drain(sig, frame):
        if not is_first(times):
            return
        times["begun"] = time.monotonic()
        try:
            worker.ioloop.add_callback_from_signal(stop_accepting)
        except Exception:
            stop_at_once(sig, frame)

    def stop_accepting():
        worker.server.stop()
        worker.server.conn_params.no_keep_alive = True
        end_when_idle()

    def end_when_idle():
        passed = time.monotonic() - times["begun"]
        connections = getattr(worker.server, "_connections", ())
        is_idle = all(c.stream.reading() and not c.stream.writing() for c in connections)
        # Looks, not seconds: a request that waits is begun between two of them, but time passes in one that blocks the loop.
        times["idle"] = times.get("idle", 0) + 1 if is_idle else 0
        is_done = not connections or (times["idle"] >= 10 and passed > worker.cfg.keepalive)
        if not is_done and passed < worker.cfg.graceful_timeout - 2:
            worker.ioloop.call_later(0.05, end_when_idle)
            return
        worker.alive = False
        for callback in worker.callbacks:
            callback.stop()
        worker.ioloop.stop()

    worker.handle_exit = drain
    signal.signal(signal.SIGTERM, drain)
    signal.siginterrupt(signal.SIGTERM, False)


DRAINS = {"gthread": drain_gthread, "tornado": drain_tornado}


# Another configuration file, whose settings hold as if it had been named to gunicorn itself.


def read_other_configuration(path):
    other = {"__file__": path, "__name__": "__config__"}
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), other)
    install(other)
    mine = globals()
    mine.update({name: value for name, value in other.items() if name not in mine or name in __all__})


if __name__ == "__config__" and os.environ.get("GUNICORN_ROTA_CONF"):
    read_other_configuration(os.environ["GUNICORN_ROTA_CONF"])

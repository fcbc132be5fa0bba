"""The app of the gunicorn rolls: says which release it is, and is ill in the way that its folder's file FAULT names."""

import os
import signal
import sys
import time
from urllib.parse import parse_qs

# Taken while importing: later it would follow the switched symlink and name a release that does not run.
FOLDER = os.path.dirname(os.path.realpath(__file__))
BOOT = float(os.environ["BOOT_SECONDS"])


def read(name):
    try:
        with open(os.path.join(FOLDER, name)) as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def boots():
    """Which boot of this release this is, from 1."""
    number = 1
    while True:
        try:
            os.close(os.open(os.path.join(FOLDER, f"boot-{number}"), os.O_CREAT | os.O_EXCL))
            return number
        except FileExistsError:
            number += 1


RELEASE, FAULT = read("RELEASE"), read("FAULT")
if FAULT.startswith("third-"):
    FAULT = FAULT[len("third-") :] if boots() == 3 else ""

time.sleep(BOOT)
if FAULT == "import":
    import a_module_that_does_not_exist  # noqa: F401
elif FAULT == "exit":
    sys.exit(0)
elif FAULT == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif FAULT == "hang":
    time.sleep(3600)


def application(environ, start_response):
    if environ["PATH_INFO"] == "/_status":
        if FAULT == "status-raises":
            raise RuntimeError("the status page fell over")
        if FAULT == "status-hangs":
            time.sleep(3600)
        return answer(start_response, "500 Sick" if FAULT == "status-500" else "200 OK", f"fault {FAULT}")
    if environ["PATH_INFO"] == "/slow":
        time.sleep(float(parse_qs(environ["QUERY_STRING"])["ms"][0]) / 1000)
    return answer(start_response, "200 OK", f"release {RELEASE} on {os.getpid()}\n")


def answer(start_response, status, text):
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    yield text.encode()

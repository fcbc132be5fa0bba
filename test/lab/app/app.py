"""The app of the lab: it boots slowly, says which release it is, and falls ill when told to.

Files in the node's folder make it ill: `status-code` holds what /_status answers instead of 200, and while
`status-hang` exists /_status does not answer. The release `faulty` is well by its status, and answers one request in ten
with 500; `killing` ends its worker in the middle of one in ten.
"""

import base64
import errno
import hashlib
import json
import os
import random
import signal
import time
from urllib.parse import parse_qs

# Taken while importing: later it would follow the switched symlink and name a release that does not run.
FOLDER = os.path.dirname(os.path.realpath(__file__))
HOME = os.environ["NODE_HOME"]
NODE = os.environ["NODE_NAME"]
# Below gunicorn's --timeout of 30 s, which kills a worker that is longer at one request.
LONGEST = 25.0

with open(os.path.join(FOLDER, "RELEASE")) as file:
    RELEASE = file.read().strip()

time.sleep(float(os.environ["BOOT_SECONDS"]))
if RELEASE == "broken-import":
    raise RuntimeError("this release does not start")


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/_status":
        return answer(start_response, *status())
    if RELEASE == "faulty" and random.random() < 0.1:
        return answer(start_response, 500, "text/plain", "oops\n")
    if RELEASE == "killing" and random.random() < 0.1:
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/ws":
        return tunnel(environ)
    if path == "/slow":
        milliseconds = parse_qs(environ["QUERY_STRING"]).get("ms", ["500"])[0]
        time.sleep(min(float(milliseconds) / 1000, LONGEST))
    return answer(start_response, 200, "text/plain", f"release {RELEASE} on {NODE}\n")


def tunnel(environ):
    """A WebSocket that stays open, and gives back every byte, until its client or this process ends."""
    key = environ["HTTP_SEC_WEBSOCKET_KEY"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    head = ["HTTP/1.1 101 -", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}", "", ""]
    socket = environ["gunicorn.socket"]
    socket.sendall("\r\n".join(head).encode())
    while data := socket.recv(4096):
        socket.sendall(data)
    raise BrokenPipeError(errno.EPIPE, "there is nothing more to answer")


def status():
    given_up = time.monotonic() + LONGEST
    while os.path.exists(os.path.join(HOME, "status-hang")) and time.monotonic() < given_up:
        time.sleep(0.05)
    code = status_code()
    body = {"status": "ok" if code == 200 else "sick", "release": RELEASE, "node": NODE}
    return code, "application/json", json.dumps(body) + "\n"


def status_code():
    try:
        with open(os.path.join(HOME, "status-code")) as file:
            return int(file.read())
    except FileNotFoundError:
        return 500 if RELEASE == "sick" else 200


def answer(start_response, code, kind, text):
    body = text.encode()
    start_response(f"{code} -", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]

"""The classic hook: asks the app in the worker, and sends its status to a UDP port."""

import os
import socket
from wsgiref.util import setup_testing_defaults


def post_worker_init(worker):
    told = []
    environ = {"PATH_INFO": "/_status"}
    setup_testing_defaults(environ)
    list(worker.wsgi(environ, lambda status, headers: told.append(status)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as notice:
        notice.sendto(told[0].encode(), ("127.0.0.1", int(os.environ["NOTICE_PORT"])))

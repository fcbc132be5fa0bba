"""A site's own configuration, from before gunicorn_rota.py."""

import os

proc_name = "rolled"


def post_worker_init(worker):
    worker.log.info("the site's own hook ran")
    if os.path.exists("HOOK-RAISES"):
        raise RuntimeError("the site's own hook fell over")

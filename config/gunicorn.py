"""The web server: processes for the cores, threads for the waiting on providers and the database."""

import gc
import logging
import os
from typing import Any

from config.embedded.process import end_with
from config.garbage import collect_rarely

workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "16"))
worker_class = "gthread"
preload_app = True
timeout = 60
graceful_timeout = 10
keepalive = 15
backlog = 1024
# Requests are logged by the application, with their ids.
accesslog = None
errorlog = "-"
control_socket_disable = True
limit_request_line = 4094
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")


def when_ready(server: Any) -> None:
    """Before there are worker processes: what is there now stays, and is not looked through for cycles again."""
    gc.collect()
    gc.freeze()


def post_fork(server: Any, worker: Any) -> None:
    end_with(server.pid)


def post_worker_init(worker: Any) -> None:
    """Before this process takes its first request; the application can only be imported by now."""
    from django.db import connection  # noqa: PLC0415

    from risk.services.get_ready import get_ready  # noqa: PLC0415

    # Nobody prints which line of code and which thread a line of log came from, and to find out takes time.
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = False
    get_ready()
    connection.close()  # it belongs to this thread, which serves nobody
    collect_rarely()

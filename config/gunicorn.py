"""The web server: processes for the cores, threads for the waiting on providers and the database."""

import os

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
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")

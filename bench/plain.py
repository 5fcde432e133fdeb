"""The reference of `webhooks`: the same server and the same check of the signature, and then nothing but 204."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from payments.channels import registry  # noqa: E402 - needs settings
from payments.channels.contract import NoticeRefused  # noqa: E402


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    headers["content-type"] = environ.get("CONTENT_TYPE", "")
    try:
        registry.channel(environ["PATH_INFO"].rpartition("/")[2]).read_notice(headers, body)
        status = "204 No Content"
    except NoticeRefused:
        status = "400 Bad Request"
    start(status, [("Content-Length", "0")])
    return []

"""The language model on the other side of the wire: one question, one bounded answer, or none."""

import json
import time
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings

_LARGEST = 64 * 1024  # bytes


class Unanswered(Exception):
    """No answer that can be read. `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def configured() -> bool:
    return bool(settings.LLM["base_url"])


def name() -> str:
    """Of the model that is asked."""
    return str(settings.LLM["model"])[:80]


def ask(messages: Sequence[dict[str, str]]) -> str:
    """The model's words. Raises `Unanswered`: not reached, too slow, too long, refused, or no chat completion."""
    base, ends = settings.LLM["base_url"], time.monotonic() + settings.LLM["timeout_seconds"]
    asked = {
        "model": settings.LLM["model"],
        "messages": list(messages),
        "response_format": {"type": "json_object"},
    }
    key = settings.LLM["api_key"]
    try:
        with (
            httpx.Client(timeout=settings.LLM["timeout_seconds"], trust_env=_checked(base)) as client,
            client.stream(
                "POST",
                f"{base}/chat/completions",
                json=asked,
                headers={"Authorization": f"Bearer {key}"} if key else {},
            ) as answer,
        ):
            if not answer.is_success:
                raise Unanswered(f"status_{answer.status_code}")
            return _words(_whole(answer, ends))
    except httpx.TimeoutException as problem:
        raise Unanswered("too_slow") from problem
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
        raise Unanswered("not_reached") from problem


def _checked(base: str) -> bool:
    """Whether a proxy of the environment may stand between. Raises `Unanswered` for plain http to elsewhere."""
    parts = urlsplit(base)
    here = _is_this_machine(parts.hostname)
    if not (parts.scheme == "https" or (parts.scheme == "http" and here)):
        raise Unanswered("address_not_https")
    return not here


def _is_this_machine(host: str | None) -> bool:
    try:
        return host == "localhost" or (host is not None and ip_address(host).is_loopback)
    except ValueError:
        return False


def _whole(answer: httpx.Response, ends: float) -> bytes:
    """A server that sends a little now and then is as bad as one that sends nothing."""
    body = bytearray()
    for part in answer.iter_bytes():
        body += part
        if len(body) > _LARGEST:
            raise Unanswered("too_long")
        if time.monotonic() > ends:
            raise Unanswered("too_slow")
    return bytes(body)


def _words(body: bytes) -> str:
    try:
        told: Any = json.loads(body)
        words = told["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as problem:
        raise Unanswered("no_completion") from problem
    if not isinstance(words, str):
        raise Unanswered("no_completion")
    return words

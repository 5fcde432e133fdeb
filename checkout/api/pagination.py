"""Pages by cursor: an opaque word for "after this one", stable while rows are added."""

import base64
import binascii
import re

from rest_framework.request import Request

from checkout.api.refusals import CursorInvalid, LimitInvalid

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
_WORD = re.compile(r"[\x20-\x7e]{1,100}")


def limit_of(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise LimitInvalid(f"Choose a whole number from 1 to {MAX_LIMIT}.", param="limit")
    return int(text)


def cursor_for(word: str) -> str:
    return base64.urlsafe_b64encode(word.encode()).decode().rstrip("=")


def cursor_of(request: Request) -> str:
    """The word inside `?cursor=`, or "" on the first page."""
    cursor = request.query_params.get("cursor", "")
    if not cursor:
        return ""
    try:
        word = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, ValueError):
        word = ""
    if not _WORD.fullmatch(word):
        raise CursorInvalid("Pass `next_cursor` of the page before, unchanged.", param="cursor")
    return word

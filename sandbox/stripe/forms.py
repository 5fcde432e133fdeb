"""Form bodies with nested names (`card[number]=…`, `expand[0]=…`) and their checks."""

import hashlib
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from sandbox.stripe.errors import StripeError

_MOST_FIELDS = 500
_MAGIC = {b"%PDF-": "pdf", b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}


def decode(text: str) -> dict[str, Any]:
    """`a[b]=1&c[]=2&c[]=3` → `{"a": {"b": "1"}, "c": ["2", "3"]}`. Raises StripeError for nonsense."""
    root: dict[str, Any] = {}
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise StripeError(f"Invalid form body: {error}") from error
    for name, value in pairs:
        head, *inner = name.replace("]", "").split("[")
        _put(root, [head, *inner], value)
    decoded: dict[str, Any] = {name: _lists(value) for name, value in root.items()}
    return decoded


def _put(root: dict[str, Any], path: list[str], value: str) -> None:
    here = root
    for part in path[:-1]:
        here = here.setdefault(part or str(len(here)), {})
        if not isinstance(here, dict):
            raise StripeError(f"Invalid form body: {part} is used twice")
    last = path[-1] or str(len(here))
    here[last] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdecimal() for name in value):
        return [_lists(value[name]) for name in sorted(value, key=int)]
    return {name: _lists(inner) for name, inner in value.items()}


async def decode_multipart(request: Request) -> dict[str, Any]:
    """The form's texts; of a file the name, size and digest, and what its first bytes say that it is."""
    form = await request.form(max_files=1, max_fields=_MOST_FIELDS)
    found: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            found[name] = value
            continue
        content = await value.read()
        found[name] = {
            "name": value.filename or "blob",
            "size": str(len(content)),
            "type": next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), ""),
            "digest": hashlib.sha256(content).hexdigest(),
        }
    return found


class Params:
    """Parameters that are taken one by one; `finish` refuses what nobody took."""

    def __init__(self, given: dict[str, Any], inside: str = "") -> None:
        self._given = dict(given)
        self._inside = inside

    def _name(self, name: str) -> str:
        return f"{self._inside}[{name}]" if self._inside else name

    def text(self, name: str, default: str = "") -> str:
        value = self._given.pop(name, default)
        if not isinstance(value, str):
            raise StripeError(f"Invalid string: {self._name(name)}", param=self._name(name))
        return value

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            message = f"Missing required param: {self._name(name)}."
            raise StripeError(message, code="parameter_missing", param=self._name(name))
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str = "") -> str:
        value = self.text(name, default)
        if value and value not in allowed:
            message = f"Invalid {self._name(name)}: must be one of {', '.join(allowed)}"
            raise StripeError(message, param=self._name(name))
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        text = self.text(name, "" if default is None else str(default))
        if not text:
            message = f"Missing required param: {self._name(name)}."
            raise StripeError(message, code="parameter_missing", param=self._name(name))
        if not text.lstrip("-").isdecimal() or not text.isascii() or len(text) > 15:
            message = f"Invalid integer: {text[:40]}"
            raise StripeError(message, code="parameter_invalid_integer", param=self._name(name))
        return int(text)

    def boolean(self, name: str, default: bool = False) -> bool:
        value = self.choice(name, ("true", "false", "True", "False"), str(default))
        return value.lower() == "true"

    def table(self, name: str) -> "Params":
        return Params(self.mapping(name), self._name(name))

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._given.pop(name, None) or {}
        if not isinstance(value, dict):
            raise StripeError(f"Invalid object: {self._name(name)}", param=self._name(name))
        return value

    def listing(self, name: str) -> list[Any]:
        value = self._given.pop(name, None) or []
        if not isinstance(value, list):
            raise StripeError(f"Invalid array: {self._name(name)}", param=self._name(name))
        return value

    def metadata(self) -> dict[str, str]:
        """At most 50 texts; names up to 40 characters, values up to 500."""
        given = self.mapping("metadata")
        for name, value in given.items():
            if not isinstance(value, str) or len(name) > 40 or len(value) > 500 or len(given) > 50:
                raise StripeError(f"Invalid metadata: {name[:40]}", param="metadata")
        return given

    def finish(self) -> None:
        for name in self._given:
            message = f"Received unknown parameter: {self._name(name)}"
            raise StripeError(message, code="parameter_unknown", param=self._name(name))

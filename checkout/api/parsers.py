"""Reading a request body: JSON, of bounded size, and never with a card number in it."""

import json
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.parsers import BaseParser

from checkout.api.refusals import BodyMalformed, BodyTooLarge, CardNumberRefused

MAX_BYTES = 64 * 1024
# 13 to 19 digits that begin as the card schemes' do, alone or in groups. Not inside a longer word, an
# identifier or an international telephone number ("+86 138…").
_CANDIDATE = re.compile(r"(?<![0-9A-Za-z+_])[2-6](?:[ .-]?[0-9]){12,18}(?![0-9A-Za-z_])")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
# Doubling a digit and adding the two digits of the result.
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


class StrictJSONParser(BaseParser):
    """JSON objects only. Refuses a body that holds a card number before anything can keep or log it."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise BodyTooLarge(f"Send at most {MAX_BYTES // 1024} KiB.")
        body = _decoded(raw)
        if not isinstance(body, dict):
            raise BodyMalformed("Send a JSON object: {…}.")
        return body


def _decoded(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BodyMalformed("The body is not UTF-8.") from error
    try:
        body = _decoder.decode(text)
        refuse_card_numbers(_encoder.encode(body))  # parsed, so that escapes hide nothing
        return body
    except (ValueError, RecursionError) as error:
        raise BodyMalformed("The body is not valid JSON.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers of a repeated field may see two different values, so there must be one."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BodyMalformed("A field appears twice in one object.")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
_encoder = json.JSONEncoder(ensure_ascii=False)


def refuse_card_numbers(text: str, *, param: str | None = None) -> None:
    """Raise `CardNumberRefused` when `text` holds something that looks like a card number."""
    for candidate in _CANDIDATE.findall(_UUID.sub("", text)):
        if _is_luhn([int(character) for character in candidate if character.isdigit()]):
            raise CardNumberRefused(
                "This looks like a card number. Never send one here: let the provider's card fields turn it "
                "into a token, and send the token as `instrument`.",
                param=param,
            )


def _is_luhn(digits: list[int]) -> bool:
    tail = digits[::-1]
    return (sum(tail[::2]) + sum(_DOUBLED[digit] for digit in tail[1::2])) % 10 == 0

"""Misfortune of requests, to order or by the mix: which request meets which fault.

Kinds: `drop_before` (the connection breaks and nothing happened), `drop_after` (it happened, the answer is
lost), `reset_after` (it happened; the connection is reset in the middle of the answer), `hang_before` and
`hang_after` (no answer ever comes; it ends when the client gives up, or after `seconds`), `error_before` and
`error_after` (an error in the provider's own words instead; `status` 500, 502, 503 or 429), `garbage_after`
(an answer that makes no sense), `slow` (the right answer after `seconds`), `busy` (the work itself takes
`seconds`), `skew` (the provider's clock is `seconds` wrong in the answer's signature).

A planned fault asks for all of: `method`, `path` (its beginning, or a pattern with `*`), `channel`,
`merchant` (its id), and `match`, a text somewhere in the address or the body, as a reference. What is empty
does not narrow.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote_plus

from sandbox import chance
from sandbox.provider import Provider, World

KINDS = (
    *("drop_before", "drop_after", "reset_after", "hang_before", "hang_after"),
    *("error_before", "error_after", "garbage_after", "slow", "busy", "skew"),
)
_OF_THE_MIX = tuple(kind for kind in KINDS if kind not in ("busy", "skew"))
STATUSES = (500, 502, 503, 429)
# what a call is about, in the words of the protocols played here
_REFERENCE = re.compile(
    r"(?:out_refund_no|out_request_no|metadata\[reference\]|out_trade_no|orderId)\"?\s*[=:]\s*\"?([\w|*@-]+)"
    r"|/(?:out-trade-no|refunds(?!/re_))/([\w|*@-]+)|[/=](pi_\w+)"
)
_METHOD = re.compile(r"\bmethod=([\w.]+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as far as faults look at it. `text` is its address, credentials and body, decoded."""

    method: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Fault:
    kind: str
    seconds: float
    status: int = 500


def plan_fault(
    world: World,
    *,
    kind: str,
    method: str = "",
    path: str = "/",
    channel: str = "",
    merchant: str = "",
    match: str = "",
    seconds: float = 0.0,
    status: int = 500,
    times: int = 1,
) -> None:
    """The next `times` matching requests meet this fault. Raises ValueError for what can not be."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    if status not in STATUSES:
        raise ValueError(f"status must be one of {', '.join(map(str, STATUSES))}")
    if channel and channel not in world.providers:
        raise ValueError(f"channel must be one of {', '.join(sorted(world.providers))}")
    if merchant and not _marks(world, merchant):
        raise ValueError(f"no request can be told to be of merchant {merchant}")
    world.storage.run(
        "INSERT INTO faults (method, path, channel, merchant, match, kind, seconds, status, remaining)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *(method.upper(), path, channel, merchant, match, kind, seconds, status, times),
    )


def forget_planned(world: World) -> int:
    """Drop what was planned and has not happened: faults, twists and fates; how many there were."""
    tables = ("faults", "twists", "fates")
    return sum(world.storage.run(f"DELETE FROM {table} WHERE remaining > 0") for table in tables)  # noqa: S608


def expected(world: World) -> bool:
    """Whether any request may meet a fault now: only then their bodies are looked at."""
    if world.storage.row("SELECT 1 FROM faults WHERE remaining > 0 LIMIT 1"):
        return True
    mix = chance.mix(world)
    return bool(mix["requests"]) and not mix["off"]


def next_fault(world: World, asked: Asked) -> Fault | None:
    provider = _provider_of(world, asked.path)
    for row in world.storage.rows("SELECT * FROM faults WHERE remaining > 0 ORDER BY id"):
        if _matches(world, row, asked, provider):
            world.storage.run("UPDATE faults SET remaining = remaining - 1 WHERE id = ?", row["id"])
            chance.count(world, f"request_{row['kind']}")
            return Fault(row["kind"], row["seconds"], row["status"])
    return _drawn(world, asked, provider) if provider else None


def words_of(world: World, asked: Asked, status: int) -> Any:
    """The provider's own answer for a status, if it has one."""
    provider = _provider_of(world, asked.path)
    return provider.trouble(world, status, asked.path, asked.text) if provider else None


def _provider_of(world: World, path: str) -> Provider | None:
    """Whose API this is; pages for people are nobody's."""
    for provider in world.providers.values():
        if any(fnmatchcase(path, pattern) for pattern in provider.api_paths):
            return provider
    return None


def _matches(world: World, row: Any, asked: Asked, provider: Provider | None) -> bool:
    path_fits = (
        fnmatchcase(asked.path, row["path"]) if "*" in row["path"] else asked.path.startswith(row["path"])
    )
    return (
        row["method"] in ("", asked.method)
        and path_fits
        and (not row["channel"] or (provider is not None and provider.channel == row["channel"]))
        and (not row["match"] or row["match"] in asked.text)
        and (not row["merchant"] or any(mark in asked.text for mark in _marks(world, row["merchant"])))
    )


def _marks(world: World, merchant: str) -> list[str]:
    marks = (provider.mark(world, merchant) for provider in world.providers.values())
    return [mark for mark in marks if mark]


def _drawn(world: World, asked: Asked, provider: Provider) -> Fault | None:
    dice = chance.draw(world, "requests", provider.channel, f"{_subject(world, asked)} {_operation(asked)}")
    if dice is None:
        return None
    mix = chance.mix(world)
    kind = dice.choice(_OF_THE_MIX)
    longest = float(mix["hang_seconds"]) if kind.startswith("hang") else float(mix["seconds"]) * dice.random()
    chance.count(world, f"request_{kind}")
    return Fault(kind, longest if kind.startswith(("hang", "slow")) else 0.0, dice.choice(STATUSES))


def _subject(world: World, asked: Asked) -> str:
    """The merchant's own reference, so that another run of the same traffic has the same subject."""
    found = _REFERENCE.search(asked.text)
    if found is None:
        return ""
    named = next(name for name in found.groups() if name)
    row = world.storage.row("SELECT reference FROM payments WHERE id = ?", named)
    return str(row["reference"]) if row else named


def _operation(asked: Asked) -> str:
    method = _METHOD.search(asked.text)
    path = re.sub(r"/[^/]*\d[^/]*", "/*", asked.path)
    return f"{asked.method} {path} {method.group(1) if method else ''}".rstrip()


def asked_of(method: str, path: str, query: bytes, authorization: bytes, body: bytes) -> Asked:
    text = f"{path}?{query.decode('latin-1')}\n{authorization.decode('latin-1')}\n{body.decode('utf-8', 'replace')}"
    return Asked(method, path, unquote_plus(text))

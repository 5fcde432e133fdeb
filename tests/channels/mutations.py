"""Ways to spoil a genuine notification: what a line, a bug or somebody with bad intent makes of it."""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from gzip import compress
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.channels.world import Arrived

Mutation = Callable[[Random, Arrived, Arrived], Arrived]
_CARRIED = frozenset(
    {"host", "content-length", "content-type", "accept", "accept-encoding", "connection", "user-agent"}
)


def mutants(rng: Random, genuine: Arrived, other: Arrived, count: int) -> Iterator[tuple[str, Arrived]]:
    """`count` spoilt copies of `genuine`, named; `other` is a genuine one about something else."""
    for number in range(count):
        mutation = MUTATIONS[number % len(MUTATIONS)]
        yield mutation.__name__, mutation(rng, genuine, other)


def _with(arrived: Arrived, *, body: bytes | None = None, headers: dict[str, str] | None = None) -> Arrived:
    return Arrived(
        arrived.path,
        arrived.headers if headers is None else headers,
        arrived.body if body is None else body,
    )


def _signed_headers(arrived: Arrived) -> list[str]:
    """The headers that are the provider's own; where it has none, whichever there are."""
    return [name for name in arrived.headers if name not in _CARRIED] or list(arrived.headers)


def one_byte(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    body = bytearray(genuine.body)
    body[rng.randrange(len(body))] ^= rng.randrange(1, 256)
    return _with(genuine, body=bytes(body))


def several_bytes(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    body = bytearray(genuine.body)
    for _ in range(rng.randrange(2, 20)):
        body[rng.randrange(len(body))] = rng.randrange(256)
    return _with(genuine, body=bytes(body))


def another_digit(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    places = [place for place, byte in enumerate(genuine.body) if chr(byte) in "0123456789"]
    place = rng.choice(places)
    digit = str((int(chr(genuine.body[place])) + rng.randrange(1, 10)) % 10).encode()
    return _with(genuine, body=genuine.body[:place] + digit + genuine.body[place + 1 :])


def cut_off(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    return _with(genuine, body=genuine.body[: rng.randrange(len(genuine.body))])


def something_in_between(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    place, more = rng.randrange(len(genuine.body) + 1), rng.randbytes(rng.randrange(1, 9))
    return _with(genuine, body=genuine.body[:place] + more + genuine.body[place:])


def turned_around(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    first, second = sorted(rng.sample(range(1, len(genuine.body)), 2))
    body = genuine.body[first:second] + genuine.body[:first] + genuine.body[second:]
    return _with(genuine, body=body)


def another_encoding(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    text = genuine.body.decode("utf-8")
    spoilt = [
        b"\xef\xbb\xbf" + genuine.body,
        text.encode("utf-16"),
        text.encode("utf-32"),
        text.upper().encode("utf-8"),
        text.encode("gb18030") + b"\x80",
        compress(genuine.body),
        b64encode(genuine.body),
        urlencode({"body": text}).encode(),
        genuine.body.replace(b"%", b"%25") + b"%",
        json.dumps(text).encode(),
        genuine.body * 2,
        b"\x00" + genuine.body,
        b"[" * rng.randrange(1, 5_000) + genuine.body,
    ]
    return _with(genuine, body=rng.choice(spoilt))


def another_field(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    """One field is changed, dropped, doubled or added, and the rest is written anew."""
    try:
        fields = json.loads(genuine.body)
    except ValueError:
        return _with(genuine, body=_other_form(rng, genuine.body))
    where = _some_object(rng, fields)
    name = rng.choice(sorted(where))
    change = rng.randrange(4)
    if change == 0:
        where[name] = _other_value(rng, where[name])
    elif change == 1:
        del where[name]
    elif change == 2:
        where[f"{name}_2"] = where[name]
    text = json.dumps(fields, ensure_ascii=bool(rng.randrange(2)), separators=(",", ":"))
    if change == 3:
        text = text[:-1] + f',"{rng.choice(sorted(fields))}":"x"}}'
    return _with(genuine, body=text.encode("utf-8"))


def _some_object(rng: Random, fields: dict[str, Any]) -> dict[str, Any]:
    inner = [value for value in fields.values() if isinstance(value, dict) and value]
    return _some_object(rng, rng.choice(inner)) if inner and rng.randrange(3) else fields


def _other_value(rng: Random, value: Any) -> Any:
    if isinstance(value, int):
        return value + rng.choice([-1, 1, 100, 2**70])
    return rng.choice([None, "", [], {}, f"{value}0", str(value)[::-1] + "1", 1e300, True, "茶"])


def _other_form(rng: Random, body: bytes) -> bytes:
    fields = parse_qsl(body.decode("ascii"), keep_blank_values=True)
    place, change = rng.randrange(len(fields)), rng.randrange(5)
    name, value = fields[place]
    if change == 0:
        fields[place] = (name, rng.choice([value + "0", value[::-1] + "1", "0.01", "茶", "TRADE_FINISHED"]))
    elif change == 1:
        del fields[place]
    elif change == 2:
        fields.insert(rng.randrange(len(fields)), (name, rng.choice([value, value + "1"])))
    elif change == 3:
        fields.append((rng.choice(["refund_fee", "gmt_refund", "out_biz_no", "x"]), "1.00"))
    else:
        rng.shuffle(fields)
    return urlencode(fields).encode("ascii")


def another_header(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    name = rng.choice(_signed_headers(genuine))
    value = genuine.headers[name]
    place = rng.randrange(len(value)) if value else 0
    spoilt = [
        "",
        "0",
        value[:place],
        value[:place] + rng.choice("0aZ+/=,é\x7f") + value[place + 1 :],
        value.lower(),
        value[::-1],
        f"{value},{value}x",
        f"WECHATPAY/SIGNTEST/{value}",
        str(rng.randrange(10**12)),
        "9" * rng.randrange(1, 4_000),
    ]
    return _with(genuine, headers={**genuine.headers, name: rng.choice(spoilt)})


def without_a_header(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    gone = set(rng.sample(_signed_headers(genuine), 1))
    return _with(
        genuine, headers={name: value for name, value in genuine.headers.items() if name not in gone}
    )


def anothers_headers(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    """Signed, but for something else: whole, or one header of it."""
    names = _signed_headers(other)
    taken = {name: other.headers[name] for name in rng.sample(names, rng.randrange(1, len(names) + 1))}
    return _with(genuine, headers={**genuine.headers, **taken})


def anothers_part(rng: Random, genuine: Arrived, other: Arrived) -> Arrived:
    """A genuine piece of another genuine notification, at the same place."""
    first, second = sorted(rng.sample(range(min(len(genuine.body), len(other.body))), 2))
    return _with(genuine, body=genuine.body[:first] + other.body[first:second] + genuine.body[second:])


MUTATIONS: tuple[Mutation, ...] = (
    one_byte,
    several_bytes,
    another_digit,
    cut_off,
    something_in_between,
    turned_around,
    another_encoding,
    another_field,
    another_field,
    another_header,
    without_a_header,
    anothers_headers,
    anothers_part,
)

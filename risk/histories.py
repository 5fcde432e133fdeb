"""Histories in Redis: read in one round trip, written once per decision by a script that is all or nothing.

PostgreSQL is the truth (risk_decision): what is lost here is told again. A generation is one whole set of histories;
a rebuild writes the next one beside it and switches. Histories that nobody kept whole for minutes are not believed.
"""

import logging
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from risk.geography import Place
from risk.history import (
    DAY,
    DAY_BYTES,
    DAYS,
    MOST_PROOFS,
    RING,
    Columns,
    History,
    Packed,
    ascend,
    first_kept,
)
from risk.lines import Line
from risk.observations import Observation
from risk.signals import is_plain

_log = logging.getLogger(__name__)
POINTER = "histories:current"
STALE_SECONDS = 300
# Longer than what is told twice to be safe, with the longest pause between two catch-ups that is not a rebuild.
SEEN_SECONDS = 3600
# No transaction stays open for so long after its decision was given a key.
OVERLAP_SECONDS = 120
_TTL_SECONDS = 65 * 86_400
_REST_SECONDS = 1.0  # of a process that Redis did not answer in time so often in a row; then one asks again
_MISSED = 10
# Of a history two strings are kept. One is what was told of each payment, in the order of telling; now and then it is
# cut to the newest. The other is a head (payments so far, the first one's time, when a customer was last where, -1 for
# never) and a record for each day, as `Bucket.pack`. So reading is one MGET, and writing changes a few bytes.
_PAYMENT = struct.Struct("<q16sqH5I")
# Of each field but the key, with all others left out.
_FIELDS = ("q46x", "24xq22x", "32xH20x", *(f"{34 + 4 * place}xI{16 - 4 * place}x" for place in range(5)))
_SUMS = struct.Struct("<qqqhh")
_SLACK = 32  # payments more than are looked at, so that not every telling cuts

_PLACES = f"""
local HEAD, DAY = '<i8i8i8hh', '<i4i8i8i4i4i2i2'
-- Where the record of a day begins; most are told on the newest.
local function place_of(sums, day)
  for place = #sums - {DAY_BYTES - 1}, {_SUMS.size + 1}, -{DAY_BYTES} do
    if struct.unpack('<i4', sums, place) == day then return place end
  end
end
"""
_WRITE = f"""{_PLACES}
local function without_oldest(sums)
  local oldest, least = nil, nil
  for place = {_SUMS.size + 1}, #sums, {DAY_BYTES} do
    local day = struct.unpack('<i4', sums, place)
    if not least or day < least then oldest, least = place, day end
  end
  return sums:sub(1, oldest - 1) .. sums:sub(oldest + {DAY_BYTES})
end
local function newest(ring)
  local payments = {{}}
  for place = 1, #ring, {_PAYMENT.size} do
    payments[#payments + 1] = {{struct.unpack('<i8', ring, place), ring:sub(place, place + {_PAYMENT.size - 1}), place}}
  end
  table.sort(payments, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[3] < b[3]) end)
  local kept = {{}}
  for i = #payments - {RING - 1}, #payments do kept[#kept + 1] = payments[i][2] end
  return table.concat(kept)
end
local generation = ARGV[1]
if generation == '' then generation = redis.call('GET', KEYS[1]) end
if not generation then return -1 end
local base = 'histories:' .. generation .. ':'
local lasting = tonumber(ARGV[8])
if lasting > 0 and not redis.call('SET', base .. 'seen:' .. ARGV[2], '1', 'NX', 'EX', lasting) then return 0 end
local at, amount, day = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local latitude, longitude = ARGV[7]:match('(.*):(.*)')
for i = 9, #ARGV do
  local ring, key = base .. 'ring:' .. ARGV[i], base .. 'sums:' .. ARGV[i]
  if redis.call('APPEND', ring, ARGV[3]) > {(RING + _SLACK) * _PAYMENT.size} then
    redis.call('SET', ring, newest(redis.call('GET', ring)))
  end
  local sums = redis.call('GET', key) or struct.pack(HEAD, 0, at, -1, 0, 0)
  local total, first, place_at, x, y = struct.unpack(HEAD, sums)
  if latitude and at >= place_at and ARGV[i]:sub(1, 9) == 'customer:' then
    place_at, x, y = at, tonumber(latitude), tonumber(longitude)
  end
  local head = struct.pack(HEAD, total + 1, math.min(first, at), place_at, x, y)
  local place = place_of(sums, day)
  if place then
    local _, count, sum, frauds, plain, passed, failed = struct.unpack(DAY, sums, place)
    local told = struct.pack(DAY, day, count + 1, sum + amount, frauds, plain, passed, failed)
    redis.call('SETRANGE', key, 0, head)
    redis.call('SETRANGE', key, place - 1, told)
  else
    sums = head .. sums:sub({_SUMS.size + 1}) .. struct.pack(DAY, day, 1, amount, 0, 0, 0, 0)
    if #sums > {_SUMS.size + DAYS * DAY_BYTES} then sums = without_oldest(sums) end
    redis.call('SET', key, sums)
  end
  redis.call('EXPIRE', ring, {_TTL_SECONDS})
  redis.call('EXPIRE', key, {_TTL_SECONDS})
end
return 1
"""
# A fraud, a fraud that turned out to be none, the end of a challenge: each once.
_OUTCOME = f"""{_PLACES}
local base = 'histories:' .. ARGV[1] .. ':'
local lasting = tonumber(ARGV[8])
if lasting > 0 and not redis.call('SET', base .. 'seen:' .. ARGV[2], '1', 'NX', 'EX', lasting) then return 0 end
for i = 9, #ARGV do
  local key = base .. 'sums:' .. ARGV[i]
  local sums = redis.call('GET', key) or ''
  local place = place_of(sums, tonumber(ARGV[3]))
  if place then
    local day, count, sum, frauds, plain, passed, failed = struct.unpack(DAY, sums, place)
    frauds, plain = math.max(frauds + ARGV[4], 0), math.max(plain + ARGV[5], 0)
    passed, failed = math.min(passed + ARGV[6], {MOST_PROOFS}), math.min(failed + ARGV[7], {MOST_PROOFS})
    redis.call('SETRANGE', key, place - 1, struct.pack(DAY, day, count, sum, frauds, plain, passed, failed))
  end
end
return 1
"""


class HistoriesLost(Exception):
    """There are none in Redis, or they were not kept whole: rebuild them."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is remembered of each name, and where each customer's name was last."""

    histories: dict[str, History]
    places: dict[str, Place]


class _Rest:
    """Where Redis is lost, not every decision waits for it. One that was not answered in time is only late."""

    missed = 0  # in a row
    until = 0.0


class _Read:
    generation = ""  # as far as this process knows


def recall(names: Iterable[str]) -> Recalled | None:
    """The histories of `names`; None when Redis is down, slow, or not to be believed. One round trip."""
    return asked(names)()


def asked(names: Iterable[str]) -> Callable[[], Recalled | None]:
    """The same in two steps: the question is on its way, and to call what is returned waits for the answer."""
    if time.monotonic() < _Rest.until:
        return _nothing
    told = list(names)
    try:
        answer = _ask(told)
    except redis.RedisError as error:
        _miss(error)
        return _nothing
    return partial(_answered, told, answer)


def _nothing() -> None:
    return None


def _ask(names: Sequence[str]) -> Callable[[], Any]:
    if not _Read.generation:
        _Read.generation = (_soon("GET", POINTER)() or b"").decode()
    base = f"histories:{_Read.generation}"
    sums, rings = ([f"{base}:{part}:{name}" for name in names] for part in ("sums", "ring"))
    return _soon("MGET", POINTER, f"{base}:whole_at", *sums, *rings)


def _answered(names: Sequence[str], answer: Callable[[], Any]) -> Recalled | None:
    try:
        pointer, whole_at, *parts = answer()
        if pointer is not None and pointer.decode() != _Read.generation:  # they were rebuilt since
            _Read.generation = pointer.decode()
            pointer, whole_at, *parts = _ask(names)()
    except redis.RedisError as error:
        _miss(error)
        return None
    _Rest.missed = 0
    if pointer is None or pointer.decode() != _Read.generation:
        return None
    if time.time() - float(whole_at or 0) > STALE_SECONDS:
        return None
    recalled = Recalled({}, {})
    for name, sums, ring in zip(names, parts[: len(names)], parts[len(names) :], strict=True):
        recalled.histories[name], place = _history(sums, ring)
        if place:
            recalled.places[name] = place
    return recalled


def note(observation: Observation) -> None:
    """Tell the histories of a decision that is committed; whatever is lost here, the next catch-up tells."""
    if time.monotonic() < _Rest.until:
        return
    try:
        _told_soon(_args("", observation))
    except redis.RedisError as error:
        _miss(error)


def tell(observations: Sequence[Observation], *, generation: str) -> int:
    """Tell a generation what it was not told before; returns how many that were. Raises what Redis raises."""
    with _patient().pipeline(transaction=False) as pipeline:
        for observation in observations:
            pipeline.exists(f"histories:{generation}:seen:{observation.id}")
        seen = pipeline.execute()
        write = pipeline.register_script(_WRITE)
        for observation, told in zip(observations, seen, strict=True):
            if not told:
                write(keys=[POINTER], args=_args(generation, observation))
        return sum(answer == 1 for answer in pipeline.execute())


def tell_outcome(outcome: UUID, judged: Observation, *, undo: bool, generation: str) -> bool:
    """Tell a generation that what was `judged` is a fraud; whether that was new to it. Raises what Redis raises."""
    step = -1 if undo else 1
    return _tell_later(outcome, judged, generation, (step, step * is_plain(judged.event.ratio), 0, 0))


def tell_proof(proof: UUID, judged: Observation, *, passed: bool, generation: str) -> bool:
    """Tell a generation how a challenge about what was `judged` ended; whether that was new to it. Raises the same."""
    return _tell_later(proof, judged, generation, (0, 0, int(passed), int(not passed)))


def _tell_later(key: UUID, judged: Observation, generation: str, steps: tuple[int, int, int, int]) -> bool:
    args: list[str | int] = [generation, str(key), judged.event.at // DAY, *steps, _seen_for(key)]
    return bool(_scripts(_PATIENT_MS)[1](keys=[POINTER], args=[*args, *judged.names]) == 1)


def current() -> str:
    """The generation that is read. Raises `HistoriesLost`."""
    found = _patient().get(POINTER)
    if not isinstance(found, bytes):
        raise HistoriesLost("Redis holds no histories.")
    return found.decode()


def whole_at(generation: str) -> float:
    """Until when (seconds since 1970) everything is told. Raises `HistoriesLost`."""
    found = _patient().get(f"histories:{generation}:whole_at")
    if not isinstance(found, bytes):
        raise HistoriesLost("Nobody knows how far the histories are whole.")
    return float(found)


def set_whole_at(generation: str, at: float) -> None:
    _patient().set(f"histories:{generation}:whole_at", repr(at))


def claim_rebuild() -> bool:
    """Whether the caller is the only one who rebuilds; for an hour, should it die."""
    return bool(_patient().set("histories:rebuilding", "1", nx=True, ex=3600))


def end_rebuild() -> None:
    _patient().delete("histories:rebuilding")


def switch(generation: str) -> None:
    """Read this generation from now on, and let the others go, a few keys at a time."""
    client = _patient()
    client.set(POINTER, generation)
    for key in client.scan_iter(match="histories:*:*", count=1000):
        if not key.startswith(f"histories:{generation}:".encode()):
            client.unlink(key)


def _args(generation: str, observation: Observation) -> list[str | bytes | int]:
    event, place = observation.event, observation.place
    packed = event.pack()
    member = packed[:8] + observation.id.bytes + packed[8:]  # so that payments of one time have an order
    where = f"{place.latitude}:{place.longitude}" if place else ""
    seen = _seen_for(observation.id)
    day = event.at // DAY
    return [
        *(generation, str(observation.id), member, event.at, event.amount, day, where, seen),
        *observation.names,
    ]


def _seen_for(key: UUID) -> int:
    """Seconds for which it is known that this was told; 0 for what is so old that it is never told twice."""
    age = int(time.time() - (key.int >> 80) / 1000)
    return max(0, SEEN_SECONDS - max(0, age))


def _history(sums: bytes | None, ring: bytes | None) -> tuple[History, Place | None]:
    """What is kept of a name."""
    if not sums or not ring:
        return History(), None
    total, first_at, place_at, latitude, longitude = _SUMS.unpack_from(sums)
    place = Place(place_at, latitude, longitude) if place_at >= 0 else None
    return History.of(_payments(ring), sums[_SUMS.size :], first_at=first_at, total=total), place


def _payments(ring: bytes) -> Columns:
    """The fields of payments in the order of time, and of their keys where the times are the same."""
    told = Packed(_FIELDS, ring)
    if ascend(told[0]):
        start = first_kept(told[0])
        return Packed(_FIELDS, ring[start * _PAYMENT.size :]) if start else told
    times, _, *others = zip(*sorted(_PAYMENT.iter_unpack(ring)), strict=True)
    return [times, *others]


def _miss(error: redis.RedisError) -> None:
    _Rest.missed += 1
    if _Rest.missed >= _MISSED:
        _Rest.until = time.monotonic() + _REST_SECONDS
    _log.warning("Velocity is counted in PostgreSQL: Redis does not answer (%s).", type(error).__name__)


_line = Line()


def _soon(*command: str | bytes | int) -> Callable[[], Any]:
    """Ask while a customer waits; to call what is returned reads the answer. Both raise what Redis raises."""
    _line.ask(_client(settings.RISK_REDIS_MS), command)
    return _line.read


def _told_soon(args: Sequence[str | bytes | int]) -> Any:
    script = _scripts(settings.RISK_REDIS_MS)[0]
    try:
        return _soon("EVALSHA", script.sha, 1, POINTER, *args)()
    except redis.exceptions.NoScriptError:
        return script(keys=[POINTER], args=args)


_PATIENT_MS = 5000


def _patient() -> redis.Redis:
    """For what no customer waits for."""
    return _client(_PATIENT_MS)


@cache
def _client(milliseconds: int) -> redis.Redis:
    seconds, once = milliseconds / 1000, Retry(NoBackoff(), 0)
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=seconds, socket_connect_timeout=seconds, retry=once
    )


@cache
def _scripts(milliseconds: int) -> tuple[Script, ...]:
    client = _client(milliseconds)
    return tuple(client.register_script(text) for text in (_WRITE, _OUTCOME))

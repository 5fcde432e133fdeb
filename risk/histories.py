"""Histories in Redis: read in one round trip, written once per decision by a script that is all or nothing.

PostgreSQL is the truth (risk_decision): what is lost here is told again. A generation is one whole set of histories;
a rebuild writes the next one beside it and switches. Histories that nobody kept whole for minutes are not believed.
"""

import logging
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from risk.geography import Place
from risk.history import DAY, DAYS, KEPT, RING, Bucket, Event, History
from risk.observations import Observation
from risk.signals import is_plain

_log = logging.getLogger(__name__)
POINTER = "histories:generation"
STALE_SECONDS = 300
# Longer than what is told twice to be safe, with the longest pause between two catch-ups that is not a rebuild.
SEEN_SECONDS = 3600
# No transaction stays open for so long after its decision was given a key.
OVERLAP_SECONDS = 120
_TTL_SECONDS = 65 * 86_400
_REST_SECONDS = 1.0  # of every process after Redis did not answer in time
_MEMBER = struct.Struct("<16xqqH5I")

_READ = """
local generation = redis.call('GET', KEYS[1])
if not generation then return {} end
local base = 'histories:' .. generation .. ':'
local found = {redis.call('GET', base .. 'whole_at') or '0'}
for i = 1, #ARGV do
  found[#found + 1] = table.concat(redis.call('ZRANGE', base .. 'ring:' .. ARGV[i], 0, -1))
  found[#found + 1] = table.concat(redis.call('HGETALL', base .. 'sums:' .. ARGV[i]), ' ')
end
return found
"""
_WRITE = f"""
local generation = ARGV[1]
if generation == '' then generation = redis.call('GET', KEYS[1]) end
if not generation then return -1 end
local base = 'histories:' .. generation .. ':'
if not redis.call('SET', base .. 'seen:' .. ARGV[2], '1', 'NX', 'EX', ARGV[8]) then return 0 end
local at, day = ARGV[4], ARGV[6]
for i = 9, #ARGV do
  local ring, sums = base .. 'ring:' .. ARGV[i], base .. 'sums:' .. ARGV[i]
  redis.call('ZADD', ring, at, ARGV[3])
  redis.call('ZREMRANGEBYRANK', ring, 0, -{RING + 1})
  local newest = redis.call('ZRANGE', ring, -1, -1, 'WITHSCORES')[2]
  redis.call('ZREMRANGEBYSCORE', ring, '-inf', '(' .. string.format('%.0f', newest - {KEPT}))
  redis.call('HINCRBY', sums, 'total', 1)
  local first = redis.call('HGET', sums, 'first')
  if not first or tonumber(at) < tonumber(first) then redis.call('HSET', sums, 'first', at) end
  redis.call('HINCRBY', sums, 's' .. day, ARGV[5])
  if redis.call('HINCRBY', sums, 'n' .. day, 1) == 1 and redis.call('HINCRBY', sums, 'days', 1) > {DAYS} then
    local oldest = nil
    for _, name in ipairs(redis.call('HKEYS', sums)) do
      local number = tonumber(string.match(name, '^n(-?%d+)$'))
      if number and (not oldest or number < oldest) then oldest = number end
    end
    redis.call('HDEL', sums, 'n' .. oldest, 's' .. oldest, 'f' .. oldest, 'p' .. oldest, 'c' .. oldest, 'x' .. oldest)
    redis.call('HINCRBY', sums, 'days', -1)
  end
  if ARGV[7] ~= '' and string.sub(ARGV[i], 1, 9) == 'customer:' then
    local place_at = tonumber(redis.call('HGET', sums, 'place_at') or '-1')
    if tonumber(at) >= place_at then redis.call('HSET', sums, 'place_at', at, 'place', ARGV[7]) end
  end
  redis.call('EXPIRE', ring, {_TTL_SECONDS})
  redis.call('EXPIRE', sums, {_TTL_SECONDS})
end
return 1
"""
# A fraud, a fraud that turned out to be none, the end of a challenge: each once, as steps of two sums of the day.
_OUTCOME = """
local base = 'histories:' .. ARGV[1] .. ':'
if not redis.call('SET', base .. 'seen:' .. ARGV[2], '1', 'NX', 'EX', ARGV[4]) then return 0 end
for i = 9, #ARGV do
  local sums = base .. 'sums:' .. ARGV[i]
  if redis.call('HEXISTS', sums, 'n' .. ARGV[3]) == 1 then
    for name, step in pairs({[ARGV[5]] = ARGV[6], [ARGV[7]] = ARGV[8]}) do
      if redis.call('HINCRBY', sums, name .. ARGV[3], step) < 0 then redis.call('HSET', sums, name .. ARGV[3], 0) end
    end
  end
end
return 1
"""


class HistoriesLost(Exception):
    """There are none in Redis, or they were not kept whole: rebuild them."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is remembered of each name, and where each customer's name was last."""

    histories: Mapping[str, History]
    places: Mapping[str, Place]


class _Rest:
    """After no answer the next decisions do not wait for one."""

    until = 0.0


def recall(names: Iterable[str]) -> Recalled | None:
    """The histories of `names`; None when Redis is down, slow, or not to be believed. One round trip."""
    if time.monotonic() < _Rest.until:
        return None
    asked = list(names)
    try:
        whole_at, *parts = _scripts(settings.RISK_REDIS_MS)[0](keys=[POINTER], args=asked) or [b"0"]
    except redis.RedisError as error:
        _rest(error)
        return None
    if time.time() - float(whole_at) > STALE_SECONDS:
        return None
    sums = [_pairs(raw) for raw in parts[1::2]]
    read = zip(asked, parts[::2], sums, strict=True)
    return Recalled(
        histories={name: _history(ring, of_days) for name, ring, of_days in read},
        places={name: place for name, of_days in zip(asked, sums, strict=True) if (place := _place(of_days))},
    )


def note(observation: Observation) -> None:
    """Tell the histories of a decision that is committed; whatever is lost here, the next catch-up tells."""
    if time.monotonic() < _Rest.until:
        return
    try:
        _scripts(settings.RISK_REDIS_MS)[1](keys=[POINTER], args=_args("", observation))
    except redis.RedisError as error:
        _rest(error)


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
    plain = step * is_plain(judged.event.ratio)
    return _tell_later(outcome, judged, generation, ("f", step, "p", plain))


def tell_proof(proof: UUID, judged: Observation, *, passed: bool, generation: str) -> bool:
    """Tell a generation how a challenge about what was `judged` ended; whether that was new to it. Raises the same."""
    return _tell_later(proof, judged, generation, ("c", int(passed), "x", int(not passed)))


def _tell_later(key: UUID, judged: Observation, generation: str, steps: tuple[str | int, ...]) -> bool:
    day = judged.event.at // DAY
    args: list[str | int] = [generation, str(key), day, _seen_for(key), *steps, *judged.names]
    return bool(_scripts(_PATIENT_MS)[2](keys=[POINTER], args=args) == 1)


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
    member = observation.id.bytes + event.pack()
    where = f"{place.latitude}:{place.longitude}" if place else ""
    seen = _seen_for(observation.id)
    day = event.at // DAY
    return [
        *(generation, str(observation.id), member, event.at, event.amount, day, where, seen),
        *observation.names,
    ]


def _seen_for(key: UUID) -> int:
    """Seconds for which it is known that this was told: what is older is never told twice."""
    age = int(time.time() - (key.int >> 80) / 1000)
    return max(1, SEEN_SECONDS - max(0, age))


def _pairs(raw: bytes) -> dict[str, str]:
    flat = raw.decode().split()
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _history(ring: bytes, sums: Mapping[str, str]) -> History:
    days = {
        int(name[1:]): Bucket(
            int(count),
            int(sums.get(f"s{name[1:]}", 0)),
            int(sums.get(f"f{name[1:]}", 0)),
            int(sums.get(f"p{name[1:]}", 0)),
            int(sums.get(f"c{name[1:]}", 0)),
            int(sums.get(f"x{name[1:]}", 0)),
        )
        for name, count in sums.items()
        if name[0] == "n"
    }
    events = list(map(Event._make, _MEMBER.iter_unpack(ring)))
    return History.of(events, days, first_at=int(sums.get("first", 0)), total=int(sums.get("total", 0)))


def _place(sums: Mapping[str, str]) -> Place | None:
    if "place" not in sums:
        return None
    latitude, _, longitude = sums["place"].partition(":")
    return Place(int(sums["place_at"]), int(latitude), int(longitude))


def _rest(error: redis.RedisError) -> None:
    _Rest.until = time.monotonic() + _REST_SECONDS
    _log.warning("Velocity is counted in PostgreSQL: Redis does not answer (%s).", type(error).__name__)


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
    return tuple(client.register_script(text) for text in (_READ, _WRITE, _OUTCOME))

"""One mistake of each kind for every statement that can bear it, over a range of days, chosen by a seed.

None hides another: no file loses its last row, and of a payout either the channel or the bank tells something else.
"""

from datetime import date, timedelta
from random import Random

from sandbox.provider import World
from sandbox.statements import files, plans, rows
from sandbox.statements.plans import Fault

_LONGEST_DAYS = 400


def plant(
    world: World,
    *,
    seed: int,
    first: str,
    last: str,
    merchant: str = "",
    channels: list[str] | None = None,
    late_days: int = 1,
) -> tuple[list[Fault], list[str]]:
    """Plant them. A late row comes so many days later. Returns them, and what had to be left out because no day has
    what it needs ("wechat state"). Raises ValueError.
    """
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    if not 0 <= (end - start).days < _LONGEST_DAYS:
        raise ValueError("first is not after last, and they are a year apart at most")
    days = [start + timedelta(days=number) for number in range((end - start).days + 1)]
    dice = Random(seed)  # noqa: S311 - the same seed, the same mistakes
    made: list[Fault] = []
    left_out: list[str] = []
    for channel in channels or [name for name, one in world.providers.items() if one.statements]:
        for file, kind in _bearable(world, channel):
            more = {"days": late_days} if kind == "late" else {}
            fault = _plant_one(world, channel, file, kind, merchant, dice.sample(days, len(days)), more)
            made += [fault] if fault else []
            left_out += [] if fault else [f"{channel} {kind}"]
    return made, left_out


def _bearable(world: World, channel: str) -> list[tuple[str, str]]:
    """Each kind once: a row's in all files of the channel, a file's in the first that can bear it."""
    pages = plans.pages_of(world, channel, "")
    kinds: dict[str, str] = {}
    for name, page in pages.items():
        kinds |= dict.fromkeys(page.row_kinds, "")
        kinds |= {kind: name for kind in page.file_kinds if kind not in kinds}
    return [(file, kind) for kind, file in kinds.items()]


def _plant_one(
    world: World, channel: str, file: str, kind: str, merchant: str, days: list[date], more: dict[str, int]
) -> Fault | None:
    """On the first of these days that has what it needs, and no other mistake with the whole file."""
    for day in days:
        if kind in plans.FILE_KINDS and not _has_file(world, channel, file, kind, merchant, day):
            continue
        fault = plans.plan(
            world, channel=channel, day=day.isoformat(), kind=kind, merchant=merchant, file=file, **more
        )
        if kind in plans.FILE_KINDS or (fault.target and _is_seen(world, fault)):
            return fault
        plans.forget(world, fault.id)
    return None


def _is_seen(world: World, fault: Fault) -> bool:
    """Whether every file of the days that it concerns still has rows, and nothing else befell its payout."""
    told = {fault.day, date.fromisoformat(fault.truth.get("joined_day", fault.day.isoformat()))}
    for name, page in plans.pages_of(world, fault.channel, fault.file).items():
        for day in told:
            before = page.rows(world, fault.merchant, day)
            if before and not rows.of_day(world, fault.channel, name, fault.merchant, day):
                return False
    return not (_payouts(fault) & {one for other in _others(world, fault) for one in _payouts(other)})


def _others(world: World, fault: Fault) -> list[Fault]:
    return [one for one in plans.planted(world, merchant=fault.merchant) if one.id != fault.id]


def _payouts(fault: Fault) -> set[str]:
    """The payouts that it is about, under any of their names."""
    if plans.ROW_KINDS.get(fault.kind, ("",))[0] != "payout":
        return set()
    names = ("key", "reference", "joined_with", "joined_reference")
    return {fault.truth[name] for name in names if fault.truth.get(name)}


def _has_file(world: World, channel: str, file: str, kind: str, merchant: str, day: date) -> bool:
    """Whether the file of this day can be spoiled so, and is not spoiled otherwise."""
    named = plans.merchant_of(world, merchant)
    planted = world.storage.row(
        "SELECT 1 FROM statement_faults WHERE channel = ? AND merchant = ? AND file = ? AND day = ?",
        *(channel, named, file, day.isoformat()),
    )
    page = world.providers[channel].statements[file]
    over = page.begins(day + timedelta(days=1)) <= world.now()
    if planted is not None or not over or not rows.of_day(world, channel, file, named, day):
        return False
    return kind != "repeated" or files.repeated_day(world, channel, file, named, day) != day

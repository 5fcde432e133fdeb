"""A policy in words, and beside another: what whoever switches it on has to see."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.utils.translation import gettext as _

from ledger.wording import in_words
from risk.models import Policy
from risk.pages.showing import listed, money, percent, thresholds, told

_PPM = 1_000_000
_LONG = 24  # letters
_WORD = re.compile(r"[^\s，、；：]+[\s，、；：]*|[，、；：]+")  # Chinese has no spaces after its marks


def figures(row: Policy) -> list[tuple[str, str]]:
    """All but its rules: thresholds, what its model is worth, limits, rates."""
    return [
        *thresholds(row.thresholds),
        *_model(row.model),
        *(
            (_("Limits of level %(level)s") % {"level": level}, _("; ").join(_ceilings(limit)))
            for level, limit in sorted(row.limits.items())
        ),
        (_("CNY for one unit"), listed(f"{code} {rate}" for code, rate in sorted(row.rates.items()))),
    ]


@dataclass(frozen=True, slots=True)
class Part:
    """A text that differs: in pieces that stayed (""), went ("-") or came ("+")."""

    name: str
    pieces: list[tuple[str, str]]
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """A rule or a figure that only one of two policies has, or of which they say something else."""

    title: str
    is_new: bool
    is_left_out: bool
    parts: list[Part]


def differences(row: Policy, other: Policy) -> list[Difference]:
    """What `row` says otherwise than `other`, told part by part: what is the same in both is not repeated."""
    was, now = _said(other), _said(row)
    return [
        Difference(title, title not in was, title not in now, _parts(was.get(title, {}), now.get(title, {})))
        for title in {**was, **now}
        if was.get(title) != now.get(title)
    ]


def _parts(was: Mapping[str, str], now: Mapping[str, str]) -> list[Part]:
    return [
        Part(name, _pieces(was.get(name, ""), now.get(name, "")), is_code=name == _("Fires when"))
        for name in {**was, **now}
        if was.get(name, "") != now.get(name, "")
    ]


def _pieces(was: str, now: str) -> list[tuple[str, str]]:
    """Short texts are told whole, of long ones the words that differ."""
    if min(len(was), len(now)) < _LONG:
        return [piece for piece in (("-", was), ("+", now)) if piece[1]]
    before, after = _WORD.findall(was), _WORD.findall(now)
    found: list[tuple[str, str]] = []
    for same, i, j, k, m in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, come = "".join(before[i:j]), "".join(after[k:m])
        found += [("", gone)] if same == "equal" else [one for one in (("-", gone), ("+", come)) if one[1]]
    return found


def _said(row: Policy) -> dict[str, dict[str, str]]:
    rules = {_("Rule %(id)s") % {"id": rule["id"]}: _rule(rule) for rule in row.rules}
    return rules | {title: {"": value} for title, value in figures(row)}


def _rule(rule: Mapping[str, Any]) -> dict[str, str]:
    return {
        _("Weight"): f"{rule['weight']:+}",
        _("At least"): in_words(rule["action"]),
        _("Fires when"): rule["expression"],
        _("Owner"): rule.get("owner", ""),
        _("Last day"): rule.get("expires_on", ""),
        _("Reason, English"): rule["message"]["en"],
        _("Reason, Chinese"): rule["message"]["zh"],
    }


def _model(use: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not use:
        return
    yield _("Model"), use["name"]
    if use["points"]:
        said = _("%(points)s from %(share)s %%")
        points = [said % {"points": points, "share": percent(ppm / _PPM)} for ppm, points in use["points"]]
        yield _("Points of the model"), listed(points)
    if use.get("challenge_from"):
        asked = {"share": percent(use["challenge_from"] / _PPM), "sum": money(use.get("challenge_above", 0))}
        yield _("The model asks for a challenge"), _("from %(share)s %%, above %(sum)s") % asked


def _ceilings(limit: Mapping[str, Any]) -> Iterator[str]:
    sums = {"payment": _("%s a payment"), "day": _("%s a day"), "month": _("%s a month")}
    counts = {
        "attempts_per_minute": _("%s attempts a minute"),
        "new_merchants_per_day": _("%s new merchants a day"),
    }
    said = [words % money(limit[name]) for name, words in sums.items() if limit.get(name) is not None]
    said += [words % limit[name] for name, words in counts.items() if limit.get(name) is not None]
    yield listed(said)
    for channel, ceiling in sorted(limit.get("channels", {}).items()):
        yield told(in_words(channel), listed(_ceilings(ceiling)))

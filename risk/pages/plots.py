"""Where the plots of a model's card have their points and bars, with the words of their tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from django.utils.translation import gettext

from risk.pages.showing import told

WIDTH, HEIGHT = 300, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 10, 36
_ACROSS, _UP = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
# What the template draws around the points.
FRAME = {
    "width": WIDTH,
    "height": HEIGHT,
    "left": _LEFT,
    "right": WIDTH - _RIGHT,
    "top": _TOP,
    "foot": HEIGHT - _BOTTOM,
    "middle": _LEFT + _ACROSS // 2,
}
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """`line` is a polyline's points; `rows` say the same as a table, under the headings `head`."""

    name: str
    ticks_x: tuple[tuple[float, str], ...]
    ticks_y: tuple[tuple[float, str], ...]
    line: str = ""
    dots: tuple[tuple[float, float], ...] = ()
    bars: tuple[Bar, ...] = ()
    diagonal: bool = False
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def plots_of(card: Mapping[str, Any]) -> list[Plot]:
    """What the card has figures for; those of older models have fewer."""
    later = card.get("later", {})
    drawn = (
        _curve(later.get("curve", [])),
        _calibration(later.get("calibration", [])),
        _histogram(later.get("histogram", [])),
        _weeks(later.get("weeks", [])),
    )
    return [plot for plot in drawn if plot is not None]


def _x(share: float) -> float:
    return round(_LEFT + _ACROSS * share, 1)


def _y(share: float) -> float:
    return round(_TOP + _UP * (1 - share), 1)


def _shares() -> tuple[tuple[tuple[float, str], ...], tuple[tuple[float, str], ...]]:
    return tuple((_x(one), f"{one:g}") for one in _TICKS), tuple((_y(one), f"{one:g}") for one in _TICKS)


def _curve(points: Sequence[Sequence[float]]) -> Plot | None:
    if not points:
        return None
    across, up = _shares()
    return Plot(
        name="curve",
        ticks_x=across,
        ticks_y=up,
        line=" ".join(f"{_x(recall)},{_y(precision)}" for recall, precision in points),
        head=(gettext("recall"), gettext("precision")),
        rows=tuple((f"{recall:.3f}", f"{precision:.3f}") for recall, precision in points),
    )


def _calibration(bins: Sequence[Mapping[str, float]]) -> Plot | None:
    """Both axes as far as the largest of either: most probabilities are small."""
    if not bins:
        return None
    most = max(max(one["said"], one["was"]) for one in bins) or 1.0
    pairs = [(one["said"] / most, one["was"] / most) for one in bins]
    words = [f"{most * one:.2g}" for one in _TICKS]
    return Plot(
        name="calibration",
        ticks_x=tuple((_x(one), word) for one, word in zip(_TICKS, words, strict=True)),
        ticks_y=tuple((_y(one), word) for one, word in zip(_TICKS, words, strict=True)),
        line=" ".join(f"{_x(said)},{_y(was)}" for said, was in pairs),
        dots=tuple((_x(said), _y(was)) for said, was in pairs),
        diagonal=True,
        head=(gettext("probability said"), gettext("share of frauds"), gettext("payments")),
        rows=tuple((f"{one['said']:.4f}", f"{one['was']:.4f}", str(int(one["payments"]))) for one in bins),
    )


def _histogram(bins: Sequence[Mapping[str, int]]) -> Plot | None:
    """Bars grow with the number of digits: frauds are rare, and would not be seen beside all others."""
    if not bins:
        return None
    most = max(_digits(max(one["honest"], one["fraud"])) for one in bins) or 1.0
    across = tuple((_x(one), f"{one:g}") for one in _TICKS)
    up = tuple((_y(digits / most), f"{10**digits:,}" if digits else "0") for digits in range(int(most) + 1))
    width = _ACROSS / len(bins)
    kinds = {"honest": gettext("honest"), "fraud": gettext("fraud")}
    bars = []
    for place, one in enumerate(bins):
        for half, (kind, called) in enumerate(kinds.items()):
            height = _UP * _digits(one[kind]) / most
            x = _LEFT + width * place + half * width / 2
            words = told(f"{place / len(bins):g}", f"{called} {one[kind]}")
            bars.append(
                Bar(
                    round(x, 1),
                    round(_TOP + _UP - height, 1),
                    round(width / 2 - 1, 1),
                    round(height, 1),
                    kind,
                    words,
                )
            )
    return Plot(
        name="histogram",
        ticks_x=across,
        ticks_y=up,
        bars=tuple(bars),
        head=(gettext("probability from"), *kinds.values()),
        rows=tuple(
            (f"{place / len(bins):g}", str(one["honest"]), str(one["fraud"]))
            for place, one in enumerate(bins)
        ),
    )


def _digits(count: int) -> float:
    return log10(count + 1)


def _weeks(weeks: Sequence[Mapping[str, Any]]) -> Plot | None:
    if not weeks:
        return None
    width = _ACROSS / len(weeks)
    _, up = _shares()
    bars = tuple(
        Bar(
            round(_LEFT + width * place + width * 0.15, 1),
            _y(one.get("ap", 0.0)),
            round(width * 0.7, 1),
            round(_UP * one.get("ap", 0.0), 1),
            "honest",
            told(one["from"], one.get("ap", "–")),
        )
        for place, one in enumerate(weeks)
    )
    shown = weeks if len(weeks) <= 6 else [weeks[0], weeks[-1]]
    return Plot(
        name="weeks",
        ticks_x=tuple((round(_LEFT + width * (weeks.index(one) + 0.5), 1), one["from"][5:]) for one in shown),
        ticks_y=up,
        bars=bars,
        head=(
            gettext("week from"),
            gettext("payments"),
            gettext("frauds"),
            "AP",
            "AUC",
            gettext("recall"),
        ),
        rows=tuple(
            (
                one["from"],
                str(one["payments"]),
                str(one["frauds"]),
                *(f"{one[name]:.3f}" if name in one else "–" for name in ("ap", "auc", "recall_at_0.1pct")),
            )
            for one in weeks
        ),
    )

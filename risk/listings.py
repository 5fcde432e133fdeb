"""A file of list entries: read whole, or refused whole with each line and column that is wrong. Pure."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone

from ledger.sentences import Sentence
from risk import naming
from risk.errors import InvalidListEntry, ListFileRefused
from risk.features import text
from risk.states import EntityKind, ListKind

NEEDED = ("list", "entity", "value", "reason")
COLUMNS = (*NEEDED, "label", "source", "expires_on")
MOST_ROWS = 200_000
_SHOWN = 20  # problems that are told one by one
# Days end when the merchant's calendar says so, as those of limits.
_CALENDAR = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Problem:
    line: int
    column: str
    what: str  # as `said` tells it

    def told(self) -> Sentence:
        if self.column:
            return Sentence(
                "line %(line)s, %(column)s: %(what)s", line=self.line, column=self.column, what=self.what
            )
        return Sentence("line %(line)s: %(what)s", line=self.line, what=self.what)


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    kind: str
    entity: str
    entity_key: str
    label: str
    reason: str
    source: str
    expires_at: datetime | None


class _Wrong(Exception):
    def __init__(self, column: str, what: str) -> None:
        super().__init__(what)
        self.column, self.what = column, what


def parse(content: bytes, *, now: datetime, key_of: Callable[[str, str], str], source: str) -> list[Row]:
    """Its rows; `source` is theirs that name none. Raises `ListFileRefused`, whose context names the problems."""
    rows, problems, count = [], [], 0
    seen: dict[tuple[str, str], int] = {}
    for line, cells in _lines(content):
        try:
            row = _row(line, cells, now, key_of, source)
            first = seen.setdefault((row.kind, row.entity_key), line)
            if first != line:
                what = Sentence("is on this list in line %(first)s already: leave one of them.", first=first)
                raise _Wrong("value", what)
        except _Wrong as wrong:
            count += 1
            problems += [Problem(line, wrong.column, wrong.what)] if count <= _SHOWN else []
            continue
        rows.append(row)
    if problems:
        raise _refused(problems, count)
    if not rows:
        raise _refused([Problem(1, "", Sentence("there are no entries below the names of the columns."))], 1)
    return rows


def _lines(content: bytes) -> Iterator[tuple[int, Mapping[str, str]]]:
    reader = csv.reader(io.StringIO(_decoded(content), newline=""), strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        _check_names(names)
        for number, cells in enumerate(reader):
            if number >= MOST_ROWS:
                what = Sentence("more than %(most)s entries: divide it.", most=MOST_ROWS)
                raise _refused([Problem(reader.line_num, "", what)], 1)
            if len(cells) not in (0, len(names)):
                what = Sentence(
                    "has %(cells)s cells where %(names)s are named: put commas and quotes right.",
                    cells=len(cells),
                    names=len(names),
                )
                raise _refused([Problem(reader.line_num, "", what)], 1)
            if any(cell.strip() for cell in cells):
                yield reader.line_num, dict(zip(names, cells, strict=True))
    except csv.Error as problem:
        what = Sentence("is no CSV: check its quotation marks, or save it anew.")
        raise _refused([Problem(reader.line_num, "", what)], 1) from problem


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content[: problem.start].count(b"\n") + 1
        what = Sentence("is no UTF-8: save the file as “CSV UTF-8”.")
        raise _refused([Problem(line, "", what)], 1) from problem


def _check_names(names: list[str]) -> None:
    missing = [name for name in NEEDED if name not in names]
    odd = [name[:40] for name in names if name not in COLUMNS]
    if missing or odd or len(set(names)) != len(names):
        what = Sentence(
            "%(wrong)s: the columns are %(columns)s; the last three may be left out.",
            wrong=_of_names(tuple(missing), tuple(odd)),
            columns=COLUMNS,
        )
        raise _refused([Problem(1, "", what)], 1)


def _of_names(missing: tuple[str, ...], odd: tuple[str, ...]) -> Sentence:
    if missing:
        return Sentence("lacks %(columns)s", columns=missing)
    return Sentence("names %(columns)s", columns=odd) if odd else Sentence("names a column twice")


def _row(
    line: int, cells: Mapping[str, str], now: datetime, key_of: Callable[[str, str], str], source: str
) -> Row:
    kind, entity = cells["list"].strip().lower(), cells["entity"].strip().lower()
    if kind not in list(ListKind):
        raise _Wrong("list", Sentence("is none: write one of %(codes)s.", codes=tuple(ListKind)))
    if entity not in list(EntityKind):
        raise _Wrong("entity", Sentence("is none: write one of %(codes)s.", codes=tuple(EntityKind)))
    reason, said = _words(cells, "reason", 300), _words(cells, "source", 80)
    if not reason:
        raise _Wrong("reason", Sentence("is empty: it is shown wherever the entry decides."))
    if kind == ListKind.FATAL and not said:
        raise _Wrong("source", Sentence("is empty: nothing overrules a fatal entry, so say who says so."))
    try:
        name = naming.told(entity, cells["value"])
    except InvalidListEntry as problem:
        raise _Wrong("value", problem.message) from problem
    return Row(
        line=line,
        kind=kind,
        entity=entity,
        entity_key=key_of(entity, name),
        label=_label(cells, entity),
        reason=reason,
        source=said or source,
        expires_at=_expiry(cells.get("expires_on", "").strip(), now),
    )


def _words(cells: Mapping[str, str], column: str, most: int) -> str:
    words = " ".join(cells.get(column, "").split())
    if text(words, most) != words:
        raise _Wrong(
            column, Sentence("write at most %(most)s characters, all of which can be seen.", most=most)
        )
    return words


def _label(cells: Mapping[str, str], entity: str) -> str:
    label = _words(cells, "label", 80)
    if label and (label == cells["value"].strip() or "@" in label.replace("•••@", "")):
        raise _Wrong("label", Sentence("is read by everybody: mask it, or leave it empty."))
    return label or naming.shown(entity, cells["value"])


def _expiry(written: str, now: datetime) -> datetime | None:
    """The end of that day."""
    if not written:
        return None
    try:
        day = datetime.strptime(written, "%Y-%m-%d").date()  # noqa: DTZ007 -- a day
    except ValueError as problem:
        raise _Wrong("expires_on", Sentence("is no day: write it like 2027-03-31.")) from problem
    ends = datetime.combine(day, time(), _CALENDAR) + timedelta(days=1)
    if ends <= now:
        raise _Wrong("expires_on", Sentence("is past: take the line out, or write a later day."))
    return ends


def _refused(problems: list[Problem], count: int) -> ListFileRefused:
    told = [{"line": one.line, "column": one.column, "what": one.what} for one in problems]
    first = problems[0].told()
    message = (
        Sentence("Nothing was imported. %(first)s", first=first)
        if count == 1
        else Sentence(
            "Nothing was imported: %(count)s lines are wrong. The first is %(first)s",
            count=count,
            first=first,
        )
    )
    return ListFileRefused(message, param="file", problems=told, count=count)

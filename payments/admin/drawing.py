"""Where the parts of a case's graph are drawn. Plain figures for the template."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from risk import wording
from risk.cases import Linked

_COLUMNS = (2, 124, 246, 368, 490)  # the customer, its entities, customers, their entities, customers
_WIDTH, _ROW, _TOP, _BOX = 596, 38, 12, 26
_BOX_WIDTH = 104
_MOST_IN_COLUMN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    x: int
    y: int
    label: str
    kind: str  # "me", "entity", "customer", "refused" or "fraud"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """`sentences` say the same for those who do not see it."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    sentences: tuple[str, ...]
    left_out: int


def draw(linked: Linked, *, locale: str = "en") -> Drawing:
    """The graph in columns, from the customer outwards; what has no room is counted."""
    near = [link for link in linked.links if link.hop == 1]
    far = [link for link in linked.links if link.hop == 2]
    linking = {link.entity_key for link in near}
    own = sorted(linked.entities.items(), key=lambda one: (one[1] not in linking, one[0]))
    columns = [
        [linked.me],
        [key for kind, key in own if key in linking or kind not in ("customer", "merchant", "ip")],
        _once(link.customer for link in near),
        _once(link.entity_key for link in far),
        _once(link.customer for link in far),
    ]
    shown = [column[:_MOST_IN_COLUMN] for column in columns]
    kinds = {key: kind for kind, key in own} | {link.entity_key: link.entity for link in linked.links}
    marks = {link.customer: _mark(link.fraud, link.refused) for link in linked.links}
    places = {
        (number, key): (_COLUMNS[number], _TOP + row * _ROW)
        for number, column in enumerate(shown)
        for row, key in enumerate(column)
    }
    nodes = tuple(
        Node(x=x, y=y, label=_label(number, key, kinds, locale), kind=_kind(number, key, marks))
        for (number, key), (x, y) in places.items()
    )
    pairs = [((0, linked.me), (1, key)) for key in shown[1]]
    pairs += [((1, link.entity_key), (2, link.customer)) for link in near]
    pairs += [((2, link.via), (3, link.entity_key)) for link in far]
    pairs += [((3, link.entity_key), (4, link.customer)) for link in far]
    return Drawing(
        width=_WIDTH if far else _COLUMNS[2] + _BOX_WIDTH + 8,
        height=2 * _TOP + max(len(column) for column in shown) * _ROW,
        nodes=nodes,
        edges=tuple(
            _edge(places[one], places[other])
            for one, other in dict.fromkeys(pairs)
            if one in places and other in places
        ),
        sentences=tuple(_sentences(linked, locale)),
        left_out=sum(len(column) for column in columns) - sum(len(column) for column in shown),
    )


def _once(keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(keys))


def _mark(fraud: bool, refused: bool) -> str:
    if fraud:
        return "fraud"
    return "refused" if refused else "customer"


def _kind(number: int, key: str, marks: dict[str, str]) -> str:
    if number == 0:
        return "me"
    return "entity" if number in (1, 3) else marks.get(key, "customer")


def _label(number: int, key: str, kinds: dict[str, str], locale: str) -> str:
    """Enough of a key to tell two apart on the page; a key says nothing of whom it stands for."""
    if number == 0:
        return _("this customer")
    if number in (1, 3):
        return f"{wording.entity(kinds.get(key, ''), locale)} {key[:4]}"
    return _("customer %(key)s") % {"key": key[:4]}


def _edge(one: tuple[int, int], other: tuple[int, int]) -> Edge:
    return Edge(x1=one[0] + _BOX_WIDTH, y1=one[1] + _BOX // 2, x2=other[0], y2=other[1] + _BOX // 2)


def _sentences(linked: Linked, locale: str) -> Iterable[str]:
    found = {True: _("found to be fraud"), False: ""}
    for link in linked.links[:60]:
        through = f"{wording.entity(link.entity, locale)} {link.entity_key[:4]}"
        words = {"customer": link.customer[:4], "through": through, "via": link.via[:4]}
        said = (
            _("Customer %(customer)s shares the %(through)s with this customer.")
            if link.hop == 1
            else _("Customer %(customer)s shares the %(through)s with customer %(via)s.")
        ) % words
        outcome = found[link.fraud] or (_("refused before") if link.refused else "")
        yield f"{said} ({outcome})" if outcome else said

"""docs/channels.md, made from what the contract suite came to: `make channels` runs it with this as a plugin of pytest.

A channel without a page of its own, a capability or a channel that is new: each shows by itself.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from payments.channels.contract import Capability

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "channels.md"
SUITE = "test_contract*.py"
PROPERTY = "contract"  # of a test's report: the channel's code, and the capabilities that the test is about
EVERY = ""  # the row of what every channel does

_WHAT = {
    EVERY: "begin, ask again, be told: every channel",
    Capability.MANUAL_CAPTURE: "hold the money, capture it later",
    Capability.PARTIAL_CAPTURE: "capture less than is held, let the rest go",
    Capability.MULTI_CAPTURE: "capture one hold several times",
    Capability.VOID: "let go what is held",
    Capability.CLOSE: "close what was not paid",
    Capability.REFUND: "send money back",
    Capability.PARTIAL_REFUND: "send back a part",
    Capability.THREE_D_SECURE: "3-D Secure",
    Capability.QR: "a code to scan",
    Capability.REDIRECT: "a page of the provider's",
    Capability.IN_APP: "inside the wallet's own browser",
    Capability.TRANSFER: "a bank transfer with a reference",
    Capability.SAVED_INSTRUMENT: "a card kept for the next time",
    Capability.DISPUTE: "disputes: told, answered, ended",
    Capability.STATEMENT: "the provider's statement of a day",
    Capability.ABNORMAL_REFUND: "finish a refund that the customer's bank refused",
}
# Why a channel does not promise it, unless its driver says otherwise (`Driver.without`).
_WHY_NOT = {
    Capability.MANUAL_CAPTURE: "The products used here take the money at once.",
    Capability.PARTIAL_CAPTURE: "Nothing is held of which a part could be taken.",
    Capability.MULTI_CAPTURE: "Nothing is held that could be captured in parts.",
    Capability.VOID: "Nothing is held that could be let go; what was paid is refunded.",
    Capability.CLOSE: "The provider has no call for it: what was not paid ends at the time that it was given.",
    Capability.REFUND: "What was paid can not be sent back on the way that it came.",
    Capability.PARTIAL_REFUND: "Only the whole payment goes back.",
    Capability.THREE_D_SECURE: "No card is typed here: the customer proves themselves at the provider.",
    Capability.QR: "No code to draw is asked of the provider.",
    Capability.REDIRECT: "The customer is sent to no page of the provider's.",
    Capability.IN_APP: "No bridge of a wallet's own browser is used.",
    Capability.TRANSFER: "Not paid by bank transfer.",
    Capability.SAVED_INSTRUMENT: "Nothing is kept here: the customer agrees to each payment at the provider.",
    Capability.DISPUTE: "The provider knows no chargebacks, or they are answered in its own console.",
    Capability.STATEMENT: "There is no statement to fetch.",
    Capability.ABNORMAL_REFUND: "A refund either arrives or fails; none is left for us to finish.",
}

Reasons = Mapping[str, Mapping[Capability, str]]
# Why channels do not promise something, as their drivers say.
REASONS = pytest.StashKey[Reasons]()


@dataclass(slots=True)
class Tally:
    """How many tests there are, and how many passed, by channel and row."""

    collected: Counter[tuple[str, str]] = field(default_factory=Counter)
    passed: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, code: str, capabilities: Collection[str], *, passed: bool) -> None:
        for row in capabilities or [EVERY]:
            self.collected[code, row] += 1
            self.passed[code, row] += passed

    @property
    def codes(self) -> list[str]:
        return sorted({code for code, _ in self.collected})


def written(tally: Tally, reasons: Reasons) -> str:
    """The page. `reasons` are the channels' own, why they do not promise something."""
    notes: list[str] = []
    rows = "\n".join(_row(tally, row, reasons, notes) for row in _WHAT)
    names = " | ".join(_name(code) for code in tally.codes)
    footnotes = "\n".join(f"[^{number}]: {note}" for number, note in enumerate(notes, 1))
    return f"""# Channels

How many tests of the contract each channel passed, of those that there are for what it promises. `make channels` made
this page: it ran `tests/channels/{SUITE}`, in which every channel speaks over real sockets to the sandbox, and
the sandbox answers in the provider's own protocol. **No request was made to any live provider.** A test fails when this
page and the suite no longer agree.

| | {names} |
|---|{"---|" * len(tally.codes)}
{rows}

{_pages()}

{footnotes}
"""


def _row(tally: Tally, row: str, reasons: Reasons, notes: list[str]) -> str:
    cells = [_cell(tally, code, row, reasons.get(code, {}), notes) for code in tally.codes]
    name = f"`{row}`: {_WHAT[row]}" if row else _WHAT[row]
    return f"| {name} | {' | '.join(cells)} |"


def _cell(tally: Tally, code: str, row: str, own: Mapping[Capability, str], notes: list[str]) -> str:
    every, passed = tally.collected[code, row], tally.passed[code, row]
    if every:
        return f"{'✓' if passed == every else '✗'} {passed} of {every}"
    if row == EVERY:
        return "–"
    why = own.get(Capability(row), _WHY_NOT[Capability(row)])
    if why not in notes:
        notes.append(why)
    return f"–[^{notes.index(why) + 1}]"


def _name(code: str) -> str:
    return f"[{code}](channels/{code}.md)" if _own_page(code).is_file() else code


def _own_page(code: str) -> Path:
    return PAGE.parent / "channels" / f"{code}.md"


def _pages() -> str:
    """Where more stands, and what only a contract with a provider can settle."""
    pages = sorted((PAGE.parent / "channels").glob("*.md"))
    lines = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        title = text.split("\n", 1)[0].removeprefix("# ")
        depends = " **Contract dependent:** no public interface to hold it against." if _depends(text) else ""
        lines.append(f"- [{title}](channels/{page.name}).{depends}")
    return "\n".join(lines)


def _depends(text: str) -> bool:
    return "**Contract dependent.**" in text


_TALLY = Tally()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if PROPERTY not in dict(report.user_properties) or not Path(report.location[0]).match(SUITE):
        return
    if report.when == "call" or (report.when == "setup" and not report.passed):
        code, capabilities = cast(tuple[str, list[str]], dict(report.user_properties)[PROPERTY])
        _TALLY.add(code, capabilities, passed=report.passed)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _TALLY.collected:
        PAGE.write_text(written(_TALLY, session.config.stash[REASONS]), encoding="utf-8")

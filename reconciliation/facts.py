"""What reconciliation tells others. Pure."""

from dataclasses import dataclass
from datetime import date, datetime

from ledger.money import Money
from ledger.stuck import StuckItem
from reconciliation.states import DiscrepancyState, RepairKind, RepairState, RunState, StatementState


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscrepancyView:
    """`subject` is the payment, `reference` what it pays. `told` is None when they named no amount."""

    id: str  # dis_…
    state: DiscrepancyState
    kind: str
    channel: str
    subject: str
    reference: str
    ours: Money
    told: Money | None
    at_risk: Money
    source: str
    times_seen: int
    first_seen_at: datetime
    last_seen_at: datetime
    investigator: str
    write_off_proposed_by: str
    closed_by: str
    closed_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedItem:
    """An item of the list of stuck money, and what people said of it. Seen items still count."""

    item: StuckItem
    snoozed_until: datetime | None
    snoozed_by: str
    snooze_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckPage:
    """`next` leads to the page after it; "" on the last one."""

    items: tuple[ListedItem, ...]
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """`still` when it is stuck all the same, so far."""

    still: bool
    item: StuckItem


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairView:
    """`amount` is what it moves in the books, `posted` the transaction (txn_…), `movement` the refund (ref_…)."""

    id: str  # rpr_…
    discrepancy: str
    kind: RepairKind
    state: RepairState
    amount: Money
    words: str
    reason: str
    rest: str
    posted: str
    movement: str
    needs_second: bool
    proposed_by: str
    proposed_at: datetime
    approved_by: str
    done_at: datetime | None
    waits_on: date | None
    rule: str  # name@version
    undone_by: str
    undone_at: datetime | None
    undo_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """A file of a provider's about one of its days. `line` and `column` say where a refused one is at fault."""

    id: str  # stm_…
    channel: str
    kind: str
    day: date
    state: StatementState
    source: str
    name: str
    sha256: str
    size: int
    brought_by: str
    received_at: datetime
    supersedes: str
    refusal_code: str
    refusal_line: int | None
    refusal_detail: str
    phase: str
    rows_done: int
    rows: int
    matched: int
    matched_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What settling a statement did: fees posted by this call, bank lines explained, differences reported."""

    file: str
    fees: int
    explained: int
    reported: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A statement that is to be fetched, and what came of it. `file` is stm_… once there is one."""

    id: str  # run_…
    channel: str
    kind: str
    day: date
    state: RunState
    attempts: int
    next_try_at: datetime
    last_error: str
    file: str
    overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What one turn of the job did: statements that are here now, not ready yet, for a person; and left ones ended."""

    fetched: int
    not_ready: int
    failed: int
    finished: int

"""What a channel pays out, and the lines of our bank accounts that it arrives as."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django_fsm import FSMModelMixin, transition

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from reconciliation.models.statement import StatementFile
from reconciliation.states import BankLineState, Explanation, SettlementState

_STATES = [state.value for state in SettlementState]
_LINE_STATES = [state.value for state in BankLineState]


class SettlementQuerySet(models.QuerySet["Settlement"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def announced(self) -> Self:
        return self.filter(state=SettlementState.ANNOUNCED.value)


class Settlement(FSMModelMixin, models.Model):
    """One payout of a channel's. `net` leaves the channel and should arrive at a bank by `due_on`.

    `gross` and `fee` are minor units, and what it is made of where the channel tells it; otherwise `gross` is `net`.
    `posting` is the business key under which it went into transit, empty while it did not.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    state = StateField(
        default=SettlementState.ANNOUNCED.value, choices=[(state, state) for state in _STATES], protected=True
    )
    channel = models.CharField(max_length=20)
    grp = models.CharField(max_length=100)
    words = models.CharField(max_length=100)  # what the bank shows of it, when it shows anything
    currency = models.CharField(max_length=3)
    gross_amount = models.BigIntegerField()
    fee_amount = models.BigIntegerField()
    net_amount = models.BigIntegerField()
    deposited_amount = models.BigIntegerField(default=0)
    paid_on = models.DateField()
    due_on = models.DateField()
    file = models.ForeignKey(StatementFile, on_delete=models.PROTECT, related_name="settlements")
    line = models.IntegerField()
    posting = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = SettlementQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        ordering = ["-paid_on", "channel"]
        triggers = [StateAudit("set")]
        indexes = [
            models.Index(
                fields=["currency", "due_on"],
                condition=Q(state=SettlementState.ANNOUNCED.value),
                name="reconciliation_on_its_way",
            ),
            models.Index(fields=["channel", "paid_on"], name="reconciliation_paid_on"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["channel", "grp", "currency"], name="reconciliation_payout_once"),
            models.CheckConstraint(condition=Q(state__in=_STATES), name="reconciliation_settlement_state"),
            models.CheckConstraint(
                condition=Q(net_amount=F("gross_amount") - F("fee_amount")),
                name="reconciliation_payout_adds_up",
            ),
            models.CheckConstraint(
                condition=~Q(state=SettlementState.DEPOSITED.value) | Q(deposited_amount=F("net_amount")),
                name="reconciliation_deposited_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.grp}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("set", self.id)

    @property
    def missing(self) -> int:
        return self.net_amount - self.deposited_amount

    def tell(
        self, *, file: StatementFile, line: int, gross: int, fee: int, paid_on: date, due_on: date
    ) -> None:
        """Take over what this file says of it."""
        self.file, self.line, self.paid_on, self.due_on = file, line, paid_on, due_on
        self.gross_amount, self.fee_amount, self.net_amount = gross, fee, gross - fee

    def take(self, amount: int) -> None:
        """A deposit of this much arrived for it, or is taken back (negative)."""
        self.deposited_amount += amount
        if self.state == SettlementState.ANNOUNCED and self.deposited_amount == self.net_amount:
            self.arrive()
        elif self.state == SettlementState.DEPOSITED and self.deposited_amount != self.net_amount:
            self.miss_again()

    @transition(field=state, source=SettlementState.ANNOUNCED.value, target=SettlementState.DEPOSITED.value)
    def arrive(self) -> None:
        """The bank has all of it."""

    @transition(field=state, source=SettlementState.DEPOSITED.value, target=SettlementState.ANNOUNCED.value)
    def miss_again(self) -> None:
        """The bank took a deposit back, or the channel corrected the sum."""

    @transition(field=state, source=SettlementState.ANNOUNCED.value, target=SettlementState.WITHDRAWN.value)
    def withdraw(self) -> None:
        """The channel's corrected file knows nothing of it."""

    @transition(field=state, source=SettlementState.WITHDRAWN.value, target=SettlementState.ANNOUNCED.value)
    def announce_again(self) -> None:
        """A later file tells of it after all."""

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        sums = ["gross_amount", "fee_amount", "net_amount", "deposited_amount"]
        self.save(update_fields=["state", *sums, "words", "paid_on", "due_on", "file", "line", "posting"])


class BankLineQuerySet(models.QuerySet["BankLine"]):
    def locked(self) -> Self:
        return self.order_by("pk").select_for_update(of=("self",))

    def unexplained(self) -> Self:
        return self.filter(state=BankLineState.OPEN.value)


class BankLine(FSMModelMixin, models.Model):
    """A line of our bank account, as the live statement of its day has it; a debit is negative.

    `line` is its place there, from 1: XML may be one line of text.

    `movement` is the customer's transfer or our refund that it is (att_…, ref_…); deposits of payouts are `Deposit`s.
    `posting` is the business key under which it is in the books, empty while it is not explained.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    state = StateField(
        default=BankLineState.OPEN.value, choices=[(state, state) for state in _LINE_STATES], protected=True
    )
    file = models.ForeignKey(
        StatementFile, on_delete=models.PROTECT, related_name="bank_lines", db_index=False
    )
    line = models.IntegerField()
    account = models.CharField(max_length=64)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    booked_on = models.DateField()
    booked_at = models.DateTimeField()
    their_reference = models.CharField(max_length=100, blank=True)
    reference = models.CharField(max_length=100, blank=True)
    grp = models.CharField(max_length=100, blank=True)
    text = models.CharField(max_length=200, blank=True)
    how = models.CharField(max_length=20, blank=True, choices=[(how.value, how.value) for how in Explanation])
    movement = models.CharField(max_length=100, blank=True)
    posting = models.CharField(max_length=200, blank=True)

    objects = BankLineQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        ordering = ["-booked_on", "line"]
        triggers = [StateAudit("bnk")]
        indexes = [
            models.Index(
                fields=["currency", "booked_on"],
                condition=Q(state=BankLineState.OPEN.value),
                name="reconciliation_bank_open",
            ),
            models.Index(fields=["movement"], condition=~Q(movement=""), name="reconciliation_bank_movement"),
            models.Index(fields=["booked_on"], name="reconciliation_bank_day"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["file", "line"], name="reconciliation_bank_line_once"),
            models.CheckConstraint(condition=Q(state__in=_LINE_STATES), name="reconciliation_bank_state"),
            models.CheckConstraint(condition=~Q(amount=0), name="reconciliation_bank_amount"),
            models.CheckConstraint(
                condition=~Q(state=BankLineState.EXPLAINED.value) | (~Q(how="") & ~Q(posting="")),
                name="reconciliation_bank_explained",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.booked_on} {self.amount} {self.currency}"

    @property
    def public_id(self) -> str:
        return identifiers.encode("bnk", self.id)

    @transition(field=state, source=BankLineState.OPEN.value, target=BankLineState.EXPLAINED.value)
    def explain(self, how: Explanation, posting: str, movement: str = "") -> None:
        self.how, self.posting, self.movement = how.value, posting, movement

    @transition(field=state, source=BankLineState.EXPLAINED.value, target=BankLineState.OPEN.value)
    def doubt(self) -> None:
        """What explained it is taken back."""
        self.how = self.movement = self.posting = ""

    @transition(field=state, source=BankLineState.OPEN.value, target=BankLineState.GONE.value)
    def vanish(self) -> None:
        """The bank's corrected file has no such line."""

    def store(self) -> None:
        self.save(update_fields=["state", "file", "line", "how", "movement", "posting"])


class Deposit(models.Model):
    """How much of a payout arrived with a line of the bank's."""

    id = models.UUIDField(primary_key=True, default=identifiers.new_key, editable=False)
    bank_line = models.ForeignKey(BankLine, on_delete=models.PROTECT, related_name="deposits", db_index=False)
    settlement = models.ForeignKey(Settlement, on_delete=models.PROTECT, related_name="deposits")
    amount = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["bank_line", "settlement"], name="reconciliation_deposit_once"),
            models.CheckConstraint(condition=~Q(amount=0), name="reconciliation_deposit_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.bank_line_id} {self.settlement_id} {self.amount}"


class OrderTotal(models.Model):
    """What our orders say of the money that moved on a statement's day: counted when it is settled.

    `kind` is the movement's; where its order does not agree, after the name of what is wrong (`SightingKind`).
    """

    id = models.BigAutoField(primary_key=True)
    file = models.ForeignKey(
        StatementFile, on_delete=models.PROTECT, related_name="order_totals", db_index=False
    )
    kind = models.CharField(max_length=60)
    currency = models.CharField(max_length=3)
    count = models.BigIntegerField()
    amount = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["file", "kind", "currency"], name="reconciliation_order_total_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.currency} {self.amount}"

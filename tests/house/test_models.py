"""What import-linter cannot see: the tables themselves follow the arrows and the names of the house."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.migrations import AddField, CreateModel
from django.db.migrations.loader import MigrationLoader
from django.db.models.fields import NOT_PROVIDED
from django.test.utils import isolate_apps

from ledger import identifiers
from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.models import AuditEntry
from payments.models import Payment

_ARROWS = ["ledger", "risk", "payments", "checkout", "reconciliation", "config"]  # from the ground up
_OURS = [model for model in apps.get_models() if model._meta.app_label in _ARROWS]
_MONEY = re.compile(r"(^|_)(amount|price|balance|fee|payable|cost|tax|discount|shipping)(_|$)")
_CURRENCY_IS_SAID = {"risk.LimitUse.amount": "limits are defined in CNY"}
_EXACT_WITHOUT_MONEY = {"ledger.FxRate.rate"}
Model = type[models.Model]


def _upward(tables: Iterable[Model]) -> Iterator[str]:
    for table in tables:
        above = _ARROWS[_ARROWS.index(table._meta.app_label) + 1 :]
        for field in table._meta.get_fields():
            other = field.related_model if field.concrete else None
            if isinstance(other, type) and other._meta.app_label in above:
                yield f"{table._meta.label}.{field.name} points up to {other._meta.label}"


def _unaudited(tables: Iterable[Model]) -> Iterator[str]:
    for table in tables:
        for field in table._meta.fields:
            if field.name != "state":
                continue
            audits = [each for each in getattr(table._meta, "triggers", []) if isinstance(each, StateAudit)]
            if len(audits) != 1:
                yield f"{table._meta.label} has a state and no StateAudit"
            elif not _names_itself(table, audits[0].prefix):
                yield f"{table._meta.label} is audited as {audits[0].prefix}_ and called otherwise"
            if not isinstance(field, StateField) or not field.protected:
                yield f"{table._meta.label}.state is no protected StateField"


def _names_itself(table: Model, prefix: str) -> bool:
    """Whether the audit journal calls a row what its public identifier says."""
    row: Any = table(pk=identifiers.new_key())
    return not hasattr(table, "public_id") or str(row.public_id).startswith(f"{prefix}_")


def _without_currency(tables: Iterable[Model]) -> Iterator[str]:
    """Beside it, or in the row that it is a line of."""
    for table in tables:
        names = {field.name for field in table._meta.fields}
        parents = [
            field.related_model for field in table._meta.fields if field.many_to_one and not field.null
        ]
        above = any(hasattr(parent, "currency") for parent in parents)
        for field in table._meta.fields:
            if not isinstance(field, models.BigIntegerField) or not _MONEY.search(field.name):
                continue
            pairs = {"currency", _MONEY.sub(r"\1currency\3", field.name)}
            told = f"{table._meta.label}.{field.name}"
            if not above and not pairs & names and told not in _CURRENCY_IS_SAID:
                yield f"{told} has no currency beside it"


def _misnamed(tables: Iterable[Model]) -> Iterator[str]:
    for table in tables:
        for field in table._meta.fields:
            if isinstance(field, models.DateTimeField):
                suffixes: tuple[str, ...] = ("_at", "_by", "_since", "_until", "_after")
            elif isinstance(field, models.DateField):
                suffixes = ("_on",)
            else:
                continue
            if not field.name.endswith(suffixes):
                yield f"{table._meta.label}.{field.name} does not end in {' or '.join(suffixes)}"


def _inexact(tables: Iterable[Model]) -> Iterator[str]:
    for table in tables:
        for field in table._meta.fields:
            told = f"{table._meta.label}.{field.name}"
            if table._meta.app_label == "risk" or told in _EXACT_WITHOUT_MONEY:
                continue
            if isinstance(field, models.FloatField | models.DecimalField):
                yield f"{told} is a {type(field).__name__}"


_CHECKS = [_upward, _unaudited, _without_currency, _misnamed, _inexact]


@pytest.mark.parametrize("check", _CHECKS)
def test_the_tables_keep_the_rules(check: Any) -> None:
    assert list(check(_OURS)) == []


def test_every_app_is_on_the_arrows() -> None:
    assert {model._meta.app_label for model in _OURS} >= {"ledger", "risk", "payments", "checkout"}


@isolate_apps("ledger")
def test_the_offenders_are_caught() -> None:
    class Planted(models.Model):
        payment = models.ForeignKey(Payment, null=True, on_delete=models.PROTECT)
        entry = models.ForeignKey(AuditEntry, on_delete=models.PROTECT)  # allowed
        state = models.CharField(max_length=10)
        fee_amount = models.BigIntegerField()
        rate = models.FloatField()
        created = models.DateTimeField()
        due_at = models.DateField()

        class Meta:
            app_label = "ledger"

        def __str__(self) -> str:
            return self.state

    assert {check.__name__: len(list(check([Planted]))) for check in _CHECKS} == {
        "_upward": 1,
        "_unaudited": 2,
        "_without_currency": 1,
        "_misnamed": 2,
        "_inexact": 1,
    }


@isolate_apps("ledger")
def test_an_audited_name_that_is_not_the_rows_own_is_caught() -> None:
    class Planted(models.Model):
        id = models.UUIDField(primary_key=True)
        state = StateField(protected=True)

        class Meta:
            app_label = "ledger"
            triggers = [StateAudit("pay")]

        def __str__(self) -> str:
            return self.public_id

        @property
        def public_id(self) -> str:
            return identifiers.encode("ref", self.id)

    assert list(_unaudited([Planted])) == ["ledger.Planted is audited as pay_ and called otherwise"]


def _unknown_to_the_version_before(operations: Iterable[Any]) -> Iterator[str]:
    """Columns of a table that was there before, which who does not name them can not fill."""
    new: set[str] = set()
    for operation in operations:
        if isinstance(operation, CreateModel):
            new.add(operation.name.lower())
        field = operation.field if isinstance(operation, AddField) else None
        if field is None or operation.model_name.lower() in new or field.null or field.many_to_many:
            continue
        if field.db_default is NOT_PROVIDED:
            yield f"{operation.model_name}.{operation.name} needs db_default"


def test_the_version_before_can_still_write_while_migrations_run() -> None:
    loader = MigrationLoader(None)
    closed = [
        f"{app}.{name}: {problem}"
        for (app, name), migration in loader.disk_migrations.items()
        if app in _ARROWS
        for problem in _unknown_to_the_version_before(migration.operations)
    ]
    assert closed == []
    field = models.IntegerField(default=0)
    assert list(_unknown_to_the_version_before([AddField("Order", "total", field)]))


def test_migrations_follow_the_arrows() -> None:
    loader = MigrationLoader(None)
    upward = [
        f"{app}.{name} needs {needed}"
        for (app, name), migration in loader.disk_migrations.items()
        if app in _ARROWS
        for needed, _ in migration.dependencies
        if needed in _ARROWS and _ARROWS.index(needed) > _ARROWS.index(app)
    ]
    assert upward == []

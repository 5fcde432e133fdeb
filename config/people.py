"""Roles of the operators, and the demo people with the passwords that `manage.py up` made."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction

from config.settings.environment import DATA_DIR

# role → apps whose rows it may see, and what it may do there beyond seeing
ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "support": (
        ("checkout", "payments"),
        (
            "payments.request_refund",
            "payments.draft_dispute",
            "payments.capture_payment",
            "checkout.ship_order",
            "payments.replay_event",
            "reconciliation.see_stuck",
            "reconciliation.repair_stuck",
        ),
    ),
    "risk analyst": (
        ("checkout", "payments", "risk"),
        ("risk.claim_riskcase", "risk.decide_riskcase", "risk.draft_policy", "risk.freeze_device"),
    ),
    "risk manager": (
        ("checkout", "payments", "risk", "reconciliation"),
        (
            "risk.claim_riskcase",
            "risk.decide_riskcase",
            "risk.crown_riskmodel",
            "risk.add_listentry",
            "risk.confirm_listchange",
            "risk.draft_policy",
            "risk.switch_policy",
            "risk.decide_escalated_riskcase",
            "risk.freeze_device",
            "checkout.add_verification",
            "checkout.change_verification",
            "payments.switch_channel",
            "payments.request_refund",
            "payments.approve_refund",
            "payments.draft_dispute",
            "payments.settle_dispute",
            "reconciliation.approve_repair",
            "reconciliation.manage_resolverule",
            "reconciliation.see_stuck",
            "reconciliation.repair_stuck",
            "reconciliation.repair_stuck_money",
        ),
    ),
    "finance": (
        ("checkout", "payments", "ledger", "reconciliation"),
        (
            "payments.request_refund",
            "payments.approve_refund",
            "payments.draft_dispute",
            "payments.settle_dispute",
            "payments.capture_payment",
            "checkout.ship_order",
            "payments.replay_event",
            "ledger.close_day",
            "ledger.add_fxrate",
            "checkout.add_coupon",
            "checkout.change_coupon",
            "reconciliation.bring_statement",
            "reconciliation.decide_discrepancy",
            "reconciliation.approve_repair",
            "reconciliation.see_stuck",
            "reconciliation.repair_stuck",
            "reconciliation.repair_stuck_money",
        ),
    ),
    "administrator": (
        ("checkout", "payments", "risk", "ledger", "reconciliation", "django_celery_beat"),
        (
            "payments.replay_event",
            "payments.manage_webhooks",
            "payments.switch_channel",
            "risk.confirm_listchange",
            "risk.draft_policy",
            "risk.switch_policy",
            "reconciliation.bring_statement",
            "reconciliation.approve_repair",
            "reconciliation.manage_resolverule",
            "reconciliation.see_stuck",
            "reconciliation.repair_stuck",
            "reconciliation.repair_stuck_money",
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Person:
    user: str
    name: tuple[str, str]
    role: str = ""
    superuser: bool = False
    email: str = field(default="")


PEOPLE = (
    Person("demo", ("Mei", "Lin"), email="mei.lin@example.com"),
    Person("support", ("Sam", "Porter"), "support"),
    Person("analyst", ("Ana", "Liszt"), "risk analyst"),
    Person("manager", ("Max", "Weller"), "risk manager"),
    Person("finance", ("Fay", "Nance"), "finance"),
    Person("admin", ("Ada", "Min"), "administrator", superuser=True),
)


@transaction.atomic(durable=True)
def ensure_roles() -> None:
    """Give each role what it may see and do; rights that an app does not have (yet) are left out."""
    rights = list(Permission.objects.values_list("pk", "content_type__app_label", "codename"))
    for name, (apps, more) in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.set(
            pk
            for pk, app, codename in rights
            if (app in apps and codename.startswith("view_")) or f"{app}.{codename}" in more
        )


def ensure_people() -> None:
    """Make the demo people, and let them sign in with the passwords in `<data>/sign-ins.json`."""
    path = DATA_DIR / "sign-ins.json"
    passwords: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    users = [_ensure_person(person) for person in PEOPLE]
    # The passwords were made together, and checking one is slow by design, even where there is none.
    first = users[0]
    if passwords and not (first.has_usable_password() and first.check_password(passwords[first.username])):
        _set_passwords(users, passwords)


@transaction.atomic(durable=True)
def _ensure_person(person: Person) -> User:
    user, made = User.objects.get_or_create(
        username=person.user,
        defaults={
            "first_name": person.name[0],
            "last_name": person.name[1],
            "email": person.email or f"{person.user}@example.com",
            "is_staff": bool(person.role),
            "is_superuser": person.superuser,
            "password": make_password(None),
        },
    )
    if made and person.role:
        user.groups.add(Group.objects.get(name=person.role))
    return user


@transaction.atomic(durable=True)
def _set_passwords(users: Iterable[User], passwords: dict[str, str]) -> None:
    for user in users:
        user.set_password(passwords[user.username])
        user.save(update_fields=["password"])

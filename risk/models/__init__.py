"""Risk's tables. Nobody outside this app opens them."""

from risk.models.cases import RiskCase
from risk.models.challenges import Challenge, ChallengeCode, Passkey
from risk.models.decisions import Decision
from risk.models.devices import Device, Freeze
from risk.models.learned import Outcome, RiskModel
from risk.models.lists import LimitUse, ListEntry
from risk.models.measured import Alert, BackTest, DayFigures, Reader, ShadowOutcome
from risk.models.notes import CaseNote
from risk.models.policies import Policy, PolicySwitch
from risk.models.roll_outs import RollOut
from risk.models.ties import Tie

__all__ = [
    "Alert",
    "BackTest",
    "CaseNote",
    "Challenge",
    "ChallengeCode",
    "DayFigures",
    "Decision",
    "Device",
    "Freeze",
    "LimitUse",
    "ListEntry",
    "Outcome",
    "Passkey",
    "Policy",
    "PolicySwitch",
    "Reader",
    "RiskCase",
    "RiskModel",
    "RollOut",
    "ShadowOutcome",
    "Tie",
]

"""Risk's tables. Nobody outside this app opens them."""

from risk.models.advice import Advice
from risk.models.cases import RiskCase
from risk.models.challenges import Challenge, ChallengeCode, Passkey
from risk.models.counted import DecisionCount
from risk.models.decisions import Decision
from risk.models.devices import Device, Freeze
from risk.models.expectations import Expectation
from risk.models.learned import Outcome, Proof, RiskModel
from risk.models.list_changes import ListChange, ProposedEntry
from risk.models.lists import LimitUse, ListEntry, ListImport
from risk.models.measured import Alert, BackTest, DayFigures, HourFigures, Reader, ShadowOutcome
from risk.models.notes import CaseNote
from risk.models.policies import Policy, PolicySwitch
from risk.models.roll_outs import RollOut
from risk.models.ties import Tie

__all__ = [
    "Advice",
    "Alert",
    "BackTest",
    "CaseNote",
    "Challenge",
    "ChallengeCode",
    "DayFigures",
    "Decision",
    "DecisionCount",
    "Device",
    "Expectation",
    "Freeze",
    "HourFigures",
    "LimitUse",
    "ListChange",
    "ListEntry",
    "ListImport",
    "Outcome",
    "Passkey",
    "Policy",
    "PolicySwitch",
    "Proof",
    "ProposedEntry",
    "Reader",
    "RiskCase",
    "RiskModel",
    "RollOut",
    "ShadowOutcome",
    "Tie",
]

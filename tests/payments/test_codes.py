"""The tables of refusal codes: one shape, no contradiction with what the channels answer, and a page that is true."""

import pytest

from payments.channels import registry
from payments.channels.alipay import codes as alipay
from payments.channels.contract import Advice, Outcome
from payments.channels.meanings import Meaning, Reaction
from payments.channels.stripe import codes as stripe
from payments.channels.wechat import codes as wechat
from payments.management.commands.write_channel_codes import PAGE, page

CHANNELS = ("alipay", "crypto", "ecny", "stripe", "unionpay", "wechat")


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: manage.py write_channel_codes"


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_row_has_the_one_shape(channel: str) -> None:
    table = registry.meanings(channel)
    assert table
    assert all(isinstance(row, Meaning) for row in table.values())


@pytest.mark.parametrize("channel", CHANNELS)
def test_we_go_on_by_ourselves_only_where_nothing_moved(channel: str) -> None:
    for code, row in registry.meanings(channel).items():
        if row.reaction == Reaction.OTHER_CHANNEL:
            assert row.outcome == Outcome.ERRORED, code
        if row.reaction == Reaction.STEP_UP:
            assert row.outcome == Outcome.DECLINED, code


def test_tables_agree_with_the_answers() -> None:
    for table, known in ((alipay.START, alipay.MEANINGS), (wechat.START, wechat.MEANINGS)):
        for code, (outcome, _) in table.items():
            assert known[code].outcome == outcome, code
    for code, advice in stripe.ADVICE.items():
        assert stripe.MEANINGS[code].reaction == advice.value


def test_a_family_of_codes_is_found_and_a_stranger_is_not() -> None:
    assert registry.meaning("alipay", "isv.invalid-signature") == Meaning(
        Outcome.ERRORED, Reaction.OTHER_CHANNEL
    )
    assert registry.meaning("stripe", "authentication_required") == Meaning(
        Outcome.DECLINED, Reaction.STEP_UP
    )
    assert registry.meaning("wechat", "nobody_knows") is None
    assert registry.meaning("stripe", "") is None


def test_every_advice_is_a_reaction() -> None:
    assert {advice.value for advice in Advice} <= {reaction.value for reaction in Reaction}

"""Every channel while its provider changes a key or secret, and beside a clock that is wrong: docs/channels/keys.md.

The keys of single providers, as the sandbox changes them, are in test_alipay_keys.py and test_wechat_keys.py.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings

from payments.channels.contract import InvalidSignature, Notice, NoticeKind, Outcome, StaleNotice
from tests.channels.authority import NOW
from tests.channels.page import ROOT
from tests.channels.signers import NEW, OLD, SIGNERS, Signer

KEYS_PAGE = ROOT / "docs" / "channels" / "keys.md"
WITH_WINDOW = sorted(code for code, signer in SIGNERS.items() if signer.window)
WITHOUT_WINDOW = sorted(set(SIGNERS) - set(WITH_WINDOW))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Signer]:
    signers = {code: kind(tmp_path_factory.mktemp(code)) for code, kind in SIGNERS.items()}
    return signers.__getitem__


def read(signer: Signer, accepted: list[int], key: int, *, late: timedelta = timedelta()) -> Notice:
    """What a channel that accepts these keys makes of a notice that is signed with `key`, read so much later."""
    headers, body = signer.tell(key, NOW)
    return signer.channel(accepted, lambda: NOW + late).read_notice(headers, body)


def test_no_channel_is_left_out() -> None:
    assert set(SIGNERS) == set(settings.CHANNELS)


@pytest.mark.parametrize("code", sorted(SIGNERS))
class TestChangeOfKeys:
    def test_before_it_only_the_old_one_holds(self, made: Callable[[str], Signer], code: str) -> None:
        signer = made(code)
        assert read(signer, [OLD], OLD).kind is NoticeKind.PAYMENT
        with pytest.raises(InvalidSignature):
            read(signer, [OLD], NEW)

    @pytest.mark.parametrize("accepted", [[OLD, NEW], [NEW, OLD]])
    def test_while_it_lasts_both_hold(
        self, made: Callable[[str], Signer], code: str, accepted: list[int]
    ) -> None:
        signer = made(code)
        told = [read(signer, accepted, key) for key in (OLD, NEW)]
        assert [notice.answer.outcome for notice in told] == [Outcome.SUCCEEDED] * 2
        assert len({notice.event_id for notice in told}) == 1, "one event, whoever signs its repetition"

    def test_after_it_only_the_new_one_holds(self, made: Callable[[str], Signer], code: str) -> None:
        signer = made(code)
        assert read(signer, [NEW], NEW).kind is NoticeKind.PAYMENT
        with pytest.raises(InvalidSignature):
            read(signer, [NEW], OLD)


@pytest.mark.parametrize("code", WITH_WINDOW)
class TestWindow:
    @pytest.mark.parametrize("seconds", [-299, 299])
    def test_a_clock_may_be_wrong_by_five_minutes(
        self, made: Callable[[str], Signer], code: str, seconds: int
    ) -> None:
        assert read(made(code), [NEW], NEW, late=timedelta(seconds=seconds)).kind is NoticeKind.PAYMENT

    @pytest.mark.parametrize("seconds", [-301, 301])
    def test_what_is_older_or_of_the_future_is_stale(
        self, made: Callable[[str], Signer], code: str, seconds: int
    ) -> None:
        with pytest.raises(StaleNotice):
            read(made(code), [NEW], NEW, late=timedelta(seconds=seconds))


@pytest.mark.parametrize("code", WITHOUT_WINDOW)
class TestNoWindow:
    @pytest.mark.parametrize("hours", [-12, 12])
    def test_no_clock_hides_a_notice(self, made: Callable[[str], Signer], code: str, hours: int) -> None:
        assert read(made(code), [NEW], NEW, late=timedelta(hours=hours)).kind is NoticeKind.PAYMENT

    def test_it_is_said_in_the_documentation(self, code: str) -> None:
        row = next(line for line in KEYS_PAGE.read_text("utf-8").split("\n") if line.startswith(f"| {code} "))
        assert "none" in row

from datetime import timedelta

from django.utils import timezone

from payments.breakers import breakers, close_breaker, open_breaker, rule, tally
from payments.measures import FAULTS, BreakerState, Result


def watch_channel(*, channel: str, method: str, result: Result) -> None:
    """This will move the channel's breaker by the result of a call that was just made.

    A fault opens it when too many calls of its window were faults, or when it was the probe of a half-open one; any
    other result of a probe closes it. What came before a breaker was closed no longer counts. Needs no transaction;
    without Redis it changes nothing.
    """
    pair = (channel, method)
    known = breakers([pair])[pair]
    if result not in FAULTS:
        if known.state == BreakerState.HALF_OPEN:
            close_breaker(pair)
        return
    if known.state == BreakerState.HALF_OPEN:
        open_breaker(pair)
        return
    window = timezone.now() - timedelta(seconds=rule().window_seconds)
    after = max(window, known.since) if known.since else window
    if known.state == BreakerState.CLOSED and rule().trips(*tally(pair, after)):
        open_breaker(pair)

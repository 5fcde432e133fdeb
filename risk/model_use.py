"""What a policy makes of its model's answer. Pure."""

from dataclasses import dataclass

from risk.states import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUse:
    """A model ("default@3") and what its answer adds: from so many ppm of probability, so many points.

    From `challenge_from` ppm on it asks for a challenge whatever the score, of payments above so many CNY minor units
    whose browser or network is known: a merchant's own program shows neither.
    """

    name: str
    points: tuple[tuple[int, int], ...]
    challenge_from: int | None = None
    challenge_above: int = 0

    def weight(self, probability_ppm: int) -> int:
        return max((points for least, points in self.points if probability_ppm >= least), default=0)

    def action(self, probability_ppm: int, amount_cny: int | None) -> str:
        asks = self.challenge_from is not None and probability_ppm >= self.challenge_from
        return Action.CHALLENGE if asks and (amount_cny is None or amount_cny > self.challenge_above) else ""

"""What a part of an order is worth when it goes back. Pure; amounts are integer minor units.

Every part is taken from what is left, so that all parts together are exactly the whole, in whatever order they come.
"""

from collections.abc import Sequence


def worth(*, amount_left: int, quantity_left: int, quantity: int) -> int:
    """The share of `quantity` in `amount_left`; the last ones take all that is left."""
    return amount_left * quantity // quantity_left


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """`total` split in proportion to `weights` by the largest remainder: the shares add up to `total`."""
    whole = sum(weights)
    if not whole:
        return [0 for _ in weights]
    split = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(total * weights[n] % whole), n))
    for n in by_remainder[: total - sum(split)]:
        split[n] += 1
    return split

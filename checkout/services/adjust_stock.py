"""Set how many of an article there are."""


def adjust_stock(*, sku: str, total: int, actor: str, reason: str) -> None:
    """This will set the article's total. Raises `SkuUnknown`, `StockInUse` (orders hold more), `QuantityInvalid`.

    Own transaction; locks the stock row.
    """
    raise NotImplementedError

"""Fill the demo shop."""

from dataclasses import asdict, dataclass

from django.db import transaction

from checkout.models import Sku, Stock
from ledger.audit import attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class _Article:
    """`price` in fen, what a customer in mainland China pays."""

    code: str
    title_en: str
    title_zh: str
    description_en: str
    description_zh: str
    price: int
    image: str
    tax_class: str = "standard"
    purchase_limit: int | None = None


# (article, how many there are)
_ARTICLES: tuple[tuple[_Article, int], ...] = (
    (
        _Article(
            code="longjing-tea",
            title_en="Longjing spring tea, 100 g",
            title_zh="明前龙井 100 克",
            description_en="First leaves of the year from Hangzhou, pan-fired by hand. Chestnut and fresh peas.",
            description_zh="杭州当年头采，手工杀青，板栗香与鲜豆香。",
            price=10_000,
            image="tea.svg",
        ),
        10_000,
    ),
    (
        _Article(
            code="desk-lamp",
            title_en="Reading lamp",
            title_zh="护眼阅读灯",
            description_en="Even, flicker-free light from warm to daylight, on an arm that stays where you put it.",
            description_zh="无频闪均匀光，冷暖可调，悬臂随停。",
            price=20_000,
            image="lamp.svg",
        ),
        10_000,
    ),
    (
        _Article(
            code="field-camera",
            title_en="Compact field camera",
            title_zh="旅行轻便相机",
            description_en="A large sensor and a fixed 35 mm lens in a body for every pocket. Weather-sealed.",
            description_zh="大尺寸传感器，35 毫米定焦，机身防尘防溅。",
            price=500_000,
            image="camera.svg",
        ),
        2_000,
    ),
    (
        _Article(
            code="studio-laptop",
            title_en="Studio laptop 14",
            title_zh="创作本 14 英寸",
            description_en="Colour-true display, a day of battery and quiet fans, for people who make things.",
            description_zh="原色屏，全天续航，安静散热，为创作而生。",
            price=800_000,
            image="laptop.svg",
        ),
        2_000,
    ),
    (
        _Article(
            code="porcelain-teapot",
            title_en="Celadon teapot",
            title_zh="青瓷茶壶",
            description_en="Thrown and glazed in Longquan; pours without a drop. Holds 320 ml.",
            description_zh="龙泉手作青瓷，断水利落，容量 320 毫升。",
            price=36_800,
            image="teapot.svg",
        ),
        500,
    ),
    (
        _Article(
            code="paper-notebook",
            title_en="Thread-bound notebook",
            title_zh="线装笔记本",
            description_en="192 pages of 100 g paper that takes ink and lies flat. At most two per customer.",
            description_zh="192 页 100 克纸，不洇墨，可平摊。每人限购两本。",
            price=6_800,
            image="notebook.svg",
            tax_class="book",
            purchase_limit=2,
        ),
        800,
    ),
    (
        _Article(
            code="headphones",
            title_en="Open-back headphones",
            title_zh="开放式耳机",
            description_en="A wide, honest sound and pads that can be replaced. With a three-metre cable.",
            description_zh="声场开阔，音色真实，耳垫可换，配三米线。",
            price=129_900,
            image="headphones.svg",
        ),
        300,
    ),
    (
        _Article(
            code="mechanical-watch",
            title_en="Hand-wound watch No. 1",
            title_zh="手上链机械表 一号",
            description_en="Made once. There is one, and it is this one.",
            description_zh="仅此一枚，售完即止。",
            price=299_900,
            image="watch.svg",
        ),
        1,
    ),
)


def seed_catalogue() -> int:
    """This will create the demo articles that are missing and return how many; what exists is left alone.

    Own transaction.
    """
    with transaction.atomic(durable=True):
        attribute(actor="system", reason="demo catalogue")
        made = 0
        for position, (article, total) in enumerate(_ARTICLES):
            row, created = Sku.objects.get_or_create(
                code=article.code, defaults={**asdict(article), "position": position}
            )
            Stock.objects.get_or_create(sku=row, defaults={"total": total})
            made += created
    return made

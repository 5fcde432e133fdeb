"""The question to a language model, and the checks of its answer. Pure.

Every statement names one ground of the decision and cites inputs with their values; rank, direction and values must
be the decision's own. Figures stand in its words as placeholders only, which are filled in here. Whatever an answer
says, no decision looks at it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from risk.masking import LOWERS, RAISES, Factor, Masked, Value

LANGUAGES = ("en", "zh")
LONGEST = 8_000  # characters of an answer
_MOST, _MOST_CITED, _LONGEST_WORDS = 6, 6, 240
_FENCE = re.compile(r"\A\s*```(?:json)?\s*(.*?)\s*```\s*\Z", re.DOTALL)
PLACEHOLDER = re.compile(r"\{([a-z0-9_.]+)\}")
_PLAIN = {
    "en": re.compile(r"[A-Za-z ,.;:'()\-]+"),
    "zh": re.compile(r"[\u4e00-\u9fffA-Za-z ，。；：、（）,.;:()\-]+"),
}
_HAN = re.compile(r"[\u4e00-\u9fff]")
_UNITS = "zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy"
_MANY = "eighty ninety hundred thousand million billion dozen half double twice triple once percent per cent quarter"
_FIGURES = re.compile(rf"\b(?:{'|'.join(f'{_UNITS} {_MANY}'.split())})s?\b|\b\w+teen\b", re.IGNORECASE)
_FIGURES_ZH = re.compile("[零〇一二两三四五六七八九十百千万亿半倍]")
_NO_FIGURES_ZH = re.compile("同一|一致|统一|单一|一般|进一步|一起")  # no number is meant
# A note says why; what to do, and whom to believe, is not its to say.
_VERDICTS = re.compile(
    r"approv|accept|allow|permit|reject|declin|refus|releas|ignor|disregard|overrid|overrul|trust|\bsafe|legit|genuin"
    r"|honest|innocen|harmless|benign|white ?list|guarant|instruct|prompt|system|command|admin|verdict|decision|decid"
    r"|recommend|should|must|please|click|visit|\bcall\b|refund|transfer the|criminal|low risk|no risk|risk free"
    r"|not (?:a )?risk|\bvip\b|employee|developer|assistant|as an ai|language model",
    re.IGNORECASE,
)
_VERDICTS_ZH = re.compile(
    "批准|放行|予以通过|应通过|审核通过|接受|拒绝|允许|同意|忽略|无视|信任|可信|可靠|安全|合法|真实|诚实|无害|白名单|系统"
    "|指令|提示词|管理员|建议|必须|应该|应当|请|点击|访问|致电|退款|转账|无风险|低风险|没有风险|不是风险|员工|开发者|助手|语言模型"
)
_OTHER_WAY = {
    RAISES: re.compile(
        r"lower|reduc|decreas|lessen|mitigat|offset|reassur|\b(?:usual|normal|ordinary|typical|expected|plausible|fine)\b"
        r"|降低|减少|减轻|抵消|缓解|下降|(?<!不)(?:合理|常见)|很正常|属于?正常|正常的",
        re.IGNORECASE,
    ),
    LOWERS: re.compile(
        r"rais|increas|elevat|heighten|higher|suspicio|提高|增加|升高|加大|上升|可疑", re.IGNORECASE
    ),
}

_SYSTEM = """You explain to a risk analyst why a payment got its score. You get JSON with the decision, its factors \
(each with rank, points, direction and the inputs that it rests on) and the inputs with their values.
Answer with one JSON object and nothing else:
{"statements": [{"rank": 1, "factor": "…", "direction": "raises", "cites": [{"input": "…", "value": …}], \
"says": {"en": "…", "zh": "…"}}]}
Begin with a factor of rank 1 and go on by rank; at most 6 statements, one a factor. Copy rank, factor and direction \
from the factor, and values from the inputs, exactly. Cite at least one input that the factor rests on.
"says" is one sentence in plain English and one in Simplified Chinese, at most 240 characters each: what the inputs \
mean together for fraud. Amounts are in minor units (fen, cents); -1 is not known. Write no digits and no number \
words: where a value belongs, put the name of a cited input in braces, such as {customer.paid_orders}. \
Give no advice and no verdict, and do not say what should be done."""


class Unfounded(Exception):
    """An answer that is not shown. `code` says which check it failed."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    input: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A sentence about one ground, in each language; its figures are placeholders of what it cites."""

    rank: int
    factor: str
    direction: str
    cites: tuple[Cited, ...]
    says: Mapping[str, str]

    def kept(self) -> dict[str, Any]:
        return asdict(self)


def question(masked: Masked) -> list[dict[str, str]]:
    """The messages of a chat."""
    facts = json.dumps(masked.told(), ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": facts}]


def read(answer: str, masked: Masked) -> tuple[Statement, ...]:
    """The statements of an answer, all of which hold. Raises `Unfounded`."""
    if len(answer) > LONGEST:
        raise Unfounded("too_long")
    statements = _parsed(_loaded(answer))
    check(statements, masked)
    for one in statements:
        for language in LANGUAGES:
            _check_words(one, language)
    return statements


def restored(kept: Sequence[Mapping[str, Any]]) -> tuple[Statement, ...]:
    """Statements as they were kept. Raises `Unfounded` for what is none."""
    return _parsed({"statements": [{**one, "cites": list(one["cites"])} for one in kept]})


def check(statements: Sequence[Statement], masked: Masked) -> None:
    """Whether ranks, directions and values are those of the decision. Raises `Unfounded`."""
    factors = {one.id: one for one in masked.factors}
    ranks = [one.rank for one in statements]
    if len({one.factor for one in statements}) != len(statements):
        raise Unfounded("said_twice")
    if ranks != sorted(ranks) or ranks[0] != 1:
        raise Unfounded("wrong_order")
    for one in statements:
        factor = factors.get(one.factor)
        if factor is None:
            raise Unfounded("unknown_factor", one.factor)
        _check_one(one, factor, masked.inputs)


def _check_one(one: Statement, factor: Factor, inputs: Mapping[str, Value]) -> None:
    if one.rank != factor.rank:
        raise Unfounded("wrong_rank", one.factor)
    if one.direction != factor.direction:
        raise Unfounded("wrong_direction", one.factor)
    if not {cited.input for cited in one.cites} & set(factor.inputs):
        raise Unfounded("cites_nothing_of_it", one.factor)
    for cited in one.cites:
        if cited.input not in inputs:
            raise Unfounded("unknown_input", cited.input)
        if not _same(cited.value, inputs[cited.input]):
            raise Unfounded("wrong_value", cited.input)


def _same(claimed: Value, true: Value) -> bool:
    """1 is not yes."""
    return claimed == true and isinstance(claimed, bool) == isinstance(true, bool)


def _check_words(one: Statement, language: str) -> None:
    words = one.says[language]
    named = set(PLACEHOLDER.findall(words))
    if named - {cited.input for cited in one.cites}:
        raise Unfounded("names_what_it_does_not_cite", one.factor)
    bare = PLACEHOLDER.sub(" ", words)
    if not _PLAIN[language].fullmatch(bare) or (language == "zh") != bool(_HAN.search(bare)):
        raise Unfounded("not_plain_words", one.factor)
    if _FIGURES.search(bare) or _FIGURES_ZH.search(_NO_FIGURES_ZH.sub("", bare)):
        raise Unfounded("figures_of_its_own", one.factor)
    if _VERDICTS.search(bare) or _VERDICTS_ZH.search(bare):
        raise Unfounded("gives_a_verdict", one.factor)
    if _OTHER_WAY[one.direction].search(bare):
        raise Unfounded("wrong_direction", one.factor)


def _loaded(answer: str) -> Any:
    fenced = _FENCE.match(answer)
    try:
        return json.loads(
            fenced.group(1) if fenced else answer, object_pairs_hook=_no_doubles, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as problem:
        raise Unfounded("no_json", str(problem)[:100]) from problem


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no value")


def _parsed(raw: Any) -> tuple[Statement, ...]:
    if not isinstance(raw, dict) or set(raw) != {"statements"} or not _list_of(raw["statements"], _MOST):
        raise Unfounded("not_as_agreed", "statements")
    return tuple(map(_statement, raw["statements"]))


def _statement(raw: Any) -> Statement:
    if not isinstance(raw, dict) or set(raw) != {"rank", "factor", "direction", "cites", "says"}:
        raise Unfounded("not_as_agreed", "statement")
    says, cites = raw["says"], raw["cites"]
    if type(raw["rank"]) is not int or raw["direction"] not in (RAISES, LOWERS):
        raise Unfounded("not_as_agreed", "rank or direction")
    if not isinstance(raw["factor"], str) or not _list_of(cites, _MOST_CITED):
        raise Unfounded("not_as_agreed", "factor or cites")
    if not isinstance(says, dict) or set(says) != set(LANGUAGES):
        raise Unfounded("not_as_agreed", "says")
    if not all(isinstance(text, str) and 0 < len(text) <= _LONGEST_WORDS for text in says.values()):
        raise Unfounded("not_as_agreed", "length of says")
    return Statement(
        rank=raw["rank"],
        factor=raw["factor"],
        direction=raw["direction"],
        cites=tuple(map(_cited, cites)),
        says=says,
    )


def _cited(raw: Any) -> Cited:
    if (
        not isinstance(raw, dict)
        or set(raw) != {"input", "value"}
        or not isinstance(raw["input"], str)
        or not isinstance(raw["value"], bool | int | float | str)
    ):
        raise Unfounded("not_as_agreed", "cites")
    return Cited(input=raw["input"], value=raw["value"])


def _list_of(value: Any, most: int) -> bool:
    return isinstance(value, list) and 0 < len(value) <= most

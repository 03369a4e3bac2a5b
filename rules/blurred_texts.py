"""Read a text of an order, an operation, an invoice or a message: what it does that another document should do.

Pure: no database. Each text is cut into words once and looked at word by word, so that reading takes time in proportion to
its length. The words are configuration (``blurred_words.dmn``), and a site may add its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from rules.policy import table_called

SENTENCE = re.compile(r"[.;!?](?=\s|$)|\n|(?:(?<=\s)|^)\d{1,3}[.)](?=\s)")
CLAUSE = re.compile(r"[,:;(]\s|\s(?:and|then|but)\s|\s[–—-]\s")
ABBREVIATED = re.compile(
    r"\b(acc|approx|no|nr|min|max|incl|dia|pcs|ca|ref|spec|temp|qty|mr|mrs|ms|dr|fig)\.(?=\s)", re.IGNORECASE
)
CONTROLLED = re.compile(r"\b[A-Z]{1,6}-?\d[\w-]{0,20}\s{0,3}(?:rev|revision|sheet|issue)\b", re.IGNORECASE)
WORD = re.compile(
    r"[^\W\d_]+(?:[.-][^\W_]+)*(?:-\d[\w./-]*)?|[+-]?\d[\d.,]*[^\W\d_]*|[°º℃℉µμ%@$€£±&/]|[,:;()]",
)
UNITS = {
    "TEMPERATURE": ("c", "f", "°c", "°f", "k", "℃", "℉", "degrees", "deg"),
    "TIME": ("min", "mins", "minute", "minutes", "hr", "hrs", "hour", "hours", "h", "s", "sec", "seconds"),
    "FORCE": ("psi", "bar", "mbar", "inhg", "nm", "kn", "kn·m", "n·m", "ft-lbs", "ft-lb", "in-lbs", "in-lb", "tons", "kpa", "mpa"),
    "CURRENT": ("a", "amps", "amp", "ka", "volts"),
    "SIZE": ("mm", "µm", "μm", "um", "micron", "microns", "hrc", "grit"),
}  # fmt: skip
UNIT_OF = {unit: kind for kind, units in UNITS.items() for unit in units}
CUES = frozenset({"at", "for", "until", "under", "below", "above", "to", "within", "up"})
SPECIFICATION = re.compile(
    r"\b(?:AMS|ASTM|ASME|MIL-[A-Z]{1,5}|ISO|EN|DIN|SAE|NAS|BAC|BMS|PS|WPS|QQ-[A-Z]|AWS|ANSI)(?:[ -][A-Z]{1,5})?[ -]?[A-Z]?\d"
    r"|\b(?:IP|WI)-[A-Z]?\d"
    r"|\b(?:drawing|dwg|spec|specification|procedure|instruction|plan)[ .:]{1,2}(?:no[ .]{1,2})?[A-Z]{1,6}-?\d"
    r"|\bDWG-?\d|\b(?:AMS|MIL|QQ|QQ-P)-[A-Z]{1,4}-[A-Z]?-?\d",
    re.IGNORECASE,
)
CURRENCY = frozenset({"$", "€", "£", "usd", "eur", "gbp", "chf", "pln", "euro", "euros", "dollars"})
PER_PIECE = frozenset({"each", "ea", "per", "piece", "pc", "pcs", "apiece"})
MUST = frozenset({"must", "shall"})
TOLD = frozenset({"allow", "have", "has", "must", "need", "needs", "shall", "sure"})
"""Words by which somebody has to do it: ``allow to cure``, ``must bake``; not ``a tool to deburr``."""

MACHINED = frozenset({"drill", "heat", "tap", "coat", "plate", "press", "machine"})
WORK_ORDER = re.compile(
    r"\b(?:WO|W\.O\.|work order|job)(?:[ .:#-]{0,3}no)?[ .:#-]{0,3}(?:[A-Z]{1,3}-?)?\d[\w/-]{0,40}", re.IGNORECASE
)
PURCHASE_ORDER = re.compile(
    r"\b(?:PO|P\.O\.|purchase order|order)(?:[ .:#-]{0,3}(?:no|number))?[ .:#-]{0,3}(?:PO-?)?\d", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says, counted.

    length: characters. imperatives: sentences that give orders. parameters: process verbs and process values. words_of_mouth:
    references to what is no controlled document. criteria: what is accepted or how much is inspected.
    """

    length: int
    imperatives: int
    parameters: int
    has_specification: bool
    words_of_mouth: int
    criteria: int

    @property
    def has_criteria(self) -> bool:
        """Whether inspection criteria stand in the text."""
        return self.criteria > 0

    @property
    def is_technical(self) -> bool:
        """Whether it says how something is made or inspected."""
        return self.parameters > 0 or self.criteria > 0


@dataclass(frozen=True, slots=True)
class Purchase:
    """What an operation text says of buying. supplier: the name it names; has_price, has_material: whether it names them."""

    supplier: str
    has_price: bool
    has_material: bool


@dataclass(frozen=True)
class Words:
    """The word lists of one site."""

    lists: dict[str, frozenset[str]]

    def __getitem__(self, name: str) -> frozenset[str]:
        return self.lists.get(name, frozenset())


@cache
def words_of(site: str = "") -> Words:
    """Return the word lists of a site, those of all sites included."""
    lists: dict[str, set[str]] = {}
    for row in table_called("blurred_words").judge(site=site).rows:
        lists.setdefault(str(row.outputs["list"]), set()).update(str(row.outputs["words"]).casefold().split())
    return Words({name: frozenset(words) for name, words in lists.items()})


def read_text(text: str, *, site: str = "") -> Reading:
    """Count what the text of an order's line does."""
    lists = words_of(site)
    whole = ABBREVIATED.sub(r"\1", text)
    sentences = [cut(sentence) for sentence in SENTENCE.split(whole) if sentence.strip()]
    named = frozenset({"attached", "attachment"}) if CONTROLLED.search(text) else frozenset[str]()
    return Reading(
        length=len(text),
        imperatives=sum(_gives_an_order(words, lists) for words in sentences),
        parameters=sum(_parameters(words, lists) for words in sentences),
        has_specification=SPECIFICATION.search(text) is not None,
        words_of_mouth=sum(_words_of_mouth(words, lists, named) for words in sentences),
        criteria=sum(_criteria(words, lists) for words in sentences),
    )


def read_purchase(text: str, *, suppliers: Sequence[str] = (), site: str = "") -> Purchase:
    """Look for buying in the text of an operation. suppliers: the names that are known."""
    lists = words_of(site)
    words = cut(text)
    lower = [word.casefold() for word in words]
    priced = _has_price(lower)
    return Purchase(
        supplier=_supplier(words, lower, suppliers, lists) if priced else "",
        has_price=priced,
        has_material=priced and _buys_material(lower, lists),
    )


def cites_only_a_work_order(text: str) -> bool:
    """Whether the text of an invoice names a work order and no purchase order."""
    without = WORK_ORDER.sub(" ", text)
    return without != text and PURCHASE_ORDER.search(without) is None


def work_order_paper(file_name: str, document_no: str, *, site: str = "") -> tuple[str, str]:
    """Return which paper of a work order a file is, ``traveller`` or ``work order``, and the work order's number where it names one.

    ("", "") for any other file: one that only mentions a work order, such as a drawing made for it, is none.
    """
    stem = file_name.rpartition(".")[0] or file_name
    words = re.sub(r"[_\s]+", " ", stem).strip()
    named = WORK_ORDER.search(document_no) or WORK_ORDER.search(words)
    number = named.group().strip().rstrip("-/") if named is not None else ""
    if any(
        word.casefold() in words_of(site)["traveller"] for word in re.findall(r"[A-Za-z]+", f"{words} {document_no}")
    ):
        return "traveller", number
    return ("work order", number) if number and number in (words, document_no.strip()) else ("", "")


def sends_a_traveller(text: str, *, site: str = "") -> bool:
    """Whether a message sends a work order's traveller in the place of a purchase order."""
    lists = words_of(site)
    names_traveller = any(word.casefold() in lists["traveller"] for word in cut(text))
    return names_traveller and cites_only_a_work_order(text)


def paragraph_key(text: str) -> str:
    """Return a text as paragraphs are compared: words and figures in lower case, nothing between them but one space."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def cut(text: str) -> list[str]:
    """Return the words, numbers and signs of a text, in order."""
    return WORD.findall(text)


def _clauses(words: Sequence[str]) -> Iterator[list[str]]:
    clause: list[str] = []
    for word in words:
        if word in ",:;()" or word in ("and", "then", "but"):
            if clause:
                yield clause
            clause = []
        else:
            clause.append(word.casefold())
    if clause:
        yield clause


def _verb(clause: Sequence[str], lists: Words) -> tuple[str, Sequence[str]]:
    """Return the first word that may be a verb, and what follows."""
    for position, word in enumerate(clause[:4]):
        if word not in lists["prefixes"]:
            return word, clause[position + 1 :]
    return "", ()


def _gives_an_order(words: Sequence[str], lists: Words) -> bool:
    lower = [word.casefold() for word in words]
    if MUST & set(lower) or ("be" in lower and {"is", "are", "to"} & set(lower)) or ("do" in lower and "not" in lower):
        return True
    verb, rest = _verb(lower, lists)
    if verb in lists["process_verbs"] | lists["cleaning_verbs"] | lists["other_verbs"]:
        return not rest or rest[0] not in lists["tools"]
    return verb in lists["double_verbs"] and _works_on_something(rest, lists)


def _works_on_something(rest: Sequence[str], lists: Words) -> bool:
    after = [word for word in rest[:3] if not word[:1].isdigit()]
    if not after or after[0] in lists["tools"]:
        return False
    if rest[0] in lists["worked_on"] or rest[0] in lists["follows"]:
        return True
    if rest[0].endswith("s") and rest[1:2] and rest[1] in ("at", "to", "until", "with"):
        return any(word[:1].isdigit() for word in rest[2:8])
    return any(word in lists["worked_on"] for word in rest[1:3])


def _parameters(words: Sequence[str], lists: Words) -> int:
    values = list(_values(words))
    lower = {word.casefold() for word in words}
    verbs = sum(_orders_a_process(clause, lists) for clause in _clauses(words))
    if not lower & lists["articles"] or lower & {"be", *MUST}:
        verbs += _passives(words, lists)
    if any(kind in ("TEMPERATURE", "FORCE", "CURRENT") for kind, _ in values):
        verbs += _names_a_process(words, lists)
    if lower & lists["coatings"] and any(unit in lower for unit in ("µm", "μm", "micron", "microns", "µ", "um")):
        return verbs + 1
    if "tolerance" in lower or "tolerances" in lower:
        return verbs + len(values)
    if verbs:
        return verbs + len(values)
    if lower & (lists["articles"] | lists["keeping"]):
        return 0
    strong = sum(kind in ("TEMPERATURE", "FORCE", "TIME") and cued for kind, cued in values)
    return strong if any(kind == "TEMPERATURE" for kind, _ in values) or strong > 1 else 0


def _orders_a_process(clause: Sequence[str], lists: Words) -> bool:
    verb, rest = _verb(clause, lists)
    if not rest or rest[0] in lists["tools"]:
        return False
    if verb in lists["process_verbs"]:
        return True
    if verb in lists["cleaning_verbs"]:
        return rest[0] in ("in", "with", "at")
    return verb in lists["double_verbs"] and _works_on_something(rest, lists)


def _names_a_process(words: Sequence[str], lists: Words) -> bool:
    """Whether a process is named that is not part of the name of an article: ``bead blast``, not ``torque wrench``."""
    lower = [word.casefold() for word in words]
    return any(
        one in lists["process_verbs"] and other not in lists["tools"] and other not in lists["articles"]
        for one, other in pairwise([*lower, ""])
    )


def _passives(words: Sequence[str], lists: Words) -> int:
    """Count ``to be torqued to``, ``baked at``: a participle of a process with what it leads to; and ``must bake``."""
    lower = [word.casefold() for word in words]
    found = 0
    for position, (one, other) in enumerate(pairwise(lower)):
        if one.endswith("ed") and other in ("at", "to", "for", "until", "with") and _is_process(one, lists):
            found += 1
        if one in ("to", "must", "shall") and other in lists["process_verbs"]:
            found += bool(TOLD & {one, *lower[max(0, position - 1) : position]})
    return found


def _is_process(participle: str, lists: Words) -> bool:
    stems = {participle[:-2], participle[:-1], participle[:-3]}
    return not lists["process_verbs"].isdisjoint(stems) or not MACHINED.isdisjoint(stems)


def _values(words: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield the kind of each value with a unit, and whether a word such as ``at`` or ``for`` leads to it."""
    for position, word in enumerate(words):
        if not word.lstrip("+-")[:1].isdigit():
            continue
        figure = word.lstrip("+-").rstrip(".,")
        digits = figure.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZµμ")
        unit = figure[len(digits) :] or _unit_after(words, position)
        kind = UNIT_OF.get(unit.casefold())
        if kind is not None:
            before = [each.casefold() for each in words[max(0, position - 4) : position]]
            yield kind, bool(CUES & set(before)) or "@" in before


def _unit_after(words: Sequence[str], position: int) -> str:
    after = words[position + 1 : position + 3]
    if not after:
        return ""
    if after[0] in "°ºµμ" and len(after) > 1:
        return ("°" if after[0] in "°º" else "µ") + after[1]
    return after[0]


def _words_of_mouth(words: Sequence[str], lists: Words, named: frozenset[str]) -> int:
    """Count what leads to no controlled document. named: words that lead to one, where its number and revision stand."""
    lower = [word.casefold() for word in words if word.casefold() not in named]
    if set(lower) & lists["commercial"] and not {"previous", "last", "same"} & set(lower):
        return 0
    return sum(_leads_astray(lower, position, lists) for position in range(len(lower))) + _spoken(lower)


def _leads_astray(lower: Sequence[str], position: int, lists: Words) -> bool:
    """Whether ``per``, ``see``, ``as``, ``like`` … at this word leads to what is no controlled document."""
    word, after = lower[position], list(lower[position + 1 : position + 8])
    end = next((index for index, each in enumerate(after) if each in ",;:()"), len(after))
    after = after[:end]
    if word in ("per", "see", "like", "acc", "same", "similar") or (
        word in ("according", "refer") and after[:1] == ["to"]
    ):
        return bool(set(after) & lists["uncontrolled"]) or ("last" in after or "marked-up" in after)
    if word == "as":
        return bool(set(after) & (lists["uncontrolled"] - {"text"})) or (
            bool(after[:1]) and bool(set(after[:2]) & {"discussed", "agreed", "shown", "usual", "before"})
        )
    if word == "in" and position == 0:
        return False
    return word in ("details", "dimensions", "drawing", "data") and after[:1] == ["by"]


def _spoken(lower: Sequence[str]) -> int:
    text, present = " ".join(lower), set(lower)
    if present & {"emailed", "e-mailed", "mailed", "faxed", "texted", "told", "showed"} and present & {
        "you",
        "we",
        "i",
        "us",
    }:
        return 1
    if present & {"instructions", "drawing", "details", "dimensions", "requirements", "changes"} and present & {
        "e-mail",
        "email",
        "mail",
        "phone",
        "fax",
    }:
        return 1
    return sum(
        phrase in text
        for phrase in (
            "you know how",
            "handed over",
            "marked-up",
            "by word of mouth",
            "as verbally",
            "gave your",
            "like the one",
        )
    ) + sum(one == "ask" and other.isalpha() for one, other in pairwise(lower))


def _criteria(words: Sequence[str], lists: Words) -> int:
    lower = [word.casefold() for word in words]
    present, pairs = set(lower), list(pairwise(lower))
    looks = {"inspected", "inspection", "inspect", "check", "checked", "visual", "leak", "test"} & present
    has_whole = any(one.startswith("100") and other == "%" for one, other in pairs)
    has_defects, has_figure = bool(present & lists["defects"]), any(word[:1].isdigit() for word in lower)
    limits = {"must", "min", "minimum", "required", "max", "maximum"} & present
    found = sum(_inspects(clause, lists) for clause in _clauses(words))
    found += bool(has_whole and (looks or present & lists["german"]))
    found += "aql" in present
    found += bool(looks or {"tested", "measured"} & present) and _samples(lower)
    found += sum(one == "no" and other in lists["defects"] for one, other in pairs)
    found += "no" in present and has_defects and bool({"allowed", "accepted", "visible"} & present)
    if "free" in present:
        found += sum(one in ("of", "from") and other in lists["defects"] for one, other in pairs)
    found += _verdicts(lower)
    found += bool(present & lists["geometry"]) and has_figure and bool({"max", "within", "over", "below"} & present)
    found += "hardness" in present and has_figure and bool(limits) and "tester" not in present
    return int(found)


def _inspects(clause: Sequence[str], lists: Words) -> bool:
    verb, rest = _verb(clause, lists)
    if verb in ("inspect", "check", "measure", "test", "gauge", "verify") and rest and rest[0] not in lists["tools"]:
        whole = {"all", "every", "each", "first", "two", "pcs", "for", "both"}
        return bool(whole & set(rest[:10])) or rest[0][:1].isdigit()
    return (
        verb in ("visual", "leak")
        and bool({"check", "inspection", "test"} & set(rest[:1]))
        and any(word[:1].isdigit() for word in rest)
        and not set(rest) & lists["articles"]
    )


def _samples(lower: Sequence[str]) -> bool:
    """Whether a number of pieces per lot is named."""
    return any(
        one == "per"
        and other in ("lot", "batch", "delivery")
        and any(word[:1].isdigit() for word in lower[max(0, at - 2) : at])
        for at, (one, other) in enumerate(pairwise(lower))
    )


def _verdicts(lower: Sequence[str]) -> int:
    found = 0
    for one, other in pairwise(lower):
        accepts = one in ("accept", "accepted", "acceptable") and other in ("if", "on", "when", "only")
        rejects = one in ("reject", "rejected") and other in (
            "if",
            "when",
            "any",
            "anything",
            "otherwise",
            "all",
            "parts",
        )
        found += accepts or rejects
    return found


def _has_price(lower: Sequence[str]) -> bool:
    for position, word in enumerate(lower):
        if not word[:1].isdigit():
            continue
        near = set(lower[max(0, position - 1) : position]) | set(lower[position + 1 : position + 2])
        if near & CURRENCY or any(word.endswith(code) for code in ("eur", "usd", "gbp", "chf", "pln")):
            return True
        after = lower[position + 1 : position + 3]
        has_cents = bool(re.fullmatch(r"\d+[.,]\d\d", word.rstrip(".,")))
        if has_cents and (set(after[:2]) & PER_PIECE or after[:1] == ["/"]):
            return True
        if {"quote", "quoted", "price", "priced", "costs"} & set(lower[max(0, position - 2) : position]):
            return True
    return False


def _supplier(words: Sequence[str], lower: Sequence[str], suppliers: Sequence[str], lists: Words) -> str:
    """Return the supplier that is named: one that is known by its name's first word, or what looks like a company."""
    present = set(lower)
    for name in suppliers:
        first = next(iter(cut(name)), "").casefold()
        if len(first) > 3 and first in present:
            return name
    for position, word in enumerate(words):
        if (
            position
            and words[position - 1][:1].isupper()
            and word[:1].isupper()
            and lower[position] in lists["companies"]
        ):
            return f"{words[position - 1]} {word}"
        if word == "&" and lower[position + 1 : position + 2] == ["co"]:
            return f"{words[position - 1]} & Co"
        if lower[position] in ("vendor", "supplier"):
            named = next((each for each in words[position + 1 : position + 3] if each[:1].isupper()), "")
            if named:
                return named
    if present & {"outside", "sub-contract", "subcontract", "sent", "send"}:
        return next((word for word in words[1:] if len(word) > 3 and word.istitle()), "")
    return ""


def _buys_material(lower: Sequence[str], lists: Words) -> bool:
    present = set(lower)
    if present & lists["no_purchase"] or "quote" in present:
        return False
    asks = any(
        word in lists["buying"] and one not in ("min", "minimum", "work") for one, word in pairwise(["", *lower])
    )
    fetches = "from" in present and bool(present & {"get", "pick", "fetch"})
    return asks or fetches or bool(present & lists["materials"])

"""The house's own ``zeebe:property`` names: what they are, how they are read, and what is refused at deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from dmn import Function, Range, text_of
from engine.canonical import is_whole
from engine.spiff import ProcessSpec
from engine.spiff.elements import ElementInfo
from engine.spiff.extensions import LONGEST_WORDS, Expr, NotFeel
from engine.spiff.host import Host, Incident
from engine.spiff.problems import Problem

OUTCOMES = "outcomes"
"""On a user task: the verdicts it offers, separated by commas."""
SIGNATURE = "signature"
"""On a user task: the meaning that its signature must have."""
QUORUM = "quorum"
"""On a multi-instance activity: ``all``, ``unanimous``, or a number of approvals (FEEL)."""
DEADLINE_POLICY = "deadlinePolicy"
"""On a user task: ``reassign`` (the next level replaces the candidates) or ``add`` (both may decide)."""
EXCLUDES = "excludes"
"""On a user task: FEEL list of users who may not decide it."""
TITLE, AMOUNT, PARTY, PROJECT = "title", "amount", "party", "project"
"""On a user task: what its row in the inbox says. The title of a multi-instance activity names one of its instances."""
RECORD = "record"
"""On a user task: FEEL context {type, id, number, hash} of the document decided upon."""
ROLE, RULE_ROW = "role", "ruleRow"
"""On a user task: the role in which one decides, and the table row that asks for it, for "why me?"."""
ESCALATE_TO = "escalateTo"
"""On a non-interrupting timer of a user task: FEEL list of the principals or groups that it goes to."""
CODE = "code"
"""On an interrupting timer or an end event: the code of the refusal that a late submit gets."""
ON_RETURN = "onReturn"
"""On a step of people: the type of the step that undoes what followed when somebody returns to it, or ``nothing``."""
NO_RETURN = "noReturn"
"""On an element: why nobody returns to a step before it once it has begun, in words for people."""
LEAVES = "leaves"
"""On a step of the house: ``nothing`` where it only reads or reckons, so that one returns past it; else why nobody does, in words."""
RETURNS = "returns"
"""On a user task: ``no`` keeps it from being returned; ``yes`` lets one vote of several return past the vote."""

ON_USER_TASKS = frozenset(
    {
        OUTCOMES,
        SIGNATURE,
        DEADLINE_POLICY,
        EXCLUDES,
        TITLE,
        AMOUNT,
        PARTY,
        PROJECT,
        RECORD,
        ROLE,
        RULE_ROW,
        QUORUM,
        ON_RETURN,
        RETURNS,
    }
)
POLICIES = ("reassign", "add")
WAYS_BACK = ("yes", "no")


@lru_cache(maxsize=8192)
def expression(text: str) -> Expr:
    """Return a property's text compiled once: FEEL after ``=``, else the text itself. Raises: NotFeel."""
    return Expr.read(text)


def property_value(element: ElementInfo, name: str, variables: Mapping[str, Any], host: Host) -> Any:
    """Return a property's value, None when it is missing or empty. Raises: Incident, with the property named."""
    text = element.properties.get(name, "").strip()
    if not text:
        return None
    try:
        return expression(text).value(variables, host)
    except Incident as incident:
        raise Incident(f"Expected the property {name} to have a value, but {incident.message}") from incident


def words_of(value: Any) -> list[str]:
    """Return a list of texts from a FEEL list or from text separated by commas. Raises: Incident for what is no name."""
    if value is None:
        return []
    if isinstance(value, list):
        return [word for item in value for word in words_of(item)]
    if isinstance(value, bool | dict | Range | Function):
        raise Incident(f"Expected names, but one of them is {text_of(value)[:80]}")
    found = [word for word in (part.strip() for part in text_of(value).split(",")) if word]
    for word in found:
        if len(word) > LONGEST_WORDS or "\0" in word:
            raise Incident(
                f'Expected names of at most {LONGEST_WORDS} readable characters, but one begins "{word[:40]!r}"'
            )
    return found


def outcomes_of(element: ElementInfo) -> list[str]:
    """Return the verdicts that a user task offers."""
    return words_of(element.properties.get(OUTCOMES))


def quorum_of(value: Any) -> str | Decimal:
    """Return a quorum from its property's value. Raises: Incident when it is none."""
    if isinstance(value, Decimal) and value >= 0 and value == value.to_integral_value():
        return value
    if isinstance(value, str) and value in ("all", "unanimous"):
        return value
    if isinstance(value, str) and is_whole(value):
        return Decimal(value)
    raise Incident(f"Expected a quorum of all, unanimous or a whole number, but it is {text_of(value)[:80]}")


def problems_of(process: ProcessSpec) -> Iterator[Problem]:
    """Yield what is wrong with the properties of a process."""
    for element in process.elements.values():
        for name, text in element.properties.items():
            for message, remedy in _problems(element, name, text.strip()):
                yield Problem(process.file, element.line, element.id, element.name, message, remedy)


def _problems(element: ElementInfo, name: str, text: str) -> Iterator[tuple[str, str]]:
    try:
        read = expression(text)
    except NotFeel as error:
        yield f"Expected FEEL in the property {name}, but {error}.", "Correct the expression."
        return
    if name == DEADLINE_POLICY and text not in POLICIES:
        yield f"Expected deadlinePolicy reassign or add, but it is {text}.", "Choose one of them."
    if name == RETURNS and text not in WAYS_BACK:
        yield f"Expected returns yes or no, but it is {text}.", "Choose one of them."
    if name in (ON_RETURN, NO_RETURN, LEAVES) and not read.is_static:
        yield f"Expected plain words in the property {name}, but they are an expression.", "Write them without =."
    if name == QUORUM and read.is_static and text not in ("all", "unanimous") and not is_whole(text):
        yield f"Expected a quorum of all, unanimous or a number, but it is {text}.", "Choose one of them."
    if name == QUORUM and element.loop is None:
        yield "Expected the property quorum on a multi-instance activity, but this is none.", "Move it there."
    if name == OUTCOMES and not read.is_static:
        yield "Expected outcomes as plain words, but they are an expression.", "List them, separated by commas."
    if name in (EXCLUDES, RECORD) and read.is_static:
        yield f"Expected FEEL in the property {name}, but it is plain text.", "Begin it with =."

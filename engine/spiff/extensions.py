"""What the ``zeebe:`` elements of a diagram say, read once per definition; all expressions are compiled here, to FEEL only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dmn import UNSEEN, DmnError, Expression, Function, Range, compile_expression, text_of
from engine.canonical import is_whole
from engine.spiff.host import Incident

if TYPE_CHECKING:
    from engine.spiff.host import Host


LONGEST_WORDS = 200
"""Characters that a name, a type, a code or an id may have; databases look them up in an index, which has a limit too."""


MOST_TRIES = 1000
_PRIORITY = re.compile(r"-?\d{1,10}\Z", re.ASCII)


def is_priority(text: str) -> bool:
    """Say whether a text is a whole number of 32 bits."""
    return _PRIORITY.match(text) is not None and -(2**31) <= int(text) < 2**31


class NotFeel(ValueError):
    """A text is no FEEL; the message says where in the text and why."""


@dataclass(frozen=True, slots=True)
class Expr:
    """A text of the diagram: plain text, or FEEL when it begins with ``=`` (Camunda 8's rule)."""

    text: str
    code: Expression | None

    @classmethod
    def read(cls, text: str) -> Expr:
        """Compile what begins with ``=``; anything else is the text itself. Raises: NotFeel."""
        if not text.lstrip().startswith("="):
            return cls(text, None)
        source = text.lstrip()[1:]
        try:
            return cls(text, compile_expression(source))
        except DmnError as error:
            raise NotFeel(
                f'"{_short(source)}" fails at line {error.line}, column {error.column}: {error.message}'
            ) from error

    @property
    def is_static(self) -> bool:
        return self.code is None

    @property
    def reads(self) -> frozenset[str]:
        """The variables it looks at."""
        return frozenset(self.code.reads) if self.code is not None else frozenset()

    def value(self, variables: Mapping[str, Any], host: Host) -> Any:
        """Return the FEEL value (null when a part has none). Raises: Incident when it runs out of its budget."""
        return self.explained(variables, host)[0]

    def explained(self, variables: Mapping[str, Any], host: Host) -> tuple[Any, str]:
        """Return the value and, for what came out null on the way, the reasons as one text. Raises: Incident."""
        if self.code is None:
            return self.text, ""
        try:
            seen = self.code.glance(variables)
            if seen is not UNSEEN:
                return seen, ""
            result = self.code.explain(variables, functions=host.functions, now=host.now)
        except (DmnError, ValueError) as error:
            reason = error.message if isinstance(error, DmnError) else error
            raise Incident(f'Expected "{_short(self.text)}" to have a value: {reason}') from error
        if not result.diagnostics:
            return result.value, ""
        return result.value, "; ".join(diagnostic.message for diagnostic in result.diagnostics)

    def truth(self, variables: Mapping[str, Any], host: Host) -> bool:
        """Return true or false. Raises: Incident when the value is neither, with the reason."""
        value, why = self.explained(variables, host)
        if isinstance(value, bool):
            return value
        raise Incident(f'Expected "{_short(self.text)}" to be true or false, but it is {_named(value)}{_because(why)}')

    def words(self, variables: Mapping[str, Any], host: Host, what: str, *, longest: int = LONGEST_WORDS) -> str:
        """Return a text that is not empty; a number becomes its digits. what: names it in the message.

        longest: characters it may have. Raises: Incident.
        """
        if self.code is None and 0 < len(self.text) <= longest and "\0" not in self.text:
            return self.text
        value, why = self.explained(variables, host)
        if value in (None, "") or isinstance(value, bool | list | dict | Range | Function):
            raise Incident(f'Expected {what} from "{_short(self.text)}", but it is {_named(value)}{_because(why)}')
        text = text_of(value)
        if len(text) > longest or "\0" in text:
            found = "a character that cannot be stored" if "\0" in text else f"{len(text):,} characters"
            expected = f"Expected {what} of at most {longest} readable characters"
            raise Incident(f'{expected} from "{_short(self.text)}", but it has {found}')
        return text


@dataclass(frozen=True, slots=True)
class IoMapping:
    """One zeebe:input or zeebe:output. target: the path of names, outermost first."""

    source: Expr
    target: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UserTaskSpec:
    """What a diagram says about a human task; each expression is None where the diagram says nothing.

    form_binding: ``deployment``, ``latest`` or ``versionTag``.
    """

    assignee: Expr | None = None
    candidate_users: Expr | None = None
    candidate_groups: Expr | None = None
    due_date: Expr | None = None
    follow_up_date: Expr | None = None
    priority: Expr | None = None
    form_id: Expr | None = None
    form_binding: str = "deployment"
    form_version_tag: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """The job type of a task, how often a worker may try, and which jobs come before others."""

    type: Expr
    retries: Expr
    priority: Expr | None = None

    def rank(self, variables: Mapping[str, Any], host: Host) -> int:
        """Return the priority of the job, the greater the sooner; 0 where the diagram says nothing. Raises: Incident."""
        if self.priority is None:
            return 0
        text = self.priority.words(variables, host, "a priority")
        if not is_priority(text):
            raise Incident(f'Expected a whole number of 32 bits as the priority of a job, but got "{_short(text)}"')
        return int(text)

    def tries(self, variables: Mapping[str, Any], host: Host) -> int:
        """Return how often a worker may try. Raises: Incident."""
        text = self.retries.words(variables, host, "a number of retries")
        if not (is_whole(text) and int(text) <= MOST_TRIES):
            raise Incident(f'Expected 0 to {MOST_TRIES:,} retries, but got "{_short(text)}"')
        return int(text)


@dataclass(frozen=True, slots=True)
class Listener:
    """Work beside an element's own.

    moment: ``start``, ``end``, ``beforeAll`` (of all instances of what is repeated), ``cancel`` (of a process), or of a user task
    ``creating``, ``assigning``, ``updating``, ``completing``, ``canceling``.

    headers: of its own, before those of the element. is_of_process: called when its process begins, at the start event.
    """

    moment: str
    task: TaskDefinition
    headers: Mapping[str, str] = field(default_factory=dict)
    is_of_process: bool = False


@dataclass(frozen=True, slots=True)
class CalledDecision:
    """The decision of a business rule task. binding: ``deployment``, ``latest`` or ``versionTag``."""

    decision_id: Expr
    result_variable: str
    binding: str = "deployment"
    version_tag: str | None = None


@dataclass(frozen=True, slots=True)
class CalledElement:
    """The process of a call activity. binding: ``deployment``, ``latest`` or ``versionTag``."""

    process_id: Expr
    binding: str = "deployment"
    version_tag: str | None = None
    takes_all: bool = True
    """Every variable that the call activity can see is copied in, not only its input mappings."""
    gives_all: bool = True
    """Every variable of the called process comes back, not only the output mappings."""


@dataclass(frozen=True, slots=True)
class Script:
    """A FEEL script, and the variable for what it computes."""

    expression: Expr
    result_variable: str


@dataclass(frozen=True, slots=True)
class Loop:
    """Multi-instance. output_element fills ``output_collection`` in the order of the input."""

    is_sequential: bool
    input_collection: Expr
    input_element: str | None = None
    output_collection: str | None = None
    output_element: Expr | None = None
    completion: Expr | None = None


@dataclass(frozen=True, slots=True)
class AdHoc:
    """How an ad-hoc sub-process goes. active: a list of the elements that begin with it, None for none of them.

    output_element: added to ``output_collection`` each time something chosen is done. completion: asked then; None ends it when
    nothing is left. cancels: what still runs ends with it.
    """

    active: Expr | None = None
    output_collection: str | None = None
    output_element: Expr | None = None
    completion: Expr | None = None
    cancels: bool = True


@dataclass(frozen=True, slots=True)
class ConditionalFilter:
    """When a condition is asked anew. names: the variables whose change counts; events: ``create``, ``update``."""

    names: frozenset[str]
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class EventInfo:
    """What an event throws or catches.

    kind: none, message, timer, signal, error, escalation, terminate, link, conditional, compensation, cancel. name: of a
    message, signal or link. key: correlation key. code: of an error or escalation, None catches all. timer: ``date``,
    ``duration`` or ``cycle`` with its text in ``when``. filter: of a condition, None asks it at any change. activity: what a
    compensation throw is aimed at, None for all.
    """

    kind: str = "none"
    name: Expr | None = None
    key: Expr | None = None
    code: Expr | None = None
    timer: str | None = None
    when: Expr | None = None
    condition: Expr | None = None
    filter: ConditionalFilter | None = None
    activity: str | None = None
    is_interrupting: bool = True


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "…"


def _named(value: Any) -> str:
    return f'the text "{_short(value)}"' if isinstance(value, str) else _short(text_of(value))


def _because(why: str) -> str:
    return f" ({why})" if why else ""

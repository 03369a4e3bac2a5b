"""Reads FEEL text into a tree: a scannerless Pratt parser.

FEEL names may contain spaces and even operators, so text cannot be cut into tokens before the names in scope are
known. At each place where a name may stand:

1. the longest name in scope that fits is taken (variables, parameters, context entries, built-in functions);
2. else one word, joined with the words that follow it as long as they are parted by blanks alone and are no keyword:
   ``first name = "x"`` reads the variable "first name".

Source: DMN 1.5, 10.3.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from collections.abc import Iterator as Generates
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation, Overflow
from typing import TypeVar

from dmn import syntax
from dmn.errors import FeelSyntaxError, Position
from dmn.names import BLANK, KEYWORDS, NAME_TOKEN, WORD, Fit, Names
from dmn.temporal import parse_temporal
from dmn.values import DECIMAL128

MAX_TEXT = 65_536
MAX_DEPTH = 60
# Links of one chain, such as a.b.c or f(1)(2); sums, products and junctions may be longer.
MAX_LINKS = 100
# Backtracking over half-open ranges could double the work at every level of nesting; no honest text comes close.
_MAX_ATTEMPTS = 200_000
_Made = TypeVar("_Made")

_BLANKS = re.compile(r"\s+")
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{6}|.)", re.DOTALL)
_KEY = re.compile(r'([^,:()\[\]{}"]+):(?!:)')
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}

_COMPARISONS = ("<=", ">=", "!=", "=", "<", ">")
_OPERATORS = ("**", *_COMPARISONS, "+", "-", "*", "/")
_POWER = {"or": 1, "and": 2, "between": 3, "in": 3, "+": 4, "-": 4, "*": 5, "/": 5, "**": 6, "instance": 7}
_POWER.update(dict.fromkeys(_COMPARISONS, 3))
_ADDITIVE = 4
# Operators whose chains the compiler walks in a loop.
_FLAT = frozenset(("+", "-", "*", "/", "**", "and", "or"))

PROPERTY_NAMES = ("time offset", "start included", "end included")
_GENERIC = ("list", "range", "context", "function")
SIMPLE_TYPES = (
    "Any", "Null", "number", "string", "boolean", "date", "time", "date and time", "dateTime",
    "days and time duration", "years and months duration", "dayTimeDuration", "yearMonthDuration",
)  # fmt: skip


class TooDeep(Exception):
    """The text nests too deep; no backtracking may hide that."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"Expected at most {MAX_DEPTH} levels of nesting, but it nests deeper")
        self.offset = offset


def line_position(text: str) -> Callable[[int], Position]:
    """Return a function from an offset in ``text`` to its position."""
    starts = [0] + [match.end() for match in re.finditer("\n", text)]
    if len(starts) == 1:
        return lambda offset: Position(offset, 1, offset + 1)

    def locate(offset: int) -> Position:
        low, high = 0, len(starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if starts[middle] <= offset else (low, middle)
        return Position(offset, low + 1, offset - starts[low] + 1)

    return locate


class Parser:
    """Reads one text.

    names: variables in scope; functions: built-in and host functions; properties: names that may follow a dot or
    stand in a filter; types: item definitions; locate: maps an offset to a position (of a file, for DMN cells).
    """

    def __init__(
        self,
        text: str,
        *,
        names: Iterable[str] = (),
        functions: Names | None = None,
        properties: Iterable[str] = (),
        types: Iterable[str] = (),
        source: str = "<expression>",
        locate: Callable[[int], Position] | None = None,
    ) -> None:
        self.text = text
        self.source = source
        self.locate = locate or line_position(text)
        self.offset = 0
        self.depth = 0
        self.attempts = 0
        self.scopes = [Names(names)]
        self.functions = functions or Names()
        self.properties = Names((*PROPERTY_NAMES, *properties))
        self.types = Names((*SIMPLE_TYPES, *types))
        self.in_filter = 0
        # How many brackets of ranges are open, so that [ may close one.
        self._range_depth = 0
        if len(text) > MAX_TEXT:
            raise self.error(f"Expected an expression of at most {MAX_TEXT:,} characters, but it has {len(text):,}", 0)

    # Reading characters

    def error(self, message: str, offset: int | None = None) -> FeelSyntaxError:
        at = self.locate(self.offset if offset is None else offset)
        return FeelSyntaxError(message, source=self.source, line=at.line, column=at.column)

    def expected(self, what: str) -> FeelSyntaxError:
        return self.error(f"Expected {what}, but {self._found()}")

    def _found(self) -> str:
        self.skip()
        if self.offset >= len(self.text):
            return "the text ends"
        match = WORD.match(self.text, self.offset) or _NUMBER.match(self.text, self.offset)
        return f"found {match[0][:40] if match else self.text[self.offset]}"

    def here(self) -> Position:
        return self.locate(self.offset)

    def skip(self) -> None:
        match = BLANK.match(self.text, self.offset)
        if match:
            self.offset = match.end()

    def peek(self, symbol: str) -> bool:
        self.skip()
        return self.text.startswith(symbol, self.offset)

    def take(self, symbol: str) -> bool:
        if not self.peek(symbol):
            return False
        self.offset += len(symbol)
        return True

    def require(self, symbol: str, what: str = "") -> None:
        if not self.take(symbol):
            raise self.expected(what or f"{symbol}")

    def word(self) -> str:
        """Return the word that begins here, or an empty text; nothing is taken."""
        self.skip()
        match = WORD.match(self.text, self.offset)
        return match[0] if match else ""

    def take_word(self, word: str) -> bool:
        if self.word() != word:
            return False
        self.offset += len(word)
        return True

    def require_word(self, word: str) -> None:
        if not self.take_word(word):
            raise self.expected(word)

    def at_end(self) -> bool:
        self.skip()
        return self.offset >= len(self.text)

    # Names

    @contextmanager
    def scope(self, *names: str) -> Generates[Names]:
        self.scopes.append(Names(names))
        yield self.scopes[-1]
        self.scopes.pop()

    def known_name(self) -> str | None:
        """Take the longest known name that fits here."""
        self.skip()
        best: Fit | None = None
        for book in [*self.scopes, self.properties] if self.in_filter else self.scopes:
            for fit in book.fits(self.text, self.offset):
                if (best is None or fit.words >= best.words) and not (fit.words == 1 and fit.has_keyword):
                    best = fit
        for fit in self.functions.fits(self.text, self.offset):
            if (best is None or fit.words > best.words) and self._names_a_function(fit):
                best = fit
        if best is None:
            return None
        self.offset = best.stop
        return best.name

    def _names_a_function(self, fit: Fit) -> bool:
        """Tell whether a function name stands for the function here, not for the first words of something longer."""
        blank = BLANK.match(self.text, fit.stop)
        after = blank.end() if blank else fit.stop
        if self.text.startswith("(", after):
            return True
        follows = WORD.match(self.text, after)
        return (follows is None or follows[0] in KEYWORDS) and not fit.has_keyword

    def unknown_name(self, what: str) -> str:
        """Take a word and the words that follow it (rule 2)."""
        first = self.word()
        if not first or first in KEYWORDS:
            raise self.expected(what)
        self.offset += len(first)
        words = [first]
        while True:
            before = self.offset
            following = self.word()
            if not following or following in KEYWORDS or before == self.offset:
                self.offset = before
                return " ".join(words)
            words.append(following)
            self.offset += len(following)

    def declared_name(self, what: str, *stops: str) -> str:
        """Take the name of a new variable: everything up to one of the stops, which is left."""
        self.skip()
        begin = self.offset
        words: list[str] = []
        while not self.at_end():
            if self.word() in stops or (self.text[self.offset] in stops):
                break
            token = NAME_TOKEN.match(self.text, self.offset)
            if token is None or token[0] in '"()[]{},:':
                break
            words.append(self.text[self.offset : token.end()])
            self.offset = token.end()
        if not words or not WORD.match(words[0]):
            self.offset = begin
            raise self.expected(what)
        return _BLANKS.sub(" ", self.text[begin : self.offset].strip())

    # Expressions

    def parse_expression(self) -> syntax.Node:
        """Read the whole text as one expression. Raises FeelSyntaxError."""
        node = self.guard(self.expression)
        if not self.at_end():
            raise self.expected("an operator or the end of the expression")
        return node

    def parse_unary_tests(self) -> syntax.UnaryTests:
        """Read the whole text as the tests of a cell; an empty text or a dash accepts everything."""
        return self.guard(self._unary_tests)

    def guard(self, work: Callable[[], _Made]) -> _Made:
        """Do work on this text; what nests beyond the stack is a syntax error. Raises FeelSyntaxError."""
        try:
            return work()
        except TooDeep as error:
            raise self.error(str(error), error.offset) from None
        except RecursionError:
            raise self.error("Expected an expression that nests less deeply, but it nests too deep") from None

    def expression(self, power: int = 0) -> syntax.Node:
        self._deepen()
        left = self._prefix()
        links = 0
        while True:
            operator = self._operator()
            if not operator or _POWER[operator] <= power:
                break
            left = self._infix(left, operator)
            if operator not in _FLAT:
                links += 1
                if links > MAX_LINKS:
                    raise TooDeep(self.offset)
        self.depth -= 1
        return left

    def _deepen(self) -> None:
        self.depth += 1
        self.attempts += 1
        if self.depth > MAX_DEPTH or self.attempts > _MAX_ATTEMPTS:
            raise TooDeep(self.offset)

    def _operator(self) -> str:
        self.skip()
        for symbol in _OPERATORS:
            if self.text.startswith(symbol, self.offset):
                return symbol
        word = self.word()
        return word if word in _POWER else ""

    def _infix(self, left: syntax.Node, operator: str) -> syntax.Node:
        at = self.here()
        self.offset += len(operator)
        power = _POWER[operator]
        if operator in ("and", "or"):
            return self._junction(left, operator, at)
        if operator == "between":
            low = self.expression(_ADDITIVE - 1)
            self.require_word("and")
            return syntax.Between(at, left, low, self.expression(_ADDITIVE - 1))
        if operator == "in":
            return syntax.Membership(at, left, self._membership_tests())
        if operator == "instance":
            self.require_word("of")
            return syntax.InstanceOf(at, left, self.type())
        right = self.expression(power)
        if operator in _COMPARISONS:
            return syntax.Comparison(at, operator, left, right)
        return syntax.Arithmetic(at, operator, left, right)

    def _junction(self, left: syntax.Node, operator: str, at: Position) -> syntax.Node:
        operands = [left, self.expression(_POWER[operator])]
        while self._operator() == operator:
            self.offset += len(operator)
            operands.append(self.expression(_POWER[operator]))
        node = syntax.Conjunction if operator == "and" else syntax.Disjunction
        return node(at, tuple(operands))

    def _prefix(self) -> syntax.Node:
        if self.peek("-"):
            at = self.here()
            self.offset += 1
            self._deepen()
            operand = self._prefix()
            self.depth -= 1
            if isinstance(operand, syntax.Literal) and isinstance(operand.value, Decimal):
                return syntax.Literal(at, DECIMAL128.minus(operand.value))
            return syntax.Negation(at, operand)
        return self._postfix(self._primary())

    def _postfix(self, node: syntax.Node) -> syntax.Node:
        for _ in range(MAX_LINKS):
            self.skip()
            if self.text.startswith(".", self.offset) and not self.text.startswith("..", self.offset):
                node = self._path(node)
            elif self.peek("["):
                filtered = self._filter(node)
                if filtered is None:
                    return node
                node = filtered
            elif self.peek("("):
                node = self._call(node)
            else:
                return node
        raise TooDeep(self.offset)

    def _path(self, source: syntax.Node) -> syntax.Node:
        at = self.here()
        self.offset += 1
        self.skip()
        known = self.properties.fits(self.text, self.offset)
        if known and known[-1].words > 1:
            self.offset = known[-1].stop
            return syntax.Path(at, source, known[-1].name)
        if self.word() in KEYWORDS:
            name = self.word()
            self.offset += len(name)
            return syntax.Path(at, source, name)
        return syntax.Path(at, source, self.unknown_name("a name after the dot"))

    def _filter(self, source: syntax.Node) -> syntax.Node | None:
        """Read ``[condition]``; None when the bracket closes a half-open range such as ``[1..x[``."""
        begin, at = self.offset, self.here()
        if self._range_depth and isinstance(source, syntax.Literal):
            return None
        self.offset += 1
        in_range, self._range_depth = self._range_depth, 0
        depth, scopes = self.depth, len(self.scopes)
        self.in_filter += 1
        try:
            with self.scope("item"):
                condition = self.expression()
            self.require("]", "] at the end of the filter")
            if in_range and not self._closes_range():
                raise self.expected("the end of the range")
        except FeelSyntaxError:
            if not in_range:
                raise
            self.offset, self.depth = begin, depth
            del self.scopes[scopes:]
            return None
        finally:
            self._range_depth = in_range
            self.in_filter -= 1
        return syntax.Filter(at, source, condition)

    def _closes_range(self) -> bool:
        """Tell whether the end of a range may still follow what was just taken for a filter."""
        self.skip()
        return self.offset < len(self.text) and self.text[self.offset] in ")]["

    def _call(self, callee: syntax.Node) -> syntax.Node:
        at = callee.at
        self.offset += 1
        in_range, self._range_depth = self._range_depth, 0
        arguments: list[syntax.Node] = []
        names: list[str] = []
        while not self.peek(")"):
            key = self._argument_name()
            if key is not None:
                names.append(key)
            arguments.append(self.expression())
            if len(names) not in (0, len(arguments)):
                raise self.error("Expected all arguments by name or all by position, but they are mixed")
            if not self.take(","):
                break
            if self.peek(")"):
                raise self.expected("an argument")
        self.require(")", ") or , after an argument")
        self._range_depth = in_range
        return syntax.Call(at, callee, tuple(arguments), tuple(names))

    def _argument_name(self) -> str | None:
        self.skip()
        match = _KEY.match(self.text, self.offset)
        if match is None or not WORD.match(match[1].strip()):
            return None
        self.offset = match.end()
        return _BLANKS.sub(" ", match[1].strip())

    # Primaries

    def _primary(self) -> syntax.Node:
        self.skip()
        if self.offset >= len(self.text):
            raise self.expected("an expression")
        at, char = self.here(), self.text[self.offset]
        if char == '"':
            return syntax.Literal(at, self._string())
        if char.isdecimal() or (char == "." and not self.text.startswith("..", self.offset)):
            return self._number(at)
        if char == "@":
            return self._temporal(at)
        if char == "(":
            return self._parenthesis(at)
        if char == "[":
            return self._bracket(at)
        if char == "]":
            self.offset += 1
            return self._range_from(at, self._endpoint(), included=False)
        if char == "{":
            return self._context(at)
        return self._named(at)

    def _string(self) -> str:
        match = _STRING.match(self.text, self.offset)
        if match is None:
            raise self.error('Expected a closing ", but the text ends')
        self.offset = match.end()
        body = match[0][1:-1]
        if "\\" not in body:
            return body
        unescaped = _ESCAPE.sub(_unescape, body)
        # \ud83d\udc0e is one character written as a surrogate pair.
        try:
            return unescaped.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self.error("Expected whole characters, but an escape is half of a surrogate pair") from None

    def _number(self, at: Position) -> syntax.Node:
        match = _NUMBER.match(self.text, self.offset)
        if match is None:
            raise self.expected("a number")
        self.offset = match.end()
        try:
            return syntax.Literal(at, DECIMAL128.create_decimal(match[0]))
        except (Overflow, InvalidOperation):
            raise self.error("Expected a number within decimal128, but it is beyond", at.offset) from None

    def _temporal(self, at: Position) -> syntax.Node:
        begin = self.offset
        self.offset += 1
        if not self.peek('"'):
            raise self.expected('a text after @, as in @"2026-11-22"')
        text = self._string()
        try:
            return syntax.Literal(at, parse_temporal(text))
        except ValueError as error:
            raise self.error(str(error), begin) from None

    def _parenthesis(self, at: Position) -> syntax.Node:
        self.offset += 1
        in_range, self._range_depth = self._range_depth, 0
        operator = self._test_operator()
        if operator:
            self.offset += len(operator)
            bound = self.expression(_ADDITIVE - 1)
            self.require(")")
            self._range_depth = in_range
            return syntax.UnaryRange(at, operator, bound)
        node = self.expression()
        if self.peek(".."):
            self._range_depth = in_range
            return self._range_from(at, node, included=False)
        self.require(")", ") after the expression")
        self._range_depth = in_range
        return node

    def _test_operator(self) -> str:
        self.skip()
        return next((symbol for symbol in _COMPARISONS if self.text.startswith(symbol, self.offset)), "")

    def _bracket(self, at: Position) -> syntax.Node:
        self.offset += 1
        in_range, self._range_depth = self._range_depth, 0
        items: list[syntax.Node] = []
        while not self.peek("]"):
            items.append(self._list_item())
            if len(items) == 1 and self.peek(".."):
                self._range_depth = in_range
                return self._range_from(at, items[0], included=True)
            if not self.take(","):
                break
            if self.peek("]"):
                raise self.expected("an element")
        self.require("]", "] or , after an element")
        self._range_depth = in_range
        return syntax.ListLiteral(at, tuple(items))

    def _list_item(self) -> syntax.Node:
        at, operator = self.here(), self._test_operator()
        if not operator:
            return self.expression()
        self.offset += len(operator)
        return syntax.UnaryRange(at, operator, self.expression(_ADDITIVE - 1))

    def _endpoint(self) -> syntax.Node:
        return self.expression(_ADDITIVE - 1)

    def _range_from(self, at: Position, low: syntax.Node, *, included: bool) -> syntax.Node:
        self.require("..", ".. between the ends of a range")
        outer, self._range_depth = self._range_depth, 1
        high = self._endpoint()
        self._range_depth = outer
        for symbol in ")[":
            if self.take(symbol):
                return syntax.RangeLiteral(at, low, high, included, False)
        self.require("]", "], ) or [ at the end of the range")
        return syntax.RangeLiteral(at, low, high, included, True)

    def _context(self, at: Position) -> syntax.Node:
        self.offset += 1
        in_range, self._range_depth = self._range_depth, 0
        entries: list[syntax.Entry] = []
        keys: set[str] = set()
        with self.scope() as known:
            while not self.peek("}"):
                entry = self._entry()
                if entry.key in keys:
                    raise self.error(f"Expected each key once, but {entry.key} comes twice", entry.at.offset)
                keys.add(entry.key)
                entries.append(entry)
                known.add(entry.key)
                if not self.take(","):
                    break
                if self.peek("}"):
                    raise self.expected("an entry")
            self.require("}", "} or , after an entry")
        self._range_depth = in_range
        return syntax.ContextLiteral(at, tuple(entries))

    def _entry(self) -> syntax.Entry:
        self.skip()
        at = self.here()
        if self.peek('"'):
            key = self._string()
            self.require(":", ": after the key")
        else:
            match = _KEY.match(self.text, self.offset)
            if match is None or not WORD.match(match[1].strip()):
                raise self.expected("a key and a colon")
            self.offset = match.end()
            key = _BLANKS.sub(" ", match[1].strip())
        return syntax.Entry(at, key, self.expression())

    def _named(self, at: Position) -> syntax.Node:
        known = self.known_name()
        if known is not None:
            return syntax.Name(at, known)
        word = self.word()
        if word in ("true", "false", "null"):
            self.offset += len(word)
            return syntax.Literal(at, {"true": True, "false": False, "null": None}[word])
        special = {
            "if": self._if, "for": self._for, "some": self._quantified, "every": self._quantified,
            "function": self._function,
        }.get(word)  # fmt: skip
        if special is not None:
            in_range, self._range_depth = self._range_depth, 0
            node = special(at)
            self._range_depth = in_range
            return node
        return syntax.Name(at, self.unknown_name("an expression"))

    def _if(self, at: Position) -> syntax.Node:
        self.require_word("if")
        condition = self.expression()
        self.require_word("then")
        then = self.expression()
        self.require_word("else")
        return syntax.If(at, condition, then, self.expression())

    def _for(self, at: Position) -> syntax.Node:
        self.require_word("for")
        with self.scope() as known:
            iterators = self._iterators(known)
            self.require_word("return")
            known.add("partial")
            return syntax.For(at, iterators, self.expression())

    def _quantified(self, at: Position) -> syntax.Node:
        every = self.word() == "every"
        self.offset += len(self.word())
        with self.scope() as known:
            iterators = self._iterators(known)
            self.require_word("satisfies")
            return syntax.Quantified(at, every, iterators, self.expression())

    def _iterators(self, known: Names) -> tuple[syntax.Iterator, ...]:
        iterators: list[syntax.Iterator] = []
        while True:
            self.skip()
            at = self.here()
            name = self.declared_name("a variable and in", *KEYWORDS)
            self.require_word("in")
            domain = self.expression()
            end = self.expression() if self.take("..") else None
            iterators.append(syntax.Iterator(at, name, domain, end))
            known.add(name)
            if not self.take(","):
                return tuple(iterators)

    def _function(self, at: Position) -> syntax.Node:
        self.require_word("function")
        self.require("(", "( after function")
        parameters: list[tuple[str, syntax.TypeNode | None]] = []
        while not self.peek(")"):
            name = self.declared_name("a parameter", ":", ",", ")")
            parameters.append((name, self.type() if self.take(":") else None))
            if not self.take(","):
                break
        self.require(")", ") or , after a parameter")
        if self.word() == "external":
            raise self.error("Expected a FEEL body, but external functions (Java, PMML) are refused")
        with self.scope(*(name for name, _ in parameters)):
            return syntax.FunctionLiteral(at, tuple(parameters), self.expression())

    # Types

    def type(self) -> syntax.TypeNode:
        """Read a type such as ``number``, ``list<string>`` or ``context<a: number>``."""
        self.skip()
        at = self.here()
        word = self.word()
        if word in _GENERIC:
            begin = self.offset
            self.offset += len(word)
            if self.take("<"):
                return self._generic(at, word)
            self.offset = begin
        known = self.types.fits(self.text, self.offset)
        if known:
            self.offset = known[-1].stop
            return syntax.TypeNode(at, known[-1].name)
        if word == "function" or (word and word not in KEYWORDS):
            self.offset += len(word)
            while self.text.startswith(".", self.offset) and WORD.match(self.text, self.offset + 1):
                self.offset += 1
                part = self.word()
                word += "." + part
                self.offset += len(part)
            return syntax.TypeNode(at, word)
        raise self.expected("a type")

    def _generic(self, at: Position, word: str) -> syntax.TypeNode:
        self._deepen()
        parts: list[tuple[str, syntax.TypeNode]] = []
        while not self.peek(">"):
            name = ""
            if word == "context":
                name = self.declared_name("a name and a type", ":")
                self.require(":")
            parts.append((name, self.type()))
            if not self.take(","):
                break
        self.require(">", "> at the end of the type")
        self.depth -= 1
        result = None
        if word == "function":
            self.require("->", "-> and the type of the result")
            result = self.type()
        return syntax.TypeNode(at, word, tuple(parts), result, True)

    # Unary tests

    def _unary_tests(self) -> syntax.UnaryTests:
        self.skip()
        at = self.here()
        if self.at_end():
            return syntax.UnaryTests(at, ())
        if self.take("-") and self.at_end():
            return syntax.UnaryTests(at, ())
        self.offset = at.offset
        negated = self._negated_tests(at)
        if negated is not None:
            return negated
        self.depth = 0
        tests = self._tests()
        if not self.at_end():
            raise self.expected("a comma or the end of the tests")
        return syntax.UnaryTests(at, tests)

    def _negated_tests(self, at: Position) -> syntax.UnaryTests | None:
        """Read ``not(tests)``; None when the text begins so but goes on, as ``not(a) and b`` does."""
        if not (self.take_word("not") and self.take("(")):
            self.offset = at.offset
            return None
        scopes = len(self.scopes)
        try:
            tests = self._tests()
            self.require(")")
            if self.at_end():
                return syntax.UnaryTests(at, tests, True)
        except FeelSyntaxError:
            del self.scopes[scopes:]
        self.offset = at.offset
        return None

    def _tests(self) -> tuple[syntax.Node, ...]:
        tests = [self._test(0)]
        while self.take(","):
            tests.append(self._test(0))
        return tuple(tests)

    def _test(self, power: int) -> syntax.Node:
        self.skip()
        at, operator = self.here(), self._test_operator()
        if operator:
            self.offset += len(operator)
            return syntax.UnaryRange(at, operator, self.expression(_ADDITIVE - 1))
        return self.expression(power)

    def _membership_tests(self) -> tuple[syntax.Node, ...]:
        """Read what stands after ``in``: one test, or several in parentheses."""
        if self.peek("("):
            begin, depth, scopes = self.offset, self.depth, len(self.scopes)
            self.offset += 1
            try:
                tests = self._tests()
                if self.take(")") and not (self.peek("[") or self.peek(".")):
                    return tests
            except FeelSyntaxError:
                del self.scopes[scopes:]
            self.offset, self.depth = begin, depth
        return (self._test(_ADDITIVE - 1),)


def _unescape(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] in "uU" and len(escape) > 1:
        code = int(escape[1:], 16)
        return chr(code) if code <= 0x10FFFF else match[0]
    return _ESCAPES.get(escape, match[0])

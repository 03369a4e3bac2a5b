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
from decimal import Decimal

from dmn import syntax
from dmn.errors import FeelSyntaxError, Position
from dmn.literal_parser import LiteralParser
from dmn.names import KEYWORDS, WORD, Names
from dmn.scanner import BLANKS, MAX_LINKS, TooDeep
from dmn.type_parser import TypeParser
from dmn.values import DECIMAL128

_KEY = re.compile(r'([^,:()\[\]{}"]+):(?!:)')
_COMPARISONS = ("<=", ">=", "!=", "=", "<", ">")
_OPERATORS = ("**", *_COMPARISONS, "+", "-", "*", "/")
_POWER = {"or": 1, "and": 2, "between": 3, "in": 3, "+": 4, "-": 4, "*": 5, "/": 5, "**": 6, "instance": 7}
_POWER.update(dict.fromkeys(_COMPARISONS, 3))
_ADDITIVE = 4
# Operators whose chains the compiler walks in a loop.
_FLAT = frozenset(("+", "-", "*", "/", "**", "and", "or"))


class Parser(TypeParser, LiteralParser):
    """Reads one text: an expression, or the tests of a cell."""

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

    def expression(self, power: int = 0) -> syntax.Node:
        self.deepen()
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
            self.deepen()
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
        return BLANKS.sub(" ", match[1].strip())

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
            key = BLANKS.sub(" ", match[1].strip())
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

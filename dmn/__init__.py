"""FEEL and DMN: parse, compile, evaluate, explain, analyse.

Pure Python over text and values: no database, no BPMN, no web. Everything that comes from outside is bounded: texts,
steps, lists, nesting, time; nothing written in a table or an expression can run Python.
"""

from dmn.budget import DEFAULT_BUDGET, Budget
from dmn.environment import FeelValues
from dmn.errors import BudgetExceeded, Diagnostic, DmnError, FeelSyntaxError, ModelError, Position, UnknownDecision
from dmn.expression import UNSEEN, Expression, Outcome, UnaryTests, compile_expression, compile_unary_tests
from dmn.model import Decision, InputData, Model, Result
from dmn.model_reading import parse
from dmn.tables import EvaluatedInput, MatchedRule
from dmn.temporal import Date, DateTime, DaysTimeDuration, Time, YearsMonthsDuration
from dmn.values import Function, HostFunction, Range, Value, equal, text_of, to_feel, to_python

__all__ = [
    "DEFAULT_BUDGET",
    "UNSEEN",
    "Budget",
    "BudgetExceeded",
    "Date",
    "DateTime",
    "DaysTimeDuration",
    "Decision",
    "Diagnostic",
    "DmnError",
    "EvaluatedInput",
    "Expression",
    "FeelSyntaxError",
    "FeelValues",
    "Function",
    "HostFunction",
    "InputData",
    "MatchedRule",
    "Model",
    "ModelError",
    "Outcome",
    "Position",
    "Range",
    "Result",
    "Time",
    "UnaryTests",
    "UnknownDecision",
    "Value",
    "YearsMonthsDuration",
    "compile_expression",
    "compile_unary_tests",
    "equal",
    "parse",
    "text_of",
    "to_feel",
    "to_python",
]

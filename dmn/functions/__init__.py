"""The built-in functions of DMN 1.5, chapter 10.3.4, and a few of Camunda 8's."""

from dmn.functions import contexts, dates, lists, numbers, ranges, strings
from dmn.functions.registry import BUILT_INS, BuiltIn

__all__ = ["BUILT_INS", "BuiltIn", "contexts", "dates", "lists", "numbers", "ranges", "strings"]

"""Advice on diagrams that could run and yet would disappoint: unknown names, nobody to do it, no deadline, paths that hang.

What cannot run at all is refused by ``engine.spiff``; these laws look at what would run. A law is one function in the module
of its topic, listed in ``LAWS``.
"""

from engine.lint.advice import Advice, Material, Severity
from engine.lint.laws import LAWS, advise
from engine.lint.review import review

__all__ = ["LAWS", "Advice", "Material", "Severity", "advise", "review"]

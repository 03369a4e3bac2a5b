"""Screens, one module a family."""

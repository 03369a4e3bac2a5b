"""Tests mirror the packages; a test's name is a sentence of law."""

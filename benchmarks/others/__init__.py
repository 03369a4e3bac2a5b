"""Lockstep beside three other engines: viewflow, bpmn-engine and spiff-arena, each a program of its own (README.md)."""

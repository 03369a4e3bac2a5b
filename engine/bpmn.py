"""What a service task may raise for its diagram to catch."""

from __future__ import annotations

from engine.spiff.host import BpmnError

__all__ = ["BpmnError"]

"""The flows of benchmarks/models.py as files for the engines that read BPMN.

spiff-arena reads what stock SpiffWorkflow reads, as a group of process models; for bpmn-engine conditions and scripts become JavaScript.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path

from benchmarks.models import Model
from benchmarks.stock import BPMN

XSI = "http://www.w3.org/2001/XMLSchema-instance"
# The prefix of a type that an attribute names is read as it stands.
ET.register_namespace("bpmn", BPMN)
CONDITIONS = {
    "total > 100": "environment.variables.total > 100",
    "total <= 100": "environment.variables.total <= 100",
    "rework": "environment.variables.rework",
    "not rework": "!environment.variables.rework",
}
SCRIPTS = {
    "checked = True": "environment.variables.checked = true",
    "stage = 'manager'": "environment.variables.stage = 'manager'",
    "votes = 5": "environment.variables.votes = 5",
    "posted = total": "environment.variables.posted = environment.variables.total",
    "marked = True": "environment.variables.marked = true",
}


def write_process_models(models: Iterable[tuple[str, Model]], folder: Path) -> None:
    """Write flows as a group of process models, as spiff-arena wants them. models: with the name that each shall have."""
    group = folder / "benchmark"
    group.mkdir(parents=True)
    (group / "process_group.json").write_text(json.dumps({"display_name": "Benchmark", "description": ""}))
    for name, model in models:
        place = group / name
        place.mkdir()
        (diagram,) = model.stock
        (place / f"{name}.bpmn").write_bytes(renamed(diagram, name))
        described = {
            "display_name": name,
            "description": "",
            "primary_file_name": f"{name}.bpmn",
            "primary_process_id": name,
        }
        (place / "process_model.json").write_text(json.dumps(described))


def renamed(diagram: bytes, name: str) -> bytes:
    """Return a diagram whose processes have ids of their own: ids are unique in a whole installation of spiff-arena."""
    root = ET.fromstring(diagram)
    ids = {process.get("id", ""): process for process in root.iter(f"{{{BPMN}}}process")}
    for call in root.iter(f"{{{BPMN}}}callActivity"):
        call.set("calledElement", f"{name}_{call.get('calledElement')}")
    for old, process in ids.items():
        process.set("id", name if old == "p" else f"{name}_{old}")
    return ET.tostring(root)


def write_javascript(model: Model, folder: Path) -> Path:
    """Write a flow as bpmn-engine reads it and return the file."""
    (diagram,) = model.stock
    file = folder / f"{model.name}.javascript.bpmn"
    file.write_bytes(in_javascript(diagram))
    return file


def in_javascript(diagram: bytes) -> bytes:
    """Return a diagram of stock SpiffWorkflow whose conditions and scripts are JavaScript and whose timer is plain ISO 8601.

    Raises: KeyError for a condition or a script that has no translation here.
    """
    root = ET.fromstring(diagram)
    for condition in root.iter(f"{{{BPMN}}}conditionExpression"):
        condition.set(f"{{{XSI}}}type", "bpmn:tFormalExpression")
        condition.set("language", "javascript")
        condition.text = f"next(null, {CONDITIONS[condition.text or '']})"
    for task in root.iter(f"{{{BPMN}}}scriptTask"):
        task.set("scriptFormat", "javascript")
        for script in task.iter(f"{{{BPMN}}}script"):
            script.text = f"{SCRIPTS[script.text or '']}; next()"
    for duration in root.iter(f"{{{BPMN}}}timeDuration"):
        duration.text = (duration.text or "").strip('"')
    for number, process in enumerate(root.iter(f"{{{BPMN}}}process")):
        process.set("isExecutable", "false" if number else "true")  # a called process shall not start by itself
    return ET.tostring(root)

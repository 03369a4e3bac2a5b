"""How well the detectors find: precision and recall on labelled texts, for each rule and over all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rules.blurred_texts import cites_only_a_work_order, paragraph_key, read_purchase, read_text, sends_a_traveller
from rules.policy import table_called

TEXT_RULES = ("BLUR-P1", "BLUR-P2", "BLUR-P3", "BLUR-P4", "BLUR-P6", "BLUR-W1", "BLUR-W3", "BLUR-W4")
"""Rules that read texts; the others look at facts alone and are proved by their own tests."""


@dataclass(frozen=True, slots=True)
class Score:
    """True positives, false positives and misses of one rule, or of all."""

    hits: int
    false_alarms: int
    misses: int

    @property
    def precision(self) -> float | None:
        """The share of findings that are right; None without a finding."""
        found = self.hits + self.false_alarms
        return self.hits / found if found else None

    @property
    def recall(self) -> float | None:
        """The share of what is wrong that is found; None where nothing is wrong."""
        wrong = self.hits + self.misses
        return self.hits / wrong if wrong else None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One set of texts, judged. mistakes: a sentence for each text that was judged otherwise than labelled."""

    name: str
    texts: int
    by_rule: Mapping[str, Score]
    overall: Score
    mistakes: tuple[str, ...]


def evaluate(path: Path) -> Evaluation:
    """Judge a file of labelled texts. Raises: ValueError naming what is wrong with the file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    texts, suppliers = content.get("texts"), tuple(content.get("suppliers", ()))
    if not isinstance(texts, list) or not texts:
        raise ValueError(f"Expected labelled texts in {path.name}, but there are none")
    counts: dict[str, Counter[str]] = {rule: Counter() for rule in TEXT_RULES}
    mistakes = []
    for text in texts:
        labels, found = set(text["labels"]), judge(text, suppliers)
        if strange := labels - set(TEXT_RULES):
            raise ValueError(f"Expected labels that a text can show, but {text['id']} has {', '.join(sorted(strange))}")
        for rule in labels | found:
            counts[rule]["hits" if rule in labels & found else "misses" if rule in labels else "false_alarms"] += 1
        if labels != found:
            mistakes.append(f"{text['id']}: expected {_shown(labels)}, but found {_shown(found)}: {text['text'][:100]}")
    scores = {rule: _score([count]) for rule, count in counts.items()}
    return Evaluation(path.stem, len(texts), scores, _score(counts.values()), tuple(mistakes))


def judge(text: Mapping[str, Any], suppliers: Sequence[str] = ()) -> set[str]:
    """Return the rules that one labelled text violates. text: kind, text, context."""
    words, context = str(text["text"]), text.get("context", {})
    kind = text.get("kind", "po_line")
    if kind == "operation":
        purchase = read_purchase(words, suppliers=suppliers)
        found = {"BLUR-W1"} if purchase.supplier else set()
        return found | ({"BLUR-W4"} if purchase.has_material else set())
    if kind == "invoice_line":
        return {"BLUR-W3"} if cites_only_a_work_order(words) else set()
    if kind == "message":
        return {"BLUR-W3"} if sends_a_traveller(words) else set()
    return _judge_line(words, context)


def facts_of_text(words: str, *, spec: bool, files: int, orders: int) -> dict[str, Any]:
    """Return what the table ``blurred_roles`` asks of a line's text. files: without number; orders: that carry the paragraph."""
    read = read_text(words)
    return {
        "length": read.length,
        "imperatives": read.imperatives,
        "parameters": read.parameters,
        "specification": spec or read.has_specification,
        "uncontrolled_documents": read.words_of_mouth + files,
        "inspection_in_text": read.has_criteria,
        "inspection_plan": spec or read.has_specification,
        "orders_with_paragraph": orders if read.is_technical else 0,
    }


def _judge_line(words: str, context: Mapping[str, Any]) -> set[str]:
    files = sum(not (each.get("document") and each.get("revision")) for each in context.get("attachments", ()))
    same = sum(paragraph_key(other) == paragraph_key(words) for other in context.get("other_orders", ()))
    judgement = table_called("blurred_roles").judge(
        critical=bool(context.get("special_process")),
        service_without_object=False,
        evidence="NONE",
        card_amount=0,
        **facts_of_text(words, spec=bool(context.get("spec")), files=files, orders=same + 1),
    )
    return {str(row.outputs["rule"]) for row in judgement.rows}


def _score(counts: Iterable[Counter[str]]) -> Score:
    whole = sum(counts, Counter[str]())
    return Score(whole["hits"], whole["false_alarms"], whole["misses"])


def _shown(rules: set[str]) -> str:
    return ", ".join(sorted(rules)) or "nothing"

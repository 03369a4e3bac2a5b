"""Makers of DMN files for the tests of dmn/."""

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

MODEL = "https://www.omg.org/spec/DMN/20191111/MODEL/"


def definitions(*parts: str, namespace: str = MODEL, name: str = "test") -> str:
    """Wrap elements in a DMN file."""
    body = "\n".join(parts)
    return f'<?xml version="1.0"?>\n<definitions xmlns="{namespace}" name="{name}" namespace="urn:test">\n{body}\n</definitions>'


def input_data(*names: str, type_ref: str | None = None) -> str:
    """Declare inputs; the id is the name with underscores."""
    kind = f' typeRef="{type_ref}"' if type_ref else ""
    return "\n".join(
        f"<inputData id={quoteattr(identity(name))} name={quoteattr(name)}><variable name={quoteattr(name)}{kind}/></inputData>"
        for name in names
    )


def identity(name: str) -> str:
    """Return the id that the makers give to a name."""
    return name.replace(" ", "_")


def requirements(needs: Iterable[str], decisions: Iterable[str] = (), knowledge: Iterable[str] = ()) -> str:
    """Require inputs, decisions and business knowledge by name."""
    data = [
        f'<informationRequirement><requiredInput href="#{identity(name)}"/></informationRequirement>' for name in needs
    ]
    data += [
        f'<informationRequirement><requiredDecision href="#{identity(name)}"/></informationRequirement>'
        for name in decisions
    ]
    data += [
        f'<knowledgeRequirement><requiredKnowledge href="#{identity(name)}"/></knowledgeRequirement>'
        for name in knowledge
    ]
    return "".join(data)


def literal(text: str) -> str:
    """Write a literal expression."""
    return f"<literalExpression><text>{escape(text)}</text></literalExpression>"


def decision(
    name: str,
    logic: str,
    *,
    needs: Iterable[str] = (),
    decisions: Iterable[str] = (),
    knowledge: Iterable[str] = (),
    type_ref: str | None = None,
) -> str:
    """Write a decision."""
    kind = f' typeRef="{type_ref}"' if type_ref else ""
    return (
        f"<decision id={quoteattr(identity(name))} name={quoteattr(name)}><variable name={quoteattr(name)}{kind}/>"
        f"{requirements(needs, decisions, knowledge)}{logic}</decision>"
    )


def table(
    inputs: dict[str, str | None],
    outputs: dict[str, str | None],
    rules: list[tuple[str, ...]],
    *,
    policy: str = "UNIQUE",
    aggregation: str = "",
    types: dict[str, str] | None = None,
    defaults: dict[str, str] | None = None,
) -> str:
    """Write a decision table.

    inputs: text → allowed values; outputs: name → output values; rules: cells of inputs, outputs, and an annotation.
    """
    more = f' aggregation="{aggregation}"' if aggregation else ""
    lines = [f'<decisionTable hitPolicy="{policy}"{more}>']
    for text, allowed in inputs.items():
        kind = f' typeRef="{types[text]}"' if types and text in types else ""
        values = f"<inputValues><text>{escape(allowed)}</text></inputValues>" if allowed else ""
        lines.append(f"<input><inputExpression{kind}><text>{escape(text)}</text></inputExpression>{values}</input>")
    for name, allowed in outputs.items():
        values = f"<outputValues><text>{escape(allowed)}</text></outputValues>" if allowed else ""
        default = defaults.get(name) if defaults else None
        otherwise = f"<defaultOutputEntry><text>{escape(default)}</text></defaultOutputEntry>" if default else ""
        lines.append(f"<output name={quoteattr(name)}>{values}{otherwise}</output>")
    for row, cells in enumerate(rules, 1):
        asked, answered = cells[: len(inputs)], cells[len(inputs) : len(inputs) + len(outputs)]
        notes = cells[len(inputs) + len(outputs) :]
        lines.append(
            f'<rule id="rule_{row}">'
            + "".join(f"<inputEntry><text>{escape(cell)}</text></inputEntry>" for cell in asked)
            + "".join(f"<outputEntry><text>{escape(cell)}</text></outputEntry>" for cell in answered)
            + "".join(f"<annotationEntry><text>{escape(cell)}</text></annotationEntry>" for cell in notes)
            + "</rule>"
        )
    return "\n".join([*lines, "</decisionTable>"])

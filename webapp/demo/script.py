"""The script: what rita asked for in the last three weeks and what the others did about it, told in data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from records.requisition import Priority

LAKESHORE = "Lakeshore Seals & Gaskets Co."
ONEILL = "O'Neill & Sons Verbindungstechnik GmbH"
REDWOOD = "Redwood Metals Corp."
ANGSTROM = "Ångström Specialty Steel GmbH & Co. KG"
VULCAN = "Vulcan Tooling Systems"
PRAEZISION = "Müller Präzision Thermal Processing, LLC"
HARTOWNIA = "Galvánica Ibérica Hartownia Sp. z o.o."


@dataclass(frozen=True)
class Line:
    """One line asked for. price: estimated, in US dollars. supplier: by name; None leaves it to the buyer."""

    part_no: str
    quantity: str
    price: str
    supplier: str | None = None


@dataclass(frozen=True)
class Step:
    """What somebody does with an open task.

    days_ago: when. verdict: None completes the task. price: what the buyer writes on the order's first line before.
    """

    days_ago: float
    who: str
    element_id: str
    verdict: str | None = None
    reason: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    price: str | None = None


@dataclass(frozen=True)
class Wish:
    """A requisition. days_ago: when rita submits it, None while it is a draft. needed_in: days from today."""

    title: str
    days_ago: float | None
    lines: tuple[Line, ...]
    steps: tuple[Step, ...] = ()
    cost_centre: str = "4711"
    needed_in: int = 26
    why: str = ""
    priority: Priority = Priority.NORMAL


def approved(who: str, days_ago: float, reason: str = "") -> Step:
    """Say that somebody approved, in an approval round."""
    return Step(days_ago, who, "decide_slot", "approve", reason)


SCRIPT = (
    Wish(
        "Hex bar for valve bodies, lot 7012", 20.0,
        (Line("RM-0145", "320", "5.1603", REDWOOD),),
        (
            approved("lena", 19.2), Step(18.9, "bea", "complete_order", "submit"), Step(18.7, "bea", "issue_order", "issue"),
            Step(17.0, "bea", "record_acknowledgement", variables={"result": "ACCEPT", "reference": "AB-20417"}),
        ),
        why="Machining starts when the bar is in.",
    ),
    Wish(
        "Socket head screws for gimbal kits", 18.4,
        (Line("HW-20418", "120", "16.0450", LAKESHORE),),
        (
            approved("lena", 17.9), Step(16.8, "bea", "complete_order", "submit"), Step(16.6, "bea", "issue_order", "issue"),
            Step(13.1, "bea", "record_acknowledgement", variables={"result": "ACCEPT", "reference": "LS-5518"}),
        ),
    ),
    Wish(
        "Inconel bar for impeller trials", 16.3,
        (Line("RM-0177", "60", "43.4722", REDWOOD),),
        (Step(15.1, "lena", "decide_slot", "reject", "There are 75 kg of this bar in stock, heat R4471"),),
        why="For the first trials of the new impeller.",
    ),
    Wish(
        "Coolant concentrate, quarter's need", 12.2,
        (Line("CS-024", "24", "153.1112", VULCAN),),
        (approved("lena", 11.4), Step(8.3, "bea", "complete_order", "submit"), Step(8.2, "bea", "issue_order", "issue")),
        cost_centre="4700",
        why="Stock covers three more weeks.",
    ),
    Wish(
        "Titanium round bar for bone plates", 9.3,
        (Line("RM-0412", "180", "63.0014", ANGSTROM),),
        (approved("carl", 8.4), approved("max", 8.1, "Price as in the frame contract")),
        why="Lot 7020, implant grade; certificates needed with the delivery.",
        priority=Priority.HIGH,
    ),
    Wish(
        "Bearings for actuator lot 7018", 8.2,
        (Line("HW-20604", "400", "5.9543", LAKESHORE), Line("HW-20689", "40", "33.4417", LAKESHORE)),
        (approved("lena", 7.4), Step(5.3, "bea", "complete_order", "submit")),
    ),
    Wish(
        "Screws and dowel pins, maintenance", 7.3,
        (Line("HW-20380", "30", "28.3824", ONEILL), Line("HW-20446", "25", "26.9757", ONEILL)),
        (Step(6.2, "lena", "decide_slot", "return", "Which machine is this for? Please name the work order."),),
        cost_centre="4700",
    ),
    Wish(
        "Heat treat H1025, valve bodies 7009", 6.4,
        (Line("SV-HT-01A", "60", "24.4209", HARTOWNIA),),
        (approved("quinn", 5.6), approved("quinn", 5.5), approved("lena", 5.2)),
        why="Vulcan is booked out until January.",
    ),
    Wish(
        "CoCrMo forgings for femoral heads", 5.4,
        (Line("RM-0244", "12", "1709.6475", REDWOOD),),
        (approved("carl", 4.3),),
        why="Customer order 88-1207, twelve pieces.",
        priority=Priority.HIGH,
    ),
    Wish(
        "Thread gauges for the new line", 4.3,
        (Line("CS-025", "18", "90.1832"), Line("CS-005", "6", "137.0196")),
        (approved("lena", 3.4),),
    ),
    Wish(
        "Spindle repair, machine 14", 3.3,
        (Line("SV-CON-25", "48", "47.3017", VULCAN),),
        (Step(2.4, "lena", "decide_slot", "ask", "Is this covered by the service contract?"),),
        cost_centre="4700",
        priority=Priority.LINE_DOWN,
    ),
    Wish(
        "Bench fixtures for assembly and test", 3.1,
        (Line("CS-029", "85", "113.1293", VULCAN),),
        cost_centre="4712",
        why="Needed before the audit of station 3.",
    ),
    Wish(
        "Aluminium-beryllium forgings, gimbal", 2.3,
        (Line("RM-0261", "22", "3415.3753", ANGSTROM),),
        why="Long lead item for the spring programme.",
        needed_in=75,
    ),
    Wish(
        "Self-locking nuts for actuator lot 7018", 1.2,
        (Line("HW-20437", "180", "9.6976", ONEILL),),
    ),
    Wish(
        "Flange bushings, spare stock", None,
        (Line("HW-20650", "90", "11.5516", LAKESHORE),),
    ),
)  # fmt: skip

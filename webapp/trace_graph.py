"""Draw a trace: layers from left to right, alike lots grouped where there are many, every step a line that crosses as few as it can.

Coordinates only; how things look is the style sheet's to say. A step that spans several layers bends through points of its own
in the layers between, so that it passes between nodes and not behind them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from processes.genealogy_trace import Node, NodeKind, Step, Trace
from records.lot import Lot

WIDTH, HEIGHT = 188, 54
ACROSS, BETWEEN, MARGIN = 84, 14, 24
POINT = 10
SWEEPS = 6
MANY = 60
"""Beyond so many nodes alike ones are drawn as one, unless somebody wants to see each."""
READABLE = 200
"""Beyond so many even after that, the nearest are drawn."""
FEW_LABELS = 60


@dataclass
class Box:
    """One thing drawn. members: the nodes it stands for, one unless alike ones are grouped. x, y: its upper left corner."""

    members: list[Node]
    layer: int = 0
    x: float = 0
    y: float = 0

    @property
    def node(self) -> Node:
        """The node it stands for, the first of a group."""
        return self.members[0]

    @property
    def is_group(self) -> bool:
        """Whether it stands for several."""
        return len(self.members) > 1


@dataclass(frozen=True)
class Line:
    """One step drawn. path: an SVG path; label: where the quantity is written."""

    steps: list[Step]
    path: str
    label: tuple[float, float]
    source: Box
    target: Box


@dataclass
class Drawing:
    """A graph to draw. boxes: layer by layer, top to bottom, which is the order of the Tab key. left_out: nodes not drawn."""

    boxes: list[Box]
    lines: list[Line]
    width: float
    height: float
    left_out: int = 0
    has_labels: bool = True
    focus: Box | None = None


@dataclass
class _Place:
    """A place in a layer: a box, or the point of a line that passes through."""

    layer: int
    box: Box | None = None
    before: list[_Place] = field(default_factory=list)
    after: list[_Place] = field(default_factory=list)
    order: float = 0
    y: float = 0

    @property
    def height(self) -> float:
        return HEIGHT if self.box is not None else POINT

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def draw(found: Trace, *, grouped: bool) -> Drawing:
    """Lay a trace out. grouped: draw lots that have the same neighbours, part and state as one box."""
    boxes = _boxes(found, grouped=grouped)
    left_out = 0
    if len(boxes) > READABLE:
        boxes = sorted(boxes, key=lambda box: min(abs(node.depth) for node in box.members))
        left_out = sum(len(box.members) for box in boxes[READABLE:])
        boxes = boxes[:READABLE]
    drawn = {node.id: box for box in boxes for node in box.members}
    joined: dict[tuple[int, int], list[Step]] = defaultdict(list)
    index = {id(box): position for position, box in enumerate(boxes)}
    for step in found.steps:
        if step.source in drawn and step.target in drawn:
            joined[index[id(drawn[step.source])], index[id(drawn[step.target])]].append(step)
    pairs = [(boxes[source], boxes[target]) for source, target in joined]
    _set_layers(boxes, pairs)
    places, chains = _places(boxes, pairs)
    layers = _ordered(places)
    _set_heights(layers)
    lines = [_line(chain, steps) for chain, steps in zip(chains, joined.values(), strict=True)]
    for layer in layers:
        for place in layer:
            if place.box is not None:
                place.box.x, place.box.y = MARGIN + place.layer * (WIDTH + ACROSS), place.y
    ordered = sorted(boxes, key=lambda box: (box.layer, box.y))
    bottom = max((place.y + place.height for layer in layers for place in layer), default=0)
    width = 2 * MARGIN + len(layers) * (WIDTH + ACROSS) - ACROSS
    return Drawing(
        ordered, lines, max(width, 2 * MARGIN + WIDTH), bottom + MARGIN, left_out, len(lines) <= FEW_LABELS,
        drawn.get(found.start.id),
    )  # fmt: skip


def _boxes(found: Trace, *, grouped: bool) -> list[Box]:
    if not grouped:
        return [Box([node]) for node in found.nodes]
    beside: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for step in found.steps:
        beside[step.source].add((">", step.target))
        beside[step.target].add(("<", step.source))
    alike: dict[object, Box] = {}
    for node in found.nodes:
        key: object = node.id
        if isinstance(node.record, Lot) and node.record.id != found.start.id:
            lot = node.record
            key = (lot.part_revision_id, lot.status, lot.source, node.is_certain, frozenset(beside[node.id]))
        elif node.kind is NodeKind.UNKNOWN:
            key = (node.kind, frozenset(beside[node.id]))
        alike.setdefault(key, Box([])).members.append(node)
    for box in alike.values():
        box.members.sort(key=lambda node: node.number)
    return list(alike.values())


def _set_layers(boxes: Sequence[Box], pairs: Sequence[tuple[Box, Box]]) -> None:
    """Put each box right of everything that goes into it, and what nothing goes into next to where it is used."""
    after: dict[int, list[Box]] = defaultdict(list)
    waiting: dict[int, int] = defaultdict(int)
    for source, target in pairs:
        after[id(source)].append(target)
        waiting[id(target)] += 1
    ready = [box for box in boxes if not waiting[id(box)]]
    sources = list(ready)
    while ready:
        box = ready.pop()
        for other in after[id(box)]:
            other.layer = max(other.layer, box.layer + 1)
            waiting[id(other)] -= 1
            if not waiting[id(other)]:
                ready.append(other)
    for box in sources:
        if after[id(box)]:
            box.layer = min(other.layer for other in after[id(box)]) - 1
    lowest = min((box.layer for box in boxes), default=0)
    for box in boxes:
        box.layer -= lowest


def _places(boxes: Sequence[Box], pairs: Sequence[tuple[Box, Box]]) -> tuple[list[_Place], list[list[_Place]]]:
    """Return every place, and for each line the places that it passes through, its ends included."""
    of_box = {id(box): _Place(box.layer, box) for box in boxes}
    places, chains = list(of_box.values()), []
    for source, target in pairs:
        chain = [of_box[id(source)]]
        chain += [_Place(layer) for layer in range(source.layer + 1, target.layer)]
        chain.append(of_box[id(target)])
        places += chain[1:-1]
        for left, right in pairwise(chain):
            left.after.append(right)
            right.before.append(left)
        chains.append(chain)
    return places, chains


def _ordered(places: Iterable[_Place]) -> list[list[_Place]]:
    """Return the layers, each ordered so that lines cross little: by the mean place of the neighbours, back and forth."""
    by_layer: dict[int, list[_Place]] = defaultdict(list)
    for place in places:
        by_layer[place.layer].append(place)
    layers = [by_layer[layer] for layer in sorted(by_layer)]
    for layer in layers:
        layer.sort(key=lambda place: place.box.node.number if place.box else "")
        _number(layer)
    for turn in range(SWEEPS):
        forward = turn % 2 == 0
        for layer in layers if forward else reversed(layers):
            means = {id(place): _mean(place.before if forward else place.after, place.order) for place in layer}
            layer.sort(key=lambda place: (means[id(place)], place.order))
            _number(layer)
    return layers


def _number(layer: Sequence[_Place]) -> None:
    for position, place in enumerate(layer):
        place.order = position / max(len(layer) - 1, 1)


def _mean(beside: Sequence[_Place], otherwise: float) -> float:
    return sum(place.order for place in beside) / len(beside) if beside else otherwise


def _set_heights(layers: Sequence[Sequence[_Place]]) -> None:
    """Stack each layer, then pull its places towards their neighbours without letting them touch."""
    for layer in layers:
        _stack(layer, {})
    tallest = max((layer[-1].y + layer[-1].height for layer in layers), default=0)
    for layer in layers:
        shift = (tallest - layer[-1].y - layer[-1].height) / 2
        for place in layer:
            place.y += shift
    for turn in range(SWEEPS):
        forward = turn % 2 == 0
        for layer in layers if forward else reversed(layers):
            wanted = {}
            for place in layer:
                beside = place.before if forward else place.after
                if beside:
                    wanted[id(place)] = sum(other.middle for other in beside) / len(beside) - place.height / 2
            _stack(layer, wanted)
    top = min((layer[0].y for layer in layers), default=0)
    for layer in layers:
        for place in layer:
            place.y += MARGIN - top


def _stack(layer: Sequence[_Place], wanted: Mapping[int, float]) -> None:
    """Set places one below the other, each as near as it can to where it wants to be; who is pushed down pushes back up."""
    floor = float("-inf")
    for place in layer:
        place.y = max(wanted.get(id(place), place.y), floor)
        floor = place.y + place.height + BETWEEN
    over = [place.y - wanted[id(place)] for place in layer if id(place) in wanted]
    if over:
        shift = sum(over) / len(over)
        for place in layer:
            place.y -= shift


def _line(chain: Sequence[_Place], steps: list[Step]) -> Line:
    """Return a smooth line through the places of a chain."""
    source, target = chain[0].box, chain[-1].box
    assert source is not None
    assert target is not None
    points: list[tuple[float, float]] = [(_left(chain[0]) + WIDTH, chain[0].middle)]
    for place in chain[1:-1]:
        points += [(_left(place), place.middle), (_left(place) + WIDTH, place.middle)]
    points.append((_left(chain[-1]) - 7, chain[-1].middle))
    path = f"M{points[0][0]:.0f},{points[0][1]:.1f}"
    for position in range(0, len(points) - 1, 2):
        (left, above), (right, below) = points[position], points[position + 1]
        bend = (right - left) / 2
        path += f" C{left + bend:.0f},{above:.1f} {right - bend:.0f},{below:.1f} {right:.0f},{below:.1f}"
        if position + 2 < len(points):
            path += f" L{points[position + 2][0]:.0f},{points[position + 2][1]:.1f}"
    first, second = points[-2], points[-1]
    return Line(steps, path, ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2 - 4), source, target)


def _left(place: _Place) -> float:
    return MARGIN + place.layer * (WIDTH + ACROSS)

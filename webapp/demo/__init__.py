"""The demo plant: a precision works with its people, parts and suppliers, and believable work in every state.

Masters and old documents come from a part of an ERP's extract (extract/), brought in by the importer like any other; what
the cast did and still has to do is done here through the same functions as on the pages, on the days before today.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher

from engine.act import Installation
from engine.definitions import deploy_all
from processes.bundle import bundle_files
from records import demo_people
from webapp.demo.amendments import amend_orders
from webapp.demo.boards import convene, seat_board
from webapp.demo.changes import change_things
from webapp.demo.extract import bring_extract
from webapp.demo.lots import show_genealogy
from webapp.demo.outside import send_outside
from webapp.demo.plant import approve_suppliers, build_plant
from webapp.demo.receipts import receive_goods
from webapp.demo.sourcing import agree_blanket, ask_for_titanium
from webapp.demo.supplier_facts import screen_suppliers, show_what_is_known
from webapp.demo.views import keep_views
from webapp.demo.work import do_work
from webapp.demo.work_orders import settle_work

BEGINS = dt.timedelta(days=21)
"""How long before today the plant was settled."""

ACTOR = "system:demo"
KNOWN_TO_ALL = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
"""The terminal prints the demo's password: a costly hash would protect nothing, and each signature of the cast would wait for it."""


def settle(installation: Installation, *, tell: Callable[[str], None] = lambda what: None) -> None:
    """Fill an empty, migrated database. tell: told what is being done.

    It leaves the installation's clock as it was; every date is counted from that clock's today.
    """
    today = installation.clock()
    with _at(installation, today - BEGINS):
        tell("people and definitions")
        with installation.acting(ACTOR) as act:
            demo_people.settle(act, hasher=KNOWN_TO_ALL, members=(*demo_people.CAST, *demo_people.SPECIALISTS))
            build_plant(act)
            seat_board(act)
        with installation.acting("user:pat", reason="the shipped definitions") as act:
            deploy_all(act, bundle_files())
        tell("the ERP's extract")
        bring_extract(installation, today=today)
        with installation.acting(ACTOR) as act:
            approve_suppliers(act)
            screen_suppliers(act)
            agree_blanket(act)
    tell("work")
    do_work(installation, today=today, at=lambda moment: _at(installation, moment))
    tell("quotes")
    ask_for_titanium(installation, today=today, at=lambda moment: _at(installation, moment))
    tell("work orders")
    settle_work(installation, today=today, at=lambda moment: _at(installation, moment))
    tell("lots")
    show_genealogy(installation, today=today, at=lambda moment: _at(installation, moment))
    tell("parts at outside suppliers")
    send_outside(installation, today=today, at=lambda moment: _at(installation, moment))
    tell("amendments")
    amend_orders(installation, today=today, at=lambda moment: _at(installation, moment))
    tell("goods and invoices")
    receive_goods(installation, today=today, at=lambda moment: _at(installation, moment))
    tell("what is known of suppliers")
    show_what_is_known(installation, today=today, at=lambda moment: _at(installation, moment))
    tell("changes")
    change_things(installation, today=today, at=lambda moment: _at(installation, moment))
    convene(installation, today=today)
    keep_views(installation)


@contextmanager
def _at(installation: Installation, moment: dt.datetime) -> Iterator[None]:
    """Let it be another time for the length of the block."""
    clock, installation.clock = installation.clock, lambda: moment
    try:
        yield
    finally:
        installation.clock = clock

"""What templates may say: filters bound to the visitor's customs, and the few functions every page needs."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

from flask import Flask, g, request

from engine.database import instant_text
from processes import mismatches
from processes.evidence import KINDS
from records import notice
from records.comment import threads
from records.company_sign_in import METHOD
from records.follower import followers_of
from records.signing_policy import policy_in
from rules import reviewing
from webapp import (
    change_links,
    company,
    dossiers,
    file_words,
    formats,
    mentions,
    navigation,
    refusals,
    sheet,
    signing_form,
    tones,
    visit,
    wording,
)
from webapp.assets import asset
from webapp.change_dossier import CLASS_WORDS
from webapp.security import form_proof


def install(app: Flask) -> None:
    """Give the templates their filters and functions."""
    app.jinja_env.filters.update(
        bound=formats.bound,
        change_class=lambda value: CLASS_WORDS.get(str(value), str(value)),
        day=lambda value: formats.day(value, wording.customs()),
        document_url=lambda value: dossiers.record_url(value.record_type, value.id),
        due=lambda value: formats.due(value, visit.now(), wording.customs()),
        face=formats.face,
        initials=formats.initials,
        instant=lambda value: formats.instant(value, wording.customs()),
        iso=_iso,
        may_resolve=lambda said: reviewing.may_resolve(visit.reading(), said, visit.visitor().user_id, at=visit.now()),
        followers=lambda record: followers_of(visit.reading(), (record.record_type, record.id)),
        mentions=mentions.shown,
        threads=threads,
        resolvers=lambda said: reviewing.resolvers_of(visit.reading(), said),
        linked=change_links.linked,
        mismatch=mismatches.field_words,
        moment=lambda value: formats.moment(value, visit.now(), wording.customs()),
        money=lambda value, currency="", unit_price=False: formats.money(
            value, currency, wording.customs(), unit_price=unit_price
        ),
        number=lambda value, decimals=None: formats.number(value, decimals, wording.customs()),
        plain_number=wording.plain_number,
        plural=formats.plural,
        principal=wording.principal_words,
        record_url_of=lambda value: dossiers.record_url(value["record_type"], value["record_id"]),
        record_url=lambda value: dossiers.record_url(value.record_type, value.record_id),
        quantity=lambda value, unit="": formats.quantity(value, unit, wording.customs()),
        refusal_title=refusals.title_of,
        said=wording.said,
        span=lambda value: formats.span(abs((visit.now() - value).total_seconds())),
        tone=tones.tone,
        utc=lambda value: f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC",
        who=wording.person_name,
        without_key=formats.without_key,
        words=formats.words,
    )
    app.jinja_env.globals.update(
        file_limits=file_words.limit_words,
        asset=asset, company_name=company_name, form_proof=form_proof, own_id=own_id, idle_minutes=idle_minutes,
        navigation=navigation.navigation, signs_at=signs_at, list_ways=sheet.ways, here=sheet.here,
        kept_besides=sheet.kept_besides,
        whole_histories={*KINDS, "instance"},
    )  # fmt: skip
    app.context_processor(_page_values)


def own_id(name: str) -> str:
    """Return an id for a field of a page: its name, and counted on where several forms of one page ask for the same."""
    seen = g.setdefault("field_ids", Counter())
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def company_name() -> str:
    """Return how the plant calls the company where people sign in; empty where there is none."""
    known = company.company()
    return known.name if known is not None else ""


def signs_at() -> str:
    """Return where the visitor proves a signature: the company's name, empty for a password here."""
    return company_name() if signing_form.method() == METHOD else ""


def idle_minutes() -> int:
    """Return after how many idle minutes a signature needs user name and password again."""
    return policy_in(visit.reading()).idle_minutes


def _page_values() -> dict[str, Any]:
    visitor = g.get("visitor")
    return {
        "visitor": visitor,
        "theme": request.cookies.get("theme") if request.cookies.get("theme") in ("light", "dark") else "auto",
        "unread": notice.unread(visit.reading(), visitor.user_id) if visitor and not visit.is_partial() else 0,
        "now": visit.now(),
        "is_partial": visit.is_partial(),
    }


def _iso(value: Any) -> str:
    return instant_text(value) if isinstance(value, dt.datetime) else str(value)

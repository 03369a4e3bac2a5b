"""The application: one Flask app on one installation."""

from __future__ import annotations

import secrets

from flask import Flask, redirect, url_for
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from engine.act import Installation
from processes import webhook_terms
from rules.tables_in_force import require_tables
from rules.triggers import require_guard
from webapp import assets, delivery, filters, gate, health, long_poll, page_rights, rates, refusals, security, visit
from webapp import company as identity
from webapp.api import door
from webapp.pages import (
    account,
    agreements,
    amendments,
    approvals,
    board_keeping,
    board_rules,
    boards,
    certificates,
    change_requests,
    changes,
    company,
    dashboards,
    data_quality,
    definitions,
    desk,
    emergencies,
    evidence,
    files,
    findings,
    flow_modes,
    goods,
    helping,
    holds,
    impacts,
    inbox,
    inbox_bulk,
    inbox_list,
    inbox_views,
    invoices,
    jobs,
    lending,
    lots,
    mending,
    messages,
    mismatches,
    nonconformances,
    operations,
    orders,
    outside,
    parts,
    people,
    quotes,
    receiving,
    requisitions,
    resources,
    review,
    run_lists,
    short_closes,
    signing_together,
    sole_sources,
    supplier_quotes,
    supplier_records,
    suppliers,
    talking,
    traces,
    waivers,
    webhooks,
    work_order_changes,
    work_order_floor,
    work_order_signing,
    work_orders,
)
from webapp.stepping_up import SteppingUp

LARGEST_REQUEST = 8 * 1024 * 1024
LARGEST_FORM = 4 * 1024 * 1024
"""A requisition of five hundred lines, each with a paragraph of text, is a form of one or two megabytes."""


SCREENS = (
    account,
    company,
    inbox,
    inbox_bulk,
    inbox_list,
    inbox_views,
    review,
    desk,
    dashboards,
    requisitions,
    orders,
    receiving,
    goods,
    certificates,
    short_closes,
    signing_together,
    invoices,
    holds,
    impacts,
    amendments,
    work_orders,
    work_order_changes,
    work_order_floor,
    work_order_signing,
    resources,
    outside,
    parts,
    supplier_records,
    suppliers,
    quotes,
    supplier_quotes,
    agreements,
    sole_sources,
    approvals,
    lending,
    lots,
    traces,
    operations,
    mending,
    run_lists,
    health,
    jobs,
    messages,
    webhooks,
    data_quality,
    definitions,
    evidence,
    findings,
    flow_modes,
    waivers,
    mismatches,
    nonconformances,
    board_keeping,
    board_rules,
    boards,
    change_requests,
    changes,
    emergencies,
    people,
    talking,
    helping,
    files,
)
"""Modules of pages, each with a blueprint."""


def create_app(installation: Installation, *, secret_key: str | None = None) -> Flask:
    """Build the application.

    secret_key: signs cookies and forms; without one a fresh key is made, and every restart signs everybody out.
    Raises: GuardMissing on a database whose guard was removed or altered, whichever server is about to run it; TablesNotInForce
    on rule tables that nobody signed, where they are under change control; ValueError on settings that name half a company, no
    rate, or webhooks that cannot be delivered so.
    """
    with installation.database.connect() as connection:
        require_guard(connection)
    with installation.reading() as session:
        require_tables(session)
    webhook_terms.terms_of(installation.settings)
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=secret_key or secrets.token_hex(32),
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM,
        SESSION_COOKIE_NAME="lockstep_notes",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
    )
    proxies = int(installation.settings.get("proxies") or 0)
    if proxies:
        # Only what the last proxies say is believed: address, scheme and host.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)  # type: ignore[method-assign]
    app.extensions["lockstep"] = installation
    app.extensions["assets"] = assets.read_manifest()
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    delivery.install(app)
    rates.install(app)
    long_poll.install(app)
    visit.install(app)
    security.protect(app)
    gate.install(app)
    page_rights.install(app)
    refusals.install(app)
    filters.install(app)
    identity.install(app, installation.settings)
    app.register_error_handler(SteppingUp, company.ask_for_proof)
    for screens in SCREENS:
        app.register_blueprint(screens.pages)
    app.register_blueprint(door.blueprint)
    app.add_url_rule("/", view_func=_go_home, endpoint="home")
    return app


def _go_home() -> Response:
    return redirect(url_for("inbox.show"))

"""Every page by name, ``<module>.<function>``, with what it takes to open it and to send its form."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, g, request

from webapp import rights
from webapp.rights import (
    ADMIN,
    AGREEING,
    ANSWERED,
    ASKING,
    BUSINESS,
    BUYER,
    BUYING,
    CERTIFYING,
    CLERK,
    CONCERNED,
    DECIDING_IMPACT,
    DECLARING,
    DISPOSING,
    FIRST_ARTICLES,
    GOODS,
    HELPING,
    INSPECTING,
    KEEPING_RESOURCES,
    KEEPING_WEBHOOKS,
    LIFTING,
    LOT_QUALITY,
    OBSERVING,
    OF_DECISION,
    OF_DOCUMENT,
    OF_FILE,
    OF_QUOTES,
    OF_REMARK,
    OF_TASK,
    OPEN,
    OUTSIDE,
    OVERSEEING,
    PLACING,
    PLANNING,
    RATING,
    RECEIVING,
    RELEASING,
    REVIEWING,
    SCREENING,
    SETTING_UP_BOARDS,
    SHIPPING,
    SHORT_CLOSING,
    SIDES,
    SIGNED_IN,
    SKIPPING,
    SPECIALISTS,
    SUPPLIER_QUALITY,
    VERIFYING,
    WORK,
    Right,
    each,
)
from webapp.security import SAFE_METHODS

SHOWS: Mapping[str, Right] = {
    **each(OPEN, """
        health.alive health.ready health.metrics static api.static api.docs api.openapi account.sign_in
        company.sign_in company.back_in company.come_back company.signed_out supplier_quotes.show
    """),
    **each(SIGNED_IN, """
        home account.change_password account.profile account.notices company.is_back_in company.step_up company.proved
        inbox.show inbox.news inbox_bulk.look inbox_views.index inbox_views.new inbox_views.show lending.lend helping.index
        together.sign people.index talking.names requisitions.suggest_parts requisitions.suggest_revisions
        requisitions.suggest_suppliers
        requisitions.index requisitions.show orders.index orders.show orders.sheet amendments.show amendments.sheet
        receiving.index receiving.receipts receiving.export receiving.receive goods.show goods.inspect goods.sort goods.review
        certificates.export certificates.present certificates.show short_closes.show
        invoices.index invoices.export invoices.choose invoices.show invoices.release holds.index holds.export
        work_orders.index work_orders.export work_orders.show work_orders.traveller work_order_changes.show
        resources.index resources.export resources.show resources.centre
        outside.board outside.export outside.show outside.ship outside.take_back outside.operation outside.loss outside.sheet
        parts.index parts.show suppliers.index suppliers.export suppliers.show
        quotes.index quotes.export agreements.index agreements.export agreements.show
        sole_sources.index sole_sources.export sole_sources.show
        lots.index lots.show lots.hold lots.release traces.show traces.show_provenance traces.show_transformation traces.export
        operations.index operations.show operations.bpmn operations.diagram_state definitions.changes
        run_lists.tokens run_lists.export_tokens run_lists.tasks run_lists.export_tasks
        data_quality.index data_quality.download evidence.configuration evidence.sealed evidence.kept
        evidence.holds evidence.hold findings.index findings.download findings.show flow_modes.index flow_modes.show
        waivers.index waivers.add waivers.show mismatches.index mismatches.download mismatches.show
        nonconformances.index nonconformances.export nonconformances.show nonconformances.deviations
        desk.index desk.export dashboards.index dashboards.export dashboards.tasks dashboards.export_tasks parts.export_prices
        account.export_notices inbox_list.export requisitions.export orders.export receiving.export_expected parts.export
        lots.export operations.export mending.waits mending.wait_marks mending.bpmn jobs.index jobs.export messages.index messages.show
        messages.export flow_modes.export waivers.export
        nonconformances.export_deviations boards.export change_requests.export changes.export emergencies.export people.export
        helping.export evidence.export_configuration evidence.export_checkpoints evidence.export_retention evidence.export_holds
        boards.index boards.show boards.meeting boards.tally boards.minutes emergencies.index
        change_requests.index change_requests.new change_requests.show changes.index changes.show impacts.download
    """),
    **each(OF_DOCUMENT, "evidence.history evidence.export_history"),
    **each(OF_FILE, "review.download files.preview files.shown"),
    **each(OF_QUOTES, "quotes.show quotes.comparison"),
    **each(OF_TASK, "review.show review.decide review.send_back helping.begin"),
    **each(CONCERNED, """
        requisitions.edit work_order_signing.sign supplier_records.recheck supplier_records.stop_sub_tier
        board_keeping.settings board_keeping.appoint board_keeping.end_place board_rules.set_rule board_rules.end_rule
    """),
    **each(ASKING, "requisitions.new"),
    **each(BUYING, "orders.edit amendments.amend amendments.correct amendments.cancel short_closes.propose"),
    **each(ANSWERED, "orders.acknowledge"),
    **each(BUYER, "quotes.key"),
    **each(AGREEING, "agreements.new"),
    **each(CLERK, "invoices.capture"),
    **each(PLANNING, "work_orders.new work_order_changes.quantity work_order_changes.divide"),
    **each(OBSERVING, "work_order_floor.events"),
    **each(SKIPPING, "work_order_signing.skip"),
    **each(KEEPING_RESOURCES, "resources.new"),
    **each(SCREENING, "supplier_records.screening"),
    **each(DECLARING, "supplier_records.sub_tier supplier_records.change"),
    **each(FIRST_ARTICLES, "supplier_records.first_article"),
    **each(SUPPLIER_QUALITY, """
        supplier_records.suspend supplier_records.grade supplier_records.approve_sub_tier
        approvals.add approvals.approve approvals.suspend
    """),
    **each(DISPOSING, "nonconformances.permit"),
    **each(SETTING_UP_BOARDS, "board_keeping.set_up"),
    **each(SPECIALISTS, "changes.new"),
    **each(KEEPING_WEBHOOKS, """
        webhooks.index webhooks.export webhooks.add webhooks.change webhooks.show webhooks.export_log webhooks.delivery
    """),
    **each(HELPING, "mending.tokens mending.revert mending.rehearsal mending.relocation"),
    **each(ADMIN, "people.leave"),
}  # fmt: skip
"""What it takes to open each page."""

DOES: Mapping[str, Right] = {
    **each(OPEN, """
        account.sign_in account.choose_theme company.logout_there supplier_quotes.send supplier_quotes.decline
    """),
    **each(SIGNED_IN, """
        account.sign_out account.change_password account.profile account.choose_mail account.read_all account.choose_density
        account.choose_onward
        account.choose_keys account.choose_customs inbox_bulk.look inbox_bulk.act inbox_views.new lending.lend
        together.sign requisitions.preview change_requests.new
    """),
    **each(OF_DOCUMENT, "orders.say talking.choose files.attach"),
    **each(OF_REMARK, "talking.answer review.resolve"),
    **each(OF_DECISION, "review.decide review.send_back review.complete"),
    **each(OF_TASK, """
        inbox.watch review.keep_draft review.refresh_form review.claim
        review.comment review.mark_viewed review.note_seen helping.begin
    """),
    **each(CONCERNED, """
        account.end_absence account.end_session account.read_notice inbox_views.show inbox_views.adopt inbox_views.delete
        lending.take_back helping.answer helping.take_back
        requisitions.edit requisitions.withdraw change_requests.decide mismatches.show findings.show
        impacts.dispose impacts.divide impacts.assess impacts.carry_out
        work_order_floor.report work_order_floor.reverse work_order_floor.result work_order_floor.raise_nonconformance
    """),
    **each(BUSINESS, """
        waivers.add waivers.show waivers.end flow_modes.index flow_modes.show flow_modes.refuse
        board_keeping.settings board_keeping.appoint board_keeping.end_place board_rules.set_rule board_rules.end_rule
        boards.plan boards.step boards.declare_conflict work_order_signing.sign
    """),
    **each(ASKING, "requisitions.new"),
    **each(BUYING, """
        orders.edit orders.withdraw amendments.amend amendments.correct amendments.withdraw amendments.cancel short_closes.propose
    """),
    **each(ANSWERED, "orders.acknowledge"),
    **each(BUYER, "quotes.key quotes.mail quotes.decline quotes.extend quotes.stop"),
    **each(AGREEING, "agreements.new"),
    **each(CLERK, "invoices.capture invoices.change"),
    **each(RELEASING, "invoices.release"),
    **each(SHORT_CLOSING, "short_closes.show"),
    **each(RECEIVING, "receiving.receive"),
    **each(GOODS, "goods.change"),
    **each(INSPECTING, "goods.inspect goods.sort"),
    **each(REVIEWING, "goods.review"),
    **each(CERTIFYING, "certificates.present"),
    **each(VERIFYING, "certificates.show"),
    **each(PLANNING, """
        work_orders.new work_orders.replan work_order_changes.quantity work_order_changes.divide work_order_changes.assign
    """),
    **each(WORK, "work_orders.move"),
    **each(OBSERVING, "work_order_floor.events"),
    **each(SKIPPING, "work_order_signing.skip"),
    **each(SIDES, "work_order_changes.sign work_order_changes.withdraw outside.loss outside.choose_anew outside.start outside.link"),
    **each(KEEPING_RESOURCES, "resources.new resources.show resources.qualify resources.end_qualification"),
    **each(RATING, "resources.centre"),
    **each(SHIPPING, "outside.ship"),
    **each(RECEIVING, "outside.take_back"),
    **each(OUTSIDE, "outside.act_on"),
    **each(SCREENING, "supplier_records.screening"),
    **each(DECLARING, "supplier_records.sub_tier supplier_records.change"),
    **each(FIRST_ARTICLES, "supplier_records.first_article"),
    **each(SUPPLIER_QUALITY, """
        supplier_records.suspend supplier_records.grade supplier_records.approve_sub_tier supplier_records.stop_sub_tier
        supplier_records.recheck approvals.add approvals.approve approvals.suspend
    """),
    **each(LOT_QUALITY, "lots.hold lots.release"),
    **each(DISPOSING, "nonconformances.permit nonconformances.show"),
    **each(SETTING_UP_BOARDS, "board_keeping.set_up"),
    **each(SPECIALISTS, """
        changes.new changes.add_item changes.add_edit changes.change_references changes.write_content changes.withdraw
    """),
    **each(DECIDING_IMPACT, "impacts.compute impacts.freeze"),
    **each(OVERSEEING, "data_quality.keep"),
    **each(HELPING, """
        mending.suspend mending.resume mending.choose mending.rehearsal mending.tokens mending.revert operations.retry operations.cancel
        jobs.retry messages.delete
    """),
    **each(PLACING, "evidence.holds"),
    **each(LIFTING, "evidence.hold"),
    **each(KEEPING_WEBHOOKS, """
        webhooks.add webhooks.change webhooks.rotate webhooks.move webhooks.try_out webhooks.replay_failed webhooks.replay
    """),
    **each(ADMIN, "people.leave"),
}  # fmt: skip
"""What it takes to send the form of each page."""


def install(app: Flask) -> None:
    """Refuse strangers before a page's view runs; comes after the gate, which knows who visits."""
    app.before_request(_check)


def of_page(endpoint: str, method: str) -> Right | None:
    """Return the right of a page, or None for one that nobody named."""
    return (SHOWS if method in SAFE_METHODS else DOES).get(endpoint)


def _check() -> None:
    """Judge a visitor whom the gate let in; the API judges its callers itself."""
    if request.endpoint is not None and request.blueprint != "api" and g.get("visitor") is not None:
        rights.need(of_page(request.endpoint, request.method), request.view_args or {})

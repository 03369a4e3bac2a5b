"""Every operation of the API by the name that it has in its document, with what it takes besides its scope.

An adapter has its scopes alone: it holds no roles.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    ENGINEERING,
    GOODS,
    HELPING,
    INSPECTING,
    INTEGRATING,
    KEEPING_RESOURCES,
    KEEPING_WEBHOOKS,
    LIFTING,
    LOSING,
    LOT_QUALITY,
    MIRRORING,
    OBSERVING,
    OF_DECISION,
    OF_DOCUMENT,
    OF_FILE,
    OF_QUOTES,
    OF_REMARK,
    OF_TASK,
    PLACING,
    PLANNING,
    RATING,
    RECALLING,
    RECEIVING,
    RELEASING,
    REPORTING_LOTS,
    SCREENING,
    SETTING_UP_BOARDS,
    SHIPPED,
    SHIPPING,
    SHORT_CLOSING,
    SIDES,
    SIGNED_IN,
    SKIPPING,
    SOURCES,
    SPECIALISTS,
    STOCK,
    SUPPLIER_QUALITY,
    TELLING_RUNS,
    VERIFYING,
    WORK,
    Right,
    each,
)
from webapp.security import SAFE_METHODS

READS: Mapping[str, Right] = {
    **each(SIGNED_IN, """
        show_desk show_prices show_supplier_overview show_workload list_waiting list_instances
        get_instance list_moves list_choices list_orders get_order list_acknowledgements list_amendments get_amendment
        get_known list_suppliers get_supplier get_approval get_standing get_sub_tier list_boards get_board get_meeting get_minutes
        list_receipts get_receipt list_certificates get_certificate get_certificate_file list_change_requests get_change_request
        list_change_orders get_change_order list_definitions get_definition get_definition_file list_deviations get_deviation
        list_findings get_finding list_waivers get_waiver list_flow_modes report_data_quality
        list_tasks list_questions count_inbox list_watched list_views get_view get_impact list_change_tasks
        list_invoices get_invoice list_legal_holds get_legal_hold list_delegations list_absences
        list_lots get_lot trace_lot trace_provenance trace_transformation list_gaps list_mismatches get_mismatch
        list_mode_switches get_mode_switch list_nonconformances get_nonconformance
        list_outside_links get_outside_link get_outside_loss list_parts get_part list_part_revisions get_part_revision
        list_coverage list_requisitions get_requisition
        list_resources get_resource list_work_centres list_short_closes
        list_requests_for_quotation list_agreements get_agreement list_releases
        list_sole_sources get_sole_source list_work_orders get_work_order list_quantity_changes list_actuals
    """),
    **each(OF_DOCUMENT, "list_files get_redline list_comments list_followers"),
    **each(OF_FILE, "get_file"),
    **each(OF_QUOTES, "get_request_for_quotation compare_quotes"),
    **each(OF_TASK, "get_task list_help list_returns"),
    **each(HELPING, "list_messages get_message list_jobs get_job"),
    **each(KEEPING_WEBHOOKS, "list_webhooks get_webhook list_deliveries get_delivery"),
    **each(ADMIN, "list_work"),
}  # fmt: skip
"""What it takes to read by each operation of the API, besides its scope."""

CALLS: Mapping[str, Right] = {
    **each(SIGNED_IN, """
        create_change_request ask_because_of_nonconformance ask_because_of_notice
        act_on_tasks save_view lend_role plan_absence
    """),
    **each(OF_DOCUMENT, "attach_file add_comment follow_document mark_viewed"),
    **each(OF_REMARK, "resolve_comment"),
    **each(OF_DECISION, "decide_task complete_task return_task"),
    **each(OF_TASK, """
        claim_task release_task ask_about_task lend_task recuse_from_task add_approver
        snooze_task wake_task watch_task assign_task
    """),
    **each(CONCERNED, """
        change_view delete_view adopt_view take_role_back end_absence answer_question take_question_back
        change_requisition submit_requisition cancel_requisition withdraw_requisition withdraw_change_request
        dispose_row dispose_rows assess_impact carry_out_change_task acknowledge_finding raise_nonconformance
    """),
    **each(BUSINESS, """
        propose_waiver sign_waiver refuse_waiver withdraw_waiver revoke_waiver
        propose_mode_switch sign_mode_switch refuse_mode_switch sign_work_order
        vote vote_in_meeting sign_minutes declare_conflict declare_conflict_in_meeting
        change_board appoint_member end_membership set_board_rule end_board_rule
        plan_meeting cancel_meeting step_meeting add_agenda_item step_agenda_item
    """),
    **each(HELPING, """
        suspend_instance resume_instance choose_elements rehearse_edits rehearse_relocation start_instance cancel_instance retry_incident
        delete_message
    """),
    **each(HELPING, "activate_jobs complete_job fail_job throw_error extend_lock"),
    **each(TELLING_RUNS, "publish_message send_signal evaluate_conditions"),
    **each(KEEPING_WEBHOOKS, """
        create_webhook change_webhook end_webhook rotate_webhook_secret test_webhook replay_delivery replay_failed_deliveries
    """),
    **each(BUYING, """
        change_order withdraw_order propose_amendment correct_amendment withdraw_amendment cancel_order propose_short_close
    """),
    **each(ANSWERED, "acknowledge_order"),
    **each(BUYER, "keep_quotation decline_quotation move_due_date close_request_for_quotation"),
    **each(AGREEING, "write_agreement"),
    **each(SHORT_CLOSING, "decide_short_close"),
    **each(SCREENING, "add_screening"),
    **each(DECLARING, "add_sub_tier add_change"),
    **each(STOCK, "report_stock"),
    **each(SUPPLIER_QUALITY, """
        propose_approval sign_approval suspend_approval sign_sub_tier stop_sub_tier sign_standing suspend_supplier
    """),
    **each(SETTING_UP_BOARDS, "set_up_board"),
    **each(RECEIVING, "book_delivery reverse_receipt return_outside keep_strays"),
    **each(INSPECTING, "inspect_receipt sort_receipt"),
    **each(GOODS, "dispose_receipt"),
    **each(CERTIFYING, "present_certificate"),
    **each(VERIFYING, "verify_certificate reject_certificate"),
    **each(SPECIALISTS, """
        create_change_order add_affected_item add_change_edit add_change_reference remove_change_reference withdraw_change_order
    """),
    **each(DECIDING_IMPACT, "compute_impact freeze_impact"),
    **each(ENGINEERING, "deploy_definitions edit_tokens relocate_instances revert_move"),
    **each(DISPOSING, "permit decide_nonconformance"),
    **each(CLERK, "capture_invoice match_invoice pay_part reject_invoice"),
    **each(RELEASING, "release_hold"),
    **each(PLACING, "place_legal_hold"),
    **each(LIFTING, "lift_legal_hold"),
    **each(REPORTING_LOTS, "report_consumption report_transformation"),
    **each(SHIPPED, "report_shipment"),
    **each(LOT_QUALITY, "stop_lot release_held_lot"),
    **each(SIDES, "link_outside sign_outside_loss sign_quantity_change withdraw_quantity_change"),
    **each(SHIPPING, "ship_outside"),
    **each(SOURCES, "name_outside_source"),
    **each(LOSING, "declare_outside_loss"),
    **each(RECALLING, "recall_outside"),
    **each(ADMIN, "disable_person"),
    **each(ASKING, "create_requisition"),
    **each(KEEPING_RESOURCES, "create_resource change_resource qualify_person"),
    **each(RATING, "set_work_centre_rate"),
    **each(MIRRORING, "create_work_order"),
    **each(WORK, "firm_work_order release_work_order hold_work_order lift_work_order cancel_work_order complete_work_order"),
    **each(WORK, "close_work_order"),
    **each(PLANNING, "split_work_order replan_work_order propose_quantity_change change_operation"),
    **each(INTEGRATING, "observe_work_order"),
    **each(SKIPPING, "skip_operation"),
    **each(OBSERVING, "post_events"),
}  # fmt: skip
"""What it takes to write by each operation of the API, besides its scope; an adapter has its scopes alone."""


def of_operation(name: str, method: str) -> Right | None:
    """Return the right of an operation, or None for one that nobody named."""
    return (READS if method in SAFE_METHODS else CALLS).get(name)

"""Mail goes out after the commit, by SMTP or, when no server is set, into a folder of .eml files."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from engine.act import Installation
from engine.registry import Registry, Work
from processes.documents import existing
from processes.order_change_sheet import order_change_pdf
from processes.order_sheet import keying_sheet_pdf, purchase_order_pdf
from processes.quote_links import link_to
from processes.request_sheet import request_pdf
from records.amendment import PurchaseOrderAmendment
from records.purchase_order import PurchaseOrder
from records.quotation import Invitation

TIMEOUT = 30
"""Seconds that a mail server may take."""

registry = Registry()


@registry.errand("mail")
def mail(installation: Installation, work: Work) -> None:
    """Send one message.

    Arguments: to (list), subject, text, and, for attachments, order_id with sheet (order, keying, or change with amendment_id), or
    invitation_id: then the link under which its supplier quotes ends the text, and is written nowhere else.

    The job's id is the Message-ID, so that a repeat is recognised. Raises: OSError, SMTPException when the try failed.
    """
    message = _message(installation, work)
    server = installation.settings.get("smtp_url")
    if server:
        _send(str(server), message)
    else:
        _keep(Path(installation.settings.get("mail_folder") or "var/mail"), str(work.job_id), message)


def _message(installation: Installation, work: Work) -> EmailMessage:
    settings: Mapping[str, Any] = installation.settings
    sender = str(settings.get("mail_from") or "lockstep@localhost")
    message = EmailMessage()
    message["Message-ID"] = f"<{work.job_id}@{sender.partition('@')[2] or 'localhost'}>"
    message["From"], message["To"] = sender, ", ".join(work["to"])
    message["Subject"] = " ".join(str(work["subject"]).split())
    message["Date"] = format_datetime(installation.clock())
    if work.get("invitation_id"):
        text, name, content = _invitation(installation, work)
        message.set_content(text)
        message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
        return message
    message.set_content(str(work["text"]))
    if work.get("order_id"):
        name, content = _sheet(installation, work)
        message.add_attachment(content, maintype="application", subtype="pdf", filename=name)
    return message


def _invitation(installation: Installation, work: Work) -> tuple[str, str, bytes]:
    """Return the text with the link, and the request as a file."""
    with installation.reading() as session:
        invitation = existing(session, Invitation, work["invitation_id"])
        text = f"{work['text']}\n\nYour quote, without an account: {link_to(installation, invitation)}\n"
        return text, f"{invitation.request.number}.pdf", request_pdf(invitation)


def _sheet(installation: Installation, work: Work) -> tuple[str, bytes]:
    with installation.reading() as session:
        order = existing(session, PurchaseOrder, work["order_id"])
        if work.get("sheet") == "change":
            amendment = existing(session, PurchaseOrderAmendment, work["amendment_id"])
            return f"{order.number} change {amendment.revision}.pdf", order_change_pdf(amendment)
        if work.get("sheet") == "keying":
            return f"{order.proposal_no} to key.pdf", keying_sheet_pdf(order)
        return f"{order.number}.pdf", purchase_order_pdf(order)


def _send(url: str, message: EmailMessage) -> None:
    """Send through ``smtp://[user:password@]host[:port]`` (STARTTLS when offered) or ``smtps://…``."""
    parts = urlsplit(url)
    host, context = parts.hostname or "localhost", ssl.create_default_context()
    if parts.scheme == "smtps":
        with smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT, context=context) as server:
            _deliver(server, parts.username, parts.password, message)
        return
    with smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
        _deliver(server, parts.username, parts.password, message)


def _deliver(server: smtplib.SMTP, user: str | None, password: str | None, message: EmailMessage) -> None:
    if user:
        server.login(unquote(user), unquote(password or ""))
    server.send_message(message)


def _keep(folder: Path, name: str, message: EmailMessage) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.part"
    partial.write_bytes(message.as_bytes())
    partial.replace(folder / f"{name}.eml")

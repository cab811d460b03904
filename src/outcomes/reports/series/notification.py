"""Telling people and monitors: an e-mail when something failed, a ping when a run begins and ends.

Nothing is sent anywhere unless the environment says where to. Only ids of series, slots, counts, codes and
open questions to a source leave, and these hold no value of the records; a message that cannot be sent fails
no report.
"""

from __future__ import annotations

import os
import smtplib
import ssl
import urllib.request
from collections.abc import Sequence
from email.message import EmailMessage
from textwrap import indent

from outcomes.errors import ReportError
from outcomes.reports.series.running import Ending

_SECONDS = 10
_PORTS = {"tls": 465, "starttls": 587, "none": 25}


def mail_failures(endings: Sequence[Ending]) -> str:
    """Send an e-mail about failures that were not told before.

    Settings come from the environment: ``OUTCOMES_SMTP_HOST``, ``OUTCOMES_SMTP_PORT``,
    ``OUTCOMES_SMTP_SECURITY`` (``starttls``, the default, ``tls`` or ``none``), ``OUTCOMES_SMTP_USER``,
    ``OUTCOMES_SMTP_PASSWORD``, ``OUTCOMES_MAIL_FROM`` and ``OUTCOMES_MAIL_TO`` (several separated by commas).

    Returns
    -------
    str
        Empty where it was sent or there was nothing to send, else why not.
    """
    failed = [ending for ending in endings if ending.state == "failed" and ending.is_news]
    host, to = os.environ.get("OUTCOMES_SMTP_HOST"), os.environ.get("OUTCOMES_MAIL_TO")
    if not failed or not host or not to:
        return ""
    message = EmailMessage()
    message["Subject"] = f"outcomes: {len(failed)} of {len(endings)} reports failed"
    message["From"] = os.environ.get("OUTCOMES_MAIL_FROM") or to.split(",")[0]
    message["To"] = to
    lines = []
    for ending in failed:
        lines.append(f"{ending.series} {ending.slot}: {ending.reason} (exit code {ending.exit_code})")
        lines += [indent(ending.question, "  "), ""] if ending.question else []
    message.set_content(
        "\n".join([*lines, "", "The last good pages stay in place. What happened: outcomes status"])
    )
    try:
        _send(message, host)
    except (OSError, smtplib.SMTPException) as error:
        return f"The e-mail about failures could not be sent ({type(error).__name__})."
    return ""


def _send(message: EmailMessage, host: str) -> None:
    security = os.environ.get("OUTCOMES_SMTP_SECURITY", "starttls")
    if security not in _PORTS:
        raise ReportError("OUTCOMES_SMTP_SECURITY must be starttls, tls or none.", exit_code=2)
    port = int(os.environ.get("OUTCOMES_SMTP_PORT") or _PORTS[security])
    secure = ssl.create_default_context()
    if security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=secure)
    else:
        server = smtplib.SMTP(host, port, timeout=_SECONDS)
    with server:
        if security == "starttls":
            server.starttls(context=secure)
        user = os.environ.get("OUTCOMES_SMTP_USER")
        if user:
            server.login(user, os.environ.get("OUTCOMES_SMTP_PASSWORD", ""))
        server.send_message(message)


def ping_monitor(kind: str, exit_code: int = 0) -> str:
    """Ping a monitor that waits for it (a dead man's switch), where one is set.

    Parameters
    ----------
    kind : str
        ``start``, ``success`` or ``fail``: the address stands in ``OUTCOMES_PING_START``,
        ``OUTCOMES_PING_SUCCESS``, ``OUTCOMES_PING_FAIL``.
    exit_code : int
        Sent as the body, and nothing else.

    Returns
    -------
    str
        Empty where it was sent or no address is set, else why not.
    """
    address = os.environ.get(f"OUTCOMES_PING_{kind.upper()}")
    if not address:
        return ""
    if not address.startswith(("https://", "http://")):
        return f"OUTCOMES_PING_{kind.upper()} is no web address."
    try:
        request = urllib.request.Request(address, data=str(exit_code).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=_SECONDS):
            return ""
    except (OSError, ValueError) as error:
        return f"The ping ({kind}) could not be sent ({type(error).__name__})."

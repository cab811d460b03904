"""Telling people and monitors: an e-mail about failures, a ping when a run begins and ends, and a log.

Nothing is sent unless the environment says where to. Only ids of series, slots, counts, codes and open
questions to a source are sent, and these hold no value of the records; the log holds ids, counts and codes. A
message that cannot be sent fails no report.
"""

import contextlib
import os
import smtplib
import ssl
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from textwrap import indent

from outcomes.errors import ReportError
from outcomes.facts import read_words
from outcomes.machine.private_files import make_private
from outcomes.reports.series.running import SeriesResult

_SECONDS, _KEEP_DAYS = 10, 90
_PORTS = {"tls": 465, "starttls": 587, "none": 25}


def mail_failures(results: Sequence[SeriesResult]) -> str:
    """Send an e-mail about new failures; return why it could not be sent, empty where all is well.

    Each failure is told in the language of its series, what holds for all of them in that of the first.

    Settings come from the environment: ``OUTCOMES_SMTP_HOST``, ``OUTCOMES_SMTP_PORT``,
    ``OUTCOMES_SMTP_SECURITY`` (``starttls``, the default, ``tls`` or ``none``), ``OUTCOMES_SMTP_USER``,
    ``OUTCOMES_SMTP_PASSWORD``, ``OUTCOMES_MAIL_FROM`` and ``OUTCOMES_MAIL_TO`` (several separated by commas).
    """
    failed = [result for result in results if result.state == "failed" and result.is_news]
    host, to = os.environ.get("OUTCOMES_SMTP_HOST"), os.environ.get("OUTCOMES_MAIL_TO")
    if not failed or not host or not to:
        return ""
    words, lines = read_words(failed[0].language), list[str]()
    for result in failed:
        told = {name: getattr(result, name) for name in ("series", "slot", "reason", "exit_code")}
        lines.append(read_words(result.language).say("series.mail.failed", **told))
        lines += [indent(result.question, "  "), ""] if result.question else []
    message = EmailMessage()
    message["Subject"] = words.say("series.mail.subject", n_failed=len(failed), n=len(results))
    message["From"] = os.environ.get("OUTCOMES_MAIL_FROM") or to.split(",")[0]
    message["To"] = to
    message.set_content("\n".join([*lines, "", words.say("series.mail.advice")]))
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
    """Ping a monitor that waits for it (a dead man's switch); return why it could not be sent, else "".

    ``kind`` is ``start``, ``success`` or ``fail``; the address is in ``OUTCOMES_PING_START`` and so on. Only
    the exit code is sent.
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


def log_run(private: Path, now: datetime, **fields: str | int) -> bool:
    """Add ``name=value`` to the log ``log/<year>-<month>.log``, and remove logs that are too old.

    Returns whether it could be written: reports are made without a log too.
    """
    told = " ".join(f"{name}={value}" for name, value in fields.items())
    line = f"{now.isoformat(timespec='seconds')} {told}"
    folder = private / "log"
    try:
        make_private(private, folder)
        handle = os.open(folder / f"{now:%Y-%m}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(f"{line}\n".encode())
    except OSError:
        return False
    oldest = f"{now - timedelta(days=_KEEP_DAYS):%Y-%m}"
    for path in folder.glob("*.log"):
        if path.stem < oldest:
            with contextlib.suppress(OSError):
                path.unlink()
    return True

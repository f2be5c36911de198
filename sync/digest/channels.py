"""Channels of a message: over Apprise to a chat or by mail, or into a file.

A channel never raises. It returns whether the message was sent, was not sent, or may have been sent: after a lost
answer, or when only some of several recipients got it. A message that may have been sent is not sent again.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from sync.digest.attachments import Picture
from sync.digest.message import Message, omitted_note
from sync.digest.phrases import Speaker
from sync.installation import missing_extra
from sync.markup.message import fit_message, html_message, text_message
from sync.store.private_file import write_private
from sync.store.tables import Delivery
from sync.telemetry.log import events as log

__all__ = ["AppriseChannel", "Channel", "DeliveryResult", "FileChannel", "address_problem"]

ANSWER_TIMEOUT = 15.0
"""Seconds to wait for an answer, unless the address sets it. Apprise's default of 4 leaves many deliveries unsure."""

_MAIL = re.compile(r"\s*mailtos?:", re.IGNORECASE)
_NOT_UNDERSTOOD = "Apprise does not understand the address"

_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}}</style>
<h1>{title}</h1>
{body}
</html>
"""


RenderPictures = Callable[[], Sequence[Picture]]
"""Renders the pictures of a message, for channels that show them."""


@dataclass(frozen=True)
class DeliveryResult:
    """The result of sending, with the problem for the operator; empty without a problem."""

    delivery: Delivery
    problem: str = ""


class Channel(Protocol):
    """A way to deliver messages to an audience."""

    def send(self, message: Message, speaker: Speaker, render_pictures: RenderPictures = tuple) -> DeliveryResult:
        """Send the message once, with pictures where the channel shows them."""
        ...


@dataclass(frozen=True)
class FileChannel:
    """A file with one message: plain text that is also Markdown, or an HTML page."""

    path: Path

    def send(self, message: Message, speaker: Speaker, render_pictures: RenderPictures = tuple) -> DeliveryResult:  # noqa: ARG002 - words only
        """Replace the file as a whole. A new file is for its owner alone; one that exists keeps its mode."""
        if self.path.suffix == ".html":
            text = _PAGE.format(
                language=speaker.language.name, title=escape(message.subject), body=html_message(message.document)
            )
        else:
            text = f"{message.subject}\n\n{text_message(message.document)}\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(f".{self.path.name}.new")
            fresh.unlink(missing_ok=True)
            write_private(fresh, text.encode())
            if self.path.exists():
                fresh.chmod(self.path.stat().st_mode & 0o777)
            fresh.replace(self.path)
        except OSError as problem:
            return DeliveryResult(
                Delivery.REFUSED, f"the file cannot be written: {problem.strerror or type(problem).__name__}"
            )
        return DeliveryResult(Delivery.SENT)


@dataclass(frozen=True)
class AppriseChannel:
    """A channel over Apprise. ``address`` returns the Apprise URL and may raise; no message contains the URL."""

    address: Callable[[], str]

    def send(self, message: Message, speaker: Speaker, render_pictures: RenderPictures = tuple) -> DeliveryResult:
        """Send the message in the form that the service shows best, within its limit; only mails get pictures."""
        try:
            import apprise
        except ImportError:
            return DeliveryResult(Delivery.REFUSED, missing_extra("a channel", "digest"))
        try:
            address = self.address()
        except Exception as problem:  # noqa: BLE001 - a missing secret affects this channel only
            return DeliveryResult(Delivery.REFUSED, str(problem))
        with _captured_log() as log_lines:
            service = _service(apprise, address)
            if service is None:
                return DeliveryResult(Delivery.REFUSED, _NOT_UNDERSTOOD)
            service.retry = 0  # a retry would send the message twice when only the answer was lost
            if service.socket_read_timeout == type(service).socket_read_timeout:
                service.socket_read_timeout = ANSWER_TIMEOUT
            form, body = _body(service, message, speaker)
            sender = apprise.Apprise()
            sender.add(service)
            log_lines.clear()
            try:
                with _files(render_pictures() if _MAIL.match(address) else ()) as attached:
                    is_sent = bool(
                        sender.notify(body=body, title=message.subject, body_format=form, attach=attached or None)
                    )
            except Exception as problem:  # noqa: BLE001 - no error of a plugin may fail the run
                return DeliveryResult(
                    Delivery.UNSURE, f"{type(problem).__name__}; it may have arrived and is not sent again"
                )
            return DeliveryResult(Delivery.SENT) if is_sent else _failure(log_lines)


@contextmanager
def _files(pictures: Sequence[Picture]) -> Iterator[list[str]]:
    """Write the pictures to temporary files for Apprise; no files when they cannot be written."""
    with ExitStack() as stack:
        paths = []
        try:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="milesync-"))) if pictures else Path()
            for picture in pictures:
                (folder / picture.name).write_bytes(picture.png)
                paths.append(str(folder / picture.name))
        except OSError as problem:
            log.warning("the mail is sent without its pictures", error=problem.strerror)
            paths.clear()
        yield paths


def address_problem(address: str) -> str:
    """Return the problem of an address that shows without sending anything; empty without a problem."""
    try:
        import apprise
    except ImportError:
        return missing_extra("a channel", "digest")
    with _captured_log():
        return "" if _service(apprise, address) is not None else _NOT_UNDERSTOOD


def _service(apprise: Any, address: str) -> Any:
    """Return Apprise's service for an address; None when Apprise does not understand it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Apprise loads every plugin, and some use deprecated functions
        return apprise.Apprise.instantiate(address, asset=_asset(apprise))


def _asset(apprise: Any) -> Any:
    """Configure Apprise: milesync as the sender, no pictures of Apprise, texts unchanged."""
    return apprise.AppriseAsset(
        app_id="milesync",
        app_desc="milesync",
        image_url_mask=None,
        image_url_logo=None,
        async_mode=False,
        interpret_emojis=False,
        interpret_escapes=False,
    )


def _body(service: Any, message: Message, speaker: Speaker) -> tuple[str, str]:
    """Return the form and the body: HTML for services that prefer it (mail), else plain text; within the limit."""
    forms = service.notify_format
    first = forms if isinstance(forms, str) else next(iter(forms))
    form, write = ("html", html_message) if str(getattr(first, "value", first)) == "html" else ("text", text_message)
    limit = service.body_maxlen - (len(message.subject) + 10 if service.title_maxlen <= 0 else 0)
    return form, fit_message(message.document, limit, write, lambda n: omitted_note(n, speaker))


# --- failures --------------------------------------------------------------------------------------------------------

_SENT = re.compile(r"Sent\b")
_STATUS = re.compile(r"error=(\d{3})\b")
_SMTP = re.compile(r"Socket Exception:.*\((\d{3}), b['\"]")
_NEVER_LEFT = re.compile(
    r"Failed to establish a new connection|NameResolutionError|ConnectTimeout|Connection refused|"
    r"Name or service not known|No address associated|CERTIFICATE_VERIFY_FAILED|Network is unreachable"
)
_TROUBLE = re.compile(r"Socket Exception:")


def _failure(log_lines: list[str]) -> DeliveryResult:
    """Read from the log of Apprise's plugins whether the message certainly arrived nowhere."""
    if any(map(_SENT.match, log_lines)):
        return DeliveryResult(
            Delivery.UNSURE, "only a part of its targets got it, so it is not sent again; give each its own channel"
        )
    troubles = [line for line in log_lines if _TROUBLE.search(line)]
    if any(not _NEVER_LEFT.search(line) and not _SMTP.search(line) for line in troubles):
        return DeliveryResult(Delivery.UNSURE, "no answer in time; it may have arrived and is not sent again")
    codes = [found[1] for line in log_lines for found in (_STATUS.search(line) or _SMTP.search(line),) if found]
    if codes:
        return DeliveryResult(Delivery.REFUSED, f"the service refused it with {codes[-1]}; the next run tries again")
    if troubles:
        return DeliveryResult(Delivery.REFUSED, "the service cannot be reached; the next run tries again")
    return DeliveryResult(Delivery.REFUSED, "Apprise did not send it; the next run tries again")


@contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Capture what Apprise logs, and keep it from every other log: it may contain addresses and texts."""
    logger, log_lines = logging.getLogger("apprise"), list[str]()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log_lines.append(record.getMessage())

    listener, before = Listener(logging.DEBUG), (logger.level, logger.propagate)
    logger.addHandler(listener)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield log_lines
    finally:
        logger.removeHandler(listener)
        logger.setLevel(before[0])
        logger.propagate = before[1]

"""Where a message goes: over Apprise to a chat or by mail, or into a file.

A channel never raises: it says whether the message was sent, surely not, or perhaps. Perhaps is what a lost answer
leaves, and a message to several people of which some got it; such a message is not sent again.
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

import structlog

from sync.digest.attachments import Picture
from sync.digest.message import Message, more
from sync.digest.phrases import Speaker
from sync.markup.message import fitted, html_message, text_message
from sync.store.store import Delivery

__all__ = ["AppriseChannel", "Channel", "FileChannel", "Sent", "misunderstood"]

ANSWER = 15.0
"""Seconds to wait for an answer, where the address says nothing else. Apprise alone waits 4, and then nobody knows."""

_MAIL = re.compile(r"\s*mailtos?:", re.IGNORECASE)
_NOT_INSTALLED = "channels need the extra `digest`: pip install 'milesync[digest]'"
_NOT_UNDERSTOOD = "the address is none that Apprise understands"

_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}}</style>
<h1>{title}</h1>
{body}
</html>
"""


Drawn = Callable[[], Sequence[Picture]]
"""Draws the pictures of a message; for channels that show them."""

log = structlog.get_logger("milesync")


@dataclass(frozen=True)
class Sent:
    """How sending ended, and what to tell whoever runs milesync; empty when all is well."""

    delivery: Delivery
    words: str = ""


class Channel(Protocol):
    """A way to an audience."""

    def send(self, letter: Message, speaker: Speaker, drawn: Drawn = tuple) -> Sent:
        """Send it once, with what is ``drawn`` where pictures belong to it."""
        ...


@dataclass(frozen=True)
class FileChannel:
    """A file that holds one message: plain text that is Markdown too, or a page."""

    path: Path

    def send(self, letter: Message, speaker: Speaker, drawn: Drawn = tuple) -> Sent:  # noqa: ARG002 - words only
        """Write it whole or not at all."""
        if self.path.suffix == ".html":
            text = _PAGE.format(
                language=speaker.language.name, title=escape(letter.subject), body=html_message(letter.document)
            )
        else:
            text = f"{letter.subject}\n\n{text_message(letter.document)}\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(f".{self.path.name}.new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self.path)
        except OSError as problem:
            return Sent(Delivery.REFUSED, f"the file cannot be written: {problem.strerror or type(problem).__name__}")
        return Sent(Delivery.SENT)


@dataclass(frozen=True)
class AppriseChannel:
    """An Apprise URL, read when it is needed. ``address`` may raise; its error is told without the address."""

    address: Callable[[], str]

    def send(self, letter: Message, speaker: Speaker, drawn: Drawn = tuple) -> Sent:
        """Send it in the form that the service shows best, within its limit; pictures go with mails only."""
        try:
            import apprise
        except ImportError:
            return Sent(Delivery.REFUSED, _NOT_INSTALLED)
        try:
            address = self.address()
        except Exception as problem:  # noqa: BLE001 - a secret that is not there concerns this channel alone
            return Sent(Delivery.REFUSED, str(problem))
        with _overheard() as said:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # plugins of services that are not even asked for use what is deprecated
                service = apprise.Apprise.instantiate(address, asset=_asset(apprise))
            if service is None:
                return Sent(Delivery.REFUSED, "the address is none that Apprise understands")
            service.retry = 0  # it would send the same again where only the answer was lost
            if service.socket_read_timeout == type(service).socket_read_timeout:
                service.socket_read_timeout = ANSWER
            form, body = _body(service, letter, speaker)
            sender = apprise.Apprise()
            sender.add(service)
            said.clear()
            try:
                with _files(drawn() if _MAIL.match(address) else ()) as attached:
                    arrived = bool(
                        sender.notify(body=body, title=letter.subject, body_format=form, attach=attached or None)
                    )
            except Exception as problem:  # noqa: BLE001 - whatever a plugin raises, the run goes on
                return Sent(Delivery.UNSURE, f"{type(problem).__name__}; it may have arrived and is not sent again")
            return Sent(Delivery.SENT) if arrived else _failed(said)


@contextmanager
def _files(pictures: Sequence[Picture]) -> Iterator[list[str]]:
    """The pictures as files, which is how Apprise takes them, gone afterwards; none where they cannot be written."""
    with ExitStack() as stack:
        paths = []
        try:
            place = Path(stack.enter_context(TemporaryDirectory(prefix="milesync-"))) if pictures else Path()
            for picture in pictures:
                (place / picture.name).write_bytes(picture.png)
                paths.append(str(place / picture.name))
        except OSError as problem:
            log.warning("the mail goes without its pictures", error=problem.strerror)
            paths.clear()
        yield paths


def misunderstood(address: str) -> str:
    """What is wrong with an address, as far as that shows without sending anything; empty when nothing is."""
    try:
        import apprise
    except ImportError:
        return _NOT_INSTALLED
    with _overheard():
        return "" if _service(apprise, address) is not None else _NOT_UNDERSTOOD


def _service(apprise: Any, address: str) -> Any:
    """The service behind an address; None when there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # plugins of services that nobody asked for use what is deprecated
        return apprise.Apprise.instantiate(address, asset=_asset(apprise))


def _asset(apprise: Any) -> Any:
    """Our own name as the sender, no pictures from elsewhere, and each text exactly as it is given."""
    return apprise.AppriseAsset(
        app_id="milesync",
        app_desc="milesync",
        image_url_mask=None,
        image_url_logo=None,
        async_mode=False,
        interpret_emojis=False,
        interpret_escapes=False,
    )


def _body(service: Any, letter: Message, speaker: Speaker) -> tuple[str, str]:
    """HTML for services whose own form it is (mail), else plain text; no longer than the service takes."""
    forms = service.notify_format
    first = forms if isinstance(forms, str) else next(iter(forms))
    form, write = ("html", html_message) if str(getattr(first, "value", first)) == "html" else ("text", text_message)
    limit = service.body_maxlen - (len(letter.subject) + 10 if service.title_maxlen <= 0 else 0)
    return form, fitted(letter.document, limit, write, lambda n: more(n, speaker))


# --- what became of it ----------------------------------------------------------------------------------------------

_SENT = re.compile(r"Sent\b")
_STATUS = re.compile(r"error=(\d{3})\b")
_SMTP = re.compile(r"Socket Exception:.*\((\d{3}), b['\"]")
_NEVER_LEFT = re.compile(
    r"Failed to establish a new connection|NameResolutionError|ConnectTimeout|Connection refused|"
    r"Name or service not known|No address associated|CERTIFICATE_VERIFY_FAILED|Network is unreachable"
)
_TROUBLE = re.compile(r"Socket Exception:")


def _failed(said: list[str]) -> Sent:
    """From what Apprise's plugins log: whether the message surely did not arrive anywhere."""
    if any(map(_SENT.match, said)):
        return Sent(
            Delivery.UNSURE, "only a part of its targets got it, so it is not sent again; give each its own channel"
        )
    troubles = [line for line in said if _TROUBLE.search(line)]
    if any(not _NEVER_LEFT.search(line) and not _SMTP.search(line) for line in troubles):
        return Sent(Delivery.UNSURE, "no answer in time; it may have arrived and is not sent again")
    codes = [found[1] for line in said for found in (_STATUS.search(line) or _SMTP.search(line),) if found]
    if codes:
        return Sent(Delivery.REFUSED, f"the service refused it with {codes[-1]}; the next run tries again")
    if troubles:
        return Sent(Delivery.REFUSED, "the service cannot be reached; the next run tries again")
    return Sent(Delivery.REFUSED, "Apprise did not send it; the next run tries again")


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What Apprise logs meanwhile, kept from every other log: it may hold addresses and texts."""
    logger, said = logging.getLogger("apprise"), list[str]()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener, before = Listener(logging.DEBUG), (logger.level, logger.propagate)
    logger.addHandler(listener)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(listener)
        logger.setLevel(before[0])
        logger.propagate = before[1]

"""Logs: no secret in any form, one way for all, the right shape for the reader."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import subprocess
import sys
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
import structlog

from sync.telemetry.log import LIBRARIES, configure, events
from sync.telemetry.redaction import MASK, Secrets, secrets

CANARY = "c4nary/+\"ä\\ '%$key=="
PLAIN = "c4naryTokenOfFortySigns0123456789abcdefg"
FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda s: s,
    "trimmed": lambda s: s.strip(),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64, one before": lambda s: base64.b64encode(b"x" + s.encode() + b"yz").decode(),
    "base64, two before": lambda s: base64.b64encode(b"xy" + s.encode() + b"z").decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "basic auth": lambda s: "Basic " + base64.b64encode(f"pat@example.org:{s}".encode()).decode(),
    "URL-encoded": lambda s: quote(s, safe=""),
    "URL-encoded, small": lambda s: quote(s, safe="").replace("%2F", "%2f"),
    "form-encoded": lambda s: quote_plus(s),
    "JSON-escaped": lambda s: json.dumps({"token": s}),
    "JSON-escaped, not ASCII": lambda s: json.dumps({"token": s}, ensure_ascii=False),
    "repr": lambda s: repr(s),
    "repr of bytes": lambda s: repr(s.encode()),
    "in a URL": lambda s: f"https://me:{quote(s, safe='')}@host/path?private_token={quote_plus(s)}",
    "split over lines": lambda s: s[:9] + "\n" + s[9:],
    "base64 over lines": lambda s: base64.encodebytes((s * 5).encode()).decode(),
    "hex": lambda s: s.encode().hex(),
}


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    root, levels = logging.getLogger(), {name: logging.getLogger(name).level for name in LIBRARIES}
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook
    secrets.clear()
    yield
    secrets.clear()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    sys.excepthook, threading.excepthook = hooks
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def remains(text: str, secret: str) -> list[str]:
    """Pieces of eight signs of the secret, or of its encodings, that can still be read."""
    squeezed = "".join(text.split())
    known = [secret, base64.b64encode(secret.encode()).decode(), secret.encode().hex(), quote(secret, safe="")]
    known += [base64.b64encode(b"-" * n + secret.encode()).decode()[n + 1 :] for n in (1, 2)]
    return [piece for form in known for i in range(len(form) - 7) if (piece := form[i : i + 8]) in squeezed]


@pytest.mark.parametrize("secret", [CANARY, PLAIN])
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_masked_in_every_form(form: str, secret: str) -> None:
    hidden = Secrets()
    hidden.register(f"  {secret}\n")
    text = hidden.redact(f"before {FORMS[form](secret)} after")
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert MASK in text
    assert remains(text, secret) == []


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_would_show_without_masking(form: str) -> None:
    assert remains(FORMS[form](PLAIN), PLAIN), "this form proves nothing"


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("secret", [CANARY, PLAIN])
def test_no_canary_in_any_line(secret: str, as_json: bool, verbose: bool) -> None:
    stream = io.StringIO()
    secrets.register(secret)
    configure(stream, verbose=verbose, json=as_json, run="r1")
    log = structlog.get_logger("sync.engine.engine")
    structlog.contextvars.bind_contextvars(bound=secret)

    class Thing:
        def __repr__(self) -> str:
            return f"Thing({secret})"

    for write in FORMS.values():
        text = write(secret)
        log.info(text, text=text, nested={text: [text, (text,)]}, raw=text.encode(), thing=Thing())
        log.debug("debug", text=text)
        logging.getLogger("github.Requester").warning("header %s", text)
        try:
            try:
                raise ValueError(text)
            except ValueError as error:
                raise RuntimeError(f"again {text}") from error
        except RuntimeError:
            log.exception("failed", text=text)
            logging.getLogger("urllib3.connectionpool").exception("lost %r", text)
    assert stream.getvalue().count(MASK) > 3 * len(FORMS)
    assert remains(stream.getvalue(), secret) == []
    assert "Traceback" in stream.getvalue()


def test_numbers_and_multi_line_secrets_are_masked_too() -> None:
    stream = io.StringIO()
    secrets.register("12345678", "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\n-----END KEY-----")
    configure(stream, json=True)
    structlog.get_logger().info("here", pin=12345678, other=7, key="MIIEpAIBAAKCAQEA")
    line = json.loads(stream.getvalue())
    assert (line["pin"], line["other"], line["key"]) == (MASK, 7, MASK)


def test_short_texts_are_left_alone() -> None:
    hidden = Secrets()
    hidden.register("", " ", "ab", "abc")
    assert hidden.redact("abc ab") == "abc ab"


def test_the_longer_of_two_secrets_leaves_no_end_behind() -> None:
    hidden = Secrets()
    hidden.register("token1234")
    hidden.register("token1234-and-more")
    assert hidden.redact("token1234-and-more token1234") == f"{MASK} {MASK}"


def test_json_elsewhere_with_the_run_in_every_thread() -> None:
    stream = io.StringIO()
    configure(stream, run="r42")
    log = structlog.get_logger("sync.engine.engine").bind(connection="gh")
    thread = threading.Thread(target=lambda: log.info("pulled", project="acme/app", issues=3))
    thread.start()
    thread.join()
    logging.getLogger("jira").error("said %s", "no")
    own, foreign = map(json.loads, stream.getvalue().splitlines())
    assert (own["event"], own["run"], own["connection"], own["issues"]) == ("pulled", "r42", "gh", 3)
    assert (own["level"], own["logger"]) == ("info", "sync.engine.engine")
    assert own["timestamp"].endswith("Z")
    assert (foreign["event"], foreign["run"], foreign["level"], foreign["logger"]) == (
        "said no",
        "r42",
        "error",
        "jira",
    )


def test_readable_on_a_terminal_for_who_asks_for_it() -> None:
    stream = Terminal()
    configure(stream)
    structlog.get_logger().info("pulled", project="acme/app")
    assert stream.getvalue() == ""
    configure(stream, verbose=True)
    structlog.get_logger().info("pulled", project="acme/app")
    assert "pulled" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_libraries_speak_from_warning_up_even_when_one_is_turned_up() -> None:
    stream = io.StringIO()
    configure(stream, verbose=True, json=True)
    logger = logging.getLogger("github.Requester")
    logger.setLevel(logging.DEBUG)
    try:
        logger.debug("headers")
        logger.info("body")
        logger.warning("slow")
    finally:
        logger.setLevel(logging.NOTSET)
    for name in LIBRARIES:
        assert not logging.getLogger(f"{name}.inner").isEnabledFor(logging.INFO)
    structlog.get_logger().debug("own")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["slow", "own"]


def test_quiet_by_default() -> None:
    stream = io.StringIO()
    configure(stream)
    structlog.get_logger().debug("details")
    assert stream.getvalue() == ""


def test_configuring_again_replaces_the_stream() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure(first)
    configure(second)
    structlog.get_logger().info("once")
    assert first.getvalue() == ""
    assert len(second.getvalue().splitlines()) == 1


def test_a_broken_log_call_of_a_library_shows_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    logging.getLogger().handlers.clear()  # pytest's own would raise
    configure(stream)
    logging.getLogger("gitlab").warning("%d", "c4nary-not-registered")
    assert stream.getvalue() == "a log line of gitlab could not be written\n"
    assert "c4nary" not in "".join(capsys.readouterr())


def test_an_uncaught_error_is_logged_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    secrets.register(PLAIN)
    configure(stream, json=True, run="r7")

    def crash() -> None:
        raise RuntimeError(f"at {PLAIN}")

    thread = threading.Thread(target=crash)
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError) as caught:
        crash()
    sys.excepthook(caught.type, caught.value, caught.tb)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["level"], line["run"]) for line in lines] == [("crashed", "critical", "r7")] * 2
    assert all(f"RuntimeError: at {MASK}" in line["exception"] for line in lines)
    assert PLAIN not in stream.getvalue() + "".join(capsys.readouterr())


def test_warnings_take_the_same_way() -> None:
    stream = io.StringIO()
    secrets.register(PLAIN)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure(stream, json=True)
        warnings.warn(f"deprecated {PLAIN}", stacklevel=1)
    assert json.loads(stream.getvalue())["logger"] == "py.warnings"
    assert PLAIN not in stream.getvalue()


def test_a_line_on_a_terminal_holds_no_control_character_of_a_text() -> None:
    stream = Terminal()
    configure(stream, verbose=True)
    attack = "\x1b]52;c;ZXZpbA==\x07\x9b2J\u202egnp\nFORGED line\r"
    structlog.get_logger().info(attack, title=attack, titles=[attack, {attack: attack}])
    logging.getLogger("jira").warning("refused: %s", attack)
    try:
        raise ValueError(attack)
    except ValueError:
        structlog.get_logger().exception("failed")
    shown = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())
    assert not [char for char in shown if char != "\n" and unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp")]
    events = [line for line in shown.splitlines() if line.startswith("FORGED")]
    assert len(events) <= 1, "only the text of a traceback has lines of its own"


LATE = """\
import sys
from sync.telemetry import log
log.configure(sys.stdout, json=True, run="r1")
log.events.debug("not wanted")
assert "structlog" not in sys.modules, "before the first line"
log.events.info("first", project="acme/app")
{more}
"""


@pytest.mark.parametrize("more", ["", "import structlog; structlog.get_logger().info('of a plugin')"])
def test_the_first_line_loads_and_configures_structlog(more: str) -> None:
    code = LATE.format(more=more)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(line["event"], line["run"], line["level"]) for line in lines] == [
        ("first", "r1", "info"),
        *([("of a plugin", "r1", "info")] if more else []),
    ]
    assert run.stderr == ""


def test_a_library_that_warns_gets_the_same_line() -> None:
    code = (
        "import logging, sys; from sync.telemetry import log; log.configure(sys.stdout, json=True, run='r1');"
        "logging.getLogger('urllib3').warning('slow'); log.events.info('after')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [json.loads(line)["event"] for line in run.stdout.splitlines()] == ["slow", "after"]


def test_a_connector_of_another_package_may_log_with_structlog() -> None:
    """As `json.dumps` here, which `connect` calls as the connector."""
    code = (
        "import sys; from importlib.metadata import EntryPoint; from sync.cli import wiring;"
        "from sync.telemetry import log; log.configure(sys.stdout, json=True, run='r1');"
        "wiring.installed_type = lambda kind: EntryPoint(kind, 'json:dumps', 'milesync.connectors');"
        "wiring.connect('plugin', None); import structlog; structlog.get_logger().info('of a plugin')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["run"] == "r1"


def test_the_log_has_the_methods_of_levels_only() -> None:
    assert not hasattr(events, "bind"), "it would work only when structlog is imported already"
    assert all(hasattr(events, level) for level in ("debug", "info", "warning", "error", "exception", "critical"))

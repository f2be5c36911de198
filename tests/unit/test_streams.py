"""Output in any encoding: what replaces a sign, and that no text is refused."""

from __future__ import annotations

import io
import json
import re
import sys

import pytest
from rich.text import Text

from sync.cli.streams import (
    OutputStream,
    before_output,
    encodable,
    json_text,
    output_problem,
    standard_streams,
)
from sync.cli.terminal import Terminal
from sync.markup.document import SIGNS
from sync.report.verdict_facts import SHAPES

ENCODINGS = ("ascii", "cp1252", "latin-1", "cp437", "cp850", "utf-8", "utf-16")
HOSTILE = (
    "● ▲ ■ ◆ ✔ □ ○ → … – “quoted” ≥ ± 12 Dec 2026",
    "ab Größe café",
    "日本語の題名 한국어",
    "شراء السيارة \u202eabc\u202c",
    "🎉👩‍👩‍👧 ⚠️ 🏁",
    "broken \udcff\ud800 bytes",
)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", HOSTILE)
def test_every_text_can_be_written_and_keeps_its_ascii(text: str, encoding: str) -> None:
    shown = encodable(text, encoding)
    shown.encode(encoding)
    assert encodable(shown, encoding) == shown
    assert [word for word in re.findall("[A-Za-z0-9]{2,}", text) if word not in shown] == []


def test_signs_have_ascii_words() -> None:
    assert encodable("● → … “a” ≥ ±10%", "ascii") == '* -> ... "a" >= +/-10%'
    assert encodable("Größe café 日本", "ascii") == "Grosse cafe ??"
    assert encodable("Größe café 日本", "cp1252") == "Größe café ??"
    assert encodable("a\udcffb", "utf-8") == "a\ufffdb"


def test_signs_of_statuses_have_a_replacement_of_one_column() -> None:
    for sign in (*SHAPES.values(), *SIGNS.values()):
        assert len(encodable(sign, "ascii")) == 1, sign
    assert all(encodable(sign, "ascii") != "?" for sign in SHAPES.values() if sign != "?")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", [text for text in HOSTILE if "\udcff" not in text])
def test_a_json_document_stays_the_same_document(text: str, encoding: str) -> None:
    written = json_text(json.dumps({"title": text}, ensure_ascii=False), encoding)
    assert json.loads(written.encode(encoding).decode(encoding)) == {"title": text}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_lines_are_wrapped_as_they_are_written(encoding: str) -> None:
    raw = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    terminal = Terminal(file=OutputStream(raw), width=30)
    terminal.print(Text("→ " * 40), Text.assemble(("…", "red"), "日本語" * 20))
    raw.flush()
    written = raw.buffer.getvalue().decode(encoding)
    assert "->" in written
    assert max(map(len, written.splitlines())) <= 30


def test_a_stream_erases_the_progress_before_each_write() -> None:
    raw, calls = io.StringIO(), []
    stream = OutputStream(raw)
    with before_output(lambda: calls.append(raw.getvalue())):
        stream.write("a")
        stream.write("b")
    stream.write("c")
    assert (calls, raw.getvalue()) == (["", "a"], "abc")


HOSTILE_SEQUENCES = (
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b[2J",
    "\x1b[31mred",
    "\x9b2J",
    "\u202egnp.exe",
    "\x7f\x08\r",
)


@pytest.mark.parametrize("text", HOSTILE_SEQUENCES)
def test_the_console_writes_no_sequence_of_a_text(text: str) -> None:
    raw = io.StringIO()
    terminal = Terminal(file=OutputStream(raw), width=60, force_terminal=True, color_system="standard")
    terminal.print(text, Text(text, style="red"), Text.assemble("a", (text, "bold")), style="green")
    written = re.sub(r"\x1b\[[\d;]*m", "", raw.getvalue())
    assert all(char == "\n" or char.isprintable() or char == "\ufffd" for char in written), repr(written)
    assert "\x1b[31mred" not in raw.getvalue().replace("\x1b[31m\ufffd[31mred", "")


@pytest.mark.parametrize("text", [text for text in HOSTILE_SEQUENCES if not text.startswith("\x1b[31m")])
def test_a_stream_lets_no_sequence_pass_but_colours_and_links(text: str) -> None:
    raw = io.StringIO()
    OutputStream(raw).write(f"\x1b[1mbold\x1b[0m \x1b]8;id=7;https://a.example/x\x1b\\link\x1b]8;;\x1b\\ {text}\tend\n")
    written = raw.getvalue()
    assert written.startswith("\x1b[1mbold\x1b[0m \x1b]8;id=7;https://a.example/x\x1b\\link\x1b]8;;\x1b\\ ")
    assert "\tend\n" in written
    assert text not in written


def test_a_json_document_is_printable() -> None:
    title = "".join(HOSTILE_SEQUENCES) + "Größe 日本 \U000e0041 \ud800"
    written = json_text(json.dumps({"title": title}, ensure_ascii=False), "utf-8")
    assert written.isprintable()
    assert json.loads(written) == {"title": title}
    assert "Größe 日本" in written


class Failing(io.StringIO):
    """A stream that takes ``room`` characters."""

    def __init__(self, room: int, error: OSError) -> None:
        super().__init__()
        self.room, self.error = room, error

    def write(self, text: str) -> int:
        if len(self.getvalue()) + len(text) > self.room:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (OSError(28, "No space left on device"), "the output is not complete: No space left on device"),
        (BrokenPipeError(32, "Broken pipe"), ""),
    ],
)
def test_output_that_is_lost_never_ends_the_command(
    monkeypatch: pytest.MonkeyPatch, error: OSError, problem: str
) -> None:
    out = Failing(5, error)
    monkeypatch.setattr(sys, "stdout", out)
    with standard_streams():
        print("ab")
        print("too long")
        print("c")
        assert output_problem() == problem
    assert out.getvalue() == "ab\n"
    assert sys.stdout is out


def test_a_closed_stream_takes_and_discards_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with standard_streams():
        Terminal().print("discarded")
        assert output_problem() == ""

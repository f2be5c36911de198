"""In which encodings a configuration is read, and which tokens a header can carry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config import ConfigurationError, load
from tests.settings_file import CANARY, MINIMAL, Write

ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "mark": lambda text: text.encode("utf-8-sig"),
    "line ends of Windows": lambda text: text.replace("\n", "\r\n").encode(),
    "utf-16, little end first": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "utf-16, big end first": lambda text: b"\xfe\xff" + text.replace("\n", "\r\n").encode("utf-16-be"),
    "utf-32": lambda text: text.encode("utf-32"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_file_is_read_in_every_encoding_that_names_itself(tmp_path: Path, name: str) -> None:
    file, encode = tmp_path / "milesync.toml", ENCODINGS[name]
    file.write_bytes(encode(f'# größe\n{MINIMAL}token = {{ file = "pat" }}\n'))
    (tmp_path / "pat").write_bytes(encode(f"{CANARY}\n"))
    secret = load(file, {}).secrets(["gh"], {})["gh"]["token"]
    assert secret.get_secret_value() == CANARY


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (f"[x]\n# größe {CANARY}".encode("latin-1"), "line 2 is not UTF-8; save the file as UTF-8"),
        (
            f"# {CANARY}".encode("utf-16-le"),
            "the file holds zero bytes, as UTF-16 without a byte order mark does; save it as UTF-8",
        ),
        (b"\xff\xfe#\x00\x00", "line 1 is not UTF-16; save the file as UTF-8"),
    ],
)
def test_a_file_in_another_encoding_is_refused_in_plain_words(tmp_path: Path, raw: bytes, reason: str) -> None:
    file = tmp_path / "milesync.toml"
    file.write_bytes(raw)
    with pytest.raises(ConfigurationError) as caught:
        load(file, {})
    assert caught.value.errors == (f"{file}: not readable as TOML: {reason}",)
    (tmp_path / "good.toml").write_text(MINIMAL + 'token = { file = "milesync.toml" }\n', encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "good.toml", {}).secrets(["gh"], {})
    assert caught.value.errors[0].endswith(f"the file with the secret is not readable: {reason}")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (f"{CANARY}\n{CANARY}\n", "holds several lines; it should hold the secret alone, on one line"),
        (f"{CANARY}\r{CANARY}", "holds several lines; it should hold the secret alone, on one line"),
        (f'"{CANARY}"', "has quotation marks around the secret; remove them"),
        (f"\u201c{CANARY}\u201d", "has quotation marks around the secret; remove them"),
        (f"GITHUB_TOKEN={CANARY}", "starts with a name and an equals sign; it should hold the secret alone"),
        (f"export MY_PAT = {CANARY}", "starts with a name and an equals sign; it should hold the secret alone"),
        (f"{CANARY}\u200b", "holds a blank or a character outside ASCII, which no token has; copy it again"),
        (f"c4n\u0430ry{CANARY}", "holds a blank or a character outside ASCII, which no token has; copy it again"),
        (f"token {CANARY}", "holds a blank or a character outside ASCII, which no token has; copy it again"),
    ],
)
@pytest.mark.parametrize("place", ["file", "environment"])
def test_a_token_that_no_header_can_carry_is_refused_before_the_first_request(
    write: Write, tmp_path: Path, place: str, written: str, reason: str
) -> None:
    (tmp_path / "pat").write_bytes(written.encode())
    settings = load(write(MINIMAL + ('token = { file = "pat" }\n' if place == "file" else "")), {})
    with pytest.raises(ConfigurationError) as caught:
        settings.secrets(["gh"], {"GITHUB_TOKEN": written})
    assert caught.value.errors == (f"{tmp_path / 'milesync.toml'}:connections.gh.token: {reason}",)
    assert CANARY not in repr(caught.value)

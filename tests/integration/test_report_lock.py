"""Two reports into one folder at once: the second waits, and neither removes files of the other."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

from sync.cli import site
from sync.site.folder_lock import lock_folder
from tests.sample_site import NOW, installation, project, series

pytest.importorskip("sync.site.build", reason="no Jinja2 here: the extra `site`")


def test_a_report_waits_for_another_one_into_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, notes = tmp_path / "pages", list[str]()
    is_held, is_over = Event(), Event()
    files_during: list[str] = []

    def hold() -> None:
        with lock_folder(out, lambda: None):
            (out / ".milesync-staging").mkdir()
            is_held.set()
            assert is_over.wait(60)
            files_during.extend(path.name for path in out.iterdir())

    def note(message: str) -> None:
        notes.append(message)
        is_over.set()

    other = Thread(target=hold)
    other.start()
    assert is_held.wait(60)
    monkeypatch.setattr(site, "print_note", note)
    with installation({"gh": [series(project("acme/app"))]}, daily=False) as engine:
        assert site.write_report(engine, out, NOW)["written"] > 0
        other.join()
        assert notes == [f"another report is being written to {out}; this one waits for it"]
        assert files_during == [".milesync-staging"], "nothing of the first report was removed"
        assert (out / "index.html").is_file()
        site.write_report(engine, out, NOW)
    assert len(notes) == 1, "the lock was released"


def test_a_lock_is_released_after_an_error(tmp_path: Path) -> None:
    waits: list[str] = []
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock_folder(tmp_path / "new" / "pages", lambda: waits.append("waits")):
            raise ZeroDivisionError
    assert not waits
    assert (tmp_path / "new" / "pages").stat().st_mode & 0o077 == 0

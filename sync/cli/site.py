"""Write the report, a static site, for `milesync report` and at the end of a run."""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer
from typer.exceptions import TyperException

from config.settings import Settings
from sync.cli import output
from sync.cli.audiences import find_audience
from sync.cli.options import named_file, print_note
from sync.engine.engine import Engine
from sync.installation import missing_extra
from sync.model.audience import OPERATOR, Audience
from sync.model.characters import escaped_json
from sync.pull.progress import Failure
from sync.telemetry.log import events
from sync.telemetry.redaction import error_words, exception_words, secrets

if TYPE_CHECKING:
    from sync.site.contents import Contents

__all__ = ["refresh_report", "write_report"]


def refresh_report(engine: Engine, settings: Settings) -> None:
    """Write the configured report after a run. An error becomes one more failure; the writes of the run are kept."""
    out = settings.report_folder()
    if out is None:
        return
    engine.progress("report", str(out))
    try:
        write_report(engine, out, None, find_audience(settings.report.audience, settings, engine), keep=True)
    except Exception as error:  # no error of the report fails a run that has written everything
        is_expected = isinstance(error, TyperException)
        if not is_expected:
            events.exception("report not made")
        reason = error_words(str(error)) if is_expected else exception_words(error)
        engine.failures.append(Failure("report", "", f"the report was not made: {reason}"))


def write_report(
    engine: Engine, out: Path, at: datetime | None, audience: Audience = OPERATOR, *, keep: bool = False
) -> dict[str, int]:
    """Write the report for an audience, as of the time ``at`` (None: now). Return the numbers of its `BuildResult`.

    Another report into the same folder is waited for, so that the last one gathered is the one that remains.
    ``keep`` saves what the report announces to a named audience, as its next report compares with it. Raises
    `typer.BadParameter` if the extra `site` is missing, `TyperException` if the folder cannot be written.
    """
    if find_spec("jinja2") is None:
        raise typer.BadParameter(missing_extra("the report", "site"))
    from sync.site.build import build
    from sync.site.contents import gather
    from sync.site.folder_lock import lock_folder

    def note_wait() -> None:
        print_note(f"another report is being written to {out}; this one waits for it")

    with named_file(out), lock_folder(out, note_wait):
        with engine.store.one_state():
            contents = gather(
                engine.store,
                engine.connections,
                at or engine.clock(),
                engine.rules,
                audience,
                replay=at is not None,
                known=engine.portfolio,
            )
        document = output.status_document(contents.assessed, contents.joints)
        data = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
        site = build(contents, out, f"{escaped_json(secrets.redact(data))}\n".encode())
    if keep and audience.name:
        _save_announced(engine, contents, audience.name)
    return {"pages": site.pages, "files": site.files, "bytes": site.bytes, "written": site.written}


def _save_announced(engine: Engine, contents: Contents, audience: str) -> None:
    fresh = [
        milestone for milestone in contents.assessed if milestone.is_current and milestone.health.stale_since is None
    ]
    healths = [milestone.health for milestone in fresh] + [
        joint.health for joint in contents.joints if not joint.is_stale
    ]
    announced = [msgspec.structs.replace(health, audience=audience) for health in healths]
    engine.store.save_health(engine.run_id, announced, {milestone.uid: milestone.stream for milestone in fresh})

"""`milesync check`: the health of a project's milestones, without a configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sync.cli.options import ERROR, AsOf, Json, Verbose, exit_with, parse_as_of, print_error, print_note

if TYPE_CHECKING:
    from sync.assess.milestone import AssessedMilestone
    from sync.cli.page_address import PageAddress

__all__ = ["check"]

Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET...",
        help="The address of a page (repository, milestone, issue, board), or github:owner/repo, github:owner, "
        "gitlab:group/project, jira:KEY; or :sprints, :iterations after these",
    ),
]


def check(targets: Targets, as_of: AsOf = "", as_json: Json = False, verbose: Verbose = False) -> None:
    """Print the health of a project's milestones. Needs no configuration and writes nothing."""
    from sync.cli.session import command_session, report_failures

    at = parse_as_of(as_of)
    with command_session(verbose=verbose, as_json=as_json, errors_only=True) as (run_id, progress):
        from sync.cli.target_wiring import build_target_puller, read_targets

        wanted = read_targets(targets, os.environ)
        puller, notes = build_target_puller(wanted, os.environ, progress)
        with puller:
            puller.start_early()
            from rich.text import Text

            from sync.cli import output
            from sync.cli.engine_factory import build_target_engine
            from sync.cli.targets import other_targets
            from sync.cli.terminal import Terminal
            from sync.engine.metrics import read_states

            engine = build_target_engine(puller, run_id)
            engine.pull()
            assessed = engine.assess(at, keep=False)
            shown, missing = _on_pages(assessed, wanted.pages, wanted.page_kinds)
            output.print_assessment(shown, engine, None, as_json=as_json, every=bool(wanted.page_kinds) and not missing)
            if (
                not as_json
                and engine.has_read_project
                and not any(milestone.is_current for milestone in shown)
                and (others := other_targets(wanted.written))
            ):
                Terminal().print(Text(f"Milestones may be of another kind: {', '.join(others)}", style="dim"))
            for line in dict.fromkeys(line for state in read_states(engine) for line in state.limitations):
                print_error(line)
            for line in notes:
                print_note(line)
            for page in missing if engine.has_read_project else ():
                print_error(f"{page.address}: no milestone or issue in a milestone has this address")
            exit_with(report_failures(engine), ERROR if missing else 0)


def _on_pages(
    assessed: Sequence[AssessedMilestone], pages: Iterable[PageAddress], kinds: frozenset[str]
) -> tuple[Sequence[AssessedMilestone], list[PageAddress]]:
    """Return the milestones that the pages name, and the pages that name none.

    Of trackers that are not in ``kinds``, and if a page names nothing, all milestones are returned.
    """
    found = {page: {row.uid for row in assessed if _is_on(row, page)} for page in pages if page.page}
    missing = [page for page, uids in found.items() if not uids]
    named = set().union(*found.values())
    if missing:
        return assessed, missing
    return [row for row in assessed if row.connection.name not in kinds or row.uid in named], []


def _is_on(row: AssessedMilestone, page: PageAddress) -> bool:
    """Return whether a page is that of a milestone, or of an issue that is in it now."""
    from sync.cli.page_address import page_key

    members = (issue.url for issue in row.issues.values() if row.milestone.id in issue.milestones)
    return row.connection.name == page.kind and any(page_key(url) == page.page for url in (row.milestone.url, *members))

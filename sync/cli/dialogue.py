"""The dialogue of `milesync init`: ask for the settings, test each answer, write the file, show a first check.

Tests and the first check import what they need, so that the first question comes at once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer
from rich.text import Text

from config import validators
from config.errors import ConfigurationError
from config.settings import load
from config.tables import NAME
from sync import signals
from sync.cli.config_template import Answers, TrackerAnswers, render_config
from sync.cli.options import ERROR, named_file
from sync.cli.targets import container_words
from sync.cli.terminal import Terminal
from sync.tracker.container_use import ContainerUse, SurveyingTracker
from sync.tracker.errors import TrackerError

__all__ = ["ask_and_write"]

_SHORT = {"github": "gh", "gitlab": "gl", "jira": "jira"}
_EXAMPLE = {
    "github": "owner/name, or owner/* for all",
    "gitlab": "group/project, or a group",
    "jira": "project keys such as PAY",
}
_RIGHTS = {
    "github": "Issues: read and write, Pull requests: read (docs/how-to/go-live-github.md)",
    "gitlab": "the role Reporter and the scope api; read_api is enough to look (docs/how-to/go-live-gitlab.md)",
    "jira": "browse, add comments, edit issues; create issues for policy create (docs/how-to/go-live-jira.md)",
}
_POLICIES = {
    "plan": "nothing is written; start with this",
    "update": "label and comment are written to the issues that you name",
    "create": "milesync also creates a status issue for each milestone that has a due date",
}
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")


def ask_and_write(config: Path, *, verbose: bool) -> int:
    """Ask for the settings, test them, and write the file. Return the exit code. Raises `typer.Abort` without input."""
    if sys.stdin is None:  # closed by the parent
        raise typer.Abort
    talk = _Dialogue(Terminal(), dict(os.environ))
    if config.exists() and not typer.confirm(f"{config} exists already. Replace it with a new one?"):
        talk.say(f"{config} is unchanged.")
        return 0
    folder = re.sub(r"[^A-Za-z0-9._-]+", "-", config.absolute().parent.name).strip("-._")[:40]
    instance = talk.ask(
        "Name of this installation, for example your team's. Never change it later", folder, _instance_name
    )
    answers = Answers(instance=instance)
    while True:
        answers.trackers.append(_tracker(talk, {answer.name for answer in answers.trackers}, config))
        if not typer.confirm("Another tracker?", default=False):
            break
    for policy, meaning in _POLICIES.items():
        talk.say(f"  {policy:<8}{meaning}")
    answers.policy = talk.ask("What may `milesync run` do?", "plan", _one_of(tuple(_POLICIES)))
    _write(config, render_config(answers), talk.environ)
    talk.say(f"\n{config} is written.\n")
    code = _first_check(config, talk, verbose=verbose)
    exports = sorted({answer.variable for answer in answers.trackers} - os.environ.keys())
    for variable in exports:
        talk.say(f"Put the token into the environment where milesync runs: export {variable}=...")
    talk.say("Next: `milesync doctor` shows what would fail, `milesync plan` shows what would be written.")
    return code


@dataclass
class _Dialogue:
    """Questions on the terminal. A token that is typed in for the tests is only in ``environ``; it is never saved."""

    console: Terminal
    environ: dict[str, str] = field(repr=False)

    def say(self, words: str) -> None:
        self.console.print(words, soft_wrap=True)

    def ask(self, words: str, default: str, check: Callable[[str], str]) -> str:
        """Ask until the answer is valid. ``check`` returns the answer, or raises ValueError with the rule."""
        while True:
            answer = str(typer.prompt(words, default=default or None)).strip()
            try:
                return check(answer)
            except ValueError as error:
                self.console.print(Text(f"The answer {error}.", style="yellow"))


# --- a tracker ------------------------------------------------------------------------------------------------------


def _tracker(talk: _Dialogue, used_names: set[str], config: Path) -> TrackerAnswers:
    """Ask about a tracker and test the answers. A wrong answer leads back to its own question."""
    kind = talk.ask("Tracker (github, gitlab, jira)", "github", _one_of(tuple(_SHORT)))
    name = next(n for i in range(1, 100) if (n := f"{_SHORT[kind]}{i if i > 1 else ''}") not in used_names)
    variable = f"{kind.upper()}_TOKEN" + name.removeprefix(_SHORT[kind])
    answer = TrackerAnswers(name=name, kind=kind, url=validators.PUBLIC_URLS.get(kind, ""), variable=variable)
    for question in _QUESTIONS.values():
        question(talk, answer)
    while True:
        setting = _wrong_setting(talk, answer, config)
        if setting is None:
            if talk.environ.get(answer.variable):
                answer.options = _containers(talk, answer, config)
            return answer
        if setting == _KEEP:
            return answer
        if setting == "token" and answer.variable not in os.environ:
            del talk.environ[answer.variable]
        _QUESTIONS[setting](talk, answer)


def _ask_url(talk: _Dialogue, answer: TrackerAnswers) -> None:
    what = "Address of its API" if answer.kind == "github" else "Its address"
    answer.url = talk.ask(what, answer.url, validators.url)


def _ask_token(talk: _Dialogue, answer: TrackerAnswers) -> None:
    if answer.kind == "jira" and (urlsplit(answer.url).hostname or "").endswith(".atlassian.net"):
        answer.email = talk.ask("E-mail of the account whose API token it is", answer.email, _email_address)
    answer.variable = talk.ask("Environment variable that holds the token", answer.variable, _variable_name)
    _token(talk, answer)


def _ask_projects(talk: _Dialogue, answer: TrackerAnswers) -> None:
    words = f"Projects ({_EXAMPLE[answer.kind]}), with commas between"
    answer.projects = _projects(talk.ask(words, ", ".join(answer.projects), _project_list(answer.kind)))


_QUESTIONS: dict[str, Callable[[_Dialogue, TrackerAnswers], None]] = {
    "url": _ask_url,
    "token": _ask_token,
    "projects": _ask_projects,
}
"""The question for each key of the connection's table, in their order."""

_KEEP = "none"


def _token(talk: _Dialogue, answer: TrackerAnswers) -> None:
    """Ask for a token for the tests, unless the environment has one. The answer may be empty."""
    if talk.environ.get(answer.variable):
        return
    talk.say(f"{answer.variable} is not set here. The token needs: {_RIGHTS[answer.kind]}.")
    words = "Paste a token to test with now (it is not saved), or press Enter to continue without one"
    with _restored_echo():
        token = str(typer.prompt(words, default="", show_default=False, hide_input=sys.stdin.isatty())).strip()
    if token:
        talk.environ[answer.variable] = token


def _restored_echo() -> AbstractContextManager[None]:
    """Let a signal during a hidden answer leave the terminal as it is now."""
    if not sys.stdin.isatty():
        return nullcontext()
    import termios  # late: not on every system

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    return signals.on_stop(lambda _: termios.tcsetattr(terminal, termios.TCSANOW, before))


def _wrong_setting(talk: _Dialogue, answer: TrackerAnswers, config: Path) -> str | None:
    """Check the answers, and with a token the tracker like `milesync doctor`. Show the findings.

    Return the question that has to be asked again: a key of `_QUESTIONS`, or `_KEEP` if the user keeps the answers.
    None if nothing is wrong.
    """
    from sync.cli.finding_lines import finding_lines
    from sync.cli.findings import connection_findings
    from sync.engine.doctor import Level

    try:
        with _draft(config, render_config(Answers(instance="draft", trackers=[answer]))) as draft:
            settings = load(draft, {})
    except ConfigurationError as error:
        talk.say(str(error).replace(str(draft), str(config)))
        return next((key for key in _QUESTIONS if f".{key}" in str(error)), "projects")
    if not talk.environ.get(answer.variable):
        return None
    findings = connection_findings(settings, answer.name, talk.environ)
    talk.console.print(finding_lines(findings))
    errors = [finding for finding in findings if finding.level is Level.ERROR]
    if not errors:
        return None
    if typer.confirm("Keep these answers anyway?", default=False):
        return _KEEP
    wrong = {finding.setting for finding in errors}
    known = next((key for key in _QUESTIONS if key in wrong), None)
    return known or talk.ask(f"Which answer is to change? ({', '.join(_QUESTIONS)})", "", _one_of(tuple(_QUESTIONS)))


# --- what is a milestone --------------------------------------------------------------------------------------------


def _containers(talk: _Dialogue, answer: TrackerAnswers, config: Path) -> dict[str, Any]:
    """Offer the kinds of containers that the projects use, if that is not the usual one alone. Return the options."""
    from sync.cli import wiring

    with _draft(config, render_config(Answers(instance="draft", trackers=[answer]))) as draft:
        settings = load(draft, {})
    (connection,) = wiring.build_connections(settings, talk.environ)
    try:
        if not isinstance(connection.connector, SurveyingTracker):
            return {}
        found = [use for use in connection.connector.containers_in_use(answer.projects) if use.issues]
    except TrackerError as error:
        talk.say(f"The kinds of milestones could not be counted: {error}")
        return {}
    finally:
        connection.connector.close()
    uses = {use.word: use for use in sorted(found, key=lambda use: -use.issues)}
    usual = container_words(answer.kind)[0]
    if not uses.keys() - {usual}:
        return {}
    talk.say(f"{_use_sentence(list(uses.values()))}.")
    chosen = talk.ask(
        f"What is a milestone for this team? ({', '.join(uses)}; several with commas)",
        next(iter(uses)),
        _some_of(tuple(uses)),
    ).split(", ")
    options: dict[str, Any] = {"containers": chosen}
    for word in chosen:
        options |= uses[word].options
    return options if chosen != [usual] else {}


def _use_sentence(uses: Sequence[ContainerUse]) -> str:
    """Return how many issues are in which kind: ``17 are in iterations, 3 in milestones``."""
    first, *others = uses
    parts = [f"{first.issues} {'is' if first.issues == 1 else 'are'} in {first.word}"]
    parts += [f"{use.issues} in {use.word}" for use in others]
    return f"Of the open issues that were looked at, {', '.join(parts)}"


def _some_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def check(answer: str) -> str:
        chosen = [part.strip().lower() for part in answer.split(",") if part.strip()]
        if not chosen or not set(chosen) <= set(words):
            raise ValueError(f"should be some of {', '.join(words)}")
        return ", ".join(dict.fromkeys(chosen))

    return check


# --- answers ---------------------------------------------------------------------------------------------------------


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def check(answer: str) -> str:
        if answer.lower() not in words:
            raise ValueError(f"should be one of {', '.join(words)}")
        return answer.lower()

    return check


def _instance_name(answer: str) -> str:
    if not re.fullmatch(NAME, answer) or len(answer) > 40:
        raise ValueError("should be at most 40 letters, digits, dots, - and _")
    return answer


def _variable_name(answer: str) -> str:
    if not _VARIABLE.fullmatch(answer):
        raise ValueError("should be the name of a variable in capital letters, not the token itself")
    return answer


def _email_address(answer: str) -> str:
    if "@" not in answer:
        raise ValueError("should be an e-mail address")
    return answer


def _project_list(kind: str) -> Callable[[str], str]:
    def check(answer: str) -> str:
        names = _projects(answer)
        if not names:
            raise ValueError("should name at least one project")
        validators.projects(names, kind)
        return answer

    return check


def _projects(answer: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in answer.split(",") if part.strip())


# --- the file and the first check -----------------------------------------------------------------------------------


def _write(config: Path, text: str, environ: Mapping[str, str]) -> None:
    """Check a draft of the file, then replace the file by it. Raises `ConfigurationError`, `TyperException`."""
    with _draft(config, text) as draft:
        load(draft, {name: value for name, value in environ.items() if not name.startswith("MILESYNC_")})
        draft.replace(config)


@contextmanager
def _draft(config: Path, text: str) -> Iterator[Path]:
    """Yield a draft of the file, next to it. Remove it at the end. Raises `TyperException` if it cannot be written."""
    draft = config.with_name(f".{config.name}.{os.getpid()}.draft")
    with named_file(config):
        try:
            draft.write_text(text, encoding="utf-8")
            yield draft
        finally:
            draft.unlink(missing_ok=True)


def _first_check(config: Path, talk: _Dialogue, *, verbose: bool) -> int:
    """Read the projects into memory and show their milestones. Return the exit code.

    Does nothing if a token is missing, or if the user says no.
    """
    from sync.cli import wiring
    from sync.cli.session import command_session, report_failures

    settings = load(config, {**talk.environ, "MILESYNC_DATABASE": "sqlite:///:memory:"})
    environ = {**talk.environ, "MILESYNC_DATABASE": "sqlite:///:memory:"}
    if any(not environ.get(variable) for variable in wiring.token_variables(settings)):
        return 0
    if not typer.confirm("Read the projects now and show their milestones? Nothing is written", default=True):
        return 0
    with (
        command_session(verbose=verbose, as_json=False, errors_only=True) as (run_id, display),
        wiring.build_puller(settings, environ, create=True, progress=display) as puller,
    ):
        from sync.cli import engine_factory, output

        engine = engine_factory.build_engine(settings, puller, run_id=run_id)
        engine.pull()
        code = report_failures(puller)
        if code != ERROR:
            talk.console.print(output.milestone_table(engine.assess(keep=False)))
    talk.say("")
    return code

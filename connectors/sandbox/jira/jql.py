"""Sandbox Jira: a part of JQL: clauses, AND, OR, NOT, brackets, ORDER BY.

Times are read as Jira reads them: to the minute, in the asking account's time zone; relative ones (``-90m``) too.
It refuses what Jira refuses: an unknown field, a missing project, a time with seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox.jira.hierarchy import EPIC_LINK, PARENT_LINK
from connectors.sandbox.world_data import Issue, Project

__all__ = ["BadQueryError", "Query", "Row", "Scope", "parse"]

Row = tuple[Project, Issue]
Test = Callable[[Row], bool]

_TOKEN = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[(),]|!=|>=|<=|!~|[=<>~]|[^\s(),=!<>~"']+)""")
_RELATIVE = re.compile(r"^([+-]?)((?:\d+[wdhm]\s*)+)$")
_UNITS = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_FORMATS = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
_TIMES = {"updated": "updated", "created": "created", "resolved": "closed", "resolutiondate": "closed"}
_KEYS = ("key", "issuekey", "issue", "id")
_PARENTS = ("parent", "cf[10008]", "cf[10300]")


class BadQueryError(Exception):
    """Jira would refuse the query."""


@dataclass(frozen=True)
class Scope:
    """Scope of a query: visible projects, the time, the account's zone, categories of statuses, renamed
    keys.
    """

    projects: tuple[Project, ...]
    now: datetime
    zone: ZoneInfo
    category: Callable[[str], str]
    find: Callable[[str], Row | None]
    moved: Mapping[str, str]
    types: Callable[[], frozenset[str]]
    parent_field: Callable[[Issue], str]
    validates: bool = True
    """Whether a key that does not exist is refused (Data Center's ``validateQuery``)."""

    def parent(self, issue: Issue, field_: str) -> tuple[str, ...]:
        """The key of an issue's parent, in lower case, if this field has it."""
        return (issue.parent.lower(),) if issue.parent and self.parent_field(issue) == field_ else ()


@dataclass
class Clause:
    """A condition, and if known the rows to test (from an index)."""

    test: Test
    among: Callable[[], Iterable[Row]] | None = None


@dataclass
class Query:
    """A parsed query, and the fields that its answer depends on."""

    clause: Clause | None
    order: list[tuple[str, bool]] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)

    @property
    def lasting(self) -> bool:
        """Return True if the answer is the same until an issue is created, deleted or updated."""
        return self.fields <= {"project", "created", "updated", *_KEYS}

    @property
    def bounded(self) -> bool:
        """Return True if there is a search condition, which Jira Cloud requires."""
        return self.clause is not None

    def run(self, scope: Scope) -> list[Row]:
        """Return the matching rows, in the requested order (default: newest first)."""
        everything = ((project, issue) for project in scope.projects for issue in project.issues.values())
        if self.clause is None:
            rows = list(everything)
        else:
            among = self.clause.among
            rows = [row for row in (everything if among is None else among()) if self.clause.test(row)]
        for name, downwards in reversed(self.order or [("created", True)]):
            rows.sort(key=_ORDERS[name], reverse=downwards)
        return rows


_ORDERS: dict[str, Callable[[Row], Any]] = {
    "updated": lambda row: row[1].updated,
    "created": lambda row: row[1].created,
    **dict.fromkeys(_KEYS, lambda row: (row[0].key, row[1].number)),
}


def parse(text: str, scope: Scope) -> Query:
    """Parse a query. Raises `BadQueryError` with a message like Jira's."""
    return _Parser(list(_tokens(text)), scope).query()


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadQueryError(f"Error in the JQL Query: the character at {at + 1} is not expected.")
        yield match[1]
        at = match.end()


def _plain(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token[0] in "\"'" else token


class _Parser:
    def __init__(self, tokens: list[str], scope: Scope) -> None:
        self.tokens, self.scope, self.at = tokens, scope, 0
        self.fields: set[str] = set()

    def query(self) -> Query:
        clause = None if self.word() in ("", "order") else self.either()
        order: list[tuple[str, bool]] = []
        if self.take("order"):
            self.expect("by")
            while True:
                name = self.next().lower()
                if name not in _ORDERS:
                    raise BadQueryError(f"Not able to sort using field '{name}'.")
                order.append((name, self.take("desc")))
                self.take("asc")
                if not self.take(","):
                    break
        if self.word():
            raise BadQueryError(f"Error in the JQL Query: Expecting either 'OR' or 'AND' but got '{self.word()}'.")
        return Query(clause, order, self.fields | {name for name, _ in order})

    def either(self) -> Clause:
        parts = [self.both()]
        while self.take("or"):
            parts.append(self.both())
        if len(parts) == 1:
            return parts[0]
        sources = [part.among for part in parts if part.among is not None]

        def among() -> Iterator[Row]:
            seen: set[int] = set()
            for source in sources:
                for row in source():
                    if row[1].id not in seen:
                        seen.add(row[1].id)
                        yield row

        return Clause(lambda row: any(part.test(row) for part in parts), among if len(sources) == len(parts) else None)

    def both(self) -> Clause:
        parts = [self.one()]
        while self.take("and"):
            parts.append(self.one())
        if len(parts) == 1:
            return parts[0]
        among = next((part.among for part in parts if part.among is not None), None)
        return Clause(lambda row: all(part.test(row) for part in parts), among)

    def one(self) -> Clause:
        if self.take("not"):
            inner = self.one()
            return Clause(lambda row: not inner.test(row))
        if self.take("("):
            inner = self.either()
            self.expect(")")
            return inner
        return self.clause()

    def clause(self) -> Clause:
        name = _plain(self.next()).lower()
        self.fields.add(name)
        operator = self.next().lower()
        if operator == "is":
            negative = self.take("not")
            self.expect("empty", "null")
            return _negated(_one_of(self.scope, name, None), negative)
        if operator == "not":
            self.expect("in")
            operator = "not in"
        if operator in ("in", "not in"):
            self.expect("(")
            values = [_plain(self.next())]
            while self.take(","):
                values.append(_plain(self.next()))
            self.expect(")")
            return _negated(_one_of(self.scope, name, values), operator == "not in")
        value = _plain(self.next())
        if name in _TIMES:
            if _RELATIVE.match(value):
                self.fields.add("now")
            return _timed(self.scope, name, operator, value)
        if operator in ("=", "!="):
            return _negated(_one_of(self.scope, name, [value]), operator == "!=")
        raise BadQueryError(f"The operator '{operator}' is not supported by the '{name}' field.")

    def word(self) -> str:
        return self.tokens[self.at].lower() if self.at < len(self.tokens) else ""

    def next(self) -> str:
        if self.at >= len(self.tokens):
            raise BadQueryError("Error in the JQL Query: it ends too early.")
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, word: str) -> bool:
        if self.word() == word:
            self.at += 1
            return True
        return False

    def expect(self, *words: str) -> None:
        got = self.next().lower()
        if got not in words:
            raise BadQueryError(f"Error in the JQL Query: Expecting '{words[0]}' but got '{got}'.")


def _negated(clause: Clause, negative: bool) -> Clause:
    return Clause(lambda row: not clause.test(row)) if negative else clause


def _one_of(scope: Scope, name: str, values: list[str] | None) -> Clause:
    """Return the clause ``name in (values)``; None is EMPTY."""
    if name == "project" and values is not None:
        return _projects(scope, values)
    if name in _KEYS and values is not None:
        return _keys(scope, values)
    read = _READERS.get(name)
    if read is None:
        raise BadQueryError(f"Field '{name}' does not exist or you do not have permission to view it.")
    if values is None:
        return Clause(lambda row: not any(read(scope, row)))
    _check_values(scope, name, values)
    if name == "resolution":
        values = ["" if value.lower() == "unresolved" else value for value in values]
    if name in _PARENTS:
        values = [row[1].key for value in values if (row := scope.find(value)) is not None]
    wanted = {value.lower() for value in values}
    return Clause(lambda row: not wanted.isdisjoint(read(scope, row)))


def _projects(scope: Scope, values: list[str]) -> Clause:
    chosen: dict[int, Project] = {}
    for value in values:
        key = scope.moved.get(value.upper(), value)
        found = [
            p for p in scope.projects if p.key.lower() == key.lower() or value.lower() in (str(p.id), p.name.lower())
        ]
        if not found:
            raise BadQueryError(f"The value '{value}' does not exist for the field 'project'.")
        chosen.update((project.id, project) for project in found)
    return Clause(
        lambda row: row[0].id in chosen,
        lambda: ((project, issue) for project in chosen.values() for issue in project.issues.values()),
    )


def _keys(scope: Scope, values: list[str]) -> Clause:
    rows: dict[int, Row] = {}
    for value in values:
        row = scope.find(value)
        if row is not None:
            rows[row[1].id] = row
        elif scope.validates:
            raise BadQueryError(f"An issue with key '{value}' does not exist for field 'key'.")
    return Clause(lambda row: row[1].id in rows, rows.values)


def _check_values(scope: Scope, name: str, values: list[str]) -> None:
    """Refuse what Jira refuses: a version, issue type or parent that does not exist."""
    if name == "fixversion":
        _known_versions(scope, values)
    if name in ("issuetype", "type"):
        known = scope.types()
        for value in values:
            if value.lower() not in known:
                raise BadQueryError(f"The value '{value}' does not exist for the field '{name}'.")
    if name in _PARENTS:
        for value in values:
            if scope.find(value) is None:
                raise BadQueryError(f"An issue with key '{value}' does not exist for field '{name}'.")


def _known_versions(scope: Scope, values: list[str]) -> None:
    there = {
        word
        for project in scope.projects
        for version in project.milestones.values()
        for word in (str(version.id), version.title.lower())
    }
    for value in values:
        if value.lower() not in there:
            raise BadQueryError(f"The value '{value}' does not exist for the field 'fixVersion'.")


def _versions(_: Scope, row: Row) -> Iterator[str]:
    for number in row[1].milestones:
        yield str(number)
        if number in row[0].milestones:
            yield row[0].milestones[number].title.lower()


_CATEGORY_NAMES = {"new": "to do", "indeterminate": "in progress", "done": "done"}


def _categories(scope: Scope, row: Row) -> tuple[str, str]:
    key = scope.category(row[1].status)
    return key, _CATEGORY_NAMES[key]


_READERS: dict[str, Callable[[Scope, Row], Iterable[str]]] = {
    "fixversion": _versions,
    "labels": lambda _, row: [label.lower() for label in row[1].labels],
    "parent": lambda scope, row: scope.parent(row[1], "parent"),
    "cf[10008]": lambda scope, row: scope.parent(row[1], EPIC_LINK),
    "cf[10300]": lambda scope, row: scope.parent(row[1], PARENT_LINK),
    "status": lambda _, row: (row[1].status.lower(),),
    "statuscategory": _categories,
    "resolution": lambda _, row: (row[1].jira_resolution.lower(),),
    "issuetype": lambda _, row: (row[1].type.lower(),),
    "type": lambda _, row: (row[1].type.lower(),),
    "priority": lambda _, row: (row[1].priority.lower(),),
    "assignee": lambda _, row: [user.login for user in row[1].assignees],
}


def _timed(scope: Scope, name: str, operator: str, value: str) -> Clause:
    limit = _moment(scope, name, value)
    attribute = _TIMES[name]
    compare: dict[str, Callable[[datetime], bool]] = {
        ">=": lambda at: at >= limit,
        ">": lambda at: at > limit,
        "<=": lambda at: at <= limit,
        "<": lambda at: at < limit,
    }
    if operator not in compare:
        raise BadQueryError(f"The operator '{operator}' is not supported by the '{name}' field.")
    test = compare[operator]

    def holds(row: Row) -> bool:
        at = getattr(row[1], attribute)
        return at is not None and test(at)

    return Clause(holds)


def _moment(scope: Scope, name: str, value: str) -> datetime:
    """Return the moment of a literal in the account's zone. An ambiguous hour is the first."""
    relative = _RELATIVE.match(value)
    if relative:
        span = sum((int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([wdhm])", relative[2])), timedelta())
        return scope.now - span if relative[1] == "-" else scope.now + span
    if value.isdigit():
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    for form in _FORMATS:
        try:
            wall = datetime.strptime(value, form)  # noqa: DTZ007  # the zone is the account's
        except ValueError:
            continue
        return datetime.combine(date(wall.year, wall.month, wall.day), time(wall.hour, wall.minute), scope.zone)
    raise BadQueryError(
        f"Date value '{value}' for field '{name}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
        "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
    )

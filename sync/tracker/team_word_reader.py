"""Reader of the team's words in the description of a milestone: see `sync.tracker.team_words`. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from enum import Enum
from typing import TypeVar

from sync.model.characters import one_line
from sync.model.definition import Criteria
from sync.model.team_words import Decision, FaultKind, TeamWords, WordFault
from sync.tracker.managed_block import lines_of_people
from sync.tracker.team_words import MAX_OWNER_LENGTH, MAX_TEXT_LENGTH, MAX_TOLERANCE, MAX_VALUES, STEMS, has_any

__all__ = ["Reader"]

_MAX_LINE_LENGTH = 1000
"""Number of characters of a line, and of a text over several lines, that are read."""

_FIRST_DAY, _LAST_DAY = date(1990, 1, 1), date(2199, 12, 31)

OWNER, START, TOLERANCE, RISK, DECISION = "Owner", "Start", "Tolerance", "Risk", "Decision needed"
"""The keys, as findings quote them."""

_KEYS = {
    OWNER: r"owners?|verantwortliche?r?",
    START: r"start(?: date)?|beginn|startdatum",
    TOLERANCE: r"tolerance|toleranz",
    RISK: r"risks?|risiko|risiken",
    DECISION: r"decisions? needed|entscheidung(?:en)? (?:nötig|noetig|benötigt|erforderlich)",
}
_NAMES = "|".join(f"(?P<{key.split()[0]}>{names})" for key, names in _KEYS.items())
_KEY_OF_GROUP = {key.split()[0]: key for key in _KEYS}

_MARKS = "*_`\"'“”„«»‚‘’"
_PREFIX = r"[> ]*(?:(?:[-+•–]|\*{1,6}|#{1,6}|[0-9]{1,3}[.)]|h[1-6]\.) )*(?:\[(?P<box>[ xX])\] )?"
_STATEMENT = re.compile(
    rf"{_PREFIX}(?P<struck>~~)?(?P<open>[{_MARKS}]{{0,6}})(?:{_NAMES})(?P<shut>[{_MARKS}]{{0,6}}) ?"
    rf"[:：](?P<shut_after>[{_MARKS}]{{0,6}})(?: |$|(?=[@\[]))(?P<value>.*)",
    re.IGNORECASE,
)
_HEADING = re.compile(
    rf"(?:#{{1,6}}|h[1-6]\.) [{_MARKS}]{{0,3}}"
    rf"(?:(?P<Risk>{_KEYS[RISK]})|(?P<Decision>{_KEYS[DECISION]}))[{_MARKS}]{{0,3}}",
    re.IGNORECASE,
)
_ITEM = re.compile(
    r"(?P<indent>[ \t>]*)(?P<mark>[-+•–]|\*{1,6}|[0-9]{1,3}[.)])[ \t]+(?:\[(?P<box>[ xX])\][ \t]+)?(?P<text>\S.*)"
)
_TASK = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+\[([ xX])\]\s+\S")
_FENCE = re.compile(r"[ \t>]*(```|~~~)")
_WIKI_CODE = re.compile(r"\{(?:code|noformat)\b[^}\n]{0,100}\}", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->")

_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}"
_LEADING_DAY = re.compile(rf"({_DAY})(?![0-9-])")
_BY = rf"(?:by|bis(?: zum)?) (?P<by>{_DAY})"
_FROM = r"(?:from|von)"
_TAILS = tuple(
    re.compile(rf"(?:^| )[(,;]? ?{tail}[ ).]*$", re.IGNORECASE)
    for tail in (
        rf"{_FROM} (?P<who>@\S{{1,100}}?),? {_BY}",
        rf"{_BY},?(?: {_FROM} (?P<who>\S.{{0,120}}?))?",
        rf"{_FROM} (?P<who>@\S{{1,100}}?)",
    )
)
_BAD_BY = re.compile(
    r"(?:^| )(?:by|bis(?: zum)?) [0-9]{1,4}[-./][0-9]{1,2}(?:[-./][0-9]{1,4})?(?![0-9])", re.IGNORECASE
)
_SHARE = re.compile(r"([0-9]{1,3}) ?(?:%|percent|prozent)(?![0-9])", re.IGNORECASE)
_NOTHING = re.compile(
    r"[-–—?.…\s]*|tbd|todo|n/?a|none|no|nobody|unknown|keine?r?|niemand|offen|unbekannt", re.IGNORECASE
)
_WIKI_PERSON = re.compile(r"\[~(?:accountid:)?([^\]]{1,128})\]")
_LINK = re.compile(r"\[([^\]]{1,200})\](?:\([^)]{0,500}\))?")


class _Entry:
    """One value of a key, which further lines may continue."""

    def __init__(self, key: str, text: str, line: int) -> None:
        self.key, self.text, self.line = key, text, line


class _OpenList:
    """The list below a key without a value. It ends at an item of another list; a task is no item of a plain list."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._first: re.Match[str] | None = None

    def place(self, item: re.Match[str]) -> _Place:
        """Return the place of an item: in the list, in a list within it, a task between its items, or after its end."""
        first = self._first = self._first or item
        if _depth(item) > _depth(first):
            return _Place.NESTED
        if _depth(item) < _depth(first) or item["mark"][-1] != first["mark"][-1]:
            return _Place.OUTSIDE
        return _Place.TASK if item["box"] and not first["box"] else _Place.ITEM


class _Place(Enum):
    ITEM, NESTED, TASK, OUTSIDE = range(4)


def _depth(item: re.Match[str]) -> int:
    """Return the indentation of an item; wiki markup doubles the sign instead."""
    return len(item["indent"]) + item["mark"].count("*")


class Reader:
    """Read lines into entries. An open list takes the items below a key without a value."""

    def __init__(self) -> None:
        self.entries: list[_Entry] = []
        self.tasks: list[str] = []
        self._current: _Entry | None = None
        self._list: _OpenList | None = None

    def read(self, description: str) -> TeamWords:
        """Read a description."""
        for number, line in _prose(unicodedata.normalize("NFC", description)):
            self._read_line(line[:_MAX_LINE_LENGTH], number)
        return _words(self.entries, self.tasks)

    def _read_line(self, line: str, number: int) -> None:
        plain = one_line(line) if has_any(line, STEMS) else ""
        if (heading := _HEADING.fullmatch(plain)) is not None:
            self._current, self._list = None, _OpenList(_key_of(heading))
        elif (statement := _STATEMENT.match(plain)) is not None:
            self._begin(statement, number)
        elif not line.strip():
            self._current = None
        elif (item := _ITEM.match(line)) is not None:
            self._read_item(item, line, number)
        elif self._current is not None and line[0] in " \t":
            self._current.text = f"{self._current.text} {one_line(line)}"[:_MAX_LINE_LENGTH]
        else:
            self._current = self._list = None

    def _begin(self, statement: re.Match[str], number: int) -> None:
        key, value = _key_of(statement), _value(statement)
        self._list = None if value else _OpenList(key)
        box, is_text = statement["box"], key in (RISK, DECISION)
        is_settled = statement["struck"] or (is_text and box not in (None, " "))
        entry = _Entry(key, value, number)
        self._current = entry if is_text and value else None
        if not is_settled:
            self.entries.append(entry)
        if box is not None and not is_text:
            self.tasks.append(box)

    def _read_item(self, item: re.Match[str], line: str, number: int) -> None:
        """Read an item of the open list, or a task. Items of a list within the list are ignored."""
        self._current = None
        place = self._list.place(item) if self._list is not None else _Place.OUTSIDE
        if self._list is not None and place is _Place.ITEM:
            if self.entries and self.entries[-1].key == self._list.key and not self.entries[-1].text:
                self.entries.pop()
            if (item["box"] or " ") == " " and not item["text"].startswith("~~"):
                self._current = _Entry(self._list.key, one_line(item["text"]), number)
                self.entries.append(self._current)
        if place is _Place.OUTSIDE:
            self._list = None
        if place in (_Place.OUTSIDE, _Place.TASK) and (task := _TASK.match(line)):
            self.tasks.append(task[1])


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines outside of our block, of code and of HTML comments, each with its number."""
    fence, in_wiki_code, in_comment = "", False, False
    for number, line in lines_of_people(text):
        if in_comment:
            _, end, line = line.partition("-->")
            in_comment = not end
            if in_comment:
                continue
        if not in_wiki_code and (edge := _FENCE.match(line)) and fence in ("", edge[1]):
            fence = "" if fence else edge[1]
            continue
        has_wiki_code = "{" in line and len(_WIKI_CODE.findall(line)) % 2
        in_wiki_code ^= bool(has_wiki_code) and not fence
        if fence or in_wiki_code or has_wiki_code:
            continue
        if "<!--" in line:
            line, begin, _ = _COMMENT.sub("", line).partition("<!--")
            in_comment = bool(begin)
        yield number, line


def _key_of(match: re.Match[str]) -> str:
    return next(key for group, key in _KEY_OF_GROUP.items() if match.groupdict().get(group))


def _value(statement: re.Match[str]) -> str:
    """Return the value without the marks that the line has around it."""
    value = statement["value"].strip()
    if statement["open"] and not statement["shut"] and not statement["shut_after"]:
        value = value.rstrip(_MARKS + " ")
    return _unwrapped(value)


def _unwrapped(text: str) -> str:
    """Return a text without marks around the whole of it."""
    while len(text) >= 2 and text[0] in _MARKS and text[-1] in _MARKS and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return text


def _words(entries: list[_Entry], tasks: list[str]) -> TeamWords:
    owners: dict[str, None] = {}
    starts: dict[date, None] = {}
    shares: dict[float, None] = {}
    risks: dict[str, None] = {}
    decisions: dict[Decision, None] = {}
    faults: list[WordFault] = []
    for entry in entries:
        fault: FaultKind | None = None
        if entry.key == OWNER:
            names = _owners(entry.text)
            owners |= dict.fromkeys(names)
            fault = None if names else FaultKind.EMPTY
        elif entry.key == START:
            fault = _add(starts, _leading_day(entry.text), FaultKind.NO_DATE)
        elif entry.key == TOLERANCE:
            fault = _add(shares, _share(entry.text), FaultKind.NO_SHARE)
        elif not _NOTHING.fullmatch(entry.text):
            if entry.key == RISK:
                risks[_cut(_unwrapped(entry.text), MAX_TEXT_LENGTH)] = None
            else:
                decision, fault = _decision(entry.text)
                decisions[decision] = None
        if fault is None and max(len(owners), len(risks), len(decisions)) > MAX_VALUES:
            fault = FaultKind.TOO_MANY
        if fault is not None and len(faults) < MAX_VALUES:
            faults.append(WordFault(key=entry.key, kind=fault, line=entry.line))
    in_order = sorted([*decisions][:MAX_VALUES], key=lambda decision: decision.by or date.max)
    return TeamWords(
        owners=tuple(owners)[:MAX_VALUES],
        start=next(iter(starts), None),
        tolerance=next(iter(shares), None),
        risks=tuple(risks)[:MAX_VALUES],
        decisions=tuple(in_order),
        criteria=Criteria(sum(mark != " " for mark in tasks), len(tasks)),
        faults=tuple(faults),
    )


_T = TypeVar("_T")


def _add(values: dict[_T, None], value: _T | None, fault: FaultKind) -> FaultKind | None:
    """Add a value of which a description has one: the first one counts. Return its fault."""
    if value is None:
        return fault
    values[value] = None
    return FaultKind.REPEATED if len(values) > 1 else None


def _owners(text: str) -> list[str]:
    if _NOTHING.fullmatch(text):
        return []
    text = _WIKI_PERSON.sub(r"@\1", text)
    parts = re.split(r"\s*[,;&]\s*|\s+(?:and|und)\s+", _LINK.sub(r"\1", text))
    names = (_cut(part.strip(f"{_MARKS}<> "), MAX_OWNER_LENGTH) for part in parts)
    return [name for name in names if name and not _NOTHING.fullmatch(name)]


def _leading_day(text: str) -> date | None:
    match = _LEADING_DAY.match(text)
    return _day(match[1]) if match else None


def _day(text: str) -> date | None:
    """Return the day of 2026-11-02 or 2.11.2026; None for no day, or one that no plan has."""
    try:
        if "-" in text:
            day = date.fromisoformat(text)
        else:
            of_month, month, year = map(int, text.split("."))
            day = date(year, month, of_month)
    except ValueError:
        return None
    return day if _FIRST_DAY <= day <= _LAST_DAY else None


def _share(text: str) -> float | None:
    match = _SHARE.match(text)
    return int(match[1]) / 100 if match and int(match[1]) <= MAX_TOLERANCE else None


def _decision(text: str) -> tuple[Decision, FaultKind | None]:
    """Read a decision. One with a wrong day has none, and the fault."""
    text = _WIKI_PERSON.sub(r"@\1", text)
    for tail in _TAILS:
        found = tail.search(text)
        if found is None:
            continue
        names = found.groupdict()
        day = _day(names["by"]) if names.get("by") else None
        owner = _cut((names.get("who") or "").strip(f"{_MARKS}<>() "), MAX_OWNER_LENGTH)
        fault = FaultKind.NO_DATE if names.get("by") and day is None else None
        what = text[: found.start()].strip(" ,;(") or text
        return Decision(text=_cut(_unwrapped(what), MAX_TEXT_LENGTH), by=day, owner=owner), fault
    fault = FaultKind.NO_DATE if _BAD_BY.search(text) else None
    return Decision(text=_cut(_unwrapped(text), MAX_TEXT_LENGTH)), fault


def _cut(text: str, limit: int) -> str:
    text = one_line(text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"

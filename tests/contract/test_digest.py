"""Digests over real channels on loopback: sent once, and again only after a sure failure."""

from __future__ import annotations

import io
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from msgspec import structs
from PIL import Image
from structlog.testing import capture_logs

from sync.assess.milestone import AssessmentRules
from sync.digest import attachments as pictures
from sync.digest.cadence import Cadence
from sync.digest.changes import MilestoneState, changes_since
from sync.digest.channels import AppriseChannel, Channel, FileChannel
from sync.digest.message import compose
from sync.digest.phrases import Speaker
from sync.digest.send import PortfolioSource, Receiver, SendOutcome, SendState, preview, send_due
from sync.history.calendar import Calendar
from sync.model.audience import Audience
from sync.model.health import Status, UnknownCause
from sync.model.tracker_data import Visibility
from sync.report import burnup
from sync.report.burnup import render_png as picture_of
from sync.report.language import load_language
from sync.store.tables import Delivery
from sync.tracker.protocol import Page
from tests.digest_samples import NOW as THEN
from tests.digest_samples import everything, health, standing
from tests.message_servers import Chat, Post, serving
from tests.portfolio_world import NOW, RULES, World, page

DAY = timedelta(days=1)
UTC = ZoneInfo("UTC")
AUDIENCE = Audience("board", ("app:*",))


@pytest.fixture
def chat() -> Iterator[Chat]:
    with serving(Chat()) as server:
        yield server


@pytest.fixture
def post() -> Iterator[Post]:
    with serving(Post()) as server:
        yield server


class Place:
    """A world, and an audience that gets its digest each day over the given channels."""

    def __init__(self, **channels: Channel | str) -> None:
        self.world = World(page("app"))
        ways = {name: way if not isinstance(way, str) else over(way) for name, way in channels.items()}
        rhythm = Cadence(Calendar.plain(), UTC)
        self.receiver = Receiver(AUDIENCE, rhythm, Speaker(load_language("en")), ways)

    def where(self, at: datetime = NOW) -> PortfolioSource:
        return PortfolioSource(self.world.store, self.world.connections, AssessmentRules(RULES), at)

    def told(self, at: datetime = NOW) -> dict[str, SendOutcome]:
        self.world.store._clock = lambda: at
        return {outcome.channel: outcome for outcome in send_due(self.where(at), self.receiver, "run")}

    def states(self, at: datetime = NOW) -> dict[str, SendState]:
        return {name: outcome.state for name, outcome in self.told(at).items()}

    def rename(self) -> None:
        """Another page of the same tracker: the milestone is due later."""
        again = page("app", due=NOW.date() + timedelta(days=40))
        self.world.store.save("memory://app", again, NOW)


def over(address: str) -> AppriseChannel:
    return AppriseChannel(lambda: address)


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- once, and not at all when there is nothing to say ----------------------------------------------------------------


def test_it_is_sent_once_and_then_only_what_is_new(chat: Chat, tmp_path: Path) -> None:
    place = Place(chat=f"json://{chat.address}/hook", file=FileChannel(tmp_path / "digest.md"))
    assert place.states() == {"chat": SendState.SENT, "file": SendState.SENT}
    assert place.states() == {"chat": SendState.ALREADY_SENT, "file": SendState.ALREADY_SENT}
    assert place.states(NOW + DAY) == {"chat": SendState.QUIET, "file": SendState.QUIET}
    assert len(chat.heard) == 1
    (sent,) = chat.bodies
    assert sent["title"] == "Milestones: 1 milestone"
    assert "Release 9 (acme/app)" in sent["message"]
    assert (tmp_path / "digest.md").read_text("utf-8") == f"{sent['title']}\n\n{sent['message']}\n"
    place.rename()
    assert place.states(NOW + 2 * DAY) == {"chat": SendState.SENT, "file": SendState.SENT}
    assert "The due date moved from 29 Mar 2026 to 24 Apr 2026 (26 days later)." in chat.bodies[1]["message"]


def test_before_its_time_and_on_days_off_nothing_is_sent(chat: Chat) -> None:
    place = Place(chat=f"json://{chat.address}/hook")
    idle = Cadence(Calendar(weekend=(6, 7)), UTC)
    place.receiver = replace(place.receiver, cadence=idle)
    assert NOW.isoweekday() == 7
    assert place.states() == {"chat": SendState.NOT_DUE}
    assert place.states(NOW + DAY) == {"chat": SendState.SENT}


def test_looking_sends_and_notes_nothing(chat: Chat) -> None:
    place = Place(chat=f"json://{chat.address}/hook")
    for _ in range(2):
        (seen,) = preview(place.where(), place.receiver)
        assert (seen.state, seen.day) == (SendState.NEWS, NOW.date())
    assert chat.heard == []
    assert place.states() == {"chat": SendState.SENT}
    (seen,) = preview(place.where(), place.receiver)
    assert seen.state is SendState.QUIET


# --- channels that fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [500, 429, 403])
def test_what_was_refused_is_sent_by_the_next_run(chat: Chat, answer: int) -> None:
    chat.answers = [answer, answer]
    place = Place(chat=f"json://{chat.address}/hook")
    for _ in range(2):
        found = place.told()["chat"]
        assert (found.state, f"{answer}" in found.problem) == (SendState.REFUSED, True)
    assert place.states() == {"chat": SendState.SENT}
    assert place.states() == {"chat": SendState.ALREADY_SENT}
    assert len(chat.heard) == 1


def test_one_that_cannot_be_reached_delays_no_other_and_is_tried_again(chat: Chat) -> None:
    port = closed_port()
    place = Place(dead=f"json://127.0.0.1:{port}/hook", chat=f"json://{chat.address}/hook")
    first = place.told()
    assert {name: outcome.state for name, outcome in first.items()} == {
        "dead": SendState.REFUSED,
        "chat": SendState.SENT,
    }
    assert "cannot be reached" in first["dead"].problem
    assert place.states() == {"dead": SendState.REFUSED, "chat": SendState.ALREADY_SENT}
    place.receiver = replace(
        place.receiver, channels={**place.receiver.channels, "dead": over(f"json://{chat.address}/2")}
    )
    place.rename()
    assert place.states(NOW + DAY) == {"dead": SendState.SENT, "chat": SendState.SENT}
    bodies = {path: body["message"] for (path, _), body in zip(chat.heard, chat.bodies, strict=True)}
    assert "first message" in bodies["/2"]  # the first message of this channel
    assert "The due date moved" in bodies["/hook"]


@pytest.mark.parametrize("answer", ["lost", "slow"])
def test_what_may_have_arrived_is_never_sent_again(chat: Chat, answer: str) -> None:
    chat.answers = [answer]
    place = Place(chat=f"json://{chat.address}/hook?rto=0.1")
    found = place.told()["chat"]
    assert found.state is SendState.UNSURE
    assert "not sent again" in found.problem
    assert place.states() == {"chat": SendState.ALREADY_SENT}
    assert place.states(NOW + DAY) == {"chat": SendState.QUIET}
    assert len(chat.heard) == 1


def test_a_slow_channel_is_waited_for(chat: Chat) -> None:
    chat.answers = ["slow"]
    assert Place(chat=f"json://{chat.address}/hook").states() == {"chat": SendState.SENT}


def test_killed_between_sending_and_noting_it_is_not_sent_again(chat: Chat) -> None:
    class Killed(BaseException):
        pass

    class Dying:
        def send(self, *_: Any) -> Any:
            over(f"json://{chat.address}/hook").send(*_)
            raise Killed

    place = Place(chat=Dying())
    with pytest.raises(Killed):
        place.told()
    place.receiver = replace(place.receiver, channels={"chat": over(f"json://{chat.address}/hook")})
    assert place.states() == {"chat": SendState.ALREADY_SENT}
    assert place.states(NOW + DAY) == {"chat": SendState.QUIET}
    assert len(chat.heard) == 1


def test_a_secret_that_is_not_there_or_no_address_concerns_that_channel_only(chat: Chat) -> None:
    def missing() -> str:
        raise ValueError("the environment variable HOOK is not set")

    place = Place(
        gone=AppriseChannel(missing),
        odd="nonsense://c4naryV4lue",
        bad="not an address",
        chat=f"json://{chat.address}/h",
    )
    found = place.told()
    assert {name: outcome.state for name, outcome in found.items()} == {
        "gone": SendState.REFUSED, "odd": SendState.REFUSED, "bad": SendState.REFUSED, "chat": SendState.SENT,
    }  # fmt: skip
    assert "HOOK" in found["gone"].problem
    assert "c4nary" not in repr(found)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    found = Place(chat="json://127.0.0.1/").told()["chat"]
    assert (found.state, "pip install 'milesync[digest]" in found.problem) == (SendState.REFUSED, True)


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    place = Place(file=FileChannel(tmp_path / "in the way" / "digest.md"))
    assert place.states() == {"file": SendState.REFUSED}
    (tmp_path / "in the way").unlink()
    assert place.states() == {"file": SendState.SENT}


def test_a_file_is_for_its_owner_alone_until_a_person_says_otherwise(tmp_path: Path) -> None:
    file, before = tmp_path / "digest.md", os.umask(0)
    try:
        assert Place(file=FileChannel(file)).states() == {"file": SendState.SENT}
        assert file.stat().st_mode & 0o777 == 0o600
        file.chmod(0o644)
        assert Place(file=FileChannel(file)).states() == {"file": SendState.SENT}
        assert file.stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


# --- mail -------------------------------------------------------------------------------------------------------------


def mail(post: Post, to: str = "board@example.org") -> str:
    return f"mailto://127.0.0.1:{post.port}?from=milesync@example.org&to={to}&mode=insecure"


def test_a_mail_has_the_message_as_a_page_and_as_text(post: Post) -> None:
    place = Place(mail=mail(post))
    place.receiver = replace(place.receiver, speaker=Speaker(load_language("de"), "words"))
    assert place.states() == {"mail": SendState.SENT}
    (found,) = post.mails
    assert found["Subject"] == "Meilensteine: 1 Meilenstein"
    assert found["To"] == "board@example.org"
    page, text = (found.get_body((kind,)).get_content() for kind in ("html", "plain"))
    assert "<h3>Stand der Dinge</h3>" in page
    for part in (page, text):
        assert "Sehr wahrscheinlich bis zum 29. März 2026 fertig." in part


def test_a_mail_that_the_server_refuses_is_tried_again(post: Post) -> None:
    post.refused = {b"board@"}
    place = Place(mail=mail(post))
    assert place.states() == {"mail": SendState.REFUSED}
    post.refused.clear()
    assert place.states() == {"mail": SendState.SENT}
    assert len(post.mails) == 1


def test_a_mail_that_reached_only_some_is_not_sent_again(post: Post) -> None:
    post.refused = {b"two@"}
    place = Place(mail=mail(post, "one@example.org,two@example.org"))
    found = place.told()["mail"]
    assert (found.state, "only a part" in found.problem) == (SendState.UNSURE, True)
    post.refused.clear()
    assert place.states() == {"mail": SendState.ALREADY_SENT}
    assert [str(mail["To"]) for mail in post.mails] == ["one@example.org"]


def test_a_mail_server_that_is_not_there_is_tried_again() -> None:
    place = Place(mail=f"mailto://127.0.0.1:{closed_port()}?from=a@example.org&to=b@example.org,c@example.org")
    assert place.states() == {"mail": SendState.REFUSED}
    assert place.states() == {"mail": SendState.REFUSED}


def crowd(*hidden: Page, secret: bool = False) -> Place:
    """An audience with a digest of six milestones, two of them late, in a world with projects hidden from it."""
    place = Place()
    public = [page(name, visibility=Visibility.PUBLIC) for name in ("ada", "bob", "cy")]
    late = page("app", late=True)
    place.world = World(_secretive(late) if secret else late, _renamed(page("eve")), *public, *hidden)
    place.receiver = replace(place.receiver, audience=Audience("board", ("app:*", "eve:*")))
    return place


def _secretive(page: Page) -> Page:
    """With an open issue that counts for no audience."""
    issue = page.issues[-1]
    hidden = structs.replace(issue, id="hidden", key="acme/app#999", visibility=Visibility.CONFIDENTIAL)
    return structs.replace(page, issues=(*page.issues, hidden))


def _renamed(page: Page) -> Page:
    *rest, last = page.milestones
    return structs.replace(page, milestones=(*rest, structs.replace(last, title="../<b>Évil\u202egnp.exe</b>\r\n☃")))


def attached(mail: Any) -> dict[str, bytes]:
    return {str(attachment.get_filename()): attachment.get_content() for attachment in mail.iter_attachments()}


def test_a_mail_carries_the_burn_ups_of_the_worst_milestones_as_its_audience_may_read_them(
    post: Post, chat: Chat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = crowd(page("vault", late=True), secret=True)
    ways = {"mail": over(mail(post, "one@example.org,two@example.org")), "chat": over(f"json://{chat.address}/hook")}
    place.receiver = replace(place.receiver, channels=ways)
    found = place.told()
    assert {name: outcome.state for name, outcome in found.items()} == {"mail": SendState.SENT, "chat": SendState.SENT}
    first, second = map(attached, post.mails)
    assert first == second
    assert list(first) == ["1-release-8.png", "2-release-9.png", "3-b-evilgnp-exe-b.png"]
    for name, png in first.items():
        with Image.open(io.BytesIO(png)) as picture:
            assert (name, picture.format, picture.width > 600) == (name, "PNG", True)
    assert list(tmp_path.iterdir()) == []
    assert set(chat.bodies[0]) >= {"title", "message"}
    assert not chat.bodies[0].get("attachments")
    whole = crowd().where().portfolio(place.receiver.audience)  # without what the audience may not read
    late = {assessed.milestone.title: assessed for assessed in whole.milestones if assessed.project.id == "app"}
    assert first["1-release-8.png"] == picture_of(late["Release 8"])
    assert first["2-release-9.png"] == picture_of(late["Release 9"])


def test_a_mail_has_burn_ups_of_its_own_milestones_only(post: Post) -> None:
    place = Place(mail=mail(post))
    place.world = World(page("app"), page("bob", visibility=Visibility.PUBLIC))
    assert place.states() == {"mail": SendState.SENT}
    place.rename()
    assert place.states(NOW + DAY) == {"mail": SendState.SENT}
    assert [len(attached(mail)) for mail in post.mails] == [2, 1]


def test_a_mail_to_readers_of_words_names_no_percentages_in_its_picture(post: Post) -> None:
    sent = []
    for style in ("numbers", "words"):
        place = Place(mail=mail(post))
        place.receiver = replace(place.receiver, speaker=Speaker(load_language("en"), style))
        assert place.states() == {"mail": SendState.SENT}
        sent.append(attached(post.mails[-1])["1-release-9.png"])
        (assessed,) = place.where().portfolio(AUDIENCE).milestones[-1:]
        assert sent[-1] == picture_of(assessed, percent=style == "numbers")
    assert sent[0] != sent[1]


def test_without_what_draws_a_mail_goes_without_pictures_and_that_is_said_once(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures._can_draw.cache_clear()
    monkeypatch.setattr("sync.report.charts.can_render_png", lambda: False)
    with capture_logs() as logs:
        for _ in range(2):
            assert Place(mail=mail(post)).states() == {"mail": SendState.SENT}
    pictures._can_draw.cache_clear()
    assert [attached(mail) for mail in post.mails] == [{}, {}]
    assert ["milesync[site]" in log["reason"] for log in logs] == [True]


@pytest.mark.parametrize("trouble", ["drawing", "writing"])
def test_a_picture_that_cannot_be_made_stops_no_mail(
    post: Post, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: str
) -> None:
    def broken(*_: Any, **__: Any) -> bytes:
        raise RuntimeError("no canvas")

    if trouble == "drawing":
        monkeypatch.setattr(burnup, "render_png", broken)
    else:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    place = Place(mail=mail(post))
    with capture_logs() as logs:
        assert place.states() == {"mail": SendState.SENT}
    assert place.states() == {"mail": SendState.ALREADY_SENT}
    assert [attached(mail) for mail in post.mails] == [{}]
    assert len(logs) == 1


def test_of_missing_data_nothing_is_drawn() -> None:
    whole = Place().where().portfolio(AUDIENCE)
    assessed = whole.milestones[-1]
    stale = structs.replace(assessed, health=structs.replace(assessed.health, unknown=UnknownCause.STALE))
    assert len(pictures.render_pictures(whole, [assessed.uid])) == 1
    assert pictures.render_pictures(structs.replace(whole, milestones=(stale,)), [assessed.uid]) == []


# --- foreign text does nothing ----------------------------------------------------------------------------------------

HOSTILE = (
    "<!channel> <!here> <!subteam^S1> <@U123> &lt;!everyone&gt; <#C1> <at>ada</at>",
    "@here @channel @everyone @room @all @ada #random :smile: $x$",
    "[x](http://evil.example) <http://evil.example|y> www.evil.example evil.example",
    "![p](//evil.example/p.png) evil.example/login mailto:a@evil.example",
    "# *b* _i_ ~s~ `c` **B** __u__ ||sp|| > q <b>x</b><script>alert(1)</script> \\*",
)
SIGNS = (
    *(
        "<!",
        "&lt;!",
        "<@",
        "<#",
        "<at",
        "@here",
        "@channel",
        "@everyone",
        "@room",
        "@all",
        "@ada",
        "#random",
        ":smile:",
    ),
    *("$x$", "](", "http://evil", "www.evil", "evil.example", "mailto:", "*b*", "_i_", "~s~", "`c`", "||", "<script"),
    "<b>x",
)


@contextmanager
def as_service(monkeypatch: pytest.MonkeyPatch, chat: Chat, name: str) -> Iterator[str]:
    """An address of a service whose own host is the chat on loopback."""
    from apprise.plugins import discord, slack, telegram

    post = requests.post
    if name == "teams":  # its addresses know https only
        monkeypatch.setattr(requests, "post", lambda _, **more: post(f"http://{chat.address}/teams", **more))
    monkeypatch.setattr(slack.NotifySlack, "webhook_url", f"http://{chat.address}/slack")
    monkeypatch.setattr(discord.NotifyDiscord, "notify_url", f"http://{chat.address}/discord")
    monkeypatch.setattr(telegram.NotifyTelegram, "notify_url", f"http://{chat.address}/bot")
    yield {
        "slack": "slack://TAAAAAAAA/BBBBBBBBB/CCCCCCCCCCCCCCCCCCCCCCCC/#general",
        "discord": "discord://1111111111/AAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "telegram": "tgram://111111111:aaaaaaaaaaaaaaaaaa/11111111/",
        "mattermost": f"mmost://{chat.address}/aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "matrix": f"matrix://user:word@{chat.address}/!r:localhost?e2ee=no&discovery=no",
        "teams": "workflow://teams.example:443/WORKFLOW1/SIGNATURE1/",
        "json": f"json://{chat.address}/hook",
        "ntfy": f"ntfy://{chat.address}/topic",
    }[name]


@pytest.mark.parametrize("name", ["slack", "teams", "matrix", "discord", "telegram", "mattermost", "json", "ntfy"])
def test_foreign_text_does_nothing_in_any_service(monkeypatch: pytest.MonkeyPatch, chat: Chat, name: str) -> None:
    with as_service(monkeypatch, chat, name) as address:
        assert over(address).send(*_letter(_hostile())).delivery is Delivery.SENT
    said = str(chat.bodies)
    assert [part for part in SIGNS if part in said] == []
    assert "＠everyone ＠room" in said
    assert "evil․example" in said


def _hostile() -> list[MilestoneState]:
    return [standing(f"m{n}", health(Status.ON_TRACK), title=title) for n, title in enumerate(HOSTILE)]


def _letter(found: list[MilestoneState]) -> tuple[Any, Speaker]:
    made = changes_since(found, {}, None, THEN)
    assert made is not None
    speaker = Speaker(load_language("en"))
    return compose(made, speaker), speaker


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)


@pytest.mark.parametrize("ending", ["html", "md", "txt"])
def test_foreign_text_does_nothing_in_a_file(tmp_path: Path, ending: str) -> None:
    found = _hostile()
    assert FileChannel(tmp_path / f"d.{ending}").send(*_letter(found)).delivery is Delivery.SENT
    text = (tmp_path / f"d.{ending}").read_text("utf-8")
    if ending == "html":
        reader = _Tags()
        reader.feed(text)
        assert reader.tags <= {"html", "meta", "title", "style", "h1", "h3", "p", "b", "bdi", "br"}
    else:
        assert not set("<>[]`*_|@#~$\\") & set(text)


def test_a_long_message_keeps_the_limit_of_its_service(monkeypatch: pytest.MonkeyPatch, chat: Chat) -> None:
    many = [standing(f"m{n}", health(Status.ON_TRACK, 0.9), title=f"Milestone {n}") for n in range(300)]
    with as_service(monkeypatch, chat, "discord") as address:
        assert over(address).send(*_letter(many)).delivery is Delivery.SENT
    assert len(chat.heard) == 1
    assert "more milestones are not shown here." in str(chat.bodies)


def test_everything_arrives_in_every_language(chat: Chat) -> None:
    found, before = everything()
    made = changes_since(found, before, THEN - 3 * DAY, THEN)
    assert made is not None
    for name in ("en", "de"):
        speaker = Speaker(load_language(name))
        assert over(f"json://{chat.address}/").send(compose(made, speaker), speaker).delivery is Delivery.SENT
    assert "Möglichkeiten" in chat.bodies[1]["message"]

"""Pictures on Jira's status issues over the wire, in both dialects: attached once, ours alone, refused in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connectors.sandbox.world_data import Fault, Issue
from sync.tracker.actions import Attach, Detach
from sync.tracker.errors import RefusedError, UncertainError
from sync.tracker.observed import Attached, Files, Target
from tests.contract.jira_side import DIALECTS, Stand, stand

NAME = "milesync-burn-up-acme-0123abcd-0123456789ab.png"
PNG = b"\x89PNG\r\n\x1a\n--not a boundary\r\n\x00\xff"


class There:
    """A status issue of a served Jira."""

    def __init__(self, served: Stand) -> None:
        self.served, self.connector = served, served.connector()
        self.project = served.fill("PAY", 1)
        self.issue: Issue = self.project.issues[1]
        self.to: dict[str, Any] = {"milestone": "m", "project": str(self.project.id), "project_key": "PAY"}

    def attach(self, name: str = NAME) -> str:
        return self.connector.apply(Attach(**self.to, issue="PAY-1", name=name, content=PNG)).id

    def detach(self, file: str) -> None:
        self.connector.apply(Detach(**self.to, issue="PAY-1", file=file, name=NAME))

    def files(self, *, attaching: bool = True) -> Files:
        target = Target(**self.to, issue="PAY-1", attaching=attaching)
        found = self.connector.observe([target]).issues["m"].files
        assert found is not None
        return found


@pytest.fixture(params=DIALECTS)
def there(request: pytest.FixtureRequest) -> Iterator[There]:
    with stand(request.param) as served:
        yield There(served)


def test_a_picture_arrives_byte_for_byte_and_goes_again(there: There) -> None:
    made = there.attach()
    (file,) = there.issue.files
    assert (str(file.id), file.name, file.content) == (made, NAME, PNG)
    assert there.files().ours == (Attached(id=made, name=NAME, created_at=there.served.clock.now),)
    there.detach(made)
    there.detach(made)
    assert there.issue.files == []
    assert there.files() == Files()


def test_an_attachment_of_another_user_is_never_ours(there: There) -> None:
    eve = there.served.tracker.user("eve")
    file = there.served.tracker.attach(there.issue, NAME, b"", eve)
    assert there.files().ours == ()
    with pytest.raises(RefusedError, match="permission to delete"):
        there.detach(str(file.id))
    assert there.issue.files == [file]


@pytest.mark.parametrize("kind", ["drop", "truncate"])
def test_a_lost_answer_is_uncertain_and_the_picture_is_sent_once(there: There, kind: str) -> None:
    there.served.tracker.faults.append(Fault(kind, match="POST /rest/api", times=1))
    with pytest.raises(UncertainError):
        there.attach()
    assert len(there.served.tracker.writes) <= 1
    assert len(there.issue.files) == (1 if kind == "drop" else 0)
    assert len(there.files().ours) == len(there.issue.files)


def test_without_the_permissions_it_is_said_beforehand_and_refused(there: There) -> None:
    there.project.denied = {"CREATE_ATTACHMENTS", "DELETE_OWN_ATTACHMENTS"}
    names = "Create Attachments and Delete Own Attachments"
    assert there.files().why == f"this account lacks the permission {names} in PAY"
    with pytest.raises(RefusedError, match="HTTP 403"):
        there.attach()
    there.project.denied = set()
    assert there.files().why == ""


def test_switched_off_is_said_beforehand_and_refused_though_jira_says_that_the_issue_is_gone(there: There) -> None:
    there.served.tracker.attaching = False
    assert there.files().why == "attachments are switched off in Jira"
    with pytest.raises(RefusedError, match="HTTP 404"):
        there.attach()


def test_where_no_picture_is_asked_for_nothing_more_is_asked_of_jira(there: There) -> None:
    there.files()
    before = there.connector.requests
    there.files(attaching=False)
    plain = there.connector.requests - before
    there.files()
    assert there.connector.requests - before - plain == plain + 2


def test_the_sandbox_takes_no_form_without_the_header_against_forgery(there: There) -> None:
    api = "3" if there.served.tracker.kind == "jira-cloud" else "2"
    answer = requests.post(
        f"{there.served.tracker.url}/rest/api/{api}/issue/PAY-1/attachments",
        files={"file": ("x.png", b"x")},
        headers={"Authorization": "Bearer sandbox"},
        timeout=60,
    )
    assert (answer.status_code, there.issue.files) == (403, [])


def test_an_attachment_has_the_fields_of_jira(there: There) -> None:
    there.attach()
    api = "3" if there.served.tracker.kind == "jira-cloud" else "2"
    shown = requests.get(
        f"{there.served.tracker.url}/rest/api/{api}/issue/PAY-1",
        params={"fields": "attachment"},
        headers={"Authorization": "Bearer sandbox"},
        timeout=60,
    ).json()["fields"]["attachment"]
    (file,) = shown
    words = {"self", "id", "filename", "author", "created", "size", "mimeType", "content"}
    assert file.keys() == words
    assert (file["size"], file["mimeType"], file["filename"]) == (len(PNG), "image/png", NAME)

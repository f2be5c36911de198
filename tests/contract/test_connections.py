"""Connections to trackers: certificates, proxies and tokens; TLS cannot be bypassed."""

from __future__ import annotations

import io
import ipaddress
import ssl
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from connectors.github import sdk
from connectors.shared.http import origin_of
from sync.tracker.errors import AuthError, TrackerError, UnreachableError
from sync.tracker.protocol import Connector, Setup

KINDS = ("github", "gitlab", "jira")


class Server(ThreadingHTTPServer):
    """Answers everything with 404, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us goes away."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def do_GET(self) -> None:
        told = {name: self.headers.get(name, "") for name in ("Authorization", "JOB-TOKEN", "PRIVATE-TOKEN")}
        self.server.asked.append((self.path, " ".join(filter(None, told.values()))))
        self.send_response(404)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """A plain server."""
    made = Server()
    yield from _running(made)


@pytest.fixture
def private(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """A server whose certificate is signed by no known authority, and that certificate."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ours")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file = tmp_path / "ca.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    both = tmp_path / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    both.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    made = Server()
    made.socket = context.wrap_socket(made.socket, server_side=True)
    for server in _running(made):
        yield server, file


def _running(made: Server) -> Iterator[Server]:
    thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join(timeout=60)


def pulled(kind: str, url: str, secrets: dict[str, str] | None = None, **options: Any) -> list[TrackerError]:
    """Pull ``acme/app``, which does not exist, and return the error."""
    setup = Setup(
        name="x",
        url=url,
        secrets=secrets or {"token": "t0ken"},
        clock=lambda: datetime.now(UTC),
        sleep=lambda _: None,
        options={"dialect": "dc", **options} if kind == "jira" else options,
        concurrency=1,
        timeout=60,
    )
    connector: Connector = import_module(f"connectors.{kind}").connect(setup)
    try:
        return [problem for page in connector.pull(["acme/app"], {}) for problem in page.failed.values()]
    except TrackerError as problem:
        return [problem]
    finally:
        connector.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_of_an_unknown_authority_is_not_accepted(kind: str, private: tuple[Server, Path]) -> None:
    server, _ = private
    (problem,) = pulled(kind, f"https://127.0.0.1:{server.server_port}")
    assert isinstance(problem, UnreachableError)
    assert "certificate" in str(problem)
    assert server.asked == [], "no token was sent"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", ["option", "environment"])
def test_ones_own_authority_is_trusted(
    kind: str, by: str, private: tuple[Server, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, file = private
    options: dict[str, Any] = {"ca_file": str(file)} if by == "option" else {}
    if by == "environment":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    problems = pulled(kind, f"https://127.0.0.1:{server.server_port}", **options)
    assert problems
    assert not any(isinstance(problem, UnreachableError) for problem in problems)
    assert server.asked


@pytest.mark.parametrize("kind", KINDS)
def test_the_setting_outranks_the_environment(
    kind: str, private: tuple[Server, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, file = private
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "empty.pem"))
    pulled(kind, f"https://127.0.0.1:{server.server_port}", ca_file=str(file))
    assert server.asked


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_by_the_usual_variable(kind: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.server_port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert pulled(kind, "http://tracker.invalid")
    assert server.asked
    assert all(path.startswith("http://tracker.invalid") for path, _ in server.asked)


@pytest.mark.parametrize(
    ("kind", "secrets", "told"),
    [
        ("github", {"token": "t0ken"}, "token t0ken"),
        ("gitlab", {"token": "t0ken"}, "Bearer t0ken"),
        ("gitlab", {"job_token": "j0b"}, "j0b"),
        ("jira", {"token": "t0ken"}, "Bearer t0ken"),
        ("jira", {"token": "t0ken", "email": "me@example.org"}, "Basic bWVAZXhhbXBsZS5vcmc6dDBrZW4="),
    ],
)
def test_how_each_token_is_sent(
    kind: str, secrets: dict[str, str], told: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no other: a netrc file has no say."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    pulled(kind, f"http://127.0.0.1:{server.server_port}", secrets)
    assert {sent for _, sent in server.asked} == {told}


_TARGETS = {
    "without TLS": "http://tracker.example/elsewhere",
    "another host": "https://evil.example/elsewhere",
    "another port": "https://tracker.example:8443/elsewhere",
    "no scheme": "//evil.example/elsewhere",
}


def _app_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("target", _TARGETS)
@pytest.mark.parametrize(
    ("kind", "secrets"),
    [
        ("github", {"token": "t0ken"}),
        ("github", {"private_key": _app_key()}),
        ("gitlab", {"token": "t0ken"}),
        ("gitlab", {"job_token": "j0b"}),
        ("jira", {"token": "t0ken"}),
        ("jira", {"token": "t0ken", "email": "me@example.org"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_no_token_follows_a_redirect(
    kind: str, secrets: dict[str, str], target: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To another host or port, or without TLS; the error says to correct the address."""
    asked: list[str] = []

    def answer(_: HTTPAdapter, request: requests.PreparedRequest, **__: Any) -> requests.Response:
        asked.append(str(request.url))
        response = requests.Response()
        response.status_code, response.request, response.url = status, request, str(request.url)
        response.headers["location"], response.raw = _TARGETS[target], HTTPResponse(io.BytesIO(b""), status=status)
        return response

    monkeypatch.setattr(HTTPAdapter, "send", answer)
    options = {"app_id": 1, "installation_id": 2} if "private_key" in secrets else {}
    problems = pulled(kind, "https://tracker.example", secrets, **options)
    assert asked
    assert {origin_of(url) for url in asked} == {("https", "tracker.example", 443)}
    assert problems
    assert all("url" in str(problem) or "URL" in str(problem) for problem in problems), problems


def test_an_attribute_of_a_late_module_is_that_of_the_real_one_also_during_the_import(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = sdk._LateModule("jwt")
    monkeypatch.setitem(sys.modules, "jwt", late)  # as while PyGithub is imported
    assert late.PyJWT.__module__ == "jwt.api_jwt"
    assert sys.modules["jwt"] is not late


@pytest.mark.parametrize(
    "key", ["garbage", "-----BEGIN RSA PRIVATE KEY-----\nMIIE%%%\u00e9\n-----END RSA PRIVATE KEY-----\n"]
)
def test_an_unusable_key_of_an_app_is_named_without_a_character_of_it(key: str, server: Server) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    (problem,) = pulled("github", url, {"private_key": key}, app_id=1, installation_id=2)
    assert isinstance(problem, AuthError)
    assert "the private key of the GitHub App cannot be read" in str(problem)
    assert "%" not in str(problem)
    assert problem.__cause__ is None
    assert server.asked == []

"""The published JSON schema of the configuration, against a validator that is not ours."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from config import load, schema

CONFIG = Path(__file__).parents[2] / "config"


def test_the_example_is_valid_and_agrees_with_its_schema() -> None:
    import jsonschema  # late: slow to load, and every worker collects this file

    example = tomllib.loads((CONFIG / "example.toml").read_text(encoding="utf-8"))
    settings = load(CONFIG / "example.toml", {})
    described = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(described)
    jsonschema.validate(json.loads(json.dumps(example, default=str)), described)
    assert {name: (c.type, c.url, *c.projects) for name, c in settings.connections.items()} == {
        "gh": ("github", "http://127.0.0.1:8801", "acme/app"),
        "gl": ("gitlab", "http://127.0.0.1:8802", "acme/api"),
        "jira": ("jira", "http://127.0.0.1:8803", "PAY"),
        "cloud": ("jira", "http://127.0.0.1:8804", "WEB"),
    }
    environ = {"GITHUB_TOKEN": "s", "GITLAB_TOKEN": "s", "JIRA_TOKEN": "s", "JIRA_EMAIL": "pat@example.org"}
    assert settings.secrets(settings.connections, environ)["cloud"].keys() == {"token", "email"}

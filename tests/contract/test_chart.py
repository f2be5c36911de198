"""The Helm chart: values with a schema, templates that use nothing else, and manifests with the least rights.

Helm is not needed. Where Go is installed, its own text/template renders the chart, and the result must be the rendered
manifests that are kept: `MILESYNC_GOLDEN=1` writes them again.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.contract.command_lines import unknown_words

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "milesync"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
TEMPLATES = {path.name: path.read_text(encoding="utf-8") for path in sorted((CHART / "templates").iterdir())}
CONFIG = """\
instance = "acme"

[connections.gh]
type     = "github"
token    = { env = "GITHUB_TOKEN" }
projects = ["acme/app"]
"""
NEEDED: dict[str, Any] = {"image.repository": "registry.example.org/milesync", "config": CONFIG}
POSTGRESQL = NEEDED | {"database.urlSecret": "milesync-database"}
SHARED = POSTGRESQL | {"cron.enabled": False, "worker.enabled": True, "serve.enabled": True}
HEAD = """\
# milesync on Kubernetes without Helm: what charts/milesync makes of its default values.
#
# The database lives on the volume claim `milesync`; --first-run makes it where it is missing.
# Set: the image, and milesync.toml in the ConfigMap. The Secret `milesync` has GITHUB_TOKEN and so on:
#   kubectl create namespace milesync
#   kubectl create secret generic --namespace=milesync milesync --from-env-file=tokens.env
#   kubectl apply --namespace=milesync --filename=kubernetes.yaml
"""
RENDERED = {
    ROOT / "cron" / "kubernetes.yaml": (NEEDED, HEAD),
    ROOT / "tests" / "golden" / "chart" / "postgresql.yaml": (POSTGRESQL | {"database.create": False}, ""),
    ROOT / "tests" / "golden" / "chart" / "shared.yaml": (SHARED | {"image.pullSecrets": [{"name": "registry"}]}, ""),
}


def changed(changes: dict[str, Any]) -> Any:
    """Return the values with some of them replaced, by their dotted names."""
    values = copy.deepcopy(VALUES)
    for name, value in changes.items():
        *parents, last = name.split(".")
        place = values
        for parent in parents:
            place = place[parent]
        place[last] = value
    return values


def errors(values: Any) -> list[Any]:
    """Return what the schema finds wrong with the values."""
    import jsonschema  # late: slow to load, and every worker collects this file

    return list(jsonschema.Draft7Validator(SCHEMA).iter_errors(values))


def leaves(schema: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the schema of each value."""
    properties = schema.get("properties", {})
    if not name or ("additionalProperties" in schema and properties and name != "resources"):
        for key, inner in properties.items():
            yield from leaves(inner, f"{name}.{key}" if name else key)
    else:
        yield name, schema


LEAVES = {name: schema for name, schema in leaves(SCHEMA) if name != "global"}


# --- values and schema ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [NEEDED, POSTGRESQL, SHARED], ids=["cron", "postgresql", "shared"])
def test_good_values_fit_the_schema(changes: dict[str, Any]) -> None:
    assert errors(changed(changes)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        NEEDED | {"config": ""},
        NEEDED | {"image.repository": ""},
        NEEDED | {"image.tags": "1"},
        NEEDED | {"cron.schedule": "hourly"},
        NEEDED | {"database.storage": "much"},
        NEEDED | {"database.create": "yes"},
        NEEDED | {"worker.enabled": True, "cron.enabled": False},
        NEEDED | {"serve.enabled": True},
        SHARED | {"cron.enabled": True},
        SHARED | {"worker.replicas": 0},
        NEEDED | {"image.pullSecrets": ["registry"]},
        NEEDED | {"surplus": 1},
    ],
    ids=str,
)
def test_bad_values_do_not(changes: dict[str, Any]) -> None:
    assert errors(changed(changes))


def test_each_value_has_a_default_a_schema_a_use_and_a_line_in_the_readme() -> None:
    defaults = set()
    for name in LEAVES:
        place = VALUES
        for key in name.split("."):
            place = place[key]
        defaults.add(name)
    used = set(re.findall(r"\.Values\.([\w.]+)", "".join(TEMPLATES.values())))
    rows = re.findall(r"^\| `([\w.]+)` \| (.*) \| (.*) \|$", (CHART / "README.md").read_text("utf-8"), re.MULTILINE)
    assert defaults == set(LEAVES) == used
    assert {name: text for name, text, _ in rows} == {name: row["description"] for name, row in LEAVES.items()}
    assert VALUES.keys() == {name.split(".")[0] for name in LEAVES}


def test_a_template_uses_no_function_that_the_renderer_lacks_and_no_value_in_a_loop() -> None:
    known = {"include", "define", "end", "if", "else", "with", "not", "eq", "default", "trunc", "trimSuffix", "quote"}
    known |= {"sha256sum", "list", "dict", "nindent", "toJson"}
    for name, text in TEMPLATES.items():
        for action in re.findall(r"\{\{-?\s*(.*?)\s*-?\}\}", re.sub(r"\{\{/\*.*?\*/\}\}", "", text)):
            plain = re.sub(r'"[^"]*"|[.$][\w.]*', "", action)
            assert set(re.findall(r"[A-Za-z]\w*", plain)) <= known, f"{name}: {action}"


def test_each_name_of_a_release_is_quoted() -> None:
    """Unquoted, releases with the names 123, 1e3, true and null would be numbers, a truth value and nothing."""
    used = [line.strip() for text in TEMPLATES.values() for line in text.splitlines() if ": {{ " in line]
    named = [line for line in used if "Release.Name" in line or '"milesync.name"' in line]
    assert len(named) >= 9
    assert [line for line in named if not line.endswith(("| quote }}", "}}-serve", "}}-worker"))] == []


def test_the_chart_has_the_version_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    assert chart["appVersion"] == version[1]
    assert chart["apiVersion"] == "v2"


# --- rendering ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that renders a chart, built from its source."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed: apt-get install golang-go")
    program = tmp_path_factory.mktemp("renderer") / "render"
    environ = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(program.with_name("cache"))}
    source = Path(__file__).with_name("chart_renderer.go")
    subprocess.run([go, "build", "-o", program, source], check=True, env=environ)
    return program


def render(renderer: Path, changes: dict[str, Any], release: str = "milesync") -> str:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    root = {
        "Values": changed(changes),
        "Release": {"Name": release, "Service": "Helm"},
        "Chart": {"AppVersion": chart["appVersion"]},
    }
    done = subprocess.run([renderer, CHART], input=json.dumps(root), capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.name)
def test_the_kept_manifests_are_those_of_the_chart(renderer: Path, path: Path) -> None:
    changes, head = RENDERED[path]
    text = head + render(renderer, changes)
    if os.environ.get("MILESYNC_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_odd_values_stay_values(renderer: Path) -> None:
    odd = 'title = """\n--- # : {{ }} "quoted" \\ ä\n"""\n'
    changes = NEEDED | {"config": odd, "tokensSecret": "a: b", "database.urlSecret": "x # y", "cron.timeZone": "no"}
    found = {document["kind"]: document for document in yaml.safe_load_all(render(renderer, changes, "r" * 53))}
    assert found["ConfigMap"]["data"]["milesync.toml"] == odd
    spec = found["CronJob"]["spec"]
    assert spec["timeZone"] == "no"
    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "a: b"}}]
    assert container["env"][0]["valueFrom"]["secretKeyRef"]["name"] == "x # y"
    assert len(found["CronJob"]["metadata"]["name"]) <= 52


@pytest.mark.parametrize("release", ["123", "1e3", "0x1f", "true", "null", "2026-11-30"])
def test_a_release_may_have_any_name(renderer: Path, release: str) -> None:
    documents = list(yaml.safe_load_all(render(renderer, NEEDED, release)))
    assert {document["metadata"]["name"] for document in documents} == {release}
    assert {document["metadata"]["labels"]["app.kubernetes.io/instance"] for document in documents} == {release}
    assert {type(document["metadata"]["name"]) for document in documents} == {str}


# --- the manifests --------------------------------------------------------------------------------------------------


@cache
def manifests(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def pods() -> Iterator[tuple[str, Any, Any]]:
    """Yield the kind and component, the pod and the container of each manifest with pods."""
    for path in RENDERED:
        for manifest in manifests(path):
            spec = manifest.get("spec", {})
            template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
            if template:
                (container,) = template["spec"]["containers"]
                yield template["metadata"]["labels"]["app.kubernetes.io/component"], template["spec"], container


def test_pods_run_with_the_least_rights_and_the_programs_own_words() -> None:
    found = list(pods())
    assert [component for component, _, _ in found] == ["cron", "cron", "serve", "worker"]
    for component, pod, container in found:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not container["image"].endswith((":latest", ":"))
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
        assert unknown_words(container["args"]) == []
        assert container["args"][0] == ("run" if component == "cron" else component)
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        (database,) = container["env"]
        assert database["name"] == "MILESYNC_DATABASE"
        assert ("/data" in mounted) == (database.get("value") == "sqlite:////data/milesync.db")


def test_one_run_at_a_time_and_the_port_for_health_is_private() -> None:
    default, postgresql, shared = (
        {(row["kind"], row["metadata"]["name"]): row for row in manifests(path)} for path in RENDERED
    )
    assert default["CronJob", "milesync"]["spec"]["concurrencyPolicy"] == "Forbid"
    claim = default["PersistentVolumeClaim", "milesync"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert not any(kind == "PersistentVolumeClaim" for kind, _ in (*postgresql, *shared))
    (container,) = postgresql["CronJob", "milesync"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert "--first-run" not in container["args"]
    serve, service = shared["Deployment", "milesync-serve"]["spec"], shared["Service", "milesync-serve"]["spec"]
    assert service["selector"].items() <= serve["template"]["metadata"]["labels"].items()
    assert serve["selector"]["matchLabels"].items() <= serve["template"]["metadata"]["labels"].items()
    assert [port["targetPort"] for port in service["ports"]] == ["hooks"]
    worker = shared["Deployment", "milesync-worker"]["spec"]["template"]
    assert worker["spec"]["terminationGracePeriodSeconds"] >= 60
    assert worker["metadata"]["annotations"]["checksum/config"]
    assert worker["spec"]["imagePullSecrets"] == [{"name": "registry"}]


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.name)
def test_kubernetes_knows_each_field(path: Path) -> None:
    for manifest in manifests(path):
        kubernetes_validate.validate(manifest, "1.31", strict=True)

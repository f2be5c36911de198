"""Rules of the code base: import contracts, unique class names, short functions, plain English."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("sync", "connectors", "config")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def sources(*more: str) -> dict[str, ast.Module]:
    """Parse every module of the program, and of more folders, by its path from the root."""
    paths = [path for package in (*PACKAGES, *more) for path in sorted((ROOT / package).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text("utf-8")) for path in paths}


def functions() -> Iterator[tuple[str, Function]]:
    """Yield every function with its path and line, except those of migrations."""
    for path, tree in sources().items():
        if "/migrations/" not in path:
            for node in ast.walk(tree):
                if isinstance(node, Function):
                    yield f"{path}:{node.lineno} {node.name}", node


# --- one home for each name ------------------------------------------------------------------------------------------

NAME_THEIR_PUBLIC_TYPES = {"sync.model", "sync.tracker", "sync.store", "config", "connectors.testing"}
NAME_THEIR_PUBLIC_TYPES |= {"connectors.github", "connectors.gitlab", "connectors.jira"}


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def defined_names(tree: ast.Module) -> set[str]:
    """Names that a module defines itself, at its top level."""
    names = {node.name for node in tree.body if isinstance(node, Function | ast.ClassDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            names |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return names


def test_a_name_is_imported_from_the_module_that_defines_it() -> None:
    modules = {module_name(path): defined_names(tree) for path, tree in sources().items()}
    wrong = [
        f"{path}:{node.lineno} {node.module}.{alias.name}"
        for path, tree in sources("tests").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in modules and node.module not in NAME_THEIR_PUBLIC_TYPES
        for alias in node.names
        if alias.name not in modules[node.module] and f"{node.module}.{alias.name}" not in modules
    ]
    assert wrong == []


def test_the_day_of_a_moment_comes_from_one_function() -> None:
    """`sync.model.dates.day_of`, which needs a zone: a day in UTC is wrong for most readers. The double is apart."""
    wrong = [
        f"{path}:{node.lineno}"
        for path, tree in sources().items()
        if path != "sync/model/dates.py" and "/sandbox/" not in path
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and re.search(r"\.astimezone\(.*\)\.date\(\)$", ast.unparse(node))
    ]
    assert wrong == []


DECODING = re.compile(r"^(json\.loads?|msgspec\.json\.(decode|Decoder)|decoder)$|\.json$")
DECODES = {
    "connectors/shared/responses.py",  # every answer of a tracker
    "connectors/shared/webhooks.py",  # bodies of webhooks
}


def test_answers_of_trackers_are_decoded_in_one_place() -> None:
    """`connectors.shared.responses`: its errors are typed, name connection, project, item and field, and no value."""
    wrong = [
        f"{path}:{node.lineno} {ast.unparse(node.func)}"
        for path, tree in sources().items()
        if path.startswith("connectors/") and path not in DECODES
        if "/sandbox/" not in path and "/testing/" not in path and not path.endswith("/fake_tracker.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and DECODING.search(ast.unparse(node.func))
    ]
    assert wrong == []


WRITES_TO_STREAMS = {"print", "echo", "secho"}
OUTPUT = {
    "sync/cli/__init__.py": "the version",
    "sync/cli/options.py": "the JSON document, with escapes",
    "sync/cli/timeline.py": "Mermaid, from which all signs are removed",
    "sync/cli/reference.py": "a page of our own words",
}
"""Modules that write to standard output without the console, which removes escape sequences of foreign text."""


def test_foreign_text_reaches_a_terminal_through_the_console_only() -> None:
    found = {
        path
        for path, tree in sources().items()
        if path.startswith("sync/") and path not in ("sync/cli/streams.py", "sync/cli/terminal.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in {"print", "Console"})
            or (
                isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "typer"
                and node.func.attr in WRITES_TO_STREAMS
            )
            or re.match(r"sys\.std(out|err)\.write", ast.unparse(node.func))
        )
    }
    assert found <= OUTPUT.keys()
    assert found, "the rule finds nothing: is it out of date?"


FILES = {
    "sync/store/private_file.py": "for its owner alone",
    "sync/site/build.py": "pages; the folder is for its owner alone",
    "sync/cli/dialogue.py": "the configuration, which holds no secret",
    "sync/cli/connector_package.py": "the example connector under another name",
    "sync/digest/channels.py": "pictures in a temporary folder; messages by `write_private`",
    "sync/cli/streams.py": "the null device",
}
"""Modules that write files without `sync.store.private_file`, and why."""


def test_files_with_titles_are_for_their_owner_alone() -> None:
    found = {
        path
        for path, tree in sources().items()
        if path.startswith("sync/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr in {"write_text", "write_bytes"})
            or (
                ast.unparse(node.func).endswith("open")
                and any(isinstance(a, ast.Constant) and str(a.value).strip("b+t") in {"w", "x", "a"} for a in node.args)
            )
        )
    }
    assert found <= FILES.keys()
    assert "sync/site/build.py" in found, "the rule finds nothing: is it out of date?"


def test_the_sdks_send_requests_and_page_through_no_list() -> None:
    """Their iterators have no end of their own, and raise their own errors."""
    wrong = [
        f"{path}:{node.lineno} {ast.unparse(node.func)}"
        for path, tree in sources().items()
        if path.startswith(("connectors/github/", "connectors/gitlab/", "connectors/jira/"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and re.search(
            r"\.(get_repo|get_issues?|get_milestones?|list|http_list|search_issues|enhanced_search_issues|_get_json)$",
            ast.unparse(node.func),
        )
    ]
    assert wrong == []


# --- import contracts ------------------------------------------------------------------------------------------------

PLANTED = {
    "connectors/shared/concurrency.py": "import sync.report.facts",
    "sync/telemetry/log.py": "import sync.digest.message",
    "sync/plan/reconcile.py": "import time\nimport sync.store.store",
    "connectors/shared/webhooks.py": "import config.settings",
    "sync/engine/result.py": "import config.settings",
    "sync/unplaced/__init__.py": "",
}


@pytest.fixture(scope="module")
def violations(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of import-linter on a copy of the tree with forbidden imports."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / ".importlinter", copy)
    for package in PACKAGES:
        only_code = shutil.ignore_patterns("__pycache__", "locale", "templates", "*.json", "*.graphql", "*.toml")
        shutil.copytree(ROOT / package, copy / package, ignore=only_code)
    for path, lines in PLANTED.items():
        (copy / path).parent.mkdir(exist_ok=True)
        with (copy / path).open("a", encoding="utf-8") as file:
            file.write(f"\n{lines}\n")
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([linter, "--no-cache", "--no-logo"], cwd=copy, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    return " ".join(run.stdout.split())


@pytest.mark.parametrize(
    "violation",
    [
        "connectors is not allowed to import sync.report: - connectors.shared.concurrency -> sync.report.facts",
        "sync.telemetry is not allowed to import sync.digest: - sync.telemetry.log -> sync.digest.message",
        "sync.plan is not allowed to import time: - sync.plan.reconcile -> time",
        "sync.plan is not allowed to import sync.store: - sync.plan.reconcile -> sync.store.store",
        "connectors is not allowed to import config: - connectors.shared.webhooks -> config.settings",
        "sync.engine is not allowed to import config: - sync.engine.result -> config.settings",
        "modules are not listed as layers: - sync.unplaced (",
    ],
)
def test_an_import_contract_catches(violations: str, violation: str) -> None:
    assert violation in violations


def test_private_functions_are_used_in_their_module() -> None:
    unused = []
    for path, tree in sources().items():
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        private = [node for node in tree.body if isinstance(node, Function) and node.name.startswith("_")]
        unused += [
            f"{path}:{node.lineno} {node.name}"
            for node in private
            if node.name not in used and not node.decorator_list and not node.name.startswith("__")
        ]
    assert unused == []


# --- names and sizes -------------------------------------------------------------------------------------------------


def test_class_names_are_unique_in_the_core() -> None:
    paths = defaultdict(list)
    for path, tree in sources().items():
        if path.startswith("sync/"):
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    paths[node.name].append(path)
    assert {name: found for name, found in paths.items() if len(found) > 1} == {}


def test_functions_have_at_most_60_lines() -> None:
    """Tables of routes may be longer."""
    long = [where for where, node in functions() if (node.end_lineno or 0) - node.lineno >= 60]
    assert [where for where in long if not where.endswith(" routes")] == []


def test_functions_have_at_most_7_parameters() -> None:
    """A command's parameters are its options, so a command may have more: the function with the name of its file."""
    found = {}
    for where, node in functions():
        if where.startswith("sync/cli/") and Path(where.partition(":")[0]).stem == node.name:
            continue
        names = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        if len(names) - (names[:1] in (["self"], ["cls"])) > 7:
            found[where] = len(names)
    assert found == {}


# --- plain English ---------------------------------------------------------------------------------------------------

FIRST_WORDS = frozenset({"what", "when", "whether", "where", "how", "whose", "that", "of", "which", "who", "why"})
"""Words that begin a question or a clause. A docstring begins with an imperative verb or a noun."""

ARCHAIC = re.compile(
    r"\b(anew|afresh|whoever|whatever|wherever|nobody|for want of|hither|lest|ere|thereof|whence|hence|upon|beside"
    r"|no longer|told|tells?|telling|heard|hears?|buried|bury|buries|taken? away|takes away|taking away"
    r"|stands?|stood|standing|shelf|shelves)\b",
    re.IGNORECASE,
)
"""Words without a plain meaning for a reader who is no native speaker: delete, report, exist, again, next to."""


def documented(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield every docstring of a module, with the line of what it documents."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and (text := ast.get_docstring(node)):
            yield getattr(node, "lineno", 1), text


def comments(path: str) -> Iterator[tuple[int, str]]:
    """Yield every comment of a file, with its line."""
    text = (ROOT / path).read_text("utf-8")
    if any("#" in line and ARCHAIC.search(line) for line in text.splitlines()):  # tokenizing is slow
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def names_one(node: ast.AST) -> bool:
    """Return whether a loop, a comprehension or a parameter calls its variable ``one``."""
    if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        return any(isinstance(name, ast.Name) and name.id == "one" for name in ast.walk(node.target))
    return isinstance(node, ast.arg) and node.arg == "one"


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    assert [
        f"{path}:{line}: {text.splitlines()[0]}"
        for path, tree in sources("tests").items()
        for line, text in documented(tree)
        if (first := re.match(r"\W*(\w+)", text)) and first[1].lower() in FIRST_WORDS
    ] == []


def test_docstrings_and_comments_use_modern_words() -> None:
    assert [
        f"{path}:{line}: {word[0]}"
        for path, tree in sources("tests").items()
        for line, text in (*documented(tree), *comments(path))
        for word in ARCHAIC.finditer(text)
    ] == []


def test_loop_variables_name_the_member_of_the_collection() -> None:
    assert [
        f"{path}:{getattr(node, 'lineno', 0)}"
        for path, tree in sources("tests").items()
        for node in ast.walk(tree)
        if names_one(node)
    ] == []


# --- start of a test file --------------------------------------------------------------------------------------------


def test_hypothesis_is_imported_in_two_folders_only() -> None:
    """Its import takes a third of a second, which every other file saves."""
    allowed = ("tests/property/", "tests/fault/", "tests/hypothesis_profiles.py")
    found = {
        path
        for path, tree in sources("tests").items()
        for node in tree.body
        if (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "hypothesis")
        or (isinstance(node, ast.Import) and any(name.name.partition(".")[0] == "hypothesis" for name in node.names))
    }
    assert {path for path in found if not path.startswith(allowed)} == set()


# --- days and statuses ----------------------------------------------------------------------------------------------

SURFACES = ("sync/report", "sync/digest", "sync/site", "sync/cli")
OWN_DAYS = {
    "sync/digest/changes.py": "days of the audience: the moments are given in the zone of its digest",
    "sync/digest/message.py": "days of the audience: the moments are given in the zone of its digest",
    "sync/cli/after_run.py": "days in UTC on which the store is pruned, which nothing shows",
}


def test_surfaces_take_the_day_of_a_moment_in_a_zone() -> None:
    """`day_of` needs a zone; ``moment.date()`` is the day in UTC, which is another one for most readers."""
    found = {
        path
        for path, tree in sources().items()
        if path.startswith(SURFACES)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "date"
    }
    assert found == set(OWN_DAYS)
    templates = [path for path in (ROOT / "sync").rglob("*.j2") if ".date()" in path.read_text("utf-8")]
    assert templates == []


def test_one_module_orders_and_draws_statuses() -> None:
    """Orders, shapes and colours of statuses are mappings or tuples of most statuses."""
    found = {
        path
        for path, tree in sources().items()
        if path.startswith(SURFACES)
        for node in ast.walk(tree)
        if isinstance(node, ast.Tuple | ast.List | ast.Dict)
        and sum(isinstance(name, ast.Name) and name.id == "Status" for name in ast.walk(node)) > 5
    }
    assert found == {"sync/report/verdict_facts.py", "sync/report/phrases.py", "sync/cli/output.py"}


# --- kinds of containers ----------------------------------------------------------------------------------------------

KINDS = [path for path in sources() if re.fullmatch(r"connectors/\w+/containers/(?!__init__|kind)\w+\.py", path)]


@pytest.mark.parametrize("path", KINDS)
def test_a_kind_of_container_is_one_small_file(path: str) -> None:
    """One class of `connectors.shared.containers.ContainerKind`, in at most 150 lines (the aim is 120)."""
    kinds = [
        f"connectors.{node.name}"
        for node in sources()[path].body
        if isinstance(node, ast.ClassDef) and any("Container" in ast.unparse(base) for base in node.bases)
    ]
    assert len(kinds) == 1
    assert len((ROOT / path).read_text("utf-8").splitlines()) <= 150


# --- tests -----------------------------------------------------------------------------------------------------------


def test_every_test_file_is_in_a_folder_that_is_run() -> None:
    folders = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]["testpaths"]
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    assert files
    assert not [file for file in files if not any(file.startswith(f"{folder}/") for folder in folders)]

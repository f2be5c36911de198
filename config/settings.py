"""The whole of `milesync.toml`: read it and check it."""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config import validators
from config.audience_tables import Audience
from config.connector_options import lists_of_options, option_errors
from config.encoding import read_text
from config.errors import ConfigurationError, key, lines
from config.renamed_keys import rename_keys
from config.secret import Secret, Text, UnreadableError, header_problem, redact_from_now_on
from config.state_names import ambiguous_names, state_rules
from config.tables import (
    NAME,
    ConnectionSettings,
    Dependency,
    Joint,
    KnownCalendarRules,
    Metrics,
    Milestone,
    Ping,
    ProjectRules,
    Report,
    Serve,
    Traces,
    Worker,
)
from sync.model.counting import Counting
from sync.model.item_state import StateNames, StateRules
from sync.model.policy import Limits, OptionalOutputs, Policy
from sync.model.settings import CalendarRules, ReminderRules, Retention, Thresholds

__all__ = ["SECRETS", "Settings", "load", "schema"]


SECRETS = ("token", "email", "private_key", "job_token")

SHORTEST_WEBHOOK_SECRET = 16
"""Characters of a webhook secret. A shorter one can be found from one signed request."""


def _database(value: str | Secret) -> str | Secret:
    return validators.database(value) if isinstance(value, str) else value


class Settings(BaseSettings):
    """The whole of `milesync.toml`. Only `load` reads the file and the environment."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, title="milesync.toml")

    instance: str = Field(
        pattern=NAME,
        max_length=40,
        description="name of this installation, part of every marker, for example the team's; after a change "
        "`milesync adopt` must rename its texts",
    )
    policy: Policy = Field(default=Policy.PLAN, description="what `run` may write; connections and projects may differ")
    database: Annotated[Text, AfterValidator(_database)] = Field(
        default="sqlite:///milesync.db", validate_default=True, description="sqlite:///FILE or postgresql://HOST/NAME"
    )
    connections: Annotated[
        dict[str, ConnectionSettings], Field(min_length=1), AfterValidator(validators.connection_names)
    ] = Field(description="the trackers, by your names")
    milestone: tuple[Milestone, ...] = Field(default=(), description="settings of single milestones")
    joint: tuple[Joint, ...] = Field(default=(), description="joint milestones: one commitment in several trackers")
    dependency: tuple[Dependency, ...] = Field(default=(), description="milestones that wait for another one")
    audiences: Annotated[dict[str, Audience], AfterValidator(validators.audience_names)] = Field(
        default={}, description="roles with reports and digests of their own, by your names"
    )
    label_prefix: str = Field(
        default="health",
        pattern=NAME,
        max_length=30,
        description="start of the status labels: health/on-track, on GitLab health::on-track",
    )
    rules: Thresholds = Field(default=Thresholds(), description="from probability to status")
    calendar: KnownCalendarRules = Field(default=CalendarRules(), description="days without work")
    people: ReminderRules = Field(default=ReminderRules(), description="reminders, mentions, overcommitted people")
    limits: Limits = Field(default=Limits(), description="the most that one run may write")
    retention: Retention = Field(default=Retention(), description="how long the past is kept")
    report: Report = Field(default=Report.model_construct(), description="static site, rendered by each run")
    metrics: Metrics = Field(default=Metrics.model_construct(), description="figures of the last run, for Prometheus")
    ping: Ping = Field(default=Ping.model_construct(), description="an address that is fetched after each good run")

    serve: Serve = Field(default=Serve.model_construct(), description="receiver of webhooks")
    traces: Traces = Field(
        default=Traces.model_construct(), description="time of each step of a run, for OpenTelemetry"
    )
    worker: Worker = Field(default=Worker.model_construct(), description="work shared by several processes")

    _warnings: tuple[str, ...] = PrivateAttr(default=())
    _file: Path = PrivateAttr(default=Path("milesync.toml"))
    _ceilings: Mapping[str, Policy] = PrivateAttr(default={})

    @classmethod
    def settings_customise_sources(  # noqa: D102 - only `load` decides about file and variables
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the file, one line each: ``file:key: what to change``."""
        return self._warnings

    def read_from(self, file: Path, ceilings: Mapping[str, Policy], warnings: Iterable[str] = ()) -> Self:
        """Note the file that these settings come from. Its folder is the base of every relative path.

        No policy goes above ``ceilings``, by connection; the key "" is for all connections.
        """
        self._file, self._ceilings, self._warnings = file, ceilings, tuple(warnings)
        return self

    def policy_for(self, connection: str, project: str = "") -> Policy:
        """The policy of a project, else of its connection, else of the file. The environment can lower it."""
        return self._policy_and_setting(connection, project)[0]

    def policy_setting(self, connection: str, project: str = "") -> str:
        """The setting that `policy_for` takes the policy from: a key of the file, or an environment variable."""
        return self._policy_and_setting(connection, project)[1]

    def _policy_and_setting(self, connection: str, project: str) -> tuple[Policy, str]:
        table = self.connections[connection]
        policy, setting = self.policy, "policy"
        if table.policy is not None:
            policy, setting = table.policy, key(("connections", connection, "policy"))
        rules = self._project_rules(table, project)
        if rules is not None and rules.policy is not None:
            name = next(name for name, own in table.project.items() if own is rules)
            policy, setting = rules.policy, key(("connections", connection, "project", name, "policy"))
        ceilings = (
            (self._ceilings.get(name, Policy.CREATE), validators.policy_variable(name)) for name in ("", connection)
        )
        order = list(Policy)
        return min(((policy, setting), *ceilings), key=lambda entry: order.index(entry[0]))

    def overall_policy(self) -> Policy:
        """The policy of the file, for what concerns no single connection. The environment can lower it."""
        return min((self.policy, self._ceilings.get("", Policy.CREATE)), key=list(Policy).index)

    def admits(self, connection: str, project: str, title: str) -> bool:
        """Return True if the filters of the connection and of the project both select a milestone of this title."""
        table = self.connections[connection]
        rules = self._project_rules(table, project)
        narrower = rules.milestones if rules else None
        return table.milestones.admits(title) and (narrower is None or narrower.admits(title))

    def optional_outputs_of(self, connection: str, project: str) -> OptionalOutputs:
        """The optional outputs of a project, else of its connection."""
        table = self.connections[connection]
        rules = self._project_rules(table, project)
        return (rules.optional_outputs if rules else None) or table.optional_outputs

    def count_of(self, connection: str, project: str) -> Counting | None:
        """The work that counts in a project's milestones, else in its connection's; None: as on the tracker's page."""
        table = self.connections[connection]
        rules = self._project_rules(table, project)
        return (rules.count if rules else None) or table.count

    def counts_changes(self, connection: str) -> bool:
        """Return False if every project of a connection is set to count issues only."""
        table = self.connections[connection]
        named = [table.count, *(rules.count for rules in table.project.values() if rules.count is not None)]
        return any(count is not Counting.ISSUES for count in named)

    def optional_output_names(self, connection: str) -> set[str]:
        """The names of the optional outputs that any project of a connection has switched on."""
        table = self.connections[connection]
        projects = [rules.optional_outputs for rules in table.project.values() if rules.optional_outputs]
        return {name for outputs in (table.optional_outputs, *projects) for name, on in asdict(outputs).items() if on}

    def tolerance_for(self, connection: str) -> float:
        """Share of a milestone that may be open when it counts as done, of the connection, else of the file."""
        own = self.connections[connection].tolerance
        return self.rules.tolerance if own is None else own

    def state_rules_for(self, connection: str, project: str) -> StateRules:
        """The rules for the state of the items of a project."""
        table = self.connections[connection]
        return state_rules(table, self._project_rules(table, project))

    def recorded_names(self, connection: str) -> StateNames:
        """The states and labels (folded) whose past counts in any project of a connection."""
        table = self.connections[connection]
        names = [state_rules(table, project).recorded for project in (None, *table.project.values())]
        return StateNames(
            states=frozenset().union(*(own.states for own in names)),
            labels=frozenset().union(*(own.labels for own in names)),
        )

    def database_url(self, environ: Mapping[str, str]) -> SecretStr:
        """The URL of the database, which may hold a password. The path of a SQLite file becomes absolute.

        Raises `ConfigurationError`.
        """
        url = self._read_secrets([(("database",), self.database)], environ)[0].get_secret_value()
        try:
            validators.database(url, secret=isinstance(self.database, Secret))
        except ValueError as error:
            raise ConfigurationError([f"{self._file}:database: {error}"]) from None
        if url.startswith("sqlite:///") and url != "sqlite:///:memory:":
            url = f"sqlite:///{(self._file.parent / url.removeprefix('sqlite:///')).absolute()}"
            if "?" in url:
                raise ConfigurationError(
                    [f"{self._file}:database: the path of a SQLite file may not hold a question mark"]
                )
        return SecretStr(url)

    def ca_file(self, connection: str) -> Path | None:
        """Absolute path of the certificates that a connection trusts; None: the default ones.

        Raises `ConfigurationError` if the file is missing.
        """
        configured = self.connections[connection].ca_file
        if configured is None:
            return None
        path = (self._file.parent / configured).absolute()
        if not path.is_file():
            raise ConfigurationError([f"{self._file}:connections.{connection}.ca_file: there is no such file"])
        return path

    def textfile(self) -> Path | None:
        """Path of the file with metrics for Prometheus; None: no metrics are written."""
        return self._file.parent / self.metrics.textfile if self.metrics.textfile else None

    def report_folder(self) -> Path | None:
        """Folder in which each run writes the report; None: no report."""
        return self._file.parent / self.report.out if self.report.out else None

    def digest_file(self, audience: str, day: date) -> Path | None:
        """Path of the file for an audience's digest of a day; None: no file."""
        digest = self.audiences[audience].digest
        return self._file.parent / digest.file.replace("{day}", day.isoformat()) if digest and digest.file else None

    def channel(self, audience: str, name: str, environ: Mapping[str, str]) -> SecretStr:
        """Read the address of an audience's channel. Raises `ConfigurationError`."""
        digest = self.audiences[audience].digest
        assert digest is not None
        where = ("audiences", audience, "digest", "channels", name)
        return self._read_secrets([(where, digest.channels[name])], environ)[0]

    def ping_url(self, environ: Mapping[str, str]) -> SecretStr | None:
        """Read the address to fetch after a good run; None: no ping. Raises `ConfigurationError`."""
        if self.ping.url is None:
            return None
        (url,) = self._read_secrets([(("ping", "url"), self.ping.url)], environ)
        try:
            validators.ping(url.get_secret_value())
        except ValueError as error:
            raise ConfigurationError([f"{self._file}:ping.url: {error}"]) from None
        return url

    def secrets(self, names: Iterable[str], environ: Mapping[str, str]) -> dict[str, dict[str, SecretStr]]:
        """Read the credentials (`SECRETS`) of these connections, each by its key.

        Raises one `ConfigurationError` with every secret that is missing or that no request can carry.
        """
        places = [
            (("connections", name, field), value)
            for name in names
            for field in SECRETS
            if (value := getattr(self.connections[name], field)) is not None
        ]
        credentials: dict[str, dict[str, SecretStr]] = {}
        for (where, _), secret in zip(places, self._read_secrets(places, environ), strict=True):
            credentials.setdefault(where[1], {})[where[2]] = secret
        errors = [
            f"{self._file}:connections.{name}.{field}: {problem}"
            for name, own in credentials.items()
            for field, secret in own.items()
            if field != "private_key" and (problem := header_problem(secret.get_secret_value()))
        ]
        if errors:
            raise ConfigurationError(errors)
        return credentials

    def webhook_secrets(self, environ: Mapping[str, str]) -> dict[str, SecretStr]:
        """Read the webhook secrets of the connections that have one.

        Raises `ConfigurationError`, also for a secret that is too short.
        """
        places = [
            (("connections", name, "webhook_secret"), connection.webhook_secret)
            for name, connection in self.connections.items()
            if connection.webhook_secret is not None
        ]
        secrets = self._read_secrets(places, environ)
        errors = [
            f"{self._file}:{key(where)}: the secret has fewer than {SHORTEST_WEBHOOK_SECRET} characters, so its"
            " signatures can be guessed; make a longer one, for example with `openssl rand -hex 32`"
            for (where, _), secret in zip(places, secrets, strict=True)
            if len(secret.get_secret_value()) < SHORTEST_WEBHOOK_SECRET
        ]
        if errors:
            raise ConfigurationError(errors)
        return {where[1]: secret for (where, _), secret in zip(places, secrets, strict=True)}

    def _read_secrets(
        self, places: Sequence[tuple[tuple[str, ...], str | Secret]], environ: Mapping[str, str]
    ) -> list[SecretStr]:
        secrets, errors = [], []
        for where, value in places:
            try:
                secrets.append(SecretStr(value) if isinstance(value, str) else value.read(environ, self._file.parent))
            except UnreadableError as error:
                errors.append(f"{self._file}:{key(where)}: {error}")
                continue
            redact_from_now_on(where, secrets[-1].get_secret_value())
        if errors:
            raise ConfigurationError(errors)
        return secrets

    @staticmethod
    def _project_rules(connection: ConnectionSettings, project: str) -> ProjectRules | None:
        exact = connection.project.get(project)
        return exact or next((rules for p, rules in connection.project.items() if fnmatchcase(project, p)), None)


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read and check the file ``path``. Raises `ConfigurationError` with every error at once, and with the warnings
    of renamed keys, since errors use the new name.

    ``environ`` may hold ``MILESYNC_DATABASE``, which replaces ``database``, and ``MILESYNC_POLICY`` and
    ``MILESYNC_POLICY_<CONNECTION>``, which no policy in the file can exceed.
    """
    table, warnings, errors = rename_keys(_parse(path), str(path))
    table = lists_of_options(table)
    errors += validators.references(table, str(path))
    errors += option_errors(table, str(path))
    errors += ambiguous_names(table, str(path))
    ceilings: dict[str, Policy] = {}
    for name, value in validators.policy_variables(environ, table.get("connections"), errors):
        ceilings[name] = Policy(value)
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise ConfigurationError([*lines(error, Settings, table, str(path)), *errors, *warnings]) from None
    if errors:
        raise ConfigurationError([*errors, *warnings])
    if environ.get("MILESYNC_DATABASE"):
        settings = settings.model_copy(update={"database": Secret(env="MILESYNC_DATABASE")})
    return settings.read_from(path, ceilings, warnings)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except FileNotFoundError:
        raise ConfigurationError([f"{path}: there is no such file; `milesync init` writes one"]) from None
    except RecursionError:
        raise ConfigurationError([f"{path}: not readable as TOML: lists or tables are nested too deeply"]) from None
    except OSError as error:
        raise ConfigurationError([f"{path}: cannot be read ({error.strerror})"]) from None
    except ValueError as error:
        raise ConfigurationError([f"{path}: not readable as TOML: {error}"]) from None


def schema() -> str:
    """The JSON schema of the file, as text, for editors and for checks."""
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

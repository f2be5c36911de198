"""The whole of `milesync.toml`, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from config import validators
from config.audience_tables import Audience
from config.errors import ConfigurationError, key, lines
from config.secret import Secret, Text, UnreadableError
from config.tables import (
    NAME,
    Also,
    Calendar,
    ConnectionSettings,
    Dependency,
    Joint,
    Limits,
    Metrics,
    Milestone,
    People,
    Ping,
    Policy,
    ProjectRules,
    Report,
    Retention,
    Rules,
    Serve,
    Traces,
    Worker,
)

__all__ = ["SECRETS", "ConnectionSettings", "Milestone", "Policy", "Settings", "load", "schema"]


SECRETS = ("token", "email", "private_key", "job_token")


class Settings(BaseSettings):
    """The whole of `milesync.toml`. Made by `load`; made by hand, it reads neither file nor environment."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, title="milesync.toml")

    instance: str = Field(
        pattern=NAME,
        max_length=40,
        description="name of this installation, part of every marker, for example the team's; never change it",
    )
    policy: Policy = Field(default=Policy.PLAN, description="what run may do; a connection or a project may differ")
    database: Text = Field(
        default="sqlite:///milesync.db", validate_default=True, description="sqlite:///FILE or postgresql://HOST/NAME"
    )
    connections: Annotated[dict[str, ConnectionSettings], Field(min_length=1)] = Field(
        description="the trackers, by your names"
    )
    milestone: tuple[Milestone, ...] = Field(default=(), description="what people say about single milestones")
    joint: tuple[Joint, ...] = Field(default=(), description="joint milestones: one promise in several trackers")
    dependency: tuple[Dependency, ...] = Field(default=(), description="which milestone waits for which")
    audiences: dict[str, Audience] = Field(
        default={}, description="roles to make reports and digests for, by your names"
    )
    label_prefix: str = Field(
        default="health",
        pattern=NAME,
        max_length=30,
        description="start of the status labels: health/on-track, on GitLab health::on-track",
    )
    rules: Rules = Field(default=Rules(), description="from probability to status")
    calendar: Calendar = Field(default=Calendar(), description="days without work")
    people: People = Field(default=People(), description="reminders to owners, mentions, who carries too much")
    limits: Limits = Field(default=Limits(), description="the most that one run may write")
    retention: Retention = Field(default=Retention(), description="how much of the past is kept")
    report: Report = Field(default=Report(), description="pages to look at, made by each run")
    metrics: Metrics = Field(default=Metrics(), description="figures of the last run, for Prometheus")
    ping: Ping = Field(default=Ping(), description="an address that is fetched after each good run")

    serve: Serve = Field(default=Serve(), description="the door for webhooks")
    traces: Traces = Field(default=Traces(), description="what a run spends its time on, for OpenTelemetry")
    worker: Worker = Field(default=Worker(), description="how the work is shared among processes")

    _file: Path = PrivateAttr(default=Path("milesync.toml"))
    _ceilings: Mapping[str, Policy] = PrivateAttr(default={})

    @classmethod
    def settings_customise_sources(  # noqa: D102 - `load` alone decides which file and which variables count
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @field_validator("database")
    @classmethod
    def _database(cls, value: str | Secret) -> str | Secret:
        return validators.database(value) if isinstance(value, str) else value

    @field_validator("connections")
    @classmethod
    def _names(cls, value: dict[str, ConnectionSettings]) -> dict[str, ConnectionSettings]:
        validators.connection_names(value)
        return value

    @field_validator("audiences")
    @classmethod
    def _roles(cls, value: dict[str, Audience]) -> dict[str, Audience]:
        validators.audience_names(value)
        return value

    def at(self, file: Path, ceilings: Mapping[str, Policy]) -> Self:
        """These settings as read from ``file``, with no policy above ``ceilings`` (by connection; empty: all)."""
        self._file, self._ceilings = file, ceilings
        return self

    def policy_for(self, connection: str, project: str = "") -> Policy:
        """What may be written: the policy of the project, else connection, else file; the environment can lower it."""
        ours = self.connections[connection]
        rules = self._rules(ours, project)
        chosen = (rules.policy if rules else None) or ours.policy or self.policy
        ceilings = (self._ceilings.get(name, Policy.CREATE) for name in ("", connection))
        return min((chosen, *ceilings), key=list(Policy).index)

    def admits(self, connection: str, project: str, title: str) -> bool:
        """Whether the connection's and the project's filters both take a milestone of this title."""
        ours = self.connections[connection]
        rules = self._rules(ours, project)
        narrower = rules.milestones if rules else None
        return ours.milestones.admits(title) and (narrower is None or narrower.admits(title))

    def also_for(self, connection: str, project: str) -> Also:
        """What is written beside label and comment: as the project says, else the connection."""
        ours = self.connections[connection]
        rules = self._rules(ours, project)
        return (rules.also if rules else None) or ours.also

    def also_anywhere(self, connection: str) -> set[str]:
        """The names of what is written beside label and comment in any project of a connection."""
        ours = self.connections[connection]
        asked = [ours.also, *(rules.also for rules in ours.project.values() if rules.also)]
        return {name for also in asked for name, value in also.model_dump().items() if value}

    def tolerance_for(self, connection: str) -> float:
        """Share of a milestone that may be left over and still count as done."""
        own = self.connections[connection].tolerance
        return self.rules.tolerance if own is None else own

    def database_url(self, environ: Mapping[str, str]) -> SecretStr:
        """The database's URL, which may hold a password; a SQLite file is found from the configuration's folder."""
        url = self._read([(("database",), self.database)], environ)[0].get_secret_value()
        try:
            validators.database(url, secret=isinstance(self.database, Secret))
        except ValueError as error:
            raise ConfigurationError([f"{self._file}:database: {error}"]) from None
        if url.startswith("sqlite:///") and url != "sqlite:///:memory:":
            url = f"sqlite:///{(self._file.parent / url.removeprefix('sqlite:///')).absolute()}"
        return SecretStr(url)

    def ca_file(self, connection: str) -> Path | None:
        """The certificates that a connection trusts, from the configuration's folder. Raises `ConfigurationError`."""
        given = self.connections[connection].ca_file
        if given is None:
            return None
        found = (self._file.parent / given).absolute()
        if not found.is_file():
            raise ConfigurationError([f"{self._file}:connections.{connection}.ca_file: there is no such file"])
        return found

    def textfile(self) -> Path | None:
        """Where figures for Prometheus are written, from the configuration's folder."""
        return self._file.parent / self.metrics.textfile if self.metrics.textfile else None

    def report_folder(self) -> Path | None:
        """Where each run makes the report, from the configuration's folder."""
        return self._file.parent / self.report.out if self.report.out else None

    def overall_policy(self) -> Policy:
        """What may be done that concerns no single connection: the policy of the file; the environment can lower it."""
        return min((self.policy, self._ceilings.get("", Policy.CREATE)), key=list(Policy).index)

    def digest_file(self, audience: str, day: date) -> Path | None:
        """Where the digest of a day for an audience is written, from the configuration's folder."""
        digest = self.audiences[audience].digest
        return self._file.parent / digest.file.replace("{day}", day.isoformat()) if digest and digest.file else None

    def channel(self, audience: str, name: str, environ: Mapping[str, str]) -> SecretStr:
        """The address of an audience's channel, read now. Raises `ConfigurationError`."""
        digest = self.audiences[audience].digest
        assert digest is not None
        where = ("audiences", audience, "digest", "channels", name)
        return self._read([(where, digest.channels[name])], environ)[0]

    def ping_url(self, environ: Mapping[str, str]) -> SecretStr | None:
        """The address to fetch after a good run, read now."""
        if self.ping.url is None:
            return None
        (url,) = self._read([(("ping", "url"), self.ping.url)], environ)
        try:
            validators.ping(url.get_secret_value())
        except ValueError as error:
            raise ConfigurationError([f"{self._file}:ping.url: {error}"]) from None
        return url

    def secrets(self, names: Iterable[str], environ: Mapping[str, str]) -> dict[str, dict[str, SecretStr]]:
        """What proves who we are (`SECRETS`) to these connections, by its key, read now.

        What is missing is in one `ConfigurationError`.
        """
        places = [
            (("connections", name, field), value)
            for name in names
            for field in SECRETS
            if (value := getattr(self.connections[name], field)) is not None
        ]
        found: dict[str, dict[str, SecretStr]] = {}
        for (where, _), secret in zip(places, self._read(places, environ), strict=True):
            found.setdefault(where[1], {})[where[2]] = secret
        return found

    def webhook_secrets(self, environ: Mapping[str, str]) -> dict[str, SecretStr]:
        """The secrets of the connections that take webhooks, read now. Raises `ConfigurationError`."""
        places = [
            (("connections", name, "webhook_secret"), connection.webhook_secret)
            for name, connection in self.connections.items()
            if connection.webhook_secret is not None
        ]
        found = self._read(places, environ)
        return {where[1]: secret for (where, _), secret in zip(places, found, strict=True)}

    def _read(
        self, places: Sequence[tuple[tuple[str, ...], str | Secret]], environ: Mapping[str, str]
    ) -> list[SecretStr]:
        found, errors = [], []
        for where, value in places:
            try:
                found.append(SecretStr(value) if isinstance(value, str) else value.read(environ, self._file.parent))
            except UnreadableError as error:
                errors.append(f"{self._file}:{key(where)}: {error}")
        if errors:
            raise ConfigurationError(errors)
        return found

    @staticmethod
    def _rules(connection: ConnectionSettings, project: str) -> ProjectRules | None:
        exact = connection.project.get(project)
        return exact or next((rules for p, rules in connection.project.items() if fnmatchcase(project, p)), None)


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read and check ``path``. Raises `ConfigurationError` with every mistake at once.

    From ``environ`` come ``MILESYNC_DATABASE``, in place of ``database``, and ``MILESYNC_POLICY`` and
    ``MILESYNC_POLICY_<CONNECTION>``, above which no policy in the file can go.
    """
    try:
        table: dict[str, Any] = TomlConfigSettingsSource(Settings, path)() if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{path}: not readable as TOML: {error}"]) from None
    if not path.is_file():
        raise ConfigurationError([f"{path}: there is no such file; `milesync init` writes one"])
    errors = validators.references(table, str(path))
    ceilings: dict[str, Policy] = {}
    for name, value in validators.policy_variables(environ, table.get("connections"), errors):
        ceilings[name] = Policy(value)
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        raise ConfigurationError([*lines(error, Settings, table, str(path)), *errors]) from None
    if errors:
        raise ConfigurationError(errors)
    if environ.get("MILESYNC_DATABASE"):
        settings = settings.model_copy(update={"database": Secret(env="MILESYNC_DATABASE")})
    return settings.at(path, ceilings)


def schema() -> str:
    """The JSON schema of the file, as text, for editors and for validators."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()}
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"

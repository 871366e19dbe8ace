"""Settings that every service has; only a service's `__main__.py` reads the environment, through `load`."""

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Self, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

_TARGET = re.compile(r"^QUANTMESH_([A-Z0-9_]+)_TARGET$")
_DSN = re.compile(r"https?://[^@/\s]+@[^@/\s]+(/[^\s/]+)*/\d+")
_BIND = re.compile(r"\S*:\d{1,5}", re.ASCII)
_NOT_JSON = re.compile(r'value for field "(\w+)"')


class WrongSettings(Exception):
    """A line per variable, with what is wrong about it: never its value, which may be a secret."""

    def __init__(self, complaints: list[str]) -> None:
        super().__init__("\n".join(complaints))


class MissingSettingError(Exception):
    """A part was asked for whose address is not in the environment."""

    def __init__(self, service: str, variable: str) -> None:
        super().__init__(f"{service} needs {variable}, which is not set.")


class ServiceSettings(BaseSettings):
    """Read from `QUANTMESH_<FIELD>`. An address left empty means: this service has no such server."""

    model_config = SettingsConfigDict(env_prefix="QUANTMESH_", frozen=True, extra="ignore")

    environment: str = "local"
    database_url: SecretStr | None = None
    migration_url: SecretStr | None = None
    database_pool_size: int = Field(default=8, ge=1, le=200)
    nats_url: str = ""
    # Copies of each event stream: as many as a cluster of brokers keeps, at most five.
    stream_replicas: int = Field(default=1, ge=1, le=5)
    redis_url: str = ""
    evm_url: str = ""
    grpc_bind: str = ""
    ops_bind: str = ""
    service_secret: SecretStr = SecretStr("")
    # With tls.crt, tls.key and ca.crt: calls between services go over mutual TLS. Empty: in plain text.
    tls_folder: str = ""
    otlp_endpoint: str = ""
    trace_sample_ratio: float = Field(default=1.0, ge=0.0, le=1.0)
    log_level: str = "INFO"
    # Errors go there, with their traces and no value of any variable. Empty: nowhere.
    sentry_dsn: SecretStr = SecretStr("")
    # The commit that an image was built from; the image itself sets it.
    revision: str = "unknown"
    shutdown_seconds: float = Field(default=10.0, gt=0.0)
    targets: dict[str, str] = Field(default_factory=dict)
    # Unset: only where the environment is "local"; elsewhere workers do jobs, a deployment of their own.
    serve_jobs: bool | None = None
    # A preview beside the running release answers calls, and leaves events, jobs and all other common work alone.
    consumers_paused: bool = False

    @field_validator("database_url", "migration_url")
    @classmethod
    def _is_of_a_database(cls, value: SecretStr | None) -> SecretStr | None:
        # Else it would be taken for a database that is away, and waited for.
        try:
            conninfo_to_dict(value.get_secret_value() if value else "")
        except psycopg.ProgrammingError:
            msg = "must be an address such as postgresql://<role>:<password>@<host>:<port>/<database>"
            raise ValueError(msg) from None
        return value

    @field_validator("grpc_bind", "ops_bind")
    @classmethod
    def _can_be_listened_on(cls, value: str) -> str:
        if value and not _BIND.fullmatch(value):
            msg = "must be <host>:<port>"
            raise ValueError(msg)
        return value

    @field_validator("log_level")
    @classmethod
    def _is_a_level(cls, value: str) -> str:
        if value.upper() not in logging.getLevelNamesMapping():
            msg = "must be one of DEBUG, INFO, WARNING, ERROR and CRITICAL"
            raise ValueError(msg)
        return value

    @field_validator("sentry_dsn")
    @classmethod
    def _is_a_dsn(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not _DSN.fullmatch(value.get_secret_value()):
            msg = "must be a DSN of Sentry: https://<key>@<host>/<project number>"
            raise ValueError(msg)
        return value

    @property
    def serves_jobs(self) -> bool:
        """Whether the process that serves also does the service's jobs."""
        return self.environment == "local" if self.serve_jobs is None else self.serve_jobs

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """From the environment, with every `QUANTMESH_<PEER>_TARGET` gathered into `targets`. Raises WrongSettings."""
        targets = {match[1].lower(): value for name, value in environ.items() if (match := _TARGET.match(name))}
        try:
            return cls(targets=targets)
        except ValidationError as error:
            raise WrongSettings([_complaint(problem["loc"], problem["msg"]) for problem in error.errors()]) from None
        except SettingsError as error:
            field = _NOT_JSON.search(str(error))
            raise WrongSettings([_complaint([field[1] if field else ""], "is not JSON")]) from None


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def load_or_exit(service: str, settings_type: type[SettingsT], environ: Mapping[str, str]) -> SettingsT:
    """For entry points: where something is wrong the process ends with 2, and says what."""
    try:
        return settings_type.load(environ)
    except WrongSettings as wrong:
        sys.stderr.writelines(f"{service}: {complaint}\n" for complaint in str(wrong).splitlines())
        sys.exit(2)


def _complaint(place: Iterable[object], description: str) -> str:
    return f"QUANTMESH_{'_'.join(str(part) for part in place).upper()}: {description}"

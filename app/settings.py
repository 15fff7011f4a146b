"""What can be set from outside, read once at the entry points and passed down."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _words(text: Any) -> Any:
    """Take what stands with spaces between as several."""
    return text.split() if isinstance(text, str) else text


class Settings(BaseSettings):
    """Settings from `ENDWATCH_…` environment variables. No secret has a default."""

    model_config = SettingsConfigDict(env_prefix="ENDWATCH_", frozen=True, extra="ignore")

    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL to use instead of the embedded one"
    )
    owner_url: SecretStr | None = Field(
        default=None,
        description="The same PostgreSQL as its owner, for migrations, the scheduler and commands: "
        "then the API's own address need not be able to do more than the API",
    )
    data_dir: Path = Field(
        default=Path(".data"),
        description="Folder of the embedded PostgreSQL, of evidence, and of the keys of journal "
        "and evidence",
    )
    reads_at_once: int = Field(
        default=4, ge=2, le=100, description="Requests a process reads for at once"
    )
    filings_at_once: int = Field(
        default=4, ge=2, le=100, description="Filings a process works on at once"
    )
    readings_at_once: int = Field(
        default=3, ge=2, le=100, description="Batches of readings a process works on at once"
    )
    batches_at_once: int = Field(
        default=16, ge=2, le=1000, description="Batches of readings a process holds in memory"
    )
    line_length: int = Field(
        default=64, ge=2, le=10_000, description="Requests that may wait in line, in each lane"
    )
    pool_wait_seconds: float = Field(
        default=2.0, gt=0, le=60, description="How long a request waits in line"
    )
    slow_seconds: float = Field(
        default=20.0,
        gt=0,
        le=300,
        description="How long the other side may take for its headers, or take nothing of an answer",
    )
    requests_a_minute: int = Field(
        default=3_000, ge=1, description="Requests a process takes a minute of one party or key"
    )
    readings_a_day: int = Field(
        default=5_000_000, ge=1, description="Readings taken of one party or key in 24 hours"
    )
    reports_a_day: int = Field(
        default=20_000, ge=1, description="Reports taken of one party or key in 24 hours"
    )
    statement_seconds: int = Field(
        default=30, ge=1, le=3600, description="How long one statement may take"
    )
    workers: int = Field(default=1, ge=1, le=64, description="API processes")
    json_limit_bytes: int = Field(default=256 * 1024, ge=1024, description="Largest JSON body")
    readings_limit_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1024, description="Largest batch of readings, decoded"
    )
    readings_limit_lines: int = Field(default=50_000, ge=1, description="Most readings in a batch")
    evidence_limit_bytes: int = Field(
        default=50 * 1024 * 1024, ge=1024, description="Largest file taken as evidence"
    )
    evidence_daily_bytes: int = Field(
        default=2 * 1024**3, ge=1024, description="Evidence one party may hand in in 24 hours"
    )
    evidence_uploads: int = Field(
        default=16, ge=1, le=1000, description="Files one API process takes in at once"
    )
    evidence_examiners: int = Field(
        default=2, ge=1, le=64, description="Files one process examines at once"
    )
    evidence_answer_seconds: float = Field(
        default=10.0, gt=0, le=60, description="How long an upload waits for its examination"
    )
    evidence_key_file: Path | None = Field(
        default=None, description="Master keys of evidence, if not in the data folder"
    )
    evidence_bucket: str | None = Field(
        default=None, description="S3-compatible bucket for evidence instead of the data folder"
    )
    evidence_endpoint_url: str | None = Field(
        default=None, description="Address of the S3-compatible service, if not Amazon's"
    )
    evidence_region: str | None = Field(default=None, description="Region of the bucket")
    evidence_access_key: str | None = Field(
        default=None, description="Access key of the bucket, if not from its own environment"
    )
    evidence_secret_key: SecretStr | None = Field(
        default=None, description="Secret of that access key"
    )
    clamav: str | None = Field(
        default=None, description="ClamAV daemon that looks at every file: socket path or host:port"
    )
    signature_roots: Path | None = Field(
        default=None,
        description="Certificates (PEM file, or a folder of them) trusted to vouch for signers; none: "
        "nobody is asked who vouches",
    )
    passkeys: str = Field(
        default="required",
        pattern="^(required|optional)$",
        description="Whether people of the authority must have a passkey: required or optional",
    )
    passkey_domain: str = Field(
        default="localhost",
        pattern=r"^[a-z0-9.-]{1,253}$",
        description="Host name that passkeys belong to (WebAuthn's RP id), as endwatch.example",
    )
    origins: str = Field(
        default="",
        description="Addresses of this service in a browser, as https://endwatch.example, with spaces "
        "between them; none: the host a request names",
    )
    session_idle_minutes: int = Field(
        default=30, ge=1, le=1440, description="Minutes after which an unused session ends"
    )
    session_hours: int = Field(
        default=12, ge=1, le=720, description="Hours after which every session ends"
    )
    oidc_issuer: str | None = Field(
        default=None,
        pattern=r"^https?://[\x21-\x7e]{1,500}$",
        description="Identity provider of the authority (OpenID Connect), its issuer to the letter",
    )
    oidc_client_id: str | None = Field(
        default=None, min_length=1, description="Name by which that provider knows this service"
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Secret that goes with it"
    )
    oidc_groups_claim: str = Field(
        default="groups", min_length=1, description="Claim that names the groups of a person"
    )
    oidc_roles: str = Field(
        default="",
        description="Which group has which role, as auditors=auditor,eum=inspector; the first wins",
    )
    partitions_ahead_months: int = Field(
        default=3, ge=1, le=24, description="Months of readings to prepare tables for"
    )
    log_key_file: Path | None = Field(
        default=None, description="Key that signs for the journal; none: log.key in the data folder"
    )
    log_origin: str | None = Field(
        default=None,
        pattern=r"^[^\s+]{1,200}$",
        description="Name of the log, as example.org/endwatch/log, when its first key is made",
    )
    log_witnesses: str = Field(
        default="", description="Verifier keys of witnesses that cosign, with spaces between them"
    )
    outbound_allow: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_words)
    ] = Field(
        default=(),
        description="Networks that may be called though they are inside, with spaces between them",
    )
    outbound_ports: Annotated[
        frozenset[Annotated[int, Field(ge=1, le=65535)]], NoDecode, BeforeValidator(_words)
    ] = Field(
        default=frozenset({443}),
        description="Ports that may be called, with spaces between them",
    )
    outbound_ca_file: Path | None = Field(
        default=None,
        description="Certificates of authorities to trust in calls beside the public ones, as PEM",
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="DEBUG, INFO, WARNING or ERROR",
    )

    @model_validator(mode="after")
    def _whole_oidc(self) -> Self:
        """Refuse an identity provider of which half is set: it would fail at the first sign-in."""
        if self.oidc_issuer is not None and not (
            self.oidc_client_id and self.oidc_roles and self.origins
        ):
            raise ValueError(
                "ENDWATCH_OIDC_ISSUER needs ENDWATCH_OIDC_CLIENT_ID, ENDWATCH_OIDC_ROLES and "
                "ENDWATCH_ORIGINS beside it"
            )
        return self

    @property
    def url(self) -> str:
        """The database address; the entry point has filled it in when PostgreSQL is embedded."""
        if self.database_url is None:
            message = "no database: set ENDWATCH_DATABASE_URL, or use `endwatch serve`"
            raise RuntimeError(message)
        return self.database_url.get_secret_value()

    @property
    def owners_url(self) -> str:
        """The address for whatever is not the API."""
        return self.url if self.owner_url is None else self.owner_url.get_secret_value()

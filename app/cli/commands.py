"""Every command of `endwatch`, its arguments and options. What it does is imported when it runs."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from app.access.rules import Role
from app.cli.algorithms import Algorithm
from app.cli.kinds import Kind

if TYPE_CHECKING:
    from app.settings import Settings

app = typer.Typer(
    name="endwatch",
    help="Post-shipment end-use monitoring of export-controlled biometric technology.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="Make, list and revoke keys.", rich_markup_mode=None)
app.add_typer(keys, name="keys")
people = typer.Typer(help="Invite, list, end and reset people who sign in.", rich_markup_mode=None)
app.add_typer(people, name="people")
sample = typer.Typer(
    help="Say how many units to sight, draw them from a seed, check a draw. Offline.",
    rich_markup_mode=None,
)
app.add_typer(sample, name="sample")

journal = typer.Typer(
    help="Export the journal, erase what may not be kept, make a new signing key.",
    rich_markup_mode=None,
)
app.add_typer(journal, name="journal")

signing_key = typer.Typer(
    help="Make a key to sign reports with, or print what registers one. Offline.",
    rich_markup_mode=None,
)
app.add_typer(signing_key, name="signing-key")

Party = Annotated[str | None, typer.Option(metavar="REF", help="Reference of the exporter")]
Parent = Annotated[int | None, typer.Option(hidden=True)]
File = Annotated[Path, typer.Argument(metavar="FILE")]
Seen = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="A checkpoint, proof or state of `verify` seen of this log"),
]
Accepted = Annotated[
    str | None,
    typer.Option("--accept-rollback", metavar="GROUND", help="Go on under another name, and tell"),
]
Unchanged = Annotated[
    str | None,
    typer.Option("--nothing-later", metavar="GROUND", help="Nothing was signed after the copy"),
]


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code is 0 clean, 1 deviations or failures found, 2 usage."""
    try:
        done = app(list(arguments), prog_name="endwatch", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        print(
            f"endwatch: {' '.join(error.format_message().split())}{_help(error)}", file=sys.stderr
        )
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        return _nobody_reads()
    except Exception as error:
        return _trouble(error)
    return int(done or 0)


def _help(error: typer.TyperException) -> str:
    """Say where the right usage is told."""
    context = getattr(error, "ctx", None)
    return f" See `{context.command_path} --help`." if context is not None else ""


def _trouble(error: Exception) -> int:
    from app.cli import troubles

    print(f"endwatch: {troubles.told(error)}", file=sys.stderr)
    return troubles.code_of(error)


def _nobody_reads() -> int:
    """End quietly when the output is cut off, as by `| head`; Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _settings() -> "Settings":
    """Read the settings, and log from now on as they say."""
    from app.cli import logs
    from app.settings import Settings

    settings = Settings()
    logs.configure(settings.log_level)
    return settings


class _Documented(TyperCommand):
    """A command whose help tells the environment variables."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Add the environment to the help."""
        from app.cli.environment import described

        self.epilog = described()
        super().format_help(ctx, formatter)


@app.command(cls=_Documented)
def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one")] = 8000,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="API processes [default: ENDWATCH_WORKERS]")
    ] = None,
    no_scheduler: Annotated[bool, typer.Option("--no-scheduler", help="Run the API only")] = False,
    no_samples: Annotated[
        bool,
        typer.Option(
            "--no-samples", help="Load no samples into the embedded database on its first run"
        ),
    ] = False,
) -> int:
    """Run everything on this machine until Ctrl-C.

    Without ENDWATCH_DATABASE_URL it brings its own PostgreSQL, with its data under
    ENDWATCH_DATA_DIR. It prints its address and a new dashboard key.
    """
    from app.cli import serve as serving

    settings = _settings()
    return serving.run(
        settings,
        host=host,
        port=port,
        scheduler=not no_scheduler,
        samples=not no_samples,
        workers=workers or settings.workers,
    )


@app.command()
def scheduler(parent: Parent = None) -> int:
    """Run the scheduler alone, on ENDWATCH_DATABASE_URL."""
    from app.cli import scheduler as metronome

    return metronome.run(_on_given_database(), parent=parent)


@app.command(hidden=True)
def api(file: Annotated[int, typer.Option()], parent: Parent = None) -> int:
    """Run one API process on an open socket; `serve` does."""
    from app.cli import api as process

    return process.run(_on_given_database(), file=file, parent=parent)


def _on_given_database() -> "Settings":
    from app.cli.troubles import NoDatabase

    settings = _settings()
    if settings.database_url is None:
        raise NoDatabase("no database: set ENDWATCH_DATABASE_URL, or use `serve`")
    return settings


@app.command()
def migrate() -> int:
    """Bring the database to the form of this release."""
    from app.cli import databases, migrations

    with databases.database(_settings()) as settings:
        migrations.migrate(settings)
    print("the database has the form of this release")
    return 0


@app.command("import")
def import_(
    *,
    kind: Annotated[Kind, typer.Argument(help="What the file holds")],
    file: File,
    partial: Annotated[
        bool, typer.Option("--partial", help="Store the good rows, list the bad ones")
    ] = False,
    party: Party = None,
) -> int:
    """Take in licenses, shipments or readings from a json, ndjson, csv or xlsx file.

    All rows are stored or none, unless --partial. Columns are named like the fields of the HTTP
    contract, with dots; the cells `parties`, `sites`, `lines` and `conditions` of a license hold
    JSON. Every error names its row and column. Exits with 1 when a row was refused; deviations
    that the readings show are counted, and are no failure of the import.
    """
    from app import clock
    from app.cli import imports

    if party is not None and kind is Kind.LICENSES:
        raise typer.BadParameter("licenses are registered by the authority, not by a party")
    return imports.run(_settings(), kind, file, partial=partial, party=party, now=clock.now())


@app.command()
def check(
    *,
    license: Annotated[Path, typer.Argument(metavar="LICENSE", help="The license, as JSON")],
    reports: Annotated[list[Path], typer.Argument(metavar="REPORTS...", help="What to judge")],
    shipments: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Shipments, with serials")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> int:
    """Judge reports and readings by a license, offline: no database and no account.

    Exits with 1 when something would be flagged, 2 when something cannot be read.
    """
    from app import clock
    from app.cli import check as checking

    return checking.run(license, reports, shipments or [], as_json=as_json, now=clock.now())


@app.command("lint")
def lint_(
    licenses: Annotated[
        list[Path], typer.Argument(metavar="LICENSE...", help="Licenses or conditions, as JSON")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> int:
    """Tell what is wrong with licenses before they are granted, offline.

    A file holds a license, a list of them, or one condition as {"condition": ...}. Exits with 1
    when there are errors or warnings, 2 when something cannot be read.
    """
    from app.cli import lint

    return lint.run(licenses, as_json=as_json)


@app.command()
def coverage(
    *,
    kind: Annotated[str | None, typer.Option(help="Only conditions of this kind")] = None,
    country: Annotated[
        str | None, typer.Option(metavar="CC", help="Only licenses to this country")
    ] = None,
    tier: Annotated[
        int | None, typer.Option(min=1, max=3, help="Only licenses of this tier")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> int:
    """Show which share of the conditions in force was verified within its cadence.

    By kind, country, tier and grade of evidence; with those nobody ever spoke of, and those that
    no available source can verify.
    """
    from app import clock
    from app.cli import coverage as covered

    return covered.run(
        _settings(), kind=kind, country=country, tier=tier, as_json=as_json, now=clock.now()
    )


@app.command()
def replay(
    *,
    kind: Annotated[str, typer.Option(help="The kind of condition to judge by again")],
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], metavar="DATE", help="First day, UTC"),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], metavar="DATE", help="Last day, UTC"),
    ] = None,
    license: Annotated[str | None, typer.Option(metavar="NUMBER", help="Only this license")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes [default: one a core]")
    ] = None,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Judge by the kind's next version, in shadow")
    ] = False,
    store: Annotated[bool, typer.Option("--store", help="Store what differs")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with everything")] = False,
) -> int:
    """Judge history again by one kind's monitor, and show what differs from what is on record.

    Findings that would appear, vanish or change. Nothing is stored unless --store. Exits with 1 when
    something differs.
    """
    from app import clock
    from app.cli import replay as again

    wanted = again.wanted_of(
        kind,
        license,
        first.date() if first else None,
        last.date() if last else None,
        shadow=shadow,
    )
    return again.run(
        _settings(), wanted, workers=workers, store=store, as_json=as_json, now=clock.now()
    )


@app.command("verify")
def verify_(
    source: Annotated[
        str | None,
        typer.Argument(metavar="SOURCE", help="An export, a proof, or the address of a service"),
    ] = None,
    *,
    key: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Verifier key of the log, from /log/key")
    ] = None,
    witness: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Verifier key of a witness")
    ] = None,
    quorum: Annotated[
        int | None, typer.Option(min=0, help="Witnesses that must have signed [default: 1]")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What was seen before; kept up to date")
    ] = None,
    token: Annotated[
        str | None, typer.Option(metavar="KEY", help="API key, to check a service's entries too")
    ] = None,
    completeness: Annotated[
        bool,
        typer.Option("--completeness", help="Judge all history again: is any finding lacking?"),
    ] = False,
) -> int:
    """Check that the journal is as it was signed for, that tables agree, that no finding lacks.

    The first bad entry is named. Without a source the database itself is checked. The file
    app/cli/verify.py does the same alone, with Python and the package cryptography; only
    --completeness needs the product and its database.
    """
    from app import clock
    from app.cli import verifying

    return verifying.run(
        _settings,
        source,
        completeness=completeness,
        now=clock.now(),
        keys=key or [],
        witnesses=witness or [],
        quorum=quorum,
        state=state,
        token=token,
    )


@app.command()
def sign(
    *,
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="The report, as JSON")],
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your private key, in PEM")
    ] = None,
    fill: Annotated[
        bool, typer.Option("--fill", help="Print the report with its signature filled in")
    ] = False,
    timeless: Annotated[
        bool, typer.Option("--timeless", help="Do not say in the signature when it was made")
    ] = False,
    digest: Annotated[
        bool, typer.Option("--digest", help="Print the SHA-256 that a signed PDF must name")
    ] = False,
    canonical: Annotated[
        bool, typer.Option("--canonical", help="Print the canonical body, to sign by other means")
    ] = False,
) -> int:
    """Print the signature of a report: a detached JWS of its canonical body. Offline.

    A member `signature` of the report is left out. Anything changed afterwards makes the signature
    wrong, except for white space and the order of members.
    """
    from app import clock
    from app.cli import signing

    if digest + canonical + (key is not None) != 1:
        raise typer.BadParameter("give one of --key, --digest and --canonical")
    if key is not None:
        return signing.sign(report, key, fill=fill, now=None if timeless else clock.now())
    return signing.digest(report) if digest else signing.canonical(report)


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(metavar="TO_FOLDER", help="Folder of backups")],
    *,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Copy the keys here, apart from backups"),
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Copy evidence out of its bucket, too")
    ] = False,
) -> int:
    """Back up database and evidence as of one moment, beside a running service or alone.

    Each backup is a folder of its own; evidence is copied once for all of them. What is broken off
    never looks whole, and the next backup goes on. Exits with 1 when something was not there to copy.
    """
    from app import clock
    from app.cli import backup as copying

    return copying.run(_settings(), to, keys, evidence=evidence, now=clock.now())


@app.command()
def restore(
    source: Annotated[
        Path, typer.Argument(metavar="FROM_FOLDER", help="A backup, or a folder of them")
    ],
    *,
    keys: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Folder that --keys of backup filled")
    ] = None,
    leave_damaged: Annotated[
        bool, typer.Option("--leave-damaged", help="Restore all but damaged files of evidence")
    ] = False,
    seen: Seen = None,
    accepted: Accepted = None,
    unchanged: Unchanged = None,
) -> int:
    """Restore a backup into an empty data folder or database, verify it, say what is missing.

    Of a folder of backups the newest is taken. The log signs nothing until --nothing-later or
    --accept-rollback is said, here or to `journal resume`. Exits with 1 when something is missing or
    not well, 2 when it cannot be restored here.
    """
    from app import clock
    from app.cli import restore as restoring
    from app.cli.resuming import Decision

    decision = Decision(seen or [], accepted, unchanged)
    wish = restoring.Wish(source, keys, decision, leave_damaged)
    return restoring.run(_settings(), wish, now=clock.now())


@app.command()
def samples(folder: Annotated[Path, typer.Argument(metavar="FOLDER")]) -> int:
    """Copy the sample files into a folder, to look at and to try."""
    from app.cli import samples as shipped

    written = shipped.write(folder)
    print(f"{len(written)} files are in {folder}; begin with README.md")
    return 0


@app.command(hidden=True)
def health(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    host: Annotated[str, typer.Option()] = "127.0.0.1",
) -> int:
    """Say whether the service on this machine is ready; for the Docker health check."""
    from app.cli import health as checked

    return checked.run(host, port)


@keys.command("add")
def add_key(
    role: Annotated[Role, typer.Option(help="What its holder is to the authority")],
    party: Party = None,
    label: Annotated[str, typer.Option(help="What it is for")] = "",
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days until it ends [default: never]")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RESOURCE:read|write", help="What it may do [default: all of its role]"
        ),
    ] = None,
) -> int:
    """Make a key and print it alone on one line. It is shown once and stored nowhere."""
    from app import clock
    from app.cli import keys as keyring

    return keyring.print_new(
        _settings(),
        role,
        party=party,
        label=label,
        expires_days=expires_days,
        scopes=scope or None,
        now=clock.now(),
    )


@keys.command("list")
def list_keys() -> int:
    """List all keys, without their secrets."""
    from app import clock
    from app.cli import keys as keyring

    return keyring.print_all(_settings(), now=clock.now())


@keys.command("revoke")
def revoke_key(id: Annotated[str, typer.Argument(metavar="ID")]) -> int:
    """End a key, at once and for good."""
    from app import clock
    from app.cli import keys as keyring

    return keyring.end(_settings(), id, now=clock.now())


@keys.command("rotate-evidence")
def rotate_evidence() -> int:
    """Make a new master key of evidence and wrap every file's key by it. No file is touched.

    May run beside the service, and again when it was broken off. Old master keys are forgotten a day
    after they were replaced, by the next rotation.
    """
    from app import clock
    from app.cli import evidence_keys

    return evidence_keys.rotate(_settings(), now=clock.now())


Exporter = Annotated[str, typer.Option(metavar="REF", help="Reference of your party")]
Label = Annotated[str | None, typer.Option(help="What the key is for, or who holds it")]


@signing_key.command("new")
def new_signing_key(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key is written")],
    party: Exporter,
    algorithm: Annotated[Algorithm, typer.Option(help="What it signs with")] = Algorithm.ED25519,
    label: Label = None,
) -> int:
    """Make a signing key, and print the body for POST /v1/signing-keys.

    The private key is written to a new file that only its owner can read, and goes nowhere else.
    """
    from app.cli import signing

    return signing.new(file, algorithm, party, label)


@signing_key.command("registration")
def print_registration(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Your private key, in PEM")],
    party: Exporter,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its certificate and those above it, in PEM")
    ] = None,
    label: Label = None,
) -> int:
    """Print the body for POST /v1/signing-keys of a key that is there already."""
    from app.cli import signing

    return signing.register(file, party, label, certificate)


@people.command("add")
def add_person(
    *,
    role: Annotated[Role, typer.Option(help="What they are to the authority")],
    name: Annotated[str, typer.Option(help="What others know them by")],
    sign_in: Annotated[str, typer.Option(metavar="NAME", help="Like an e-mail address")],
    party: Party = None,
    administers_party: Annotated[
        bool, typer.Option("--administers-party", help="May invite others of that exporter")
    ] = False,
) -> int:
    """Invite somebody, and print a token alone on one line. It works once, for seven days.

    So the first administrator is made. Hand the token over; POST /v1/invitations/acceptance takes it.
    """
    from app import clock
    from app.cli import people as persons

    return persons.print_invitation(
        _settings(),
        role,
        name=name,
        sign_in=sign_in,
        party=party,
        administers_party=administers_party,
        now=clock.now(),
    )


@people.command("list")
def list_people() -> int:
    """List all people, and the invitations that wait."""
    from app import clock
    from app.cli import people as persons

    return persons.print_all(_settings(), now=clock.now())


@people.command("end")
def end_person(who: Annotated[str, typer.Argument(metavar="ID|SIGN-IN")]) -> int:
    """End an account, at once and for good, or an invitation that waits."""
    from app import clock
    from app.cli import people as persons

    return persons.end(_settings(), who, now=clock.now())


@people.command("reset")
def reset_person(who: Annotated[str, typer.Argument(metavar="ID|SIGN-IN")]) -> int:
    """Print a token with which somebody begins anew who lost password, passkeys and codes."""
    from app import clock
    from app.cli import people as persons

    return persons.reset(_settings(), who, now=clock.now())


@sample.command("size")
def sample_size(
    *,
    units: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many units there are")],
    missing: Annotated[int, typer.Option(min=1, help="How many may be missing")],
    probability: Annotated[
        str, typer.Option(help="Of seeing at least one of them: 0.95, 95% or 19/20")
    ],
) -> int:
    """Print how many units must be sighted, worked out in whole numbers."""
    from app.cli import sample as sampled

    return sampled.size(units, missing, probability)


@sample.command("draw")
def sample_draw(
    seed: Annotated[str, typer.Argument(metavar="SEED", help="As the receipt tells it, in hex")],
    units: Annotated[Path, typer.Argument(metavar="UNITS.csv", help="All serial numbers")],
    *,
    size: Annotated[
        int | None, typer.Option(min=0, help="How many to draw [default: all, in order]")
    ] = None,
) -> int:
    """Print the units that a seed draws from a list, one a line.

    The file has a column `serial`, or one serial number a line.
    """
    from app.cli import sample as sampled

    return sampled.draw(seed, units, size)


@sample.command("verify")
def sample_verify(
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT.json")],
    *,
    commitment: Annotated[
        str | None, typer.Option(metavar="HEX", help="What you were told before the reveal")
    ] = None,
) -> int:
    """Check a revealed sample: list, size, commitment, and the units drawn.

    Exits with 1 when something does not fit, 2 when the file cannot be read.
    """
    from app.cli import sample as sampled

    return sampled.verify(receipt, commitment)


@journal.command("export")
def export_journal(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Packed when it ends in .gz")],
    *,
    no_tables: Annotated[
        bool, typer.Option("--no-tables", help="Leave out the tables to compare with")
    ] = False,
) -> int:
    """Write the journal with its seals into a file that `endwatch verify` checks anywhere."""
    from app.cli import export

    return export.run(_settings(), file, tables=not no_tables)


@journal.command("erase")
def erase(
    seq: Annotated[int, typer.Argument(min=1, metavar="SEQ", help="Number of the entry")],
    name: Annotated[str, typer.Argument(metavar="FIELD", help="Field of its body")],
    *,
    ground: Annotated[str, typer.Option(help="Why it is erased, as the journal will tell")],
) -> int:
    """Erase what a field of an entry stood for, for good. Every proof goes on to hold."""
    from app import clock
    from app.cli import erasing

    return erasing.run(_settings(), seq, name, ground=ground, now=clock.now())


@journal.command("new-key")
def new_key() -> int:
    """Make a signing key where one was lost, and print its verifier key.

    The log signs with it as soon as a scheduler takes the lead, and the journal tells of the change.
    """
    from app.cli import erasing

    return erasing.new_key(_settings())


@journal.command("resume")
def resume(*, seen: Seen = None, accepted: Accepted = None, unchanged: Unchanged = None) -> int:
    """Say how the log goes on after a restore; without options, how it stands.

    It signs nothing until then: a log that goes on under its old name where it was rolled back signs
    two histories. Exits with 1 while nothing is signed.
    """
    from app import clock
    from app.cli import resuming

    decision = resuming.Decision(seen or [], accepted, unchanged)
    return resuming.run(_settings(), decision, now=clock.now())

"""People: accounts, sessions, passkeys, invitations; scopes, rotation and makers of keys.

A calendar may belong to a person as well, so it does not refer to keys any more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
HASH = sa.LargeBinary()
PARTY = "(role = 'exporter') = (party IS NOT NULL)"


def upgrade() -> None:
    op.drop_constraint(op.f("fk_calendars_key_id_keys"), "calendars")
    op.add_column("keys", sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=True))
    op.add_column("keys", sa.Column("made_by", sa.Text(), nullable=True))
    op.add_column("keys", sa.Column("rotated_at", TIME, nullable=True))
    op.add_column("keys", sa.Column("previous_digest", HASH, nullable=True))
    op.add_column("keys", sa.Column("previous_until", TIME, nullable=True))
    op.create_check_constraint(
        op.f("ck_keys_whole_rotation"),
        "keys",
        "(previous_digest IS NULL) = (previous_until IS NULL)",
    )
    _people()
    _sessions()
    _passkeys()
    _invitations()
    _devices()


def _table(name: str, *columns: sa.schema.SchemaItem, key: str = "id") -> None:
    op.create_table(name, *columns, sa.PrimaryKeyConstraint(key, name=op.f(f"pk_{name}")))


def _of_person(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["person_id"], ["people.id"], name=op.f(f"fk_{table}_person_id_people")
    )


def _unique(table: str, column: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(column, name=op.f(f"uq_{table}_{column}"))


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False)


def _people() -> None:
    _table(
        "people",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sign_in", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=True),
        sa.Column("administers_party", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("password_changed_at", TIME, nullable=True),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.CheckConstraint(PARTY, name=op.f("ck_people_party_of_exporter")),
        sa.CheckConstraint(
            "role = 'exporter' OR NOT administers_party", name=op.f("ck_people_administers_own")
        ),
        sa.CheckConstraint(
            "(state = 'ended') = (ended_at IS NOT NULL)", name=op.f("ck_people_whole_end")
        ),
        _unique("people", "sign_in"),
    )
    _index("people", "party")


def _sessions() -> None:
    _table(
        "person_sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", HASH, nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("authenticated_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        _of_person("person_sessions"),
        _unique("person_sessions", "digest"),
    )
    _index("person_sessions", "person_id", "ends_at")


def _passkeys() -> None:
    _table(
        "passkeys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("credential_id", HASH, nullable=False),
        sa.Column("public_key", HASH, nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("removed_at", TIME, nullable=True),
        _of_person("passkeys"),
        _unique("passkeys", "credential_id"),
    )
    _table(
        "recovery_codes",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("digest", HASH, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        _of_person("recovery_codes"),
        _unique("recovery_codes", "digest"),
    )
    _table(
        "challenges",
        sa.Column("digest", HASH, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["person_sessions.id"],
            name=op.f("fk_challenges_session_id_person_sessions"),
        ),
        key="digest",
    )
    _index("passkeys", "person_id")
    _index("recovery_codes", "person_id")
    _index("challenges", "session_id", "expires_at")


def _invitations() -> None:
    _table(
        "invitations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", HASH, nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("sign_in", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("party", sa.Text(), nullable=True),
        sa.Column("administers_party", sa.Boolean(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("accepted_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.CheckConstraint(PARTY, name=op.f("ck_invitations_party_of_exporter")),
        _of_person("invitations"),
        _unique("invitations", "digest"),
    )
    _index("invitations", "person_id", "party")


def _devices() -> None:
    _table(
        "devices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("digest", HASH, nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("revoked_at", TIME, nullable=True),
        _of_person("devices"),
        _unique("devices", "digest"),
    )
    _index("devices", "person_id", "expires_at")
    _table(
        "sign_in_counters",
        sa.Column("digest", HASH, nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last_failed_at", TIME, nullable=False),
        sa.Column("wait_until", TIME, nullable=True),
        key="digest",
    )
    _index("sign_in_counters", "last_failed_at")


def downgrade() -> None:
    """Forget people and all that is theirs, also their calendars."""
    for table in (
        "sign_in_counters",
        "devices",
        "invitations",
        "challenges",
        "recovery_codes",
        "passkeys",
        "person_sessions",
        "people",
    ):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_keys_whole_rotation"), "keys")
    for column in ("previous_until", "previous_digest", "rotated_at", "made_by", "scopes"):
        op.drop_column("keys", column)
    op.execute("DELETE FROM calendars WHERE key_id NOT IN (SELECT id FROM keys)")
    op.create_foreign_key(op.f("fk_calendars_key_id_keys"), "calendars", "keys", ["key_id"], ["id"])

"""Walls around accounts, what people sign in with, and the keys that exporters sign with.

Who is not recognized yet stands at the door (`app.walls.DOOR`): recognizing reads accounts, sessions
and passkeys, and signing in writes them. Who is signed in reaches what is their own.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ROLE = "(SELECT current_setting('app.role', true))"
PARTY = "(SELECT nullif(current_setting('app.party', true), ''))"
NAME = "(SELECT nullif(current_setting('app.name', true), ''))"
WHO = f"(SELECT split_part({NAME}, ':', 2))"
WRITES = f"{ROLE} IN ('licensing_officer', 'inspector', 'reviewer', 'supervisor')"
READS = (
    f"{ROLE} IN ('licensing_officer', 'inspector', 'reviewer', 'supervisor', 'auditor',"
    " 'dashboard')"
)
DOOR = f"{ROLE} = 'door'"
KEEPS = f"{ROLE} IN ('door', 'administrator')"
COLLEAGUE = (
    f"EXISTS (SELECT FROM people known WHERE known.id = %s.person_id AND known.party = {PARTY})"
)
OWN = f"{KEEPS} OR person_id = {WHO}"
OF_THE_KEY = (
    "EXISTS (SELECT FROM signing_keys above WHERE above.id = signing_key_revocations.key_id)"
)
OF_THE_REPORT = "EXISTS (SELECT FROM reports above WHERE above.id = report_signatures.report_id)"

# Of each table: who may see a row, who may add it or change it to what it then is.
POLICIES = {
    "people": (
        f"{KEEPS} OR {WRITES} OR id = {WHO} OR party = {PARTY}",
        f"{KEEPS} OR id = {WHO} OR party = {PARTY}",
    ),
    "invitations": (
        f"{KEEPS} OR person_id = {WHO} OR party = {PARTY}",
        f"{KEEPS} OR person_id = {WHO} OR party = {PARTY}",
    ),
    "person_identities": (OWN, DOOR),
    "challenges": (f"{ROLE} <> ''", f"{ROLE} <> ''"),
    "sign_in_counters": (f"{ROLE} <> ''", f"{ROLE} <> ''"),
    "signing_keys": (f"{READS} OR party = {PARTY}", f"party = {PARTY}"),
    "signing_key_revocations": (
        f"{READS} OR {OF_THE_KEY}",
        f"{WRITES} OR {OF_THE_KEY}",
    ),
    "report_signatures": (f"{READS} OR {OF_THE_REPORT}", f"{WRITES} OR {OF_THE_REPORT}"),
}
POLICIES |= {
    table: (f"{OWN} OR {COLLEAGUE % table}", f"{OWN} OR {COLLEAGUE % table}")
    for table in ("person_sessions", "passkeys", "recovery_codes", "devices")
}
CHANGED = (
    "challenges",
    "devices",
    "invitations",
    "keys",
    "passkeys",
    "people",
    "person_sessions",
    "recovery_codes",
    "sign_in_counters",
)
ONLY_ADDED = ("person_identities", "report_signatures", "signing_key_revocations", "signing_keys")
TIDIED = ("challenges", "devices", "person_sessions", "sign_in_counters")
KEYS = {
    "seen": (
        f"{WRITES} OR {KEEPS}",
        f"{WRITES} OR {KEEPS} OR party = {PARTY} OR made_by = {WHO} OR id = {WHO}",
    ),
    "added": (f"{ROLE} = 'administrator'", f"{ROLE} = 'administrator' OR party = {PARTY}"),
    "changed": (
        f"{ROLE} = 'administrator'",
        f"{ROLE} = 'administrator' OR party = {PARTY} OR made_by = {WHO} OR id = {WHO}",
    ),
}

# A key that a person made stands for that person.
FUNCTIONS = """
CREATE FUNCTION human_behind(name text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT made_by FROM keys WHERE id = person_of(name)), person_of(name))
$$;

CREATE FUNCTION by_another() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    second text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    IF human_behind(second) = human_behind(to_jsonb(NEW) ->> TG_ARGV[1]) THEN
        RAISE EXCEPTION 'second_person: % takes two', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
"""
BY_ANOTHER = {
    "amendments": ("approved_by", "proposed_by"),
    "audit_actions": ("waived_by", "recommended_by"),
    "transfers": ("decided_by", "asked_by"),
    "waivers": ("approved_by", "proposed_by"),
}
DECIDED_BY_ANOTHER = ("document_by_two", "hit_by_two")


def upgrade() -> None:
    op.execute(FUNCTIONS)
    op.execute("REVOKE ALL ON FUNCTION human_behind(text) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION human_behind(text) TO endwatch_api, endwatch_jobs")
    for table, (second, first) in BY_ANOTHER.items():
        op.execute(
            f"CREATE TRIGGER by_another BEFORE INSERT OR UPDATE OF {second} ON {table} FOR EACH ROW"
            f" WHEN (NEW.{second} IS NOT NULL)"
            f" EXECUTE FUNCTION by_another('{second}', '{first}')"
        )
    for function in DECIDED_BY_ANOTHER:
        _asks(function, "person_of", "human_behind")
    for table, (seen, changed) in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO endwatch_api")
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO endwatch_jobs")
        for name, what in (
            ("seen", f"SELECT TO endwatch_api USING ({seen})"),
            ("added", f"INSERT TO endwatch_api WITH CHECK ({changed})"),
            ("changed", f"UPDATE TO endwatch_api USING ({changed}) WITH CHECK ({changed})"),
            ("removed", f"DELETE TO endwatch_api USING ({changed})"),
            ("jobs", "ALL TO endwatch_jobs USING (true) WITH CHECK (true)"),
        ):
            op.execute(f"CREATE POLICY {name} ON {table} FOR {what}")
    op.execute(f"GRANT UPDATE ON {', '.join(CHANGED)} TO endwatch_api")
    op.execute(f"GRANT DELETE ON {', '.join(TIDIED)} TO endwatch_jobs")
    for table in ONLY_ADDED:
        op.execute(
            f"CREATE TRIGGER {table}_are_kept BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION keep_as_it_is()"
        )
    _keys(1)


def _asks(function: str, before: str, now: str) -> None:
    """Have a trigger's function look at who is behind a name in another way."""
    source = op.get_bind().scalar(
        sa.text("SELECT pg_get_functiondef(CAST(:name AS regproc))"), {"name": function}
    )
    op.execute(sa.text(str(source).replace(f"{before}(", f"{now}(").replace(":", r"\:")))


def _keys(which: int) -> None:
    """Let people make and end keys of their own party, and of their own."""
    for name, terms in KEYS.items():
        op.execute(f"DROP POLICY {name} ON keys")
        what = {"seen": "SELECT", "added": "INSERT", "changed": "UPDATE"}[name]
        using = "" if name == "added" else f" USING ({terms[which]})"
        check = "" if name == "seen" else f" WITH CHECK ({terms[which]})"
        op.execute(f"CREATE POLICY {name} ON keys FOR {what} TO endwatch_api{using}{check}")


def downgrade() -> None:
    for function in DECIDED_BY_ANOTHER:
        _asks(function, "human_behind", "person_of")
    for table in BY_ANOTHER:
        op.execute(f"DROP TRIGGER by_another ON {table}")
    op.execute("DROP FUNCTION by_another()")
    op.execute("DROP FUNCTION human_behind(text)")
    _keys(0)
    for table in ONLY_ADDED:
        op.execute(f"DROP TRIGGER {table}_are_kept ON {table}")
    for table in POLICIES:
        for name in ("seen", "added", "changed", "removed", "jobs"):
            op.execute(f"DROP POLICY {name} ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")
    for table in POLICIES:
        op.execute(f"REVOKE ALL ON {table} FROM endwatch_api, endwatch_jobs")
    op.execute("REVOKE UPDATE ON keys FROM endwatch_api")

"""Walls around accounts, what people sign in with, and the keys that exporters sign with.

Who is not recognized yet stands at the door (`app.walls.DOOR`): recognizing reads accounts, sessions
and passkeys, and signing in writes them. Who is signed in reaches what is their own.
"""

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


def upgrade() -> None:
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


def _keys(which: int) -> None:
    """Let people make and end keys of their own party, and of their own."""
    for name, terms in KEYS.items():
        op.execute(f"DROP POLICY {name} ON keys")
        what = {"seen": "SELECT", "added": "INSERT", "changed": "UPDATE"}[name]
        using = "" if name == "added" else f" USING ({terms[which]})"
        check = "" if name == "seen" else f" WITH CHECK ({terms[which]})"
        op.execute(f"CREATE POLICY {name} ON keys FOR {what} TO endwatch_api{using}{check}")


def downgrade() -> None:
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

"""Sees to it that a backup sees every row, where row-level security hides some from its role."""

from typing import Any, Final

import psycopg

from app.cli.troubles import WrongUse

Connection = psycopg.Connection[Any]

SEES_ALL: Final = "endwatch_jobs"
"""The role whose policies let it see every row; the operator's own role may become it."""

_HIDDEN = """
SELECT c.oid::regclass::text,
       EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = n.nspname AND p.tablename = c.relname
               AND p.permissive = 'PERMISSIVE' AND p.cmd IN ('ALL', 'SELECT') AND p.qual = 'true'
               AND %(role)s = ANY(p.roles))
       AND NOT EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = n.nspname
               AND p.tablename = c.relname AND p.permissive = 'RESTRICTIVE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND row_security_active(c.oid) ORDER BY 1
"""
_MAY_BECOME = "SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = %s"


class RowsHidden(WrongUse):
    """Row-level security hides rows from the role that takes the backup."""


def see_all(connection: Connection) -> str | None:
    """Become the role that sees every row, if this one does not; give its name. Raises RowsHidden.

    That it does is read from the policies: of each table one that lets it see all, and none that
    restricts.
    """
    hidden = connection.execute(_HIDDEN, {"role": SEES_ALL}).fetchall()
    if not hidden:
        return None
    may = connection.execute(_MAY_BECOME, [SEES_ALL]).fetchone()
    if may != (True,) or not all(shown for _, shown in hidden):
        tables = [name for name, shown in hidden if may != (True,) or not shown]
        raise RowsHidden(
            f"row-level security hides rows of {', '.join(tables[:3])} from this role: take backups "
            f"with a role that has BYPASSRLS, or that may become {SEES_ALL}"
        )
    connection.execute(f"SET ROLE {SEES_ALL}")
    return SEES_ALL

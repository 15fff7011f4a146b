"""What somebody with all rights on a database may do to it, drawn by chance."""

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from app.cli import exported, verify

BASE = {"batches": "reading_batches", "signatures": "report_signatures"}
"""Tables that an export calls otherwise."""
COLUMNS = {"batches": {"root"}, "audits": {"number"}, "licenses": {"number"}}
"""Columns that make up a row's name, beside those that entries tell by their own name."""


class Unfit(Exception):
    """What was drawn does not go here."""


@dataclass
class Chance:
    """Draws what to do in a transaction; the untouched export says what there is."""

    connection: Connection
    random: random.Random
    untouched: verify.Export

    def run(self, statement: str, **values: Any) -> None:
        """Change at least one row. Raises Unfit, DBAPIError."""
        if self.connection.execute(text(statement), values).rowcount < 1:
            raise Unfit

    def table(self) -> tuple[str, str]:
        """Draw a table that entries tell of: its name in an export, and its own."""
        name = self.random.choice(sorted(exported.TABLES))
        return name, BASE.get(name, name)

    def rows(self, base: str, count: int) -> list[str]:
        """Draw rows, as PostgreSQL addresses them. Raises Unfit."""
        found = sorted(self.connection.scalars(text(f"SELECT ctid::text FROM {base}")))
        if len(found) < count:
            raise Unfit
        return self.random.sample(found, count)

    def columns(self, base: str) -> dict[str, str]:
        """Give the columns of a table with their types."""
        rows = self.connection.execute(
            text(
                "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid ="
                " CAST(:base AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
            ),
            {"base": base},
        )
        return {str(name): str(type) for name, type in rows}

    def column(self, table: str, base: str, *types: str) -> tuple[str, str]:
        """Draw a column that entries tell of, with its type. Raises Unfit."""
        told = {key for row in self.untouched.folded.tables[table].values() for key in row}
        told |= COLUMNS.get(table, set())
        found = sorted((name, type) for name, type in self.columns(base).items() if name in told)
        fitting = [one for one in found if not types or one[1] in types]
        if not fitting:
            raise Unfit
        return self.random.choice(fitting)

    def other(self, base: str, column: str, type: str) -> str:
        """Write another value of a column in SQL."""
        c, number = f'"{column}"', self.random.randint(1, 500)
        choices = {
            "text": [
                f"{c} || '.'",
                "'tampered'",
                f"upper({c})",
                f"left({c}, -1)",
                f"coalesce({c}, 'x')",
            ],
            "boolean": [f"NOT {c}", f"{c} IS NULL"],
            "timestamp with time zone": [
                f"{c} - interval '{number} hours'",
                f"{c} + interval '1 us'",
                "now()",
            ],
            "date": [f"{c} - {number}", f"coalesce({c}, current_date) + 1"],
            "jsonb": [f"{c} || '{{\"tampered\": {number}}}'", f"jsonb_build_array({c})"],
            "bytea": [f"set_byte({c}, 0, (get_byte({c}, 0) + {number % 255 + 1}) % 256)"],
            "uuid": ["gen_random_uuid()"],
            "text[]": [f"array_append({c}, 'tampered')", f"{c}[2:]"],
            "integer[]": [f"array_append({c}, {number})"],
        }
        numeric = [f"{c} + {number}", f"coalesce({c}, 0) - 1"]
        usual = choices.get(type, numeric)
        taken = f"(SELECT o.{c} FROM {base} o WHERE o.{c} IS DISTINCT FROM {base}.{c} ORDER BY random() LIMIT 1)"
        return self.random.choice([*usual, taken, "NULL"])


def change_a_column(chance: Chance) -> str:
    """Change one value."""
    table, base = chance.table()
    return _change(chance, table, base, *chance.column(table, base))


def move_a_time(chance: Chance) -> str:
    """Move one time, or day."""
    table, base = chance.table()
    types = ("timestamp with time zone", "date")
    return _change(chance, table, base, *chance.column(table, base, *types))


def _change(chance: Chance, table: str, base: str, column: str, type: str) -> str:
    (row,) = chance.rows(base, 1)
    value = chance.other(base, column, type)
    chance.run(f'UPDATE {base} SET "{column}" = {value} WHERE ctid = CAST(:row AS tid)', row=row)
    return f"{table}.{column} = {value}"


def change_everywhere(chance: Chance) -> str:
    """Change one column of all rows."""
    table, base = chance.table()
    column, type = chance.column(table, base)
    value = chance.other(base, column, type)
    chance.run(f'UPDATE {base} SET "{column}" = {value}')
    return f"all {table}.{column} = {value}"


def delete_a_row(chance: Chance) -> str:
    """Delete one row."""
    table, base = chance.table()
    (row,) = chance.rows(base, 1)
    chance.run(f"DELETE FROM {base} WHERE ctid = CAST(:row AS tid)", row=row)
    return f"a row of {table} is gone"


def empty_a_table(chance: Chance) -> str:
    """Delete all rows."""
    table, base = chance.table()
    chance.run(f"DELETE FROM {base}")
    return f"{table} is empty"


def insert_a_row(chance: Chance) -> str:
    """Insert a copy of a row under another name."""
    table, base = chance.table()
    (row,) = chance.rows(base, 1)
    columns = chance.columns(base)
    unique = set(chance.connection.scalars(_UNIQUE, {"base": base}))
    own = {name for name in unique if not name.endswith("_id")} or unique
    fresh = {
        "uuid": "gen_random_uuid()",
        "text": "{} || '-2'",
        "timestamp with time zone": "{} + interval '1 day'",
        "bytea": "sha256({})",
    }
    values = [
        fresh.get(type, "{} + 100000").format(f'"{name}"') if name in own else f'"{name}"'
        for name, type in columns.items()
    ]
    names = ", ".join(f'"{name}"' for name in columns)
    chance.run(
        f"INSERT INTO {base} ({names}) OVERRIDING SYSTEM VALUE SELECT {', '.join(values)}"
        f" FROM {base} WHERE ctid = CAST(:row AS tid)",
        row=row,
    )
    return f"a row more in {table}"


_UNIQUE = text("""
SELECT DISTINCT a.attname FROM pg_index i JOIN pg_attribute a
ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
WHERE i.indrelid = CAST(:base AS regclass) AND i.indisunique
""")


def swap_two(chance: Chance) -> str:
    """Swap a value of two rows."""
    table, base = chance.table()
    column, _ = chance.column(table, base)
    one, other = chance.rows(base, 2)
    chance.run(
        f'UPDATE {base} t SET "{column}" = o."{column}" FROM {base} o'
        " WHERE t.ctid IN (CAST(:one AS tid), CAST(:other AS tid))"
        " AND o.ctid IN (CAST(:one AS tid), CAST(:other AS tid)) AND t.ctid <> o.ctid",
        one=one,
        other=other,
    )
    return f"two of {table}.{column} changed places"


IN_TABLES: dict[str, Callable[[Chance], str]] = {
    "a column changed": change_a_column,
    "a time moved": move_a_time,
    "a row deleted": delete_a_row,
    "a row inserted": insert_a_row,
    "two rows swapped": swap_two,
    "a column changed in all rows": change_everywhere,
    "a table emptied": empty_a_table,
}

Known = tuple[str, int | None]
OF_AN_ENTRY = {
    "body": "body || '{\"more\": 1}'",
    "actor": "actor || '.'",
    "action": "action || 'x'",
    "subject": "subject || '0'",
    "party": "coalesce(party, '') || 'X'",
    "topic": "coalesce(topic, '') || 'x'",
    "receipt": "gen_random_uuid()",
    "nonce": "gen_random_uuid()",
    "recorded_at": "recorded_at - interval '1 us'",
    "sequenced_at": "sequenced_at + interval '1 day'",
}


def _entry(chance: Chance, count: int = 1) -> list[int]:
    return sorted(chance.random.sample(range(1, chance.untouched.numbered + 1), count))


def entry_changed(chance: Chance) -> Known:
    """Change a column of an entry."""
    (seq,), column = _entry(chance), chance.random.choice(sorted(OF_AN_ENTRY))
    chance.run(f"UPDATE journal SET {column} = {OF_AN_ENTRY[column]} WHERE seq = :seq", seq=seq)
    return f"{column} of entry {seq}", seq


def entry_deleted(chance: Chance) -> Known:
    """Delete an entry."""
    (seq,) = _entry(chance)
    chance.run("DELETE FROM journal WHERE seq = :seq", seq=seq)
    return f"entry {seq} is gone", seq


def entry_added(chance: Chance) -> Known:
    """Add an entry at the end, with a number of its own."""
    (seq,), end = _entry(chance), chance.untouched.numbered + 1
    _copy(chance, seq, end)
    return f"entry {end}, a copy of {seq}", end


def _copy(chance: Chance, seq: int, to: int) -> None:
    chance.run(
        "INSERT INTO journal SELECT (jsonb_populate_record(j, jsonb_build_object('seq',"
        " CAST(:to AS bigint), 'nonce', gen_random_uuid()))).* FROM journal j WHERE seq = :seq",
        seq=seq,
        to=to,
    )


def entry_put_in(chance: Chance) -> Known:
    """Put an entry between two others, and number those after it anew."""
    (seq,) = _entry(chance)
    _shift(chance, seq - 1, 1)
    _copy(chance, seq + 1, seq)
    return f"entry {seq} is put in", seq


def _shift(chance: Chance, after: int, by: int) -> None:
    """Number entries anew."""
    far = 1_000_000
    for step in (far, by - far):
        floor = after if step == far else far
        chance.run(
            "UPDATE journal SET seq = seq + :step WHERE seq > :floor", step=step, floor=floor
        )


def gap_closed(chance: Chance) -> Known:
    """Delete an entry, and number those after it anew."""
    seq = chance.random.randint(1, chance.untouched.numbered - 1)
    chance.run("DELETE FROM journal WHERE seq = :seq", seq=seq)
    _shift(chance, seq, -1)
    return f"the gap of entry {seq} is closed", seq


def entries_swapped(chance: Chance) -> Known:
    """Let two entries change places."""
    one, other = _entry(chance, 2)
    for old, new in ((one, 1_000_000), (other, one), (1_000_000, other)):
        chance.run("UPDATE journal SET seq = :new WHERE seq = :old", old=old, new=new)
    return f"entries {one} and {other} changed places", one


def cut_off(chance: Chance) -> Known:
    """Delete the last entries."""
    (seq,) = _entry(chance)
    chance.run("DELETE FROM journal WHERE seq >= :seq", seq=seq)
    return f"entries from {seq} on are gone", seq


def rolled_back(chance: Chance) -> Known:
    """Set the log back to an earlier checkpoint, so that it looks whole to who never saw it."""
    sizes = [size for size, _, _ in chance.untouched.signed]
    size = chance.random.choice(sorted(sizes)[:-1])
    chance.run("DELETE FROM journal WHERE seq > :size", size=size)
    chance.run("DELETE FROM journal_checkpoints WHERE size > :size", size=size)
    chance.run("UPDATE journal_head SET seq = :size, sealed = :size", size=size)
    for level in range(4):
        full, rest = divmod(size // 256**level, 256)
        chance.connection.execute(
            text(
                "UPDATE journal_tiles SET hashes = substring(hashes FROM 1 FOR :kept)"
                " WHERE level = :level AND place = :place"
                if rest
                else "DELETE FROM journal_tiles WHERE level = :level AND place = :place"
            ),
            {"level": level, "place": full} | ({"kept": rest * 32} if rest else {}),
        )
        chance.connection.execute(
            text("DELETE FROM journal_tiles WHERE level = :level AND place > :place"),
            {"level": level, "place": full},
        )
    return f"set back to {size} entries", size + 1


def tile_changed(chance: Chance) -> Known:
    """Change a byte of a tile: of the hash of an entry, or of one above."""
    (level, place), row = chance.random.choice(sorted(chance.untouched.tiles.items()))
    at = chance.random.randrange(len(row))
    chance.run(
        "UPDATE journal_tiles SET hashes = set_byte(hashes, :at, (get_byte(hashes, :at) + 1) % 256)"
        " WHERE level = :level AND place = :place",
        at=at,
        level=level,
        place=place,
    )
    first = (place * 256 + at // 32) * int(256**level) + 1
    return f"byte {at} of tile {level}/{place}", first


def tile_cut(chance: Chance) -> Known:
    """Delete a tile, or the end of it."""
    (level, place), row = chance.random.choice(sorted(chance.untouched.tiles.items()))
    kept = chance.random.randrange(len(row) // 32)
    change = "UPDATE journal_tiles SET hashes = substring(hashes FROM 1 FOR :octets)"
    verb = change if kept else "DELETE FROM journal_tiles"
    octets = {"octets": kept * 32} if kept else {}
    chance.run(
        f"{verb} WHERE level = :level AND place = :place", level=level, place=place, **octets
    )
    return f"tile {level}/{place} cut at {kept}", (place * 256 + kept) * int(256**level) + 1


def checkpoint_changed(chance: Chance) -> Known:
    """Change the root, the text or the signature of a checkpoint, or its size."""
    size = chance.random.choice([size for size, _, _ in chance.untouched.signed])
    change = chance.random.choice(
        [
            "root = sha256(root)",
            "note = replace(note, E'\\n' || size || E'\\n', E'\\n' || size + 1 || E'\\n')",
            (
                "note = split_part(note, E'\\n\\n', 1) || E'\\n\\n' || split_part((SELECT o.note FROM"
                " journal_checkpoints o WHERE o.size <> journal_checkpoints.size ORDER BY o.size LIMIT 1),"
                " E'\\n\\n', 2)"
            ),
        ]
    )
    chance.run(f"UPDATE journal_checkpoints SET {change} WHERE size = :size", size=size)
    return f"checkpoint {size}: {change}", size


def key_replaced(chance: Chance) -> Known:
    """Put another key in place of the log's."""
    name = chance.untouched.keys[0].partition("+")[0]
    packed = b"\x01" + chance.random.randbytes(32)
    id = verify.sha256(f"{name}\n".encode() + packed).digest()[:4].hex()
    verifier = f"{name}+{id}+{base64.b64encode(packed).decode()}"
    chance.run("DELETE FROM journal_keys")
    chance.run(
        "INSERT INTO journal_keys (verifier, since) VALUES (:verifier, 0)", verifier=verifier
    )
    return "another key", None


def head_moved(chance: Chance) -> Known:
    """Say that more entries were numbered than there are."""
    by = chance.random.randint(1, 500)
    chance.run("UPDATE journal_head SET seq = seq + :by", by=by)
    return f"{by} more numbers given out", chance.untouched.numbered + 1


def rewritten(chance: Chance) -> Known:
    """Change an entry with its tile; then the signed root says so, and the stretch is named."""
    size = chance.untouched.numbered
    seq = chance.random.randint(1, size)
    chance.run("UPDATE journal SET subject = 'another' WHERE seq = :seq", seq=seq)
    place, at = divmod(seq - 1, 256)
    chance.run(
        "UPDATE journal_tiles SET hashes = overlay(hashes PLACING :leaf FROM :at FOR 32)"
        " WHERE level = 0 AND place = :place",
        leaf=_leaf(chance, seq),
        at=at * 32 + 1,
        place=place,
    )
    return f"entry {seq} with its tile", None


def _leaf(chance: Chance, seq: int) -> bytes:
    from app.journal import sealing

    query = text(f"SELECT {sealing.COLUMNS} FROM journal WHERE seq = :seq")
    return sealing.leaf(chance.connection.execute(query, {"seq": seq}).one())


OF_THE_JOURNAL: dict[str, Callable[[Chance], Known]] = {
    "an entry changed": entry_changed,
    "an entry deleted": entry_deleted,
    "an entry added": entry_added,
    "an entry put in": entry_put_in,
    "a gap closed": gap_closed,
    "two entries swapped": entries_swapped,
    "the end cut off": cut_off,
    "the log rolled back": rolled_back,
    "a tile changed": tile_changed,
    "a tile cut": tile_cut,
    "a checkpoint changed": checkpoint_changed,
    "the key replaced": key_replaced,
    "the head moved": head_moved,
    "an entry and its tile": rewritten,
}

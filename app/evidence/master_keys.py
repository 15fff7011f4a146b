"""The master keys: each wraps the keys of files, none ever touches a file.

They are in one file, readable by the service's user alone; the last one wraps what comes in. It is
read again whenever it has changed, so that a rotation needs no restart.
"""

import base64
import json
import os
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import Unavailable

_log = structlog.get_logger()

NONCE = 12
BYTES = 32


class MasterKeyMissing(Unavailable):
    """The master key for this file is not in the key file of this machine."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A key that wraps keys, and when it was made."""

    id: str
    secret: bytes
    made_at: datetime


class MasterKeys:
    """The key file. `makes` says that a missing file is made, as on a machine of its own."""

    def __init__(self, path: Path, *, makes: bool) -> None:
        self._path = path
        self._makes = makes
        self._lock = threading.Lock()
        self._known: tuple[MasterKey, ...] = ()
        self._seen: tuple[int, int] | None = None

    def wrap(self, name: str, key: bytes, now: datetime) -> tuple[str, bytes]:
        """Encrypt the key of a file under the newest master key; give its id and the result."""
        newest = self.all(now)[-1]
        nonce = secrets.token_bytes(NONCE)
        return newest.id, nonce + AESGCM(newest.secret).encrypt(nonce, key, name.encode())

    def unwrap(self, id: str, wrapped: bytes, name: str, now: datetime) -> bytes:
        """Decrypt the key of a file. Raises MasterKeyMissing."""
        for master in self.all(now):
            if master.id == id:
                with suppress(InvalidTag):
                    return AESGCM(master.secret).decrypt(
                        wrapped[:NONCE], wrapped[NONCE:], name.encode()
                    )
        _log.error("evidence_key_missing", key=id, file=str(self._path))
        raise MasterKeyMissing(f"Master key {id} is not on this machine. Tell the operator.")

    def all(self, now: datetime) -> tuple[MasterKey, ...]:
        """Give every master key, the newest last."""
        with self._lock:
            if not self._path.exists():
                if not self._makes:
                    _log.error("evidence_key_missing", key="any", file=str(self._path))
                    raise MasterKeyMissing("The key file is not on this machine.")
                self._write((_made(now),), first=True)
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_ino)
            if seen != self._seen:
                self._known = _parsed(self._path.read_bytes())
                self._seen = seen
            return self._known

    def there(self) -> bool:
        """Whether there is a key file; asking makes none."""
        return self._path.exists()

    def join(self, others: "MasterKeys", now: datetime) -> None:
        """Take in the keys of another key file, beside those that are here already."""
        known = {
            one.id: one for one in (*others.all(now), *(self.all(now) if self.there() else ()))
        }
        with self._lock:
            self._write(
                tuple(sorted(known.values(), key=lambda one: one.made_at)), first=not self.there()
            )

    def add(self, now: datetime) -> MasterKey:
        """Make a further master key; what comes in from now on is wrapped by it."""
        made = _made(now)
        known = self.all(now) if self._path.exists() else ()
        with self._lock:
            self._write((*known, made), first=not known)
        return made

    def forget(self, ids: set[str], now: datetime) -> None:
        """Drop master keys that wrap nothing any more, never the newest."""
        known = self.all(now)
        kept = [one for one in known[:-1] if one.id not in ids]
        with self._lock:
            self._write((*kept, known[-1]), first=False)

    def _write(self, keys: tuple[MasterKey, ...], *, first: bool) -> None:
        """Write the file whole or not at all; of several that make the first, one wins."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_name(f"{self._path.name}.{secrets.token_hex(6)}")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "wb") as out:
            out.write(_told(keys))
            out.flush()
            os.fsync(out.fileno())
        if first:
            with suppress(FileExistsError):
                os.link(fresh, self._path)
            fresh.unlink()
        else:
            fresh.replace(self._path)
        self._seen = None


def _made(now: datetime) -> MasterKey:
    return MasterKey(f"m-{secrets.token_hex(4)}", secrets.token_bytes(BYTES), now)


def _told(keys: tuple[MasterKey, ...]) -> bytes:
    rows = [
        {
            "id": one.id,
            "made_at": one.made_at.isoformat(),
            "key": base64.b64encode(one.secret).decode(),
        }
        for one in keys
    ]
    return (json.dumps({"keys": rows}, indent=1) + "\n").encode()


def _parsed(text: bytes) -> tuple[MasterKey, ...]:
    return tuple(
        MasterKey(one["id"], base64.b64decode(one["key"]), datetime.fromisoformat(one["made_at"]))
        for one in json.loads(text)["keys"]
    )

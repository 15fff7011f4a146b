"""Signed notes and checkpoints: what the log says of itself, and who stands by it.

Sources: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint and
https://c2sp.org/tlog-cosignature (the Ed25519 form, `cosignature/v1`).
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE, COSIGNATURE = 1, 4
"""The bytes that name a kind of key in signed notes."""
DASH = "\u2014"
MOST_SIGNATURES = 64
NAME = re.compile(r"[^\s+]+")
LATEST = 2**63 - 1


class NoteUnfit(ValueError):
    """A note, key or checkpoint is not of the form it must have, or its signature is wrong."""


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteUnfit(f"{text[:80]!r} is not base64") from error


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """Give the four bytes by which signatures name their key."""
    return hashlib.sha256(f"{name}\n".encode() + bytes([kind]) + public).digest()[:4]


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name and kind: of a log, or of a witness that cosigns."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a verifier key, `name+id+base64`. Raises NoteUnfit."""
        name, _, rest = text.strip().partition("+")
        id, _, key = rest.partition("+")
        packed = _unpacked(key)
        if not NAME.fullmatch(name) or len(packed) != 33 or packed[0] not in {1, 4}:
            raise NoteUnfit(f"{text[:80]!r} is not the verifier key of a log or witness")
        found = cls(name, packed[0], packed[1:])
        if found.id.hex() != id:
            raise NoteUnfit(f"the id of the verifier key {name} does not fit its key")
        return found

    @property
    def id(self) -> bytes:
        """The four bytes by which signatures name this key."""
        return key_id(self.name, self.kind, self.public)

    def __str__(self) -> str:
        packed = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{packed}"

    def check(self, signature: bytes, text: str) -> int | None:
        """Check a signature; give the time a witness names (POSIX seconds). Raises NoteUnfit."""
        key = Ed25519PublicKey.from_public_bytes(self.public)
        signed, seconds = text.encode(), None
        if self.kind == COSIGNATURE:
            seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            signed = f"cosignature/v1\ntime {seconds}\n".encode() + signed
        try:
            key.verify(signature, signed)
        except InvalidSignature as error:
            raise NoteUnfit(f"the signature of {self.name} is wrong") from error
        if seconds is not None and seconds > LATEST:
            raise NoteUnfit(f"the signature of {self.name} names no time")
        return seconds


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name. Held by the sequencer alone."""

    name: str
    private: Ed25519PrivateKey

    @classmethod
    def make(cls, name: str) -> Self:
        """Make a new key."""
        if not NAME.fullmatch(name):
            raise NoteUnfit(f"{name!r}: the name of a log has no spaces and no +")
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a signer key, `PRIVATE+KEY+name+id+base64`. Raises NoteUnfit, without the key."""
        head, _, rest = text.strip().partition("PRIVATE+KEY+")
        name, _, tail = rest.partition("+")
        packed = _secret(tail.partition("+")[2])  # base64 may hold a + itself
        if head or not NAME.fullmatch(name) or packed[:1] != b"\x01" or len(packed) != 33:
            raise NoteUnfit("this is not a signer key of the form PRIVATE+KEY+name+id+key")
        return cls(name, Ed25519PrivateKey.from_private_bytes(packed[1:]))

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, SIGNATURE, self.private.public_key().public_bytes_raw())

    def secret(self) -> str:
        """Write the key down."""
        packed = base64.b64encode(b"\x01" + self.private.private_bytes_raw()).decode()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.id.hex()}+{packed}"

    def sign(self, text: str) -> str:
        """Give the signature line of a note."""
        signature = self.verifier.id + self.private.sign(text.encode())
        return f"{DASH} {self.name} {base64.b64encode(signature).decode()}\n"


def _secret(text: str) -> bytes:
    try:
        return _unpacked(text)
    except NoteUnfit:
        return b""


@dataclass(frozen=True, slots=True)
class Note:
    """A text with its signatures, not yet checked: the name, the key's id and the rest, each."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def read(cls, note: str) -> Self:
        """Take a note apart. Raises NoteUnfit."""
        text, blank, tail = note.rpartition("\n\n")
        lines = tail.splitlines()
        if not blank or not note.endswith("\n") or not 0 < len(lines) <= MOST_SIGNATURES:
            raise NoteUnfit("a note is a text, a blank line and signature lines")
        if any(ord(character) < 32 and character != "\n" for character in note):
            raise NoteUnfit("a note has no control characters but line ends")
        return cls(f"{text}\n", tuple(map(_signature, lines)))

    def by(self, verifier: Verifier) -> list[bytes]:
        """Give the signatures that say they are of a key."""
        return [
            signature
            for name, id, signature in self.signatures
            if (name, id) == (verifier.name, verifier.id)
        ]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, packed = rest.partition(" ")
    signature = _unpacked(packed)
    if dash != DASH or not NAME.fullmatch(name) or len(signature) < 5:
        raise NoteUnfit(f"{line[:80]!r} is not a signature line")
    return name, signature[:4], signature[4:]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of its tree: how many entries, and the root that hashes all of them."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the text of a checkpoint; further lines are no part of it here. Raises NoteUnfit."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0] or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
            raise NoteUnfit("a checkpoint is an origin, a size and a root, one a line")
        root = _unpacked(lines[2])
        if len(root) != 32:
            raise NoteUnfit("the root of a checkpoint has 32 bytes")
        return cls(lines[0], int(lines[1]), root)

    @property
    def text(self) -> str:
        """The lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def signed(self, signer: Signer) -> str:
        """Write the checkpoint as a note of the log."""
        return f"{self.text}\n{signer.sign(self.text)}"

"""Encrypts one file under a key of its own, in chunks that can be opened one by one.

AES-256-GCM over chunks of 64 KiB (the STREAM construction, Hoang et al. 2015): the nonce is the
chunk's number and whether it is the last, so chunks cannot be cut, swapped or repeated unseen. Each
key encrypts one file only, so a nonce is never used twice. The file's name on the shelf is bound in,
so that one file cannot be put in the place of another.
"""

from collections.abc import Iterator
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import Unavailable

CHUNK = 64 * 1024
"""Bytes of a file that are encrypted together."""
TAG = 16
"""Bytes that AES-GCM adds to each chunk."""


class EvidenceDamaged(Unavailable):
    """The stored file does not decrypt: it was changed or lost on the shelf."""


class Sealed(Protocol):
    """An encrypted file, open for reading from some chunk on."""

    def read(self, size: int, /) -> bytes:
        """Read at most so many bytes."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Sealer:
    """Encrypts a file while it comes in. `finish` gives the last chunk."""

    def __init__(self, name: str, key: bytes) -> None:
        self._cipher = AESGCM(key)
        self._name = name.encode()
        self._pending = bytearray()
        self._number = 0

    def update(self, data: bytes) -> bytes:
        """Take bytes in; give the chunks that are certainly not the last, encrypted."""
        self._pending += data
        sealed = bytearray()
        while len(self._pending) > CHUNK:
            sealed += self._seal(bytes(self._pending[:CHUNK]), last=False)
            del self._pending[:CHUNK]
        return bytes(sealed)

    def finish(self) -> bytes:
        """Give what is left as the last chunk."""
        return self._seal(bytes(self._pending), last=True)

    def _seal(self, chunk: bytes, *, last: bool) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._number, last=last), chunk, self._name)
        self._number += 1
        return sealed


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def place(start: int) -> int:
    """Say at which byte of the encrypted file the chunk begins that holds byte `start`."""
    return start // CHUNK * (CHUNK + TAG)


def unsealed(
    sealed: Sealed, name: str, key: bytes, size: int, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """Decrypt bytes `start` to `stop` of a file of `size` bytes, from a reader put at `place(start)`.

    Raises EvidenceDamaged before it gives a byte of a chunk that was changed.
    """
    cipher, bound = AESGCM(key), name.encode()
    stop = size if stop is None else min(stop, size)
    last = (size - 1) // CHUNK
    for number in range(start // CHUNK, (stop - 1) // CHUNK + 1):
        length = CHUNK if number < last else size - last * CHUNK
        try:
            chunk = cipher.decrypt(
                _nonce(number, last=number == last), _exactly(sealed, length + TAG), bound
            )
        except InvalidTag as error:
            raise EvidenceDamaged("This file was changed where it is stored.") from error
        offset = number * CHUNK
        yield chunk[max(0, start - offset) : stop - offset]


def _exactly(sealed: Sealed, size: int) -> bytes:
    """Read so many bytes, or fewer at the end of the file; a network gives them in parts."""
    parts = bytearray()
    while len(parts) < size and (part := sealed.read(size - len(parts))):
        parts += part
    return bytes(parts)

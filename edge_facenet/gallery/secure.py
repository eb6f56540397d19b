"""Encrypted galleries: every vector, name, source and picture sealed with AES-256-GCM under a key from a file.

What it is against, and what not:

1. A stolen card, disk or backup without the key file tells how many people and faces there are, when they were enrolled
   and by which network, no more.
2. A row that was altered, or moved to another person, network or gallery, is noticed: it does not open.
3. A row or a whole file put back to an earlier state, or deleted, is not noticed.
4. A key that lies on the same card protects nothing: keep it on another medium, or in a credential store that hands it out.
5. Whoever runs as your user while the gallery is in use can read key and faces from memory.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Any, Protocol

from ..errors import GalleryDamaged, InputError, MissingExtra, OutputError, WrongKey

KEY_BYTES = 32
NONCE_BYTES = 12


class Vault(Protocol):
    """How the contents of a row are stored."""

    def seal(self, value: bytes, place: str) -> bytes:
        """What goes into the file.

        Args:
            place: the row in words, then, behind a semicolon, everything it is bound to: person, maker, column.
        """

    def open(self, value: object, place: str) -> bytes:
        """What was sealed.

        Raises:
            GalleryDamaged: altered, or not from this place.
        """


class Plain:
    """No encryption: bytes as they are."""

    def seal(self, value: bytes, place: str) -> bytes:
        """The value itself."""
        return value

    def open(self, value: object, place: str) -> bytes:
        """The value itself; a text that somebody wrote with another program, as UTF-8."""
        if isinstance(value, bytes):
            return value
        return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b""


class Sealed:
    """AES-256-GCM with a random nonce a value; `place` is authenticated with it.

    Random 96-bit nonces: NIST SP 800-38D, 8.3, allows 2**32 of them under one key; a gallery writes four an embedding.
    """

    def __init__(self, key: bytes, gallery: str, where: Path) -> None:
        self._cipher = _cipher(key)
        self._gallery = gallery
        self._where = where

    def seal(self, value: bytes, place: str) -> bytes:
        """Nonce, ciphertext and tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + bytes(self._cipher.encrypt(nonce, value, self._bound(place)))

    def open(self, value: object, place: str) -> bytes:
        """What was sealed at this place."""
        from cryptography.exceptions import InvalidTag

        try:
            if not isinstance(value, bytes) or len(value) <= NONCE_BYTES:
                raise InvalidTag
            return bytes(self._cipher.decrypt(value[:NONCE_BYTES], value[NONCE_BYTES:], self._bound(place)))
        except InvalidTag as error:
            raise GalleryDamaged(
                f"Gallery {self._where}: {place.split(';', 1)[0]} was altered, or moved from elsewhere, outside edge-facenet. "
                "Nothing was changed; `edge-facenet gallery check` lists every such row, forget the person or put a backup back."
            ) from error

    def _bound(self, place: str) -> bytes:
        return f"{self._gallery};{place}".encode("utf-8", "surrogateescape")


CHECK_TEXT = b"edge-facenet gallery"
CHECK_PLACE = "the mark that a key is known by"


def open_vault(key: bytes | None, gallery: str, mark: bytes | None, where: Path) -> Vault:
    """The vault of a gallery.

    Args:
        mark: what `mark_of` gave when the gallery was made; None for a gallery in plain.
    Raises:
        WrongKey: not this gallery's key, one is missing, or one is not wanted.
        MissingExtra: cryptography is not installed.
    """
    if mark is None and key is None:
        return Plain()
    if mark is None:
        raise WrongKey(
            f"Gallery {where} is not encrypted, so no key opens it. Leave the key file out. To encrypt it, export it, and import the "
            "backup with --plain into a new gallery with --key-file."
        )
    if key is None:
        raise WrongKey(f"Gallery {where} is encrypted. Name its key file: --key-file FILE.")
    vault = Sealed(key, gallery, where)
    try:
        vault.open(mark, CHECK_PLACE)
    except GalleryDamaged as error:
        raise WrongKey(
            f"This key does not open gallery {where}: it is another gallery's. Nothing was changed."
        ) from error
    return vault


def mark_of(key: bytes, gallery: str, where: Path) -> bytes:
    """What a new gallery keeps to tell a wrong key from a damaged row."""
    return Sealed(key, gallery, where).seal(CHECK_TEXT, CHECK_PLACE)


def make_key(path: Path) -> None:
    """Write a new random key, readable by its owner alone; a file that exists is never touched.

    Raises:
        OutputError: the file exists, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(KEY_BYTES) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except FileExistsError as error:
        raise OutputError(f"{path} exists; a key is never written over. Give a new name.") from error
    except OSError as error:
        raise OutputError(f"Cannot write key file {path}: {error.strerror or error}. Give another place.") from error


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file: as they are, as 64 hexadecimal digits, or as base64.

    Raises:
        InputError: unreadable, or not a key.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(4096)
    except OSError as error:
        raise InputError(
            f"Cannot read key file {path}: {error.strerror or error}. Make one with: edge-facenet gallery key FILE"
        ) from error
    key = content if len(content) == KEY_BYTES else _decoded(content.strip())
    if len(key) != KEY_BYTES:
        raise InputError(
            f"{path} is not a key: expected {KEY_BYTES} bytes, as they are, as 64 hexadecimal digits or as base64; found "
            f"{len(content)} bytes. Make one with: edge-facenet gallery key FILE"
        )
    return key


def is_exposed(path: Path) -> bool:
    """Whether others than its owner may read a key file, by its rights; never on Windows, which keeps them elsewhere."""
    try:
        return os.name != "nt" and path.is_file() and bool(path.stat().st_mode & 0o044)
    except OSError:
        return False


def _decoded(text: bytes) -> bytes:
    try:
        return binascii.unhexlify(text) if len(text) == 2 * KEY_BYTES else base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _cipher(key: bytes) -> Any:
    if len(key) != KEY_BYTES:
        raise InputError(f"A key has {KEY_BYTES} bytes, found {len(key)}. Read it with read_key(path).")
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise MissingExtra("cryptography", "secure", "An encrypted gallery") from error
    return AESGCM(key)

"""Argon2id off the event loop, a few at a time: each hash takes 64 MiB and tens of milliseconds."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from quantmesh.chassis.errors import Unavailable

Result = TypeVar("Result")

_BCRYPT_MARKS = ("$2a$", "$2b$", "$2y$")
_BCRYPT_BYTES = 72


class Argon2Hasher:
    """RFC 9106: Argon2id with 64 MiB, 3 passes, 4 lanes. bcrypt hashes of an earlier system verify too."""

    def __init__(self, *, concurrency: int = 2, max_waiting: int = 64) -> None:
        self._hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="argon2")
        self._max_waiting = max_waiting
        self._waiting = 0

    async def hash(self, password: str) -> str:
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, password_hash: str, password: str) -> bool:
        return await self._run(lambda: self._verify(password_hash, password))

    def is_outdated(self, password_hash: str) -> bool:
        return password_hash.startswith(_BCRYPT_MARKS) or self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            if password_hash.startswith(_BCRYPT_MARKS):
                # What earlier systems did with longer ones; bcrypt itself refuses them now.
                return bcrypt.checkpw(password.encode()[:_BCRYPT_BYTES], password_hash.encode())
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError, ValueError):
            return False

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._waiting >= self._max_waiting:
            msg = "Too many passwords are being checked at this moment."
            raise Unavailable(msg, retry_after_seconds=2.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

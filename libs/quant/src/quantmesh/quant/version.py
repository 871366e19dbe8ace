"""Which code a number comes from."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def code_version() -> str:
    """The library's version and a hash of its source: where they are equal, so are the numbers, to the last bit."""
    return f"{version('quantmesh-quant')}+{hash_of_sources(Path(__file__).parent)}"


def hash_of_sources(folder: Path) -> str:
    """Of every module below the folder, and where it lies."""
    digest = hashlib.sha256()
    for name, source in sorted((file.relative_to(folder).as_posix(), file) for file in folder.rglob("*.py")):
        digest.update(name.encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]

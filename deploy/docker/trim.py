"""Remove from an installed environment what a running service never opens, and say what each package still weighs.

`python trim.py /opt/quantmesh`. What is listed here was found unused by the services' imports and main paths; the last
check is that the images serve (`make demo-containers`).
"""

import hashlib
import shutil
import struct
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

# What compilers, type checkers and test runners read.
_SOURCES = ("*.a", "*.c", "*.cc", "*.cpp", "*.cu", "*.f", "*.f90", "*.h", "*.hpp", "*.pxd", "*.pxi", "*.pyi", "*.pyx")

# Folders and files of a package, from its own folder on.
_UNUSED = {
    # Arrow in memory and over a stream, and its compute functions, are used; files, networks and query plans are not.
    "pyarrow": (
        *("include", "includes", "src", "parquet", "_acero*.so", "_azurefs*.so", "_csv*.so", "_dataset*.so"),
        *("_feather*.so", "_flight*.so", "_fs*.so", "_gcsfs*.so", "_hdfs*.so", "_json*.so", "_orc*.so"),
        *("_parquet*.so", "_s3fs*.so", "_substrait*.so", "libarrow_acero.so*", "libarrow_dataset.so*"),
        *("libarrow_flight.so*", "libarrow_python_*", "libarrow_s3.so*", "libarrow_substrait.so*", "libparquet.so*"),
    ),
    "scipy": ("cluster", "datasets", "differentiate", "fftpack", "io", "misc", "odr", "signal"),
    "sqlalchemy": ("testing",),
}
# Libraries that the linker was told of and of which no symbol is used.
_NEEDLESS = {"pyarrow": ("libarrow_substrait", "libarrow_dataset", "libarrow_acero", "libparquet")}

# The kind of a segment, in a library's program headers, that is mapped.
_LOADED = 1


def main() -> int:
    (packages,) = Path(sys.argv[1]).glob("lib/python3.*/site-packages")
    before = _sizes(packages)
    for package, patterns in {"": [f"**/{name}" for name in ("tests", *_SOURCES)], **_UNUSED}.items():
        for path in [path for pattern in patterns for path in (packages / package).glob(pattern)]:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    libraries = _without_copies(sorted([*packages.rglob("*.so"), *packages.rglob("*.so.*")]))
    for library in libraries:
        _strip(library)
    for package, names in _NEEDLESS.items():
        for library in (path for path in libraries if path.is_relative_to(packages / package)):
            _forget(library, names)
    _report(before, _sizes(packages))
    return 0


def _without_copies(libraries: list[Path]) -> list[Path]:
    """A wheel has no links: it brings a library under each of its names. All but one become links to that."""
    kept: dict[tuple[Path, str], Path] = {}
    for library in libraries:
        content = hashlib.sha256(library.read_bytes()).hexdigest()
        first = kept.setdefault((library.parent, content), library)
        if first != library:
            library.unlink()
            library.symlink_to(first.name)
    return list(kept.values())


def _strip(library: Path) -> None:
    """Of symbols that only a debugger reads. strip misplaces what patchelf has moved, as it has in some wheels."""
    stripped = library.with_name(f"{library.name}.stripped")
    subprocess.run(["strip", "--strip-unneeded", "-o", stripped, library], check=True)  # noqa: S603, S607
    if _is_loadable(stripped):
        stripped.replace(library)
    else:
        stripped.unlink()


def _is_loadable(library: Path) -> bool:
    """Whether each segment lies in the file as it will in memory, modulo its alignment, or the loader refuses it."""
    content = library.read_bytes()
    (first,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    for at in range(first, first + size * count, size):
        kind, _flags, offset, address, *_, alignment = struct.unpack_from("<IIQQQQQQ", content, at)
        if kind == _LOADED and (offset - address) % alignment:
            return False
    return True


def _forget(library: Path, names: tuple[str, ...]) -> None:
    needed = subprocess.run(["patchelf", "--print-needed", library], check=True, capture_output=True, text=True)  # noqa: S603, S607
    for name in needed.stdout.split():
        if name.startswith(names):
            subprocess.run(["patchelf", "--remove-needed", name, library], check=True)  # noqa: S603, S607


def _sizes(packages: Path) -> dict[str, int]:
    """Bytes by package; libraries that a wheel brings beside its package count with it."""
    sizes: dict[str, int] = defaultdict(int)
    for path in packages.rglob("*"):
        if path.is_file() and not path.is_symlink():
            sizes[path.relative_to(packages).parts[0].removesuffix(".libs")] += path.stat().st_size
    return sizes


def _report(before: dict[str, int], after: dict[str, int]) -> None:
    for line in _lines(before, after):
        sys.stdout.write(f"{line}\n")


def _lines(before: dict[str, int], after: dict[str, int]) -> Iterator[str]:
    yield f"{'package':<24}{'MB':>8}{'trimmed':>10}"
    for name, size in sorted(before.items(), key=lambda item: -item[1]):
        if size >= 1_000_000:
            yield f"{name:<24}{size / 1e6:>8.1f}{after.get(name, 0) / 1e6:>10.1f}"
    yield f"{'all':<24}{sum(before.values()) / 1e6:>8.1f}{sum(after.values()) / 1e6:>10.1f}"


if __name__ == "__main__":
    sys.exit(main())

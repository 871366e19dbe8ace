"""A root folder with what an environment needs of the machine, and nothing else: no shell, no package manager.

`python minimal_root.py /rootfs /opt/quantmesh`: Python's interpreter and standard library, every shared library that
they or the environment are linked with, authorities' certificates, and users. Where the machine is Debian's, the
descriptions of the packages that the files come from lie where scanners look for them.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

# Of the standard library: what builds, tests, teaches, or needs a screen.
_UNUSED = (
    *("config-*", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "turtle.py"),
    *("site-packages", "dist-packages", "lib-dynload/_curses*", "lib-dynload/_test*", "lib-dynload/_tkinter*"),
    *("lib-dynload/_crypt*", "lib-dynload/_dbm*", "lib-dynload/_gdbm*", "lib-dynload/nis*", "lib-dynload/readline*"),
    *("lib-dynload/ossaudiodev*", "lib-dynload/xx*", "sitecustomize.py"),
)
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_LINKED = re.compile(r"(/\S+) \(0x")
_FILES = {
    "etc/passwd": "root:x:0:0::/:/nonexistent\nquantmesh:x:10001:10001::/nonexistent:/nonexistent\n",
    "etc/group": "root:x:0:\nquantmesh:x:10001:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def main() -> int:
    root, environment = Path(sys.argv[1]), Path(sys.argv[2])
    standard_library = Path(sysconfig.get_path("stdlib"))
    # Folders of the machine that are links, as /lib is, stay links.
    for name in ("bin", "lib", "lib64", "usr/lib64"):
        if (link := Path("/", name)).is_symlink():
            _place(root, link)
    _copy_library(standard_library, root)
    interpreters = {Path(name, "bin", "python3") for name in (sys.prefix, environment)}
    chains = {link for interpreter in interpreters for link in _chain(interpreter)}
    modules = [*_under(root, standard_library).rglob("*.so"), *environment.rglob("*.so"), *environment.rglob("*.so.*")]
    linked = _linked_libraries([*chains, *modules])
    outside = {path for path in chains | linked if not path.is_relative_to(environment)}
    for path in outside | ({_CERTIFICATES} if _CERTIFICATES.exists() else set()):
        _place(root, path)
    for name, text in _FILES.items():
        _under(root, Path("/", name)).parent.mkdir(parents=True, exist_ok=True)
        _under(root, Path("/", name)).write_text(text)
    (root / "tmp").mkdir(mode=0o1777)
    (root / "tmp").chmod(0o1777)
    shutil.copytree("/etc/ld.so.conf.d", root / "etc/ld.so.conf.d")
    shutil.copy2("/etc/ld.so.conf", root / "etc/ld.so.conf")
    subprocess.run(["/sbin/ldconfig", "-r", root], check=True)  # noqa: S603
    if shutil.which("dpkg-query"):
        _describe_packages(root, {*(path.resolve() for path in outside), Path(standard_library, "os.py")})
    return 0


def _copy_library(source: Path, root: Path) -> None:
    shutil.copytree(source, _under(root, source), symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for pattern in _UNUSED:
        for path in _under(root, source).glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _linked_libraries(programs: Iterable[Path]) -> set[Path]:
    """Where the loader finds them. Those of the environment are found beside each other."""
    lines = (
        subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout  # noqa: S603, S607
        for program in programs
    )
    return {Path(match[1]) for text in lines for match in _LINKED.finditer(text)}


def _chain(link: Path) -> Iterable[Path]:
    """A path and what it points to, on to the file."""
    yield link
    while link.is_symlink():
        link = link.parent / link.readlink()
        yield link


def _place(root: Path, path: Path) -> None:
    for each in _chain(path):
        target = _under(root, each.parent) / each.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if each.is_dir() and not each.is_symlink():
            target.mkdir(exist_ok=True)
        elif not (target.exists() or target.is_symlink()):
            shutil.copy2(each, target, follow_symlinks=False)


def _under(root: Path, path: Path) -> Path:
    """The folder's own place, past links: the root is not made while it is asked for."""
    return root / path.resolve().relative_to("/")


def _describe_packages(root: Path, files: Iterable[Path]) -> None:
    # Debian's /lib is /usr/lib; which of the two a package says is its own affair.
    spellings = [spelling for path in map(str, files) for spelling in (path, path.removeprefix("/usr"))]
    found = subprocess.run(["dpkg-query", "--search", *spellings], check=False, capture_output=True, text=True)  # noqa: S603, S607
    names = {line.split(": ")[0].split(":")[0] for line in found.stdout.splitlines()}
    folder = root / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True)
    for name in sorted(names):
        status = subprocess.run(["dpkg-query", "--status", name], check=True, capture_output=True, text=True)  # noqa: S603, S607
        (folder / name).write_text(status.stdout)


if __name__ == "__main__":
    sys.exit(main())

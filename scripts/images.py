"""Build the image of every service, or of those named: `make images [s=auth]`.

Images are tagged quantmesh-<service>:<commit>, behind QUANTMESH_REGISTRY/ where that is set. QUANTMESH_BASE names
another base than the Dockerfile's; where it is unset and deploy/docker/make_base.sh has made a local one, that is
taken.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = "deploy/docker/Dockerfile"
SBOM_FOLDER = ROOT / "build" / "sbom"
# This machine's authorities, for a registry behind a private one.
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_LOCAL_BASE = "localhost/quantmesh-base:local"
_SERVICE_MEGABYTES, _WORKER_MEGABYTES = 400, 1_600


@dataclass(frozen=True)
class Image:
    """`extra` is what the service's distribution needs more in this image."""

    name: str
    service: str
    extra: str = ""

    @property
    def largest_megabytes(self) -> int:
        return _WORKER_MEGABYTES if self.extra else _SERVICE_MEGABYTES


def images() -> list[Image]:
    services = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
    return [*(Image(name, name) for name in services), Image("prediction-worker", "prediction", "worker")]


def main() -> int:
    missing = [tool for tool in ("buildah", "podman", "runc") if shutil.which(tool) is None]
    if missing:
        sys.stderr.write(
            f"images need {', '.join(missing)}: apt-get install --no-install-recommends buildah podman runc\n"
        )
        return 1
    wanted = set(sys.argv[1:])
    chosen = [image for image in images() if not wanted or image.name in wanted]
    if unknown := wanted - {image.name for image in chosen}:
        sys.stderr.write(
            f"no such image: {', '.join(sorted(unknown))}; there are {', '.join(i.name for i in images())}\n"
        )
        return 1
    too_large = False
    for number, image in enumerate(chosen, start=1):
        sys.stdout.write(f"{number}/{len(chosen)} quantmesh-{image.name} ")
        sys.stdout.flush()
        began = time.monotonic()
        tag = build(image)
        size = megabytes(tag)
        too_large |= size > image.largest_megabytes
        over = f", OVER {image.largest_megabytes} MB" if size > image.largest_megabytes else ""
        sys.stdout.write(f"{size} MB{over}, {time.monotonic() - began:.0f} s, {tag}\n")
    return int(too_large)


def build(image: Image) -> str:
    """Its tag. The bill of what is in it, which the build wrote, lies in build/sbom afterwards."""
    tag = tag_of(image)
    arguments = {"SERVICE": image.service, "EXTRA": image.extra, "REVISION": revision(), **base()}
    command = ["buildah", "bud", "--runtime", "runc", "--network", "host", "--layers", "--tag", tag]
    command += [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
    if _AUTHORITIES.exists():
        command += ["--secret", f"id=ca_bundle,src={_AUTHORITIES}"]
    _run(*command, "--file", DOCKERFILE, ".")
    SBOM_FOLDER.mkdir(parents=True, exist_ok=True)
    container = _run("podman", "create", tag).strip()
    try:
        bill = SBOM_FOLDER / f"quantmesh-{image.name}.cdx.json"
        _run("podman", "cp", f"{container}:/opt/quantmesh/sbom.cdx.json", str(bill))
    finally:
        _run("podman", "rm", container)
    return tag


def tag_of(image: Image) -> str:
    registry = os.environ.get("QUANTMESH_REGISTRY", "localhost").rstrip("/")
    return f"{registry}/quantmesh-{image.name}:{revision()}"


def revision() -> str:
    return _run("git", "rev-parse", "--short", "HEAD").strip()


def base() -> dict[str, str]:
    """The Dockerfile's own where neither is there."""
    local = _LOCAL_BASE if _run("podman", "images", "--quiet", _LOCAL_BASE) else ""
    named = os.environ.get("QUANTMESH_BASE", local)
    return {"BASE": named} if named else {}


def megabytes(tag: str) -> int:
    return int(_run("podman", "image", "inspect", "--format", "{{.Size}}", tag)) // 1_000_000


def _run(*command: str) -> str:
    """What it wrote to standard output; its complaint where it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode:
        sys.exit(f"\n{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

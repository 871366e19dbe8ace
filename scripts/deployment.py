"""Bring the mesh onto the cluster that kubectl points to, beside the running release, or make another colour the one
that users reach: `make deploy [env=prod] [color=green] [tag=...]`, `make promote color=green [env=prod]`.

Blue is the release `quantmesh`, which also has what both colours share: servers, secrets, the public address. Green is
`quantmesh-green`. A colour that is not active is a preview: it answers on its own addresses, and its consumers, relays
and other common work wait until it is promoted.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
K8S = ROOT / "deploy" / "k8s"
COLORS = ("blue", "green")
# The first install waits for images, Postgres and every schema.
_PATIENCE = "15m"

Run = Callable[[Sequence[str]], str]


class DeployError(Exception):
    """What is missing, and what to do first."""


def release_of(color: str) -> str:
    return "quantmesh" if color == "blue" else f"quantmesh-{color}"


class Deployment:
    """`run` executes a command and gives what it prints. Raises DeployError."""

    def __init__(self, run: Run, environment: str, namespace: str) -> None:
        self._run = run
        self._environment = environment
        self._namespace = namespace

    def deploy(self, color: str, tag: str) -> None:
        """Install or upgrade one colour; the other goes on as it is."""
        installed = self._installed()
        if color != "blue" and "blue" not in installed:
            raise DeployError("blue is not installed, which has the servers that all colours share: make deploy")
        active = color
        if "blue" in installed:
            self._refuse_another_environment()
            active = self._active(installed)
        self._upgrade(color, active, *(["--set-string", f"global.tag={tag}"] if tag else []))

    def promote(self, color: str) -> None:
        """Users reach this colour from now on, and its consumers work. Going back is promoting the other again."""
        installed = self._installed()
        if color not in installed:
            raise DeployError(f"{color} is not installed: make deploy color={color}")
        self._refuse_another_environment()
        # The new colour first: for a moment both work, as in any rolling update, rather than nobody.
        for each in (color, *(other for other in installed if other != color)):
            tag = str(self._values(each).get("tag", ""))
            self._upgrade(each, color, *(["--set-string", f"global.tag={tag}"] if tag else []))

    def _upgrade(self, color: str, active: str, *more: str) -> None:
        self._helm(
            *("upgrade", release_of(color), str(K8S / "charts" / "quantmesh"), "--install", "--create-namespace"),
            *("--values", str(K8S / "environments" / f"{self._environment}.yaml")),
            *(
                "--set",
                f"global.color={color},global.activeColor={active},global.shared={str(color == 'blue').lower()}",
            ),
            *more,
            *("--wait", "--wait-for-jobs", "--timeout", _PATIENCE),
        )

    def _installed(self) -> list[str]:
        # Of Helm 3 and 4 alike, in whatever state but one that was uninstalled and whose history is kept.
        listed = self._helm("list", "--deployed", "--failed", "--pending", "--output", "json")
        releases = {release["name"] for release in json.loads(listed or "[]")}
        return [color for color in COLORS if release_of(color) in releases]

    def _refuse_another_environment(self) -> None:
        """An environment that was forgotten would take the running servers for others, with their data."""
        running, wanted = self._values("blue").get("environment"), environment_of(self._environment)
        if running != wanted:
            names = [name for name in environments() if environment_of(name) == running]
            hint = f": env={names[0]}" if names else ""
            raise DeployError(f"what is installed here is {running}, and {self._environment} is {wanted}{hint}")

    def _active(self, installed: Sequence[str]) -> str:
        """Blue, where the colour that users reached is gone: they would reach nobody."""
        active = str(self._values("blue").get("activeColor", "blue"))
        return active if active in installed else "blue"

    def _values(self, color: str) -> dict[str, object]:
        """What the release was given under `global`."""
        values = json.loads(self._helm("get", "values", release_of(color), "--output", "json")) or {}
        given: dict[str, object] = values.get("global", {})
        return given

    def _helm(self, *arguments: str) -> str:
        return self._run(["helm", *arguments, "--namespace", self._namespace])


def main() -> int:
    parser = argparse.ArgumentParser(prog="deployment", description=__doc__)
    parser.add_argument("action", choices=["deploy", "promote"])
    parser.add_argument("--color", choices=COLORS, default="blue")
    parser.add_argument("--environment", choices=environments(), default="dev")
    parser.add_argument("--tag", default="", help="of the project's images; unset: the charts' own version")
    parser.add_argument("--namespace", default="quantmesh")
    given = parser.parse_args()
    if shutil.which("helm") is None:
        sys.stderr.write("deploy needs helm 3.14 or later: https://helm.sh/docs/intro/install\n")
        return 1
    deployment = Deployment(_run, given.environment, given.namespace)
    try:
        if given.action == "deploy":
            deployment.deploy(given.color, given.tag)
        else:
            deployment.promote(given.color)
    except DeployError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def environments() -> list[str]:
    return sorted(path.stem for path in (K8S / "environments").glob("*.yaml"))


def environment_of(name: str) -> str:
    """What that file calls itself, `global.environment`."""
    text = (K8S / "environments" / f"{name}.yaml").read_text()
    return str(re.findall(r"^  environment: (\S+)$", text, re.MULTILINE)[0])


def _run(command: Sequence[str]) -> str:
    sys.stderr.write(f"{' '.join(command)}\n")
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise DeployError(f"helm ended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())

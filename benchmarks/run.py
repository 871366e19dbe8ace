"""Every figure of the README in one go: each benchmark measures ours and its peer in turn and prints their ratio.

A mesh of its own is started on free ports in a temporary folder; one that runs already only makes the figures worse.
`python benchmarks/run.py [NAME ...]` runs some of them.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from quantmesh.local import allocator
from quantmesh.local.network import LOOPBACK
from quantmesh.local.testing.mesh import Mesh, running_mesh

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / ".venv-bench"
NUMERICS = tuple(sorted(path.stem for path in HERE.glob("quant_*.py")))
ALONE = (*NUMERICS, "market_ticks", "event_delivery", "order_matching", "ledger_reads", "import_rows")
ON_A_MESH = (
    "start",
    "gateway_latency",
    "overload",
    "gateway_arrow",
    "gateway_stream",
    "prediction_forecast",
    "transactions",
    "order_to_fill",
)
START_GOAL_SECONDS = 20.0
MEMORY_GOAL_GIB = 3.0
# The audience of gateway_stream is one account's.
SETTINGS = {"QUANTMESH_GATEWAY_STREAMS": "1000"}


def main() -> int:
    known = (*ALONE, *ON_A_MESH)
    chosen = sys.argv[1:] or known
    unknown = set(chosen) - set(known)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    failed = [name for name in chosen if name in ALONE and not alone(name)]
    wanted = [name for name in chosen if name not in ALONE]
    if wanted:
        with tempfile.TemporaryDirectory(prefix="quantmesh-") as folder:
            Path(folder).chmod(0o711)  # Postgres runs as another user when this is root
            with running_mesh(ROOT, Path(folder) / "state", SETTINGS) as mesh:
                failed += [name for name in wanted if not (start(mesh) if name == "start" else on(mesh, name))]
    if failed:
        print(f"\nbelow their goals, or broken: {', '.join(failed)}")
    return 1 if failed else 0


def alone(name: str) -> bool:
    if name in NUMERICS:
        install_peers()
    return script(name)


def start(mesh: Mesh) -> bool:
    """A warm start, and the memory of the whole mesh once it idles, counting what processes share once."""
    print("\n== start", flush=True)
    mesh.down()
    began = time.monotonic()
    mesh.up()
    seconds = time.monotonic() - began
    print(f"warm start to ready: {seconds:.1f} s (goal under {START_GOAL_SECONDS:g} s)")
    time.sleep(5.0)
    processes = [psutil.Process(part.pid) for part in mesh.report.parts if part.pid is not None]
    family = {child for process in processes for child in (process, *process.children(recursive=True))}
    gibibytes = sum(process.memory_full_info().pss for process in family) / 2**30
    print(f"idle memory of the mesh: {gibibytes:.2f} GiB (goal under {MEMORY_GOAL_GIB:g} GiB)")
    return seconds < START_GOAL_SECONDS and gibibytes < MEMORY_GOAL_GIB


def on(mesh: Mesh, name: str) -> bool:
    arguments = ["--url", mesh.url, "--operator", str(mesh.operator_file)]
    if name == "gateway_stream":
        arguments += ["--nats", f"nats://{LOOPBACK}:{mesh.server_port('nats')}"]
    return script(name, *arguments)


def script(name: str, *arguments: str) -> bool:
    print(f"\n== {name}", flush=True)
    command = [sys.executable, str(HERE / f"{name}.py"), *arguments]
    # What is measured without a mesh runs as in its service.
    return subprocess.run(command, env=os.environ | allocator.OF_SERVICES, check=False).returncode == 0


def install_peers() -> None:
    """Peers have an environment and a lock of their own, so that none of them constrains ours."""
    lock = HERE / "requirements.lock"
    stamp = PEERS / ".installed"
    if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(PEERS)], check=True)
    python = str(PEERS / "bin" / "python")
    # py_lets_be_rational has no wheel and builds with the setuptools of its environment.
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "setuptools<81", "wheel", "numpy"], check=True)
    command = [uv, "pip", "install", "--quiet", "--python", python, "--no-build-isolation", "-r", str(lock)]
    subprocess.run(command, check=True)
    stamp.touch()


if __name__ == "__main__":
    sys.exit(main())

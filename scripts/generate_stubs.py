"""Generate quantmesh.api from protos/: messages, gRPC stubs, and their types."""

import shutil
import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
TARGET = ROOT / "libs" / "api" / "src"


def main() -> int:
    package = TARGET / "quantmesh" / "api"
    for folder in package.iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    return int(
        protoc.main(
            [
                "protoc",
                *(f"--plugin={name}={Path(sys.executable).parent / name}" for name in PLUGINS),
                f"--proto_path={PROTOS}",
                f"--proto_path={files('grpc_tools') / '_proto'}",
                f"--python_out={TARGET}",
                f"--mypy_out=quiet:{TARGET}",
                f"--grpc_python_out={TARGET}",
                f"--mypy_grpc_out=quiet:{TARGET}",
                *sources,
            ]
        )
    )


if __name__ == "__main__":
    sys.exit(main())

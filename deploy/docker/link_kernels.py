"""Link the kernels into one library that needs neither Numba nor LLVM: `python link_kernels.py kernels.so`.

What Numba has optimised is compiled once more to code that a linker can place, without what makes a Python function of
it: `ahead/numba` calls the kernels themselves. NUMBA_CPU_NAME says for which machines.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

# llvmlite ships no type information.
from llvmlite import binding
from numba.core.dispatcher import Dispatcher

from quantmesh.quant import kernels

_MEMORY = Path(__file__).with_name("memory.ll")


def main() -> int:
    library = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")
        # Families share kernels: who finds one in the cache has not compiled it, and leaves it to whoever has.
        os.environ["NUMBA_CACHE_DIR"] = f"{folder}/cache"
        with ProcessPoolExecutor(mp_context=context) as pool:
            families = kernels.families()
            for family, made in zip(families, pool.map(partial(emit, Path(folder)), families), strict=True):
                sys.stdout.write(f"{family}: {made} kernels\n")
        linked = link(Path(folder), library)
    sys.stdout.write(f"{linked} kernels, {library.stat().st_size / 1e6:.1f} MB\n")
    return 0


def link(folder: Path, library: Path) -> int:
    """The number of kernels, whose object files lie in the folder."""
    kernel_files = sorted(str(path) for path in folder.glob("*.o"))
    memory = folder / "memory.o"
    memory.write_bytes(object_of(binding.parse_assembly(_MEMORY.read_text())))
    system = [f"-L{path}" for path in ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu")]
    command = ["ld", "-shared", "-o", str(library), *kernel_files, str(memory), *system, "-l:libm.so.6", "-l:libc.so.6"]
    subprocess.run(command, check=True)  # noqa: S603
    return len(kernel_files)


def emit(folder: Path, family: str) -> int:
    """Writes an object file for each kernel that was compiled here, and answers how many."""
    kernels.load(family)
    modules = [module for name, module in sys.modules.items() if name.startswith("quantmesh.quant")]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    made = 0
    dispatchers: set[Any] = found
    for dispatcher in dispatchers:
        path = folder / f"{name_of(dispatcher)}.o"
        # Those without a signature of their own are parts of others.
        if not dispatcher._can_compile and dispatcher.stats.cache_misses and not path.exists():  # noqa: SLF001
            path.write_bytes(object_of(alone(dispatcher)))
            made += 1
    return made


def name_of(dispatcher: Any) -> str:
    function = dispatcher.py_func
    return f"{function.__module__}.{function.__name__}"


def alone(dispatcher: Any) -> Any:
    """The module of a kernel under its Python name, without what would make a Python function of it."""
    (signature,) = dispatcher.signatures
    symbol = dispatcher.overloads[signature].fndesc.llvm_func_name
    module = binding.parse_assembly(dispatcher.inspect_llvm(signature))
    for each in (*module.functions, *module.global_variables):
        if not each.is_declaration:
            each.linkage = "external" if each.name == symbol else "internal"
    module.get_function(symbol).name = name_of(dispatcher)
    options = binding.create_pipeline_tuning_options(speed_level=0)
    passes = binding.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, binding.create_pass_builder(_machine(), options))
    return module


def object_of(module: Any) -> bytes:
    code: bytes = _machine().emit_object(module)
    return code


def _machine() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_triple(binding.get_process_triple())
    name = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES", "")
    return target.create_target_machine(name, features, opt=3, reloc="pic", codemodel="small")


if __name__ == "__main__":
    sys.exit(main())

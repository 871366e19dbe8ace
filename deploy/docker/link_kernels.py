"""Link the kernels into one library that needs neither Numba nor LLVM: `python link_kernels.py kernels.so`.

What Numba has optimised is compiled once more to code that a linker can place, without what makes a Python function of
it: `ahead/numba` calls the kernels themselves. NUMBA_CPU_NAME says for which machines.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

# llvmlite ships no type information.
from llvmlite import binding
from numba.core.dispatcher import Dispatcher

from quantmesh.quant import kernels

# Memory that kernels ask for: blocks that begin with six words. The first counts owners, the second is what to call at
# the end, the fourth points to the numbers, the fifth is their size, and the sixth says that they lie elsewhere.
_MEMORY = """
declare ptr @malloc(i64)
declare ptr @realloc(ptr, i64)
declare void @free(ptr)

define ptr @NRT_Allocate(i64 %size) {
  %made = call ptr @malloc(i64 %size)
  ret ptr %made
}

define void @NRT_Free(ptr %made) {
  call void @free(ptr %made)
  ret void
}

define ptr @NRT_MemInfo_alloc(i64 %size) {
  %block = call ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 16)
  ret ptr %block
}

define ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %alignment) {
  %wide = zext i32 %alignment to i64
  %room = add i64 %wide, 48
  %all = add i64 %room, %size
  %block = call ptr @malloc(i64 %all)
  %failed = icmp eq ptr %block, null
  br i1 %failed, label %none, label %made
none:
  ret ptr null
made:
  %start = ptrtoint ptr %block to i64
  %past = add i64 %start, %room
  %over = urem i64 %past, %wide
  %data = sub i64 %past, %over
  store [6 x i64] zeroinitializer, ptr %block
  store i64 1, ptr %block
  %pointer = getelementptr i64, ptr %block, i64 3
  store i64 %data, ptr %pointer
  %length = getelementptr i64, ptr %block, i64 4
  store i64 %size, ptr %length
  ret ptr %block
}

define ptr @NRT_MemInfo_new_varsize_dtor(i64 %size, ptr %end) {
  %block = call ptr @NRT_MemInfo_alloc_aligned(i64 0, i32 16)
  %failed = icmp eq ptr %block, null
  br i1 %failed, label %done, label %made
made:
  %data = call ptr @NRT_MemInfo_varsize_realloc(ptr %block, i64 %size)
  %ending = getelementptr i64, ptr %block, i64 1
  store ptr %end, ptr %ending
  %elsewhere = getelementptr i64, ptr %block, i64 5
  store i64 1, ptr %elsewhere
  br label %done
done:
  ret ptr %block
}

define ptr @NRT_MemInfo_varsize_realloc(ptr %block, i64 %size) {
  %pointer = getelementptr i64, ptr %block, i64 3
  %elsewhere = getelementptr i64, ptr %block, i64 5
  %flag = load i64, ptr %elsewhere
  %has = icmp ne i64 %flag, 0
  %held = load ptr, ptr %pointer
  %old = select i1 %has, ptr %held, ptr null
  %data = call ptr @realloc(ptr %old, i64 %size)
  store ptr %data, ptr %pointer
  %length = getelementptr i64, ptr %block, i64 4
  store i64 %size, ptr %length
  ret ptr %data
}

define void @NRT_MemInfo_call_dtor(ptr %block) {
  %pointer = getelementptr i64, ptr %block, i64 3
  %data = load ptr, ptr %pointer
  %ending = getelementptr i64, ptr %block, i64 1
  %end = load ptr, ptr %ending
  %simple = icmp eq ptr %end, null
  br i1 %simple, label %ended, label %call
call:
  %length = getelementptr i64, ptr %block, i64 4
  %size = load i64, ptr %length
  call void %end(ptr %data, i64 %size, ptr null)
  br label %ended
ended:
  %elsewhere = getelementptr i64, ptr %block, i64 5
  %flag = load i64, ptr %elsewhere
  %within = icmp eq i64 %flag, 0
  br i1 %within, label %last, label %apart
apart:
  call void @free(ptr %data)
  br label %last
last:
  call void @free(ptr %block)
  ret void
}
"""


def main() -> int:
    library = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        context = multiprocessing.get_context("spawn")
        # Families share kernels: who finds one in the cache has not compiled it, and leaves it to whoever has.
        os.environ["NUMBA_CACHE_DIR"] = f"{folder}/cache"
        with ProcessPoolExecutor(mp_context=context) as pool:
            for family, made in zip(
                kernels.families(), pool.map(partial(emit, Path(folder)), kernels.families()), strict=True
            ):
                sys.stdout.write(f"{family}: {made} kernels\n")
        Path(folder, "memory.o").write_bytes(_object_of(binding.parse_assembly(_MEMORY)))
        objects = sorted(str(path) for path in Path(folder).glob("*.o"))
        system = [f"-L{path}" for path in ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu")]
        command = ["ld", "-shared", "-o", str(library), *objects, *system, "-l:libm.so.6", "-l:libc.so.6"]
        subprocess.run(command, check=True)  # noqa: S603
    sys.stdout.write(f"{len(objects) - 1} kernels, {library.stat().st_size / 1e6:.1f} MB\n")
    return 0


def emit(folder: Path, family: str) -> int:
    """Writes an object file for each kernel that was compiled here."""
    kernels.load(family)
    found = dict(_compiled())
    for name, text in found.items():
        Path(folder, f"{name}.o").write_bytes(_object_of(_alone(text, name)))
    return len(found)


def _compiled() -> Iterator[tuple[str, tuple[str, str]]]:
    """By the Python function's name: the kernel's own name, and its optimised code."""
    modules = [module for name, module in sys.modules.items() if name.startswith("quantmesh.quant")]
    found = {value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)}
    dispatchers: set[Any] = found
    for dispatcher in dispatchers:
        # Those without a signature of their own are parts of others.
        if not dispatcher._can_compile and dispatcher.stats.cache_misses:  # noqa: SLF001 - no other way to ask
            (signature,) = dispatcher.signatures
            function = dispatcher.py_func
            symbol = dispatcher.overloads[signature].fndesc.llvm_func_name
            yield f"{function.__module__}.{function.__name__}", (symbol, dispatcher.inspect_llvm(signature))


def _alone(compiled: tuple[str, str], name: str) -> Any:
    symbol, text = compiled
    module = binding.parse_assembly(text)
    for each in (*module.functions, *module.global_variables):
        if not each.is_declaration:
            each.linkage = "external" if each.name == symbol else "internal"
    module.get_function(symbol).name = name
    options = binding.create_pipeline_tuning_options(speed_level=0)
    passes = binding.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, binding.create_pass_builder(_machine(), options))
    return module


def _object_of(module: Any) -> bytes:
    code: bytes = _machine().emit_object(module)
    return code


def _machine() -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_triple(binding.get_process_triple())
    features = os.environ["NUMBA_CPU_FEATURES"]
    return target.create_target_machine(os.environ["NUMBA_CPU_NAME"], features, opt=3, reloc="pic", codemodel="small")


if __name__ == "__main__":
    sys.exit(main())

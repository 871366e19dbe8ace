"""What glibc's allocator is told by the environment; another C library reads none of it."""

# So many bytes that were freed stay with the process, for its next large answer: else the kernel clears and maps them
# anew page by page, which takes a quarter of such an answer's time. A block above the other size never stays; it is the
# largest that glibc takes here.
_LARGEST = 32 * 2**20


def _keeping(size: int) -> dict[str, str]:
    return {"MALLOC_MMAP_THRESHOLD_": str(_LARGEST), "MALLOC_TRIM_THRESHOLD_": str(size)}


# An arena per thread doubles the memory of idle services.
OF_SERVICES = {"MALLOC_ARENA_MAX": "2", **_keeping(128 * 2**20)}
# Each connection has a process of its own.
OF_POSTGRES = _keeping(32 * 2**20)

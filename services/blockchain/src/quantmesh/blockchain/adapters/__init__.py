"""In and out of the service.

Below eth-account, py_ecc raises the interpreter's recursion limit to 100,000 when it is imported. At that depth a
hostile document overflows the C stack and takes the process with it, so the limit is put back where it was.
"""

import sys

_limit = sys.getrecursionlimit()
import eth_account  # noqa: E402, F401  before any adapter does

sys.setrecursionlimit(_limit)

"""A port that somebody was given is nobody else's, though its server listens later."""

import subprocess
import sys

ASKING = "from quantmesh.local.network import free_port; print(*(free_port() for _ in range(200)))"


def test_processes_that_ask_at_once_are_given_ports_of_their_own() -> None:
    asking = [subprocess.Popen([sys.executable, "-c", ASKING], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    given = [port for each in asking for port in each.communicate()[0].split()]
    assert len(given) == len(set(given)) == 600

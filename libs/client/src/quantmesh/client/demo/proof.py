"""Step 7: every transaction is on chain; the proof is judged by the node alone; an altered row is found out."""

import shlex
import subprocess

from rich.markup import escape

from quantmesh.client import proofs
from quantmesh.client.cli import tables
from quantmesh.client.demo.stage import Stage
from quantmesh.client.errors import ClientError
from quantmesh.client.models.chain import Proof

_PATIENCE_SECONDS = 60.0


def prove(stage: Stage, alter_command: str) -> None:
    """`alter_command` changes the amount of a stored transaction, called with its id and the difference."""
    stage.step(7, "Proof: what was recorded is on chain, and an altered row is found out")
    mesh = stage.investor
    count = len(stage.transaction_ids)
    with stage.console.status("waiting for the anchor"):
        fetched = [mesh.chain.proof(each, patience_seconds=_PATIENCE_SECONDS) for each in stage.transaction_ids]
    for proof in fetched:
        verdict = proofs.verify(proof, _node(proof))
        if not verdict.valid:
            raise ClientError(f"The proof of {proof.payload.get('transaction_id')} does not hold: {verdict.reason}")
    first = fetched[0]
    roots = {proof.root for proof in fetched}
    stage.say(f"{count} proofs of {count} hold, judged from the proof and the node alone; {len(roots)} roots on chain.")
    stage.console.print(
        tables.facts(
            ("transaction", str(first.payload.get("transaction_id"))),
            ("leaf", first.leaf),
            ("path", f"{len(first.path)} hashes to the root"),
            ("root", first.root),
            ("anchored", f"block {first.anchor.block_number} of the {first.anchor.network} chain"),
            ("contract", first.anchor.contract),
        )
    )
    _alter(stage, stage.transaction_ids[0], alter_command)


def _alter(stage: Stage, transaction_id: str, alter_command: str) -> None:
    if not alter_command:
        stage.say("Not shown here: a stored amount altered behind the service's back (give --alter a command).")
        return
    stage.say(f"Now one dollar is added to the stored amount of {transaction_id}, in the database itself ...")
    _run([*shlex.split(alter_command), transaction_id, "1"])
    try:
        proof = stage.investor.chain.proof(transaction_id, patience_seconds=_PATIENCE_SECONDS)
        verdict = proofs.verify(proof, _node(proof))
    finally:
        _run([*shlex.split(alter_command), transaction_id, "-1"])
    if verdict.valid:
        raise ClientError("The altered row was not found out: its proof still holds.")
    stage.say(f"[green]Found out[/green]: {escape(str(verdict.reason))}")
    proof = stage.investor.chain.proof(transaction_id, patience_seconds=_PATIENCE_SECONDS)
    restored = proofs.verify(proof, _node(proof))
    stage.say(f"The dollar is taken away again, and the proof {'holds' if restored.valid else 'does not hold'}.")


def _node(proof: Proof) -> str:
    if proof.anchor.rpc_url is None:
        raise ClientError("The proof names no node to ask.")
    return proof.anchor.rpc_url


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the user's own words
    if done.returncode != 0:
        raise ClientError(f"`{shlex.join(command)}` failed: {done.stderr.strip() or done.stdout.strip()}")

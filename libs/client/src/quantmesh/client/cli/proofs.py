"""Commands about proofs. `verify` asks the node alone: it works with the mesh down and without an account."""

import json
import sys
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.text import Text

from quantmesh.client import proofs
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.login import signed_in
from quantmesh.client.errors import ClientError
from quantmesh.client.models.chain import Proof

console = plain_console()
app = typer.Typer(help="Proofs that a transaction was recorded when it says.", no_args_is_help=True)


@app.command()
def get(
    transaction: Annotated[str, typer.Argument(help="Its id.")],
    patience: Annotated[float, typer.Option(help="Seconds to wait for the anchor.")] = 30.0,
) -> None:
    """Print the proof of a transaction as JSON."""
    with signed_in() as client:
        proof = client.chain.proof(transaction, patience_seconds=patience)
    typer.echo(json.dumps(proof.model_dump(), indent=2))


@app.command()
def verify(
    file: Annotated[typer.FileText, typer.Argument(help="A proof as `get` prints it; - is standard input.")],
    node: Annotated[str, typer.Option(help="The EVM node to ask; the proof's own where none is given.")] = "",
    contract: Annotated[str, typer.Option(help="The contract that you trust; the proof's own by default.")] = "",
) -> None:
    """Judge a proof by itself and a node alone. Ends with 1 where it does not hold."""
    try:
        proof = Proof.model_validate_json(file.read())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ClientError(f"This is no proof: {where}: {first['msg']}") from error
    url = node or proof.anchor.rpc_url
    if not url:
        raise ClientError("The proof names no node: give one with --node.")
    verdict = proofs.verify(proof, url, contract=contract or None)
    if verdict.valid:
        console.print(
            Text("valid", style="green"),
            f": anchored in block {proof.anchor.block_number} of {proof.anchor.network}",
            sep="",
        )
    else:
        console.print(Text("not valid", style="red"), f": {verdict.reason}", sep="", highlight=False)
        sys.exit(1)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(app, name="proof")

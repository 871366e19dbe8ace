"""Step 5: a forecast, the training of its model by an operator, and the forecast of the trained model."""

from rich.markup import escape

from quantmesh.client.cli import tables
from quantmesh.client.cli.progress import progress_bar
from quantmesh.client.client import Client
from quantmesh.client.demo.stage import Stage
from quantmesh.client.errors import JobFailed

SYMBOL = "AAPL"
TIMEFRAME = "1d"


def forecast(stage: Stage, operator: Client, train_seconds: int) -> None:
    stage.step(5, f"A forecast of {SYMBOL} for one day ahead, before and after training")
    mesh = stage.investor
    before = mesh.predictions.forecast(SYMBOL, TIMEFRAME)
    stage.say(f"Now: {before.model} says {tables.money(before.predicted_price)}. {before.note or ''}")
    stage.say("An operator trains the LSTM on thirty years of twenty stocks, walk-forward:")
    job = operator.predictions.train(TIMEFRAME, max_seconds=train_seconds)
    try:
        with progress_bar(stage.console) as show:
            operator.jobs.wait(job, show)
    except JobFailed as error:
        # A machine that is busy with other work may need more than the demo's minute.
        stage.say(f"[yellow]{escape(str(error))}[/yellow]")
    stage.console.print(tables.forecast_facts(mesh.predictions.forecast(SYMBOL, TIMEFRAME)))

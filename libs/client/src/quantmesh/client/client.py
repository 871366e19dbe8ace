"""The whole API behind one value: `with Client() as mesh: mesh.auth.login(...)`."""

from types import TracebackType

import httpx

from quantmesh.client.api.auth import Auth
from quantmesh.client.api.chain import Chain
from quantmesh.client.api.compliance import Compliance
from quantmesh.client.api.events import Events
from quantmesh.client.api.halts import Halts
from quantmesh.client.api.jobs import Jobs
from quantmesh.client.api.limits import RiskLimits
from quantmesh.client.api.market import Market
from quantmesh.client.api.options import Options
from quantmesh.client.api.orders import Orders
from quantmesh.client.api.portfolios import Portfolios
from quantmesh.client.api.predictions import Predictions
from quantmesh.client.api.rebalance import Rebalance
from quantmesh.client.api.risk import Risk
from quantmesh.client.stream import Stream
from quantmesh.client.transport import Transport

DEFAULT_ADDRESS = "http://127.0.0.1:8080"


class Client:
    """Not for use by several threads at once. Give an API key, or log in."""

    def __init__(
        self, address: str = DEFAULT_ADDRESS, *, api_key: str | None = None, http: httpx.Client | None = None
    ) -> None:
        self.transport = Transport(address, api_key=api_key, http=http)
        self.auth = Auth(self.transport)
        self.market = Market(self.transport)
        self.jobs = Jobs(self.transport)
        self.portfolios = Portfolios(self.transport, self.jobs)
        self.orders = Orders(self.transport)
        self.rebalance = Rebalance(self.transport)
        self.options = Options(self.transport, self.jobs)
        self.risk = Risk(self.transport)
        self.limits = RiskLimits(self.transport)
        self.predictions = Predictions(self.transport)
        self.chain = Chain(self.transport)
        self.events = Events(self.transport)
        self.halts = Halts(self.transport)
        self.compliance = Compliance(self.transport)

    def stream(self) -> Stream:
        return Stream(self.transport)

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

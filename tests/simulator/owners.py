"""Owners who change an account while others record in it, or close one once it is empty."""

from dataclasses import dataclass

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb

from .clients import Claim, Client

_CHANGES = 6
_PAYMENTS = 4
_CLOSINGS = 12
# In steps.
_LONGEST_LULL = 25


@dataclass
class Owner:
    """Does what he does through a client of the account."""

    client: Client

    async def change(self) -> None:
        """Its name, and where it has margin whether it still has: at last it has it again."""
        account = self.client.account
        for number in range(_CHANGES):
            await self._look_on()
            request = pb.UpdatePortfolioRequest(id=account.portfolio_id, name=f"{self.client.name} {number}")
            if account.margin_enabled:
                request.margin_enabled = number % 2 == 1
            await self.client.ask("UpdatePortfolio", request)

    async def pay(self) -> None:
        """In and out again, so that now and then nothing is there."""
        client = self.client
        for number in range(_PAYMENTS):
            for kind, wish in (("in", client.wishes.deposit), ("out", client.wishes.withdrawal)):
                await client.scheduler.pause("next payment")
                command = wish(f"{client.name} {kind} {number}", "10.00")
                client.claims[command.key] = Claim(command)
                await client.insist(command)

    async def close(self) -> None:
        for _ in range(_CLOSINGS):
            await self._look_on()
            request = pb.DeletePortfolioRequest(id=self.client.account.portfolio_id)
            if await self.client.ask("DeletePortfolio", request) is not None:
                return

    async def _look_on(self) -> None:
        for _ in range(self.client.draw.randrange(1, _LONGEST_LULL)):
            await self.client.scheduler.pause("owner looks on")

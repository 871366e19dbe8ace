"""Accounts as they stand, for risk."""

from quantmesh.api.portfolio.v1 import account_pb2 as pb
from quantmesh.api.portfolio.v1.account_pb2_grpc import AccountServiceServicer
from quantmesh.chassis.identity import requires
from quantmesh.portfolio.adapters.accounts import Accounts
from quantmesh.portfolio.adapters.rpc.base import Context, portfolio_id_of


class AccountRpc(AccountServiceServicer):
    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    @requires("portfolio:read")
    async def GetAccountState(self, request: pb.GetAccountStateRequest, context: Context) -> pb.GetAccountStateResponse:
        state = await self._accounts.state(portfolio_id_of(request.portfolio_id), request.symbols)
        return pb.GetAccountStateResponse(account=state)

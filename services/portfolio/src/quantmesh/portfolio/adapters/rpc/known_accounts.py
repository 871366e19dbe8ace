"""Accounts as this process left them, so that the next recording or order need not read them again."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from uuid import UUID

from quantmesh.portfolio.core.known_account import KnownAccount

# A portfolio with a few balances takes some 2 kB, the largest some 10 kB.
_MOST_ACCOUNTS = 5_000
_MOST_AMOUNTS = 50


class KnownAccounts:
    """The least recently used go first. What somebody works with is not here meanwhile, so that no doubt stays."""

    def __init__(self, most: int = _MOST_ACCOUNTS) -> None:
        self._most = most
        self._accounts: OrderedDict[tuple[UUID, UUID], KnownAccount] = OrderedDict()

    def take(self, owner_id: UUID, portfolio_ids: Collection[UUID]) -> dict[UUID, KnownAccount]:
        """By portfolio, as its own owner left it."""
        found = {each: self._accounts.pop((owner_id, each), None) for each in portfolio_ids}
        return {each: account for each, account in found.items() if account is not None}

    def remember(self, owner_id: UUID, accounts: Mapping[UUID, KnownAccount]) -> None:
        """Not those with long histories."""
        for portfolio_id, account in accounts.items():
            if account.size <= _MOST_AMOUNTS:
                self._accounts[owner_id, portfolio_id] = account
        while len(self._accounts) > self._most:
            self._accounts.popitem(last=False)

"""What was learnt of all traffic, and what is booked of it, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict

from policies.base.call import Call
from policies.base.terms import Terms
from policies.prefix.account import Account
from policies.prefix.forest import Forest
from policies.prefix.traffic import Shared, Traffic
from policies.prefix.venture import Books

_LIFETIMES = {"anthropic_marks": 300.0, "openai_breakpoints": 1800.0}
_LIFETIME = 600.0  # seconds, of rules that publish none
_TRAFFIC = 16 * 1024  # bytes that one (tenant, route, model) may take with what it watches
_ACCOUNTS = 16_384  # which are small


class Memory:
    """Of too many kinds of traffic, and of too many accounts, the longest unused is forgotten."""

    def __init__(self, limit: int) -> None:
        """`limit` in bytes."""
        self._forest = Forest(limit * 3 // 4)
        self._most = max(1, limit // 4 // _TRAFFIC)
        self._traffic: OrderedDict[tuple[str, str, str], Traffic] = OrderedDict()
        self._accounts: OrderedDict[tuple[str, str], Account] = OrderedDict()
        self._all = Account()
        self._shared = Shared()

    def look(self, call: Call, terms: Terms) -> tuple[Traffic, Books]:
        """What is known of the request's kind, to be read only: nothing is remembered."""
        traffic = self._traffic.get(_kind(call)) or self._fresh(call, terms)
        return traffic, Books(self._accounts.get(_payer(call)) or Account(), self._all)

    def traffic(self, call: Call, terms: Terms) -> Traffic:
        """What the request's kind has taught, to be added to."""
        kind = _kind(call)
        found = self._traffic.get(kind)
        if found is None:
            found = self._traffic[kind] = self._fresh(call, terms)
            if len(self._traffic) > self._most:
                self._traffic.popitem(last=False)
        self._traffic.move_to_end(kind)
        return found

    def books(self, call: Call) -> Books:
        """What is booked of the tenant's traffic to the model, to be added to."""
        payer = _payer(call)
        found = self._accounts.get(payer)
        if found is None:
            found = self._accounts[payer] = Account()
            if len(self._accounts) > _ACCOUNTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(payer)
        return Books(found, self._all)

    def _fresh(self, call: Call, terms: Terms) -> Traffic:
        lifetime = terms.lifetime or _LIFETIMES.get(terms.rule, _LIFETIME)
        told = terms.rule == "anthropic_marks"
        return Traffic(self._forest, "\0".join(_kind(call)), lifetime, self._shared, told=told)


def _kind(call: Call) -> tuple[str, str, str]:
    return call.tenant, call.route, call.model


def _payer(call: Call) -> tuple[str, str]:
    return call.tenant, call.model

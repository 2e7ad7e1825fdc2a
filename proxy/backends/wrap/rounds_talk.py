"""One request of a client: the rounds so far, what follows them, and what the client gets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import msgspec

from policies.base.body import Body
from policies.base.call import Call
from policies.base.local_tool import Said
from policies.base.reply import Reply
from policies.base.usage import Usage
from proxy.backends.wrap.rounds_memory import Bind, Rounds, unseen
from proxy.backends.wrap.rounds_prompt import Prompt, spoken, with_member
from proxy.backends.wrap.rounds_request import unedited
from proxy.errors import ProxyError
from proxy.wire.replay_merge import CannotRender
from proxy.wire.rounds import Answers, Calls, Form
from proxy.wire.usage import usage_of

_ENOUGH = Said(
    "Error: this was asked for too often in one turn. Nothing more can be retrieved now: "
    "answer with what you have.",
    failed=True,
)
_PATIENCE = 2  # times that it is told so; the second time it may call nothing at all
_BUSY = frozenset({408, 425, 429})  # refusals that have nothing to do with the request
_encode = msgspec.json.Encoder().encode


class Talk:
    """`prompt`: the messages of the first round, and the chain that a reply's key goes on from.

    `cut`: the reply is not whole. The model went on asking although it was told that nothing
    more is given, and may not call tools; or the upstream failed to go on, by what was `lost`.
    """

    def __init__(
        self,
        form: Form,
        call: Call,
        prompt: tuple[Sequence[bytes], bytes],
        rounds: Rounds,
        bind: Bind,
    ) -> None:
        assert call.local is not None
        self.form = form
        self.docs: list[dict[str, Any]] = []
        self.cut = False
        self.lost: Reply | ProxyError | None = None
        self._call = call
        self._tool = call.local
        self._raws, self._chain = prompt
        self._rounds = rounds
        self._store = bind(self._tool.space, call.tenant)
        self._said: list[dict[str, Any]] = []  # in all rounds but the last
        self._answers: Answers = ()  # that stand at its end
        self._alone = False  # the client's own request was answered
        self._beside: list[dict[str, Any]] = []
        self._last: list[dict[str, Any]] = []  # what stands behind the last round's reply
        self._owed: list[dict[str, Any]] = []  # answers that the model has not been sent

    def calls(self, doc: dict[str, Any]) -> bool:
        """Whether a reply calls the tool, or goes on from one that did."""
        if self.docs:
            return True
        try:
            return bool(self.form.calls(doc, self._tool.name).own)
        except CannotRender:  # an odd reply, and the client's own affair
            return False

    async def after(self, doc: dict[str, Any]) -> Call | None:
        """What is sent after this round; None where it was the last."""
        form, self.lost = self.form, None
        self.docs.append(doc)
        self._account()
        if self._alone:
            return None
        calls = form.calls(doc, self._tool.name)
        if not calls.own or not calls.whole:
            self._last = form.turn(doc) if not calls.own else []
            return None
        over = len(self.docs) - self._tool.rounds  # rounds in which nothing is given any more
        if not calls.others and over > _PATIENCE:
            self.cut = True
            self._owed = form.results([(call, _ENOUGH) for call in calls.own])
            return None
        answers = await self._answered(calls)
        if calls.others:  # the client answers the rest, and then the model is told all
            self._beside, self._owed = form.beside(answers), form.results(answers)
            self._last = [*form.turn(doc), *([] if self._beside else self._owed)]
            return None
        self._said += form.turn(doc)
        return self._told(answers)

    def _account(self) -> None:
        """Tell the tool what the rounds so far have cost, as far as that is known."""
        found = [usage_of(self._call.dialect, doc) for doc in self.docs]
        told = [usage for usage in found if usage is not None]
        self._tool.spent = reduce(Usage.plus, told) if told else None
        each = sum(usage.input + usage.output for usage in told)
        whole = len(told) == len(found)
        self._tool.extra = each - told[0].input - told[-1].output if whole else 0

    def _told(self, answers: Answers) -> Call:
        """The prompt that goes on with these answers."""
        form, self._answers = self.form, answers
        self._said += form.results(answers)
        raws = [*self._raws, *map(_encode, self._said)]
        body = Prompt(self._call.body.raw, form.field).body(raws)
        if len(self.docs) - self._tool.rounds == _PATIENCE:
            body = with_member(body, "tool_choice", _encode(form.silence))
        return msgspec.structs.replace(self._call, body=Body(body))

    def instead(self, lost: Reply | ProxyError) -> Call | None:
        """What is sent where the upstream failed to answer what follows a round; None: no more.

        Where it was refused, the same with errors as answers: it is not too long, and the model
        may ask for less. Else the client's own request, which was good before any compressor
        came to it.
        """
        refused = 400 <= lost.status < 500 and lost.status not in _BUSY
        first, form = self.lost is None, self.form
        self.lost = lost
        if first and refused:
            errors = [(call, _error(said)) for call, said in self._answers]
            del self._said[len(self._said) - len(form.results(errors)) :]
            return self._told(errors)
        if not self._alone:
            self._alone, self._said = True, []
            return unedited(self._call)
        self.cut, self._owed = True, form.results(self._answers)
        return None

    def spoke(self) -> bool:
        """Whether the client gets any text of the rounds so far."""
        shown = self.form.shown(self.docs, self._tool.name, cut=True)
        return any(spoken(message.get("content")) for message in self.form.turn(shown))

    async def _answered(self, calls: Calls) -> Answers:
        if len(self.docs) > self._tool.rounds:
            return [(call, _ENOUGH) for call in calls.own]
        return [(call, await self._tool.answer(call.arguments, self._store)) for call in calls.own]

    async def shown(self, same: dict[str, Any]) -> dict[str, Any]:
        """What the client gets of all rounds; what it does not get is remembered.

        `same`: what it has been told of the reply already, and what must stay so.
        """
        form, name = self.form, self.docs[-1].get("id")
        shown = form.shown(self.docs, self._tool.name, cut=self.cut) | same
        if self._owed or shown.get("id") != name:
            await self._rounds.owe(self._call, shown, self._owed, name)
        if self._last and len(self._last) + len(self._said) + len(self._beside) > 1:
            behind = unseen([*self._said, *self._last], self._beside)
            await self._rounds.keep(self._call, self._chain, form.turn(shown), behind)
        return shown


def _error(said: Said) -> Said:
    """What the model is told instead of an answer with which the prompt was refused."""
    return Said(
        f"Error: with these {len(said.text):,} characters the prompt was refused, most likely"
        " since it is too long for what is left of the context. Ask for a smaller part, or answer"
        " with what you have.",
        failed=True,
    )

"""How is a question answered that is nothing but an account's id in its address?

FastAPI works out the parameters of a route anew for every request, which costs as much as to read the answer. A
:class:`ReadyRoute` is declared, described and refused as any other; where the address holds a plain id, its function is
called with the id, the context and the reader's teams straight away.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from serving.context import context_of, teams_asking

LONGEST_ID = 200
"""Characters of an account's id."""


class ReadyRoute(APIRoute):
    """A route whose function takes ``(account_id, context, teams)`` and returns the finished response."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler; whatever is not plainly right is left to FastAPI, and refused in its way."""
        careful = super().get_route_handler()

        async def handle(request: Request) -> Response:
            account_id: str = request.path_params["account_id"]
            # Only text that nothing can be wrong with; another alphabet is looked at as ever.
            if not (account_id.isascii() and 1 <= len(account_id) <= LONGEST_ID):
                return await careful(request)
            context = await context_of(request)
            answer: Response = await run_in_threadpool(self.endpoint, account_id, context, teams_asking(request))
            return answer

        return handle

"""The simulated backend over HTTP: the thinnest ASGI adapter that SDKs can talk to."""

import socket
import threading
from contextlib import contextmanager

import uvicorn

from policies.base.body import Body
from policies.base.call import Call, Controls, Dialect, Effect
from proxy.backends.simulated import Simulated

DIALECTS = {
    "chat/completions": Dialect.CHAT,
    "completions": Dialect.COMPLETIONS,
    "responses": Dialect.RESPONSES,
    "embeddings": Dialect.EMBEDDINGS,
    "messages": Dialect.MESSAGES,
}


def a_call(path, raw=b"", *, method="POST", tenant="tests"):
    """A call as Penstock's edge would make it."""
    return Call(
        id="call",
        dialect=DIALECTS.get(path.partition("?")[0], Dialect.OPAQUE),
        method=method,
        path=path,
        headers=(),
        body=Body(raw),
        tenant=tenant,
        credential="",
        model="",
        stream=False,
        route="route",
        backends=("simulated",),
        effects=frozenset(Effect),
        controls=Controls(),
    )


def application(simulated):
    async def app(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        path = scope["raw_path"].decode().removeprefix("/v1/")
        reply = await simulated.send(a_call(path, body, method=scope["method"]))
        head = {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
        await send(head)
        async for chunk in reply.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


@contextmanager
def serving(simulated: Simulated):
    """The base URL, without `/v1`, of a server in a thread of its own."""
    config = uvicorn.Config(
        application(simulated), port=0, log_level="error", lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()  # requests that come before it is up wait in the socket's backlog
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()

"""A server made of a script: `handler(reader, writer, number of the connection)`."""

import asyncio
import contextlib


class Served:
    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.connections = 0
        self.gone = asyncio.Event()

    async def left(self, seconds=5):
        """Wait until a connection has ended."""
        await asyncio.wait_for(self.gone.wait(), seconds)


@contextlib.asynccontextmanager
async def serve(handler, *, tls=None, path=None):
    served = Served(0)
    tasks = set()

    async def run(reader, writer):
        tasks.add(asyncio.current_task())
        served.connections += 1
        try:
            await handler(reader, writer, served.connections)
        except (ConnectionError, EOFError, asyncio.CancelledError):  # the last: the test is over
            pass
        finally:
            served.gone.set()
            writer.close()
            tasks.discard(asyncio.current_task())

    if path:
        server = await asyncio.start_unix_server(run, path)
    else:
        server = await asyncio.start_server(run, "127.0.0.1", 0, ssl=tls)
        served.port = server.sockets[0].getsockname()[1]
        served.url = f"http://127.0.0.1:{served.port}"
    try:
        yield served
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


async def head_of(reader):
    """The request's head: `(request line, headers as a dict)`."""
    text = await reader.readuntil(b"\r\n\r\n")
    line, *fields = text[:-4].split(b"\r\n")
    return line, dict(field.split(b": ", 1) for field in fields)


async def request_of(reader):
    """`(request line, headers, body)` of a request with a length or in chunks."""
    line, headers = await head_of(reader)
    if headers.get(b"transfer-encoding") != b"chunked":
        return line, headers, await reader.readexactly(int(headers.get(b"content-length", 0)))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return line, headers, body


def sized(body, *fields):
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\n\r\n%b" % (lines, len(body), body)


async def echo(reader, writer, _number):
    """Answers every request with its own line and body."""
    while True:
        line, _, body = await request_of(reader)
        writer.write(sized(line + b"|" + body))

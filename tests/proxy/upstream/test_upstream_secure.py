"""TLS, proxies and Unix sockets."""

import asyncio
import base64
import ssl
import subprocess

import pytest
from raw_server import echo, head_of, request_of, serve, sized

from proxy.errors import BrokenReply, ConnectFailed
from proxy.upstream import Client, ConnectTimeout, Request, Timeouts

POST = Request("POST", b"/v1/x", (), b"hello")
ECHOED = b"POST /v1/x HTTP/1.1|hello"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A certificate authority and a certificate of `localhost`: `(ca file, server context)`."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "ext").write_text("subjectAltName=DNS:localhost")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    for line in (
        f"req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca",
        f"req {key} -keyout up.key -out up.csr -subj /CN=localhost",
        "x509 -req -in up.csr -CA ca.pem -CAkey ca.key -set_serial 1 -out up.pem -extfile ext",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "up.pem", folder / "up.key")
    return folder / "ca.pem", context


@pytest.fixture
def trusting(certificates):
    return ssl.create_default_context(cafile=certificates[0])


async def sent(client, request=POST):
    try:
        return (await client.send(request)).whole
    finally:
        await client.aclose()


async def tunnel(reader, writer, _number):
    """A proxy that lets `me:pw` through to any port of this machine."""
    line, headers = await head_of(reader)
    method, where, _ = line.split()
    if headers.get(b"proxy-authorization") != b"Basic " + base64.b64encode(b"me:pw"):
        writer.write(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n")
        return
    assert method == b"CONNECT"
    assert headers[b"host"] == where
    up_reader, up_writer = await asyncio.open_connection(
        "127.0.0.1", int(where.rpartition(b":")[2])
    )
    writer.write(b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n")

    async def pump(source, sink):
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()

    await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))


async def test_tls_with_a_trusted_certificate(certificates, trusting):
    async with serve(echo, tls=certificates[1]) as served:
        client = Client(f"https://localhost:{served.port}", tls=trusting)
        for _ in range(3):
            assert (await client.send(POST)).whole == ECHOED
        assert served.connections == 1
        large = await client.send(Request("POST", b"/", (), bytes(3_000_000)))
        assert sum([len(chunk) async for chunk in large.chunks]) == 3_000_000 + len(
            "POST / HTTP/1.1|"
        )
        await client.aclose()


async def test_tls_is_verified_unless_told_otherwise(certificates):
    async with serve(echo, tls=certificates[1]) as served:
        with pytest.raises(ConnectFailed, match=r"(?i)certificate"):
            await sent(Client(f"https://localhost:{served.port}"))


async def test_tls_of_another_name_is_refused(certificates, trusting):
    async with serve(echo, tls=certificates[1]) as served:
        with pytest.raises(ConnectFailed, match=r"(?i)certificate"):
            await sent(Client(f"https://127.0.0.1:{served.port}", tls=trusting))


async def test_tls_with_a_server_that_speaks_plainly(trusting):
    async def handler(reader, writer, _):
        await reader.read(1)
        writer.write(sized(b"plain"))

    async with serve(handler) as served:
        with pytest.raises(ConnectFailed):
            await sent(Client(f"https://localhost:{served.port}", tls=trusting))


async def test_tls_to_a_server_that_never_shakes_hands(trusting):
    async def handler(reader, writer, _):
        await asyncio.Event().wait()

    async with serve(handler) as served:
        with pytest.raises(ConnectTimeout):
            await sent(
                Client(
                    f"https://localhost:{served.port}", tls=trusting, timeouts=Timeouts(connect=0.1)
                )
            )


async def test_an_aborted_tls_exchange_closes_its_socket(certificates, trusting):
    async def handler(reader, writer, _):
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await reader.read()

    async with serve(handler, tls=certificates[1]) as served:
        client = Client(f"https://localhost:{served.port}", tls=trusting)
        response = await client.send(POST)
        assert await anext(response.chunks) == b"hello"
        await response.chunks.aclose()
        await served.left(0.2)
        await client.aclose()


async def test_a_tunnel(certificates, trusting):
    async with serve(echo, tls=certificates[1]) as served, serve(tunnel) as proxy:
        client = Client(
            f"https://localhost:{served.port}",
            tls=trusting,
            proxy=f"http://me:pw@127.0.0.1:{proxy.port}",
        )
        for _ in range(3):
            assert (await client.send(POST)).whole == ECHOED
        assert (served.connections, proxy.connections) == (1, 1)
        await client.aclose()
        await proxy.left()


async def test_a_tunnel_to_a_certificate_that_is_not_trusted(certificates):
    async with serve(echo, tls=certificates[1]) as served, serve(tunnel) as proxy:
        with pytest.raises(ConnectFailed, match=r"(?i)certificate"):
            await sent(
                Client(
                    f"https://localhost:{served.port}",
                    proxy=f"http://me:pw@127.0.0.1:{proxy.port}",
                )
            )


async def test_a_proxy_that_refuses(trusting):
    async with serve(tunnel) as proxy:
        with pytest.raises(ConnectFailed, match="407"):
            await sent(Client("https://localhost:1", tls=trusting, proxy=proxy.url))


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 200 " + b"x" * 100_000])
async def test_a_proxy_that_is_none(trusting, answer):
    async def handler(reader, writer, _):
        await head_of(reader)
        writer.write(answer)

    async with serve(handler) as proxy:
        with pytest.raises(ConnectFailed):
            await sent(Client("https://localhost:1", tls=trusting, proxy=proxy.url))


async def test_plain_http_through_a_proxy():
    seen = []

    async def handler(reader, writer, _):
        while True:
            line, headers, body = await request_of(reader)
            seen.append((line, headers, body))
            writer.write(sized(b"ok"))

    async with serve(handler) as proxy:
        client = Client("http://up.example/v1", proxy=f"http://me:pw@127.0.0.1:{proxy.port}")
        assert await sent(client) == b"ok"
    line, headers, body = seen[0]
    assert line == b"POST http://up.example/v1/x HTTP/1.1"
    assert headers[b"host"] == b"up.example"
    assert headers[b"proxy-authorization"] == b"Basic bWU6cHc="
    assert body == b"hello"


async def test_a_unix_socket(tmp_path):
    path = str(tmp_path / "up.sock")
    async with serve(echo, path=path) as served:
        client = Client(f"http+unix://{path.replace('/', '%2F')}/v1", proxy="http://ignored:1")
        assert client.prefix == b"/v1"
        for _ in range(2):
            assert (await client.send(POST)).whole == ECHOED
        assert served.connections == 1
        await client.aclose()
    with pytest.raises(ConnectFailed, match=r"up\.sock"):
        await sent(Client(f"http+unix://{str(tmp_path / 'no-up.sock').replace('/', '%2F')}"))


async def test_a_body_that_tls_cuts_off_is_broken(certificates, trusting):
    async def handler(reader, writer, _):
        await request_of(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await writer.drain()
        writer.transport.abort()

    async with serve(handler, tls=certificates[1]) as served:
        client = Client(f"https://localhost:{served.port}", tls=trusting)
        response = await client.send(POST)
        assert await anext(response.chunks) == b"hello"
        with pytest.raises(BrokenReply):
            await anext(response.chunks)
        await client.aclose()

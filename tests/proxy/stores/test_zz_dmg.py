import asyncio,contextlib,os,sqlite3,pytest
from tests.fakes.stores import BOUND, entry, opened, slot
from proxy.stores.tier import Match
@pytest.mark.parametrize("n", range(150))
async def test_d(tmp_path,n):
    path=tmp_path/"s.sqlite"
    async with opened(path) as one, opened(path) as two:
        for number in range(300):
            await one.put(slot(number), entry(os.urandom(5000)))
        await one.flush()
    async with opened(path) as one, opened(path) as two:
        c0=one._file.presence.is_complete()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (path.stat().st_size - 4096))
        await asyncio.sleep(0.03)
        c1=one._file.presence.is_complete()
        res=[]
        for number in range(300):
            try: res.append((await one.get(slot(number))) is not None)
            except sqlite3.DatabaseError as e: res.append(str(e))
        from collections import Counter
        print(c0,c1,Counter(res), one._file.presence.is_complete())
        with contextlib.suppress(sqlite3.DatabaseError):
            await one.flush()
        await two.purges()
        await one.put(slot(), entry(b"anew"))
        await one.flush()
        assert (await two.get(slot())).value == b"anew"
        assert await two.purge(Match()) == 1
        assert len(await one.purges()) == 1

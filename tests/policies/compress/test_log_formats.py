"""Logs of many makes, made up line by line with a fixed seed, and what is reached on them."""

import json
import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest

from policies.compress import log_codec
from policies.compress.text_choice import choose, decode, normal
from proxy.vocabulary import Vocabulary

WORDS = (
    *("cache", "order", "user", "invoice", "session", "worker", "queue", "shard", "replica"),
    *("token", "bucket", "index", "volume", "parcel", "ledger", "tenant", "batch", "stream"),
    *("lease", "probe", "widget", "account", "report", "export", "import"),
)
AGENTS = [
    *(f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Firefox/{n}.0" for n in range(115, 125)),
    *(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        f"Chrome/{n}.0.0.0 Safari/537.36"
        for n in range(115, 130)
    ),
    "curl/8.5.0",
    "Googlebot/2.1 (+http://www.google.com/bot.html)",
]

# Of a line: %word, %host, %1-99 a number, %x8 eight hexadecimal digits, (a|b) one of both.
_PART = re.compile(r"%word|%host|%x(\d+)|%(\d+)-(\d+)|<([^<>]*\|[^<>]*)>")

FORMATS = {
    "syslog": (
        "%b %e %H:%M:%S edge-7 ",
        "sshd[%900-9000]: Failed password for %word from %host port %1024-65535 ssh2",
        "sshd[%900-9000]: Accepted publickey for deploy from %host port %1024-65535 ssh2",
        "sshd[%900-9000]: pam_unix(sshd:session): session opened for user deploy by (uid=0)",
        "CRON[%900-9000]: (root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 %1-2 1)",
        (
            "kernel: [UFW BLOCK] IN=eth0 MAC=%x12 SRC=%host DST=10.0.0.5 LEN=%40-60 TTL=%30-250 "
            "ID=%1-65535 PROTO=TCP SPT=%1024-65535 DPT=<22|23|443|8080> WINDOW=1024 URGP=0"
        ),
        "systemd[1]: <Starting|Finished> %word.service - Daily %word run...",
    ),
    "journal": (
        "%Y-%m-%dT%H:%M:%S+0000 ",
        "node-%1-3 <systemd[1]|dockerd[811]>: %word.service: Deactivated successfully.",
        "node-%1-3 systemd[1]: %word.service: Consumed %1-9.%100-999s CPU time.",
        "node-%1-3 kubelet[2731]: Started %word.service - %word daemon.",
    ),
    "nginx": (
        "%host - - [%d/%b/%Y:%H:%M:%S +0000] ",
        (
            '"<GET|GET|POST> /<%word/%1-9999|static/%word.<js|css>|find?q=%word&page=%1-20> '
            'HTTP/1.1" <200|200|304|404|500> %120-99999 "<-|https://shop.example.com/%word>" '
            '"%agent"'
        ),
    ),
    "python": (
        "%Y-%m-%d %H:%M:%S,%f - ",
        "app.worker - INFO - Processing %word id=%1000-99999 for tenant=%word",
        "urllib3.connectionpool - WARNING - Retrying https://%word.internal:8443/v2/%word (%1-5)",
        "urllib3.connectionpool - WARNING - Connection pool is full, discarding: %host",
        "celery.app.trace - INFO - Task %word.tasks.sync[%x8-%x4-%x4] succeeded in 0.%1-99s: None",
    ),
    "klog": (
        "<I|I|W|E>%m%d %H:%M:%S.%f    2731 ",
        'pod_startup.go:104] "Observed pod startup" pod="default/%word-%x9-%x5" seconds=%1-9.%1-99',
        'kubelet.go:2421] "SyncLoop ADD" source="api" pods=["default/%word-%x9-%x5"]',
        'kuberuntime.go:117] "RemoveContainer" containerID="%x64"',
        'pod_workers.go:1301] "Error syncing pod" err="CrashLoopBackOff" pod="default/%word-%x9"',
    ),
    "hdfs": (
        "%y%m%d %H%M%S ",
        "%10-3000 INFO dfs.DataNode$PacketResponder: %0-2 for block blk_%1-999999999 terminating",
        "%10-3000 INFO dfs.DataNode$PacketResponder: Received block blk_%1-99999999 from /%host",
        "%10-3000 INFO dfs.DataNode$DataXceiver: Receiving src: /%host:%1-9999 dest: /%host:50010",
    ),
    "gcc": (
        "",
        "gcc -DHAVE_CONFIG_H -I. -I../include -Wall -Wextra -O2 -g -c -o %word.o core/%word.c",
        "mv -f .deps/%word.Tpo .deps/%word.Po",
        "  CC      <core|net>/%word.o",
        "core/%word.c:%1-900:%1-80: warning: unused variable '%word' [-Wunused-variable]",
    ),
    "npm": (
        "%1-999 ",
        "http fetch GET 200 https://registry.example.org/%word-%word %9-900ms (cache miss)",
        "silly tarball no local data for %word@https://registry.example.org/%word/-/%word-1.2.tgz",
        "silly reify mark retired [ /srv/app/node_modules/%word-%word ]",
    ),
    "kernel": (
        "[%40000-40999.%f] ",
        "usb %1-4-%1-9: new high-speed USB device number %1-90 using xhci_hcd",
        "eth0: link up, <100|1000> Mbps, full-duplex",
        "audit: type=1400 apparmor=DENIED operation=open profile=%word pid=%99-9999",
    ),
}


class Maker:
    """Times that go on, addresses that come again."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = datetime(2026, 3, 14, 22, 58, 1, tzinfo=UTC)
        number = self.random.randint
        self.hosts = [f"10.{number(0, 4)}.{number(0, 255)}.{number(1, 254)}" for _ in range(60)]

    def line(self, form):
        self.now += timedelta(seconds=self.random.expovariate(1))
        head, *tails = form
        text = head + self.random.choice(tails)
        while (made := _PART.sub(self.part, text)) != text:
            text = made
        text = text.replace("%agent", self.random.choice(AGENTS))
        return self.now.strftime(text) if "%" in text else text

    def part(self, match):
        size, low, high, choices = match.groups()
        if size:
            return f"{self.random.getrandbits(4 * int(size)):0{size}x}"
        if low:
            return str(self.random.randint(int(low), int(high)))
        if choices:
            return self.random.choice(choices.split("|"))
        return self.random.choice(WORDS if match[0] == "%word" else self.hosts)


def json_line(make):
    make.now += timedelta(seconds=make.random.expovariate(5))
    record = {
        "ts": f"{make.now:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        "level": make.random.choice(("info", "info", "debug", "warn")),
        "msg": make.random.choice(("request finished", "query slow", "job started")),
        "request_id": f"{make.random.getrandbits(64):016x}",
        "user_id": make.random.randint(1, 4000),
        "duration_ms": round(make.random.expovariate(1 / 40), 2),
    }
    return json.dumps(record)


def log(name, lines=1000, seed=1):
    """So many lines of that make."""
    make = Maker(seed)
    if name == "json":
        return "".join(json_line(make) + "\n" for _ in range(lines))
    return "".join(make.line(FORMATS[name]) + "\n" for _ in range(lines))


NAMES = (*FORMATS, "json")


@pytest.fixture(scope="module")
def count():
    return Vocabulary("o200k_base").count


@pytest.mark.parametrize("name", NAMES)
def test_a_log_takes_at_most_six_tenths_and_comes_back(name, count):
    text = log(name)
    encoded = log_codec.encode(text, count)
    assert encoded is not None
    assert log_codec.decode(encoded) == text
    assert count(encoded) <= 0.6 * count(text)


def test_the_median_of_all_makes_is_far_below_the_bar(count):
    shares = []
    for name in NAMES:
        text = log(name, seed=2)
        shares.append(count(log_codec.encode(text, count)) / count(text))
    assert median(shares) <= 0.45


@pytest.mark.parametrize("name", ["klog", "json"])
def test_identifiers_are_written_in_the_order_of_the_lines(name):
    text = log(name, 200)
    identifiers = re.findall(r"[0-9a-f]{16,}", text)
    assert len(set(identifiers)) == len(identifiers) > 40
    assert re.findall(r"[0-9a-f]{16,}", log_codec.encode(text, len)) == identifiers


@pytest.mark.parametrize("place", ["dpkg.log", "apt/term.log", "apt/history.log"])
def test_a_package_systems_own_logs_come_back(place):
    path = Path("/var/log") / place
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError:
        pytest.skip("no such log here")
    chosen = choose(text, len)
    assert decode(chosen) == normal(text)

#!/usr/bin/env python3
"""Measures the budgets that need a running program, in a pseudo-terminal of its own, against a feed of its own.

    scripts/measure.py --binary target/release/openbell            about 6 minutes
    scripts/measure.py --binary target/release/openbell --quick    about 1 minute: does it work at all
    scripts/measure.py --only memory --memory-seconds 900          the figure for the budget of 15 minutes

The feed is a small server in a second process that speaks Coinbase's language on 127.0.0.1 (the program's own provider,
`stream_url` and `rest_url` point here), so that 40 rows and any rate can be had, and so that the price of one row can
carry the time at which it was sent: what the screen shows tells its own age. `--only demo` runs `openbell demo` with
its built-in exchange instead (12 rows). Nothing but Python's standard library is needed; Linux only (/proc).
"""

import argparse
import asyncio
import base64
import codecs
import datetime
import fcntl
import hashlib
import json
import os
import pty
import random
import re
import shutil
import signal
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.parse

SIZE = (160, 50)
ROWS = 40
PROBE = "PROBE-USD"
RATES = [20, 200, 1000, 3000]
UI_BUDGET = {20: 1.0, 200: 2.0, 1000: 4.0, 3000: 6.0}
BYTES_BUDGET = {20: 3_000, 200: 10_000, 1000: 16_000, 3000: 16_000}
SLICES = 5


# The feed: what runs in the second process.


def probe_every(rate):
    """Seconds between two prices of the probe: often, but not more than a quarter of all messages."""
    return max(0.02, 4 / rate)


class Feed:
    """Coinbase's socket and its REST interface on one port."""

    def __init__(self, rate, start):
        self.rate, self.start, self.sent = rate, start, 0
        self.dice = random.Random(7)
        self.ids, self.prices = {}, {}

    async def serve(self):
        server = await asyncio.start_server(self.customer, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        while True:
            await asyncio.sleep(1)
            print(f"sent {self.sent}", flush=True)

    async def customer(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                key = re.search(r"(?im)^sec-websocket-key:\s*(\S+)", head)
                if key:
                    await self.socket(reader, writer, key.group(1))
                    return
                body = json.dumps(self.answer(head.split(" ", 2)[1])).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, path):
        url = urllib.parse.urlsplit(path)
        if url.path.endswith("/candles"):
            query = urllib.parse.parse_qs(url.query)
            span = int(query["granularity"][0])
            first, last = (int(datetime.datetime.fromisoformat(query[end][0].replace("Z", "+00:00")).timestamp()) for end in ("start", "end"))
            times = range(first - first % span, last + 1, span)
            return [[at, 99.5, 100.5, 100.0, 100.25, 12.5 + at % 7] for at in reversed(times)]
        if url.path.endswith("/stats"):
            return {"open": "100.5", "high": "100000", "low": "50", "volume": "9876.5"}
        return {"price": "100.00", "bid": "99.99", "ask": "100.01", "volume": "9876.5", "time": now()}

    async def socket(self, reader, writer, key):
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        products = []
        talking = asyncio.create_task(self.talk(writer, products))
        try:
            while True:
                opcode, payload = await self.frame(reader)
                if opcode == 8:
                    return
                if opcode == 9:
                    writer.write(frame(payload, 10))
                if opcode == 1:
                    asked = json.loads(payload)
                    if asked["type"] == "subscribe":
                        products.extend(asked["product_ids"])
                        writer.write(frame(json.dumps({"type": "subscriptions", "channels": []}).encode()))
                await writer.drain()
        finally:
            talking.cancel()

    async def frame(self, reader):
        first, second = await reader.readexactly(2)
        length = second & 127
        if length == 126:
            (length,) = struct.unpack(">H", await reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await reader.readexactly(8))
        mask = await reader.readexactly(4) if second & 128 else b"\0\0\0\0"
        payload = await reader.readexactly(length)
        return first & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    async def talk(self, writer, products):
        """Sends what is owed since the last step, the probe on its own beat among it."""
        while len(products) < 2:
            await asyncio.sleep(0.01)
        begun, told = time.monotonic(), 0
        probe_due, beat_due = begun, begun
        while True:
            await asyncio.sleep(0.005)
            at, out = time.monotonic(), []
            if at >= beat_due:
                beat_due += 1
                out.append({"type": "heartbeat", "last_trade_id": 0, "product_id": PROBE, "time": now()})
            if at >= probe_due and PROBE in products:
                probe_due = max(probe_due + probe_every(self.rate), at - 0.005)
                out.append(self.match(PROBE, 10_000 + (at - self.start) * 10))
            owed = int((at - begun) * self.rate) - told - len(out)
            others = [product for product in products if product != PROBE]
            out.extend(self.message(self.dice.choice(others)) for _ in range(max(0, owed)))
            told += len(out)
            self.sent += len(out)
            writer.write(b"".join(frame(json.dumps(message).encode()) for message in out))
            await writer.drain()

    def message(self, product):
        price = self.prices.get(product, 100.0 + self.dice.random() * 400) * (1 + (self.dice.random() - 0.5) * 0.0004)
        self.prices[product] = price
        return self.match(product, price) if self.dice.random() < 0.5 else self.ticker(product, price)

    def match(self, product, price):
        self.ids[product] = self.ids.get(product, 1_000) + 1
        return {
            "type": "match", "trade_id": self.ids[product], "side": "sell", "size": f"{self.dice.random():.6f}", "price": f"{price:.2f}",
            "maker_order_id": "8c0f4d1e-0000-4000-8000-000000000001", "taker_order_id": "1d2e7a3b-0000-4000-8000-000000000002",
            "product_id": product, "sequence": self.sent, "time": now(),
        }  # fmt: skip

    def ticker(self, product, price):
        return {
            "type": "ticker", "sequence": self.sent, "product_id": product, "price": f"{price:.2f}", "open_24h": f"{price * 0.98:.2f}",
            "volume_24h": f"{9_000 + self.dice.random() * 900:.3f}", "low_24h": f"{price * 0.95:.2f}", "high_24h": f"{price * 1.05:.2f}",
            "best_bid": f"{price - 0.01:.2f}", "best_bid_size": "0.12", "best_ask": f"{price + 0.01:.2f}", "best_ask_size": "1.5",
            "side": "buy", "time": now(), "trade_id": self.ids.get(product, 1_000), "last_size": "0.00064",
        }  # fmt: skip


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def frame(payload, opcode=1):
    length = len(payload)
    head = bytes([128 | opcode, length]) if length < 126 else struct.pack(">BBH", 128 | opcode, 126, length)
    return head + payload


class FeedProcess:
    """The feed in its second process."""

    def __init__(self, rate):
        self.start, self.sent = time.monotonic(), 0
        command = [sys.executable, os.path.abspath(__file__), "--serve", str(rate), repr(self.start)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.sent = int(line.split()[1])

    def end(self):
        self.process.kill()
        self.process.wait()


# The program, in a pseudo-terminal.


class Screen:
    """As much of a terminal as the program uses: text at places, and whether it stands on a background."""

    TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z@])|\x1b[^\[]|[^\x1b]+")
    UNFINISHED = re.compile(r"\x1b(\[[?0-9;]*)?$")

    def __init__(self, size):
        self.width, self.height = size
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.rest, self.x, self.y, self.marked = "", 0, 0, False
        self.clear()

    def clear(self):
        self.cells = [[" "] * self.width for _ in range(self.height)]
        self.marks = [[False] * self.width for _ in range(self.height)]

    def feed(self, data):
        """Takes bytes; yields once for each frame that ended in them."""
        text = self.rest + self.decoder.decode(data)
        unfinished = self.UNFINISHED.search(text)
        self.rest = unfinished.group() if unfinished else ""
        for token in self.TOKEN.finditer(text, 0, len(text) - len(self.rest)):
            parameters, final = token.group(1), token.group(2)
            if final is None:
                if not token.group().startswith("\x1b"):
                    self.put(token.group())
            elif final == "H":
                row, _, column = parameters.partition(";")
                self.y, self.x = int(row or 1) - 1, int(column or 1) - 1
            elif final == "m":
                self.style(parameters)
            elif final == "J":
                self.clear()
            elif final == "l" and parameters == "?2026":
                yield

    def put(self, text):
        if self.y < self.height:
            text = text[: self.width - self.x]
            self.cells[self.y][self.x : self.x + len(text)] = text
            self.marks[self.y][self.x : self.x + len(text)] = [self.marked] * len(text)
            self.x += len(text)

    def style(self, parameters):
        codes = iter([int(code or 0) for code in parameters.split(";")])
        for code in codes:
            if code in (38, 48):
                kind = next(codes, 5)
                for _ in range(3 if kind == 2 else 1):
                    next(codes, 0)
            if code in (7, 48) or 40 <= code <= 47 or 100 <= code <= 107:
                self.marked = True
            if code in (0, 27, 49):
                self.marked = False

    def line(self, y):
        return "".join(self.cells[y])

    def text(self):
        return "\n".join(self.line(y) for y in range(self.height))

    def selected(self):
        """The row under the cursor: that with the most background, the header left out."""
        return max(range(1, self.height), key=lambda y: sum(self.marks[y]))


class Program:
    """One run of the program. A thread takes whatever it writes, so that it is never made to wait."""

    PRICE = re.compile(re.escape(PROBE) + r"\s+([\d,]+\.\d\d)")

    def __init__(self, binary, arguments, folder, wanted=None):
        self.command = " ".join(["openbell", *arguments])
        self.screen, self.frames, self.bytes = Screen(SIZE), [], 0
        self.wanted, self.wanted_at = wanted and re.compile(wanted), None
        self.changed, self.ended = threading.Condition(), False
        home = {name: os.path.join(folder, name) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
        environment = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "PATH": os.environ.get("PATH", ""), **home}
        self.started = time.monotonic()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
                os.chdir(folder)
                os.execve(binary, ["openbell", *arguments], environment)
            finally:
                os._exit(127)
        self.reader = threading.Thread(target=self.drain, daemon=True)
        self.reader.start()

    def drain(self):
        while True:
            try:
                data = os.read(self.terminal, 1 << 16)
            except OSError:
                data = b""
            at = time.monotonic()
            with self.changed:
                self.bytes += len(data)
                for _ in self.screen.feed(data):
                    self.take_frame(at)
                self.ended = not data
                self.changed.notify_all()
            if not data:
                return

    def take_frame(self, at):
        text = self.screen.text()
        if self.wanted and self.wanted_at is None and self.wanted.search(text):
            self.wanted_at = at
        price = self.PRICE.search(text)
        self.frames.append((at, float(price.group(1).replace(",", "")) if price else None, self.screen.selected()))

    def wait(self, condition, seconds):
        """Waits until `condition` holds; answers whether it does."""
        with self.changed:
            return self.changed.wait_for(lambda: self.ended or condition(), seconds) and not self.ended

    def wait_for(self, pattern, seconds=20):
        seen = re.compile(pattern)
        if not self.wait(lambda: seen.search(self.screen.text()), seconds):
            last = self.screen.text()
            self.end()
            raise SystemExit(f"{self.command}: '{pattern}' did not come in {seconds} s; the screen was:\n{last}")

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def cpu(self, name=None):
        """Seconds of a core, of threads of that name or of all."""
        total = 0.0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            place = f"/proc/{self.pid}/task/{task}"
            try:
                if name is None or read(f"{place}/comm").strip() == name:
                    total += thread_seconds(place)
            except FileNotFoundError:
                pass
        return total

    def resident(self):
        return int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{self.pid}/status")).group(1)) * 1024

    def end(self):
        """Asks it to end; makes it when it does not."""
        for number, patience in ((signal.SIGTERM, 12), (signal.SIGKILL, 5)):
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                break
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                if os.waitpid(self.pid, os.WNOHANG)[0]:
                    self.reader.join(2)
                    os.close(self.terminal)
                    return
                time.sleep(0.02)
            print(f"{self.command} did not end on signal {number} in {patience} s", file=sys.stderr)


def read(path):
    with open(path) as file:
        return file.read()


def thread_seconds(place):
    """From the scheduler's nanoseconds; from the clock's ticks (10 ms each) where a kernel does not tell them."""
    try:
        return int(read(f"{place}/schedstat").split()[0]) / 1e9
    except (FileNotFoundError, IndexError):
        fields = read(f"{place}/stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Stores and config files.


def config(folder, symbols, port=None):
    """A config file: no source, or the local feed as Coinbase."""
    path = os.path.join(folder, "config.toml")
    coinbase = ["enabled = false"]
    if port:
        coinbase = [f'rest_url = "http://127.0.0.1:{port}"', f'stream_url = "ws://127.0.0.1:{port}"', "requests_per_minute = 600"]
    off = ["[provider.yahoo]", "enabled = false", "[provider.kraken]", "enabled = false", "[provider.binance]", "enabled = false"]
    lines = [*off, "[provider.coinbase]", *coinbase, "[watchlist]", f"symbols = {json.dumps(symbols)}"]
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


def arguments(folder, symbols, port=None):
    return ["--config", config(folder, symbols, port), "--store", "sqlite:" + store(folder)]


def store(folder):
    return os.path.join(folder, "openbell.db")


def crypto():
    return [PROBE] + [f"X{number:02}-USD" for number in range(1, ROWS)]


def prefill(folder, symbols, minutes):
    """Instruments with the minutes of the last Friday, and a day before them."""
    friday = datetime.datetime.now(datetime.timezone.utc).replace(hour=20, minute=0, second=0, microsecond=0)
    friday -= datetime.timedelta(days=(friday.weekday() - 4) % 7 or 7)
    end = int(friday.timestamp())
    database = sqlite3.connect(store(folder), timeout=10)
    with database:
        database.execute("DELETE FROM watchlist")
        for position, symbol in enumerate(symbols):
            database.execute(
                "INSERT INTO instruments (symbol, venue, asset_class, currency, precision) VALUES (?, 'XNYS', 'equity', 'USD', 2) ON CONFLICT DO NOTHING",
                (symbol,),
            )
            (number,) = database.execute("SELECT id FROM instruments WHERE symbol = ?", (symbol,)).fetchone()
            database.execute("INSERT INTO watchlist (list, position, instrument_id) VALUES ('main', ?, ?)", (position, number))
            times = [(60, end - 60 * ago) for ago in range(minutes, 0, -1)] + [(86_400, end - end % 86_400 - 86_400)]
            database.executemany(
                "INSERT OR REPLACE INTO bars (instrument_id, interval_s, open_time, open, high, low, close, volume, source, origin, revision, quality, flags,"
                " recorded_at, updated_at, session) VALUES (?, ?, ?, 100, 101, 99, ?, 1000, 'yahoo', 'live', 0, 1, '', 0, 0, ?)",
                [(number, span, at * 1_000_000, 100 + at % 97 / 100, "regular" if span == 60 else None) for span, at in times],
            )
    database.close()


def queue_backfills(folder, symbols, days):
    """Puts jobs into the store, as the command line does: the running engine takes them up."""
    to = int(time.time()) * 1_000_000
    database = sqlite3.connect(store(folder), timeout=10)
    with database:
        database.executemany(
            "INSERT INTO jobs (kind, symbol, interval_s, from_time, to_time, source, state, created_at, updated_at)"
            " VALUES ('backfill', ?, 60, ?, ?, 'coinbase', 'queued', ?, ?)",
            [(symbol, to - days * 86_400_000_000, to, to, to) for symbol in symbols],
        )
    database.close()


def count_bars(folder):
    database = sqlite3.connect(store(folder), timeout=10)
    (count,) = database.execute("SELECT count(*) FROM bars WHERE origin = 'backfill'").fetchone()
    database.close()
    return count


# What is measured.


class Report:
    """A Markdown table, row by row."""

    def __init__(self):
        self.failed = 0
        print("| what | measured | budget | met | how |\n| --- | --- | --- | --- | --- |", flush=True)

    def row(self, what, measured, budget, met, how):
        self.failed += met is False
        word = {True: "yes", False: "**no**", None: "-"}[met]
        print(f"| {what} | {measured} | {budget} | {word} | {how} |", flush=True)


class Setting:
    """What every measurement is given."""

    def __init__(self, options, report):
        self.options, self.report = options, report
        self.binary = os.path.abspath(options.binary)

    def folder(self):
        return tempfile.TemporaryDirectory(prefix="openbell-measure-")


class Live:
    """The program on the local feed."""

    def __init__(self, setting, rate, zoomed):
        self.folder = setting.folder()
        self.feed = FeedProcess(rate)
        self.program = Program(setting.binary, arguments(self.folder.name, crypto(), self.feed.port), self.folder.name)
        self.program.wait_for(re.escape(PROBE) + r"\s+1\d,\d{3}\.\d\d")
        if zoomed:
            self.program.type("z")
        time.sleep(3)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.program.end()
        self.feed.end()
        self.folder.cleanup()


def slices(program, seconds, name="ui"):
    """Medians of slices: percent of a core of the threads of that name and of all, bytes a second; frames a second over all."""
    found, frames, begun = [], len(program.frames), time.monotonic()
    for _ in range(SLICES):
        before = (time.monotonic(), program.cpu(name), program.cpu(), program.bytes)
        time.sleep(seconds / SLICES)
        after = (time.monotonic(), program.cpu(name), program.cpu(), program.bytes)
        span = after[0] - before[0]
        found.append([(b - a) / span * scale for a, b, scale in zip(before[1:], after[1:], (100, 100, 1))])
    return [*(statistics.median(column) for column in zip(*found)), (len(program.frames) - frames) / (time.monotonic() - begun)]


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def ages(program, since, feed_start, every):
    """For each 5 ms: for how long a newer price than the shown one had been sent, in seconds."""
    shown = [(at, (price - 10_000) / 10 + feed_start) for at, price, _ in program.frames if price is not None and at >= since]
    found = []
    for (at, sent), (until, _) in zip(shown, shown[1:]):
        while at < until:
            found.append(max(0.0, at - (sent + every)))
            at += 0.005
    return found


def measure_rates(setting):
    for rate in RATES:
        for zoomed in (True, False):
            with Live(setting, rate, zoomed) as live:
                since, sent = time.monotonic(), live.feed.sent
                ui, total, written, frames = slices(live.program, setting.options.seconds)
                spans = ages(live.program, since, live.feed.start, probe_every(rate))
                actual = (live.feed.sent - sent) / (time.monotonic() - since)
                tell_rate(setting.report, rate, zoomed, (ui, total, written, frames, actual), spans)


def tell_rate(report, rate, zoomed, figures, spans):
    ui, total, written, frames, actual = figures
    where = f"{rate} messages/s, " + (f"all {ROWS} rows" if zoomed else "overview")
    how = f"feed sent {actual:.0f}/s, {frames:.1f} frames/s, all threads {total:.1f} %"
    report.row(f"{where}: `ui` threads", f"{ui:.2f} %", f"<= {UI_BUDGET[rate]:g} %", ui <= UI_BUDGET[rate], how)
    report.row(f"{where}: to the terminal", f"{written / 1000:.1f} KB/s", f"<= {BYTES_BUDGET[rate] / 1000:g} KB/s", written <= BYTES_BUDGET[rate], how)
    third = len(spans) // 3
    if not third:
        report.row(f"{where}: age of what is shown", "not seen", "p99 <= 400 ms", False, "the probe's row was not on the screen")
        return
    p99, growth = percentile(spans, 0.99), statistics.mean(spans[-third:]) - statistics.mean(spans[:third])
    figure = f"p50 {percentile(spans, 0.5) * 1e3:.0f}, p99 {p99 * 1e3:.0f}, max {max(spans) * 1e3:.0f} ms; last third {growth * 1e3:+.0f} ms"
    how = f"how long a newer price had been sent; one each {probe_every(rate) * 1e3:.0f} ms"
    report.row(f"{where}: age of what is shown", figure, "p99 <= 400 ms, no growth", p99 <= 0.4 and growth < 0.05, how)


def press_keys(program, count):
    """Moves the cursor at random times; seconds until the frame in which it has moved."""
    dice, took = random.Random(3), []
    for turn in range(count):
        time.sleep(dice.uniform(0.04, 0.16))
        row = program.screen.selected()
        at = time.monotonic()
        program.type("jk"[turn % 2])
        moved = program.wait(lambda: program.frames[-1][0] >= at and program.frames[-1][2] != row, 1)
        took.append(program.frames[-1][0] - at if moved else 1.0)
    return took


def tell_keys(report, what, took, how):
    p95, worst = percentile(took, 0.95), max(took)
    figure = f"p50 {percentile(took, 0.5) * 1e3:.1f}, p95 {p95 * 1e3:.1f}, max {worst * 1e3:.1f} ms"
    report.row(what, figure, "p95 <= 20, max <= 100 ms", p95 <= 0.02 and worst <= 0.1, how)


def measure_keys(setting):
    count = setting.options.keys
    for rate in (20, 1000):
        with Live(setting, rate, True) as live:
            tell_keys(setting.report, f"key to screen, {rate} messages/s", press_keys(live.program, count), f"{count} times j or k until the cursor is seen to move")
    with Live(setting, 1000, True) as live:
        queue_backfills(live.folder.name, crypto()[1:21], 30)
        time.sleep(2.5)
        before, since = count_bars(live.folder.name), time.monotonic()
        took = press_keys(live.program, count)
        bars = (count_bars(live.folder.name) - before) / (time.monotonic() - since)
        tell_keys(setting.report, "key to screen, 1000 messages/s and a backfill", took, f"{count} keys; {bars:.0f} bars/s were written meanwhile")


def measure_memory(setting):
    seconds = setting.options.memory_seconds
    with Live(setting, 1000, False) as live:
        samples, begun = [], time.monotonic()
        while time.monotonic() - begun < seconds:
            samples.append((time.monotonic() - begun, live.program.resident() / 1e6))
            time.sleep(1)
    settled = samples[len(samples) // 4 :]
    slope = statistics.linear_regression(*zip(*settled)).slope * 900 if len(settled) > 2 else float("nan")
    most = max(size for _, size in samples)
    how = f"{seconds:g} s, the first quarter left out of the slope" + ("" if seconds >= 900 else "; short of the 15 min of the budget")
    report = setting.report
    report.row("memory at 1000 messages/s: most", f"{most:.1f} MB", "<= 64 MB", most <= 64, how)
    report.row("memory at 1000 messages/s: slope", f"{slope:+.2f} MB in 15 min", "flat (<= 1 MB)", None if seconds < 300 else slope <= 1, how)


def prepared(setting, folder, symbols, minutes):
    """Lets the program make its tables, then fills them."""
    line = arguments(folder, [])
    program = Program(setting.binary, line, folder)
    program.wait_for("openbell")
    time.sleep(0.5)
    program.end()
    prefill(folder, symbols, minutes)
    return line


def measure_idle(setting):
    with setting.folder() as folder:
        line = prepared(setting, folder, [f"S{number:03}" for number in range(ROWS)], 60)
        program = Program(setting.binary, line, folder)
        program.wait_for(r"S000\s+\d")
        program.type("z")
        time.sleep(8)
        seconds = max(setting.options.seconds, 10 if setting.options.quick else 60)
        cpu, written, begun = program.cpu(), program.bytes, time.monotonic()
        time.sleep(seconds)
        span = time.monotonic() - begun
        cpu, written = (program.cpu() - cpu) / span * 100, (program.bytes - written) / span
        state = re.search(r"XNYS (\w+)", program.screen.line(0))
        program.end()
    how = f"{seconds:g} s, no source, all threads; XNYS {state.group(1) if state else 'unknown'}"
    setting.report.row(f"idle, {ROWS} rows: CPU", f"{cpu:.3f} %", "<= 0.2 %", cpu <= 0.2, how)
    setting.report.row(f"idle, {ROWS} rows: to the terminal", f"{written:.0f} B/s", "<= 60 B/s", written <= 60, how)


def measure_start(setting):
    with setting.folder() as folder:
        minutes = 60 if setting.options.quick else 780
        line = prepared(setting, folder, [f"S{number:03}" for number in range(500)], minutes)
        took = []
        for _ in range(5):
            program = Program(setting.binary, line, folder, wanted=r"S000\s+\d+\.\d\d")
            program.wait(lambda: program.wanted_at is not None, 20)
            took.append((program.wanted_at or float("inf")) - program.started)
            program.end()
    median = statistics.median(took)
    how = f"500 instruments, {minutes} bars each; from fork to the frame with prices; 5 times, worst {max(took) * 1e3:.0f} ms"
    setting.report.row("first useful frame", f"{median * 1e3:.0f} ms", "<= 300 ms", median <= 0.3, how)


def measure_demo(setting):
    """The built-in exchange: 12 rows, and its own work is in the process."""
    for rate in RATES:
        with setting.folder() as folder:
            path = os.path.join(folder, "config.toml")
            with open(path, "w") as file:
                file.write(f"[provider.sim]\nmessages_per_second = {rate}\nmisbehaves = false\n")
            program = Program(setting.binary, ["demo", "--config", path], folder)
            program.wait_for(r"AAPL\s+\d")
            time.sleep(3)
            ui, total, written, frames = slices(program, setting.options.seconds)
            program.end()
        how = f"{frames:.1f} frames/s, all threads {total:.1f} %; quotes come on top of the trades"
        setting.report.row(f"demo, 12 rows, {rate} trades/s: `ui` threads", f"{ui:.2f} %", f"<= {UI_BUDGET[rate]:g} %", ui <= UI_BUDGET[rate], how)
        least = f"<= {BYTES_BUDGET[rate] / 1000:g} KB/s"
        setting.report.row(f"demo, 12 rows, {rate} trades/s: to the terminal", f"{written / 1000:.1f} KB/s", least, written <= BYTES_BUDGET[rate], how)


MEASUREMENTS = {
    "start": measure_start,
    "idle": measure_idle,
    "rates": measure_rates,
    "keys": measure_keys,
    "memory": measure_memory,
    "demo": measure_demo,
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/openbell", help="what is measured: a release build (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="how long each rate is measured (default: %(default)s)")
    parser.add_argument("--memory-seconds", type=float, help="how long memory is watched (default: three times --seconds)")
    parser.add_argument("--keys", type=int, default=200, help="how many keys are typed in each measurement (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="3 seconds and 30 keys each: does it work at all")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="only these; may be given several times (default: all but demo)")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.keys = 3, 30
    options.memory_seconds = options.memory_seconds or options.seconds * 3
    return options


def main():
    if sys.argv[1:2] == ["--serve"]:
        return asyncio.run(Feed(float(sys.argv[2]), float(sys.argv[3])).serve())
    options = parse()
    if not shutil.which(options.binary):
        raise SystemExit(f"there is no program at {options.binary}: cargo build --release")
    setting = Setting(options, Report())
    for name in options.only or [name for name in MEASUREMENTS if name != "demo"]:
        MEASUREMENTS[name](setting)
    model = re.search(r"model name\s*: (.*)", read("/proc/cpuinfo"))
    print(f"\n{model.group(1) if model else 'unknown processor'}, {os.cpu_count()} cores, Linux {os.uname().release}; terminal {SIZE[0]}x{SIZE[1]}, 24-bit colours.")
    print(f"CPU and bytes are medians of {SLICES} slices of {options.seconds / SLICES:g} s. Command: `{' '.join(['scripts/measure.py', *sys.argv[1:]])}`")
    return 1 if setting.report.failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Measure the endpoint over HTTP, beside rdflib-endpoint and the Oxigraph server in the same run.

    python benchmarks/endpoint.py [RELEASE FOLDER] [--seconds 5] [--times 1]

With ``--times 10`` all things of the release are there ten times, renamed (synthetic data).

It needs ``wrk`` on the path (Debian's package). The peers are installed into a temporary
environment; without a package index the comparison is left out, and said to be.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import quote

from pyoxigraph import QueryResultsFormat, RdfFormat, Store

from digiden_kg import vocab
from digiden_kg.release import DATASET, current_release
from digiden_kg.settings import load_settings

CONNECTIONS = 64
ROWS = 1_000_000
_ROUNDS = 5
"""Times that ours and the peers are measured, in turn; the middle one counts."""
_TIMES = 21
"""Times that a query is asked of ours and of the engine alone, in turn; the middle ratio counts."""
_RESTS = 0.03
"""Seconds of processor time in a second that something which rests may take."""
PEERS = ("rdflib-endpoint[web]", "uvicorn", "oxigraph")
LOOK_UP = f"SELECT ?p ?o {{ <{vocab.thing('body', '142069')}> ?p ?o }} LIMIT "
AGGREGATE = "SELECT ?p (COUNT(*) AS ?n) (COUNT(DISTINCT ?o) AS ?m) { ?s ?p ?o } GROUP BY ?p"
QUERIES = {
    "an aggregate": AGGREGATE,
    "a scan with text": "SELECT (COUNT(?x) AS ?n) { ?s ?p ?o BIND(STRLEN(STR(?o)) AS ?x) }",
    "a list of all statements": "SELECT * { ?s ?p ?o }",
}
"""Queries that take more than 5 ms."""
PEER = """
import sys, uvicorn
from rdflib import Dataset
from rdflib_endpoint import SparqlEndpoint
graph = Dataset(default_union=False)
graph.parse(sys.argv[1], format="nquads")
uvicorn.run(SparqlEndpoint(graph=graph, path="/sparql"), port=int(sys.argv[2]), log_level="error")
"""
LUA = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", "{path}" .. (100000 + n % 900000))
end
"""


def say(what: str, value: float, unit: str) -> None:
    """Print one figure."""
    print(f"{what:<62} {value:>12,.2f} {unit}", flush=True)


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(
    command: list[str], port: int, path: str = "/sparql", **environment: str
) -> Iterator[int]:
    """Run a server and give its port, once it answers."""
    with subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            for _ in range(6000):
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} ended")
                with contextlib.suppress(OSError, http.client.HTTPException):
                    if ask(port, "ASK {}", path=path)[0] == 200:
                        break
                time.sleep(0.1)
            settle(process.pid)
            yield port
        finally:
            process.terminate()


def settle(pid: int) -> None:
    """Wait until a server has nothing more to prepare: until it rests for a second."""

    def used() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before, until = -1.0, time.monotonic() + 120
    while time.monotonic() < until and (now := used()) - before > _RESTS:
        before = now
        time.sleep(1)


def ask(
    port: int, query: str, accept: str = "text/csv", path: str = "/sparql"
) -> tuple[int, float, int]:
    """Return status, seconds to the first byte, and bytes of an answer read to its end."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    start = time.perf_counter()
    if query == "ASK {}":
        accept = "application/sparql-results+json"
    connection.request("GET", f"{path}?query={quote(query)}", headers={"Accept": accept})
    response = connection.getresponse()
    size = len(response.read(1))
    first = time.perf_counter() - start
    while piece := response.read(1 << 20):
        size += len(piece)
    connection.close()
    return response.status, first, size


def rate(
    port: int, seconds: float, *headers: str, path: str = "/sparql", varied: bool = False
) -> tuple[float, int]:
    """Return look-ups a second with 64 connections, and how many failed."""
    path = f"{path}?query={quote(LOOK_UP)}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s"]
    command += [word for header in ("Accept: text/csv", *headers) for word in ("-H", header)]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if varied:
            script.write(LUA.replace("{path}", path))
            script.flush()
            command += ["-s", script.name]
        address = f"http://127.0.0.1:{port}{path}1000"
        report = subprocess.run(
            [*command, address], capture_output=True, text=True, check=True
        ).stdout
    per_second = float(re.findall(r"Requests/sec:\s+([0-9.]+)", report)[0])
    failed = sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", report))
    failed += sum(int(n) for n in re.findall(r"(?:connect|read|write|timeout) (\d+)", report))
    return per_second, failed


def best(port: int, query: str, times: int = 7, path: str = "/sparql") -> float:
    """Return the shortest time of an answer, read to its end."""
    return min(took(port, query, path) for _ in range(times))


def took(port: int, query: str, path: str = "/sparql") -> float:
    """Return the seconds of an answer, read to its end."""
    start = time.perf_counter()
    assert ask(port, query, path=path)[0] == 200
    return time.perf_counter() - start


def again(port: int, query: str, times: int) -> float:
    """Return the shortest time of an answer on a connection that is kept.

    By no library: that of Python takes longer than an answer from the cache.
    """
    request = f"GET /sparql?query={quote(query)} HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\n\r\n"
    found = []
    with socket.create_connection(("127.0.0.1", port)) as client:
        for _ in range(times):
            start = time.perf_counter()
            client.sendall(request.encode())
            head, _, body = read_until(client, b"\r\n\r\n").partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            if length := re.search(rb"\r\ncontent-length: (\d+)", head):
                while len(body) < int(length[1]):
                    body += client.recv(1 << 20)
            elif not body.endswith(b"\r\n0\r\n\r\n"):
                read_until(client, b"\r\n0\r\n\r\n")
            found.append(time.perf_counter() - start)
    return min(found)


def read_until(client: socket.socket, mark: bytes) -> bytes:
    """Return what a connection gives up to the piece with a mark in it."""
    content = bytearray()
    while mark not in content:
        piece = client.recv(1 << 20)
        assert piece, "the connection was closed"
        content += piece
    return bytes(content)


def own(release: Path, **environment: str) -> contextlib.AbstractContextManager[int]:
    """Run our server on a release or an RDF file."""
    port = free_port()
    what = ["--release"] if release.is_dir() else ["--data"]
    command = [sys.executable, "-m", "digiden_kg", "serve", "--port", str(port), *what]
    # The dumps that a server writes after its start would take the processors meanwhile.
    environment = {"DIGIDEN_LOG": "off", "DIGIDEN_DUMPS": "asked", **environment}
    return running([*command, str(release)], port, **environment)


def install_peers(folder: Path) -> Path | None:
    """Return the programs of a new environment with both peers, or None."""
    venv.create(folder, with_pip=True)
    done = subprocess.run(
        [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *PEERS],
        capture_output=True,
        check=False,
    )
    return folder / "bin" if done.returncode == 0 else None


def resident(port: int) -> int:
    """Return the bytes that the server process itself uses, without its children."""
    found = subprocess.run(
        ["ss", "-ltnp", f"sport = :{port}"], capture_output=True, text=True, check=True
    ).stdout
    pid = re.findall(r"pid=(\d+)", found)[0]
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) << 10


def multiply(dataset: Path, times: int, folder: Path) -> Path:
    """Write a dataset in which the things of another are several times, under other names."""
    file = folder / "multiplied.nq"
    things = f"<{vocab.BASE}id/"
    with file.open("w", encoding="utf-8") as output:
        for n in range(times):
            with dataset.open(encoding="utf-8") as lines:
                renamed = f"{things}synthetic-{n}/" if n else things
                output.writelines(line.replace(things, renamed) for line in lines)
    return file


def measure(release: Path, dataset: Path, seconds: float, folder: Path) -> None:
    """Print every figure.

    Args:
        release: What is served: a release, or the dataset.
        dataset: The same as one file.
        seconds: How long a rate is measured.
        folder: Where files may be written.
    """
    store = Store()
    store.bulk_load(path=dataset, format=RdfFormat.N_QUADS)
    say("statements, those of the named graphs included", len(store), "")
    with own(release, DIGIDEN_CACHE="0") as port, own(release) as keeping:
        for name, query in QUERIES.items():
            raw, over = [], []
            for _ in range(_TIMES):  # in turn: a shared machine is not as fast at all times
                start = time.perf_counter()
                store.query(query).serialize(format=QueryResultsFormat.CSV)
                raw.append(time.perf_counter() - start)
                over.append(took(port, query))
            times = median(ours / alone for ours, alone in zip(over, raw, strict=True))
            say(f"{name} over HTTP, against raw pyoxigraph", times, "x")
        slow = again(port, AGGREGATE, 7)
        say("the aggregate, uncached", slow * 1000, "ms")
        say("repeated aggregate, against uncached", slow / again(keeping, AGGREGATE, 200), "x")
        connection = http.client.HTTPConnection("127.0.0.1", keeping)
        path = f"/sparql?query={quote(LOOK_UP + '1000')}"
        connection.request("GET", path, headers={"Accept": "text/csv"})
        tag = connection.getresponse().headers["ETag"]
        unchanged, failed = rate(keeping, seconds, f"If-None-Match: {tag}")
        say("304 answers", unchanged, f"/s, {failed} failed")
        compare(dataset, seconds, folder, port, keeping)
    rows(folder)


def rows(folder: Path) -> None:
    """Print how a million rows come."""
    file = folder / "synthetic.nt"
    with file.open("w", encoding="ascii") as output:
        output.writelines(f'<http://e/{n}> <http://e/value> "{n}" .\n' for n in range(ROWS))
    store = Store()
    store.bulk_load(path=file, format=RdfFormat.N_TRIPLES)
    with own(file, DIGIDEN_DEADLINE="60", DIGIDEN_CACHE="0") as port:
        before = resident(port)
        query = "SELECT ?s ?o { ?s <http://e/value> ?o }"
        raw, over, firsts = [], [], []
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            store.query(query).serialize(format=QueryResultsFormat.CSV)
            raw.append(time.perf_counter() - start)
            start = time.perf_counter()
            firsts.append(ask(port, query)[1])
            over.append(time.perf_counter() - start)
        what = f"{ROWS:,} rows of CSV (synthetic)"
        say(f"{what}, first byte, the middle of {_ROUNDS}", median(firsts) * 1000, "ms")
        say(f"{what}, first byte, the shortest", min(firsts) * 1000, "ms")
        say(what, ROWS / min(over), "rows/s")
        say(f"{what}, raw pyoxigraph", ROWS / min(raw), "rows/s")
        say("growth of the front meanwhile", (resident(port) - before) / (1 << 20), "MiB")
    with own(file, DIGIDEN_DEADLINE="60") as port:
        times = again(port, AGGREGATE, 1) / again(port, AGGREGATE, 200)
        say(f"repeated aggregate over {ROWS:,} statements, against uncached", times, "x")


def compare(dataset: Path, seconds: float, folder: Path, port: int, keeping: int) -> None:
    """Print look-ups of our servers (without and with a cache) and of the peers, in turn."""
    rates: dict[str, list[float]] = {"uncached": [], "from the cache": []}
    with contextlib.ExitStack() as stack:
        peers = dict(start_peers(dataset, folder, stack))
        for _ in range(_ROUNDS):
            for name, at, varied in (("uncached", port, True), ("from the cache", keeping, False)):
                found, failed = rate(at, seconds, varied=varied)
                assert not failed, f"{failed} look-ups {name} failed"
                rates[name].append(found)
            for name, (at, path) in peers.items():
                rates.setdefault(name, []).append(rate(at, seconds, path=path, varied=True)[0])
        for name, found in rates.items():
            say(f"look-ups, {CONNECTIONS} connections, {name}", median(found), "/s")
        for name, (at, path) in peers.items():
            for kind in ("uncached", "from the cache"):
                times = [
                    ours / theirs for ours, theirs in zip(rates[kind], rates[name], strict=True)
                ]
                say(f"look-ups {kind}, against {name}", median(times), "x")
            say(f"{name}, the aggregate", best(at, AGGREGATE, 3, path) * 1000, "ms")


def start_peers(
    dataset: Path, folder: Path, stack: contextlib.ExitStack
) -> Iterator[tuple[str, tuple[int, str]]]:
    """Run the peers; yield their names, with port and path of the endpoint."""
    programs = install_peers(folder / "peers")
    if programs is None:
        print("the peers cannot be installed here: no comparison")
        return
    script, store = folder / "peer.py", str(folder / "store")
    script.write_text(PEER, encoding="utf-8")
    oxigraph = str(programs / "oxigraph")
    load = [oxigraph, "load", "--location", store, "--file", str(dataset)]
    subprocess.run(load, check=True, capture_output=True)
    port = free_port()
    command = [str(programs / "python"), str(script), str(dataset), str(port)]
    yield "rdflib-endpoint", (stack.enter_context(running(command, port)), "/sparql")
    port = free_port()
    command = [oxigraph, "serve-read-only", "--location", store, "--bind", f"127.0.0.1:{port}"]
    yield "Oxigraph server", (stack.enter_context(running(command, port, "/query")), "/query")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--times", type=int, default=1)
    given = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not on the path: apt-get install wrk")
    release = given.release or current_release(load_settings().out_dir).path
    with tempfile.TemporaryDirectory() as folder:
        dataset = release / DATASET
        if given.times > 1:
            release = dataset = multiply(dataset, given.times, Path(folder))
        measure(release, dataset, given.seconds, Path(folder))


if __name__ == "__main__":
    main()

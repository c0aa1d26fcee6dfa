"""`canary status` where no daemon answers: what is there instead is told in words, and nothing is judged."""

import socket
from pathlib import Path

import pytest

from canary.cli.main import invoke
from canary.sandbox.gate import Gate
from canary.sandbox.httpd import HttpServer, Response
from tests.canary.config.samples import GOOD

LIKE = b'{"conditions": [], "stages": [], "probes": [], "windows": []}'


def asked(folder: Path, port: int) -> int:
    config = folder / "canary.toml"
    config.write_text(f'{GOOD}\n[web]\nlisten = "127.0.0.1:{port}"\n')
    return invoke(["status", "--config", str(config)])


def test_nothing_that_listens_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the words of the system."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        code = asked(tmp_path, taken.getsockname()[1])

    assert code == 3
    assert "no daemon answers (connection refused)" in capsys.readouterr().err


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"conditions": 1}', LIKE, b"\xff"])
def test_somebody_else_who_listens_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    """Whatever it says."""
    other = HttpServer(lambda _: Response(body=body), gate=Gate())
    other.start()
    code = asked(tmp_path, other.port)
    other.stop()

    assert code == 3
    assert "what answers is no daemon of ours" in capsys.readouterr().err

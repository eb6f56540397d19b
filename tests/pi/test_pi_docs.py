"""docs/pi.md, followed literally on the emulated Pi; and, without one, that nothing in it has gone stale."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pi_docs import MODES, PAGE, Block, blocks, outputs, script
from pi_world import Pi

UNIT = PAGE.parent / "edge-facenet-identify.service"


def test_every_block_is_marked_and_every_omission_explained() -> None:
    found = blocks()
    assert len(found) == PAGE.read_text().count("\n```") / 2 >= 10
    for block in found:
        assert block.mode in MODES, block.content
        assert block.language in ("sh", "python")
        assert block.text or block.mode in ("run", "computer"), f"why? {block.content}"
        assert block.mode != "run" or block.language == "python" or "sudo apt" not in block.content


@pytest.mark.parametrize("text", ["```sh\nls\n```", "<!-- test-pi: run -->\n\n```sh\nls\n```"])
def test_a_block_without_a_mark_is_seen(text: str) -> None:
    (block,) = blocks(text)
    assert not block.mode


def test_a_failing_block_ends_the_script_and_a_refusal_that_does_not_come_too(tmp_path: Path) -> None:
    assert run_here(script([Block("run", None, "sh", "false\n"), Block("run", None, "sh", "echo b\n")])).returncode == 1
    assert run_here(script([Block("refused", "x", "sh", "true\n")])).returncode == 99
    good = run_here(script([Block("refused", "x", "sh", "echo x; false\n"), Block("run", None, "sh", "echo b\n")]))
    assert good.returncode == 0 and outputs(good.stdout) == {0: "x\n", 1: "b\n"}


def run_here(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=False)


def test_every_command_and_option_on_the_page_exists() -> None:
    """In the blocks that cannot be run as well, and in the unit."""
    from edge_facenet.cli.main import _group

    group = _group()
    lines = [line for block in blocks() if block.language == "sh" for line in block.content.splitlines()]
    lines += [
        line.removeprefix("ExecStart=") for line in UNIT.read_text().splitlines() if line.startswith("ExecStart=")
    ]
    calls = [call for line in lines for call in re.findall(r"edge-facenet ([a-z][^|\n]*)", line)]
    assert len(calls) > 10
    for call in calls:
        words = shlex.split(call)
        command = group.get_command(None, words[0])
        assert command is not None, call
        if hasattr(command, "get_command"):
            command = command.get_command(None, words[1])
            assert command is not None, call
        known = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, call


def test_the_page_names_no_unit_but_the_one_that_is_there() -> None:
    assert UNIT.name in PAGE.read_text() and UNIT.is_file()


def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("needs systemd-analyze, which this machine has not")
    # The program that the unit starts must exist for the check: here it is one that does.
    text = UNIT.read_text().replace("/opt/edge-facenet/bin/edge-facenet", shutil.which("true") or "/bin/true")
    (tmp_path / UNIT.name).write_text(text)
    done = subprocess.run([tool, "verify", str(tmp_path / UNIT.name)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and UNIT.name not in done.stderr, done.stderr


@pytest.fixture(scope="module")
def followed(pi_folder: Path, exchange: Path, repo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """The page's blocks, run in order in one shell on a Pi that has nothing of ours yet; their outputs."""
    home, opt, found = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("opt"), blocks()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in (one for one in found if one.mode == "computer"):
        subprocess.run(["bash", "-euc", block.content], cwd=repo, env=environment, check=True, capture_output=True)
    wheels = sorted((repo / "build" / "hand").glob("edge_facenet*.whl"))
    assert len(wheels) == 2
    for wheel in wheels:
        shutil.copy(wheel, home)
    shutil.copytree(exchange / "people" / "s1", home / "photos" / "ada")
    (home / "photos" / "ada" / "5.jpg").unlink()
    (home / "photos" / "ada" / "4.jpg").rename(home / "photos" / "party.jpg")
    binds = {"/home/pi": home, "/opt/edge-facenet": opt, "/opt/wheels": pi_folder / "wheels"}
    pi = Pi(pi_folder / "root", binds=binds, environment={"USER": "root"})
    done = pi.run("/bin/bash", "-c", f"cd ~; exec 2>&1; {script(found)}", timeout=1700)
    assert done.code == 0, done.all
    print(f"\nThe environment takes {size(opt)} MB.")
    return outputs(done.out)


def size(folder: Path) -> int:
    return round(sum(path.lstat().st_size for path in folder.rglob("*")) / 1e6)


def said(followed: dict[int, str], part: str) -> str:
    """The output of the one block that holds `part`."""
    numbers = [n for n, block in enumerate(blocks()) if part in block.content and block.mode in ("run", "refused")]
    assert len(numbers) == 1, part
    return followed[numbers[0]]


def test_the_page_can_be_followed(followed: dict[int, str]) -> None:
    expected = {n for n, block in enumerate(blocks()) if block.mode in ("run", "refused")}
    assert set(followed) == expected
    assert "64 bits: good" in said(followed, "getconf")


def test_pip_refuses_outside_of_a_virtual_environment(followed: dict[int, str]) -> None:
    for number, block in enumerate(blocks()):
        if block.mode == "refused":
            assert str(block.text) in followed[number]


def test_the_environment_keeps_bookworms_numpy(followed: dict[int, str]) -> None:
    text = said(followed, "'numpy<2'")
    assert "Successfully installed" in text and "edge-facenet-" in text
    assert "numpy-" not in text.split("Successfully installed")[1], "apt's numpy 1.24 serves"


def test_doctor_is_content(followed: dict[int, str]) -> None:
    text = said(followed, "edge-facenet doctor")
    assert "This machine can embed faces, with litert" in text
    assert "Raspberry Pi 4 Model B Rev 1.4" in text and "numpy 1.24.2" in text
    assert "FAIL" not in text and "emulated: a program for aarch64 on a kernel of x86_64" in text


def test_names_are_on_the_screen(followed: dict[int, str]) -> None:
    assert re.search(r"Ada \(0\.\d+, threshold 0\.\d+\)", said(followed, "edge-facenet enroll Ada ~/photos/ada"))
    assert said(followed, "FaceRecognizer()").startswith("Ada 0.")
    assert "Ada" in said(followed, "cat ~/photos/party.jpg")


def test_bench_says_that_this_is_no_pi(followed: dict[int, str]) -> None:
    text = said(followed, "edge-facenet bench")
    assert "emulated: a program for aarch64" in text
    assert "No lane gave a figure that can be trusted" in text

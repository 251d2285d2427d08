"""Completion as the shells themselves do it, with the script that `ceas completion` prints."""

import contextlib
import os
import pty
import re
import shutil
import subprocess
from threading import Timer

import pytest

from ceas_physics.cli import main

BASH = """
source {script}
ask() {{ COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
         $(complete -p ceas | sed 's/.*-F \\([^ ]*\\) .*/\\1/') ceas "${{@: -1}}" "${{@: -2:1}}"
         echo "${{COMPREPLY[@]}}"; }}
"""
ASKED = {  # words on the line, the last one begun -> what a shell must offer
    "ceas sam": "sample",
    "ceas sample --latt": "--lattice",
    "ceas sample --lattice hyp": "hyperbolic",
    "ceas train --thermostat fin": "final_address",
    "ceas completion z": "zsh",
    "ceas scaling --update sw": "swendsen_wang",
    "ceas anneal --schedule cor": "corridor",
    "ceas bench an": "anneal",
    "ceas resume myst": "mystore",
    "ceas rerun myr": "myrun.nc",
}


def script(shell, tmp_path, capsys):
    assert main(["completion", shell]) == 0
    path = tmp_path / f"ceas.{shell}"
    path.write_text(capsys.readouterr().out)
    return path


def there(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


def output(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)


@there("bash")
def test_bash_completes(tmp_path, capsys):
    (tmp_path / "mystore").mkdir()
    (tmp_path / "myrun.nc").touch()
    lines = [BASH.format(script=script("bash", tmp_path, capsys)), *(f"ask {line}" for line in ASKED)]
    run = output(["bash", "--norc", "-c", "\n".join(lines)], tmp_path)
    assert run.stderr == ""
    for line, offered in zip(ASKED, run.stdout.splitlines(), strict=True):
        assert offered.split()[0].rstrip("/") == ASKED[line], line


@there("fish")
def test_fish_completes(tmp_path, capsys):
    (tmp_path / "mystore").mkdir()
    (tmp_path / "myrun.nc").touch()
    path = script("fish", tmp_path, capsys)
    for line, word in ASKED.items():
        run = output(["fish", "--no-config", "-c", f"source {path}; complete -C '{line}'"], tmp_path)
        assert run.stderr == ""
        assert word in [offer.partition("\t")[0].rstrip("/") for offer in run.stdout.splitlines()], line


@there("zsh")
def test_zsh_completes(tmp_path, capsys):
    """Tab on a line of an interactive shell, whose line is then printed: echo '<line>'."""
    script("zsh", tmp_path, capsys).rename(tmp_path / "_ceas")
    (tmp_path / "mystore").mkdir()
    (tmp_path / "myrun.nc").touch()
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path,
        env=os.environ | {"TERM": "dumb"}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, b"fpath=($PWD $fpath); autoload -U compinit; compinit -u -D\n")
    for line in ASKED:
        os.write(ours, line.encode() + b"\t\x01echo '<\x05>'\n")
    os.write(ours, b"exit\n")
    watch = Timer(60, shell.kill)  # a shell that asks something would wait for ever
    watch.start()
    shown = b""
    with contextlib.suppress(OSError):  # Linux says so where the other end is closed
        while part := os.read(ours, 65536):
            shown += part
    shell.wait()
    watch.cancel()
    os.close(ours)
    printed = re.findall(r"^<(.*?) *>\r$", shown.decode(), re.MULTILINE)
    assert [line.split()[-1].rstrip("/") for line in printed] == list(ASKED.values())

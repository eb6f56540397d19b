"""The command line: sub-commands found through the entry points `edge_facenet.commands`, errors in one sentence each.

An entry point is a function with typer annotations, or a `typer.Typer`. It is imported when it is called or listed; one
that cannot be imported says so when it is called and takes nothing else down.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from edge_facenet.errors import ConfigError, EdgeFacenetError, OutputError, SetupError

from .plain import plain

GROUP = "edge_facenet.commands"
ORDER = (
    *("demo", "setup", "enroll", "identify", "compare", "gallery", "cluster"),
    *("prepare", "noise", "train", "export", "verify", "bench", "muladds", "doctor"),
)
EXIT_CODES = (
    "Exit codes: 0 done; 1 unexpected; 2 command line; 3 photos, crops, pairs, galleries or keys; 4 manifest or model file; 5 a gate "
    "refused; 6 something is missing on this machine; 7 configuration; 8 output; 9 camera gone; 130 interrupted. "
    "--debug, anywhere on the line, shows the traceback."
)
# Read by TensorFlow, LiteRT and OpenCV when they are first imported, which happens inside the commands.
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GLOG_minloglevel": "3",
    "GRPC_VERBOSITY": "ERROR",
    "OPENCV_LOG_LEVEL": "ERROR",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",
}
_INTERRUPTED, _BROKEN_PIPE = 130, 141  # 128 + SIGINT, 128 + SIGPIPE, as a shell would report them
# typer raises click's usage errors and brings its own copy of click or not, by version; both derive from this class.
_USAGE: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


class Commands(TyperGroup):
    """The group whose members are entry points."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order in which they are used; other packages' commands follow by name."""
        names = _entry_points()
        return [n for n in ORDER if n in names] + sorted(set(names) - set(ORDER))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now; None when there is none of this name."""
        entry = _entry_points().get(cmd_name)
        return None if entry is None else _load(entry)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors become one sentence and an exit code."""
        with _reported(debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with a documented exit code."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name need not be valid text; printing it must not fail
            stream.reconfigure(errors="backslashreplace")
    words, debug = _pull_debug(list(sys.argv[1:] if arguments is None else arguments))
    with _reported(debug):
        _check_words(words)
        _group()(args=[*(["--debug"] if debug else []), *words], prog_name="edge-facenet")
    sys.exit(0)


def describe(error: BaseException) -> tuple[str, int]:
    """The sentence for an error and the exit code."""
    if isinstance(error, EdgeFacenetError):
        return str(error), error.exit_code
    if isinstance(error, OSError):
        return _describe_os(error), OutputError.exit_code
    if isinstance(error, MemoryError):
        return "Not enough memory on this machine. Close other programs, or work on less at a time.", 6
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted.", _INTERRUPTED
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"Unexpected error, {text}. This is a fault of edge-facenet: run again with --debug and report it.", 1


def _group() -> Any:
    app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

    @app.callback(epilog=EXIT_CODES)
    def root(
        debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
        version: Annotated[
            bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
        ] = False,
    ) -> None:
        """FaceNet for phones and small computers: photos in, a small and proven face-embedding file out.

        First run: edge-facenet demo. Recognise people: enroll, identify. Train on your own photos: prepare, train, export.
        """

    return typer.main.get_command(app)


def _version(wanted: bool) -> None:
    if wanted:
        from edge_facenet import __version__

        print(f"edge-facenet {__version__}")
        raise typer.Exit


def _pull_debug(words: list[str]) -> tuple[list[str], bool]:
    """`--debug` counts wherever it stands before `--`."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    return kept + words[end:], len(kept) < end


def _check_words(words: Sequence[str]) -> None:
    """An unset variable of the shell must not mean the folder one is in, as an empty path does."""
    if "" in words:
        before = f" behind {words[words.index('') - 1]}" if words[0] else ""
        raise ConfigError(f"The argument{before} is empty. Look whether a variable of the shell is unset.")


def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    return {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}


def _load(entry: importlib.metadata.EntryPoint) -> Any:
    try:
        loaded = entry.load()
    except Exception as error:  # noqa: BLE001 - another package's module; whatever it raises, the other commands work
        return _unavailable(entry.name, f"{type(error).__name__}: {error}")
    if isinstance(loaded, typer.Typer):
        command: Any = typer.main.get_group(loaded)
    else:
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        app.command(entry.name)(loaded)
        command = typer.main.get_command(app)
    command.name = entry.name
    return command


def _unavailable(name: str, reason: str) -> Any:
    app = typer.Typer(add_completion=False)
    swallow = {"allow_extra_args": True, "ignore_unknown_options": True}

    @app.command(name, help=f"(cannot be loaded: {reason})", context_settings=swallow, add_help_option=False)
    def unavailable() -> None:
        raise SetupError(f"The command {name} cannot be loaded: {reason}. Install edge-facenet again.")

    return typer.main.get_command(app)


@contextlib.contextmanager
def _reported(debug: bool) -> Iterator[None]:
    try:
        yield
    except (typer.Exit, typer.Abort, _USAGE):
        raise  # the command line's own
    except BrokenPipeError:
        # The reader (head, less) has gone. Python would complain when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(_BROKEN_PIPE)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost rim: every error ends as a sentence
        if debug:
            import traceback

            traceback.print_exc()
        sentence, code = describe(error)
        print(f"edge-facenet: {plain(sentence)}", file=sys.stderr)
        sys.exit(code)


def _describe_os(error: OSError) -> str:
    where = f" {_shown(error.filename)}" if error.filename is not None else ""
    known = {
        errno.ENOSPC: f"The disk is full: cannot write{where}. Free some space and run the same command again.",
        errno.EDQUOT: f"The disk quota is used up: cannot write{where}. Free some space and run the same command again.",
        errno.EACCES: f"Permission denied:{where}. Change its rights, or give another place.",
        errno.EPERM: f"Not permitted:{where}. Change its rights, or give another place.",
        errno.EROFS: f"The file system is read-only: cannot write{where}. Give another place.",
        errno.ENOENT: f"No such file or folder:{where}.",
        errno.ENAMETOOLONG: f"The name is too long for this system:{where}.",
    }
    return known.get(error.errno or 0, f"{error.strerror or error}:{where}".rstrip(":") + ".")


def _shown(name: object) -> str:
    return os.fsdecode(name) if isinstance(name, (str, bytes, os.PathLike)) else str(name)


if __name__ == "__main__":
    main()

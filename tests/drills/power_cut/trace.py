"""Read what strace saw of a server: writes, syncs and names below one directory, and replies to webhooks."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

# Everything that changes files. Write-ahead indexes are mapped into memory: SQLite makes them again after a power cut.
CALLS = (
    "openat,open,creat,pwrite64,pwritev,write,writev,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,sendto,sendmsg"
)
SYNCS = frozenset({"fsync", "fdatasync"})
COMMAND = ("strace", "-DDD", "-f", "--seccomp-bpf", "-qq", "-y", "-xx", "-s", "4194304", "-e", "signal=none")
_LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>(.*)|(\w+)\((.*))$", re.DOTALL)
_CALL = re.compile(r"(.*)\) += (.*)", re.DOTALL)
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"\d+<((?:\\x[0-9a-f]{2})*)>")
_REPLY = re.compile(rb"HTTP/1\.1 200 .*?\r\nx-request-id: (cut-[^\r]+)\r\n", re.DOTALL | re.IGNORECASE)
_PAUSED = " <unfinished ...>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One system call on files, or a reply that acknowledged a receipt.

    `begun` and `ended` are lines of the trace; `ended` is None where the process died meanwhile.
    """

    begun: int
    ended: int | None
    name: str
    path: str = ""
    data: bytes = b""
    numbers: tuple[int, ...] = ()
    flags: str = ""
    target: str = ""  # The new name of a rename, the id of an acknowledged request.


def read_trace(lines: Iterable[str], below: str) -> list[Step]:
    """Return the steps below a directory in the order in which they began."""
    paused: dict[str, tuple[int, str, str]] = {}
    steps: list[Step] = []
    for number, line in enumerate(lines):
        found = _LINE.match(line.rstrip("\n"))
        if not found:
            continue  # A process ended.
        process, resumed, rest, name, text = found.groups()
        begun = number
        if resumed:
            begun, name, text = paused.pop(process)
            text += rest
        elif text.endswith(_PAUSED):
            paused[process] = number, name, text.removesuffix(_PAUSED)
            continue
        steps += _steps(name, text, begun, number, below)
    for begun, name, text in paused.values():
        steps += _steps(name, text + ") = 0", begun, None, below)
    return sorted(steps, key=lambda step: step.begun)


def _steps(name: str, text: str, begun: int, ended: int | None, below: str) -> Iterator[Step]:
    call = _CALL.fullmatch(text)
    assert call, text[:200]
    arguments, outcome = call.groups()
    strings = [bytes.fromhex(one.replace("\\x", "")) for one in _STRING.findall(arguments)]
    descriptor = _DESCRIPTOR.match(arguments)
    opened = bytes.fromhex(descriptor[1].replace("\\x", "")).decode(errors="replace") if descriptor else ""
    if name in {"write", "writev", "sendto", "sendmsg"} and opened.startswith("socket:"):
        reply = _REPLY.match(b"".join(strings))
        if reply:
            yield Step(begun=begun, ended=ended, name="reply", target=reply[1].decode())
        return
    if outcome.startswith(("-1", "?")) or (name == "openat" and not re.search("O_CREAT|O_TRUNC", arguments)):
        return
    if name in {"openat", "mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2"}:
        paths = [one.decode(errors="replace") for one in strings]
    else:
        paths = [opened]
    if not paths[0].startswith(below) or "(deleted)" in arguments[:1000]:
        return
    assert all(PurePosixPath(path).is_absolute() for path in paths)
    yield Step(
        begun=begun,
        ended=ended,
        name=name.removesuffix("at2").removesuffix("at") if name != "openat" else "open",
        path=paths[0],
        target=paths[1] if len(paths) > 1 else "",
        data=strings[0][: None if ended is None else int(outcome)] if name in {"write", "pwrite64"} else b"",
        numbers=tuple(int(one) for one in re.findall(r", (\d+)(?=,|$)", _STRING.sub("", arguments))),
        flags=arguments if name == "openat" else "",
    )

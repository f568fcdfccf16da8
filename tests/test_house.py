"""The law of the house: imports go down, entry rooms never meet, and nothing is imported inside a function."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
APP = ROOT / "app"
ENTRY_ROOMS = frozenset({"account", "dial", "followup", "notify", "ops", "reports", "simulator"})
# The one file that every room shares.
SHARED = {"context"}
# Room -> the rooms it may import besides itself.
ALLOWED = {
    "voice": set(),
    "plan": {"voice"},
    "records": {"voice"},
    **{room: {"plan", "records", "voice"} | SHARED for room in ENTRY_ROOMS},
    "simulator": {"voice"},
    "server": {*ENTRY_ROOMS, "plan", "records", "voice"} | SHARED,
    "cli": {*ENTRY_ROOMS, "plan", "records", "voice", "server"} | SHARED,
}
# Wing of `records` -> the wings it may import besides itself.
WINGS = {
    "model": set(),
    "store": {"model"},
    "writing": {"model", "store"},
    "rollups": {"model", "store"},
    "spool": {"model", "store", "writing", "rollups"},
    "reading": {"model", "store", "writing", "rollups"},
    "maintenance": {"model", "store", "writing", "rollups", "spool", "reading"},
}
PURE = {"voice": {"flask", "sqlalchemy", "requests", "psycopg", "socket"}, "plan": {"flask", "sqlalchemy", "requests"}}
SOURCES = sorted(APP.rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """Yield every module that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports by dots"
            module = node.module or ""
            yield from ((f"{module}.{alias.name}", node) for alias in node.names)


def room_of(path: Path) -> str | None:
    """Return the room that holds a file; None for the factory's own files."""
    parts = path.relative_to(APP).parts
    return parts[0] if len(parts) > 1 else None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    room = room_of(path)
    if room is None:
        return
    for name, node in imports(path):
        parts = name.split(".")
        if parts[0] == "app":
            assert parts[1] == room or parts[1] in ALLOWED[room], f"{path}:{getattr(node, 'lineno', 0)} imports {name}"
        assert parts[0] not in PURE.get(room, set()), f"{path} is to be pure and imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_wings_of_the_records_import_downwards(path: Path) -> None:
    parts = path.relative_to(APP).parts
    if parts[0] != "records" or len(parts) < 3:
        return
    for name, node in imports(path):
        names = name.split(".")
        if names[:2] == ["app", "records"]:
            lower = WINGS[parts[1]] | {parts[1]}
            assert names[2] in lower, f"{path}:{getattr(node, 'lineno', 0)} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_imported_inside_a_function(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = [inner for inner in ast.walk(node) if isinstance(inner, ast.Import | ast.ImportFrom)]
            assert not inside, f"{path}:{node.lineno} {node.name} imports inside"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_settings_read_the_environment(path: Path) -> None:
    text = path.read_text()

    assert "os.environ" not in text
    assert "os.getenv" not in text


OF_NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}  # Python documents these.
PROGRAM = [
    *SOURCES,
    *sorted((ROOT / "settings").rglob("*.py")),
    *(ROOT / name for name in ("config.py", "wsgi.py", "gunicorn.conf.py")),
]


def is_private(name: str) -> bool:
    """Return whether a name begins with an underscore and is not one that Python documents."""
    return name.startswith("_") and not name.startswith("__") and name not in OF_NAMED_TUPLES


def foreign_private_names(tree: ast.AST) -> Iterator[str]:
    """Yield the private names that a file uses and does not define itself."""
    nodes = list(ast.walk(tree))
    own = {
        node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"self", "cls"}
    }
    own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield from (
                name
                for name in [*(node.module or "").split("."), *(one.name for one in node.names)]
                if is_private(name)
            )
        elif isinstance(node, ast.Import):
            yield from (part for one in node.names for part in one.name.split(".") if is_private(part))
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in own:
            yield ast.unparse(node)


@pytest.mark.parametrize("path", PROGRAM, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_public_names_of_other_peoples_code_are_used(path: Path) -> None:
    assert list(foreign_private_names(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize("path", PROGRAM, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_imported_by_a_string(path: Path) -> None:
    assert "import_module" not in path.read_text()
    assert "__import__" not in path.read_text()


def test_the_shared_package_holds_no_loose_file_but_its_factory_and_context() -> None:
    assert sorted(path.name for path in APP.glob("*.py")) == ["__init__.py", "context.py"]


def test_no_two_files_import_each_other() -> None:
    edges = {
        module_name(path): {name for imported, _ in imports(path) for name in possible_modules(imported)}
        for path in SOURCES
    }
    settled: set[str] = set()
    for module in edges:
        walk(module, edges, settled, ())


def module_name(path: Path) -> str:
    """Return the dotted name of a file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def possible_modules(name: str) -> set[str]:
    """Return what `from a.b import c` may mean: a.b.c or a.b."""
    return {name, name.rpartition(".")[0]}


def walk(module: str, edges: dict[str, set[str]], settled: set[str], path: tuple[str, ...]) -> None:
    """Follow every import and fail on one that leads back."""
    assert module not in path, " -> ".join([*path, module])
    if module in settled:
        return
    for following in edges.get(module, set()) & edges.keys():
        if following != module:
            walk(following, edges, settled, (*path, module))
    settled.add(module)

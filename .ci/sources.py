"""The package's source, read without running it: its size, its imports, its circles."""

from __future__ import annotations

import ast
import re
import tokenize
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAME = "click_auth"
PACKAGE = ROOT / NAME

_SILENT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DOCUMENTED = (ast.Module, ast.ClassDef, *_FUNCTIONS)
_IMPORTS = (ast.Import, ast.ImportFrom)


class Source:
    """One module of the package, as text and as a tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place: str = path.relative_to(PACKAGE).as_posix()
        words = [NAME, *self.place.removesuffix(".py").split("/")]
        self.is_package: bool = words[-1] == "__init__"
        self.name: str = ".".join(words[:-1] if self.is_package else words)
        text = path.read_text(encoding="utf-8")
        self.tree: ast.Module = ast.parse(text)
        self.lines: int = len(text.splitlines())

    @cached_property
    def code(self) -> set[int]:
        """The numbers of the lines that hold code: no blank lines, comments or docstrings."""
        with tokenize.open(self.path) as source:
            tokens = [each for each in tokenize.generate_tokens(source.readline) if each.string]
        loud = (each for each in tokens if each.type not in _SILENT)
        lines = {line for each in loud for line in range(each.start[0], each.end[0] + 1)}
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, _DOCUMENTED))
        docs = (node.body[0] for node in nodes if ast.get_docstring(node) is not None)
        return lines - {line for doc in docs for line in _lines_of(doc)}

    @cached_property
    def import_lines(self) -> set[int]:
        """The numbers of the lines of code that only import, TYPE_CHECKING's guards included."""
        nodes = list(ast.walk(self.tree))
        imports = {line for each in nodes if isinstance(each, _IMPORTS) for line in _lines_of(each)}
        tests = [each for each in nodes if isinstance(each, ast.If)]
        guards = {each.lineno for each in tests if "TYPE_CHECKING" in ast.unparse(each.test)}
        return (imports | guards) & self.code

    @cached_property
    def late_imports(self) -> int:
        """How many imports stand inside functions."""
        return len(
            {
                id(node)
                for function in self.functions
                for node in ast.walk(function)
                if isinstance(node, _IMPORTS) or _loads_by_name(node)
            }
        )

    @property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function, methods included."""
        return [node for node in ast.walk(self.tree) if isinstance(node, _FUNCTIONS)]

    @property
    def longest_function(self) -> tuple[int, str]:
        """How many lines the longest function has, its docstring included, and where it is."""
        lengths = [
            (len(_lines_of(each)), f"{self.place}:{each.lineno} {each.name}")
            for each in self.functions
        ]
        return max(lengths, default=(0, self.place))

    def imported(self, known: set[str]) -> set[str]:
        """Return the modules among *known* that this one imports, for annotations too."""
        found = set(self._named_as_text(known))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= inner & known or {node.module}
                found |= {node.module} if inner - known else set()
        return found & known - {self.name}

    def _named_as_text(self, known: set[str]) -> list[str]:
        """Return the modules that a module which imports by name may mean by its texts."""
        nodes = list(ast.walk(self.tree))
        if not any(_loads_by_name(node) for node in nodes):
            return []
        here = self.name if self.is_package else self.name.rpartition(".")[0]
        texts = [each.value for each in nodes if isinstance(each, ast.Constant)]
        words = [each for each in texts if isinstance(each, str) and re.fullmatch(r"[.\w]+", each)]
        meant = [name for each in words for name in (each, f"{here}.{each.lstrip('.')}")]
        return [name for name in meant if name in known and "." in name]


def read_sources() -> list[Source]:
    """Return every module of the package."""
    return [Source(path) for path in sorted(PACKAGE.rglob("*.py"))]


def circles(sources: list[Source]) -> list[list[str]]:
    """Return the groups of modules that import each other, however many steps apart."""
    known = {source.name for source in sources}
    direct = {source.name: source.imported(known) for source in sources}
    reached = {name: _reached(direct, name) for name in direct}
    groups = {
        tuple(sorted(other for other in names if name in reached[other]))
        for name, names in reached.items()
        if name in names
    }
    return [list(group) for group in sorted(groups)]


def _reached(direct: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = set(direct[start])
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= direct[name] - found
    return found


def _lines_of(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _loads_by_name(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
    return name in ("import_module", "__import__")

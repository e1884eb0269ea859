"""Two checks of what no linter knows: the size of the house, and that no file names one machine."""

from __future__ import annotations

import ast
import subprocess
import sys
import tokenize
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "click_auth"
# All but the commands, the testing tools, optional provider features and extras.
BEYOND_CORE = (
    "commands/",
    "testing/",
    "providers/apikey.py",
    "providers/device.py",
    "providers/dpop.py",
    "providers/id_token.py",
    "providers/par.py",
    "providers/registration.py",
    "typer/",
)
# The budget is an evening's reading. The house has outgrown it; until it is smaller it grows
# no more.
CORE_BUDGET, PACKAGE_BUDGET = 2_500, 5_500
CORE_LINES, PACKAGE_LINES, MODULE_LINES, FUNCTION_LINES = 7_600, 10_400, 300, 60
SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the numbers of the lines that docstrings stand on."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, DOCUMENTED))
    docs = (node.body[0] for node in nodes if ast.get_docstring(node) is not None)
    return {line for doc in docs for line in range(doc.lineno, (doc.end_lineno or 0) + 1)}


def code_lines(path: Path) -> int:
    """Return how many lines hold code: no blank lines, comments or docstrings."""
    with tokenize.open(path) as source:
        tokens = list(tokenize.generate_tokens(source.readline))
    loud = (token for token in tokens if token.type not in SILENT and token.string)
    lines = {line for token in loud for line in range(token.start[0], token.end[0] + 1)}
    return len(lines - docstring_lines(ast.parse(path.read_text(encoding="utf-8"))))


def long_functions(path: Path) -> list[str]:
    """Return a finding for each function over the limit, its docstring included."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return [
        f"{path.relative_to(ROOT)}:{function.lineno}: {function.name} has {length} lines"
        for function in functions
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    ]


def oversized() -> list[str]:
    """Return what has outgrown the house, after printing its size."""
    sizes = {path: code_lines(path) for path in sorted(PACKAGE.rglob("*.py"))}
    core = sum(
        size
        for path, size in sizes.items()
        if not path.relative_to(PACKAGE).as_posix().startswith(BEYOND_CORE)
    )
    package = sum(sizes.values())
    print(
        f"lines of code: core {core} (budget {CORE_BUDGET}), package {package} ({PACKAGE_BUDGET})"
    )
    findings = [] if core <= CORE_LINES else [f"core: {core} lines of code, over {CORE_LINES}"]
    if package > PACKAGE_LINES:
        findings.append(f"package: {package} lines of code, over {PACKAGE_LINES}")
    for path in sizes:
        length = len(path.read_text(encoding="utf-8").splitlines())
        if length > MODULE_LINES:
            findings.append(f"{path.relative_to(ROOT)} has {length} lines, over {MODULE_LINES}")
        findings += long_functions(path)
    return findings


def output(*command: str) -> str:
    """Return what a command prints, or nothing where there is no such command."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return ""


def private_words() -> set[str]:
    """Return what belongs to this machine alone: its folders, and where it gets packages from."""
    settings = output(sys.executable, "-m", "pip", "config", "list").replace("'", " ").split()
    settings += output("npm", "config", "get", "registry").split()
    # Where pip and npm look when nobody configured anything: pip knows its own.
    question = (
        "from pip._internal.models.index import PyPI as i; print(i.url, i.file_storage_domain)"
    )
    index, files = output(sys.executable, "-c", question).split()
    settings += [index, f"https://{files}"]
    hosts = {urlsplit(word).hostname or "" for word in settings if "://" in word}
    folders = {f"{folder}/" for folder in (ROOT, Path.home()) if folder != Path("/")}
    return {word for word in hosts | folders if len(word) > len("/x/")}


def machine_bound() -> list[str]:
    """Return each line of a tracked file that names this machine or a package registry."""
    words = [argument for word in sorted(private_words()) for argument in ("-e", word)]
    return output("git", "-C", str(ROOT), "grep", "-nIF", *words).splitlines()


if __name__ == "__main__":
    found = oversized() + [f"names one machine or a registry: {line}" for line in machine_bound()]
    print("\n".join(found) or "the house is in order")
    sys.exit(bool(found))

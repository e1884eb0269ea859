"""That what is released is what is tracked: `python package.py WHEEL WHEEL SDIST`.

The two wheels, built one after the other, are the same bytes. The sdist holds every tracked file
as it is, and beside them only the metadata of the package.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
METADATA = {"PKG-INFO"}


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tracked() -> dict[str, bytes]:
    """Return every tracked file by its path, as it lies in the checkout."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    names = subprocess.run(command, capture_output=True, check=True).stdout.decode().split("\0")
    return {name: (ROOT / name).read_bytes() for name in names if name}


def packed(sdist: Path) -> dict[str, bytes]:
    """Return every file of an sdist by its path below the one folder that it has."""
    with tarfile.open(sdist) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        contents = {each.name: archive.extractfile(each) for each in files}
        return {
            name.partition("/")[2]: content.read()
            for name, content in contents.items()
            if content is not None
        }


def differences(sdist: Path) -> list[str]:
    """Return a line for each file that an sdist lacks, has beyond the tree, or has otherwise."""
    ours, theirs = tracked(), packed(sdist)
    missing = [f"missing in the sdist: {name}" for name in ours.keys() - theirs.keys()]
    more = [f"only in the sdist: {name}" for name in theirs.keys() - ours.keys() - METADATA]
    both = ours.keys() & theirs.keys()
    return sorted(
        [*missing, *more, *(f"differs: {each}" for each in both if ours[each] != theirs[each])]
    )


def main() -> int:
    """Print what is wrong; return 1 where something is."""
    first, second, sdist = (Path(word) for word in sys.argv[1:])
    problems = differences(sdist)
    if digest(first) != digest(second):
        problems.append(f"{first.name} differs from one build to the next")
    print(
        "\n".join(problems) or f"{first.name} {digest(first)}: reproducible; the sdist is the tree"
    )
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())

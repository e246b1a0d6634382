"""No file grows without end: one that passes 400 lines holds two nouns."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "tests", "scripts", "examples")
MOST = 400


def too_long(root: Path) -> list[str]:
    """The Python files with more lines than that, each with their number."""
    files = sorted(
        file
        for folder in FOLDERS
        for ending in ("py", "pyi")
        for file in (root / folder).rglob(f"*.{ending}")
    )
    assert files
    counts = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in files}
    return [
        f"{file.relative_to(root).as_posix()} has {count} lines: split it by noun"
        for file, count in counts.items()
        if count > MOST
    ]


def test_no_file_is_two_nouns() -> None:
    assert too_long(ROOT) == []


def test_a_file_of_401_lines_is_named(tmp_path: Path) -> None:
    package = tmp_path / "src" / "package"
    package.mkdir(parents=True)
    (package / "right.py").write_text("#\n" * 400, encoding="utf-8")
    (package / "long.py").write_text("#\n" * 401, encoding="utf-8")
    assert too_long(tmp_path) == ["src/package/long.py has 401 lines: split it by noun"]

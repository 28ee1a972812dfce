"""Build the whole site: compute once, write every page, and replace what was there only when all is done."""
import os
import re
import shutil
import tempfile
from pathlib import Path

import refdgm
from refdgm import derivation_files, ledger, notebooks, verification
from refdgm import validation as valid
from refdgm.pages import derivation_pages, figures, indexes, ledger_pages

LEFT_OVER = re.compile(r"\\(?:[a-zA-Z]+|[\[\]()])|\$[^$<]+\$")


def build(folder, seeds, jobs=1, progress=lambda done, total, what: None):
    """Write the site into a folder, which must be new, empty or an older site.  -> {"pages": n, "formulas": n, ...}

    Raises ValueError where the folder cannot be written, holds something else, or a formula is left as TeX.
    """
    folder = Path(folder)
    valid.require(not folder.exists() or folder.is_dir() and (not any(folder.iterdir()) or (folder / MARK).exists()),
                  f"{folder} is not empty and holds no site of refdgm: give a new folder.")
    for module in ("latex2mathml", "pygments"):
        _needed(module)
    records = compute(seeds, jobs, progress)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=folder.name, suffix=".new", dir=folder.parent))
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {error.strerror}.") from error
    try:
        pages = dict(write(made, records, progress))
        made.chmod(0o755)
        _put(made, folder)
    except OSError as error:
        raise ValueError(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return {"pages": len(pages), "formulas": sum(text.count("<math") for text in pages.values()),
            "lines": sum(text.count('<div class="maths">') for text in pages.values())}


def _put(made, folder):
    """A new folder in the place of another, or of none; the old one is deleted when the new one is there."""
    old = made.with_suffix(".old")
    if folder.exists():
        os.replace(folder, old)
    os.replace(made, folder)
    shutil.rmtree(old, ignore_errors=True)


MARK = "refdgm-site.txt"        # by this file an older site is known


def _needed(module):
    import importlib.util
    valid.require(importlib.util.find_spec(module), f"pages need {module}: pip install 'refdgm[pages]'.")


def compute(seeds, jobs, progress):
    """{id or derivation: record} of everything."""
    return {task.id: record for task, record in verification.run(verification.resolve([]), seeds, jobs, tell=progress)}


def write(folder, records, progress):
    """Write every page, figures first -> (name, text) of each."""
    drawn = figures.write_all(folder / "figures", progress)
    entries, modules = ledger.entries(), derivation_files.by_file()
    methods = ledger_pages.modules()

    def pages():
        yield "index.html", indexes.start_page(records, drawn)
        yield "derivations.html", derivation_pages.index_page(modules, {d: records[d] for d in ledger.derivations()})
        for module, derivations in modules.items():
            yield (f"derivations/{module}.html",
                   derivation_pages.derivation_page(module, derivations, records, figures.of(module, drawn)))
        for document in ledger.DOCUMENTS:
            of_this = [e for e in entries.values() if e.document == document]
            yield f"documents/{document}.html", ledger_pages.document_page(document, of_this, records)
        yield "errata.html", ledger_pages.errata_page(entries.values(), records)
        yield "methods.html", ledger_pages.methods_page(methods)
        for name, module in methods.items():
            yield f"methods/{name}.html", ledger_pages.method_page(name, module, entries, records)
        yield "table1.html", indexes.table1_page(methods)
        yield "notation.html", indexes.notation_page(methods)

    (folder / "notebooks").mkdir()
    for module, derivations in modules.items():
        (folder / "notebooks" / f"{module}.ipynb").write_text(notebooks.notebook(derivations), encoding="utf-8")
    (folder / MARK).write_text(f"made by refdgm {refdgm.__version__}\n", encoding="utf-8")
    shutil.copyfile(Path(__file__).with_name("pages") / "style.css", folder / "style.css")
    total = len(modules) + len(methods) + len(ledger.DOCUMENTS) + 6
    for n, (name, text) in enumerate(pages()):
        progress(n, total, name)
        left = leaks(text)
        valid.require(not left, f"{name} shows TeX: {left[:3]}.")
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        yield name, text


def leaks(text):
    """What a reader would see as TeX: outside of code, of preformatted text and of annotations."""
    seen = re.sub(r"<(pre|code|annotation|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    return LEFT_OVER.findall(re.sub(r"<[^>]*>", "", seen))

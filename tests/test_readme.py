"""What README.md shows is what the commands print."""
import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_readme_shows_real_output():
    spec = importlib.util.spec_from_file_location("refresh_readme", ROOT / "scripts/refresh_readme.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = script.README.read_text()
    assert len(script.BLOCK.findall(text)) >= 2
    assert script.masked(text) == script.masked(script.refreshed(text)), "run scripts/refresh_readme.py"

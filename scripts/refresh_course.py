"""Write derivations/README.md anew: python scripts/refresh_course.py"""
from pathlib import Path

from refdgm import course

if __name__ == "__main__":
    path = Path(__file__).parent.parent / "derivations" / "README.md"
    path.write_text(course.markdown(), encoding="utf-8")
    print(f"wrote {path.name}")

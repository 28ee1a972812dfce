"""False alarms of the cross-check of samplers and estimators, and the smallest bias that it finds. --quick: 50 runs."""
import json
import sys

from refdgm import crosscheck
from refdgm.experiments import crosscheck_power as power


def main():
    quick = "--quick" in sys.argv
    runs, repeats = (50, 10) if quick else (1000, 40)
    rows = {}
    for name, item in power.drawn(crosscheck.contracts()).items():
        rows[name] = {"judge": item.judge.kind, "runs": runs, "false_alarms": power.alarms(item, runs),
                      "smallest_bias": power.smallest(item, repeats), "draws": power.DRAWS}
        print(name.ljust(34), json.dumps(rows[name]), flush=True)
    total = sum(row["false_alarms"] for row in rows.values())
    print(f"{total} false alarms in {runs * len(rows)} runs")
    return bool(total)


if __name__ == "__main__":
    sys.exit(main())
